"""What pooling layers share: windows over the spatial axes of channels-last arrays, with the usual options.

The layers themselves are in :mod:`funcnn.layers.pooling.max_pooling`, :mod:`funcnn.layers.pooling.average_pooling` and
:mod:`funcnn.layers.pooling.power_pooling`.
"""

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
from attrs import evolve

from funcnn.errors import check_array, check_spatial, describe
from funcnn.kernels.spatial import check_points
from funcnn.kernels.windows import Padding, Pair, Sizes, Windows, make_windows
from funcnn.key import Key
from funcnn.layer import Init
from funcnn.typing import Array, Empty, Shape

Places: TypeAlias = tuple[slice, ...]


def init(windows: Windows, ceil: bool, key: Key, in_shape: Shape) -> Init[Empty, Empty]:
    *space, channels = check_spatial(in_shape, windows.ndim)
    return Init((), (), (*fitted(windows, ceil, tuple(space)).count(tuple(space)), channels))


def fitted(windows: Windows, ceil: bool, space: Shape) -> Windows:
    """Return the windows with the padding that an input of this shape gets.

    With ``ceil`` a last window that would be cut off is kept, unless it would begin behind the input.
    """
    pads = []
    for length, (low, high), reach, stride in zip(space, windows.pads(space), windows.reach, windows.stride, strict=True):
        missing = -(length + low + high - reach) % stride if ceil else 0
        last = length + low + high + missing - reach
        pads.append((low, high + missing if last < length + low else high))
    if max(windows.dilation) > 1:
        check_real_points(windows, space, tuple(pads))
    return evolve(windows, padding=tuple(pads))


def check_real_points(windows: Windows, space: Shape, pads: tuple[Pair, ...]) -> None:
    """Raise when all points of a dilated window lie in the padding: it has no maximum, and nobody to give a gradient to."""
    axes = zip(space, pads, windows.kernel, windows.stride, windows.dilation, windows.reach, strict=True)
    for axis, (length, (low, high), kernel, stride, dilation, reach) in enumerate(axes):
        for start in range(-low, length + high - reach + 1, stride):
            if not any(0 <= start + dilation * k < length for k in range(kernel)):
                raise ValueError(
                    f"along spatial axis {axis}, of {length} points, a window with dilation {dilation} has points in the padding"
                    f" {(low, high)} alone: use less padding or dilation"
                )


def offsets(windows: Windows, count: Shape) -> Iterator[Places]:
    """Yield, for each point of the kernel, the places of a padded array where the windows have that point."""
    for offset in np.ndindex(windows.kernel):
        yield tuple(
            [
                slice(d * k, d * k + s * (n - 1) + 1, s)
                for k, d, s, n in zip(offset, windows.dilation, windows.stride, count, strict=True)
            ]
        )


def check_input(x: Array, ndim: int) -> None:
    """Raise unless x is a floating array (n, *space, channels)."""
    check_array(x, min_ndim=ndim + 2)
    if x.ndim != ndim + 2:
        raise ValueError(f"the input is {describe(x)}, expected {ndim + 2} axes: batch, {ndim} spatial, channels")
    check_points(x)
    if not x.shape[-1]:
        raise ValueError(f"the input is {describe(x)}, expected at least one channel in its last axis")


def geometry(ndim: int, kernel: Sizes, stride: Sizes | None, padding: Padding, dilation: Sizes) -> Windows:
    """Return the windows of a pooling layer: the stride is the kernel unless given, and no window lies in the padding alone."""
    windows = make_windows(ndim, kernel, kernel if stride is None else stride, padding, dilation)
    if windows.padding != "same":
        for (low, high), reach in zip(windows.padding, windows.reach, strict=True):
            if max(low, high) >= reach:
                raise ValueError(f"padding is {padding!r}, expected less than the {reach} points that a window spans")
    return windows


def name(kind: str, windows: Windows) -> str:
    """Return what messages call the layer."""
    return f"{kind}{windows.ndim}d({'x'.join(map(str, windows.kernel))})"
