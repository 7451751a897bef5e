r"""Points where several kinks meet: judged by the gradients of their neighbours.

Where a whole network stands at a kink (an input of zeros, biases of zeros), each unit has its own convention, and the gradient
that they make together need not lie between the one-sided derivatives along any coordinate.  Clarke's generalized gradient of the
function of all its variables is the convex hull of the limits of gradients at smooth points nearby: an entry passes when it lies
among those of neighbours drawn at random, at which the gradient is right.
"""

from __future__ import annotations

import numpy as np
from attrs import frozen

from funcnn.check.case.case import Case
from funcnn.check.differences.entries import entry_scales
from funcnn.typing import Array

_COUNT = 128
_VERIFIED = 4
_DISTANCE = 2.0**-34
_STEP = 2.0**-44  # far below the distance, so that no kink lies between
AGREE = 1e-4
"""To how much of a slope the gradients of the neighbours are known to be right."""


@frozen(eq=False)
class Neighbours:
    """The smallest and the largest gradient of each entry of a leaf at neighbouring points."""

    low: Array
    high: Array

    @property
    def size(self) -> float:
        """The largest of all."""
        return float(max(np.max(np.abs(self.low)), np.max(np.abs(self.high))))

    def differ(self, index: int) -> bool:
        """Tell whether their gradients are not all alike: the point is a kink for this entry, whatever it is along its axis."""
        return bool(self.high[index] - self.low[index] > 1e-3 * self.size)

    def contains(self, index: int, value: Array) -> bool:
        """Tell whether a value lies among theirs."""
        slack = 1e-9 * self.size
        return bool(self.low[index] - slack <= value <= self.high[index] + slack)


def look_around(case: Case, leaf: int) -> Neighbours | None:
    """Return what the gradient is around the point, or None when it is not right there (or cannot be had)."""
    sample = case.sample
    if sample.eps > 1e-17:  # too few digits for differences at such distances
        return None
    generator = case.generator(13)
    rows = []
    for number in range(_COUNT):
        ways = [
            (position, (entry_scales(start) * generator.standard_normal(start.shape)).astype(start.dtype))
            for position, start in enumerate(sample.origin)
        ]
        with sample.moved(ways, _DISTANCE):
            try:
                got = case.pull(sample.args, case.dy).leaves[leaf]
            except Exception:  # a neighbour may lie outside the domain
                return None
        if got is None or not np.isfinite(got).all():
            return None
        rows.append(got.reshape(-1).astype(sample.result))
        if number < _VERIFIED and not _is_right(case, leaf, ways, rows[-1], generator):
            return None
    table = np.stack(rows)
    return Neighbours(table.min(0), table.max(0))


def _is_right(case: Case, leaf: int, ways: list[tuple[int, Array]], gradient: Array, generator: np.random.Generator) -> bool:
    """Tell whether a neighbour's gradient agrees with a difference along one direction."""
    sample = case.sample
    direction = (entry_scales(sample.origin[leaf]) * generator.standard_normal(gradient.shape)).astype(gradient.dtype)
    values = []
    for sign in (1, -1):
        there: list[tuple[int, Array]] = [(position, way * sample.result.type(_DISTANCE)) for position, way in ways]
        there = [
            (position, way + sign * sample.result.type(_STEP) * direction if position == leaf else way) for position, way in there
        ]
        with sample.moved(there, 1.0):
            values.append(sample().copy())
    slope = ((values[0] - values[1]) @ case.cotangent) / (2 * sample.result.type(_STEP))
    terms = gradient * direction
    return bool(abs(slope - terms.sum()) <= AGREE * np.sqrt((terms * terms).sum()))
