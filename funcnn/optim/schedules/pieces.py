"""Schedules of levels: constant, by steps, by pieces."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from functools import partial

from funcnn.errors import check_count
from funcnn.optim.schedules.powers import times_power
from funcnn.optim.schedules.rate import Rate, Schedule, check_boundaries, check_rate, check_value, entries, rate_at


def constant(value: float) -> Schedule:
    """Give the same value always.

    Parameters
    ----------
    value : float
        At least 0.

    Returns
    -------
    Schedule

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.schedules.constant(0.1)(1000)
    0.1
    """
    value = check_value(value, "value")
    return Schedule(f"constant({value})", partial(_constant, value))


def step(initial: float, every: int, factor: float = 0.1) -> Schedule:
    r"""Multiply by a factor every so many updates, $\alpha_c = \alpha_0\, \gamma^{\lfloor c / k \rfloor}$.

    Parameters
    ----------
    initial : float
        $\alpha_0$, at least 0.
    every : int
        $k$, at least 1.
    factor : float, optional
        $\gamma$, at least 0.

    Returns
    -------
    Schedule

    Examples
    --------
    >>> import funcnn as fn
    >>> rate = fn.schedules.step(1.0, every=10, factor=0.5)
    >>> rate(9), rate(10), rate(20)
    (1.0, 0.5, 0.25)
    """
    initial = check_value(initial, "initial")
    every = check_count(every, "every")
    factor = check_value(factor, "factor")
    return Schedule(f"step({initial}, every={every}, factor={factor})", partial(_step, initial, every, factor))


def multi_step(initial: float, milestones: Sequence[int], factor: float = 0.1) -> Schedule:
    r"""Multiply by a factor at given updates, $\alpha_c = \alpha_0\, \gamma^n$ with $n$ the number of milestones at most $c$.

    Parameters
    ----------
    initial : float
        $\alpha_0$, at least 0.
    milestones : sequence of int
        Increasing, each at least 1.
    factor : float, optional
        $\gamma$, at least 0.

    Returns
    -------
    Schedule

    Examples
    --------
    >>> import funcnn as fn
    >>> rate = fn.schedules.multi_step(1.0, (10, 15), factor=0.5)
    >>> rate(9), rate(10), rate(15)
    (1.0, 0.5, 0.25)
    """
    initial = check_value(initial, "initial")
    factor = check_value(factor, "factor")
    marks = check_boundaries(milestones, "milestones")
    return Schedule(f"multi_step({initial}, {marks}, factor={factor})", partial(_multi_step, initial, marks, factor))


def piecewise(boundaries: Sequence[int], values: Sequence[float]) -> Schedule:
    r"""One value up to each boundary, $\alpha_c = a_n$ with $n$ the number of boundaries at most $c$.

    Parameters
    ----------
    boundaries : sequence of int
        Increasing, each at least 1.
    values : sequence of float
        One more than boundaries, each at least 0.

    Returns
    -------
    Schedule

    Examples
    --------
    >>> import funcnn as fn
    >>> rate = fn.schedules.piecewise((10, 15), (1.0, 0.3, 0.01))
    >>> rate(9), rate(10), rate(15)
    (1.0, 0.3, 0.01)
    """
    marks = check_boundaries(boundaries, "boundaries")
    levels = tuple([check_value(value, f"values[{index}]") for index, value in enumerate(entries(values, "values"))])
    if len(levels) != len(marks) + 1:
        raise ValueError(f"{len(marks)} boundaries need {len(marks) + 1} values, got {len(levels)}")
    return Schedule(f"piecewise({marks}, {levels})", partial(_piecewise, marks, levels))


def join(boundaries: Sequence[int], rates: Sequence[Rate]) -> Schedule:
    r"""One schedule after the other, each from its own count 0: $\alpha_c = r^{(n)}_{c - b_n}$ after the $n$-th boundary $b_n$.

    Parameters
    ----------
    boundaries : sequence of int
        Increasing, each at least 1.
    rates : sequence of float or schedule
        One more than boundaries.

    Returns
    -------
    Schedule

    Examples
    --------
    >>> import funcnn as fn
    >>> rate = fn.schedules.join((10,), (0.5, fn.schedules.exponential(1.0, 0.5)))
    >>> rate(9), rate(10), rate(11)
    (0.5, 1.0, 0.5)
    """
    marks = check_boundaries(boundaries, "boundaries")
    parts = tuple([check_rate(rate, f"rates[{index}]") for index, rate in enumerate(entries(rates, "rates"))])
    if len(parts) != len(marks) + 1:
        raise ValueError(f"{len(marks)} boundaries need {len(marks) + 1} rates, got {len(parts)}")
    return Schedule(f"join({marks}, {parts!r})", partial(_join, marks, parts))


def _constant(value: float, count: int) -> float:
    return value


def _step(initial: float, every: int, factor: float, count: int) -> float:
    return times_power(initial, factor, count // every)


def _multi_step(initial: float, milestones: tuple[int, ...], factor: float, count: int) -> float:
    return times_power(initial, factor, bisect_right(milestones, count))


def _piecewise(boundaries: tuple[int, ...], values: tuple[float, ...], count: int) -> float:
    return values[bisect_right(boundaries, count)]


def _join(boundaries: tuple[int, ...], rates: tuple[Rate, ...], count: int) -> float:
    part = bisect_right(boundaries, count)
    return rate_at(rates[part], count - boundaries[part - 1] if part else count, f"rates[{part}]")


def product(*rates: Rate) -> Schedule:
    r"""Multiply several schedules, or numbers: $\alpha_c = \prod_i r_i(c)$.

    Parameters
    ----------
    *rates : float or schedule
        At least one; a schedule of factors, such as a warm-up from 0 to 1, times one of rates.

    Returns
    -------
    Schedule

    Raises
    ------
    TypeError, ValueError
        When there is none, or one is neither a number of at least 0 nor a schedule.

    Examples
    --------
    >>> import funcnn as fn
    >>> rate = fn.schedules.product(fn.schedules.warmup(1.0, 10), fn.schedules.step(0.5, every=100))
    >>> rate(5), rate(50)
    (0.25, 0.5)
    """
    if not rates:
        raise TypeError("product needs at least one rate")
    checked = tuple([check_rate(rate, f"rates[{index}]") for index, rate in enumerate(rates)])
    return Schedule(f"product({', '.join(map(repr, checked))})", partial(_product, checked))


def _product(rates: tuple[Rate, ...], count: int) -> float:
    return math.prod(rate_at(rate, count, f"rates[{index}]") for index, rate in enumerate(rates))
