"""A leaf with which nothing moves, looked at from afar: what its outputs become there, and by how much they are rounded.

The saturated unit, the dead one and the residual whose square is lost beside 1 stand still alike as far as the size of the leaf
reaches.  Far enough away all of them move: then it is known how large a slope is that counts, and what rounding hides.
"""

from __future__ import annotations

import numpy as np
from attrs import frozen

from funcnn.check.case.case import Case
from funcnn.check.differences.entries import entry_scales
from funcnn.check.differences.second import narrower
from funcnn.typing import Array, IntArray, Scalar

_FARTHEST = 10  # factors of sixteen
_BEYOND = 2  # looks, once something moves: rounding is seen where the function is not lost in it
_CLEAR = 100.0  # roundings


@frozen(eq=False)
class Far:
    """What is seen from afar."""

    motion: Scalar
    """The largest slope before cancellation over outputs; 0 where nothing ever moves."""
    hidden: Scalar
    """The slope, in units of the leaf, that rounding inside the function may hide at the point."""


def look_from_afar(case: Case, leaf: int, entries: IntArray) -> Far:
    """Move entries of a leaf together, farther and farther, until the outputs move clearly."""
    sample, contraction = case.sample, case.contraction
    generator = case.generator(14)
    origin = sample.origin[leaf]
    scales = entry_scales(origin)
    way = np.zeros_like(origin)
    way[entries] = (scales * generator.choice((-1.0, 1.0), origin.shape))[entries]
    narrow = narrower(sample)
    ratio = 0.0 if narrow is None else sample.eps / narrow.eps
    zero = sample.result.type(0)
    motion, rounding, beyond = zero, zero, 0
    unit = sample.result.type(np.median(scales[entries]))
    for step in (sign * 16.0**power for power in range(1, _FARTHEST + 1) for sign in (1, -1)):
        sample.active[leaf][:] = origin + way * step
        there = sample().copy()
        level: Array = sample.eps * np.abs(there)
        if narrow is not None:
            narrow.active[leaf][:] = sample.active[leaf]
            level = np.fmax(level, np.abs(there - narrow().astype(sample.result)) * ratio)
        sample.active[leaf][:] = origin
        change = np.abs(there - contraction.y)
        clear = np.isfinite(change) & (change > _CLEAR * level) & (change > _CLEAR * contraction.noise)
        if clear.any():
            seen = contraction.weight[clear]
            motion = max(motion, (seen * change[clear]).sum() / (abs(step) * unit))
            rounding = max(rounding, (seen * level[clear]).sum())
            beyond += 1
        if beyond > _BEYOND:
            break
    return Far(motion, rounding / unit)
