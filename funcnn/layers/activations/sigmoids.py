r"""Activations made of the logistic function $\sigma(x) = 1/(1 + e^{-x})$.

$$ \begin{aligned}
\text{sigmoid} &: & y &= \sigma(x), & f'(x) &= \sigma(x)\,\sigma(-x) \\
\tanh &: & y &= 2\sigma(2x) - 1, & f'(x) &= 4\,\sigma(2x)\,\sigma(-2x) \\
\text{softplus} &: & y &= \tfrac1\beta \ln(1 + e^{\beta x}), & f'(x) &= \sigma(\beta x) \\
\text{with a threshold} &: & y &= x \text{ where } \beta x > \theta, & f'(x) &= 1 \text{ there} \\
\text{log-sigmoid} &: & y &= -\ln(1 + e^{-x}), & f'(x) &= \sigma(-x) \\
\text{silu} &: & y &= x\,\sigma(\beta x), & f'(x) &= \sigma(\beta x) + \beta x\,\sigma(\beta x)\,\sigma(-\beta x)
\end{aligned} $$

Derivation.  $\sigma' = e^{-x}/(1 + e^{-x})^2 = \sigma(x)\,(1 - \sigma(x))$ and $1 - \sigma(x) = \sigma(-x)$.  The rest is the
chain and product rule.

Along an imaginary step the second derivatives are wanted too.  $1 - 2\sigma(x) = -\tanh\tfrac x2$, and so $\sigma'' = -\sigma'
\tanh\tfrac x2$; $\tanh'' = -2 \tanh\,\tanh'$; that of softplus is $\beta\,\sigma'(\beta x)$, and that of silu, with $u = \beta
x$,
$$ \beta\,\sigma'(u)\,\big(2 - u \tanh\tfrac u2\big) . $$

Digits.  With $e = e^{-|x|}$
$$ \sigma(x) = \frac{[x \ge 0] + e\,[x < 0]}{1 + e}, \qquad \sigma(x)\,\sigma(-x) = \frac{e}{(1 + e)^2}, \qquad
   \ln(1 + e^x) = \max(x, 0) + \ln(1 + e), $$
so nothing overflows, and $1 - \sigma(x)$ is never formed by a subtraction: both tails of the function and of its derivative
are as precise as its middle.  In silu a factor of 0 stands with an infinite x; the largest finite number in its place gives the
limit.
"""

import math
from functools import partial
from typing import cast

import numpy as np

from funcnn.errors import check_range
from funcnn.kernels import transcendental
from funcnn.kernels.arrays import above_minus_infinity, absolute, constant, finite, negative_part, positive_part
from funcnn.layer import Layer
from funcnn.layers.activations.elementwise import from_slope
from funcnn.typing import Array, BoolArray, Empty


def decaying(x: Array) -> Array:
    """Return exp(-|x|), of a complex x its analytic continuation: at most 1."""
    if x.dtype.kind == "c":
        return transcendental.exp(-absolute(x))
    e: Array = np.negative(x)
    np.minimum(e, x, out=e)
    return np.exp(e, out=e)


def numerator(x: Array, e: Array) -> Array:
    """Return 1 where x >= 0 and exp(-|x|) elsewhere: as a maximum, many times faster than np.where."""
    top: Array = np.maximum(x >= constant(0, x.dtype), e) if x.dtype.kind == "f" else np.where(x.real > 0, 1, e)
    return top


def opposite_numerator(x: Array, e: Array) -> Array:
    """Return 1 where x <= 0 and exp(-|x|) elsewhere."""
    return numerator(-x, e) if x.dtype.kind == "f" else np.where(x.real > 0, e, 1)


def sigmoid_value(x: Array) -> Array:
    """Return the logistic function of x."""
    e = decaying(x)
    y = numerator(x, e)
    e += constant(1, x.dtype)
    y /= e
    return y


def sigmoid_and_slope(x: Array) -> tuple[Array, Array]:
    """Return the logistic function of x and its derivative."""
    e = decaying(x)
    y = numerator(x, e)
    total = e + constant(1, x.dtype)
    y /= total
    e /= total
    e /= total
    return y, e


def sigmoid_slope(x: Array) -> Array:
    """Return the derivative of the logistic function."""
    return sigmoid_and_slope(x)[1]


def sigmoid_curvature(x: Array, y: Array, slope: Array) -> Array:
    """Return the second derivative of the logistic function."""
    return -slope * transcendental.tanh(x / 2)


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
    return from_slope("sigmoid", sigmoid_value, sigmoid_and_slope, sigmoid_curvature)


