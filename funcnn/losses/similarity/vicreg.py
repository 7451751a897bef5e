r"""VICReg (Bardes, Ponce & LeCun 2022, arXiv:2105.04906, section 4 and algorithm 1): variance, invariance, covariance.

Indices: $n$ row of $N$, $i, j$ features of $D$; $x$ and $y$ the two views, $w$ the weights of the rows (1 if none are given) and
$W = \sum_n w_n$; $\hat x = x - \mu$ with the weighted mean $\mu$.
$$ L = \alpha\, s(x, y) + \beta\,(v(x) + v(y)) + \gamma\,(c(x) + c(y)), \qquad
   s = \frac{1}{W D} \sum_{ni} w_n (x_{ni} - y_{ni})^2, $$
$$ v = \frac1D \sum_i \max\Big(0,\; 1 - \sqrt{S_{ii} + \epsilon}\Big), \qquad c = \frac1D \sum_{i \ne j} S_{ij}^2, \qquad
   S = \frac{1}{W - 1} \sum_n w_n \hat x_n \hat x_n^\top . $$
A weight counts rows: one of weight 2 is one that is there twice.

Derivation.  $\mathrm{d}S = \frac{1}{W - 1} \sum_n w_n (\mathrm{d}x_n \hat x_n^\top + \hat x_n \mathrm{d}x_n^\top)$, where the
mean's own change drops out, since $\sum_n w_n \hat x_n = 0$.  With $\bar S_{ij} = \frac{2 \gamma}{D} S_{ij}$ off the diagonal and
$\bar S_{ii} = -\frac{\beta}{2 D \sqrt{S_{ii} + \epsilon}}$ where the deviation is below 1, 0 elsewhere (at the kink too),
$$ \bar x_n = \frac{2 \alpha w_n}{W D} (x_n - y_n) + \frac{2 w_n}{W - 1}\, \bar S\, \hat x_n, \qquad
   \bar y_n = -\frac{2 \alpha w_n}{W D} (x_n - y_n) + \dots $$
"""

from functools import partial

import numpy as np
from attrs import frozen

from funcnn.errors import check_range
from funcnn.kernels.arrays import positive_part
from funcnn.losses.batch_rule import BatchRule, batchwise
from funcnn.losses.loss import Loss
from funcnn.losses.similarity.barlow_twins import check
from funcnn.losses.weighted import Weighted
from funcnn.typing import Array, Empty, Scalar


@frozen
class VICRegWeights:
    """What the three terms count, and what is added to variances."""

    invariance: float
    variance: float
    covariance: float
    eps: float


def value(
    terms: VICRegWeights, prediction: tuple[Array, Array], target: Empty, weight: Array, mean: bool
) -> tuple[Scalar, tuple[Array, Array]]:
    """Return the value, and its gradient, which is at hand with it."""
    count = weight.sum()
    if not count > 1:
        raise ValueError(f"the weights sum to {count}, and a variance needs more than 1: are there two rows?")
    first, second = prediction
    difference = first - second
    pull = terms.invariance / (count * first.shape[1]) * weight[:, None] * difference
    found: Scalar = (pull * difference).sum()
    gradients = []
    for view, sign in ((first, 1), (second, -1)):
        spread, dview = spread_out(terms, view, weight, count)
        found = found + spread
        gradients.append(dview + 2 * sign * pull)
    return found, (gradients[0], gradients[1])


def spread_out(terms: VICRegWeights, view: Array, weight: Array, count: Scalar) -> tuple[Scalar, Array]:
    """Return the terms of variance and covariance of one view, and their gradient."""
    features = view.shape[1]
    weighed = weight[:, None] / (count - 1)
    centred = view - (weight[:, None] * view).sum(0) / count
    covariance = (weighed * centred).T.dot(centred)
    deviation = np.sqrt(covariance.diagonal() + terms.eps)
    missing = positive_part(1 - deviation)
    redundant = covariance - np.diag(covariance.diagonal())
    found = (terms.variance * missing.sum() + terms.covariance * (redundant * redundant).sum()) / features
    dvariance = -terms.variance / 2 * (missing.real > 0) / deviation
    dcovariance = (2 * terms.covariance * redundant + np.diag(dvariance)) / features
    return found, 2 * weighed * centred.dot(dcovariance)


def pullback(gradient: tuple[Array, Array]) -> tuple[Array, Array]:
    return gradient[0].copy(), gradient[1].copy()


def vicreg(
    *, invariance: float = 25.0, variance: float = 25.0, covariance: float = 1.0, eps: float = 1e-4
) -> Loss[tuple[Array, Array], Empty | Weighted[Empty]]:
    """VICReg: two views are near each other, each feature varies over the batch, and no two features vary together.

    Parameters
    ----------
    invariance, variance, covariance : float, optional
        At least 0: what the three terms count; the terms of the two views are added.
    eps : float, optional
        Positive: what is added to each feature's variance.

    Returns
    -------
    Loss
        Of a prediction ``(first, second)``, two floating arrays of features (n, D) of the same examples; its target is the empty
        tuple, or ``Weighted((), weight)`` with a weight (n,), which counts rows.  It is a number of the batch, neither a mean nor
        a sum over rows.

    Raises
    ------
    TypeError, ValueError
        When an option is out of its range; in ``forward``, when the two are not floating arrays of one shape (n, D), or the
        batch has less than two rows.

    Notes
    -----
    The distance is the mean over entries, as in the paper's algorithm 1 and its authors' code; its equation 5 has the sum over
    features.

    References
    ----------
    Bardes, Ponce & LeCun (2022), VICReg: variance-invariance-covariance regularization for self-supervised learning,
    arXiv:2105.04906.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> loss = fn.vicreg()
    >>> view = np.array([[2.0, 2.0], [2.0, -2.0], [-2.0, 2.0], [-2.0, -2.0]])  # varies enough, and no two features together
    >>> loss.forward((view, view), ()).value
    np.float64(0.0)
    >>> round(float(loss.forward((0 * view, 0 * view), ()).value), 6)  # collapsed: 25 (1 - 0.01) for each view
    49.5
    """
    terms = VICRegWeights(
        check_range(invariance, "invariance", 0, np.inf, open_high=True),
        check_range(variance, "variance", 0, np.inf, open_high=True),
        check_range(covariance, "covariance", 0, np.inf, open_high=True),
        check_range(eps, "eps", 0, np.inf, open_low=True, open_high=True),
    )
    name = f"vicreg({terms.invariance:g}, {terms.variance:g}, {terms.covariance:g}, eps={terms.eps:g})"
    return batchwise(name, BatchRule(check, partial(value, terms), pullback), "mean")
