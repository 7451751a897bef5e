r"""The exponential function and the hyperbolic tangent, of complex numbers too, by the functions of real ones.

NumPy computes functions of real numbers several at a time, and those of complex numbers one by one, ten to a hundred times
slower; products of derivatives run whole networks in complex numbers.  With $z = a + i b$
$$ e^z = e^a (\cos b + i \sin b), $$
and with $e = e^{-2|a|}$, which never overflows,
$$ \tanh z = \frac{\sinh 2a + i \sin 2b}{\cosh 2a + \cos 2b}
   = \frac{(1 + e)^2 \tanh a + 4 i\, e \sin b \cos b}{(1 + e)^2 - 4 e \sin^2 b} . $$
Along an imaginary step b is so small that $b^2$ vanishes beside 1: then $\sin b = b$ and $\cos b = 1$ to the last digit.
Otherwise, in double precision, sines and cosines are computed one by one too, and nothing is gained.
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
    size = np.exp(x.real)
    if not np.isfinite(size).all():  # infinite times 0: the rules for these are NumPy's
        return np.exp(x, out)
    made = np.empty_like(x) if out is None else out
    angle = x.imag
    if _is_tiny(x):
        np.multiply(size, angle, out=made.imag)
        made.real = size
    elif x.dtype.char == "D" or not np.isfinite(angle).all():
        return np.exp(x, out)
    else:
        sine = np.sin(angle)
        np.multiply(size, np.cos(angle), out=made.real)
        np.multiply(size, sine, out=made.imag)
    return made


def complex_tanh(x: Array, out: Array | None = None) -> Array:
    """Return :func:`tanh` of complex numbers."""
    tiny = x.dtype.char in _TINY and _is_tiny(x)
    if not tiny and x.dtype.char != "F":
        return np.tanh(x, out)
    a, b = x.real, x.imag
    real = np.tanh(a)
    e: Array = np.exp(-2 * np.abs(a))
    square = (1 + e) ** 2
    made = np.empty_like(x) if out is None else out
    if tiny:
        e *= 4
        e /= square
        np.multiply(e, b, out=made.imag)
        made.real = real
        return made
    sine, cosine = np.sin(b), np.cos(b)
    e *= 4
    below = square - e * (sine * sine)
    real *= square
    np.divide(real, below, out=made.real)
    e *= sine
    e *= cosine
    np.divide(e, below, out=made.imag)
    return made


def _is_tiny(x: Array) -> bool:
    """Tell whether all imaginary parts are those of a step; not where one is no number."""
    return bool(np.abs(x.imag).max(initial=0) <= _TINY[x.dtype.char])
