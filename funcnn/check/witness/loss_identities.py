r"""Exact identities of losses: what a formula promises of the gradient of one number, without a difference and without a step.

With $\ell$ the value, $x$ the prediction, $t$ the target and $g(x, t)$ the gradient in $x$:

- *homogeneous* of degree k about c, $\ell(c + a(x - c)) = a^k \ell(x)$ for $a > 0$: Euler's $\langle x - c, g \rangle = k \ell$;
  c is 0 or the target.  An absolute error has degree 1, a squared one 2;
- *unmoved* by a constant in all classes, as a softmax is: $g$ sums to 0 over them; unmoved where all parts of a prediction move
  alike, as distances and differences are: their gradients add up to 0;
- of *directions* alone, as a cosine is: along each vector there is no slope, $\langle x_n, g_n \rangle = 0$;
- *mirrored*, $\ell(2c - x, t) = \ell(x, t)$: $g(2c - x, t) = -g(x, t)$; or with the target's complement, $\ell(2c - x, 1 - t) =
  \ell(x, t)$: $g(2c - x, 1 - t) = -g(x, t)$;
- *without an order* of the examples: $g(\pi x, \pi t) = \pi g(x, t)$.

As for layers each is a necessary condition, which a wrong gradient can meet by luck, and a right one meets to rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Protocol

import numpy as np
from attrs import evolve, frozen

from funcnn import tree
from funcnn.losses.weighted import Weighted
from funcnn.typing import Array, IntArray


@frozen(eq=False)
class LossPoint:
    """A number and its gradient, where they are looked at: a loss of a prediction and a target, or a penalty of parameters."""

    value: Callable[[Any, Any], float]
    """``value(prediction, target)``"""
    gradient: Callable[[Any, Any], Any]
    """``gradient(prediction, target)``, a tree like the prediction."""
    prediction: Any  # Any: an array, or a tree of arrays
    target: Any

    def slopes(self, prediction: Any = None, target: Any = None) -> list[Array]:
        """Return the leaves of the gradient, here or elsewhere."""
        there = self.prediction if prediction is None else prediction
        return list(tree.leaves(self.gradient(there, self.target if target is None else target)))


class LossIdentity(Protocol):
    """What the formula of a loss promises of its gradient."""

    def __str__(self) -> str:
        """Return the identity in words."""
        ...

    def error(self, at: LossPoint) -> float:
        """Return by how much a gradient violates it, relative to the terms that it is made of."""
        ...


@frozen
class Euler:
    """A multiple of the prediction, or of what it differs from the target by, is a multiple of the value."""

    degree: int
    about: Literal["zero", "target"] = "zero"

    def __str__(self) -> str:
        """Return the identity in words."""
        return f"homogeneous of degree {self.degree}" + (" in the difference from its target" if self.about == "target" else "")

    def error(self, at: LossPoint) -> float:
        """Return how far the two sides are apart."""
        centers = [0.0 if self.about == "zero" else _plain(at.target) for _ in tree.leaves(at.prediction)]
        terms = [
            (leaf - center) * slope for leaf, center, slope in zip(tree.leaves(at.prediction), centers, at.slopes(), strict=True)
        ]
        value = self.degree * float(at.value(at.prediction, at.target))
        size = sum(float(np.abs(part).sum()) for part in terms) + abs(value)
        return _relative(abs(sum(float(part.sum()) for part in terms) - value), size)


@frozen
class Unmoved:
    """A constant that is added to the prediction changes nothing: in all classes of a row, or in all parts of a tuple."""

    by: Literal["classes", "parts"]

    def __str__(self) -> str:
        """Return the identity in words."""
        where = {"classes": "in all classes", "parts": "to all parts of a prediction"}
        return f"a constant added {where[self.by]} changes nothing"

    def error(self, at: LossPoint) -> float:
        """Return what the gradient sums to."""
        slopes = np.stack(at.slopes(), -1) if self.by == "parts" else at.slopes()[0]
        return _relative(float(np.max(np.abs(slopes.sum(-1)))), float(np.max(np.abs(slopes).sum(-1))))


@frozen
class Directions:
    """The lengths of the vectors, along the last axis, count for nothing."""

    def __str__(self) -> str:
        """Return the identity in words."""
        return "the lengths of vectors count for nothing"

    def error(self, at: LossPoint) -> float:
        """Return the largest slope along a vector."""
        terms = [leaf * slope for leaf, slope in zip(tree.leaves(at.prediction), at.slopes(), strict=True)]
        off = max(float(np.max(np.abs(part.sum(-1)))) for part in terms)
        return _relative(off, max(float(np.max(np.abs(part).sum(-1))) for part in terms))


@frozen
class Mirror:
    """A prediction on the other side costs the same: of its target or of a number, or there with the target's complement."""

    about: Literal["target", "0", "1/2"] = "target"
    complement: bool = False

    def __str__(self) -> str:
        """Return the identity in words."""
        where = {"target": "its target", "0": "0", "1/2": "1/2"}[self.about]
        return f"even about {where}" + (", with 1 - t for the target t" if self.complement else "")

    def error(self, at: LossPoint) -> float:
        """Return how far the two gradients are from being mirrored; only the first part of a tuple is."""
        first, *rest = tree.leaves(at.prediction)
        center = _plain(at.target) if self.about == "target" else 0.0 if self.about == "0" else 0.5
        there = tree.rebuild(at.prediction, iter([np.asarray(2 * center - first), *rest]))
        target = _with_plain(at.target, 1 - _plain(at.target)) if self.complement else at.target
        here, mirrored = at.slopes(), at.slopes(there, target)
        off = [here[0] + mirrored[0], *(one - other for one, other in zip(here[1:], mirrored[1:], strict=True))]
        return _relative(max(float(np.max(np.abs(one))) for one in off), max(float(np.max(np.abs(one))) for one in here))


@frozen
class Unordered:
    """Examples have no order."""

    def __str__(self) -> str:
        """Return the identity in words."""
        return "examples have no order"

    def error(self, at: LossPoint) -> float:
        """Return how far the gradient of exchanged examples is from the exchanged gradient."""
        here = at.slopes()
        order: IntArray = np.roll(np.arange(len(here[0])), 1)  # every example moves, and it is no exchange of two

        def exchanged(leaf: Any) -> Any:  # Any: targets are labels, too
            return leaf[order]

        there = at.slopes(tree.map(exchanged, at.prediction), _exchanged_target(at.target, exchanged))
        off = max(float(np.max(np.abs(one[order] - other))) for one, other in zip(here, there, strict=True))
        return _relative(off, max(float(np.max(np.abs(one))) for one in here))


def _plain(target: Any) -> Any:
    """Return the target without its weights."""
    return target.target if isinstance(target, Weighted) else target


def _with_plain(target: Any, plain: Any) -> Any:
    """Return a target with another one in its place, and its weights."""
    return evolve(target, target=plain) if isinstance(target, Weighted) else plain


def _exchanged_target(target: Any, exchanged: Callable[[Any], Any]) -> Any:
    if isinstance(target, Weighted):
        return Weighted(_exchanged_target(target.target, exchanged), exchanged(target.weight))
    return tree.map(exchanged, target)


def _relative(off: float, size: float) -> float:
    return off / size if size else off
