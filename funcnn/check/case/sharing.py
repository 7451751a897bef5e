"""Results that share memory with arguments, with the cotangent, with one another or with a later result."""

from __future__ import annotations

import numpy as np

from funcnn import tree
from funcnn.check.case.calls import Calls, tagged
from funcnn.check.case.cotangents import Cotangents, arrays, build
from funcnn.check.case.problem import Problem, overlap
from funcnn.check.records import Finding
from funcnn.typing import Array


def shared(problem: Problem, gradient: Cotangents, given: tuple[object, ...], dy: object) -> list[Finding]:
    """Return what the results of one call share memory with: arguments, dy, one another."""
    inputs = [array for arg in given for array in tree.leaves(arg)]
    others = [(leaf.name, array) for leaf, array in zip(problem.leaves, inputs, strict=True)]
    others += [("dy", array) for array in arrays(dy)]
    found: list[Finding] = []
    for leaf, got in zip(problem.active(), gradient.leaves, strict=True):
        if got is None:
            continue
        names = [name for name, array in others if overlap(got, array)]
        if names:
            text = f"the gradient shares memory with {' and '.join(names)}: whoever changes one in place changes the other"
            found.append(tagged("aliasing", leaf.path, text, "aliasing"))
        others.append((f"the gradient of {leaf.name}", got))
    return found


def shared_at_one(calls: Calls, known: set[str]) -> list[Finding]:
    """Return what is shared when every cotangent is 1, which tempts to return an argument itself."""
    given, dy = calls.copies(), build(calls.output, np.ones_like(calls.vector))
    return [one for one in shared(calls.problem, calls.pull(given, dy), given, dy) if one.path not in known]


def overwritten(problem: Problem, first: Cotangents, kept: tuple[Array | None, ...]) -> list[Finding]:
    """Return the leaves of an earlier result that later calls have changed."""
    found = []
    for leaf, now, then in zip(problem.active(), first.leaves, kept, strict=True):
        if now is not None and then is not None and not np.array_equal(now, then, equal_nan=True):
            text = "a later call overwrites the gradient that an earlier one returned: they share a buffer"
            found.append(tagged("aliasing", leaf.path, text, "aliasing"))
    return found
