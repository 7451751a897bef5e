r"""Maximum pooling over windows of one to three spatial axes.

Indices: $n$ example, $p$ window, $k$ point of a window, $c$ channel; $x_{npkc}$ is the input at point $k$ of window $p$.

Forward
$$ y_{npc} = \max_k x_{npkc} $$

Derivation.  In a window the differential of the maximum is that of the entry $k^*$ which attains it.  Of equal entries the
first one counts: a choice from the subdifferential.  Hence $\bar x_{npkc} = [k = k^*]\,\bar y_{npc}$, and an input in several
windows collects the cotangents of all that it is the maximum of.  What is kept is $k^*$.
"""

import math
from functools import partial

import numpy as np
from attrs import frozen

from funcnn.errors import check_cotangent, check_flag, refuse_without_residuals
from funcnn.kernels.arrays import maximum_into
from funcnn.kernels.windows import Padding, Sizes, Windows, as_void_pixels, crop, from_void_pixels, pad
from funcnn.layer import Backward, Eval, Forward, Layer, Mode, define_layer
from funcnn.layers.pooling.pooling import check_input, fitted, geometry, init, name, offsets
from funcnn.typing import Array, Empty, IntArray, Shape

BLOCK = 1 << 16  # windows and channels at a time, so that they stay in the processor's cache


@frozen(eq=False)
class MaxResiduals:
    """Which point of each window is the maximum, and the shape of the input."""

    which: IntArray  # (n, *count, c), of the smallest type
    shape: Shape


def max_forward(
    windows: Windows, ceil: bool, params: Empty, state: Empty, x: Array, mode: Mode
) -> Forward[Array, Empty, MaxResiduals | Empty]:
    check_input(x, windows.ndim)
    own = fitted(windows, ceil, x.shape[1:-1])
    count = own.count(x.shape[1:-1])
    padded = as_void_pixels(pad(x, own.pads(x.shape[1:-1]), -np.inf))
    first, *rest = offsets(own, count)
    y = from_void_pixels(padded[:, *first], x.dtype)
    if isinstance(mode, Eval) and not mode.residuals:
        for place in rest:
            maximum_into(y, from_void_pixels(padded[:, *place], x.dtype))
        return Forward(y, state, ())
    which: IntArray = np.zeros(y.shape, np.min_scalar_type(len(rest)))
    for index, place in enumerate(rest, 1):
        point = from_void_pixels(padded[:, *place], x.dtype)
        larger = (point.real > y.real).astype(which.dtype)
        larger *= which.dtype.type(index)
        np.maximum(which, larger, out=which)
        maximum_into(y, point)
    if y.size and not y.real.min() > -np.inf:  # comparisons tell neither NaN nor the padding from minus infinity
        which = attained(x, own, y, which)
    return Forward(y, state, MaxResiduals(which, x.shape))


def attained(x: Array, windows: Windows, y: Array, which: IntArray) -> IntArray:
    """Return the first point of each window, not in the padding, that is its maximum; NaN counts as larger than all numbers."""
    pads = windows.pads(x.shape[1:-1])
    padded, real = pad(x, pads), pad(np.ones((1, *x.shape[1:-1], 1)), pads)
    open_ones = np.isnan(y) | (y.real == -np.inf)
    found = which.copy()
    for index, place in enumerate(offsets(windows, y.shape[1:-1])):
        point = padded[:, *place]
        here = open_ones & (real[:, *place] == 1) & ((point == y) | (np.isnan(point) & np.isnan(y)))
        np.copyto(found, found.dtype.type(index), where=here)
        open_ones &= ~here
    return found


