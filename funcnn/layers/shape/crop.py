r"""Crop: points cut off the spatial axes, however many.

Indices: $n$ example, $p$ point of an axis (several axes alike), of which $a$ are cut off before it, $c$ channel.

Forward: $y_{npc} = x_{n,\,p+a,\,c}$.

Derivation.  A choice of entries; its transpose puts the cotangents back where they were and 0 elsewhere, which is padding with
zeros: $\bar x_{nqc} = \bar y_{n,\,q-a,\,c}$, and 0 outside.
"""

from functools import partial

from funcnn.errors import check_cotangent
from funcnn.kernels import windows
from funcnn.kernels.spatial import Widths, check_spatial_batch, checked_widths, split_shape, widths_of
from funcnn.kernels.windows import Pair
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, define_layer
from funcnn.layers.shape.identity import OutputShape
from funcnn.typing import Array, Empty, Shape


def cropped(space: Shape, pads: tuple[Pair, ...]) -> Shape:
    """Return the spatial shape that is left, or raise when nothing is."""
    left = tuple([n - low - high for n, (low, high) in zip(space, pads, strict=True)])
    if any(n < 1 for n in left):
        raise ValueError(f"the spatial axes have {space} points: cutting {pads} off leaves nothing")
    return left


def init(cropping: int | tuple[Pair, ...], key: Key, in_shape: Shape) -> Init[Empty, Empty]:
    space, channels = split_shape(in_shape, cropping)
    return Init((), (), (*cropped(space, widths_of(cropping, len(space))), channels))


def forward(
    cropping: int | tuple[Pair, ...], params: Empty, state: Empty, x: Array, mode: Mode
) -> Forward[Array, Empty, OutputShape]:
    space = check_spatial_batch(x, cropping)
    pads = widths_of(cropping, len(space))
    cropped(space, pads)
    y = windows.crop(x, pads).copy()
    return Forward(y, state, OutputShape(y.shape))  # a copy: no result shares memory with an argument


def backward(cropping: int | tuple[Pair, ...], params: Empty, residuals: OutputShape, dy: Array) -> Backward[Empty, Array]:
    check_cotangent(dy, residuals.shape)
    dx = windows.pad(dy, widths_of(cropping, dy.ndim - 2))
    return Backward(params, dx.copy() if dx is dy else dx)


def crop(cropping: Widths) -> Layer[Empty, Empty, Array, Array]:
    """Cut points off the spatial axes of (n, *space, channels), however many there are.

    Parameters
    ----------
    cropping : int or sequence
        Points cut off both sides of every axis; or for each spatial axis a number, or a pair (before, after).

    Returns
    -------
    Layer
        From (n, *space, c) to (n, *smaller space, c).

    Raises
    ------
    TypeError, ValueError
        When ``cropping`` is out of range; in ``init`` and ``forward``, when an example has another number of spatial axes than
        ``cropping`` has entries, or nothing would be left of it.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.crop(((1, 2),)), (), (), np.arange(5.0).reshape(1, 5, 1)).ravel()
    array([1., 2.])
    """
    pairs = checked_widths(cropping, "cropping")
    return define_layer("crop", partial(init, pairs), partial(forward, pairs), partial(backward, pairs), random=False)