def tanh_and_slope(x: Array) -> tuple[Array, Array]:
    """Return tanh x and its derivative, the square of 2 e / (1 + e**2) with e = exp(-|x|)."""
    if x.dtype.kind == "c" and (both := transcendental.complex_tanh_and_slope(x)) is not None:
        return both
    slope = decaying(x)
    total = slope * slope
    total += constant(1, x.dtype)
    slope += slope
    slope /= total
    slope *= slope
    return transcendental.tanh(x), slope


def tanh_curvature(x: Array, y: Array, slope: Array) -> Array:
    """Return the second derivative of tanh."""
    return -2 * y * slope


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
    return from_slope("tanh", transcendental.tanh, tanh_and_slope, tanh_curvature)


def softplus_value(x: Array) -> Array:
    y = decaying(x)
    np.log1p(y, out=y)
    y += positive_part(x)
    return y


def softplus_and_slope(x: Array) -> tuple[Array, Array]:
    e = decaying(x)
    slope = numerator(x, e)
    slope /= e + constant(1, x.dtype)
    np.log1p(e, out=e)
    e += positive_part(x)
    return e, slope


def sharp_softplus_value(beta: float, x: Array) -> Array:
    """Return log(1 + exp(beta x)) / beta; where beta x is infinite, x itself is not."""
    y = decaying(x * x.real.dtype.type(beta))
    np.log1p(y, out=y)
    y /= x.real.dtype.type(beta)
    y += positive_part(x)
    return y


def sharp_softplus_and_slope(beta: float, x: Array) -> tuple[Array, Array]:
    return sharp_softplus_value(beta, x), sigmoid_value(x * x.real.dtype.type(beta))


def bent_softplus_value(beta: float, threshold: float, x: Array) -> Array:
    """Return x where beta x is beyond the threshold, and log(1 + exp(beta x)) / beta elsewhere."""
    return np.where(is_beyond(beta, threshold, x), x, sharp_softplus_value(beta, x))


def bent_softplus_and_slope(beta: float, threshold: float, x: Array) -> tuple[Array, Array]:
    beyond, (y, slope) = is_beyond(beta, threshold, x), sharp_softplus_and_slope(beta, x)
    return np.where(beyond, x, y), np.where(beyond, constant(1, x.dtype), slope)


def is_beyond(beta: float, threshold: float, x: Array) -> BoolArray:
    """Return where beta x is beyond the threshold."""
    return cast(BoolArray, x.real * x.real.dtype.type(beta) > threshold)


def sharp_softplus_curvature(beta: float, x: Array, y: Array, slope: Array) -> Array:
    """Return the second derivative of softplus."""
    return x.dtype.type(beta) * sigmoid_slope(x * x.dtype.type(beta))


def check_beta(beta: float) -> float:
    """Return the factor of x, or raise."""
    return check_range(beta, "beta", 0, float("inf"), open_low=True, open_high=True)


def softplus(beta: float = 1.0, *, threshold: float = math.inf) -> Layer[Empty, Empty, Array, Array]:
    """Softplus, log(1 + exp(beta x)) / beta: a smooth relu (Dugas et al. 2001).

    Parameters
    ----------
    beta : float, optional
        How sharp the corner is, more than 0; relu is the limit.
    threshold : float, optional
        Where beta x is beyond it the output is x itself, as in networks of PyTorch, which has 20: there the formula, which
        overflows nowhere here, is x to the last digit of float32.  The output then jumps, by less than exp(-threshold) / beta.
        Nowhere by default.

    Returns
    -------
    Layer
        Elementwise, of any shape.

    Raises
    ------
    ValueError
        When ``beta`` is not positive and finite, or ``threshold`` is minus infinity.
    TypeError
        When an argument is not a number; in ``forward``, when x is not a floating array.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.softplus(), (), (), np.array([[-1e4, 0.0, 1e4]]))
    array([[0.00000000e+00, 6.93147181e-01, 1.00000000e+04]])
    """
    beta = check_beta(beta)
    threshold = check_range(threshold, "threshold", -math.inf, math.inf, open_low=True)
    if threshold < math.inf:
        bent = partial(bent_softplus_value, beta, threshold), partial(bent_softplus_and_slope, beta, threshold)
        return from_slope(f"softplus_with_threshold({beta:g}, {threshold:g})", *bent)
    if beta == 1:
        return from_slope("softplus", softplus_value, softplus_and_slope, partial(sharp_softplus_curvature, 1.0))
    value, with_slope = partial(sharp_softplus_value, beta), partial(sharp_softplus_and_slope, beta)
    return from_slope(f"softplus({beta:g})", value, with_slope, partial(sharp_softplus_curvature, beta))


