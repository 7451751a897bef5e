"""Cross-validation of a run: K trainings, each tested on rows that it has not seen.

The figures of each fold are kept as soon as they are known, so that an interrupted one goes on with the fold that it was in.
"""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
from attrs import evolve

import funcnn as fn
from funcnn.cli import folder, network
from funcnn.cli.failure import RequestError
from funcnn.cli.folder import Run
from funcnn.cli.folds.dealing import folds_of
from funcnn.cli.learning import TrainingTask, train_in_epochs
from funcnn.cli.problem import Problem
from funcnn.cli.terminal import command, complain, more, section
from funcnn.errors import shorten
from funcnn.files.atomic_write import write_text
from funcnn.train.fingerprint import fingerprint


def cross_validate(training: TrainingTask, out: Path) -> None:
    """Train and test on each fold, print the figures with their means and standard deviations, and write them.

    Folds whose figures the folder holds already are not trained again.

    Raises
    ------
    RequestError
        When a class has too few rows for so many folds, or the folder holds the figures of other data.
    KeyboardInterrupt
        When training is interrupted.
    """
    settings, problem, key = training.settings, training.problem, fn.Key(training.settings.seed).child(5)
    section("Folds", f"{settings.folds} trainings, each tested on rows that it has not seen")
    identity = fingerprint(content_of(problem))
    scores = _read(out / folder.FOLDS_DONE, identity)
    try:
        for number, fold in enumerate(folds_of(settings, problem, key)):
            if number < len(scores):
                more(f"fold {number + 1:2d}  {_said(scores[number])}")
                continue
            _keep(out / folder.FOLDS_DONE, identity, scores)
            scores.append(_score(training, fold(), key.child(2).child(number)))
            more(f"fold {number + 1:2d}  {_said(scores[-1])}")
    except (ValueError, TypeError) as error:
        raise RequestError(f"--cv {settings.folds}: {error}") from None
    except KeyboardInterrupt:
        section("Go on", command("--resume", out))
        raise
    _keep(out / folder.FOLDS_DONE, identity, scores)
    _write(out / folder.FOLDS, scores)


def content_of(problem: Problem) -> object:
    """Return all rows that folds are dealt of."""
    if problem.table is not None:
        return problem.table.table.columns
    return None if problem.rows is None else problem.rows.content


def _said(score: dict[str, float]) -> str:
    return "  ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in score.items())


def _keep(path: Path, identity: str, scores: list[dict[str, float]]) -> None:
    """Write the figures of the folds that are finished, which JSON holds to the last bit."""
    write_text(path, json.dumps({"data": identity, "folds": scores}, indent=2) + "\n")


def _read(path: Path, identity: str) -> list[dict[str, float]]:
    """Return the figures of the folds that were finished before; none where there is no file of them."""
    if not path.is_file():
        return []
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        data = kept["data"]
        scores = [{str(name): float(value) for name, value in one.items()} for one in kept["folds"]]
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:  # anybody's JSON
        raise RequestError(f"{path} does not hold the figures of folds ({shorten(repr(error))}): take it away") from None
    if data != identity:
        raise RequestError(f"{path} holds the figures of other data than those of the run")
    return scores


def _write(path: Path, scores: list[dict[str, float]]) -> None:
    """Print and write the figures of all folds, with means and standard deviations."""
    names = [name for name in scores[0] if all(name in one for one in scores)]
    table = np.array([[one[name] for name in names] for one in scores])
    mean, deviation = table.mean(0), table.std(0, ddof=1)
    for name, middle, apart in zip(names, mean, deviation, strict=True):
        more(f"{name.replace('_', ' ')}: {middle:.4g}, standard deviation over the folds {apart:.2g}")
    lines = [*enumerate(table.tolist(), start=1), ("mean", mean.tolist()), ("deviation", deviation.tolist())]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([["fold", *names], *([first, *values] for first, values in lines)])
    write_text(path, text.getvalue())


def _score(training: TrainingTask, problem: Problem, key: fn.Key) -> dict[str, float]:
    """Train on a fold from initial parameters of its own, and return the figures of its test rows."""
    settings = evolve(training.settings, batch_size=min(training.settings.batch_size, len(problem.train)))
    model = network.make_network(settings, problem.facts)
    start = network.start(settings, model, key, problem.facts)
    alone = evolve(training, settings=settings, problem=problem, model=model, start=start, ranks=None)
    try:
        fitted = train_in_epochs(alone, progress=False)
    except fn.DivergenceError as error:
        complain(str(error))
        fitted = error.fit
    if fitted.stopped == "interrupted":
        raise KeyboardInterrupt
    score = training.task.score
    assert score is not None
    return score(Run(settings, problem.facts, model, fitted.params, fitted.state), problem)
