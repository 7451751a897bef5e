r"""Gaussian error linear unit (Hendrycks and Gimpel 2016, arXiv:1606.08415).

With the distribution function $\Phi$ and the density $\varphi$ of the standard normal distribution,
$$ y = x\,\Phi(x), \qquad f'(x) = \Phi(x) + x\,\varphi(x), $$
by the product rule and $\Phi' = \varphi$.

The approximation of the paper, $\tfrac12 x\,(1 + \tanh u)$, is written with $\tfrac12(1 + \tanh u) = \sigma(2u)$, since the
sum cancels where x is negative:
$$ y = x\,\sigma(v), \qquad v = 2\sqrt{2/\pi}\,(x + 0.044715\,x^3), $$
$$ f'(x) = \sigma(v)\,\big(1 + x\,\sigma(-v)\,v'\big), \qquad v' = 2\sqrt{2/\pi}\,(1 + 3 \cdot 0.044715\,x^2), $$
since $\sigma'(v) = \sigma(v)\,\sigma(-v)$.  With $E = e^v$ these are $\sigma(v) = E/(1 + E)$ and $\sigma(-v) = 1/(1 + E)$: no
difference, and so no digit lost in either tail.  Where $E$ would overflow, the largest exponential that does not gives the same;
and beyond $|x| = 64$, where $\sigma(v)$ is 0 or 1 in every precision, so does 64 in $v$.  An infinite x times 0 is
avoided as in silu.

Along an imaginary step the second derivatives are wanted too: from $\varphi' = -x \varphi$, and from $\sigma'' = -\sigma' \tanh
\tfrac v2$ (as for the sigmoid),
$$ f''(x) = \varphi(x)\,(2 - x^2), \qquad
   f''(x) = \sigma'(v)\,\big(2 v' - x\,v'^2 \tanh \tfrac v2 + x\,v''\big), \quad v'' = 2\sqrt{2/\pi}\cdot 6 \cdot 0.044715\,x . $$
"""

import numpy as np

from funcnn.errors import check_flag
from funcnn.kernels.arrays import above_minus_infinity, absolute, constant, finite, largest_exponent, minimum_with
from funcnn.kernels.erf import normal
from funcnn.kernels.transcendental import exp, tanh
from funcnn.layer import Layer
from funcnn.layers.activations.elementwise import from_slope
from funcnn.typing import Array, Empty

LINEAR = np.longdouble("1.595769121605730711759784239737527474")
"""2 sqrt(2 / pi); as CUBIC with the digits of the most precise numbers, rounded to those of x where they are used."""
CUBIC = np.longdouble("0.0713548162726002487763387522798635410")
"""0.044715 times that."""
FAR = 64.0


def gelu_value(x: Array) -> Array:
    y, _ = normal(x)
    y *= above_minus_infinity(x)
    return y


def gelu_and_slope(x: Array) -> tuple[Array, Array]:
    y, slope = normal(x)
    slope *= finite(x)
    slope += y
    y *= above_minus_infinity(x)
    return y, slope


def gelu_curvature(x: Array, y: Array, slope: Array) -> Array:
    """Return the second derivative."""
    _, density = normal(x)
    near = saturated(x)
    bend: Array = density * (2 - near * near)
    return bend


def approximate_value(x: Array) -> Array:
    near = saturated(x)
    v = near * near  # x**3 takes many times longer
    v *= constant(CUBIC, x.dtype)
    v += constant(LINEAR, x.dtype)
    v *= near
    y = exponential(v)
    y /= y + 1
    y *= above_minus_infinity(x)
    return y


def approximate_and_slope(x: Array) -> tuple[Array, Array]:
    near = saturated(x)
    slope = near * near
    slope *= constant(CUBIC, x.dtype)
    v = slope + constant(LINEAR, x.dtype)
    v *= near
    y = exponential(v)
    total = y + 1
    y /= total
    slope *= 3
    slope += constant(LINEAR, x.dtype)  # v'
    slope *= near
    slope /= total
    slope += 1
    slope *= y
    y *= above_minus_infinity(x)
    return y, slope


def approximate_curvature(x: Array, y: Array, slope: Array) -> Array:
    """Return the second derivative of the approximation."""
    near = saturated(x)
    linear = constant(LINEAR, x.dtype)
    bend = constant(CUBIC, x.dtype) * near * near
    v = (bend + linear) * near
    first = 3 * bend + linear  # v'
    e = exponential(-absolute(v))
    weight = e / ((1 + e) * (1 + e))
    second: Array = weight * (2 * first - near * first * first * tanh(v / 2) + 6 * bend)
    return second


def saturated(x: Array) -> Array:
    """Return x, but no further from 0 than where sigma(v) is 0 or 1 in every precision, so that no power of it overflows."""
    near: Array = np.maximum(x, constant(-FAR, x.dtype))
    return np.minimum(near, constant(FAR, x.dtype), out=near)


def exponential(v: Array) -> Array:
    """Return exp(v), or where that would overflow a number of which 1 is less than a unit in the last place."""
    e = minimum_with(largest_exponent(v.dtype), v)
    return exp(e, out=e)


def gelu(*, approximate: bool = False) -> Layer[Empty, Empty, Array, Array]:
    """Gaussian error linear unit: x times the probability that a standard normal number is less than x.

    Parameters
    ----------
    approximate : bool, optional
        Whether to use the approximation by tanh, which GPT-2 was trained with: off by up to 5e-4, and several times faster.

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
    >>> x = np.array([[-1e4, 0.0, 1.0]])
    >>> fn.apply(fn.gelu(), (), (), x)
    array([[-0.        ,  0.        ,  0.84134475]])
    >>> fn.apply(fn.gelu(approximate=True), (), (), x)
    array([[-0.        ,  0.        ,  0.84119199]])
    """
    if check_flag(approximate, "approximate"):
        return from_slope("gelu(approximate)", approximate_value, approximate_and_slope, approximate_curvature)
    return from_slope("gelu", gelu_value, gelu_and_slope, gelu_curvature)
