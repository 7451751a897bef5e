"""The activations that a ready model takes by name."""

from collections.abc import Callable

from funcnn.errors import check_choice, shown
from funcnn.kernels.windows import check_at_least, entries_of
from funcnn.layer import Layer
from funcnn.layers.activations.gelu import gelu
from funcnn.layers.activations.rectifiers import elu, leaky_relu, relu
from funcnn.layers.activations.sigmoids import sigmoid, silu, softplus, tanh
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


MOST_LAYERS = 10_000
"""A bound on how often a model repeats a part: far beyond every network in use, and reached before memory is full."""


def activation_named(name: str, what: str = "activation") -> Layer[Empty, Empty, Array, Array]:
    """Return an activation by the name of its factory."""
    return _ACTIVATIONS[check_choice(name, tuple(_ACTIVATIONS), what)]()


def check_widths(widths: tuple[int, ...], what: str, *, empty: bool = True) -> tuple[int, ...]:
    """Return the widths of a model's layers, a tuple (or a list) of integers of at least 1, as a tuple of ints, or raise."""
    wanted = "a tuple of integers of at least 1, such as (16, 32)"
    entries = entries_of(widths)
    if entries is None:
        raise TypeError(f"{what} is {shown(widths)}, expected {wanted}")
    if not (entries or empty):
        raise ValueError(f"{what} is empty, expected {wanted}")
    if len(entries) > MOST_LAYERS:
        raise ValueError(f"{what} has {len(entries)} entries, expected at most {MOST_LAYERS}")
    return tuple([check_at_least(one, what, 1, wanted) for one in entries])