def log_sigmoid_value(x: Array) -> Array:
    y = decaying(x)
    np.log1p(y, out=y)
    return np.subtract(negative_part(x), y, out=y)


def log_sigmoid_and_slope(x: Array) -> tuple[Array, Array]:
    e = decaying(x)
    slope = opposite_numerator(x, e)
    slope /= e + constant(1, x.dtype)
    np.log1p(e, out=e)
    return np.subtract(negative_part(x), e, out=e), slope


def log_sigmoid() -> Layer[Empty, Empty, Array, Array]:
    """Logarithm of the logistic sigmoid, log(1 / (1 + exp(-x))).

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
    sigmoid_cross_entropy : the loss that takes what would go into it.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.log_sigmoid(), (), (), np.array([[-1e4, 0.0, 40.0]]))
    array([[-1.00000000e+04, -6.93147181e-01, -4.24835426e-18]])
    """
    return from_slope("log_sigmoid", log_sigmoid_value, log_sigmoid_and_slope)


def silu_value(x: Array) -> Array:
    y = sigmoid_value(x)
    y *= above_minus_infinity(x)
    return y


def silu_and_slope(x: Array) -> tuple[Array, Array]:
    s, slope = sigmoid_and_slope(x)
    slope *= finite(x)
    slope += s
    s *= above_minus_infinity(x)
    return s, slope


def swish_value(beta: float, x: Array) -> Array:
    """Return x sigmoid(beta x)."""
    y = sigmoid_value(x * x.real.dtype.type(beta))
    y *= above_minus_infinity(x)
    return y


def swish_and_slope(beta: float, x: Array) -> tuple[Array, Array]:
    z = x * x.real.dtype.type(beta)
    s, slope = sigmoid_and_slope(z)
    slope *= finite(z)
    slope += s
    s *= above_minus_infinity(x)
    return s, slope


def swish_curvature(beta: float, x: Array, y: Array, slope: Array) -> Array:
    """Return the second derivative of x sigmoid(beta x)."""
    u = finite(x * x.dtype.type(beta))
    return x.dtype.type(beta) * sigmoid_slope(u) * (2 - u * transcendental.tanh(u / 2))


def silu(beta: float = 1.0) -> Layer[Empty, Empty, Array, Array]:
    """Sigmoid linear unit, x sigmoid(x) (Elfwing, Uchibe and Doya 2018, eq. 3), or swish, x sigmoid(beta x).

    Parameters
    ----------
    beta : float, optional
        Factor of x in the sigmoid, more than 0.

    Returns
    -------
    Layer
        Elementwise, of any shape.

    Raises
    ------
    ValueError
        When ``beta`` is not positive and finite.
    TypeError
        When ``beta`` is not a number; in ``forward``, when x is not a floating array.

    References
    ----------
    Ramachandran, Zoph & Le (2017), Searching for activation functions, arXiv:1710.05941 (beta).

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.silu(), (), (), np.array([[-1e4, 0.0, 1.0]]))
    array([[-0.        ,  0.        ,  0.73105858]])
    """
    beta = check_beta(beta)
    if beta == 1:
        return from_slope("silu", silu_value, silu_and_slope, partial(swish_curvature, 1.0))
    return _swish(f"silu({beta:g})", beta)


def _swish(name: str, beta: float) -> Layer[Empty, Empty, Array, Array]:
    """Make the layer x sigmoid(beta x)."""
    value, with_slope = partial(swish_value, beta), partial(swish_and_slope, beta)
    return from_slope(name, value, with_slope, partial(swish_curvature, beta))


def quick_gelu() -> Layer[Empty, Empty, Array, Array]:
    """GELU by a sigmoid, x sigmoid(1.702 x) (Hendrycks & Gimpel 2016, arXiv:1606.08415, section 2), as CLIP has it.

    Returns
    -------
    Layer
        Elementwise, of any shape: ``silu(1.702)`` under its own name.

    Raises
    ------
    TypeError
        In ``forward``, when x is not a floating array.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.quick_gelu(), (), (), np.array([[-1e4, 0.0, 1.0]])).round(4)
    array([[-0.    ,  0.    ,  0.8458]])
    """
    return _swish("quick_gelu", 1.702)
