r"""Scale and affine: a learned gain for every feature, without and with a bias.

Indices: $n$ example (any number of leading axes), $c$ feature, the last axis.

Forward
$$ y_{nc} = g_c\,x_{nc} + b_c $$
where a scale has $b = 0$.

Derivation.  $\mathrm{d}y_{nc} = g_c\,\mathrm{d}x_{nc} + x_{nc}\,\mathrm{d}g_c + \mathrm{d}b_c$, and so
$$ \bar x_{nc} = g_c\,\bar y_{nc}, \qquad \bar g_c = \sum_n x_{nc}\,\bar y_{nc}, \qquad \bar b_c = \sum_n \bar y_{nc}. $$
"""

from functools import partial

from attrs import frozen

from funcnn import initializers
from funcnn.errors import check_cotangent, check_features, check_has_features
from funcnn.initializers import Initializer, check_initializer
from funcnn.kernels.arrays import as_matrix, sum_axis0
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, define_layer
from funcnn.runtime.records import read_only_again
from funcnn.typing import Array, Empty, Shape


@read_only_again
@frozen(eq=False)
class ScaleParams:
    """Parameters of a scale."""

    gain: Array  # (C,)


@read_only_again
@frozen(eq=False)
class AffineParams:
    """Parameters of an affine layer."""

    gain: Array  # (C,)
    bias: Array  # (C,)


@frozen(eq=False)
class ScaleResiduals:
    """The input, for the gain's gradient."""

    x: Array  # (..., C)


def init(gain_init: Initializer, key: Key, in_shape: Shape) -> Init[ScaleParams, Empty]:
    check_has_features(in_shape, "scale")
    return Init(ScaleParams(gain_init(key.child(0), in_shape[-1:])), (), in_shape)


def forward(params: ScaleParams, state: Empty, x: Array, mode: Mode) -> Forward[Array, Empty, ScaleResiduals]:
    check_features(x, params.gain)
    return Forward(x * params.gain, state, ScaleResiduals(x))


def backward(params: ScaleParams, residuals: ScaleResiduals, dy: Array) -> Backward[ScaleParams, Array]:
    check_cotangent(dy, residuals.x.shape, params.gain.dtype)
    return Backward(ScaleParams(gain=sum_axis0(as_matrix(residuals.x * dy))), dy * params.gain)


def affine_init(gain_init: Initializer, bias_init: Initializer, key: Key, in_shape: Shape) -> Init[AffineParams, Empty]:
    gain = init(gain_init, key, in_shape).params.gain
    return Init(AffineParams(gain, bias_init(key.child(1), in_shape[-1:])), (), in_shape)


def affine_forward(params: AffineParams, state: Empty, x: Array, mode: Mode) -> Forward[Array, Empty, ScaleResiduals]:
    check_features(x, params.gain)
    y = x * params.gain
    y += params.bias
    return Forward(y, state, ScaleResiduals(x))


def affine_backward(params: AffineParams, residuals: ScaleResiduals, dy: Array) -> Backward[AffineParams, Array]:
    check_cotangent(dy, residuals.x.shape, params.gain.dtype)
    grads = AffineParams(gain=sum_axis0(as_matrix(residuals.x * dy)), bias=sum_axis0(as_matrix(dy)))
    return Backward(grads, dy * params.gain)


def scale(*, gain_init: Initializer = initializers.ones) -> Layer[ScaleParams, Empty, Array, Array]:
    """Multiply every feature by a learned gain.

    Parameters
    ----------
    gain_init : callable, optional
        Initializer ``(key, shape) -> array`` of the gain (C,).

    Returns
    -------
    Layer
        From (..., C) to the same, parameters :class:`ScaleParams`.

    Raises
    ------
    ValueError
        In ``forward``, when the last axis of x is not C long, or x has no batch axis.
    TypeError
        In ``forward``, when x is not a floating array, or of higher precision than the gain.

    See Also
    --------
    affine : the same with a bias.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.scale(gain_init=fn.initializers.constant(3.0))
    >>> start = layer.init(fn.Key(0), (2,))
    >>> fn.apply(layer, start.params, start.state, np.array([[1.0, 2.0]]))
    array([[3., 6.]])
    """
    return define_layer("scale", partial(init, check_initializer(gain_init, "gain_init")), forward, backward, random=False)


def affine(
    *, gain_init: Initializer = initializers.ones, bias_init: Initializer = initializers.zeros
) -> Layer[AffineParams, Empty, Array, Array]:
    """Multiply every feature by a learned gain, and add a learned bias.

    The layer "Aff" of ResMLP, and what follows every normalization: Touvron et al., "ResMLP: Feedforward networks for image
    classification with data-efficient training", 2021, equation 1.

    Parameters
    ----------
    gain_init, bias_init : callable, optional
        Initializers ``(key, shape) -> array`` of the gain (C,) and the bias (C,).

    Returns
    -------
    Layer
        From (..., C) to the same, parameters :class:`AffineParams`.

    Raises
    ------
    ValueError
        In ``forward``, when the last axis of x is not C long, or x has no batch axis.
    TypeError
        In ``forward``, when x is not a floating array, or of higher precision than the gain.

    See Also
    --------
    scale : the same without a bias.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.affine(bias_init=fn.initializers.constant(1.0))
    >>> start = layer.init(fn.Key(0), (2,))
    >>> fn.apply(layer, start.params, start.state, np.array([[1.0, 2.0]]))
    array([[2., 3.]])
    """
    gain_init, bias_init = check_initializer(gain_init, "gain_init"), check_initializer(bias_init, "bias_init")
    return define_layer("affine", partial(affine_init, gain_init, bias_init), affine_forward, affine_backward, random=False)
