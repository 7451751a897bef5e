r"""Exponential linear units with other constants than elu's.

$$ \begin{aligned}
\text{celu} &: & y &= \max(x, 0) + \alpha\,(e^{\min(x, 0)/\alpha} - 1), & f'(x) &= e^{\min(x, 0)/\alpha} \\
\text{selu} &: & y &= \lambda \max(x, 0) + \lambda \alpha\,(e^{\min(x, 0)} - 1),
   & f'(x) &= \lambda\,[x > 0] + \lambda \alpha\,e^{x}\,[x \le 0]
\end{aligned} $$

Derivation.  Each side of 0 is differentiated alone.  The derivative of celu is continuous whatever $\alpha$ is: 1 at 0 from
both sides.  Selu has a kink there, and the left slope $\lambda\alpha$ is taken.

The constants of selu are those with which a layer of many such units, whose inputs are independent with mean 0 and variance 1
and whose weights have mean 0 and variance 1 over the number of inputs, has outputs of mean 0 and variance 1.
"""

from functools import partial

import numpy as np

from funcnn.errors import check_range
from funcnn.kernels.arrays import negative_part, positive_part
from funcnn.layer import Layer
from funcnn.layers.activations.elementwise import from_slope
from funcnn.layers.activations.rectifiers import elu_and_slope, elu_value
from funcnn.typing import Array, Empty

ALPHA = 1.6732632423543772
LAMBDA = 1.0507009873554805


def celu_value(alpha: float, x: Array) -> Array:
    y = negative_part(x)
    y /= alpha
    np.expm1(y, out=y)
    y *= alpha
    y += positive_part(x)
    return y


def celu_and_slope(alpha: float, x: Array) -> tuple[Array, Array]:
    y = negative_part(x)
    y /= alpha
    slope: Array = np.exp(y)
    np.expm1(y, out=y)
    y *= alpha
    y += positive_part(x)
    return y, slope


def celu(alpha: float = 1.0) -> Layer[Empty, Empty, Array, Array]:
    """Continuously differentiable elu: x where x > 0, alpha (exp(x / alpha) - 1) elsewhere (Barron 2017, arXiv:1704.07483).

    Parameters
    ----------
    alpha : float, optional
        Minus the limit at minus infinity, more than 0.

    Returns
    -------
    Layer
        Elementwise, of any shape.

    Raises
    ------
    ValueError
        When ``alpha`` is not positive and finite.
    TypeError
        When ``alpha`` is not a number; in ``forward``, when x is not a floating array.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.celu(2.0), (), (), np.array([[-1e4, 0.0, 3.0]]))
    array([[-2.,  0.,  3.]])
    """
    alpha = check_range(alpha, "alpha", 0, float("inf"), open_low=True, open_high=True)
    return from_slope(f"celu({alpha:g})", partial(celu_value, alpha), partial(celu_and_slope, alpha))


def selu_value(x: Array) -> Array:
    y = elu_value(ALPHA, x)
    y *= LAMBDA
    return y


def selu_and_slope(x: Array) -> tuple[Array, Array]:
    y, slope = elu_and_slope(ALPHA, x)
    y *= LAMBDA
    slope *= LAMBDA
    return y, slope


def selu() -> Layer[Empty, Empty, Array, Array]:
    """Scaled elu: it keeps mean 0 and variance 1 from layer to layer (Klambauer et al. 2017, arXiv:1706.02515, eq. 2).

    Its layers want weights of variance 1 over the number of inputs (:func:`funcnn.initializers.lecun_normal`).

    Returns
    -------
    Layer
        Elementwise, of any shape.  The derivative at 0 is the left one.

    Raises
    ------
    TypeError
        In ``forward``, when x is not a floating array.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.selu(), (), (), np.array([[-1e4, 0.0, 1.0]]))
    array([[-1.75809934,  0.        ,  1.05070099]])
    """
    return from_slope("selu", selu_value, selu_and_slope)
