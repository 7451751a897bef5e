r"""Parametric rectifier: a leaky relu whose slope is learned (He et al. 2015, arXiv:1502.01852, eq. 1).

Indices: $n$ example (any number of leading axes), $c$ channel, the last axis.

Forward
$$ y_{nc} = \max(x_{nc}, 0) + a_c \min(x_{nc}, 0) $$

Derivation.  On each side of 0 the differential is
$\mathrm{d}y_{nc} = ([x_{nc} > 0] + a_c\,[x_{nc} \le 0])\,\mathrm{d}x_{nc} + \min(x_{nc}, 0)\,\mathrm{d}a_c$, and so
$$ \bar x_{nc} = ([x_{nc} > 0] + a_c\,[x_{nc} \le 0])\,\bar y_{nc}, \qquad \bar a_c = \sum_n \min(x_{nc}, 0)\,\bar y_{nc}. $$
At 0 the left slope is taken.  A slope that all channels share is one number $a$, whose cotangent is the sum over $c$ as well.
"""

from functools import partial

import numpy as np
from attrs import frozen

from funcnn.errors import check_array, check_cotangent, check_features, check_flag, check_precision, check_range
from funcnn.kernels.arrays import as_matrix, constant, negative_part, positive_part, sum_axis0
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, define_layer
from funcnn.runtime.records import read_only_again
from funcnn.typing import Array, Empty, Shape


@read_only_again
@frozen(eq=False)
class PReLUParams:
    """Parameters of a parametric rectifier."""

    slope: Array  # (C,), or (1,) if it is shared


@frozen(eq=False)
class PReLUResiduals:
    """The input."""

    x: Array  # (..., C)


def init(shared: bool, initial: float, key: Key, in_shape: Shape) -> Init[PReLUParams, Empty]:
    if not in_shape:
        raise ValueError("prelu takes examples with a channels axis, got in_shape ()")
    return Init(PReLUParams(np.full(1 if shared else in_shape[-1], initial, float)), (), in_shape)


def forward(shared: bool, params: PReLUParams, state: Empty, x: Array, mode: Mode) -> Forward[Array, Empty, PReLUResiduals]:
    if shared:
        check_array(x)
        check_precision(x, params.slope)
    else:
        check_features(x, params.slope)
    part = negative_part(x)
    if np.count_nonzero(params.slope) == len(params.slope):
        y = part * params.slope
    else:  # 0 times minus infinity would be no number
        y = np.zeros(x.shape, np.result_type(x, params.slope))
        np.multiply(part, params.slope, out=y, where=params.slope != 0)
    y += positive_part(x)
    return Forward(y, state, PReLUResiduals(x))


def backward(shared: bool, params: PReLUParams, residuals: PReLUResiduals, dy: Array) -> Backward[PReLUParams, Array]:
    x = residuals.x
    check_cotangent(dy, x.shape, params.slope.dtype)
    moved = sum_axis0(as_matrix(negative_part(x) * dy))
    slopes = np.where(x.real > 0, constant(1, params.slope.dtype), params.slope)
    return Backward(PReLUParams(slope=moved.sum(keepdims=True) if shared else moved), dy * slopes)


def prelu(initial: float = 0.25, *, shared: bool = False) -> Layer[PReLUParams, Empty, Array, Array]:
    """Parametric rectified linear unit: x where x > 0, and a learned slope times x elsewhere (He et al. 2015, arXiv:1502.01852).

    Parameters
    ----------
    initial : float, optional
        The slope to begin with.
    shared : bool, optional
        One slope for all channels, instead of one for each entry of the last axis.

    Returns
    -------
    Layer
        From (..., C) to the same, parameters :class:`PReLUParams`.  The derivative at 0 is the slope.

    Raises
    ------
    ValueError
        When ``initial`` is not finite; in ``forward``, when the last axis of x is not C long, or x has no batch axis.
    TypeError
        When ``initial`` is not a number or ``shared`` not a bool; in ``forward``, when x is not a floating array, or of higher
        precision than the slope.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.prelu()
    >>> start = layer.init(fn.Key(0), (3,))
    >>> fn.apply(layer, start.params, start.state, np.array([[-1.0, 0.0, 2.0]]))
    array([[-0.25,  0.  ,  2.  ]])
    """
    initial = check_range(initial, "initial", -float("inf"), float("inf"), open_low=True, open_high=True)
    shared = check_flag(shared, "shared")
    return define_layer(
        "prelu", partial(init, shared, initial), partial(forward, shared), partial(backward, shared), random=False
    )
