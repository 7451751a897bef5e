r"""Activations that saturate at a corner: made of the clip to an interval.

$$ \begin{aligned}
\text{hard tanh} &: & y &= \min(\max(x, l), u), & f'(x) &= [l < x < u] \\
\text{relu6} &: & y &= \min(\max(x, 0), 6), & f'(x) &= [0 < x < 6] \\
\text{hard sigmoid} &: & y &= \tfrac16 \min(\max(x + 3, 0), 6), & f'(x) &= \tfrac16\,[-3 < x < 3] \\
\text{with slope and shift} &: & y &= \min(\max(s x + b, 0), 1), & f'(x) &= s\,[-b < s x < 1 - b] \\
\text{hard swish} &: & y &= \tfrac16\, x \min(\max(x + 3, 0), 6), & f'(x) &= \tfrac16 (2x + 3)\,[-3 < x < 3] + [x \ge 3]
\end{aligned} $$

Derivation.  Each piece is differentiated alone.  At a corner any number between the slopes of both sides is a valid
derivative.  For the clipped functions that of the flat side, 0, is taken, as in other libraries; hard swish takes the flat
side, 0, at -3, and the straight one, 1, at 3.  The clipped value tells the piece, so it alone is kept; for hard sigmoid, where
$x + 3$ may be rounded to the corner, and for hard swish x tells it.
"""

from functools import partial

import numpy as np

from funcnn.errors import check_range
from funcnn.kernels.arrays import constant
from funcnn.layer import Layer
from funcnn.layers.activations.elementwise import from_output, from_slope
from funcnn.typing import Array, Empty


def clipped(low: float, high: float, x: Array) -> Array:
    """Return x, but at least ``low`` and at most ``high``."""
    if x.dtype.kind == "c":  # at the ends the flat side
        above: Array = np.where(x.real > low, x, constant(low, x.dtype))
        return np.where(above.real < high, above, constant(high, x.dtype))
    y: Array = np.maximum(x, constant(low, x.dtype))
    return np.minimum(y, constant(high, x.dtype), out=y)


def clipped_pullback(low: float, high: float, y: Array, dy: Array) -> Array:
    inside = (y > constant(low, y.dtype)) & (y < constant(high, y.dtype))
    dx: Array = inside.astype(dy.dtype)
    dx *= dy
    return dx


def hard_tanh(low: float = -1.0, high: float = 1.0) -> Layer[Empty, Empty, Array, Array]:
    """Hard tanh, x clipped to an interval (Collobert 2004).

    Parameters
    ----------
    low, high : float, optional
        The ends of the interval; an infinite one leaves that side as it is.

    Returns
    -------
    Layer
        Elementwise, of any shape.  The derivative at both ends is 0.

    Raises
    ------
    ValueError
        When ``low`` is not less than ``high``, or both are infinite.
    TypeError
        When an end is not a number; in ``forward``, when x is not a floating array.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.hard_tanh(), (), (), np.array([[-7.0, 0.5, 1.5]]))
    array([[-1. ,  0.5,  1. ]])
    >>> fn.apply(fn.hard_tanh(low=0.0, high=np.inf), (), (), np.array([[-7.0, 0.5, 1.5]]))
    array([[0. , 0.5, 1.5]])
    """
    infinity = float("inf")
    low = check_range(low, "low", -infinity, infinity, open_high=True)
    high = check_range(high, "high", low, infinity, open_low=True, open_high=low == -infinity)
    return from_output(f"hard_tanh({low:g}, {high:g})", partial(clipped, low, high), partial(clipped_pullback, low, high))


def relu6() -> Layer[Empty, Empty, Array, Array]:
    """Rectified linear unit with a ceiling, min(max(x, 0), 6) (Krizhevsky 2010).

    Returns
    -------
    Layer
        Elementwise, of any shape.  The derivative at 0 and at 6 is 0.

    Raises
    ------
    TypeError
        In ``forward``, when x is not a floating array.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.relu6(), (), (), np.array([[-1.0, 2.0, 8.0]]))
    array([[0., 2., 6.]])
    """
    return from_output("relu6", partial(clipped, 0.0, 6.0), partial(clipped_pullback, 0.0, 6.0))


