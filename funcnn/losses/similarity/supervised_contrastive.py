r"""Supervised contrastive loss (Khosla et al. 2020, arXiv:2004.11362, eq. 2): rows of one label come together, others apart.

Indices: $i, a, p$ rows of $n$; $u$ the directions of the vectors, $\tau$ the temperature, $w$ the weights of the rows (1 if none
are given), $P_i = \{p \ne i : y_p = y_i\}$ the others of row $i$'s label and $W_i = \sum_{p \in P_i} w_p$.
$$ s_{ia} = \frac{u_i \cdot u_a}{\tau}, \qquad
   \ell_i = -\frac{1}{W_i} \sum_{p \in P_i} w_p \log \frac{e^{s_{ip}}}{\sum_{a \ne i} w_a e^{s_{ia}}}, \qquad
   L = \frac{\sum_i w_i \ell_i}{\sum_i w_i} . $$
The mean is over the rows that have others of their label; the rest are negatives alone.  Weights say what a row counts beside the
others, as in :func:`funcnn.info_nce`; but no row is its own positive, and so a row of weight 2 is not the row twice.

Derivation.  With $Z_i = N_i + Q_i$, the sums of $w_a e^{s_{ia}}$ over the rows of other labels and over $P_i$
$$ \bar s_{ia} = \frac{w_a e^{s_{ia}}}{Z_i}\,\bar\ell_i \;\;(a \notin P_i), \qquad
   \bar s_{ip} = w_p \Big(\frac{e^{s_{ip}}}{Z_i} - \frac{1}{W_i}\Big) \bar\ell_i
   = -\frac{w_p}{W_i Z_i} \left(N_i + (Q_i - W_i e^{s_{ip}})\right) \bar\ell_i , $$
where the second form loses no digits when a row has one positive, for which $Q_i = W_i e^{s_{ip}}$ exactly.  $s$ is symmetric in
its rows: $\bar u = (\bar s + \bar s^\top)\,u / \tau$, and $\bar x = (\bar u - (\bar u \cdot u)\,u) / |x|$.
"""

from functools import partial

import numpy as np
from attrs import frozen

from funcnn.errors import check_range, describe
from funcnn.kernels.arrays import sum_last
from funcnn.losses.batch_rule import BatchRule, batchwise
from funcnn.losses.checks import check_label_array
from funcnn.losses.loss import Loss
from funcnn.losses.reduction import Reduction, positive_sum, total
from funcnn.losses.similarity.vectors import Polar, directions_pullback, polar
from funcnn.losses.weighted import Weighted
from funcnn.typing import Array, BoolArray, IntArray, Scalar


@frozen(eq=False)
class SupervisedResiduals:
    """Directions and lengths of the rows, and the cotangent of the similarities."""

    vectors: Polar  # of (n, D)
    dsimilarity: Array  # (n, n)


def check(prediction: Array, target: IntArray) -> IntArray:
    check_label_array(target, prediction)
    if prediction.ndim != 2:
        raise ValueError(f"the prediction is {describe(prediction)}, expected two axes: rows of vectors")
    return target


def value(
    temperature: float, prediction: Array, target: IntArray, weight: Array, mean: bool
) -> tuple[Scalar, SupervisedResiduals]:
    vectors = polar(prediction)
    dtype = prediction.real.dtype
    apart = ~np.eye(len(target), dtype=bool)
    alike = (target[:, None] == target) & apart
    many = alike.any(1)
    dlosses = weight.astype(dtype) * many
    if mean:
        dlosses = dlosses / positive_sum(dlosses, "weights of rows that have others of their label")
    similarity = vectors.direction.dot(vectors.direction.T) / temperature
    losses, slopes = contrast(similarity, weight.astype(dtype), alike, apart)
    dsimilarity = slopes * dlosses[:, None] / temperature
    return total(losses * dlosses), SupervisedResiduals(vectors, dsimilarity)


def contrast(similarity: Array, weight: Array, alike: BoolArray, apart: BoolArray) -> tuple[Array, Array]:
    """Return each row's loss, 0 where it has no positive, and its derivative by the similarities."""
    hidden = np.where(apart, similarity, -np.inf)
    shifted = hidden - np.take_along_axis(hidden, hidden.argmax(1)[:, None], 1) if len(weight) > 1 else similarity * 0
    exponentials = np.where(apart, np.exp(np.where(apart, shifted, 0)), 0)
    positives = alike * weight
    shares = positives / np.where(alike.any(1), sum_last(positives), 1)[:, None]
    negative = sum_last(exponentials * weight * ~alike)[:, None]
    positive = sum_last(exponentials * positives)[:, None]
    whole = negative + positive
    whole = np.where(whole == 0, 1, whole)
    beside: Array = negative + (positive - exponentials)  # without the positive itself, once
    near = alike & (np.abs(beside.real) < np.real(exponentials))
    minus_log = np.where(
        near,
        np.log1p(np.where(near, beside, 0) / np.where(near, exponentials, 1)),
        np.log(whole) - np.where(alike, shifted, 0),
    )
    own = -shares * (negative + (positive - sum_last(positives)[:, None] * exponentials)) / whole
    return sum_last(shares * minus_log), np.where(alike, own, exponentials * weight / whole)


def pullback(residuals: SupervisedResiduals) -> Array:
    dsimilarity, vectors = residuals.dsimilarity, residuals.vectors
    return directions_pullback((dsimilarity + dsimilarity.T).dot(vectors.direction), vectors)


def mass(target: IntArray, weight: Array) -> float:
    """Return the weight of the rows that have others of their label."""
    _, place, counts = np.unique(target, return_inverse=True, return_counts=True)
    return float(weight[counts[place] > 1].sum())


def supervised_contrastive(
    temperature: float = 0.1, *, reduction: Reduction = "mean"
) -> Loss[Array, IntArray | Weighted[IntArray]]:
    """Supervised contrastive loss: each row's direction finds those of its label among all rows of the batch.

    Parameters
    ----------
    temperature : float, optional
        Positive: what the cosines are divided by.
    reduction : {"mean", "sum"}, optional
        Over the rows that have others of their label.

    Returns
    -------
    Loss
        Of vectors (n, D), floating, of any length, and labels (n,), integers.  Several views of an example are rows of one label.
        Weights (see :class:`funcnn.Weighted`) have the shape (n,), and count in the sums over other rows too.

    Raises
    ------
    TypeError, ValueError
        When the temperature is not positive; in ``forward``, when vectors are not floating or labels not integers, one for each,
        or when no row has another of its label.

    See Also
    --------
    info_nce : of pairs without labels.

    References
    ----------
    Khosla et al. (2020), Supervised contrastive learning, arXiv:2004.11362.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> loss = fn.supervised_contrastive(1.0)
    >>> vectors = np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0], [0.0, 3.0]])
    >>> made = loss.forward(vectors, np.array([0, 0, 1, 1]))
    >>> round(float(made.value), 6), round(np.log(1 + 2 / np.e), 6)
    (0.551445, np.float64(0.551445))
    """
    temperature = check_range(temperature, "temperature", 0, np.inf, open_low=True, open_high=True)
    rule = BatchRule(check, partial(value, temperature), pullback, mass)
    return batchwise(f"supervised_contrastive({temperature:g})", rule, reduction)
