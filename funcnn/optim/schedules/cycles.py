"""Schedules that rise and fall: restarts, one cycle, many."""

from __future__ import annotations

import math
from functools import partial
from typing import Literal, TypeAlias, get_args

from funcnn.errors import check_choice, check_count, check_range
from funcnn.optim.schedules.rate import Schedule, blend, check_value


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
    initial = check_value(initial, "initial")
    period = check_count(period, "period")
    multiplier = check_count(multiplier, "multiplier")
    final = check_value(final, "final")
    name = f"warm_restarts({initial}, period={period}, multiplier={multiplier}, final={final})"
    return Schedule(name, partial(_warm_restarts, initial, period, multiplier, final))


def _warm_restarts(initial: float, period: int, multiplier: int, final: float, count: int) -> float:
    if multiplier == 1:
        count %= period
    while count >= period:
        count -= period
        period *= multiplier
    return blend(initial, final, count / period)


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
    peak = check_value(peak, "peak")
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
    return blend(low, high, done) if smooth else low * (1 - done) + high * done


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
    low = check_value(low, "low")
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
