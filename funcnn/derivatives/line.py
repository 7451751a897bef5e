r"""A network along lines through its input: its values on circles, their sums, and the transpose of both.

What a layer of derivatives gives is a sum $y_m = \operatorname{Re} \sum_k c_{mk} f(p, x + s_k v)$ over complex points $s_k$ with
known weights (:mod:`funcnn.derivatives.cauchy`).  For cotangents $\bar y_m$ the chain rule gives
$$ \mathrm{d} \langle \bar y, y \rangle = \operatorname{Re} \sum_k \left\langle \sum_m c_{mk} \bar y_m,\
   \mathrm{d} f(p, x + s_k v) \right\rangle, \qquad
   \bar p = \operatorname{Re} \sum_k f_p(p, x + s_k v)^\top \Big( \sum_m c_{mk} \bar y_m \Big), $$
with a bracket that does not conjugate: the network's own backward at each point, with a complex cotangent; and $\bar x$ likewise.
Where s is real so are the point and the weights, and the arithmetic is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from attrs import frozen

from funcnn import tree
from funcnn.derivatives.cauchy import Bars, Circle, bars, circle_within, find_reach, places, weights
from funcnn.derivatives.complex_step import as_complex, real_part
from funcnn.errors import check_array, check_precision, describe
from funcnn.layer import AnyLayer, Forward, Mode
from funcnn.typing import Array


@frozen(eq=False)
class Network:
    """A network with all that its calls have in common; complex forms of the parameters and of the state."""

    inner: AnyLayer
    params: Any
    state: Any
    x: Array
    mode: Mode

    @classmethod
    def of(cls, inner: AnyLayer, params: Any, state: Any, x: Array, mode: Mode) -> Network:
        """Return the network of these, which are real numbers."""
        check_array(x)
        for leaf in tree.leaves(params):
            if leaf.dtype.kind == "f":
                check_precision(x, leaf)
        return cls(inner, params, state, x, mode)

    def at(self, s: Any, direction: Array, params: Any, mode: Mode) -> Forward[Any, Any, Any]:
        """Return what the network gives at x + s v; the parameters in the kind of numbers of s."""
        x = self.x + s * direction
        made = self.inner.forward(params, self.state, x, mode)
        output: object = made.output
        if not isinstance(output, np.ndarray) or output.dtype.kind not in "fc":
            raise TypeError(
                f"{self.inner.name} gives {describe(output)}, expected one array of real numbers to be differentiated"
            )
        return made


@frozen(eq=False)
class Point:
    """The network at one point of a circle: what it kept."""

    s_real: bool
    residuals: Any


@frozen(eq=False)
class Line:
    """The derivatives along one direction, orders 0 to m, with their bars, and what backward needs."""

    circle: Circle
    values: list[Array]
    bars: Bars
    points: tuple[Point, ...]
    state: Any
    largest: float
    """The largest magnitude of the network's values on the circle."""


def largest_finite(values: Array) -> float:
    """Return the largest magnitude among an array's finite numbers."""
    sizes = np.abs(values)
    return float(sizes[np.isfinite(sizes)].max(initial=0))


def probed(network: Network, direction: Array, order: int, points: int, mode: Mode) -> Circle:
    """Return the circle that a few examples of a batch allow; they are looked at in double precision."""
    few = max(1, len(network.x) // 8)
    x = network.x[::few][:8].astype(float)
    params, state = as_double(network.params), as_double(network.state)
    small = Network(network.inner, as_complex(params), state, x, mode)

    def at(s: Any) -> Array:
        made: Array = small.at(s, direction.astype(float), small.params, mode).output
        return made

    with np.errstate(all="ignore"):
        reach = find_reach(at, x.dtype)
    return circle_within(reach, order, points, network.x.dtype)


def as_double(values: Any) -> Any:
    """Return a tree with its floating leaves in double precision."""
    return tree.map(lambda leaf: leaf.astype(float) if leaf.dtype.kind == "f" else leaf, values)


def along(network: Network, direction: Array, order: int, circle: Circle) -> Line:
    """Evaluate a network on a circle in a direction."""
    dtype = network.x.dtype
    factors = weights(circle, order, dtype)
    complex_params = as_complex(network.params)
    values, kept, state = [], [], None
    for s in places(circle, dtype):
        flat = bool(s.imag == 0)
        made = network.at(s.real if flat else s, direction, network.params if flat else complex_params, network.mode)
        values.append(made.output)
        kept.append(Point(flat, made.residuals))
        state = made.state if state is None else state
    sums: list[Array] = [
        np.sum([_real_product(factor, value) for factor, value in zip(row, values, strict=True)], axis=0) for row in factors
    ]
    return Line(circle, sums, bars(values, circle, order), tuple(kept), real_part(state), max(map(largest_finite, values)))


def _real_product(factor: Any, value: Array) -> Array:
    """Return the real part of a complex number times an array."""
    product: Array = factor.real * value.real - factor.imag * value.imag if value.dtype.kind == "c" else factor.real * value
    return product


def pull(inner: AnyLayer, params: Any, line: Line, order: int, douts: list[Array | None]) -> tuple[Any, Array]:
    """Return the cotangents of the parameters and of the input for those of the derivatives along one direction."""
    given = next(one for one in douts if one is not None)
    factors = weights(line.circle, order, given.dtype)
    complex_params = as_complex(params)
    dparams: Any = None
    dx: Any = None
    for column, point in zip(factors.T, line.points, strict=True):
        column = column.real if point.s_real else column
        terms = [factor * one for factor, one in zip(column, douts, strict=True) if one is not None]
        dpoint = sum(terms[1:], start=terms[0])
        made = inner.backward(params if point.s_real else complex_params, point.residuals, dpoint)
        grads, dinput = real_part(made.params), real_part(made.input)
        dparams = grads if dparams is None else tree.map(np.add, dparams, grads)
        dx = dinput if dx is None else dx + dinput
    return dparams, dx
