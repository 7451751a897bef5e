"""What is known of a published architecture: its configuration, its network, and the names of its tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from attrs import frozen

from funcnn.initializers import Initializer
from funcnn.layer import AnyLayer, Layer
from funcnn.layers.activations.gelu import gelu
from funcnn.layers.activations.rectifiers import relu
from funcnn.layers.activations.sigmoids import silu, tanh
from funcnn.models.pretrained.configuration import Configuration, Fields
from funcnn.models.pretrained.table import Table
from funcnn.typing import Array, Empty, Shapes

ACTIVATIONS: Mapping[str, Callable[[], Layer[Empty, Empty, Array, Array]]] = {
    "gelu": gelu,
    "gelu_new": lambda: gelu(approximate=True),
    "gelu_pytorch_tanh": lambda: gelu(approximate=True),
    "relu": relu,
    "silu": silu,
    "swish": silu,
    "tanh": tanh,
}
"""The activations by the names that configurations have for them."""


@frozen(eq=False)
class Network:
    """A network as a configuration wants it, without its weights."""

    model: AnyLayer  # Any: which layers there are is known only when a configuration has been read
    in_shape: Shapes
    """The shape of an input that its parameters can be made for."""
    table: Table


@frozen
class Architecture:
    """A kind of network."""

    name: str
    fields: Fields
    build: Callable[[Configuration, Initializer], Network]
    """Makes the network; its weights begin as the initializer says, its biases at 0."""
