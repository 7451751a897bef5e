r"""Activations for signals that repeat, or are to be followed in every detail.

$$ \begin{aligned}
\text{sine} &: & y &= \sin \omega x, & f'(x) &= \omega \cos \omega x \\
\text{snake} &: & y &= x + \tfrac1\alpha \sin^2 \alpha x, & f'(x) &= 1 + \sin 2\alpha x
\end{aligned} $$

Derivation.  The chain rule; $2 \sin \alpha x \cos \alpha x = \sin 2\alpha x$.  The second derivatives are $-\omega^2 \sin
\omega x$ and $2 \alpha \cos 2 \alpha x$.
"""

from functools import partial

import numpy as np

from funcnn.errors import check_range
from funcnn.layer import Layer
from funcnn.layers.activations.elementwise import from_slope
from funcnn.typing import Array, Empty


def sine_value(frequency: float, x: Array) -> Array:
    y: Array = np.sin(x * x.real.dtype.type(frequency))
    return y


def sine_and_slope(frequency: float, x: Array) -> tuple[Array, Array]:
    z = x * x.real.dtype.type(frequency)
    return np.sin(z), np.cos(z) * x.real.dtype.type(frequency)


def sine_curvature(frequency: float, x: Array, y: Array, slope: Array) -> Array:
    """Return the second derivative of the sine."""
    return y * -(x.real.dtype.type(frequency) ** 2)


def sine(frequency: float = 1.0) -> Layer[Empty, Empty, Array, Array]:
    """Sine, sin(frequency x), as in networks that represent a signal (Sitzmann et al. 2020, arXiv:2006.09661, eq. 5).

    Parameters
    ----------
    frequency : float, optional
        The factor w, more than 0.  SIREN has 30, with weights of n inputs drawn by ``initializers.uniform(-1 / n, 1 / n)`` in the
        first layer and ``initializers.variance_scaling(2 / 30**2, fan="fan_in", distribution="uniform")`` in the others.

    Returns
    -------
    Layer
        Elementwise, of any shape.

    Raises
    ------
    ValueError
        When ``frequency`` is not positive and finite.
    TypeError
        When ``frequency`` is not a number; in ``forward``, when x is not a floating array.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.sine(np.pi), (), (), np.array([[0.0, 0.5, 1.5]]))
    array([[ 0.,  1., -1.]])
    """
    frequency = check_range(frequency, "frequency", 0, float("inf"), open_low=True, open_high=True)
    with_slope, curvature = partial(sine_and_slope, frequency), partial(sine_curvature, frequency)
    return from_slope(f"sine({frequency:g})", partial(sine_value, frequency), with_slope, curvature)


def snake_value(alpha: float, x: Array) -> Array:
    s = np.sin(x * x.real.dtype.type(alpha))
    y: Array = x + s * s / x.real.dtype.type(alpha)
    return y


def snake_and_slope(alpha: float, x: Array) -> tuple[Array, Array]:
    return snake_value(alpha, x), 1 + np.sin(x * x.real.dtype.type(2 * alpha))


def snake_curvature(alpha: float, x: Array, y: Array, slope: Array) -> Array:
    """Return the second derivative of the snake."""
    twice = x.real.dtype.type(2 * alpha)
    return np.cos(x * twice) * twice


def snake(alpha: float = 1.0) -> Layer[Empty, Empty, Array, Array]:
    """Snake, x + sin(alpha x)^2 / alpha: it grows, and repeats (Liu, Hartwig & Ueda 2020, arXiv:2006.08195, eq. 3).

    Parameters
    ----------
    alpha : float, optional
        The frequency, more than 0.

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
    >>> fn.apply(fn.snake(np.pi / 2), (), (), np.array([[0.0, 1.0, 2.0]])).round(4)
    array([[0.    , 1.6366, 2.    ]])
    """
    alpha = check_range(alpha, "alpha", 0, float("inf"), open_low=True, open_high=True)
    with_slope, curvature = partial(snake_and_slope, alpha), partial(snake_curvature, alpha)
    return from_slope(f"snake({alpha:g})", partial(snake_value, alpha), with_slope, curvature)
