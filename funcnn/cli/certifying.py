"""The certificate of a run: the gradient of this very network and loss, before anything is trained."""

from __future__ import annotations

from typing import Literal

import numpy as np
from attrs import frozen

import funcnn as fn
from funcnn.cli.learning import TrainingTask
from funcnn.cli.terminal import more, section, style, table
from funcnn.data import take
from funcnn.layer import Train

_PRECISE = np.finfo(np.longdouble).nmant > 60  # whether this machine has a long double: for large networks it is worth its time
_CHECKED = 4  # examples in the batch on which the gradient is certified
_FEWER = 2  # where an evaluation takes long
_SHORT = 16  # characters of a text

Standing = Literal["certified", "inconclusive", "not checked", "wrong"]


@frozen
class Certificate:
    """What is known of the gradient of a run."""

    standing: Standing
    page: str
    """The whole report."""


def certify(training: TrainingTask, thoroughness: str | None = None) -> Certificate:
    """Check the gradient: initial parameters, training mode, rows of the training set.

    What is wrong ends the run; what could not be judged is a warning, for it says as little against the gradient as for it.
    """
    settings, train = training.settings, training.problem.train
    if thoroughness == "skip":
        section("Gradient", style("not checked: --certify skip", "yellow"))
        return Certificate("not checked", "The gradient was not checked: --certify skip.\n")
    thorough = settings.job.thorough if thoroughness is None else thoroughness == "full"
    rows = np.arange(min(_CHECKED if thorough else _FEWER, len(train)))
    x, y = take((train.x, train.y), rows)
    if settings.job.reads_text:
        x, y = x[:, :_SHORT], y[:, :_SHORT] if settings.job.task == "write" else y
    method: Literal["auto", "screen"] = "auto" if thorough else "screen"
    report = fn.check.check_model(
        training.model,
        training.loss,
        x,
        y,
        params=training.start.params,
        state=training.start.state,
        mode=Train(fn.Key(settings.seed).child(2)),
        seed=settings.seed,
        method=method,
        reference=("longdouble" if _PRECISE else "auto") if thorough else "float64",
    )
    section("Gradient", f"of {training.loss.name} through this network, against finite differences in {report.reference}")
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
    said = f"all {len(report.leaves)} leaves, {report.evaluations} evaluations, {report.seconds:.1f} s"
    if report.ok:
        more(style(f"certified: {said}", "green"))
        return Certificate("certified", f"{report}\n")
    if report.verdict == "inconclusive":
        vague = sum(leaf.verdict == "inconclusive" for leaf in report.leaves)
        more(style(f"inconclusive: {vague} of {said}: nothing speaks against the gradient, so it is trained", "yellow"))
        return Certificate("inconclusive", f"{report}\n")
    more(style(f"not certified: {report.verdict}", "red"), *str(report).splitlines())
    return Certificate("wrong", f"{report}\n")
