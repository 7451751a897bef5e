r"""A network and its derivatives along directions in the input, as a layer.

Forward, for a network $y = f(x)$ and directions $v_1, v_2, \ldots$
$$ x \mapsto \Big( f(x),\ \ldots,\ \frac{\mathrm{d}^m}{\mathrm{d}s^m} f(x + s v_i) \Big|_{s=0},\ \ldots \Big), $$
by Cauchy's formula (:mod:`funcnn.derivatives.cauchy`), with the radius and the number of points chosen from the values.

Derivation.  The output is a sum of values of the network at complex points with known weights; the cotangents are those of
such a sum (:mod:`funcnn.derivatives.line`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np
from attrs import evolve, frozen

from funcnn import tree
from funcnn.combinators.cotangents import Like, check_cotangents, like
from funcnn.derivatives.analytic import watched
from funcnn.derivatives.cauchy import Circle, step
from funcnn.derivatives.kinks import refuse_kinks
from funcnn.derivatives.line import Line, Network, along, largest_finite, probed, pull
from funcnn.errors import check_array, check_count, check_range, shown
from funcnn.key import Key
from funcnn.layer import (
    AnyLayer,
    Backward,
    Eval,
    Forward,
    Init,
    Layer,
    Mode,
    Train,
    backward_without_input,
    check_init,
    check_layer,
    checked_shape,
    keeps_residuals,
)
from funcnn.typing import Array, Shapes

P = TypeVar("P")
S = TypeVar("S")

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

    def vectors(self, dtype: np.dtype[np.floating]) -> list[Array]:
        """Return the directions as arrays."""
        return [np.array(one, dtype) for one in self.directions]


@frozen(eq=False)
class DirectionalResiduals:
    """The network on each circle, and what the output is like."""

    lines: tuple[Line, ...]
    output: Like


@frozen(eq=False)
class Estimated:
    """Derivatives with their error bars."""

    values: tuple[Array, ...]
    """The output, and for each direction the derivatives of orders 1 to m."""
    bars: tuple[Array, ...]
    """For each of these the absolute error of each example's numbers at most, (N,)."""
    radii: tuple[float, ...]
    """The radius of the circle of each direction, in its units."""
    points: int
    """How many points a circle has."""


def init(inner: AnyLayer, orders: Orders, key: Key, in_shape: Shapes) -> Init[Any, Any]:
    check_init(key, in_shape)
    shape = checked_shape(in_shape)
    length = len(orders.directions[0])
    if shape != (length,):
        raise ValueError(f"in_shape is {shape}, expected ({length},): directions have {length} numbers, one for each input")
    made = inner.init(key, shape)
    if made.out_shape and isinstance(made.out_shape[0], tuple):
        raise ValueError(f"{inner.name} gives several arrays {made.out_shape}, expected one to be differentiated")
    shapes: Any = (made.out_shape,) * (1 + len(orders.directions) * orders.order)
    return Init(made.params, made.state, shapes)


def lines_of(inner: AnyLayer, orders: Orders, params: Any, state: Any, x: Array, mode: Mode) -> list[Line]:
    """Return the network along each direction; raise where the errors are larger than is allowed."""
    check_array(x)
    if x.shape[1:] != (len(orders.directions[0]),):
        raise ValueError(f"the input has shape {x.shape}, expected (N, {len(orders.directions[0])}): the directions' length")
    network = Network.of(inner, params, state, x, mode)
    try_own_layers(inner, params, state, x, mode)
    return [one_line(network, direction, orders) for direction in orders.vectors(x.dtype)]


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


def forward(
    inner: AnyLayer, orders: Orders, params: Any, state: Any, x: Array, mode: Mode
) -> Forward[tuple[Array, ...], Any, DirectionalResiduals | tuple[()]]:
    keep = isinstance(mode, Train) or keeps_residuals(mode)
    lines = lines_of(inner, orders, params, state, x, mode)
    outputs = (lines[0].values[0], *[value for line in lines for value in line.values[1:]])
    if not keep:
        return Forward(outputs, lines[0].state, ())
    return Forward(outputs, lines[0].state, DirectionalResiduals(tuple(lines), like(outputs)))


def backward(
    inner: AnyLayer,
    orders: Orders,
    params: Any,
    residuals: DirectionalResiduals,
    dy: tuple[Array, ...],
    input_grad: bool = True,
) -> Backward[Any, Array]:
    check_cotangents(dy, residuals.output)
    dparams: Any = None
    dx: Any = None
    for index, line in enumerate(residuals.lines):
        own: list[Array | None] = [dy[0] if index == 0 else None]
        own += dy[1 + index * orders.order : 1 + (index + 1) * orders.order]
        grads, dinput = pull(inner, params, line, orders.order, own)
        dparams = grads if dparams is None else tree.map(np.add, dparams, grads)
        dx = dinput if dx is None else dx + dinput
    return Backward(dparams, dx) if input_grad else backward_without_input(dparams)


