r"""Average pooling over windows of one to three spatial axes.

Indices: $n$ example, $p$ window, $k$ point of a window, $c$ channel; $x_{npkc}$ is the input at point $k$ of window $p$.

Forward
$$ y_{npc} = \frac{1}{K_p} \sum_k x_{npkc}, $$
where $K_p$ is the number of points of window $p$, with or without those that lie in the padding, or a number that is given.
Points that a last window has beyond the padding (``ceil_mode``) exist nowhere and are never counted.

Derivation.  The average is linear, so its transpose hands every point of a window the same share,
$\bar x_{npkc} = \bar y_{npc} / K_p$, and an input in several windows collects a share from each.
"""

from functools import partial

import numpy as np
from attrs import frozen

from funcnn.errors import check_cotangent, check_count, check_flag
from funcnn.kernels.windows import Padding, Sizes, Windows, crop, kernel_points, pad
from funcnn.layer import Backward, Forward, Layer, Mode, define_layer
from funcnn.layers.pooling.pooling import check_input, fitted, geometry, init, name, offsets
from funcnn.typing import Array, Empty, Shape


@frozen
class Averages:
    """The windows, and what their sums are divided by."""

    windows: Windows
    ceil: bool
    count_pad: bool
    divisor: int | None


def divisor(averages: Averages, own: Windows, space: Shape, dtype: np.dtype[np.floating]) -> Array:
    """Return the number of points of each window (1, *count, 1), or () for all, with or without those that lie in the padding.

    ``own`` are the windows with the padding that this input gets, so that the last of them are filled.
    """
    windows, count_pad = averages.windows, averages.count_pad
    if averages.divisor is not None:
        return np.array(averages.divisor, dtype)
    if not any(low or high for low, high in own.pads(space)):
        return np.array(kernel_points(own), dtype)  # every window has all its points
    count = own.count(space)
    ones: Array = np.ones((1, *space, 1), dtype)
    beyond = [(0, high - given) for (_, high), (_, given) in zip(own.pads(space), windows.pads(space), strict=True)]
    ones = pad(pad(ones, windows.pads(space), 1.0 if count_pad else 0.0), tuple(beyond))
    total: Array = np.zeros((1, *count, 1), dtype)
    for place in offsets(own, count):
        total += ones[:, *place]
    return np.maximum(total, 1)


def average_forward(averages: Averages, params: Empty, state: Empty, x: Array, mode: Mode) -> Forward[Array, Empty, Shape]:
    check_input(x, averages.windows.ndim)
    space = x.shape[1:-1]
    own = fitted(averages.windows, averages.ceil, space)
    padded = pad(x, own.pads(space))
    first, *rest = offsets(own, own.count(space))
    y: Array = padded[:, *first].copy()
    for place in rest:
        y += padded[:, *place]
    y /= divisor(averages, own, space, y.real.dtype)
    return Forward(y, state, x.shape)


def average_backward(averages: Averages, params: Empty, shape: Shape, dy: Array) -> Backward[Empty, Array]:
    space = shape[1:-1]
    own = fitted(averages.windows, averages.ceil, space)
    check_cotangent(dy, (shape[0], *own.count(space), shape[-1]))
    pads = own.pads(space)
    share = dy / divisor(averages, own, space, dy.real.dtype)
    padded = [n + low + high for n, (low, high) in zip(space, pads, strict=True)]
    dpadded: Array = np.zeros((len(dy), *padded, dy.shape[-1]), dy.dtype)
    for place in offsets(own, dy.shape[1:-1]):
        dpadded[:, *place] += share
    return Backward(params, crop(dpadded, pads))


def avg_pool(
    windows: Windows, ceil_mode: bool, count_include_pad: bool, divisor: int | None
) -> Layer[Empty, Empty, Array, Array]:
    """Make average pooling over any number of spatial axes."""
    averages = Averages(
        windows,
        check_flag(ceil_mode, "ceil_mode"),
        check_flag(count_include_pad, "count_include_pad"),
        None if divisor is None else check_count(divisor, "divisor"),
    )
    return define_layer(
        name("avg_pool", windows),
        partial(init, windows, averages.ceil),
        partial(average_forward, averages),
        partial(average_backward, averages),
        random=False,
    )


def avg_pool1d(
    kernel: Sizes,
    *,
    stride: Sizes | None = None,
    padding: Padding = "valid",
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    count_include_pad: bool = False,
    divisor: int | None = None,
) -> Layer[Empty, Empty, Array, Array]:
    """Average pooling of sequences (n, length, channels); see :func:`avg_pool2d`.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.avg_pool1d(2).init(fn.Key(0), (6, 2)).out_shape
    (3, 2)
    """
    return avg_pool(geometry(1, kernel, stride, padding, dilation), ceil_mode, count_include_pad, divisor)


def avg_pool2d(
    kernel: Sizes,
    *,
    stride: Sizes | None = None,
    padding: Padding = "valid",
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    count_include_pad: bool = False,
    divisor: int | None = None,
) -> Layer[Empty, Empty, Array, Array]:
    """Take the average over windows of images (n, height, width, channels).

    Parameters
    ----------
    kernel : int or sequence of int
        Points of a window along each spatial axis.
    stride : int or sequence of int, optional
        Steps between windows; the kernel unless given.
    padding : "valid", "same", int, or sequence, optional
        As for :func:`funcnn.conv2d`, less than a window.
    dilation : int or sequence of int, optional
        Distance between the points of a window.
    ceil_mode : bool, optional
        Keep a last window that the input does not fill.
    count_include_pad : bool, optional
        Divide by all points of a window, those in the padding included; not by those beyond it, that ``ceil_mode`` adds.
    divisor : int or None, optional
        What the sum of every window is divided by, in place of the number of its points; 1 gives sums.

    Returns
    -------
    Layer

    Raises
    ------
    TypeError, ValueError
        When an argument is out of range; in ``init``, when the example is smaller than a window.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> x = np.arange(16.0).reshape(1, 4, 4, 1)
    >>> fn.apply(fn.avg_pool2d(2), (), (), x)[0, :, :, 0]
    array([[ 2.5,  4.5],
           [10.5, 12.5]])
    """
    return avg_pool(geometry(2, kernel, stride, padding, dilation), ceil_mode, count_include_pad, divisor)


def avg_pool3d(
    kernel: Sizes,
    *,
    stride: Sizes | None = None,
    padding: Padding = "valid",
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    count_include_pad: bool = False,
    divisor: int | None = None,
) -> Layer[Empty, Empty, Array, Array]:
    """Average pooling of volumes (n, depth, height, width, channels); see :func:`avg_pool2d`.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.avg_pool3d(2).init(fn.Key(0), (4, 4, 2, 1)).out_shape
    (2, 2, 1, 1)
    """
    return avg_pool(geometry(3, kernel, stride, padding, dilation), ceil_mode, count_include_pad, divisor)
