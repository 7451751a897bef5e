"""The same numbers but for their last digits: what a result changes by with them is its condition, and no mistake."""

from __future__ import annotations

import numpy as np

from funcnn.typing import Array


def with_other_digits(array: Array, generator: np.random.Generator, digit: float = 0.0) -> Array:
    """Return an array in which each number is larger or smaller by its last digit, or by a relative one; integers stay."""
    if array.dtype.kind != "f":
        return np.array(array)
    signs = generator.choice((-1.0, 1.0), array.shape).astype(array.dtype)
    return np.asarray(array * (1 + signs * array.dtype.type(digit or eps_of(array))))


def on_one_side(array: Array, generator: np.random.Generator, digit: float) -> Array:
    """Return an array in which each number is larger by up to a relative digit, or smaller if that is negative; integers stay.

    At the edge of a domain only one side of a number is inside.
    """
    if array.dtype.kind != "f":
        return np.array(array)
    return np.asarray(array * (1 + digit * generator.uniform(0.5, 1, array.shape).astype(array.dtype))).astype(array.dtype)


def eps_of(array: Array) -> float:
    """Return the relative spacing of an array's numbers."""
    return float(np.finfo(array.dtype).eps) if array.dtype.kind == "f" else 0.0
