r"""Layers that give derivatives of a network along lines, or sums of such: what they share.

Indices: $i$ line, with the direction $v_i$, $m$ order of a derivative.

Forward.  Along each line $\partial_i^m f = \frac{\mathrm{d}^m}{\mathrm{d}s^m} f(x + s v_i)|_{s=0}$, by Cauchy's formula
(:mod:`funcnn.derivatives.line`); the output is a linear *reading* $A$ of these, all of them or a sum.

Derivation.  $\bar y$ goes back through $A^\top$ to the derivatives of each line, and from there to the parameters and the input
(:func:`funcnn.derivatives.line.pull`).

Where the numbers are complex an outer derivative has moved them by an imaginary step: :mod:`funcnn.derivatives.outer`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from attrs import evolve, frozen

from funcnn import tree
from funcnn.combinators.cotangents import Like, check_cotangents, like
from funcnn.derivatives.analytic import watched
from funcnn.derivatives.cauchy import Circle, roots, step, whole_weights
from funcnn.derivatives.complex_step import as_complex
from funcnn.derivatives.coordinates import unit_vectors
from funcnn.derivatives.jets import Jets, on_jets, push, takes
from funcnn.derivatives.jets import pull as pull_jets
from funcnn.derivatives.line import Line, Network, along, largest_finite, probed, pull
from funcnn.derivatives.outer import (
    POINTS,
    MovedResiduals,
    first_derivative,
    flat,
    is_moved,
    joined,
    judge,
    moved_backward,
    outer_circle,
    step_of,
    taus,
)
from funcnn.errors import check_array, check_count, check_range, shown
from funcnn.layer import AnyLayer, Backward, Eval, Forward, Layer, Mode, Train, backward_without_input, keeps_residuals
from funcnn.typing import Array

HIGHEST = 8
ATTEMPTS = 4


@frozen
class Orders:
    """Along what is differentiated, how often, and on which circle."""

    directions: tuple[tuple[float, ...], ...]
    order: int
    points: int
    radius: float | None
    tolerance: float | None
    on_circles: bool = False
    """Whether something was said of the circles, so that they are taken where the chain rule would do too."""

    def vectors(self, dtype: np.dtype[np.floating]) -> list[Array]:
        """Return the directions as arrays."""
        return [np.array(one, dtype) for one in self.directions]


# Any: what a reading gives is an array, or a tuple of arrays.
@frozen
class Reading:
    """What is made of the derivatives of orders 0 to m along each line, and its transpose."""

    gather: Callable[[Orders, list[list[Array]]], Any]
    scatter: Callable[[Orders, Any], list[list[Array | None]]]
    of_sum: bool = False
    """Whether nothing is read but the sum of the second derivatives."""


@frozen
class Setting:
    """What is differentiated: fixed directions, or coordinates of the input."""

    orders: Orders
    reading: Reading
    coordinates: bool = False
    inputs: tuple[int, ...] | None = None
    """Which coordinates; None for all of them."""
    jets: AnyLayer | None = None
    """The network that maps derivatives to derivatives, where the chain rule does."""

    def at(self, shape: Any) -> Orders:
        """Return the orders for examples of a shape."""
        return evolve(self.orders, directions=unit_vectors(self.inputs, shape)) if self.coordinates else self.orders


@frozen(eq=False)
class LineResiduals:
    """The network along each line, and what the output is like."""

    lines: tuple[Line, ...]
    orders: Orders
    output: Like


@frozen(eq=False)
class JetResiduals:
    """The network's derivatives by the chain rule, and what the output is like."""

    jets: Jets
    orders: Orders
    output: Like


def layer_of(name: str, inner: AnyLayer, setting: Setting, init: Any, combine: Any) -> AnyLayer:
    """Return the layer of these derivatives."""
    orders = setting.orders
    if orders.order == 2 and not orders.on_circles and takes(inner):
        setting = evolve(setting, jets=on_jets(inner, setting.reading.of_sum))
    kept: Any = partial(forward, inner, setting)  # Any: the residuals' type is hidden from here on
    pulled: Any = partial(backward, inner, setting)
    return Layer(name, init, kept, pulled, inner.random, (inner,), combine)


