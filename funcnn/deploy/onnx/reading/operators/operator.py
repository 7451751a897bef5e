"""What an operator is: a function of arrays with its pullback, for the attributes of a node."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from attrs import frozen

from funcnn.deploy.onnx.reading.program import Called
from funcnn.layer import AnyLayer, Eval

# Any: arrays of all kinds, and what an operator keeps of them.
Values: TypeAlias = Sequence[Any]
Made: TypeAlias = tuple[tuple[Any, ...], Any]


@frozen(eq=False)
class Operator:
    """The two functions of an operator.

    ``forward(node, inputs) -> (outputs, kept)``, an input that is left out being None, and ``backward(node, kept, doutputs) ->
    dinputs``, None where an input has no cotangent; a cotangent of an output that nobody asked for is None.
    """

    forward: Callable[[Called, Values], Made]
    backward: Callable[[Called, Any, Values], Values]


def constant(function: Callable[[Called, Values], tuple[Any, ...]]) -> Operator:
    """Make an operator through which no gradient passes."""
    return Operator(lambda node, inputs: (function(node, inputs), len(inputs)), lambda node, kept, dys: (None,) * kept)


def unary(function: Callable[[Called, Any], tuple[Any, Any]]) -> Operator:
    """Make an operator of single entries: the function gives its value and its slope."""

    def forward(node: Called, inputs: Values) -> Made:
        y, slope = function(node, inputs[0])
        return (y,), slope

    return Operator(forward, lambda node, slope, dys: (dys[0] * slope,))


def of_layer(make: Callable[[Called], AnyLayer]) -> Operator:
    """Make an operator of a layer without parameters: its gradient is the layer's."""

    def forward(node: Called, inputs: Values) -> Made:
        layer = make(node)
        made = layer.forward((), (), inputs[0], Eval())
        return (made.output,), (layer, made.residuals)

    def backward(node: Called, kept: Any, dys: Values) -> Values:
        layer, residuals = kept
        return (layer.backward((), residuals, dys[0]).input,)

    return Operator(forward, backward)


def summed_to(dx: Any, shape: tuple[int, ...]) -> Any:
    """Return the cotangent of an array that was repeated along some axes: the sum over them."""
    extra = dx.ndim - len(shape)
    axes = (*range(extra), *[extra + axis for axis, length in enumerate(shape) if length == 1 != dx.shape[extra + axis]])
    return dx.sum(axes, keepdims=True).reshape(shape) if axes else dx


def is_floating(value: Any) -> bool:
    """Tell whether a value has a cotangent."""
    return isinstance(value, np.ndarray) and value.dtype.kind in "fc"


def axes_of(node: Called, inputs: Values, place: int = 1) -> tuple[int, ...] | None:
    """Return the axes that an attribute or an input says; None where neither does."""
    if "axes" in node.attributes:
        return tuple(node.attributes["axes"])
    given = inputs[place] if len(inputs) > place else None
    return None if given is None else tuple(int(axis) for axis in np.atleast_1d(given))
