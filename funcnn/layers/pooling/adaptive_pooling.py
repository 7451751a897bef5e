r"""Adaptive pooling: average and maximum over so many cells of the spatial axes as the output is to have.

Indices: $n$ example, $p$ cell of $P$ along an axis of $L$ points (several axes alike), $q$ point of the input, $c$ channel.
Cell $p$ holds the $K_p$ points $\lfloor pL/P \rfloor \le q < \lceil (p+1)L/P \rceil$; where $P$ does not divide $L$ cells
overlap by a point.

Forward
$$ y^{\mathrm{avg}}_{npc} = \frac1{K_p} \sum_{q \in p} x_{nqc}, \qquad y^{\max}_{npc} = \max_{q \in p} x_{nqc} $$
The average over a block is the average over one axis after the other.  Sums are divided last, so that the average of ones is 1.

Derivation.  The average is linear: point $q$ collects a share from each cell that holds it.  These are
$\lfloor qP/L \rfloor \le p < \lceil (q+1)P/L \rceil$, since $\lfloor pL/P \rfloor \le q$ says $p < (q+1)P/L$, and
$q < \lceil (p+1)L/P \rceil$ says $p > qP/L - 1$: the cells of an axis of $P$ points divided into $L$.  The transpose is again a
sum over cells.  The maximum of a cell changes with
the entry $q^*_{npc}$ that attains it, the first of equal ones; an entry collects the cotangents of all cells of which it is the
maximum:
$$ \bar x^{\mathrm{avg}}_{nqc} = \sum_{p \ni q} \bar y_{npc} / K_p, \qquad
   \bar x^{\max}_{nqc} = \sum_{p \ni q} [q = q^*_{npc}]\, \bar y_{npc}. $$
"""

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from itertools import product
from typing import TypeAlias

import numpy as np
from attrs import frozen

from funcnn.errors import check_cotangent, shown
from funcnn.kernels.arrays import column_sums
from funcnn.kernels.spatial import along, check_points, check_spatial_batch, checked_sizes, split_shape, takes_products
from funcnn.kernels.windows import check_at_least, entries_of
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, define_layer
from funcnn.typing import Array, Empty, IntArray, Shape

OutputSize: TypeAlias = int | Sequence[int | None]
"""Points of the output: a number for all spatial axes, or for each axis a number, or None for as many as the input has."""
Cells: TypeAlias = int | tuple[int | None, ...]

LARGE = 16  # points of a cell, from which on cells are added up one by one, in pairs


@frozen(eq=False)
class AdaptiveAverageResiduals:
    """The spatial shape of the input, and the shape of the output."""

    space: Shape
    output: Shape


@frozen(eq=False)
class AdaptiveMaxResiduals:
    """Where the maximum of each cell is among its points, row by row."""

    shape: Shape  # of the input
    output: Shape
    index: IntArray  # (n, cells, c)


