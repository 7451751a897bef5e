"""Array operations that several layers share, in the form that NumPy computes fastest.

The plain form stands in each docstring; the tests hold the two equal.
"""

from functools import lru_cache, partial

import numpy as np

from funcnn.kernels.step_products import complex_dot
from funcnn.runtime.threads import parallel_for
from funcnn.typing import Array, BoolArray, Scalar

BLOCK_SIZE = 1 << 16  # numbers: a quarter of a usual second-level cache
BLOCK = 128  # rows that are added up at a time


def dot(a: Array, b: Array) -> Array:
    """Return ``a @ b`` for a vector or matrix a and a matrix b: the method has half the overhead of the operator."""
    if a.dtype.kind == "f":
        product: Array = a.dot(b)
    else:
        product = complex_dot(a, b)
    return product


def parallel_dot(a: Array, b: Array, threads: int) -> Array:
    """Return the product of two matrices, its rows divided among so many threads where that is more than one.

    That is for products among other work that is divided: if NumPy computed them on threads of its own, these would go on
    waiting for more for some milliseconds, on the processors that the other work is about to use.
    """
    if threads < 2:
        return dot(a, b)
    made: Array = np.empty((len(a), b.shape[1]), np.result_type(a, b))
    parallel_for(len(a), threads, partial(_dot_rows, a, b, made))
    return made


def _dot_rows(a: Array, b: Array, made: Array, part: slice) -> None:
    np.matmul(a[part], b, out=made[part])


