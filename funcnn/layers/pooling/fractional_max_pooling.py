r"""Fractional max pooling (Graham 2014, arXiv:1412.6071, section 2): windows at random places, for outputs of any size.

Indices: $n$ example, $c$ channel, $p$ window of $P$ along an axis of $L$ points (several axes alike), $k$ point of the $K$ of a
window, $q$ point of the input.

Forward.  With $\alpha = (L - K)/(P - 1)$ and a number $u_{nc}$ in $[0, 1)$ for each axis, drawn in training and $\tfrac12$ in
evaluation, window $p$ begins at
$$ b_{ncp} = \lfloor (p + u_{nc})\,\alpha \rfloor - \lfloor u_{nc}\,\alpha \rfloor \quad (p < P - 1), \qquad
   b_{nc,P-1} = L - K : $$
steps of $\lfloor\alpha\rfloor$ and $\lceil\alpha\rceil$ in an order that $u$ decides, the first window at the first point and the
last at the last.  Then
$$ y_{npc} = \max_k x_{n,\, b_{ncp} + k,\, c} . $$

Derivation.  As that of max pooling: with $i_{npc}$ the first point of window $p$ that attains the maximum,
$\bar x_{nqc} = \sum_p [q = i_{npc}]\,\bar y_{npc}$.  The places are constants.
"""

from functools import partial

import numpy as np
from attrs import frozen

from funcnn.errors import check_cotangent
from funcnn.kernels.spatial import check_points, check_spatial_batch, checked_sizes, sizes_of, split_shape
from funcnn.kernels.windows import Sizes
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, Train, define_layer
from funcnn.layers.pooling.max_unpooling import Pooled, PooledResiduals, pool_backward, scattered
from funcnn.typing import Array, Empty, IntArray, Shape


@frozen
class FractionalWindows:
    """Points of a window and of the output, along all axes or along each."""

    kernel: int | Shape
    output_size: int | Shape

    def sizes(self, space: Shape) -> tuple[Shape, Shape]:
        """Return the points of windows and of the output along each axis, or raise unless they fit."""
        kernel, output = sizes_of(self.kernel, len(space)), sizes_of(self.output_size, len(space))
        for axis, (length, k, count) in enumerate(zip(space, kernel, output, strict=True)):
            if count > length - k + 1:
                raise ValueError(
                    f"spatial axis {axis} has {length} points, too few for {count} windows of {k}: expected an output_size of at"
                    f" most {max(0, length - k + 1)}"
                )
        return kernel, output


def init(windows: FractionalWindows, key: Key, in_shape: Shape) -> Init[Empty, Empty]:
    space, channels = split_shape(in_shape, windows.kernel)
    split_shape(in_shape, windows.output_size)
    return Init((), (), (*windows.sizes(space)[1], channels))


def window_starts(length: int, kernel: int, count: int, u: Array) -> IntArray:
    """Return where so many windows begin (n, count, c), for numbers (n, c) in [0, 1)."""
    alpha = (length - kernel) / max(1, count - 1)
    places = np.arange(count)[:, np.newaxis]
    starts: IntArray = (np.floor((places + u[:, np.newaxis]) * alpha) - np.floor(u * alpha)[:, np.newaxis]).astype(np.intp)
    starts[:, -1] = length - kernel
    return starts


def pool_at(windows: FractionalWindows, u: Array, x: Array) -> tuple[Array, IntArray]:
    """Return the maxima and their points, counted row by row, for numbers (n, c, axes) in [0, 1) that place the windows."""
    space = x.shape[1:-1]
    kernel, output = windows.sizes(space)
    ndim = len(space)
    batch = np.arange(len(x)).reshape(len(x), *(1,) * (ndim + 1))
    channel = np.arange(x.shape[-1])
    axes = zip(space, kernel, output, strict=True)
    starts = [
        window_starts(length, k, count, u[..., axis]).reshape(len(x), *(1,) * axis, count, *(1,) * (ndim - axis - 1), x.shape[-1])
        for axis, (length, k, count) in enumerate(axes)
    ]
    y: Array = np.empty((len(x), *output, x.shape[-1]), x.dtype)
    indices: IntArray = np.full(y.shape, -1, np.intp)
    for offset in np.ndindex(kernel):
        at = [start + step for start, step in zip(starts, offset, strict=True)]
        point = x[(batch, *at, channel)]
        number = np.zeros((), np.intp)
        for place, length in zip(at, space, strict=True):
            number = number * length + place
        larger = (indices < 0) | (point.real > y.real) | ((point != point) & (y == y))  # the first NaN
        np.copyto(y, point, where=larger)
        np.copyto(indices, number, where=larger)
    return y, indices


