"""Initializers: ``(key, shape) -> array``, pure, with read-only float64 results.

Those without a setting are initializers themselves (``weight_init=fn.initializers.he_normal``); those with settings are
called first (``weight_init=fn.initializers.normal(0.01)``).

The fans of a weight of shape (..., I, O) are fan_in = r I and fan_out = r O, where r is the product of the leading axes (the
receptive field of a convolution's kernel).  A layer whose weight is of another kind (of groups, depthwise, transposed) hands its
initializer a shape that knows its fans: a tuple like any other, and ``fans(shape)`` gives them to initializers of one's own too.
So outputs have the deviation that an initializer promises, whatever the layer: that of inputs of deviation 1 for ``lecun_normal``
(and for ``glorot_uniform`` where there are as many outputs), 1.41 times it for ``he_normal``.
"""

import inspect
import math
from collections.abc import Callable
from functools import partial
from typing import Literal, TypeAlias, get_args

import numpy as np

from funcnn.errors import check_choice, check_count, check_function, check_range, shown
from funcnn.kernels.weight_shape import check_drawn, fans, groups_of
from funcnn.key import Key
from funcnn.runtime.lazy_imports import listing
from funcnn.tree import freeze

__all__ = [
    "Distribution",
    "Fan",
    "Initializer",
    "constant",
    "dirac",
    "fans",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "identity",
    "lecun_normal",
    "lecun_uniform",
    "normal",
    "ones",
    "orthogonal",
    "sparse",
    "truncated_normal",
    "uniform",
    "variance_scaling",
    "zeros",
]
__dir__ = listing(__name__, __all__)
from funcnn.typing import Array, Shape

Initializer: TypeAlias = Callable[[Key, Shape], Array]

Fan: TypeAlias = Literal["fan_in", "fan_out", "fan_avg"]
Distribution: TypeAlias = Literal["uniform", "normal", "truncated_normal"]

# ------------------------------------------------------------------------------------------------------------ constants


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


# -------------------------------------------------------------------------------------------------------- distributions


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
    return partial(_uniform, low, high)


def _uniform(low: float, high: float, key: Key, shape: Shape) -> Array:
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
    return partial(_normal, std, mean)


def _normal(std: float, mean: float, key: Key, shape: Shape) -> Array:
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
    return partial(_truncated_normal, std, mean, bound)


def _truncated_normal(std: float, mean: float, bound: float, key: Key, shape: Shape) -> Array:
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


# ----------------------------------------------------------------------------------------------- by the size of the layer


