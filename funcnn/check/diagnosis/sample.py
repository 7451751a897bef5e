"""Explanations of a leaf that was too large to look at whole: where the wrong ones are among the examined entries."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from funcnn.check.diagnosis.view import Hypothesis
from funcnn.check.differences.evidence import LeafEvidence
from funcnn.typing import BoolArray

_SEEN = 8  # right entries that must have been looked at
_INSIDE = 4  # entries of a slice that must have been looked at


def hypotheses(leaf: LeafEvidence) -> Iterator[Hypothesis]:
    """Yield a single entry, or a slice at one index of an axis, or at one of several."""
    wrong: BoolArray = leaf.wrong
    examined: BoolArray = np.isfinite(leaf.numeric)
    right: BoolArray = examined & ~wrong
    if right.sum() < _SEEN:
        return
    places = np.argwhere(wrong)
    looked = f"{_ratio(leaf)}, of the {int(examined.sum())} entries that were looked at"
    if len(places) == 1:
        yield Hypothesis("single_entry", f"entry {places[0].tolist()} alone is wrong{looked}", 0.0, 1.5)
        return
    for count in range(1, wrong.ndim):
        for axes in itertools.combinations(range(wrong.ndim), count):
            where = tuple(int(places[0, axis]) if axis in axes else slice(None) for axis in range(wrong.ndim))
            if wrong[where].sum() < len(places) or len(places) < _INSIDE or right[where].any():
                continue
            shown = ", ".join(":" if isinstance(at, slice) else str(at) for at in where)
            tag = "channel" if wrong.ndim > 2 and axes[0] >= wrong.ndim - 2 else "row_or_column"
            yield Hypothesis(tag, f"[{shown}] of the gradient is wrong, the rest is right{looked}", 0.0, 1.5 + 0.1 * count)
            return


def _ratio(leaf: LeafEvidence) -> str:
    """Say by what factor all wrong entries are off, if it is one."""
    assert leaf.analytic is not None
    ratio = leaf.analytic[leaf.wrong] / leaf.numeric[leaf.wrong]
    same = np.isfinite(ratio).all() and np.ptp(ratio) <= 1e-6 * np.abs(ratio).max()
    return f" (there it is the right one times {float(ratio.mean()):.6g})" if same else ""
