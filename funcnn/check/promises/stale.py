"""Memory of an earlier point: a gradient that is right where it was first called, and wrong everywhere else."""

from __future__ import annotations

import numpy as np

from funcnn import tree
from funcnn.check.case.calls import other_point
from funcnn.check.case.case import Case
from funcnn.check.case.problem import Question, pose
from funcnn.check.case.sampler import sampler
from funcnn.check.differences.compare import compare_entries
from funcnn.check.promises.contract import Contract
from funcnn.typing import BoolArray, IntArray

_ENTRIES = 32
_QUICK = 2000  # numbers of an evaluation that allow for many
_FEW = 4
_OTHERS = 3


def is_stale(case: Case, contract: Contract, leaf: int, wrong: BoolArray) -> bool:
    """Tell whether a leaf that is wrong here is right at the point of the first call, and wrong at other points too."""
    if case.wide is None:
        return False
    # Some of the wrong entries, and some of all.
    order = case.generator(6).permutation(wrong.size)
    quick = case.numbers < _QUICK
    entries = order[:_ENTRIES] if quick else np.union1d(order[:_FEW], np.flatnonzero(wrong)[:_FEW])
    first = _error_at(case, contract.elsewhere, leaf, entries)
    if first >= 1e-4:
        return False
    generator = case.generator(9)
    others = (_error_at(case, other_point(case.problem, generator), leaf, entries) for _ in range(_OTHERS))
    return all(error > 1e-4 and error > 100 * first for error in others)


def _error_at(case: Case, args: tuple[object, ...], leaf: int, entries: IntArray) -> float:
    """Return the relative error of a leaf's gradient at another point: of a few entries (infinite where it is not defined)."""
    problem = case.problem
    names = tuple(f"argument {index}" for index in range(len(args)))
    copies = tuple(tree.map(np.array, arg) for arg in args)
    question = Question(problem.name, problem.function, problem.pullback)
    moved = pose(question, copies, names, differentiated=problem.differentiated)
    try:
        reference = "auto" if case.sample.dtype != np.float64 else "float64"
        there = Case(moved, sampler(moved, reference), case.cotangent, case.seed)
        gradient = None if there.wide is None else there.wide.leaves[leaf]
        if gradient is None:
            return np.inf
        made = compare_entries(there, leaf, gradient, entries)
    except Exception:  # the other point may lie outside the domain
        return np.inf
    off = made.off[entries]
    return float(np.max(off) / made.scale) if made.scale > 0 and np.isfinite(off).all() else np.inf
