"""How a text file writes a table: its encoding, what stands between fields, and the decimal mark, all told from its beginning."""

from __future__ import annotations

import csv
import gzip
import io
import re
from pathlib import Path
from typing import TextIO, cast

from attrs import frozen

from funcnn.errors import shorten
from funcnn.files.tree_reader import FileError

SEPARATORS = (",", ";", "\t", "|")
_SAMPLE = 1 << 16  # characters
_COMMAS = re.compile(r"[+-]?(?:\d{1,3}(?:\.\d{3})+|\d*),\d+", re.ASCII)
_POINTS = re.compile(r"[+-]?\d*\.\d+(?:[eE][+-]?\d+)?", re.ASCII)
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:[.,]\d{3})+", re.ASCII)
_MARKS = ((b"\xff\xfe\x00\x00", "utf-32"), (b"\x00\x00\xfe\xff", "utf-32"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


@frozen
class Dialect:
    """How a file is to be read."""

    encoding: str
    separator: str
    decimal: str


def open_text(path: Path, encoding: str) -> TextIO:
    """Open a file of text, which may be packed by gzip, with its ends of lines as they are."""
    if path.suffix == ".gz":
        return cast(TextIO, gzip.open(path, "rt", encoding=encoding, newline=""))
    return path.open(encoding=encoding, newline="")


def find_dialect(path: Path, separator: str | None, decimal: str | None, encoding: str | None) -> Dialect:
    """Return how a file is written; what is given is taken as it is.

    Raises
    ------
    FileError
        When the file is empty, or no text.
    """
    known = encoding or _encoding(path)
    with open_text(path, known) as file:
        sample = file.read(_SAMPLE)
        whole = not file.read(1)
    if "\0" in sample:
        raise FileError(
            f"{path} holds null characters: it is no text, or one in UTF-16 without a mark (then encoding='utf-16-le')"
        )
    if not sample.strip():
        raise FileError(f"{path} is empty: expected a line with the names of the columns, and rows below it")
    mark = separator or _separator(sample, whole)
    return Dialect(known, mark, decimal or _decimal(sample, mark))


def _encoding(path: Path) -> str:
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        start = file.read(4)
    return next((name for mark, name in _MARKS if start.startswith(mark)), "utf-8-sig")


def _rows(sample: str, separator: str, whole: bool) -> list[list[str]]:
    """Return the rows of the beginning of a file, as far as they can be read."""
    reader = csv.reader(io.StringIO(sample, newline=""), delimiter=separator, strict=True, skipinitialspace=True)
    rows = []
    try:
        for row in reader:
            if row:
                rows.append(row)
    except csv.Error:  # such as a quote that is not closed: in the middle of a row, where a sample ends
        return rows
    return rows if whole else rows[:-1]


def _separator(sample: str, whole: bool) -> str:
    """Return the mark by which most rows have as many fields as the first; of equal ones that of most fields."""
    scores = []
    for mark in SEPARATORS:
        rows = _rows(sample, mark, whole)
        if rows and len(rows[0]) > 1:
            alike = sum(len(row) == len(rows[0]) for row in rows) / len(rows)
            scores.append((alike, len(rows[0]), -SEPARATORS.index(mark)))
    return SEPARATORS[-max(scores)[2]] if scores else ","


def _decimal(sample: str, separator: str) -> str:
    """Return the decimal mark: a comma where numbers have such and none has a point.

    Between commas, a comma inside of quotes may be one of thousands, and so it may be between tabs where all look like that: then
    nothing is assumed, and the reader asks.
    """
    if separator == ",":
        return "."
    words = [word.strip() for row in _rows(sample, separator, True) for word in row]
    commas = [word for word in words if _COMMAS.fullmatch(word)]
    points = [word for word in words if _POINTS.fullmatch(word) and not _THOUSANDS.fullmatch(word)]
    plain = separator == ";" or not all(map(_THOUSANDS.fullmatch, commas))
    return "," if commas and not points and plain else "."


def quoted(word: str) -> str:
    """Return a word of a file as part of a message."""
    return shorten(repr(word), 60)
