r"""Products of matrices of complex numbers whose imaginary parts are those of a step.

With $A + i h \dot A$ and $B + i h \dot B$, and h so small that $h^2$ vanishes beside 1,
$$ (A + i h \dot A)(B + i h \dot B) = A B + i h (A \dot B + \dot A B) , $$
three products of real matrices in place of the four of complex ones, and two where one of the matrices was not moved.  That also
leaves out $h^2 \dot A \dot B$, whose numbers are so small in single precision that processors take many times longer for each.

A complex row is a real one of twice the length, in which real and imaginary parts take turns.  So where B lies row by row, $A B +
i h A \dot B$ is one product of real matrices, which neither B is taken apart for nor the result put together.  Parts that are
taken out stay in the order in which the matrix lies: BLAS reads transposes as they are, and copying across rows takes seven times
longer.  What is left out is of the size of both imaginary parts: where that of A vanishes even beside the square root of what
could be seen, that of B is not measured.

The same holds for any product that is linear in both factors, such as a correlation: three of real numbers, in the form that is
the fastest for these, with parts taken out of images and not of their windows.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from funcnn.typing import Array

_TINY = {"F": 2.0**-15, "D": 2.0**-30}
"""Imaginary over real parts up to which the product of two of the former vanishes."""
_SMALL = 4096
"""Numbers of the first factor below which three calls take longer than one."""
_PASSES = 45
"""Multiplications for each number that is read or written, below which taking matrices apart takes longer than it saves."""


def complex_dot(a: Array, b: Array) -> Array:
    """Return ``a @ b`` of two matrices of which one is complex at least."""
    product: Array
    if a.ndim != 2 or b.ndim != 2 or a.dtype != b.dtype or a.dtype.char not in _TINY or not _is_large(a, b):
        product = a.dot(b)
        return product
    (real, imag, ratio), tiny = _parts(a), _TINY[a.dtype.char]
    if not ratio <= tiny**2 and (not ratio <= tiny or step_parts(b) is None):  # also where it is no number
        product = a.dot(b)
        return product
    return _dot_of_parts(b, real, imag)


def bilinear_along(product: Callable[[Array, Array], Array], a: Array, b: Array, axis: int) -> Array | None:
    """Return the product of two factors, linear in both, from products of real ones; None where they are no steps, or small.

    An axis of b, counted from the last, becomes the last one of the product.  With real and imaginary parts taking turns there,
    one product with the real part of a gives a complex array, which is not put together from two.
    """
    if a.dtype != b.dtype or a.dtype.char not in _TINY or a.size < _SMALL:
        return None
    a_parts, b_parts = step_parts(a), step_parts(b)
    if a_parts is None or b_parts is None:
        return None
    (real_a, imag_a), (real_b, imag_b) = a_parts, b_parts
    if imag_b is None:
        real = product(real_a, real_b)
        made: Array = np.zeros(real.shape, a.dtype)
        made.real = real
    else:
        in_turn = b.view(real_b.dtype) if axis == -1 and b.flags.c_contiguous else _in_turn(real_b, imag_b, axis)
        made = np.ascontiguousarray(product(real_a, in_turn)).view(a.dtype)
    if imag_a is not None:
        made.imag += product(imag_a, real_b)
    return made


def _in_turn(real: Array, imag: Array, axis: int) -> Array:
    """Return real and imaginary parts taking turns along an axis."""
    shape = list(real.shape)
    shape[axis] *= 2
    return np.stack((real, imag), axis).reshape(shape)


def _is_large(a: Array, b: Array) -> bool:
    """Tell whether a product of parts is the faster one."""
    rows, columns = len(a), b.shape[1]
    return a.size * columns > _PASSES * (a.size + b.size + rows * columns // 2)


def _dot_of_parts(b: Array, real_a: Array, imag_a: Array | None) -> Array:
    """Return the product of two steps, from the parts of the first, and from the second itself where that lies row by row."""
    product: Array
    is_moved = bool(b.imag[:1].any() or b.imag.any())  # most often the first row tells
    if is_moved and b.flags.c_contiguous:
        product = real_a.dot(b.view(real_a.dtype)).view(b.dtype)
        if imag_a is not None:
            product.imag += imag_a.dot(b.real.copy())
        return product
    real_b = b.real.copy("K")
    product = np.empty((len(real_a), b.shape[1]), b.dtype)
    product.real = real_a.dot(real_b)
    if imag_a is not None:
        along = imag_a.dot(real_b)
        if is_moved:
            along += real_a.dot(b.imag.copy("K"))
        product.imag = along
    else:
        product.imag = real_a.dot(b.imag.copy("K")) if is_moved else 0
    return product


def step_parts(x: Array) -> tuple[Array, Array | None] | None:
    """Return real and imaginary parts, None for one that is 0 everywhere; None as a whole where the latter are no step's."""
    real, imag, ratio = _parts(x)
    return (real, imag) if ratio <= _TINY[x.dtype.char] else None


def _parts(x: Array) -> tuple[Array, Array | None, float]:
    """Return real and imaginary parts, None for one that is 0 everywhere, and how large the latter are beside the former."""
    real, imag = x.real.copy("K"), x.imag.copy("K")
    moved = _largest(imag)
    if not moved:
        return real, None, 0.0
    size = _largest(real)
    return real, imag, moved / size if size else np.inf


def _largest(x: Array) -> float:
    """Return the largest absolute value: no number where one is none."""
    return float(max(x.max(initial=0), -x.min(initial=0)))
