r"""InfoNCE (van den Oord et al. 2018, arXiv:1807.03748, eq. 4): each query finds its key among the keys of the whole batch.

Indices: $i$ query and $j$ key of $n$, $d$ entry of a vector; $u$ and $v$ the directions of queries and keys, $\tau$ the
temperature, $w$ the weights of the rows (1 if none are given).
$$ s_{ij} = \frac{u_i \cdot v_j}{\tau}, \qquad \ell_i = -\log \frac{e^{s_{ii}}}{\sum_j w_j e^{s_{ij}}}, \qquad
   L = \frac{\sum_i w_i \ell_i}{\sum_i w_i}. $$
The weights stand in the sum over keys as well: a row of weight 2 is one that is there twice, as a query and as a key.  With
``symmetric`` (Radford et al. 2021, arXiv:2103.00020) $\ell_i$ is the mean of this and of the same with queries and keys
exchanged.

Derivation.  With $Z_i = \sum_j w_j e^{s_{ij}}$ and $E_i = \sum_{j \ne i} w_j e^{s_{ij}}$
$$ \bar s_{ij} = \frac{w_j e^{s_{ij}}}{Z_i}\,\bar\ell_i \;\;(j \ne i), \qquad
   \bar s_{ii} = \left(\frac{w_i e^{s_{ii}}}{Z_i} - 1\right) \bar\ell_i = -\frac{E_i}{Z_i}\,\bar\ell_i. $$
$s$ is bilinear: $\bar u = \bar s\,v / \tau$, $\bar v = \bar s^\top u / \tau$.  A direction moves by the part of its vector's
change that is across it, over the length:
$$ \bar x = \frac{\bar u - (\bar u \cdot u)\,u}{|x|}. $$
"""

from functools import partial

import numpy as np
from attrs import frozen

from funcnn.errors import check_range, describe
from funcnn.losses.checks import check_no_target, check_tuple
from funcnn.losses.loss import Loss, LossForward, define_loss
from funcnn.losses.reduction import Reduction, batch_mass, check_reduction, check_weight, positive_sum, scatter, select, total
from funcnn.losses.vectors import directions, inverse, lengths
from funcnn.losses.weighted import Weighted
from funcnn.numerics import row_sums
from funcnn.typing import Array, BoolArray, Empty


@frozen(eq=False)
class InfoResiduals:
    """Directions and lengths of the rows of positive weight, the cotangent of the similarities, and where these rows stand."""

    queries: Array  # (k, D)
    keys: Array  # (k, D)
    query_lengths: Array  # (k,)
    key_lengths: Array  # (k,)
    dsimilarity: Array  # (k, k)
    positive: BoolArray  # (n,)
    prediction: tuple[Array, Array]


def forward(
    temperature: float, symmetric: bool, mean: bool, prediction: tuple[Array, Array], target: Empty | Weighted[Empty]
) -> LossForward[InfoResiduals]:
    check_tuple(prediction, ("queries", "keys"), 2)
    queries, keys = prediction
    if queries.ndim != 2:
        raise ValueError(f"the queries are {describe(queries)}, expected two axes: rows of vectors")
    check_no_target(target.target if isinstance(target, Weighted) else target)
    weight = check_weight(target.weight, prediction, 1) if isinstance(target, Weighted) else np.ones(len(queries))
    positive: BoolArray = weight > 0
    if not positive.all():
        queries, keys, weight = select((queries, keys, weight), positive)
    dlosses = weight / positive_sum(weight, "weights") if mean else weight
    weight, dlosses = weight.astype(queries.real.dtype), dlosses.astype(queries.real.dtype)

    query_lengths, key_lengths = lengths(queries), lengths(keys)
    u, v = directions(queries, query_lengths), directions(keys, key_lengths)
    similarity = u.dot(v.T) / temperature
    losses, dsimilarity = match(similarity, weight, dlosses)
    if symmetric:
        others, dothers = match(similarity.T, weight, dlosses)
        losses, dsimilarity = (losses + others) / 2, (dsimilarity + dothers.T) / 2
    value = total(losses * dlosses)
    dsimilarity /= temperature
    return LossForward(value, InfoResiduals(u, v, query_lengths, key_lengths, dsimilarity, positive, prediction))


def match(similarity: Array, weight: Array, dlosses: Array) -> tuple[Array, Array]:
    """Return each row's loss, the cross-entropy whose label is on the diagonal, and the cotangent of the similarities."""
    shifted = similarity - similarity[range(len(weight)), similarity.argmax(1)][:, None] if len(weight) else similarity
    own = shifted.diagonal()
    terms = np.exp(shifted) * weight
    np.fill_diagonal(terms, 0)
    others = row_sums(terms)
    excess = others + np.expm1(own) + (weight - 1) * np.exp(own)
    share = dlosses / (1 + excess)
    gradient = terms * share[:, None]
    np.fill_diagonal(gradient, -others * share)
    return np.log1p(excess) - own, gradient


def backward(residuals: InfoResiduals) -> tuple[Array, Array]:
    dqueries = across(residuals.dsimilarity.dot(residuals.keys), residuals.queries, residuals.query_lengths)
    dkeys = across(residuals.dsimilarity.T.dot(residuals.queries), residuals.keys, residuals.key_lengths)
    return scatter((dqueries, dkeys), residuals.positive, residuals.prediction)


def across(ddirection: Array, direction: Array, length: Array) -> Array:
    """Return the cotangent of vectors from that of their directions; 0 for a vector of length 0."""
    along = row_sums(ddirection * direction)[:, None] * direction
    return (ddirection - along) * inverse(length)[:, None]


def info_nce(
    temperature: float = 0.1, *, symmetric: bool = False, reduction: Reduction = "mean"
) -> Loss[tuple[Array, Array], Empty | Weighted[Empty]]:
    """Contrast each pair of a batch with all the others in it, by their cosines.

    Parameters
    ----------
    temperature : float, optional
        Positive: what the cosines are divided by.
    symmetric : bool, optional
        Whether keys look for their queries as well.
    reduction : {"mean", "sum"}, optional
        Over the rows.

    Returns
    -------
    Loss
        Of a prediction ``(queries, keys)``, two floating arrays of vectors (n, D) whose rows belong together; its target is the
        empty tuple, or ``Weighted((), weight)`` with a weight (n,).  A weight counts rows, as queries and as keys: unlike those
        of other losses, all weights doubled are not the same.

    Raises
    ------
    TypeError, ValueError
        When the temperature is not positive; in ``forward``, when the two are not floating arrays of one shape (n, D), or the
        batch is empty.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> loss = fn.info_nce(1.0)
    >>> made = loss.forward((np.eye(2), np.eye(2)), ())
    >>> round(float(made.value), 12)
    0.313261687518
    """
    check_range(temperature, "temperature", 0, np.inf, open_low=True, open_high=True)
    check_reduction(reduction)
    bound = partial(forward, float(temperature), bool(symmetric), reduction == "mean")
    name = f"info_nce({temperature:g}{', symmetric' if symmetric else ''})"
    return define_loss(name, bound, backward, reduction=reduction, mass=partial(batch_mass, None, None))
