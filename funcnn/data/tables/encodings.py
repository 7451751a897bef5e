"""How a column becomes columns of numbers: one fitted record for each kind, whose rules were learned from training rows.

Each has two steps.  ``aligned`` gives the whole column in the record's own terms: floating numbers, or codes of the categories
that it knows.  ``write_into`` writes some rows of that into the columns of the result.  Blocks of rows are written side by side,
so that a block of the result is in the cache while all its columns are filled.
"""

from __future__ import annotations

from typing import ClassVar, Literal, TypeAlias

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from funcnn.data.tables.columns import BooleanColumn, CategoryColumn, Column, DateColumn, Kind, NumberColumn, Table
from funcnn.data.tables.words import date_of, number_of, truth_of
from funcnn.errors import shorten
from funcnn.typing import Array, BoolArray, IntArray

Unseen: TypeAlias = Literal["ignore", "error"]
Part: TypeAlias = Literal["year", "week", "day"]
"""What repeats: the part of a date that has gone of its year, its week, its day."""

ABSENT, UNKNOWN = -2, -1  # codes of categories: the two last rows of a table of one-hot rows
PERIODS: dict[Part, int] = {"week": 7 * 86400 * 10**6, "day": 86400 * 10**6}
"""Microseconds of what is always as long."""
MONDAY = 4 * 86400 * 10**6  # 1970 began on a Thursday


@frozen
class NumberEncoding:
    """A number: ``(x - mean) / scale``; what is missing as the training data's fill, with a column that says so."""

    name: str
    fill: float
    mean: float
    scale: float
    indicator: bool
    kind: ClassVar[Kind] = "number"

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the columns that it makes."""
        return (self.name, *_indicator(self))

    def aligned(self, table: Table) -> Array | IntArray:
        """Return the column as numbers, NaN where one is missing."""
        return finite_numbers(table, self.name)

    def write_into(self, out: Array, values: Array | IntArray) -> None:
        """Write some rows."""
        scaled = np.subtract(values, self.mean, dtype=np.float64)
        scaled /= self.scale
        _write_filled(out, scaled, (self.fill - self.mean) / self.scale, self.indicator)


@frozen
class BooleanEncoding:
    """A truth value: 1 and 0; what is missing as the more frequent of the two, with a column that says so."""

    name: str
    fill: bool
    indicator: bool
    kind: ClassVar[Kind] = "boolean"

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the columns that it makes."""
        return (self.name, *_indicator(self))

    def aligned(self, table: Table) -> IntArray:
        """Return the column as 1, 0 and -1 for what is missing."""
        return truths_of(table, self.name)

    def write_into(self, out: Array, values: IntArray) -> None:
        """Write some rows."""
        missing = values < 0
        out[:, 0] = np.where(missing, self.fill, values)
        if self.indicator:
            out[:, 1] = missing


