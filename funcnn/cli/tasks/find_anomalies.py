"""Anomalies in a table: rows that an autoencoder, which has learned from usual ones, cannot redraw."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

import funcnn as fn
from funcnn.cli import folder, inputs
from funcnn.cli.folder import Run
from funcnn.cli.network import Facts
from funcnn.cli.options import PredictRequest
from funcnn.cli.problem import Problem
from funcnn.cli.tables import parting, predicting
from funcnn.cli.tasks.task import Outcome, Task
from funcnn.cli.terminal import more, section, style
from funcnn.losses.loss import Loss
from funcnn.typing import Array, BoolArray

_USUAL = 0.95  # of the watched rows are below the bound


def loss() -> Loss[Any, Any]:
    """Return the squared error of the features."""
    return fn.mean_squared_error()


def strangeness(run: Run, x: Array) -> Array:
    """Return the mean squared error (n,) with which rows are redrawn."""
    drawn: Array = fn.predict(run.model, run.params, run.state, x)
    errors: Array = np.square(drawn - x).mean(1)
    return errors


def unusual(problem: Problem, run: Run) -> BoolArray | None:
    """Return which rows of the test set a column says to be unusual; None where none says it, or all are alike."""
    asked = run.settings.table
    assert asked is not None
    assert problem.table is not None
    if not asked.target:
        return None
    usual = parting.usual_class(problem.table.train, asked.target)
    found: BoolArray = parting.is_unusual(problem.table.test, asked.target, usual)
    return found if 0 < found.sum() < len(found) else None


def score(run: Run, problem: Problem) -> dict[str, float]:
    """Return the error of redrawing beside that of the mean row, and how well unusual rows are told where it is known."""
    x: Array = problem.test.x
    found = {
        "error": float(strangeness(run, x).mean()),
        "baseline_error": float(np.square(x - problem.train.x.mean(0)).mean()),
    }
    true = unusual(problem, run)
    if true is not None:
        found["roc_auc"] = fn.metrics.roc_auc(strangeness(run, x), true)
        found["average_precision"] = fn.metrics.average_precision(strangeness(run, x), true)
        found["baseline_average_precision"] = float(true.mean())
    return found


def report(run: Run, problem: Problem) -> Outcome:
    """Show how well rows are redrawn, how many are beyond the bound, and how well that tells unusual rows."""
    found = score(run, problem)
    errors = strangeness(run, problem.test.x)
    bound = float(np.quantile(strangeness(run, problem.validation.x), _USUAL)) if problem.validation is not None else 0.0
    section(
        "Test",
        style(f"squared error of the features {found['error']:.4g}", "bold") + f" of {len(errors):,} rows",
        f"baseline: the mean row for all: {found['baseline_error']:.4g}",
        f"{inputs.rows(int((errors > bound).sum()))} beyond {bound:.4g}, where {1 - _USUAL:.0%} of usual ones are",
    )
    if "roc_auc" in found:
        more(
            f"unusual rows told from usual ones: area under the ROC curve {found['roc_auc']:.4f}, average precision"
            f" {found['average_precision']:.4f} (baseline: 0.5 and {found['baseline_average_precision']:.4f})"
        )
    results: dict[str, object] = {f"test_{name}": value for name, value in found.items()}
    return Outcome(results | {"bound": bound, "test_rows": len(errors)}, {})


def predict(run: Run, request: PredictRequest) -> None:
    """Print and write how strange rows are, and which are beyond the bound of the run."""
    rows = predicting.read_rows(run, request)
    errors, bound = strangeness(run, rows.x), bound_of(request.run)
    predicting.introduce(request, run, rows)
    body = [[str(row), f"{error:.6g}", "yes" if error > bound else "no"] for row, error in enumerate(errors)]
    predicting.show(rows, ["row", "error", "unusual"], body)
    more("", f"{inputs.rows(int((errors > bound).sum()))} of {len(errors):,} unusual: the error is beyond {bound:.4g}")
    predicting.finish(rows)


def bound_of(path: Path) -> float:
    """Return the bound that a run has found; infinite where its results are gone."""
    try:
        found = json.loads((path / folder.RESULTS).read_text(encoding="utf-8"))["bound"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return np.inf
    return float(found) if isinstance(found, float) and found == found else np.inf


def use(facts: Facts) -> str:
    """Return the line of a script that says how strange rows are."""
    return "print(((fn.apply(model, params, state, x) - x) ** 2).mean(1))"


FIND_ANOMALIES = Task(loss, {}, report, predict, use, score=score)
