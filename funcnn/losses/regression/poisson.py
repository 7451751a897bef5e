r"""Negative log-likelihood of a Poisson distribution, for counts.

For each entry, with the target $t \ge 0$ and the rate $\lambda$, $-\log P(t) = \lambda - t \log\lambda + \log t!$, of which the
last term, which no prediction changes, is left out:
$$ \ell = e^z - t z \quad\text{with } \lambda = e^z, \qquad\text{or}\qquad \ell = \lambda - t \log \lambda. $$
With ``full`` it is added where $t > 1$, by Stirling's formula $\log t! \approx t \log t - t + \tfrac12 \log 2\pi t$; it is 0 for
$t = 0$ and 1.

Derivation.  $\bar z = (e^z - t)\,\bar\ell$, which is $(e^z - 1) - (t - 1)$ for the digits of a small $z$, and $\bar\lambda =
\frac{\lambda - t}{\lambda}\,\bar\ell$.
"""

from functools import partial

import numpy as np
from attrs import frozen

from funcnn.errors import check_flag
from funcnn.losses.checks import check_above, check_between, check_pair
from funcnn.losses.limits import times
from funcnn.losses.loss import Loss
from funcnn.losses.reduction import Reduction, Rule, reduced
from funcnn.losses.weighted import Weighted
from funcnn.typing import Array


@frozen(eq=False)
class PoissonResiduals:
    """The prediction and the target."""

    prediction: Array
    target: Array


def log_losses(full: bool, prediction: Array, target: Array) -> tuple[Array, PoissonResiduals]:
    target = check_pair(prediction, target)
    target = check_between(target, 0, np.inf, "target")
    rate, part = np.exp(prediction), times(target, prediction)
    each: Array = np.where(prediction.real == np.inf, rate, rate - part)  # the exponential outgrows any multiple of its logarithm
    return each + stirling(target) if full else each, PoissonResiduals(prediction, target)


def stirling(target: Array) -> Array:
    """Return the logarithm of the factorial by Stirling's formula, and 0 up to 1."""
    t = np.where(target > 1, target, 1)
    return np.where(target > 1, t * np.log(t) - t + np.log(2 * t.dtype.type(np.pi) * t) / 2, 0)


def log_pullback(residuals: PoissonResiduals, dlosses: Array) -> Array:
    z, target = residuals.prediction, residuals.target
    return np.where(np.abs(z.real) < 0.5, np.expm1(z) - (target - 1), np.exp(z) - target) * dlosses


def losses(full: bool, prediction: Array, target: Array) -> tuple[Array, PoissonResiduals]:
    target = check_pair(prediction, target)
    target = check_between(target, 0, np.inf, "target")
    check_above(prediction, 0, "prediction")
    each: Array = np.where(prediction.real == np.inf, prediction, prediction - times(target, np.log(prediction)))
    return each + stirling(target) if full else each, PoissonResiduals(prediction, target)


def pullback(residuals: PoissonResiduals, dlosses: Array) -> Array:
    rate, target = residuals.prediction, residuals.target
    return np.where(rate.real == np.inf, 1, (rate - target) / rate) * dlosses


def poisson_nll(
    *, log_rate: bool = True, full: bool = False, reduction: Reduction = "mean"
) -> Loss[Array, Array | Weighted[Array]]:
    """Negative log-likelihood of counts under a Poisson distribution, up to the constant ``log(target!)``.

    Parameters
    ----------
    log_rate : bool, optional
        Whether the prediction is the logarithm of the rate, which may be any number, or the rate itself, which is positive.
    full : bool, optional
        Whether that constant is added, by Stirling's formula: it changes the value and no gradient.
    reduction : {"mean", "sum"}, optional
        Over all entries, of every example.

    Returns
    -------
    Loss
        Of a prediction and a target of one shape, (n, ...), floating; the target is at least 0.  Weights (see
        :class:`funcnn.Weighted`) may be given to examples or to single entries.

    Raises
    ------
    TypeError, ValueError
        In ``forward``, when the two are not floating arrays of one shape, a target is negative, a rate not positive, or the
        batch is empty.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> loss = fn.poisson_nll()
    >>> made = loss.forward(np.array([[0.0]]), np.array([[3.0]]))
    >>> made.value
    np.float64(1.0)
    >>> loss.backward(made.residuals)
    array([[-2.]])
    """
    full = check_flag(full, "full")
    log_rate = check_flag(log_rate, "log_rate")
    options = ", ".join(["log_rate=False"] * (not log_rate) + ["full=True"] * full)
    bound = partial(log_losses if log_rate else losses, full), log_pullback if log_rate else pullback
    return reduced(f"poisson_nll({options})" if options else "poisson_nll", Rule(*bound, features=0), reduction)
