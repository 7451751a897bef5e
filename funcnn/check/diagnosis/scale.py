"""Explanations by size: nothing arrives, or the right gradient times a constant."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from funcnn.check.diagnosis.constants import name_factor
from funcnn.check.diagnosis.probe import Probe
from funcnn.check.diagnosis.view import Hypothesis, View


def hypotheses(view: View, probe: Probe) -> Iterator[Hypothesis]:
    """Yield zero, sign and factor."""
    yield Hypothesis("zero_gradient", "the gradient is zero where the function has a slope", view.left(0 * view.numeric), 0)
    yield Hypothesis("sign_flip", "the gradient has the wrong sign", view.left(-view.numeric), 0.5)
    norm = float((view.numeric**2).sum())
    if norm == 0:
        return
    factor = float((view.analytic * view.numeric).sum()) / norm
    left = view.left(factor * view.numeric)
    if factor in (0.0, 1.0) or (abs(factor + 1) < 1e-5 and left < 1e-6):
        return
    name = name_factor(abs(factor), probe)
    entries = int(np.count_nonzero(view.numeric))
    sign = "-" if factor < 0 else ""
    said = f"{sign}{name}" if name else f"{factor:.9g}"
    if entries < 2 and not name:
        return  # one number is always a multiple of another
    text = f"the gradient is the right one times {said}"
    if name:
        text += f" ({factor:.6g})"
    yield Hypothesis("constant_factor", text, left, (0.8 if name else 1.2) + (0.3 if entries < 2 else 0))
