r"""Linear layer: a matrix product over the last axis, without a bias.

Indices: $n$ example (any number of leading axes), $i$ input feature of $I$, $o$ output feature of $O$.

Forward
$$ y_{no} = \sum_i x_{ni} W_{io} $$

Derivation.  $\mathrm{d}y = \mathrm{d}x\,W + x\,\mathrm{d}W$, and so
$$ \bar x_{ni} = \sum_o \bar y_{no} W_{io}, \qquad \bar W_{io} = \sum_n x_{ni} \bar y_{no}, $$
that is $\bar x = \bar y W^\top$ and $\bar W = x^\top \bar y$.
"""

from functools import partial

from attrs import frozen

from funcnn import initializers
from funcnn.errors import check_cotangent, check_count, check_features, check_has_features
from funcnn.initializers import Initializer, check_initializer
from funcnn.kernels.arrays import as_matrix, dot, matmul_last, matmul_last_transposed
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, backward_without_input, define_layer
from funcnn.runtime.records import read_only_again
from funcnn.typing import Array, Empty, Shape


@read_only_again
@frozen(eq=False)
class LinearParams:
    """Parameters of a linear layer."""

    weight: Array  # (I, O)


@frozen(eq=False)
class LinearResiduals:
    """The input, for the weights' gradient."""

    x: Array  # (..., I)


def init(features: int, weight_init: Initializer, key: Key, in_shape: Shape) -> Init[LinearParams, Empty]:
    check_has_features(in_shape, "linear")
    weight = weight_init(key.child(0), (in_shape[-1], features))
    return Init(LinearParams(weight), (), (*in_shape[:-1], features))


def forward(params: LinearParams, state: Empty, x: Array, mode: Mode) -> Forward[Array, Empty, LinearResiduals]:
    check_features(x, params.weight)
    return Forward(matmul_last(x, params.weight), state, LinearResiduals(x))


def backward(
    params: LinearParams, residuals: LinearResiduals, dy: Array, input_grad: bool = True
) -> Backward[LinearParams, Array]:
    check_cotangent(dy, residuals.x.shape[:-1] + params.weight.shape[1:], params.weight.dtype)
    grads = LinearParams(weight=dot(as_matrix(residuals.x).T, as_matrix(dy)))
    if not input_grad:
        return backward_without_input(grads)
    return Backward(grads, matmul_last_transposed(dy, params.weight))


def linear(features: int, *, weight_init: Initializer = initializers.glorot_uniform) -> Layer[LinearParams, Empty, Array, Array]:
    """Linear map of the last axis, ``y = x @ weight``: a dense layer without a bias.

    Parameters
    ----------
    features : int
        Number of output features O, at least 1.
    weight_init : callable, optional
        Initializer ``(key, shape) -> array`` of the weight (I, O).

    Returns
    -------
    Layer
        From (..., I) to (..., O), parameters :class:`LinearParams`.

    Raises
    ------
    ValueError
        When ``features`` is not positive; in ``forward``, when the last axis of x is not I long, or x has no batch axis.
    TypeError
        When ``features`` is not an integer; in ``forward``, when x is not a floating array, or of higher precision than the
        weight.

    See Also
    --------
    dense : the same with a bias.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.linear(2)
    >>> start = layer.init(fn.Key(0), (3,))
    >>> fn.apply(layer, start.params, start.state, np.zeros((4, 3))).shape
    (4, 2)
    """
    features = check_count(features, "features")
    weight_init = check_initializer(weight_init, "weight_init")
    return define_layer(f"linear({features})", partial(init, features, weight_init), forward, backward, random=False)
