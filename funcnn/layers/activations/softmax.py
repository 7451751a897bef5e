r"""Softmax and its logarithm over one axis.

Index: $i, j, m$ position along the axis; every other axis is a batch axis.  $m$ is the position of the largest input.

Forward
$$ y_i = \frac{e^{x_i - x_m}}{\sum_j e^{x_j - x_m}}, \qquad
   \ln y_i = x_i - x_m - \ln\Big(1 + \sum_{j \ne m} e^{x_j - x_m}\Big). $$
Subtracting $x_m$ changes nothing but keeps the exponentials from overflowing.  The term 1 is left out of the sum and goes
into log1p: where one input dominates, $\ln y_m$ is tiny, and $\ln(1 + \text{tiny})$ would lose it.

Derivation.  From $\ln y_i = x_i - \ln \sum_j e^{x_j}$ follows
$\mathrm{d} \ln y_i = \mathrm{d}x_i - \sum_j y_j\,\mathrm{d}x_j$.  So with $l = \ln y$
$$ \bar x_i = \bar l_i - y_i \sum_j \bar l_j \qquad \text{(log-softmax)}, $$
and since $\bar l_i = y_i\,\bar y_i$
$$ \bar x_i = y_i \Big(\bar y_i - \sum_j y_j\,\bar y_j\Big) \qquad \text{(softmax)}. $$

Digits.  Both differences cancel at $i = m$ when $y_m$ is nearly 1.  For the softmax, adding a constant to all $\bar y_i$
changes nothing ($\sum_j y_j = 1$), so $\bar y_m$ is subtracted first, and the one big term of the sum is exactly 0.  For the
log-softmax
$$ \bar x_m = -\sum_{j \ne m} \bar l_j - (y_m - 1) \sum_j \bar l_j, \qquad y_m - 1 = \operatorname{expm1}(\ln y_m). $$
"""

from functools import partial

import numpy as np
from attrs import frozen

from funcnn.errors import check_array, check_cotangent_like, check_count, describe
from funcnn.kernels.arrays import as_matrix, dot_last, sum_last
from funcnn.kernels.transcendental import exp
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, define_layer
from funcnn.typing import Array, Empty, IntArray, Shape


@frozen(eq=False)
class SoftmaxResiduals:
    """The output: the derivative is written in it."""

    y: Array


def init(axis: int, key: Key, in_shape: Shape) -> Init[Empty, Empty]:
    axes = len(in_shape) + 1
    if not -axes < axis < axes:
        raise ValueError(f"axis {axis} of a batch of examples of shape {in_shape}: expected one from {1 - axes} to {axes - 1}")
    return Init((), (), in_shape)


def forward(axis: int, params: Empty, state: Empty, x: Array, mode: Mode) -> Forward[Array, Empty, SoftmaxResiduals]:
    check_lines(axis, x)
    z = along(axis, x)
    y: Array = z - z.max(1, keepdims=True)
    exp(y, out=y)
    y /= sum_last(y)[:, np.newaxis]
    output = back(axis, y, x.shape)
    return Forward(output, state, SoftmaxResiduals(output))


def backward(axis: int, params: Empty, residuals: SoftmaxResiduals, dy: Array) -> Backward[Empty, Array]:
    check_cotangent_like(dy, residuals.y)
    y = along(axis, residuals.y)
    g = along(axis, dy)
    each, largest = peaks(y)
    dx = g - g[each, largest][:, np.newaxis]
    dx -= dot_last(y, dx)[:, np.newaxis]
    dx *= y
    return Backward(params, back(axis, dx, dy.shape))


def forward_log(axis: int, params: Empty, state: Empty, x: Array, mode: Mode) -> Forward[Array, Empty, SoftmaxResiduals]:
    check_lines(axis, x)
    z = along(axis, x)
    each, largest = peaks(z)
    y = z - z[each, largest][:, np.newaxis]
    others = np.exp(y)
    others[each, largest] = 0
    y -= np.log1p(sum_last(others))[:, np.newaxis]
    output = back(axis, y, x.shape)
    return Forward(output, state, SoftmaxResiduals(output))


