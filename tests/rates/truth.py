"""What is true of a program, in exact arithmetic: its gradient by its rules, and by differences that know nothing of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from funcnn.typing import Array
from tests.rates.maths import DIGITS, exactly, mpmath
from tests.rates.program import Program

STEP = 1e-40
"""A step so short that nothing but a kink at the very point lies within it; its square is beyond every comparison."""


def outputs_of(made: Any) -> tuple[Array, ...]:
    """Return the outputs of a program as a tuple."""
    return tuple(made) if isinstance(made, tuple) else (made,)


def as_output(parts: tuple[Any, ...]) -> Any:
    """Return parts as a program gives them: one alone, or a tuple."""
    first, *others = parts
    return parts if others else first


def exact_gradient(program: Program, args: tuple[Array, ...], dy: object) -> list[Array | None]:
    """Return the gradient by the program's rules, computed in exact arithmetic."""
    with mpmath.workdps(DIGITS):
        cotangent: tuple[Any, ...] = tuple(exactly(one) for one in outputs_of(dy))
        found = program.vjp(*(exactly(arg) for arg in args), as_output(cotangent))
        return [None if one is None else one.astype(float) for one in found]


def _slopes(program: Program, args: tuple[Array, ...], dy: object, number: int) -> Iterator[tuple[Array, Array]]:
    """Yield, entry by entry of an argument, dy times the slopes of the outputs to the left and to the right."""
    point = [exactly(arg) for arg in args]
    weights = [exactly(one).reshape(-1) for one in outputs_of(dy)]
    here = [one.reshape(-1) for one in outputs_of(program(*point))]
    flat = point[number].reshape(-1)
    for at in range(flat.size):
        size = mpmath.mpf(STEP) * (abs(flat[at]) or 1)
        sides = []
        for sign in (-1, 1):
            moved = flat.copy()
            moved[at] = flat[at] + sign * size
            point[number] = moved.reshape(args[number].shape)
            there = [one.reshape(-1) for one in outputs_of(program(*point))]
            parts = [w * (b - a) / (sign * size) for w, a, b in zip(weights, here, there, strict=True)]
            sides.append(np.concatenate(parts))
        yield sides[0], sides[1]


def interval(program: Program, args: tuple[Array, ...], dy: object, number: int) -> tuple[Array, Array]:
    """Return the least and the largest value that a convention for kinks may give to each entry of an argument's gradient.

    Every output may have a convention of its own, so their intervals are added.
    """
    with mpmath.workdps(DIGITS):
        pairs = list(_slopes(program, args, dy, number))
        low = [np.minimum(left, right).sum() for left, right in pairs]
        high = [np.maximum(left, right).sum() for left, right in pairs]
    shape = args[number].shape
    return np.array(low, float).reshape(shape), np.array(high, float).reshape(shape)
