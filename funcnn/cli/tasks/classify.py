"""Classification: to which class a row belongs."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np

import funcnn as fn
from funcnn.cli import inputs, pictures
from funcnn.cli.failure import RequestError
from funcnn.cli.folder import Run
from funcnn.cli.network import Facts
from funcnn.cli.options import PredictRequest
from funcnn.cli.picture_folder import read_pictures
from funcnn.cli.problem import Problem, load_problem
from funcnn.cli.tasks.task import Outcome, Task, as_given
from funcnn.cli.terminal import confusion, more, plain, section, style, table
from funcnn.cli.terminal import pictures as draw
from funcnn.files.atomic_write import write_text
from funcnn.losses.loss import Loss
from funcnn.typing import Array, IntArray

_MISTAKES = 5  # pictures of misread images that are shown
SHOWN = 10  # rows of a table of predictions


def loss() -> Loss[Array, IntArray]:
    """Return the cross-entropy of the classes."""
    return cast("Loss[Array, IntArray]", fn.softmax_cross_entropy())


def accuracy(prediction: Array, labels: IntArray) -> float:
    """Return the share of rows whose largest output is that of the label."""
    return float(np.mean(prediction.argmax(1) == labels))


def report(run: Run, problem: Problem) -> Outcome:
    """Show the accuracy, the confusion matrix, and images that are misread."""
    outcome, predicted = tested(run, problem)
    labels = problem.test.y
    wrong = np.flatnonzero(predicted != labels)
    shape, classes = problem.facts.picture, problem.facts.classes
    if len(shape) == 2 and wrong.size:
        shown = wrong[: fitting(shape)]
        captions = [f"{classes[labels[row]]} read as {classes[predicted[row]]}" for row in shown]
        more("", f"{len(shown)} of {wrong.size} misread:", "", *draw(problem.test.x[shown], shape, captions))
    return outcome


def fitting(shape: tuple[int, ...]) -> int:
    """Return how many images stand side by side in a terminal."""
    return min(_MISTAKES, max(1, 80 // max(16, shape[1] + 2)))


def tested(run: Run, problem: Problem) -> tuple[Outcome, IntArray]:
    """Test on all rows, print accuracy and confusion matrix, and return the classes that were predicted too."""
    test, facts = problem.test, problem.facts
    prediction: Array = fn.predict(run.model, run.params, run.state, test.x)
    predicted = cast(IntArray, prediction.argmax(1))
    counts = np.zeros((len(facts.classes),) * 2, np.int64)
    np.add.at(counts, (test.y, predicted), 1)
    right, rows = int(np.trace(counts)), len(test)
    section("Test", style(f"accuracy {right / rows:.4f}", "bold") + f" ({right:,} of {rows:,})")
    if len(facts.classes) <= 20:
        more("", *confusion(counts, facts.classes))
    drawings = {"confusion.svg": lambda: pictures.confusion(counts, facts.classes)}
    if run.settings.job.task == "classify" and facts.features == 2:
        drawings["plane.svg"] = lambda: pictures.plane(problem, run)
    results: dict[str, object] = {
        "test_accuracy": right / rows,
        "test_loss": float(loss().forward(prediction, test.y).value),
        "test_rows": rows,
        "confusion": counts.tolist(),
    }
    return Outcome(results, drawings, prediction), predicted


def score(run: Run, problem: Problem) -> dict[str, float]:
    """Return the figures of the test set, and the accuracy of the most frequent class of the training rows."""
    logits: Array = fn.predict(run.model, run.params, run.state, problem.test.x)
    labels: IntArray = problem.test.y
    frequent = int(np.bincount(problem.train.y).argmax())
    found = {
        "accuracy": fn.metrics.accuracy(logits, labels),
        "balanced_accuracy": fn.metrics.balanced_accuracy(logits, labels),
        "log_loss": fn.metrics.log_loss(softmax(logits), labels),
        "baseline_accuracy": float(np.mean(labels == frequent)),
    }
    if logits.shape[1] == 2 and len(np.unique(labels)) == 2:
        found["roc_auc"] = fn.metrics.roc_auc(logits[:, 1] - logits[:, 0], labels)
    return found


def use(facts: Facts) -> str:
    """Return the line of a script that predicts."""
    return "print(fn.apply(model, params, state, data.x[:10]).argmax(1), data.y[:10])"


def predict(run: Run, request: PredictRequest) -> None:
    """Print the classes of rows, and their accuracy where labels are known."""
    labels: IntArray | None = None
    names: list[str] = []
    x: Array
    if request.image is not None:
        x, names = read_pictures(request.image, run.facts, run.settings.dtype)
        said = str(request.image)
    elif request.input is None:
        problem = load_problem(run.settings, as_given)
        inputs.check_alike(run, problem.facts)
        x, labels, said = problem.test.x, problem.test.y, f"the test set of the run, {problem.title}"
    else:
        x, said = inputs.read_rows(request.input, run), str(request.input)
    show_predictions(run, request, x, labels, said, names)


def show_predictions(
    run: Run, request: PredictRequest, x: Array | IntArray, labels: IntArray | None, said: str, names: Sequence[str] = ()
) -> None:
    """Print what a network says of inputs, which may be files with names, and write it where that is asked for."""
    probabilities = softmax(fn.predict(run.model, run.params, run.state, x))
    if request.output is not None:  # before anything is printed: a wrong path is an error, not the end of a page
        _write(request.output, run, probabilities, labels, names)
    inputs.introduce(request.run, run)
    section("Input", f"{inputs.rows(len(x), 'picture' if names else 'row')}: {said}")
    section("Prediction", *_table(run, probabilities, labels, names))
    if len(x) > SHOWN:
        more(f"... and {len(x) - SHOWN:,} rows more" + ("" if request.output else "; --output FILE writes all of them"))
    if labels is not None:
        right = int((probabilities.argmax(1) == labels).sum())
        section("Test", style(f"accuracy {right / len(x):.4f}", "bold") + f" ({right:,} of {len(x):,})")
    if request.output is not None:
        section("Written", str(request.output))


def softmax(logits: Array) -> Array:
    """Return the probabilities of the classes."""
    powers = np.exp(logits - logits.max(1, keepdims=True))
    shares: Array = powers / powers.sum(1, keepdims=True)
    return shares


def _table(run: Run, probabilities: Array, labels: IntArray | None, names: Sequence[str]) -> list[str]:
    classes = run.facts.classes
    rows = [["picture" if names else "row", "class", "probability", *(["true"] if labels is not None else [])]]
    for index, shares in enumerate(probabilities[:SHOWN]):
        best = int(shares.argmax())
        true = [] if labels is None else [classes[labels[index]] + ("" if labels[index] == best else "  <- wrong")]
        rows.append([plain(names[index]) if names else str(index), classes[best], f"{shares[best]:.4f}", *true])
    head, *body = table(rows, right=(2,) if names else (0, 2))
    return [style(head, "dim"), *body]


def _write(path: Path, run: Run, probabilities: Array, labels: IntArray | None, names: Sequence[str]) -> None:
    classes = run.facts.classes
    first = "picture" if names else "row"
    rows: list[list[object]] = [[first, "class", *(["true"] if labels is not None else []), *(f"p({name})" for name in classes)]]
    for index, shares in enumerate(probabilities):
        true = [] if labels is None else [classes[labels[index]]]
        rows.append([names[index] if names else index, classes[shares.argmax()], *true, *(f"{share:.6g}" for share in shares)])
    write_csv(path, rows)


def write_csv(path: Path, rows: list[list[object]]) -> None:
    """Write a table.

    Raises
    ------
    RequestError
        When the file cannot be written.
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    write(path, text.getvalue())


def write(path: Path, text: str) -> None:
    """Write the file that was asked for with --output.

    Raises
    ------
    RequestError
        When it cannot be written.
    """
    try:
        write_text(path, text)
    except OSError as error:
        raise RequestError(f"--output {path}: cannot write there: {error.strerror or error}") from None


CLASSIFY = Task(loss, {"accuracy": accuracy}, report, predict, use, score=score)
