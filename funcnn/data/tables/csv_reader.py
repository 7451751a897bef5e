"""CSV files as typed columns, by the csv module of Python: block after block, so that the words never stand in memory together.

The kind of a column is what the words of its first block are.  When a later block contradicts, the column is one of texts and is
read again, with all others like it, in a second pass: there are never more than two.
"""

from __future__ import annotations

import csv
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from attrs import define, field, frozen

from funcnn.data.tables.columns import (
    BooleanColumn,
    CategoryColumn,
    Column,
    DateColumn,
    Kind,
    NumberColumn,
    Table,
    check_kind_name,
)
from funcnn.data.tables.dialect import Dialect, check_options, damaged, dialect_of, no_text, open_text, quoted
from funcnn.data.tables.suspicion import check_texts
from funcnn.data.tables.words import ABSENT, codes, dates, first_that_is_not, kind_of, number_of, numbers, truths
from funcnn.errors import check_is_file, check_path, shorten, shown
from funcnn.files.tree_reader import FileError
from funcnn.typing import IntArray

_BLOCK = 1 << 13  # rows
_EMPTY: dict[Kind, Column] = {
    "number": NumberColumn(np.empty(0)), "boolean": BooleanColumn(np.empty(0, np.int8)),
    "date": DateColumn(np.empty(0, "datetime64[us]")), "category": CategoryColumn(np.empty(0, np.int32), ()),
}  # fmt: skip


@frozen
class Block:
    """Some rows of a file: the words of each column, and the lines of the rows."""

    words: list[tuple[str, ...]]
    lines: list[int]


@define
class Growing:
    """A column while it is read."""

    name: str
    place: int
    """Among the fields of a row."""
    kind: Kind | None
    asked: bool
    """Whether the kind was given: then a word of another one is an error."""
    rows: int = 0
    """Rows without any word that says something, before the first that does."""
    parts: list[Column] = field(factory=list)
    known: dict[str, int] = field(factory=dict)
    contradicted: bool = False


def read_csv(
    path: str | os.PathLike[str],
    *,
    kinds: Mapping[str, Kind] | None = None,
    missing: Sequence[str] = (),
    separator: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
) -> Table:
    r"""Read a CSV file as a table of typed columns.

    The separator (comma, semicolon, tab or bar), the decimal mark and a byte order mark are found out.  The first line names the
    columns; a nameless first column counts rows and is left out.  Fields may stand in double quotes, a double quote inside is
    written twice; blanks around a field and empty lines do not count.

    A column in which all is numbers is one of numbers, true and false make one of truth values, dates as 2024-01-31, 2024/1/31 or
    31.1.2024, with a time or without, one of dates, and everything else is a category: 007 and 01234 too, which are names made of
    digits.  An empty field, NA, N/A, n/a, #N/A, <NA>, NaN, nan, NULL, null, None or ? says that nothing is known.

    Parameters
    ----------
    path : path
        The file; packed by gzip if the name ends with ``.gz``.
    kinds : dict, optional
        "number", "boolean", "date" or "category" for the names of columns that are not to be guessed.
    missing : sequence of str, optional
        Further words that say that nothing is known.
    separator, decimal, encoding : str, optional
        What is not to be found out: a character between fields, "." or ",", and a name such as "latin-1" (by default UTF-8, or
        what a byte order mark says).

    Returns
    -------
    Table

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    FileError
        A ValueError: when the file is empty or no text, rows have other numbers of fields than the first line, a name occurs
        twice, a word is not of its column's kind, or nearly all words of a column are numbers and some are not; with file, line
        and column, and what to do.
    TypeError, ValueError
        When an argument is wrong, or names a column that the file does not have.

    Examples
    --------
    >>> import funcnn as fn, tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "flats.csv")
    ...     _ = path.write_text("rent;area;city;since\n812,50;61,5;Bonn;2019-04-01\n;48;Ulm;2021-10-15\n")
    ...     table = fn.data.read_csv(path)
    >>> table
    Table(2 rows: rent number, area number, city category, since date)
    >>> table["rent"].values
    array([812.5,   nan])
    """
    path = check_path(path)
    check_is_file(path)
    check_options(separator, decimal, encoding)
    absent = ABSENT | frozenset(_word(one) for one in _listed(missing))
    dialect = dialect_of(path, separator, decimal, encoding)
    try:
        growing = _columns(path, dialect, dict(kinds or {}))
        lines: list[IntArray] = []
        for block in _blocks(path, dialect):
            lines.append(np.array(block.lines, np.int64))
            for column in growing:
                _grow(column, block, dialect, absent, path)
        again = [column for column in growing if column.contradicted]
        for column in again:
            column.kind, column.rows, column.parts = "category", 0, []
        for block in _blocks(path, dialect) if again else ():
            for column in again:
                _grow(column, block, dialect, absent, path)
    except UnicodeDecodeError as error:
        raise no_text(path, error) from None
    except (EOFError, zlib.error, OSError) as error:
        raise damaged(path, error) from None
    if not lines:
        raise FileError(f"{path} has names of columns and no row below them")
    table = Table({column.name: _whole(column) for column in growing}, str(path), np.concatenate(lines))
    check_texts(table, [column.name for column in growing if not column.asked], dialect.decimal)
    return table


def column_names(path: Path, separator: str | None, decimal: str | None, encoding: str | None) -> list[str]:
    """Return the names of the columns of a CSV file, of which no row is read."""
    check_options(separator, decimal, encoding)
    return [column.name for column in _columns(path, dialect_of(path, separator, decimal, encoding), {})]


def _listed(missing: Sequence[str]) -> Sequence[str]:
    given: object = missing
    if isinstance(given, str) or not isinstance(given, (Sequence, set, frozenset)):
        raise TypeError(f"missing is {shown(missing)}, expected a tuple of words such as ('unknown', '-')")
    return tuple(missing)


