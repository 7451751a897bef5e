r"""The two factors of each outer product, in place of the gradients of single examples.

A matrix $W$ that multiplies $x_{nt}$ has the gradient $\sum_t x_{nt} \bar y_{nt}^\top$.  What Kronecker-factored curvature is
made of is not the sum but its factors, and a rule hands both over in the word ``outer``: here they are kept as they are.  A
bias is a matrix that multiplies 1.  What is no such product (scales, tables, depthwise kernels) comes as gradients of single
examples.

For each cotangent of the output x is the same.  It is kept as a view, the windows of an image too, so that whoever takes many
cotangents copies x once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from attrs import frozen

from funcnn.derivatives.rules.form import Form, Gradients, by_example
from funcnn.kernels.windows import Windows, pad, sliding_windows
from funcnn.typing import Array, IntArray, Shape

_GRADIENTS = Gradients()


@frozen(eq=False)
class Outer:
    """The factors of a gradient: what a matrix multiplies, and the cotangents of what comes out."""

    view: Array
    """What is multiplied, (n, ..., i) or the windows of a convolution, (n, ..., *kernel, i)."""
    dy: Array
    """(n, t, o)."""

    @property
    def x(self) -> Array:
        """What is multiplied, as (n, t, i)."""
        return self.rows(slice(None))

    def rows(self, examples: slice) -> Array:
        """Return what is multiplied in some of the examples, as (n, t, i)."""
        own, steps = self.view[examples], self.dy.shape[1]
        return own if own.ndim == 3 else own.reshape(len(own), steps, self.features)

    @property
    def features(self) -> int:
        """How many numbers the matrix multiplies, i."""
        return self.view.shape[2] if self.view.ndim == 3 else math.prod(self.view.shape[1:]) // self.dy.shape[1]

    @property
    def size(self) -> int:
        """How many numbers the cotangents are and the gradient of an example has: what a further cotangent takes."""
        return self.dy.size + self.features * self.dy.shape[2]

    @classmethod
    def of(cls, x: Array, dy: Array) -> Outer:
        """Return the factors for x (n, ..., i) and dy (n, ..., o)."""
        return cls(by_example(x), by_example(dy))

    @classmethod
    def of_windows(cls, x: Array, dy: Array, windows: Windows) -> Outer:
        """Return the factors of the gradient of a convolution's kernel."""
        space = x.shape[1:-1]
        return cls(sliding_windows(pad(x, windows.pads(space)), windows, windows.count(space)), by_example(dy))


class Pairs(Form):
    """The factors of outer products; the gradients (n, ...) of everything else."""

    def whole(self, grads: Array) -> Array:
        """Return the gradients."""
        return grads

    def single(self, count: int, grad: Callable[[int], Array], like: Array) -> Array:
        """Return the gradients, one after the other."""
        return _GRADIENTS.single(count, grad, like)

    def zeros(self, count: int, like: Array) -> Array:
        """Return zeros."""
        return _GRADIENTS.zeros(count, like)

    def outer(self, x: Array, dy: Array) -> Any:
        """Return both factors."""
        return Outer.of(x, dy)

    def sums(self, dy: Array) -> Any:
        """Return both factors, of which the first is 1."""
        values = by_example(dy)
        return Outer(np.broadcast_to(values.dtype.type(1), (*values.shape[:2], 1)), values)

    def correlated(self, x: Array, dy: Array, windows: Windows, groups: int, like: Array) -> Any:
        """Return both factors, of which the first are windows; with groups, the gradients."""
        if groups > 1:
            return super().correlated(x, dy, windows, groups, like)
        return Outer.of_windows(x, dy, windows)

    def rows(self, indices: IntArray, values: Array, count: int) -> Array:
        """Return the tables."""
        return _GRADIENTS.rows(indices, values, count)

    def tied(self, x: Array, dy: Array, indices: IntArray, values: Array) -> Array:
        """Return the tables of both sums."""
        return _GRADIENTS.tied(x, dy, indices, values)

    def columns(self, *parts: Any) -> Array:
        """Return the gradients beside one another."""
        return _GRADIENTS.columns(*map(gradients, parts))

    def stacked(self, parts: Sequence[Any]) -> Array:
        """Return the gradients along a new axis."""
        return _GRADIENTS.stacked([gradients(part) for part in parts])

    def shaped(self, taken: Any, shape: Shape) -> Any:
        """Return the factors as they are: they make the same numbers in another shape."""
        return taken if isinstance(taken, Outer) else _GRADIENTS.shaped(taken, shape)


def gradients(taken: Any) -> Array:
    """Return the gradients of single examples of what was taken."""
    return _GRADIENTS.outer(taken.x, taken.dy) if isinstance(taken, Outer) else taken
