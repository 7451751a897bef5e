r"""Gaussian noise (Sietsma & Dow 1991; Bishop 1995): random numbers added in training, none in evaluation.

Forward, with independent standard normal $z_k$
$$ y_k = x_k + s\, z_k \quad \text{(training)}, \qquad y_k = x_k \quad \text{(evaluation)}. $$

Derivation.  The noise does not depend on x: $\bar x_k = \bar y_k$.

The noise is drawn from the key of the mode, in float32 whatever the precision of x: one key gives the same in every precision.
"""

from functools import partial

from funcnn.errors import check_array, check_range
from funcnn.key import Key
from funcnn.layer import Forward, Init, Layer, Mode, Train, define_layer
from funcnn.layers.shape.identity import OutputShape, backward
from funcnn.typing import Array, Empty, Shape


def init(key: Key, in_shape: Shape) -> Init[Empty, Empty]:
    return Init((), (), in_shape)


def forward(std: float, params: Empty, state: Empty, x: Array, mode: Mode) -> Forward[Array, Empty, OutputShape]:
    check_array(x, min_ndim=1)
    if not isinstance(mode, Train):
        return Forward(x.copy(), state, OutputShape(x.shape))  # a copy: no result shares memory with an argument
    noise = mode.normal(x.shape).astype(x.real.dtype)
    noise *= std
    return Forward(x + noise, state, OutputShape(x.shape))


def gaussian_noise(std: float) -> Layer[Empty, Empty, Array, Array]:
    """Add normal random numbers in training: a regularizer, often on the input.

    Parameters
    ----------
    std : float
        Standard deviation of the noise, at least 0.

    Returns
    -------
    Layer
        From any shape to the same; the identity in evaluation.

    Raises
    ------
    ValueError
        When the standard deviation is negative or not finite.
    TypeError
        When it is not a number; in ``forward``, when x is not a floating array.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer, x = fn.gaussian_noise(0.1), np.zeros((1, 3))
    >>> layer.forward((), (), x, fn.Train(fn.Key(0))).output.round(3)
    array([[ 0.112, -0.139, -0.043]])
    >>> fn.apply(layer, (), (), x)
    array([[0., 0., 0.]])
    """
    std = check_range(std, "std", 0, float("inf"), open_high=True)
    return define_layer(f"gaussian_noise({std:g})", init, partial(forward, std), backward)
