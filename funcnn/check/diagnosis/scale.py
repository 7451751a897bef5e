"""Explanations by size: nothing arrives, or the right gradient times a constant."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from funcnn.check.diagnosis.constants import name_factor
from funcnn.check.diagnosis.probe import Probe
from funcnn.check.diagnosis.view import Hypothesis, View
from funcnn.check.differences.evidence import LeafEvidence
from funcnn.check.differences.refine import CONFIDENCE

_FEW = 3  # entries that must stand out of their bars
_CLEAR = 1e-2


def _in_bars(leaf: LeafEvidence, factor: float) -> float:
    """Return 0 where a factor explains all examined entries to within their error bars, which may be wide, else infinity."""
    known = np.isfinite(leaf.numeric) & np.isfinite(leaf.bar) & ~leaf.kink
    if leaf.analytic is None or known.sum() < _FEW:
        return math.inf
    rest = np.abs(leaf.analytic - factor * leaf.numeric)[known]
    allowed = CONFIDENCE * np.abs(leaf.bar)[known] * max(abs(factor), 1)
    clear = (np.abs(leaf.numeric)[known] > 100 * allowed).sum() >= _FEW and abs(factor - 1) > _CLEAR
    return 0.0 if clear and (rest <= allowed).all() else math.inf


def hypotheses(view: View, probe: Probe) -> Iterator[Hypothesis]:
    """Yield zero, sign and factor."""
    given = probe.evidence.wrong
    nothing = given.analytic is not None and given.wrong.any() and not given.analytic.any()
    left = 0.0 if nothing else view.left(0 * view.numeric)  # an exact zero is one, however small the slopes are
    yield Hypothesis("zero_gradient", "the gradient is zero where the function has a slope", left, 0)
    yield Hypothesis("sign_flip", "the gradient has the wrong sign", view.left(-view.numeric), 0.5)
    norm = float((view.numeric**2).sum())
    if norm == 0 or nothing:
        return
    factor = float((view.analytic * view.numeric).sum()) / norm
    left = view.left(factor * view.numeric)
    if factor in (0.0, 1.0) or (abs(factor + 1) < 1e-5 and left < 1e-6):
        return
    name = name_factor(abs(factor), probe)
    left = min(left, _in_bars(given, factor))
    entries = int(np.count_nonzero(view.numeric))
    sign = "-" if factor < 0 else ""
    said = f"{sign}{name}" if name else f"{factor:.9g}"
    if entries < 2 and not name:
        return  # one number is always a multiple of another
    text = f"the gradient is the right one times {said}"
    if name:
        text += f" ({factor:.6g})"
    yield Hypothesis("constant_factor", text, left, (0.8 if name else 1.2) + (0.3 if entries < 2 else 0))
