"""A tree as a table: where each leaf stands, its shape and precision, and what its numbers are like."""

from __future__ import annotations

import math

import numpy as np
from attrs import frozen

from funcnn.errors import check_count
from funcnn.tree.html_table import html_table
from funcnn.tree.steps import steps_of
from funcnn.tree.structure import walk
from funcnn.typing import Array, Shape


@frozen
class TableRow:
    """One leaf of a tree, or all leaves below one path."""

    path: str
    leaves: int
    """How many leaves the row is of."""
    shape: Shape | None
    """The leaf's; None where there are several."""
    dtype: str
    """The precision, or the precisions, of the leaves."""
    size: int
    """How many numbers."""
    nbytes: int
    mean: float
    """Of the finite numbers, as are the next three; NaN where there are none."""
    std: float
    """How far they spread: the root of the mean square of their distance from the mean."""
    min: float
    max: float
    nan: int
    """How many numbers are NaN."""
    inf: int
    """How many are infinite."""


@frozen(repr=False)
class Table:
    """What :func:`table` returns; it prints as a table."""

    rows: tuple[TableRow, ...]
    total: TableRow
    """The same of the whole tree."""

    def _repr_html_(self) -> str:
        """Return the table as notebooks show it."""
        return html_table(self._lines(), range(3, 10))

    def _lines(self) -> list[tuple[str, ...]]:
        """Return the head, the rows and the total."""
        head = ("path", "shape", "dtype", "size", "bytes", "mean", "std", "min", "max", "not finite")
        return [head, *[_cells(row) for row in self.rows], ("total", *_cells(self.total)[1:])]

    def __str__(self) -> str:
        head, *body, last = self._lines()
        widths = [max(map(len, column)) for column in zip(head, *body, last, strict=True)]

        def line(cells: tuple[str, ...]) -> str:
            left = [cell.ljust(width) for cell, width in zip(cells[:3], widths, strict=False)]
            return "  ".join([*left, *(cell.rjust(width) for cell, width in zip(cells[3:], widths[3:], strict=True))]).rstrip()

        rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
        return "\n".join([line(head), rule, *map(line, body), rule, line(last)])

    __repr__ = __str__


def table(tree: object, *, depth: int | None = None) -> Table:
    """Return a table of a tree of parameters, gradients or state: shapes, precisions, sizes, and what the numbers are like.

    Parameters
    ----------
    tree : tree
    depth : int, optional
        Leaves whose paths agree in this many steps share a row: 1 is a row for each layer of a chain.  Without it each leaf has
        a row.

    Returns
    -------
    Table
        Rows and their total; it prints as a table.

    Raises
    ------
    TypeError, ValueError
        When it is no tree, or the depth no integer of at least 1.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> grads = ({"weight": np.array([[1.0, -3.0]]), "bias": np.array([np.nan])}, np.ones(2, np.float32))
    >>> fn.tree.table(grads)
    path           shape   dtype             size  bytes  mean   std  min  max  not finite
    --------------------------------------------------------------------------------------
    [0]['bias']    (1,)    float64              1      8                             1 nan
    [0]['weight']  (1, 2)  float64              2     16    -1     2   -3    1
    [1]            (2,)    float32              2      8     1     0    1    1
    --------------------------------------------------------------------------------------
    total                  float32, float64     5     32     0  1.73   -3    1       1 nan
    """
    depth = None if depth is None else check_count(depth, "depth")
    groups: dict[str, list[Array]] = {}
    for path, leaf in walk(tree):
        groups.setdefault(path if depth is None else "".join(steps_of(path)[:depth]), []).append(leaf)
    rows = tuple([_row(path, found) for path, found in groups.items()])
    return Table(rows, _row("", [leaf for found in groups.values() for leaf in found]))


def _row(path: str, leaves: list[Array]) -> TableRow:
    shape = leaves[0].shape if len(leaves) == 1 else None
    dtypes = ", ".join(sorted({str(leaf.dtype) for leaf in leaves}))
    flat = [leaf.ravel().astype(np.result_type(leaf.dtype, np.float64)) for leaf in leaves if leaf.dtype.kind in "biufc"]
    finite = [numbers[np.isfinite(numbers)] for numbers in flat]
    nan = sum(int(np.isnan(numbers).sum()) for numbers in flat)
    beyond = sum(len(numbers) - len(rest) for numbers, rest in zip(flat, finite, strict=True)) - nan
    size, nbytes = sum(leaf.size for leaf in leaves), sum(leaf.nbytes for leaf in leaves)
    return TableRow(path, len(leaves), shape, dtypes, size, nbytes, *_figures(finite), nan, beyond)


def _figures(finite: list[Array]) -> tuple[float, float, float, float]:
    """Return mean, spread, least and greatest of finite numbers, in units in which no sum and no square overflows."""
    numbers = [part for part in finite if part.size]
    if not numbers or any(part.dtype.kind == "c" for part in numbers):
        return math.nan, math.nan, math.nan, math.nan
    low, high = min(part.min() for part in numbers), max(part.max() for part in numbers)
    unit = np.ldexp(np.ones_like(high), np.frexp(max(abs(low), abs(high)))[1] - 1)  # a power of 2: nothing is rounded
    count = sum(part.size for part in numbers)
    mean = sum((part / unit).sum() for part in numbers) / count
    square = sum(np.square(part / unit - mean).sum() for part in numbers) / count
    return float(mean * unit), float(np.sqrt(square) * unit), float(low), float(high)


def _cells(row: TableRow) -> tuple[str, ...]:
    counts = [f"{count:,} {word}" for count, word in ((row.nan, "nan"), (row.inf, "inf")) if count]
    numbers = ["" if math.isnan(x) else f"{x:.3g}" for x in (row.mean, row.std, row.min, row.max)]
    shape = "" if row.shape is None else str(row.shape)
    return row.path, shape, row.dtype, f"{row.size:,}", f"{row.nbytes:,}", *numbers, ", ".join(counts)