def max_backward(
    windows: Windows, ceil: bool, params: Empty, residuals: MaxResiduals | Empty, dy: Array
) -> Backward[Empty, Array]:
    if not isinstance(residuals, MaxResiduals):
        refuse_without_residuals()
    check_cotangent(dy, residuals.which.shape)
    which, (n, *space, channels) = residuals.which, residuals.shape
    own = fitted(windows, ceil, tuple(space))
    pads = own.pads(tuple(space))
    shape = (n, *[size + low + high for size, (low, high) in zip(space, pads, strict=True)], channels)
    places = list(offsets(own, dy.shape[1:-1]))
    tiled = own.stride == own.reach and math.prod(shape) == len(places) * dy.size  # every point is in one window
    dpadded: Array = np.empty(shape, dy.dtype) if tiled else np.zeros(shape, dy.dtype)
    dpoints = as_void_pixels(dpadded)
    at_once = max(1, BLOCK * n // max(1, dy.size))
    for low in range(0, n, at_once):
        some = slice(low, low + at_once)
        for index, place in enumerate(places):
            part = (which[some] == which.dtype.type(index)).astype(dy.dtype)
            part *= dy[some]
            if tiled:
                dpoints[some, *place] = as_void_pixels(part)
            else:
                dpadded[some, *place] += part
    return Backward(params, crop(dpadded, pads))


def max_pool(
    ndim: int, kernel: Sizes, stride: Sizes | None, padding: Padding, dilation: Sizes, ceil_mode: bool
) -> Layer[Empty, Empty, Array, Array]:
    """Make maximum pooling over any number of spatial axes."""
    windows = geometry(ndim, kernel, stride, padding, dilation)
    ceil_mode = check_flag(ceil_mode, "ceil_mode")
    return define_layer(
        name("max_pool", windows),
        partial(init, windows, ceil_mode),
        partial(max_forward, windows, ceil_mode),
        partial(max_backward, windows, ceil_mode),
        random=False,
    )


def max_pool1d(
    kernel: Sizes, *, stride: Sizes | None = None, padding: Padding = "valid", dilation: Sizes = 1, ceil_mode: bool = False
) -> Layer[Empty, Empty, Array, Array]:
    """Maximum pooling of sequences (n, length, channels); see :func:`max_pool2d`.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.max_pool1d(2).init(fn.Key(0), (6, 2)).out_shape
    (3, 2)
    """
    return max_pool(1, kernel, stride, padding, dilation, ceil_mode)


def max_pool2d(
    kernel: Sizes, *, stride: Sizes | None = None, padding: Padding = "valid", dilation: Sizes = 1, ceil_mode: bool = False
) -> Layer[Empty, Empty, Array, Array]:
    """Take the maximum over windows of images (n, height, width, channels).

    Of equal entries in a window the first one gets the gradient, of those that are not numbers too.

    Parameters
    ----------
    kernel : int or sequence of int
        Points of a window along each spatial axis.
    stride : int or sequence of int, optional
        Steps between windows; the kernel unless given.
    padding : "valid", "same", int, or sequence, optional
        As for :func:`funcnn.conv2d`, less than a window.
        The points added never are the maximum.
    dilation : int or sequence of int, optional
        Distance between the points of a window.
    ceil_mode : bool, optional
        Keep a last window that the input does not fill.

    Returns
    -------
    Layer

    Raises
    ------
    TypeError, ValueError
        When an argument is out of range; in ``init``, when the example is smaller than a window, or a dilated window lies in the
        padding alone.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> x = np.arange(16.0).reshape(1, 4, 4, 1)
    >>> fn.apply(fn.max_pool2d(2), (), (), x)[0, :, :, 0]
    array([[ 5.,  7.],
           [13., 15.]])
    """
    return max_pool(2, kernel, stride, padding, dilation, ceil_mode)


def max_pool3d(
    kernel: Sizes, *, stride: Sizes | None = None, padding: Padding = "valid", dilation: Sizes = 1, ceil_mode: bool = False
) -> Layer[Empty, Empty, Array, Array]:
    """Maximum pooling of volumes (n, depth, height, width, channels); see :func:`max_pool2d`.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.max_pool3d(2).init(fn.Key(0), (4, 4, 2, 1)).out_shape
    (2, 2, 1, 1)
    """
    return max_pool(3, kernel, stride, padding, dilation, ceil_mode)
