r"""Negative log-likelihood of a normal distribution whose mean and variance are both predicted (Nix and Weigend 1994, eq. 3).

For each entry, with the mean $\mu$, the logarithm of the variance $s = \log\sigma^2$, the target $t$ and $d = \mu - t$
$$ \ell = \tfrac12 \left(s + d^2 e^{-s} + \log 2\pi\right). $$

Derivation.  $\mathrm{d}\ell = d\,e^{-s}\,\mathrm{d}\mu + \tfrac12 (1 - d^2 e^{-s})\,\mathrm{d}s$:
$$ \bar\mu = d\,e^{-s}\,\bar\ell, \qquad \bar s = \tfrac12 (1 - d^2 e^{-s})\,\bar\ell. $$

Of the variance $v = \sigma^2$ itself, with $z = d / \sqrt v$, $\ell = \tfrac12 (\log v + z^2 + \log 2\pi)$, $\bar\mu =
\frac{z}{\sqrt v}\,\bar\ell$ and $\bar v = \frac{1 - z^2}{2 v}\,\bar\ell$.

Stable form.  Neither $d^2$ nor $e^{-s}$ need be in range where their product is.  With $h = e^{-s/4}$ the deviation is
$z = d\,h\,h$, $d^2 e^{-s} = z^2$ and, where $e^{-s}$ is out of range, $d\,e^{-s} = z\,h\,h$, taken from the left: each factor
moves the product one way, so that only what is itself out of range overflows.  At $d = 0$ all three are 0, however small the
variance.
"""

import numpy as np
from attrs import frozen

from funcnn.errors import check_flag
from funcnn.kernels.arrays import largest_exponent
from funcnn.losses.checks import check_above, check_pair, check_tuple
from funcnn.losses.loss import Loss
from funcnn.losses.reduction import Reduction, Rule, reduced
from funcnn.losses.weighted import Weighted
from funcnn.typing import Array

LOG_2_PI = np.longdouble("1.837877066409345483560659472811235279723")


@frozen(eq=False)
class GaussianResiduals:
    r"""The deviation $z$, in units of the standard deviation, and $d\,e^{-s}$."""

    deviation: Array
    pull: Array


@frozen(eq=False)
class VarianceResiduals:
    """The slopes of each loss in the mean and in the variance."""

    mean: Array
    variance: Array


def losses(prediction: tuple[Array, Array], target: Array) -> tuple[Array, GaussianResiduals]:
    mean, log_variance = check_tuple(prediction, ("mean", "log_variance"))
    difference = mean - check_pair(mean, target)
    quarter: Array = np.exp(np.where(difference == 0, 0, log_variance) / -4)  # at d = 0 its size does not matter
    deviation = difference * quarter * quarter
    moderate = np.abs(log_variance.real) < largest_exponent(mean.real.dtype) - 2
    pull = np.where(moderate, difference * np.exp(-np.where(moderate, log_variance, 0)), deviation * quarter * quarter)
    square = deviation * deviation
    constant = LOG_2_PI.astype(mean.real.dtype)
    each = np.where(np.isposinf(square.real), square, log_variance + square + constant) / 2
    return each, GaussianResiduals(deviation, pull)


def pullback(residuals: GaussianResiduals, dlosses: Array) -> tuple[Array, Array]:
    return residuals.pull * dlosses, (1 - residuals.deviation * residuals.deviation) / 2 * dlosses


def variance_losses(prediction: tuple[Array, Array], target: Array) -> tuple[Array, VarianceResiduals]:
    mean, variance = check_tuple(prediction, ("mean", "variance"))
    difference = mean - check_pair(mean, target)
    check_above(variance, 0, "the prediction's variance")
    deviation: Array = np.where(difference == 0, 0, difference / np.sqrt(variance))
    square = deviation * deviation
    constant = LOG_2_PI.astype(mean.real.dtype)
    each = np.where(np.isposinf(square.real), square, np.log(variance) + square + constant) / 2
    return each, VarianceResiduals(difference / variance, (1 - square) / 2 / variance)


def variance_pullback(residuals: VarianceResiduals, dlosses: Array) -> tuple[Array, Array]:
    return residuals.mean * dlosses, residuals.variance * dlosses


def gaussian_nll(
    *, log_variance: bool = True, reduction: Reduction = "mean"
) -> Loss[tuple[Array, Array], Array | Weighted[Array]]:
    """Negative log-likelihood of the target under a normal distribution: a regression that says how sure it is.

    Parameters
    ----------
    log_variance : bool, optional
        Whether the second prediction is the logarithm of the variance, which may be any number, or the variance itself, which is
        positive.
    reduction : {"mean", "sum"}, optional
        Over all entries, of every example.

    Returns
    -------
    Loss
        Of a prediction ``(mean, log_variance)``, such as ``fn.branch(fn.dense(1), fn.dense(1))`` gives, and a target, floating
        arrays of one shape, (n, ...). The logarithm makes every variance positive.  Weights (see :class:`funcnn.Weighted`) may
        be given to examples or to single entries.

    Raises
    ------
    TypeError, ValueError
        In ``forward``, when the three are not floating arrays of one shape, the batch is empty, or the target holds NaN or
        infinity.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> loss = fn.gaussian_nll()
    >>> made = loss.forward((np.array([[1.0]]), np.array([[0.0]])), np.array([[0.0]]))
    >>> round(float(made.value), 12)
    1.418938533205
    >>> loss.backward(made.residuals)
    (array([[1.]]), array([[0.]]))
    """
    if check_flag(log_variance, "log_variance"):
        return reduced("gaussian_nll", Rule(losses, pullback, features=0), reduction)
    return reduced("gaussian_nll(log_variance=False)", Rule(variance_losses, variance_pullback, features=0), reduction)
