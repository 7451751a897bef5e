"""Telling texts apart: from which one a line is."""

from __future__ import annotations

import numpy as np

from funcnn.cli import inputs
from funcnn.cli.failure import RequestError
from funcnn.cli.folder import Run
from funcnn.cli.network import Facts
from funcnn.cli.options import PredictRequest
from funcnn.cli.problem import Problem, load_problem
from funcnn.cli.tasks import classify
from funcnn.cli.tasks.task import Outcome, Task, as_given
from funcnn.cli.terminal import more, plain
from funcnn.cli.text import lines_of, read_text, tokens_of

_MISTAKES = 5
_WIDTH = 60  # characters of a line that are shown


def report(run: Run, problem: Problem) -> Outcome:
    """Show the accuracy, the confusion matrix, and lines that are misread."""
    outcome, predicted = classify.tested(run, problem)
    facts, labels = problem.facts, problem.test.y
    wrong = np.flatnonzero(predicted != labels)
    if wrong.size:
        shown = wrong[:_MISTAKES]
        lines = lines_of(problem.test.x[shown], facts)
        more("", f"{len(shown)} of {wrong.size} misread:", "")
        for row, line in zip(shown, lines, strict=True):
            more(f"{facts.classes[labels[row]]} read as {facts.classes[predicted[row]]}: {plain(line[:_WIDTH])}")
    return outcome


def predict(run: Run, request: PredictRequest) -> None:
    """Print from which text lines are."""
    if request.input is None:
        problem = load_problem(run.settings, as_given)
        inputs.check_alike(run, problem.facts)
        said = f"the test set of the run, {problem.title}"
        classify.show_predictions(run, request, problem.test.x, problem.test.y, said)
        return
    lines = [line for line in map(str.strip, read_text(request.input, "--input").splitlines()) if line]
    if not lines:
        raise RequestError(f"--input {request.input}: it has no line that is not empty")
    tokens = tokens_of(lines, run.facts)
    unknown = np.flatnonzero(~tokens.any(1))
    if unknown.size:
        raise RequestError(
            f"--input {request.input}: no character of the line {lines[unknown[0]]!r:.60} occurred in what was learned from"
        )
    classify.show_predictions(run, request, tokens, None, f"lines of {request.input}")


def use(facts: Facts) -> str:
    """Return the lines of a script that tell lines apart."""
    return (
        f"letters = {facts.vocabulary!r}\n"
        f"rows = [[letters.find(letter) + 1 for letter in line.strip()[:{facts.features}]] for line in data if line.strip()]\n"
        f"tokens = np.array([row + [0] * ({facts.features} - len(row)) for row in rows])\n"
        "print(fn.apply(model, params, state, tokens).argmax(1))"
    )


CLASSIFY_TEXT = Task(classify.loss, {"accuracy": classify.accuracy}, report, predict, use, score=classify.score)
