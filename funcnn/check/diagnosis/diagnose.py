"""Why a gradient is wrong: every hypothesis that is known, held against the difference, and the simplest that explains it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import suppress

import attrs
import numpy as np

from funcnn.check.diagnosis import code, digits, eps, linearity, moves, pairs, sample, scale, sums, support, terms
from funcnn.check.diagnosis.probe import Probe, RefusalError
from funcnn.check.diagnosis.reduce import reduced
from funcnn.check.diagnosis.view import ACCEPT, Hypothesis, View, affordable, contracted, look
from funcnn.check.differences.evidence import Evidence
from funcnn.check.differences.patience import TimeUpError
from funcnn.check.records import UNKNOWN, Diagnosis

_FAMILIES = (
    scale.hypotheses,
    moves.hypotheses,
    support.hypotheses,
    sums.hypotheses,
    digits.hypotheses,
    terms.hypotheses,
)
_REMEMBERED = 2.32  # the cost of a hidden memory: more than a plain explanation, less than one that may be chance
_PLAIN = 2.5  # the cost of an explanation that needs no dearer one beside it


def diagnose(evidence: Evidence) -> tuple[Diagnosis, ...]:
    """Return the explanations of the wrong leaf of some evidence, best first.

    An explanation predicts the gradient under test from the numeric one.  They are ranked by the share of the squared error
    that they leave, plus a thousandth for each thing that they assume.  What follows the first are the best of the other
    classes, explained share and all.
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
        found: list[Hypothesis] = []
        with suppress(TimeUpError):  # what was found by then is said
            for one in _hypotheses(Probe(evidence)):
                found.append(one)
        if (
            not evidence.patience.lost
            and not any(one.left <= ACCEPT and one.cost < _REMEMBERED for one in found)
            and evidence.stale()
        ):
            text = "the gradient is that of the point at which it was first called: it is remembered"
            found.append(Hypothesis("stale_state", text, 0.0, _REMEMBERED))
        if evidence.patience.lost and not found:
            return (Diagnosis("unknown", "explaining was cut short before any hypothesis could be tried"),)
        return _rank(found)


def _hypotheses(probe: Probe) -> Iterator[Hypothesis]:
    nonlinear = list(linearity.hypotheses(probe))
    if nonlinear:
        yield from nonlinear
        return
    view = look(probe) if affordable(probe) else None
    if view is not None:
        yield from _of_view(view, probe)
        return
    whole = contracted(probe.evidence.wrong)
    if whole.leaf == probe.evidence.wrong.value.shape:
        yield from _of_view(whole, probe)
    else:  # the entries that were examined
        yield from sample.hypotheses(probe.evidence.wrong)
        yield from scale.hypotheses(whole, probe)
        yield from terms.last_resort(whole)
    yield from _in_small(probe)


def _in_small(probe: Probe) -> Iterator[Hypothesis]:
    """Yield what explains the mistake in a smaller case."""
    small = reduced(probe)
    view = look(small) if small is not None and affordable(small) else None
    if small is not None and view is not None and view.size > 0:
        shape = " x ".join(map(str, view.leaf)) or "a number"
        for one in _of_view(view, small):
            yield attrs.evolve(one, text=f"{one.text} (seen with the leaf cut to {shape})")


def _of_view(view: View, probe: Probe) -> Iterator[Hypothesis]:
    found: list[Hypothesis] = []
    try:
        _collect(view, probe, found)
    except TimeUpError:
        yield from found
        yield from terms.last_resort(view)
        raise
    yield from found


def _collect(view: View, probe: Probe, found: list[Hypothesis]) -> None:
    """Collect the hypotheses of a view: the plain ones, then the dear ones."""
    for family in _FAMILIES:
        with suppress(RefusalError):
            found.extend(family(view, probe))
    if not any(one.left <= ACCEPT and one.cost < _PLAIN for one in found):  # the dear one, where nothing plain explains
        for dear in (pairs.hypotheses, eps.hypotheses, code.hypotheses):
            with suppress(RefusalError):
                found.extend(dear(view, probe))
            if any((one.tag == "eps_mismatch" or one.cost < _PLAIN) and one.left <= ACCEPT for one in found):
                break


def _rank(found: list[Hypothesis]) -> tuple[Diagnosis, ...]:
    """Return the best hypothesis, then the best of each other class."""
    accepted = sorted((one for one in found if one.left <= ACCEPT), key=lambda one: one.score)
    rest = sorted((one for one in found if one.left > ACCEPT), key=lambda one: one.score)
    best: dict[str, Hypothesis] = {}
    for one in (*accepted, *rest):
        best.setdefault(one.tag, one)
    said = tuple(Diagnosis(one.tag, one.text, max(-1.0, 1 - one.left)) for one in best.values())
    return said if accepted else (UNKNOWN, *said)
