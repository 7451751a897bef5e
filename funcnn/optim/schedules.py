r"""Schedules: a learning rate, or any other number, as a function of the number of updates done so far.

A schedule is a pure function $c \mapsto \alpha_c$; the first update has $c = 0$.  The formulas stand in the factories'
docstrings. Any callable ``int -> float`` serves as one; those made here also print, compare, pickle and say what is wrong with
their arguments.
"""

from __future__ import annotations

import math
import sys
from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import partial
from types import FunctionType
from typing import Literal, TypeAlias, TypeVar, get_args

import numpy as np
from attrs import field, frozen

from funcnn.errors import check_choice, check_count, check_range, describe
from funcnn.layer import comparable
from funcnn.runtime.lazy_imports import listing

__all__ = [
    "CyclicMode",
    "Rate",
    "Schedule",
    "constant",
    "cosine",
    "cyclic",
    "exponential",
    "inverse_time",
    "join",
    "linear",
    "multi_step",
    "noam",
    "one_cycle",
    "piecewise",
    "polynomial",
    "step",
    "warm_restarts",
    "warmup",
    "warmup_cosine",
]
__dir__ = listing(__name__, __all__)

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
    value = rate if type(rate) is float else rate(count) if callable(rate) else rate
    if type(value) is float and 0.0 <= value < math.inf:
        return value
    return check_range(value, f"{what} of the update after {count} updates", 0.0, math.inf, open_high=True)


def check_rate(rate: Rate, what: str = "learning_rate") -> Rate:
    """Return a finite number of at least 0 as a Python float, or a schedule as it is; raise for anything else."""
    if not callable(rate):
        return check_range(rate, what, 0.0, math.inf, open_high=True)
    if isinstance(rate, type) or (isinstance(rate, FunctionType) and rate.__module__ == __name__):
        raise TypeError(f"{what} is {rate.__name__} itself, expected a number or a schedule: call it with its arguments")
    return rate


def _check_value(value: float, what: str) -> float:
    return check_range(value, what, 0.0, math.inf, open_high=True)


def _fraction(count: int, steps: int) -> float:
    """Return how much of the steps is done, at most 1."""
    return min(count, steps) / steps


# ------------------------------------------------------------------------------------------------------------------- decay


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
    value = _check_value(value, "value")
    return Schedule(f"constant({value})", partial(_constant, value))


def _constant(value: float, count: int) -> float:
    return value


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
    initial = _check_value(initial, "initial")
    every = check_count(every, "every")
    factor = _check_value(factor, "factor")
    return Schedule(f"step({initial}, every={every}, factor={factor})", partial(_step, initial, every, factor))


