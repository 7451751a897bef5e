"""Weights that are drawn one like the other, whatever the shape."""

import math
from functools import partial

import numpy as np

from funcnn.errors import check_range
from funcnn.initializers.initializer import Initializer
from funcnn.kernels.weight_shape import check_drawn
from funcnn.key import Key
from funcnn.tree import freeze
from funcnn.typing import Array, Shape


def uniform(low: float = -0.05, high: float = 0.05) -> Initializer:
    """Return the initializer that draws from the uniform distribution on [low, high).

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.initializers.uniform(0, 1)(fn.Key(0), (2,))
    array([0.63696169, 0.26978671])
    """
    low = check_range(low, "low", -math.inf, math.inf, open_low=True, open_high=True)
    high = check_range(high, "high", low, math.inf, open_low=True, open_high=True)
    return partial(draw_uniform, low, high)


def draw_uniform(low: float, high: float, key: Key, shape: Shape) -> Array:
    """Return what the initializer of :func:`uniform` draws."""
    check_drawn(key, shape)
    return freeze(key.generator().uniform(low, high, shape))


def normal(std: float = 0.01, *, mean: float = 0.0) -> Initializer:
    """Return the initializer that draws from the normal distribution.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.initializers.normal(1.0)(fn.Key(0), (2,))
    array([ 0.12573022, -0.13210486])
    """
    std = check_range(std, "std", 0, math.inf, open_high=True)
    mean = check_range(mean, "mean", -math.inf, math.inf, open_low=True, open_high=True)
    return partial(draw_normal, std, mean)


def draw_normal(std: float, mean: float, key: Key, shape: Shape) -> Array:
    """Return what the initializer of :func:`normal` draws."""
    check_drawn(key, shape)
    return freeze(key.generator().normal(mean, std, shape))


def truncated_normal(std: float = 0.01, *, mean: float = 0.0, bound: float = 2.0) -> Initializer:
    """Return the initializer that draws from the normal distribution, again and again until |x - mean| <= bound * std.

    Parameters
    ----------
    std, mean : float, optional
        Of the distribution before it is cut: cut at two standard deviations, the numbers have 0.88 of it.
    bound : float, optional
        Where it is cut, in standard deviations; at least 0.1.

    Examples
    --------
    >>> import funcnn as fn
    >>> float(abs(fn.initializers.truncated_normal(1.0)(fn.Key(0), (1000,))).max()) <= 2
    True
    """
    std = check_range(std, "std", 0, math.inf, open_high=True)
    mean = check_range(mean, "mean", -math.inf, math.inf, open_low=True, open_high=True)
    bound = check_range(bound, "bound", 0.1, math.inf)
    return partial(draw_truncated_normal, std, mean, bound)


def draw_truncated_normal(std: float, mean: float, bound: float, key: Key, shape: Shape) -> Array:
    """Return what the initializer of :func:`truncated_normal` draws."""
    check_drawn(key, shape)
    generator = key.generator()
    x = generator.standard_normal(shape)
    outside = np.abs(x) > bound
    while outside.any():
        x[outside] = generator.standard_normal(np.count_nonzero(outside))
        outside = np.abs(x) > bound
    x *= std
    x += mean
    return freeze(x)
