r"""Correlation with few channels, by a matrix with bands: several neighbouring windows are taken for one.

Indices: $n$ example, $p$ window and $k$ point of the kernel along all spatial axes but the last; $h$ group of $V$ neighbouring
windows along the last axis, $v$ window in its group, $l$ point of the kernel, $u$ point of a group; $i$ input channel, $o$ output
channel; $s, d$ stride and dilation.  Positions are those in the padded input.

A group spans the points that any of its windows has, and the kernel acts on them as a matrix, the same for all groups, with a
band for each window:
$$ t_{kui,vo} = \sum_l [u = sv + dl]\; w_{klio}, \qquad
   y_{np,(hv),o} = \sum_{k,u,i} x_{n,\,sp+dk,\,sVh+u,\,i}\; t_{kui,vo}. $$
That is a correlation again, with a wider kernel, $V$ times the stride and $V$ times the output channels.  So it is for the
weight's cotangent, whose bands are added up,
$$ \bar w_{klio} = \sum_v \bar t_{k,\,sv+dl,\,i,vo}, $$
while the input's is
$$ \bar x_{nq,ui} = \sum_{p,k:\; sp+dk=q}\; \sum_{vo} \bar y_{np,vo}\; t_{kui,vo} $$
with whole lines for groups: for each $k$ a product of large matrices and an addition of whole lines.

Part of the matrix is zeros, and so many products are with zeros.  Where there are few channels it takes less time nevertheless:
products of narrow matrices, copies of short pieces and additions of such are slow, whereas fewer and longer ones are fast.
:mod:`funcnn.kernels.correlation` has the plain sums, and takes this form where it is the faster one.
"""

from __future__ import annotations

import math

import numpy as np

from funcnn.kernels.arrays import dot
from funcnn.kernels.windows import Windows, crop, strided_slices
from funcnn.typing import Array, Shape

_LEAST_OUTPUTS = 32  # of a group: products with fewer columns are slow
_LEAST_WINDOWS = 2048  # of all examples: with fewer the plain sums take less time than the matrix takes to be made


def windows_per_group(windows: Windows, x_shape: Shape, outputs: int, groups: int) -> int:
    """Return how many windows of an input (n, *space, i) to take for one, in the output and in the weight's cotangent."""
    count = windows.count(x_shape[1:-1])
    if groups > 1 or x_shape[0] * math.prod(count) < _LEAST_WINDOWS:
        return 1
    most = (5 * windows.kernel[-1] // 2 - windows.reach[-1]) // windows.stride[-1] + 1  # with more, zeros cost too much
    enough = [many for many in range(1, min(most, count[-1]) + 1) if count[-1] % many == 0 and many * outputs >= _LEAST_OUTPUTS]
    return enough[0] if enough else 1


def is_faster(windows: Windows, in_shape: Shape, width: int) -> bool:
    """Tell whether whole lines, of so many windows each, are the faster way to the cotangent of an input (n, *space, i)."""
    return width * in_shape[-1] <= 16 * windows.kernel[-1] and math.prod(in_shape) >= 4096


def reach(windows: Windows, many: int) -> int:
    """Return how many points a group of windows spans along the last axis."""
    return windows.stride[-1] * (many - 1) + windows.reach[-1]


def widened(windows: Windows, many: int, space: Shape) -> Windows:
    """Return the geometry of groups of windows over an input with this spatial shape."""
    kernel, stride, dilation = windows.kernel[:-1], windows.stride[:-1], windows.dilation[:-1]
    pads = windows.pads(space)
    return Windows((*kernel, reach(windows, many)), (*stride, many * windows.stride[-1]), (*dilation, 1), pads)


def block_toeplitz_matrix(weight: Array, windows: Windows, many: int, length: int) -> Array:
    """Return t (*kernel but its last axis, length, i, many * o): zero but for a weight wherever a window has that point."""
    *kernel, _, inputs, outputs = weight.shape
    matrix: Array = np.zeros((*kernel, length, inputs, many, outputs), weight.dtype)
    for window in range(many):
        matrix[..., points(windows, window), :, window, :] = weight
    return matrix.reshape(*kernel, length, inputs, many * outputs)


def block_toeplitz_cotangent(dmatrix: Array, windows: Windows, many: int) -> Array:
    """Return the cotangent of the weight for that of its bands: the transpose of :func:`block_toeplitz_matrix`."""
    *kernel, _, inputs, outputs = dmatrix.shape
    parts = dmatrix.reshape(*dmatrix.shape[:-1], many, outputs // many)
    dweight: Array = np.zeros((*kernel, windows.kernel[-1], inputs, outputs // many), dmatrix.dtype)
    for window in range(many):
        dweight += parts[..., points(windows, window), :, window, :]
    return dweight


def points(windows: Windows, window: int) -> slice:
    """Return the points of a window in its group."""
    first = windows.stride[-1] * window
    return slice(first, first + windows.reach[-1], windows.dilation[-1])


def correlate_input(dy: Array, weight: Array, windows: Windows, in_shape: Shape) -> Array:
    """Return the cotangent of x, of shape ``in_shape`` (n, *space, i), for that of y."""
    pads, (n, *count, width, outputs) = windows.pads(in_shape[1:-1]), dy.shape
    *space, length = [size + low + high for size, (low, high) in zip(in_shape[1:-1], pads, strict=True)]
    matrix = block_toeplitz_matrix(weight, windows, width, length)
    line = length * in_shape[-1]
    rows = np.moveaxis(dy, 0, -3).reshape(-1, width * outputs)  # (*count, n): with the examples inside additions are long
    dx: Array = np.zeros((*space, n, line), np.result_type(dy, weight))
    for offset in np.ndindex(windows.kernel[:-1]):
        values = dot(rows, matrix[offset].reshape(line, -1).T).reshape(*count, n, line)
        dx[strided_slices(windows, offset, tuple(count))] += values
    return np.ascontiguousarray(crop(np.moveaxis(dx, -2, 0).reshape(n, *space, length, in_shape[-1]), pads))
