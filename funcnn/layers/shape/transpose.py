r"""Transpose: the axes of every example in another order.

Indices: $n$ example, $q = (q_1, \dots, q_d)$ the other indices, $\pi$ the new order of the axes.

Forward: $y_{n,\,q_{\pi(1)}, \dots, q_{\pi(d)}} = x_{n,\,q_1, \dots, q_d}$.

Derivation.  The same entries in another order: $\bar x$ is $\bar y$ with its axes in the inverse order.
"""

from collections.abc import Sequence
from functools import partial
from typing import cast

from funcnn.errors import check_array, check_cotangent, check_integer, describe, shown
from funcnn.kernels.windows import entries_of
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, define_layer
from funcnn.layers.shape.identity import OutputShape
from funcnn.typing import Array, Empty, Shape


def init(axes: Shape, key: Key, in_shape: Shape) -> Init[Empty, Empty]:
    if len(in_shape) != len(axes):
        raise ValueError(f"an example has shape {in_shape}, expected {len(axes)} axes to be put in the order {axes}")
    return Init((), (), tuple([in_shape[axis] for axis in axes]))


def with_batch(axes: Shape) -> Shape:
    """Return the order of a batch's axes: the batch axis stays where it is."""
    return (0, *[axis + 1 for axis in axes])


def forward(axes: Shape, params: Empty, state: Empty, x: Array, mode: Mode) -> Forward[Array, Empty, OutputShape]:
    check_array(x, min_ndim=1)
    if x.ndim != len(axes) + 1:
        raise ValueError(f"the input is {describe(x)}, expected {len(axes) + 1} axes, batch first")
    y = x.transpose(with_batch(axes)).copy()
    return Forward(y, state, OutputShape(y.shape))  # a copy: no result shares memory with an argument


def backward(axes: Shape, params: Empty, residuals: OutputShape, dy: Array) -> Backward[Empty, Array]:
    check_cotangent(dy, residuals.shape)
    inverse = [axes.index(axis) for axis in range(len(axes))]
    return Backward(params, dy.transpose(with_batch(tuple(inverse))).copy())


def checked_axes(axes: object) -> Shape:
    """Return the axes as plain ints; raise unless each of them comes once."""
    wanted = "a tuple of integers, without the batch axis"
    entries = entries_of(axes)
    if entries is None:
        raise TypeError(f"axes is {shown(axes)}, expected {wanted}")
    order = tuple([check_integer(cast(int, one), "axes", wanted) for one in entries])
    if sorted(order) != list(range(len(order))):
        raise ValueError(f"axes is {shown(axes)}, expected each of 0 to {len(order) - 1} once (the batch axis is not counted)")
    return order


def transpose(axes: Sequence[int]) -> Layer[Empty, Empty, Array, Array]:
    """Put the axes of every example in another order; the batch axis stays first.

    Parameters
    ----------
    axes : sequence of int
        The new order of an example's axes, which are counted without the batch axis: (1, 2, 0) makes of channels-first images
        (channels, height, width) channels-last ones, as the library's layers take them.

    Returns
    -------
    Layer

    Raises
    ------
    TypeError
        When ``axes`` is not a sequence of integers; in ``forward``, when x is not a floating array.
    ValueError
        When ``axes`` is not an order of 0, 1, ...; in ``init`` and ``forward``, when an example has another number of axes.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.transpose((1, 2, 0)), (), (), np.zeros((5, 3, 28, 32))).shape
    (5, 28, 32, 3)
    """
    order = checked_axes(axes)
    name = f"transpose{order}".replace(" ", "")
    return define_layer(name, partial(init, order), partial(forward, order), partial(backward, order), random=False)
