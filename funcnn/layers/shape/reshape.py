r"""Reshape and flatten: the same numbers in another shape.

Derivation.  $y$ has the entries of $x$ in the same (row-major) order, so $\mathrm{d}y$ is $\mathrm{d}x$ reshaped, and
$\bar x$ is $\bar y$ in the shape of $x$.  Flatten is the reshape to one axis.
"""

import math
import sys
from functools import partial
from typing import cast

from attrs import frozen

from funcnn.errors import check_array, check_cotangent, check_integer, shown
from funcnn.kernels.windows import entries_of
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, define_layer
from funcnn.typing import Array, Empty, Shape


@frozen(eq=False)
class ReshapeResiduals:
    """The shapes of the input and of the output."""

    shape: Shape
    output: Shape


def init(shape: Shape, key: Key, in_shape: Shape) -> Init[Empty, Empty]:
    return Init((), (), resolve(shape, in_shape))


def forward(shape: Shape, params: Empty, state: Empty, x: Array, mode: Mode) -> Forward[Array, Empty, ReshapeResiduals]:
    check_array(x, min_ndim=1)
    y = x.reshape(len(x), *resolve(shape, x.shape[1:]))
    return Forward(y.copy(), state, ReshapeResiduals(x.shape, y.shape))  # a copy: no result shares memory with an argument


def backward(params: Empty, residuals: ReshapeResiduals, dy: Array) -> Backward[Empty, Array]:
    check_cotangent(dy, residuals.output)
    return Backward(params, dy.reshape(residuals.shape).copy())


def resolve(shape: Shape, in_shape: Shape) -> Shape:
    """Return the shape with its -1 replaced by what an example of ``in_shape`` leaves for it."""
    size, known = math.prod(in_shape), math.prod(length for length in shape if length != -1)
    if size % known or (size != known and -1 not in shape):
        raise ValueError(f"an example of shape {in_shape} holds {size} numbers and cannot be reshaped to {shape}")
    return tuple(size // known if length == -1 else length for length in shape)


def checked_new_shape(shape: object) -> Shape:
    """Return the shape of an example, of which one length may be -1, with plain ints; raise when it is anything else."""
    entries = entries_of(shape)
    wanted = "a tuple of integers, without the batch axis"
    if entries is None:
        raise TypeError(f"shape is {shown(shape)}, expected {wanted}")
    lengths = tuple([check_integer(cast(int, one), "shape", wanted) for one in entries])
    if any(not 1 <= length <= sys.maxsize and length != -1 for length in lengths) or lengths.count(-1) > 1:
        raise ValueError(f"shape is {shown(shape)}, expected lengths of at least 1, and at most one -1")
    return lengths


def reshape(shape: Shape) -> Layer[Empty, Empty, Array, Array]:
    """Reshape every example; the batch axis stays.

    Parameters
    ----------
    shape : tuple of int
        The new shape of one example.  One entry may be -1: it is worked out from the others.

    Returns
    -------
    Layer
        From any shape that holds as many numbers.

    Raises
    ------
    TypeError
        When ``shape`` is not a tuple of integers; in ``forward``, when x is not a floating array.
    ValueError
        When an entry is less than 1 (but for one -1); in ``init`` and ``forward``, when the numbers of an example do not fit.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.reshape((2, -1))
    >>> layer.init(fn.Key(0), (6,)).out_shape
    (2, 3)
    >>> fn.apply(layer, (), (), np.arange(6.0)[None])
    array([[[0., 1., 2.],
            [3., 4., 5.]]])
    """
    shape = checked_new_shape(shape)
    return define_layer(f"reshape{shape}".replace(" ", ""), partial(init, shape), partial(forward, shape), backward, random=False)


def flatten() -> Layer[Empty, Empty, Array, Array]:
    """Put all numbers of an example in one axis, row by row.

    Returns
    -------
    Layer
        From any shape to one axis.

    Raises
    ------
    TypeError
        In ``forward``, when x is not a floating array.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.flatten(), (), (), np.zeros((5, 8, 8, 3))).shape
    (5, 192)
    """
    return define_layer("flatten", partial(init, (-1,)), partial(forward, (-1,)), backward, random=False)
