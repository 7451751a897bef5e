r"""Maxout: the largest of several affine maps (Goodfellow et al. 2013, arXiv:1302.4389, section 3).

Indices: $n$ example (any number of leading axes), $i$ input feature of $I$, $o$ output feature of $O$, $k$ piece of $K$.

Forward
$$ z_{kno} = \sum_i x_{ni} W_{kio} + b_{ko}, \qquad y_{no} = \max_k z_{kno}, \qquad k^*_{no} = \text{the first such } k. $$

Derivation.  While $k^*$ stays, $\mathrm{d}y_{no} = \mathrm{d}z_{k^*no}$: the cotangent goes to the largest piece alone,
$\bar z_{kno} = [k = k^*_{no}]\,\bar y_{no}$ (where two pieces are equal there is a kink, and the first is taken), and each piece
is a dense layer:
$$ \bar W_{kio} = \sum_n x_{ni}\,\bar z_{kno}, \qquad \bar b_{ko} = \sum_n \bar z_{kno}, \qquad
   \bar x_{ni} = \sum_{ko} \bar z_{kno} W_{kio}. $$
"""

from functools import partial

import numpy as np
from attrs import frozen

from funcnn import initializers
from funcnn.errors import check_array, check_cotangent, check_count, check_has_features, check_precision, describe
from funcnn.initializers import Initializer, check_initializer
from funcnn.kernels.arrays import as_matrix
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, backward_without_input, define_layer
from funcnn.runtime.records import read_only_again
from funcnn.typing import Array, Empty, IntArray, Shape


@read_only_again
@frozen(eq=False)
class MaxoutParams:
    """Parameters of a maxout layer."""

    weight: Array  # (K, I, O)
    bias: Array  # (K, O)


@frozen(eq=False)
class MaxoutResiduals:
    """The input, and which piece was the largest."""

    x: Array  # (..., I)
    largest: IntArray  # (1, N, O), the leading axes merged


def init(
    features: int, pieces: int, weight_init: Initializer, bias_init: Initializer, key: Key, in_shape: Shape
) -> Init[MaxoutParams, Empty]:
    check_has_features(in_shape, "maxout")
    weight = np.stack([weight_init(piece, (in_shape[-1], features)) for piece in key.child(0).split(pieces)])
    bias = np.stack([bias_init(piece, (features,)) for piece in key.child(1).split(pieces)])
    return Init(MaxoutParams(weight, bias), (), (*in_shape[:-1], features))


def forward(params: MaxoutParams, state: Empty, x: Array, mode: Mode) -> Forward[Array, Empty, MaxoutResiduals]:
    check_array(x)
    if x.shape[-1] != params.weight.shape[1]:
        raise ValueError(f"the last axis of the input is {x.shape[-1]} long, expected {params.weight.shape[1]} ({describe(x)})")
    check_precision(x, params.weight)
    z = as_matrix(x) @ params.weight
    z += params.bias[:, np.newaxis]
    largest: IntArray = z.real.argmax(0)[np.newaxis]
    y = np.take_along_axis(z, largest, axis=0)
    return Forward(y.reshape(*x.shape[:-1], y.shape[-1]), state, MaxoutResiduals(x, largest))


def backward(
    params: MaxoutParams, residuals: MaxoutResiduals, dy: Array, input_grad: bool = True
) -> Backward[MaxoutParams, Array]:
    check_cotangent(dy, residuals.x.shape[:-1] + params.bias.shape[1:], params.weight.dtype)
    x, dy_rows = as_matrix(residuals.x), as_matrix(dy)
    dz: Array = np.zeros((len(params.weight), *dy_rows.shape), dy.dtype)
    np.put_along_axis(dz, residuals.largest, dy_rows[np.newaxis], axis=0)
    grads = MaxoutParams(weight=x.T @ dz, bias=dz.sum(1))
    if not input_grad:
        return backward_without_input(grads)
    dx: Array = (dz @ params.weight.swapaxes(1, 2)).sum(0)
    return Backward(grads, dx.reshape(residuals.x.shape))


def maxout(
    features: int,
    pieces: int = 2,
    *,
    weight_init: Initializer = initializers.glorot_uniform,
    bias_init: Initializer = initializers.zeros,
) -> Layer[MaxoutParams, Empty, Array, Array]:
    """Take the largest of several affine maps of the last axis, feature by feature: a learned convex activation.

    Parameters
    ----------
    features : int
        Number of output features O.
    pieces : int, optional
        Number K of affine maps, at least 2.
    weight_init, bias_init : callable, optional
        Initializers of each piece's weight (I, O) and bias (O,).

    Returns
    -------
    Layer
        From (..., I) to (..., O), parameters :class:`MaxoutParams`.  Where pieces are equal the gradient goes to the first.

    Raises
    ------
    ValueError
        When ``features`` or ``pieces`` is too small; in ``forward``, when the last axis of x is not I long, or x has no batch
        axis.
    TypeError
        When they are not integers; in ``forward``, when x is not a floating array, or of higher precision than the weight.

    References
    ----------
    Goodfellow et al. (2013), Maxout networks, arXiv:1302.4389.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.maxout(2, pieces=3)
    >>> start = layer.init(fn.Key(0), (4,))
    >>> start.params.weight.shape, fn.apply(layer, start.params, start.state, np.zeros((5, 4))).shape
    ((3, 4, 2), (5, 2))
    """
    features = check_count(features, "features")
    weight_init, bias_init = check_initializer(weight_init, "weight_init"), check_initializer(bias_init, "bias_init")
    pieces = check_count(pieces, "pieces", least=2)
    return define_layer(
        f"maxout({features}, {pieces})", partial(init, features, pieces, weight_init, bias_init), forward, backward, random=False
    )