def _word(word: object) -> str:
    if not isinstance(word, str):
        raise TypeError(f"missing holds {shown(word)}, expected words as they stand in the file")
    return word.strip()


def _blocks(path: Path, dialect: Dialect) -> Iterator[Block]:
    """Yield the rows below the first line, some at a time."""
    width = 0
    rows: list[list[str]] = []
    lines: list[int] = []
    for line, row in rows_of_file(path, dialect):
        if not width:
            width = len(row)
            continue
        if len(row) != width:
            advice = f"a field with {quoted(dialect.separator)} in it stands in double quotes"
            if width == 1:
                advice = "take out what stands above the line with the names of the columns"
            fields = f"{len(row)} field{'s' * (len(row) != 1)}"
            raise FileError(f"{path}: line {line} has {fields}, expected {width} as in the first line: {advice}")
        rows.append(row)
        lines.append(line)
        if len(rows) == _BLOCK:
            yield Block(list(zip(*rows, strict=True)), lines)
            rows, lines = [], []
    if rows:
        yield Block(list(zip(*rows, strict=True)), lines)


def rows_of_file(path: Path, dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not empty, with the lines on which they begin."""
    with open_text(path, dialect.encoding) as file:
        reader = csv.reader(file, delimiter=dialect.separator, strict=True, skipinitialspace=dialect.separator != "\t")
        line = 1
        try:
            for row in reader:
                if row and (len(row) > 1 or row[0].strip()):
                    yield line, row
                line = reader.line_num + 1
        except csv.Error as error:
            raise FileError(
                f"{path}: line {line} cannot be read ({shorten(str(error))}): a double quote inside of a field is written"
                " twice, and the field stands in double quotes"
            ) from None


def _columns(path: Path, dialect: Dialect, kinds: dict[str, Kind]) -> list[Growing]:
    """Return the columns that the first line names, before anything is read."""
    line, header = next(rows_of_file(path, dialect))
    names = [name.strip() for name in header]
    if all(number_of(name, dialect.decimal) is not None for name in names):
        raise FileError(
            f"{path}: line {line} holds numbers, expected the names of the columns: put a line with names above, such as"
            f" {dialect.separator.join(f'x{place}' for place in range(1, min(4, len(names)) + 1))}"
        )
    made = []
    places: dict[str, int] = {}
    for place, name in enumerate(names):
        if not name:
            if place == 0 and len(names) > 1:  # the numbers of rows, as frames write them
                continue
            raise FileError(f"{path}: line {line} has no name for column {place + 1}: name it, or take it out")
        if name in places:
            raise FileError(
                f"{path}: line {line} names two columns {quoted(name)}, number {places[name] + 1} and number {place + 1}:"
                " rename one"
            )
        places[name] = place
        kind = check_kind_name(kinds[name], name) if name in kinds else None
        made.append(Growing(name, place, kind, kind is not None))
    unknown = [name for name in kinds if name not in places]
    if unknown:
        raise ValueError(f"kinds names {shown(unknown[0])}, and {path} has no such column")
    return made


def _grow(column: Growing, block: Block, dialect: Dialect, absent: frozenset[str], path: Path) -> None:
    """Add the words of a block to a column."""
    words = block.words[column.place]
    if column.contradicted and column.kind != "category":
        return  # until the second pass
    if column.kind is None:
        present = {word.strip() for word in words} - absent
        if not present:
            column.rows += len(words)
            return
        column.kind = kind_of(present, dialect.decimal)
    part = _parse(words, column, dialect.decimal, absent)
    if part is not None:
        column.parts.append(part)
    elif not column.asked:
        column.contradicted, column.parts = True, []
    else:
        at = first_that_is_not(words, absent, column.kind, dialect.decimal) or 0
        wanted = {"number": "a number", "boolean": "true or false", "date": "a date such as 2024-01-31", "category": "a text"}
        other = "." if dialect.decimal == "," else ","
        advice = "mend the field, or leave it empty if nothing is known"
        if column.kind == "number" and number_of(words[at].strip(), other) is not None:
            advice = f"in this file the decimal mark is {dialect.decimal!r}: give decimal={other!r}, or --decimal={other!r}"
        raise FileError(
            f"{path}: column {quoted(column.name)}, line {block.lines[at]}: {quoted(words[at])} is not {wanted[column.kind]},"
            f" as which the column is read: {advice}"
        )


def _parse(words: Sequence[str], column: Growing, decimal: str, absent: frozenset[str]) -> Column | None:
    if column.kind == "number":
        values = numbers(words, absent, decimal)
        return None if values is None else NumberColumn(values)
    if column.kind == "boolean":
        flags = truths(words, absent)
        return None if flags is None else BooleanColumn(flags)
    if column.kind == "date":
        moments = dates(words, absent)
        return None if moments is None else DateColumn(moments)
    return CategoryColumn(codes(words, absent, column.known), ())


def _whole(column: Growing) -> Column:
    """Return the parts of a column as one; a column in which nothing stands is one of numbers, all of which are missing."""
    kind = column.kind or "number"
    kept = [part.values for part in (_EMPTY[kind], *column.parts)]
    absent = np.full(
        column.rows, {"number": np.nan, "boolean": -1, "date": np.datetime64("NaT", "us"), "category": -1}[kind], kept[0].dtype
    )
    values: Any = np.concatenate([absent, *kept])  # Any: of the type of its kind
    values.setflags(write=False)
    if kind == "number":
        return NumberColumn(values)
    if kind == "boolean":
        return BooleanColumn(values)
    return DateColumn(values) if kind == "date" else CategoryColumn(values, tuple(column.known))
