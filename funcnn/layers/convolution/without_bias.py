r"""Convolutions without a bias, of every kind: what stands before a normalization, which would take a bias away again.

Forward and derivation are those of the convolutions with a bias (:mod:`funcnn.layers.convolution.convolution`,
:mod:`funcnn.layers.convolution.depthwise`, :mod:`funcnn.layers.convolution.transposed_convolution`) with $b = 0$ and without
$\bar b$: the code is the same, and these factories have other parameters, :class:`ConvWithoutBiasParams`, with nothing but the
weight.
"""

from funcnn import initializers
from funcnn.initializers import Initializer
from funcnn.kernels.windows import Padding, Sizes, make_windows
from funcnn.layer import Layer
from funcnn.layers.convolution.convolution import ConvWithoutBiasParams, checked_start, convolution
from funcnn.layers.convolution.depthwise import depthwise_convolution, separable_convolution
from funcnn.layers.convolution.transposed_convolution import geometry, transposed_convolution
from funcnn.typing import Array, Empty


def conv1d_without_bias(
    channels: int,
    kernel: Sizes,
    *,
    stride: Sizes = 1,
    padding: Padding = "valid",
    dilation: Sizes = 1,
    groups: int = 1,
    weight_init: Initializer = initializers.glorot_uniform,
) -> Layer[ConvWithoutBiasParams, Empty, Array, Array]:
    """Convolve sequences (n, length, channels) without adding a bias; see :func:`conv1d`.

    Examples
    --------
    >>> import funcnn as fn
    >>> start = fn.conv1d_without_bias(8, 3, padding="same").init(fn.Key(0), (20, 4))
    >>> fn.tree.paths(start.params), start.out_shape
    (('.weight',), (20, 8))
    """
    windows = make_windows(1, kernel, stride, padding, dilation)
    return convolution(windows, channels, groups, checked_start(ConvWithoutBiasParams, weight_init))


def conv2d_without_bias(
    channels: int,
    kernel: Sizes,
    *,
    stride: Sizes = 1,
    padding: Padding = "valid",
    dilation: Sizes = 1,
    groups: int = 1,
    weight_init: Initializer = initializers.glorot_uniform,
) -> Layer[ConvWithoutBiasParams, Empty, Array, Array]:
    """Convolve images (n, height, width, channels) without adding a bias; see :func:`conv2d`.

    Parameters
    ----------
    channels, kernel, stride, padding, dilation, groups, weight_init
        As for :func:`funcnn.conv2d`.

    Returns
    -------
    Layer
        As :func:`funcnn.conv2d`, parameters :class:`ConvWithoutBiasParams`: a weight.

    Raises
    ------
    TypeError, ValueError
        As for :func:`funcnn.conv2d`.

    Examples
    --------
    >>> import funcnn as fn
    >>> start = fn.conv2d_without_bias(8, 3, padding="same").init(fn.Key(0), (8, 8, 4))
    >>> fn.tree.paths(start.params), start.out_shape
    (('.weight',), (8, 8, 8))
    """
    windows = make_windows(2, kernel, stride, padding, dilation)
    return convolution(windows, channels, groups, checked_start(ConvWithoutBiasParams, weight_init))


def conv3d_without_bias(
    channels: int,
    kernel: Sizes,
    *,
    stride: Sizes = 1,
    padding: Padding = "valid",
    dilation: Sizes = 1,
    groups: int = 1,
    weight_init: Initializer = initializers.glorot_uniform,
) -> Layer[ConvWithoutBiasParams, Empty, Array, Array]:
    """Convolve volumes (n, depth, height, width, channels) without adding a bias; see :func:`conv3d`.

    Examples
    --------
    >>> import funcnn as fn
    >>> start = fn.conv3d_without_bias(8, 3, padding="same").init(fn.Key(0), (5, 6, 7, 4))
    >>> fn.tree.paths(start.params), start.out_shape
    (('.weight',), (5, 6, 7, 8))
    """
    windows = make_windows(3, kernel, stride, padding, dilation)
    return convolution(windows, channels, groups, checked_start(ConvWithoutBiasParams, weight_init))


def depthwise_conv1d_without_bias(
    kernel: Sizes,
    *,
    multiplier: int = 1,
    stride: Sizes = 1,
    padding: Padding = "valid",
    dilation: Sizes = 1,
    weight_init: Initializer = initializers.glorot_uniform,
) -> Layer[ConvWithoutBiasParams, Empty, Array, Array]:
    """Convolve every channel of sequences (n, length, channels) by itself, without a bias.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.depthwise_conv1d_without_bias(3, padding="same").init(fn.Key(0), (20, 4)).out_shape
    (20, 4)
    """
    windows = make_windows(1, kernel, stride, padding, dilation)
    return depthwise_convolution(windows, multiplier, checked_start(ConvWithoutBiasParams, weight_init))


def depthwise_conv2d_without_bias(
    kernel: Sizes,
    *,
    multiplier: int = 1,
    stride: Sizes = 1,
    padding: Padding = "valid",
    dilation: Sizes = 1,
    weight_init: Initializer = initializers.glorot_uniform,
) -> Layer[ConvWithoutBiasParams, Empty, Array, Array]:
    """Convolve every channel of images (n, height, width, channels) by itself, without a bias.

    Parameters
    ----------
    kernel, multiplier, stride, padding, dilation, weight_init
        As for :func:`funcnn.depthwise_conv2d`.

    Returns
    -------
    Layer
        As :func:`funcnn.depthwise_conv2d`, parameters :class:`ConvWithoutBiasParams`: a weight.

    Raises
    ------
    TypeError, ValueError
        As for :func:`funcnn.depthwise_conv2d`.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.depthwise_conv2d_without_bias(3, padding="same").init(fn.Key(0), (8, 8, 4)).out_shape
    (8, 8, 4)
    """
    windows = make_windows(2, kernel, stride, padding, dilation)
    return depthwise_convolution(windows, multiplier, checked_start(ConvWithoutBiasParams, weight_init))


