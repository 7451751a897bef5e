r"""Spatial dropout (Tompson et al. 2015, arXiv:1411.4280, section 3.2): whole channels are dropped.

Indices: $n$ example, $q$ point (any number of spatial or time axes), $c$ channel.

Forward, with $m_{nc} = 0$ with probability $p$ and $1/(1-p)$ otherwise
$$ y_{nqc} = m_{nc}\, x_{nqc} \quad \text{(training)}, \qquad y_{nqc} = x_{nqc} \quad \text{(evaluation)}. $$
Neighbouring points of a channel carry nearly the same information: dropped one by one they would not be missed.

Derivation.  The mask does not depend on x: $\bar x_{nqc} = m_{nc}\, \bar y_{nqc}$.
"""

from functools import partial

from funcnn.errors import check_array, check_range
from funcnn.key import Key
from funcnn.layer import Forward, Init, Layer, Mode, Train, define_layer
from funcnn.layers.noise.dropout import Mask, backward
from funcnn.layers.shape.identity import OutputShape
from funcnn.typing import Array, Empty, Shape


def init(key: Key, in_shape: Shape) -> Init[Empty, Empty]:
    if len(in_shape) < 2:
        raise ValueError(f"an example has shape {in_shape}, expected spatial axes before the channels: use dropout for features")
    return Init((), (), in_shape)


def forward(rate: float, params: Empty, state: Empty, x: Array, mode: Mode) -> Forward[Array, Empty, Mask | OutputShape]:
    check_array(x, min_ndim=3)
    if not isinstance(mode, Train):
        return Forward(x.copy(), state, OutputShape(x.shape))  # a copy: no result shares memory with an argument
    draws = mode.uniform((len(x), *(1,) * (x.ndim - 2), x.shape[-1]))
    factors = (draws >= rate).astype(x.real.dtype)
    factors *= 1 / (1 - rate)
    return Forward(x * factors, state, Mask(factors, x.shape))


def spatial_dropout(rate: float) -> Layer[Empty, Empty, Array, Array]:
    """Drop each channel of each example, at all its points together, with a probability in training, and scale the others.

    Parameters
    ----------
    rate : float
        Probability of being *dropped*, from 0 to less than 1.

    Returns
    -------
    Layer
        From (n, *space, c) to the same, images or sequences; the identity in evaluation.

    Raises
    ------
    ValueError
        When the rate is not in [0, 1); in ``init`` and ``forward``, when there are no axes besides the channels.
    TypeError
        When the rate is not a number; in ``forward``, when x is not a floating array.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.spatial_dropout(0.5).forward((), (), np.ones((1, 2, 6)), fn.Train(fn.Key(0))).output
    array([[[2., 2., 2., 0., 0., 0.],
            [2., 2., 2., 0., 0., 0.]]])
    """
    rate = check_range(rate, "rate (the probability of being dropped)", 0, 1, open_high=True)
    return define_layer(f"spatial_dropout({rate:g})", init, partial(forward, rate), backward)
