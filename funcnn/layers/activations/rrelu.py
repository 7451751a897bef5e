r"""Randomized rectifier (Xu et al. 2015, arXiv:1505.00853, section 2.4).

Forward, with $a_k$ drawn from the uniform distribution on $[l, u)$ in training and $a_k = (l + u)/2$ in evaluation
$$ y_k = \max(x_k, 0) + a_k \min(x_k, 0). $$

Derivation.  The slopes do not depend on x: $\mathrm{d}y_k = ([x_k > 0] + a_k\,[x_k \le 0])\,\mathrm{d}x_k$, and at 0 the left
slope is taken, so that
$$ \bar x_k = ([x_k > 0] + a_k\,[x_k \le 0])\,\bar y_k . $$

(The paper divides by a drawn number from $[3, 8)$; its library, and the others, multiply by one from $[1/8, 1/3)$, as here.)  The
slopes are drawn from the key of the mode, in float32 whatever the precision of x: one key gives the same in every precision.
"""

from functools import partial

import numpy as np

from funcnn.errors import check_array, check_range
from funcnn.kernels.arrays import constant
from funcnn.layer import Forward, Layer, Mode, Train, define_layer
from funcnn.layers.activations.elementwise import Slope, backward_from_slope, init
from funcnn.typing import Array, Empty


def forward(low: float, high: float, params: Empty, state: Empty, x: Array, mode: Mode) -> Forward[Array, Empty, Slope | Empty]:
    check_array(x, min_ndim=1)
    kind = x.real.dtype
    if isinstance(mode, Train):
        drawn: Array = mode.uniform(x.shape).astype(kind)
        drawn *= high - low
        drawn += low
    else:
        drawn = constant((low + high) / 2, kind)
    slope = np.where(x.real > 0, constant(1, kind), drawn)
    # 0 times minus infinity would be no number
    y = x * slope if low > 0 else np.multiply(x, slope, out=np.zeros_like(x), where=slope != 0)
    return Forward(y, state, Slope(slope))


def rrelu(low: float = 1 / 8, high: float = 1 / 3) -> Layer[Empty, Empty, Array, Array]:
    """Randomized leaky relu: x where x > 0, and elsewhere x times a slope that is drawn anew for every number in training.

    Parameters
    ----------
    low, high : float, optional
        The slopes are uniform between them; evaluation takes their mean.  From 0 to 1.

    Returns
    -------
    Layer
        Elementwise, of any shape.  The derivative at 0 is the slope of the negative side.

    Raises
    ------
    ValueError
        When not 0 <= low <= high <= 1.
    TypeError
        When ``low`` or ``high`` is not a number; in ``forward``, when x is not a floating array.

    References
    ----------
    Xu et al. (2015), Empirical evaluation of rectified activations in convolution network, arXiv:1505.00853.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.rrelu(0.1, 0.3), (), (), np.array([[-1.0, 0.0, 2.0]]))
    array([[-0.2,  0. ,  2. ]])
    """
    low = check_range(low, "low", 0, 1)
    high = check_range(high, "high", low, 1)
    return define_layer(f"rrelu({low:g}, {high:g})", init, partial(forward, low, high), backward_from_slope)
