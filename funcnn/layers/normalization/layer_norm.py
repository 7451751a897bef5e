r"""Layer normalization (Ba, Kiros and Hinton 2016, arXiv:1607.06450, eq. 4).

Indices: $n$ example (any number of leading axes), $i$ feature of $D$.  Means run over $i$.  Where several last axes are
normalized together, $i$ runs over all their entries.

Forward
$$ \mu_n = \tfrac1D \sum_i x_{ni}, \quad v_n = \tfrac1D \sum_i (x_{ni} - \mu_n)^2, \quad
   r_n = \frac1{\sqrt{v_n + \epsilon}}, \quad \hat x_{ni} = (x_{ni} - \mu_n)\, r_n, \quad y_{ni} = s_i \hat x_{ni} + b_i $$

Derivation.  With the centring $c = x - \mu$ we have $\mathrm{d}c_{ni} = \mathrm{d}x_{ni} - \tfrac1D\sum_j \mathrm{d}x_{nj}$, and
$\mathrm{d}v_n = \tfrac2D \sum_j c_{nj}\,\mathrm{d}x_{nj}$ (the mean's own change drops out, since $\sum_j c_{nj} = 0$).  Then
$\mathrm{d}r_n = -\tfrac12 r_n^3\,\mathrm{d}v_n$ and
$$ \mathrm{d}\hat x_{ni} = r_n \Big(\mathrm{d}x_{ni} - \tfrac1D\sum_j \mathrm{d}x_{nj}
   - \hat x_{ni}\,\tfrac1D\sum_j \hat x_{nj}\,\mathrm{d}x_{nj}\Big). $$
This linear map from $\mathrm{d}x$ to $\mathrm{d}\hat x$ is symmetric, so it is its own transpose: with
$g_{ni} = s_i \bar y_{ni}$, the cotangent of $\hat x$,
$$ \bar x_{ni} = r_n \Big(g_{ni} - \tfrac1D\sum_j g_{nj} - \hat x_{ni}\,\tfrac1D\sum_j \hat x_{nj}\, g_{nj}\Big), \qquad
   \bar s_i = \sum_n \bar y_{ni} \hat x_{ni}, \qquad \bar b_i = \sum_n \bar y_{ni}. $$

Digits.  The mean of numbers with a large offset is rounded at the size of the offset.  So the centred numbers are centred
again: their mean is small, and what is left of it after that is small against their deviation.  The variance is the mean
square of these, not a difference of squares.  Where squares would overflow, or the offset is so large that even the second mean
leaves too much, :mod:`funcnn.kernels.moments` takes over.
"""

from functools import partial

import numpy as np
from attrs import frozen

from funcnn.errors import check_cotangent, check_range
from funcnn.kernels.arrays import dot_last, mean_last, sum_axis0
from funcnn.kernels.moments import are_ordinary, standardized
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, define_layer
from funcnn.layers.normalization.last_axes import as_rows, check_last_axes, normalized_shape
from funcnn.runtime.records import fast_init, read_only_again
from funcnn.typing import Array, Empty, Shape


@fast_init
@read_only_again
@frozen(eq=False)
class LayerNormParams:
    """Parameters of a layer normalization."""

    scale: Array  # (D,), or the shape of all axes that are normalized together
    shift: Array  # the same


@fast_init
@frozen(eq=False)
class LayerNormResiduals:
    """The normalized input, as a matrix, and the reciprocal standard deviation of each of its rows."""

    normalized: Array  # (n, D)
    rstd: Array  # (n,)
    shape: Shape  # of the input


def init(last_axes: int, key: Key, in_shape: Shape) -> Init[LayerNormParams, Empty]:
    shape = normalized_shape(last_axes, in_shape, "layer_norm")
    return Init(LayerNormParams(np.ones(shape), np.zeros(shape)), (), in_shape)


