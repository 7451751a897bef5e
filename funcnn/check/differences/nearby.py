r"""What steps say that are so fine that hardly any function turns within them: the same as the coarse ones, it is hoped.

A bounded function with a period far below the steps has differences of about $1/h$ at all of them: they agree with one another
by accident.  The slope along one direction of all entries, with a step far finer, costs two evaluations and tells.
"""

from __future__ import annotations

import numpy as np

from funcnn.check.case.case import Case
from funcnn.check.differences.entries import own_scales
from funcnn.check.differences.leaf import Comparison
from funcnn.check.differences.refine import CONFIDENCE
from funcnn.typing import IntArray, Scalar

_DIGITS = 1e-6  # of the slope, beside the bars


def contradiction(case: Case, leaf: int, made: Comparison, chosen: IntArray) -> Scalar:
    """Return by how much a fine step contradicts the recorded slopes, relative to the leaf's scale; 0 where it does not."""
    nothing = made.low.dtype.type(0)
    sample, contraction = case.sample, case.contraction
    if case.resolution > 1e-12:
        return nothing  # too few digits
    step = sample.result.type(2.0**-44 if sample.eps < 1e-17 else 2.0**-34)
    origin = sample.origin[leaf]
    smooth = chosen[(made.low[chosen] == made.high[chosen]) & ~made.kink[chosen] & np.isfinite(made.spread[chosen])]
    smooth = smooth[np.isfinite(origin[smooth]) & (origin[smooth] != 0)]
    if not smooth.size:
        return nothing
    generator = case.generator(15)
    direction = np.zeros_like(origin)
    direction[smooth] = (own_scales(origin) * generator.choice((-1.0, 1.0), origin.shape))[smooth]
    at = sample.along([(leaf, direction)])
    above, below = at(float(step)), at(-float(step))
    if not (np.isfinite(above).all() and np.isfinite(below).all()):
        return nothing
    change = above - below
    level = np.maximum(np.abs(contraction.y) * contraction.eps, contraction.noise)
    slope, rounding = (change @ contraction.cotangent) / (2 * step), (level @ contraction.weight) / step
    terms = made.low * direction
    size = np.sqrt((terms[smooth] ** 2).sum())
    allowed = CONFIDENCE * (rounding + (made.spread[smooth] * np.abs(direction[smooth])).sum()) + _DIGITS * size
    gap: Scalar = abs(slope - terms[smooth].sum())
    return gap / np.max(np.abs(direction[smooth])) if gap > allowed else nothing
