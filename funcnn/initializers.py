"""Initialisers: ``(key, shape) -> array``, pure and read-only results.

The fans of a weight of shape (..., I, O) are fan_in = r I and fan_out = r O, where r is the product of the leading axes (the
receptive
field of a convolution's kernel).
"""

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from funcnn.key import Key
from funcnn.tree import freeze
from funcnn.typing import Array, Shape

Initializer: TypeAlias = Callable[[Key, Shape], Array]


def zeros(key: Key, shape: Shape) -> Array:
    """Return zeros."""
    return freeze(np.zeros(shape))


def ones(key: Key, shape: Shape) -> Array:
    """Return ones."""
    return freeze(np.ones(shape))


def fans(shape: Shape) -> tuple[int, int]:
    """Return (fan_in, fan_out) of a weight's shape."""
    if len(shape) < 2:
        raise ValueError(f"a weight needs at least two axes to have fans, got shape {shape}")
    receptive = math.prod(shape[:-2])
    return receptive * shape[-2], receptive * shape[-1]


def glorot_uniform(key: Key, shape: Shape) -> Array:
    """Draw from the uniform distribution with variance 2 / (fan_in + fan_out) (Glorot and Bengio 2010, eq. 16)."""
    limit = math.sqrt(6.0 / sum(fans(shape)))
    return freeze(key.generator().uniform(-limit, limit, shape))


def he_normal(key: Key, shape: Shape) -> Array:
    """Draw from the normal distribution with variance 2 / fan_in (He et al. 2015, eq. 10), for relu."""
    return freeze(key.generator().normal(0.0, math.sqrt(2.0 / fans(shape)[0]), shape))
