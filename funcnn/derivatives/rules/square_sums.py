r"""The sums over examples of the squares of each entry of their gradients, which diagonals of curvature are.

Curvature has many cotangents c of the output, and a matrix multiplies the same x for all of them.  So what the word ``outer``
gives are the factors (:mod:`funcnn.derivatives.rules.pairs`), and :func:`square_sum_of_columns` multiplies them once for many
c.  With one step, $\bar W_{ncio} = x_{ni} \bar y_{nco}$, the sum is a product of two matrices,
$$ \sum_{nc} \bar W_{ncio}^2 = \sum_n x_{ni}^2 \sum_c \bar y_{nco}^2 , $$
and no gradient of an example is made (Dangel, Kunstner & Hennig 2020, arXiv:1912.10985).  With several, those of one example
are one product, $x_n^\top (\bar y_{n1}, \bar y_{n2}, \ldots)$, made for one example after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from funcnn.derivatives.rules.form import Form, Gradients, by_example
from funcnn.derivatives.rules.pairs import Outer
from funcnn.kernels.windows import Windows
from funcnn.typing import Array, IntArray, Shape

_GRADIENTS = Gradients()


def square_sum(grads: Array) -> Array:
    """Return the sum over examples of the squares of gradients (n, ...)."""
    sums: Array = np.einsum("n...,n...->...", grads, grads)
    return sums


def square_sum_of_columns(columns: Sequence[Any]) -> Array:
    """Return the sum over examples and cotangents of the squares of what :class:`SquareSums` took for each cotangent."""
    first = columns[0]
    if not isinstance(first, Outer):
        sums: Array = np.sum(columns, axis=0)
        return sums
    dys = [one.dy for one in columns]
    if first.dy.shape[1] == 1:
        x, squares = first.x[:, 0], dys[0][:, 0] ** 2
        for dy in dys[1:]:
            squares += dy[:, 0] ** 2
        product: Array = (x * x).T @ squares
        return product
    total: Array = np.zeros((first.dy.shape[2], first.features), first.dy.dtype)
    for n in range(len(first.dy)):
        every = np.concatenate([dy[n] for dy in dys], axis=1)
        grads = every.T @ first.rows(slice(n, n + 1))[0]  # (c o, i)
        grads *= grads
        total += grads.reshape(len(dys), *total.shape).sum(0)
    return total.T


class SquareSums(Form):
    """The sums of squares, of the shape of the parameters; of an outer product its factors."""

    def whole(self, grads: Array) -> Array:
        """Return the sum of the squares."""
        return square_sum(grads)

    def single(self, count: int, grad: Callable[[int], Array], like: Array) -> Array:
        """Return the sum of the squares of gradients that are forgotten one after the other."""
        total: Array = np.zeros(like.shape, like.dtype)
        for n in range(count):
            own = grad(n)
            total += own * own
        return total

    def zeros(self, count: int, like: Array) -> Array:
        """Return zeros."""
        return np.zeros(like.shape, like.dtype)

    def outer(self, x: Array, dy: Array) -> Any:
        """Return the factors."""
        return Outer.of(x, dy)

    def correlated(self, x: Array, dy: Array, windows: Windows, groups: int, like: Array) -> Any:
        """Return the factors, of which the first are windows; with groups, the sum of the squares."""
        return super().correlated(x, dy, windows, groups, like) if groups > 1 else Outer.of_windows(x, dy, windows)

    def sums(self, dy: Array) -> Array:
        """Return the sum of the squares of sums over t, of which there is nothing to add with one t."""
        values = by_example(dy)
        return square_sum(values[:, 0]) if values.shape[1] == 1 else super().sums(values)

    def rows(self, indices: IntArray, values: Array, count: int) -> Array:
        """Return the sum over examples of the squares of their tables."""
        like: Array = np.empty((count, values.shape[-1]), values.dtype)
        return self.single(len(indices), lambda n: _GRADIENTS.rows(indices[n : n + 1], values[n : n + 1], count)[0], like)

    def tied(self, x: Array, dy: Array, indices: IntArray, values: Array) -> Array:
        """Return the sum over examples of the squares of both tables together."""

        def table(n: int) -> Array:
            own = slice(n, n + 1)
            made: Array = _GRADIENTS.tied(x[own], dy[own], indices[own], values[own])[0]
            return made

        like: Array = np.empty((x.shape[-1], dy.shape[-1]), dy.dtype)
        return self.single(len(x), table, like)

    def columns(self, *parts: Any) -> Array:
        """Return the columns beside one another."""
        return np.concatenate([square_sum_of_columns([part]) for part in parts], axis=-1)

    def stacked(self, parts: Sequence[Any]) -> Array:
        """Return the parts along a new axis."""
        return np.stack([square_sum_of_columns([part]) for part in parts])

    def shaped(self, taken: Any, shape: Shape) -> Any:
        """Return the sums in another shape; the factors as they are, which make the same numbers."""
        return taken if isinstance(taken, Outer) else taken.reshape(shape)
