r"""Exact identities: what a layer's formula promises of its gradient, without a difference and without a step.

A function with a symmetry has a derivative with one, and a gradient that has not is wrong, by any amount that rounding does not
explain.  With $\bar x = J(x)^\top \bar y$:

- *homogeneous* of degree k, $f(ax) = a^k f(x)$ for $a > 0$: Euler's $\langle x, \bar x \rangle = k \langle y, \bar y \rangle$;
- *unmoved by shifts*, $f(x + c) = f(x)$ for c constant along some axes: $\bar x$ sums to 0 along them; *moved along*,
  $f(x + c) = f(x) + c$: $\sum \bar x = \sum \bar y$;
- *odd* but for a constant, $f(-x) = c - f(x)$: $J(-x) = J(x)$; *even*, $f(-x) = f(x)$: $J(-x) = -J(x)$; *complementary*,
  $f(x) - f(-x) = x$, as relu's halves are: $J(x) + J(-x) = 1$;
- *without an order*, $f(\pi x) = \pi f(x)$ for exchanged entries, steps or features: $J(\pi x) = \pi J(x) \pi^\top$.

Each holds at every point where there is a derivative, to the rounding of its own terms.  An identity is a necessary condition and
no more: a gradient that is 0.1 % too large still sums to 0.  Beside differences it is a witness that shares nothing with them.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol

import numpy as np
from attrs import frozen

from funcnn import tree
from funcnn.layer import AnyLayer, Backward, Mode
from funcnn.typing import Array

HOLDS = 1e-13
"""The largest error, relative to the terms, with which an identity holds in float64."""


@frozen(eq=False)
class Point:
    """A layer, where its gradient is looked at: of one array of numbers, with the cotangent of one."""

    layer: AnyLayer
    params: Any  # Any: layers of any types pass here
    state: Any
    x: Array
    mode: Mode
    dy: Array

    @property
    def output(self) -> Array:
        """What the layer gives."""
        made: Array = self.layer.forward(self.params, self.state, self.x, self.mode).output
        return made

    def pull(self, x: Array | None = None, dy: Array | None = None) -> Backward[Any, Any]:
        """Return the gradient, here or at another input with another cotangent."""
        there, cotangent = self.x if x is None else x, self.dy if dy is None else dy
        residuals = self.layer.forward(self.params, self.state, there, self.mode).residuals
        return self.layer.backward(self.params, residuals, cotangent)


class Identity(Protocol):
    """What a formula promises of its gradient."""

    def __str__(self) -> str:
        """Return the identity in words."""
        ...

    def error(self, at: Point) -> float:
        """Return by how much a gradient violates it, relative to the terms that it is made of."""
        ...


@frozen
class Homogeneous:
    """Euler's identity: a multiple of the input, or of the parameters below a path, is a multiple of the output."""

    of: str = "input"
    """``input``, ``params``, or a path below that, such as ``params.output``."""
    degree: int = 1

    def __str__(self) -> str:
        """Return the identity in words."""
        where = "its input" if self.of == "input" else "its parameters" if self.of == "params" else f"`{self.of}`"
        return f"homogeneous of degree {self.degree} in {where}"

    def error(self, at: Point) -> float:
        """Return how far the two sides are apart."""
        pulled = at.pull()
        if self.of == "input":
            terms = [at.x * pulled.input]
        else:
            terms = [
                leaf * slope
                for path, leaf, slope in tree.with_cotangents(at.params, pulled.params, "params")
                if slope is not None and path.startswith(self.of)
            ]
        other = at.output * at.dy
        left, right = sum(float(part.sum()) for part in terms), self.degree * float(other.sum())
        size = sum(float(np.abs(part).sum()) for part in terms) + abs(self.degree) * float(np.abs(other).sum())
        return _relative(abs(left - right), size)


@frozen
class Shift:
    """A constant that is added to the input, along some axes, is added to the output, or is not seen there."""

    axes: Literal["features", "space", "example", "batch"] = "example"
    """Along which it is constant: the last axis, those between it and the batch, all but the batch, all but the last."""
    seen: bool = False
    """Whether the output moves along."""

    def __str__(self) -> str:
        """Return the identity in words."""
        where = {"features": "in all features", "space": "in space", "example": "in an example", "batch": "in all examples"}
        return f"a constant added {where[self.axes]} " + ("is added to the output" if self.seen else "changes nothing")

    def error(self, at: Point) -> float:
        """Return what the gradient sums to, or by how much less than the cotangent."""
        dx: Array = at.pull().input
        sums, sizes = dx.sum(self._over(dx)), np.abs(dx).sum(self._over(dx))
        if self.seen:
            sums, sizes = sums - at.dy.sum(self._over(at.dy)), sizes + np.abs(at.dy).sum(self._over(at.dy))
        return _relative(float(np.max(np.abs(sums))), float(np.max(sizes)))

    def _over(self, values: Array) -> tuple[int, ...]:
        every = tuple(range(values.ndim))
        return {"features": every[-1:], "space": every[1:-1], "example": every[1:], "batch": every[:-1]}[self.axes]


@frozen
class Reflection:
    """What becomes of the derivative where the input has the other sign."""

    kind: Literal["odd", "even", "complementary"]

    def __str__(self) -> str:
        """Return the identity in words."""
        words = {"odd": "odd but for a constant", "even": "even", "complementary": "f(x) - f(-x) = x"}
        return words[self.kind]

    def error(self, at: Point) -> float:
        """Return how far the two derivatives are from what they should be to one another."""
        here, there = at.pull().input, at.pull(-at.x).input
        off: Array = here - there if self.kind == "odd" else here + there
        if self.kind == "complementary":
            off = off - at.dy
        return _relative(float(np.max(np.abs(off))), float(np.max(np.abs(here) + np.abs(there))))


@frozen
class Permutation:
    """Exchanged entries of the input are exchanged entries of the output."""

    of: Literal["entries", "steps", "features"]

    def __str__(self) -> str:
        """Return the identity in words."""
        return f"{self.of} have no order"

    def error(self, at: Point) -> float:
        """Return how far the gradient of exchanged entries is from the exchanged gradient."""
        generator = np.random.default_rng(5)
        if self.of == "entries":
            order = generator.permutation(at.x.size)
        else:
            order = generator.permutation(at.x.shape[1 if self.of == "steps" else -1])
        here = at.pull().input
        there = at.pull(self._exchanged(at.x, order), self._exchanged(at.dy, order)).input
        return _relative(float(np.max(np.abs(self._exchanged(here, order) - there))), float(np.max(np.abs(here))))

    def _exchanged(self, values: Array, order: np.ndarray[tuple[int, ...], np.dtype[np.intp]]) -> Array:
        if self.of == "entries":
            return values.reshape(-1)[order].reshape(values.shape)
        return values[:, order] if self.of == "steps" else values[..., order]


def _relative(off: float, size: float) -> float:
    return off / size if size else off
