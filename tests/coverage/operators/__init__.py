"""What torch's functions are in this library: one file for each family."""

from tests.coverage.operators import (
    activations,
    attention,
    class_losses,
    convolutions,
    distances,
    linear,
    losses,
    normalization,
    pooling,
    recurrent,
    shapes,
)

__all__ = [
    "activations",
    "attention",
    "class_losses",
    "convolutions",
    "distances",
    "linear",
    "losses",
    "normalization",
    "pooling",
    "recurrent",
    "shapes",
]