def remake(factory: Callable[..., Any], settings: dict[str, Any], parts: tuple[AnyLayer, ...]) -> Any:
    """Make a layer of derivatives again for another network."""
    (part,) = parts
    return factory(part, **settings)


def forward(inner: AnyLayer, setting: Setting, params: Any, state: Any, x: Array, mode: Mode) -> Forward[Any, Any, Any]:
    check_array(x)
    if is_moved(params, x):
        return moved_forward(inner, setting, params, state, x, mode)
    orders = setting.at(x.shape[1:])
    check_length(orders, x)
    if setting.jets is not None:
        jets = push(setting.jets, orders.vectors(x.dtype), setting.reading.of_sum, params, state, x, mode)
        output = setting.reading.gather(orders, jets.values())
        return Forward(output, jets.state, JetResiduals(jets, orders, like(output)))
    return forward_on_circles(inner, orders, setting.reading, params, state, x, mode)


def forward_on_circles(
    inner: AnyLayer, orders: Orders, reading: Reading, params: Any, state: Any, x: Array, mode: Mode
) -> Forward[Any, Any, Any]:
    keep = isinstance(mode, Train) or keeps_residuals(mode)
    lines = lines_of(inner, orders, params, state, x, mode)
    output = reading.gather(orders, [line.values for line in lines])
    if not keep:
        return Forward(output, lines[0].state, ())
    return Forward(output, lines[0].state, LineResiduals(tuple(lines), orders, like(output)))


def backward(
    inner: AnyLayer, setting: Setting, params: Any, residuals: Any, dy: Any, input_grad: bool = True
) -> Backward[Any, Array]:
    if isinstance(residuals, MovedResiduals):
        pulled = partial(pull_at, inner, setting, residuals)
        return moved_backward(partial(backward, inner, setting), pulled, residuals, dy, input_grad)
    check_cotangents(dy, residuals.output)
    orders = residuals.orders
    if isinstance(residuals, JetResiduals):
        known: Any = setting.jets  # what made these residuals
        grads, dinput = pull_jets(known, params, residuals.jets, setting.reading.scatter(orders, dy))
        return Backward(grads, dinput) if input_grad else backward_without_input(grads)
    dparams: Any = None
    dx: Any = None
    for line, own in zip(residuals.lines, setting.reading.scatter(orders, dy), strict=True):
        grads, dinput = pull(inner, params, line, orders.order, own)
        dparams = grads if dparams is None else tree.map(np.add, dparams, grads)
        dx = dinput if dx is None else dx + dinput
    return Backward(dparams, dx) if input_grad else backward_without_input(dparams)


# ----------------------------------------------------------------------------------------- at complex points, for an outer circle


def moved_forward(
    inner: AnyLayer, setting: Setting, params: Any, state: Any, x: Array, mode: Mode
) -> Forward[Any, Any, MovedResiduals]:
    """Return the output at a moved point, of which the imaginary part is its derivative along the step."""
    name = f"the layer of derivatives of {inner.name}"
    moved = step_of(name, params, x)
    keeping = evolve(mode, residuals=True) if isinstance(mode, Eval) else mode
    orders = setting.at(moved.x.shape[1:])
    made = forward_on_circles(inner, orders, setting.reading, moved.params, state, moved.x, keeping)
    residuals = MovedResiduals(name, moved, state, mode, made.residuals, None, None)
    tangent = tree.map_cotangents(np.zeros_like, made.output)
    if moved.h and len(x):
        residuals = evolve(residuals, inner=inner_circles(inner, residuals))
        few = moved.few()
        circle = outer_circle(name, lambda tau: flat(values_at(inner, setting, residuals, few.at(tau))), moved.x.dtype)
        residuals = evolve(residuals, circle=circle)
        found = [values_at(inner, setting, residuals, moved.at(tau)) for tau in taus(circle, moved.x.dtype)]
        judge(name, [flat(one) for one in found], circle)
        tangent = tree.map_cotangents(partial(first_derivative, circle), *found)
    return Forward(joined(made.output, tangent, moved.h), made.state, residuals)


