"""Comparison: do two rows belong to the same class?  Pairs of one class get codes close together, others far apart."""

from __future__ import annotations

from typing import Any

import numpy as np

import funcnn as fn
from funcnn.cli import inputs
from funcnn.cli.failure import RequestError
from funcnn.cli.folder import Run
from funcnn.cli.network import Facts
from funcnn.cli.options import PredictRequest
from funcnn.cli.problem import Examples, Labelled, Problem, load_problem
from funcnn.cli.settings import Settings
from funcnn.cli.tasks.classify import SHOWN, fitting, write_csv
from funcnn.cli.tasks.task import Outcome, Task
from funcnn.cli.terminal import more, section, style, table
from funcnn.cli.terminal import pictures as draw
from funcnn.key import Key
from funcnn.losses.loss import Loss
from funcnn.typing import Array, BoolArray

MARGIN = 1.0  # how far apart codes of unlike classes should be: nearer than half of it is taken for alike


def loss() -> Loss[Any, Any]:
    """Return the contrastive loss."""
    return fn.contrastive(MARGIN)


def pairs(settings: Settings, facts: Facts, rows: Labelled, key: Key) -> Examples:
    """Return each row with another one, about half of them of the same class; the target is 1 for those."""
    draw = key.generator()
    order = np.argsort(rows.y, kind="stable")
    begins = np.searchsorted(rows.y[order], np.arange(len(facts.classes) + 1))
    counts = np.diff(begins)[rows.y]
    if (counts == len(rows)).any():
        raise RequestError(f"--data {settings.data}: all rows are of one class; {settings.model} compares two or more")
    alike = draw.random(len(rows)) < 0.5
    place = draw.random(len(rows))  # among the rows of the class, or among all that follow it, round the end
    start, end = begins[rows.y], begins[rows.y + 1]
    same = start + (place * counts).astype(int)
    other = (end + (place * (len(rows) - counts)).astype(int)) % len(rows)
    partner = order[np.where(alike, same, other)]
    return Examples((rows.x, rows.x[partner]), alike.astype(rows.x.dtype))


def distances(run: Run, x: tuple[Array, Array]) -> Array:
    """Return how far apart the codes of pairs are."""
    first, second = fn.predict(run.model, run.params, run.state, x)
    apart: Array = np.sqrt(((first - second) ** 2).sum(1))
    return apart


def accuracy(prediction: tuple[Array, Array], alike: Array) -> float:
    """Return the share of pairs that are on the right side of half the margin."""
    apart = ((prediction[0] - prediction[1]) ** 2).sum(1)
    return float(np.mean((apart < MARGIN**2 / 4) == (alike > 0.5)))


def score(run: Run, problem: Problem) -> dict[str, float]:
    """Return the share of pairs that are told right, and how well distances tell them."""
    apart, alike = distances(run, problem.test.x), problem.test.y > 0.5
    found = {
        "accuracy": float(np.mean((apart < MARGIN / 2) == alike)),
        "baseline_accuracy": float(max(alike.mean(), 1 - alike.mean())),
    }
    return found | ({"roc_auc": fn.metrics.roc_auc(-apart, alike)} if 0 < alike.sum() < len(alike) else {})


def report(run: Run, problem: Problem) -> Outcome:
    """Show how many pairs are told right, how far apart their codes are, and pairs that are misjudged."""
    apart, alike = distances(run, problem.test.x), problem.test.y > 0.5
    right: BoolArray = (apart < MARGIN / 2) == alike
    area = fn.metrics.roc_auc(-apart, alike) if 0 < alike.sum() < len(alike) else 1.0
    section("Test", style(f"accuracy {right.mean():.4f}", "bold") + f" ({right.sum():,} of {len(right):,} pairs)")
    said = [f"{what}: {apart[which].mean():.3f}" for what, which in (("alike", alike), ("unlike", ~alike)) if which.any()]
    more(f"mean distance of pairs {', '.join(said)}; area under the ROC curve {area:.4f}")
    shape, wrong = problem.facts.picture, np.flatnonzero(~right)
    if len(shape) == 2 and wrong.size:
        shown = wrong[: fitting(shape)]
        captions = [f"{'unlike' if alike[row] else 'alike'}: {apart[row]:.2f}" for row in shown]
        more("", f"{len(shown)} of {wrong.size} pairs misjudged, one image above the other:", "")
        more(*draw(problem.test.x[0][shown], shape, [""] * len(shown)), *draw(problem.test.x[1][shown], shape, captions))
    return Outcome({"test_accuracy": float(right.mean()), "test_roc_auc": area, "test_rows": len(right)}, {})


def predict(run: Run, request: PredictRequest) -> None:
    """Print the distances of the test set's pairs, or the codes of the rows of a file."""
    if request.input is None:
        problem = load_problem(run.settings, pairs)
        inputs.check_alike(run, problem.facts)
        apart, alike = distances(run, problem.test.x), problem.test.y > 0.5
        rows: list[list[object]] = [["pair", "distance", "said", "true"]]
        names = {True: "alike", False: "unlike"}
        rows += [
            [pair, f"{far:.6g}", names[bool(far < MARGIN / 2)], names[bool(same)]]
            for pair, (far, same) in enumerate(zip(apart, alike, strict=True))
        ]
        said, count = f"the test set of the run in pairs, {problem.title}", len(apart)
    else:
        x = inputs.read_rows(request.input, run)
        codes, _ = fn.predict(run.model, run.params, run.state, (x, x))
        rows = [["row", *(f"code {place}" for place in range(codes.shape[1]))]]
        rows += [[row, *(f"{value:.6g}" for value in code)] for row, code in enumerate(codes)]
        said, count = str(request.input), len(x)
    if request.output is not None:
        write_csv(request.output, rows)
    inputs.introduce(request.run, run)
    section("Input", f"{inputs.rows(count)}: {said}")
    head, *body = table([[str(cell) for cell in row] for row in rows[: SHOWN + 1]], right=(0,))
    section("Prediction", style(head, "dim"), *body)
    if count > SHOWN:
        more(f"... and {count - SHOWN:,} more" + ("" if request.output else "; --output FILE writes all of them"))
    if request.output is not None:
        section("Written", str(request.output))


def use(facts: Facts) -> str:
    """Return the line of a script that compares."""
    return "print(fn.apply(model, params, state, (data.x[:2], data.x[2:4])), data.y[:4])"


COMPARE = Task(loss, {"accuracy": accuracy}, report, predict, use, pairs, score=score)
