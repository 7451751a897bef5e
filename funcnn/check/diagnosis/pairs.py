"""Two mistakes at once: the right numbers in the wrong places, and all of them times a factor.

Exchanging places keeps the size of a gradient.  So the factor, but for its sign, is known before the places are: the quotient of
the two sizes.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs
import numpy as np

from funcnn.check.diagnosis import moves
from funcnn.check.diagnosis.constants import name_factor
from funcnn.check.diagnosis.probe import Probe
from funcnn.check.diagnosis.view import ACCEPT, Hypothesis, View

_SAME = 1e-6
_SECOND = 0.5  # the cost of the second mistake


def hypotheses(view: View, probe: Probe) -> Iterator[Hypothesis]:
    """Yield what explains the gradient once it is divided by a factor, positive or negative."""
    size, right = (float(np.sqrt((part * part).sum())) for part in (view.analytic, view.numeric))
    if not (0 < size < np.inf and 0 < right < np.inf):
        return
    for factor in (size / right, -size / right):
        if abs(factor - 1) < _SAME:
            continue
        said = name_factor(abs(factor), probe) or f"{abs(factor):.6g}"
        if abs(abs(factor) - 1) < _SAME:
            said = "1"
        for one in moves.hypotheses(attrs.evolve(view, analytic=view.analytic / factor), probe):
            if one.left <= ACCEPT:
                text = f"{one.text}; and it is that times {'-' if factor < 0 else ''}{said}"
                yield attrs.evolve(one, text=text, cost=one.cost + _SECOND)
