"""From comparisons to findings: the worst entry, the cause where the contract tells it, the diagnosis where it does not."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from funcnn.check.case.case import Case
from funcnn.check.case.cotangents import build
from funcnn.check.case.problem import Problem
from funcnn.check.differences.evidence import Evidence, LeafEvidence
from funcnn.check.differences.leaf import Comparison
from funcnn.check.differences.patience import EXPLAINING, Patience
from funcnn.check.differences.precision import absolve, check_precision, lost_digits
from funcnn.check.differences.refine import CONFIDENCE
from funcnn.check.page.picture import heat_map
from funcnn.check.promises.contract import Contract
from funcnn.check.promises.linearity import Linearity
from funcnn.check.promises.stale import is_stale
from funcnn.check.records import UNKNOWN, Diagnosis, Finding
from funcnn.typing import Array

_CAUSES = ("structure", "shape", "dtype", "determinism", "state", "mutation", "linearity", "precision")
"""Kinds of findings that explain a wrong value of the same leaf, the deepest first."""


def gather(
    problem: Problem,
    contract: Contract,
    case: Case | None,
    made: list[Comparison | None],
    linear: list[Linearity],
    explain: bool | float,
) -> list[Finding]:
    """Return all findings, those about the contract first."""
    findings = list(contract.findings)
    if case is None:
        return findings
    if not any(leaf.array.size for leaf in problem.active()):
        text = "every leaf is empty: there was nothing to compare"
        findings.append(Finding("inconclusive", problem.active()[0].path, text))
    findings += [one.finding for one in linear if one.finding is not None]
    findings += lost_digits(case, linear)
    patience = Patience(EXPLAINING if explain is True else float(explain))
    for position, done in enumerate(made):
        if done is None:
            continue
        leaf = problem.active()[position]
        absolve(case, position, done)
        if done.wrong.any():
            if all(np.isfinite(done.analytic)) or any(one.kind != "nonfinite" for one in findings if one.path == leaf.path):
                findings.append(_wrong(case, contract, position, done, made, findings, patience))
        elif done.unsure.any() or done.unresolved:
            findings.append(_unsure(leaf.path, leaf.array, done))
    findings += check_precision(case, contract.gradient, made, {one.path for one in findings})
    return findings


def _wrong(
    case: Case,
    contract: Contract,
    position: int,
    done: Comparison,
    made: list[Comparison | None],
    findings: list[Finding],
    patience: Patience,
) -> Finding:
    """Return the finding of a leaf with wrong entries: how many, the worst of them, and why."""
    leaf = case.problem.active()[position]
    shape = leaf.array.shape
    wrong, off = done.wrong, _distances(done)
    worst = int(np.argmax(np.where(wrong, off, -1)))
    said = _explanations(case, contract, position, done, made, findings, patience)
    bad, looked = int(wrong.sum()), int(done.examined.sum())
    text = f"{bad} of {looked} entries are off by more than {CONFIDENCE:.0f} error bars"
    return Finding(
        "value",
        leaf.path,
        f"{text}; {done.note}" if done.note else text,
        tuple(int(axis) for axis in np.unravel_index(worst, shape)),
        float(done.analytic[worst]),
        float(done.numeric[worst]),
        float(done.bar[worst]),
        bad,
        looked,
        said[0] if said else UNKNOWN,
        said[1:],
        heat_map(np.where(done.examined, off, np.nan).reshape(shape).astype(float)),
    )


def _explanations(
    case: Case,
    contract: Contract,
    position: int,
    done: Comparison,
    made: list[Comparison | None],
    findings: list[Finding],
    patience: Patience,
) -> tuple[Diagnosis, ...]:
    """Return why a leaf is wrong, the likeliest reason first: what else was found of it, or else what experiments tell."""
    path, wrong = case.problem.active()[position].path, done.wrong
    causes = [one for one in findings if one.path == path and one.kind in _CAUSES]
    if causes:
        return (min(causes, key=lambda one: _CAUSES.index(one.kind)).diagnosis,)
    if done.tied:
        return (Diagnosis("region", done.tied, 1.0),)
    if done.erratic[wrong].all():
        share = float(np.max(_distances(done)[wrong]) / done.scale)
        text = (
            f"the errors change from point to point, up to {share:.1g} of the largest slope, as rounding does: the gradient has"
        )
        text += f" about {-np.log10(share):.0f} digits, as a difference quotient has"
        return (Diagnosis("precision_loss", text, 1.0),)
    if not patience.seconds:
        return ()
    try:
        stale = partial(is_stale, case, contract, position, wrong)
        said = explain(case, position, _evidence(case, made), stale, patience)
        if patience.lost and case.notes[-1:] != [patience.note]:
            case.notes.append(patience.note)
    except Exception as error:  # experiments call the function in ways that it need not bear: the verdict stands
        return (Diagnosis("unknown", f"the diagnosis came to no end: {type(error).__name__}: {error}"),)
    return said


def _distances(done: Comparison) -> Array:
    """Return how far each entry is off, infinitely where that is no number."""
    return np.where(np.isfinite(done.off), done.off, np.inf)


def _unsure(path: str, array: Array, done: Comparison) -> Finding:
    unsure, shape, values = done.unsure, array.shape, array.reshape(-1)
    index: tuple[int, ...] | None = None
    if unsure.any():
        worst = int(np.argmax(np.where(unsure, np.where(np.isfinite(done.bar), done.bar, np.inf), -1)))
        text = done.note or "the error bar is too wide to judge"
        if not np.isfinite(values[worst]):
            text = f"the argument itself is {values[worst]} here: it has no neighbours, and the function no derivative"
        index = tuple(int(axis) for axis in np.unravel_index(worst, shape))
        numbers = (float(done.analytic[worst]), float(done.low[worst]), float(done.bar[worst]))
        return Finding("inconclusive", path, text, index, *numbers, int(unsure.sum()), int(done.examined.sum()))
    text = done.note or "random directions disagree with the gradient, but no entry was found that does"
    return Finding("inconclusive", path, text, n=int(done.examined.sum()))


def _evidence(case: Case, made: list[Comparison | None]) -> tuple[LeafEvidence, ...]:
    found = []
    for leaf, values, done in zip(case.problem.active(), case.sample.origin, made, strict=True):
        shape = leaf.array.shape
        if done is None:
            nothing = np.full(shape, np.nan, case.sample.result)
            never = np.zeros(shape, bool)
            found.append(LeafEvidence(leaf.path, values.reshape(shape), None, nothing, nothing, never, never))
            continue
        parts: tuple[Array, ...] = (done.analytic, np.where(done.examined, done.numeric, np.nan), done.bar)
        analytic, numeric, bar = (part.reshape(shape) for part in parts)
        wrong, kink = done.wrong.reshape(shape), done.kink.reshape(shape)
        found.append(LeafEvidence(leaf.path, values.reshape(shape), analytic, numeric, bar, wrong, kink))
    return tuple(found)


def explain(
    case: Case, position: int, leaves: tuple[LeafEvidence, ...], stale: Callable[[], bool], patience: Patience
) -> tuple[Diagnosis, ...]:
    """Return the explanations of a wrong leaf, best first."""
    from funcnn.check.diagnosis.diagnose import diagnose

    sample = case.sample
    evidence = Evidence(
        position,
        leaves,
        case.problem.function,
        case.problem.pullback,
        sample.args,
        case.problem.differentiated,
        build(sample.output, case.cotangent, sample.result),
        sample.output,
        case.seed,
        case.problem.constants,
        stale=stale,
        patience=patience,
    )
    return diagnose(evidence)
