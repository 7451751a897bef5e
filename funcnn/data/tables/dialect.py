"""How a text file writes a table: its encoding, what stands between fields, and the decimal mark, all told from its beginning."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from pathlib import Path
from typing import TextIO, cast

from attrs import frozen

from funcnn.errors import shorten, shown
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


def dialect_of(path: Path, separator: str | None, decimal: str | None, encoding: str | None) -> Dialect:
    """Return how a file is written, or raise a FileError when it cannot be read as text."""
    try:
        return find_dialect(path, separator, decimal, encoding)
    except UnicodeDecodeError as error:
        raise no_text(path, error) from None
    except (EOFError, zlib.error, OSError) as error:
        raise damaged(path, error) from None


def no_text(path: Path, error: UnicodeDecodeError) -> FileError:
    """Return the error of a file that is not in its encoding, with the first line that is not."""
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        start = file.read(4)
        if start.startswith(b"PK\x03\x04"):
            return FileError(f"{path} is no text, but packed as workbooks and archives are: save the table as CSV")
        file.seek(0)
        number, word = 0, ""
        if error.encoding.startswith(("utf-8", "ascii")):
            number, word = next(((at, part) for at, line in enumerate(file, 1) if (part := _undecoded(line))), (0, ""))
    where = f": line {number} has {quoted(word)}" if number else ""
    advice = "give encoding='cp1252' or another (on the command line --encoding cp1252), or convert it"
    return FileError(f"{path} is no text in {error.encoding}{where}: {advice}")


def _undecoded(line: bytes) -> str:
    """Return what stands around the first bytes of a line that are not UTF-8, as Windows would read it; nothing where all are."""
    try:
        line.decode()
    except UnicodeDecodeError as error:
        return line[max(0, error.start - 12) : error.start + 12].decode("cp1252", "replace")
    return ""


def damaged(path: Path, error: Exception) -> Exception:
    """Return the error of a packed file that cannot be unpacked; an error of the system as it is."""
    if isinstance(error, OSError) and error.errno is not None:
        return error
    return FileError(f"{path} is not packed by gzip, or damaged: {shorten(str(error))}")


def check_options(separator: object, decimal: object, encoding: object) -> None:
    """Raise unless these are what a reader can be told of a file."""
    if separator is not None and not (isinstance(separator, str) and len(separator) == 1 and separator not in '"\r\n\0 '):
        raise ValueError(f"separator is {shown(separator)}, expected one character such as ',' or ';', or None to find it out")
    if decimal not in (None, ".", ","):
        raise ValueError(f"decimal is {shown(decimal)}, expected '.' or ',', or None to find it out")
    if encoding is not None:
        try:
            "".encode(encoding if isinstance(encoding, str) else "")
        except LookupError:
            raise ValueError(f"encoding is {shown(encoding)}, expected the name of one, such as 'latin-1', or None") from None
