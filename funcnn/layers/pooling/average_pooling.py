r"""Average pooling over windows of one to three spatial axes.

Indices: $n$ example, $p$ window, $k$ point of a window, $c$ channel; $x_{npkc}$ is the input at point $k$ of window $p$.

Forward
$$ y_{npc} = \frac{1}{K_p} \sum_k x_{npkc}, $$
where $K_p$ is the number of points of window $p$, with or without those that lie in the padding.  Points that a last window
has beyond the padding (``ceil_mode``) exist nowhere and are never counted.

Derivation.  The average is linear, so its transpose hands every point of a window the same share,
$\bar x_{npkc} = \bar y_{npc} / K_p$, and an input in several windows collects a share from each.
"""

from functools import partial

import numpy as np

from funcnn.errors import check_cotangent, check_flag
from funcnn.kernels.windows import Padding, Sizes, Windows, crop, pad
from funcnn.layer import Backward, Forward, Layer, Mode, define_layer
from funcnn.layers.pooling.pooling import check_input, fitted, geometry, init, name, offsets
from funcnn.typing import Array, Empty, Shape


def divisor(windows: Windows, own: Windows, space: Shape, count_pad: bool, dtype: np.dtype[np.floating]) -> Array:
    """Return the number of points of each window (1, *count, 1), with or without those that lie in the padding.

    ``own`` are the windows with the padding that this input gets, so that the last of them are filled.
    """
    count = own.count(space)
    ones: Array = np.ones((1, *space, 1), dtype)
    beyond = [(0, high - given) for (_, high), (_, given) in zip(own.pads(space), windows.pads(space), strict=True)]
    ones = pad(pad(ones, windows.pads(space), 1.0 if count_pad else 0.0), tuple(beyond))
    total: Array = np.zeros((1, *count, 1), dtype)
    for place in offsets(own, count):
        total += ones[:, *place]
    return np.maximum(total, 1)


def average_forward(
    windows: Windows, ceil: bool, count_pad: bool, params: Empty, state: Empty, x: Array, mode: Mode
) -> Forward[Array, Empty, Shape]:
    check_input(x, windows.ndim)
    space = x.shape[1:-1]
    own = fitted(windows, ceil, space)
    padded = pad(x, own.pads(space))
    first, *rest = offsets(own, own.count(space))
    y: Array = padded[:, *first].copy()
    for place in rest:
        y += padded[:, *place]
    y /= divisor(windows, own, space, count_pad, y.real.dtype)
    return Forward(y, state, x.shape)


def average_backward(
    windows: Windows, ceil: bool, count_pad: bool, params: Empty, shape: Shape, dy: Array
) -> Backward[Empty, Array]:
    space = shape[1:-1]
    own = fitted(windows, ceil, space)
    check_cotangent(dy, (shape[0], *own.count(space), shape[-1]))
    pads = own.pads(space)
    share = dy / divisor(windows, own, space, count_pad, dy.real.dtype)
    padded = [n + low + high for n, (low, high) in zip(space, pads, strict=True)]
    dpadded: Array = np.zeros((len(dy), *padded, dy.shape[-1]), dy.dtype)
    for place in offsets(own, dy.shape[1:-1]):
        dpadded[:, *place] += share
    return Backward(params, crop(dpadded, pads))


def avg_pool(
    ndim: int, kernel: Sizes, stride: Sizes | None, padding: Padding, ceil_mode: bool, count_include_pad: bool
) -> Layer[Empty, Empty, Array, Array]:
    """Make average pooling over any number of spatial axes."""
    windows = geometry(ndim, kernel, stride, padding, 1)
    ceil_mode = check_flag(ceil_mode, "ceil_mode")
    count_include_pad = check_flag(count_include_pad, "count_include_pad")
    return define_layer(
        name("avg_pool", windows),
        partial(init, windows, ceil_mode),
        partial(average_forward, windows, ceil_mode, count_include_pad),
        partial(average_backward, windows, ceil_mode, count_include_pad),
        random=False,
    )


def avg_pool1d(
    kernel: Sizes,
    *,
    stride: Sizes | None = None,
    padding: Padding = "valid",
    ceil_mode: bool = False,
    count_include_pad: bool = False,
) -> Layer[Empty, Empty, Array, Array]:
    """Average pooling of sequences (n, length, channels); see :func:`avg_pool2d`.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.avg_pool1d(2).init(fn.Key(0), (6, 2)).out_shape
    (3, 2)
    """
    return avg_pool(1, kernel, stride, padding, ceil_mode, count_include_pad)


def avg_pool2d(
    kernel: Sizes,
    *,
    stride: Sizes | None = None,
    padding: Padding = "valid",
    ceil_mode: bool = False,
    count_include_pad: bool = False,
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
    ceil_mode : bool, optional
        Keep a last window that the input does not fill.
    count_include_pad : bool, optional
        Divide by all points of a window, those in the padding included; not by those beyond it, that ``ceil_mode`` adds.

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
    return avg_pool(2, kernel, stride, padding, ceil_mode, count_include_pad)


def avg_pool3d(
    kernel: Sizes,
    *,
    stride: Sizes | None = None,
    padding: Padding = "valid",
    ceil_mode: bool = False,
    count_include_pad: bool = False,
) -> Layer[Empty, Empty, Array, Array]:
    """Average pooling of volumes (n, depth, height, width, channels); see :func:`avg_pool2d`.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.avg_pool3d(2).init(fn.Key(0), (4, 4, 2, 1)).out_shape
    (2, 2, 1, 1)
    """
    return avg_pool(3, kernel, stride, padding, ceil_mode, count_include_pad)
