"""The certificate of a run: the gradient of this very network and loss, before anything is trained."""

from __future__ import annotations

from typing import Literal

import numpy as np

import funcnn as fn
from funcnn.check.report import Report
from funcnn.cli.learning import Lesson
from funcnn.cli.terminal import more, section, style, table
from funcnn.data import take
from funcnn.layer import Train

_PRECISE = np.finfo(np.longdouble).nmant > 60  # whether this machine has a long double: for large networks it is worth its time
_CHECKED = 4  # examples in the batch on which the gradient is certified
_FEWER = 2  # where an evaluation takes long
_SHORT = 16  # characters of a text


def certify(lesson: Lesson) -> Report:
    """Check the gradient: initial parameters, training mode, rows of the training set."""
    settings, train = lesson.settings, lesson.problem.train
    thorough = settings.job.thorough
    rows = np.arange(min(_CHECKED if thorough else _FEWER, len(train)))
    x, y = take((train.x, train.y), rows)
    if settings.job.reads_text:
        x, y = x[:, :_SHORT], y[:, :_SHORT] if settings.job.task == "write" else y
    method: Literal["auto", "screen"] = "auto" if thorough else "screen"
    report = fn.check.check_model(
        lesson.model,
        lesson.loss,
        x,
        y,
        params=lesson.start.params,
        state=lesson.start.state,
        mode=Train(fn.Key(settings.seed).child(2)),
        seed=settings.seed,
        method=method,
        reference=("longdouble" if _PRECISE else "auto") if thorough else "float64",
    )
    section("Gradient", f"of {lesson.loss.name} through this network, against finite differences in {report.reference}")
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
