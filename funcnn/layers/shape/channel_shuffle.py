r"""Channel shuffle (Zhang et al. 2018, ShuffleNet, arXiv:1707.01083, section 3.1): the channels of groups dealt out in turn.

Indices: $n$ example or point (any number of leading axes), $g$ group of $G$, $k$ channel of the $K$ of a group.

Forward.  $y_{n,kG+g} = x_{n,gK+k}$: the first channels of all groups, then the second ones.

Derivation.  A permutation, whose transpose is its inverse: $\bar x_{n,gK+k} = \bar y_{n,kG+g}$, the shuffle of K groups.
"""

from functools import partial

from funcnn.errors import check_array, check_cotangent, check_count
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, define_layer
from funcnn.layers.normalization.group_norm import check_groups
from funcnn.layers.shape.identity import OutputShape
from funcnn.typing import Array, Empty, Shape


def dealt(groups: int, size: int, x: Array) -> Array:
    """Return the last axis of x, groups of a size, in another order: one channel of each group after the other."""
    pairs = x.reshape(*x.shape[:-1], groups, size).swapaxes(-1, -2)
    return pairs.reshape(x.shape).copy()


def init(groups: int, key: Key, in_shape: Shape) -> Init[Empty, Empty]:
    if not in_shape:
        raise ValueError("channel_shuffle takes examples with a channels axis, got in_shape ()")
    check_groups(groups, in_shape[-1])
    return Init((), (), in_shape)


def forward(groups: int, params: Empty, state: Empty, x: Array, mode: Mode) -> Forward[Array, Empty, OutputShape]:
    check_array(x)
    check_groups(groups, x.shape[-1])
    return Forward(dealt(groups, x.shape[-1] // groups, x), state, OutputShape(x.shape))


def backward(groups: int, params: Empty, residuals: OutputShape, dy: Array) -> Backward[Empty, Array]:
    check_cotangent(dy, residuals.shape)
    return Backward(params, dealt(dy.shape[-1] // groups, groups, dy))


def channel_shuffle(groups: int) -> Layer[Empty, Empty, Array, Array]:
    """Deal the channels of groups out in turn, so that a next convolution in groups sees some of each.

    Parameters
    ----------
    groups : int
        Into how many groups the channels are divided.

    Returns
    -------
    Layer
        From (n, ..., C) to the same, without parameters.

    Raises
    ------
    TypeError, ValueError
        When ``groups`` is not a positive integer; in ``init`` and ``forward``, when it does not divide the channels.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.channel_shuffle(2), (), (), np.arange(6.0)[None])
    array([[0., 3., 1., 4., 2., 5.]])
    """
    groups = check_count(groups, "groups")
    return define_layer(
        f"channel_shuffle({groups})", partial(init, groups), partial(forward, groups), partial(backward, groups), random=False
    )
