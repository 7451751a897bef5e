r"""Negative log-likelihood of a normal distribution whose mean and variance are both predicted (Nix and Weigend 1994, eq. 3).

For each entry, with the mean $\mu$, the logarithm of the variance $s = \log\sigma^2$, the target $t$ and $d = \mu - t$
$$ \ell = \tfrac12 \left(s + d^2 e^{-s} + \log 2\pi\right). $$

Derivation.  $\mathrm{d}\ell = d\,e^{-s}\,\mathrm{d}\mu + \tfrac12 (1 - d^2 e^{-s})\,\mathrm{d}s$:
$$ \bar\mu = d\,e^{-s}\,\bar\ell, \qquad \bar s = \tfrac12 (1 - d^2 e^{-s})\,\bar\ell. $$
"""

import numpy as np
from attrs import frozen

from funcnn.losses.checks import check_pair, check_tuple
from funcnn.losses.loss import Loss
from funcnn.losses.reduction import Reduction, Rule, reduced
from funcnn.losses.weighted import Weighted
from funcnn.typing import Array

LOG_2_PI = np.longdouble("1.837877066409345483560659472811235279723")


@frozen(eq=False)
class GaussianResiduals:
    """The difference $d$ and the precision $e^{-s}$."""

    difference: Array
    precision: Array


def losses(prediction: tuple[Array, Array], target: Array) -> tuple[Array, GaussianResiduals]:
    mean, log_variance = check_tuple(prediction, ("mean", "log_variance"))
    difference = mean - check_pair(mean, target)
    precision: Array = np.exp(-log_variance)
    constant = LOG_2_PI.astype(mean.real.dtype)
    return (log_variance + difference * difference * precision + constant) / 2, GaussianResiduals(difference, precision)


def pullback(residuals: GaussianResiduals, dlosses: Array) -> tuple[Array, Array]:
    scaled = residuals.difference * residuals.precision
    return scaled * dlosses, (1 - residuals.difference * scaled) / 2 * dlosses


def gaussian_nll(*, reduction: Reduction = "mean") -> Loss[tuple[Array, Array], Array | Weighted[Array]]:
    """Negative log-likelihood of the target under a normal distribution: a regression that says how sure it is.

    Parameters
    ----------
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
    return reduced("gaussian_nll", Rule(losses, pullback, features=0), reduction)
