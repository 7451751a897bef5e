r"""The exponential function and the hyperbolic tangent, of complex numbers too, by the functions of real ones.

NumPy computes functions of real numbers several at a time, and those of complex numbers one by one, ten to a hundred times
slower; products of derivatives run whole networks in complex numbers.  With $z = a + i b$, $T = \tanh a$ and $t = \tan b$
$$ \tanh z = \frac{T + i t}{1 + i T t} = \frac{T (1 + t^2) + i\, t\, (1 - T^2)}{1 + T^2 t^2}, \qquad 1 - T^2 = \frac{4 e}{(1 +
   e)^2}, \quad e = e^{-2|a|} , $$
in which nothing cancels.  Since $\cosh z = \cosh a \cos b\, (1 + i T t)$ the derivative takes no further function:
$$ \frac{1}{\cosh^2 z} = (1 - T^2)\, (1 + t^2)\, \frac{(1 - T^2 t^2) - 2 i\, T t}{(1 + T^2 t^2)^2} . $$
With $u = \tan \tfrac b2$
$$ e^z = e^a (\cos b + i \sin b) = e^a\, \frac{(1 - u^2) + 2 i u}{1 + u^2} , $$
where the real part has the digits of $|e^z|$.  (Of double precision, tangents are the one periodic function that NumPy computes
several at a time.)  Along an imaginary step b is so small that $b^2$ vanishes beside 1: then $\tan b = \sin b = b$ and $\cos b
= 1$ to the last digit.
"""

from __future__ import annotations

import numpy as np

from funcnn.typing import Array

_TINY = {"F": 2.0**-14, "D": 2.0**-28}
"""Imaginary parts up to which the square vanishes beside 1."""


def exp(x: Array, out: Array | None = None) -> Array:
    """Return the exponential function of an array, in the place of ``out`` if that is given, which may be x itself."""
    if x.dtype.kind == "f":
        made: Array = np.exp(x, out)
    else:
        made = complex_exp(x, out)
    return made


def tanh(x: Array, out: Array | None = None) -> Array:
    """Return the hyperbolic tangent of an array, in the place of ``out`` if that is given, which may be x itself."""
    if x.dtype.kind == "f":
        made: Array = np.tanh(x, out)
    else:
        made = complex_tanh(x, out)
    return made


def complex_exp(x: Array, out: Array | None = None) -> Array:
    """Return :func:`exp` of complex numbers."""
    if x.dtype.char not in _TINY:
        return np.exp(x, out)
    size = np.exp(x.real.copy())  # numbers side by side are computed several at a time
    if not np.isfinite(size).all():  # infinite times 0: the rules for these are NumPy's
        return np.exp(x, out)
    made = np.empty_like(x) if out is None else out
    angle = x.imag
    if _is_tiny(x):
        np.multiply(size, angle, out=made.imag)
        made.real = size
        return made
    if not np.isfinite(angle).all():
        return np.exp(x, out)
    half = np.tan(angle / 2)
    square = half * half
    size /= 1 + square
    half *= 2
    np.multiply(size, half, out=made.imag)
    np.subtract(1, square, out=square)
    np.multiply(size, square, out=made.real)
    return made


def complex_tanh(x: Array, out: Array | None = None) -> Array:
    """Return :func:`tanh` of complex numbers."""
    if x.dtype.char in _TINY and _is_tiny(x):
        real, slope, b = _real_tanh_and_slope(x)
        made = np.empty_like(x) if out is None else out
        np.multiply(slope, b, out=made.imag)
        made.real = real
        return made
    both = complex_tanh_and_slope(x)
    if both is None:
        return np.tanh(x, out)
    return both[0] if out is None else np.positive(both[0], out)


def complex_tanh_and_slope(x: Array) -> tuple[Array, Array] | None:
    """Return tanh of complex numbers and its derivative; None where the imaginary parts are no numbers to take tangents of."""
    if x.dtype.char not in _TINY or not np.isfinite(x.imag).all():
        return None
    real, slope, b = _real_tanh_and_slope(x)
    value, derivative = np.empty_like(x), np.empty_like(x)
    if _is_tiny(x):
        b *= slope
        value.real, value.imag = real, b
        b *= real
        b *= -2
        derivative.real, derivative.imag = slope, b
        return value, derivative
    tangent = np.tan(b)
    product = real * tangent
    square = product * product
    below = 1 / (1 + square)
    np.multiply(tangent, slope, out=b)
    np.multiply(b, below, out=value.imag)
    tangent *= tangent
    tangent += 1
    tangent *= below  # (1 + t**2) / (1 + T**2 t**2)
    np.multiply(real, tangent, out=value.real)
    slope *= tangent
    slope *= below
    np.subtract(1, square, out=square)
    np.multiply(slope, square, out=derivative.real)
    product *= -2
    np.multiply(slope, product, out=derivative.imag)
    return value, derivative


def _real_tanh_and_slope(x: Array) -> tuple[Array, Array, Array]:
    """Return tanh of the real parts, 1 minus its square, and the imaginary parts, each side by side in memory."""
    a = x.real.copy()
    slope: Array = np.exp(-2 * np.abs(a))
    slope *= 4 / (1 + slope) ** 2
    return np.tanh(a, out=a), slope, x.imag.copy()


def _is_tiny(x: Array) -> bool:
    """Tell whether all imaginary parts are those of a step; not where one is no number."""
    return bool(np.abs(x.imag).max(initial=0) <= _TINY[x.dtype.char])