def inner_circles(inner: AnyLayer, residuals: MovedResiduals) -> list[Circle]:
    """Return the circles of a real point, with one for each line that a step was enough for."""
    moved, kept = residuals.step, residuals.kept
    network = Network.of(inner, moved.params, residuals.state, moved.x, residuals.mode)
    return [
        line.circle if line.circle.points > 1 else probed(network, direction, 1, POINTS, residuals.mode)
        for line, direction in zip(kept.lines, kept.orders.vectors(moved.x.dtype), strict=True)
    ]


def values_at(inner: AnyLayer, setting: Setting, residuals: MovedResiduals, at: tuple[Any, Any]) -> Any:
    """Return the output at a complex point: sums over whole circles."""
    (params, x), orders = at, residuals.kept.orders
    params = as_complex(params)
    lines = []
    for circle, direction in zip(residuals.inner, orders.vectors(x.real.dtype), strict=True):
        points = on_circle(x, circle, direction)
        values = [inner.forward(params, residuals.state, point, residuals.mode).output for point in points]
        lines.append([weighted(row, values) for row in whole_weights(circle, orders.order, x.real.dtype)])
    return setting.reading.gather(orders, lines)


def pull_at(inner: AnyLayer, setting: Setting, residuals: MovedResiduals, at: tuple[Any, Any], dy: Any) -> tuple[Any, Array]:
    """Return the cotangents at a complex point."""
    (params, x), orders = at, residuals.kept.orders
    params = as_complex(params)
    dparams: Any = None
    dx: Any = None
    owns = setting.reading.scatter(orders, dy)
    for circle, direction, own in zip(residuals.inner, orders.vectors(x.real.dtype), owns, strict=True):
        columns = whole_weights(circle, orders.order, x.real.dtype).T
        for column, point in zip(columns, on_circle(x, circle, direction), strict=True):
            kept = inner.forward(params, residuals.state, point, residuals.mode).residuals
            made = inner.backward(params, kept, weighted(column, own))
            dparams = made.params if dparams is None else tree.map_cotangents(np.add, dparams, made.params)
            dx = made.input if dx is None else dx + made.input
    return dparams, dx


def on_circle(x: Array, circle: Circle, direction: Array) -> Iterator[Array]:
    """Yield the points of a whole circle around each example."""
    for root in roots(circle.points, x.real.dtype):
        yield x + x.real.dtype.type(circle.radius) * root * direction


def weighted(factors: Any, values: Sequence[Array | None]) -> Array:
    """Return the sum of values times factors; what is None counts for nothing."""
    terms: list[Array] = [factor * value for factor, value in zip(factors, values, strict=True) if value is not None]
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


# --------------------------------------------------------------------------------------------------------------------- lines


def lines_of(inner: AnyLayer, orders: Orders, params: Any, state: Any, x: Array, mode: Mode) -> list[Line]:
    """Return the network along each direction; raise where the errors are larger than is allowed."""
    check_length(orders, x)
    network = Network.of(inner, params, state, x, mode)
    try_own_layers(inner, params, state, x, mode)
    return [one_line(network, direction, orders) for direction in orders.vectors(x.dtype)]


def check_length(orders: Orders, x: Array) -> None:
    """Raise unless examples are as long as the directions."""
    if x.shape[1:] != (len(orders.directions[0]),):
        raise ValueError(f"the input has shape {x.shape}, expected (N, {len(orders.directions[0])}): the directions' length")


def try_own_layers(inner: AnyLayer, params: Any, state: Any, x: Array, mode: Mode) -> None:
    """Raise a NotAnalyticError when a layer of one's own is not analytic; it is tried on two examples."""
    model = watched(inner)
    if model is not inner and len(x):
        model.forward(params, state, x[:2], mode)


