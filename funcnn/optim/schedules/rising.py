"""Schedules that rise first."""

from __future__ import annotations

from functools import partial

from funcnn.errors import check_count
from funcnn.optim.schedules.decay import cosine
from funcnn.optim.schedules.rate import Rate, Schedule, check_rate, check_value, rate_at


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
    start = check_value(start, "start")
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
    peak = check_value(peak, "peak")
    return warmup(cosine(peak, steps - warmup_steps, final), warmup_steps, start)


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
    scale = check_value(scale, "scale")
    name = f"noam(features={features}, warmup_steps={warmup_steps}, scale={scale})"
    return Schedule(name, partial(_noam, features, warmup_steps, scale))


def _noam(features: int, warmup_steps: int, scale: float, count: int) -> float:
    t = count + 1
    return float(scale * features**-0.5 * min(t**-0.5, t * warmup_steps**-1.5))
