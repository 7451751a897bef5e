"""Schedules that fall along a curve."""

from __future__ import annotations

import math
from functools import partial

from funcnn.errors import check_count, check_range
from funcnn.optim.schedules.powers import times_power
from funcnn.optim.schedules.rate import Schedule, blend, check_value, fraction


def exponential(initial: float, factor: float, every: int = 1) -> Schedule:
    r"""Exponential decay, $\alpha_c = \alpha_0\, \gamma^{c / k}$.

    Parameters
    ----------
    initial : float
        $\alpha_0$, at least 0.
    factor : float
        $\gamma$, above 0.
    every : int, optional
        $k$, the number of updates in which the value falls by the factor.

    Returns
    -------
    Schedule

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.schedules.exponential(1.0, 0.25, every=10)(5)
    0.5
    """
    initial = check_value(initial, "initial")
    factor = check_range(factor, "factor", 0.0, math.inf, open_low=True, open_high=True)
    every = check_count(every, "every")
    return Schedule(f"exponential({initial}, {factor}, every={every})", partial(_exponential, initial, factor, every))


def _exponential(initial: float, factor: float, every: int, count: int) -> float:
    return times_power(initial, factor, count / every)


def inverse_time(initial: float, rate: float, every: int = 1) -> Schedule:
    r"""Inverse time decay, $\alpha_c = \alpha_0 / (1 + r\, c / k)$ (Robbins & Monro 1951).

    Parameters
    ----------
    initial : float
        $\alpha_0$, at least 0.
    rate : float
        $r$, at least 0.
    every : int, optional
        $k$, at least 1.

    Returns
    -------
    Schedule

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.schedules.inverse_time(1.0, rate=1.0, every=10)(30)
    0.25
    """
    initial = check_value(initial, "initial")
    rate = check_value(rate, "rate")
    every = check_count(every, "every")
    return Schedule(f"inverse_time({initial}, rate={rate}, every={every})", partial(_inverse_time, initial, rate, every))


def _inverse_time(initial: float, rate: float, every: int, count: int) -> float:
    return initial / (1 + rate * count / every)


def polynomial(initial: float, final: float, steps: int, power: float = 1.0) -> Schedule:
    r"""Polynomial decay, $\alpha_c = \alpha_1 + (\alpha_0 - \alpha_1)(1 - \min(c, n)/n)^q$.

    Parameters
    ----------
    initial, final : float
        $\alpha_0$ and $\alpha_1$, at least 0.
    steps : int
        $n$, after which the value stays.
    power : float, optional
        $q$, above 0.

    Returns
    -------
    Schedule

    Examples
    --------
    >>> import funcnn as fn
    >>> rate = fn.schedules.polynomial(1.0, 0.0, steps=10, power=2)
    >>> rate(5), rate(10), rate(99)
    (0.25, 0.0, 0.0)
    """
    initial = check_value(initial, "initial")
    final = check_value(final, "final")
    steps = check_count(steps, "steps")
    power = check_range(power, "power", 0.0, math.inf, open_low=True, open_high=True)
    name = f"polynomial({initial}, {final}, steps={steps}, power={power})"
    return Schedule(name, partial(_polynomial, initial, final, steps, power))


def _polynomial(initial: float, final: float, steps: int, power: float, count: int) -> float:
    return float(final + (initial - final) * (1 - fraction(count, steps)) ** power)


def linear(initial: float, final: float, steps: int) -> Schedule:
    r"""Follow a straight line, $\alpha_c = \alpha_0 + (\alpha_1 - \alpha_0)\min(c, n)/n$.

    Parameters
    ----------
    initial, final : float
        $\alpha_0$ and $\alpha_1$, at least 0.
    steps : int
        $n$, after which the value stays.

    Returns
    -------
    Schedule

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.schedules.linear(1.0, 0.5, steps=10)(5)
    0.75
    """
    initial = check_value(initial, "initial")
    final = check_value(final, "final")
    steps = check_count(steps, "steps")
    return Schedule(f"linear({initial}, {final}, steps={steps})", partial(_polynomial, initial, final, steps, 1.0))


def cosine(initial: float, steps: int, final: float = 0.0) -> Schedule:
    r"""Cosine decay, $\alpha_c = \alpha_1 + \tfrac12 (\alpha_0 - \alpha_1)(1 + \cos(\pi \min(c, n)/n))$.

    Parameters
    ----------
    initial : float
        $\alpha_0$, at least 0.
    steps : int
        $n$, after which the value stays.
    final : float, optional
        $\alpha_1$, at least 0.

    Returns
    -------
    Schedule

    References
    ----------
    Loshchilov & Hutter (2017), SGDR, arXiv:1608.03983, eq. 5 (within one period).

    Examples
    --------
    >>> import funcnn as fn
    >>> rate = fn.schedules.cosine(1.0, steps=10)
    >>> rate(0), rate(5), rate(10)
    (1.0, 0.5, 0.0)
    """
    initial = check_value(initial, "initial")
    steps = check_count(steps, "steps")
    final = check_value(final, "final")
    return Schedule(f"cosine({initial}, steps={steps}, final={final})", partial(_cosine, initial, steps, final))


def _cosine(initial: float, steps: int, final: float, count: int) -> float:
    return blend(initial, final, fraction(count, steps))
