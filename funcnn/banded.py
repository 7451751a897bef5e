r"""The input's cotangent of a correlation with few input channels, by a matrix with bands.

Indices: $n$ example, $p$ window and $k$ point of the kernel along all spatial axes but the last, $v$ window and $l$ point of the
kernel along the last one, $i$ input channel, $o$ output channel; $s, d$ stride and dilation.  Positions are those in the padded
input.

A line along the last axis with all its channels is taken for one vector, on which the kernel acts as a matrix, the same for all
lines, with a band for each point:
$$ t_{k,(ui),(vo)} = \sum_l [u = sv + dl]\; w_{klio}, \qquad
   y_{np,(vo)} = \sum_{k,(ui)} x_{n,\,sp+dk,\,(ui)}\; t_{k,(ui),(vo)}. $$
In the last sum the last axis is no longer a spatial one: it has become channels.  The input's cotangent
$$ \bar x_{nq,(ui)} = \sum_{p,k:\; sp+dk=q}\; \sum_{(vo)} \bar y_{np,(vo)}\; t_{k,(ui),(vo)} $$
is thus one product of large matrices, and for each $k$ an addition of whole lines.  The matrix is mostly zeros, and most of the
products are with zeros; where there are few channels that takes less time than products of narrow matrices do, or additions of
short pieces.  :mod:`funcnn.correlation` has the plain sums, and takes this form where it is the faster one.
"""

from __future__ import annotations

import math

import numpy as np

from funcnn.numerics import dot
from funcnn.typing import Array, Shape
from funcnn.windows import Windows, crop, scatter

BLOCK_BYTES = 1 << 19  # of lines at a time: half of a usual second-level cache


def suits(windows: Windows, in_shape: Shape, width: int) -> bool:
    """Tell whether this form is the faster one for an input (n, *space, i) and so many windows along the last axis."""
    return width * in_shape[-1] <= 16 * windows.kernel[-1] and math.prod(in_shape) >= 4096


def correlate_input(dy: Array, weight: Array, windows: Windows, in_shape: Shape) -> Array:
    """Return the cotangent of x, of shape ``in_shape`` (n, *space, i), for that of y."""
    pads, (n, *count, width, outputs) = windows.pads(in_shape[1:-1]), dy.shape
    *space, length = [size + low + high for size, (low, high) in zip(in_shape[1:-1], pads, strict=True)]
    kernel, channels = windows.kernel[:-1], in_shape[-1]
    matrix = bands(weight, windows, length, width).reshape(-1, width * outputs)
    lines = Windows((*kernel, 1), (*windows.stride[:-1], 1), (*windows.dilation[:-1], 1), "same")
    dx: Array = np.empty((n, *space, 1, length * channels), np.result_type(dy, weight))
    at_once = max(1, BLOCK_BYTES // (math.prod(count) * len(matrix) * dx.itemsize))
    for low in range(0, n, at_once):
        place = dx[low : low + at_once]
        values = dot(dy[low : low + at_once].reshape(-1, width * outputs), matrix.T)
        place[...] = scatter(values.reshape(-1, *count, 1, *kernel, 1, length * channels), lines, place.shape)
    return crop(dx.reshape(n, *space, length, channels), pads)


def bands(weight: Array, windows: Windows, length: int, width: int) -> Array:
    """Return t (*kernel but its last axis, length, i, width, o): zero but for a weight wherever a window has that point."""
    *kernel, points, inputs, outputs = weight.shape
    matrix: Array = np.zeros((*kernel, length, inputs, width, outputs), weight.dtype)
    stride, dilation = windows.stride[-1], windows.dilation[-1]
    for window in range(width):
        first = stride * window
        matrix[..., first : first + dilation * (points - 1) + 1 : dilation, :, window, :] = weight
    return matrix
