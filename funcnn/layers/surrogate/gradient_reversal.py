r"""Gradient reversal (Ganin & Lempitsky 2015, arXiv:1409.7495, section 3.2).

Forward: $y = x$.

Backward: $\bar x = -\lambda\,\bar y$.

This is on purpose not the transpose of forward's derivative, which would be $\bar x = \bar y$, but that of the *surrogate*
$-\lambda x$: what comes before the layer climbs the loss that what comes after descends.  The paper's example is a classifier of
domains, from whose success the features before the layer unlearn what tells the domains apart.
"""

from functools import partial

from funcnn.errors import check_array, check_cotangent, check_range
from funcnn.layer import Backward, Forward, Layer, Mode, define_layer
from funcnn.layers.shape.identity import OutputShape, init
from funcnn.typing import Array, Empty


def forward(strength: float, params: Empty, state: Empty, x: Array, mode: Mode) -> Forward[Array, Empty, OutputShape]:
    check_array(x, min_ndim=1)
    y = x.copy()
    if x.dtype.kind == "c":  # a complex step has the derivative that backward transposes
        y.imag *= -strength
    return Forward(y, state, OutputShape(x.shape))


def backward(strength: float, params: Empty, residuals: OutputShape, dy: Array) -> Backward[Empty, Array]:
    check_cotangent(dy, residuals.shape)
    return Backward(params, dy * -strength)


def gradient_reversal(strength: float = 1.0) -> Layer[Empty, Empty, Array, Array]:
    """Give the input back, but turn the gradient round (Ganin & Lempitsky 2015, arXiv:1409.7495).

    Parameters
    ----------
    strength : float, optional
        The factor lambda, at least 0: backward multiplies by its negative.

    Returns
    -------
    Layer
        From any shape to the same.  A gradient check of a network that holds it fails, rightly: backward is on purpose not the
        derivative of forward.

    Raises
    ------
    ValueError
        When ``strength`` is negative or not finite.
    TypeError
        When ``strength`` is not a number; in ``forward``, when x is not a floating array.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.gradient_reversal(0.5)
    >>> made = layer.forward((), (), np.array([[1.0, 2.0]]), fn.Eval())
    >>> made.output, layer.backward((), made.residuals, np.array([[1.0, 4.0]])).input
    (array([[1., 2.]]), array([[-0.5, -2. ]]))
    """
    strength = check_range(strength, "strength", 0, float("inf"), open_high=True)
    return define_layer(
        f"gradient_reversal({strength:g})", init, partial(forward, strength), partial(backward, strength), random=False
    )
