r"""Slice: a part of one axis.

Indices: $k$ place in the part, $s_k$ the place in the input that it is taken from; all other axes are left out.

Forward: $y_k = x_{s_k}$.

Derivation.  $\mathrm{d}y_k = \mathrm{d}x_{s_k}$.  No place is taken twice, so the transpose puts every number back where it came
from, and 0 where nothing was taken: $\bar x_i = \sum_k [s_k = i]\,\bar y_k$.
"""

from functools import partial

import numpy as np
from attrs import frozen

from funcnn.errors import check_array, check_cotangent, check_integer
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, define_layer
from funcnn.layers.activations.softmax import check_axis
from funcnn.layers.shape.squeeze import place
from funcnn.typing import Array, Empty, Shape

Index = tuple[slice, ...]
Part = tuple[int | None, int | None, int]


@frozen(eq=False)
class SliceResiduals:
    """The shapes of the input and of the output."""

    shape: Shape
    output: Shape


def index(part: Part, axis: int, shape: Shape) -> Index:
    """Return the index of the part of an array with the given shape; raise when nothing is left."""
    at = place(axis, len(shape))
    taken = slice(*part)
    if not len(range(*taken.indices(shape[at]))):
        raise ValueError(f"{describe_part(part)} takes nothing of axis {axis}, which is {shape[at]} long")
    return (*(slice(None),) * at, taken)


def describe_part(part: Part) -> str:
    """Return the part as one would type it."""
    start, stop, step = ("" if one is None else str(one) for one in part)
    return f"{start}:{stop}" + (f":{step}" if step != "1" else "")


def init(part: Part, axis: int, key: Key, in_shape: Shape) -> Init[Empty, Empty]:
    whole = np.broadcast_to(np.zeros(()), (1, *in_shape))  # of any size, at no cost
    return Init((), (), whole[index(part, axis, whole.shape)].shape[1:])


def forward(part: Part, axis: int, params: Empty, state: Empty, x: Array, mode: Mode) -> Forward[Array, Empty, SliceResiduals]:
    check_array(x)
    y = x[index(part, axis, x.shape)].copy()
    return Forward(y, state, SliceResiduals(x.shape, y.shape))


def backward(part: Part, axis: int, params: Empty, residuals: SliceResiduals, dy: Array) -> Backward[Empty, Array]:
    check_cotangent(dy, residuals.output)
    dx: Array = np.zeros(residuals.shape, dy.dtype)
    dx[index(part, axis, residuals.shape)] = dy
    return Backward(params, dx)


def slice_axis(start: int | None, stop: int | None, *, step: int = 1, axis: int = -1) -> Layer[Empty, Empty, Array, Array]:
    """Take a part of one axis, ``x[..., start:stop:step]``.

    Parameters
    ----------
    start, stop : int or None
        The first place and the one after the last, as in Python: negative ones count from the end, None is the end.
    step : int, optional
        The distance from place to place, not 0; negative ones go backwards.
    axis : int, optional
        Axis of the input array, the batch axis being 0: negative, or at least 1.

    Returns
    -------
    Layer
        From any shape with such an axis.

    Raises
    ------
    ValueError
        When ``step`` is 0, or the axis is the batch axis; in ``init`` and ``forward``, when the axis does not exist or nothing is
        taken of it.
    TypeError
        When an argument is not an integer; in ``forward``, when x is not a floating array.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.slice_axis(1, -1), (), (), np.array([[1.0, 2.0, 3.0, 4.0]]))
    array([[2., 3.]])
    """
    start = None if start is None else check_integer(start, "start", "an integer or None")
    stop = None if stop is None else check_integer(stop, "stop", "an integer or None")
    step = check_integer(step, "step")
    if step == 0:
        raise ValueError("step is 0, expected another integer")
    axis = check_axis(axis)
    part = (start, stop, step)
    name = f"slice_axis({describe_part(part)}, {axis})"
    return define_layer(
        name, partial(init, part, axis), partial(forward, part, axis), partial(backward, part, axis), random=False
    )
