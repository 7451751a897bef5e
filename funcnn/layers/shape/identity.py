r"""Identity: $y = x$, and so $\bar x = \bar y$."""

from attrs import frozen

from funcnn.errors import check_array, check_cotangent
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, define_layer
from funcnn.typing import Array, Empty, Shape


@frozen(eq=False)
class OutputShape:
    """The shape of the output: all that a layer keeps that only moves numbers."""

    shape: Shape


def init(key: Key, in_shape: Shape) -> Init[Empty, Empty]:
    return Init((), (), in_shape)


def forward(params: Empty, state: Empty, x: Array, mode: Mode) -> Forward[Array, Empty, OutputShape]:
    check_array(x, min_ndim=1)
    return Forward(x.copy(), state, OutputShape(x.shape))  # a copy: no result shares memory with an argument


def backward(params: Empty, residuals: OutputShape, dy: Array) -> Backward[Empty, Array]:
    check_cotangent(dy, residuals.shape)
    return Backward(params, dy.copy())


def identity() -> Layer[Empty, Empty, Array, Array]:
    """Give the input back: the neutral element of composition, for the straight branch of ``add`` or ``concatenate``.

    Returns
    -------
    Layer
        From any shape to the same.

    Raises
    ------
    TypeError
        In ``forward``, when x is not a floating array.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.identity(), (), (), np.array([[1.0, 2.0]]))
    array([[1., 2.]])
    """
    return define_layer("identity", init, forward, backward, random=False)
