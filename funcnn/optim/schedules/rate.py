"""What a schedule is, and the checks and pieces that the families of schedules share."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any, TypeAlias, TypeVar

import numpy as np
from attrs import field, frozen

from funcnn.errors import check_count, check_range, describe
from funcnn.layer import comparable

T = TypeVar("T")

Rate: TypeAlias = float | Callable[[int], float]
"""A learning rate: a number, or a schedule that gives one for each update."""


@frozen(repr=False)
class Schedule:
    """A named pure function of the number of updates done so far.  Made by the functions of this module."""

    name: str
    value: Callable[[int], float] = field(eq=comparable)

    def __repr__(self) -> str:
        """Return the call that makes it."""
        return self.name

    def __call__(self, count: int) -> float:
        """Return the value for the update after ``count`` updates."""
        return self.value(count if type(count) is int and count >= 0 else check_count(count, "count", 0))


def rate_at(rate: Rate, count: int, what: str = "learning_rate") -> float:
    """Return the learning rate of the update after ``count`` updates, as a Python float: a NumPy number would decide dtypes.

    Raises
    ------
    TypeError, ValueError
        When a schedule gives something else than a finite number of at least 0.
    """
    value: Any = rate if type(rate) is float else rate(count) if callable(rate) else rate
    if type(value) is float and 0.0 <= value < math.inf:
        return value
    return check_range(value, f"{what} of the update after {count} updates", 0.0, math.inf, open_high=True)


def check_rate(rate: Rate, what: str = "learning_rate") -> Rate:
    """Return a finite number of at least 0 as a Python float, or a schedule as it is; raise for anything else."""
    if not callable(rate):
        return check_range(rate, what, 0.0, math.inf, open_high=True)
    if isinstance(rate, type) or (isinstance(rate, FunctionType) and rate.__module__.startswith("funcnn.optim.schedules.")):
        raise TypeError(f"{what} is {rate.__name__} itself, expected a number or a schedule: call it with its arguments")
    return rate


def check_value(value: float, what: str) -> float:
    return check_range(value, what, 0.0, math.inf, open_high=True)


def fraction(count: int, steps: int) -> float:
    """Return how much of the steps is done, at most 1."""
    return min(count, steps) / steps


def blend(start: float, end: float, done: float) -> float:
    """Return a value between two, along half a period of the cosine: exactly the ends at the ends."""
    weight = 0.5 * (1 + math.cos(math.pi * done))
    return start * weight + end * (1 - weight)


def check_boundaries(boundaries: Sequence[int], what: str) -> tuple[int, ...]:
    marks: list[int] = []
    for index, mark in enumerate(entries(boundaries, what)):
        marks.append(check_count(mark, f"{what}[{index}]", marks[-1] + 1 if marks else 1))
    return tuple(marks)


def entries(values: Sequence[T], what: str) -> tuple[T, ...]:
    """Return the entries of a sequence (a list, a tuple, an array of one axis), or raise."""
    given: object = values
    one_axis = given.ndim == 1 if isinstance(given, np.ndarray) else isinstance(given, Sequence) and not isinstance(given, str)
    if not one_axis:
        raise TypeError(f"{what} is {describe(given)}, expected a sequence such as (10, 20)")
    return tuple(values)
