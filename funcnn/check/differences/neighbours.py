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
_ASKED = 16  # neighbours, of which that many must be right and none wrong
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
        alone = np.zeros_like(self.table[0])
        alone[index] = entry_scales(self.case.sample.origin[self.leaf])[index]
        order = np.argsort(column, kind="stable")
        below = [int(row) for row in order if column[row] <= value + slack]
        above = [int(row) for row in order[::-1] if column[row] >= value - slack]
        return self._ends_right(below, alone) and self._ends_right(above, alone)

    def _ends_right(self, rows: list[int], alone: Array) -> bool:
        """Tell whether the first neighbour that can be judged, of those on one side, is right along an entry."""
        for row in rows[:_VERIFIED]:
            right = _is_right(self.case, self.leaf, self.ways[row], self.table[row], alone, self.size)
            if right is not None:
                return right
        return False


def look_around(case: Case, leaf: int) -> Neighbours | None:
    """Return what the gradient is around the point, or None when it is not right there (or cannot be had)."""
    sample = case.sample
    if sample.eps > 1e-17:  # too few digits for differences at such distances
        return None
    generator = case.generator(13)
    rows, there, verified = [], [], 0
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
        if verified < _VERIFIED and number < _ASKED:
            scales = entry_scales(sample.origin[leaf])
            direction = (scales * generator.standard_normal(rows[-1].shape)).astype(sample.result)
            right = _is_right(case, leaf, ways, rows[-1], direction)
            if right is False:
                return None
            verified += right is True
    if verified < _VERIFIED:
        return None
    return Neighbours(case, leaf, there, np.stack(rows))


def _is_right(
    case: Case, leaf: int, ways: list[tuple[int, Array]], gradient: Array, direction: Array, size: float = 0.0
) -> bool | None:
    """Tell whether a neighbour's gradient agrees with a difference along one direction; slopes count from a ``size`` on.

    None where a kink lies within the step: of many ties one is always near, and then no difference tells.
    """
    sample, step = case.sample, case.sample.result.type(_STEP)
    terms = gradient * direction
    norm = np.maximum(np.sqrt((terms * terms).sum()), size * np.max(np.abs(direction)))

    def at(sign: int) -> Array:
        there: list[tuple[int, Array]] = [(position, way * sample.result.type(_DISTANCE)) for position, way in ways]
        there = [(position, way + sign * step * direction if position == leaf else way) for position, way in there]
        with sample.moved(there, 1.0):
            return sample().copy()

    ahead, behind = at(1), at(-1)
    if abs(((ahead - behind) @ case.cotangent) / (2 * step) - terms.sum()) <= AGREE * norm:
        return True
    here = at(0)
    bend = ((ahead - here) - (here - behind)) @ case.cotangent / step
    return None if abs(bend) > AGREE * norm else False
