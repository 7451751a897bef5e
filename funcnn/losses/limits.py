r"""Arithmetic at the ends of the range: what a loss is where a plain formula would say NaN or overflow on the way.

A product of 0 with infinity is 0 where the factor 0 says that a term is not there (a class without weight, a count of 0, the
side of a margin on which nothing is lost).  And where the value comes out infinite or NaN, the losses are computed again in the
next wider precision: $(3 \cdot 10^{38})^2 / n$ may be finite in float32 though the square is not, and $10^{38} - (-3 \cdot
10^{38})$ has an absolute value though not in float32.  What is infinite then is infinite.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from funcnn import tree
from funcnn.kernels.arrays import sum_last
from funcnn.typing import Array

Y = TypeVar("Y")

WIDER = {np.dtype(narrow): np.dtype(wide) for narrow, wide in (("f", "d"), ("d", "g"), ("F", "D"), ("D", "G"))}
"""The next wider precision: where long double is no wider than float64, what overflows there stays infinite."""


def times(weight: Array, x: Array) -> Array:
    """Return ``weight * x``, and 0 where the weight is 0, whatever x is there."""
    product: Array = np.zeros(np.broadcast_shapes(weight.shape, x.shape), np.result_type(weight, x))
    np.multiply(weight, x, out=product, where=weight != 0)
    return product


def within(value: float, dtype: np.dtype[np.floating]) -> float:
    """Return a positive number, or the nearest that the precision can hold as neither 0 nor infinity."""
    info = np.finfo(dtype)
    return float(min(max(value, float(info.smallest_subnormal)), float(info.max)))


def widened(prediction: Y) -> Y:
    """Return a prediction in the next wider precision."""
    return tree.map(lambda leaf: leaf.astype(WIDER.get(leaf.dtype, leaf.dtype)), prediction)


def narrowed(gradient: Y, like: Y) -> Y:
    """Return a gradient in the precision of a prediction; what is beyond it is infinite."""
    with np.errstate(over="ignore", under="ignore"):
        return tree.map(lambda leaf, part: part.astype(leaf.dtype), like, gradient)


def row_totals(x: Array) -> Array:
    """Return ``x.sum(-1)``; long rows are summed by halves, which loses no digits, and not as a product."""
    if x.shape[-1] <= 512:
        return sum_last(x)
    sums: Array = np.ascontiguousarray(x).sum(-1)
    return sums
