r"""The Laplacian of a network in its input, as a layer.

Forward, for a network $y = f(x)$ of an input with the coordinates $x_i$ and chosen ones $I$
$$ \Delta y = \sum_{i \in I} \frac{\partial^2 y}{\partial x_i^2}, $$
each term by Cauchy's formula on a circle in its coordinate (:mod:`funcnn.derivatives.cauchy`).

Derivation.  The output is a sum of values of the network at complex points with known weights; the cotangents are those of
such a sum (:mod:`funcnn.derivatives.line`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np
from attrs import evolve

from funcnn import tree
from funcnn.combinators.cotangents import like
from funcnn.derivatives.coordinates import checked_inputs, unit_vectors
from funcnn.derivatives.directional import DirectionalResiduals, Orders, checked_orders, init, lines_of
from funcnn.derivatives.kinks import refuse_kinks
from funcnn.derivatives.line import pull
from funcnn.errors import check_array, check_cotangent
from funcnn.key import Key
from funcnn.layer import (
    AnyLayer,
    Backward,
    Forward,
    Init,
    Layer,
    Mode,
    Train,
    backward_without_input,
    check_init,
    check_layer,
    keeps_residuals,
)
from funcnn.typing import Array, Shapes

P = TypeVar("P")
S = TypeVar("S")


def init_one(inner: AnyLayer, orders: Orders, inputs: tuple[int, ...] | None, key: Key, in_shape: Shapes) -> Init[Any, Any]:
    check_init(key, in_shape)
    own = evolve(orders, directions=unit_vectors(inputs, in_shape))
    made = init(inner, own, key, in_shape)
    out: Any = made.out_shape[0]
    return Init(made.params, made.state, out)


def forward(
    inner: AnyLayer, orders: Orders, inputs: tuple[int, ...] | None, params: Any, state: Any, x: Array, mode: Mode
) -> Forward[Array, Any, DirectionalResiduals | tuple[()]]:
    check_array(x)
    keep = isinstance(mode, Train) or keeps_residuals(mode)
    own = evolve(orders, directions=unit_vectors(inputs, x.shape[1:]))
    lines = lines_of(inner, own, params, state, x, mode)
    total: Array = np.sum([line.values[2] for line in lines], axis=0)
    after = lines[0].state
    if not keep:
        return Forward(total, after, ())
    return Forward(total, after, DirectionalResiduals(tuple(lines), like(total)))


def backward(
    inner: AnyLayer, params: Any, residuals: DirectionalResiduals, dy: Array, input_grad: bool = True
) -> Backward[Any, Array]:
    expected: Any = residuals.output
    check_cotangent(dy, expected.shape, expected.dtype)
    made = [pull(inner, params, line, 2, [None, None, dy]) for line in residuals.lines]
    grads, dx = made[0]
    for dparams, dinput in made[1:]:
        grads, dx = tree.map(np.add, grads, dparams), dx + dinput
    return Backward(grads, dx) if input_grad else backward_without_input(grads)


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
        As for :func:`directional_derivatives`.

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
    # Any: the residuals' type is hidden from here on
    kept: Any = partial(forward, part, orders, numbers)
    pulled: Any = partial(backward, part)
    return Layer(
        f"laplacian({inner.name})",
        partial(init_one, part, orders, numbers),
        kept,
        pulled,
        inner.random,
        (part,),
        partial(combine, inputs=inputs, points=points, radius=radius, tolerance=tolerance),
    )


def combine(parts: tuple[AnyLayer, ...], **settings: Any) -> Any:
    """Make the layer again for another network."""
    (part,) = parts
    return laplacian(part, **settings)
