r"""Stochastic depth (Huang et al. 2016, arXiv:1603.09382, section 3): whole branches are dropped, example by example.

Indices: $n$ example, $k$ entry of an example.

Forward, with $m_n = 0$ with probability $p$ and $1/(1-p)$ otherwise
$$ y_{nk} = m_n\, x_{nk} \quad \text{(training)}, \qquad y_{nk} = x_{nk} \quad \text{(evaluation)}. $$
At the end of the branch of a residual connection, $x + m\,f(x)$, an example with $m_n = 0$ passes by the layers of the branch.
The paper scales in evaluation by $1-p$; here, as in dropout, it is training that scales.

Derivation.  The mask does not depend on x: $\bar x_{nk} = m_n\, \bar y_{nk}$.
"""

from functools import partial

from funcnn.errors import check_array, check_range
from funcnn.layer import Forward, Layer, Mode, Train, define_layer
from funcnn.layers.noise.dropout import Mask, backward, init
from funcnn.layers.shape.identity import OutputShape
from funcnn.typing import Array, Empty


def forward(rate: float, params: Empty, state: Empty, x: Array, mode: Mode) -> Forward[Array, Empty, Mask | OutputShape]:
    check_array(x, min_ndim=1)
    if not isinstance(mode, Train):
        return Forward(x.copy(), state, OutputShape(x.shape))  # a copy: no result shares memory with an argument
    draws = mode.uniform((len(x), *(1,) * (x.ndim - 1)))
    factors = (draws >= rate).astype(x.real.dtype)
    factors *= 1 / (1 - rate)
    return Forward(x * factors, state, Mask(factors, x.shape))


def stochastic_depth(rate: float) -> Layer[Empty, Empty, Array, Array]:
    """Drop whole examples of a branch with a probability in training, and scale the others: the end of a residual branch.

    Parameters
    ----------
    rate : float
        Probability of being *dropped*, from 0 to less than 1; deeper branches usually have a higher one.

    Returns
    -------
    Layer
        From (n, ...) to the same; the identity in evaluation.

    Raises
    ------
    ValueError
        When the rate is not in [0, 1).
    TypeError
        When the rate is not a number; in ``forward``, when x is not a floating array.

    References
    ----------
    Huang et al. (2016), Deep networks with stochastic depth, arXiv:1603.09382.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> block = fn.residual(fn.scale() >> fn.stochastic_depth(0.5))
    >>> start = block.init(fn.Key(0), (2,))
    >>> block.forward(start.params, start.state, np.ones((4, 2)), fn.Train(fn.Key(0))).output
    array([[3., 3.],
           [3., 3.],
           [1., 1.],
           [1., 1.]])
    """
    rate = check_range(rate, "rate (the probability of being dropped)", 0, 1, open_high=True)
    return define_layer(f"stochastic_depth({rate:g})", init, partial(forward, rate), backward)
