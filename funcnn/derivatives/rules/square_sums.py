r"""The sums over examples of the squares of each entry of their gradients, which diagonals of curvature are.

With one step, $\bar W_{nio} = x_{ni} \bar y_{no}$, the sum is itself a product of two matrices,
$$ \sum_n \bar W_{nio}^2 = \sum_n x_{ni}^2\, \bar y_{no}^2 , $$
and no gradient of an example is made (Dangel, Kunstner & Hennig 2020, arXiv:1912.10985).  With several, one is made after the
other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from funcnn.derivatives.rules.form import Form, Gradients, by_example
from funcnn.typing import Array, IntArray, Shape

_GRADIENTS = Gradients()


def square_sum(grads: Array) -> Array:
    """Return the sum over examples of the squares of gradients (n, ...)."""
    sums: Array = np.einsum("n...,n...->...", grads, grads)
    return sums


class SquareSums(Form):
    """The sums of squares, of the shape of the parameters."""

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

    def outer(self, x: Array, dy: Array) -> Array:
        """Return the product of the squares, or the sum over examples where each has several steps."""
        xs, dys = by_example(x), by_example(dy)
        if xs.shape[1] == 1:
            own, other = xs[:, 0], dys[:, 0]
            return (own * own).T @ (other * other)
        like: Array = np.empty((xs.shape[2], dys.shape[2]), np.result_type(xs, dys))
        return self.single(len(xs), lambda n: xs[n].T @ dys[n], like)

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

    def columns(self, *parts: Array) -> Array:
        """Return the columns beside one another."""
        return np.concatenate(parts, axis=-1)

    def stacked(self, parts: Sequence[Array]) -> Array:
        """Return the parts along a new axis."""
        return np.stack(parts)

    def shaped(self, taken: Array, shape: Shape) -> Array:
        """Return the sums in another shape."""
        return taken.reshape(shape)
