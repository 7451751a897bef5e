r"""Thousands of entries that all stand at kinks, such as the zeros that one relu hands to the next: judged along directions.

Along a direction $u \ge 0$ there is a slope ahead, $R = \sum_k r_k u_k$, and one behind, $L = \sum_k l_k u_k$.  A gradient
with one convention everywhere, $g = \theta r + (1 - \theta) l$, has $\langle g, u \rangle = \theta R + (1 - \theta) L$ with the
same $\theta$ in $[0, 1]$ along every direction.  A gradient with several conventions fails this test, which then says nothing.
"""

from __future__ import annotations

import numpy as np
from attrs import frozen

from funcnn.check.case.case import Case
from funcnn.check.differences.refine import CONFIDENCE
from funcnn.typing import Array, IntArray, Scalar

DIRECTIONS = 6
_RATIO = 16.0


@frozen
class Convention:
    """One convention at all kinks, and what the directions would have seen."""

    theta: float
    tau: Scalar  # the largest disagreement that would have passed
    size: Scalar

    def __str__(self) -> str:
        for name, where in (("left derivative", 0.0), ("middle", 0.5), ("right derivative", 1.0)):
            if abs(self.theta - where) < 1e-6:
                return name
        return f"{self.theta:.3g} of the way from the left to the right derivative"


def one_convention(
    case: Case, leaf: int, flat: Array, group: IntArray, scales: Array, generator: np.random.Generator
) -> Convention | None:
    """Return the convention that a gradient has at the kinks of a group of entries, or None where there is not one for all."""
    rows = []
    for _ in range(DIRECTIONS):
        direction = np.zeros_like(flat)
        direction[group] = np.ceil(16 * np.abs(generator.standard_normal(group.size))) / 16 * scales[group]
        terms = flat * direction
        ahead, ahead_bar = _slope(case, leaf, direction)
        behind, behind_bar = _slope(case, leaf, -direction)
        rows.append((terms.sum(), ahead, -behind, ahead_bar + behind_bar, np.sqrt((terms * terms).sum())))
    given, right, left, bar, norm = (np.array(column, flat.dtype) for column in zip(*rows, strict=True))
    gap, size = right - left, max(np.max(norm), np.max(np.abs(right)), np.max(np.abs(left)))
    if (
        not np.isfinite(size)
        or not size > 0
        or not (np.abs(gap) > 100 * CONFIDENCE * bar).all()
        or np.max(bar) > case.visible * size
    ):
        return None
    theta = float(((given - left) * gap).sum() / (gap * gap).sum())
    allowed = CONFIDENCE * bar + 1e-14 * size
    if not -1e-9 < theta < 1 + 1e-9 or (np.abs(given - left - theta * gap) > allowed).any():
        return None
    return Convention(theta, np.max(allowed), size)


def _slope(case: Case, leaf: int, direction: Array) -> tuple[Scalar, Scalar]:
    """Return the one-sided slope along a direction, extrapolated from three steps, and its bar."""
    contraction, at = case.contraction, case.sample.along([(leaf, direction)])
    first = 2.0**-24 if case.sample.eps < 1e-17 else 2.0**-18
    steps = [first * _RATIO**power for power in range(3)]
    changes = [at(step) - contraction.y for step in steps]
    level = np.maximum(np.abs(contraction.y) * contraction.eps, contraction.noise)
    error: Scalar = (contraction.weight * level).sum() / steps[0]
    fine, middle, coarse = ((change * contraction.cotangent).sum() / step for change, step in zip(changes, steps, strict=True))
    one, other = fine + (fine - middle) / (_RATIO - 1), middle + (middle - coarse) / (_RATIO - 1)
    value: Scalar = one + (one - other) / (_RATIO**2 - 1)
    bar: Scalar = np.abs(value - one) + 3 * error
    return value, bar
