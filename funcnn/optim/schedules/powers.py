"""Powers of a factor that do not overflow."""

from __future__ import annotations

import math
import sys


def times_power(initial: float, factor: float, power: float) -> float:
    """Return a value times the power of a factor: infinity where that is too large for a number, and 0 for the value 0."""
    if initial == 0:
        return 0.0
    try:
        return float(initial * factor**power)
    except OverflowError:  # the power alone; what it multiplies may be small
        exponent = math.log(initial) + power * math.log(factor)
        return math.exp(exponent) if exponent < _LARGEST_EXPONENT else math.inf


_LARGEST_EXPONENT = math.log(sys.float_info.max)
