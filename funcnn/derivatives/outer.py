r"""A derivative of a layer of derivatives: the outer one by a circle too.

Indices: $k$ point of the inner circle, $l$ of the outer one; $w$ roots of unity.

A layer of derivatives is a function $L(p, x)$ made of values of a network at complex points.  A product such as $H v$ moves p
and x by an imaginary step $i h (\dot p, \dot x)$ and reads the derivative off the imaginary part.  Here that is lost: the values
at complex points have imaginary parts of their own, which cancel in the sum but for rounding, and that is $10^{14}$ times the
step.  There is one imaginary unit, and it is taken.

What is wanted is the derivative of $g(\tau) = L(p + \tau \dot p, x + \tau \dot x)$ at 0, and g is analytic: without the
real part, over the whole inner circle,
$$ g(\tau) = \sum_k c_k\, f(p + \tau \dot p,\; x + \tau \dot x + s_k v), $$
so that Cauchy's formula holds for it as well,
$$ g'(0) = \frac{1}{N' r'} \sum_l w_l^{-1} g(r' w_l) . $$
The two circles make a torus.  The same for backward, which for cotangents $\bar y + \tau \dot{\bar y}$ is analytic in $\tau$
too: the network's own backward at each point of the torus, with a complex cotangent.  The radius $r'$ is looked for as that of
the inner circle is, and the errors are judged by the same bars (:mod:`funcnn.derivatives.cauchy`).

So the layer takes complex numbers whose imaginary part is a step, and gives such: the product around it does not know.  A step is
told from a point of another circle by its size.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from attrs import evolve, frozen

from funcnn import tree
from funcnn.derivatives.cauchy import Bars, Circle, bars, circle_within, find_reach, places, weights
from funcnn.derivatives.complex_step import COMPLEX, parts, real_part
from funcnn.layer import Backward, Mode, backward_without_input
from funcnn.typing import Array

POINTS = 8
_LARGEST_STEP = 2.0**-44  # times the largest number; an imaginary step is 2^-60 or less, and circles are wider


@frozen(eq=False)
class Step:
    """A real point, and the direction in which an imaginary step has moved it, of entries up to 1."""

    params: Any
    x: Any
    dparams: Any
    dx: Any
    h: float
    """The step is i h times the direction; 0 where nothing was moved."""

    def at(self, tau: Any) -> tuple[Any, Any]:
        """Return the point moved by a complex number of directions."""
        return at(tau, self.params, self.dparams), at(tau, self.x, self.dx)

    def few(self) -> Step:
        """Return the step of a few examples of the batch."""
        every = max(1, len(self.x) // 8)
        return evolve(self, x=self.x[::every][:8], dx=self.dx[::every][:8])


def at(tau: Any, values: Any, along: Any) -> Any:
    """Return values moved along a direction, by a real number or by a complex one."""
    return tree.map_cotangents(lambda leaf, way: leaf + tau * way if leaf.dtype.kind == "f" else leaf, values, along)


@frozen(eq=False)
class MovedResiduals:
    """The step, what the layer kept at the real point, and the circles: inner ones, and the outer one if anything was moved."""

    name: str
    step: Step
    state: Any
    mode: Mode
    kept: Any
    inner: Any
    circle: Circle | None


def is_moved(*values: Any) -> bool:
    """Tell whether there is a complex number."""
    return any(leaf.dtype.kind == "c" for one in values for leaf in tree.leaves(one))


def step_of(name: str, params: Any, x: Array) -> Step:
    """Return the step that complex numbers stand for; raise a TypeError where they are none."""
    leaves = [leaf for leaf in tree.leaves((params, x)) if leaf.dtype.kind in "fc"]
    h = max([largest(leaf.imag) for leaf in leaves if leaf.dtype.kind == "c"], default=0.0)
    if h > _LARGEST_STEP * max([1.0, *map(largest, [leaf.real for leaf in leaves])]):
        raise TypeError(
            f"{name} is given complex numbers with imaginary parts up to {h:.1g}: it takes real ones, and the imaginary steps of"
            " fn.jvp and fn.hvp, but is not differentiated on a circle itself, as a layer of derivatives around it would"
        )
    dparams, dx = (tree.map(partial(_imaginary, h), one) for one in (params, x))
    return Step(real_part(params), real_part(x), dparams, dx, h)


def largest(leaf: Array) -> float:
    """Return the power of two next to the largest magnitude of an array's finite numbers; 0 where all are 0."""
    size = float(np.abs(leaf[np.isfinite(leaf)]).max(initial=0))
    return float(2.0 ** np.ceil(np.log2(size))) if size else 0.0


