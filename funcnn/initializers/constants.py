"""Weights that are all the same number."""

import math
from functools import partial

import numpy as np

from funcnn.errors import check_range
from funcnn.initializers.initializer import Initializer
from funcnn.kernels.weight_shape import check_drawn
from funcnn.key import Key
from funcnn.tree import freeze
from funcnn.typing import Array, Shape


def zeros(key: Key, shape: Shape) -> Array:
    """Return zeros.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.initializers.zeros(fn.Key(0), (2,))
    array([0., 0.])
    """
    check_drawn(key, shape)
    return freeze(np.zeros(shape))


def ones(key: Key, shape: Shape) -> Array:
    """Return ones.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.initializers.ones(fn.Key(0), (2,))
    array([1., 1.])
    """
    check_drawn(key, shape)
    return freeze(np.ones(shape))


def constant(value: float) -> Initializer:
    """Return the initializer that fills with one number.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.initializers.constant(0.5)(fn.Key(0), (2,))
    array([0.5, 0.5])
    """
    value = check_range(value, "value", -math.inf, math.inf, open_low=True, open_high=True)
    return partial(_constant, value)


def _constant(value: float, key: Key, shape: Shape) -> Array:
    check_drawn(key, shape)
    return freeze(np.full(shape, float(value)))
