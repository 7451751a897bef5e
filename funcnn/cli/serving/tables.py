"""A run on a table behind a port: columns by name, as JSON has them, and predictions in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

import funcnn as fn
from funcnn.cli.folder import Run
from funcnn.cli.table_settings import TableSettings
from funcnn.cli.tables.predicting import load_transform
from funcnn.cli.tasks.classify import softmax
from funcnn.cli.terminal import plain
from funcnn.data import TableTransform
from funcnn.data.tables.encodings import BooleanEncoding, CategoryEncoding, DateEncoding
from funcnn.deploy.server.limits import HTTPError, Limits
from funcnn.deploy.server.strict_json import check_names, told
from funcnn.errors import shorten
from funcnn.typing import Array


def maker(run: Run, path: Path) -> tuple[str, Callable[[Run, Limits, dict[str, object]], dict[str, object]], dict[str, object]]:
    """Return where a run on a table is asked, what answers, and an example of a request."""
    transform = load_transform(run.facts, path)

    def answer(run: Run, limits: Limits, given: dict[str, object]) -> dict[str, object]:
        return predict(run, transform, limits, given)

    return "/predict", answer, {"columns": one_row(transform)}


def about(asked: TableSettings) -> str:
    """Return what was learned from a table, in words."""
    if asked.task == "anomalies":
        return "tells unusual rows of a table"
    return f"{asked.task} on a table: predicts the column {plain(asked.target)} from the others"


def one_row(transform: TableTransform) -> dict[str, list[object]]:
    """Return the columns of one row that could be."""
    row: dict[str, list[object]] = {}
    for one in transform.encodings:
        if isinstance(one, CategoryEncoding):
            row[one.name] = [one.categories[0]]
        elif isinstance(one, DateEncoding):
            row[one.name] = [str(np.datetime64(one.fill, "us").astype("datetime64[D]"))]
        else:
            row[one.name] = [one.fill if isinstance(one, BooleanEncoding) else float(f"{one.fill:.4g}")]
    return row


def predict(run: Run, transform: TableTransform, limits: Limits, given: dict[str, object]) -> dict[str, object]:
    """Answer what a network says of the rows of a table."""
    check_names(given, ("columns",))
    columns = checked(given["columns"], limits)
    try:
        x = transform.transform(columns, dtype=run.settings.dtype)
    except (ValueError, TypeError) as error:
        raise HTTPError(422, shorten(str(error), 300)) from None
    said: Array = fn.predict(run.model, run.params, run.state, x)
    if run.settings.job.task == "find_anomalies":
        return {"errors": finite(np.square(said.astype(np.float64) - x).mean(1))}
    if run.settings.job.task == "regress_table":
        return {"predictions": finite(np.asarray(transform.decode(said), np.float64))}
    shares = softmax(said)
    names = [run.facts.classes[best] for best in shares.argmax(1).tolist()]
    return {"classes": names, "probabilities": [finite(row) for row in shares]}


def checked(columns: object, limits: Limits) -> Mapping[str, list[object]]:
    """Return the columns of a request, or raise an HTTPError when they are no lists of texts, numbers and truth values."""
    if not isinstance(columns, dict) or not columns:
        raise HTTPError(422, f"columns is {told(columns)}, expected an object with a list for each column")
    for name, values in columns.items():
        where = f"columns[{shorten(repr(name), 60)}]"
        if not isinstance(values, list) or not values:
            raise HTTPError(422, f"{where} is {told(values)}, expected a list of values")
        if len(values) > limits.rows:
            raise HTTPError(413, f"{where} has {len(values)} rows, at most {limits.rows} are taken at a time")
        if not all(value is None or isinstance(value, (str, bool, float)) or is_moderate(value) for value in values):
            raise HTTPError(422, f"{where} holds something else than texts, numbers, true, false and null")
    return columns


def is_moderate(value: object) -> bool:
    """Tell whether a value is a whole number that is exact in double precision."""
    return isinstance(value, int) and abs(value) <= 2**53


def finite(numbers: Array) -> list[float]:
    """Return numbers as JSON can say them, or raise an HTTPError where one is not finite."""
    if not np.isfinite(numbers).all():
        raise HTTPError(422, "the network gives numbers that are not finite for these rows")
    return [float(str(one)) for one in numbers]