def one_line(network: Network, direction: Array, orders: Orders) -> Line:
    """Return the network along a direction, on a circle that is narrowed until the errors are small enough."""
    order, points = orders.order, orders.points
    mode = Eval(residuals=False) if isinstance(network.mode, Eval) else network.mode
    dtype = network.x.dtype
    if order == 1 and orders.radius is None:
        return along(network, direction, order, step(dtype))
    if orders.radius is not None:
        circle = Circle(orders.radius, points, orders.radius)
    elif len(network.x):
        circle = probed(network, direction, order, points, mode)
    else:
        circle = Circle(1.0, points, 1.0)
    tolerance = float(np.finfo(dtype).eps) ** 0.4 if orders.tolerance is None else orders.tolerance
    worst = 0.0
    for _ in range(ATTEMPTS if circle.radius else 0):
        line = along(network, direction, order, circle)
        worst, narrower = excess(line, order, tolerance)
        if worst <= 1:
            return line
        if orders.radius is not None or not narrower:
            break
        circle = evolve(circle, radius=circle.radius / 3, reach=circle.reach / 3)
    raise refusal(network, circle, order, tolerance, worst)


def excess(line: Line, order: int, tolerance: float) -> tuple[float, bool]:
    """Return the largest error bar in units of what is allowed, and whether a narrower circle would make it smaller.

    What is allowed is a share of the derivative, or of what it can be expected to be.
    """
    worst, narrower = 0.0, False
    size = line.largest
    for m in range(1, order + 1):
        natural = size / line.circle.reach**m
        allowed = tolerance * max(largest_finite(line.values[m]), natural)
        both = line.bars.both[m]
        bar = float(both[np.isfinite(both)].max(initial=0))  # an example that is not finite stays so, and spoils no other
        share = bar / allowed if allowed > 0 else (np.inf if bar > 0 else 0.0)
        if share > worst:
            at = int(np.argmax(np.where(np.isfinite(both), both, -1)))
            worst, narrower = share, bool(line.bars.folded[m][at] > line.bars.rounding[m][at])
    return worst, narrower


def refusal(network: Network, circle: Circle, order: int, tolerance: float, worst: float) -> ValueError:
    """Return the error that derivatives cannot be had to the tolerance."""
    found = (
        "on no circle do the Taylor coefficients fall: it is not analytic there"
        if circle.radius == 0
        else f"on a circle of radius {circle.radius:.2g} with {circle.points} points the error may be {worst:.1g} times what"
        f" tolerance={tolerance:.1g} allows"
    )
    return ValueError(
        f"derivatives of {network.inner.name} up to order {order} were refused: {found}. A layer with a branch near these inputs,"
        " inputs far apart in scale, or too few digits (float32) are the usual reasons: use float64, a lower order, more"
        " points= or a larger tolerance="
    )


def checked_orders(directions: object, order: int, points: int | None, radius: float | None, tolerance: float | None) -> Orders:
    """Return the settings, or raise."""
    wanted = "vectors of one length, not all 0, such as ((1.0, 0.0), (0.0, 1.0))"
    if not isinstance(directions, (tuple, list, np.ndarray)) or not len(directions):
        raise TypeError(f"directions is {shown(directions)}, expected {wanted}")
    many = []
    for one in directions:
        if not isinstance(one, (tuple, list, np.ndarray)) or np.ndim(one) != 1 or not len(one):
            raise TypeError(f"directions has {shown(one)}, expected {wanted}")
        many.append(tuple([check_range(number, "a number in directions", -1e100, 1e100) for number in one]))
    if len({len(one) for one in many}) > 1 or not all(any(one) for one in many):
        raise ValueError(f"directions is {shown(directions)}, expected {wanted}")
    order = check_count(order, "order", most=HIGHEST)
    count = max(8, 4 * order) if points is None else check_count(points, "points", least=order + 2, most=512)
    if count % 2:
        raise ValueError(f"points is {count}, expected an even number: half of the points are the conjugates of the other half")
    if radius is not None:
        radius = check_range(radius, "radius", 0, 1e6, open_low=True)
    if tolerance is not None:
        tolerance = check_range(tolerance, "tolerance", 0, 1, open_low=True)
    on_circles = any(one is not None for one in (points, radius, tolerance))
    return Orders(tuple(many), order, count, radius, tolerance, on_circles)
