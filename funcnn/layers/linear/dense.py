r"""Dense (fully connected) layer: an affine map of the last axis.

Indices: $n$ example (any number of leading axes), $i$ input feature of $I$, $o$ output feature of $O$.

Forward
$$ y_{no} = \sum_i x_{ni} W_{io} + b_o $$

Derivation.  The differential is $\mathrm{d}y = \mathrm{d}x\,W + x\,\mathrm{d}W + \mathrm{d}b$.  Put into
$\langle \bar y, \mathrm{d}y\rangle = \sum_{no} \bar y_{no}\,\mathrm{d}y_{no}$ and collected for each differential, this gives
$$ \bar x_{ni} = \sum_o \bar y_{no} W_{io}, \qquad
   \bar W_{io} = \sum_n x_{ni} \bar y_{no}, \qquad
   \bar b_o = \sum_n \bar y_{no}, $$
that is $\bar x = \bar y W^\top$, $\bar W = x^\top \bar y$, and $\bar b = 1^\top \bar y$ with a row of ones.
"""

from functools import partial

import numpy as np
from attrs import frozen

from funcnn import initializers
from funcnn.errors import check_cotangent, check_count, check_features, check_has_features
from funcnn.initializers import Initializer, check_initializer
from funcnn.kernels.arrays import as_matrix, broadcastable_bias, dot, matmul_last, matmul_last_transposed, sum_axis0
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, backward_without_input, define_layer
from funcnn.runtime.records import fast_init, read_only_again
from funcnn.typing import Array, Empty, Shape


@fast_init
@read_only_again
@frozen(eq=False)
class DenseParams:
    """Parameters of a dense layer."""

    weight: Array  # (I, O)
    bias: Array  # (O,)


@fast_init
@frozen(eq=False)
class DenseResiduals:
    """The input, for the weights' gradient."""

    x: Array  # (..., I)


def init(features: int, weight_init: Initializer, bias_init: Initializer, key: Key, in_shape: Shape) -> Init[DenseParams, Empty]:
    check_has_features(in_shape, "dense")
    weight = weight_init(key.child(0), (in_shape[-1], features))
    bias = bias_init(key.child(1), (features,))
    return Init(DenseParams(weight, bias), (), (*in_shape[:-1], features))


def forward(params: DenseParams, state: Empty, x: Array, mode: Mode) -> Forward[Array, Empty, DenseResiduals]:
    check_features(x, params.weight)
    y = matmul_last(x, params.weight)
    y += broadcastable_bias(params.bias, y)
    return Forward(y, state, DenseResiduals(x))


def backward(params: DenseParams, residuals: DenseResiduals, dy: Array, input_grad: bool = True) -> Backward[DenseParams, Array]:
    x, weight = residuals.x, params.weight
    if type(dy) is not np.ndarray or dy.shape != x.shape[:-1] + params.bias.shape or dy.dtype is not weight.dtype:
        check_cotangent(dy, x.shape[:-1] + params.bias.shape, weight.dtype)
    dy_rows = as_matrix(dy)
    grads = DenseParams(weight=dot(as_matrix(x).T, dy_rows), bias=sum_axis0(dy_rows))
    if not input_grad:
        return backward_without_input(grads)
    return Backward(grads, matmul_last_transposed(dy, weight))


def dense(
    features: int,
    *,
    weight_init: Initializer = initializers.glorot_uniform,
    bias_init: Initializer = initializers.zeros,
) -> Layer[DenseParams, Empty, Array, Array]:
    """Affine map of the last axis, ``y = x @ weight + bias``.

    Parameters
    ----------
    features : int
        Number of output features O, at least 1.
    weight_init, bias_init : callable, optional
        Initializers ``(key, shape) -> array`` of the weight (I, O) and the bias (O,).

    Returns
    -------
    Layer
        From (..., I) to (..., O), parameters :class:`DenseParams`.

    Raises
    ------
    ValueError
        When ``features`` is not a positive integer; in ``forward``, when the last axis of x is not I long, or x has no batch
        axis.
    TypeError
        In ``forward``, when x is not a floating array, or of higher precision than the weight.

    See Also
    --------
    linear : the same without a bias.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.dense(2)
    >>> start = layer.init(fn.Key(0), (3,))
    >>> start.params.weight.shape, start.out_shape
    ((3, 2), (2,))
    >>> fn.apply(layer, start.params, start.state, np.zeros((4, 3))).shape
    (4, 2)
    """
    features = check_count(features, "features")
    weight_init, bias_init = check_initializer(weight_init, "weight_init"), check_initializer(bias_init, "bias_init")
    return define_layer(f"dense({features})", partial(init, features, weight_init, bias_init), forward, backward, random=False)
