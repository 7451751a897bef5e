"""Schedules: the learning rate as a function of the number of updates done so far."""

from __future__ import annotations

from typing import Protocol, TypeAlias, runtime_checkable

from funcnn.errors import check_range


@runtime_checkable
class Schedule(Protocol):
    """A pure function ``count -> value``; the first update has count 0."""

    def __call__(self, count: int, /) -> float:
        """Return the value for the update after ``count`` updates."""
        ...


Rate: TypeAlias = float | Schedule
"""A learning rate: a number, or a schedule that gives one for each update."""


def rate_at(rate: Rate, count: int) -> float:
    """Return the learning rate of the update after ``count`` updates."""
    if isinstance(rate, (float, int)):
        return rate
    return rate(count)


def check_rate(rate: Rate, what: str = "learning_rate") -> None:
    """Raise unless the argument is a finite number of at least 0, or callable."""
    if callable(rate):
        return
    check_range(rate, what, 0.0, float("inf"), open_high=True)
