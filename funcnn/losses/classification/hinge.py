r"""Hinge loss and its square (Cortes and Vapnik 1995, "Support-vector networks"), for targets of -1 and 1.

For each entry, with the score $p$, the target $t = \pm 1$ and $h = \max(0, 1 - t p)$
$$ \ell = h \quad\text{(hinge)}, \qquad \ell = h^2 \quad\text{(squared hinge)}. $$

Derivation.  Where $h > 0$, $\mathrm{d}h = -t\,\mathrm{d}p$, elsewhere 0:
$$ \bar p = -t\,[h > 0]\,\bar\ell, \qquad \bar p = -2 t h\,\bar\ell. $$
The hinge has a kink at $t p = 1$, where the slope taken is 0; its square has none.
"""

from attrs import frozen

from funcnn.kernels.arrays import positive_part
from funcnn.losses.checks import check_pair, check_signs
from funcnn.losses.loss import Loss
from funcnn.losses.reduction import Reduction, Rule, reduced
from funcnn.losses.weighted import Weighted
from funcnn.typing import Array


@frozen(eq=False)
class HingeResiduals:
    """The part of the margin that is missing, $h$, and the target."""

    missing: Array
    target: Array


def losses(prediction: Array, target: Array) -> tuple[Array, HingeResiduals]:
    target = check_pair(prediction, target)
    check_signs(target)
    missing = positive_part(1 - target * prediction)
    return missing, HingeResiduals(missing, target)


def pullback(residuals: HingeResiduals, dlosses: Array) -> Array:
    return -residuals.target * (residuals.missing.real > 0) * dlosses


def squared_losses(prediction: Array, target: Array) -> tuple[Array, HingeResiduals]:
    missing, residuals = losses(prediction, target)
    return missing * missing, residuals


def squared_pullback(residuals: HingeResiduals, dlosses: Array) -> Array:
    return -2 * residuals.target * residuals.missing * dlosses


def hinge(*, reduction: Reduction = "mean") -> Loss[Array, Array | Weighted[Array]]:
    """Mean over all entries of ``max(0, 1 - target * prediction)``, for targets of -1 and 1: the loss of support vector machines.

    Parameters
    ----------
    reduction : {"mean", "sum"}, optional
        Over all entries, of every example.

    Returns
    -------
    Loss
        Of a prediction and a target of one shape, (n, ...), floating; the target is -1 or 1.  Weights (see
        :class:`funcnn.Weighted`) may be given to examples or to single entries.

    Raises
    ------
    TypeError, ValueError
        In ``forward``, when the two are not floating arrays of one shape, a target is not -1 or 1, or the batch is empty.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> loss = fn.hinge()
    >>> made = loss.forward(np.array([[0.5], [-3.0]]), np.array([[1.0], [-1.0]]))
    >>> made.value
    np.float64(0.25)
    >>> loss.backward(made.residuals)
    array([[-0.5],
           [ 0. ]])
    """
    return reduced("hinge", Rule(losses, pullback, features=0), reduction)


def squared_hinge(*, reduction: Reduction = "mean") -> Loss[Array, Array | Weighted[Array]]:
    """Mean over all entries of ``max(0, 1 - target * prediction) ** 2``, for targets of -1 and 1: the hinge without a kink.

    Parameters
    ----------
    reduction : {"mean", "sum"}, optional
        Over all entries, of every example.

    Returns
    -------
    Loss
        As :func:`hinge`.

    Raises
    ------
    TypeError, ValueError
        As :func:`hinge`.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.squared_hinge().forward(np.array([[0.5], [-3.0]]), np.array([[1.0], [-1.0]])).value
    np.float64(0.125)
    """
    return reduced("squared_hinge", Rule(squared_losses, squared_pullback, features=0), reduction)
