r"""Derivatives of any order along a line, by Cauchy's formula on a circle.

Indices: $m$ order, $k$ point of $N$ on the circle.

For $g(s) = f(x + s v)$, analytic for $|s| \le r$, with Taylor coefficients $a_j = g^{(j)}(0) / j!$ and $w_k = e^{2\pi i k/N}$,
$$ \frac{1}{N} \sum_k w_k^{-m} g(r w_k) = \sum_{j \ge 0} a_j r^j \frac1N \sum_k w_k^{j-m}
   = a_m r^m + a_{m+N}\, r^{m+N} + a_{m+2N}\, r^{m+2N} + \dots, $$
since the roots of unity sum to N where N divides $j - m$, and to 0 elsewhere.  So
$$ g^{(m)}(0) = \frac{m!}{N r^m} \sum_k w_k^{-m} g(r w_k) + E_a + E_r, \qquad
   E_a \approx m!\,|a_{m+N}|\, r^N, \qquad E_r \approx \frac{m!}{r^m}\, \epsilon \max_k |g(r w_k)| $$
(Lyness & Moler 1967, SIAM J. Numer. Anal. 4; Bornemann 2011, Found. Comput. Math. 11).  With $|a_j| \sim R^{-j}$ both
errors are equal at $(r/R)^{N+m} = \epsilon$, where what is left of the digits is $\epsilon^{N/(N+m)}$: four fifths of them with
$N = 4m$, which is what is taken.

The distance $R$ is looked for at a few examples: on circles that grow and shrink by 4, until the coefficients $a_j r^j$ fall by
a visible but not by a hopeless rate.  Afterwards the same sums over the whole batch give $a_j r^j$ for $j < N$: the last of
them bound what has been folded onto order m, and so each call knows the error of what it gives.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from attrs import frozen

from funcnn.derivatives.complex_step import COMPLEX, step_length
from funcnn.typing import Array

PROBE_POINTS = 16
WIDEST, NARROWEST = 4.0**4, 4.0**-12
SAFETY = 0.5
"""The circle is by so much smaller than what the probed examples allow, for those that were not probed."""


@frozen
class Circle:
    """A circle around each input: its radius in units of the direction, and the distance within which terms fall."""

    radius: float
    points: int
    reach: float


def step(dtype: np.dtype[np.floating]) -> Circle:
    """Return the circle of one point that is enough for a first derivative: the complex step."""
    return Circle(float(step_length(dtype)), 1, 1.0)


def places(circle: Circle, dtype: np.dtype[np.floating]) -> Array:
    """Return the complex numbers s at which a network is evaluated; those on the real axis have no imaginary part."""
    w = roots(circle.points, dtype)[: circle.points // 2 + 1] if circle.points > 1 else np.array([1j])
    w = w.astype(COMPLEX[np.dtype(dtype).char])
    made: Array = np.dtype(dtype).type(circle.radius) * w
    return made


def roots(points: int, dtype: np.dtype[np.floating]) -> Array:
    """Return the N-th roots of unity in the complex dtype of a real one; those on an axis are exact."""
    kind = np.dtype(dtype).type
    angles = kind(2) * np.arccos(kind(-1)) * np.arange(points, dtype=dtype) / kind(points)
    made: Array = (np.cos(angles) + 1j * np.sin(angles)).astype(COMPLEX[np.dtype(dtype).char])
    made.real[np.abs(made.real) < 8 * np.finfo(dtype).eps] = 0
    made.imag[np.abs(made.imag) < 8 * np.finfo(dtype).eps] = 0
    return made


def weights(circle: Circle, order: int, dtype: np.dtype[np.floating]) -> Array:
    """Return m! w_k^-m / (N r^m) for the orders m and the points k, (order + 1, K).

    The values of a real function at conjugate points are conjugate: half of the circle is enough, its inner points count twice,
    and the derivative is the real part of the sum.
    """
    kind = np.dtype(dtype).type
    if circle.points == 1:  # the complex step: f = Re f(ih), f' = Im f(ih) / h = Re(-i f(ih) / h)
        made: Array = np.array([[1], [-1j / kind(circle.radius)]], COMPLEX[np.dtype(dtype).char])
        return made
    w = roots(circle.points, dtype)[: circle.points // 2 + 1]
    count = np.full(len(w), 2.0, dtype)
    count[[0, -1]] = 1
    rows = [
        kind(math.factorial(m)) / (kind(circle.points) * kind(circle.radius) ** m) * count * w.conj() ** m
        for m in range(order + 1)
    ]
    return np.stack(rows)


def whole_weights(circle: Circle, order: int, dtype: np.dtype[np.floating]) -> Array:
    """Return m! w_k^-m / (N r^m) for the orders m and all N points k: for values that are not conjugate at conjugate points."""
    kind, w = np.dtype(dtype).type, roots(circle.points, dtype)
    rows = [kind(math.factorial(m)) / (kind(circle.points) * kind(circle.radius) ** m) * w.conj() ** m for m in range(order + 1)]
    return np.stack(rows)


def coefficients(values: list[Array], circle: Circle) -> Array:
    """Return the sizes of a_j r^j for all j < N, the largest of each example: (N, examples)."""
    points = circle.points
    values = values + [one.conj() for one in values[-2:0:-1]]
    stacked = np.stack([one.reshape(len(one), one[:1].size) for one in values])
    sizes = np.abs(np.fft.fft(stacked.astype(complex), axis=0)) / points
    largest: Array = sizes.max(axis=2, initial=0)
    return largest


def folded(sizes: Array, order: int, eps: float) -> Array:
    """Return for each order a bound of the terms that were folded onto it, (order + 1, examples), in units of r^m / m!."""
    points = len(sizes)
    half = points // 2
    low, last = sizes[:half].max(axis=0), np.maximum(sizes[half:].max(axis=0), eps * sizes.max(axis=0))
    rate = np.where(low > 0, np.minimum(last / np.where(low > 0, low, 1), 1) ** (1 / half), 0)
    end = sizes[-2:].max(axis=0)
    bounds: Array = np.stack([end * rate ** (m + 1) for m in range(order + 1)])
    return bounds


@frozen(eq=False)
class Bars:
    """What the two errors may be for each order, (order + 1, examples) each."""

    folded: Array
    rounding: Array

    @property
    def both(self) -> Array:
        """Their sum."""
        return self.folded + self.rounding


def bars(values: list[Array], circle: Circle, order: int) -> Bars:
    """Return the error bars of the derivatives of orders 0 to m."""
    eps = float(np.finfo(values[0].dtype).eps)
    if circle.points == 1:
        parts = [values[0].real, values[0].imag / values[0].real.dtype.type(circle.radius)]
        rounded = np.stack([np.full(len(one), 16 * eps * np.abs(one).max(initial=0)) for one in parts])  # of the whole batch
        return Bars(np.zeros_like(rounded), rounded)
    sizes = coefficients(values, circle)
    largest = np.max([np.abs(one.reshape(len(one), one[:1].size)).max(axis=1, initial=0) for one in values], axis=0).astype(float)
    unit = np.array([math.factorial(m) / circle.radius**m for m in range(order + 1)])[:, np.newaxis]
    return Bars(unit * folded(sizes, order, eps), unit * 4 * eps * largest)


def circle_within(reach: float, order: int, points: int, dtype: np.dtype[np.floating]) -> Circle:
    """Return the circle on which both errors are about equal, where terms fall by a distance.

    Its radius is a power of two, so that a small change of the parameters seldom changes it, and its powers are exact.
    """
    eps = float(np.finfo(dtype).eps)
    radius = SAFETY * reach * eps ** (1 / (points + order))
    return Circle(2.0 ** round(math.log2(radius)) if radius > 0 else 0.0, points, reach)


def find_reach(at: Callable[[Array], Array], dtype: np.dtype[np.floating]) -> float:
    """Return the distance R by which the Taylor coefficients fall, as it is seen on circles; 0 where they do not fall."""
    eps = float(np.finfo(dtype).eps)
    w = roots(PROBE_POINTS, dtype)[: PROBE_POINTS // 2 + 1]
    radius, grown = 0.25, False
    while NARROWEST <= radius <= WIDEST:
        with np.errstate(all="ignore"):
            values = [at(radius * one) for one in w]
        if not all(np.isfinite(one).all() for one in values):
            if grown:
                return radius / 4
            radius /= 4
            continue
        sizes = coefficients(values, Circle(radius, PROBE_POINTS, radius))
        sizes = sizes[:, sizes.max(axis=0) > 0]
        if sizes.shape[1] == 0:
            return radius
        half = PROBE_POINTS // 2
        fall = (sizes[half:].max(axis=0) / sizes[:half].max(axis=0)).max()
        if fall > 0.05:  # a singularity inside, or next to it
            if grown:
                return radius / 4
            radius /= 4
        elif fall < 1e3 * eps and radius < WIDEST:  # nothing but rounding
            radius, grown = 4 * radius, True
        else:
            return float(radius / max(fall, eps) ** (1 / half))
    return radius if radius > WIDEST else 0.0
