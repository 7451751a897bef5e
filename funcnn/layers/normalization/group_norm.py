r"""Group normalization (Wu & He 2018, arXiv:1803.08494, eqs. 1, 2 and 7).

Indices: $n$ example, $q$ point of $Q$ spatial points (any number of axes, or none), $g$ group of $G$, $k$ channel of the $K$ of
a group; the channels are the pairs $gk$, in the order of their axis.  Means run over $q$ and $k$: over $M = QK$ numbers.

Forward
$$ \mu_{ng} = \tfrac1M \sum_{qk} x_{nqgk}, \quad v_{ng} = \tfrac1M \sum_{qk} (x_{nqgk} - \mu_{ng})^2, \quad
   r_{ng} = \frac1{\sqrt{v_{ng} + \epsilon}}, \quad \hat x_{nqgk} = (x_{nqgk} - \mu_{ng})\, r_{ng}, \quad
   y_{nqgk} = s_{gk} \hat x_{nqgk} + b_{gk} $$

Derivation.  For each example and group this is the normalization of one set of $M$ numbers, whose derivative is derived in
:mod:`funcnn.layers.normalization.layer_norm`: a symmetric map, so its own transpose.  With $h_{nqgk} = s_{gk} \bar
y_{nqgk}$, the cotangent of $\hat x$,
$$ \bar x_{nqgk} = r_{ng} \Big(h_{nqgk} - \tfrac1M\sum_{q'k'} h_{nq'gk'}
   - \hat x_{nqgk}\,\tfrac1M\sum_{q'k'} \hat x_{nq'gk'}\, h_{nq'gk'}\Big), $$
$$ \bar s_{gk} = \sum_{nq} \bar y_{nqgk} \hat x_{nqgk}, \qquad \bar b_{gk} = \sum_{nq} \bar y_{nqgk}. $$
Means and squares that are too large for this are left to :mod:`funcnn.kernels.moments`.
One group of all channels is layer normalization over a whole example; one channel a group is instance normalization.
"""

import math
from functools import partial

import numpy as np
from attrs import frozen

from funcnn.errors import check_cotangent, check_count, check_features, check_range, describe
from funcnn.kernels.arrays import column_sums, sum_axis0, sum_last
from funcnn.kernels.moments import are_ordinary, standardized
from funcnn.kernels.spatial import check_points
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, define_layer
from funcnn.runtime.records import read_only_again
from funcnn.typing import Array, Empty, Shape


@read_only_again
@frozen(eq=False)
class GroupNormParams:
    """Parameters of a group normalization."""

    scale: Array  # (C,)
    shift: Array  # (C,)


@frozen(eq=False)
class GroupNormResiduals:
    """The normalized input by groups, and the reciprocal standard deviation of each."""

    normalized: Array  # (n, Q, G, K)
    rstd: Array  # (n, 1, G, 1)
    shape: Shape  # of the input


def check_groups(groups: int, channels: int) -> None:
    """Raise unless the channels make groups of equal size."""
    if channels % groups:
        raise ValueError(f"{channels} channels cannot be divided into {groups} groups")


def check_example(groups: int, in_shape: Shape) -> None:
    """Raise unless an example has channels that make groups of equal size."""
    if not in_shape:
        raise ValueError("group_norm takes examples with a channels axis, got in_shape ()")
    check_groups(groups, in_shape[-1])


def init(groups: int, key: Key, in_shape: Shape) -> Init[GroupNormParams, Empty]:
    check_example(groups, in_shape)
    channels = in_shape[-1]
    return Init(GroupNormParams(np.ones(channels), np.zeros(channels)), (), in_shape)


