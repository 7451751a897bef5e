r"""Exponential: $y = e^x$, and so $\bar x = e^x\,\bar y = y\,\bar y$."""

import numpy as np

from funcnn.layer import Layer
from funcnn.layers.activations.elementwise import from_output
from funcnn.typing import Array, Empty


def exponential_pullback(y: Array, dy: Array) -> Array:
    return y * dy


def exponential() -> Layer[Empty, Empty, Array, Array]:
    """Exponential, exp(x): positive outputs such as rates and variances.

    Returns
    -------
    Layer
        Elementwise, of any shape.  Where it overflows (x > 709 in double, x > 88 in single precision) it is infinity, with
        NumPy's warning; :func:`softplus` grows slower.

    Raises
    ------
    TypeError
        In ``forward``, when x is not a floating array.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.exponential(), (), (), np.array([[-1e4, 0.0, 1.0]]))
    array([[0.        , 1.        , 2.71828183]])
    """
    return from_output("exponential", np.exp, exponential_pullback)
