"""The files that a script reads and writes."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from funcnn.data.tables.csv_reader import rows_of_file
from funcnn.data.tables.dialect import find_dialect
from funcnn.data.tables.words import number_of


def read_columns(
    path: str,
    columns: Sequence[str],
    numbers: Sequence[str],
    absent: Sequence[str],
    separator: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
) -> dict[str, list[object]]:
    """Return columns of a CSV file by name, as numbers and words; None where nothing is known."""
    dialect = find_dialect(Path(path), separator, decimal, encoding)
    lines = list(rows_of_file(Path(path), dialect))
    if len(lines) < 2:
        raise ValueError(f"{path}: expected a line with the names of the columns, and rows below it")
    names = [name.strip() for name in lines[0][1]]
    wrong = [line for line, row in lines if len(row) != len(names)]
    if wrong:
        raise ValueError(f"{path}: line {wrong[0]} has another number of fields than the first, {len(names)}")
    table: dict[str, list[object]] = {}
    for name in columns:
        if names.count(name) != 1:
            raise ValueError(f"{path}: its first line names {names.count(name)} columns {name!r}, expected one")
        place = names.index(name)
        table[name] = []
        for line, row in lines[1:]:
            word = row[place].strip()
            value: object = None if word in absent else word
            if value is not None and name in numbers:
                value = number_of(word, dialect.decimal)
                if value is None:
                    raise ValueError(f"{path}: column {name!r}, line {line} is {word!r}, expected a number")
            table[name].append(value)
    return table


def read_text(path: str) -> str:
    """Return a text."""
    return Path(path).read_text(encoding="utf-8-sig")


def read_lines(path: str) -> list[str]:
    """Return the lines of a text that are not empty."""
    lines = [line.strip() for line in read_text(path).splitlines()]
    return [line for line in lines if line]


def write_rows(path: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV file, its rows numbered."""
    numbered = [[str(number), *row] for number, row in enumerate(rows)]
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([["row", *head], *numbered])
