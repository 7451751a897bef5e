r"""Depthwise convolution: every channel is convolved by itself; and separable convolution, which mixes the channels afterwards.

Indices: $n$ example, $p$ window, $k$ point of the kernel, $i$ input channel of $I$, $j$ filter of the $M$ of a channel, so that
the output channels are the pairs $ij$; $s, d, a$ stride, dilation, padding.

Forward
$$ y_{np,ij} = \sum_k x_{n,\,sp+dk-a,\,i}\, w_{k,ij} + b_{ij} $$

Derivation.  $y$ is linear in each of $x$, $w$ and $b$, and each cotangent is the sum over what it stands with in
$\sum \bar y\,\mathrm{d}y$:
$$ \bar x_{nqi} = \sum_{p,k:\; sp+dk-a=q}\;\sum_j \bar y_{np,ij}\, w_{k,ij}, \qquad
   \bar w_{k,ij} = \sum_{n,p} x_{n,\,sp+dk-a,\,i}\; \bar y_{np,ij}, \qquad
   \bar b_{ij} = \sum_{n,p} \bar y_{np,ij}. $$
It is :mod:`funcnn.layers.convolution.convolution` with as many groups as input channels.  But there is no sum over
channels, so nothing for
a matrix product to do: here the points of the kernel are taken one after the other, each for the whole array.

A *separable* convolution (Sifre & Mallat 2014; Chollet 2017, arXiv:1610.02357) is this followed by a convolution with a kernel of
one point, which mixes the channels: their composition, by the chain rule.
"""

from functools import partial

import numpy as np

from funcnn import initializers
from funcnn.errors import check_channels, check_cotangent, check_count, check_spatial
from funcnn.initializers import Initializer
from funcnn.kernels.arrays import as_matrix, sum_axis0
from funcnn.kernels.spatial import add_bias
from funcnn.kernels.weight_shape import grouped
from funcnn.kernels.windows import Padding, Sizes, Windows, crop, make_windows, pad
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, backward_without_input, chain, define_layer
from funcnn.layers.convolution.convolution import (
    AnyConvParams,
    ConvParams,
    ConvResiduals,
    ConvStart,
    K,
    checked_start,
    convolution,
    kernel_grads,
)
from funcnn.layers.pooling.pooling import offsets
from funcnn.typing import Array, Empty, Shape


def init(multiplier: int, windows: Windows, start: ConvStart[K], key: Key, in_shape: Shape) -> Init[K, Empty]:
    *space, inputs = check_spatial(in_shape, windows.ndim)
    channels = inputs * multiplier
    params = start.params(key, grouped(windows.kernel, inputs, channels, inputs), channels)
    return Init(params, (), (*windows.count(tuple(space)), channels))


