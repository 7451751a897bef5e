r"""Eigenvalues and eigenvectors at the end of a spectrum.

The eigenvalues $\theta$ of Lanczos' tridiagonal form (:mod:`funcnn.curvature.krylov`) come near those at the ends of the spectrum
first.  With $T s = \theta s$ the vector $y = Q s$ has the residual $\lVert A y - \theta y \rVert = \beta_k |s_k|$, without
another product, and an eigenvalue of A lies within that distance of $\theta$.

One start finds one vector of each eigenspace, so of a double eigenvalue only one half.  What has converged is therefore
locked, and the complement of it is looked at from a new start, until its first eigenvalue is none of those that are wanted.
"""

from __future__ import annotations

from typing import Generic, Literal, TypeAlias, TypeVar

import numpy as np
from attrs import frozen

from funcnn import tree
from funcnn.combinators.implicit.convergence import ConvergenceError
from funcnn.curvature.krylov import Krylov, tridiagonalize
from funcnn.curvature.operator import Operator, Product, generator_of, norm, operator
from funcnn.errors import check_choice, check_count, check_range
from funcnn.key import Key
from funcnn.typing import Array, IntArray

P = TypeVar("P")

End: TypeAlias = Literal["largest", "smallest", "magnitude"]
"""Which eigenvalues are wanted: the algebraically largest, the smallest, or the largest in magnitude."""


@frozen(eq=False)
class Eigenpairs(Generic[P]):
    """What :func:`eigenpairs` gives."""

    values: Array
    """(k,), the first one first."""
    vectors: tuple[P, ...]
    """Orthonormal trees like the parameters."""
    residuals: Array
    """(k,), the length of A v - value v for each: an eigenvalue lies within."""
    products: int
    """Products that it took."""


def eigenpairs(
    product: Product[P],
    like: P,
    count: int = 1,
    *,
    key: Key,
    end: End = "largest",
    tolerance: float = 1e-6,
    max_products: int = 1000,
) -> Eigenpairs[P]:
    r"""Find eigenvalues and eigenvectors at one end of the spectrum of a symmetric matrix that is known by its products.

    Parameters
    ----------
    product : callable
        ``product(vector) -> tree``: a symmetric matrix times a tree like the parameters.
    like : tree
        The parameters, or a tree like them: structure, shapes and precision of the vectors.
    count : int, optional
        How many are wanted, at most as many as there are numbers.
    key : Key
        Of the starts.
    end : {"largest", "smallest", "magnitude"}, optional
        Which end.
    tolerance : float, optional
        The residual at which a pair is taken, as a part of the largest eigenvalue in magnitude.
    max_products : int, optional
        Products at most; as many vectors are kept.

    Returns
    -------
    Eigenpairs

    Raises
    ------
    ConvergenceError
        When the pairs are not found in ``max_products`` products.
    TypeError, ValueError
        When an argument is not as said, when the product is not symmetric, or gives another structure or what is not finite:
        the leaf is named.

    References
    ----------
    Lanczos (1950), An iteration method for the solution of the eigenvalue problem, doi:10.6028/jres.045.026.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> matrix = np.diag([1.0, 5.0, 5.0, 2.0])
    >>> made = fn.curvature.eigenpairs(lambda v: matrix @ v, np.zeros(4), 3, key=fn.Key(0))
    >>> made.values.round(6)
    array([5., 5., 2.])
    """
    of = operator(product, like)
    count = check_count(count, "count", most=of.size)
    check_choice(end, ("largest", "smallest", "magnitude"), "end")
    tolerance = check_range(tolerance, "tolerance", 0.0, 1.0, open_low=True)
    limit = check_count(max_products, "max_products")
    found = _Found(of, count, end, tolerance, limit, generator_of(key))
    while not found.complete():
        found.search()
    return found.pairs()


class _Found(Generic[P]):
    """The pairs found so far, as rows of an orthonormal basis."""

    def __init__(
        self, of: Operator[P], count: int, end: End, tolerance: float, limit: int, generator: np.random.Generator
    ) -> None:
        self.of, self.count, self.end, self.tolerance, self.limit, self.generator = of, count, end, tolerance, limit, generator
        self.values: list[float] = []
        self.residuals: list[float] = []
        self.rows: Array = np.empty((0, of.size), of.dtype)
        self.products, self.scale, self.done = 0, 0.0, False

    def complete(self) -> bool:
        """Tell whether nothing in the complement can be among the wanted."""
        return self.done or len(self.values) == self.of.size

    def rank(self, values: Array) -> IntArray:
        """Return the order of values, the wanted end first."""
        sizes = {"largest": -values, "smallest": values, "magnitude": -np.abs(values)}[self.end]
        order: IntArray = np.argsort(sizes, kind="stable")
        return order

    def search(self) -> None:
        """Look at the complement of what is locked, and lock what has converged."""
        wanted = max(1, self.count - len(self.values))
        start = self.generator.standard_normal(self.of.size).astype(self.of.dtype)
        left = self.limit - self.products
        made = tridiagonalize(self.of, start, left, self.rows, lambda one: self.is_time(one, wanted)) if left > 0 else None
        if made is None or not self.converged(made, wanted):
            raise ConvergenceError(
                f"{len(self.values)} of {self.count} eigenpairs have converged in {self.limit} products: give more max_products=,"
                " a larger tolerance=, or fewer pairs (eigenvalues that lie close together take long)"
            )
        self.products += len(made.diagonal)
        values, vectors = made.eigen()
        residuals = made.rest * np.abs(vectors[-1])
        took = 0
        for index in self.rank(values)[:wanted]:
            if len(self.values) >= self.count and not self.is_better(float(values[index])):
                continue
            row = vectors[:, index].astype(self.of.dtype) @ made.basis
            self.rows = np.concatenate([self.rows, (row / self.of.dtype.type(norm(row)))[None]])
            self.values.append(float(values[index]))
            self.residuals.append(float(residuals[index]))
            took += 1
        self.done = took == 0

    def is_better(self, value: float) -> bool:
        """Tell whether an eigenvalue belongs before the last that is wanted."""
        ours = np.array(self.values)
        last = ours[self.rank(ours)[self.count - 1]]
        margin = self.tolerance * self.scale
        gain = {"largest": value - last, "smallest": last - value, "magnitude": abs(value) - abs(last)}[self.end]
        return bool(gain > margin)

    def is_time(self, made: Krylov, wanted: int) -> bool:
        """Tell whether to end: with many vectors this is looked at now and then, as their form takes time."""
        count = len(made.diagonal)
        return (count <= 20 or count % 10 == 0) and self.converged(made, wanted)

    def converged(self, made: Krylov, wanted: int) -> bool:
        """Tell whether the wanted pairs of a complement have converged."""
        if made.rest == 0:
            self.scale = max(self.scale, float(np.max(np.abs(made.eigen()[0]))))
            return True
        if len(made.diagonal) < wanted:
            return False
        values, vectors = made.eigen()
        self.scale = max(self.scale, float(np.max(np.abs(values))))
        order = self.rank(values)[:wanted]
        return bool(np.all(made.rest * np.abs(vectors[-1, order]) <= self.tolerance * self.scale))

    def pairs(self) -> Eigenpairs[P]:
        """Return the pairs, the wanted end first."""
        values = np.array(self.values)
        order = self.rank(values)[: self.count]
        vectors = tuple([self.of.unravel(tree.freeze(self.rows[index].copy())) for index in order])
        return Eigenpairs(values[order], vectors, np.array(self.residuals)[order], self.products)
