"""Cases of activations: the middle, both tails, kinks and ties."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import funcnn as fn
from funcnn.certificate.cases.case import LayerCase
from funcnn.certificate.cases.draws import among, kinked, narrow, saturating, tied, wide
from funcnn.layer import AnyLayer
from funcnn.typing import Array, Shape


def activation(
    make: Callable[[], AnyLayer], label: str = "", inputs: Callable[[np.random.Generator, Shape], Array] = wide
) -> LayerCase:
    """Make the case of an elementwise layer."""
    return LayerCase(make, (5,), batch=4, inputs=inputs, smooth=inputs is not kinked, label=label)


def corners(make: Callable[[], AnyLayer], *points: float) -> LayerCase:
    """Make the case of an elementwise layer at its corners."""
    return LayerCase(make, (5,), batch=4, inputs=among(*points), smooth=False, label="corners")


ACTIVATIONS: dict[str, tuple[LayerCase, ...]] = {
    "relu": (activation(lambda: fn.relu()), activation(lambda: fn.relu(), "kink", kinked)),
    "leaky_relu": (
        activation(lambda: fn.leaky_relu()),
        activation(lambda: fn.leaky_relu(0.3), "0.3"),
        activation(lambda: fn.leaky_relu(0.3), "kink", kinked),
    ),
    "elu": (
        activation(lambda: fn.elu()),
        activation(lambda: fn.elu(0.7), "0.7"),
        activation(lambda: fn.elu(2.0), "2"),
        activation(lambda: fn.elu(0.7), "kink", kinked),
        activation(lambda: fn.elu(), "saturated", saturating),
    ),
    "tanh": (activation(lambda: fn.tanh()), activation(lambda: fn.tanh(), "saturated", saturating)),
    "sigmoid": (activation(lambda: fn.sigmoid()), activation(lambda: fn.sigmoid(), "saturated", saturating)),
    "softplus": (
        activation(lambda: fn.softplus()),
        activation(lambda: fn.softplus(), "saturated", saturating),
        activation(lambda: fn.softplus(2.5), "2.5"),
        activation(lambda: fn.softplus(0.5, threshold=1.7), "0.5, threshold 1.7"),
    ),
    "silu": (
        activation(lambda: fn.silu()),
        activation(lambda: fn.silu(), "saturated", saturating),
        activation(lambda: fn.silu(2.5), "2.5"),
    ),
    "quick_gelu": (activation(lambda: fn.quick_gelu()),),
    "sine": (activation(lambda: fn.sine(2.0)),),
    "snake": (activation(lambda: fn.snake(0.7)),),
    "relu_squared": (activation(lambda: fn.relu_squared()), activation(lambda: fn.relu_squared(), "corner", kinked)),
    "entmax15": (
        activation(lambda: fn.entmax15()),
        LayerCase(lambda: fn.entmax15(1), (4, 3), label="axis 1", inputs=narrow),
        LayerCase(lambda: fn.entmax15(), (5,), batch=4, inputs=tied, smooth=False, label="ties"),
    ),
    "gelu": (
        activation(lambda: fn.gelu()),
        activation(lambda: fn.gelu(approximate=True), "approximate"),
        activation(lambda: fn.gelu(), "saturated", saturating),
        LayerCase(lambda: fn.gelu(), (1,), batch=1, inputs=wide, label="one number"),
        LayerCase(lambda: fn.gelu(), (41, 100), batch=2, inputs=wide, label="many numbers", method="screen"),
        LayerCase(lambda: fn.gelu(), (2100,), batch=1, inputs=wide, label="a long row", method="screen"),
        activation(lambda: fn.gelu(approximate=True), "approximate, saturated", saturating),
    ),
    "softmax": (
        activation(lambda: fn.softmax()),
        LayerCase(lambda: fn.softmax(1), (4, 3), label="axis 1"),
        activation(lambda: fn.softmax(), "saturated", saturating),
        activation(lambda: fn.softmax(), "ties", tied),
    ),
    "log_softmax": (
        activation(lambda: fn.log_softmax()),
        LayerCase(lambda: fn.log_softmax(-2), (4, 3), label="axis -2"),
        activation(lambda: fn.log_softmax(), "saturated", saturating),
        activation(lambda: fn.log_softmax(), "ties", tied),
    ),
    "softmin": (
        activation(lambda: fn.softmin()),
        LayerCase(lambda: fn.softmin(1), (4, 3), label="axis 1"),
        activation(lambda: fn.softmin(), "saturated", saturating),
        activation(lambda: fn.softmin(), "ties", tied),
    ),
    "sparsemax": (
        activation(lambda: fn.sparsemax()),
        LayerCase(lambda: fn.sparsemax(), (4, 7), batch=3, label="wide support", inputs=narrow),
        LayerCase(lambda: fn.sparsemax(1), (4, 3), label="axis 1"),
        activation(lambda: fn.sparsemax(), "saturated", saturating),
        LayerCase(lambda: fn.sparsemax(), (5,), batch=4, inputs=tied, smooth=False, label="ties"),
        corners(lambda: fn.sparsemax(), 1.0, 0.5, 0.5, 0.0, -0.5),
    ),
    "relu6": (
        activation(lambda: fn.relu6()),
        activation(lambda: fn.relu6(), "saturated", saturating),
        corners(lambda: fn.relu6(), 0.0, 6.0, 3.0, 7.0, -1.0),
    ),
    "hard_tanh": (
        activation(lambda: fn.hard_tanh()),
        activation(lambda: fn.hard_tanh(-0.5, 3.0), "-0.5 to 3"),
        corners(lambda: fn.hard_tanh(-0.5, 3.0), -0.5, 3.0, 0.0, 4.0, -1.0),
        activation(lambda: fn.hard_tanh(high=float("inf")), "one end"),
    ),
    "hard_sigmoid": (
        activation(lambda: fn.hard_sigmoid()),
        corners(lambda: fn.hard_sigmoid(), -3.0, 3.0, 0.0, 4.0, -4.0),
        activation(lambda: fn.hard_sigmoid(0.2, 0.7), "slope and shift"),
        LayerCase(
            lambda: fn.hard_sigmoid(0.25, 0.75),
            (5,),
            batch=4,
            inputs=among(-3.0, 1.0, 0.0, 4.0, -4.0),
            smooth=False,
            label="corners of another slope",
        ),
    ),
    "hard_swish": (
        activation(lambda: fn.hard_swish()),
        activation(lambda: fn.hard_swish(), "saturated", saturating),
        corners(lambda: fn.hard_swish(), -3.0, 3.0, 0.0, 4.0, -4.0),
    ),
    "prelu": (
        activation(lambda: fn.prelu()),
        LayerCase(lambda: fn.prelu(0.7, shared=True), (2, 5), inputs=wide, label="shared"),
        LayerCase(lambda: fn.prelu(), (2, 5), inputs=wide, label="sequence"),
        LayerCase(lambda: fn.prelu(-1.5), (3,), inputs=wide, label="negative"),
        corners(lambda: fn.prelu(), 0.0, 1.0, -1.0),
        corners(lambda: fn.prelu(shared=True), 0.0, 1.0, -1.0),
    ),
    "rrelu": (
        activation(lambda: fn.rrelu()),
        activation(lambda: fn.rrelu(0.3, 0.9), "0.3 to 0.9"),
        corners(lambda: fn.rrelu(0.3, 0.9), 0.0, 1.0, -1.0),
    ),
    "celu": (
        activation(lambda: fn.celu()),
        activation(lambda: fn.celu(0.7), "0.7"),
        activation(lambda: fn.celu(2.5), "saturated", saturating),
        corners(lambda: fn.celu(0.7), 0.0, 1.0, -1.0),
    ),
    "selu": (
        activation(lambda: fn.selu()),
        activation(lambda: fn.selu(), "saturated", saturating),
        activation(lambda: fn.selu(), "kink", kinked),
    ),
    "mish": (activation(lambda: fn.mish()), activation(lambda: fn.mish(), "saturated", saturating)),
    "log_sigmoid": (activation(lambda: fn.log_sigmoid()), activation(lambda: fn.log_sigmoid(), "saturated", saturating)),
    "softsign": (
        activation(lambda: fn.softsign()),
        activation(lambda: fn.softsign(), "saturated", saturating),
        corners(lambda: fn.softsign(), 0.0, 1.0, -1.0),
    ),
    "squareplus": (
        activation(lambda: fn.squareplus()),
        activation(lambda: fn.squareplus(0.3), "0.3"),
        activation(lambda: fn.squareplus(), "saturated", saturating),
        corners(lambda: fn.squareplus(), 0.0, 2.0, -2.0),
    ),
    "softshrink": (
        activation(lambda: fn.softshrink()),
        activation(lambda: fn.softshrink(1.7), "1.7"),
        corners(lambda: fn.softshrink(), -0.5, 0.5, 0.0, 1.0, -1.0),
    ),
    "hardshrink": (
        activation(lambda: fn.hardshrink()),
        activation(lambda: fn.hardshrink(1.7), "1.7"),
        corners(lambda: fn.hardshrink(), 0.4, -0.4, 0.0, 0.6, -0.6),
    ),
    "tanhshrink": (
        activation(lambda: fn.tanhshrink()),
        activation(lambda: fn.tanhshrink(), "saturated", saturating),
        activation(lambda: fn.tanhshrink(), "near 0", narrow),
    ),
    "threshold": (
        activation(lambda: fn.threshold(0.5, -2.0)),
        corners(lambda: fn.threshold(0.5, 0.5), 0.5, 1.0, 0.0),
        corners(lambda: fn.threshold(0.5, 0.0), 0.4, 0.6, 0.0, 2.0),
    ),
    "exponential": (activation(lambda: fn.exponential()),),
    "log_cosh": (
        activation(lambda: fn.log_cosh()),
        activation(lambda: fn.log_cosh(), "saturated", saturating),
        activation(lambda: fn.log_cosh(), "near 0", narrow),
        corners(lambda: fn.log_cosh(), 0.0, 1.0, -1.0),
    ),
    "glu": (
        LayerCase(lambda: fn.glu(), (6,), inputs=wide),
        LayerCase(lambda: fn.glu(), (2, 4), inputs=wide, label="sequence"),
        LayerCase(lambda: fn.glu(), (6,), inputs=saturating, label="saturated"),
    ),
    "swiglu": (
        LayerCase(lambda: fn.swiglu(), (6,), inputs=wide),
        LayerCase(lambda: fn.swiglu(), (6,), inputs=saturating, label="saturated"),
    ),
    "reglu": (
        LayerCase(lambda: fn.reglu(), (6,), inputs=wide),
        LayerCase(lambda: fn.reglu(1), (4, 3), inputs=wide, label="axis 1"),
    ),
    "geglu": (
        LayerCase(lambda: fn.geglu(), (6,), inputs=wide),
        LayerCase(lambda: fn.geglu(), (6,), inputs=saturating, label="saturated"),
    ),
    "maxout": (
        LayerCase(lambda: fn.maxout(3), (4,), batch=5),
        LayerCase(lambda: fn.maxout(2, 4), (3, 5), label="sequence"),
    ),
}
