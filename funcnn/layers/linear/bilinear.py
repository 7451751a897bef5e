r"""Bilinear layer: features that are linear in each of two inputs.

Indices: $n$ example (any number of leading axes), $i$ feature of the first input of $I$, $j$ feature of the second of $J$, $o$
output feature of $O$.

Forward
$$ y_{no} = \sum_{ij} x_{ni}\,W_{ijo}\,z_{nj} + b_o = \sum_j u_{njo}\,z_{nj} + b_o, \qquad u_{njo} = \sum_i x_{ni}\,W_{ijo}. $$

Derivation.  Let $v_{njo} = z_{nj}\,\bar y_{no}$, the cotangent of $u$.  The product rule gives
$$ \bar z_{nj} = \sum_o u_{njo}\,\bar y_{no}, \qquad
   \bar x_{ni} = \sum_{jo} W_{ijo}\,v_{njo}, \qquad
   \bar W_{ijo} = \sum_n x_{ni}\,v_{njo}, \qquad
   \bar b_o = \sum_n \bar y_{no}. $$
With $j$ and $o$ merged, $u = x W$, $\bar x = v W^\top$ and $\bar W = x^\top v$ are plain matrix products.
"""

from functools import partial
from typing import cast

import numpy as np
from attrs import frozen

from funcnn import initializers
from funcnn.errors import check_array, check_cotangent, check_count, check_precision, describe
from funcnn.initializers import Initializer, check_initializer
from funcnn.kernels.arrays import as_matrix, dot, sum_axis0
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, backward_without_input, define_layer
from funcnn.runtime.records import read_only_again
from funcnn.typing import Array, Empty, Shape, Shapes

Pair = tuple[Array, Array]


@read_only_again
@frozen(eq=False)
class BilinearParams:
    """Parameters of a bilinear layer."""

    weight: Array  # (I, J, O)
    bias: Array  # (O,)


@frozen(eq=False)
class BilinearResiduals:
    """Both inputs, and the first one mapped."""

    x: Array  # (..., I)
    z: Array  # (..., J)
    u: Array  # (N, J, O), the leading axes merged


def init(
    features: int, weight_init: Initializer, bias_init: Initializer, key: Key, in_shape: Shapes
) -> Init[BilinearParams, Empty]:
    if len(in_shape) != 2 or not all(isinstance(shape, tuple) for shape in in_shape):
        raise ValueError(f"in_shape is {in_shape}, expected the shapes of a pair of inputs, ((..., I), (..., J))")
    first, second = cast("tuple[Shape, Shape]", in_shape)
    if not first or not second or first[:-1] != second[:-1]:
        raise ValueError(f"the inputs' shapes are {in_shape}, expected ((..., I), (..., J)), alike but for the features")
    weight = weight_init(key.child(0), (first[-1] * second[-1], features)).reshape(first[-1], second[-1], features)
    return Init(BilinearParams(weight, bias_init(key.child(1), (features,))), (), (*first[:-1], features))


def forward(params: BilinearParams, state: Empty, inputs: Pair, mode: Mode) -> Forward[Array, Empty, BilinearResiduals]:
    given: object = inputs
    if not isinstance(given, tuple) or len(given) != 2:
        raise TypeError(f"the input is {describe(inputs)}, expected a pair of arrays")
    x, z = inputs
    wanted = params.weight.shape
    for index, one in enumerate(inputs):
        check_array(one, f"input [{index}]")
        check_precision(one, params.weight)
        if one.shape[-1] != wanted[index]:
            raise ValueError(f"the last axis of input [{index}] is {one.shape[-1]} long, expected {wanted[index]} features")
    if x.shape[:-1] != z.shape[:-1]:
        raise ValueError(f"the inputs are {describe(inputs)}, expected arrays that are alike but for the last axis")
    u = dot(as_matrix(x), params.weight.reshape(wanted[0], -1)).reshape(-1, *wanted[1:])
    y: Array = (as_matrix(z)[:, np.newaxis] @ u)[:, 0]
    y += params.bias
    return Forward(y.reshape(*x.shape[:-1], wanted[2]), state, BilinearResiduals(x, z, u))


def backward(
    params: BilinearParams, residuals: BilinearResiduals, dy: Array, input_grad: bool = True
) -> Backward[BilinearParams, Pair]:
    check_cotangent(dy, residuals.x.shape[:-1] + params.bias.shape, params.weight.dtype)
    x, z, dy_rows = as_matrix(residuals.x), as_matrix(residuals.z), as_matrix(dy)
    v = (z[:, :, np.newaxis] * dy_rows[:, np.newaxis]).reshape(len(z), params.weight.shape[1] * params.weight.shape[2])
    grads = BilinearParams(weight=dot(x.T, v).reshape(params.weight.shape), bias=sum_axis0(dy_rows))
    if not input_grad:
        return backward_without_input(grads)
    dx = dot(v, params.weight.reshape(len(params.weight), -1).T)
    dz: Array = (residuals.u @ dy_rows[:, :, np.newaxis])[:, :, 0]
    return Backward(grads, (dx.reshape(residuals.x.shape), dz.reshape(residuals.z.shape)))


def bilinear(
    features: int,
    *,
    weight_init: Initializer = initializers.glorot_uniform,
    bias_init: Initializer = initializers.zeros,
) -> Layer[BilinearParams, Empty, Pair, Array]:
    """Bilinear map of a pair of inputs, ``y[o] = x @ weight[:, :, o] @ z + bias[o]``.

    Parameters
    ----------
    features : int
        Number of output features O, at least 1.
    weight_init, bias_init : callable, optional
        Initializers ``(key, shape) -> array`` of the weight, as a matrix (I J, O) from all products of two features, and of the
        bias (O,).

    Returns
    -------
    Layer
        From a pair (..., I), (..., J) to (..., O), parameters :class:`BilinearParams`.

    Raises
    ------
    ValueError
        When ``features`` is less than 1; in ``init`` and ``forward``, when the two do not fit each other, or the weight.
    TypeError
        When ``features`` is not an integer; in ``forward``, when the input is not a pair of floating arrays, or of higher
        precision than the weight.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.bilinear(2)
    >>> start = layer.init(fn.Key(0), ((3,), (4,)))
    >>> start.params.weight.shape, start.out_shape
    ((3, 4, 2), (2,))
    >>> fn.apply(layer, start.params, start.state, (np.zeros((5, 3)), np.zeros((5, 4)))).shape
    (5, 2)
    """
    features = check_count(features, "features")
    weight_init, bias_init = check_initializer(weight_init, "weight_init"), check_initializer(bias_init, "bias_init")
    return define_layer(
        f"bilinear({features})", partial(init, features, weight_init, bias_init), forward, backward, random=False, inputs=None
    )