def hard_sigmoid_value(x: Array) -> Array:
    y = clipped(0.0, 6.0, x + constant(3, x.dtype))
    y /= constant(6, x.dtype)
    return y


def hard_sigmoid_and_slope(x: Array) -> tuple[Array, Array]:
    slope: Array = ((x.real > -3) & (x.real < 3)) / constant(6, x.dtype)
    return hard_sigmoid_value(x), slope


def ramp_value(slope: float, shift: float, x: Array) -> Array:
    """Return slope x + shift, clipped to [0, 1]."""
    return clipped(0.0, 1.0, x * constant(slope, x.dtype) + constant(shift, x.dtype))


def ramp_and_slope(slope: float, shift: float, x: Array) -> tuple[Array, Array]:
    low, high = x.real.dtype.type(-shift) / slope, (1 - x.real.dtype.type(shift)) / slope
    inside: Array = ((x.real > low) & (x.real < high)) * constant(slope, x.dtype)
    return ramp_value(slope, shift, x), inside


def hard_sigmoid(slope: float = 1 / 6, shift: float = 0.5) -> Layer[Empty, Empty, Array, Array]:
    """Piecewise linear sigmoid, x / 6 + 1 / 2 clipped to [0, 1] (Howard et al. 2019, arXiv:1905.02244, section 5.2).

    Parameters
    ----------
    slope : float, optional
        Slope between the corners, more than 0; ONNX has 0.2 unless told otherwise.
    shift : float, optional
        The value at 0 before it is clipped.

    Returns
    -------
    Layer
        Elementwise, of any shape.  The derivative at the corners, ``-shift / slope`` and ``(1 - shift) / slope``, is 0.

    Raises
    ------
    ValueError
        When ``slope`` is not positive, or a number is not finite.
    TypeError
        When an argument is not a number; in ``forward``, when x is not a floating array.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.hard_sigmoid(), (), (), np.array([[-4.0, 0.0, 1.5, 3.0]]))
    array([[0.  , 0.5 , 0.75, 1.  ]])
    >>> fn.apply(fn.hard_sigmoid(0.2), (), (), np.array([[-4.0, 0.0, 1.5, 3.0]]))
    array([[0. , 0.5, 0.8, 1. ]])
    """
    slope = check_range(slope, "slope", 0, float("inf"), open_low=True, open_high=True)
    shift = check_range(shift, "shift", float("-inf"), float("inf"), open_low=True, open_high=True)
    if (slope, shift) == (1 / 6, 0.5):
        return from_slope("hard_sigmoid", hard_sigmoid_value, hard_sigmoid_and_slope)
    name = f"hard_sigmoid({slope:g}, {shift:g})"
    return from_slope(name, partial(ramp_value, slope, shift), partial(ramp_and_slope, slope, shift))


def hard_swish_value(x: Array) -> Array:
    y = hard_sigmoid_value(x)
    y *= np.maximum(x, constant(-3, x.dtype))  # where the factor is 0, x may be minus infinity
    return y


def hard_swish_and_slope(x: Array) -> tuple[Array, Array]:
    slope = clipped(-3.0, 3.0, x)
    slope += slope
    slope += constant(3, x.dtype)
    slope /= constant(6, x.dtype)
    slope = np.where(x.real >= 3, constant(1, x.dtype), slope * (x.real > -3))
    return hard_swish_value(x), slope


def hard_swish() -> Layer[Empty, Empty, Array, Array]:
    """Piecewise quadratic swish, x times the hard sigmoid of x (Howard et al. 2019, arXiv:1905.02244, section 5.2).

    Returns
    -------
    Layer
        Elementwise, of any shape.  The derivative at -3 is 0, at 3 it is 1.

    Raises
    ------
    TypeError
        In ``forward``, when x is not a floating array.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.hard_swish(), (), (), np.array([[-4.0, 0.0, 1.0, 5.0]]))
    array([[-0.        ,  0.        ,  0.66666667,  5.        ]])
    """
    return from_slope("hard_swish", hard_swish_value, hard_swish_and_slope)
