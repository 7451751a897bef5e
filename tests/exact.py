"""Exact values to hold the library's against: mpmath at high precision, and errors counted in units in the last place."""

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np

from funcnn.typing import Array

DIGITS = 60


def to_mp(value: Any) -> Any:
    """Return a NumPy number of any precision, a long double too, as an mpmath number without rounding."""
    mantissa, exponent = np.frexp(value)
    high = float(mantissa)
    return (mpmath.mpf(high) + mpmath.mpf(float(mantissa - mantissa.dtype.type(high)))) * mpmath.mpf(2) ** int(exponent)


def ulps(got: Array, exact: list[Any]) -> Array:
    """Return the error of each entry in units in the last place of the exact value (of the smallest number, if that is less)."""
    with mpmath.workdps(DIGITS):
        info = np.finfo(got.dtype)
        smallest = to_mp(info.smallest_subnormal)
        errors = []
        for one, value in zip(got.ravel(), exact, strict=True):
            unit = smallest
            if value:
                unit = max(unit, mpmath.mpf(2) ** (int(mpmath.floor(mpmath.log(abs(value), 2))) - info.nmant))
            errors.append(float(abs(to_mp(one) - value) / unit))
        return np.array(errors)


def condition(function: Callable[[Any], Any], x: Any) -> float:
    """Return |x f'(x) / f(x)|: by how much f magnifies a relative error of x."""
    step = mpmath.mpf(10) ** -20
    value = function(x)
    return float(abs((function(x * (1 + step)) - value) / (step * value))) if value else 0.0


def assert_accurate(got: Array, function: Callable[[Any], Any], x: Array) -> None:
    """Raise unless got is f(x) with an error of at most 8 + 2 condition units in the last place at every entry.

    That is what rounding x alone, and a handful of correctly rounded operations, come to.
    """
    with mpmath.workdps(DIGITS):
        points = [to_mp(one) for one in x.ravel()]
        errors = ulps(got, [function(one) for one in points])
        for one, value, error in zip(points, got.ravel(), errors, strict=True):
            allowed = 8 + 2 * condition(function, one)
            assert error <= allowed, f"f({mpmath.nstr(one, 9)}) = {value!r} is {error:.3g} ulp off, allowed are {allowed:.3g}"
