r"""Upsampling of the spatial axes, however many, by whole factors: nearest or linear interpolation.

Indices: $n$ example, $p$ point of the output's axis of $fL$ points, $q$ point of the input's of $L$, $c$ channel; where there are
several axes, one after the other (linear along both axes of an image is *bilinear*, along three *trilinear*).

Forward
$$ y_{npc} = \sum_q m_{pq}\, x_{nqc}, \qquad m_{pq} = \begin{cases}
   \delta_{q,\,\lfloor p / f \rfloor} & \text{nearest} \\
   \max(0,\, 1 - |r_p - q|) & \text{linear} \end{cases} $$
where $\delta$ is 1 if its indices are equal and else 0, and $r_p$ is the place of point $p$ on the input's axis.  Points are the
centres of cells, $r_p = \min(\max(\tfrac{p + 1/2}{f} - \tfrac12,\, 0),\, L - 1)$; or, with aligned corners, the first and the
last point of both axes lie on each other, $r_p = p\,\tfrac{L - 1}{fL - 1}$.

Only the two points next to $r_p$ have a weight, $a_p = \lfloor r_p \rfloor$ and $b_p = \lceil r_p \rceil$; both are worked out in
integers.  The weights sum to 1 exactly, and where $r_p$ is a whole number there is one point: what is not a number stays where
it is.

Derivation.  Linear in x, so its transpose is $\bar x_{nqc} = \sum_p m_{pq}\, \bar y_{npc}$: for the nearest point, the sum over
the $f$ copies of each point; for linear interpolation the sum over the points with $a_p = q$, with the weights of $a$, and that
over those with $b_p = q$.  As $a_p$ and $b_p$ rise with $p$ by at most 1, each such sum is over neighbours.
"""

from functools import lru_cache, partial
from typing import Literal, TypeAlias, get_args

import numpy as np
from attrs import frozen

from funcnn.errors import check_choice, check_cotangent, check_flag
from funcnn.kernels.spatial import along, check_spatial_batch, checked_sizes, sizes_of, split_shape, takes_products
from funcnn.kernels.windows import Sizes
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, define_layer
from funcnn.typing import Array, Empty, IntArray, Shape

Interpolation: TypeAlias = Literal["nearest", "linear"]


def init(factor: int | Shape, key: Key, in_shape: Shape) -> Init[Empty, Empty]:
    space, channels = split_shape(in_shape, factor)
    return Init((), (), (*[f * n for f, n in zip(sizes_of(factor, len(space)), space, strict=True)], channels))


@frozen(eq=False)
class Neighbours:
    """The two points of the input between which each point of the output lies, and their weights."""

    low: IntArray  # (f L,)
    high: IntArray
    low_weight: Array
    high_weight: Array


def neighbours(length: int, factor: int, align_corners: bool, dtype: np.dtype[np.floating]) -> Neighbours:
    """Return them for one axis."""
    p = np.arange(factor * length)
    if align_corners:
        numerator, denominator = p * (length - 1), max(1, factor * length - 1)
    else:
        numerator, denominator = (2 * p + 1 - factor).clip(0, 2 * factor * (length - 1)), 2 * factor
    low, rest = np.divmod(numerator, denominator)
    low_weight: Array = 1 - rest.astype(dtype) / dtype.type(denominator)
    return Neighbours(low, low + (rest > 0), low_weight, 1 - low_weight)  # of two numbers with sum 1 the larger one is exact


@lru_cache(maxsize=64)
def linear_matrix(length: int, factor: int, align_corners: bool, dtype: np.dtype[np.floating]) -> Array:
    """Return the weights of a short axis as a read-only matrix m (f L, L): the same one every time."""
    near, every = neighbours(length, factor, align_corners, dtype), np.arange(factor * length)
    matrix: Array = np.zeros((factor * length, length), dtype)
    matrix[every, near.low] = near.low_weight
    matrix[every, near.high] += near.high_weight
    matrix.setflags(write=False)
    return matrix


def between(x: Array, near: Neighbours, axis: int) -> Array:
    """Return x interpolated along an axis, point by point."""
    shape = (-1, *(1,) * (x.ndim - axis - 1))
    y: Array = x.take(near.low, axis)
    y *= near.low_weight.reshape(shape)
    high = x.take(near.high, axis)
    high *= near.high_weight.reshape(shape)
    whole = np.flatnonzero(near.low == near.high)
    high[(slice(None),) * axis + (whole,)] = 0  # a point that is not a number, times 0, would be none either
    y += high
    return y


