r"""Negative log-likelihood of Student's t distribution whose location and scale are predicted: outliers cost little.

For each entry, with the location $\mu$, the logarithm of the scale $s = \log\sigma$, the target $t$, $\nu$ degrees of freedom,
$d = \mu - t$ and $u = d\,e^{-s}$ (Lange, Little and Taylor 1989, "Robust statistical modeling using the t distribution", eq. 1)
$$ \ell = s + \frac{\nu + 1}{2} \log\left(1 + \frac{u^2}{\nu}\right) + \log \frac{\Gamma(\nu / 2)\,\sqrt{\nu \pi}}{\Gamma((\nu +
1) / 2)} . $$

Derivation.  With $h = \frac{u^2}{\nu + u^2}$, which is 0 in the middle and 1 far out,
$$ \bar\mu = (\nu + 1)\,\frac{u\,e^{-s}}{\nu + u^2}\,\bar\ell = (\nu + 1)\,\frac{h}{d}\,\bar\ell, \qquad
   \bar s = \left(1 - (\nu + 1)\,h\right) \bar\ell . $$

Stable form.  With $w = 2 (\log|d| - s) - \log\nu$, the logarithm of $u^2/\nu$, the loss needs $\log(1 + e^w)$ and $h =
1 / (1 + e^{-w})$, which neither overflow nor vanish where $u^2$ would; in the middle $u$ is taken as it is.
"""

import math
from functools import partial

import numpy as np
from attrs import frozen

from funcnn.errors import check_range
from funcnn.kernels.arrays import absolute
from funcnn.losses.checks import check_pair, check_tuple
from funcnn.losses.loss import Loss
from funcnn.losses.reduction import Reduction, Rule, reduced
from funcnn.losses.weighted import Weighted
from funcnn.typing import Array


@frozen(eq=False)
class StudentResiduals:
    """The slopes of each loss in the location and in the logarithm of the scale."""

    location: Array
    log_scale: Array


def losses(df: float, prediction: tuple[Array, Array], target: Array) -> tuple[Array, StudentResiduals]:
    location, log_scale = check_tuple(prediction, ("location", "log_scale"))
    d = location - check_pair(location, target)
    middle = np.abs(log_scale.real) < 20
    size = absolute(d)
    with np.errstate(over="ignore", under="ignore", divide="ignore", invalid="ignore"):
        scale = np.exp(np.where(middle, log_scale, 0))
        u = size / scale
        middle = middle & (u.real < 1e6) & (u.real > 1e-6)
        square = np.where(middle, u, 1) ** 2 / df
        w: Array = 2 * (np.log(np.where(d == 0, 1, size)) - log_scale) - math.log(df)
        w[d == 0] = -np.inf
        far = np.where(w.real > 0, w + np.log1p(np.exp(-w)), np.log1p(np.exp(np.where(w.real > 0, 0, w))))
        h = np.where(middle, square / (1 + square), 1 / (1 + np.exp(-w)))
        slope = np.where(middle, u / scale / df / (1 + square), h / np.where(d == 0, 1, size))
    constant = math.lgamma(df / 2) - math.lgamma((df + 1) / 2) + math.log(df * math.pi) / 2
    each = log_scale + (df + 1) / 2 * np.where(middle, np.log1p(square), far) + constant
    return each, StudentResiduals((df + 1) * np.sign(d.real) * slope, 1 - (df + 1) * h)


def pullback(residuals: StudentResiduals, dlosses: Array) -> tuple[Array, Array]:
    return residuals.location * dlosses, residuals.log_scale * dlosses


def student_t_nll(df: float = 4.0, *, reduction: Reduction = "mean") -> Loss[tuple[Array, Array], Array | Weighted[Array]]:
    """Negative log-likelihood of the target under Student's t distribution: a regression that outliers do not pull.

    Parameters
    ----------
    df : float, optional
        Degrees of freedom, above 0: the fewer, the heavier the tails.
    reduction : {"mean", "sum"}, optional
        Over all entries, of every example.

    Returns
    -------
    Loss
        Of a prediction ``(location, log_scale)``, such as ``fn.branch(fn.dense(1), fn.dense(1))`` gives, and a target, floating
        arrays of one shape, (n, ...).  Weights (see :class:`funcnn.Weighted`) may be given to examples or to single entries.

    Raises
    ------
    TypeError, ValueError
        When ``df`` is not positive; in ``forward``, when the three are not floating arrays of one shape, or the batch is empty.

    See Also
    --------
    gaussian_nll : the limit of many degrees of freedom, with the logarithm of the variance.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> loss = fn.student_t_nll(1.0)
    >>> made = loss.forward((np.array([[1.0]]), np.array([[0.0]])), np.array([[0.0]]))
    >>> round(float(made.value), 12), round(float(np.log(2 * np.pi)), 12)
    (1.837877066409, 1.837877066409)
    >>> loss.backward(made.residuals)
    (array([[1.]]), array([[0.]]))
    """
    df = check_range(df, "df", 0, np.inf, open_low=True, open_high=True)
    return reduced(f"student_t_nll({df:g})", Rule(partial(losses, df), pullback, features=0), reduction)
