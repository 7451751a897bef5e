"""Cases of activations: the middle, both tails, kinks and ties."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import funcnn as fn
from funcnn.certificate.cases.case import LayerCase
from funcnn.certificate.cases.draws import kinked, saturating, tied, wide
from funcnn.layer import AnyLayer
from funcnn.typing import Array, Shape


def activation(
    make: Callable[[], AnyLayer], label: str = "", inputs: Callable[[np.random.Generator, Shape], Array] = wide
) -> LayerCase:
    """Make the case of an elementwise layer."""
    return LayerCase(make, (5,), batch=4, inputs=inputs, smooth=inputs is not kinked, label=label)


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
        activation(lambda: fn.elu(0.7), "kink", kinked),
        activation(lambda: fn.elu(), "saturated", saturating),
    ),
    "tanh": (activation(lambda: fn.tanh()), activation(lambda: fn.tanh(), "saturated", saturating)),
    "sigmoid": (activation(lambda: fn.sigmoid()), activation(lambda: fn.sigmoid(), "saturated", saturating)),
    "softplus": (activation(lambda: fn.softplus()), activation(lambda: fn.softplus(), "saturated", saturating)),
    "silu": (activation(lambda: fn.silu()), activation(lambda: fn.silu(), "saturated", saturating)),
    "gelu": (
        activation(lambda: fn.gelu()),
        activation(lambda: fn.gelu(approximate=True), "approximate"),
        activation(lambda: fn.gelu(), "saturated", saturating),
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
}
