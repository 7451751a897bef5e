r"""Continuous ranked probability score of a predicted normal distribution (Gneiting and Raftery 2007, eq. 21).

For each entry, with the mean $\mu$, the logarithm of the variance $s$, $\sigma = e^{s/2}$, the target $t$, $d = t - \mu$ and
$z = d / \sigma$; $\Phi$ and $\varphi$ are the standard normal distribution function and density
$$ \ell = \int (F(x) - [x \ge t])^2\,\mathrm{d}x
        = d\,(2 \Phi(z) - 1) + \sigma \left(2 \varphi(z) - \frac{1}{\sqrt\pi}\right) , $$
in the unit of the target; it is $|d|$ where nothing is uncertain.

Derivation.  The terms with $\varphi'(z) = -z \varphi(z)$ cancel, and
$$ \bar\mu = -(2 \Phi(z) - 1)\,\bar\ell, \qquad \bar s = \frac{\sigma}{2} \left(2 \varphi(z) - \frac{1}{\sqrt\pi}\right)
   \bar\ell , $$
with $2 \Phi(z) - 1 = \operatorname{erf}(z / \sqrt 2)$.
"""

import math

import numpy as np
from attrs import frozen

from funcnn.kernels.erf import erf
from funcnn.losses.checks import check_pair, check_tuple
from funcnn.losses.loss import Loss
from funcnn.losses.reduction import Reduction, Rule, reduced
from funcnn.losses.weighted import Weighted
from funcnn.typing import Array


@frozen(eq=False)
class CRPSResiduals:
    """The slopes of each loss in the mean and in the logarithm of the variance."""

    mean: Array
    log_variance: Array


def losses(prediction: tuple[Array, Array], target: Array) -> tuple[Array, CRPSResiduals]:
    mean, log_variance = check_tuple(prediction, ("mean", "log_variance"))
    d = check_pair(mean, target) - mean
    sigma: Array = np.exp(log_variance / 2)
    with np.errstate(divide="ignore", over="ignore", under="ignore", invalid="ignore"):
        z: Array = np.where(d == 0, 0, d / np.where(d == 0, 1, sigma))  # 0 / 0 where nothing is missed and nothing uncertain
        z = np.where(np.abs(z.real) < 40, z, np.sign(z.real) * 40)  # beyond, both functions are at their ends
    sign = erf(z * mean.real.dtype.type(math.sqrt(0.5)))
    density = np.exp(-z * z / 2) * math.sqrt(2 / math.pi) - 1 / math.sqrt(math.pi)
    spread = sigma * density
    return d * sign + spread, CRPSResiduals(-sign, spread / 2)


def pullback(residuals: CRPSResiduals, dlosses: Array) -> tuple[Array, Array]:
    return residuals.mean * dlosses, residuals.log_variance * dlosses


def gaussian_crps(*, reduction: Reduction = "mean") -> Loss[tuple[Array, Array], Array | Weighted[Array]]:
    """Continuous ranked probability score of a predicted normal distribution: how far its whole distribution is from the target.

    Where :func:`gaussian_nll` punishes a miss by its square in units of the predicted deviation, this grows with the miss itself,
    in the target's unit, and is the absolute error of a prediction that is certain.

    Parameters
    ----------
    reduction : {"mean", "sum"}, optional
        Over all entries, of every example.

    Returns
    -------
    Loss
        Of a prediction ``(mean, log_variance)`` and a target, floating arrays of one shape, (n, ...).  Weights (see
        :class:`funcnn.Weighted`) may be given to examples or to single entries.

    Raises
    ------
    TypeError, ValueError
        In ``forward``, when the three are not floating arrays of one shape, or the batch is empty.

    References
    ----------
    Gneiting & Raftery (2007), Strictly proper scoring rules, prediction, and estimation, eq. 21.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> loss = fn.gaussian_crps()
    >>> made = loss.forward((np.array([[0.0]]), np.array([[0.0]])), np.array([[0.0]]))
    >>> round(float(made.value), 12)
    0.233694977255
    >>> loss.backward(made.residuals)[1].round(6)
    array([[0.116847]])
    """
    return reduced("gaussian_crps", Rule(losses, pullback, features=0), reduction)