def forward(
    groups: int, eps: float, params: GroupNormParams, state: Empty, x: Array, mode: Mode
) -> Forward[Array, Empty, GroupNormResiduals]:
    check_features(x, params.scale)
    grouped = by_group(x, groups)
    mean = group_means(grouped)
    # xhat = (x - mean(x)) r,  centred twice: the second time by what rounding left of the mean
    normalized: Array = grouped - mean
    normalized -= group_means(normalized)
    std: Array = np.sqrt(group_means(normalized * normalized) + eps)
    rstd: Array = 1 / std
    if are_ordinary(mean.ravel(), std.ravel(), rstd.ravel(), eps):
        normalized *= rstd
    else:
        made = standardized(grouped, group_means, grouped[:, :1, :, :1], mean, std, eps)
        normalized, rstd = made.normalized, made.rstd
    y = normalized.reshape(x.shape) * params.scale
    y += params.shift  # s xhat + b
    return Forward(y, state, GroupNormResiduals(normalized, rstd, x.shape))


def backward(params: GroupNormParams, residuals: GroupNormResiduals, dy: Array) -> Backward[GroupNormParams, Array]:
    check_cotangent(dy, residuals.shape, params.scale.dtype)
    normalized, rstd = residuals.normalized, residuals.rstd
    n, points, groups, size = normalized.shape
    dy_rows = dy.reshape(n * points, groups * size)
    product = normalized.reshape(dy_rows.shape) * dy_rows
    grads = GroupNormParams(scale=sum_axis0(product), shift=sum_axis0(dy_rows))
    # dx = r (g - mean(g) - xhat mean(xhat g)),  g = s dy
    g = (dy_rows * params.scale).reshape(normalized.shape)
    dx = g - group_means(g)
    dx -= normalized * group_means(normalized * g)
    dx *= rstd
    return Backward(grads, dx.reshape(dy.shape))


def by_group(x: Array, groups: int) -> Array:
    """Return x (n, *space, C) as (n, Q, G, K)."""
    check_points(x)
    if x.shape[-1] % groups:
        raise ValueError(f"{x.shape[-1]} channels of the input {describe(x)} cannot be divided into {groups} groups")
    return x.reshape(len(x), math.prod(x.shape[1:-1]), groups, x.shape[-1] // groups)


def group_means(x: Array) -> Array:
    """Return ``x.mean((1, 3), keepdims=True)``, as products with ones: several times faster."""
    n, points, groups, size = x.shape
    columns = column_sums(x.reshape(n, points, groups * size))
    return sum_last(columns.reshape(n, 1, groups, size))[..., np.newaxis] / (points * size)


def group_norm(groups: int, *, eps: float = 1e-5) -> Layer[GroupNormParams, Empty, Array, Array]:
    """Normalize each group of channels over all spatial points to mean 0 and variance 1, then scale and shift each channel.

    Every example is normalized alone: unlike :func:`funcnn.batch_norm` it does the same in training and in evaluation, and for
    any size of batch.

    Parameters
    ----------
    groups : int
        Into how many groups of neighbouring channels they are divided.
    eps : float, optional
        Added to the variance, more than 0.

    Returns
    -------
    Layer
        From (n, *space, C) to the same; parameters :class:`GroupNormParams`: scale (C,), ones at first, and shift (C,), zeros.

    Raises
    ------
    TypeError, ValueError
        When an argument is out of range; in ``init``, when the groups do not divide the channels; in ``forward``, when the last
        axis of x is not C long, or x is of higher precision than the parameters.

    References
    ----------
    Wu & He (2018), Group normalization, arXiv:1803.08494.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.group_norm(2)
    >>> start = layer.init(fn.Key(0), (1, 4))
    >>> fn.apply(layer, start.params, start.state, np.array([[[1.0, 3.0, 10.0, 30.0]]])).round(3)
    array([[[-1.,  1., -1.,  1.]]])
    """
    groups = check_count(groups, "groups")
    eps = check_range(eps, "eps", 0, float("inf"), open_low=True, open_high=True)
    return define_layer(f"group_norm({groups})", partial(init, groups), partial(forward, groups, eps), backward, random=False)
