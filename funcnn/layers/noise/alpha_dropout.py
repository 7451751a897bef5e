r"""Alpha dropout (Klambauer, Unterthiner, Mayr & Hochreiter 2017, arXiv:1706.02515, section 3): dropout after selu.

Forward, with $m_k = 0$ with probability $p$ and 1 otherwise, and the limit of selu far to the left,
$\alpha' = -\lambda\alpha = -1.7581$,
$$ y_k = a\,\big(m_k x_k + (1 - m_k)\,\alpha'\big) + b \quad \text{(training)}, \qquad y_k = x_k \quad \text{(evaluation)}. $$
A dropped number takes the value at which selu is saturated instead of 0.  With $q = 1 - p$ an input of mean 0 and variance 1 then
has the mean $p\,\alpha'$ and the variance $q + \alpha'^2 p q$, which
$$ a = \big(q + \alpha'^2\, p q\big)^{-1/2}, \qquad b = -a\,p\,\alpha' $$
bring back to 0 and 1.

Derivation.  The mask does not depend on x: $\mathrm{d}y_k = a\,m_k\,\mathrm{d}x_k$, and so $\bar x_k = a\,m_k\,\bar y_k$.
"""

from functools import partial

from funcnn.errors import check_array, check_range
from funcnn.key import Key
from funcnn.layer import Forward, Init, Layer, Mode, Train, define_layer
from funcnn.layers.noise.dropout import Mask, backward
from funcnn.layers.shape.identity import OutputShape
from funcnn.typing import Array, Empty, Shape

SATURATED = -1.0507009873554804934 * 1.6732632423543772848
"""The limit of selu far to the left, minus lambda times alpha."""


def init(key: Key, in_shape: Shape) -> Init[Empty, Empty]:
    return Init((), (), in_shape)


def forward(rate: float, params: Empty, state: Empty, x: Array, mode: Mode) -> Forward[Array, Empty, Mask | OutputShape]:
    check_array(x, min_ndim=1)
    if not isinstance(mode, Train):
        return Forward(x.copy(), state, OutputShape(x.shape))  # a copy: no result shares memory with an argument
    a = float((1 - rate + SATURATED**2 * rate * (1 - rate)) ** -0.5)
    kept = mode.uniform(x.shape) >= rate
    factors = kept.astype(x.real.dtype)
    factors *= a
    y = x * factors
    y += (a - factors) * SATURATED
    y -= a * rate * SATURATED
    return Forward(y, state, Mask(factors, x.shape))


def alpha_dropout(rate: float) -> Layer[Empty, Empty, Array, Array]:
    """Set each number to selu's limit on the left with a probability in training, and keep mean 0 and variance 1.

    The dropout for self-normalizing networks: to be used after selu.

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

    References
    ----------
    Klambauer et al. (2017), Self-normalizing neural networks, arXiv:1706.02515.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> y = fn.alpha_dropout(0.2).forward((), (), np.random.default_rng(0).normal(size=(10**5, 1)), fn.Train(fn.Key(0))).output
    >>> bool(abs(y.mean()) < 0.01), bool(abs(y.var() - 1) < 0.01)
    (True, True)
    """
    rate = check_range(rate, "rate (the probability of being dropped)", 0, 1, open_high=True)
    return define_layer(f"alpha_dropout({rate:g})", init, partial(forward, rate), backward)
