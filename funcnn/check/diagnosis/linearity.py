"""Explanations by the cotangent: a pull-back is linear in it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from funcnn.check.diagnosis.probe import Probe
from funcnn.check.diagnosis.view import Hypothesis
from funcnn.typing import Array


def hypotheses(probe: Probe) -> Iterator[Hypothesis]:
    """Yield a gradient that does not depend on dy, or not linearly."""
    first, second = probe.normal(20, probe.rows), probe.normal(21, probe.rows)
    pulled = [probe.pull(probe.arrays, one) for one in (first, second, first + second, -2 * first, 0 * first)]
    found = [one for one in pulled if one is not None and np.isfinite(one).all()]
    if len(found) < len(pulled):
        return
    a, b, both, minus_twice, nothing = found
    size = float(max(np.abs(a).max(initial=0), np.abs(b).max(initial=0)))
    if size == 0:
        return

    def same(one: Array, other: Array) -> bool:
        return bool(np.abs(one - other).max() <= 1e-6 * size)

    if same(a, b) and same(a, nothing):
        yield Hypothesis(
            "ignores_dy", "the gradient does not depend on dy: it is the same for every cotangent, even for zero", 0.0, -2
        )
    elif not same(nothing, 0 * a):
        share = float(np.abs(nothing).max()) / size
        text = f"the gradient of dy = 0 is not zero (but {share:.2g} of its size at random dy): a term is not multiplied by dy"
        yield Hypothesis("nonlinear_in_dy", text, 0.0, -1)
    elif not same(both, a + b) or not same(minus_twice, -2 * a):
        if same(minus_twice, 2 * a) or same(minus_twice, 4 * a):
            how = "its sign or its square is used"
        elif same(minus_twice, -2 * a):
            how = "twice dy gives twice the gradient, but sums do not add up"
        else:
            how = "it is masked, clipped or normalized by its own value"
        yield Hypothesis("nonlinear_in_dy", f"the gradient is not linear in dy: {how}", 0.0, -1)