def filters(weight: Array, multiplier: int) -> Array:
    """Return the weight (*kernel, 1, I M) as (k, I, M)."""
    return weight.reshape(-1, weight.shape[-1] // multiplier, multiplier)


def forward(
    multiplier: int, windows: Windows, params: AnyConvParams, state: Empty, x: Array, mode: Mode
) -> Forward[Array, Empty, ConvResiduals]:
    w = filters(params.weight, multiplier)
    check_channels(x, windows.ndim, w.shape[1], params.weight)
    space = x.shape[1:-1]
    count, padded = windows.count(space), pad(x, windows.pads(space))
    y: Array = np.zeros((len(x), *count, *w.shape[1:]), np.result_type(x, w))
    for k, place in enumerate(offsets(windows, count)):
        y += padded[:, *place, :, np.newaxis] * w[k]
    y = y.reshape(len(x), *count, params.weight.shape[-1])
    if isinstance(params, ConvParams):
        add_bias(y, params.bias)
    return Forward(y, state, ConvResiduals(x))


def backward(
    multiplier: int, windows: Windows, params: K, residuals: ConvResiduals, dy: Array, input_grad: bool = True
) -> Backward[K, Array]:
    x, w = residuals.x, filters(params.weight, multiplier)
    space = x.shape[1:-1]
    count = windows.count(space)
    check_cotangent(dy, (len(x), *count, params.weight.shape[-1]), params.weight.dtype)
    pads = windows.pads(space)
    padded = pad(x, pads)
    dy_filters = dy.reshape(len(dy), *count, *w.shape[1:])
    dw: Array = np.empty((len(w), dy.shape[-1]), np.result_type(x, dy))
    dpadded: Array = np.zeros(padded.shape, np.result_type(w, dy))
    for k, place in enumerate(offsets(windows, count)):
        dw[k] = sum_axis0(as_matrix((padded[:, *place, :, np.newaxis] * dy_filters).reshape(dy.shape)))
        if input_grad:
            dpadded[:, *place] += (dy_filters * w[k]).sum(-1)
    grads = kernel_grads(params, dw.reshape(params.weight.shape), dy)
    return Backward(grads, crop(dpadded, pads)) if input_grad else backward_without_input(grads)


def depthwise_convolution(windows: Windows, multiplier: int, start: ConvStart[K]) -> Layer[K, Empty, Array, Array]:
    """Make a depthwise convolution over any number of spatial axes: what the factories share."""
    multiplier = check_count(multiplier, "multiplier")
    without = "" if issubclass(start.kind, ConvParams) else "_without_bias"
    return define_layer(
        f"depthwise_conv{windows.ndim}d{without}({'x'.join(map(str, windows.kernel))})",
        partial(init, multiplier, windows, start),
        partial(forward, multiplier, windows),
        partial(backward, multiplier, windows),
        random=False,
    )


def separable_convolution(
    windows: Windows, channels: int, multiplier: int, start: ConvStart[K]
) -> Layer[tuple[K, K], tuple[Empty, Empty], Array, Array]:
    """Make a separable convolution over any number of spatial axes: what the factories share."""
    mixing = convolution(make_windows(windows.ndim, 1), channels, 1, start)
    return chain((depthwise_convolution(windows, multiplier, start), mixing))


def depthwise_conv1d(
    kernel: Sizes,
    *,
    multiplier: int = 1,
    stride: Sizes = 1,
    padding: Padding = "valid",
    dilation: Sizes = 1,
    weight_init: Initializer = initializers.glorot_uniform,
    bias_init: Initializer = initializers.zeros,
) -> Layer[ConvParams, Empty, Array, Array]:
    """Convolve every channel of sequences (n, length, channels) by itself; see :func:`depthwise_conv2d`.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.depthwise_conv1d(3, multiplier=2).init(fn.Key(0), (20, 4)).out_shape
    (18, 8)
    """
    windows = make_windows(1, kernel, stride, padding, dilation)
    return depthwise_convolution(windows, multiplier, checked_start(ConvParams, weight_init, bias_init))


def depthwise_conv2d(
    kernel: Sizes,
    *,
    multiplier: int = 1,
    stride: Sizes = 1,
    padding: Padding = "valid",
    dilation: Sizes = 1,
    weight_init: Initializer = initializers.glorot_uniform,
    bias_init: Initializer = initializers.zeros,
) -> Layer[ConvParams, Empty, Array, Array]:
    """Convolve every channel of images (n, height, width, channels) by itself.

    The same as :func:`funcnn.conv2d` with as many groups as input channels, but faster, and without saying how many there are.

    Parameters
    ----------
    kernel : int or sequence of int
        Points of the kernel along each spatial axis.
    multiplier : int, optional
        Filters M for each channel.
    stride, padding, dilation, weight_init, bias_init : optional
        As for :func:`funcnn.conv2d`; the weight is (*kernel, 1, I M).

    Returns
    -------
    Layer
        From (n, height, width, I) to (n, height', width', I M): the filters of a channel stand together.

    Raises
    ------
    TypeError, ValueError
        As for :func:`funcnn.conv2d`.

    Examples
    --------
    >>> import funcnn as fn
    >>> start = fn.depthwise_conv2d(3, padding="same").init(fn.Key(0), (28, 28, 8))
    >>> start.params.weight.shape, start.out_shape
    ((3, 3, 1, 8), (28, 28, 8))
    """
    windows = make_windows(2, kernel, stride, padding, dilation)
    return depthwise_convolution(windows, multiplier, checked_start(ConvParams, weight_init, bias_init))


def separable_conv1d(
    channels: int,
    kernel: Sizes,
    *,
    multiplier: int = 1,
    stride: Sizes = 1,
    padding: Padding = "valid",
    dilation: Sizes = 1,
    weight_init: Initializer = initializers.glorot_uniform,
    bias_init: Initializer = initializers.zeros,
) -> Layer[tuple[ConvParams, ConvParams], tuple[Empty, Empty], Array, Array]:
    """Convolve each channel of sequences (n, length, channels) by itself, then mix them; see :func:`separable_conv2d`.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.separable_conv1d(16, 3, padding="same").init(fn.Key(0), (20, 4)).out_shape
    (20, 16)
    """
    windows = make_windows(1, kernel, stride, padding, dilation)
    return separable_convolution(windows, channels, multiplier, checked_start(ConvParams, weight_init, bias_init))


def separable_conv2d(
    channels: int,
    kernel: Sizes,
    *,
    multiplier: int = 1,
    stride: Sizes = 1,
    padding: Padding = "valid",
    dilation: Sizes = 1,
    weight_init: Initializer = initializers.glorot_uniform,
    bias_init: Initializer = initializers.zeros,
) -> Layer[tuple[ConvParams, ConvParams], tuple[Empty, Empty], Array, Array]:
    """Convolve each channel of images (n, height, width, channels) by itself, then mix the channels point by point.

    It takes about kernel points times fewer multiplications than a full convolution.

    Parameters
    ----------
    channels : int
        Number of output channels O.
    kernel : int or sequence of int
        Points of the depthwise kernel along each spatial axis.
    multiplier : int, optional
        Depthwise filters for each input channel.
    stride, padding, dilation : optional
        Of the depthwise convolution, as for :func:`funcnn.conv2d`.
    weight_init, bias_init : callable, optional
        Initializers of both convolutions.

    Returns
    -------
    Layer
        ``serial(depthwise_conv2d(...), conv2d(channels, 1))``: its parameters are a pair.

    Raises
    ------
    TypeError, ValueError
        As for :func:`funcnn.conv2d`.

    References
    ----------
    Chollet (2017), Xception: deep learning with depthwise separable convolutions, arXiv:1610.02357.

    Examples
    --------
    >>> import funcnn as fn
    >>> layer = fn.separable_conv2d(16, 3, stride=2, padding="same")
    >>> start = layer.init(fn.Key(0), (28, 28, 8))
    >>> start.params[0].weight.shape, start.params[1].weight.shape, start.out_shape
    ((3, 3, 1, 8), (1, 1, 8, 16), (14, 14, 16))
    """
    windows = make_windows(2, kernel, stride, padding, dilation)
    return separable_convolution(windows, channels, multiplier, checked_start(ConvParams, weight_init, bias_init))
