"""JSON as its standard has it (RFC 8259): no NaN, no infinity, no name twice; and arrays of numbers out of it."""

from __future__ import annotations

import json
import sys
from typing import NoReturn

import numpy as np

from funcnn.deploy.server.limits import HTTPError
from funcnn.errors import shorten
from funcnn.typing import Array

_LARGEST = sys.float_info.max


def read_object(body: bytes) -> dict[str, object]:
    """Return the object that a body holds.

    Raises
    ------
    HTTPError
        400, when it is no JSON, too deep, or something else than an object.
    """
    try:
        made: object = json.loads(body.decode(), parse_constant=refuse_constant, object_pairs_hook=distinct)
    except UnicodeDecodeError as error:
        raise HTTPError(400, f"the body is no UTF-8 (byte {error.start})") from None
    except RecursionError:
        raise HTTPError(400, "the body is nested too deeply") from None
    except ValueError as error:
        raise HTTPError(400, f"the body is no JSON: {shorten(str(error), 200)}") from None
    if not isinstance(made, dict):
        raise HTTPError(400, f'the body is {told(made)}, expected an object such as {{"inputs": [[0.5, 1.0]]}}')
    return made


def refuse_constant(name: str) -> NoReturn:
    """Raise because of a number that JSON does not have."""
    raise ValueError(f"{name} is no number of JSON")


def distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return an object of which no name occurs twice."""
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the name {next(name for name in names if names.count(name) > 1)!r} occurs twice")
    return made


def write_object(made: dict[str, object]) -> bytes:
    """Return an object as JSON, in which nothing that is not finite may stand."""
    return json.dumps(made, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")


def told(value: object) -> str:
    """Return what a value of JSON is, in a few words."""
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return "an object"
    return shorten(json.dumps(value, ensure_ascii=True), 60)


def check_names(given: dict[str, object], needed: tuple[str, ...], optional: tuple[str, ...] = ()) -> None:
    """Raise unless an object has the names that are needed and none that nobody knows."""
    missing = [name for name in needed if name not in given]
    unknown = [name for name in given if name not in (*needed, *optional)]
    if missing or unknown:
        expected = ", ".join([*map(repr, needed), *[f"{name!r} (optional)" for name in optional]])
        what = f"{missing[0]!r} is missing" if missing else f"{shorten(repr(unknown[0]), 60)} is not known"
        raise HTTPError(422, f"{what}: expected {expected}")


def rows_of(value: object, name: str, features: int, most: int) -> Array:
    """Return a list of rows of numbers as an array (n, features).

    Raises
    ------
    HTTPError
        422, with the place of what is wrong; 413, when there are too many rows.
    """
    if not isinstance(value, list) or not value:
        raise HTTPError(422, f"{name} is {told(value)}, expected a list of rows of {features} numbers each")
    if len(value) > most:
        raise HTTPError(413, f"{name} has {len(value)} rows, at most {most} are taken at a time")
    for place, row in enumerate(value):
        if not isinstance(row, list) or len(row) != features:
            raise HTTPError(422, f"{name}[{place}] is {told(row)}, expected a list of {features} numbers")
        for column, number in enumerate(row):
            if type(number) not in (int, float):
                raise HTTPError(422, f"{name}[{place}][{column}] is {told(number)}, expected a finite number")
            if not abs(number) <= _LARGEST:
                raise HTTPError(422, f"{name}[{place}][{column}] is too large")
    return np.array(value, np.float64)


def texts_of(value: object, name: str, most: int) -> list[str]:
    """Return a list of texts that are not empty."""
    if not isinstance(value, list) or not value or not all(isinstance(one, str) and one.strip() for one in value):
        raise HTTPError(422, f"{name} is {told(value)}, expected a list of texts that are not empty")
    if len(value) > most:
        raise HTTPError(413, f"{name} has {len(value)} texts, at most {most} are taken at a time")
    return value


def number_of(given: dict[str, object], name: str, default: float, low: float, high: float) -> float:
    """Return a number that may be given, within its bounds."""
    value = given.get(name, default)
    if type(value) not in (int, float) or not low <= float(str(value)) <= high:
        raise HTTPError(422, f"{name} is {told(value)}, expected a number from {low:g} to {high:g}")
    return float(str(value))


def whole_of(given: dict[str, object], name: str, default: int | None, low: int, high: int) -> int | None:
    """Return a whole number that may be given, within its bounds."""
    value = given.get(name, default)
    if value is None:
        return None
    if type(value) is not int or not low <= value <= high:
        raise HTTPError(422, f"{name} is {told(value)}, expected a whole number from {low:,} to {high:,}")
    return value
