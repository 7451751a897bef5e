"""Regression on a table: a column of numbers, predicted from the others."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

import funcnn as fn
from funcnn.cli.folder import Run
from funcnn.cli.network import Facts
from funcnn.cli.options import PredictRequest
from funcnn.cli.problem import Problem
from funcnn.cli.tables import predicting
from funcnn.cli.tasks.task import Outcome, Task
from funcnn.cli.terminal import more, section, style
from funcnn.data import TableTransform
from funcnn.losses.loss import Loss
from funcnn.typing import Array


def loss() -> Loss[Any, Any]:
    """Return the squared error of the scaled target."""
    return fn.mean_squared_error()


def said_of(run: Run, transform: TableTransform, x: Array) -> Array:
    """Return predictions (n,) in the target's own unit."""
    return cast(Array, transform.decode(fn.predict(run.model, run.params, run.state, x)))


def score(run: Run, problem: Problem) -> dict[str, float]:
    """Return the figures of the test set, in the target's own unit, and those of the mean of the training rows."""
    assert problem.table is not None
    transform = problem.table.transform
    true = cast(Array, transform.decode(problem.test.y))
    said = said_of(run, transform, problem.test.x)
    mean = np.full_like(true, cast(Array, transform.decode(problem.train.y)).mean())
    return {
        "rmse": fn.metrics.root_mean_squared_error(said[:, None], true[:, None]),
        "mae": fn.metrics.mean_absolute_error(said[:, None], true[:, None]),
        "r2": fn.metrics.r2(said[:, None], true[:, None]),
        "baseline_rmse": fn.metrics.root_mean_squared_error(mean[:, None], true[:, None]),
        "baseline_mae": fn.metrics.mean_absolute_error(mean[:, None], true[:, None]),
    }


def report(run: Run, problem: Problem) -> Outcome:
    """Show the errors beside those of the mean."""
    assert problem.table is not None
    transform, found = problem.table.transform, score(run, problem)
    section(
        "Test",
        style(f"root mean squared error {found['rmse']:.4g}", "bold") + f" of {len(problem.test):,} rows (mean absolute error"
        f" {found['mae']:.4g}, R2 {found['r2']:.4f})",
        f"baseline: the mean of the training rows for all: {found['baseline_rmse']:.4g} (mean absolute error"
        f" {found['baseline_mae']:.4g})",
    )
    true = cast(Array, transform.decode(problem.test.y))
    said = said_of(run, transform, problem.test.x)
    name = transform.target.name if transform.target is not None else ""
    results: dict[str, object] = {f"test_{figure}": value for figure, value in found.items()}
    return Outcome(results | {"test_rows": len(true)}, {"residuals.svg": lambda: fn.plots.residuals(said, true, name=name)})


def predict(run: Run, request: PredictRequest) -> None:
    """Print and write the predictions for rows, and their errors where the truth is known."""
    rows = predicting.read_rows(run, request)
    transform = rows.transform
    assert transform.target is not None
    said = said_of(run, transform, rows.x)
    predicting.introduce(request, run, rows)
    name = transform.target.name
    head, body = ["row", f"predicted {name}"], [[str(row), f"{value:.6g}"] for row, value in enumerate(said)]
    known = predicting.is_known(rows, name)
    true = cast(Array, transform.decode(transform.targets(rows.table))) if known else said
    if known:
        head = [*head, name]
        body = [[*line, f"{value:.6g}"] for line, value in zip(body, true, strict=True)]
    predicting.show(rows, head, body)
    if known:
        error = fn.metrics.root_mean_squared_error(said[:, None], true[:, None])
        section("Test", style(f"root mean squared error {error:.4g}", "bold") + f" of {len(true):,} rows")
        more(f"mean absolute error {fn.metrics.mean_absolute_error(said[:, None], true[:, None]):.4g}")
    predicting.finish(rows)


def use(facts: Facts) -> str:
    """Return the line of a script that predicts."""
    return "print(transform.decode(fn.apply(model, params, state, x)))"


REGRESS_TABLE = Task(loss, {"r2": fn.metrics.r2}, report, predict, use, score=score)
