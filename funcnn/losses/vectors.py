r"""Lengths and directions of vectors along the last axis, for the losses that compare vectors.

The length is $|x| = m \sqrt{\sum_i (x_i / m)^2}$ with $m = \max_i |x_i|$, which neither overflows nor loses the digits of a
short vector.  The vector of length 0 has no direction: it is taken as 0.
"""

import numpy as np

from funcnn.numerics import row_sums
from funcnn.typing import Array


def lengths(x: Array) -> Array:
    """Return the length of each vector, (...,), of vectors (..., D)."""
    largest = np.abs(x.real).max(-1, initial=0)
    largest[largest == 0] = 1
    scaled = x / largest[..., None]
    root: Array = np.sqrt(row_sums(scaled * scaled))
    root *= largest
    return root


def directions(x: Array, length: Array) -> Array:
    """Return the vectors divided by their lengths."""
    return x / np.where(length == 0, 1, length)[..., None]


def inverse(length: Array) -> Array:
    """Return 1/length, and 0 for the length 0."""
    return np.divide(1, length, out=np.zeros_like(length), where=length != 0)
