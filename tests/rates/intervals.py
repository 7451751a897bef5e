"""Intervals for a share that was counted, after Clopper and Pearson (1934): at least 95 % of them hold the true share."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

MISS = 0.05
_HALVINGS = 60


def clopper_pearson(count: int, total: int) -> tuple[float, float]:
    """Return the least and the largest share that do not make what was counted a rare event."""
    if not total:
        return 0.0, 1.0
    low = _solve(lambda share: 1 - _at_most(count - 1, total, share), rising=True) if count else 0.0
    high = _solve(lambda share: _at_most(count, total, share), rising=False) if count < total else 1.0
    return low, high


def _solve(probability: Callable[[float], float], *, rising: bool) -> float:
    """Return the share at which a probability is half of the miss."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if (probability(middle) < MISS / 2) == rising:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _at_most(count: int, total: int, share: float) -> float:
    """Return the probability of at most so many of a total."""
    if count < 0 or not 0 < share < 1:
        return float(share <= 0 or count >= total)
    if 2 * count > total:  # the shorter of the two sums
        return 1 - _at_most(total - count - 1, total, 1 - share)
    at = np.arange(count + 1)
    choose = math.lgamma(total + 1) - np.array([math.lgamma(k + 1) + math.lgamma(total - k + 1) for k in at.tolist()])
    return float(np.exp(choose + at * math.log(share) + (total - at) * math.log1p(-share)).sum())
