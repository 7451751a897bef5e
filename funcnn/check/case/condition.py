"""The condition of a gradient: by how much it changes with the last digits of everything that it is computed from."""

from __future__ import annotations

import numpy as np

from funcnn.check.case.calls import eps_of
from funcnn.check.case.case import Case
from funcnn.check.case.cotangents import build
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

    def perturb(array: Array, digit: float) -> Array:
        return array * (1 + digit * generator.choice((-1.0, 1.0), array.shape).astype(wide))

    def moved(leaf: Leaf) -> Array:
        if leaf.array.dtype.kind != "f":
            return np.array(leaf.array)
        return np.asarray(perturb(leaf.array.astype(wide), eps or eps_of(leaf.array)))

    coarsest = eps or max(eps_of(leaf.array) for leaf in case.problem.active())
    largest = np.zeros(exact.shape, exact.dtype)
    for _ in range(_DRAWS):
        dy = build(case.sample.output, perturb(case.cotangent, coarsest), wide)
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

    def perturb(array: Array) -> Array:
        if array.dtype.kind != "f":
            return np.array(array)
        return np.asarray(array * (1 + eps_of(array) * generator.choice((-1, 1), array.shape))).astype(array.dtype)

    largest = 0.0
    for _ in range(_DRAWS):
        dy = build(case.sample.output, perturb(case.cotangent.astype(kind)), kind)
        try:
            other = case.pull(cast_args(case.problem, lambda leaf: perturb(leaf.array)), dy).leaves[position]
        except Exception:  # a neighbour may lie outside the domain
            continue
        if other is not None and other.shape == got.shape:
            largest = max(largest, float(np.max(np.abs(other - got), initial=0)))
    return largest
