"""Initializers: ``(key, shape) -> array``, pure, with read-only float64 results.

Those without a setting are initializers themselves (``weight_init=fn.initializers.he_normal``); those with settings are
called first (``weight_init=fn.initializers.normal(0.01)``).

The fans of a weight of shape (..., I, O) are fan_in = r I and fan_out = r O, where r is the product of the leading axes (the
receptive field of a convolution's kernel).  A layer whose weight is of another kind (of groups, depthwise, transposed) hands its
initializer a shape that knows its fans: a tuple like any other, and ``fans(shape)`` gives them to initializers of one's own too.
So outputs have the deviation that an initializer promises, whatever the layer: that of inputs of deviation 1 for ``lecun_normal``
(and for ``glorot_uniform`` where there are as many outputs), 1.41 times it for ``he_normal``.
"""

from funcnn.initializers.constants import constant, ones, zeros
from funcnn.initializers.distributions import normal, truncated_normal, uniform
from funcnn.initializers.gains import Activation, gain
from funcnn.initializers.initializer import Initializer
from funcnn.initializers.initializer import check_initializer as check_initializer  # for layers, beside the public names
from funcnn.initializers.structured import delta_orthogonal, dirac, identity, orthogonal, sparse
from funcnn.initializers.variance_scaling import (
    Distribution,
    Fan,
    glorot_normal,
    glorot_truncated_normal,
    glorot_uniform,
    he_normal,
    he_truncated_normal,
    he_uniform,
    lecun_normal,
    lecun_truncated_normal,
    lecun_uniform,
    variance_scaling,
)
from funcnn.kernels.weight_shape import fans
from funcnn.runtime.lazy_imports import listing

__all__ = [
    "Activation",
    "Distribution",
    "Fan",
    "Initializer",
    "constant",
    "delta_orthogonal",
    "dirac",
    "fans",
    "gain",
    "glorot_normal",
    "glorot_truncated_normal",
    "glorot_uniform",
    "he_normal",
    "he_truncated_normal",
    "he_uniform",
    "identity",
    "lecun_normal",
    "lecun_truncated_normal",
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