def variance_scaling(scale: float = 1.0, fan: Fan = "fan_in", distribution: Distribution = "normal") -> Initializer:
    """Return the initializer that draws with mean 0 and variance ``scale / fan``: the family of Glorot, He and LeCun.

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
        return _uniform(-math.sqrt(3) * std, math.sqrt(3) * std, key, shape)  # a uniform number on [-a, a) has variance a^2 / 3
    if distribution == "normal":
        return _normal(std, 0.0, key, shape)
    return _truncated_normal(std / _CUT_STD, 0.0, 2.0, key, shape)


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


# ---------------------------------------------------------------------------------------------------------- structured


def orthogonal(gain: float = 1.0) -> Initializer:
    """Return the initializer that draws an orthogonal matrix, uniformly among all (Saxe, McClelland and Ganguli 2014).

    The leading axes are merged: a weight (..., I, O) is treated as the matrix (r I, O), that of a convolution in groups as one
    for each group.  Its columns are orthonormal when it is tall, its rows when it is wide, times the gain.  It is the Q of a QR
    decomposition of normal numbers, its columns multiplied by the signs of R's diagonal: without these it would not be uniform
    (Mezzadri 2007, section 5).

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> q = fn.initializers.orthogonal()(fn.Key(0), (5, 3))
    >>> bool(np.allclose(q.T @ q, np.eye(3)))
    True
    """
    gain = check_range(gain, "gain", 0, math.inf, open_low=True, open_high=True)
    return partial(_orthogonal, gain)


def _orthogonal(gain: float, key: Key, shape: Shape) -> Array:
    check_drawn(key, shape)
    fans(shape)
    groups = groups_of(shape)
    generator, size = key.generator(), (math.prod(shape[:-1]), shape[-1] // groups)
    parts = [_rotation(generator, *size) for _ in range(groups)]
    return freeze(np.ascontiguousarray(gain * (parts[0] if groups == 1 else np.concatenate(parts, axis=1))).reshape(shape))


def _rotation(generator: np.random.Generator, rows: int, columns: int) -> Array:
    """Return a matrix with orthonormal columns, or rows if there are fewer of them."""
    q, r = np.linalg.qr(generator.standard_normal((max(rows, columns), min(rows, columns))))
    q *= np.sign(r.diagonal())
    return q if rows >= columns else q.T


def identity(gain: float = 1.0) -> Initializer:
    """Return the initializer that makes the identity matrix times a gain; of a non-square matrix what fits (Le et al. 2015).

    Raises
    ------
    ValueError
        When called with a shape of other than two axes; ``dirac`` is the same for convolutions.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.initializers.identity()(fn.Key(0), (2, 3))
    array([[1., 0., 0.],
           [0., 1., 0.]])
    """
    gain = check_range(gain, "gain", -math.inf, math.inf, open_low=True, open_high=True)
    return partial(_identity, gain)


def _identity(gain: float, key: Key, shape: Shape) -> Array:
    check_drawn(key, shape)
    if len(shape) != 2:
        raise ValueError(f"the identity has two axes, got shape {shape}: use dirac for a convolution")
    return freeze(gain * np.eye(*shape))


def dirac(groups: int | None = None) -> Initializer:
    """Return the initializer with which a convolution gives its input back, as far as there are channels.

    The kernel (..., I / groups, O) is 1 at its centre (of an even length, the upper of the two) where the output channel of a
    group is the input channel of the same number, and 0 elsewhere.

    Parameters
    ----------
    groups : int, optional
        Groups of the convolution; by default those that the layer has.

    Raises
    ------
    ValueError
        When groups is less than 1 or, in the call, O is no multiple of it.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.initializers.dirac()(fn.Key(0), (3, 1, 1))[:, 0, 0]
    array([0., 1., 0.])
    """
    return partial(_dirac, None if groups is None else check_count(groups, "groups"))


def _dirac(groups: int | None, key: Key, shape: Shape) -> Array:
    check_drawn(key, shape)
    fans(shape)
    groups = groups_of(shape) if groups is None else groups
    if shape[-1] % groups:
        raise ValueError(f"{shape[-1]} output channels (kernel of shape {shape}) are no multiple of {groups} groups")
    kernel = np.zeros(shape)
    centre = tuple(length // 2 for length in shape[:-2])
    kernel[centre] = np.tile(np.eye(shape[-2], shape[-1] // groups), groups)
    return freeze(kernel)


def sparse(sparsity: float = 0.9, std: float = 0.01) -> Initializer:
    """Return the initializer that draws normal numbers and puts a part of each unit's weights to 0 (Martens 2010, section 5).

    Parameters
    ----------
    sparsity : float, optional
        Part of each column of the matrix (I, O), the incoming weights of one unit, that is 0, rounded up to a whole number of
        weights.
    std : float, optional
        Standard deviation of the others.

    Raises
    ------
    ValueError
        When the sparsity is not in [0, 1]; in the call, when the shape has other than two axes.

    Examples
    --------
    >>> import funcnn as fn
    >>> (fn.initializers.sparse(0.75)(fn.Key(0), (8, 2)) == 0).sum(0)
    array([6, 6])
    """
    sparsity = check_range(sparsity, "sparsity", 0, 1)
    std = check_range(std, "std", 0, math.inf, open_high=True)
    return partial(_sparse, sparsity, std)


def _sparse(sparsity: float, std: float, key: Key, shape: Shape) -> Array:
    check_drawn(key, shape)
    if len(shape) != 2:
        raise ValueError(f"a sparse weight has two axes, got shape {shape}")
    generator = key.generator()
    x = generator.normal(0.0, std, shape)
    order = generator.random(shape).argsort(0)  # a random permutation of the rows for each column
    np.put_along_axis(x, order[: math.ceil(sparsity * shape[0])], 0.0, axis=0)
    return freeze(x)


def check_initializer(value: Initializer, what: str) -> Initializer:
    """Return an initializer, a function (key, shape) -> array, or raise an error that names the argument.

    Raises
    ------
    TypeError
        When it is no function of two arguments, or a factory of initializers that has yet to be called, such as ``normal``.
    """
    wanted = "an initializer: a function (key, shape) -> array, such as fn.initializers.he_normal"
    check_function(value, what, wanted)
    if getattr(value, "__annotations__", {}).get("return") in (Initializer, "Initializer"):
        raise TypeError(f"{what} is {shown(value)}, which makes initializers, expected one: call it first, such as normal(0.01)")
    try:
        inspect.signature(value).bind(None, None)
    except TypeError:
        raise TypeError(f"{what} is {shown(value)}, which does not take two arguments, expected {wanted}") from None
    except ValueError:  # a function written in C that does not tell its arguments
        pass
    return value
