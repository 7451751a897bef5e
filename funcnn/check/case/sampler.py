"""The function as a map from its raveled floating leaves to its raveled floating outputs, in one precision.

The leaves are buffers that the caller moves; the function itself sees read-only views of them (or, for a function that is known
to write into its arguments, fresh copies each time).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from funcnn import tree
from funcnn.check.case.calls import with_note
from funcnn.check.case.problem import Leaf, Problem, cast_args, output_leaves, ravel_output
from funcnn.typing import Array

_DOUBLE: np.dtype[np.floating] = np.dtype(np.float64)
LONG = np.dtype(np.longdouble)
WIDER = bool(np.finfo(np.longdouble).eps < 1e-17)
"""Whether long double has more digits than float64 here (it has not on Windows and on some ARM machines)."""


class Sampler:
    """The function around one point, counting its evaluations."""

    def __init__(self, problem: Problem, dtype: np.dtype[np.floating] | None, *, fresh: bool = False) -> None:
        self.problem = problem
        self.dtype = dtype
        self.fresh = fresh
        self.count = 0
        self.quickest = math.inf
        """The seconds of the quickest evaluation: others may have waited for a busy machine, whatever the function does."""
        self.flat: list[Array] = []  # the writable buffer of each leaf, as a vector
        self.start: list[Array] = []  # what it holds at the point
        self.args = cast_args(problem, self._buffer)
        self.active = [flat for flat, leaf in zip(self.flat, problem.leaves, strict=True) if leaf.active]
        self.origin = [start for start, leaf in zip(self.start, problem.leaves, strict=True) if leaf.active]
        try:
            self.output = self.evaluate()
        except (ValueError, BufferError, TypeError) as error:
            if self.fresh or "read-only" not in str(error):
                raise
            self.fresh = True  # it takes writable buffers only, whatever it does with them
            self.output = self.evaluate()
        leaves = output_leaves(self.output)
        floating: list[np.dtype[np.floating]] = [leaf.dtype for leaf in leaves if leaf.dtype.kind == "f"]
        self.result = dtype or max([*floating], key=lambda kind: kind.itemsize, default=_DOUBLE)
        self.shapes = tuple(leaf.shape for leaf in leaves)
        self.y = ravel_output(leaves, self.result).copy()
        self.eps = max([float(np.finfo(kind).eps) for kind in (*floating, *([dtype] if dtype else []))], default=2.3e-16)

    def _buffer(self, leaf: Leaf) -> Array:
        dtype = self.dtype if self.dtype is not None and leaf.array.dtype.kind == "f" else leaf.array.dtype
        flat: Array = np.array(leaf.array.reshape(-1), dtype=dtype)
        self.flat.append(flat)
        self.start.append(flat.copy())
        view = flat.reshape(leaf.array.shape)
        view.setflags(write=False)
        return view

    def evaluate(self) -> object:
        """Return the output as the function gives it."""
        self.count += 1
        args = self.args
        if self.fresh:
            args = tuple(tree.map(np.array, arg) for arg in args)
        started = time.perf_counter()
        output = self.problem.function(*args)
        self.quickest = min(self.quickest, time.perf_counter() - started)
        return output

    def __call__(self) -> Array:
        """Return the output as a vector: NaN where the function raises or gives another shape (which is reported elsewhere)."""
        try:
            output = self.evaluate()
        except Exception:  # a domain edge: the sample counts as not finite
            return np.full_like(self.y, np.nan)
        if type(output) is np.ndarray and output.dtype == self.result and len(self.shapes) == 1:
            return output.reshape(-1) if output.shape == self.shapes[0] else np.full_like(self.y, np.nan)
        leaves = output_leaves(output)
        if tuple(leaf.shape for leaf in leaves) != self.shapes:
            return np.full_like(self.y, np.nan)
        return ravel_output(leaves, self.result)

    def along(self, directions: list[tuple[int, Array]]) -> Callable[[float], Array]:
        """Return the function of t that moves the given active leaves along the given vectors, and puts them back."""

        def at(t: float) -> Array:
            with self.moved(directions, t):
                return self()

        return at

    @contextmanager
    def moved(self, directions: list[tuple[int, Array]], t: float) -> Iterator[None]:
        """Move active leaves by t along vectors for a while."""
        for leaf, direction in directions:
            np.add(self.origin[leaf], direction * self.result.type(t), out=self.active[leaf])
        try:
            yield
        finally:
            for leaf, _ in directions:
                self.active[leaf][:] = self.origin[leaf]


def sampler(problem: Problem, reference: str = "auto", *, fresh: bool = False) -> Sampler:
    """Return the sampler in the widest precision that the function takes.

    Raises
    ------
    Exception
        What the function raises at the point, in the precision that was given.
    """
    wide = [LONG] if reference in ("auto", "longdouble") and WIDER else []
    kinds: list[np.dtype[np.floating]] = [*wide, np.dtype(np.float64)]
    for dtype in kinds:
        if all(np.can_cast(leaf.array.dtype, dtype) for leaf in problem.leaves if leaf.active):
            try:
                return Sampler(problem, dtype, fresh=fresh)
            except Exception:  # whatever it is that this function has against the precision: narrower ones follow
                continue
    with with_note("raised by the function, when it was called again at the point"):
        return Sampler(problem, None, fresh=fresh)
