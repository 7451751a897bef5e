r"""Barlow Twins (Zbontar et al. 2021, arXiv:2103.03230, eq. 1 and 2): two views agree feature by feature, and features differ.

Indices: $m, n$ rows, $i, j$ features of $D$; $x$ and $y$ the two views, $w$ the weights of the rows (1 if none are given) as
shares, $\sum_n w_n = 1$.  Each feature is normalized over the batch, as batch norm does it,
$$ a_{ni} = (x_{ni} - \mu_i)\,r_i, \qquad \mu_i = \sum_n w_n x_{ni}, \qquad
   r_i = \Big(\sum_n w_n (x_{ni} - \mu_i)^2 + \epsilon\Big)^{-1/2}, $$
$b$ from $y$ likewise, and the cross-correlation is to be the identity:
$$ C_{ij} = \sum_n w_n a_{ni} b_{nj}, \qquad L = \sum_i (1 - C_{ii})^2 + \lambda \sum_{i \ne j} C_{ij}^2 . $$

Derivation.  $\bar C_{ii} = -2 (1 - C_{ii})$ and $\bar C_{ij} = 2 \lambda C_{ij}$; $C$ is bilinear,
$\bar a = w\, b\,\bar C^\top$, $\bar b = w\, a\,\bar C$.  And $\mathrm{d}a_n = r\,(\mathrm{d}x_n - \mathrm{d}\mu) + (x_n - \mu)
\,\mathrm{d}r$ with $\mathrm{d}r = -r^3 \sum_m w_m (x_m - \mu)\,\mathrm{d}x_m$, feature by feature, so that
$$ \bar x_m = r \Big(\bar a_m - w_m \sum_n \bar a_n - w_m a_m \sum_n \bar a_n a_n\Big) . $$
"""

from functools import partial

import numpy as np
from attrs import frozen

from funcnn.errors import check_range, describe
from funcnn.losses.batch_rule import BatchRule, batchwise
from funcnn.losses.checks import check_no_target, check_tuple
from funcnn.losses.loss import Loss
from funcnn.losses.reduction import positive_sum
from funcnn.losses.weighted import Weighted
from funcnn.typing import Array, Empty, Scalar


@frozen(eq=False)
class Normalized:
    """A view with each feature normalized over the batch, and what its deviations were multiplied by."""

    values: Array  # (n, D)
    inverse: Array  # (D,)


@frozen(eq=False)
class BarlowResiduals:
    """Both views, the cotangent of their correlation, and the shares of the rows."""

    first: Normalized
    second: Normalized
    dcorrelation: Array  # (D, D)
    shares: Array  # (n, 1)


def check(prediction: tuple[Array, Array], target: Empty) -> Empty:
    check_tuple(prediction, ("first", "second"), 2)
    if prediction[0].ndim != 2:
        raise ValueError(f"the first view is {describe(prediction[0])}, expected two axes: rows of features")
    check_no_target(target)
    return target


def normalized(x: Array, shares: Array, eps: float) -> Normalized:
    """Return a view whose features have mean 0 and, but for eps, variance 1."""
    centred = x - (shares * x).sum(0)
    unit = np.abs(centred.real).max(0, initial=1)  # of which the squares do not overflow
    centred /= unit
    inverse = 1 / np.sqrt((shares * centred * centred).sum(0) + eps / unit / unit)
    return Normalized(centred * inverse, inverse / unit)


def normalized_pullback(view: Normalized, shares: Array, dvalues: Array) -> Array:
    together = dvalues.sum(0) + view.values * (dvalues * view.values).sum(0)
    dview: Array = view.inverse * (dvalues - shares * together)
    return dview


def value(
    off_diagonal: float, eps: float, prediction: tuple[Array, Array], target: Empty, weight: Array, mean: bool
) -> tuple[Scalar, BarlowResiduals]:
    shares = (weight / positive_sum(weight, "weights"))[:, None]
    first, second = (normalized(view, shares, eps) for view in prediction)
    correlation = (shares * first.values).T.dot(second.values)
    missing = 1 - correlation.diagonal()
    redundant = correlation - np.diag(correlation.diagonal())
    found: Scalar = (missing * missing).sum() + off_diagonal * (redundant * redundant).sum()
    return found, BarlowResiduals(first, second, 2 * (off_diagonal * redundant - np.diag(missing)), shares)


def pullback(residuals: BarlowResiduals) -> tuple[Array, Array]:
    first, second, dcorrelation, shares = residuals.first, residuals.second, residuals.dcorrelation, residuals.shares
    dfirst = shares * second.values.dot(dcorrelation.T)
    dsecond = shares * first.values.dot(dcorrelation)
    return normalized_pullback(first, shares, dfirst), normalized_pullback(second, shares, dsecond)


def barlow_twins(off_diagonal: float = 5e-3, *, eps: float = 1e-5) -> Loss[tuple[Array, Array], Empty | Weighted[Empty]]:
    """Barlow Twins: the correlations between the features of two views are to be 1, and 0 between different features.

    Parameters
    ----------
    off_diagonal : float, optional
        At least 0: what the squares of correlations between different features count.
    eps : float, optional
        Positive: what is added to each feature's variance.

    Returns
    -------
    Loss
        Of a prediction ``(first, second)``, two floating arrays of features (n, D) of the same examples; its target is the empty
        tuple, or ``Weighted((), weight)`` with a weight (n,).  It is a number of the batch, neither a mean nor a sum over rows.

    Raises
    ------
    TypeError, ValueError
        When an option is out of its range; in ``forward``, when the two are not floating arrays of one shape (n, D), or the
        batch is empty.

    References
    ----------
    Zbontar, Jing, Misra, LeCun & Deny (2021), Barlow Twins: self-supervised learning via redundancy reduction, arXiv:2103.03230.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> loss = fn.barlow_twins(0.1, eps=1e-12)
    >>> view = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])  # features that are not correlated
    >>> round(float(loss.forward((view, 3 * view + 2), ()).value), 9)
    0.0
    >>> round(float(loss.forward((view, view[:, ::-1].copy()), ()).value), 9)  # exchanged: 1 + 1 + 0.1 (1 + 1)
    2.2
    """
    off_diagonal = check_range(off_diagonal, "off_diagonal", 0, np.inf, open_high=True)
    eps = check_range(eps, "eps", 0, np.inf, open_low=True, open_high=True)
    rule = BatchRule(check, partial(value, off_diagonal, eps), pullback)
    return batchwise(f"barlow_twins({off_diagonal:g}, eps={eps:g})", rule, "mean")
