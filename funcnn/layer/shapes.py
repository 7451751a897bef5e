"""The shapes that a layer is made for."""

from __future__ import annotations

from typing import cast

import numpy as np

from funcnn.errors import shown
from funcnn.key import Key, check_key
from funcnn.typing import Shape, Shapes


def check_init(key: Key, in_shape: Shapes) -> None:
    """Raise unless a key is one, and the shape one of an example, or a tuple of the shapes of several inputs, however nested."""
    check_key(key)
    _check_shapes(in_shape, in_shape)


def _check_shapes(shape: object, whole: object) -> None:
    wanted = "the shape of one example, a tuple such as (64,), or a tuple of such shapes"
    if not isinstance(shape, tuple):
        raise TypeError(f"in_shape is {shown(whole)}, expected {wanted}")
    for entry in shape:
        if isinstance(entry, tuple):
            _check_shapes(entry, whole)
        elif isinstance(entry, bool) or not isinstance(entry, (int, np.integer)) or entry < 1:
            raise ValueError(f"in_shape is {shown(whole)}: {shown(entry)} is no length of at least 1, expected {wanted}")


def checked_shape(shape: Shapes) -> Shape:
    """Return the shape of one example, a tuple of integers of at least 1; raise when it is anything else."""
    if not isinstance(shape, tuple):
        raise TypeError(f"in_shape is the shape of one example as a tuple such as (64,), got {shown(shape)}")
    if shape and all(isinstance(one, tuple) for one in shape):
        raise ValueError(
            f"in_shape {shown(shape)} is that of several inputs, expected that of one: a layer of one's own is made for several"
            f" inputs by define_layer(..., inputs={len(shape)})"
        )
    for axis, length in enumerate(shape):
        if isinstance(length, bool) or not isinstance(length, (int, np.integer)) or length < 1:
            raise ValueError(f"in_shape {shown(shape)}: axis {axis} is {shown(length)}, expected an integer of at least 1")
    return cast(Shape, shape)