@frozen
class DateEncoding:
    """A moment: the time since the mean one, scaled, and sine and cosine of what repeats; what is missing as the fill."""

    name: str
    fill: int
    """Microseconds since 1970, as the mean and the scale."""
    mean: int
    scale: float
    parts: tuple[Part, ...]
    indicator: bool
    kind: ClassVar[Kind] = "date"

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the columns that it makes."""
        waves = [f"{self.name} {wave} of {part}" for part in self.parts for wave in ("sine", "cosine")]
        return (self.name, *waves, *_indicator(self))

    def aligned(self, table: Table) -> NDArray[np.datetime64]:
        """Return the column as moments, NaT where one is missing."""
        return moments_of(table, self.name)

    def write_into(self, out: Array, values: NDArray[np.datetime64]) -> None:
        """Write some rows."""
        missing = np.isnat(values)
        micro = np.where(missing, self.fill, values.astype(np.int64))
        out[:, 0] = (micro - self.mean) / self.scale
        for number, part in enumerate(self.parts):
            angle = 2 * np.pi * gone(micro, part)
            out[:, 1 + 2 * number], out[:, 2 + 2 * number] = np.sin(angle), np.cos(angle)
        if self.indicator:
            out[:, -1] = missing


@frozen
class CategoryEncoding:
    """A category: a column for each that is known, 1 for the row's own; 0 in all for one that is unknown or missing."""

    name: str
    categories: tuple[str, ...]
    indicator: bool
    one_hot: bool
    """Whether it makes columns; if not, its numbers are given apart, for an embedding."""
    unseen: Unseen
    kind: ClassVar[Kind] = "category"

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the columns that it makes."""
        if not self.one_hot:
            return ()
        return (*(f"{self.name}={category}" for category in self.categories), *_indicator(self))

    def aligned(self, table: Table) -> IntArray:
        """Return the codes of the column: -1 for a category that is not known, -2 for what is missing."""
        column = as_categories(table.columns[self.name])
        codes = {category: code for code, category in enumerate(self.categories)}
        translation = np.array([codes.get(word, UNKNOWN) for word in column.categories] + [ABSENT], np.int32)
        found: IntArray = translation[column.values]  # -1, which is missing, takes the last
        if self.unseen == "error" and (translation == UNKNOWN).any():
            unknown = np.flatnonzero(found == UNKNOWN)
            if unknown.size:
                word = column.categories[column.values[unknown[0]]]
                raise ValueError(
                    f"{table.place(int(unknown[0]), self.name)}: {shorten(repr(word))} is not among the {len(self.categories)}"
                    f" categories of the training data ({unknown.size} such rows): mend them, or fit with unseen='ignore',"
                    " which gives them 0 in every column"
                )
        return found

    def unknown(self, table: Table) -> tuple[str, ...]:
        """Return the categories of a table that are not known, in alphabetic order."""
        column = as_categories(table.columns[self.name])
        present = {column.categories[code] for code in np.unique(column.values[column.values >= 0]).tolist()}
        return tuple(sorted(present - {*self.categories}))

    def write_into(self, out: Array, values: IntArray) -> None:
        """Write some rows."""
        out[:] = self.rows(out.dtype).take(values, axis=0, mode="wrap")

    def rows(self, dtype: np.dtype[np.floating]) -> Array:
        """Return the rows that codes stand for: unit vectors, then that of what is missing and that of what is not known."""
        count = len(self.categories)
        rows: Array = np.zeros((count + 2, count + self.indicator), dtype)
        rows[range(count), range(count)] = 1
        if self.indicator:
            rows[ABSENT, -1] = 1
        return rows


Encoding: TypeAlias = NumberEncoding | BooleanEncoding | DateEncoding | CategoryEncoding


def _indicator(encoding: Encoding) -> tuple[str, ...]:
    return (f"{encoding.name} is missing",) if encoding.indicator else ()


def _write_filled(out: Array, values: Array, fill: float, indicator: bool) -> None:
    """Write a column of numbers with NaN as the fill, and where it was."""
    missing: BoolArray = np.isnan(values)
    if missing.any():
        values[missing] = fill
    out[:, 0] = values
    if indicator:
        out[:, 1] = missing


def gone(micro: IntArray, part: Part) -> Array:
    """Return the part in [0, 1) that has gone of the year, the week from Monday on, or the day."""
    if part == "year":
        moments = micro.astype("datetime64[us]")
        begin = moments.astype("datetime64[Y]")
        length = (begin + 1).astype("datetime64[us]") - begin.astype("datetime64[us]")
        share: Array = (moments - begin) / length
        return share
    length = PERIODS[part]
    since = (micro - (MONDAY if part == "week" else 0)) % length
    gone: Array = since / length
    return gone


# -------------------------------------------------------------------------------------- a column as another kind than its own


def finite_numbers(table: Table, name: str) -> Array | IntArray:
    """Return a column as numbers, NaN where one is missing; infinities are refused."""
    column = table.columns[name]
    if isinstance(column, BooleanColumn):
        return np.where(column.values < 0, np.nan, column.values)
    if isinstance(column, CategoryColumn):
        read = [number_of(word) for word in column.categories]
        _refuse_words(table, name, column, [word is None for word in read], "a number")
        return np.array([*(np.nan if one is None else one for one in read), np.nan])[column.values]
    if isinstance(column, DateColumn):
        raise _of_another_kind(table, name, column, "number")
    values = column.values
    if values.dtype.kind == "f":
        infinite = np.isinf(values)
        if infinite.any():
            row = int(infinite.argmax())
            raise ValueError(
                f"{table.place(row, name)} is {values[row]}, expected a finite number ({int(infinite.sum())} such rows): mend"
                " them, or leave them empty"
            )
    return values


def out_of_reach(table: Table, row: int, name: str, dtype: object) -> ValueError:
    """Return the error of a number that a precision cannot hold when it is scaled as the training data were."""
    return ValueError(f"{table.place(row, name)} is so far from the training data that {dtype} cannot hold it scaled: mend it")


def truths_of(table: Table, name: str) -> IntArray:
    """Return a column as 1, 0 and -1 for what is missing."""
    column = table.columns[name]
    if isinstance(column, BooleanColumn):
        return column.values
    if isinstance(column, CategoryColumn):
        read = [truth_of(word) for word in column.categories]
        _refuse_words(table, name, column, [word is None for word in read], "true or false")
        return np.array([*(-1 if one is None else one for one in read), -1], np.int8)[column.values]
    if isinstance(column, NumberColumn):
        odd = ~(column.missing | (column.values == 0) | (column.values == 1))
        if odd.any():
            row = int(odd.argmax())
            raise ValueError(f"{table.place(row, name)} is {column.values[row]}, expected true or false, 1 or 0")
        return np.where(column.missing, -1, column.values).astype(np.int8)
    raise _of_another_kind(table, name, column, "boolean")


def moments_of(table: Table, name: str) -> NDArray[np.datetime64]:
    """Return a column as moments, NaT where one is missing."""
    column = table.columns[name]
    if isinstance(column, DateColumn):
        return column.values
    if isinstance(column, CategoryColumn):
        read = [date_of(word) for word in column.categories]
        _refuse_words(table, name, column, [word is None for word in read], "a date such as 2024-01-31")
        none = np.datetime64("NaT", "us")
        return np.array([*(none if one is None else one for one in read), none], "datetime64[us]")[column.values]
    if column.missing.all():
        return np.full(len(table), np.datetime64("NaT", "us"))
    raise _of_another_kind(table, name, column, "date")


def as_categories(column: Column) -> CategoryColumn:
    """Return a column as texts: whole numbers without a point, other numbers as Python writes them."""
    if isinstance(column, CategoryColumn):
        return column
    missing = column.missing
    if isinstance(column, BooleanColumn):
        return CategoryColumn(column.values.astype(np.int32), ("false", "true"))
    different, codes = np.unique(column.values, return_inverse=True)
    words = [written(value) for value in different.tolist()] if isinstance(column, NumberColumn) else list(map(str, different))
    return CategoryColumn(np.where(missing, -1, codes.reshape(-1)).astype(np.int32), tuple(words))


def written(value: float) -> str:
    """Return a number as a category: 3 for 3.0."""
    return str(int(value)) if value == value and abs(value) < 2**63 and float(value).is_integer() else repr(value)


def _refuse_words(table: Table, name: str, column: CategoryColumn, wrong: list[bool], wanted: str) -> None:
    """Raise a ValueError that names the first row whose word is not of the kind that is wanted."""
    bad = np.array([*wrong, False])[column.values]
    if bad.any():
        row = int(bad.argmax())
        word = column.categories[column.values[row]]
        raise ValueError(
            f"{table.place(row, name)} is {shorten(repr(word))}, expected {wanted} as in the training data ({int(bad.sum())}"
            " such rows)"
        )


def _of_another_kind(table: Table, name: str, column: Column, wanted: Kind) -> TypeError:
    return TypeError(
        f"{table.source}: column {shorten(repr(name))} is a {column.kind}, expected a {wanted} as in the training data: give"
        f" kinds={{{shorten(repr(name))}: {wanted!r}}} where it is read"
    )
