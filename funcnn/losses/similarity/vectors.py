r"""Lengths and directions of vectors along the last axis, for the losses that compare vectors.

The length is $|x| = m\,r$ with $m = \max_i |x_i|$ and $r = \sqrt{\sum_i (x_i / m)^2}$, from 1 to the root of the dimension:
nothing overflows, and a short vector, a subnormal one too, loses no digits.  The direction is $(x / m) / r$, and what is to be
divided by the length is divided by $r$ and then by $m$, whose inverse need not be in range.  The vector of length 0 has no
direction: it is taken as 0, and so is what is divided by its length.  Of a vector with infinite entries these alone count, all
alike.
"""

import numpy as np
from attrs import frozen

from funcnn.losses.limits import row_totals
from funcnn.typing import Array


@frozen(eq=False)
class Polar:
    """Directions (..., D) of vectors, and the two factors of their lengths, (...,)."""

    direction: Array
    root: Array  # r, 1 for a vector of length 0
    largest: Array  # m

    @property
    def length(self) -> Array:
        """The lengths, (...,)."""
        return self.root * self.largest

    def over_length(self, x: Array) -> Array:
        """Return vectors x (..., D) divided by these lengths, 0 where they are 0."""
        there = np.broadcast_to(self.largest[..., None] != 0, x.shape)
        quotient: Array = np.zeros_like(x)
        return np.divide(x / self.root[..., None], self.largest[..., None], out=quotient, where=there)


def polar(x: Array) -> Polar:
    """Return the directions and lengths of vectors (..., D)."""
    largest = np.abs(x.real).max(-1, initial=0)
    scaled = unit_box(x, largest)
    if x.dtype.kind == "c":  # no direction, and no derivative of one
        scaled = np.where(largest[..., None] == 0, 0, scaled)
    root: Array = np.sqrt(row_totals(scaled * scaled))
    root[root == 0] = 1
    return Polar(scaled / root[..., None], root, largest)


def unit_box(x: Array, largest: Array) -> Array:
    """Return vectors over their largest entries."""
    divisor = np.where(largest == 0, 1, largest)[..., None]
    if np.isinf(divisor).any():
        x = np.where(np.isinf(divisor), np.where(np.isinf(x.real), np.sign(x.real), 0), x)
        divisor = np.where(np.isinf(divisor), 1, divisor)
    return x / divisor


def directions_pullback(ddirection: Array, vectors: Polar) -> Array:
    r"""Return the cotangent of vectors from that of their directions, $(\bar u - (\bar u \cdot u)\,u) / |x|$; 0 at length 0."""
    along = row_totals(ddirection * vectors.direction)[..., None] * vectors.direction
    return vectors.over_length(ddirection - along)


# ------------------------------------------------------------------------------------------- what one vector has across another


@frozen(eq=False)
class Box:
    """Vectors (..., D) over a power of two that puts their largest entries between 1/2 and 1, which rounds nothing."""

    vector: Array
    square: Array  # (...,), its squared length; 1 for a vector of length 0
    scales: tuple[Array, Array]  # (..., 1): the inverse power in two factors; 0 where a vector has no or an infinite length


def boxed(x: Array) -> Box:
    """Return vectors with their largest entries between 1/2 and 1."""
    largest = np.abs(x.real).max(-1, keepdims=True, initial=0)
    infinite = np.isinf(largest)
    if infinite.any():
        x = np.where(infinite, np.where(np.isinf(x.real), np.sign(x.real), 0), x)
    exponent = np.frexp(np.where(infinite, 1, largest))[1]
    unit = np.ones((), x.real.dtype)
    scales = np.ldexp(unit, -(exponent // 2)), np.ldexp(unit, exponent // 2 - exponent)
    vector = x * scales[0] * scales[1]
    if x.dtype.kind == "c":
        vector = np.where(largest == 0, 0, vector)
    square = row_totals(vector * vector)
    there = (largest > 0) & ~infinite
    return Box(vector, np.where(square == 0, 1, square), (scales[0] * there, scales[1]))


def across(y: Array, x: Box) -> Array:
    r"""Return what vectors y have across others x, $y - \frac{x \cdot y}{x \cdot x}\,x$, to the last digits however small it is.

    The multiple of x nearest to y is subtracted with the product's rounding error, which :func:`two_product` finds; the second
    time what rounding the multiple itself has left along x is removed.  What is then below the square of the precision is the
    rounding of vectors that are parallel: it is 0.
    """
    nearest = (row_totals(x.vector * y) / x.square)[..., None]
    product, error = two_product(nearest, x.vector)
    rest = y - product
    rest -= error
    rest -= (row_totals(x.vector * rest) / x.square)[..., None] * x.vector
    nothing = np.abs(rest.real) <= np.finfo(rest.real.dtype).eps ** 2 * np.abs(product.real)
    rest -= np.where(nothing, rest.real, 0)
    return rest


def two_product(a: Array, b: Array) -> tuple[Array, Array]:
    """Return a product as it is rounded, and its rounding error (Dekker 1971, "A floating-point technique", section 5)."""
    product = a * b
    (a_high, a_low), (b_high, b_low) = halves(a), halves(b)
    error = a_high * b_high - product
    for part in (a_high * b_low, a_low * b_high, a_low * b_low):  # in this order each sum is exact
        error += part
    return product, error


def halves(x: Array) -> tuple[Array, Array]:
    """Return numbers as sums of two with half of the digits each, whose products are exact."""
    digits = np.finfo(x.real.dtype).nmant + 1
    spread = x * x.real.dtype.type(2 ** (-(-digits // 2)) + 1)
    high = spread - (spread - x)
    return high, x - high
