"""The order of numbers in memory must not matter: Fortran order, strides, negative strides."""

from __future__ import annotations

from functools import partial

import numpy as np

from funcnn.check.case.calls import ROUNDINGS, Calls, roughly_equal, tagged
from funcnn.check.case.cotangents import Cotangents
from funcnn.check.case.perturbation import with_other_digits
from funcnn.check.case.problem import output_leaves
from funcnn.check.records import Finding
from funcnn.typing import Array

_SLIGHT = 1e-4
_DRAWS = 16


def layouts(calls: Calls, kept: tuple[Array | None, ...]) -> list[Finding]:
    """Return the leaves whose gradient depends on the layout of the arguments or of dy."""
    problem = calls.problem
    for name, change in (("Fortran-ordered", fortran), ("strided", strided), ("negatively strided", backwards)):
        try:
            got = calls.pull(calls.copies(change), calls.cotangent(change))
            values = output_leaves(calls.function(calls.copies(change)))
        except Exception as error:
            text = f"fails with {name} arguments: {type(error).__name__}: {error}"
            return [tagged("layout", problem.active()[0].path, text, "permuted")]
        text = f"depends on the order in memory: it is another with {name} arguments"
        found = calls.differing(kept, got, "layout", "permuted", text)
        # A difference of a few digits is one of rounding, which the precision of the result is judged by.
        found = [one for one in found if not _slight(calls, kept, got, one.path)]
        if not found and not _same_outputs(calls, values):
            found.append(tagged("layout", problem.active()[0].path, f"the function's output {text}", "permuted"))
        if found:
            return found
    return []


def fortran(array: Array) -> Array:
    """Return a copy in Fortran order."""
    return np.array(array, order="F")


def strided(array: Array) -> Array:
    """Return a copy with a gap after each number."""
    if not array.ndim:
        return np.array(array)
    wide: Array = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
    wide[..., ::2] = array
    return wide[..., ::2]


def backwards(array: Array) -> Array:
    """Return a copy with a negative stride."""
    return np.array(array[::-1])[::-1] if array.ndim else np.array(array)


def _same_outputs(calls: Calls, values: tuple[Array, ...]) -> bool:
    """Tell whether outputs are the same up to rounding: that of their size, or what last digits of the arguments make of them."""
    before = output_leaves(calls.output)
    if all(roughly_equal(one, other, 1e4) for one, other in zip(before, values, strict=True)):
        return True
    perturb = partial(with_other_digits, generator=np.random.default_rng(6))
    moved = [0.0] * len(before)
    for _ in range(_DRAWS):  # what is zero by cancellation has few values: many neighbours may share one
        perturbed = output_leaves(calls.function(calls.copies(perturb)))
        for position, (one, other) in enumerate(zip(before, perturbed, strict=True)):
            gap = np.abs(one - other) if one.dtype.kind == "f" and one.shape == other.shape else np.zeros(1)
            moved[position] = max(moved[position], float(np.max(gap, initial=0, where=np.isfinite(gap))))
    return all(
        one.dtype.kind == "f" and one.shape == other.shape and bool((np.abs(one - other) <= ROUNDINGS * most).all())
        for one, other, most in zip(before, values, moved, strict=True)
    )


def _slight(calls: Calls, kept: tuple[Array | None, ...], got: Cotangents, path: str) -> bool:
    """Tell whether a difference is that of sums in another order: small, or as large as what last digits make."""
    position = [leaf.path for leaf in calls.problem.active()].index(path)
    one, other = kept[position], got.leaves[position]
    if one is None or other is None or one.shape != other.shape:
        return False
    gap, size = np.max(np.abs(one - other), initial=0), np.max(np.abs(one), initial=0)
    return bool(gap <= _SLIGHT * size) or calls.by_rounding(position, one, other)
