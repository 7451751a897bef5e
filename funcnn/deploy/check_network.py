"""What every export looks at first: a layer, and trees of arrays for it."""

from __future__ import annotations

from funcnn import tree
from funcnn.layer import check_layer


def check_network(model: object, params: object, state: object) -> None:
    """Raise a TypeError that names the argument unless a network is a layer, with trees as parameters and state."""
    check_layer(model, "model")
    for name, value in (("params", params), ("state", state)):
        try:
            tree.leaves(value)
        except (TypeError, ValueError) as error:
            raise TypeError(f"{name} is no tree of arrays: {error}") from None
