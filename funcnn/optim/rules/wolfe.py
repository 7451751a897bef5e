r"""A line search for the strong Wolfe conditions (Nocedal & Wright 2006, algorithms 3.5 and 3.6).

Along a direction of descent, $\phi(a) = f(p + a d)$, a step $a$ is accepted when it has fallen enough and is flat enough,
$$ \phi(a) \le \phi(0) + c_1 a\, \phi'(0), \qquad |\phi'(a)| \le c_2 |\phi'(0)| , $$
or, when the two values differ by no more than their rounding errors, so that only slopes can be trusted, when it is flat enough.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Generic, TypeVar

from attrs import frozen

T = TypeVar("T")


@frozen(eq=False)
class Point(Generic[T]):
    """What is known of one step along the line."""

    step: float
    value: float
    slope: float
    data: T  # whatever the caller wants back

    @property
    def finite(self) -> bool:
        """Whether value and slope are numbers: where they are not, the step was too long."""
        return math.isfinite(self.value) and math.isfinite(self.slope)


def line_search(
    evaluate: Callable[[float], Point[T]], start: Point[T], first: float, c1: float, c2: float, precision: float, limit: int
) -> Point[T] | None:
    """Return a point that satisfies the conditions; after ``limit`` evaluations the best that has fallen enough, or None.

    Parameters
    ----------
    evaluate : callable
        Gives the point at a step.
    start : Point
        At step 0; its slope is negative.
    first : float
        The first step to try.
    c1, c2 : float
        Of the conditions, 0 < c1 < c2 < 1.
    precision : float
        Relative rounding error of the values.
    limit : int
        Evaluations at most.
    """
    left = limit

    def at(step: float) -> Point[T]:
        nonlocal left
        left -= 1
        return evaluate(step)

    def fallen(point: Point[T]) -> bool:
        return point.finite and point.value <= start.value + c1 * point.step * start.slope

    def level(point: Point[T]) -> bool:
        return point.finite and abs(point.value - start.value) <= precision * abs(start.value)

    def accepted(point: Point[T]) -> bool:
        return (fallen(point) or level(point)) and abs(point.slope) <= -c2 * start.slope

    def zoom(low: Point[T], high: Point[T]) -> Point[T] | None:
        """Close in on a point between; low has the smallest value so far among those that have fallen enough (algorithm 3.6)."""
        while left > 0:
            step = _between(low, high)
            if step in (low.step, high.step):
                break
            point = at(step)
            if accepted(point):
                return point
            if not fallen(point) or point.value >= low.value:
                high = point
            else:
                if point.slope * (high.step - low.step) >= 0:
                    high = low
                low = point
        return low if low is not start else None

    before, step, growth = start, first, 4.0  # longer and longer steps until there must be a point between (algorithm 3.5)
    while left > 0:
        point = at(step)
        if accepted(point):
            return point
        risen = not fallen(point) or (before is not start and point.value >= before.value)
        if risen and not (level(point) and point.slope < 0):  # of values that are level only the slope tells
            return zoom(before, point)
        if point.slope >= 0:
            return zoom(point, before)
        if step > 100 * first:
            growth = min(growth * growth, 1e100)  # the first step was shorter by orders of magnitude
        before, step = point, growth * step
    return before if before is not start else None


def _between(low: Point[T], high: Point[T]) -> float:
    """Return the minimum of the cubic through two points with their slopes (eq. 3.59), or the middle where that is no use."""
    width = high.step - low.step
    if high.finite:
        a = low.slope + high.slope - 3 * (high.value - low.value) / width
        square = a * a - low.slope * high.slope
        if square >= 0:
            b = math.copysign(math.sqrt(square), width)
            denominator = high.slope - low.slope + 2 * b
            if denominator != 0:
                share = 1 - (high.slope + b - a) / denominator
                if math.isfinite(share):
                    return low.step + min(max(share, 0.1), 0.9) * width
    return low.step + 0.5 * width
