"""Layers that run with another weight than the one in their parameters: what weight and spectral normalization share."""

from typing import Protocol, TypeVar

import attrs

from funcnn.errors import check_integer, describe
from funcnn.typing import Array


class HasWeight(Protocol):
    """Parameters with a leaf called ``weight``, such as those of dense layers and convolutions."""

    @property
    def weight(self) -> Array:
        """The weight."""
        ...


P = TypeVar("P", bound=HasWeight)


def check_weight(params: HasWeight, name: str) -> None:
    """Raise unless a layer's parameters have a weight of two axes or more."""
    weight: object = getattr(params, "weight", None)
    if not attrs.has(type(params)) or not isinstance(getattr(weight, "shape", None), tuple):
        raise TypeError(f"{name} needs a layer whose parameters have a weight, got {describe(params)}")
    if params.weight.ndim < 2:
        raise ValueError(f"{name} needs a weight of at least two axes, got shape {params.weight.shape}")


def with_weight(params: P, weight: Array) -> P:
    """Return the parameters with another weight."""
    return attrs.evolve(params, weight=weight)  # type: ignore[misc]  # a record of attrs: check_weight has seen to it


def check_axis(axis: int) -> int:
    """Return the outputs' axis as a Python int; raise unless it is one of the last two."""
    axis = check_integer(axis, "axis", "-1 or -2")
    if axis not in (-1, -2):
        raise ValueError(f"axis is {axis}, expected -1 or -2: the outputs' place in a weight (..., I, O) or (..., O, I)")
    return axis
