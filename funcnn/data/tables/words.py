"""Words of a text file as values: what is a number, a truth value or a date, and what is none of them.

A column is parsed in blocks.  Most blocks of numbers are nothing but numbers, which ``float`` reads at once; everything else goes
by the different words of the block, each of which is looked at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import TypeAlias, TypeVar

import numpy as np

from funcnn.data.tables.columns import MISSING, DateArray, Kind
from funcnn.typing import Array, IntArray

T = TypeVar("T")
Moment: TypeAlias = "np.datetime64[date | int | None]"

ABSENT = frozenset(("", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "null", "None", "?"))
"""What is written where nothing is known; a file may have others."""

_NOT_A_DATE: Moment = np.datetime64("NaT", "us")

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?inf(?:inity)?", re.ASCII | re.IGNORECASE)
_COMMA = re.compile(r"[+-]?(?:\d{1,3}(?:\.\d{3})+|\d+)?(?:,\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_LEADING_ZERO = re.compile(r"0\d+", re.ASCII)  # 007 and 01234 are names that consist of digits
_ODD = re.compile(r"[^0-9+\-.eE\n ]|(?:^|\n) *0\d", re.ASCII)
"""What Python's ``float`` would take and a table does not mean: 1_000, digits of other scripts, 007; and infinities."""
_TRUTH = {"true": 1, "false": 0}
_DAY = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})|(\d{1,2})\.(\d{1,2})\.(\d{4})", re.ASCII)
_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(\.\d{1,9})?)? ?(Z|[+-](?:[01]\d|2[0-3])(?::?[0-5]\d)?)?", re.ASCII)
_EITHER = re.compile(r"\d{1,2}/\d{1,2}/\d{2,4}(?:[ T].*)?", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def number_of(word: str, decimal: str = ".") -> float | None:
    """Return the number that a word is, or None."""
    if decimal == ",":
        if not _COMMA.fullmatch(word) or not any(map(str.isdigit, word)):
            return None
        word = word.replace(".", "").replace(",", ".")
    if not _NUMBER.fullmatch(word) or _LEADING_ZERO.fullmatch(word):
        return None
    return float(word)


def date_of(word: str) -> Moment | None:
    """Return the moment that a word is, in UTC where it has an offset, or None.

    Years come first and months second, with -, / or . between them; or days, months and years, with points.
    """
    day, _, time = word.replace("T", " ", 1).partition(" ")
    found, hour = _DAY.fullmatch(day), _TIME.fullmatch(time) if time else None
    if found is None or (time and hour is None):
        return None
    year, month, number = found.group(1, 3, 4) if found[1] else found.group(7, 6, 5)
    try:
        moment = datetime(int(year), int(month), int(number), tzinfo=UTC)
        if hour is not None:
            micro = int((hour[4] or ".0")[1:7].ljust(6, "0"))
            moment = moment.replace(hour=int(hour[1]), minute=int(hour[2]), second=int(hour[3] or 0), microsecond=micro)
    except ValueError:  # the 31st of February
        return None
    passed = moment - _EPOCH
    return np.datetime64(
        (passed.days * 86400 + passed.seconds - _offset(hour[5] if hour else None)) * 10**6 + passed.microseconds, "us"
    )


def _offset(zone: str | None) -> int:
    """Return the seconds that a zone such as +01:30 is ahead of UTC."""
    if zone is None or zone == "Z":
        return 0
    seconds = int(zone[1:3]) * 3600 + int(zone[3:].lstrip(":") or 0) * 60
    return -seconds if zone[0] == "-" else seconds


def is_ambiguous(word: str) -> bool:
    """Tell whether a word is a date that does not say which of its numbers is the month."""
    return _EITHER.fullmatch(word) is not None


def truth_of(word: str) -> int | None:
    """Return 1 for true and 0 for false, in capitals or not, or None."""
    return _TRUTH.get(word.lower())


def kind_of(words: Iterable[str], decimal: str) -> Kind:
    """Return the kind of which all the words are."""
    kinds: tuple[tuple[Kind, Callable[[str], object]], ...] = (
        ("number", lambda word: number_of(word, decimal)), ("boolean", truth_of), ("date", date_of),
    )  # fmt: skip
    known = tuple(words)
    for kind, read in kinds:
        if all(read(word) is not None for word in known):
            return kind
    return "category"


def numbers(words: Sequence[str], absent: frozenset[str], decimal: str) -> Array | None:
    """Return numbers (n,), NaN where there is none; None when a word is not a number."""
    if decimal == ".":
        with suppress(ValueError):  # words that are no numbers are looked up one by one
            found: Array = np.fromiter(map(float, words), np.float64, len(words))
            if _ODD.search("\n".join(words)) is None:
                return found
    values = _looked_up(words, absent, lambda word: number_of(word, decimal), np.nan)
    return None if values is None else np.array(values, np.float64)


def truths(words: Sequence[str], absent: frozenset[str]) -> IntArray | None:
    """Return truth values (n,), int8, -1 where there is none; None when a word is none."""
    values = _looked_up(words, absent, truth_of, MISSING)
    return None if values is None else np.array(values, np.int8)


def dates(words: Sequence[str], absent: frozenset[str]) -> DateArray | None:
    """Return moments (n,), NaT where there is none; None when a word is not a date."""
    values = _looked_up(words, absent, date_of, _NOT_A_DATE)
    return None if values is None else np.array(values, "datetime64[us]")


def codes(words: Sequence[str], absent: frozenset[str], known: dict[str, int]) -> IntArray:
    """Return the codes of texts (n,), int32, -1 where there is none; new texts are added to those known."""
    lookup: dict[str, int] = {}
    for raw in dict.fromkeys(words):
        word = raw.strip()
        lookup[raw] = MISSING if word in absent else known.setdefault(word, len(known))
    return np.fromiter(map(lookup.__getitem__, words), np.int32, len(words))


def _looked_up(words: Sequence[str], absent: frozenset[str], read: Callable[[str], T | None], nothing: T) -> list[T] | None:
    """Return the values of words, each different one of which is read once; None when one cannot be read."""
    lookup: dict[str, T] = {}
    for raw in dict.fromkeys(words):
        word = raw.strip()
        value = nothing if word in absent else read(word)
        if value is None:
            return None
        lookup[raw] = value
    return [lookup[word] for word in words]


def first_that_is_not(words: Iterable[str], absent: frozenset[str], kind: Kind, decimal: str) -> int | None:
    """Return the place of the first word that is not of a kind."""
    read: Mapping[Kind, Callable[[str], object]] = {
        "number": lambda word: number_of(word, decimal), "boolean": truth_of, "date": date_of, "category": str,
    }  # fmt: skip
    return next(
        (place for place, word in enumerate(map(str.strip, words)) if word not in absent and read[kind](word) is None), None
    )
