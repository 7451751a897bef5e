r"""A matrix for each axis of a leaf: sums of squared gradients, products with it, its eigenvectors and its roots.

For the gradient $G$ of a leaf, with $M_i$ its numbers as a matrix of axis $i$ by all others, the matrix of the axis is
$\sum_t M_i M_i^\top$, of size $n_i \times n_i$.  A product with a matrix along an axis multiplies each fibre of that axis.

LAPACK has no precision beyond double, so that decompositions of long double are right to double.
"""

from __future__ import annotations

import numpy as np

from funcnn.optim.flat import coefficient
from funcnn.typing import Array

LONGEST = 1024
"""How long an axis may be, by default, to have a whole matrix: a decomposition takes the cube of it."""
_SHARE = 2.0**-20  # of the root of the largest number, for sums of so many squares


def square_bound(dtype: np.dtype[np.floating]) -> float:
    """Return how large a gradient may be so that squares of many can be summed."""
    return _SHARE * float(np.sqrt(np.finfo(dtype).max))


def gram(g: Array, axis: int) -> Array:
    """Return the products of an axis with itself, summed over the others: (n, n)."""
    others = [other for other in range(g.ndim) if other != axis]
    products: Array = np.tensordot(g, g, (others, others))
    return products


def gram_diagonal(g: Array, axis: int) -> Array:
    """Return the diagonal of :func:`gram`: (n,)."""
    sums: Array = (g * g).sum(tuple([other for other in range(g.ndim) if other != axis]))
    return sums


def times(matrix: Array, g: Array, axis: int) -> Array:
    """Return the product of a matrix (m, n), or of a diagonal (n,), with each fibre of an axis."""
    if matrix.ndim == 1:
        return matrix.reshape([-1 if own == axis else 1 for own in range(g.ndim)]) * g
    product: Array = np.moveaxis(np.tensordot(matrix, g, (1, axis)), 0, axis)
    return product


def eigenvectors(matrix: Array) -> Array:
    """Return the eigenvectors of a symmetric matrix as columns, of falling eigenvalues; NaN for a NaN."""
    return _eigen(matrix)[1][:, ::-1]


def inverse_root(matrix: Array, power: int, eps: float) -> Array:
    r"""Return $(A + \epsilon I)^{-1/q}$ of a positive semi-definite matrix (n, n), or of a diagonal (n,)."""
    if matrix.ndim == 1:
        roots: Array = (matrix + coefficient(eps, matrix.dtype)) ** matrix.dtype.type(-1 / power)
        return roots
    values, vectors = _eigen(matrix)
    # what is below 0 is rounding
    return ((vectors * (np.maximum(values, 0) + eps) ** (-1 / power)) @ vectors.T).astype(matrix.dtype)


def _eigen(matrix: Array) -> tuple[Array, Array]:
    """Return eigenvalues and eigenvectors in double precision: small ones of single precision would be rounding alone."""
    if not np.isfinite(matrix).all():
        return np.full(len(matrix), np.nan), np.full(matrix.shape, np.nan)
    values, vectors = np.linalg.eigh(matrix.astype(np.float64))
    return values, vectors


def turned(matrix: Array, basis: Array) -> Array:
    """Return a step of orthogonal iteration: an orthonormal basis of the matrix times the basis before."""
    product = matrix @ basis
    orthonormal: Array = np.linalg.qr(product.astype(np.float32 if product.dtype == np.float32 else np.float64))[0]
    return orthonormal.astype(product.dtype)
