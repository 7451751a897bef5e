r"""Winograd's minimal filtering F(4x4, 3x3): correlation with kernels of 3x3 points for a quarter of the multiplications.

Winograd 1980; Lavin & Gray 2016, arXiv:1509.09308; Barabasz et al. 2020, arXiv:1803.10986 (choice of the points).

Indices: $t$ tile of 4x4 points of the output (of all examples), $\xi$ point of a 6x6 tile, $k$ point of the kernel, $m$ point of
a tile of the output, $i$ input channel, $o$ output channel.

Take a kernel of three points and four outputs in a line for polynomials, $w(z) = \sum_k w_k z^k$ and $y(z) = \sum_m y_m z^m$.
Their product has degree 5 and is known by its values at five points $p_\xi$ and its leading coefficient, the "value at
infinity": six products in place of twelve.  With the rows
$$ A_{\xi m} = p_\xi^m, \qquad G_{\xi k} = p_\xi^k \Big/ \prod_{\eta\ne\xi}(p_\xi - p_\eta), \qquad
   \sum_j B_{j\xi}\, z^j = \prod_{\eta\ne\xi} (z - p_\eta), $$
and for infinity $A = (0,0,0,1)$, $G = (0,0,1)$, $\sum_j B_{j} z^j = \prod_\eta (z - p_\eta)$, Lagrange's formula says that the
product's coefficients are $B\,[(G w) \odot (A y)]$.  The transpose of this map of $y$ takes six inputs $d$ to the four outputs of
their correlation with the kernel,
$$ y = A^\top\big[(G w) \odot (B^\top d)\big]. $$
Along both axes of an image, with $\mathcal B = B \otimes B$ and so on, there are 36 products in place of 144.  The sum over input
channels goes inside, where it is one matrix product for each point $\xi$:
$$ u_{\xi ti} = \sum_\eta \mathcal B_{\eta\xi}\, d_{\eta ti}, \qquad g_{\xi io} = \sum_k \mathcal G_{\xi k}\, w_{kio}, \qquad
   y_{mto} = \sum_\xi \mathcal A_{\xi m} \sum_i u_{\xi ti}\, g_{\xi io}. $$

The weight's cotangent is the transpose of this chain of linear maps,
$$ \bar g_{\xi io} = \sum_t u_{\xi ti} \sum_m \mathcal A_{\xi m}\, \bar y_{mto}, \qquad
   \bar w_{kio} = \sum_\xi \mathcal G_{\xi k}\, \bar g_{\xi io}; $$
the input's is a correlation with the flipped kernel.

Locality.  The six numbers of a line go into each of its four outputs, and cancel where the kernel does not reach.  Rounding
leaves of a number, in outputs whose windows do not hold it, some units in its last place; what is not finite spoils them.  So
this form is for images in which no pixel outweighs the windows beside it (:func:`are_even`), and for kernels without a 0, through
which nothing may pass.  Others are summed plainly.

Any points give the same in exact arithmetic.  Rounding errors are four times those of the plain sums with
$0, \pm\frac23, \pm\frac32$, eight times with the usual $0, \pm1, \pm2$.  :mod:`funcnn.kernels.correlation` has the plain
sums, and takes this form where there are so many channels that the matrix products outweigh the transformations.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from funcnn.kernels.arrays import dot, dot_last
from funcnn.kernels.windows import Pair, Windows, pad, sliding_windows
from funcnn.typing import Array, BoolArray

LEAST_CHANNELS = 32  # of input and output: with fewer the transformations cost what the products save
POINTS = np.array([0, 2 / 3, -2 / 3, 3 / 2, -3 / 2])
OUT = 4  # points of a tile of the output along each axis
IN = 6  # points of the input that they see
NO_PADDING: tuple[Pair, ...] = ((0, 0), (0, 0))
SPREAD = 16.0  # how many times larger a pixel may be than the largest one of a window in the same tile


def at_points(size: int) -> Array:
    """Return the matrix that evaluates polynomials of so many coefficients at the points and at infinity."""
    return np.vstack([np.vander(POINTS, size, increasing=True), np.eye(size)[-1:]])


def through_points() -> tuple[Array, Array]:
    """Return the coefficients of the polynomials that are zero at all points but one, and their values at that one."""
    rows = [np.poly(np.delete(POINTS, index))[::-1] for index in range(len(POINTS))]
    others = [np.prod(point - np.delete(POINTS, index)) for index, point in enumerate(POINTS)]
    return np.vstack([np.pad(rows, ((0, 0), (0, 1))), np.poly(POINTS)[::-1]]), np.array([*others, 1.0])[:, np.newaxis]


@lru_cache(maxsize=4)
def matrices(dtype: np.dtype[np.floating]) -> tuple[Array, Array, Array]:
    """Return A (36, 16), the transpose of B (36, 36), and G (36, 9) for both axes together: the same ones every time."""
    coefficients, values = through_points()
    a, g = at_points(OUT), at_points(3) / values
    return np.kron(a, a).astype(dtype), np.kron(coefficients, coefficients).astype(dtype), np.kron(g, g).astype(dtype)


def suits(windows: Windows, inputs: int, outputs: int, dtype: np.dtype[np.floating]) -> bool:
    """Tell whether a correlation is one of those for which this form is the faster one."""
    return (
        windows.kernel == (3, 3)
        and windows.stride == windows.dilation == (1, 1)
        and min(inputs, outputs) >= LEAST_CHANNELS
        and dtype.char in "fd"
    )


def are_even(x: Array, windows: Windows) -> BoolArray:
    """Tell of each image (n, *space, i) whether its windows have pixels of about the same size, so that none spoils the others.

    The size of a pixel is the root of the sum of squares of its channels.  Most images are even as a whole, which costs one pass
    over them.
    """
    info = np.finfo(x.dtype)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        size = dot_last(x, x)
    least, most = size.min((1, 2)), size.max((1, 2))
    even: BoolArray = (least > info.tiny / info.eps) & (most <= SPREAD**2 * least) & (most < np.inf)
    possible = np.flatnonzero(~even & (most < np.inf) & (most > info.tiny / info.eps))
    if len(possible):
        even[possible] = are_even_by_windows(size[possible], windows)
    return even


def are_even_by_windows(size: Array, windows: Windows) -> BoolArray:
    """Return the same from the squares of the sizes (n, *space), tile by tile."""
    space = size.shape[1:]
    height, width = windows.count(space)
    lines, tiles = -(-height // OUT), -(-width // OUT)
    size = size[..., np.newaxis]
    largest = tiled(size, IN, windows.pads(space), lines, tiles).max((3, 4, 5))
    window = sliding_windows(pad(size, windows.pads(space)), windows, (height, width)).max((3, 4, 5))
    filled = pad(window[..., np.newaxis], ((0, OUT * lines - height), (0, OUT * tiles - width)), np.inf)
    smallest = filled.reshape(len(size), lines, OUT, tiles, OUT).min((2, 4))
    even: BoolArray = (largest <= SPREAD**2 * smallest).all((1, 2))
    return even


def correlate(x: Array, weight: Array, windows: Windows) -> Array:
    """Return y (n, *count, o) for x (n, *space, i) and weight (3, 3, i, o)."""
    n, (inputs, outputs) = len(x), weight.shape[2:]
    spread, gather, points = matrices(weight.dtype)
    height, width = windows.count(x.shape[1:-1])
    lines, tiles = -(-height // OUT), -(-width // OUT)
    seen = tiled(x, IN, windows.pads(x.shape[1:-1]), lines, tiles)
    kernel = dot(points, weight.reshape(9, inputs * outputs)).reshape(IN * IN, inputs, outputs)
    y: Array = np.empty((n, lines, OUT, tiles, OUT, outputs), weight.dtype)
    for some in blocks(n, lines, tiles, inputs * outputs):
        products: Array = np.matmul(transformed(gather, seen[some]), kernel)
        values: Array = np.matmul(spread.T, products.swapaxes(0, 1))
        place = y[some]
        place[...] = values.reshape(*place.shape[:2], tiles, OUT, OUT, outputs).swapaxes(2, 3)
    return y.reshape(n, OUT * lines, OUT * tiles, outputs)[:, :height, :width]


def correlate_weight(x: Array, dy: Array, windows: Windows) -> Array:
    """Return the cotangent of the weight (3, 3, i, o)."""
    inputs, outputs = x.shape[-1], dy.shape[-1]
    spread, gather, points = matrices(dy.dtype)
    height, width = dy.shape[1:-1]
    lines, tiles = -(-height // OUT), -(-width // OUT)
    seen = tiled(x, IN, windows.pads(x.shape[1:-1]), lines, tiles)
    dseen = tiled(dy, OUT, NO_PADDING, lines, tiles)
    dkernel: Array = np.zeros((IN * IN, inputs, outputs), dy.dtype)
    for some in blocks(len(x), lines, tiles, inputs * outputs):
        dkernel += np.matmul(transformed(gather, seen[some]).swapaxes(1, 2), transformed(spread, dseen[some]))
    return dot(points.T, dkernel.reshape(IN * IN, inputs * outputs)).reshape(3, 3, inputs, outputs)


def tiled(x: Array, size: int, pads: tuple[Pair, ...], lines: int, tiles: int) -> Array:
    """Return the tiles (n, lines, tiles, size, size, c) of x, four points apart: a view of x padded."""
    wanted = [OUT * (count - 1) + size for count in (lines, tiles)]
    filled = [(low, every - low - n) for every, (low, _), n in zip(wanted, pads, x.shape[1:-1], strict=True)]
    return sliding_windows(pad(x, tuple(filled)), Windows((size, size), (OUT, OUT), (1, 1), NO_PADDING), (lines, tiles))


def transformed(matrix: Array, tiles: Array) -> Array:
    """Return a matrix times each of the tiles (n, lines, tiles, *points, c), as an array (rows of the matrix, t, c)."""
    rows = tiles.reshape(-1, matrix.shape[1], tiles.shape[-1])
    product: Array = np.empty((len(matrix), len(rows), tiles.shape[-1]), tiles.dtype)
    np.matmul(matrix, rows, out=product.swapaxes(0, 1))
    return product


def blocks(n: int, lines: int, tiles: int, products: int) -> Iterator[tuple[slice, slice]]:
    """Yield examples and lines of tiles, so many at a time as suits matrix products with so many products for each tile."""
    count = tiles_at_once(products)
    examples, rows = max(1, count // (lines * tiles)), min(lines, max(1, count // tiles))
    for first in range(0, n, examples):
        for low in range(0, lines, rows):
            yield slice(first, min(first + examples, n)), slice(low, min(low + rows, lines))


def tiles_at_once(products: int) -> int:
    """Return how many tiles are treated at a time.

    That many stay in the processor's cache, and OpenBLAS has kernels for matrix products of up to a million scalar ones that
    neither copy their operands nor wait for another thread.  With very many channels that would be too few tiles: the sums over
    each block of them, as large as 36 points of all channels, would have to be added up too often.
    """
    count = min(80, 10**6 // products)
    return count if count >= 48 else 256
