r"""Unfold, the windows of an array as features (im2col), and fold, their sum at their places (col2im).

Indices: $n$ example, $p$ window, $k$ point of a window, $c$ channel; $s, d, a$ stride, dilation and padding, so that point $k$ of
window $p$ lies at $sp + dk - a$.

Forward
$$ y_{np,kc} = x_{n,\,sp+dk-a,\,c} \quad \text{(unfold)}, \qquad
   y_{nqc} = \sum_{p,k:\; sp+dk-a=q} x_{np,kc} \quad \text{(fold)}, $$
where $x$ is zero outside its borders.  The order of the features $kc$ is that of a convolution's weight: unfolding followed by a
dense layer is a convolution.

Derivation.  Both are linear.  In $\sum \bar y\,\mathrm{d}y$ of unfolding each input stands with the windows that it lies in,
which is folding; so each is the transpose of the other.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np
from attrs import frozen

from funcnn.errors import check_cotangent, shown
from funcnn.kernels.spatial import check_spatial_batch, split_shape
from funcnn.kernels.windows import (
    Padding,
    Sizes,
    Windows,
    check_at_least,
    col2im,
    crop,
    entries_of,
    kernel_points,
    make_windows,
    pad,
    sliding_windows,
)
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, define_layer
from funcnn.layers.shape.identity import OutputShape
from funcnn.typing import Array, Empty, Shape


@frozen(eq=False)
class UnfoldResiduals:
    """The spatial shape of the input, and the shape of the output."""

    space: Shape
    output: Shape


def unfolded(windows: Windows, x: Array) -> Array:
    """Return the windows of x (n, *space, c) as (n, *count, K c)."""
    space = x.shape[1:-1]
    count = windows.count(space)
    every = np.array(sliding_windows(pad(x, windows.pads(space)), windows, count), order="C")
    return every.reshape(len(x), *count, kernel_points(windows) * x.shape[-1])


def folded(windows: Windows, space: Shape, x: Array) -> Array:
    """Return the sum of windows (n, *count, K c) at their places in (n, *space, c)."""
    channels = x.shape[-1] // kernel_points(windows)
    pads = windows.pads(space)
    shape = (len(x), *[n + low + high for n, (low, high) in zip(space, pads, strict=True)], channels)
    return crop(col2im(x.reshape(*x.shape[:-1], *windows.kernel, channels), windows, shape), pads)


def unfold_init(windows: Windows, key: Key, in_shape: Shape) -> Init[Empty, Empty]:
    space, channels = split_shape(in_shape, windows.kernel)
    return Init((), (), (*windows.count(space), kernel_points(windows) * channels))


def unfold_forward(windows: Windows, params: Empty, state: Empty, x: Array, mode: Mode) -> Forward[Array, Empty, UnfoldResiduals]:
    space = check_spatial_batch(x, windows.kernel)
    y = unfolded(windows, x)
    return Forward(y, state, UnfoldResiduals(space, y.shape))


def unfold_backward(windows: Windows, params: Empty, residuals: UnfoldResiduals, dy: Array) -> Backward[Empty, Array]:
    check_cotangent(dy, residuals.output)
    return Backward(params, folded(windows, residuals.space, dy))


def fold_init(windows: Windows, space: Shape, key: Key, in_shape: Shape) -> Init[Empty, Empty]:
    check_windows(windows, space, *split_shape(in_shape, windows.kernel))
    return Init((), (), (*space, in_shape[-1] // kernel_points(windows)))


def check_windows(windows: Windows, space: Shape, count: Shape, features: int) -> None:
    """Raise unless so many windows with so many features are those of an array of a spatial shape."""
    if count != windows.count(space):
        raise ValueError(f"there are {count} windows, expected {windows.count(space)}, those of the spatial shape {space}")
    if features % kernel_points(windows):
        raise ValueError(f"{features} features cannot be divided among the {kernel_points(windows)} points of a window")


def fold_forward(
    windows: Windows, space: Shape, params: Empty, state: Empty, x: Array, mode: Mode
) -> Forward[Array, Empty, OutputShape]:
    check_windows(windows, space, check_spatial_batch(x, windows.kernel), x.shape[-1])
    y = folded(windows, space, x)
    return Forward(y, state, OutputShape(y.shape))


def fold_backward(windows: Windows, params: Empty, residuals: OutputShape, dy: Array) -> Backward[Empty, Array]:
    check_cotangent(dy, residuals.shape)
    return Backward(params, unfolded(windows, dy))


def check_axes(value: object, what: str) -> Shape:
    """Return a tuple of integers of at least 1, one for each spatial axis, or raise."""
    wanted = "a tuple with an integer for each spatial axis"
    entries = entries_of(value)
    if not entries:
        raise TypeError(f"{what} is {shown(value)}, expected {wanted}")
    return tuple([check_at_least(one, what, 1, wanted) for one in entries])


def unfold(
    kernel: Sequence[int], *, stride: Sizes = 1, padding: Padding = "valid", dilation: Sizes = 1
) -> Layer[Empty, Empty, Array, Array]:
    """Give each window's numbers as features (im2col): (n, *space, c) to (n, *windows, points * c).

    Parameters
    ----------
    kernel : sequence of int
        Points of a window along each spatial axis: (3, 3) for images.
    stride, padding, dilation : optional
        As for :func:`funcnn.conv2d`.

    Returns
    -------
    Layer
        The features are ordered as (*kernel, c).

    Raises
    ------
    TypeError, ValueError
        When an argument is out of range; in ``init`` and ``forward``, when an example has another number of spatial axes, or is
        smaller than a window.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.unfold((3,)), (), (), np.arange(5.0).reshape(1, 5, 1))
    array([[[0., 1., 2.],
            [1., 2., 3.],
            [2., 3., 4.]]])
    """
    sizes = check_axes(kernel, "kernel")
    windows = make_windows(len(sizes), sizes, stride, padding, dilation)
    return define_layer(
        f"unfold({'x'.join(map(str, sizes))})",
        partial(unfold_init, windows),
        partial(unfold_forward, windows),
        partial(unfold_backward, windows),
        random=False,
    )


def fold(
    space: Sequence[int], kernel: Sizes, *, stride: Sizes = 1, padding: Padding = "valid", dilation: Sizes = 1
) -> Layer[Empty, Empty, Array, Array]:
    """Add windows up at their places (col2im): (n, *windows, points * c) to (n, *space, c); the transpose of :func:`unfold`.

    Parameters
    ----------
    space : sequence of int
        The spatial shape of the output.
    kernel, stride, padding, dilation : optional
        Those of the unfolding of which this is the transpose.

    Returns
    -------
    Layer
        Points that lie in several windows are the sum of all; points in none are 0.

    Raises
    ------
    TypeError, ValueError
        When an argument is out of range; in ``init`` and ``forward``, when these are not the windows of the output.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.fold((5,), 3), (), (), np.ones((1, 3, 3))).ravel()
    array([1., 2., 3., 2., 1.])
    """
    shape = check_axes(space, "space")
    windows = make_windows(len(shape), kernel, stride, padding, dilation)
    windows.count(shape)
    return define_layer(
        f"fold({'x'.join(map(str, windows.kernel))})",
        partial(fold_init, windows, shape),
        partial(fold_forward, windows, shape),
        partial(fold_backward, windows),
        random=False,
    )
