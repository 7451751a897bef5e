"""The whole Jacobian of a small case, for the diagnosis: unit cotangents pulled back, and differences of every entry."""

from __future__ import annotations

import numpy as np

from funcnn.check.case import Case
from funcnn.check.compare import first_steps
from funcnn.check.cotangents import build
from funcnn.check.differences import richardson
from funcnn.check.entries import entry_line, entry_scales
from funcnn.check.evidence import Jacobian

_LARGEST = 250_000  # numbers
_OUTPUTS = 400


def jacobian(case: Case, leaf: int) -> Jacobian | None:
    """Return the Jacobian with respect to one leaf, or None when it is too large or the gradient fails at a unit cotangent."""
    sample = case.sample
    outputs, entries = len(case.cotangent), sample.origin[leaf].size
    if not 0 < outputs <= _OUTPUTS or outputs * entries > _LARGEST:
        return None
    analytic = np.empty((outputs, entries), sample.result)
    for output in range(outputs):
        unit = np.zeros_like(case.cotangent)
        unit[output] = 1
        row = case.pull(sample.args, build(sample.output, unit, sample.result)).leaves[leaf]
        if row is None:
            return None
        analytic[output] = row.reshape(-1)
    steps = first_steps(case.resolution)
    numeric = np.empty((outputs, entries), sample.result)
    for entry, scale in enumerate(entry_scales(sample.origin[leaf]).tolist()):
        at = entry_line(sample, leaf, entry)
        slopes = np.empty((outputs, len(steps)), sample.result)
        for column, step in enumerate(steps):
            above, up = at(step * scale)
            above = above.copy()
            below, down = at(-step * scale)
            slopes[:, column] = (above - below) / (up - down)
        numeric[:, entry] = richardson(slopes, steps)[0]
    return Jacobian(analytic, numeric)
