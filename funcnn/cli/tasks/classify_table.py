"""Classification on a table: a column of classes, predicted from the others."""

from __future__ import annotations

from typing import cast

import numpy as np

import funcnn as fn
from funcnn.cli.failure import RequestError
from funcnn.cli.folder import Run
from funcnn.cli.network import Facts
from funcnn.cli.options import PredictRequest
from funcnn.cli.problem import Problem
from funcnn.cli.tables import predicting
from funcnn.cli.tasks import classify
from funcnn.cli.tasks.task import Outcome, Task
from funcnn.cli.terminal import more, section, style
from funcnn.typing import IntArray


def report(run: Run, problem: Problem) -> Outcome:
    """Show the accuracy beside that of the most frequent class, and the confusion matrix."""
    outcome, _ = classify.tested(run, problem)
    found = classify.score(run, problem)
    frequent = problem.facts.classes[int(np.bincount(problem.train.y).argmax())]
    area = f", area under the ROC curve {found['roc_auc']:.4f}" if "roc_auc" in found else ""
    more(
        "",
        f"baseline: {frequent} for all: {found['baseline_accuracy']:.4f}",
        f"balanced accuracy {found['balanced_accuracy']:.4f}, log-loss {found['log_loss']:.4f}{area}",
    )
    figures: dict[str, object] = {f"test_{name}": value for name, value in found.items()}
    return Outcome(outcome.results | figures, outcome.drawings)


def predict(run: Run, request: PredictRequest) -> None:
    """Print and write the classes of rows with their probabilities, and the accuracy where the truth is known."""
    rows = predicting.read_rows(run, request)
    transform, classes = rows.transform, run.facts.classes
    assert transform.target is not None
    shares = classify.softmax(fn.predict(run.model, run.params, run.state, rows.x))
    best = cast(IntArray, shares.argmax(1))
    predicting.introduce(request, run, rows)
    name = transform.target.name
    head = ["row", f"predicted {name}", *(f"p({one})" for one in classes)]
    body = [
        [str(row), classes[label], *(f"{share:.4f}" for share in line)]
        for row, (label, line) in enumerate(zip(best.tolist(), shares.tolist(), strict=True))
    ]
    labels: IntArray | None = None
    if predicting.is_known(rows, name):
        try:
            labels = cast(IntArray, transform.targets(rows.table))
        except ValueError as error:
            raise RequestError(f"{error}, or take the column out") from None
        head = [*head, name]
        body = [[*line, classes[label]] for line, label in zip(body, labels.tolist(), strict=True)]
    predicting.show(rows, head, body)
    if labels is not None:
        right = int((best == labels).sum())
        section("Test", style(f"accuracy {right / len(best):.4f}", "bold") + f" ({right:,} of {len(best):,})")
    predicting.finish(rows)


def use(facts: Facts) -> str:
    """Return the line of a script that predicts."""
    return "print(transform.decode(fn.apply(model, params, state, x)))"


CLASSIFY_TABLE = Task(classify.loss, {"accuracy": classify.accuracy}, report, predict, use, score=classify.score)