def _imaginary(h: float, leaf: Array) -> Array:
    """Return the imaginary part over h; 0 of real numbers."""
    if leaf.dtype.kind != "c" or not h:
        return np.zeros_like(leaf.real)
    made: Array = leaf.imag / leaf.real.dtype.type(h)
    return made


def joined(real: Any, tangent: Any, h: float) -> Any:
    """Return complex numbers of real parts and tangents, with None in the place of integers."""

    def join(one: Array, other: Array) -> Array:
        made: Array = np.empty(one.shape, COMPLEX[one.dtype.char])
        made.real, made.imag = one, one.dtype.type(h) * other
        return made

    return tree.map_cotangents(join, real, tangent)


def moved_backward(
    backward: Callable[[Any, Any, Any], Backward[Any, Any]],
    pull: Callable[[tuple[Any, Any], Any], tuple[Any, Any]],
    residuals: MovedResiduals,
    dy: Any,
    input_grad: bool,
) -> Backward[Any, Any]:
    """Return the cotangents at a moved point, of which the imaginary parts are their derivatives along the step.

    ``backward`` is that of the real point, from parameters, what was kept there and a cotangent; ``pull`` gives the cotangents of
    parameters and input at a complex point, for a complex cotangent.
    """
    step, circle = residuals.step, residuals.circle
    real, along, h = split(dy, step.h)
    base = backward(step.params, residuals.kept, real)
    if circle is None:
        made = backward(step.params, residuals.kept, along)
        tangents = made.params, made.input
    else:
        pulled = [pull(step.at(tau), at(tau, real, along)) for tau in taus(circle, step.x.dtype)]
        judge(residuals.name, [flat(dx) for _, dx in pulled], circle)  # of all examples: the circle was chosen by a few
        tangents = tree.map_cotangents(partial(first_derivative, circle), *pulled)
    grads = joined(base.params, tangents[0], h)
    return Backward(grads, joined(base.input, tangents[1], h)) if input_grad else backward_without_input(grads)


def split(dy: Any, h: float) -> tuple[Any, Any, float]:
    """Return the real parts of cotangents, the imaginary ones over h, and h: that of the step, or of these if there is none."""
    if not h:
        h = max([largest(leaf.imag) for leaf in parts(dy) if leaf is not None and leaf.dtype.kind == "c"], default=0.0)
    return real_part(dy), tree.map_cotangents(partial(_imaginary, h), dy), h


# -------------------------------------------------------------------------------------------------------- the outer circle


def taus(circle: Circle, dtype: np.dtype[np.floating]) -> list[Any]:
    """Return the points of half of a circle; the two on the real axis as real numbers."""
    return [one.real if one.imag == 0 else one for one in places(circle, dtype)]


def first_derivative(circle: Circle, *values: Array) -> Array:
    """Return the first derivative, from values on half of a circle."""
    kind = values[0].real.dtype
    factors = weights(circle, 1, kind)[1]
    total: Array = np.zeros(values[0].shape, kind)
    for factor, value in zip(factors, values, strict=True):
        total += factor.real * value.real - factor.imag * value.imag
    return total


def flat(output: Any) -> Array:
    """Return an output as one array (n, numbers)."""
    leaves = [leaf.reshape(len(leaf), -1) for leaf in tree.leaves(output)]
    made: Array = np.concatenate(leaves, axis=1)
    return made


def outer_circle(name: str, values: Callable[[Any], Array], dtype: np.dtype[np.floating]) -> Circle:
    """Return the circle that a few examples allow; raise a ValueError where the derivative may be off by much on it."""

    def quietly(tau: Any) -> Array:
        with np.errstate(all="ignore"):
            return values(tau.real if tau.imag == 0 else tau)

    circle = circle_within(find_reach(quietly, dtype), 1, POINTS, dtype)
    judge(name, [values(tau) for tau in taus(circle, dtype)] if circle.radius else [], circle)
    return circle


def judge(name: str, values: list[Array], circle: Circle) -> None:
    """Raise a ValueError when the first derivative on an outer circle may be off by more than two fifths of the digits."""
    if circle.radius:
        found: Bars = bars(values, circle, 1)
        both = found.both[1]
        bar = float(both[np.isfinite(both)].max(initial=0))
        sizes = [np.abs(one[np.isfinite(one)]).max(initial=0) for one in values]
        allowed = float(np.finfo(values[0].dtype).eps) ** 0.4 * float(max(sizes)) / circle.reach
        if bar <= allowed:
            return
    raise ValueError(
        f"a derivative of {name} along a direction was refused: on no circle are its Taylor coefficients seen to fall. A layer"
        " with a branch near these inputs, directions far apart in scale, or too few digits (float32) are the usual reasons: use"
        " float64, or the gradient of the layer, which needs no such circle"
    )
