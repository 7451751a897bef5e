"""The cells of a table, given as a dict of columns, as values of one kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from numbers import Integral, Real
from typing import TypeAlias, TypeVar

import numpy as np

from funcnn.data.tables.encodings import written
from funcnn.data.tables.words import Moment, date_of, number_of, truth_of

T = TypeVar("T")
Columns: TypeAlias = Mapping[str, Iterable[object]]
"""Arrays or lists of cells by the names of columns."""


def values_of(table: Columns, name: str, read: Callable[[object], T | None], wanted: str) -> list[T | None]:
    """Return what a function reads in the cells of a column; None where one is missing."""
    if name not in table:
        raise ValueError(f"there is no column {name!r}, which the training data had")
    found: list[T | None] = []
    for row, cell in enumerate(cells_of(table[name])):
        value = None if is_missing(cell) else read(cell)
        if value is None and not is_missing(cell):
            raise ValueError(f"column {name!r}, row {row} is {cell!r}, expected {wanted}, as in the training data")
        found.append(value)
    return found


def cells_of(column: Iterable[object]) -> list[object]:
    """Return the cells of a column."""
    if isinstance(column, np.ndarray) and column.dtype.kind == "M":
        return list(column.astype("datetime64[us]"))
    return list(column.tolist() if isinstance(column, np.ndarray) else column)


def is_missing(cell: object) -> bool:
    """Tell whether nothing is known: None, NaN or NaT, of which the last two do not equal themselves."""
    return cell is None or bool(cell != cell)


def as_number(cell: object) -> float | None:
    """Return a cell as a finite number, or None."""
    value = number_of(cell) if isinstance(cell, str) else float(cell) if isinstance(cell, Real) else None
    return None if value is None or abs(value) == np.inf else value


def as_truth(cell: object) -> int | None:
    """Return 1 for a cell that is true, 0 for one that is false, or None."""
    if isinstance(cell, str):
        return truth_of(cell)
    return int(bool(cell)) if isinstance(cell, (bool, np.bool_, Real)) and cell in (0, 1) else None


def as_moment(cell: object) -> Moment | None:
    """Return a cell as a moment in UTC, to the microsecond, or None."""
    if isinstance(cell, str):
        return date_of(cell)
    if isinstance(cell, datetime) and cell.tzinfo is not None:
        cell = cell.astimezone(UTC).replace(tzinfo=None)
    if isinstance(cell, np.datetime64):
        moment: Moment = cell.astype("datetime64[us]")
        return moment
    return np.datetime64(cell, "us") if isinstance(cell, date) else None


def as_word(cell: object) -> str | None:
    """Return a cell as the name of a category."""
    if isinstance(cell, str):
        return str(cell)
    if isinstance(cell, (bool, np.bool_)):
        return "true" if cell else "false"
    if isinstance(cell, Real):
        return written(int(cell) if isinstance(cell, Integral) else float(cell))
    moment = as_moment(cell)
    return None if moment is None else str(moment.tolist())
