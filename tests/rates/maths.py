"""Elementary functions in every arithmetic: of NumPy, real and complex, and of mpmath, whose numbers live in object arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath as untyped_mpmath
import numpy as np

from funcnn.typing import Array

mpmath: Any = untyped_mpmath  # Any: its results have no types that help
DIGITS = 120
"""Decimal digits of the exact arithmetic."""


def _in_both(fast: Callable[[Any], Any], exact: Callable[[Any], Any]) -> Callable[[Array], Array]:
    slow = np.frompyfunc(exact, 1, 1)

    def apply(x: Array) -> Array:
        made: Any = slow(x) if x.dtype == object else fast(x)  # Any: an array of mpmath's numbers among them
        return np.asarray(made)

    return apply


exp = _in_both(np.exp, mpmath.exp)
expm1 = _in_both(np.expm1, mpmath.expm1)
log = _in_both(np.log, mpmath.log)
log1p = _in_both(np.log1p, mpmath.log1p)
sqrt = _in_both(np.sqrt, mpmath.sqrt)
sin = _in_both(np.sin, mpmath.sin)
cos = _in_both(np.cos, mpmath.cos)
tanh = _in_both(np.tanh, mpmath.tanh)
cosh = _in_both(np.cosh, mpmath.cosh)
arctan = _in_both(np.arctan, mpmath.atan)
_exact = np.frompyfunc(mpmath.mpf, 1, 1)


def exactly(x: Array) -> Array:
    """Return an array of mpmath's numbers with the same values."""
    return np.asarray(_exact(x.astype(np.float64))) if x.dtype.kind == "f" else x


def like(constant: Array, x: Array) -> Array:
    """Return a constant in the arithmetic of an array."""
    if x.dtype == object:
        return exactly(constant)
    return constant.astype(x.dtype, copy=False)


def sigmoid(x: Array) -> Array:
    """Return the logistic function."""
    return np.asarray(1 / (1 + exp(-x)))
