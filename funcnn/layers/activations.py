"""Activations."""

import numpy as np

from funcnn.layer import Layer
from funcnn.layers import elementwise
from funcnn.typing import Array, Empty


def relu() -> Layer[Empty, Empty, Array, Array]:
    """Rectified linear unit."""
    return elementwise.from_output("relu", relu_value, relu_pullback)


def relu_value(x: Array) -> Array:
    return np.maximum(x, 0)


def relu_pullback(y: Array, dy: Array) -> Array:
    return dy * (y > 0)


def tanh() -> Layer[Empty, Empty, Array, Array]:
    """Tanh."""
    return elementwise.from_output("tanh", np.tanh, tanh_pullback)


def tanh_pullback(y: Array, dy: Array) -> Array:
    return dy * (1 - y * y)
