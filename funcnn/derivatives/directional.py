r"""A network and its derivatives along directions in the input, as a layer.

Forward, for a network $y = f(x)$ and directions $v_1, v_2, \ldots$
$$ x \mapsto \Big( f(x),\ \ldots,\ \frac{\mathrm{d}^m}{\mathrm{d}s^m} f(x + s v_i) \Big|_{s=0},\ \ldots \Big), $$
by Cauchy's formula (:mod:`funcnn.derivatives.cauchy`), with the radius and the number of points chosen from the values; second
derivatives of networks of dense layers and smooth activations by the chain rule (:mod:`funcnn.derivatives.jets`).

Derivation.  The output is a sum of values of the network at complex points with known weights; the cotangents are those of
such a sum (:mod:`funcnn.derivatives.line`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, TypeVar

from attrs import frozen

from funcnn.derivatives.kinks import refuse_kinks
from funcnn.derivatives.sums import Orders, Reading, Setting, checked_orders, forward, layer_of, lines_of, remake
from funcnn.errors import check_array
from funcnn.key import Key
from funcnn.layer import AnyLayer, Init, Layer, Mode, check_init, check_layer, checked_shape
from funcnn.typing import Array, Shapes

P = TypeVar("P")
S = TypeVar("S")


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


def gather(orders: Orders, values: list[list[Array]]) -> tuple[Array, ...]:
    """Return the output, and the derivatives of orders 1 to m along each line."""
    return (values[0][0], *[value for line in values for value in line[1:]])


def scatter(orders: Orders, dy: tuple[Array, ...]) -> list[list[Array | None]]:
    """Return the cotangents of the derivatives along each line."""
    rows: list[list[Array | None]] = []
    for index in range(len(orders.directions)):
        first = dy[0] if index == 0 else None
        rows.append([first, *dy[1 + index * orders.order : 1 + (index + 1) * orders.order]])
    return rows


ALL = Reading(gather, scatter)
"""All derivatives as they are."""


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
    Of order 2, networks of ``dense``, ``linear``, activations such as ``tanh``, ``silu``, ``gelu``, ``softplus``, ``sigmoid`` and
    ``sine``, chains of them, ``residual`` and ``add`` need no circle: if nothing is said of points, radius and tolerance, the
    chain rule gives the derivatives to rounding, in a fraction of the time.

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
    settings: dict[str, Any] = {
        "directions": orders.directions, "order": order, "points": points, "radius": radius, "tolerance": tolerance,
    }  # fmt: skip
    name = f"directional_derivatives({inner.name}, order {orders.order})"
    made: Layer[P, S, Array, tuple[Array, ...]] = layer_of(
        name, part, Setting(orders, ALL), partial(init, part, orders), partial(remake, directional_derivatives, settings)
    )
    return made


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
    if not isinstance(bound, partial) or bound.func is not forward or bound.args[1].reading is not ALL:
        raise TypeError(f"the model is {model.name}, expected a layer that fn.directional_derivatives made")
    inner, orders = bound.args[0], bound.args[1].orders
    check_array(x)
    lines = lines_of(inner, orders, params, state, x, mode)
    values = (lines[0].values[0], *[value for line in lines for value in line.values[1:]])
    errors = (lines[0].bars.both[0], *[bar for line in lines for bar in line.bars.both[1:]])
    return Estimated(values, errors, tuple([line.circle.radius for line in lines]), orders.points)
