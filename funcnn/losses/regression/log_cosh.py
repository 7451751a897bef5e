r"""Log-cosh error: a square near 0 and an absolute value far from it, smooth everywhere.

For each entry, with $d = p - t$
$$ \ell = \log\cosh d. $$

Stable form.  $\cosh d = 1 + 2\sinh^2(d/2)$ keeps the digits of a small $d$, and $\cosh d = \tfrac12 e^{|d|}(1 + e^{-2|d|})$
does not overflow at a large one:
$$ \ell = \begin{cases} \operatorname{log1p}\left(2 \sinh^2(d/2)\right) & |d| < 1 \\
   |d| - \log 2 + \operatorname{log1p}(e^{-2|d|}) & |d| \ge 1. \end{cases} $$

Derivation.  $\mathrm{d}\ell = \frac{\sinh d}{\cosh d}\,\mathrm{d}d$, and so $\bar p = \tanh(d)\,\bar\ell$.
"""

import numpy as np

from funcnn.kernels.arrays import absolute
from funcnn.losses.checks import check_pair
from funcnn.losses.loss import Loss
from funcnn.losses.reduction import Reduction, Rule, reduced
from funcnn.losses.weighted import Weighted
from funcnn.typing import Array

LOG_2 = np.log(np.longdouble(2))


def losses(prediction: Array, target: Array) -> tuple[Array, Array]:
    difference = prediction - check_pair(prediction, target)
    size = absolute(difference)
    near = size.real < 1
    sinh = np.sinh(np.where(near, size, 0) / 2)
    far = size - LOG_2.astype(size.real.dtype) + np.log1p(np.exp(-2 * size))
    return np.where(near, np.log1p(2 * sinh * sinh), far), difference


def pullback(difference: Array, dlosses: Array) -> Array:
    return np.tanh(difference) * dlosses


def log_cosh_error(*, reduction: Reduction = "mean") -> Loss[Array, Array | Weighted[Array]]:
    """Mean over all entries of ``log(cosh(prediction - target))``: Huber's loss without a width to choose and without a seam.

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
    >>> loss = fn.log_cosh_error()
    >>> made = loss.forward(np.array([[0.0], [1000.0]]), np.zeros((2, 1)))
    >>> made.value
    np.float64(499.65342640972005)
    >>> loss.backward(made.residuals)
    array([[0. ],
           [0.5]])
    """
    return reduced("log_cosh_error", Rule(losses, pullback, features=0), reduction)
