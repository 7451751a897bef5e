r"""Pooling over all of the spatial axes, however many: average and maximum.

Indices: $n$ example, $q$ point of $Q$ spatial points, $c$ channel.

Forward
$$ y^{\mathrm{avg}}_{nc} = \frac1Q \sum_q x_{nqc}, \qquad y^{\max}_{nc} = \max_q x_{nqc} $$

Derivation.  As in :mod:`funcnn.layers.pooling.average_pooling` and :mod:`funcnn.layers.pooling.max_pooling` with one
window: $\bar x_{nqc} =
\bar y_{nc}/Q$, and $\bar x_{nqc} = [q = q^*]\,\bar y_{nc}$ where $q^*$ is the first point that attains the maximum.
"""

import numpy as np
from attrs import frozen

from funcnn.errors import check_array, check_cotangent
from funcnn.kernels.arrays import column_sums
from funcnn.kernels.spatial import check_points
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, define_layer
from funcnn.typing import Array, Empty, IntArray, Shape


@frozen(eq=False)
class GlobalMaxResiduals:
    """Where the maximum of each channel is."""

    shape: Shape  # of the input
    index: IntArray  # (n, 1, c)


def init(key: Key, in_shape: Shape) -> Init[Empty, Empty]:
    if len(in_shape) < 2:
        raise ValueError(f"an example has shape {in_shape}, expected spatial axes before the channels")
    return Init((), (), in_shape[-1:])


def flat(x: Array) -> Array:
    """Return x (n, *space, c) as (n, q, c)."""
    check_array(x, min_ndim=3)
    check_points(x)
    return x.reshape(len(x), int(np.prod(x.shape[1:-1])), x.shape[-1])


def average_forward(params: Empty, state: Empty, x: Array, mode: Mode) -> Forward[Array, Empty, Shape]:
    points = flat(x)
    return Forward(column_sums(points) / points.real.dtype.type(points.shape[1]), state, x.shape)


def average_backward(params: Empty, shape: Shape, dy: Array) -> Backward[Empty, Array]:
    check_cotangent(dy, (shape[0], shape[-1]))
    share = dy / dy.real.dtype.type(np.prod(shape[1:-1]))
    dx: Array = np.empty(shape, dy.dtype)
    dx[...] = share.reshape(len(dy), *(1,) * (len(shape) - 2), shape[-1])
    return Backward(params, dx)


def max_forward(params: Empty, state: Empty, x: Array, mode: Mode) -> Forward[Array, Empty, GlobalMaxResiduals]:
    points = flat(x)
    index = points.real.argmax(1)[:, None]
    return Forward(np.take_along_axis(points, index, 1)[:, 0], state, GlobalMaxResiduals(x.shape, index))


def max_backward(params: Empty, residuals: GlobalMaxResiduals, dy: Array) -> Backward[Empty, Array]:
    shape = residuals.shape
    check_cotangent(dy, (shape[0], shape[-1]))
    dx: Array = np.zeros((shape[0], int(np.prod(shape[1:-1])), shape[-1]), dy.dtype)
    np.put_along_axis(dx, residuals.index, dy[:, None], 1)
    return Backward(params, dx.reshape(shape))


def global_avg_pool() -> Layer[Empty, Empty, Array, Array]:
    """Take the average of each channel over all spatial axes: (n, *space, c) to (n, c).

    Returns
    -------
    Layer

    Raises
    ------
    ValueError
        When the input has no spatial axes.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.global_avg_pool(), (), (), np.arange(4.0).reshape(1, 2, 2, 1))
    array([[1.5]])
    """
    return define_layer("global_avg_pool", init, average_forward, average_backward, random=False)


def global_max_pool() -> Layer[Empty, Empty, Array, Array]:
    """Take the maximum of each channel over all spatial axes: (n, *space, c) to (n, c).

    Returns
    -------
    Layer

    Raises
    ------
    ValueError
        When the input has no spatial axes.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.global_max_pool(), (), (), np.arange(4.0).reshape(1, 2, 2, 1))
    array([[3.]])
    """
    return define_layer("global_max_pool", init, max_forward, max_backward, random=False)
