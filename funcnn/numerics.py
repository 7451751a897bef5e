"""Array operations that several layers share, in the form that NumPy computes fastest.

The plain form stands in each docstring; the tests hold the two equal.
"""

from functools import lru_cache

import numpy as np

from funcnn.typing import Array


def dot(a: Array, b: Array) -> Array:
    """Return ``a @ b`` for a vector or matrix a and a matrix b: the method has half the overhead of the operator."""
    product: Array = a.dot(b)
    return product


def rows(x: Array) -> Array:
    """Return x with all axes but the last merged: ``x.reshape(-1, x.shape[-1])``, which NumPy cannot do for an empty x."""
    if x.ndim == 2:
        return x
    return x.reshape(x.size // max(1, x.shape[-1]), x.shape[-1])


def project(x: Array, weight: Array) -> Array:
    """Return ``x @ weight`` over the last axis of x, as one matrix product however many axes x has."""
    if x.ndim == 2:
        return dot(x, weight)
    return dot(rows(x), weight).reshape(*x.shape[:-1], weight.shape[1])


def sum_rows(x: Array) -> Array:
    """Return ``x.sum(0)`` of a matrix, as the product with a row of ones: two to three times faster."""
    return dot(ones(len(x), x.dtype), x)


@lru_cache(maxsize=64)
def ones(count: int, dtype: np.dtype[np.floating]) -> Array:
    """Return a read-only vector of ones: the same one every time."""
    vector = np.ones(count, dtype)
    vector.setflags(write=False)
    return vector
