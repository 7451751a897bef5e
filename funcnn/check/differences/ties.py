r"""Ties: several entries share one slope, each may have all of it, and together they must not have more than it.

At a tie of a maximum every one of the tied has the one-sided derivatives 0 and 1; the gradient may be $(1, 0)$ or
$(\tfrac12, \tfrac12)$, and not $(1, 1)$, although each entry lies between its own two.  Clarke's generalised gradient is the
convex hull of the gradients at smooth points nearby: a combination of entries that is the same at all of them is the same in it.
"""

from __future__ import annotations

import numpy as np

from funcnn.check.case.case import Case
from funcnn.check.differences.entries import entry_scales
from funcnn.check.differences.leaf import Comparison
from funcnn.typing import Array, IntArray

_MOST = 40  # entries at kinks, of all leaves
_MORE = 24  # neighbours than entries
_DISTANCE = 2.0**-34
_STEP = 2.0**-44
_ALIKE = 1e-9
_OFF = 1e-3  # of the slope


def judge_ties(case: Case, made: list[Comparison | None]) -> None:
    """Mark entries at kinks as wrong that together are more, or less, than a combination of them is everywhere nearby."""
    spots = [
        (leaf, int(index))
        for leaf, done in enumerate(made)
        if done is not None and not done.wrong.any()
        for index in np.flatnonzero(done.kink & ~done.forgiven & (done.high > done.low))
    ]
    if not 2 <= len(spots) <= _MOST or case.sample.eps > 1e-17:
        return
    table = _nearby(case, spots)
    if table is None:
        return
    scales = np.array([entry_scales(case.sample.origin[leaf])[index] for leaf, index in spots])
    given = np.array([0.0 if (done := made[leaf]) is None else float(done.analytic[index]) for leaf, index in spots])
    table, given = table * scales, given * scales  # in units of the entries
    middle, reach = table.mean(0), np.ptp(table, 0)
    jumps = reach > _OFF * np.max(np.abs(table), initial=0)
    if jumps.sum() < 2:
        return
    rows = (table - middle)[:, jumps] / reach[jumps]
    _, sizes, ways = np.linalg.svd(rows, full_matrices=True)
    rank = int((sizes > _ALIKE * sizes[0]).sum())
    chosen = np.flatnonzero(jumps)
    apart = np.zeros(len(chosen))  # from what the neighbours allow, in units of their reach
    for way in ways[rank:]:
        off = float(way @ ((given - middle)[jumps] / reach[jumps]))
        if abs(off) > _OFF and _confirmed(case, spots, chosen, way / reach[jumps], given):
            apart += off * way
    for place, off in zip(chosen.tolist(), apart.tolist(), strict=True):
        if abs(off) > _OFF:
            leaf, index = spots[place]
            _set_right(made[leaf], index, (given[place] - off * reach[place]) / scales[place])


def _nearby(case: Case, spots: list[tuple[int, int]]) -> Array | None:
    """Return the gradient at some entries at neighbouring points, one row for each; None where it cannot be had."""
    sample, generator = case.sample, case.generator(16)
    rows = []
    for _ in range(len(spots) + _MORE):
        ways = [
            (leaf, (entry_scales(start) * generator.standard_normal(start.shape)).astype(start.dtype))
            for leaf, start in enumerate(sample.origin)
        ]
        with sample.moved(ways, _DISTANCE):
            try:
                got = case.pull(sample.args, case.dy).leaves
            except Exception:  # a neighbour may lie outside the domain
                return None
        row = [np.nan if (leaf := got[where]) is None else float(leaf.reshape(-1)[index]) for where, index in spots]
        if not np.isfinite(row).all():
            return None
        rows.append(row)
    return np.array(rows)


def _confirmed(case: Case, spots: list[tuple[int, int]], chosen: IntArray, way: Array, given: Array) -> bool:
    """Tell whether the function has one slope along a combination of entries, and the gradient another."""
    sample = case.sample
    way = way / np.max(np.abs(way))
    directions = {leaf: np.zeros_like(sample.origin[leaf]) for leaf, _ in spots}
    for place, share in zip(chosen.tolist(), way.tolist(), strict=True):
        leaf, index = spots[place]
        directions[leaf][index] = share * entry_scales(sample.origin[leaf])[index]
    at = sample.along(list(directions.items()))
    ahead, behind = ((sign * (at(sign * _STEP) - sample.y) @ case.cotangent) / _STEP for sign in (1, -1))
    size = np.abs(given[chosen]) @ np.abs(way)
    return bool(abs(ahead - behind) <= _OFF * size and abs(given[chosen] @ way - ahead) > _OFF * size)


def _set_right(done: Comparison | None, index: int, value: float) -> None:
    """Record what an entry should be, the others being what they are."""
    if done is not None:
        done.low[index] = done.high[index] = value
        done.kink[index] = False
        done.tied = "what is tied has more, or less, in all than there is to share: no convention at a tie gives that"