def forward(eps: float, params: LayerNormParams, state: Empty, x: Array, mode: Mode) -> Forward[Array, Empty, LayerNormResiduals]:
    flat = as_rows(x, params.scale)
    features = params.scale.size
    mean = mean_last(flat)
    # xhat = (x - mean(x)) r,  centred twice
    normalized: Array = flat - mean[:, np.newaxis]
    normalized -= mean_last(normalized)[:, np.newaxis]
    std: Array = np.sqrt(dot_last(normalized, normalized) / features + eps)
    rstd: Array = 1 / std
    if are_ordinary(mean, std, rstd, eps):
        normalized *= rstd[:, np.newaxis]
    else:
        normalized, rstd = with_care(flat, mean, std, eps)
    y = normalized * params.scale.reshape(-1)
    y += params.shift.reshape(-1)  # s xhat + b
    return Forward(y.reshape(x.shape), state, LayerNormResiduals(normalized, rstd, x.shape))


def with_care(x: Array, mean: Array, std: Array, eps: float) -> tuple[Array, Array]:
    """Return the normalized rows and their reciprocal standard deviations where a mean or a deviation is extreme."""

    def means(rows: Array) -> Array:
        return mean_last(rows)[:, np.newaxis]

    made = standardized(x, means, x[:, :1], mean[:, np.newaxis], std[:, np.newaxis], eps)
    return made.normalized, made.rstd[:, 0]


def backward(params: LayerNormParams, residuals: LayerNormResiduals, dy: Array) -> Backward[LayerNormParams, Array]:
    check_cotangent(dy, residuals.shape, params.scale.dtype)
    normalized, scale = residuals.normalized, params.scale
    dy_rows = dy.reshape(normalized.shape)
    product = dy_rows * normalized
    grads = LayerNormParams(sum_axis0(product).reshape(scale.shape), sum_axis0(dy_rows).reshape(scale.shape))
    # dx = r (g - mean(g) - xhat mean(xhat g)),  g = s dy
    dx = dy_rows * scale.reshape(-1)
    np.multiply(normalized, dot_last(dx, normalized)[:, np.newaxis] / scale.size, out=product)
    dx -= mean_last(dx)[:, np.newaxis]
    dx -= product
    dx *= residuals.rstd[:, np.newaxis]
    return Backward(grads, dx.reshape(dy.shape))


def layer_norm(*, eps: float = 1e-5, last_axes: int = 1) -> Layer[LayerNormParams, Empty, Array, Array]:
    """Normalize each example over its last axis to mean 0 and variance 1, then scale and shift each feature.

    Parameters
    ----------
    eps : float, optional
        Added to the variance, more than 0.
    last_axes : int, optional
        How many of the last axes are normalized together, with a scale and a shift for each of their entries.

    Returns
    -------
    Layer
        From (..., D) to the same, parameters :class:`LayerNormParams`: scale (D,), ones at first, and shift (D,), zeros; of
        several axes their shape in place of (D,).

    Raises
    ------
    ValueError
        When ``eps`` is not positive and finite; in ``forward``, when the last axes of x are not those of the scale, or x has no
        batch axis.
    TypeError
        When ``eps`` is not a number; in ``forward``, when x is not a floating array, or of higher precision than the parameters.

    See Also
    --------
    layer_norm_without_shift, layer_norm_without_affine : with fewer parameters.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.layer_norm()
    >>> start = layer.init(fn.Key(0), (4,))
    >>> fn.apply(layer, start.params, start.state, np.array([[1e4, 1e4 + 1, 1e4 + 2, 1e4 + 3]]))
    array([[-1.34163542, -0.44721181,  0.44721181,  1.34163542]])
    >>> fn.layer_norm(last_axes=2).init(fn.Key(0), (5, 4, 3)).params.scale.shape
    (4, 3)
    """
    eps = check_range(eps, "eps", 0, float("inf"), open_low=True, open_high=True)
    last_axes = check_last_axes(last_axes)
    return define_layer("layer_norm", partial(init, last_axes), partial(forward, eps), backward, random=False)
