"""Weights whose variance is set by the size of the layer: the family of Glorot, He and LeCun."""

import math
from functools import partial
from typing import Literal, TypeAlias, get_args

from funcnn.errors import check_choice, check_range
from funcnn.initializers.distributions import draw_normal, draw_truncated_normal, draw_uniform
from funcnn.initializers.initializer import Initializer
from funcnn.kernels.weight_shape import check_drawn, fans
from funcnn.key import Key
from funcnn.typing import Array, Shape

Fan: TypeAlias = Literal["fan_in", "fan_out", "fan_avg"]
Distribution: TypeAlias = Literal["uniform", "normal", "truncated_normal"]


def variance_scaling(scale: float = 1.0, fan: Fan = "fan_in", distribution: Distribution = "normal") -> Initializer:
    """Return the initializer that draws with mean 0 and variance ``scale / fan``: the family of Glorot, He and LeCun.

    ``variance_scaling(1 / 3, "fan_in", "uniform")`` is what PyTorch starts dense layers and convolutions with.

    Parameters
    ----------
    scale : float, optional
        More than 0.
    fan : {"fan_in", "fan_out", "fan_avg"}, optional
        Number of inputs, of outputs, or their mean.
    distribution : {"normal", "truncated_normal", "uniform"}, optional
        The truncated normal is cut at two standard deviations and widened so that the variance is still the one stated.

    Raises
    ------
    ValueError
        For an unknown fan or distribution, or a scale that is not positive and finite.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.initializers.variance_scaling(2.0, "fan_in", "uniform")(fn.Key(0), (64, 32)).shape
    (64, 32)
    """
    scale = check_range(scale, "scale", 0, math.inf, open_low=True, open_high=True)
    fan = check_choice(fan, get_args(Fan), "fan")
    distribution = check_choice(distribution, get_args(Distribution), "distribution")
    return partial(_variance_scaling, scale, fan, distribution)


# The standard deviation of a standard normal number that is cut at plus and minus 2: sqrt(1 - 4 phi(2) / (2 Phi(2) - 1)).
_CUT_STD = math.sqrt(1 - 4 * math.exp(-2) / math.sqrt(2 * math.pi) / math.erf(math.sqrt(2)))


def _variance_scaling(scale: float, fan: Fan, distribution: Distribution, key: Key, shape: Shape) -> Array:
    check_drawn(key, shape)
    fan_in, fan_out = fans(shape)
    mean = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[fan]
    std = math.sqrt(scale / max(1, mean))  # 0 of a weight without numbers
    if distribution == "uniform":
        return draw_uniform(
            -math.sqrt(3) * std, math.sqrt(3) * std, key, shape
        )  # a uniform number on [-a, a) has variance a^2 / 3
    if distribution == "normal":
        return draw_normal(std, 0.0, key, shape)
    return draw_truncated_normal(std / _CUT_STD, 0.0, 2.0, key, shape)


def glorot_uniform(key: Key, shape: Shape) -> Array:
    """Draw uniformly with variance 2 / (fan_in + fan_out), for tanh (Glorot and Bengio 2010, eq. 16).

    Examples
    --------
    >>> import funcnn as fn
    >>> float(abs(fn.initializers.glorot_uniform(fn.Key(0), (3, 3))).max()) <= 1
    True
    """
    return _variance_scaling(1.0, "fan_avg", "uniform", key, shape)


def glorot_normal(key: Key, shape: Shape) -> Array:
    """Draw normally with variance 2 / (fan_in + fan_out), for tanh (Glorot and Bengio 2010, eq. 12).

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.initializers.glorot_normal(fn.Key(0), (3, 2)).shape
    (3, 2)
    """
    return _variance_scaling(1.0, "fan_avg", "normal", key, shape)


def glorot_truncated_normal(key: Key, shape: Shape) -> Array:
    """Draw normally, but within 2.27 deviations, with variance 2 / (fan_in + fan_out): ``glorot_normal`` without outliers.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.initializers.glorot_truncated_normal(fn.Key(0), (3, 2)).shape
    (3, 2)
    """
    return _variance_scaling(1.0, "fan_avg", "truncated_normal", key, shape)


def he_uniform(key: Key, shape: Shape) -> Array:
    """Draw uniformly with variance 2 / fan_in, for relu (He et al. 2015, eq. 10).

    Examples
    --------
    >>> import funcnn as fn
    >>> float(abs(fn.initializers.he_uniform(fn.Key(0), (6, 3))).max()) <= 1
    True
    """
    return _variance_scaling(2.0, "fan_in", "uniform", key, shape)


def he_normal(key: Key, shape: Shape) -> Array:
    """Draw normally with variance 2 / fan_in, for relu (He et al. 2015, eq. 10).

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.initializers.he_normal(fn.Key(0), (3, 2)).shape
    (3, 2)
    """
    return _variance_scaling(2.0, "fan_in", "normal", key, shape)


def he_truncated_normal(key: Key, shape: Shape) -> Array:
    """Draw normally, but within 2.27 deviations, with variance 2 / fan_in: ``he_normal`` without outliers.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.initializers.he_truncated_normal(fn.Key(0), (3, 2)).shape
    (3, 2)
    """
    return _variance_scaling(2.0, "fan_in", "truncated_normal", key, shape)


def lecun_uniform(key: Key, shape: Shape) -> Array:
    """Draw uniformly with variance 1 / fan_in (LeCun et al. 1998, Efficient BackProp, eq. 16).

    Examples
    --------
    >>> import funcnn as fn
    >>> float(abs(fn.initializers.lecun_uniform(fn.Key(0), (3, 3))).max()) <= 1
    True
    """
    return _variance_scaling(1.0, "fan_in", "uniform", key, shape)


def lecun_normal(key: Key, shape: Shape) -> Array:
    """Draw normally with variance 1 / fan_in, for selu (LeCun et al. 1998, Efficient BackProp, eq. 16).

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.initializers.lecun_normal(fn.Key(0), (3, 2)).shape
    (3, 2)
    """
    return _variance_scaling(1.0, "fan_in", "normal", key, shape)


def lecun_truncated_normal(key: Key, shape: Shape) -> Array:
    """Draw normally, but within 2.27 deviations, with variance 1 / fan_in: ``lecun_normal`` without outliers.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.initializers.lecun_truncated_normal(fn.Key(0), (3, 2)).shape
    (3, 2)
    """
    return _variance_scaling(1.0, "fan_in", "truncated_normal", key, shape)
