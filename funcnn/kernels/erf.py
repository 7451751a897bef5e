r"""The error function and the normal distribution, which NumPy does not have: no tables, one formula for every precision.

For $\operatorname{Re} z > 0$
$$ \operatorname{erfc} z = \frac{2z}{\pi}\, e^{-z^2} \int_0^\infty \frac{e^{-t^2}}{z^2 + t^2}\,\mathrm{d}t . $$
The midpoint rule with step $h$, $t_n = (n + \tfrac12)h$, is exponentially accurate for such an integrand.  Its error is the
residue at the poles $t = \pm iz$, known in closed form, and a remainder of relative size $e^{-(\pi/h)^2}$:
$$ \operatorname{erfc} z \approx e^{-z^2}\, z \sum_{n=0}^{N-1} \frac{w_n}{z^2 + t_n^2}
   + \frac{2\,[\operatorname{Re} z < \pi/h]}{1 + e^{2\pi z/h}}, \qquad w_n = \frac{2h}{\pi}\, e^{-t_n^2} $$
(Chiarella and Reichel 1968, Math. Comp. 22, 137; Matta and Reichel 1971, Math. Comp. 25, 339; with the midpoints of Hunter
and Regan 1972, Math. Comp. 26, 539, nothing becomes singular at $z = 0$).  For real z all terms are positive: no digits
cancel, neither near 0 nor in the tail.  With $r = \sqrt{-\ln(\epsilon/100)}$ for the precision $\epsilon$, the step
$h = \pi/r$ makes the remainder $\epsilon/100$, and the terms beyond $t_n = r$, that is beyond $N = \lceil r^2/\pi \rceil$,
are as small: 7 terms for float32, 13 for float64, 16 for the 80-bit long double.  Every step is an analytic function of z, so
complex numbers near the real axis pass through as well.

For float32, where divisions take most of the time, the sum is replaced by a polynomial.  What is left of erfc without its
exponential is a smooth function of $t = 1/(1 + z/2)$,
$$ e^{z^2} \operatorname{erfc} z = t\,g(t), \qquad g(t) \approx \sum_{k=0}^{10} c_k (t - \tfrac12)^k . $$
The polynomial interpolates the formula above, computed in float64, at the Chebyshev points for $0 \le z \le 12.8$, beyond which
erfc is 0 in float32.  It is off by less than $7 \cdot 10^{-9}$ of the value, a ninth of half a unit in the last place, and with
the rounding of its eleven terms by at most three units.
"""

import math
from functools import lru_cache

import numpy as np
from attrs import frozen

from funcnn.kernels.arrays import constant, minimum_with
from funcnn.typing import Array

_BLOCK = 8192  # terms of so many numbers are summed at a time: they fit the cache
_FAR = 160  # erfc of this over the square root of 2, and more, is 0 in every precision
_DEGREE, _LAST = 10, 12.8  # of the polynomial, and where it ends


@frozen(eq=False)
class _Rule:
    """The midpoint rule in one precision, and the constants that a Python float holds too coarsely for a long double."""

    reach: Array  # (), pi / h
    squares: Array  # (N, 1), t_n**2
    weights: Array  # (N,), w_n / 2
    sqrt_half: Array  # ()
    density: Array  # (), 1 / sqrt(2 pi)
    far: float  # erfc of this, and more, is 0
    wide: float  # more than the square root of 2 times as far
    polynomial: tuple[Array, ...]  # c_k / 2 for float32, the highest first; none for other precisions
    series: tuple[Array, ...]  # Taylor coefficients of erf, the highest first


@lru_cache(maxsize=16)
def _rule(dtype: np.dtype[np.floating]) -> _Rule:
    real = np.empty(0, dtype).real.dtype
    eps = float(np.finfo(real).eps)
    pi = 4 * np.arctan(np.longdouble(1))
    reach = np.sqrt(np.longdouble(-math.log(eps / 100)))
    step = pi / reach
    t = (np.arange(math.ceil(reach * reach / pi), dtype=np.longdouble) + 0.5) * step
    series = [2 / np.sqrt(pi)]  # of (-1)^n x^(2n+1) / (n! (2n+1)), n = 0, 1, ..., without the 2n+1
    while abs(series[-1]) > eps / 100:
        series.append(-series[-1] / len(series))
    return _Rule(
        reach=reach.astype(real),
        squares=(t * t).astype(real)[:, np.newaxis],
        weights=(step / pi * np.exp(-t * t)).astype(real),
        sqrt_half=np.sqrt(np.longdouble(0.5)).astype(real),
        density=(1 / np.sqrt(2 * pi)).astype(real),
        wide=1.5 * (_LAST if dtype == np.float32 else _FAR),
        far=_LAST if dtype == np.float32 else _FAR,
        polynomial=_coefficients() if dtype == np.float32 else (),
        series=tuple((term / (2 * n + 1)).astype(real) for n, term in reversed(list(enumerate(series)))),
    )


