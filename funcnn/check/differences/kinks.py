r"""Kinks: where the derivative from the right is not the one from the left.

At a kink any value between the two one-sided derivatives is right (it belongs to Clarke's generalized gradient of the function
along that coordinate); which one was chosen is the convention of the code, and is recorded.  Where several outputs have kinks,
each may have its own convention: an entry outside the interval of the contracted output is judged output by output, by pulling
back unit cotangents.
"""

from __future__ import annotations

import numpy as np

from funcnn.check.case.case import Case
from funcnn.check.case.cotangents import build
from funcnn.check.differences.entries import entry_slopes
from funcnn.check.differences.leaf import Comparison
from funcnn.check.differences.refine import CONFIDENCE, Profile
from funcnn.typing import Array, IntArray

_ROWS = 64  # outputs at most that are judged one by one


def settle_kinks(case: Case, leaf: int, made: Comparison, indices: IntArray, scales: Array) -> IntArray:
    """Settle the entries that stand on a kink to within tiny steps; return the others."""
    eps = case.resolution
    steps = (2.0**-44, 2.0**-30) if eps < 1e-17 else (2.0**-24, 2.0**-16) if eps < 1e-12 else (2.0**-8, 2.0**-4)
    slopes = entry_slopes(case.sample, case.contraction, leaf, indices, scales, steps)
    rounding = 2 * slopes.roundoff
    right, right_bar = _one_sided(slopes.forward, rounding, steps)
    left, left_bar = _one_sided(slopes.backward, rounding, steps)
    gap = np.abs(slopes.forward - slopes.backward)
    kink = (gap[:, 0] > 2 * CONFIDENCE * rounding[:, 0]) & (gap[:, 0] > 0.5 * gap[:, 1])
    kink &= np.isfinite(right) & np.isfinite(left)
    low, high, bar = np.minimum(left, right), np.maximum(left, right), right_bar + left_bar
    scale = np.max(np.abs(np.concatenate([low[kink], high[kink]])), initial=made.scale)
    gradient = made.analytic[indices]
    inside = (gradient >= low - CONFIDENCE * bar) & (gradient <= high + CONFIDENCE * bar)
    settled = kink & inside & (bar <= made.visible * scale)
    made.set(indices[settled], low[settled], high[settled], bar[settled])
    made.kink[indices[settled]] = True
    made.scale = np.max(np.maximum(np.abs(low), np.abs(high))[settled], initial=made.scale)
    made.falls[indices[settled]] = (left > right)[settled]
    rest: IntArray = indices[~settled]
    return rest


def _one_sided(slopes: Array, rounding: Array, steps: tuple[float, float]) -> tuple[Array, Array]:
    """Return the one-sided derivative from a fine and a coarse step: the coarse one is precise, the fine one is near."""
    ratio = steps[1] / steps[0]
    change = np.abs(slopes[:, 1] - slopes[:, 0])
    agree = change <= CONFIDENCE * rounding[:, 0]
    fine = slopes[:, 0] + (slopes[:, 0] - slopes[:, 1]) / slopes.dtype.type(ratio - 1)
    value = np.where(agree, slopes[:, 1], fine)
    bar = np.where(agree, rounding[:, 1] + np.minimum(change, rounding[:, 0]), rounding[:, 0] + change / slopes.dtype.type(ratio))
    return value, bar


def row_by_row(case: Case, leaf: int, index: int, seen: Profile) -> float:
    """Return the error that would have passed if an entry of the gradient is right at each output taken alone, else 0."""
    outputs = len(case.cotangent)
    if not 1 < outputs <= _ROWS:
        return 0.0
    right, left = seen.right_outputs, seen.left_outputs
    bars = np.maximum(np.abs(right), np.abs(left)) * 1e-9 + 2 * (seen.right.bar + seen.left.bar)
    for output in range(outputs):
        unit = np.zeros_like(case.cotangent)
        unit[output] = 1
        row = case.pull(case.sample.args, build(case.sample.output, unit, case.sample.result)).leaves[leaf]
        if row is None:
            return 0.0
        value = row.reshape(-1)[index]
        low, high = min(left[output], right[output]), max(left[output], right[output])
        if not low - CONFIDENCE * bars[output] <= value <= high + CONFIDENCE * bars[output]:
            return 0.0
    return float(CONFIDENCE * (bars * case.contraction.weight).sum())
