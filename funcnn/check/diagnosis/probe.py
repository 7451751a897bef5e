"""Experiments with a case: its function and the gradient under test at other points and with other cotangents."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import cached_property
from typing import cast

import numpy as np

from funcnn import tree
from funcnn.check.case.cotangents import build
from funcnn.check.case.problem import is_floating, output_leaves, ravel_output
from funcnn.check.differences.differences import richardson
from funcnn.check.differences.evidence import Evidence
from funcnn.typing import Array, Shape

_FINE = (2.0**-16, 2.0**-12)
_COARSE = (2.0**-9, 2.0**-7, 2.0**-5)


class RefusalError(Exception):
    """The function does not take the arguments of an experiment."""


class Probe:
    """The function and the gradient under test, as maps between vectors, for any arguments of the same structure."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.arrays = tuple(leaf for arg in evidence.args for leaf in tree.leaves(arg))
        self.paths = tuple(f"[{index}]{path}" for index, arg in enumerate(evidence.args) for path, _ in tree.walk(arg))
        owner = [index for index, arg in enumerate(evidence.args) for _ in tree.leaves(arg)]
        active = [at for at, leaf in enumerate(self.arrays) if is_floating(leaf) and owner[at] in evidence.differentiated]
        spots, rest = [], iter(active)
        for leaf in evidence.leaves:  # a leaf without a usable gradient may have been left out
            spots.append(next(at for at in rest if self.arrays[at].shape == leaf.value.shape))
        self.active = tuple(active)
        self.spots = tuple(spots)
        """Where in ``arrays`` each leaf of the evidence stands."""
        self.spot = self.spots[evidence.leaf]
        self.dtype = np.result_type(*(self.arrays[at].dtype for at in active))
        self.shapes: tuple[Shape, ...] = tuple(leaf.shape for leaf in output_leaves(evidence.output) if is_floating(leaf))
        self.rows = sum(int(np.prod(shape)) for shape in self.shapes)

    @cached_property
    def noise(self) -> float:
        """The relative precision of the differences, as far as the checker's own bars tell."""
        leaf = self.evidence.wrong
        sizes, bars = np.abs(leaf.numeric), leaf.bar[np.isfinite(leaf.bar)]
        scale = float(np.nanmax(sizes, initial=0))
        return float(np.median(bars)) / scale if bars.size and scale else 0.0

    @cached_property
    def steps(self) -> tuple[float, ...]:
        """Steps of the differences, in units of the entries' scales."""
        return _FINE if np.finfo(self.dtype).eps < 1e-17 and self.noise < 1e-12 else _COARSE

    def args(self, arrays: Sequence[Array]) -> tuple[object, ...]:
        """Return arguments with other leaves."""
        leaves = iter([np.array(one) for one in arrays])
        return tuple(tree.rebuild(arg, leaves) for arg in self.evidence.args)

    def output(self, arrays: Sequence[Array]) -> object:
        """Return the function's output as it comes.

        Raises
        ------
        RefusalError
            When the function raises.
        """
        self.evidence.patience.spend()
        try:
            return self.evidence.function(*self.args(arrays))
        except Exception as error:
            raise RefusalError(str(error)) from error

    def vector(self, arrays: Sequence[Array]) -> Array:
        """Return the floating outputs as one vector."""
        return ravel_output(output_leaves(self.output(arrays)), self.dtype)

    def pull(self, arrays: Sequence[Array], cotangent: Array, spot: int | None = None, output: object = None) -> Array | None:
        """Return the gradient under test of one leaf, raveled; None when it is not one."""
        self.evidence.patience.spend()
        dy = build(self.evidence.output if output is None else output, cotangent, self.dtype)
        try:
            result = self.evidence.pullback(*self.args(arrays), dy)
        except Exception:  # whatever it says of other arguments
            return None
        return self.pick(result, self.spot if spot is None else spot)

    def pick(self, result: object, spot: int) -> Array | None:
        """Return one leaf of what the gradient under test gave."""
        if not isinstance(result, tuple):
            return None
        given = dict(zip(self.evidence.differentiated, result, strict=False))
        at = 0
        for index, arg in enumerate(self.evidence.args):
            count = len(tree.leaves(arg))
            if at <= spot < at + count:
                steps = [step for _, step in _routes(arg)][spot - at]
                found = _follow(given.get(index), steps)
                wanted = self.arrays[spot].ndim
                return found.reshape(-1).astype(self.dtype) if found is not None and found.ndim == wanted else None
            at += count
        return None

    def numeric(self, arrays: Sequence[Array], spot: int | None = None) -> tuple[Array, Array]:
        """Return the Jacobian (outputs, entries) with respect to one leaf, and its error bars."""
        at = self.spot if spot is None else spot
        moved = [np.array(one) for one in arrays]
        flat = moved[at].reshape(-1)
        start = flat.copy()
        sizes = np.abs(start[start != 0])
        unit = float(np.median(sizes)) if sizes.size else 1.0
        scales = 2.0 ** np.floor(np.log2(np.maximum(np.abs(start), unit)))
        above, below = (np.zeros((len(self.steps), flat.size, self.rows), self.dtype) for _ in range(2))
        span = np.ones((len(self.steps), flat.size, 1), self.dtype)
        refused = np.zeros(flat.size, bool)
        for index, scale in enumerate(scales):
            try:
                for at_step, step in enumerate(self.steps):
                    flat[index] = start[index] + scale * step
                    above[at_step, index], up = self.vector(moved), flat[index]
                    flat[index] = start[index] - scale * step
                    below[at_step, index] = self.vector(moved)
                    span[at_step, index] = (up - start[index]) + (start[index] - flat[index])
            except RefusalError:  # a domain edge
                refused[index] = True
            finally:
                flat[index] = start[index]
        value, spread = richardson(np.moveaxis((above - below) / span, 0, -1), self.steps)
        # The noise is relative to the slopes; what that makes of an output is no more than its size suggests.
        largest = float(np.nanmax(np.abs(self.evidence.wrong.numeric), initial=0))
        heights, eps = np.abs(above[-1]), float(np.finfo(self.dtype).eps)
        rough = self.noise * self.steps[0] * np.minimum(heights, scales[:, None] * largest)
        level = np.where(above[-1] != below[-1], np.maximum(eps * heights, rough), 0)
        bars = spread + level / (self.steps[0] * scales[:, None])
        value[refused], bars[refused] = np.nan, 0
        return np.ascontiguousarray(value.T), np.ascontiguousarray(bars.T)

    def analytic(self, arrays: Sequence[Array], spot: int | None = None) -> Array | None:
        """Return the Jacobian by the gradient under test, one unit cotangent after the other."""
        rows = []
        for row in range(self.rows):
            cotangent = np.zeros(self.rows, self.dtype)
            cotangent[row] = 1
            rows.append(self.pull(arrays, cotangent, spot))
        if any(row is None for row in rows):
            return None
        return np.stack([row for row in rows if row is not None]) if rows else None

    def slope(self, arrays: Sequence[Array], spot: int, direction: Array, cotangent: Array) -> float:
        """Return the derivative of the contracted output along a direction of one leaf."""
        start = arrays[spot]
        sizes = np.abs(start[start != 0])
        scale = 2.0 ** np.floor(np.log2(float(np.median(sizes)))) if sizes.size else 1.0
        slopes = []
        for step in self.steps:
            ends = []
            for sign in (1, -1):
                moved = list(arrays)
                moved[spot] = start + sign * self.dtype.type(scale * step) * direction
                ends.append(self.vector(moved))
            slopes.append(((ends[0] - ends[1]) @ cotangent) / (2 * self.dtype.type(scale * step)))
        return float(richardson(np.stack(slopes), self.steps)[0])

    def generator(self, stream: int) -> np.random.Generator:
        """Return random numbers for one purpose."""
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(self.evidence.seed, spawn_key=(900 + stream,))))

    def normal(self, stream: int, *shape: int) -> Array:
        """Return normal numbers in the reference precision."""
        return self.generator(stream).standard_normal(shape).astype(self.dtype)


def _routes(node: object, route: tuple[str, ...] = ()) -> list[tuple[object, tuple[str, ...]]]:
    """Return (leaf, steps from the root) for every leaf of a tree."""
    if isinstance(node, np.ndarray):
        return [(node, route)]
    return list(itertools.chain.from_iterable(_routes(child, (*route, step)) for step, child in tree.children(node)))


def _follow(node: object, route: tuple[str, ...]) -> Array | None:
    for step in route:
        try:
            node = dict(tree.children(node)).get(step)
        except TypeError:
            return None
    array = cast(Array, np.asarray(node)) if isinstance(node, (np.ndarray, np.generic)) else None
    return array if array is not None and is_floating(array) else None
