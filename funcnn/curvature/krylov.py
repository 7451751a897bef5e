r"""Lanczos' tridiagonal form of a symmetric matrix, with full reorthogonalization.

From a start $q_1$ of length 1 the recursion
$$ \beta_{j} q_{j+1} = A q_j - \alpha_j q_j - \beta_{j-1} q_{j-1}, \qquad \alpha_j = q_j^\top A q_j , $$
makes an orthonormal basis $Q$ of the Krylov space of $q_1$, in which A is tridiagonal: $Q^\top A Q = T$ (Lanczos 1950,
doi:10.6028/jres.045.026).  In floating point the vectors lose their orthogonality as soon as an eigenvalue has converged, and
then T has copies of it.  So each new vector is made orthogonal to all before, twice, which is enough (Parlett 1998, The symmetric
eigenvalue problem, section 6.9).

For a symmetric A the coefficients $q_i^\top A q_j$, $i < j - 1$, are zero without any help, and the last one is $\beta_{j-1}$:
that they are is looked at each time, since a product that is not symmetric has another spectrum than what comes out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from attrs import frozen

from funcnn.curvature.operator import Operator, norm
from funcnn.typing import Array


@frozen(eq=False)
class Krylov:
    """A basis and the tridiagonal form in it, of double precision at most; ``rest`` is what the last vector goes on with."""

    basis: Array  # (k, D)
    diagonal: Array  # (k,)
    beside: Array  # (k - 1,)
    rest: float

    def eigen(self) -> tuple[Array, Array]:
        """Return the eigenvalues of the tridiagonal form, from the least up, and its eigenvectors, one a column."""
        form = np.diag(self.diagonal) + np.diag(self.beside, 1) + np.diag(self.beside, -1)
        values, vectors = np.linalg.eigh(form)
        return values, vectors


def tridiagonalize(
    of: Operator[Any], start: Array, steps: int, locked: Array, ended: Callable[[Krylov], bool] = lambda made: False
) -> Krylov:
    """Return the tridiagonal form after so many steps, or when the space is invariant, or ``ended`` says so.

    Parameters
    ----------
    of : Operator
    start : array (D,)
        Not in the span of what is locked.
    steps : int
    locked : array (m, D)
        Orthonormal rows: the matrix is looked at in their complement.
    ended : callable, optional
        Looks at what there is after each step.
    """
    eps = float(np.finfo(of.dtype).eps)
    basis: Array = np.empty((min(steps, of.size - len(locked)), of.size), of.dtype)
    diagonal: list[float] = []
    beside: list[float] = []
    q, _ = orthogonal(start, locked, basis[:0])
    q = q / of.dtype.type(norm(q))
    made = Krylov(basis[:0], np.empty(0), np.empty(0), 0.0)
    largest = 0.0
    for j in range(len(basis)):
        basis[j] = q
        w = of(q)
        largest = max(largest, norm(w))
        w, own = orthogonal(w, locked, basis[: j + 1])
        check_symmetric(own[:-1], beside[-1:], largest, eps)
        diagonal.append(float(own[-1]))
        rest = norm(w)
        if rest <= 10 * eps * np.sqrt(of.size) * largest:
            rest = 0.0
        made = Krylov(basis[: j + 1], np.array(diagonal), np.array(beside), rest)
        if rest == 0 or j + 1 == len(basis) or ended(made):
            break
        beside.append(rest)
        q = w / of.dtype.type(rest)
    return made


def orthogonal(w: Array, locked: Array, basis: Array) -> tuple[Array, Array]:
    """Return a vector without its components in two bases, and those in the second."""
    own: Array = np.zeros(len(basis), w.dtype)
    for _ in range(2):
        w = w - locked.T @ (locked @ w)
        part = basis @ w
        w = w - basis.T @ part
        own += part
    return w, own


def check_symmetric(own: Array, beside: list[float], largest: float, eps: float) -> None:
    """Raise a ValueError when the components in the basis are not those of a symmetric matrix."""
    expected = np.zeros(len(own))
    expected[-1:] = beside
    off = float(np.max(np.abs(own - expected), initial=0.0))
    if off > np.sqrt(eps) * largest:
        raise ValueError(
            f"the product is not symmetric: u A v and v A u differ by {off:.3g}, the matrix is of size {largest:.3g}; a product"
            " with a network that draws random numbers needs the same key each time, and a layer that is not analytic the"
            " tests of fn.check"
        )
