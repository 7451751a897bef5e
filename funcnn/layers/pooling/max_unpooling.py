r"""Maximum pooling that tells where the maxima were, and unpooling, which puts numbers back there.

Zeiler, Taylor & Fergus 2011; Badrinarayanan, Kendall & Cipolla 2017, arXiv:1511.00561 (SegNet).

Indices: $n$ example, $p$ window, $k$ point of a window, $q$ point of the large array, counted row by row over its spatial axes,
$c$ channel.

Forward
$$ y_{npc} = \max_{q \in p} x_{nqc}, \quad i_{npc} = \text{the first $q$ that attains it}
   \quad \text{(pooling)}, \qquad y_{nqc} = \sum_p [q = i_{npc}]\, x_{npc} \quad \text{(unpooling)}. $$

Derivation.  Pooling takes the entries at $i$ (the indices themselves are integers, without a gradient), unpooling puts entries
there: with the indices given both are linear, each the transpose of the other,
$$ \bar x_{nqc} = \sum_p [q = i_{npc}]\, \bar y_{npc} \quad \text{(pooling)}, \qquad
   \bar x_{npc} = \bar y_{n,\,i_{npc},\,c} \quad \text{(unpooling)}. $$
"""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any, cast

import numpy as np
from attrs import frozen

from funcnn.errors import check_cotangent, check_flag, check_kind, check_spatial, describe
from funcnn.kernels.windows import Padding, Sizes, Windows, pad
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, define_layer
from funcnn.layers.pooling.pooling import check_input, fitted, geometry, offsets
from funcnn.layers.pooling.pooling import init as pooled_init
from funcnn.layers.shape.unfold import check_axes
from funcnn.typing import Array, Empty, IntArray, Shape


@frozen(eq=False)
class Pooled:
    """The maxima of windows and where they were: a tree with two leaves.

    The cotangent of a Pooled is a Pooled whose indices are None, since integers have no gradient.

    Parameters
    ----------
    values : array, shape (n, *count, c)
        The maxima, or whatever later layers have made of them.
    indices : integer array of the same shape
        The points of the input where they were, counted row by row over its spatial axes.

    Raises
    ------
    TypeError, ValueError
        When the indices are not integers, or their shape is not that of the values.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.Pooled(np.array([[[4.0]]]), np.array([[[2]]])).indices.shape
    (1, 1, 1)
    """

    values: Array
    indices: IntArray

    def __attrs_post_init__(self) -> None:
        indices: object = self.indices
        if indices is None:  # a cotangent
            return
        check_kind(self.values, "values", "an array (n, *count, channels)", "np.asarray(...)")
        if not isinstance(indices, np.ndarray) or indices.dtype.kind not in "iu":
            raise TypeError(f"indices are an array of integers, got {describe(indices)}")
        if self.values.shape != indices.shape:
            raise ValueError(f"the indices are {describe(indices)}, expected the shape of the values, {describe(self.values)}")


@frozen(eq=False)
class PooledResiduals:
    """The shape of the input, and where the maxima are."""

    shape: Shape
    indices: IntArray  # (n, *count, c)


@frozen(eq=False)
class UnpoolResiduals:
    """Where numbers were put, and the shape of the output."""

    indices: IntArray  # (n, *count, c)
    output: Shape


def numbers(windows: Windows, space: Shape) -> IntArray:
    """Return the number of every point of a padded array (1, *padded, 1), and -1 in the padding."""
    inner = np.arange(math.prod(space)).reshape(1, *space, 1)
    return np.pad(inner, ((0, 0), *windows.pads(space), (0, 0)), constant_values=-1)


def pool_forward(
    windows: Windows, ceil: bool, params: Empty, state: Empty, x: Array, mode: Mode
) -> Forward[Pooled, Empty, PooledResiduals]:
    check_input(x, windows.ndim)
    space = x.shape[1:-1]
    own = fitted(windows, ceil, space)
    padded, number = pad(x, own.pads(space), -np.inf), numbers(own, space)
    first, *rest = offsets(own, own.count(space))
    y: Array = padded[:, *first].copy()
    indices: IntArray = np.empty(y.shape, np.intp)
    indices[...] = number[:, *first]
    for place in rest:
        point = padded[:, *place]
        larger = (point.real > y.real) | ((point != point) & (y == y)) | (indices < 0)  # the first NaN; never the padding
        np.copyto(y, point, where=larger)
        np.copyto(indices, number[:, *place], where=larger)
    return Forward(Pooled(y, indices), state, PooledResiduals(x.shape, indices))


def pool_backward(params: Empty, residuals: PooledResiduals, dy: Pooled) -> Backward[Empty, Array]:
    given: object = dy
    if not isinstance(given, Pooled):
        raise TypeError(f"the cotangent of the output (doutput) is {describe(given)}, expected funcnn.Pooled(values, None)")
    check_cotangent(given.values, residuals.indices.shape)
    return Backward(params, scattered(residuals.indices, residuals.shape[1:-1], given.values))


