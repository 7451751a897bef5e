"""Predictions for the rows of a file: read as the training rows were, in columns of any order, and written as CSV."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
from attrs import frozen

import funcnn as fn
from funcnn.cli import folder, inputs
from funcnn.cli.failure import RequestError
from funcnn.cli.folder import Run
from funcnn.cli.network import Facts
from funcnn.cli.options import PredictRequest
from funcnn.cli.table_settings import TableSettings
from funcnn.cli.tables.parting import pose_table
from funcnn.cli.tasks.classify import SHOWN, write
from funcnn.cli.terminal import more, plain, section, style, table
from funcnn.data import Table, TableTransform
from funcnn.typing import Array


@frozen(eq=False)
class Rows:
    """What is to be predicted for."""

    transform: TableTransform
    table: Table
    x: Array
    said: str
    output: Path | None
    """Where the predictions are written."""


def read_rows(run: Run, request: PredictRequest) -> Rows:
    """Return the rows of a request: those of a file, or the test set of the run.

    Raises
    ------
    RequestError
        When the file cannot be read, lacks columns, or holds what cannot be transformed; with file, line and column.
    """
    transform = load_transform(run.facts, request.run)
    path = request.image or request.input
    if path is None:
        _, problem = pose_table(run.settings)
        inputs.check_alike(run, problem.facts)
        assert problem.table is not None
        rows, said, output = problem.table.test, f"the test set of the run, {problem.title}", request.output
    else:
        try:
            asked = run.settings.table or TableSettings()
            rows = fn.data.read_table(path, like=transform, missing=asked.missing, **(asked.dialect | request.dialect))
        except (OSError, ValueError, ImportError) as error:
            raise RequestError(str(error)) from None
        said = str(path)
        output = request.output or request.run / f"{folder.PREDICTIONS}{path.name.split('.')[0]}.csv"
    try:
        x = transform.transform(rows, dtype=run.settings.dtype)
    except (ValueError, TypeError) as error:
        raise RequestError(str(error)) from None
    return Rows(transform, rows, x, said, output)


def load_transform(facts: Facts, path: Path) -> TableTransform:
    """Return the transform of a run on a table.

    Raises
    ------
    RequestError
        When it is missing, damaged, or not the one of the network.
    """
    try:
        transform = fn.data.load_table_transform(path / folder.TRANSFORM)
    except (OSError, ValueError) as error:
        raise RequestError(str(error)) from None
    if len(transform.features) != facts.features or len(transform.classes) != len(facts.classes):
        raise RequestError(f"{path / folder.TRANSFORM} is not the one of the run: it gives {len(transform.features)} features")
    return transform


def introduce(request: PredictRequest, run: Run, rows: Rows) -> None:
    """Print which run is used on which rows, and which columns are left aside."""
    inputs.introduce(request.run, run)
    section("Input", f"{inputs.rows(len(rows.table))}: {rows.said}")
    for name, words in rows.transform.unseen(rows.table).items():
        some = f"{', '.join(words[:5])}{f' and {len(words) - 5} others' * (len(words) > 5)}"
        more(style(f"not among the known categories of {name}, so none of them: {plain(some)}", "yellow"))
    target = rows.transform.target
    if target is not None and target.name in rows.table.columns and not is_known(rows, target.name):
        unknown = int(np.sum(rows.table.columns[target.name].missing))
        more(style(f"not compared with {plain(target.name)}, which is missing in {inputs.rows(unknown)}", "yellow"))
    aside = rows.transform.surplus(rows.table)
    if aside:
        more(style(f"left aside, since the training data had no such columns: {plain(', '.join(aside))}", "yellow"))


def show(rows: Rows, head: list[str], body: list[list[str]]) -> None:
    """Write the predictions, and print the first of them."""
    if rows.output is not None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([head, *body])
        write(rows.output, text.getvalue())
    first, *lines = table([head, *body[:SHOWN]], right=range(len(head)))
    section("Prediction", style(first, "dim"), *lines)
    if len(body) > SHOWN:
        more(f"... and {len(body) - SHOWN:,} rows more" + ("" if rows.output else "; --output FILE writes all of them"))


def finish(rows: Rows) -> None:
    """Print where the predictions are."""
    if rows.output is not None:
        section("Written", str(rows.output))


def is_known(rows: Rows, target: str) -> bool:
    """Tell whether the rows say themselves what is to be predicted."""
    return target in rows.table.columns and not bool(np.any(rows.table.columns[target].missing))
