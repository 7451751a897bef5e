"""Activations: functions of each entry, gates, and those along an axis.

``VALUES`` is keyed by the function of single entries that a layer is made of, since all these layers share one forward; a
translation has the function's own arguments.  Attributes of operators are numbers in single precision: in double precision a
setting that is not exact there becomes a constant, and the operator others that take it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from attrs import evolve

from funcnn.deploy.onnx.graph import Graph, Tensor, Translation, unwrapped
from funcnn.deploy.onnx.operators import (
    add,
    binary,
    cast,
    compare,
    divide,
    multiply,
    over,
    split,
    subtract,
    swap,
    unary,
    where,
)
from funcnn.kernels.arrays import positive_part
from funcnn.kernels.transcendental import tanh
from funcnn.layers.activations import (
    algebraic,
    clipped,
    elementwise,
    entmax15,
    exponential_units,
    gated,
    gelu,
    log_cosh,
    mish,
    periodic,
    prelu,
    rectifiers,
    relu_squared,
    rrelu,
    shrinkage,
    sigmoids,
    softmax,
    softmin,
    sparsemax,
)
from funcnn.layers.noise import gumbel_softmax
from funcnn.layers.surrogate import gradient_reversal, straight_through


def simple(kind: str) -> Translation:
    """Return the translation of a function that is an operator of its own."""
    return lambda g, x: unary(g, kind, x)


def clip(g: Graph, low: float, high: float, x: Tensor) -> Tensor:
    return unary(g, "Clip", x, g.number(low), g.number(high))


def elu(g: Graph, alpha: float, x: Tensor) -> Tensor:
    if alpha == 1 or x.dtype == np.float32:
        return unary(g, "Elu", x, alpha=alpha)
    return where(g, compare(g, "Greater", x, 0.0), x, multiply(g, unary(g, "Elu", x, alpha=1.0), alpha))


def celu(g: Graph, alpha: float, x: Tensor) -> Tensor:
    return multiply(g, elu(g, 1.0, divide(g, x, alpha)), alpha)


def selu(g: Graph, x: Tensor) -> Tensor:
    return multiply(g, elu(g, exponential_units.ALPHA, x), exponential_units.LAMBDA)


def leaky_relu(g: Graph, slope: float, x: Tensor) -> Tensor:
    if x.dtype == np.float32:
        return unary(g, "LeakyRelu", x, alpha=slope)
    return where(g, compare(g, "Greater", x, 0.0), x, multiply(g, x, slope))


def swish(g: Graph, beta: float, x: Tensor) -> Tensor:
    return multiply(g, x, unary(g, "Sigmoid", multiply(g, x, beta)))


def silu(g: Graph, x: Tensor) -> Tensor:
    return multiply(g, x, unary(g, "Sigmoid", x))


def sharp_softplus(g: Graph, beta: float, x: Tensor) -> Tensor:
    return divide(g, unary(g, "Softplus", multiply(g, x, beta)), beta)


def bent_softplus(g: Graph, beta: float, threshold: float, x: Tensor) -> Tensor:
    return where(g, compare(g, "Greater", multiply(g, x, beta), threshold), x, sharp_softplus(g, beta, x))


def log_sigmoid(g: Graph, x: Tensor) -> Tensor:
    return unary(g, "Neg", unary(g, "Softplus", unary(g, "Neg", x)))


def gelu_by_erf(g: Graph, x: Tensor) -> Tensor:
    normal = multiply(g, add(g, unary(g, "Erf", multiply(g, x, math.sqrt(0.5))), 1.0), 0.5)
    return multiply(g, x, normal)


def gelu_by_tanh(g: Graph, x: Tensor) -> Tensor:
    """X sigma(v), v the cubic: the same as x (1 + tanh(v / 2)) / 2."""
    cubic = multiply(g, add(g, multiply(g, multiply(g, x, x), float(gelu.CUBIC)), float(gelu.LINEAR)), x)
    return multiply(g, x, unary(g, "Sigmoid", cubic))


def hard_sigmoid(g: Graph, x: Tensor) -> Tensor:
    return divide(g, clip(g, 0.0, 6.0, add(g, x, 3.0)), 6.0)


def ramp(g: Graph, slope: float, shift: float, x: Tensor) -> Tensor:
    return clip(g, 0.0, 1.0, add(g, multiply(g, x, slope), shift))


def hard_swish(g: Graph, x: Tensor) -> Tensor:
    return multiply(g, x, hard_sigmoid(g, x))


def sine(g: Graph, frequency: float, x: Tensor) -> Tensor:
    return unary(g, "Sin", multiply(g, x, frequency))


def snake(g: Graph, alpha: float, x: Tensor) -> Tensor:
    s = sine(g, alpha, x)
    return add(g, x, divide(g, multiply(g, s, s), alpha))


def squared_relu(g: Graph, x: Tensor) -> Tensor:
    y = unary(g, "Relu", x)
    return multiply(g, y, y)


def softshrink(g: Graph, threshold: float, x: Tensor) -> Tensor:
    return subtract(g, x, clip(g, -threshold, threshold, x))


def hardshrink(g: Graph, threshold: float, x: Tensor) -> Tensor:
    return where(g, compare(g, "LessOrEqual", unary(g, "Abs", x), threshold), 0.0, x)


def tanhshrink(g: Graph, x: Tensor) -> Tensor:
    return subtract(g, x, unary(g, "Tanh", x))


def log_of_cosh(g: Graph, x: Tensor) -> Tensor:
    size = unary(g, "Abs", x)
    return subtract(g, add(g, size, unary(g, "Softplus", multiply(g, size, -2.0))), math.log(2))


def squareplus(g: Graph, b: float, x: Tensor) -> Tensor:
    return multiply(g, add(g, x, unary(g, "Sqrt", add(g, multiply(g, x, x), b))), 0.5)


def threshold(g: Graph, least: float, value: float, x: Tensor) -> Tensor:
    return where(g, compare(g, "LessOrEqual", x, least), value, x)


def mish_by_softplus(g: Graph, x: Tensor) -> Tensor:
    return multiply(g, x, unary(g, "Tanh", unary(g, "Softplus", x)))


VALUES: dict[Callable[..., Any], Translation] = {
    positive_part: simple("Relu"),
    tanh: simple("Tanh"),
    np.exp: simple("Exp"),
    sigmoids.sigmoid_value: simple("Sigmoid"),
    sigmoids.softplus_value: simple("Softplus"),
    sigmoids.sharp_softplus_value: sharp_softplus,
    sigmoids.bent_softplus_value: bent_softplus,
    sigmoids.log_sigmoid_value: log_sigmoid,
    sigmoids.silu_value: silu,
    sigmoids.swish_value: swish,
    gelu.gelu_value: gelu_by_erf,
    gelu.approximate_value: gelu_by_tanh,
    clipped.clipped: clip,
    clipped.hard_sigmoid_value: hard_sigmoid,
    clipped.ramp_value: ramp,
    clipped.hard_swish_value: hard_swish,
    algebraic.softsign_value: simple("Softsign"),
    algebraic.squareplus_value: squareplus,
    exponential_units.celu_value: celu,
    exponential_units.selu_value: selu,
    rectifiers.elu_value: elu,
    rectifiers.leaky_relu_value: leaky_relu,
    periodic.sine_value: sine,
    periodic.snake_value: snake,
    relu_squared.relu_squared_value: squared_relu,
    gated.rectified: simple("Relu"),
    mish.mish_value: mish_by_softplus,
    log_cosh.log_cosh_value: log_of_cosh,
    shrinkage.softshrink_value: softshrink,
    shrinkage.hardshrink_value: hardshrink,
    shrinkage.tanhshrink_value: tanhshrink,
    shrinkage.threshold_value: threshold,
}


def value(g: Graph, function: Callable[..., Any], x: Tensor) -> Tensor:
    """Write a function of single entries."""
    inner, args, keywords = unwrapped(function)
    if inner not in VALUES:
        raise g.refuse(f"the function {getattr(inner, '__name__', inner)!r} of its entries has no translation")
    made: Tensor = VALUES[inner](g, *args, x, **keywords)
    return made


# Any: the parameters and states of layers of all types.


def keeping_output(g: Graph, function: Callable[..., Any], params: Any, state: Any, x: Tensor) -> Tensor:
    return value(g, function, x)


def keeping_slope(g: Graph, function: Callable[..., Any], *others: Any) -> Tensor:
    """Write the function; others are its derivatives, the parameters, the state and the input."""
    return value(g, function, others[-1])


def gate(g: Graph, axis: int, function: Callable[..., Any], *others: Any) -> Tensor:
    """Write the product of one half with the function of the other; others are as for :func:`keeping_slope`."""
    x: Tensor = others[-1]
    half = x.shape[axis % x.ndim - 1] // 2
    a, b = split(g, x, axis, (half, half))
    return multiply(g, a, value(g, function, b))


def learned_slope(g: Graph, shared: bool, params: Any, state: Any, x: Tensor) -> Tensor:
    negative = multiply(g, unary(g, "Min", x, g.number(0.0)), g.constant(params.slope, "slope"))
    return add(g, unary(g, "Relu", x), negative)


def mean_slope(g: Graph, low: float, high: float, params: Any, state: Any, x: Tensor) -> Tensor:
    return leaky_relu(g, (low + high) / 2, x)


def along_axis(g: Graph, kind: str, axis: int, x: Tensor) -> Tensor:
    if x.channels_first and axis % x.ndim == x.ndim - 1:
        return unary(g, kind, x, axis=1)
    return unary(g, kind, g.channels_last(x), axis=axis)


def soft_maximum(g: Graph, axis: int, params: Any, state: Any, x: Tensor) -> Tensor:
    return along_axis(g, "Softmax", axis, x)


def log_soft_maximum(g: Graph, axis: int, params: Any, state: Any, x: Tensor) -> Tensor:
    return along_axis(g, "LogSoftmax", axis, x)


def soft_minimum(g: Graph, axis: int, params: Any, state: Any, x: Tensor) -> Tensor:
    return along_axis(g, "Softmax", axis, unary(g, "Neg", x))


def cooled(g: Graph, temperature: float, params: Any, state: Any, x: Tensor) -> Tensor:
    return along_axis(g, "Softmax", -1, divide(g, x, temperature))


def sorted_lines(g: Graph, axis: int, x: Tensor) -> tuple[Tensor, Tensor, Tensor, int]:
    """Return x with the axis last and less its maximum, its numbers falling, the places 1, 2, ... and their count."""
    z = swap(g, x, axis % x.ndim, x.ndim - 1)
    z = subtract(g, z, over(g, "ReduceMax", z, (-1,), keep=True))
    count = z.shape[-1]
    falling, _ = g.outputs("TopK", [z, g.integers(count)], ("values", "indices"), axis=-1, largest=1, sorted=1)
    return z, evolve(falling, shape=z.shape, dtype=z.dtype), g.constant(np.arange(1, count + 1, dtype=z.dtype), "places"), count


def running_sum(g: Graph, x: Tensor) -> Tensor:
    return g.node("CumSum", [x, g.constant(np.asarray(x.ndim - 1, np.int64), "axis")], x.shape)


def at_last(g: Graph, holds: Tensor, values: Tensor) -> Tensor:
    """Return the values at the last place up to which a condition holds, (..., 1)."""
    counted = over(g, "ReduceSum", cast(g, holds, np.int64), (-1,), keep=True)
    index = binary(g, "Sub", counted, 1)
    return g.node("GatherElements", [values, index], index.shape, axis=values.ndim - 1)


def sparse(g: Graph, axis: int, params: Any, state: Any, x: Tensor) -> Tensor:
    z, falling, places, _ = sorted_lines(g, axis, x)
    sums = running_sum(g, falling)
    tau = divide(g, subtract(g, sums, 1.0), places)
    least = at_last(g, compare(g, "Greater", add(g, multiply(g, falling, places), 1.0), sums), tau)
    return swap(g, unary(g, "Relu", subtract(g, z, least)), axis % x.ndim, x.ndim - 1)


def half_sparse(g: Graph, axis: int, params: Any, state: Any, x: Tensor) -> Tensor:
    z, falling, places, _ = sorted_lines(g, axis, divide(g, x, 2.0))
    mean = divide(g, running_sum(g, falling), places)
    deviations = subtract(g, running_sum(g, multiply(g, falling, falling)), multiply(g, multiply(g, mean, mean), places))
    room = unary(g, "Relu", subtract(g, 1.0, deviations))
    taus = subtract(g, mean, unary(g, "Sqrt", divide(g, room, places)))
    holds = binary(g, "And", compare(g, "LessOrEqual", deviations, 1.0), compare(g, "LessOrEqual", taus, falling), bool)
    roots = unary(g, "Relu", subtract(g, z, at_last(g, holds, taus)))
    return swap(g, multiply(g, roots, roots), axis % x.ndim, x.ndim - 1)


def same(g: Graph, strength: float, params: Any, state: Any, x: Tensor) -> Tensor:
    return x


def step(g: Graph, steps: str, params: Any, state: Any, x: Tensor) -> Tensor:
    return unary(g, {"round": "Round", "sign": "Sign"}[steps], x)


TRANSLATIONS: dict[Callable[..., Any], Translation] = {
    elementwise.forward_keeping_output: keeping_output,
    elementwise.forward_keeping_slope: keeping_slope,
    gated.forward: gate,
    prelu.forward: learned_slope,
    rrelu.forward: mean_slope,
    softmax.forward: soft_maximum,
    softmax.forward_log: log_soft_maximum,
    softmin.forward: soft_minimum,
    gumbel_softmax.forward: cooled,
    sparsemax.forward: sparse,
    entmax15.forward: half_sparse,
    gradient_reversal.forward: same,
    straight_through.forward: step,
}
