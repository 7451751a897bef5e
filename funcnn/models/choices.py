"""The activations that a ready model takes by name."""

from collections.abc import Callable

from funcnn.layer import Layer
from funcnn.layers.gelu import gelu
from funcnn.layers.rectifiers import elu, leaky_relu, relu
from funcnn.layers.sigmoids import sigmoid, silu, softplus, tanh
from funcnn.typing import Array, Empty

_ACTIVATIONS: dict[str, Callable[[], Layer[Empty, Empty, Array, Array]]] = {
    "relu": relu,
    "leaky_relu": leaky_relu,
    "elu": elu,
    "gelu": gelu,
    "silu": silu,
    "softplus": softplus,
    "tanh": tanh,
    "sigmoid": sigmoid,
}


def activation_named(name: str) -> Layer[Empty, Empty, Array, Array]:
    """Return an activation by the name of its factory."""
    if name not in _ACTIVATIONS:
        raise ValueError(f"activation is {name!r}, expected one of {', '.join(_ACTIVATIONS)}")
    return _ACTIVATIONS[name]()
