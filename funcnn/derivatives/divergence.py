r"""The divergence of a field of vectors, as a layer.

Forward, for $y = f(x)$ of the input's shape and chosen places $I$
$$ \sum_{i \in I} \frac{\partial y_i}{\partial x_i}, $$
each term by a complex step in its coordinate.

Derivation.  The cotangents are those of a sum of values at complex points (:mod:`funcnn.derivatives.line`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np

from funcnn.derivatives.coordinates import checked_inputs, chosen
from funcnn.derivatives.sums import Orders, Reading, Setting, checked_orders, layer_of, remake
from funcnn.errors import describe
from funcnn.key import Key
from funcnn.layer import AnyLayer, Init, Layer, check_layer
from funcnn.typing import Array, Shapes

P = TypeVar("P")
S = TypeVar("S")


def init(inner: AnyLayer, inputs: tuple[int, ...] | None, key: Key, in_shape: Shapes) -> Init[Any, Any]:
    made = inner.init(key, in_shape)
    chosen(inputs, in_shape)
    if made.out_shape != in_shape:
        raise ValueError(f"divergence needs a network that keeps the shape; {inner.name} maps {in_shape} to {made.out_shape}")
    return Init(made.params, made.state, (1,))


def places(orders: Orders) -> list[int]:
    """Return the coordinate of each line."""
    return [one.index(1.0) for one in orders.directions]


def gather(orders: Orders, values: list[list[Array]]) -> Array:
    """Return the sum of the derivatives of each output in the input of its place."""
    first = values[0][1]
    if first.shape[1:] != (len(orders.directions[0]),):
        raise ValueError(
            f"the network gives {describe(first)}, expected the shape of its input, (N, {len(orders.directions[0])})"
        )
    slopes: list[Array] = [line[1][:, [place]] for line, place in zip(values, places(orders), strict=True)]
    total: Array = np.sum(slopes, axis=0)
    return total


def scatter(orders: Orders, dy: Array) -> list[list[Array | None]]:
    """Return the cotangents of the derivatives along each line."""
    rows: list[list[Array | None]] = []
    for place in places(orders):
        own: Array = np.zeros((len(dy), len(orders.directions[0])), dy.dtype)
        own[:, [place]] = dy
        rows.append([None, own])
    return rows


FIRST = Reading(gather, scatter)
"""The sum of the first derivatives at the line's own place."""


def divergence(inner: Layer[P, S, Array, Array], inputs: Sequence[int] | None = None) -> Layer[P, S, Array, Array]:
    """Give the divergence of a field of vectors: the sum of the derivatives of each output in the input of its place.

    Parameters
    ----------
    inner : Layer
        From (N, D) to (N, D).
    inputs : sequence of int, optional
        The places that are summed over; by default all D.

    Returns
    -------
    Layer
        From x (N, D) to (N, 1), with the parameters of ``inner``: one forward in complex numbers for each place, and in backward
        one backward.

    Raises
    ------
    TypeError, ValueError
        When ``inner`` is not a layer or ``inputs`` are not positions; in ``init`` and ``forward``, when the network changes the
        shape.
    NotAnalyticError
        In ``forward``, when a layer of one's own loses the imaginary part of a complex step.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.divergence(fn.exponential()), (), (), np.array([[0.0, np.log(2)]]))
    array([[3.]])
    """
    check_layer(inner, "inner")
    numbers = checked_inputs(inputs)
    part: Any = inner
    made: Layer[P, S, Array, Array] = layer_of(
        f"divergence({inner.name})",
        part,
        Setting(checked_orders(((1.0,),), 1, None, None, None), FIRST, coordinates=True, inputs=numbers),
        partial(init, part, numbers),
        partial(remake, divergence, {"inputs": inputs}),
    )
    return made
