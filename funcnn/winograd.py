r"""Winograd's minimal filtering F(2x2, 3x3): correlation with kernels of 3x3 points for 4/9 of the multiplications.

Winograd 1980; Lavin & Gray 2016, arXiv:1509.09308, eqs. 3 to 8.

Indices: $t$ tile of 2x2 points of the output (of all examples), $\xi$ point of a 4x4 tile, $k$ point of the kernel, $m$ point of
a tile of the output, $i$ input channel, $o$ output channel.

Two neighbouring outputs of a kernel of three points see four inputs $d$, and $y = A^\top\big[(G w) \odot (B^\top d)\big]$ with
$$ B^\top = \begin{pmatrix} 1&0&-1&0\\ 0&1&1&0\\ 0&-1&1&0\\ 0&1&0&-1 \end{pmatrix}, \quad
   G = \tfrac12\begin{pmatrix} 2&0&0\\ 1&1&1\\ 1&-1&1\\ 0&0&2 \end{pmatrix}, \quad
   A^\top = \begin{pmatrix} 1&1&1&0\\ 0&1&-1&-1 \end{pmatrix} $$
takes four products in place of six; along both axes of an image, with $\mathcal B = B \otimes B$ and so on, 16 in place of 36.
The sum over input channels goes inside, where it is one matrix product for each point $\xi$:
$$ u_{\xi ti} = \sum_\eta \mathcal B_{\eta\xi}\, d_{\eta ti}, \qquad g_{\xi io} = \sum_k \mathcal G_{\xi k}\, w_{kio}, \qquad
   y_{mto} = \sum_\xi \mathcal A_{\xi m} \sum_i u_{\xi ti}\, g_{\xi io}. $$

The weight's cotangent is the transpose of this chain of linear maps,
$$ \bar g_{\xi io} = \sum_t u_{\xi ti} \sum_m \mathcal A_{\xi m}\, \bar y_{mto}, \qquad
   \bar w_{kio} = \sum_\xi \mathcal G_{\xi k}\, \bar g_{\xi io}; $$
the input's is a correlation with the flipped kernel.  :mod:`funcnn.correlation` has the plain sums, to which these are equal but
for rounding (some digits of the seventh place in single precision), and takes this form where there are so many channels that
the matrix products outweigh the additions.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from funcnn.numerics import dot
from funcnn.typing import Array
from funcnn.windows import Pair, Windows

LEAST_CHANNELS = 48  # of input and output: with fewer the additions cost what the products save
BLOCK_BYTES = 1 << 19  # of transformed tiles at a time: half of a usual second-level cache

G = np.array([[2, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 2]]) / 2
A = np.array([[1, 0], [1, 1], [1, -1], [0, -1]])


def suits(windows: Windows, inputs: int, outputs: int, dtype: np.dtype[np.floating]) -> bool:
    """Tell whether a correlation is one of those for which this form is the faster one."""
    return (
        windows.kernel == (3, 3)
        and windows.stride == windows.dilation == (1, 1)
        and min(inputs, outputs) >= LEAST_CHANNELS
        and dtype.char in "fd"
    )


def correlate(x: Array, weight: Array, windows: Windows) -> Array:
    """Return y (n, *count, o) for x (n, *space, i) and weight (3, 3, i, o)."""
    n, outputs = len(x), weight.shape[-1]
    height, width = windows.count(x.shape[1:-1])
    lines, tiles = -(-height // 2), -(-width // 2)
    parted = by_parity(x, windows.pads(x.shape[1:-1]), lines, tiles)
    kernel = transformed_kernel(weight)
    combine = np.kron(A, A).T.astype(weight.dtype)
    y: Array = np.empty((n, lines, 2, tiles, 2, outputs), weight.dtype)
    for some, rows in blocks(parted, lines, tiles):
        u = transformed(parted, some, rows)
        products: Array = np.matmul(u, kernel)
        place = y[some, rows]
        values = dot(combine, products.reshape(16, -1))
        place[...] = values.reshape(2, 2, *place.shape[:2], tiles, outputs).transpose(2, 3, 0, 4, 1, 5)
    return y.reshape(n, 2 * lines, 2 * tiles, outputs)[:, :height, :width]


def correlate_weight(x: Array, dy: Array, windows: Windows) -> Array:
    """Return the cotangent of the weight (3, 3, i, o)."""
    inputs, outputs = x.shape[-1], dy.shape[-1]
    height, width = dy.shape[1:-1]
    lines, tiles = -(-height // 2), -(-width // 2)
    parted = by_parity(x, windows.pads(x.shape[1:-1]), lines, tiles)
    spread = np.kron(A, A).astype(dy.dtype)
    dkernel: Array = np.zeros((16, inputs, outputs), dy.dtype)
    for some, rows in blocks(parted, lines, tiles):
        u = transformed(parted, some, rows)
        points = dy[some, 2 * rows.start : 2 * rows.stop]
        values: Array = np.zeros((2, 2, len(points), -(-points.shape[1] // 2), tiles, outputs), dy.dtype)
        for i, j in np.ndindex(2, 2):
            part = points[:, i::2, j::2]
            values[i, j, :, : part.shape[1], : part.shape[2]] = part
        dproducts = dot(spread, values.reshape(4, -1)).reshape(16, -1, outputs)
        dkernel += np.matmul(u.transpose(0, 2, 1), dproducts)
    dweight = dot(np.kron(G, G).T.astype(dy.dtype), dkernel.reshape(16, inputs * outputs))
    return dweight.reshape(3, 3, inputs, outputs)


def transformed_kernel(weight: Array) -> Array:
    """Return g (16, i, o) of a weight (3, 3, i, o)."""
    inputs, outputs = weight.shape[2:]
    return dot(np.kron(G, G).astype(weight.dtype), weight.reshape(9, inputs * outputs)).reshape(16, inputs, outputs)


def by_parity(x: Array, pads: tuple[Pair, ...], lines: int, tiles: int) -> Array:
    """Return x padded, its even columns beside its odd ones: (n, 2 lines + 2, 2, tiles + 1, c).

    The columns of neighbouring tiles then lie side by side.
    """
    n, height, _, channels = x.shape
    (top, _), (left, _) = pads
    parted: Array = np.zeros((n, 2 * lines + 2, 2, tiles + 1, channels), x.dtype)
    for parity in (0, 1):
        first = (left + 1 - parity) // 2  # the first tile with a column of this parity that is not padding
        columns = x[:, :, 2 * first + parity - left :: 2]
        parted[:, top : top + height, parity, first : first + columns.shape[2]] = columns
    return parted


def transformed(parted: Array, some: slice, lines: slice) -> Array:
    """Return u (16, t, c) of some examples and some lines of tiles."""
    part = parted[some, 2 * lines.start : 2 * lines.stop + 2]
    n, rows, _, columns, channels = part.shape
    vertical: Array = np.empty((4, n, rows // 2 - 1, 2, columns, channels), part.dtype)
    even, odd = part[:, ::2], part[:, 1::2]
    _add_and_subtract(even[:, :-1], odd[:, :-1], even[:, 1:], odd[:, 1:], vertical)
    u: Array = np.empty((4, 4, n, rows // 2 - 1, columns - 1, channels), part.dtype)
    even, odd = vertical[:, :, :, 0], vertical[:, :, :, 1]
    _add_and_subtract(even[:, :, :, :-1], odd[:, :, :, :-1], even[:, :, :, 1:], odd[:, :, :, 1:], u.swapaxes(0, 1))
    return u.reshape(16, -1, channels)


def _add_and_subtract(d0: Array, d1: Array, d2: Array, d3: Array, out: Array) -> None:
    """Write the transpose of B times (d0, d1, d2, d3) into an array that was just made."""
    np.subtract(d0, d2, out=out[0])
    np.add(d1, d2, out=out[1])
    np.subtract(d2, d1, out=out[2])
    np.subtract(d1, d3, out=out[3])


def blocks(parted: Array, lines: int, tiles: int) -> Iterator[tuple[slice, slice]]:
    """Yield examples and lines of tiles, so many at a time that what is made of them stays in the cache."""
    at_once = max(1, BLOCK_BYTES // (16 * tiles * parted.shape[-1] * parted.itemsize))
    examples, rows = max(1, at_once // lines), min(at_once, lines)
    for n in range(0, len(parted), examples):
        for low in range(0, lines, rows):
            yield slice(n, min(n + examples, len(parted))), slice(low, min(low + rows, lines))