def _step(initial: float, every: int, factor: float, count: int) -> float:
    return _times_power(initial, factor, count // every)


def _times_power(initial: float, factor: float, power: float) -> float:
    """Return a value times the power of a factor: infinity where that is too large for a number, and 0 for the value 0."""
    if initial == 0:
        return 0.0
    try:
        return float(initial * factor**power)
    except OverflowError:  # the power alone; what it multiplies may be small
        exponent = math.log(initial) + power * math.log(factor)
        return math.exp(exponent) if exponent < _LARGEST_EXPONENT else math.inf


_LARGEST_EXPONENT = math.log(sys.float_info.max)


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
    initial = _check_value(initial, "initial")
    factor = _check_value(factor, "factor")
    marks = _check_boundaries(milestones, "milestones")
    return Schedule(f"multi_step({initial}, {marks}, factor={factor})", partial(_multi_step, initial, marks, factor))


def _multi_step(initial: float, milestones: tuple[int, ...], factor: float, count: int) -> float:
    return _times_power(initial, factor, bisect_right(milestones, count))


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
    marks = _check_boundaries(boundaries, "boundaries")
    levels = tuple([_check_value(value, f"values[{index}]") for index, value in enumerate(_sequence(values, "values"))])
    if len(levels) != len(marks) + 1:
        raise ValueError(f"{len(marks)} boundaries need {len(marks) + 1} values, got {len(levels)}")
    return Schedule(f"piecewise({marks}, {levels})", partial(_piecewise, marks, levels))


def _piecewise(boundaries: tuple[int, ...], values: tuple[float, ...], count: int) -> float:
    return values[bisect_right(boundaries, count)]


def _check_boundaries(boundaries: Sequence[int], what: str) -> tuple[int, ...]:
    marks: list[int] = []
    for index, mark in enumerate(_sequence(boundaries, what)):
        marks.append(check_count(mark, f"{what}[{index}]", marks[-1] + 1 if marks else 1))
    return tuple(marks)


def _sequence(values: Sequence[T], what: str) -> tuple[T, ...]:
    """Return the entries of a sequence (a list, a tuple, an array of one axis), or raise."""
    given: object = values
    one_axis = given.ndim == 1 if isinstance(given, np.ndarray) else isinstance(given, Sequence) and not isinstance(given, str)
    if not one_axis:
        raise TypeError(f"{what} is {describe(given)}, expected a sequence such as (10, 20)")
    return tuple(values)


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
    initial = _check_value(initial, "initial")
    factor = check_range(factor, "factor", 0.0, math.inf, open_low=True, open_high=True)
    every = check_count(every, "every")
    return Schedule(f"exponential({initial}, {factor}, every={every})", partial(_exponential, initial, factor, every))


def _exponential(initial: float, factor: float, every: int, count: int) -> float:
    return _times_power(initial, factor, count / every)


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
    initial = _check_value(initial, "initial")
    rate = _check_value(rate, "rate")
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
    initial = _check_value(initial, "initial")
    final = _check_value(final, "final")
    steps = check_count(steps, "steps")
    power = check_range(power, "power", 0.0, math.inf, open_low=True, open_high=True)
    name = f"polynomial({initial}, {final}, steps={steps}, power={power})"
    return Schedule(name, partial(_polynomial, initial, final, steps, power))


def _polynomial(initial: float, final: float, steps: int, power: float, count: int) -> float:
    return float(final + (initial - final) * (1 - _fraction(count, steps)) ** power)


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
    initial = _check_value(initial, "initial")
    final = _check_value(final, "final")
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
    initial = _check_value(initial, "initial")
    steps = check_count(steps, "steps")
    final = _check_value(final, "final")
    return Schedule(f"cosine({initial}, steps={steps}, final={final})", partial(_cosine, initial, steps, final))


def _cosine(initial: float, steps: int, final: float, count: int) -> float:
    return _blend(initial, final, _fraction(count, steps))


def _blend(start: float, end: float, done: float) -> float:
    """Return a value between two, along half a period of the cosine: exactly the ends at the ends."""
    weight = 0.5 * (1 + math.cos(math.pi * done))
    return start * weight + end * (1 - weight)


# ----------------------------------------------------------------------------------------------------------------- warm-up


def warmup(rate: Rate, steps: int, start: float = 0.0) -> Schedule:
    r"""Rise along a straight line to a rate, and then follow that rate (Goyal et al. 2017, arXiv:1706.02677, section 2.2).

    $\alpha_c = s + (r_0 - s)\, c/n$ for $c < n$, and $r_{c - n}$ after.  With the start $s = 0$ the first update leaves the
    parameters where they are.

    Parameters
    ----------
    rate : float or schedule
        $r$; a schedule starts from its own count 0 when the warm-up is over.
    steps : int
        $n$, at least 1.
    start : float, optional
        $s$, at least 0.

    Returns
    -------
    Schedule

    Examples
    --------
    >>> import funcnn as fn
    >>> rate = fn.schedules.warmup(1.0, steps=4)
    >>> rate(0), rate(1), rate(4), rate(99)
    (0.0, 0.25, 1.0, 1.0)
    """
    rate = check_rate(rate, "rate")
    steps = check_count(steps, "steps")
    start = _check_value(start, "start")
    return Schedule(f"warmup({rate!r}, steps={steps}, start={start})", partial(_warmup, rate, steps, start))


def _warmup(rate: Rate, steps: int, start: float, count: int) -> float:
    if count < steps:
        return start + (rate_at(rate, 0, "rate") - start) * count / steps
    return rate_at(rate, count - steps, "rate")


def warmup_cosine(peak: float, warmup_steps: int, steps: int, *, start: float = 0.0, final: float = 0.0) -> Schedule:
    """Rise along a straight line to a peak, then decay along a cosine: :func:`warmup` of :func:`cosine`.

    Parameters
    ----------
    peak : float
        The highest value, at least 0.
    warmup_steps : int
        Updates until the peak, at least 1.
    steps : int
        Updates until the final value, the warm-up included; more than the warm-up.
    start, final : float, optional
        The values at the two ends, at least 0.

    Returns
    -------
    Schedule

    Examples
    --------
    >>> import funcnn as fn
    >>> rate = fn.schedules.warmup_cosine(1.0, 10, 30)
    >>> rate(0), rate(10), rate(20), rate(30)
    (0.0, 1.0, 0.5, 0.0)
    """
    warmup_steps = check_count(warmup_steps, "warmup_steps")
    steps = check_count(steps, "steps (the warm-up included)", warmup_steps + 1)
    peak = _check_value(peak, "peak")
    return warmup(cosine(peak, steps - warmup_steps, final), warmup_steps, start)


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
    marks = _check_boundaries(boundaries, "boundaries")
    parts = tuple([check_rate(rate, f"rates[{index}]") for index, rate in enumerate(_sequence(rates, "rates"))])
    if len(parts) != len(marks) + 1:
        raise ValueError(f"{len(marks)} boundaries need {len(marks) + 1} rates, got {len(parts)}")
    return Schedule(f"join({marks}, {parts!r})", partial(_join, marks, parts))


def _join(boundaries: tuple[int, ...], rates: tuple[Rate, ...], count: int) -> float:
    part = bisect_right(boundaries, count)
    return rate_at(rates[part], count - boundaries[part - 1] if part else count, f"rates[{part}]")


# ------------------------------------------------------------------------------------------------------------------ cycles


def warm_restarts(initial: float, period: int, multiplier: int = 1, final: float = 0.0) -> Schedule:
    r"""Cosine decay that starts again, SGDR: within period $i$, of $n_i = n\, m^i$ updates, :func:`cosine` over $n_i$.

    Parameters
    ----------
    initial : float
        The value at each restart, at least 0.
    period : int
        $n$, the length of the first period.
    multiplier : int, optional
        $m$, how many times longer each period is than the one before.
    final : float, optional
        What each period decays to.

    Returns
    -------
    Schedule

    References
    ----------
    Loshchilov & Hutter (2017), SGDR: stochastic gradient descent with warm restarts, arXiv:1608.03983, eq. 5.

    Examples
    --------
    >>> import funcnn as fn
    >>> rate = fn.schedules.warm_restarts(1.0, period=10, multiplier=2)
    >>> rate(0), rate(5), rate(10), rate(20), rate(30)
    (1.0, 0.5, 1.0, 0.5, 1.0)
    """
    initial = _check_value(initial, "initial")
    period = check_count(period, "period")
    multiplier = check_count(multiplier, "multiplier")
    final = _check_value(final, "final")
    name = f"warm_restarts({initial}, period={period}, multiplier={multiplier}, final={final})"
    return Schedule(name, partial(_warm_restarts, initial, period, multiplier, final))


def _warm_restarts(initial: float, period: int, multiplier: int, final: float, count: int) -> float:
    if multiplier == 1:
        count %= period
    while count >= period:
        count -= period
        period *= multiplier
    return _blend(initial, final, count / period)


def one_cycle(
    peak: float,
    steps: int,
    *,
    warmup_fraction: float = 0.3,
    start_divisor: float = 25.0,
    final_divisor: float = 1e4,
    shape: Literal["cosine", "linear"] = "cosine",
) -> Schedule:
    r"""Up to a peak and down again, far below the start (Smith & Topin 2018, arXiv:1708.07120).

    From $\alpha_0 = \alpha/d_0$ to the peak $\alpha$ in the first part of the $n$ updates, then to $\alpha_0/d_1$ at update
    $n$, along half a period of the cosine or along straight lines.

    Parameters
    ----------
    peak : float
        $\alpha$, at least 0.
    steps : int
        $n$, at least 2.
    warmup_fraction : float, optional
        The share of the first part, in (0, 1).
    start_divisor, final_divisor : float, optional
        $d_0$ and $d_1$, at least 1.
    shape : {"cosine", "linear"}, optional
        How to get from one value to the next.

    Returns
    -------
    Schedule

    Examples
    --------
    >>> import funcnn as fn
    >>> rate = fn.schedules.one_cycle(1.0, steps=10, warmup_fraction=0.5, start_divisor=4, final_divisor=2)
    >>> rate(0), rate(5), rate(10)
    (0.25, 1.0, 0.125)
    """
    peak = _check_value(peak, "peak")
    steps = check_count(steps, "steps", 2)
    warmup_fraction = check_range(warmup_fraction, "warmup_fraction", 0.0, 1.0, open_low=True, open_high=True)
    start_divisor = check_range(start_divisor, "start_divisor", 1.0, math.inf, open_high=True)
    final_divisor = check_range(final_divisor, "final_divisor", 1.0, math.inf, open_high=True)
    shape = check_choice(shape, ("cosine", "linear"), "shape")
    start = peak / start_divisor
    name = (
        f"one_cycle({peak}, steps={steps}, warmup_fraction={warmup_fraction}, start_divisor={start_divisor},"
        f" final_divisor={final_divisor}, shape={shape!r})"
    )
    return Schedule(
        name, partial(_one_cycle, start, peak, start / final_divisor, warmup_fraction * steps, steps, shape == "cosine")
    )


def _one_cycle(start: float, peak: float, final: float, top: float, steps: int, smooth: bool, count: int) -> float:
    if count < top:
        low, high, done = start, peak, count / top
    else:
        low, high, done = peak, final, (count - top) / (steps - top) if count < steps else 1.0
    return _blend(low, high, done) if smooth else low * (1 - done) + high * done


CyclicMode: TypeAlias = Literal["triangular", "halving", "exponential"]


def cyclic(low: float, high: float, half_period: int, *, mode: CyclicMode = "triangular", factor: float = 0.99994) -> Schedule:
    r"""Up and down along straight lines (Smith 2017, arXiv:1506.01186).

    With $k = \lfloor 1 + c/(2h) \rfloor$ the number of the cycle and $x = |c/h - 2k + 1|$,
    $\alpha_c = a + (b - a)\max(0, 1 - x)\, s$, where the scale $s$ is 1, or halved with each cycle ($2^{1-k}$; "triangular2" in
    the paper), or $\gamma^c$ ("exp range").

    Parameters
    ----------
    low, high : float
        $a$ and $b$, $0 \le a \le b$.
    half_period : int
        $h$, updates from low to high.
    mode : {"triangular", "halving", "exponential"}, optional
        The scale.
    factor : float, optional
        $\gamma$ of the mode "exponential", in (0, 1].

    Returns
    -------
    Schedule

    Examples
    --------
    >>> import funcnn as fn
    >>> rate = fn.schedules.cyclic(0.0, 1.0, half_period=10, mode="halving")
    >>> rate(5), rate(10), rate(20), rate(30)
    (0.5, 1.0, 0.0, 0.5)
    """
    low = _check_value(low, "low")
    high = check_range(high, "high (low is its least)", low, math.inf, open_high=True)
    half_period = check_count(half_period, "half_period")
    mode = check_choice(mode, get_args(CyclicMode), "mode")
    factor = check_range(factor, "factor", 0.0, 1.0, open_low=True)
    name = f"cyclic({low}, {high}, half_period={half_period}, mode={mode!r}" + (
        f", factor={factor})" if mode == "exponential" else ")"
    )
    return Schedule(name, partial(_cyclic, low, high, half_period, mode, factor))


def _cyclic(low: float, high: float, half_period: int, mode: CyclicMode, factor: float, count: int) -> float:
    cycle = 1 + count // (2 * half_period)
    x = abs(count / half_period - 2 * cycle + 1)
    scale = {"triangular": 1.0, "halving": 0.5 ** (cycle - 1), "exponential": factor**count}[mode]
    return low + (high - low) * max(0.0, 1 - x) * scale


def noam(features: int, warmup_steps: int, scale: float = 1.0) -> Schedule:
    r"""Follow the transformer's schedule, $\alpha_c = s\, d^{-1/2} \min(t^{-1/2},\, t\, w^{-3/2})$ with $t = c + 1$.

    Parameters
    ----------
    features : int
        $d$, the width of the model.
    warmup_steps : int
        $w$, updates until the highest value $s\,(d w)^{-1/2}$.
    scale : float, optional
        $s$, at least 0.

    Returns
    -------
    Schedule

    References
    ----------
    Vaswani et al. (2017), Attention is all you need, arXiv:1706.03762, eq. 3.

    Examples
    --------
    >>> import funcnn as fn
    >>> rate = fn.schedules.noam(features=4, warmup_steps=16)
    >>> rate(15), rate(63)
    (0.125, 0.0625)
    """
    features = check_count(features, "features")
    warmup_steps = check_count(warmup_steps, "warmup_steps")
    scale = _check_value(scale, "scale")
    name = f"noam(features={features}, warmup_steps={warmup_steps}, scale={scale})"
    return Schedule(name, partial(_noam, features, warmup_steps, scale))


def _noam(features: int, warmup_steps: int, scale: float, count: int) -> float:
    t = count + 1
    return float(scale * features**-0.5 * min(t**-0.5, t * warmup_steps**-1.5))
