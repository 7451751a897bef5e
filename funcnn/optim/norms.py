"""Euclidean norms, and scaling to them, for numbers of any size: squares that overflow or underflow are taken in other units."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from funcnn.typing import Array

_SAFE = 1e-30  # below this, squares of float32 numbers have lost digits
_SUMMED = 1 << 16  # squares summed at a time in the numbers' own precision: of millions the last digits would be lost
_SMALL, _LARGE = 1e-15, 1e15  # norms between, and quotients with them, are far from the ends of float32


def norm_of(leaves: Sequence[Array]) -> float:
    """Return the norm of all numbers of some arrays: NaN when there is a NaN, infinity when it is too large for a float."""
    total = 0.0
    with np.errstate(over="ignore", under="ignore"):
        for leaf in leaves:
            flat = leaf.reshape(-1)
            for first in range(0, flat.size, _SUMMED):
                part = flat[first : first + _SUMMED]
                total += float(part.dot(part))
    if _SAFE < total < math.inf or not leaves:
        return math.sqrt(total)
    return _scaled_norm(leaves)


def _scaled_norm(leaves: Sequence[Array]) -> float:
    """Return the norm where the squares overflow or underflow: in units of the largest number."""
    largest = _largest(leaves)
    if not 0 < largest < math.inf:
        return largest
    return largest * math.sqrt(
        sum(float(np.sum(np.square(leaf / leaf.dtype.type(largest), dtype=np.float64))) for leaf in leaves)
    )


def _largest(leaves: Sequence[Array]) -> float:
    """Return the largest absolute value, 0 when there are no numbers, and NaN when one is NaN."""
    sizes = [float(np.max(np.abs(leaf))) for leaf in leaves if leaf.size]
    return math.nan if any(map(math.isnan, sizes)) else max(sizes, default=0.0)


def moderate(leaves: Sequence[Array]) -> tuple[Sequence[Array], float, int]:
    """Return leaves, their norm, and an exponent e: the leaves that were given are 2^e times those that are returned.

    The norm is far from the ends of what a float32 holds, so that quotients with it keep all their digits.  Leaves of such a norm
    come back as they are, and so do those whose norm is 0, or not finite because a number is not.
    """
    norm = norm_of(leaves)
    if _SMALL < norm < _LARGE or norm == 0 or math.isnan(norm):
        return leaves, norm, 0
    largest = _largest(leaves)
    if math.isinf(largest):
        return leaves, math.inf, 0
    exponent = math.frexp(largest)[1]
    scaled: list[Array] = [np.asarray(np.ldexp(leaf, -exponent)) for leaf in leaves]
    return scaled, norm_of(scaled), exponent


def in_units(value: float, exponent: int) -> float:
    """Return a value over 2^exponent: infinity where that is too large for a float."""
    try:
        return math.ldexp(value, -exponent)
    except OverflowError:
        return math.inf


def in_units_of(leaf: Array, exponent: int) -> Array:
    """Return an array over 2^exponent."""
    scaled: Array = np.ldexp(leaf, -exponent)
    return scaled


def scaled_to(limit: float, leaves: Sequence[Array]) -> Sequence[Array]:
    """Return leaves that together are as long as a limit, where they are longer, and otherwise as they are."""
    own, norm, exponent = moderate(leaves)
    if not in_units(limit, exponent) < norm < math.inf:
        return leaves
    factor = limit / norm
    return [factor * leaf for leaf in own]


def root_mean_square(leaf: Array) -> float:
    """Return the root mean square of an array's numbers, 0 when there are none."""
    if not leaf.size:
        return 0.0
    with np.errstate(over="ignore", under="ignore"):
        mean = float(np.mean(leaf * leaf))
    return float(np.sqrt(leaf.dtype.type(mean))) if _SAFE < mean < math.inf else norm_of((leaf,)) / math.sqrt(leaf.size)


def room_of(dtype: np.dtype[np.floating]) -> float:
    """Return how large a sum of squares of gradients may be: infinity for long double, which has room for all that there is."""
    return 0.25 * float(np.finfo(dtype).max) if dtype.itemsize <= 8 else math.inf


def bound_of(dtype: np.dtype[np.floating], share: float) -> float:
    """Return the largest number that counts as itself in :func:`bounded`."""
    return math.sqrt(room_of(dtype) * share)


def bounded(g: Array, share: float) -> Array:
    r"""Return gradients in which finite numbers whose squares cannot be summed count as the largest whose squares can.

    For rules that divide gradients by the root of a mean or sum of their squares, where a common factor is of no account: what
    they make of gradients that are beyond the bound stays right, unless two of very different sizes are.

    Parameters
    ----------
    g : (...) array
    share : float
        The sum of squares is at most the largest square over this: $1 - \beta$ for $\sum_i \beta^i g_{t-i}^2$.
    """
    flat = g.reshape(-1)
    try:
        if flat.dot(flat) <= room_of(g.dtype) * share:
            return g
    except (FloatingPointError, RuntimeWarning):  # of somebody who has NumPy or Python raise them
        return clamped(g, bound_of(g.dtype, share))
    return clamped(g, bound_of(g.dtype, share))


def shrunk(g: Array, bound: float) -> Array:
    """Return an array over the least power of two with which all its numbers are within a bound, unless one is not finite."""
    return shrunk_together((g,), bound)[0]


def shrunk_together(leaves: Sequence[Array], bound: float) -> Sequence[Array]:
    """Return arrays over the least power of two with which all numbers of all are within a bound, unless one is not finite."""
    largest = _largest(leaves)
    if not bound < largest < math.inf:
        return leaves
    exponent = math.frexp(bound)[1] - 1 - math.frexp(largest)[1]
    return [np.asarray(np.ldexp(leaf, exponent)) for leaf in leaves]


def clamped(g: Array, bound: float) -> Array:
    """Return an array in which finite numbers beyond a bound are that bound, with their sign."""
    beyond = (np.abs(g) > bound) & np.isfinite(g)
    return np.where(beyond, np.copysign(g.dtype.type(bound), g), g) if beyond.any() else g
