r"""The Laplacian of a network in its input, as a layer.

Forward, for a network $y = f(x)$ of an input with the coordinates $x_i$ and chosen ones $I$
$$ \Delta y = \sum_{i \in I} \frac{\partial^2 y}{\partial x_i^2}, $$
each term by Cauchy's formula on a circle in its coordinate (:mod:`funcnn.derivatives.cauchy`), or all of them at once by the
chain rule (:mod:`funcnn.derivatives.jets`).

Derivation.  The output is a sum of values of the network at complex points with known weights; the cotangents are those of
such a sum (:mod:`funcnn.derivatives.line`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np
from attrs import evolve

from funcnn.derivatives.coordinates import checked_inputs, unit_vectors
from funcnn.derivatives.directional import init
from funcnn.derivatives.kinks import refuse_kinks
from funcnn.derivatives.sums import Orders, Reading, Setting, checked_orders, layer_of, remake
from funcnn.key import Key
from funcnn.layer import AnyLayer, Init, Layer, check_init, check_layer
from funcnn.typing import Array, Shapes

P = TypeVar("P")
S = TypeVar("S")


def init_one(inner: AnyLayer, orders: Orders, inputs: tuple[int, ...] | None, key: Key, in_shape: Shapes) -> Init[Any, Any]:
    check_init(key, in_shape)
    own = evolve(orders, directions=unit_vectors(inputs, in_shape))
    made = init(inner, own, key, in_shape)
    out: Any = made.out_shape[0]
    return Init(made.params, made.state, out)


def gather(orders: Orders, values: list[list[Array]]) -> Array:
    """Return the sum of the second derivatives."""
    total: Array = np.sum([line[2] for line in values], axis=0)
    return total


def scatter(orders: Orders, dy: Array) -> list[list[Array | None]]:
    """Return the cotangents of the derivatives along each line."""
    return [[None, None, dy] for _ in orders.directions]


SECOND = Reading(gather, scatter, of_sum=True)
"""The sum of the second derivatives."""


def laplacian(
    inner: Layer[P, S, Array, Array],
    inputs: Sequence[int] | None = None,
    *,
    points: int | None = None,
    radius: float | None = None,
    tolerance: float | None = None,
) -> Layer[P, S, Array, Array]:
    """Give the Laplacian of a network in its input: the sum of the second derivatives in its coordinates.

    Parameters
    ----------
    inner : Layer
        The network, of analytic layers, from (N, D) to one array.
    inputs : sequence of int, optional
        The coordinates in which it is differentiated; by default all D.
    points, radius, tolerance : optional
        As for :func:`directional_derivatives`: without them, networks of dense layers and smooth activations need no circle.

    Returns
    -------
    Layer
        From x (N, D) to an array like the network's output, with the parameters of ``inner``, and a gradient like any other.

    Raises
    ------
    TypeError, ValueError
        When ``inner`` is not a layer, or holds a layer that is not analytic, which is named; when an argument is out of its
        range; in ``forward``, when the error may be larger than the tolerance.

    See Also
    --------
    directional_derivatives : the output and other derivatives as well, at the cost of the Laplacian alone.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.laplacian(fn.exponential() >> fn.dense(1, weight_init=fn.initializers.ones))
    >>> start = model.init(fn.Key(0), (2,))
    >>> x = np.array([[0.0, np.log(2)]])  # the Laplacian of e^a + e^b is itself
    >>> fn.apply(model, start.params, start.state, x).round(9)
    array([[3.]])
    """
    check_layer(inner, "inner")
    numbers = checked_inputs(inputs)
    orders = checked_orders(((1.0,),), 2, points, radius, tolerance)
    part: Any = inner
    refuse_kinks(part, "laplacian")
    settings: dict[str, Any] = {"inputs": inputs, "points": points, "radius": radius, "tolerance": tolerance}
    made: Layer[P, S, Array, Array] = layer_of(
        f"laplacian({inner.name})",
        part,
        Setting(orders, SECOND, coordinates=True, inputs=numbers),
        partial(init_one, part, orders, numbers),
        partial(remake, laplacian, settings),
    )
    return made
