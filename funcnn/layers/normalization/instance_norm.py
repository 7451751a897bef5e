r"""Instance normalization (Ulyanov, Vedaldi & Lempitsky 2016, arXiv:1607.08022, eqs. 7 and 8).

Group normalization (:mod:`funcnn.layers.normalization.group_norm`, where both are derived) with one channel in each group:

Indices: $n$ example, $q$ point of $Q$ spatial points, $c$ channel.  Forward
$$ \mu_{nc} = \tfrac1Q \sum_q x_{nqc}, \quad v_{nc} = \tfrac1Q \sum_q (x_{nqc} - \mu_{nc})^2, \quad
   y_{nqc} = s_c\, \frac{x_{nqc} - \mu_{nc}}{\sqrt{v_{nc} + \epsilon}} + b_c. $$
"""

from functools import partial

from funcnn.errors import check_range
from funcnn.key import Key
from funcnn.layer import Forward, Init, Layer, Mode, define_layer
from funcnn.layers.normalization import group_norm
from funcnn.layers.normalization.group_norm import GroupNormParams, GroupNormResiduals
from funcnn.typing import Array, Empty, Shape


def check_example(in_shape: Shape) -> None:
    """Raise unless an example has spatial axes."""
    if len(in_shape) < 2:
        raise ValueError(f"an example has shape {in_shape}, expected spatial axes before the channels")


def init(key: Key, in_shape: Shape) -> Init[GroupNormParams, Empty]:
    check_example(in_shape)
    return group_norm.init(in_shape[-1], key, in_shape)


def forward(eps: float, params: GroupNormParams, state: Empty, x: Array, mode: Mode) -> Forward[Array, Empty, GroupNormResiduals]:
    return group_norm.forward(len(params.scale), eps, params, state, x, mode)


def instance_norm(*, eps: float = 1e-5) -> Layer[GroupNormParams, Empty, Array, Array]:
    """Normalize each channel of each example over its spatial points to mean 0 and variance 1, then scale and shift it.

    Parameters
    ----------
    eps : float, optional
        Added to the variance, more than 0.

    Returns
    -------
    Layer
        From (n, *space, C) to the same; parameters :class:`funcnn.layers.normalization.group_norm.GroupNormParams`: scale
        (C,), ones at first, and shift (C,), zeros.

    Raises
    ------
    TypeError, ValueError
        When ``eps`` is not positive and finite; in ``init``, when there are no spatial axes; in ``forward``, when the last axis
        of x is not C long, or x is of higher precision than the parameters.

    References
    ----------
    Ulyanov, Vedaldi & Lempitsky (2016), Instance normalization: the missing ingredient for fast stylization, arXiv:1607.08022.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.instance_norm()
    >>> start = layer.init(fn.Key(0), (2, 2))
    >>> fn.apply(layer, start.params, start.state, np.array([[[1.0, 30.0], [3.0, 10.0]]])).round(3)
    array([[[-1.,  1.],
            [ 1., -1.]]])
    """
    eps = check_range(eps, "eps", 0, float("inf"), open_low=True, open_high=True)
    return define_layer("instance_norm", init, partial(forward, eps), group_norm.backward, random=False)
