r"""Mean squared logarithmic error: squares of relative rather than of absolute errors, for targets over many orders of magnitude.

For each entry, with the prediction $p > -1$ and the target $t > -1$
$$ \ell = r^2, \qquad r = \log(1 + p) - \log(1 + t) = \pm\operatorname{log1p}\frac{|p - t|}{1 + \min(p, t)}. $$
The last form, with the sign of $p - t$, loses no digits; the one before is for a ratio that overflows.

Derivation.  $\mathrm{d}r = \mathrm{d}p / (1 + p)$, and so $\bar p = \frac{2 r}{1 + p}\,\bar\ell$.
"""

import numpy as np
from attrs import frozen

from funcnn.losses.checks import check_above, check_pair
from funcnn.losses.loss import Loss
from funcnn.losses.reduction import Reduction, Rule, reduced
from funcnn.losses.weighted import Weighted
from funcnn.typing import Array


@frozen(eq=False)
class SquaredLogResiduals:
    """The prediction and the difference of logarithms $r$."""

    prediction: Array
    difference: Array


def losses(prediction: Array, target: Array) -> tuple[Array, SquaredLogResiduals]:
    target = check_pair(prediction, target)
    check_above(target, -1, "target")
    check_above(prediction, -1, "prediction")
    below = prediction.real < target
    side = np.where(below, -1, 1).astype(target.dtype)
    with np.errstate(over="ignore"):
        ratio = side * (prediction - target) / (1 + np.where(below, prediction, target))
    logs = side * np.log1p(ratio)
    difference = logs if np.isfinite(ratio).all() else np.where(np.isfinite(ratio), logs, np.log1p(prediction) - np.log1p(target))
    return difference * difference, SquaredLogResiduals(prediction, difference)


def pullback(residuals: SquaredLogResiduals, dlosses: Array) -> Array:
    p = residuals.prediction
    return np.where(p.real == np.inf, 0, 2 * residuals.difference / (1 + p)) * dlosses  # no logarithm grows as p does


def mean_squared_log_error(*, reduction: Reduction = "mean") -> Loss[Array, Array | Weighted[Array]]:
    """Mean over all entries of ``(log(1 + prediction) - log(1 + target)) ** 2``, for predictions and targets above -1.

    Parameters
    ----------
    reduction : {"mean", "sum"}, optional
        Over all entries, of every example.

    Returns
    -------
    Loss
        Of a prediction and a target of one shape, (n, ...), floating, above -1: the network may end with a softplus.  Weights
        (see :class:`funcnn.Weighted`) may be given to examples or to single entries.

    Raises
    ------
    TypeError, ValueError
        In ``forward``, when the two are not floating arrays of one shape, a number is not above -1, or the batch is empty.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> loss = fn.mean_squared_log_error()
    >>> made = loss.forward(np.array([[np.e - 1]]), np.zeros((1, 1)))
    >>> round(float(made.value), 12)
    1.0
    """
    return reduced("mean_squared_log_error", Rule(losses, pullback, features=0), reduction)
