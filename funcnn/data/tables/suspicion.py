"""Columns of texts that were most likely meant to be something else: an error that asks, where a guess would be silent.

A column of numbers with one mistyped field would otherwise become a category with as many values as it has numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np

from funcnn.data.tables.columns import CategoryColumn, Table
from funcnn.data.tables.dialect import quoted
from funcnn.data.tables.words import date_of, is_ambiguous, number_of
from funcnn.files.tree_reader import FileError
from funcnn.typing import BoolArray

_NEARLY = 0.9  # of the rows
_MARKS = re.compile(r"\s*[%‰$€£¥₹]\s*|(?<=\d)[ \u00a0\u202f'\u2019](?=\d{3}(?!\d))")
"""Signs of a currency or of a share, and what stands between thousands."""


def check_texts(table: Table, names: Sequence[str], decimal: str) -> None:
    """Raise a FileError when one of the columns seems to be of another kind than texts."""
    other = "." if decimal == "," else ","
    for name in names:
        column = table.columns[name]
        if not isinstance(column, CategoryColumn) or not column.categories:
            continue
        as_texts = f"kinds={{{quoted(name)}: 'category'}}, or --categories"
        found, numeric = _share(column, lambda word: number_of(word, decimal) is not None)
        codes_of_digits = any(
            word.isascii() and word.isdigit() for word, is_number in zip(column.categories, numeric, strict=True) if not is_number
        )
        if found >= _NEARLY and not codes_of_digits:
            row, word = _first(column, ~numeric)
            raise FileError(
                f"{table.place(row, name)}: {quoted(word)} is not a number, and nearly all of the column are: mend the field,"
                f" count the word as missing (missing=({quoted(word)},), or --missing), or read the column as texts ({as_texts})"
            )
        if (
            _share(column, lambda word: number_of(word, other) is not None)[0] >= _NEARLY
            and found < _NEARLY
            and not codes_of_digits
        ):
            row, word = _first(column, ~numeric)
            raise FileError(
                f"{table.place(row, name)}: {quoted(word)} has a {'comma' if other == ',' else 'point'} in it: give"
                f" decimal={other!r} (or --decimal={other!r}) if that is the decimal mark, write the numbers without marks of"
                f" thousands, or read the column as texts ({as_texts})"
            )
        marked, which = _share(column, lambda word: number_of(_MARKS.sub("", word), decimal) is not None)
        if marked >= _NEARLY and found < _NEARLY and not codes_of_digits:
            row, word = _first(column, which & ~numeric)
            raise FileError(
                f"{table.place(row, name)}: {quoted(word)} is a number with a mark beside it: write the numbers alone, without"
                f" signs of a currency, %, or marks of thousands, or read the column as texts ({as_texts})"
            )
        if _share(column, is_ambiguous)[0] >= _NEARLY:
            row, word = _first(column, np.ones(len(column.categories), bool))
            raise FileError(
                f"{table.place(row, name)}: {quoted(word)} does not say which number is the month: write dates as 2024-01-31,"
                f" or read the column as texts ({as_texts})"
            )
        dated, which = _share(column, lambda word: date_of(word) is not None)
        if dated >= _NEARLY:
            row, word = _first(column, ~which)
            raise FileError(
                f"{table.place(row, name)}: {quoted(word)} is not a date, and nearly all of the column are: mend the field,"
                f" count the word as missing (missing=({quoted(word)},), or --missing), or read the column as texts ({as_texts})"
            )


def _share(column: CategoryColumn, tell: Callable[[str], bool]) -> tuple[float, BoolArray]:
    """Return of how many of the rows something is true, and of which categories."""
    counts = np.bincount(column.values[column.values >= 0], minlength=len(column.categories))
    which: BoolArray = np.array([tell(word) for word in column.categories])
    return float(counts[which].sum() / counts.sum()), which


def _first(column: CategoryColumn, which: BoolArray) -> tuple[int, str]:
    """Return the first row whose category is one of some, and the category."""
    row = int(np.argmax((column.values >= 0) & which[column.values]))
    return row, column.categories[column.values[row]]