def between_back(dy: Array, near: Neighbours, axis: int) -> Array:
    """Return the cotangent of what was interpolated."""
    shape = (-1, *(1,) * (dy.ndim - axis - 1))
    first, second = [np.flatnonzero(np.diff(place, prepend=-1)) for place in (near.low, near.high)]
    dx: Array = np.add.reduceat(dy * near.low_weight.reshape(shape), first, axis)
    share = dy * near.high_weight.reshape(shape)
    share[(slice(None),) * axis + (np.flatnonzero(near.low == near.high),)] = 0
    dx += np.add.reduceat(share, second, axis)
    return dx


def check_enlarged(factor: int | Shape, shape: Shape, dy: Array) -> Shape:
    """Raise unless a cotangent has the shape of the output of an input (n, *space, c), and return the input's spatial shape."""
    n, *space, channels = shape
    check_cotangent(dy, (n, *[f * length for f, length in zip(sizes_of(factor, len(space)), space, strict=True)], channels))
    return tuple(space)


def nearest_forward(factor: int | Shape, params: Empty, state: Empty, x: Array, mode: Mode) -> Forward[Array, Empty, Shape]:
    space = check_spatial_batch(x, factor)
    y = x
    for axis, f in enumerate(sizes_of(factor, len(space)), 1):
        y = y.repeat(f, axis)
    return Forward(y, state, x.shape)


def nearest_backward(factor: int | Shape, params: Empty, shape: Shape, dy: Array) -> Backward[Empty, Array]:
    space = check_enlarged(factor, shape, dy)
    dx = dy
    for axis, (f, length) in enumerate(zip(sizes_of(factor, len(space)), space, strict=True), 1):
        dx = dx.reshape(*dx.shape[:axis], length, f, *dx.shape[axis + 1 :]).sum(axis + 1)
    return Backward(params, dx)


def linear_forward(
    factor: int | Shape, align_corners: bool, params: Empty, state: Empty, x: Array, mode: Mode
) -> Forward[Array, Empty, Shape]:
    space = check_spatial_batch(x, factor)
    y, products = x, takes_products(x, tuple([f * n for f, n in zip(sizes_of(factor, len(space)), space, strict=True)]))
    for axis, (f, length) in enumerate(zip(sizes_of(factor, len(space)), space, strict=True), 1):
        at = length, f, align_corners, x.real.dtype
        y = along(linear_matrix(*at), y, axis) if products else between(y, neighbours(*at), axis)
    return Forward(y, state, x.shape)


def linear_backward(factor: int | Shape, align_corners: bool, params: Empty, shape: Shape, dy: Array) -> Backward[Empty, Array]:
    space = check_enlarged(factor, shape, dy)
    dx, products = dy, takes_products(dy, space)
    for axis, (f, length) in enumerate(zip(sizes_of(factor, len(space)), space, strict=True), 1):
        at = length, f, align_corners, dy.real.dtype
        dx = along(linear_matrix(*at).T, dx, axis) if products else between_back(dx, neighbours(*at), axis)
    return Backward(params, dx)


def upsample(factor: Sizes, *, mode: Interpolation = "nearest", align_corners: bool = False) -> Layer[Empty, Empty, Array, Array]:
    """Make the spatial axes of (n, *space, channels) longer by whole factors, however many axes there are.

    Parameters
    ----------
    factor : int or sequence of int
        How many times as long each axis becomes; a number stands for all.
    mode : "nearest" or "linear", optional
        Repeat every point, or interpolate linearly along each axis (bilinear for images, trilinear for volumes).
    align_corners : bool, optional
        For linear interpolation: whether the first and last points of the input and of the output lie on each other.  Otherwise
        the borders of their cells do, and what lies outside of the outer points' centres is constant.

    Returns
    -------
    Layer
        From (n, *space, c) to (n, *larger space, c).

    Raises
    ------
    TypeError, ValueError
        When an argument is out of range; in ``init`` and ``forward``, when an example has another number of spatial axes than
        ``factor`` has entries.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> x = np.array([0.0, 4.0]).reshape(1, 2, 1)
    >>> fn.apply(fn.upsample(2), (), (), x).ravel()
    array([0., 0., 4., 4.])
    >>> fn.apply(fn.upsample(2, mode="linear"), (), (), x).ravel()
    array([0., 1., 3., 4.])
    """
    sizes = checked_sizes(factor, "factor")
    mode = check_choice(mode, get_args(Interpolation), "mode")  # bilinear and trilinear are linear on each axis
    align_corners = check_flag(align_corners, "align_corners")
    if align_corners and mode == "nearest":
        raise ValueError("align_corners is for linear interpolation: leave it out")
    if mode == "nearest":
        return define_layer(
            "upsample(nearest)",
            partial(init, sizes),
            partial(nearest_forward, sizes),
            partial(nearest_backward, sizes),
            random=False,
        )
    return define_layer(
        "upsample(linear)",
        partial(init, sizes),
        partial(linear_forward, sizes, align_corners),
        partial(linear_backward, sizes, align_corners),
        random=False,
    )