def cells(length: int, count: int) -> list[slice]:
    """Return the cells of an axis."""
    return [slice(p * length // count, -(-(p + 1) * length // count)) for p in range(count)]


def blocks(space: Shape, size: Shape) -> Iterator[tuple[slice, ...]]:
    """Return the cells of all axes together, row by row."""
    return product(*[cells(length, count) for length, count in zip(space, size, strict=True)])


@lru_cache(maxsize=64)
def members(length: int, count: int, dtype: np.dtype[np.floating]) -> Array:
    """Return the read-only matrix (P, L) with 1 where a cell of a short axis holds a point: the same one every time."""
    matrix: Array = np.zeros((count, length), dtype)
    for p, cell in enumerate(cells(length, count)):
        matrix[p, cell] = 1
    matrix.setflags(write=False)
    return matrix


def cell_sums(x: Array, count: int, axis: int, products: bool) -> Array:
    """Return the sums of x over the cells of an axis, by a product with a matrix of zeros and ones or cell by cell."""
    if products:
        return along(members(x.shape[axis], count, x.real.dtype), x, axis)
    places = cells(x.shape[axis], count)
    before, after = math.prod(x.shape[:axis]), math.prod(x.shape[axis + 1 :])
    lines = x.reshape(before, x.shape[axis], after)
    if len(places) * LARGE < lines.shape[1]:
        sums: Array = np.stack([column_sums(lines[:, cell]) for cell in places], axis=1)
    elif len(places) > lines.shape[1]:  # cells of one point or two
        sums = lines[:, [cell.start for cell in places]]
        two = [p for p, cell in enumerate(places) if cell.stop - cell.start == 2]
        sums[:, two] += lines[:, [places[p].stop - 1 for p in two]]
    else:  # from the start of a cell to its end, and from there to the next start, which is left out
        bounds = np.array([(cell.start, cell.stop) for cell in places]).ravel()[:-1]
        sums = np.add.reduceat(lines, bounds, axis=1)[:, ::2]
    return sums.reshape(*x.shape[:axis], count, *x.shape[axis + 1 :])


def cell_sizes(length: int, count: int, ndim: int, axis: int, dtype: np.dtype[np.floating]) -> Array:
    """Return how many points each cell of an axis has, in a shape to divide by."""
    p = np.arange(count)
    sizes: Array = (-(-(p + 1) * length // count) - p * length // count).astype(dtype)
    return sizes.reshape(-1, *(1,) * (ndim - axis - 1))


def checked_cells(output_size: OutputSize) -> Cells:
    """Return the points of the output along each axis, or raise."""
    entries = entries_of(output_size)
    if entries is None:
        return checked_sizes(output_size, "output_size")  # type: ignore[arg-type]  # whatever else it is, that raises
    wanted = "an integer, or an integer or None for each spatial axis"
    if not entries:
        raise ValueError(f"output_size is {shown(output_size)}, expected {wanted}")
    return tuple([None if one is None else check_at_least(one, "output_size", 1, wanted) for one in entries])


def counts_of(cells: Cells, space: Shape) -> Shape:
    """Return the points of the output along each axis for an input of a spatial shape."""
    if not isinstance(cells, tuple):
        return (cells,) * len(space)
    return tuple([length if one is None else one for one, length in zip(cells, space, strict=True)])


def init(size: Cells, key: Key, in_shape: Shape) -> Init[Empty, Empty]:
    space, channels = split_shape(in_shape, size)
    return Init((), (), (*counts_of(size, space), channels))


def average_forward(
    size: Cells, params: Empty, state: Empty, x: Array, mode: Mode
) -> Forward[Array, Empty, AdaptiveAverageResiduals]:
    space = check_spatial_batch(x, size)
    check_points(x)
    counts = counts_of(size, space)
    y, products = x, takes_products(x, counts)
    for axis, (length, count) in enumerate(zip(space, counts, strict=True), 1):
        y = cell_sums(y, count, axis, products)
        y /= cell_sizes(length, count, x.ndim, axis, x.real.dtype)
    return Forward(y, state, AdaptiveAverageResiduals(space, y.shape))


def average_backward(params: Empty, residuals: AdaptiveAverageResiduals, dy: Array) -> Backward[Empty, Array]:
    space = residuals.space
    check_cotangent(dy, residuals.output)
    dx, products = dy, takes_products(dy, space)
    for axis, (length, count) in enumerate(zip(space, dy.shape[1:-1], strict=True), 1):
        dx = cell_sums(dx / cell_sizes(length, count, dy.ndim, axis, dy.real.dtype), length, axis, products)
    return Backward(params, dx)


def max_forward(size: Cells, params: Empty, state: Empty, x: Array, mode: Mode) -> Forward[Array, Empty, AdaptiveMaxResiduals]:
    space = check_spatial_batch(x, size)
    check_points(x)
    counts = counts_of(size, space)
    y: Array = np.empty((len(x), math.prod(counts), x.shape[-1]), x.dtype)
    index: IntArray = np.empty(y.shape, np.intp)
    for p, points in enumerate(blocks(space, counts)):
        block = x[:, *points]
        block = block.reshape(len(x), math.prod(block.shape[1:-1]), x.shape[-1])
        index[:, p] = block.real.argmax(1)
        y[:, p : p + 1] = np.take_along_axis(block, index[:, p : p + 1], 1)
    y = y.reshape(len(x), *counts, x.shape[-1])
    return Forward(y, state, AdaptiveMaxResiduals(x.shape, y.shape, index))


def max_backward(params: Empty, residuals: AdaptiveMaxResiduals, dy: Array) -> Backward[Empty, Array]:
    check_cotangent(dy, residuals.output)
    dx: Array = np.zeros(residuals.shape, dy.dtype)
    dy_cells = dy.reshape(residuals.index.shape)
    for p, points in enumerate(blocks(dx.shape[1:-1], dy.shape[1:-1])):
        part = dx[:, *points]
        block: Array = np.zeros((len(dy), math.prod(part.shape[1:-1]), dy.shape[-1]), dy.dtype)
        np.put_along_axis(block, residuals.index[:, p : p + 1], dy_cells[:, p : p + 1], 1)
        part += block.reshape(part.shape)
    return Backward(params, dx)


def adaptive_avg_pool(output_size: OutputSize) -> Layer[Empty, Empty, Array, Array]:
    """Take the average over as many cells as the output is to have points: (n, *space, c) to (n, *output_size, c).

    Parameters
    ----------
    output_size : int or sequence of int or None
        Points of the output along each spatial axis; a number stands for all, however many there are, and None, for one axis,
        leaves it as long as it is.

    Returns
    -------
    Layer
        For examples of any spatial shape, also smaller than ``output_size``.

    Raises
    ------
    TypeError, ValueError
        When ``output_size`` is out of range; in ``init`` and ``forward``, when an example has another number of spatial axes.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.adaptive_avg_pool(2), (), (), np.arange(5.0).reshape(1, 5, 1)).ravel()
    array([1., 3.])
    """
    sizes = checked_cells(output_size)
    return define_layer(
        "adaptive_avg_pool", partial(init, sizes), partial(average_forward, sizes), average_backward, random=False
    )


def adaptive_max_pool(output_size: OutputSize) -> Layer[Empty, Empty, Array, Array]:
    """Take the maximum over as many cells as the output is to have points: (n, *space, c) to (n, *output_size, c).

    Parameters
    ----------
    output_size : int or sequence of int or None
        Points of the output along each spatial axis; a number stands for all, however many there are, and None, for one axis,
        leaves it as long as it is.

    Returns
    -------
    Layer
        For examples of any spatial shape, also smaller than ``output_size``.

    Raises
    ------
    TypeError, ValueError
        When ``output_size`` is out of range; in ``init`` and ``forward``, when an example has another number of spatial axes.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.adaptive_max_pool(2), (), (), np.arange(5.0).reshape(1, 5, 1)).ravel()
    array([2., 4.])
    """
    sizes = checked_cells(output_size)
    return define_layer("adaptive_max_pool", partial(init, sizes), partial(max_forward, sizes), max_backward, random=False)
