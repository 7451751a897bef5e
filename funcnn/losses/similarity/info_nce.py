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

from funcnn.errors import check_flag, check_range, describe
from funcnn.kernels.arrays import sum_last
from funcnn.losses.batch_rule import BatchRule, batchwise
from funcnn.losses.checks import check_no_target, check_tuple
from funcnn.losses.loss import Loss
from funcnn.losses.reduction import Reduction, shares, total
from funcnn.losses.similarity.vectors import Polar, directions_pullback, polar
from funcnn.losses.weighted import Weighted
from funcnn.typing import Array, Empty, Scalar


@frozen(eq=False)
class InfoResiduals:
    """Directions and lengths of the rows, and the cotangent of the similarities."""

    queries: Polar  # of (n, D)
    keys: Polar  # of (n, D)
    dsimilarity: Array  # (n, n)


def check(prediction: tuple[Array, Array], target: Empty) -> Empty:
    check_tuple(prediction, ("queries", "keys"), 2)
    if prediction[0].ndim != 2:
        raise ValueError(f"the queries are {describe(prediction[0])}, expected two axes: rows of vectors")
    check_no_target(target)
    return target


def value(
    temperature: float, symmetric: bool, prediction: tuple[Array, Array], target: Empty, weight: Array, mean: bool
) -> tuple[Scalar, InfoResiduals]:
    queries, keys = polar(prediction[0]), polar(prediction[1])
    dlosses = shares(weight, np.ones_like(weight)) if mean else weight
    similarity = queries.direction.dot(keys.direction.T) / temperature
    losses, dsimilarity = match(similarity, weight, dlosses)
    if symmetric:
        others, dothers = match(similarity.T, weight, dlosses)
        losses, dsimilarity = (losses + others) / 2, (dsimilarity + dothers.T) / 2
    return total(losses * dlosses), InfoResiduals(queries, keys, dsimilarity / temperature)


def match(similarity: Array, weight: Array, dlosses: Array) -> tuple[Array, Array]:
    """Return each row's loss, the cross-entropy whose label is on the diagonal, and the cotangent of the similarities."""
    shifted = similarity - similarity[range(len(weight)), similarity.argmax(1)][:, None] if len(weight) else similarity
    own = shifted.diagonal()
    terms = np.exp(shifted) * weight
    np.fill_diagonal(terms, 0)
    others = sum_last(terms)
    excess = others + np.expm1(own) + (weight - 1) * np.exp(own)
    share = dlosses / (1 + excess)
    gradient = terms * share[:, None]
    np.fill_diagonal(gradient, -others * share)
    return np.log1p(excess) - own, gradient


def pullback(residuals: InfoResiduals) -> tuple[Array, Array]:
    queries, keys, dsimilarity = residuals.queries, residuals.keys, residuals.dsimilarity
    dqueries = directions_pullback(dsimilarity.dot(keys.direction), queries)
    return dqueries, directions_pullback(dsimilarity.T.dot(queries.direction), keys)


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
    temperature = check_range(temperature, "temperature", 0, np.inf, open_low=True, open_high=True)
    symmetric = check_flag(symmetric, "symmetric")
    rule = BatchRule(check, partial(value, temperature, symmetric), pullback)
    return batchwise(f"info_nce({temperature:g}{', symmetric' if symmetric else ''})", rule, reduction)