def places(x: Array, mode: Mode) -> Array:
    """Return the numbers (n, c, axes) that place the windows of a batch."""
    shape = (len(x), x.shape[-1], x.ndim - 2)
    return mode.uniform(shape).astype(np.float64) if isinstance(mode, Train) else np.full(shape, 0.5)


def checked(windows: FractionalWindows, x: Array) -> None:
    """Raise unless x is a batch with as many spatial axes as the settings have entries, and points along each."""
    check_spatial_batch(x, windows.kernel)
    check_spatial_batch(x, windows.output_size)
    check_points(x)


def forward(
    windows: FractionalWindows, params: Empty, state: Empty, x: Array, mode: Mode
) -> Forward[Array, Empty, PooledResiduals]:
    checked(windows, x)
    y, indices = pool_at(windows, places(x, mode), x)
    return Forward(y, state, PooledResiduals(x.shape, indices))


def backward(params: Empty, residuals: PooledResiduals, dy: Array) -> Backward[Empty, Array]:
    check_cotangent(dy, residuals.indices.shape)
    return Backward(params, scattered(residuals.indices, residuals.shape[1:-1], dy))


def indices_forward(
    windows: FractionalWindows, params: Empty, state: Empty, x: Array, mode: Mode
) -> Forward[Pooled, Empty, PooledResiduals]:
    checked(windows, x)
    y, indices = pool_at(windows, places(x, mode), x)
    return Forward(Pooled(y, indices), state, PooledResiduals(x.shape, indices))


def fractional_max_pool(kernel: Sizes, output_size: Sizes) -> Layer[Empty, Empty, Array, Array]:
    """Take the maximum over windows at random places: (n, *space, c) to (n, *output_size, c).

    Parameters
    ----------
    kernel : int or sequence of int
        Points of a window along each spatial axis; a number stands for all, however many there are.
    output_size : int or sequence of int
        Points of the output along each spatial axis, at most those of the input less the kernel plus 1.

    Returns
    -------
    Layer
        The places are drawn for every example, channel and axis in training; in evaluation they are always the same.

    Raises
    ------
    TypeError, ValueError
        When a setting is out of range; in ``init`` and ``forward``, when an example has other axes or too few points.

    See Also
    --------
    adaptive_max_pool : cells of the whole input, without chance.
    fractional_max_pool_with_indices : also says where the maxima were.

    References
    ----------
    Graham (2014), Fractional max-pooling, arXiv:1412.6071.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.fractional_max_pool(2, 4), (), (), np.arange(7.0).reshape(1, 7, 1)).ravel()
    array([1., 3., 5., 6.])
    """
    windows = FractionalWindows(checked_sizes(kernel, "kernel"), checked_sizes(output_size, "output_size"))
    return define_layer("fractional_max_pool", partial(init, windows), partial(forward, windows), backward)


def fractional_max_pool_with_indices(kernel: Sizes, output_size: Sizes) -> Layer[Empty, Empty, Array, Pooled]:
    """Take the maximum over windows at random places, and where it was: (n, *space, c) to :class:`funcnn.Pooled`.

    Parameters
    ----------
    kernel, output_size : int or sequence of int
        As for :func:`funcnn.fractional_max_pool`.

    Returns
    -------
    Layer
        Its output goes into :func:`funcnn.max_unpool`.

    Raises
    ------
    TypeError, ValueError
        As for :func:`funcnn.fractional_max_pool`.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.fractional_max_pool_with_indices(2, 4), (), (), np.arange(7.0).reshape(1, 7, 1)).indices.ravel()
    array([1, 3, 5, 6])
    """
    windows = FractionalWindows(checked_sizes(kernel, "kernel"), checked_sizes(output_size, "output_size"))
    name = "fractional_max_pool_with_indices"
    return define_layer(name, partial(init, windows), partial(indices_forward, windows), pool_backward)
