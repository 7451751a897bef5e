r"""Transposed convolution: the transpose of a convolution, used as a forward.

Zeiler et al. 2010; Dumoulin & Visin 2016, arXiv:1603.07285.

Indices: $n$ example, $p$ point of the input, $k$ point of the kernel, $i$ input channel, $o$ output channel; $s, d, a$ stride,
dilation, padding.

Forward.  Every input point lays a copy of the kernel around its place in the output:
$$ y_{nqo} = \sum_{p,k:\; sp+dk-a=q}\;\sum_i x_{npi}\, w_{koi} + b_o . $$
This is the input's cotangent of a convolution from $o$ to $i$ channels with the same kernel.

Derivation.  A transposed map has the map itself as its transpose, so $\bar x$ is that convolution, and the kernel's cotangent
is the convolution's with the parts of input and output exchanged:
$$ \bar x_{npi} = \sum_{k,o} \bar y_{n,\,sp+dk-a,\,o}\, w_{koi}, \qquad
   \bar w_{koi} = \sum_{n,p} \bar y_{n,\,sp+dk-a,\,o}\, x_{npi}, \qquad
   \bar b_o = \sum_{n,q} \bar y_{nqo}. $$
"""

from functools import partial

from funcnn import initializers
from funcnn.errors import check_channels, check_cotangent, check_count, check_spatial
from funcnn.initializers import Initializer, check_initializer
from funcnn.kernels.correlation import correlate, correlate_input, correlate_weight
from funcnn.kernels.spatial import channel_sums
from funcnn.kernels.weight_shape import transposed
from funcnn.kernels.windows import Padding, Sizes, Windows, make_windows, per_axis
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, backward_without_input, define_layer
from funcnn.layers.convolution.convolution import ConvParams, ConvResiduals
from funcnn.typing import Array, Empty, Shape


def out_space(windows: Windows, extra: Shape, space: Shape) -> Shape:
    """Return the output's spatial shape: s (L - 1) + d (k - 1) + 1 - a - b + extra; for "same" s L."""
    if windows.padding == "same":
        return tuple([length * s for length, s in zip(space, windows.stride, strict=True)])
    found = tuple(
        [
            s * (length - 1) + reach - low - high + more
            for length, s, reach, (low, high), more in zip(
                space, windows.stride, windows.reach, windows.padding, extra, strict=True
            )
        ]
    )
    if any(length < 1 for length in found):
        raise ValueError(f"the output would have the spatial shape {found}: use less padding or a larger kernel")
    return found


def init(
    channels: int, windows: Windows, extra: Shape, weight_init: Initializer, bias_init: Initializer, key: Key, in_shape: Shape
) -> Init[ConvParams, Empty]:
    *space, inputs = check_spatial(in_shape, windows.ndim)
    weight = weight_init(key.child(0), transposed(windows.kernel, windows.stride, inputs, channels))
    bias = bias_init(key.child(1), (channels,))
    return Init(ConvParams(weight, bias), (), (*out_space(windows, extra, tuple(space)), channels))


def forward(
    windows: Windows, extra: Shape, params: ConvParams, state: Empty, x: Array, mode: Mode
) -> Forward[Array, Empty, ConvResiduals]:
    check_channels(x, windows.ndim, params.weight.shape[-1], params.weight)
    out_shape = (len(x), *out_space(windows, extra, x.shape[1:-1]), params.weight.shape[-2])
    y = correlate_input(x, params.weight, windows, out_shape)
    y = y + params.bias
    return Forward(y, state, ConvResiduals(x))


def backward(
    windows: Windows, extra: Shape, params: ConvParams, residuals: ConvResiduals, dy: Array, input_grad: bool = True
) -> Backward[ConvParams, Array]:
    x, weight = residuals.x, params.weight
    check_cotangent(dy, (len(x), *out_space(windows, extra, x.shape[1:-1]), weight.shape[-2]), weight.dtype)
    grads = ConvParams(weight=correlate_weight(dy, x, windows), bias=channel_sums(dy))
    if not input_grad:
        return backward_without_input(grads)
    return Backward(grads, correlate(dy, weight, windows))


