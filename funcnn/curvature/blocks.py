r"""Blocks of a curvature matrix: Kronecker products in their eigenbasis, and diagonals.

Indices: $i$ input of a matrix, $o$ its output.

A block of a matrix $W$ (I, O) is $A \otimes B$, which takes V (I, O) to $A V B$.  With $A = U_A \Lambda_A U_A^\top$ and $B = U_B
\Lambda_B U_B^\top$ it is diagonal in the basis $U_A \otimes U_B$, with the eigenvalues $S_{io} = \lambda_i \lambda_o$:
$$ f(A \otimes B)\, V = U_A \big( f(S) \odot (U_A^\top V U_B) \big) U_B^\top $$
for every function f: the product, the inverse with damping, $f(s) = 1 / (s + \lambda)$, the root of the inverse, with which
normal numbers become samples.  Any other $S \ge 0$ is a matrix with the same eigenvectors; EK-FAC takes the one that is closest.

Several leaves that multiply one and the same vector's parts are one matrix: the rows of a weight, and the bias as the row that
multiplies 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from attrs import evolve, field, frozen

from funcnn.typing import Array

Function = Callable[[Array], Array]


@frozen(eq=False)
class Factor:
    """A symmetric matrix with its eigenvalues and eigenvectors."""

    matrix: Array
    values: Array
    vectors: Array
    """One a column."""

    @classmethod
    def of(cls, matrix: Array) -> Factor:
        """Return a matrix with its eigenvalues, none below 0, and its eigenvectors, in its precision."""
        values, vectors = np.linalg.eigh(matrix.astype(np.float64, copy=False))
        own: Array = np.maximum(values, 0).astype(matrix.dtype)
        return cls(matrix, own, vectors.astype(matrix.dtype))

    @classmethod
    def of_rows(cls, rows: Array) -> Factor:
        r"""Return $X^\top X / n$ for a matrix X of n rows, which are fewer than its columns.

        With $X^\top = Q R$ it is $Q (R R^\top / n) Q^\top$: what is decomposed has as many rows as X, and the columns of Q that R
        leaves out span what X takes to 0.
        """
        count = len(rows)
        basis, triangle = np.linalg.qr(rows.T.astype(np.float64), mode="complete")
        own = triangle[:count]
        values, vectors = np.linalg.eigh(own @ own.T / count)
        every = np.concatenate((np.zeros(len(basis) - count), np.maximum(values, 0)))
        turned = np.concatenate((basis[:, count:], basis[:, :count] @ vectors), axis=1)
        return cls(rows.T @ rows / rows.dtype.type(count), every.astype(rows.dtype), turned.astype(rows.dtype))


@frozen(eq=False)
class KroneckerBlock:
    """The block of some leaves, which are rows of one matrix."""

    paths: tuple[str, ...]
    """Of the leaves."""
    leaves: tuple[int, ...]
    """Their numbers in the tree."""
    input_factor: Array
    """A, (I, I)."""
    output_factor: Array
    """B, (O, O)."""
    left: Array = field(repr=False)
    """The eigenvectors of A, one a column."""
    right: Array = field(repr=False)
    """The eigenvectors of B."""
    values: Array = field(repr=False)
    """The eigenvalues S, (I, O)."""

    @classmethod
    def of(cls, paths: tuple[str, ...], leaves: tuple[int, ...], one: Factor, other: Factor) -> KroneckerBlock:
        """Return the block of two factors, of the inputs and of the outputs."""
        values = np.outer(one.values, other.values)
        return cls(paths, leaves, one.matrix, other.matrix, one.vectors, other.vectors, values)

    def corrected(self, values: Array) -> KroneckerBlock:
        """Return the block with other eigenvalues (I, O)."""
        return evolve(self, values=values)

    def into(self, vectors: list[Array]) -> Array:
        """Return the matrix that leaves are the rows of, in the eigenbasis."""
        outputs = len(self.right)
        rows = np.concatenate([vectors[index].reshape(-1, outputs) for index in self.leaves])
        matrix: Array = self.left.T @ rows @ self.right
        return matrix

    def coordinates(self, rows: list[Array]) -> Array:
        """Return each row of leaves (n, ...) in the eigenbasis, (n, I O)."""
        outputs = len(self.right)
        every = np.concatenate([rows[index].reshape(len(rows[index]), -1, outputs) for index in self.leaves], axis=1)
        own: Array = (self.left.T @ every @ self.right).reshape(len(every), -1)
        return own

    def out_of(self, matrix: Array, vectors: list[Array]) -> dict[int, Array]:
        """Return the leaves of a matrix in the eigenbasis, in the shapes of those."""
        rows = self.left @ matrix @ self.right.T
        sizes = [vectors[index].size // len(self.right) for index in self.leaves]
        ends = np.cumsum(sizes).tolist()
        cut = [rows[end - size : end] for size, end in zip(sizes, ends, strict=True)]
        return {index: part.reshape(vectors[index].shape) for index, part in zip(self.leaves, cut, strict=True)}

    def applied(self, function: Function, vectors: list[Array]) -> dict[int, Array]:
        """Return a function of the block times leaves."""
        return self.out_of(function(self.values) * self.into(vectors), vectors)

    def diagonal(self, function: Function, like: list[Array]) -> dict[int, Array]:
        """Return the diagonal of a function of the block."""
        rows = self.left**2 @ function(self.values) @ (self.right**2).T
        sizes = [like[index].size // len(self.right) for index in self.leaves]
        ends = np.cumsum(sizes).tolist()
        cut = [rows[end - size : end] for size, end in zip(sizes, ends, strict=True)]
        return {index: part.reshape(like[index].shape) for index, part in zip(self.leaves, cut, strict=True)}


@frozen(eq=False)
class DiagonalBlock:
    """The diagonal of a leaf, for what is no matrix that multiplies: scales, tables, depthwise kernels."""

    paths: tuple[str, ...]
    """Of the leaf."""
    leaves: tuple[int, ...]
    """Its number in the tree."""
    values: Array
    """The diagonal, of the leaf's shape."""

    def coordinates(self, rows: list[Array]) -> Array:
        """Return each row of the leaf (n, ...), flat."""
        (index,) = self.leaves
        return rows[index].reshape(len(rows[index]), -1)

    def applied(self, function: Function, vectors: list[Array]) -> dict[int, Array]:
        """Return a function of the block times the leaf."""
        (index,) = self.leaves
        return {index: function(self.values) * vectors[index]}

    def diagonal(self, function: Function, like: list[Array]) -> dict[int, Array]:
        """Return the diagonal of a function of the block."""
        (index,) = self.leaves
        return {index: function(self.values)}


