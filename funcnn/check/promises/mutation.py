"""Writing into what was given: found by comparing every entry, and named with its line by a run on read-only copies."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from funcnn import tree
from funcnn.check.case.calls import Calls, tagged
from funcnn.check.case.cotangents import arrays
from funcnn.check.case.problem import Problem
from funcnn.check.records import Finding
from funcnn.typing import Array

_WRITES = re.compile(r"(destination|output array|sort array|^array|^assignment).* is read-only")
"""What NumPy says when something is written."""

Change: TypeAlias = Callable[[Array], Array]


def changed_leaves(problem: Problem, given: tuple[object, ...], who: str) -> list[Finding]:
    """Return a finding for every argument that is not what it was."""
    now = [array for arg in given for array in tree.leaves(arg)]
    found = []
    for leaf, array in zip(problem.leaves, now, strict=True):
        if not np.array_equal(leaf.array, array, equal_nan=leaf.array.dtype.kind == "f"):
            found.append(tagged("mutation", leaf.path, f"{who} writes into its argument {leaf.name}", "mutates_input"))
    return found


def written(calls: Calls, given: tuple[object, ...], dy: object) -> list[Finding]:
    """Return what a call of the gradient wrote into, with the line that does it."""
    found = changed_leaves(calls.problem, given, "the gradient")
    pure = arrays(calls.cotangent())
    if any(not np.array_equal(one, other) for one, other in zip(pure, arrays(dy), strict=True)):
        found.append(tagged("mutation", "dy", "the gradient writes into the cotangent dy", "mutates_dy"))
    line = _guilty_line(calls, locked, locked)
    if line is None:
        return found
    if not found:  # it wrote what was there already
        own = _guilty_line(calls, locked, np.array) is not None
        path, tag = (calls.problem.active()[0].path, "mutates_input") if own else ("dy", "mutates_dy")
        found.append(tagged("mutation", path, "the gradient fails when it is given read-only arrays", tag))
    return [tagged(one.kind, one.path, one.text + line, one.diagnosis.tag) for one in found]


def locked(array: Array) -> Array:
    """Return a read-only copy."""
    copy = np.array(array)
    copy.setflags(write=False)
    return copy


def _guilty_line(calls: Calls, args: Change, dy: Change) -> str | None:
    """Return the line that raises with read-only arrays, for a message; None when none does."""
    try:
        calls.pull(calls.copies(args), calls.cotangent(dy))
    except (ValueError, BufferError, TypeError) as error:
        if "read-only" not in str(error):
            raise
        if not _WRITES.search(str(error)):  # it takes writable buffers only, as compiled code does, whatever it does with them
            return None
        frame = traceback.extract_tb(error.__traceback__)[-1]
        return f" ({frame.filename.rpartition('/')[2]}, line {frame.lineno}: {frame.line})" if frame.line else ""
    return None