def directional_derivatives(
    inner: Layer[P, S, Array, Array],
    directions: Sequence[Sequence[float]],
    order: int = 2,
    *,
    points: int | None = None,
    radius: float | None = None,
    tolerance: float | None = None,
) -> Layer[P, S, Array, tuple[Array, ...]]:
    r"""Give a network's output together with its derivatives along directions in the input.

    Parameters
    ----------
    inner : Layer
        The network, of analytic layers, from (N, D) to one array.
    directions : sequence of sequences of float
        Vectors of D numbers, such as ``((1, 0), (0, 1))`` for the partial derivatives in two inputs.
    order : int, optional
        The highest order m, 1 to 8.
    points : int, optional
        How many points a circle has, an even number larger than m; by default 4 m, and at least 8.  Half of them are computed.
    radius : float, optional
        The radius of the circles, in units of the direction.  By default it is looked for at a few examples, each time: giving it
        saves that, which pays for small batches.
    tolerance : float, optional
        The error that is allowed, as a part of the derivative, or of the output over the distance in which the network's Taylor
        series converges; by default two fifths of the digits.  What is achieved is usually four fifths of them.

    Returns
    -------
    Layer
        From x (N, D) to a tuple: the output, then for the first direction the derivatives of orders 1 to m, and so on for
        each direction.  With the parameters of ``inner``; the layer has a gradient like any other, so that a loss may hold
        derivatives.

    Raises
    ------
    TypeError, ValueError
        When ``inner`` is not a layer, or holds a layer that is not analytic, which is named; when the directions are not vectors
        of one length or a number is out of its range; in ``forward``, when the error may be larger than the tolerance.

    Notes
    -----
    Each example is differentiated in its own input.  A network that mixes examples (batch statistics in training) moves all of
    them together.

    References
    ----------
    Lyness & Moler (1967), Numerical differentiation of analytic functions, SIAM J. Numer. Anal. 4.

    See Also
    --------
    input_gradient, divergence, laplacian : sums of such derivatives.
    estimate_derivatives : the same with error bars.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.directional_derivatives(fn.tanh(), [(1.0,)], order=2)
    >>> x = np.array([[0.5]])
    >>> y, slope, curvature = fn.apply(model, (), (), x)
    >>> bool(abs(slope - (1 - y**2)) < 1e-12) and bool(abs(curvature + 2 * y * (1 - y**2)) < 1e-11)
    True
    """
    check_layer(inner, "inner")
    orders = checked_orders(directions, order, points, radius, tolerance)
    part: Any = inner
    refuse_kinks(part, "directional_derivatives")
    # Any: the residuals' type is hidden from here on
    kept: Any = partial(forward, part, orders)
    pulled: Any = partial(backward, part, orders)
    settings: Any = {"directions": orders.directions, "order": order, "points": points, "radius": radius, "tolerance": tolerance}
    return Layer(
        f"directional_derivatives({inner.name}, order {orders.order})",
        partial(init, part, orders),
        kept,
        pulled,
        inner.random,
        (part,),
        partial(combine, **settings),
    )


def combine(parts: tuple[AnyLayer, ...], **settings: Any) -> Any:
    """Make the layer again for another network."""
    (part,) = parts
    return directional_derivatives(part, **settings)


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
    return Orders(tuple(many), order, count, radius, tolerance)


def estimate_derivatives(model: Layer[P, S, Array, tuple[Array, ...]], params: P, state: S, x: Array, mode: Mode) -> Estimated:
    """Return what a layer of :func:`directional_derivatives` gives, with error bars.

    Parameters
    ----------
    model : Layer
        A layer that :func:`directional_derivatives` made.
    params, state : tree
        Its own.
    x : array (N, D)
    mode : Mode

    Returns
    -------
    Estimated
        ``values``, as the layer gives them; for each of them ``bars`` (N,), the largest error of each example's numbers to be
        expected from the terms that were left out and from rounding; ``radii`` and ``points`` of the circles.

    Raises
    ------
    TypeError
        When the model is another layer.
    ValueError
        As the layer itself.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.directional_derivatives(fn.tanh(), [(1.0,)], order=3)
    >>> made = fn.estimate_derivatives(model, (), (), np.array([[0.5]]), fn.Eval())
    >>> y = np.tanh(0.5)
    >>> bool(abs(made.values[3][0, 0] - (6 * y**2 - 2) * (1 - y**2)) < made.bars[3][0] < 1e-9)
    True
    """
    check_layer(model, "the model")
    bound = model.forward
    if not isinstance(bound, partial) or bound.func is not forward:
        raise TypeError(f"the model is {model.name}, expected a layer that fn.directional_derivatives made")
    inner, orders = bound.args
    lines = lines_of(inner, orders, params, state, x, mode)
    values = (lines[0].values[0], *[value for line in lines for value in line.values[1:]])
    errors = (lines[0].bars.both[0], *[bar for line in lines for bar in line.bars.both[1:]])
    return Estimated(values, errors, tuple([line.circle.radius for line in lines]), orders.points)