def as_matrix(x: Array) -> Array:
    """Return x with all axes but the last merged: ``x.reshape(-1, x.shape[-1])``, which NumPy cannot do for an empty x."""
    if x.ndim == 2:
        return x
    return x.reshape(x.size // max(1, x.shape[-1]), x.shape[-1])


def matmul_last(x: Array, weight: Array) -> Array:
    """Return ``x @ weight`` over the last axis of x, as one matrix product however many axes x has."""
    if x.ndim == 2:
        return dot(x, weight)
    return dot(as_matrix(x), weight).reshape(*x.shape[:-1], weight.shape[1])


def matmul_last_transposed(dy: Array, weight: Array) -> Array:
    """Return ``dy @ weight.T`` over the last axis of dy, the transpose of :func:`matmul_last`.

    Few rows against a large matrix are multiplied as ``(weight @ dy.T).T``, in half to four fifths of the time.
    """
    few = as_matrix(dy)
    if 8 * len(few) > len(weight) or 8 * len(few) > weight.shape[1]:
        return matmul_last(dy, weight.T)
    turned: Array = np.ascontiguousarray(dot(weight, few.T).T)
    return turned.reshape(*dy.shape[:-1], len(weight))


def broadcastable_bias(bias: Array, y: Array) -> Array:
    """Return a bias (O,) to be added to y (..., O), in a shape that needs no broadcasting if y has one row or one column."""
    return bias[None] if len(y) == 1 else bias.reshape(()) if bias.size == 1 else bias


def sum_axis0(x: Array) -> Array:
    """Return ``x.sum(0)`` of a matrix, as products with rows of ones: two to three times faster, and with all digits."""
    if len(x) <= 4 * BLOCK:
        return dot(ones(len(x), x.dtype), x)
    return column_sums(x)


def column_sums(x: Array) -> Array:
    """Return ``x.sum(-2)``, likewise.

    Sums of blocks of rows, and sums of these: the error grows with the logarithm of the number of rows, as that of a pairwise
    sum, where adding one row after the other would lose a digit in ten thousand.
    """
    *before, count, columns = x.shape
    step = min(BLOCK, max(16, BLOCK_SIZE // max(1, columns)))
    if count <= 2 * step:
        short: Array = np.matmul(ones(count, x.dtype), x)
        return short
    many = count // step
    blocks: Array = np.matmul(ones(step, x.dtype), x[..., : many * step, :].reshape(*before, many, step, columns))
    sums = column_sums(blocks)
    if many * step < count:
        sums += np.matmul(ones(count - many * step, x.dtype), x[..., many * step :, :])
    return sums


def sum_last(x: Array) -> Array:
    """Return ``x.sum(-1)``, as the product with a column of ones: four to five times faster."""
    sums: Array = x.dot(ones(x.shape[-1], x.dtype))
    return sums


def mean_last(x: Array) -> Array:
    """Return ``x.mean(-1)``, likewise as a product."""
    means: Array = x.dot(mean_weights(x.shape[-1], x.dtype))
    return means


def dot_last(x: Array, y: Array) -> Array:
    """Return ``(x * y).sum(-1)``, without making the product; ``vecdot`` would conjugate complex numbers."""
    sums: Array = np.vecdot(x, y) if x.dtype.kind == "f" else np.einsum("...i,...i->...", x, y)
    return sums


def flatten_examples(x: Array) -> Array:
    """Return x with all axes but the first merged: ``x.reshape(len(x), -1)``, which NumPy cannot do for an empty x."""
    if x.ndim == 2:
        return x
    return x.reshape(len(x), x.size // max(1, len(x)))


def absolute(x: Array) -> Array:
    """Return |x|; of a complex x its analytic continuation, x or -x by the sign of the real part, and -x where that is 0."""
    if x.dtype.kind == "f":
        size: Array = np.abs(x)
    else:
        size = x.dtype.type(0) - x  # ten times faster than -x
        np.copyto(size, x, where=x.real > 0)
    return size


def positive_part(x: Array) -> Array:
    """Return ``np.maximum(x, 0)``: two to four times faster where the second operand is an array, which then takes the result.

    Of complex numbers the real parts are compared.  NumPy would let imaginary parts decide where these are 0, and a complex step
    would take the one or the other slope at a kink; it takes the left one.
    """
    if x.dtype.kind == "c":
        return _where(x.real > 0, x)
    part: Array = np.zeros(x.shape, x.dtype)
    np.maximum(x, part, out=part)
    return part


def negative_part(x: Array) -> Array:
    """Return ``np.minimum(x, 0)``, likewise."""
    if x.dtype.kind == "c":
        return _where(~(x.real > 0), x)
    part: Array = np.zeros(x.shape, x.dtype)
    np.minimum(x, part, out=part)
    return part


def _where(chosen: BoolArray, x: Array) -> Array:
    """Return complex numbers where they are chosen, and 0 elsewhere.

    Of finite ones that is a product, which takes a fifth of the time of a choice that no processor can guess.
    """
    if all_finite(x):
        part: Array = chosen.astype(x.dtype)
        part *= x
        return part
    part = np.zeros(x.shape, x.dtype)
    np.copyto(part, x, where=chosen)  # six times faster than np.where
    return part


def maximum_into(y: Array, x: Array) -> None:
    """Write ``np.maximum(y, x)`` into y, of complex numbers the one whose real part is larger, and y where they are equal."""
    if y.dtype.kind == "f":
        np.maximum(y, x, out=y)
        return
    larger = x.real > y.real
    if all_finite(x) and all_finite(y):
        y *= (~larger).astype(y.dtype)
        y += _where(larger, x)
    else:
        np.copyto(y, x, where=larger)


def without_tangent(x: Array) -> Array:
    """Return x, and of complex numbers the real parts in the same dtype: a constant, as far as a complex step is concerned."""
    if x.dtype.kind != "c":
        return x
    constant_part: Array = x.real.astype(x.dtype)
    return constant_part


def minimum_with(limit: float, x: Array) -> Array:
    """Return ``np.minimum(x, limit)``."""
    return _beside(limit, np.minimum, x)


def above_minus_infinity(x: Array) -> Array:
    """Return x with the lowest finite number in the place of minus infinity, which times a factor of 0 would be no number."""
    above: Array = np.maximum(x, lowest(x.dtype))
    return above


def finite(x: Array) -> Array:
    """Return x with the largest finite numbers in the place of infinities."""
    y = above_minus_infinity(x)
    return np.minimum(y, -lowest(x.dtype), out=y)


@lru_cache(maxsize=16)
def lowest(dtype: np.dtype[np.floating]) -> Array:
    """Return the lowest finite number, as a read-only array."""
    array = np.array(np.finfo(dtype).min, dtype)
    array.setflags(write=False)
    return array


def _beside(limit: float, choose: np.ufunc, x: Array) -> Array:
    """Return ``choose(x, limit)``: where rows are long, against a row of limits, three times faster than against a number."""
    if x.size >= 2048:
        flat = flatten_examples(x)
        if flat.shape[1] >= 32:
            chosen: Array = choose(flat, filled(flat.shape[1], limit, x.dtype))
            return chosen.reshape(x.shape)
    small: Array = choose(x, constant(limit, x.dtype))
    return small


def vector_length(x: Array) -> Scalar:
    """Return ``sqrt(x.dot(x))`` of a vector, also where the squares overflow or vanish: then of x times a power of two."""
    info = np.finfo(x.dtype)
    with np.errstate(over="ignore", under="ignore"):
        square = x.dot(x)
    length: Scalar = np.sqrt(square)
    if not info.tiny / info.eps**2 < square.real < np.inf and x.size:
        scale = balancing(np.abs(x.real).max())
        scaled = x * scale
        length = np.sqrt(scaled.dot(scaled)) / scale
    return length


def balancing(size: Array) -> Array:
    """Return the powers of two that bring positive numbers to about 1; of what is 0 or not finite, 1."""
    exponent = np.where(np.isfinite(size), np.frexp(size)[1], 0)
    limit = -np.finfo(size.dtype).minexp
    powers: Array = np.ldexp(size.dtype.type(1), -np.clip(exponent, -limit, limit))
    return powers


def all_finite(x: Array) -> bool:
    """Tell whether all numbers are finite, by their sum: a sum that overflows passes for one that is not."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(x.sum()))


def in_dtype_of(values: Array, parameter: Array) -> Array:
    """Return a layer's state in the precision of its parameters, a real array: as it is where it has that already.

    Parameters are often converted alone, and the state would then decide the precision of every result.
    """
    dtype = parameter.dtype
    if values.dtype is dtype:
        return values
    return values.astype(parameter.real.dtype, copy=False)


@lru_cache(maxsize=16)
def filled(count: int, value: float, dtype: np.dtype[np.floating]) -> Array:
    """Return a read-only vector of one value: the same one every time."""
    vector = np.full(count, value, dtype)
    vector.setflags(write=False)
    return vector


@lru_cache(maxsize=64)
def ones(count: int, dtype: np.dtype[np.floating]) -> Array:
    """Return a read-only vector of ones: the same one every time."""
    vector = np.ones(count, dtype)
    vector.setflags(write=False)
    return vector


@lru_cache(maxsize=64)
def mean_weights(count: int, dtype: np.dtype[np.floating]) -> Array:
    """Return a read-only vector of numbers ``1 / count``: the same one every time."""
    vector: Array = ones(count, dtype) / count
    vector.setflags(write=False)
    return vector


@lru_cache(maxsize=16)
def largest_exponent(dtype: np.dtype[np.floating]) -> int:
    """Return the largest integer whose exponential does not overflow."""
    return int(np.log(np.finfo(dtype).max))


@lru_cache(maxsize=256)
def constant(value: float | np.floating | tuple[float, ...], dtype: np.dtype[np.floating]) -> Array:
    """Return a number (or a vector of some) as a read-only array: an operand that costs half of what a Python number does."""
    array = np.array(value, dtype)
    array.setflags(write=False)
    return array
