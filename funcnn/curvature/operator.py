r"""A symmetric product over trees, as one over vectors.

A curvature matrix $A$ of a network is known by its products alone: ``product(vector)`` takes a tree like the parameters and gives
$A v$, another one.  Algorithms of linear algebra want vectors.  What stands between the two also looks at each product that
comes back: its structure, its shapes, whether it is finite, and where two products are at hand, whether
$\langle u, A v \rangle = \langle A u, v \rangle$.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeAlias, TypeVar

import numpy as np
from attrs import frozen

from funcnn import tree
from funcnn.errors import check_count, check_function, describe
from funcnn.key import check_key
from funcnn.typing import Array

P = TypeVar("P")

Product: TypeAlias = Callable[[P], P]
"""Takes a tree like the parameters and gives another: a symmetric matrix times a vector."""


@frozen(eq=False)
class Operator(Generic[P]):
    """A product over vectors of one size and precision; made by :func:`operator`."""

    product: Product[P]
    what: str
    like: P
    unravel: Callable[[Array], P]
    size: int
    dtype: np.dtype[np.floating]

    def __call__(self, vector: Array) -> Array:
        """Return the product with a vector (D,)."""
        made = self.product(self.unravel(vector))
        tree.check_like(self.like, made, f"what the {self.what} gave")
        check_finite_tree(made, f"what the {self.what} gave")
        return tree.ravel(made).vector

    def columns(self, vectors: Array) -> Array:
        """Return the products with the columns of a matrix (D, k)."""
        made: Array = np.empty_like(vectors)
        for index, column in enumerate(vectors.T):
            made[:, index] = self(column)
        return made


def operator(product: Product[P], like: P, what: str = "product", space: str = "like") -> Operator[P]:
    """Return a product over trees as one over vectors; raise unless the trees are of real numbers of one precision."""
    check_function(product, what, "a function of a tree like the parameters that gives another, such as a curvature times it")
    return Operator(product, what, like, *vector_space(like, space))


def vector_space(like: P, what: str) -> tuple[Callable[[Array], P], int, np.dtype[np.floating]]:
    """Return the way from vectors to trees, the number of numbers and their precision; raise unless these are real numbers."""
    try:
        named = list(tree.walk(like, what))
    except TypeError as error:
        raise TypeError(f"{what} is no tree of parameters: {error}") from None
    if not named:
        raise ValueError(f"{what} is {describe(like)}, expected a tree of parameters with a leaf at least")
    for path, leaf in named:
        if leaf.dtype.char not in "fdg":
            raise TypeError(
                f"{path} is {describe(leaf)}, expected float32, float64 or long double: curvature is of real parameters; keep"
                " others in the layer's state"
            )
        if leaf.dtype != named[0][1].dtype:
            raise TypeError(f"{path} is {leaf.dtype} and {named[0][0]} {named[0][1].dtype}: use fn.tree.astype for one precision")
    vector, unravel = tree.ravel(like)
    if not vector.size:
        raise ValueError(f"{what} holds no numbers, expected parameters")
    return unravel, vector.size, vector.dtype


def check_finite_tree(values: object, what: str) -> None:
    """Raise a ValueError that names the first leaf with a number that is not finite."""
    for path, leaf in tree.walk(values, what):
        if not np.isfinite(leaf).all():
            raise ValueError(
                f"{path} is not finite: the curvature overflows at these parameters, or a layer or loss gives NaN there"
                " (fn.check.check_model tells which)"
            )


def signs(generator: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[np.floating]) -> Array:
    """Draw numbers -1 and 1 with equal chances: of variance 1, and the least fourth moment that there is."""
    made: Array = (2 * generator.integers(0, 2, shape) - 1).astype(dtype)
    return made


def check_products(count: int, what: str = "products", least: int = 1) -> int:
    """Return how many products or samples are taken, or raise; nobody waits for a million."""
    return check_count(count, what, least, most=10**6)


def generator_of(key: object) -> np.random.Generator:
    """Return the generator of a key; raise a TypeError when it is none."""
    return check_key(key).generator()


def lapack_eps(dtype: np.dtype[np.floating]) -> float:
    """Return the precision of decompositions of matrices of a dtype: LAPACK has none beyond double."""
    return max(float(np.finfo(dtype).eps), float(np.finfo(np.float64).eps))


def norm(vector: Array) -> float:
    """Return the Euclidean norm of a vector."""
    return float(np.sqrt(np.vdot(vector, vector)))


def moved(start: Array, share: float, along: Array) -> Array:
    """Return start + share along, in the precision of the vectors."""
    return start + start.dtype.type(share) * along
