r"""Activations without exponentials.

$$ \begin{aligned}
\text{softsign} &: & y &= \frac{x}{1 + |x|}, & f'(x) &= \frac{1}{(1 + |x|)^2} \\
\text{squareplus} &: & y &= \frac{x + r}{2}, \; r = \sqrt{x^2 + b}, & f'(x) &= \frac12 \Big(1 + \frac xr\Big)
\end{aligned} $$

Derivation.  For $x > 0$ the quotient rule gives $\big((1 + x) - x\big)/(1 + x)^2$ for softsign, which is odd, so its
derivative is even: it exists at 0 too, and is 1.  $r' = x/r$ gives squareplus.

Digits.  Where x is negative, $x + r$ cancels.  With $s = \tfrac12(r - |x|) = \tfrac12\,b/(r + |x|)$, the value of squareplus at
$-|x|$,
$$ y = \max(x, 0) + s, \qquad f'(-|x|) = \frac sr \le \frac12, \qquad f'(|x|) = 1 - \frac sr . $$
The square of the larger of $|x|$ and $\sqrt b$ is taken out of the root, so that it does not overflow, and softsign takes
infinity for the largest finite number.
"""

from functools import partial

import numpy as np

from funcnn.errors import check_range
from funcnn.kernels.arrays import absolute, constant, finite, positive_part
from funcnn.layer import Layer
from funcnn.layers.activations.elementwise import from_slope
from funcnn.typing import Array, Empty


def softsign_value(x: Array) -> Array:
    y = finite(x)
    size = absolute(y)
    size += constant(1, x.dtype)
    y /= size
    return y


def softsign_and_slope(x: Array) -> tuple[Array, Array]:
    y = finite(x)
    size = absolute(y)
    size += constant(1, x.dtype)
    y /= size
    slope = np.reciprocal(size, out=size)
    slope *= slope
    return y, slope


def softsign() -> Layer[Empty, Empty, Array, Array]:
    """Softsign, x / (1 + |x|): a tanh that saturates slowly (Turian, Bergstra and Bengio 2009).

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
    >>> fn.apply(fn.softsign(), (), (), np.array([[-3.0, 0.0, 1.0]]))
    array([[-0.75,  0.  ,  0.5 ]])
    """
    return from_slope("softsign", softsign_value, softsign_and_slope)


def root_and_excess(b: float, x: Array) -> tuple[Array, Array]:
    """Return r and s."""
    size = absolute(x)
    corner = np.sqrt(x.real.dtype.type(b))
    root: Array = np.maximum(size, corner)
    quotient = np.minimum(size, corner)
    quotient /= root
    quotient *= quotient
    quotient += constant(1, x.dtype)
    root *= np.sqrt(quotient, out=quotient)
    size += root
    return root, np.divide(b / 2, size, out=size)


def squareplus_value(b: float, x: Array) -> Array:
    _, y = root_and_excess(b, x)
    y += positive_part(x)
    return y


def squareplus_and_slope(b: float, x: Array) -> tuple[Array, Array]:
    root, y = root_and_excess(b, x)
    slope = y / root
    slope = np.where(x.real > 0, constant(1, x.dtype) - slope, slope)
    y += positive_part(x)
    return y, slope


def squareplus(b: float = 4.0) -> Layer[Empty, Empty, Array, Array]:
    """Squareplus, (x + sqrt(x**2 + b)) / 2: a softplus without exponentials (Barron 2021, arXiv:2112.11687, eq. 1).

    Parameters
    ----------
    b : float, optional
        How round the bend is, more than 0; with 4 log(2)**2 the value at 0 is that of softplus.

    Returns
    -------
    Layer
        Elementwise, of any shape.

    Raises
    ------
    ValueError
        When ``b`` is not positive and finite.
    TypeError
        When ``b`` is not a number; in ``forward``, when x is not a floating array.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.squareplus(), (), (), np.array([[-1e4, 0.0, 1e4]]))
    array([[9.99999990e-05, 1.00000000e+00, 1.00000001e+04]])
    """
    b = check_range(b, "b", 0, float("inf"), open_low=True, open_high=True)
    return from_slope(f"squareplus({b:g})", partial(squareplus_value, b), partial(squareplus_and_slope, b))
