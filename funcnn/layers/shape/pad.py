r"""Padding: points added around the spatial axes, however many.

Indices: $n$ example, $q$ point of an axis of $L$ points, padded by $(a, b)$ to $L + a + b$ points $p$, $c$ channel; where there
are several axes, one after the other.

Forward.  Every point of the output is a copy of one point of the input,
$$ y_{npc} = x_{n,\,\pi(p - a),\,c}, \qquad \pi(r) = \begin{cases}
   \min(\max(r, 0), L - 1) & \text{replicate} \\
   r \bmod L & \text{circular} \\
   (L - 1) - \big|(L - 1) - |r|\big| & \text{reflect} \end{cases} $$
or, in the mode *constant*, the same number wherever $p - a$ lies outside of the axis.  To reflect at the last point repeats the
inner points without it; the circle has the last point next to the first.

Derivation.  Linear in x: the cotangents of all copies of a point are added,
$$ \bar x_{nqc} = \sum_{p:\; \pi(p - a) = q} \bar y_{npc}, $$
which for constant padding is the cotangent with the border cut off.
"""

from functools import partial
from typing import Literal, TypeAlias, get_args

import numpy as np

from funcnn.errors import check_choice, check_cotangent, check_range
from funcnn.kernels.spatial import Widths, check_points, check_spatial_batch, checked_widths, split_shape, widths_of
from funcnn.kernels.windows import Pair, crop
from funcnn.kernels.windows import pad as pad_constant
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, define_layer
from funcnn.typing import Array, Empty, IntArray, Shape

PadMode: TypeAlias = Literal["constant", "reflect", "replicate", "circular"]


def sources(kind: PadMode, length: int, low: int, high: int) -> IntArray:
    """Return, for each point of a padded axis, the point of the input of which it is a copy."""
    place = np.arange(-low, length + high)
    last = length - 1
    if kind == "replicate":
        return place.clip(0, last)
    if kind == "circular":
        return place % length
    return last - abs(last - abs(place))


def check_widths(kind: PadMode, space: Shape, pads: tuple[Pair, ...]) -> None:
    """Raise unless the input has enough points to make the padding of."""
    for axis, (length, pair) in enumerate(zip(space, pads, strict=True)):
        most = {"reflect": length - 1, "circular": length}.get(kind, max(pair))
        if max(pair) > most:
            raise ValueError(f"spatial axis {axis} has {length} points, {kind} padding adds at most {most}, got {pair}")


def init(padding: int | tuple[Pair, ...], kind: PadMode, key: Key, in_shape: Shape) -> Init[Empty, Empty]:
    space, channels = split_shape(in_shape, padding)
    pads = widths_of(padding, len(space))
    check_widths(kind, space, pads)
    return Init((), (), (*[n + low + high for n, (low, high) in zip(space, pads, strict=True)], channels))


def forward(
    padding: int | tuple[Pair, ...], kind: PadMode, value: float, params: Empty, state: Empty, x: Array, mode: Mode
) -> Forward[Array, Empty, Shape]:
    space = check_spatial_batch(x, padding)
    pads = widths_of(padding, len(space))
    check_widths(kind, space, pads)
    y = x
    if kind == "constant":
        y = pad_constant(x, pads, value)
    else:
        check_points(x)
        for axis, (length, (low, high)) in enumerate(zip(space, pads, strict=True), 1):
            if low or high:
                y = y.take(sources(kind, length, low, high), axis)
    return Forward(y.copy() if y is x else y, state, x.shape)


def backward(padding: int | tuple[Pair, ...], kind: PadMode, params: Empty, shape: Shape, dy: Array) -> Backward[Empty, Array]:
    n, *space, channels = shape
    pads = widths_of(padding, len(space))
    check_cotangent(dy, (n, *[length + low + high for length, (low, high) in zip(space, pads, strict=True)], channels))
    if kind == "constant":
        return Backward(params, crop(dy, pads).copy())
    dx = dy
    for axis, (length, (low, high)) in enumerate(zip(space, pads, strict=True), 1):
        dx = folded(dx, axis, length, low, sources(kind, length, low, high))
    return Backward(params, dx)


def folded(dy: Array, axis: int, length: int, low: int, source: IntArray) -> Array:
    """Return the sum of the copies of each point of an axis: the transpose of ``take``, with a loop over the border alone."""
    slices = dy.swapaxes(0, axis)
    dx = slices[low : low + length].copy()
    for place, origin in enumerate(source.tolist()):
        if not low <= place < low + length:
            dx[origin] += slices[place]
    return dx.swapaxes(0, axis)


def pad(padding: Widths, *, mode: PadMode = "constant", value: float = 0.0) -> Layer[Empty, Empty, Array, Array]:
    """Add points around the spatial axes of (n, *space, channels), however many there are.

    Parameters
    ----------
    padding : int or sequence
        Points added on both sides of every axis; or for each spatial axis a number, or a pair (before, after).
    mode : "constant", "reflect", "replicate" or "circular", optional
        What the points are: a constant; the inner points mirrored at the last one, which is not repeated; the last point again
        and again; or the points of the other end.
    value : float, optional
        The constant, zero unless given.

    Returns
    -------
    Layer
        From (n, *space, c) to (n, *larger space, c).

    Raises
    ------
    TypeError, ValueError
        When an argument is out of range; in ``init`` and ``forward``, when an example has another number of spatial axes than
        ``padding`` has entries, or fewer points than are to be reflected (one less than the axis has) or wrapped.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> x = np.array([1.0, 2.0, 3.0]).reshape(1, 3, 1)
    >>> for mode in ("constant", "reflect", "replicate", "circular"):
    ...     print(fn.apply(fn.pad(2, mode=mode), (), (), x).ravel())
    [0. 0. 1. 2. 3. 0. 0.]
    [3. 2. 1. 2. 3. 2. 1.]
    [1. 1. 1. 2. 3. 3. 3.]
    [2. 3. 1. 2. 3. 1. 2.]
    """
    pairs = checked_widths(padding, "padding")
    mode = check_choice(mode, get_args(PadMode), "mode")
    value = check_range(value, "value", float("-inf"), float("inf"))
    if mode != "constant" and value != 0:
        raise ValueError(f"value is {value!r}, but the mode {mode!r} has none: leave it out")
    return define_layer(
        f"pad({mode})",
        partial(init, pairs, mode),
        partial(forward, pairs, mode, value),
        partial(backward, pairs, mode),
        random=False,
    )
