r"""Pixel shuffle (Shi et al. 2016, arXiv:1609.05158, eq. 4), for any number of spatial axes, and its inverse.

Indices: $n$ example, $q$ coarse point, $r$ point of a block of $f$ (of $f_1 f_2$ where there are two spatial axes, and so on),
$c$ channel.

Forward.  Blocks of channels become blocks of points, and back:
$$ y_{n,\,fq+r,\,c} = x_{n,\,q,\,rC+c} \quad \text{(shuffle)}, \qquad y_{n,\,q,\,rC+c} = x_{n,\,fq+r,\,c} \quad
   \text{(unshuffle)}. $$

Derivation.  Both reorder the entries, each the inverse of the other; and the transpose of a permutation is its inverse.
"""

import math
from functools import partial

import numpy as np

from funcnn.errors import check_cotangent
from funcnn.kernels.spatial import check_spatial_batch, checked_sizes, sizes_of, split_shape
from funcnn.kernels.windows import Sizes
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, define_layer
from funcnn.layers.shape.identity import OutputShape
from funcnn.typing import Array, Empty, Shape


def fine_shape(factor: int | Shape, coarse: Shape) -> Shape:
    """Return the shape of a shuffled example, or raise when its channels make no blocks."""
    space, channels = split_shape(coarse, factor)
    factors = sizes_of(factor, len(space))
    block = math.prod(factors)
    if channels % block:
        raise ValueError(f"{channels} channels cannot be divided into blocks of {'x'.join(map(str, factors))} points")
    return (*[f * n for f, n in zip(factors, space, strict=True)], channels // block)


def coarse_shape(factor: int | Shape, fine: Shape) -> Shape:
    """Return the shape of an unshuffled example, or raise when its points make no blocks."""
    space, channels = split_shape(fine, factor)
    factors = sizes_of(factor, len(space))
    if any(n % f for f, n in zip(factors, space, strict=True)):
        raise ValueError(f"the spatial axes have {space} points, which cannot be divided into blocks of {factors}")
    return (*[n // f for f, n in zip(factors, space, strict=True)], channels * math.prod(factors))


def shuffled(factor: int | Shape, x: Array) -> Array:
    """Return (n, *coarse, block * c) as (n, *fine, c)."""
    fine = fine_shape(factor, x.shape[1:])
    ndim = len(fine) - 1
    blocks = x.reshape(len(x), *x.shape[1:-1], *sizes_of(factor, ndim), fine[-1])
    pairs = [axis for q in range(1, 1 + ndim) for axis in (q, q + ndim)]
    return np.array(blocks.transpose(0, *pairs, 2 * ndim + 1), order="C").reshape(len(x), *fine)


def unshuffled(factor: int | Shape, x: Array) -> Array:
    """Return (n, *fine, c) as (n, *coarse, block * c)."""
    coarse = coarse_shape(factor, x.shape[1:])
    ndim = len(coarse) - 1
    pairs = [length for pair in zip(coarse[:-1], sizes_of(factor, ndim), strict=True) for length in pair]
    blocks = x.reshape(len(x), *pairs, x.shape[-1])
    order = (0, *[2 * q - 1 for q in range(1, 1 + ndim)], *[2 * q for q in range(1, 1 + ndim)], 2 * ndim + 1)
    return np.array(blocks.transpose(order), order="C").reshape(len(x), *coarse)


def shuffle_init(factor: int | Shape, key: Key, in_shape: Shape) -> Init[Empty, Empty]:
    return Init((), (), fine_shape(factor, in_shape))


def shuffle_forward(factor: int | Shape, params: Empty, state: Empty, x: Array, mode: Mode) -> Forward[Array, Empty, OutputShape]:
    check_spatial_batch(x, factor)
    y = shuffled(factor, x)
    return Forward(y, state, OutputShape(y.shape))


def shuffle_backward(factor: int | Shape, params: Empty, residuals: OutputShape, dy: Array) -> Backward[Empty, Array]:
    check_cotangent(dy, residuals.shape)
    return Backward(params, unshuffled(factor, dy))


def unshuffle_init(factor: int | Shape, key: Key, in_shape: Shape) -> Init[Empty, Empty]:
    return Init((), (), coarse_shape(factor, in_shape))


def unshuffle_forward(
    factor: int | Shape, params: Empty, state: Empty, x: Array, mode: Mode
) -> Forward[Array, Empty, OutputShape]:
    check_spatial_batch(x, factor)
    y = unshuffled(factor, x)
    return Forward(y, state, OutputShape(y.shape))


def unshuffle_backward(factor: int | Shape, params: Empty, residuals: OutputShape, dy: Array) -> Backward[Empty, Array]:
    check_cotangent(dy, residuals.shape)
    return Backward(params, shuffled(factor, dy))


def pixel_shuffle(factor: Sizes) -> Layer[Empty, Empty, Array, Array]:
    """Turn blocks of channels into blocks of points: (n, h, w, f f c) to (n, f h, f w, c), and so for any number of axes.

    A convolution followed by it enlarges images without the overlaps of a transposed convolution.

    Parameters
    ----------
    factor : int or sequence of int
        Points f of a block along each spatial axis; a number stands for all.

    Returns
    -------
    Layer
        The points of a block, row by row, are the outer index of the channels, as in the paper and in TensorFlow's
        depth_to_space.  (In PyTorch they are the inner one.)

    Raises
    ------
    TypeError, ValueError
        When ``factor`` is out of range; in ``init`` and ``forward``, when the channels make no blocks.

    References
    ----------
    Shi et al. (2016), Real-time single image and video super-resolution using an efficient sub-pixel convolutional neural
    network, arXiv:1609.05158.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.pixel_shuffle(2), (), (), np.arange(4.0).reshape(1, 1, 1, 4))[0, :, :, 0]
    array([[0., 1.],
           [2., 3.]])
    """
    sizes = checked_sizes(factor, "factor")
    return define_layer(
        "pixel_shuffle",
        partial(shuffle_init, sizes),
        partial(shuffle_forward, sizes),
        partial(shuffle_backward, sizes),
        random=False,
    )


def pixel_unshuffle(factor: Sizes) -> Layer[Empty, Empty, Array, Array]:
    """Turn blocks of points into blocks of channels: (n, f h, f w, c) to (n, h, w, f f c); the inverse of :func:`pixel_shuffle`.

    Parameters
    ----------
    factor : int or sequence of int
        Points f of a block along each spatial axis; a number stands for all.

    Returns
    -------
    Layer

    Raises
    ------
    TypeError, ValueError
        When ``factor`` is out of range; in ``init`` and ``forward``, when it does not divide the axes.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.pixel_unshuffle(2), (), (), np.arange(4.0).reshape(1, 2, 2, 1))
    array([[[[0., 1., 2., 3.]]]])
    """
    sizes = checked_sizes(factor, "factor")
    return define_layer(
        "pixel_unshuffle",
        partial(unshuffle_init, sizes),
        partial(unshuffle_forward, sizes),
        partial(unshuffle_backward, sizes),
        random=False,
    )
