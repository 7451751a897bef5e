r"""Root mean square normalization (Zhang and Sennrich 2019, arXiv:1910.07467, eq. 4).

Indices: $n$ example (any number of leading axes), $i, j$ feature of $D$, or entry of several last axes.

Forward
$$ r_n = \frac1{\sqrt{\tfrac1D \sum_i x_{ni}^2 + \epsilon}}, \qquad \hat x_{ni} = x_{ni}\, r_n, \qquad y_{ni} = s_i \hat x_{ni} $$

Derivation.  $\mathrm{d}r_n = -r_n^3\,\tfrac1D \sum_j x_{nj}\,\mathrm{d}x_{nj}$, so that
$$ \mathrm{d}\hat x_{ni} = r_n \Big(\mathrm{d}x_{ni} - \hat x_{ni}\,\tfrac1D \sum_j \hat x_{nj}\,\mathrm{d}x_{nj}\Big) , $$
a symmetric map and thus its own transpose: with $g_{ni} = s_i \bar y_{ni}$
$$ \bar x_{ni} = r_n \Big(g_{ni} - \hat x_{ni}\,\tfrac1D \sum_j \hat x_{nj}\, g_{nj}\Big), \qquad
   \bar s_i = \sum_n \bar y_{ni}\, \hat x_{ni} . $$
"""

from functools import partial

import numpy as np
from attrs import frozen

from funcnn.errors import check_cotangent, check_range
from funcnn.kernels.arrays import dot_last, sum_axis0
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, define_layer
from funcnn.layers.normalization.last_axes import as_rows, check_last_axes, normalized_shape
from funcnn.runtime.records import read_only_again
from funcnn.typing import Array, Empty, Shape


@read_only_again
@frozen(eq=False)
class RMSNormParams:
    """Parameters of a root mean square normalization."""

    scale: Array  # (D,), or the shape of all axes that are normalized together


@frozen(eq=False)
class RMSNormResiduals:
    """The normalized input, as a matrix, and what each of its rows was multiplied by."""

    normalized: Array  # (n, D)
    rate: Array  # (n, 1)
    shape: Shape  # of the input


def init(last_axes: int, key: Key, in_shape: Shape) -> Init[RMSNormParams, Empty]:
    return Init(RMSNormParams(np.ones(normalized_shape(last_axes, in_shape, "rms_norm"))), (), in_shape)


def forward(eps: float, params: RMSNormParams, state: Empty, x: Array, mode: Mode) -> Forward[Array, Empty, RMSNormResiduals]:
    flat = as_rows(x, params.scale)
    root = np.sqrt(dot_last(flat, flat) / params.scale.size + eps)
    rate = 1 / root
    if not (root.dot(rate) < np.inf):  # not so where one is 0, infinite or not a number
        return with_care(eps, params, state, x)
    rate = rate[:, np.newaxis]
    normalized = flat * rate
    y = normalized * params.scale.reshape(-1)
    return Forward(y.reshape(x.shape), state, RMSNormResiduals(normalized, rate, x.shape))


def with_care(eps: float, params: RMSNormParams, state: Empty, x: Array) -> Forward[Array, Empty, RMSNormResiduals]:
    """Return the same where squares overflow: from rows multiplied by a power of two, which rounds nothing."""
    flat = as_rows(x, params.scale)
    kind = flat.real.dtype
    info = np.finfo(kind)
    squares = dot_last(flat, flat)[:, np.newaxis]
    scale: Array = np.where(np.isfinite(squares.real), kind.type(1), kind.type(2) ** -(info.maxexp * 5 // 8))
    scaled = flat * scale
    mean_square = dot_last(scaled, scaled)[:, np.newaxis] / params.scale.size
    rate = 1 / np.maximum(np.sqrt(mean_square + kind.type(eps) * scale * scale), kind.type(info.tiny))
    normalized = scaled * rate
    y = normalized * params.scale.reshape(-1)
    return Forward(y.reshape(x.shape), state, RMSNormResiduals(normalized, rate * scale, x.shape))


def backward(params: RMSNormParams, residuals: RMSNormResiduals, dy: Array) -> Backward[RMSNormParams, Array]:
    check_cotangent(dy, residuals.shape, params.scale.dtype)
    normalized, scale = residuals.normalized, params.scale
    dy_rows = dy.reshape(normalized.shape)
    product = dy_rows * normalized
    grads = RMSNormParams(sum_axis0(product).reshape(scale.shape))
    # dx = r (g - xhat mean(xhat g)),  g = s dy
    dx = dy_rows * scale.reshape(-1)
    np.multiply(normalized, dot_last(dx, normalized)[:, np.newaxis] / scale.size, out=product)
    dx -= product
    dx *= residuals.rate
    return Backward(grads, dx.reshape(dy.shape))


def rms_norm(*, eps: float = 1e-6, last_axes: int = 1) -> Layer[RMSNormParams, Empty, Array, Array]:
    """Divide each example by the root mean square of its last axis, then scale each feature.

    Layer normalization without the subtraction of the mean and without a shift: less work, and in Transformers as good.

    Parameters
    ----------
    eps : float, optional
        Added to the mean square, more than 0.
    last_axes : int, optional
        How many of the last axes are normalized together, with a scale for each of their entries.

    Returns
    -------
    Layer
        From (..., D) to the same, parameters :class:`RMSNormParams`: scale (D,), ones at first; of several axes their shape in
        place of (D,).

    Raises
    ------
    ValueError
        When ``eps`` is not positive and finite; in ``forward``, when the last axes of x are not those of the scale, or x has no
        batch axis.
    TypeError
        When ``eps`` is not a number; in ``forward``, when x is not a floating array, or of higher precision than the parameters.

    See Also
    --------
    rms_norm_without_scale : without parameters.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.rms_norm()
    >>> start = layer.init(fn.Key(0), (2,))
    >>> fn.apply(layer, start.params, start.state, np.array([[3.0, 4.0]])).round(3)
    array([[0.849, 1.131]])
    """
    eps = check_range(eps, "eps", 0, float("inf"), open_low=True, open_high=True)
    last_axes = check_last_axes(last_axes)
    return define_layer("rms_norm", partial(init, last_axes), partial(forward, eps), backward, random=False)
