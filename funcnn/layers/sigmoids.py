r"""Activations made of the logistic function $\sigma(x) = 1/(1 + e^{-x})$.

$$ \begin{aligned}
\text{sigmoid} &: & y &= \sigma(x), & f'(x) &= \sigma(x)\,\sigma(-x) \\
\tanh &: & y &= 2\sigma(2x) - 1, & f'(x) &= 4\,\sigma(2x)\,\sigma(-2x) \\
\text{softplus} &: & y &= \ln(1 + e^x), & f'(x) &= \sigma(x) \\
\text{silu} &: & y &= x\,\sigma(x), & f'(x) &= \sigma(x) + x\,\sigma(x)\,\sigma(-x)
\end{aligned} $$

Derivation.  $\sigma' = e^{-x}/(1 + e^{-x})^2 = \sigma(x)\,(1 - \sigma(x))$ and $1 - \sigma(x) = \sigma(-x)$.  The rest is the
chain and product rule.

Digits.  With $a = e^{\min(x,0)}$ and $b = e^{\min(-x,0)}$, one of which is 1,
$$ \sigma(x) = \frac{a}{a+b}, \qquad \sigma(-x) = \frac{b}{a+b}, \qquad \ln(1 + e^x) = \max(x, 0) + \ln(1 + ab), $$
so nothing overflows, and $1 - \sigma(x)$ is never formed by a subtraction: both tails of the function and of its derivative
are as precise as its middle.
"""

import numpy as np

from funcnn.layer import Layer
from funcnn.layers.elementwise import from_slope
from funcnn.numerics import constant
from funcnn.typing import Array, Empty


def exponentials(x: Array) -> tuple[Array, Array]:
    """Return exp(min(x, 0)) and exp(min(-x, 0))."""
    zero = constant(0, x.dtype)
    a: Array = np.minimum(x, zero)
    b: Array = np.negative(x)
    np.minimum(b, zero, out=b)
    return np.exp(a, out=a), np.exp(b, out=b)


def sigmoid_value(x: Array) -> Array:
    """Return the logistic function of x."""
    a, b = exponentials(x)
    b += a
    a /= b
    return a


def sigmoid_and_slope(x: Array) -> tuple[Array, Array]:
    """Return the logistic function of x and its derivative."""
    a, b = exponentials(x)
    total = a + b
    a /= total
    b /= total
    b *= a
    return a, b


def sigmoid() -> Layer[Empty, Empty, Array, Array]:
    """Logistic sigmoid, 1 / (1 + exp(-x)).

    Returns
    -------
    Layer
        Elementwise, of any shape.

    Raises
    ------
    TypeError
        In ``forward``, when x is not a floating array.

    See Also
    --------
    sigmoid_cross_entropy : the loss that takes what would go into the sigmoid.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.sigmoid(), (), (), np.array([[-1e4, 0.0, 1.0]]))
    array([[0.        , 0.5       , 0.73105858]])
    """
    return from_slope("sigmoid", sigmoid_value, sigmoid_and_slope)


def tanh_and_slope(x: Array) -> tuple[Array, Array]:
    """Return tanh x and its derivative, 4 p / (1 + p)**2 with p = exp(-2 |x|)."""
    p: Array = x + x
    np.minimum(p, -p, out=p)
    np.exp(p, out=p)
    slope: Array = p + constant(1, x.dtype)
    np.divide(constant(2, x.dtype), slope, out=slope)
    slope *= slope
    slope *= p
    return np.tanh(x), slope


def tanh() -> Layer[Empty, Empty, Array, Array]:
    """Hyperbolic tangent.

    Returns
    -------
    Layer
        Elementwise, of any shape.

    Raises
    ------
    TypeError
        In ``forward``, when x is not a floating array.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.tanh(), (), (), np.array([[-1e4, 0.0, 1.0]]))
    array([[-1.        ,  0.        ,  0.76159416]])
    """
    return from_slope("tanh", np.tanh, tanh_and_slope)


def softplus_value(x: Array) -> Array:
    y = -x
    np.minimum(x, y, out=y)
    np.exp(y, out=y)
    np.log1p(y, out=y)
    y += np.maximum(x, 0)
    return y


def softplus_and_slope(x: Array) -> tuple[Array, Array]:
    return softplus_value(x), sigmoid_value(x)


def softplus() -> Layer[Empty, Empty, Array, Array]:
    """Softplus, log(1 + exp(x)): a smooth relu (Dugas et al. 2001).

    Returns
    -------
    Layer
        Elementwise, of any shape.

    Raises
    ------
    TypeError
        In ``forward``, when x is not a floating array.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.softplus(), (), (), np.array([[-1e4, 0.0, 1e4]]))
    array([[0.00000000e+00, 6.93147181e-01, 1.00000000e+04]])
    """
    return from_slope("softplus", softplus_value, softplus_and_slope)


def silu_value(x: Array) -> Array:
    y = sigmoid_value(x)
    y *= x
    return y


def silu_and_slope(x: Array) -> tuple[Array, Array]:
    s, slope = sigmoid_and_slope(x)
    slope *= x
    slope += s
    s *= x
    return s, slope


def silu() -> Layer[Empty, Empty, Array, Array]:
    """Sigmoid linear unit or swish, x sigmoid(x) (Elfwing, Uchibe and Doya 2018, eq. 3).

    Returns
    -------
    Layer
        Elementwise, of any shape.

    Raises
    ------
    TypeError
        In ``forward``, when x is not a floating array.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.silu(), (), (), np.array([[-1e4, 0.0, 1.0]]))
    array([[-0.        ,  0.        ,  0.73105858]])
    """
    return from_slope("silu", silu_value, silu_and_slope)
