"""What the report of a table says beside that of other data: how its columns were read, the lines of its rows, and the folds."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

from funcnn.cli import folder
from funcnn.cli.problem import Problem, TableParts
from funcnn.cli.report.page import Section, table, text
from funcnn.typing import Array, IntArray

_MOST_COLUMNS = 200


def places(problem: Problem, rows: IntArray) -> tuple[str, list[int]]:
    """Return where rows of the test set stand, and what that number is called: a line of the file, where there is one."""
    if problem.table is None or problem.table.test.lines is None:
        return "row", rows.tolist()
    return "line", problem.table.test.lines[rows].tolist()


def columns(problem: Problem) -> Section:
    """Return the section on how each column was taken."""
    if problem.table is None:
        return Section("Columns", ())
    transform = problem.table.transform
    rows: list[tuple[object, ...]] = [
        (one.name, one.kind, len(one.features), "missing values are filled and marked" if one.indicator else "")
        for one in transform.encodings
    ]
    rows += [(name, "left out", 0, why) for name, why in transform.left_out]
    about = text("How each column was taken; --categories and --leave-out say it otherwise.", "soft")
    return Section("Columns", (about, table([("column", "taken as", "features", ""), *rows[:_MOST_COLUMNS]], (2,))))


def folds(out: Path) -> Section:
    """Return the section on the cross-validation; one without parts where there was none."""
    path = out / folder.FOLDS
    if not path.is_file():
        return Section("Cross-validation", ())
    head, *rows = csv.reader(path.read_text(encoding="utf-8").splitlines())
    figures = [[first, *[f"{float(cell):.4g}" for cell in cells]] for first, *cells in rows]
    about = text("Trainings that were each tested on rows which they had not seen, before the training of this network.", "soft")
    head = [name.replace("_", " ") for name in head]
    return Section("Cross-validation", (about, table([head, *figures], range(1, len(head)))))


def redrawn_worst(problem: Problem, parts: TableParts, prediction: Array, count: int) -> list[Section]:
    """Return the section on the rows that an autoencoder redraws worst, with the column that is farthest off in each."""
    squares: Array = np.square(np.asarray(problem.test.y, np.float64) - prediction)
    encodings: tuple[Any, ...] = parts.transform.encodings  # Any: of four kinds, each with features
    ends = np.cumsum([len(one.features) for one in encodings])
    by_column = np.add.reduceat(squares, np.r_[0, ends[:-1]], axis=1)
    errors = squares.mean(1)
    worst = np.argsort(-errors, kind="stable")[:count]
    what, where = places(problem, worst)
    rows: list[list[object]] = [[what, "error", "farthest off", "share"]]
    for place, row in zip(where, worst.tolist(), strict=True):
        column = int(by_column[row].argmax())
        rows.append([place, f"{errors[row]:.4g}", encodings[column].name, f"{by_column[row, column] / by_column[row].sum():.0%}"])
    about = text("Of the test set, those that were redrawn worst: the mean squared error of their features.")
    return [Section("Most unusual rows", (about, table(rows, (0, 1, 3))))]
