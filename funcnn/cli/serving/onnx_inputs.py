"""The inputs of an ONNX file, out of JSON: numbers, texts and truth values, or the columns of a table."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from attrs import frozen

from funcnn.data.tables.encodings import written
from funcnn.data.tables.words import date_of
from funcnn.deploy.server.limits import HTTPError
from funcnn.deploy.server.strict_json import rows_of, told
from funcnn.errors import shorten

Type: TypeAlias = type[np.generic]

TYPES: Mapping[str, Type] = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(uint8)": np.uint8,
    "tensor(bool)": np.bool_,
    "tensor(string)": np.str_,
}
"""What an input may hold, by onnxruntime's names."""


@frozen
class FileInput:
    """An input of a file."""

    name: str
    shape: tuple[int, ...]
    """Of one example."""
    type: Type
    count: int
    """How many examples there must be; 0 where the file takes any number."""

    @property
    def example(self) -> object:
        """One example that could be."""
        value: object = "" if self.type is np.str_ else False if self.type is np.bool_ else 0
        return [value] * math.prod(self.shape) if self.shape else value


def read_input(one: FileInput, value: object, where: str, most: int) -> Any:  # Any: an array of the input's type
    """Return the examples that a list holds, each a list of its numbers, or a value where an input takes one alone.

    Raises
    ------
    HTTPError
        422, with the place of what is wrong; 413, when there are too many.
    """
    features = math.prod(one.shape)
    if not one.shape and isinstance(value, list):
        value = [[single] for single in value]
    if one.type in (np.str_, np.bool_):
        kind = str if one.type is np.str_ else bool
        rows: Any = np.array(rows_of_kind(value, where, features, most, kind), object if kind is str else bool)
    else:
        rows = rows_of(value, where, features, most)
        rows = in_range(one.type, rows, where)
    if one.count and len(rows) != one.count:
        raise HTTPError(422, f"{where} has {len(rows)} rows, and the file takes {one.count} at a time")
    return rows.reshape(-1, *one.shape)


def rows_of_kind(value: object, name: str, features: int, most: int, kind: type) -> list[list[object]]:
    """Return a list of rows of texts, or of truth values."""
    if not isinstance(value, list) or not value:
        raise HTTPError(422, f"{name} is {told(value)}, expected a list of rows of {features} each")
    if len(value) > most:
        raise HTTPError(413, f"{name} has {len(value)} rows, at most {most} are taken at a time")
    for place, row in enumerate(value):
        if not isinstance(row, list) or len(row) != features or not all(isinstance(one, kind) for one in row):
            words = "texts" if kind is str else "truth values"
            raise HTTPError(422, f"{name}[{place}] is {told(row)}, expected a list of {features} {words}")
    return value


def in_range(kind: Type, rows: Any, where: str) -> Any:
    """Return numbers as the type that an input has, or raise an HTTPError where one of them is not of it."""
    if issubclass(kind, np.floating):
        with np.errstate(over="ignore"):
            made = rows.astype(kind)
        if not np.isfinite(made).all():
            raise HTTPError(422, f"{where} holds numbers that are too large for the network's precision")
        return made
    bounds = np.iinfo(kind)  # type: ignore[type-var]  # what is left are integers
    low, high = max(bounds.min, -(2**53)), min(bounds.max, 2**53)
    wrong = rows[(rows != np.floor(rows)) | (rows < low) | (rows > high)]
    if wrong.size:
        raise HTTPError(422, f"{where} holds {wrong[0]:g}, expected whole numbers from {low:,} to {high:,}")
    return rows.astype(kind)


@frozen
class Column:
    """A column of a table, and the input that takes it."""

    name: str
    input: str
    kind: str
    categories: tuple[str, ...]

    @property
    def example(self) -> object:
        """A value that could be."""
        return {"number": 0, "boolean": False, "date": "2024-01-31"}.get(self.kind, (*self.categories, "")[0])

    def read(self, values: Sequence[object]) -> Any:
        """Return the values of a column as its input takes them.

        Raises
        ------
        HTTPError
            422, with the place of what is wrong.
        """
        reader, kind = READERS[self.kind]
        made = []
        for place, value in enumerate(values):
            try:
                made.append(reader(value))
            except ValueError as error:
                where = f"columns[{shorten(repr(self.name), 60)}][{place}]"
                raise HTTPError(422, f"{where} is {told(value)}, expected {error}") from None
        return np.array(made, kind)


def number(value: object) -> float:
    """Return a number, NaN for null; raises a ValueError that says what was expected."""
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError("a number or null")
    return float(value)


def truth(value: object) -> float:
    """Return 1 or 0, NaN for null; raises as :func:`number` does."""
    if value not in (None, True, False):  # 0 and 1 are equal to these
        raise ValueError("true, false or null")
    return math.nan if value is None else float(bool(value))


def moment(value: object) -> int:
    """Return microseconds since 1970, the least integer for null; raises as :func:`number` does."""
    if value is None:
        return int(np.datetime64("NaT", "us").astype(np.int64))
    made = date_of(value) if isinstance(value, str) else None
    if made is None:
        raise ValueError("a date such as 2024-01-31, or null")
    return int(made.astype("datetime64[us]").astype(np.int64))


def category(value: object) -> str:
    """Return a text, "" for null; numbers and truth values as they are written in a table."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return written(float(value))
    return "" if value is None else str(value)


READERS: Mapping[str, tuple[Callable[[object], object], type]] = {
    "number": (number, np.float64),
    "boolean": (truth, np.float64),
    "date": (moment, np.int64),
    "category": (category, object),
}
"""How the values of a column are read, and what they are then, by its kind."""


def columns_of(described: object, inputs: Sequence[FileInput]) -> tuple[Column, ...]:
    """Return the columns that a file tells of, where they are those of its inputs; else none.

    Raises
    ------
    TypeError, LookupError
        When it is no list of columns.
    """
    made = tuple(
        Column(str(one["name"]), str(one["input"]), str(one["kind"]), tuple(map(str, one.get("categories", ()))))
        for one in list(described)  # type: ignore[call-overload]  # what is no list raises a TypeError
    )
    fits = {one.input for one in made} == {one.name for one in inputs} and all(one.kind in READERS for one in made)
    return made if fits else ()