def separable_conv1d_without_bias(
    channels: int,
    kernel: Sizes,
    *,
    multiplier: int = 1,
    stride: Sizes = 1,
    padding: Padding = "valid",
    dilation: Sizes = 1,
    weight_init: Initializer = initializers.glorot_uniform,
) -> Layer[tuple[ConvWithoutBiasParams, ConvWithoutBiasParams], tuple[Empty, Empty], Array, Array]:
    """Convolve each channel of sequences (n, length, channels) by itself, then mix them, without biases.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.separable_conv1d_without_bias(16, 3, padding="same").init(fn.Key(0), (20, 4)).out_shape
    (20, 16)
    """
    windows = make_windows(1, kernel, stride, padding, dilation)
    return separable_convolution(windows, channels, multiplier, checked_start(ConvWithoutBiasParams, weight_init))


def separable_conv2d_without_bias(
    channels: int,
    kernel: Sizes,
    *,
    multiplier: int = 1,
    stride: Sizes = 1,
    padding: Padding = "valid",
    dilation: Sizes = 1,
    weight_init: Initializer = initializers.glorot_uniform,
) -> Layer[tuple[ConvWithoutBiasParams, ConvWithoutBiasParams], tuple[Empty, Empty], Array, Array]:
    """Convolve each channel of images (n, height, width, channels) by itself, then mix them, without biases.

    Parameters
    ----------
    channels, kernel, multiplier, stride, padding, dilation, weight_init
        As for :func:`funcnn.separable_conv2d`.

    Returns
    -------
    Layer
        As :func:`funcnn.separable_conv2d`, parameters a pair of :class:`ConvWithoutBiasParams`.

    Raises
    ------
    TypeError, ValueError
        As for :func:`funcnn.separable_conv2d`.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.separable_conv2d_without_bias(16, 3, padding="same").init(fn.Key(0), (8, 8, 4)).out_shape
    (8, 8, 16)
    """
    windows = make_windows(2, kernel, stride, padding, dilation)
    return separable_convolution(windows, channels, multiplier, checked_start(ConvWithoutBiasParams, weight_init))


def conv_transpose1d_without_bias(
    channels: int,
    kernel: Sizes,
    *,
    stride: Sizes = 1,
    padding: Padding = "valid",
    dilation: Sizes = 1,
    output_padding: Sizes = 0,
    groups: int = 1,
    weight_init: Initializer = initializers.glorot_uniform,
) -> Layer[ConvWithoutBiasParams, Empty, Array, Array]:
    """Transposed convolution of sequences (n, length, channels) without a bias.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.conv_transpose1d_without_bias(8, 4, stride=2, padding=1).init(fn.Key(0), (20, 4)).out_shape
    (40, 8)
    """
    place = geometry(make_windows(1, kernel, stride, padding, dilation), output_padding, groups)
    return transposed_convolution(place, channels, checked_start(ConvWithoutBiasParams, weight_init))


def conv_transpose2d_without_bias(
    channels: int,
    kernel: Sizes,
    *,
    stride: Sizes = 1,
    padding: Padding = "valid",
    dilation: Sizes = 1,
    output_padding: Sizes = 0,
    groups: int = 1,
    weight_init: Initializer = initializers.glorot_uniform,
) -> Layer[ConvWithoutBiasParams, Empty, Array, Array]:
    """Transposed convolution of images (n, height, width, channels) without a bias.

    Parameters
    ----------
    channels, kernel, stride, padding, dilation, output_padding, groups, weight_init
        As for :func:`funcnn.conv_transpose2d`.

    Returns
    -------
    Layer
        As :func:`funcnn.conv_transpose2d`, parameters :class:`ConvWithoutBiasParams`: a weight.

    Raises
    ------
    TypeError, ValueError
        As for :func:`funcnn.conv_transpose2d`.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.conv_transpose2d_without_bias(8, 4, stride=2, padding=1).init(fn.Key(0), (8, 8, 4)).out_shape
    (16, 16, 8)
    """
    place = geometry(make_windows(2, kernel, stride, padding, dilation), output_padding, groups)
    return transposed_convolution(place, channels, checked_start(ConvWithoutBiasParams, weight_init))


def conv_transpose3d_without_bias(
    channels: int,
    kernel: Sizes,
    *,
    stride: Sizes = 1,
    padding: Padding = "valid",
    dilation: Sizes = 1,
    output_padding: Sizes = 0,
    groups: int = 1,
    weight_init: Initializer = initializers.glorot_uniform,
) -> Layer[ConvWithoutBiasParams, Empty, Array, Array]:
    """Transposed convolution of volumes (n, depth, height, width, channels) without a bias.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.conv_transpose3d_without_bias(8, 4, stride=2, padding=1).init(fn.Key(0), (5, 6, 7, 4)).out_shape
    (10, 12, 14, 8)
    """
    place = geometry(make_windows(3, kernel, stride, padding, dilation), output_padding, groups)
    return transposed_convolution(place, channels, checked_start(ConvWithoutBiasParams, weight_init))
