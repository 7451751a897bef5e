"""Schedules that rise first."""

from __future__ import annotations

import math
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


def inverse_sqrt(peak: float, warmup_steps: int) -> Schedule:
    r"""Rise along a straight line to a peak, and then fall as one over the root of the updates.

    $\alpha_c = a\, t / w$ for $t = c + 1 \le w$, and $a \sqrt{w / t}$ after.

    Parameters
    ----------
    peak : float
        $a$, at least 0.
    warmup_steps : int
        $w$, at least 1.

    Returns
    -------
    Schedule

    See Also
    --------
    noam : the same curve, with the peak that the width of a model gives.

    Examples
    --------
    >>> import funcnn as fn
    >>> rate = fn.schedules.inverse_sqrt(1.0, warmup_steps=4)
    >>> rate(0), rate(3), rate(15)
    (0.25, 1.0, 0.5)
    """
    peak, warmup_steps = check_value(peak, "peak"), check_count(warmup_steps, "warmup_steps")
    name = f"inverse_sqrt({peak}, warmup_steps={warmup_steps})"
    return Schedule(name, partial(_inverse_sqrt, peak, warmup_steps))


def _inverse_sqrt(peak: float, warmup_steps: int, count: int) -> float:
    t = count + 1
    return peak * (t / warmup_steps if t <= warmup_steps else math.sqrt(warmup_steps / t))


def warmup_stable_decay(
    peak: float, warmup_steps: int, steps: int, decay_steps: int, *, start: float = 0.0, final: float = 0.0
) -> Schedule:
    """Rise along a straight line to a peak, stay there, and fall along a straight line at the end.

    Training may go on from any point of the level part, and end from there (Hu et al. 2024, arXiv:2404.06395, section 4).

    Parameters
    ----------
    peak : float
        The highest value, at least 0.
    warmup_steps : int
        Updates until the peak, at least 1.
    steps : int
        Updates until the final value, all included.
    decay_steps : int
        How many of these the fall takes, at least 1: at most what the warm-up leaves.
    start, final : float, optional
        The values at the two ends, at least 0.

    Returns
    -------
    Schedule

    Examples
    --------
    >>> import funcnn as fn
    >>> rate = fn.schedules.warmup_stable_decay(1.0, 10, steps=100, decay_steps=20)
    >>> rate(5), rate(10), rate(80), rate(90), rate(100)
    (0.5, 1.0, 1.0, 0.5, 0.0)
    """
    warmup_steps, decay_steps = check_count(warmup_steps, "warmup_steps"), check_count(decay_steps, "decay_steps")
    steps = check_count(steps, "steps (warm-up and decay included)", warmup_steps + decay_steps)
    peak, start, final = check_value(peak, "peak"), check_value(start, "start"), check_value(final, "final")
    name = f"warmup_stable_decay({peak}, {warmup_steps}, {steps}, {decay_steps}, start={start}, final={final})"
    return Schedule(name, partial(_warmup_stable_decay, (peak, start, final), warmup_steps, steps, decay_steps))


def _warmup_stable_decay(
    values: tuple[float, float, float], warmup_steps: int, steps: int, decay_steps: int, count: int
) -> float:
    peak, start, final = values
    if count < warmup_steps:
        return start + (peak - start) * count / warmup_steps
    left = max(0, min(decay_steps, steps - count))
    return final + (peak - final) * left / decay_steps if left < decay_steps else peak
