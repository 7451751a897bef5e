r"""Mean absolute error.

For each entry, with the prediction $p$ and the target $t$
$$ \ell = |p - t|. $$

Derivation.  $\mathrm{d}\ell = \operatorname{sign}(p - t)\,\mathrm{d}p$, and so $\bar p = \operatorname{sign}(p - t)\,\bar\ell$.
At $p = t$, where every slope from -1 to 1 is a subgradient, it is 0.
"""

import numpy as np

from funcnn.losses.checks import check_pair
from funcnn.losses.loss import Loss
from funcnn.losses.reduction import Reduction, Rule, reduced
from funcnn.losses.weighted import Weighted
from funcnn.typing import Array


def losses(prediction: Array, target: Array) -> tuple[Array, Array]:
    difference = prediction - check_pair(prediction, target)
    size = np.abs(difference) if difference.dtype.kind == "f" else difference * np.sign(difference.real)
    return size, difference


def pullback(difference: Array, dlosses: Array) -> Array:
    gradient: Array = np.sign(difference.real)
    gradient *= dlosses
    return gradient


def mean_absolute_error(*, reduction: Reduction = "mean") -> Loss[Array, Array | Weighted[Array]]:
    """Mean over all entries of ``abs(prediction - target)``: the prediction learns the median.

    Parameters
    ----------
    reduction : {"mean", "sum"}, optional
        Over all entries, of every example.

    Returns
    -------
    Loss
        Of a prediction and a target of one shape, (n, ...), floating.  Weights (see :class:`funcnn.Weighted`) may be given to
        examples or to single entries.

    Raises
    ------
    TypeError, ValueError
        In ``forward``, when the two are not floating arrays of one shape, the batch is empty, or the target holds NaN or
        infinity.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> loss = fn.mean_absolute_error()
    >>> made = loss.forward(np.array([[1.0, 2.0]]), np.array([[1.0, 4.0]]))
    >>> made.value
    np.float64(1.0)
    >>> loss.backward(made.residuals)
    array([[ 0. , -0.5]])
    """
    return reduced("mean_absolute_error", Rule(losses, pullback, features=0), reduction)
