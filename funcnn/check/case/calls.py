"""Calls of a function and of its gradient in the precision that was given, each on fresh copies of the arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np

from funcnn import tree
from funcnn.check.case.cotangents import Cotangents, build, convert_leaves, read_cotangents
from funcnn.check.case.perturbation import eps_of, with_other_digits
from funcnn.check.case.problem import Leaf, Problem, cast_args, in_working_precision
from funcnn.check.records import Diagnosis, Finding
from funcnn.typing import Array

ROUNDINGS = 64
"""How many roundings two results of one computation may differ by, relative to the largest entry of the leaf."""

ERRATIC = 0.03
"""The share of a gradient by which its neighbours differ when it is nothing but rounding: a formula moves by its last digits."""


@contextmanager
def with_note(text: str) -> Iterator[None]:
    """Add a note to whatever is raised inside."""
    try:
        yield
    except Exception as error:
        error.add_note(text)
        raise


class Calls:
    """The function and its gradient at the point, counting."""

    def __init__(self, problem: Problem, output: object, vector: Array) -> None:
        self.problem = problem
        self.output = output
        self.vector = vector
        self.pullbacks = 0
        self.evaluations = 0

    def copies(self, change: Callable[[Array], Array] = np.array) -> tuple[object, ...]:
        """Return the arguments with every leaf a fresh array, changed in some way."""
        return cast_args(self.problem, lambda leaf: change(leaf.array))

    def cotangent(self, change: Callable[[Array], Array] = np.array) -> object:
        """Return a fresh cotangent."""
        return convert_leaves(build(self.output, self.vector), change)

    def function(self, args: tuple[object, ...]) -> object:
        """Return the output of the function."""
        self.evaluations += 1
        with with_note("raised by the function, at the point where its gradient is checked"):
            return self.problem.function(*args)

    def pull(self, args: tuple[object, ...], dy: object) -> Cotangents:
        """Return the gradient, read leaf by leaf."""
        self.pullbacks += 1
        with with_note("raised by the gradient, at the point where it is checked"):
            result = self.problem.pullback(*args, dy)
        return read_cotangents(self.problem, result, strict_dtype=True)

    def pull_again(self, again: Callable[..., object]) -> Cotangents:
        """Return the gradient by another function that should give the same."""
        self.pullbacks += 2
        return read_cotangents(self.problem, again(*self.copies(), self.cotangent()), strict_dtype=True)

    def here(self) -> Cotangents:
        """Return the gradient at the point."""
        return self.pull(self.copies(), self.cotangent())

    def at(self, args: tuple[object, ...]) -> Cotangents:
        """Return the gradient at another point with the same cotangent, after the function was called there."""
        copies = tuple(tree.map(np.array, arg) for arg in args)
        return self.pull(copies, build(in_working_precision(self.problem, self.function(copies)), self.vector))

    def differing(self, before: tuple[Array | None, ...], after: Cotangents, kind: str, tag: str, text: str) -> list[Finding]:
        """Return a finding for every leaf whose gradient is not the same."""
        found = []
        for leaf, one, other in zip(self.problem.active(), before, after.leaves, strict=True):
            if one is None or (other is not None and roughly_equal(one, other)):
                continue
            said, index = f"the gradient {text}", None
            if other is not None and one.shape == other.shape:
                index = worst_index(one, other)
                said += f": {float(one[index]):.6g}, then {float(other[index]):.6g}"
            found.append(tagged(kind, leaf.path, said, tag, index))
        return found

    def by_rounding(self, position: int, one: Array, other: Array) -> bool:
        """Tell whether two gradients of a leaf, of calls that do not vary, differ by rounding alone, as sums in another order do.

        A gradient that is zero by cancellation, as that of a bias right before batch normalization, is nothing but rounding: so
        it is judged by what last digits of the arguments make of it, and since single entries meet luck, of all entries.
        """
        if one.shape != other.shape or not (np.isfinite(one).all() and np.isfinite(other).all()):
            return False
        sensitivity = self._sensitivity(position, one)
        if np.max(sensitivity, initial=0) > ERRATIC * np.max(np.abs(one), initial=0):
            sensitivity = np.full_like(sensitivity, np.max(sensitivity, initial=0))
        return bool(np.all(np.abs(one - other) <= ROUNDINGS * sensitivity))

    def _sensitivity(self, position: int, gradient: Array) -> Array:
        """Return by how much a gradient changes with the last digits of the arguments and of dy."""
        perturb = partial(with_other_digits, generator=np.random.default_rng(5))
        largest = np.full_like(gradient, eps_of(gradient) * np.max(np.abs(gradient), initial=0))
        for _ in range(2):
            try:
                perturbed = self.pull(self.copies(perturb), self.cotangent(perturb)).leaves[position]
            except Exception:  # a neighbour may lie outside the domain
                continue
            if perturbed is not None and perturbed.shape == gradient.shape:
                largest = np.fmax(largest, np.abs(perturbed - gradient))
        return largest


def other_point(problem: Problem, generator: np.random.Generator) -> tuple[object, ...]:
    """Return arguments elsewhere, in the domain as far as one can guess: each leaf shuffled and changed a little."""

    def move(leaf: Leaf) -> Array:
        if not leaf.active:
            return np.array(leaf.array)
        shuffled = leaf.array.reshape(-1)[generator.permutation(leaf.array.size)].reshape(leaf.array.shape)
        return np.asarray(shuffled * (1 + 0.1 * generator.uniform(0.5, 1, leaf.array.shape))).astype(leaf.array.dtype)

    return cast_args(problem, move)


def roughly_equal(one: Array, other: Array, roundings: float = ROUNDINGS) -> bool:
    """Tell whether two arrays are the same up to rounding; NaN equals NaN."""
    if one.shape != other.shape:
        return False
    if np.array_equal(one, other, equal_nan=one.dtype.kind == "f"):
        return True
    size = np.max(np.maximum(np.abs(one), np.abs(other)), initial=0)
    near = (np.abs(one - other) <= roundings * eps_of(one) * size) | (np.isnan(one) & np.isnan(other))
    return bool(near.all())


def worst_index(one: Array, other: Array) -> tuple[int, ...]:
    """Return the entry at which two arrays differ most."""
    gap = np.abs(one.astype(np.longdouble) - other.astype(np.longdouble))
    return tuple(int(axis) for axis in np.unravel_index(int(np.argmax(np.where(np.isnan(gap), np.inf, gap))), one.shape))


def tagged(kind: str, path: str, text: str, tag: str, index: tuple[int, ...] | None = None) -> Finding:
    """Return a finding that is its own diagnosis."""
    return Finding(kind, path, text, index, diagnosis=Diagnosis(tag, text, 1.0))
