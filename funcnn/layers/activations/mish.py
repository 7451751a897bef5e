r"""Mish (Misra 2020, arXiv:1908.08681): $y = x\,t(x)$ with $t(x) = \tanh(\ln(1 + e^x))$.

Derivation.  With $w = e^x$, and $\tanh \ln v = (v^2 - 1)/(v^2 + 1)$ at $v = 1 + w$,
$$ t = \frac{w^2 + 2w}{w^2 + 2w + 2}, \qquad
   t'(x) = \frac{4\,w\,(1 + w)}{(w^2 + 2w + 2)^2}, \qquad f'(x) = t + x\,t'(x), $$
the second by the quotient rule: $t = 1 - 2/q$ with $q = w^2 + 2w + 2$ has $t'(x) = (2/q^2)\,(2w + 2)\,w$.

Digits.  For $x \ge 0$ numerator and denominator are divided by powers of $w$, so that in both cases only $e = e^{-|x|}$ occurs:
$$ t = \frac{1 + 2e}{1 + 2e + 2e^2}, \quad t' = \frac{4\,e^2\,(1 + e)}{(1 + 2e + 2e^2)^2} \quad (x \ge 0), \qquad
   t = \frac{e^2 + 2e}{e^2 + 2e + 2}, \quad t' = \frac{4\,e\,(1 + e)}{(e^2 + 2e + 2)^2} \quad (x < 0). $$
Nothing overflows and nothing is subtracted; an infinite x times 0 is avoided as in silu.
"""

import numpy as np

from funcnn.kernels.arrays import above_minus_infinity, constant, finite
from funcnn.layer import Layer
from funcnn.layers.activations.elementwise import from_slope
from funcnn.layers.activations.sigmoids import decaying
from funcnn.typing import Array, Empty


def fraction(x: Array, e: Array) -> tuple[Array, Array]:
    """Return the numerator and the denominator of t, given exp(-|x|)."""
    one, two = constant(1, x.dtype), constant(2, x.dtype)
    numerator: Array = np.where(x.real > 0, e * two + one, e * (e + two))
    return numerator, numerator + np.where(x.real > 0, e * e * two, two)


def mish_value(x: Array) -> Array:
    y, denominator = fraction(x, decaying(x))
    y /= denominator
    y *= above_minus_infinity(x)
    return y


def mish_and_slope(x: Array) -> tuple[Array, Array]:
    e = decaying(x)
    y, denominator = fraction(x, e)
    y /= denominator
    slope: Array = np.where(x.real > 0, e * e, e)
    e += constant(1, x.dtype)
    slope *= e
    slope /= denominator
    slope /= denominator
    slope *= 4
    slope *= finite(x)
    slope += y
    y *= above_minus_infinity(x)
    return y, slope


def mish() -> Layer[Empty, Empty, Array, Array]:
    """Mish, x tanh(log(1 + exp(x))) (Misra 2020, arXiv:1908.08681).

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
    >>> fn.apply(fn.mish(), (), (), np.array([[-1e4, 0.0, 1.0]]))
    array([[-0.        ,  0.        ,  0.86509839]])
    """
    return from_slope("mish", mish_value, mish_and_slope)