def _coefficients(dtype: type[np.floating] = np.float32) -> tuple[Array, ...]:
    """Return the coefficients of the polynomial for half of g, the highest first."""
    first = 1 / (1 + _LAST / 2)
    t = (np.cos((np.arange(_DEGREE + 1) + 0.5) * (np.pi / (_DEGREE + 1))) * (1 - first) + 1 + first) / 2
    z = 2 / t - 2
    square = z * z
    g = _half_erfc_from(z, square, np.exp(-square), _rule(z.dtype)) * np.exp(square) / t
    return tuple([np.asarray(one, dtype) for one in np.linalg.solve(np.vander(t - 0.5), g)])


def erf(x: Array) -> Array:
    """Return the error function of every entry, to a few units in the last place.

    Up to |x| = 1 by its Taylor series, beyond as 1 - erfc.

    Examples
    --------
    >>> import numpy as np
    >>> from funcnn.kernels.erf import erf
    >>> erf(np.array([-1e4, 0.0, 1.0]))
    array([-1.        ,  0.        ,  0.84270079])
    """
    rule = _rule(x.dtype)
    size = np.maximum(x, -x)  # |x|, and for complex x the one of x and -x with the positive real part
    near = np.where(size < 1, x, 0)
    square = near * near
    small = np.zeros_like(x)
    for coefficient in rule.series:
        small = small * square + coefficient
    tail = 1 - 2 * _half_erfc(minimum_with(rule.far, size), rule)
    return np.where(size < 1, near * small, np.where(x > 0, tail, -tail))


def erfc(x: Array) -> Array:
    """Return 1 - erf(x) of every entry without cancellation: relative error about 2 + x**2 units in the last place in the tail.

    Examples
    --------
    >>> import numpy as np
    >>> from funcnn.kernels.erf import erfc
    >>> erfc(np.array([-1.0, 0.0, 10.0]))
    array([1.84270079e+00, 1.00000000e+00, 2.08848758e-45])
    """
    rule = _rule(x.dtype)
    tail = 2 * _half_erfc(minimum_with(rule.far, np.maximum(x, -x)), rule)
    return np.where(x >= 0, tail, 2 - tail)


def normal(x: Array) -> tuple[Array, Array]:
    """Return the distribution function and the density of the standard normal distribution at every entry.

    The distribution function is erfc(-x / sqrt(2)) / 2; both share the exponential.

    Examples
    --------
    >>> import numpy as np
    >>> from funcnn.kernels.erf import normal
    >>> normal(np.array([0.0, -10.0]))
    (array([5.00000000e-01, 7.61985302e-24]), array([3.98942280e-01, 7.69459863e-23]))
    """
    rule = _rule(x.dtype)
    z = minimum_with(rule.wide, np.maximum(x, -x))
    square = z * z
    square *= 0.5
    z *= rule.sqrt_half
    density = np.exp(-square)
    lower = _half_erfc_from(z, square, density, rule)  # the probability of the side where x is not
    density *= rule.density
    if x.dtype.kind == "c":
        return np.where(x >= 0, 1 - lower, lower), density
    np.subtract(x >= 0, lower, out=lower)
    return np.abs(lower, out=lower), density


def _half_erfc(z: Array, rule: _Rule) -> Array:
    square = z * z
    return _half_erfc_from(z, square, np.exp(-square), rule)


def _half_erfc_from(z: Array, square: Array, gauss: Array, rule: _Rule) -> Array:
    """Return half of erfc of 0 <= Re z <= far, from z, z**2 and exp(-z**2)."""
    if rule.polynomial:
        return _half_erfc_by_polynomial(z, gauss, rule)
    total = _sum_of_poles(square.reshape(-1), rule).reshape(z.shape)
    total *= z
    total *= gauss
    pole: Array = np.exp(z * (-2 * rule.reach))
    pole /= pole + 1
    pole *= z < rule.reach
    total += pole
    return total


def _half_erfc_by_polynomial(z: Array, gauss: Array, rule: _Rule) -> Array:
    """Return the same by the polynomial."""
    t = z * constant(0.5, z.dtype)
    t += constant(1, z.dtype)
    np.reciprocal(t, out=t)
    s = t - constant(0.5, z.dtype)
    total: Array = s * rule.polynomial[0]
    for coefficient in rule.polynomial[1:-1]:
        total += coefficient
        total *= s
    total += rule.polynomial[-1]
    total *= t
    total *= gauss
    return total


def _sum_of_poles(square: Array, rule: _Rule) -> Array:
    """Return half the sum over n of w_n / (square + t_n**2), by blocks: the terms are a matrix, their sum a product."""
    sums = np.empty_like(square)
    for start in range(0, len(square), _BLOCK):
        terms = square[start : start + _BLOCK] + rule.squares
        np.reciprocal(terms, out=terms)
        sums[start : start + _BLOCK] = rule.weights.dot(terms)
    return sums
