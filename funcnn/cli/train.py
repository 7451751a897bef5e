"""``python -m funcnn``: certify the gradient, train, test, and leave a folder."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import cast

import numpy as np
from attrs import frozen

import funcnn as fn
from funcnn import tree
from funcnn.check.report import Report
from funcnn.cli import folder, network, pictures
from funcnn.cli.failure import DIVERGED, INTERRUPTED, NOT_CERTIFIED, OK
from funcnn.cli.network import Network
from funcnn.cli.options import read_train
from funcnn.cli.problem import Labelled, Problem, check_fit, load_problem
from funcnn.cli.settings import Settings
from funcnn.cli.terminal import complain, confusion, more, section, style, table
from funcnn.cli.terminal import pictures as draw
from funcnn.data import take
from funcnn.layer import Train
from funcnn.losses.loss import Loss
from funcnn.train.record import Epoch, Fit
from funcnn.typing import Array, IntArray

_CHECKED = 4  # examples in the batch on which the gradient is certified
_PRECISE = np.finfo(np.longdouble).nmant > 60  # whether this machine has a long double: for large networks it is worth its time
_MISTAKES = 5  # pictures of misread images that are shown


@frozen(eq=False)
class Job:
    """Everything that training needs."""

    settings: Settings
    problem: Problem
    model: Network
    loss: Loss[Array, IntArray]
    start: fn.Init[tuple[object, ...], tuple[object, ...]]


def main(arguments: Sequence[str]) -> int:
    """Run the command and return its exit status."""
    request = read_train(arguments)
    problem = load_problem(request.settings)
    settings = check_fit(request.settings, problem)
    model = network.make_network(settings, len(problem.classes))
    start = network.start(settings, model, fn.Key(settings.seed).child(1), problem.features, len(problem.classes))
    job = Job(settings, problem, model, cast("Loss[Array, IntArray]", fn.softmax_cross_entropy()), start)
    out = request.output or folder.next_folder(settings.data)
    folder.make_folder(out, request.overwrite)
    folder.write_config(out, settings, problem)

    _introduce(job)
    report = _certify(job)
    folder.write_text(out / folder.GRADIENT, str(report) + "\n")
    if not report.ok:
        complain(f"the gradient is not certified, so nothing was trained; the whole report is in {out / folder.GRADIENT}")
        return NOT_CERTIFIED
    fitted, seconds = _train(job)
    return _finish(job, fitted, seconds, out)


def _introduce(job: Job) -> None:
    settings, problem = job.settings, job.problem
    section("Data", problem.title, problem.parts)
    about = fn.summary(job.model, (problem.features,), dtype=settings.dtype)
    rows = [(row.path, row.name, f"{row.params:,}" if row.params else "") for row in about.rows]
    section("Network", *table(rows, right=(2,)), f"{about.params:,} parameters in {settings.dtype}")


def _certify(job: Job) -> Report:
    """Check the gradient of this very network and loss: initial parameters, training mode, rows of the training set."""
    settings, problem = job.settings, job.problem
    rows = take(problem.train, np.arange(min(_CHECKED, len(problem.train))))
    mode = Train(fn.Key(settings.seed).child(2))
    report = fn.check.check_model(
        job.model,
        job.loss,
        rows.x,
        rows.y,
        params=job.start.params,
        state=job.start.state,
        mode=mode,
        seed=settings.seed,
        reference="longdouble" if _PRECISE else "auto",
    )
    section("Gradient", f"of {job.loss.name} through this network, against finite differences in {report.reference}")
    lines = [("leaf", "shape", "verdict", "compared", "error/bar", "detects")]
    lines += [
        (leaf.path, "x".join(map(str, leaf.shape)), leaf.verdict, leaf.method, f"{leaf.worst_ratio:.2g}", f"{leaf.power:.0e}")
        for leaf in report.leaves
    ]
    head, *body = table(lines, right=(4, 5))
    more(style(head, "dim"), *body)
    more(
        style("error/bar: largest difference over its error bar; detects: smallest relative error that would have failed", "dim")
    )
    if any(leaf.verdict == "kink-ok" for leaf in report.leaves):
        more(style("kink-ok: at a kink, such as relu at 0, the gradient lies between the one-sided derivatives", "dim"))
    if report.ok:
        more(
            style(
                f"certified: all {len(report.leaves)} leaves, {report.evaluations} evaluations, {report.seconds:.1f} s", "green"
            )
        )
    else:
        more(style(f"not certified: {report.verdict}", "red"), *str(report).splitlines())
    return report


def accuracy(prediction: Array, labels: IntArray) -> float:
    """Return the share of rows whose largest output is that of the label."""
    return float(np.mean(prediction.argmax(1) == labels))


def _train(job: Job) -> tuple[Fit[tuple[object, ...], tuple[object, ...]], float]:
    """Train; a diverged run gives its last good parameters."""
    settings, problem = job.settings, job.problem
    section(
        "Training",
        f"{settings.optimizer}, learning rate {settings.learning_rate:g} ({settings.schedule}), batches of {settings.batch_size},"
        f" {settings.epochs} epoch{'s' * (settings.epochs != 1)}",
    )
    bar = _bar_is_possible()
    began = time.perf_counter()
    validation = None if problem.validation is None else (problem.validation.x, problem.validation.y)
    try:
        fitted = fn.fit(
            job.model,
            job.loss,
            network.make_optimizer(settings, len(problem.train)),
            problem.train.x,
            problem.train.y,
            key=fn.Key(settings.seed).child(3),
            epochs=settings.epochs,
            batch_size=settings.batch_size,
            validation=validation,
            metrics={"accuracy": accuracy},
            params=job.start.params,
            state=job.start.state,
            progress=bar,
            callbacks=() if bar else (_tell_every(max(1, settings.epochs // 10)),),
        )
    except fn.DivergenceError as error:
        complain(str(error))
        fitted = error.fit
    return fitted, time.perf_counter() - began


def _bar_is_possible() -> bool:
    return sys.stderr.isatty() and find_spec("tqdm") is not None


def _tell_every(epochs: int) -> Callable[[Epoch[tuple[object, ...], tuple[object, ...]]], None]:
    def tell(epoch: Epoch[tuple[object, ...], tuple[object, ...]]) -> None:
        if epoch.number % epochs == 0 or epoch.number == 1:
            row = epoch.history.last
            more(
                f"epoch {row.epoch:4d}  "
                + "  ".join(f"{name.replace('val_', 'validation ')} {value:.4f}" for name, value in row.values)
            )

    return tell


def _finish(job: Job, fitted: Fit[tuple[object, ...], tuple[object, ...]], seconds: float, out: Path) -> int:
    """Test what was learned, write everything, and say how to use it."""
    settings, problem, test = job.settings, job.problem, job.problem.test
    folder.write_params(out, fitted.params, fitted.state)  # first: nothing that follows may cost what was learned
    fitted.history.to_csv(out / folder.HISTORY)
    done = len(fitted.history)
    ended = {"interrupted": "interrupted", "diverged": "diverged"}.get(fitted.stopped, "done")
    more(f"{ended} after {done} epoch{'s' * (done != 1)} in {seconds:.1f} s, {tree.size(fitted.params):,} parameters kept")

    prediction = fn.predict(job.model, fitted.params, fitted.state, test.x)
    counts = np.zeros((len(problem.classes),) * 2, np.int64)
    np.add.at(counts, (test.y, prediction.argmax(1)), 1)
    right, rows = int(np.trace(counts)), len(test)
    section("Test", style(f"accuracy {right / rows:.4f}", "bold") + f" ({right:,} of {rows:,})")
    if len(problem.classes) <= 20:
        more("", *confusion(counts, problem.classes))
    if problem.picture:
        _show_mistakes(problem, test, prediction.argmax(1))
    folder.write_results(
        out,
        {
            "test_accuracy": right / rows,
            "test_loss": float(job.loss.forward(prediction, test.y).value),
            "test_rows": rows,
            "confusion": counts.tolist(),
            "stopped": fitted.stopped,
            "epochs": done,
            "seconds": round(seconds, 3),
            "parameters": tree.size(fitted.params),
            "gradient": "certified",
        },
    )
    drawn, missing = pictures.draw_all(out, fitted.history, counts, problem, job.model, fitted.params, fitted.state)
    folder.write_readme(out, settings, problem, drawn)
    section("Written", f"{out}/", *_columns(sorted(entry.name for entry in out.iterdir())), *missing)
    section("Use it", f"python -m funcnn predict {out}", f"or the script in {out / folder.README}")
    return {"interrupted": INTERRUPTED, "diverged": DIVERGED}.get(fitted.stopped, OK)


def _show_mistakes(problem: Problem, test: Labelled, predicted: IntArray) -> None:
    wrong = np.flatnonzero(predicted != test.y)
    if wrong.size == 0:
        return
    shown = wrong[: min(_MISTAKES, max(1, 80 // max(16, problem.picture[1] + 2)))]
    captions = [f"{problem.classes[test.y[row]]} read as {problem.classes[predicted[row]]}" for row in shown]
    more("", f"{len(shown)} of {wrong.size} misread:", "", *draw(test.x[shown], problem.picture, captions))


def _columns(names: list[str]) -> list[str]:
    return ["  ".join(name.ljust(16) for name in names[first : first + 4]).rstrip() for first in range(0, len(names), 4)]
