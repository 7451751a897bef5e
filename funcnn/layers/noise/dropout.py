r"""Dropout (Srivastava et al. 2014): in training each number is dropped with probability p, in evaluation none is.

Forward, with $m_k = 0$ with probability $p$ and $1/(1-p)$ otherwise
$$ y_k = m_k x_k \quad \text{(training)}, \qquad y_k = x_k \quad \text{(evaluation)}. $$
The expectation of $m_k$ is 1 (*inverted* dropout), so nothing has to be scaled in evaluation.

Derivation.  The mask does not depend on x: $\mathrm{d}y_k = m_k\,\mathrm{d}x_k$, and so $\bar x_k = m_k \bar y_k$.

The mask is drawn from the key of the mode, in float32 whatever the precision of x: one key drops the same numbers in every
precision.
"""

from functools import partial

from attrs import frozen

from funcnn.errors import check_array, check_cotangent, check_range
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, Train, define_layer
from funcnn.layers.shape.identity import OutputShape
from funcnn.typing import Array, Empty, Shape


@frozen(eq=False)
class Mask:
    """What each number was multiplied by: 0 or 1 / (1 - rate)."""

    factors: Array  # of the input's shape, or what is repeated to it
    shape: Shape  # of the output


def init(key: Key, in_shape: Shape) -> Init[Empty, Empty]:
    return Init((), (), in_shape)


def forward(rate: float, params: Empty, state: Empty, x: Array, mode: Mode) -> Forward[Array, Empty, Mask | OutputShape]:
    check_array(x, min_ndim=1)
    if not isinstance(mode, Train):
        return Forward(x.copy(), state, OutputShape(x.shape))  # a copy: no result shares memory with an argument
    draws = mode.uniform(x.shape)
    factors = (draws >= rate).astype(x.real.dtype)
    factors *= 1 / (1 - rate)
    return Forward(x * factors, state, Mask(factors, x.shape))


def backward(params: Empty, residuals: Mask | OutputShape, dy: Array) -> Backward[Empty, Array]:
    if isinstance(residuals, Mask):
        check_cotangent(dy, residuals.shape, residuals.factors.dtype)
        return Backward(params, dy * residuals.factors)
    check_cotangent(dy, residuals.shape)
    return Backward(params, dy.copy())


def dropout(rate: float) -> Layer[Empty, Empty, Array, Array]:
    """Drop each number with a probability in training and scale the others, so that the expectation stays (inverted dropout).

    Parameters
    ----------
    rate : float
        Probability of being *dropped*, from 0 to less than 1.

    Returns
    -------
    Layer
        From any shape to the same; the identity in evaluation.

    Raises
    ------
    ValueError
        When the rate is not in [0, 1).
    TypeError
        When the rate is not a number; in ``forward``, when x is not a floating array.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer, x = fn.dropout(0.5), np.ones((1, 6))
    >>> layer.forward((), (), x, fn.Train(fn.Key(0))).output
    array([[2., 2., 2., 0., 0., 0.]])
    >>> fn.apply(layer, (), (), x)
    array([[1., 1., 1., 1., 1., 1.]])
    """
    rate = check_range(rate, "rate (the probability of being dropped)", 0, 1, open_high=True)
    return define_layer(f"dropout({rate:g})", init, partial(forward, rate), backward)