def transposed_convolution(
    windows: Windows, channels: int, output_padding: Sizes, weight_init: Initializer, bias_init: Initializer
) -> Layer[ConvParams, Empty, Array, Array]:
    """Make a transposed convolution over any number of spatial axes: what the three factories share."""
    channels = check_count(channels, "channels")
    weight_init, bias_init = check_initializer(weight_init, "weight_init"), check_initializer(bias_init, "bias_init")
    extra = per_axis(output_padding, windows.ndim, "output_padding", 0)
    if any(more >= s for more, s in zip(extra, windows.stride, strict=True)) and any(extra):
        raise ValueError(f"output_padding is {output_padding!r}, expected less than the stride {windows.stride}")
    size = "x".join(map(str, windows.kernel))
    return define_layer(
        f"conv_transpose{windows.ndim}d({channels}, {size})",
        partial(init, channels, windows, extra, weight_init, bias_init),
        partial(forward, windows, extra),
        partial(backward, windows, extra),
        random=False,
    )


def conv_transpose1d(
    channels: int,
    kernel: Sizes,
    *,
    stride: Sizes = 1,
    padding: Padding = "valid",
    dilation: Sizes = 1,
    output_padding: Sizes = 0,
    weight_init: Initializer = initializers.glorot_uniform,
    bias_init: Initializer = initializers.zeros,
) -> Layer[ConvParams, Empty, Array, Array]:
    """Transposed convolution of sequences (n, length, channels); see :func:`conv_transpose2d`.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.conv_transpose1d(8, 4, stride=2, padding=1).init(fn.Key(0), (10, 4)).out_shape
    (20, 8)
    """
    windows = make_windows(1, kernel, stride, padding, dilation)
    return transposed_convolution(windows, channels, output_padding, weight_init, bias_init)


def conv_transpose2d(
    channels: int,
    kernel: Sizes,
    *,
    stride: Sizes = 1,
    padding: Padding = "valid",
    dilation: Sizes = 1,
    output_padding: Sizes = 0,
    weight_init: Initializer = initializers.glorot_uniform,
    bias_init: Initializer = initializers.zeros,
) -> Layer[ConvParams, Empty, Array, Array]:
    """Transposed convolution of images (n, height, width, channels): it enlarges where a convolution with a stride shrinks.

    Parameters
    ----------
    channels : int
        Number of output channels O.
    kernel, stride, dilation : int or sequence of int
        Of the convolution whose transpose this is.
    padding : "valid", "same", int, or sequence, optional
        Of that convolution: points cut off the output.  "same" gives length * stride points.
    output_padding : int or sequence of int, optional
        Points added at the end of each axis, less than the stride: a convolution with a stride gives the same shape for several
        input shapes, and this chooses among them.
    weight_init, bias_init : callable, optional
        Initializers of the weight (*kernel, O, I) and the bias (O,).

    Returns
    -------
    Layer
        From (n, height, width, I) to (n, height', width', O) with
        height' = stride (height - 1) + dilation (kernel - 1) + 1 - padding + output_padding.

    Raises
    ------
    TypeError, ValueError
        When an argument is out of range; in ``init``, when nothing is left of the output; in ``forward``, when the input has
        another rank or number of channels.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.conv_transpose2d(3, 4, stride=2, padding=1).init(fn.Key(0), (8, 8, 16)).out_shape
    (16, 16, 3)
    """
    windows = make_windows(2, kernel, stride, padding, dilation)
    return transposed_convolution(windows, channels, output_padding, weight_init, bias_init)


def conv_transpose3d(
    channels: int,
    kernel: Sizes,
    *,
    stride: Sizes = 1,
    padding: Padding = "valid",
    dilation: Sizes = 1,
    output_padding: Sizes = 0,
    weight_init: Initializer = initializers.glorot_uniform,
    bias_init: Initializer = initializers.zeros,
) -> Layer[ConvParams, Empty, Array, Array]:
    """Transposed convolution of volumes (n, depth, height, width, channels); see :func:`conv_transpose2d`.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.conv_transpose3d(1, 2, stride=2).init(fn.Key(0), (3, 4, 5, 2)).out_shape
    (6, 8, 10, 1)
    """
    windows = make_windows(3, kernel, stride, padding, dilation)
    return transposed_convolution(windows, channels, output_padding, weight_init, bias_init)
