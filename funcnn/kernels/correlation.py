r"""Correlation of channels-last arrays with a kernel, and its two transposes: the three sums behind every convolution.

Indices: $n$ example, $p$ window, $k$ point of a window, $i$ input channel, $o$ output channel; $s, d, a$ stride, dilation and
padding, so that point $k$ of window $p$ lies at $sp + dk - a$.  The map is bilinear,
$$ y_{npo} = \sum_{k,i} x_{n,\,sp+dk-a,\,i}\, w_{kio}, $$
and each factor's cotangent is the sum over the other indices,
$$ \bar x_{nqi} = \sum_{p,k:\; sp+dk-a=q}\; \sum_o \bar y_{npo}\, w_{kio}, \qquad
   \bar w_{kio} = \sum_{n,p} x_{n,\,sp+dk-a,\,i}\, \bar y_{npo}. $$

The windows are copied into a matrix, one window a row (im2col; Chellapilla et al. 2006), some at a time, so that the matrix
stays in the processor's cache; then each sum is a matrix product.  With groups, channels are divided into equal parts that do
not mix.  Kernels of 3x3 points with many channels take fewer products (:mod:`funcnn.kernels.winograd`); with few channels
neighbouring
windows are taken together (:mod:`funcnn.kernels.block_toeplitz`).  Both multiply by zeros, or leave numbers to cancel:
they are for finite ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

import numpy as np

from funcnn.kernels import block_toeplitz, winograd
from funcnn.kernels.arrays import all_finite, dot
from funcnn.kernels.step_products import bilinear_along
from funcnn.kernels.windows import Windows, as_void_pixels, col2im, crop, from_void_pixels, pad, sliding_windows
from funcnn.typing import Array, Shape

BLOCK_BYTES = 1 << 20  # of window rows at a time, so that they stay in a usual second-level cache
_FEW = 3  # channels


def correlate(x: Array, weight: Array, windows: Windows, groups: int = 1) -> Array:
    """Return y (n, *count, o) for x (n, *space, i) and weight (*kernel, i / groups, o)."""
    if x.dtype.kind == "c":
        along = bilinear_along(partial(correlate, windows=windows, groups=groups), x, weight, -1)
        if along is not None:
            return along
    if groups == 1 and x.dtype == weight.dtype and winograd.suits(windows, weight.shape[-2], weight.shape[-1], x.dtype):
        return correlate_many_channels(x, weight, windows)
    many = block_toeplitz.windows_per_group(windows, x.shape, weight.shape[-1], groups)
    if many == 1 or not all_finite(x):
        return correlate_plain(x, weight, windows, groups)
    wide = block_toeplitz.widened(windows, many, x.shape[1:-1])
    y = correlate_plain(x, block_toeplitz.block_toeplitz_matrix(weight, windows, many, wide.kernel[-1]), wide, 1)
    return y.reshape(*y.shape[:-2], many * y.shape[-2], weight.shape[-1])


def correlate_many_channels(x: Array, weight: Array, windows: Windows) -> Array:
    """Return the same as :func:`correlate` with fewer products, where no rounding error of them reaches too far."""
    if not weight.all():  # through a 0 nothing passes, not even a rounding error
        return correlate_plain(x, weight, windows, 1)
    even = winograd.are_even(x, windows)
    if even.all():
        return winograd.correlate(x, weight, windows)
    y: Array = np.empty((len(x), *windows.count(x.shape[1:-1]), weight.shape[-1]), x.dtype)
    y[even] = winograd.correlate(x[even], weight, windows)
    y[~even] = correlate_plain(x[~even], weight, windows, 1)
    return y


def correlate_plain(x: Array, weight: Array, windows: Windows, groups: int) -> Array:
    """Return the same as :func:`correlate` by the sum itself."""
    space = x.shape[1:-1]
    count, padded = windows.count(space), pad(x, windows.pads(space))
    y: Array = np.empty((len(x), *count, weight.shape[-1]), np.result_type(x, weight))
    for inputs, outputs in channel_groups(x.shape[-1], weight.shape[-1], groups):
        kernel = weight[..., outputs].reshape(-1, outputs.stop - outputs.start)
        for rows, place in blocks(padded[..., inputs], windows, count):
            part = y[*place, ..., outputs]
            if part.flags.c_contiguous and part.flags.aligned and part.dtype.kind == "f":
                np.dot(rows, kernel, out=part.reshape(len(rows), -1))
            else:
                part[...] = dot(rows, kernel).reshape(part.shape)
    return y


def correlate_input(dy: Array, weight: Array, windows: Windows, in_shape: Shape, groups: int = 1) -> Array:
    """Return the cotangent of x, of shape ``in_shape`` (n, *space, i), for that of y."""
    if dy.dtype.kind == "c":

        def pull(real_dy: Array, real: Array) -> Array:
            return correlate_input(real_dy, real, windows, (*in_shape[:-1], real.shape[-2] * groups), groups)

        along = bilinear_along(pull, dy, weight, -2)
        if along is not None:
            return along
    space = in_shape[1:-1]
    pads = windows.pads(space)
    if groups == 1 and block_toeplitz.is_faster(windows, in_shape, dy.shape[-2]) and all_finite(dy):
        return block_toeplitz.correlate_input(dy, weight, windows, in_shape)
    if set(windows.stride) == {1} and groups == 1:
        flipped = _flipped(windows, pads)
        if flipped is not None:  # with stride 1 the transpose is a correlation with the flipped kernel
            axes = tuple(range(windows.ndim))
            return correlate(dy, np.flip(weight, axes).swapaxes(-1, -2), flipped)
    shape = (in_shape[0], *[n + low + high for n, (low, high) in zip(space, pads, strict=True)])
    dx: Array = np.empty((*shape, in_shape[-1]), np.result_type(dy, weight))
    for inputs, outputs in channel_groups(in_shape[-1], weight.shape[-1], groups):
        size = inputs.stop - inputs.start
        kernel = weight[..., outputs].reshape(-1, outputs.stop - outputs.start).T
        for n in range(in_shape[0]):  # one example at a time: its windows stay in the cache
            rows = dy[n, ..., outputs].reshape(-1, outputs.stop - outputs.start)
            values = dot(rows, kernel).reshape(1, *dy.shape[1:-1], *windows.kernel, size)
            dx[n, ..., inputs] = col2im(values, windows, (1, *shape[1:], size))[0]
    return crop(dx, pads)


def correlate_weight(x: Array, dy: Array, windows: Windows, groups: int = 1) -> Array:
    """Return the cotangent of the weight (*kernel, i / groups, o)."""
    if x.dtype.kind == "c":
        along = bilinear_along(partial(correlate_weight, windows=windows, groups=groups), x, dy, -1)
        if along is not None:
            return along
    if groups == 1 and x.dtype == dy.dtype and winograd.suits(windows, x.shape[-1], dy.shape[-1], x.dtype):
        return winograd.correlate_weight(x, dy, windows)
    many = block_toeplitz.windows_per_group(windows, x.shape, dy.shape[-1], groups)
    if many == 1:
        return correlate_weight_plain(x, dy, windows, groups)
    wide = block_toeplitz.widened(windows, many, x.shape[1:-1])
    grouped = dy.reshape(*dy.shape[:-2], dy.shape[-2] // many, many * dy.shape[-1])
    return block_toeplitz.block_toeplitz_cotangent(correlate_weight_plain(x, grouped, wide, 1), windows, many)


def correlate_weight_plain(x: Array, dy: Array, windows: Windows, groups: int) -> Array:
    """Return the same as :func:`correlate_weight` by the sum itself."""
    space = x.shape[1:-1]
    count, padded = windows.count(space), pad(x, windows.pads(space))
    features = x.shape[-1] // groups
    dweight: Array = np.zeros((math.prod(windows.kernel) * features, dy.shape[-1]), np.result_type(x, dy))
    for inputs, outputs in channel_groups(x.shape[-1], dy.shape[-1], groups):
        for rows, place in blocks(padded[..., inputs], windows, count):
            dweight[:, outputs] += dot(rows.T, dy[*place, ..., outputs].reshape(len(rows), -1))
    return dweight.reshape(*windows.kernel, features, dy.shape[-1])


def channel_groups(inputs: int, outputs: int, groups: int) -> Iterator[tuple[slice, slice]]:
    """Yield the channels of x and of y that belong to each group."""
    i, o = inputs // groups, outputs // groups
    for group in range(groups):
        yield slice(group * i, (group + 1) * i), slice(group * o, (group + 1) * o)


def blocks(padded: Array, windows: Windows, count: Shape) -> Iterator[tuple[Array, tuple[slice, slice]]]:
    """Yield the windows as rows of a matrix, some at a time, with their place: examples, and first spatial axis."""
    every = sliding_windows(padded, windows, count)
    width = math.prod(windows.kernel) * padded.shape[-1]
    line = max(1, math.prod(count[1:]))  # the windows with one index along the first spatial axis
    lines = max(1, BLOCK_BYTES // (width * padded.itemsize * line))
    if lines >= count[0]:  # whole examples
        examples = max(1, lines // max(1, count[0]))
        for n in range(0, len(padded), examples):
            place = slice(n, min(n + examples, len(padded))), slice(0, count[0])
            yield _im2col(every[place], windows.ndim), place
    else:
        for n in range(len(padded)):
            for low in range(0, count[0], lines):
                place = slice(n, n + 1), slice(low, min(low + lines, count[0]))
                yield _im2col(every[place], windows.ndim), place


def _im2col(block: Array, ndim: int) -> Array:
    """Copy windows (n, *count, *kernel, c) into a matrix with a row for each.

    Numbers that stand side by side are copied fast: those are a line of a window with all its channels or, where there are few
    channels, one channel of neighbouring windows.  In that case the matrix is stored column by column.
    """
    width, line = math.prod(block.shape[1 + ndim :]), math.prod(block.shape[-2:])
    if block.shape[-1] > _FEW or block.shape[-2] > block.shape[ndim]:
        return from_void_pixels(as_void_pixels(block.reshape(*block.shape[:-2], line)), block.dtype).reshape(-1, width)
    axes = *range(1 + ndim, block.ndim), *range(1 + ndim)
    columns: Array = block.transpose(axes).reshape(width, -1)
    return columns.T


def _flipped(windows: Windows, pads: tuple[tuple[int, int], ...]) -> Windows | None:
    """Return the geometry of the transposed correlation of stride 1, or None where it would need to crop."""
    found = tuple([(reach - 1 - low, reach - 1 - high) for reach, (low, high) in zip(windows.reach, pads, strict=True)])
    if any(low < 0 or high < 0 for low, high in found):
        return None
    return Windows(windows.kernel, windows.stride, windows.dilation, found)
