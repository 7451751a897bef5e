"""The condition of a gradient: by how much it changes with the last digits of everything that it is computed from."""

from __future__ import annotations

import numpy as np

from funcnn.check.case.case import Case
from funcnn.check.case.cotangents import build
from funcnn.check.case.perturbation import eps_of, with_other_digits
from funcnn.check.case.problem import Leaf, cast_args
from funcnn.typing import Array

_DRAWS = 4


def last_digits(case: Case, position: int, exact: Array, eps: float, upper: Array | None = None) -> Array:
    """Return by how much the gradient changes, entry by entry, when everything changes by its last digit.

    The digit is eps or, where that is 0, the last one of each leaf in its own precision.  With an upper bound, whatever lies
    between ``exact`` and that is no change.
    """
    generator = case.generator(8)
    wide = case.sample.result

    def moved(leaf: Leaf) -> Array:
        floating = leaf.array.dtype.kind == "f"
        values = leaf.array.astype(wide) if floating else leaf.array
        return with_other_digits(values, generator, eps or eps_of(leaf.array))

    coarsest = eps or max(eps_of(leaf.array) for leaf in case.problem.active())
    largest = np.zeros(exact.shape, exact.dtype)
    for _ in range(_DRAWS):
        dy = build(case.sample.output, with_other_digits(case.cotangent, generator, coarsest), wide)
        try:
            other = case.pull(cast_args(case.problem, moved), dy).leaves[position]
        except Exception:  # a neighbour may lie outside the domain
            continue
        if other is not None:
            largest = np.fmax(largest, np.abs(other - np.clip(other, exact, exact if upper is None else upper)))
    return largest


def working_digits(case: Case, position: int, got: Array) -> float:
    """Return by how much the result in the precision that was given changes with its last digits: of all entries the most.

    Where terms cancel to zero at every point, the exact gradient does not change at all; what changes is the rounding of the
    terms.
    """
    generator = case.generator(9)
    kind = got.dtype
    largest = 0.0
    for _ in range(_DRAWS):
        dy = build(case.sample.output, with_other_digits(case.cotangent.astype(kind), generator), kind)
        try:
            other = case.pull(cast_args(case.problem, lambda leaf: with_other_digits(leaf.array, generator)), dy).leaves[position]
        except Exception:  # a neighbour may lie outside the domain
            continue
        if other is not None and other.shape == got.shape:
            largest = max(largest, float(np.max(np.abs(other - got), initial=0)))
    return largest
