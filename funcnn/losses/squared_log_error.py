r"""Mean squared logarithmic error: squares of relative rather than of absolute errors, for targets over many orders of magnitude.

For each entry, with the prediction $p > -1$ and the target $t > -1$
$$ \ell = r^2, \qquad r = \log(1 + p) - \log(1 + t) = \operatorname{log1p}\frac{p - t}{1 + t}. $$
The last form loses no digits where $p$ is near $t$, the one before none where it is not.

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
    ratio = (prediction - target) / (1 + target)
    near = np.abs(ratio.real) < 0.5
    difference = np.where(near, np.log1p(np.where(near, ratio, 0)), np.log1p(prediction) - np.log1p(target))
    return difference * difference, SquaredLogResiduals(prediction, difference)


def pullback(residuals: SquaredLogResiduals, dlosses: Array) -> Array:
    return 2 * residuals.difference / (1 + residuals.prediction) * dlosses


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