def scattered(indices: IntArray, space: Shape, values: Array) -> Array:
    """Return (n, *space, c) with values (n, *count, c) added at the points that the indices tell."""
    batch, channels = values.shape[0], values.shape[-1]
    count = math.prod(values.shape[1:-1])
    large: Array = np.zeros((batch, math.prod(space), channels), values.dtype)
    place = indices.reshape(batch, count, channels)
    np.add.at(
        large,
        (np.arange(batch)[:, np.newaxis, np.newaxis], place, np.arange(channels)),
        values.reshape(batch, count, channels),
    )
    return large.reshape(batch, *space, channels)


def unpool_init(space: Shape, key: Key, in_shape: Shape) -> Init[Empty, Empty]:
    *_, channels = check_spatial(in_shape, len(space))
    return Init((), (), (*space, channels))


def unpool_forward(space: Shape, params: Empty, state: Empty, x: Pooled, mode: Mode) -> Forward[Array, Empty, UnpoolResiduals]:
    if not isinstance(x, Pooled):
        raise TypeError(f"the input is {describe(x)}, expected funcnn.Pooled(values, indices)")
    check_input(x.values, len(space))
    points = math.prod(space)
    if x.indices.size and not 0 <= x.indices.min() <= x.indices.max() < points:
        raise ValueError(
            f"the indices go from {x.indices.min()} to {x.indices.max()}, but the spatial shape {space} has {points} points:"
            " space is the spatial shape of what was pooled"
        )
    y = scattered(x.indices, space, x.values)
    return Forward(y, state, UnpoolResiduals(x.indices, y.shape))


def unpool_backward(params: Empty, residuals: UnpoolResiduals, dy: Array) -> Backward[Empty, Pooled]:
    indices = residuals.indices
    check_cotangent(dy, residuals.output)
    batch, channels = dy.shape[0], dy.shape[-1]
    flat = dy.reshape(batch, math.prod(dy.shape[1:-1]), channels)
    place = indices.reshape(batch, math.prod(indices.shape[1:-1]), channels)
    dvalues: Array = np.take_along_axis(flat, place, 1).reshape(indices.shape)
    return Backward(params, Pooled(dvalues, cast(Any, None)))


def max_pool_with_indices(
    kernel: Sequence[int],
    *,
    stride: Sizes | None = None,
    padding: Padding = "valid",
    dilation: Sizes = 1,
    ceil_mode: bool = False,
) -> Layer[Empty, Empty, Array, Pooled]:
    """Take the maximum over windows of (n, *space, c), and tell where it was, for :func:`max_unpool`.

    Of equal entries in a window the first one counts.

    Parameters
    ----------
    kernel : sequence of int
        Points of a window along each spatial axis: (2, 2) for images.
    stride, padding, dilation, ceil_mode : optional
        As for :func:`funcnn.max_pool2d`.

    Returns
    -------
    Layer
        From an array to :class:`funcnn.Pooled`.

    Raises
    ------
    TypeError, ValueError
        When an argument is out of range; in ``init``, when the example is smaller than a window.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> pooled = fn.apply(fn.max_pool_with_indices((2,)), (), (), np.array([1.0, 5.0, 7.0, 2.0]).reshape(1, 4, 1))
    >>> pooled.values.ravel(), pooled.indices.ravel()
    (array([5., 7.]), array([1, 2]))
    """
    windows = geometry(len(check_axes(kernel, "kernel")), kernel, stride, padding, dilation)
    ceil_mode = check_flag(ceil_mode, "ceil_mode")
    return define_layer(
        f"max_pool_with_indices({'x'.join(map(str, windows.kernel))})",
        partial(pooled_init, windows, ceil_mode),
        partial(pool_forward, windows, ceil_mode),
        pool_backward,
        random=False,
    )


def max_unpool(space: Sequence[int]) -> Layer[Empty, Empty, Pooled, Array]:
    """Put numbers back where the maxima were, and 0 elsewhere: :class:`funcnn.Pooled` (n, *count, c) to (n, *space, c).

    Numbers that go to the same point, where windows overlapped, are added.  :func:`funcnn.on_values` applies layers in between.

    Parameters
    ----------
    space : sequence of int
        The spatial shape of the output: that of the array that was pooled.

    Returns
    -------
    Layer

    Raises
    ------
    TypeError, ValueError
        When ``space`` is out of range; in ``forward``, when the input is not Pooled, or an index lies outside of the output.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.max_pool_with_indices((2,)) >> fn.max_unpool((4,))
    >>> fn.apply(layer, ((), ()), ((), ()), np.array([1.0, 5.0, 7.0, 2.0]).reshape(1, 4, 1)).ravel()
    array([0., 5., 7., 0.])
    """
    shape = check_axes(space, "space")
    name = f"max_unpool({'x'.join(map(str, shape))})"
    return define_layer(name, partial(unpool_init, shape), partial(unpool_forward, shape), unpool_backward, random=False)
