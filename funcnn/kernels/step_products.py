r"""Products of matrices of complex numbers whose imaginary parts are those of a step.

With $A + i h \dot A$ and $B + i h \dot B$, and h so small that $h^2$ vanishes beside 1,
$$ (A + i h \dot A)(B + i h \dot B) = A B + i h (A \dot B + \dot A B) , $$
three products of real matrices in place of the four of complex ones, and two where one of the matrices was not moved.  That also
leaves out $h^2 \dot A \dot B$, whose numbers are so small in single precision that processors take many times longer for each.
"""

from __future__ import annotations

import numpy as np

from funcnn.typing import Array

_TINY = {"F": 2.0**-15, "D": 2.0**-30}
"""Imaginary over real parts up to which the product of two of the former vanishes."""
_SMALL = 20_000
"""Multiplications below which the passes that tell steps apart take longer than they save."""


def complex_dot(a: Array, b: Array) -> Array:
    """Return ``a @ b`` of two matrices of which one is complex at least."""
    product: Array
    if a.ndim != 2 or b.ndim != 2 or a.dtype != b.dtype or a.dtype.char not in _TINY or a.size * b.shape[1] < _SMALL:
        product = a.dot(b)
        return product
    steps = _imaginary_size(a), _imaginary_size(b)
    if None in steps:
        product = a.dot(b)
        return product
    real_a, real_b = np.ascontiguousarray(a.real), np.ascontiguousarray(b.real)
    product = np.empty((len(a), b.shape[1]), a.dtype)
    product.real = real_a.dot(real_b)
    terms = []
    if steps[1]:
        terms.append(real_a.dot(np.ascontiguousarray(b.imag)))
    if steps[0]:
        terms.append(np.ascontiguousarray(a.imag).dot(real_b))
    if len(terms) == 2:
        terms[0] += terms[1]
    product.imag = terms[0] if terms else 0
    return product


def _imaginary_size(x: Array) -> float | None:
    """Return the largest imaginary part, or None where it is not that of a step."""
    imaginary = float(np.abs(x.imag).max(initial=0))
    if not imaginary:
        return 0.0
    return imaginary if imaginary <= _TINY[x.dtype.char] * float(np.abs(x.real).max(initial=0)) else None