def backward_log(axis: int, params: Empty, residuals: SoftmaxResiduals, dy: Array) -> Backward[Empty, Array]:
    check_cotangent_like(dy, residuals.y)
    y = along(axis, residuals.y)
    g = along(axis, dy)
    each, largest = peaks(y)
    dx = g.copy()
    dx[each, largest] = 0
    others = sum_last(dx)
    dx[each, largest] = -others  # there, and only there, the sum of all is subtracted already ...
    p = np.exp(y)
    p[each, largest] = np.expm1(y[each, largest])  # ... so that p - 1 takes the place of p
    p *= (others + g[each, largest])[:, np.newaxis]
    dx -= p
    return Backward(params, back(axis, dx, dy.shape))


def along(axis: int, x: Array) -> Array:
    """Return x as a matrix whose rows run along the axis."""
    return as_matrix(x if axis in (-1, x.ndim - 1) else x.swapaxes(axis, -1))


def back(axis: int, matrix: Array, shape: Shape) -> Array:
    """Return what :func:`along` made a matrix of."""
    if axis in (-1, len(shape) - 1):
        return matrix.reshape(shape)
    turned = list(shape)
    turned[axis], turned[-1] = turned[-1], turned[axis]
    return matrix.reshape(turned).swapaxes(axis, -1)


def peaks(matrix: Array) -> tuple[IntArray, IntArray]:
    """Return the index of every row and of its (first) largest entry."""
    return np.arange(len(matrix)), matrix.argmax(1)


def softmax(axis: int = -1) -> Layer[Empty, Empty, Array, Array]:
    """Softmax: positive numbers that sum to 1 along an axis (Bridle 1990).

    Parameters
    ----------
    axis : int, optional
        Axis of the input array, the batch axis being 0: negative, or at least 1.

    Returns
    -------
    Layer
        From any shape to the same.

    Raises
    ------
    ValueError
        When the axis is the batch axis or, in ``init``, does not exist.
    TypeError
        When the axis is not an integer; in ``forward``, when x is not a floating array.

    See Also
    --------
    softmax_cross_entropy : the loss that takes what would go into the softmax.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.softmax(), (), (), np.array([[0.0, 0.0], [1e4, -1e4]]))
    array([[0.5, 0.5],
           [1. , 0. ]])
    """
    axis = check_axis(axis)
    return define_layer(f"softmax({axis})", partial(init, axis), partial(forward, axis), partial(backward, axis), random=False)


def log_softmax(axis: int = -1) -> Layer[Empty, Empty, Array, Array]:
    """Logarithm of the softmax along an axis.

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
    >>> fn.apply(fn.log_softmax(), (), (), np.array([[0.0, 0.0], [40.0, 0.0]]))
    array([[-6.93147181e-01, -6.93147181e-01],
           [-4.24835426e-18, -4.00000000e+01]])
    """
    axis = check_axis(axis)
    return define_layer(
        f"log_softmax({axis})", partial(init, axis), partial(forward_log, axis), partial(backward_log, axis), random=False
    )


def check_lines(axis: int, x: Array) -> None:
    """Raise unless x is a floating array with a batch axis and with numbers along an axis of the examples."""
    check_array(x)
    if not -x.ndim < axis < x.ndim:
        raise ValueError(f"axis {axis} of an input {describe(x)}: expected one from {1 - x.ndim} to {x.ndim - 1}")
    if not x.shape[axis]:
        raise ValueError(f"axis {axis} of the input {describe(x)} is empty, expected at least one number along it")


MOST_AXES = 64
"""Axes that an array of NumPy has at most."""


def check_axis(axis: int) -> int:
    """Return an axis other than the batch axis as a Python int, or raise."""
    axis = check_count(axis, "axis", -MOST_AXES, MOST_AXES)
    if axis == 0:
        raise ValueError("axis is 0, the batch axis: give an axis of the examples, such as -1")
    return axis