@frozen(eq=False)
class FullBlock:
    """A whole matrix over some leaves, in its eigenbasis."""

    paths: tuple[str, ...]
    """Of the leaves."""
    leaves: tuple[int, ...]
    """Their numbers in the tree."""
    vectors: Array = field(repr=False)
    """The eigenvectors, one a column."""
    values: Array = field(repr=False)
    """The eigenvalues."""

    def coordinates(self, rows: list[Array]) -> Array:
        """Return each row of leaves (n, ...) in the eigenbasis, (n, d)."""
        flat = np.concatenate([rows[index].reshape(len(rows[index]), -1) for index in self.leaves], axis=1)
        own: Array = flat @ self.vectors
        return own

    def applied(self, function: Function, vectors: list[Array]) -> dict[int, Array]:
        """Return a function of the block times leaves."""
        flat = np.concatenate([vectors[index].ravel() for index in self.leaves])
        made = self.vectors @ (function(self.values) * (self.vectors.T @ flat))
        return self._cut(made, vectors)

    def diagonal(self, function: Function, like: list[Array]) -> dict[int, Array]:
        """Return the diagonal of a function of the block."""
        return self._cut(self.vectors**2 @ function(self.values), like)

    def _cut(self, flat: Array, like: list[Array]) -> dict[int, Array]:
        ends = np.cumsum([like[index].size for index in self.leaves]).tolist()
        own = zip(self.leaves, ends, strict=True)
        return {index: flat[end - like[index].size : end].reshape(like[index].shape) for index, end in own}


Block = KroneckerBlock | DiagonalBlock | FullBlock


def damped(damping: float, power: float = -1.0) -> Function:
    """Return the function (s + damping) to a power."""

    def function(values: Array) -> Array:
        made: Array = (values + values.dtype.type(damping)) ** values.dtype.type(power)
        return made

    return function


def log_determinant(blocks: tuple[Block, ...], damping: float) -> float:
    """Return the logarithm of the determinant of all blocks with damping."""
    return math.fsum(float(np.sum(np.log(block.values.astype(np.float64) + damping))) for block in blocks)
