"""A table in memory: columns of one type each, which share their rows.

What is missing is part of a column's values: NaN among numbers, NaT among dates, -1 among codes.  So a column is one array, and
where nothing is missing no mask is kept or asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias, get_args

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from funcnn.errors import describe, is_plain, shorten, shown
from funcnn.typing import Array, BoolArray, IntArray

Kind: TypeAlias = Literal["number", "boolean", "date", "category"]
KINDS: tuple[Kind, ...] = get_args(Kind)
DateArray: TypeAlias = NDArray[np.datetime64]

MISSING = -1  # the code of what is missing
_SHOWN = 8  # names of columns in a message


@frozen(eq=False)
class NumberColumn:
    """Numbers (n,): floating with NaN for what is missing, or integers, none of which is missing."""

    values: Array | IntArray

    @property
    def kind(self) -> Kind:
        """What the column holds."""
        return "number"

    def take(self, rows: IntArray) -> NumberColumn:
        """Return the column of some rows."""
        return NumberColumn(self.values[rows])

    @property
    def missing(self) -> BoolArray:
        """Where nothing is known (n,)."""
        if self.values.dtype.kind != "f":
            return np.zeros(len(self.values), bool)
        return np.isnan(self.values)


@frozen(eq=False)
class BooleanColumn:
    """Truth values (n,), int8: 1 for true, 0 for false, -1 for what is missing."""

    values: IntArray

    @property
    def kind(self) -> Kind:
        """What the column holds."""
        return "boolean"

    def take(self, rows: IntArray) -> BooleanColumn:
        """Return the column of some rows."""
        return BooleanColumn(self.values[rows])

    @property
    def missing(self) -> BoolArray:
        """Where nothing is known (n,)."""
        missing: BoolArray = self.values < 0
        return missing


@frozen(eq=False)
class DateColumn:
    """Dates and times (n,), datetime64 in microseconds; those with an offset in UTC; NaT for what is missing."""

    values: DateArray

    @property
    def kind(self) -> Kind:
        """What the column holds."""
        return "date"

    def take(self, rows: IntArray) -> DateColumn:
        """Return the column of some rows."""
        return DateColumn(self.values[rows])

    @property
    def missing(self) -> BoolArray:
        """Where nothing is known (n,)."""
        return np.isnat(self.values)


_COARSER = ("Y", "M", "W", "D", "h", "m", "s", "ms")  # than microseconds: a count of these may be of more than 64 bits


def in_microseconds(values: DateArray, name: str) -> DateArray:
    """Return dates and times in microseconds.

    Raises
    ------
    ValueError
        When one lies more than some 290,000 years from 1970, which NumPy would turn into another date without a word.
    """
    micro: DateArray = values.astype("datetime64[us]", copy=False)
    if np.datetime_data(values.dtype)[0] in _COARSER:
        wrong = (micro.astype(values.dtype) != values) & ~np.isnat(values)
        if wrong.any():
            row = int(wrong.argmax())
            raise ValueError(
                f"column {shorten(repr(name))} has {values[row]} ({int(wrong.sum())} such rows), expected dates within 290,000"
                " years of 1970: leave a row empty if nothing is known"
            )
    return micro


@frozen(eq=False, repr=False)
class CategoryColumn:
    """Texts (n,) as codes into those that occur, int32; -1 for what is missing."""

    values: IntArray
    categories: tuple[str, ...]

    @property
    def kind(self) -> Kind:
        """What the column holds."""
        return "category"

    def take(self, rows: IntArray) -> CategoryColumn:
        """Return the column of some rows; categories that do not occur in them stay known."""
        return CategoryColumn(self.values[rows], self.categories)

    @property
    def missing(self) -> BoolArray:
        """Where nothing is known (n,)."""
        missing: BoolArray = self.values < 0
        return missing

    def __repr__(self) -> str:
        return f"CategoryColumn(values={describe(self.values)}, {len(self.categories)} categories)"


Column: TypeAlias = NumberColumn | BooleanColumn | DateColumn | CategoryColumn


@frozen(eq=False, repr=False)
class Table:
    """Named columns of equal length, as :func:`read_table` and :func:`as_table` make them.

    Parameters
    ----------
    columns : dict
        NumberColumn, BooleanColumn, DateColumn or CategoryColumn by name, in order.
    source : str, optional
        Where the table comes from, for messages: the path of its file.
    lines : array (n,), optional
        Of a text file, the number of each row's line, counted from 1.

    Raises
    ------
    ValueError
        When there is no column, or columns differ in length.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> table = fn.data.as_table({"age": np.array([31.0, np.nan]), "plan": ["basic", "pro"]})
    >>> table
    Table(2 rows: age number, plan category)
    >>> table["plan"].categories
    ('basic', 'pro')
    """

    columns: Mapping[str, Column]
    source: str = "the table"
    lines: IntArray | None = None

    def __attrs_post_init__(self) -> None:
        if not self.columns:
            raise ValueError(f"{self.source} has no columns, expected at least one")
        first, *others = self.columns
        for name in others:
            if len(self.columns[name].values) != len(self):
                raise ValueError(
                    f"{self.source}: column {shorten(repr(name))} has {len(self.columns[name].values)} rows and"
                    f" {shorten(repr(first))} has {len(self)}: a row is one example in all columns"
                )

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())).values)

    def __getitem__(self, name: str) -> Column:
        if name not in self.columns:
            raise KeyError(f"{self.source} has no column {shorten(repr(name))}; {told(self.names)}")
        return self.columns[name]

    def __repr__(self) -> str:
        columns = ", ".join(f"{shorten(name, 40)} {column.kind}" for name, column in self.columns.items())
        return f"Table({len(self):,} row{'s' * (len(self) != 1)}: {columns})"

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return tuple(self.columns)

    def take(self, rows: IntArray) -> Table:
        """Return the table of some rows, given by their numbers or as a mask.

        Raises
        ------
        TypeError
            When rows are neither integers nor as many booleans as there are rows.
        IndexError
            When there is no such row.
        """
        if (
            not is_plain(rows)
            or rows.ndim != 1
            or rows.dtype.kind not in "iub"
            or (rows.dtype.kind == "b" and len(rows) != len(self))
        ):
            raise TypeError(f"rows is {shown(rows)}, expected integers (k,) or a mask ({len(self)},) of booleans")
        columns = {name: column.take(rows) for name, column in self.columns.items()}
        return Table(columns, self.source, None if self.lines is None else self.lines[rows])

    def place(self, row: int, name: str) -> str:
        """Return in words where a value stands, as the beginning of a message."""
        where = f"row {row}" if self.lines is None else f"line {self.lines[row]}"
        return f"{self.source}: column {shorten(repr(name))}, {where}"


def told(names: tuple[str, ...]) -> str:
    """Return the names of columns as part of a message."""
    some = ", ".join(shorten(repr(name), 40) for name in names[:_SHOWN])
    return f"its columns are {some}{f' and {len(names) - _SHOWN} others' * (len(names) > _SHOWN)}"


def check_kind_name(kind: object, name: str) -> Kind:
    """Return the kind that a column is asked to be, or raise."""
    for known in KINDS:
        if kind == known:
            return known
    raise ValueError(f"kinds[{shorten(repr(name))}] is {shown(kind)}, expected one of {', '.join(KINDS)}")
