r"""Rectifiers: activations with one formula on each side of zero.

$$ \begin{aligned}
\text{relu} &: & y &= \max(x, 0), & f'(x) &= [x > 0] \\
\text{leaky relu} &: & y &= \max(x, a x),\; 0 \le a \le 1, & f'(x) &= [x > 0] + a\,[x \le 0] \\
\text{elu} &: & y &= \max(x, 0) + a\,(e^{\min(x,0)} - 1), & f'(x) &= [x > 0] + a\,e^{x}\,[x \le 0]
\end{aligned} $$

Derivation.  Each side is differentiated alone.  At $x = 0$ the function has a kink (elu only for $a \ne 1$), and any number
between the slopes of both sides is a valid derivative; the left one is taken, as in other libraries: relu'(0) = 0.  The sign
of y tells the side for relu and leaky relu, so they keep the output.  For elu $f' = y + a$ on the left would cancel where y
is near $-a$: the slope is kept.
"""

from functools import partial

import numpy as np

from funcnn.errors import check_range
from funcnn.kernels.arrays import constant, maximum_into, negative_part, positive_part
from funcnn.layer import Layer
from funcnn.layers.activations.elementwise import from_output, from_slope
from funcnn.typing import Array, Empty


def relu_pullback(y: Array, dy: Array) -> Array:
    above = y > constant(0, y.dtype) if y.dtype.kind == "f" else y.real > 0
    dx = above.astype(dy.dtype)  # a product with booleans would convert them in small pieces
    dx *= dy
    return dx


def relu() -> Layer[Empty, Empty, Array, Array]:
    """Rectified linear unit, max(x, 0) (Nair and Hinton 2010).

    Returns
    -------
    Layer
        Elementwise, of any shape.  The derivative at 0 is 0.

    Raises
    ------
    TypeError
        In ``forward``, when x is not a floating array.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.relu(), (), (), np.array([[-1.0, 0.0, 2.0]]))
    array([[0., 0., 2.]])
    """
    return from_output("relu", positive_part, relu_pullback)


def leaky_relu_value(slope: float, x: Array) -> Array:
    if slope == 0:  # times minus infinity it would be no number
        return positive_part(x)
    y: Array = x * slope
    maximum_into(y, x)
    return y


def leaky_relu_pullback(slope: float, y: Array, dy: Array) -> Array:
    slopes: Array = np.maximum(y.real > 0, y.real.dtype.type(slope))  # True counts as 1
    return dy * slopes


def leaky_relu(negative_slope: float = 0.01) -> Layer[Empty, Empty, Array, Array]:
    """Leaky rectified linear unit: x where x > 0, and ``negative_slope * x`` elsewhere (Maas, Hannun and Ng 2013).

    Parameters
    ----------
    negative_slope : float, optional
        From 0, which is relu, to 1, which is the identity.

    Returns
    -------
    Layer
        Elementwise, of any shape.  The derivative at 0 is ``negative_slope``.

    Raises
    ------
    ValueError
        When ``negative_slope`` is not in [0, 1].
    TypeError
        When ``negative_slope`` is not a number; in ``forward``, when x is not a floating array.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.leaky_relu(0.1), (), (), np.array([[-1.0, 0.0, 2.0]]))
    array([[-0.1,  0. ,  2. ]])
    """
    negative_slope = check_range(negative_slope, "negative_slope", 0, 1)
    return from_output(
        f"leaky_relu({negative_slope:g})",
        partial(leaky_relu_value, negative_slope),
        partial(leaky_relu_pullback, negative_slope),
    )


def elu_value(alpha: float, x: Array) -> Array:
    y = negative_part(x)
    np.expm1(y, out=y)
    y *= alpha
    y += positive_part(x)
    return y


def elu_and_slope(alpha: float, x: Array) -> tuple[Array, Array]:
    y = negative_part(x)
    slope = np.exp(y)  # 1 where x > 0
    if alpha != 1:
        slope *= np.where(x.real > 0, x.dtype.type(1), x.dtype.type(alpha))
    np.expm1(y, out=y)
    y *= alpha
    y += positive_part(x)
    return y, slope


def elu(alpha: float = 1.0) -> Layer[Empty, Empty, Array, Array]:
    """Exponential linear unit: x where x > 0, and alpha (exp(x) - 1) elsewhere (Clevert et al. 2016, arXiv:1511.07289, eq. 14).

    Parameters
    ----------
    alpha : float, optional
        Minus the limit at minus infinity, more than 0.  With 1 the derivative is continuous.

    Returns
    -------
    Layer
        Elementwise, of any shape.  The derivative at 0 is ``alpha``.

    Raises
    ------
    ValueError
        When ``alpha`` is not positive and finite.
    TypeError
        When ``alpha`` is not a number; in ``forward``, when x is not a floating array.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.elu(), (), (), np.array([[-1e4, 0.0, 2.0]]))
    array([[-1.,  0.,  2.]])
    """
    alpha = check_range(alpha, "alpha", 0, float("inf"), open_low=True, open_high=True)
    return from_slope(f"elu({alpha:g})", partial(elu_value, alpha), partial(elu_and_slope, alpha))
