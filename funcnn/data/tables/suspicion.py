"""Columns of texts that were most likely meant to be something else: an error that asks, where a guess would be silent.

A column of numbers with one mistyped field would otherwise become a category with as many values as it has numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
from attrs import frozen

from funcnn.data.tables.columns import CategoryColumn, Table
from funcnn.data.tables.dialect import quoted
from funcnn.data.tables.words import date_of, is_ambiguous, number_of
from funcnn.files.tree_reader import FileError
from funcnn.typing import BoolArray

_NEARLY = 0.9  # of the rows
_MARKS = re.compile(r"\s*[%‰$€£¥₹]\s*|(?<=\d)[ \u00a0\u202f'\u2019](?=\d{3}(?!\d))")
"""Signs of a currency or of a share, and what stands between thousands."""


@frozen(eq=False)
class Suspicion:
    """What is odd about a column of texts, and what can be done besides reading it as texts."""

    odd: BoolArray
    """Which of the categories are: the first row of one is shown."""
    fault: str
    remedy: str
    """With ``{word}`` for the category that is shown."""


_MEND = "mend the field, count the word as missing (missing=({word},), or --missing)"


def check_texts(table: Table, names: Sequence[str], decimal: str) -> None:
    """Raise a FileError when one of the columns seems to be of another kind than texts."""
    for name in names:
        column = table.columns[name]
        if not isinstance(column, CategoryColumn) or not column.categories:
            continue
        found = _not_a_number(column, decimal) or _not_a_date(column)
        if found is not None:
            row, word = _first(column, found.odd)
            raise FileError(
                f"{table.place(row, name)}: {quoted(word)} {found.fault}: {found.remedy.format(word=quoted(word))}, or read the"
                f" column as texts (kinds={{{quoted(name)}: 'category'}}, or --categories)"
            )


def _not_a_number(column: CategoryColumn, decimal: str) -> Suspicion | None:
    """Return what keeps a column from being one of numbers, if nearly all of it seems to be."""
    found, numeric = _share(column, lambda word: number_of(word, decimal) is not None)
    words = [word for word, is_number in zip(column.categories, numeric, strict=True) if not is_number]
    if any(word.isascii() and word.isdigit() for word in words):  # codes, such as 00123
        return None
    if found >= _NEARLY:
        return Suspicion(~numeric, "is not a number, and nearly all of the column are", _MEND)
    other, mark = (".", "point") if decimal == "," else (",", "comma")
    if _share(column, lambda word: number_of(word, other) is not None)[0] >= _NEARLY:
        remedy = (
            f"give decimal={other!r} (or --decimal={other!r}) if that is the decimal mark, write the numbers without marks of"
        )
        return Suspicion(~numeric, f"has a {mark} in it", remedy + " thousands")
    marked, which = _share(column, lambda word: number_of(_MARKS.sub("", word), decimal) is not None)
    if marked >= _NEARLY:
        remedy = "write the numbers alone, without signs of a currency, %, or marks of thousands"
        return Suspicion(which & ~numeric, "is a number with a mark beside it", remedy)
    return None


def _not_a_date(column: CategoryColumn) -> Suspicion | None:
    """Return what keeps a column from being one of dates, if nearly all of it seems to be."""
    if _share(column, is_ambiguous)[0] >= _NEARLY:
        everywhere = np.ones(len(column.categories), bool)
        return Suspicion(everywhere, "does not say which number is the month", "write dates as 2024-01-31")
    dated, which = _share(column, lambda word: date_of(word) is not None)
    if dated >= _NEARLY:
        return Suspicion(~which, "is not a date, and nearly all of the column are", _MEND)
    return None


def _share(column: CategoryColumn, tell: Callable[[str], bool]) -> tuple[float, BoolArray]:
    """Return of how many of the rows something is true, and of which categories."""
    counts = np.bincount(column.values[column.values >= 0], minlength=len(column.categories))
    which: BoolArray = np.array([tell(word) for word in column.categories])
    return float(counts[which].sum() / counts.sum()), which


def _first(column: CategoryColumn, which: BoolArray) -> tuple[int, str]:
    """Return the first row whose category is one of some, and the category."""
    row = int(np.argmax((column.values >= 0) & which[column.values]))
    return row, column.categories[column.values[row]]
