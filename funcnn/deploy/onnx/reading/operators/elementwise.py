"""Operators of single entries, of two arrays entry by entry, and along an axis."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from funcnn.deploy.onnx.reading.operators.operator import Made, Operator, Values, constant, of_layer, summed_to, unary
from funcnn.deploy.onnx.reading.program import Called
from funcnn.layer import AnyLayer, Eval
from funcnn.layers.activations.algebraic import softsign
from funcnn.layers.activations.clipped import hard_sigmoid, hard_swish
from funcnn.layers.activations.exponential_units import ALPHA, LAMBDA, celu
from funcnn.layers.activations.gelu import gelu
from funcnn.layers.activations.mish import mish
from funcnn.layers.activations.rectifiers import elu, leaky_relu, relu
from funcnn.layers.activations.shrinkage import hardshrink, softshrink, threshold
from funcnn.layers.activations.sigmoids import sigmoid, softplus, tanh
from funcnn.layers.activations.softmax import log_softmax, softmax

# Any: arrays of all kinds.


def erf(node: Called, x: Any) -> tuple[Any, Any]:
    from funcnn.kernels.erf import erf as value

    return value(x), 2 / np.sqrt(np.pi) * np.exp(-x * x)


def selu(node: Called, x: Any) -> tuple[Any, Any]:
    alpha, gamma = node.attributes.get("alpha", ALPHA), node.attributes.get("gamma", LAMBDA)
    kind = x.dtype.type
    below = kind(alpha * gamma) * np.exp(np.minimum(x, 0))
    return np.where(x > 0, kind(gamma) * x, below - kind(alpha * gamma)), np.where(x > 0, kind(gamma), below)


def shrink(node: Called) -> AnyLayer:
    bias, lambd = node.attributes.get("bias", 0.0), node.attributes.get("lambd", 0.5)
    if bias not in (0.0, lambd):
        raise node.refuse(f"bias is {bias}, expected 0 or lambd, {lambd}")
    return softshrink(lambd) if bias else hardshrink(lambd)


def swish(node: Called, x: Any) -> tuple[Any, Any]:
    alpha = x.dtype.type(node.attributes.get("alpha", 1.0))
    s = 1 / (1 + np.exp(-np.abs(alpha * x)))
    s = np.where(x * alpha >= 0, s, 1 - s)
    return x * s, s + alpha * x * s * (1 - s)


def infinite(node: Called, inputs: Values) -> tuple[Any]:
    x = inputs[0]
    above, below = (node.attributes.get(f"detect_{one}", 1) for one in ("positive", "negative"))
    return (np.isinf(x) & ((x > 0) & bool(above) | (x < 0) & bool(below)),)


def sloped(value: Callable[[Any], Any], slope: Callable[[Any], Any]) -> Operator:
    """Make an operator of a function and its slope."""
    return unary(lambda node, x: (value(x), slope(x)))


ANGLES: dict[str, Operator] = {
    name: sloped(value, slope)
    for name, value, slope in (
        ("Tan", np.tan, lambda x: 1 / np.cos(x) ** 2),
        ("Asin", np.arcsin, lambda x: 1 / np.sqrt(1 - x * x)),
        ("Acos", np.arccos, lambda x: -1 / np.sqrt(1 - x * x)),
        ("Atan", np.arctan, lambda x: 1 / (1 + x * x)),
        ("Sinh", np.sinh, np.cosh),
        ("Cosh", np.cosh, np.sinh),
        ("Asinh", np.arcsinh, lambda x: 1 / np.sqrt(1 + x * x)),
        ("Acosh", np.arccosh, lambda x: 1 / np.sqrt(x * x - 1)),
        ("Atanh", np.arctanh, lambda x: 1 / (1 - x * x)),
    )
}
"""Functions of angles and areas with their slopes."""

SINGLE: dict[str, Operator] = {
    **ANGLES,
    "IsNaN": constant(lambda node, inputs: (np.isnan(inputs[0]),)),
    "IsInf": constant(infinite),
    "Relu": of_layer(lambda node: relu()),
    "Sigmoid": of_layer(lambda node: sigmoid()),
    "Tanh": of_layer(lambda node: tanh()),
    "Softplus": of_layer(lambda node: softplus()),
    "Softsign": of_layer(lambda node: softsign()),
    "HardSwish": of_layer(lambda node: hard_swish()),
    "Mish": of_layer(lambda node: mish()),
    "Elu": of_layer(lambda node: elu(node.attributes.get("alpha", 1.0))),
    "Celu": of_layer(lambda node: celu(node.attributes.get("alpha", 1.0))),
    "LeakyRelu": of_layer(lambda node: leaky_relu(node.attributes.get("alpha", 0.01))),
    "ThresholdedRelu": of_layer(lambda node: threshold(node.attributes.get("alpha", 1.0), 0.0)),
    "HardSigmoid": of_layer(lambda node: hard_sigmoid(node.attributes.get("alpha", 0.2), node.attributes.get("beta", 0.5))),
    "Gelu": of_layer(lambda node: gelu(approximate=node.attributes.get("approximate", "none") == "tanh")),
    "Shrink": of_layer(shrink),
    "Selu": unary(selu),
    "Swish": unary(swish),
    "Erf": unary(erf),
    "Exp": unary(lambda node, x: (y := np.exp(x), y)),
    "Log": unary(lambda node, x: (np.log(x), 1 / x)),
    "Sqrt": unary(lambda node, x: (y := np.sqrt(x), 0.5 / y)),
    "Neg": unary(lambda node, x: (-x, np.array(-1, x.dtype))),
    "Abs": unary(lambda node, x: (np.abs(x), np.sign(x))),
    "Reciprocal": unary(lambda node, x: (y := 1 / x, -y * y)),
    "Sin": unary(lambda node, x: (np.sin(x), np.cos(x))),
    "Cos": unary(lambda node, x: (np.cos(x), -np.sin(x))),
    "Identity": unary(lambda node, x: (x, np.ones((), x.dtype))),
    **{
        name: unary(lambda node, x, function=function: (function(x), np.zeros((), x.dtype)))  # type: ignore[misc]  # a bound name
        for name, function in {"Floor": np.floor, "Ceil": np.ceil, "Round": np.rint, "Sign": np.sign}.items()
    },
}


# Two arrays, or more.


def binary(value: Callable[[Any, Any], Any], pullback: Callable[[Any, Any, Any, Any], tuple[Any, Any]]) -> Operator:
    """Make an operator of two arrays, one of which may be repeated; the pullback takes dy, a, b and y."""

    def forward(node: Called, inputs: Values) -> Made:
        a, b = inputs
        y = value(a, b)
        return (y,), (a, b, y)

    def backward(node: Called, kept: Any, dys: Values) -> Values:
        a, b, y = kept
        da, db = pullback(dys[0], a, b, y)
        return tuple([summed_to(np.broadcast_to(d, y.shape), one.shape) for d, one in ((da, a), (db, b))])

    return Operator(forward, backward)


def divided(a: Any, b: Any) -> Any:
    return a / b if a.dtype.kind in "fc" else (np.abs(a) // np.abs(b) * np.sign(a) * np.sign(b)).astype(a.dtype)


def power_pullback(dy: Any, a: Any, b: Any, y: Any) -> tuple[Any, Any]:
    logarithm = np.log(np.where(a > 0, a, 1))
    return dy * b * np.power(a, b - 1), dy * y * logarithm


def modulo(node: Called, inputs: Values) -> tuple[Any, ...]:
    return (np.fmod(*inputs) if node.attributes.get("fmod") else np.mod(*inputs),)


def chosen(larger: bool) -> Operator:
    """Make the maximum or the minimum of several arrays: the first that attains it gets the cotangent."""
    beats = np.greater if larger else np.less

    def forward(node: Called, inputs: Values) -> Made:
        y, which = inputs[0], np.zeros(np.broadcast_shapes(*[one.shape for one in inputs]), int)
        for index, one in enumerate(inputs[1:], 1):
            better = np.broadcast_to(beats(one, y), which.shape)
            y, which = np.where(better, one, y), np.where(better, index, which)
        return (np.broadcast_to(y, which.shape).copy(),), (which, [one.shape for one in inputs])

    def backward(node: Called, kept: Any, dys: Values) -> Values:
        which, shapes = kept
        return tuple([summed_to(dys[0] * (which == index), shape) for index, shape in enumerate(shapes)])

    return Operator(forward, backward)


def total(mean: bool) -> Operator:
    """Make the sum or the mean of several arrays."""

    def forward(node: Called, inputs: Values) -> Made:
        y = reduce(np.add, inputs)
        return (y / len(inputs) if mean else y.copy(),), [one.shape for one in inputs]

    def backward(node: Called, shapes: Any, dys: Values) -> Values:
        dy = dys[0] / len(shapes) if mean else dys[0]
        return tuple([summed_to(dy, shape) for shape in shapes])

    return Operator(forward, backward)


def clip_forward(node: Called, inputs: Values) -> Made:
    x, low, high = [*inputs, None, None][:3]
    y = x if low is None else np.maximum(x, low)
    y = y if high is None else np.minimum(y, high)
    inside = (x > low if low is not None else True) & (x < high if high is not None else np.ones(x.shape, bool))
    return (np.array(y),), (inside, len(inputs))


def clip_backward(node: Called, kept: Any, dys: Values) -> Values:
    inside, count = kept
    return (dys[0] * inside, *[None] * (count - 1))


def where_forward(node: Called, inputs: Values) -> Made:
    condition, a, b = inputs
    return (np.where(condition, a, b),), (condition, a.shape, b.shape)


def where_backward(node: Called, kept: Any, dys: Values) -> Values:
    condition, a, b = kept
    return None, summed_to(np.where(condition, dys[0], 0), a), summed_to(np.where(condition, 0, dys[0]), b)


def learned_slope_forward(node: Called, inputs: Values) -> Made:
    x, slope = inputs
    return (np.where(x < 0, x * slope, x),), (x, slope)


def learned_slope_backward(node: Called, kept: Any, dys: Values) -> Values:
    x, slope = kept
    return np.where(x < 0, dys[0] * slope, dys[0]), summed_to(dys[0] * np.minimum(x, 0), slope.shape)


def dropout_forward(node: Called, inputs: Values) -> Made:
    if len(inputs) > 2 and inputs[2] is not None and bool(inputs[2]):
        raise node.refuse("it is in training mode: files of predictions are read")
    return (inputs[0], np.ones(inputs[0].shape, bool)), len(inputs)


def compared(function: Callable[[Any, Any], Any]) -> Operator:
    """Make a comparison, or a logical operator."""
    return constant(lambda node, inputs: (function(*inputs),))


SEVERAL: dict[str, Operator] = {
    "Add": binary(np.add, lambda dy, a, b, y: (dy, dy)),
    "Sub": binary(np.subtract, lambda dy, a, b, y: (dy, -dy)),
    "Mul": binary(np.multiply, lambda dy, a, b, y: (dy * b, dy * a)),
    "Div": binary(divided, lambda dy, a, b, y: (dy / b, -dy * y / b)),
    "Pow": binary(lambda a, b: np.power(a, b).astype(a.dtype), power_pullback),
    "Mod": constant(modulo),
    "Max": chosen(True),
    "Min": chosen(False),
    "Sum": total(False),
    "Mean": total(True),
    "Clip": Operator(clip_forward, clip_backward),
    "Where": Operator(where_forward, where_backward),
    "PRelu": Operator(learned_slope_forward, learned_slope_backward),
    "Dropout": Operator(dropout_forward, lambda node, count, dys: (dys[0], *[None] * (count - 1))),
    "Not": constant(lambda node, inputs: (~inputs[0],)),
    **{
        name: compared(function)
        for name, function in {
            "And": np.logical_and,
            "Or": np.logical_or,
            "Xor": np.logical_xor,
            "Equal": np.equal,
            "Less": np.less,
            "Greater": np.greater,
            "LessOrEqual": np.less_equal,
            "GreaterOrEqual": np.greater_equal,
        }.items()
    },
}


def along_axis(layer: AnyLayer) -> Operator:
    """Make an operator along an axis of a layer along the last one."""

    def forward(node: Called, inputs: Values) -> Made:
        axis = node.attributes.get("axis", -1)
        moved = np.moveaxis(inputs[0], axis, -1)
        made = layer.forward((), (), np.ascontiguousarray(moved).reshape(-1, moved.shape[-1]), Eval())
        return (np.moveaxis(made.output.reshape(moved.shape), -1, axis).copy(),), (axis, moved.shape, made.residuals)

    def backward(node: Called, kept: Any, dys: Values) -> Values:
        axis, shape, residuals = kept
        rows = np.ascontiguousarray(np.moveaxis(dys[0], axis, -1)).reshape(-1, shape[-1])
        dx = layer.backward((), residuals, rows).input
        return (np.moveaxis(dx.reshape(shape), -1, axis).copy(),)

    return Operator(forward, backward)


OPERATORS = {**SINGLE, **SEVERAL, "Softmax": along_axis(softmax()), "LogSoftmax": along_axis(log_softmax())}
