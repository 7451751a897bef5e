r"""Features scaled and shifted by a condition: FiLM (Perez et al. 2018, arXiv:1709.07871, eq. 2), and its form of adaptive norms.

Indices: $n$ example, $q$ points (any number of axes, or none), $c$ channel of $C$.

Forward.  The condition of an example holds $2C$ numbers, $\gamma_{nc}$ and $\beta_{nc}$:
$$ y_{nqc} = (a + \gamma_{nc})\,x_{nqc} + \beta_{nc}, \qquad a = 0 \text{ (film)}, \quad a = 1 \text{ (modulate)} . $$

Derivation.  Bilinear in x and the condition:
$$ \bar x_{nqc} = (a + \gamma_{nc})\,\bar y_{nqc}, \qquad \bar\gamma_{nc} = \sum_q x_{nqc}\,\bar y_{nqc}, \qquad
   \bar\beta_{nc} = \sum_q \bar y_{nqc} . $$
"""

import math
from functools import partial
from typing import cast

import numpy as np
from attrs import frozen

from funcnn.errors import check_array, check_cotangent, describe
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, define_layer
from funcnn.typing import Array, Empty, Shape, Shapes

Pair = tuple[Array, Array]


@frozen(eq=False)
class FilmResiduals:
    """The features by example and point, and what they were multiplied by."""

    x: Array  # (n, Q, C)
    factor: Array  # (n, 1, C)
    shape: Shape  # of the features


def check_fit(features: Shape, condition: Shape) -> None:
    """Raise unless a condition (2 C,) fits features (..., C)."""
    if not features or condition != (2 * features[-1],):
        wanted = f"({2 * features[-1]},)" if features else "features in the last axis"
        raise ValueError(f"the shapes of an example are {features} and {condition}, expected for the condition {wanted}")


def init(key: Key, in_shape: Shapes) -> Init[Empty, Empty]:
    if len(in_shape) != 2 or not all(isinstance(shape, tuple) for shape in in_shape):
        raise ValueError(f"in_shape is {in_shape}, expected the shapes of the features and of the condition")
    features, condition = cast("tuple[Shape, Shape]", in_shape)
    check_fit(features, condition)
    return Init((), (), features)


def forward(base: float, params: Empty, state: Empty, inputs: object, mode: Mode) -> Forward[Array, Empty, FilmResiduals]:
    if not isinstance(inputs, tuple) or len(inputs) != 2:
        raise TypeError(f"the input is {describe(inputs)}, expected a pair (features, condition)")
    x, condition = cast(Pair, inputs)
    for one, what in ((x, "the features, input [0]"), (condition, "the condition, input [1]")):
        check_array(one, what)
    check_fit(x.shape[1:], condition.shape[1:])
    if len(x) != len(condition) or x.real.dtype.type is not condition.real.dtype.type:
        raise ValueError(f"the inputs are {describe(inputs)}, expected as many examples of one dtype")
    channels = x.shape[-1]
    rows = x.reshape(len(x), math.prod(x.shape[1:-1]), channels)
    factor, shift = condition[:, np.newaxis, :channels] + x.real.dtype.type(base), condition[:, np.newaxis, channels:]
    y = (rows * factor + shift).reshape(x.shape)
    return Forward(y, state, FilmResiduals(rows, factor, x.shape))


def backward(params: Empty, residuals: FilmResiduals, dy: Array) -> Backward[Empty, Pair]:
    x, shape = residuals.x, residuals.shape
    check_cotangent(dy, shape, np.result_type(x, residuals.factor))
    rows = dy.reshape(x.shape)
    dcondition = np.hstack([(rows * x).sum(1), rows.sum(1)])
    return Backward(params, ((rows * residuals.factor).reshape(shape), dcondition))


def layer_of(name: str, base: float) -> Layer[Empty, Empty, Pair, Array]:
    """Return the layer of a factor that is the base and what the condition adds."""
    return define_layer(name, init, partial(forward, base), backward, random=False, inputs=None)


def film() -> Layer[Empty, Empty, Pair, Array]:
    """Scale and shift features by a condition: a pair (n, ..., C), (n, 2 C) to (n, ..., C), y = gamma x + beta.

    Returns
    -------
    Layer
        Without parameters; the first half of the condition is gamma, the second beta.

    Raises
    ------
    TypeError, ValueError
        In ``init`` and ``forward``, when the two do not fit together.

    See Also
    --------
    modulate : y = (1 + gamma) x + beta.

    References
    ----------
    Perez et al. (2018), FiLM: visual reasoning with a general conditioning layer, arXiv:1709.07871.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.film(), (), (), (np.array([[3.0]]), np.array([[2.0, 10.0]])))
    array([[16.]])
    """
    return layer_of("film", 0.0)


def modulate() -> Layer[Empty, Empty, Pair, Array]:
    """Scale and shift features by a condition that changes nothing when it is 0: y = (1 + gamma) x + beta.

    Adaptive layer normalization, as in diffusion Transformers, is this after a normalization without parameters of its own:
    ``fn.parallel(fn.layer_norm_without_affine(), fn.dense(2 * C)) >> fn.modulate()``.

    Returns
    -------
    Layer
        As :func:`funcnn.film`.

    Raises
    ------
    TypeError, ValueError
        As :func:`funcnn.film`.

    References
    ----------
    Peebles & Xie (2023), Scalable diffusion models with Transformers, arXiv:2212.09748, section 3.2.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.modulate(), (), (), (np.array([[3.0]]), np.array([[2.0, 10.0]])))
    array([[19.]])
    """
    return layer_of("modulate", 1.0)
