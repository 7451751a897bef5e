"""Windows over the spatial axes of channels-last arrays (n, *space, c): what convolution, pooling and unfolding share.

A window is a block of ``kernel`` points, ``dilation`` apart, that moves in steps of ``stride`` over an array padded by
``padding``. Along one axis of L points, padded by (a, b), with kernel k, stride s and dilation d, the windows are
``1 + (L + a + b - d (k - 1) - 1) // s``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, TypeAlias, cast

import numpy as np
from attrs import frozen

from funcnn.errors import check_count, check_integer, shown
from funcnn.typing import Array, Shape

Pair: TypeAlias = tuple[int, int]
Sizes: TypeAlias = int | Sequence[int]
Padding: TypeAlias = Literal["same", "valid"] | int | Sequence[int | Pair]


@frozen
class Windows:
    """The geometry of windows: one entry for each spatial axis."""

    kernel: Shape
    stride: Shape
    dilation: Shape
    padding: Literal["same"] | tuple[Pair, ...]

    @property
    def ndim(self) -> int:
        """The number of spatial axes."""
        return len(self.kernel)

    @property
    def reach(self) -> Shape:
        """How many points a window spans along each axis: d (k - 1) + 1."""
        return tuple([d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True)])

    def pads(self, space: Shape) -> tuple[Pair, ...]:
        """Return the points added before and after each axis.

        "same" gives ceil(L / s) windows; where the padding is odd, the extra point comes last (the convention of TensorFlow and
        JAX).
        """
        if self.padding != "same":
            return self.padding
        found = []
        for length, reach, stride in zip(space, self.reach, self.stride, strict=True):
            total = max(0, (-(-length // stride) - 1) * stride + reach - length)
            found.append((total // 2, total - total // 2))
        return tuple(found)

    def count(self, space: Shape) -> Shape:
        """Return how many windows there are along each axis.

        Raises
        ------
        ValueError
            When the padded axis is shorter than a window.
        """
        found = []
        for axis, (length, (low, high), reach, stride) in enumerate(
            zip(space, self.pads(space), self.reach, self.stride, strict=True)
        ):
            room = length + low + high - reach
            if room < 0:
                raise ValueError(
                    f"spatial axis {axis} has {length} points, {length + low + high} with padding; a window spans {reach}:"
                    " use a smaller kernel or dilation, or more padding"
                )
            found.append(1 + room // stride)
        return tuple(found)


def make_windows(ndim: int, kernel: Sizes, stride: Sizes = 1, padding: Padding = "valid", dilation: Sizes = 1) -> Windows:
    """Return the geometry that a factory's arguments describe: numbers stand for all axes, pairs of padding for (before, after).

    Raises
    ------
    TypeError, ValueError
        When an entry is not a positive integer (for padding, not a non-negative one), or there are not ``ndim`` of them.
    """
    return Windows(
        per_axis(kernel, ndim, "kernel"),
        per_axis(stride, ndim, "stride"),
        per_axis(dilation, ndim, "dilation"),
        padding_per_axis(padding, ndim),
    )


def per_axis(value: Sizes, ndim: int, what: str, least: int = 1) -> Shape:
    """Return one integer for each spatial axis."""
    entries = entries_of(value)
    wanted = f"an integer, or one for each of {ndim} spatial axes" if ndim > 1 else "an integer"
    if entries is None:
        return (check_at_least(value, what, least, wanted),) * ndim
    if len(entries) != ndim:
        raise ValueError(f"{what} is {shown(value)}, expected {wanted}")
    return tuple([check_at_least(one, what, least, wanted) for one in entries])


def padding_per_axis(value: Padding, ndim: int) -> Literal["same"] | tuple[Pair, ...]:
    """Return "same", or a pair (before, after) for each spatial axis."""
    wanted = f'"same", "valid", an integer, or an integer or a pair for each of {ndim} spatial axes'
    if isinstance(value, str):
        if value not in ("same", "valid"):
            raise ValueError(f"padding is {shown(value)}, expected {wanted}")
        return "same" if value == "same" else ((0, 0),) * ndim
    entries = entries_of(value)
    if entries is None:
        return (pair_of(value, "padding", wanted),) * ndim
    if len(entries) != ndim:
        raise ValueError(f"padding is {shown(value)}, expected {wanted}")
    return tuple([pair_of(entry, "padding", wanted) for entry in entries])


def entries_of(value: object) -> tuple[object, ...] | None:
    """Return the entries of a setting that has one for each axis; None where it is one number for all, or nothing of the kind."""
    if isinstance(value, (tuple, list)):
        return tuple(value)
    return tuple(value.tolist()) if isinstance(value, np.ndarray) and value.ndim == 1 else None


def pair_of(entry: object, what: str, wanted: str) -> Pair:
    """Return the points before and after one axis: of an entry that is a number or a pair of numbers of at least 0."""
    both = entries_of(entry)
    if both is None:
        both = (entry, entry)
    elif len(both) != 2:
        raise TypeError(f"{what} is {shown(entry)} for one axis, expected {wanted}")
    return check_at_least(both[0], what, 0, wanted), check_at_least(both[1], what, 0, wanted)


def check_at_least(value: object, what: str, least: int, wanted: str) -> int:
    """Return an integer of at least ``least``, or raise an error that says what the whole setting may be."""
    return check_count(check_integer(cast(int, value), what, wanted), what, least)


def pad(x: Array, pads: tuple[Pair, ...], value: float = 0.0) -> Array:
    """Return x with constant points added to its spatial axes; x itself where there are none to add."""
    if not any(low or high for low, high in pads):
        return x
    space = x.shape[1:-1]
    shape = (x.shape[0], *[n + low + high for n, (low, high) in zip(space, pads, strict=True)], x.shape[-1])
    padded: Array = np.zeros(shape, x.dtype) if value == 0 else np.full(shape, value, x.dtype)
    inner = tuple([slice(low, low + n) for n, (low, _) in zip(space, pads, strict=True)])
    padded[:, *inner] = x
    return padded


def crop(x: Array, pads: tuple[Pair, ...]) -> Array:
    """Return x without the points that :func:`pad` adds: its transpose."""
    inner = tuple([slice(low, n - high) for n, (low, high) in zip(x.shape[1:-1], pads, strict=True)])
    return x[:, *inner]


def as_void_pixels(x: Array) -> Array:
    """Return a view (...) of an array (..., c), or of a copy of it, with all channels of a point as one item.

    Few channels are copied up to twice as fast as one item each.
    """
    dense = x if x.strides[-1] == x.itemsize else x.copy()
    whole: Array = dense.view(np.dtype((np.void, x.shape[-1] * x.itemsize)))
    return whole.reshape(x.shape[:-1])


def from_void_pixels(whole: Array, dtype: np.dtype[np.floating]) -> Array:
    """Return the array (..., c) of which these are the :func:`as_void_pixels`, side by side in memory."""
    copied: Array = whole.copy()
    return copied[..., np.newaxis].view(dtype)


def sliding_windows(padded: Array, windows: Windows, count: Shape) -> Array:
    """Return the windows of a padded array as a read-only view (n, *count, *kernel, c): no number is copied."""
    batch, *space, channels = padded.strides
    steps = [s * step for s, step in zip(windows.stride, space, strict=True)]
    inner = [d * step for d, step in zip(windows.dilation, space, strict=True)]
    return np.lib.stride_tricks.as_strided(
        padded,
        (len(padded), *count, *windows.kernel, padded.shape[-1]),
        (batch, *steps, *inner, channels),
        writeable=False,
    )


def col2im(values: Array, windows: Windows, padded_shape: Shape) -> Array:
    """Return the sum of windows (n, *count, *kernel, c) at their places: the transpose of :func:`sliding_windows`."""
    count = values.shape[1 : 1 + windows.ndim]
    padded: Array = np.zeros(padded_shape, values.dtype)
    for offset in np.ndindex(windows.kernel):
        padded[:, *strided_slices(windows, offset, count)] += values[(slice(None),) * (1 + windows.ndim) + offset]
    return padded


def strided_slices(windows: Windows, offset: Shape, count: Shape) -> tuple[slice, ...]:
    """Return where so many windows have a point of the kernel, along the first axes: as many as there are numbers given."""
    axes = zip(offset, windows.dilation[: len(count)], windows.stride[: len(count)], count, strict=True)
    return tuple([slice(d * k, d * k + s * n, s) for k, d, s, n in axes])


def kernel_points(windows: Windows) -> int:
    """Return the number of points in a window."""
    return math.prod(windows.kernel)
