"""The columns of a table as inputs of a file, and what a transform makes of them as nodes.

Numbers and truth values come in double precision, NaN where one is missing; moments as microseconds since 1970, the least integer
where one is missing; categories as texts, "" where one is missing.  All is computed as :mod:`funcnn.data.tables.encodings` does,
in double precision and whole numbers, and rounded to that of the network at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import pi

import numpy as np
from attrs import frozen

from funcnn.data.tables.encodings import (
    ABSENT,
    MONDAY,
    PERIODS,
    UNKNOWN,
    BooleanEncoding,
    CategoryEncoding,
    DateEncoding,
    Encoding,
    NumberEncoding,
    Part,
)
from funcnn.data.tables.targets import NumberTarget
from funcnn.data.tables.transform import TableTransform
from funcnn.deploy.onnx.graph import ExportError, Graph, Tensor
from funcnn.deploy.onnx.operators import (
    add,
    binary,
    cast,
    compare,
    concatenate,
    divide,
    multiply,
    regroup,
    subtract,
    unary,
    where,
)

DAY = PERIODS["day"]
MISSING_MOMENT = int(np.iinfo(np.int64).min)
"""What NumPy has for a moment that is none (NaT), as an integer."""


@frozen(eq=False)
class Columns:
    """The inputs of a table, what they become, and what is said of them."""

    inputs: Sequence[tuple[str, Tensor]]
    features: Tensor
    described: Sequence[dict[str, object]]
    """For each column its name, the input that takes it, its kind, and its categories."""


def read_columns(g: Graph, transform: TableTransform, dtype: np.dtype[np.floating]) -> Columns:
    """Write what a transform does; an input has the name of its column.

    Raises
    ------
    ExportError
        When a column refuses categories that it does not know.
    """
    inputs: list[tuple[str, Tensor]] = []
    parts: list[Tensor] = []
    described: list[dict[str, object]] = []
    for encoding in transform.encodings:
        name = g.fresh(encoding.name or "column")
        x = Tensor(name, (), input_type(encoding))
        inputs.append((name, x))
        about: dict[str, object] = {"name": encoding.name, "input": name, "kind": encoding.kind}
        if isinstance(encoding, CategoryEncoding):
            about["categories"] = list(encoding.categories)
        described.append(about)
        with g.step(f"columns/{encoding.name}"):
            parts += [cast(g, one, dtype) for one in written(g, encoding, x)]
    return Columns(inputs, concatenate(g, parts), described)


def input_type(encoding: Encoding) -> np.dtype[np.generic]:
    """Return what the values of a column are in a file."""
    if isinstance(encoding, CategoryEncoding):
        return np.dtype(np.str_)
    return np.dtype(np.int64 if isinstance(encoding, DateEncoding) else np.float64)


def written(g: Graph, encoding: Encoding, x: Tensor) -> list[Tensor]:
    """Write the features of a column, each (n, width)."""
    if isinstance(encoding, CategoryEncoding):
        return categories(g, encoding, x) if encoding.one_hot else []
    if isinstance(encoding, DateEncoding):
        missing = compare(g, "Equal", x, MISSING_MOMENT)
        made = moments(g, encoding, where(g, missing, encoding.fill, x))
    else:
        missing = g.node("IsNaN", [x], (), bool)
        made = [numbers(g, encoding, x, missing)]
    return [regroup(g, one, (1,)) for one in (*made, *([missing] if encoding.indicator else []))]


def numbers(g: Graph, encoding: NumberEncoding | BooleanEncoding, x: Tensor, missing: Tensor) -> Tensor:
    """Write a column of numbers, scaled, or of truth values, as they are."""
    if isinstance(encoding, BooleanEncoding):
        return where(g, missing, float(encoding.fill), x)
    scaled = divide(g, subtract(g, x, encoding.mean), encoding.scale)
    return where(g, missing, (encoding.fill - encoding.mean) / encoding.scale, scaled)


def categories(g: Graph, encoding: CategoryEncoding, x: Tensor) -> list[Tensor]:
    """Write the rows of zeros and ones that texts stand for."""
    if encoding.unseen == "error":
        raise ExportError(
            f"column {encoding.name!r} refuses categories that it does not know (unseen='error'), and a file of ONNX cannot: fit"
            " the table with unseen='ignore'"
        )
    known = {"": ABSENT} | {word: code for code, word in enumerate(encoding.categories)}
    code = g.node(
        "LabelEncoder", [x], (), np.int64,
        keys_strings=list(known), values_int64s=list(known.values()), default_int64=UNKNOWN,
    )  # fmt: skip
    rows = g.constant(encoding.rows(g.dtype), "rows")
    return [g.node("Gather", [rows, code], rows.shape[1:], axis=0)]


def moments(g: Graph, encoding: DateEncoding, x: Tensor) -> list[Tensor]:
    """Write the time since the mean moment, and sine and cosine of what repeats."""
    made = [divide(g, cast(g, subtract(g, x, encoding.mean), np.float64), encoding.scale)]
    for part in encoding.parts:
        angle = multiply(g, gone(g, x, part), 2 * pi)
        made += [unary(g, "Sin", angle), unary(g, "Sin", add(g, angle, pi / 2))]  # onnxruntime has no cosine in double precision
    return made


def gone(g: Graph, x: Tensor, part: Part) -> Tensor:
    """Write the part in [0, 1) that has gone of the year, the week from Monday on, or the day."""
    if part == "year":
        return gone_of_year(g, x)
    length = PERIODS[part]
    since = binary(g, "Mod", subtract(g, x, MONDAY) if part == "week" else x, length)
    return divide(g, cast(g, since, np.float64), float(length))


def gone_of_year(g: Graph, x: Tensor) -> Tensor:
    """Write the part that has gone of the year: an estimate of the year is mended where it is one too many or too few."""
    day = cast(g, binary(g, "Div", subtract(g, x, binary(g, "Mod", x, DAY)), DAY), np.float64)
    year = add(g, unary(g, "Floor", divide(g, day, 365.2425)), 1970.0)
    early = compare(g, "Less", day, first_day(g, year))
    late = compare(g, "GreaterOrEqual", day, first_day(g, add(g, year, 1.0)))
    year = subtract(g, add(g, year, cast(g, late, np.float64)), cast(g, early, np.float64))
    begin, end = first_day(g, year), first_day(g, add(g, year, 1.0))
    since = subtract(g, x, multiply(g, cast(g, begin, np.int64), DAY))
    return divide(g, cast(g, since, np.float64), multiply(g, subtract(g, end, begin), float(DAY)))


def first_day(g: Graph, year: Tensor) -> Tensor:
    """Write the days from 1970 to the beginning of a year of the Gregorian calendar, a whole number in double precision."""
    before = subtract(g, year, 1.0)
    leap = [unary(g, "Floor", divide(g, before, every)) for every in (4.0, 100.0, 400.0)]
    days = add(g, subtract(g, add(g, multiply(g, before, 365.0), leap[0]), leap[1]), leap[2])
    return subtract(g, days, 719162.0)  # from the first day of the year 1 to 1970


def decoded(g: Graph, target: NumberTarget, y: Tensor) -> Tensor:
    """Write predictions (n, 1) in the target's own unit, (n,) in double precision."""
    return add(g, multiply(g, cast(g, regroup(g, y, ()), np.float64), target.scale), target.mean)
