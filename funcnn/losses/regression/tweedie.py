r"""Negative log-likelihood of a Tweedie distribution between Poisson and gamma, up to what no prediction changes.

For each entry, with the target $t \ge 0$, the logarithm $z$ of the mean and the power $\rho$, $1 < \rho < 2$ (Jorgensen 1987,
"Exponential dispersion models", table 1)
$$ \ell = \frac{e^{(2-\rho) z}}{2 - \rho} + \frac{t\, e^{-(\rho - 1) z}}{\rho - 1} . $$
It is the law of a sum of a random number of positive amounts: rain, claims, sales, many of which are exactly 0.

Derivation.  $\bar z = \left(e^{(2-\rho) z} - t\, e^{-(\rho - 1) z}\right) \bar\ell$, which is 0 at $e^z = t$.  Written as
$e^{(2-\rho) z} - e^{-(\rho-1) z} - (t - 1)\,e^{-(\rho-1) z} = e^{-(\rho-1) z} \left((e^z - 1) - (t - 1)\right)$ it keeps the
digits of a small $z$.
"""

from functools import partial

import numpy as np
from attrs import frozen

from funcnn.errors import check_range
from funcnn.losses.checks import check_between, check_pair
from funcnn.losses.limits import times
from funcnn.losses.loss import Loss
from funcnn.losses.reduction import Reduction, Rule, reduced
from funcnn.losses.weighted import Weighted
from funcnn.typing import Array


@frozen(eq=False)
class TweedieResiduals:
    """The slope of each loss."""

    slope: Array


def losses(power: float, prediction: Array, target: Array) -> tuple[Array, TweedieResiduals]:
    target = check_between(check_pair(prediction, target), 0, np.inf, "target")
    z = prediction
    up, down = np.exp((2 - power) * z), times(target, np.exp((1 - power) * z))
    small = np.abs(z.real) < 0.5
    near = np.where(small, z, 0)
    slope = np.where(small, np.exp((1 - power) * near) * (np.expm1(near) - (target - 1)), up - down)
    return up / (2 - power) + down / (power - 1), TweedieResiduals(slope)


def pullback(residuals: TweedieResiduals, dlosses: Array) -> Array:
    return residuals.slope * dlosses


def tweedie_nll(power: float = 1.5, *, reduction: Reduction = "mean") -> Loss[Array, Array | Weighted[Array]]:
    """Negative log-likelihood of amounts that are often exactly 0 (rain, claims, sales) under a Tweedie distribution.

    Parameters
    ----------
    power : float, optional
        Above 1, where it would be a Poisson distribution, and below 2, a gamma distribution: the variance is proportional to the
        mean to this power.
    reduction : {"mean", "sum"}, optional
        Over all entries, of every example.

    Returns
    -------
    Loss
        Of a prediction, the logarithm of the mean, and a target of at least 0, floating, of one shape, (n, ...).  Weights (see
        :class:`funcnn.Weighted`) may be given to examples or to single entries.

    Raises
    ------
    TypeError, ValueError
        When the power is out of its range; in ``forward``, when the two are not floating arrays of one shape, a target is
        negative, or the batch is empty.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> loss = fn.tweedie_nll(1.5)
    >>> made = loss.forward(np.array([[0.0]]), np.array([[3.0]]))
    >>> made.value
    np.float64(8.0)
    >>> loss.backward(made.residuals)
    array([[-2.]])
    """
    power = check_range(power, "power", 1, 2, open_low=True, open_high=True)
    return reduced(f"tweedie_nll({power:g})", Rule(partial(losses, power), pullback, features=0), reduction)
