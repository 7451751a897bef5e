r"""Squeeze and expand: an axis of length 1 taken away or put in.

Derivation.  Both are reshapes: $\bar x$ is $\bar y$ in the shape of $x$, as in :mod:`funcnn.layers.shape.reshape`.
"""

from collections.abc import Callable
from functools import partial

from funcnn.errors import check_array
from funcnn.key import Key
from funcnn.layer import Forward, Init, Layer, Mode, define_layer
from funcnn.layers.activations.softmax import check_axis
from funcnn.layers.shape.reshape import ReshapeResiduals, backward
from funcnn.typing import Array, Empty, Shape


def place(axis: int, axes: int) -> int:
    """Return an axis of an array of so many, not the batch axis, counted from the front."""
    if not -axes < axis < axes:
        raise ValueError(
            f"axis {axis} of an array with {axes} axes, batch axis included: expected one from {1 - axes} to {axes - 1}"
        )
    return axis % axes


def squeezed(axis: int, shape: Shape) -> Shape:
    """Return a shape, with the batch axis, without an axis of length 1."""
    at = place(axis, len(shape))
    if shape[at] != 1:
        raise ValueError(f"axis {axis} of shape (n, {', '.join(map(str, shape[1:]))}) is {shape[at]} long, expected 1")
    return (*shape[:at], *shape[at + 1 :])


def expanded(axis: int, shape: Shape) -> Shape:
    """Return a shape, with the batch axis, with a new axis of length 1."""
    at = place(axis, len(shape) + 1)
    return (*shape[:at], 1, *shape[at:])


def init(change: Callable[[Shape], Shape], key: Key, in_shape: Shape) -> Init[Empty, Empty]:
    return Init((), (), change((0, *in_shape))[1:])


def forward(
    change: Callable[[Shape], Shape], params: Empty, state: Empty, x: Array, mode: Mode
) -> Forward[Array, Empty, ReshapeResiduals]:
    check_array(x, min_ndim=1)
    y = x.reshape(change(x.shape)).copy()  # a copy: no memory is shared
    return Forward(y, state, ReshapeResiduals(x.shape, y.shape))


def squeeze(axis: int) -> Layer[Empty, Empty, Array, Array]:
    """Take away an axis of length 1.

    Parameters
    ----------
    axis : int
        Axis of the input array, the batch axis being 0: negative, or at least 1.

    Returns
    -------
    Layer
        From any shape whose axis is 1 long.

    Raises
    ------
    ValueError
        When the axis is the batch axis or, in ``init`` and ``forward``, does not exist or is not 1 long.
    TypeError
        When the axis is not an integer; in ``forward``, when x is not a floating array.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.squeeze(-1), (), (), np.zeros((5, 4, 1))).shape
    (5, 4)
    """
    axis = check_axis(axis)
    change = partial(squeezed, axis)
    return define_layer(f"squeeze({axis})", partial(init, change), partial(forward, change), backward, random=False)


def expand_dims(axis: int) -> Layer[Empty, Empty, Array, Array]:
    """Put in an axis of length 1.

    Parameters
    ----------
    axis : int
        Where the new axis is in the output array, the batch axis being 0: negative, or at least 1.

    Returns
    -------
    Layer
        From any shape.

    Raises
    ------
    ValueError
        When the axis is the batch axis or, in ``init`` and ``forward``, cannot exist.
    TypeError
        When the axis is not an integer; in ``forward``, when x is not a floating array.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.expand_dims(-1), (), (), np.zeros((5, 4))).shape
    (5, 4, 1)
    """
    axis = check_axis(axis)
    change = partial(expanded, axis)
    return define_layer(f"expand_dims({axis})", partial(init, change), partial(forward, change), backward, random=False)
