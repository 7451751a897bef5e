r"""Squared rectified linear unit: $y = \max(x, 0)^2$, $f'(x) = 2 \max(x, 0)$.

Derivation.  Each piece is differentiated alone; at 0 both have the slope 0.
"""

from funcnn.kernels.arrays import positive_part
from funcnn.layer import Layer
from funcnn.layers.activations.elementwise import from_slope
from funcnn.typing import Array, Empty


def relu_squared_value(x: Array) -> Array:
    y = positive_part(x)
    y *= y
    return y


def relu_squared_and_slope(x: Array) -> tuple[Array, Array]:
    rectified = positive_part(x)
    return rectified * rectified, rectified + rectified


def relu_squared() -> Layer[Empty, Empty, Array, Array]:
    """Squared rectified linear unit, max(x, 0)^2 (So et al. 2021, Primer, arXiv:2109.08668, section 4).

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
    >>> fn.apply(fn.relu_squared(), (), (), np.array([[-1.0, 0.5, 3.0]]))
    array([[0.  , 0.25, 9.  ]])
    """
    return from_slope("relu_squared", relu_squared_value, relu_squared_and_slope)
