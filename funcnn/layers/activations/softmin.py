r"""Softmin: the softmax of the negative, $y_i = e^{-x_i} / \sum_j e^{-x_j}$.

Derivation.  The chain rule with $\mathrm{d}(-x) = -\mathrm{d}x$: the cotangent of the softmax's input with the other sign,
$$ \bar x_i = -y_i \Big(\bar y_i - \sum_j y_j\,\bar y_j\Big), $$
in the form that :mod:`funcnn.layers.activations.softmax` gives it.
"""

from functools import partial

import numpy as np

from funcnn.layer import Backward, Forward, Layer, Mode, define_layer
from funcnn.layers.activations import softmax
from funcnn.layers.activations.softmax import SoftmaxResiduals, check_axis, check_lines, init
from funcnn.typing import Array, Empty


def forward(axis: int, params: Empty, state: Empty, x: Array, mode: Mode) -> Forward[Array, Empty, SoftmaxResiduals]:
    check_lines(axis, x)
    return softmax.forward(axis, params, state, -x, mode)


def backward(axis: int, params: Empty, residuals: SoftmaxResiduals, dy: Array) -> Backward[Empty, Array]:
    dx = softmax.backward(axis, params, residuals, dy).input
    return Backward(params, np.negative(dx, out=dx))


def softmin(axis: int = -1) -> Layer[Empty, Empty, Array, Array]:
    """Softmin: positive numbers that sum to 1 along an axis, the largest where the input is least.

    Parameters
    ----------
    axis : int, optional
        As in :func:`funcnn.softmax`.

    Returns
    -------
    Layer
        From any shape to the same.

    Raises
    ------
    TypeError, ValueError
        As :func:`funcnn.softmax`.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.softmin(), (), (), np.array([[0.0, 0.0], [1e4, -1e4]]))
    array([[0.5, 0.5],
           [0. , 1. ]])
    """
    axis = check_axis(axis)
    return define_layer(f"softmin({axis})", partial(init, axis), partial(forward, axis), partial(backward, axis), random=False)
