"""What is worth knowing of predictions: the worst of them, how far probabilities can be trusted, and which features matter."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, cast

import numpy as np

import funcnn as fn
from funcnn.cli import pictures
from funcnn.cli.folder import Run
from funcnn.cli.problem import Problem
from funcnn.cli.report.of_tables import places, redrawn_worst
from funcnn.cli.report.page import Section, picture, table, text, written
from funcnn.key import Key
from funcnn.plots.figure import as_svg
from funcnn.typing import Array, IntArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WORST = 10
_MOST_FEATURES = 64  # of which the importance is measured: each takes a prediction of all rows
_MOST_ROWS = 2000


def judged(run: Run, problem: Problem, known: Array | None = None) -> list[Section]:
    """Return the sections on the predictions for the test set, which are made where they are not known."""
    y = problem.test.y
    parts = problem.table
    prediction: Any = fn.predict(run.model, run.params, run.state, problem.test.x) if known is None else known
    if not isinstance(prediction, np.ndarray) or not isinstance(y, np.ndarray):
        return []
    if parts is not None and run.settings.job.task == "find_anomalies":
        return redrawn_worst(problem, parts, prediction, _WORST)
    if problem.facts.classes and y.ndim == 1 and prediction.ndim == 2 and y.dtype.kind in "iu":
        return _of_classes(run, problem, prediction, y)
    if prediction.shape == y.shape and prediction.size == len(prediction) and y.dtype.kind == "f":
        return _of_numbers(run, problem, prediction, y)
    return []


def _of_classes(run: Run, problem: Problem, logits: Array, labels: IntArray) -> list[Section]:
    classes = problem.facts.classes
    powers = np.exp(logits.astype(float) - logits.max(1, keepdims=True))
    chances: Array = powers / powers.sum(1, keepdims=True)
    own = chances[np.arange(len(labels)), labels]
    worst = np.argsort(own, kind="stable")[:_WORST]
    what, where = places(problem, worst)
    rows: list[list[object]] = [[what, "true", "predicted", "probability of the true class"]]
    rows += [
        [place, classes[labels[row]], classes[chances[row].argmax()], f"{own[row]:.2g}"]
        for place, row in zip(where, worst.tolist(), strict=True)
    ]
    parts = [text("Of the test set, those whose true class was given the least probability."), table(rows, (0, 3))]
    shape = problem.facts.picture
    if len(shape) in (2, 3) and drawable():
        parts.append(drawn(lambda: pictures.images([problem.test.x[worst]], shape), "The same images, from the left"))
    report = str(fn.metrics.classification_report(chances, labels, names=classes)) if len(classes) <= 100 else ""
    made = [Section("Worst examples", tuple(parts))]
    if report:
        made.insert(0, Section("Classes", (written(report),)))
    if drawable():
        made.append(
            Section("Calibration", (drawn(lambda: fn.plots.calibration(chances, labels), "How often answers were right"),))
        )
        if len(classes) <= 12 and len(np.unique(labels)) > 1:
            about = "One class against the others, as the threshold falls"
            made.append(Section("Thresholds", (drawn(lambda: fn.plots.roc(chances, labels, classes=classes), about),)))
    return [*made, *_importance(run, problem, fn.metrics.accuracy, "accuracy")]


def _of_numbers(run: Run, problem: Problem, prediction: Array, target: Array) -> list[Section]:
    if problem.table is not None:  # in the target's own unit
        transform = problem.table.transform
        prediction, target = (cast(Array, transform.decode(one)) for one in (prediction, target))
    error = (target - prediction).ravel().astype(float)
    worst = np.argsort(-np.abs(error), kind="stable")[:_WORST]
    what, where = places(problem, worst)
    rows: list[list[object]] = [[what, "true", "predicted", "difference"]]
    true, said = target.ravel(), prediction.ravel()
    rows += [
        [place, f"{true[row]:.6g}", f"{said[row]:.6g}", f"{error[row]:.3g}"]
        for place, row in zip(where, worst.tolist(), strict=True)
    ]
    made = [
        Section("Worst examples", (text("Of the test set, those that are farthest off."), table(rows, (0, 1, 2, 3)))),
    ]
    if drawable():
        made.insert(
            0, Section("Residuals", (drawn(lambda: fn.plots.residuals(prediction, target), "Predicted and true numbers"),))
        )
    return [*made, *_importance(run, problem, fn.metrics.r2, "R²")]


def _importance(run: Run, problem: Problem, metric: Callable[[Any, Any], float], name: str) -> list[Section]:
    """Return how much the features matter, where they are few and no points of a picture."""
    x = problem.test.x
    if not isinstance(x, np.ndarray) or x.dtype.kind != "f" or x.ndim != 2 or problem.facts.picture:
        return []
    names, groups = _columns(problem, x.shape[1])
    if not 2 <= len(names) <= _MOST_FEATURES:
        return []
    rows = slice(None, _MOST_ROWS)
    key = Key(run.settings.seed)
    found = fn.permutation_importance(
        run.model, run.params, run.state, x[rows], problem.test.y[rows], metric, key=key, groups=groups
    )
    order = np.argsort(-found.mean, kind="stable")
    lines: list[list[object]] = [["feature", f"{name} lost", "±"]]
    lines += [[names[place], f"{found.mean[place]:.4f}", f"{found.std[place]:.4f}"] for place in order]
    about = (
        f"By how much the {name} on the test set ({found.score:.4f}) falls when a feature is shuffled among the rows, in the mean"
        " of five shuffles. What another feature repeats matters little here."
    )
    return [Section("Importance of features", (text(about), table(lines, (1, 2))))]


def _columns(problem: Problem, count: int) -> tuple[tuple[str, ...], list[list[int]]]:
    """Return the names of what can be shuffled, and the features that each is: of a table its columns."""
    if problem.table is not None:
        encodings = problem.table.transform.encodings
        ends = np.cumsum([len(one.features) for one in encodings]).tolist()
        groups = [list(range(end - len(one.features), end)) for one, end in zip(encodings, ends, strict=True)]
        return problem.table.transform.names, groups
    names = problem.axes if len(problem.axes) == count else tuple(f"feature {number}" for number in range(count))
    return names, [[number] for number in range(count)]


def drawable() -> bool:
    """Tell whether pictures can be drawn."""
    return find_spec("matplotlib") is not None


def drawn(draw: Callable[[], Figure], about: str) -> str:
    """Return a picture of matplotlib as part of a page."""
    return picture(as_svg(draw()), about)
