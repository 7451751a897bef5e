"""Why a gradient is wrong: every hypothesis that is known, held against the difference, and the simplest that explains it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np

from funcnn.check import (
    diagnose_digits,
    diagnose_eps,
    diagnose_linearity,
    diagnose_moves,
    diagnose_scale,
    diagnose_sums,
    diagnose_support,
    diagnose_terms,
)
from funcnn.check.diagnose_probe import Probe
from funcnn.check.diagnose_view import ACCEPT, Hypothesis, View, look
from funcnn.check.evidence import Evidence
from funcnn.check.report import Diagnosis


def diagnose(evidence: Evidence) -> tuple[Diagnosis, ...]:
    """Return the explanations of the wrong leaf of some evidence, best first.

    An explanation predicts the gradient under test from the numeric one.  They are ranked by the share of the squared error that they leave, plus a
    thousandth for each thing that they assume.  What follows the first are the best of the other classes, explained share and all.
    """
    if evidence.kind == "precision":
        return (Diagnosis("precision_loss", "the formula is right, the code loses digits in the precision that was given", 1.0),)
    analytic = evidence.wrong.analytic
    if analytic is None:
        return ()
    if not np.isfinite(analytic).all():
        count = int((~np.isfinite(analytic)).sum())
        return (Diagnosis("nonfinite", f"{count} of {analytic.size} entries are not finite", 1.0),)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _rank(list(_hypotheses(Probe(evidence))))


def _hypotheses(probe: Probe) -> Iterator[Hypothesis]:
    nonlinear = list(diagnose_linearity.hypotheses(probe))
    yield from nonlinear
    if nonlinear:
        return
    view = look(probe)
    yield from _of_view(view, probe)


def _of_view(view: View, probe: Probe) -> Iterator[Hypothesis]:
    found: list[Hypothesis] = []
    for family in (diagnose_scale, diagnose_moves, diagnose_support, diagnose_sums, diagnose_digits, diagnose_terms):
        found.extend(family.hypotheses(view, probe))
    found.extend(diagnose_terms.proportional(view, probe))
    if not any(one.left <= ACCEPT and one.cost < 2.5 for one in found):  # the dear one, where nothing simpler explains
        found.extend(diagnose_eps.hypotheses(view, probe))
    yield from found


def _rank(found: list[Hypothesis]) -> tuple[Diagnosis, ...]:
    """Return the best hypothesis, then the best of each other class."""
    accepted = sorted((one for one in found if one.left <= ACCEPT), key=lambda one: one.score)
    rest = sorted((one for one in found if one.left > ACCEPT), key=lambda one: one.score)
    best: dict[str, Hypothesis] = {}
    for one in (*accepted, *rest):
        best.setdefault(one.tag, one)
    return tuple(Diagnosis(one.tag, one.text, max(-1.0, 1 - one.left)) for one in best.values())
