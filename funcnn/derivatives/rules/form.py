r"""What is wanted of the gradients of single examples: the gradients themselves, or their squared norms alone.

Indices: $n$ example, $t$ any axes between the first and the last, merged (steps, points), $i$ input feature, $o$ output feature.

The gradient of a layer's parameters is a sum over examples, and that of one example is its term:
$$ \bar W_{nio} = \sum_t x_{nti} \bar y_{nto}, \qquad \bar b_{no} = \sum_t \bar y_{nto} $$
for a matrix, an outer product where there is one t.  Its norm does not need the matrix:
$$ \lVert \bar W_n \rVert^2 = \sum_{ts} \langle x_{nt}, x_{ns} \rangle \langle \bar y_{nt}, \bar y_{ns} \rangle , $$
with one t the product of two squared lengths (Goodfellow 2015, arXiv:1510.01799), with few t the product of two Gram matrices
(Li et al. 2021, arXiv:2110.05679, section 4).  Where there are many, $\bar W_n$ is made for one example after the other.

A table E from which rows $a_{nt}$ are taken, with cotangents $e_{nt}$, has the gradient $\sum_t 1_{a_{nt}} e_{nt}^\top$: the same
sum, with unit vectors for x, whose products are 1 where two indices are equal.  If the table multiplies too, $y = E h$, the two
gradients add up, and the square of the sum has the product of both besides,
$$ \Big\lVert \sum_t \bar y_{nt} h_{nt}^\top + \sum_t 1_{a_{nt}} e_{nt}^\top \Big\rVert^2 = \dots + 2 \sum_{ts}
   \bar y_{nt a_{ns}} \langle h_{nt}, e_{ns} \rangle . $$

A rule is written once, in these words, and read in either form.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import numpy as np

from funcnn.kernels.arrays import column_sums
from funcnn.kernels.correlation import BLOCK_BYTES, correlate_weight
from funcnn.kernels.windows import Windows, pad, sliding_windows
from funcnn.typing import Array, IntArray, Shape


def by_example(x: Array) -> Array:
    """Return x (n, ..., c) as (n, t, c)."""
    return x.reshape(len(x), math.prod(x.shape[1:-1]), x.shape[-1])


def squared(x: Array) -> Array:
    """Return the sum of the squares of each example."""
    flat = x.reshape(len(x), -1) if x.size else np.zeros((len(x), 1), x.dtype)
    sums: Array = np.einsum("ni,ni->n", flat, flat)
    return sums


def inner_products(x: Array, z: Array) -> Array:
    """Return the sum of the products of each example's entries."""
    products: Array = np.einsum("nts,nts->n", x, z)
    return products


class Form(ABC):
    """The words of which rules are made; x and dy are (n, ..., i) and (n, ..., o)."""

    @abstractmethod
    def whole(self, grads: Array) -> Array:
        """Take gradients (n, ...) that were made for all examples at once."""

    @abstractmethod
    def single(self, count: int, grad: Callable[[int], Array], like: Array) -> Array:
        """Take gradients, of the shape and dtype of an array, that are made for one example after the other."""

    @abstractmethod
    def zeros(self, count: int, like: Array) -> Array:
        """Take gradients of so many examples that are 0, of the shape and dtype of an array."""

    @abstractmethod
    def outer(self, x: Array, dy: Array) -> Array:
        """Take the sum over t of the outer products, the gradient of a matrix (i, o)."""

    @abstractmethod
    def rows(self, indices: IntArray, values: Array, count: int) -> Array:
        """Take the gradient of a table of so many rows, of which those at the indices (n, t) have cotangents (n, t, o)."""

    @abstractmethod
    def tied(self, x: Array, dy: Array, indices: IntArray, values: Array) -> Array:
        """Take the sum of :meth:`outer` and of :meth:`rows`, of a table that occurs twice."""

    @abstractmethod
    def columns(self, *parts: Array) -> Array:
        """Take what has the columns of these, taken already, beside one another."""

    @abstractmethod
    def stacked(self, parts: Sequence[Array]) -> Array:
        """Take what has these, taken already, along a new axis before all others."""

    @abstractmethod
    def shaped(self, taken: Array, shape: Shape) -> Array:
        """Take what was taken in another shape, that of the parameters."""

    def correlated(self, x: Array, dy: Array, windows: Windows, groups: int, like: Array) -> Array:
        """Take the gradient of a convolution's kernel, of the shape and dtype of an array."""
        space = x.shape[1:-1]
        count = windows.count(space)
        steps, features = math.prod(count), math.prod(like.shape[:-1])
        if groups > 1 or steps * features * x.itemsize > BLOCK_BYTES:
            return self.single(len(x), lambda n: correlate_weight(x[n : n + 1], dy[n : n + 1], windows, groups), like)
        every, dys = sliding_windows(pad(x, windows.pads(space)), windows, count), by_example(dy)
        # the windows of one small image are a matrix that is multiplied in less time than a correlation is prepared
        return self.single(len(x), lambda n: (every[n].reshape(steps, features).T @ dys[n]).reshape(like.shape), like)

    def sums(self, dy: Array) -> Array:
        """Take the sum over t, the gradient of a bias (o,)."""
        return self.whole(column_sums(by_example(dy)))


