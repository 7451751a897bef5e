r"""Shrinkage: activations that are 0, or nearly so, around zero; and the threshold.

$$ \begin{aligned}
\text{softshrink} &: & y &= x - \min(\max(x, -\lambda), \lambda), & f'(x) &= [|x| > \lambda] \\
\text{hardshrink} &: & y &= x\,[|x| > \lambda], & f'(x) &= [|x| > \lambda] \\
\text{tanhshrink} &: & y &= x - \tanh x, & f'(x) &= \tanh^2 x \\
\text{threshold} &: & y &= x\,[x > t] + v\,[x \le t], & f'(x) &= [x > t]
\end{aligned} $$

Derivation.  Each piece is differentiated alone, and $1 - \tanh' x = \tanh^2 x$.  Softshrink has kinks at $\pm\lambda$, where
the slope of the middle, 0, is taken.  Hardshrink and, for $v \ne t$, the threshold jump: there they have no derivative, and 0
stands for it.  The shrunk value is 0 only in the middle, so it tells the piece and is kept.

Digits.  Near 0, $x - \tanh x \approx x^3/3$ would be a difference of nearly equal numbers.  With $\tanh x = \sinh x/\cosh x$ and
the power series of both
$$ x - \tanh x = \frac{x \cosh x - \sinh x}{\cosh x} = \frac1{\cosh x} \sum_{k \ge 1} \frac{2k}{(2k+1)!}\,x^{2k+1}, $$
whose terms have one sign.  For $|x| < 1$ eleven of them reach the last digit of a long double.
"""

from functools import partial

import numpy as np

from funcnn.errors import check_range
from funcnn.kernels.arrays import constant
from funcnn.layer import Layer
from funcnn.layers.activations.clipped import clipped
from funcnn.layers.activations.elementwise import from_output, from_slope
from funcnn.typing import Array, Empty

INFINITY = float("inf")
RATIOS = tuple(2 * k * (2 * k + 3) for k in range(1, 11))  # of the coefficient of term k to the next one's


def shrunk_pullback(y: Array, dy: Array) -> Array:
    dx: Array = (y != 0).astype(dy.dtype)
    dx *= dy
    return dx


def softshrink_value(threshold: float, x: Array) -> Array:
    y: Array = x - clipped(-threshold, threshold, x)
    return y if x.dtype.kind == "f" else y * (y.real != 0)


def softshrink(threshold: float = 0.5) -> Layer[Empty, Empty, Array, Array]:
    """Soft thresholding: x moved towards 0 by ``threshold``, and 0 within it (Donoho 1995).

    Parameters
    ----------
    threshold : float, optional
        Half the width of the interval that is mapped to 0; more than 0.

    Returns
    -------
    Layer
        Elementwise, of any shape.  The derivative at ``-threshold`` and ``threshold`` is 0.

    Raises
    ------
    ValueError
        When ``threshold`` is not positive and finite.
    TypeError
        When ``threshold`` is not a number; in ``forward``, when x is not a floating array.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.softshrink(1.0), (), (), np.array([[-3.0, 0.5, 1.5]]))
    array([[-2. ,  0. ,  0.5]])
    """
    threshold = check_range(threshold, "threshold", 0, INFINITY, open_low=True, open_high=True)
    return from_output(f"softshrink({threshold:g})", partial(softshrink_value, threshold), shrunk_pullback)


def hardshrink_value(threshold: float, x: Array) -> Array:
    inside = (x.real >= constant(-threshold, x.real.dtype)) & (x.real <= constant(threshold, x.real.dtype))
    return np.where(inside, constant(0, x.dtype), x)


def hardshrink(threshold: float = 0.5) -> Layer[Empty, Empty, Array, Array]:
    """Hard thresholding: 0 where |x| is at most ``threshold``, and x elsewhere (Donoho & Johnstone 1994).

    Parameters
    ----------
    threshold : float, optional
        Half the width of the interval that is mapped to 0; more than 0.

    Returns
    -------
    Layer
        Elementwise, of any shape.  It jumps at ``-threshold`` and ``threshold``, and backward gives 0 there.

    Raises
    ------
    ValueError
        When ``threshold`` is not positive and finite.
    TypeError
        When ``threshold`` is not a number; in ``forward``, when x is not a floating array.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.hardshrink(1.0), (), (), np.array([[-3.0, 0.5, 1.5]]))
    array([[-3. ,  0. ,  1.5]])
    """
    threshold = check_range(threshold, "threshold", 0, INFINITY, open_low=True, open_high=True)
    return from_output(f"hardshrink({threshold:g})", partial(hardshrink_value, threshold), shrunk_pullback)


def tanhshrink_value(x: Array) -> Array:
    small = clipped(-1.0, 1.0, x)
    square = small * small
    series = np.ones(x.shape, x.dtype)
    for ratio in reversed(RATIOS):  # Horner: 1 + x**2 / ratio (1 + ...)
        series *= square
        series /= ratio
        series += constant(1, x.dtype)
    series *= square
    series *= small
    series /= 3
    series /= np.cosh(small)
    return np.where((x.real > -1) & (x.real < 1), series, x - np.tanh(x))


def tanhshrink_and_slope(x: Array) -> tuple[Array, Array]:
    slope: Array = np.tanh(x)
    slope *= slope
    return tanhshrink_value(x), slope


def tanhshrink() -> Layer[Empty, Empty, Array, Array]:
    """Give what tanh takes from its argument, x - tanh x.

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
    >>> fn.apply(fn.tanhshrink(), (), (), np.array([[-1e4, 1e-3, 1.0]]))
    array([[-9.99900000e+03,  3.33333200e-10,  2.38405844e-01]])
    """
    return from_slope("tanhshrink", tanhshrink_value, tanhshrink_and_slope)


def threshold_value(threshold: float, value: float, x: Array) -> Array:
    return np.where(x.real <= constant(threshold, x.real.dtype), constant(value, x.dtype), x)


def threshold_and_slope(threshold: float, value: float, x: Array) -> tuple[Array, Array]:
    below = x.real <= constant(threshold, x.real.dtype)
    return np.where(below, constant(value, x.dtype), x), np.logical_not(below).astype(x.dtype)


def threshold(threshold: float, value: float) -> Layer[Empty, Empty, Array, Array]:
    """Give x where it exceeds a level, and a fixed value elsewhere.

    Parameters
    ----------
    threshold : float
        What x must exceed.
    value : float
        What takes its place where it does not.

    Returns
    -------
    Layer
        Elementwise, of any shape.  At the level, where it jumps unless both numbers are the same, backward gives 0.

    Raises
    ------
    ValueError
        When ``threshold`` or ``value`` is not finite.
    TypeError
        When one is not a number; in ``forward``, when x is not a floating array.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.threshold(1.0, -5.0), (), (), np.array([[0.0, 1.0, 1.5]]))
    array([[-5. , -5. ,  1.5]])
    """
    threshold = check_range(threshold, "threshold", -INFINITY, INFINITY, open_low=True, open_high=True)
    value = check_range(value, "value", -INFINITY, INFINITY, open_low=True, open_high=True)
    named = f"threshold({threshold:g}, {value:g})"
    return from_slope(named, partial(threshold_value, threshold, value), partial(threshold_and_slope, threshold, value))
