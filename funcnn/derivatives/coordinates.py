"""The coordinates of an input in which a network is differentiated."""

from __future__ import annotations

from typing import Any

from funcnn.errors import check_count, shown


def checked_inputs(inputs: object) -> tuple[int, ...] | None:
    """Return the positions of chosen inputs; None stands for all of them."""
    if inputs is None:
        return None
    if not isinstance(inputs, (tuple, list)) or not len(inputs):
        raise TypeError(f"inputs is {shown(inputs)}, expected positions of inputs such as (0, 1)")
    numbers = tuple([check_count(one, "a position in inputs", least=0, most=1_000_000) for one in inputs])
    if len(set(numbers)) < len(numbers):
        raise ValueError(f"inputs is {shown(inputs)}, expected each position once")
    return numbers


def chosen(inputs: tuple[int, ...] | None, in_shape: Any) -> tuple[int, ...]:
    """Return the positions for inputs of a shape; raise where there is no such."""
    if len(in_shape) != 1 or isinstance(in_shape[0], tuple):
        raise ValueError(f"an example has shape {in_shape}, expected (D,): one axis of inputs in which to differentiate")
    numbers = tuple(range(in_shape[0])) if inputs is None else inputs
    if max(numbers) >= in_shape[0]:
        raise ValueError(f"inputs has the position {max(numbers)}, and an example has {in_shape[0]} inputs, counted from 0")
    return numbers


def unit_vectors(inputs: tuple[int, ...] | None, in_shape: Any) -> tuple[tuple[float, ...], ...]:
    """Return the directions of chosen inputs."""
    numbers = chosen(inputs, in_shape)
    return tuple([tuple([float(place == number) for place in range(in_shape[0])]) for number in numbers])