class Gradients(Form):
    """The gradients, (n, ...)."""

    def whole(self, grads: Array) -> Array:
        """Return the gradients."""
        return grads

    def single(self, count: int, grad: Callable[[int], Array], like: Array) -> Array:
        """Return the gradients, one after the other."""
        made: Array = np.empty((count, *like.shape), like.dtype)
        for n in range(count):
            made[n] = grad(n)
        return made

    def zeros(self, count: int, like: Array) -> Array:
        """Return zeros."""
        return np.zeros((count, *like.shape), like.dtype)

    def outer(self, x: Array, dy: Array) -> Array:
        """Return the sums of outer products."""
        xs, dys = by_example(x), by_example(dy)
        made: Array = xs[:, 0, :, None] * dys[:, 0, None, :] if xs.shape[1] == 1 else np.matmul(xs.swapaxes(1, 2), dys)
        return made

    def rows(self, indices: IntArray, values: Array, count: int) -> Array:
        """Return the tables."""
        table: Array = np.zeros((len(indices), count, values.shape[-1]), values.dtype)
        np.add.at(table, (np.arange(len(indices))[:, None], indices), values)
        return table

    def tied(self, x: Array, dy: Array, indices: IntArray, values: Array) -> Array:
        """Return the tables of both sums."""
        table = self.outer(x, dy)
        np.add.at(table, (np.arange(len(indices))[:, None], indices), values)
        return table

    def columns(self, *parts: Array) -> Array:
        """Return the columns beside one another."""
        return np.concatenate(parts, axis=-1)

    def stacked(self, parts: Sequence[Array]) -> Array:
        """Return the parts along a new axis."""
        return np.stack(parts, axis=1)

    def shaped(self, taken: Array, shape: Shape) -> Array:
        """Return the gradients in another shape."""
        return taken.reshape(len(taken), *shape)


class Squares(Form):
    """Their squared norms, (n,)."""

    def whole(self, grads: Array) -> Array:
        """Return the squared norms."""
        return squared(grads)

    def single(self, count: int, grad: Callable[[int], Array], like: Array) -> Array:
        """Return the squared norms of gradients that are forgotten one after the other."""
        made: Array = np.empty(count, like.dtype)
        for n in range(count):
            flat = grad(n).ravel()
            made[n] = flat @ flat
        return made

    def zeros(self, count: int, like: Array) -> Array:
        """Return zeros."""
        return np.zeros(count, like.dtype)

    def outer(self, x: Array, dy: Array) -> Array:
        """Return the squared norms of the sums: by lengths, by Gram matrices, or one example after the other."""
        xs, dys = by_example(x), by_example(dy)
        _, steps, features = xs.shape
        if steps == 1:
            return squared(xs) * squared(dys)
        if steps * (features + dys.shape[-1]) <= 2 * features * dys.shape[-1]:
            return inner_products(xs @ xs.swapaxes(1, 2), dys @ dys.swapaxes(1, 2))
        return self.single(len(xs), lambda n: xs[n].T @ dys[n], dys)

    def rows(self, indices: IntArray, values: Array, count: int) -> Array:
        """Return the squared norms of the tables: places count where their indices are equal."""
        same = indices[:, :, None] == indices[:, None, :]
        return inner_products(same, values @ values.swapaxes(1, 2))

    def tied(self, x: Array, dy: Array, indices: IntArray, values: Array) -> Array:
        """Return the squared norms of both sums together."""
        xs, dys = by_example(x), by_example(dy)
        met = np.take_along_axis(xs, indices[:, None, :], axis=2)  # (n, t, s), the entry of x at t for the row of s
        both = inner_products(met, dys @ values.swapaxes(1, 2))
        return self.outer(x, dy) + self.rows(indices, values, xs.shape[-1]) + 2 * both

    def columns(self, *parts: Array) -> Array:
        """Return the sum of the parts."""
        return self.stacked(parts)

    def stacked(self, parts: Sequence[Array]) -> Array:
        """Return the sum of the parts."""
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total

    def shaped(self, taken: Array, shape: Shape) -> Array:
        """Return what has no shape."""
        return taken
