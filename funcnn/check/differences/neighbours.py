r"""Points where several kinks meet: judged by the gradients of their neighbours.

Where a whole network stands at a kink (an input of zeros, biases of zeros), each unit has its own convention, and the gradient
that they make together need not lie between the one-sided derivatives along any coordinate.  Clarke's generalized gradient of the
function of all its variables is the convex hull of the limits of gradients at smooth points nearby: an entry passes when it lies
among those of neighbours drawn at random, at which the gradient is right.  That is asked of a few of them and, entry by entry,
of the two that it lies between: most neighbours may be on a side where there is no slope to be wrong.
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
    """The gradients of a leaf at neighbouring points."""

    case: Case
    leaf: int
    ways: list[list[tuple[int, Array]]]  # from the point to each of them
    table: Array  # their gradients, as rows

    @property
    def size(self) -> float:
        """The largest slope of all."""
        return float(np.max(np.abs(self.table)))

    def differ(self, index: int) -> bool:
        """Tell whether their gradients are not all alike: the point is a kink for this entry, whatever it is along its axis."""
        return bool(np.ptp(self.table[:, index]) > 1e-3 * self.size)

    def contains(self, index: int, value: Array) -> bool:
        """Tell whether a value lies among theirs, between two at which the entry is right."""
        column, slack = self.table[:, index], 1e-9 * self.size
        if not column.min() - slack <= value <= column.max() + slack:
            return False
        alone = np.zeros_like(self.table[0])
        alone[index] = entry_scales(self.case.sample.origin[self.leaf])[index]
        return all(
            _is_right(self.case, self.leaf, self.ways[row], self.table[row], alone, self.size)
            for row in (int(column.argmin()), int(column.argmax()))
        )


def look_around(case: Case, leaf: int) -> Neighbours | None:
    """Return what the gradient is around the point, or None when it is not right there (or cannot be had)."""
    sample = case.sample
    if sample.eps > 1e-17:  # too few digits for differences at such distances
        return None
    generator = case.generator(13)
    rows, there = [], []
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
        there.append(ways)
        if number < _VERIFIED:
            scales = entry_scales(sample.origin[leaf])
            direction = (scales * generator.standard_normal(rows[-1].shape)).astype(sample.result)
            if not _is_right(case, leaf, ways, rows[-1], direction):
                return None
    return Neighbours(case, leaf, there, np.stack(rows))


def _is_right(case: Case, leaf: int, ways: list[tuple[int, Array]], gradient: Array, direction: Array, size: float = 0.0) -> bool:
    """Tell whether a neighbour's gradient agrees with a difference along one direction; slopes count from a ``size`` on."""
    sample = case.sample
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
    norm = np.maximum(np.sqrt((terms * terms).sum()), size * np.max(np.abs(direction)))
    return bool(abs(slope - terms.sum()) <= AGREE * norm)
