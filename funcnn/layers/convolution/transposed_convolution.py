r"""Transposed convolution: the transpose of a convolution, used as a forward.

Zeiler et al. 2010; Dumoulin & Visin 2016, arXiv:1603.07285.

Indices: $n$ example, $p$ point of the input, $k$ point of the kernel, $i$ input channel, $o$ output channel; $s, d, a$ stride,
dilation, padding.

Forward.  Every input point lays a copy of the kernel around its place in the output:
$$ y_{nqo} = \sum_{p,k:\; sp+dk-a=q}\;\sum_i x_{npi}\, w_{koi} + b_o . $$
This is the input's cotangent of a convolution from $o$ to $i$ channels with the same kernel.  With $g$ groups that convolution
has them: $i$ and $o$ are channels of one group, and the kernel has $O/g$ of the output's.

Derivation.  A transposed map has the map itself as its transpose, so $\bar x$ is that convolution, and the kernel's cotangent
is the convolution's with the parts of input and output exchanged:
$$ \bar x_{npi} = \sum_{k,o} \bar y_{n,\,sp+dk-a,\,o}\, w_{koi}, \qquad
   \bar w_{koi} = \sum_{n,p} \bar y_{n,\,sp+dk-a,\,o}\, x_{npi}, \qquad
   \bar b_o = \sum_{n,q} \bar y_{nqo}. $$

Output padding.  A convolution of stride s leaves up to s - 1 points over at the end; they are the points that output padding
adds.  More of them (up to the dilation) no window of that convolution would reach: there the padding cut off is less by as
many, and what then is still beyond every copy of the kernel is the bias alone.
"""

from functools import partial

import numpy as np
from attrs import frozen

from funcnn import initializers
from funcnn.errors import check_channels, check_cotangent, check_count, check_spatial
from funcnn.initializers import Initializer
from funcnn.kernels.correlation import correlate, correlate_input, correlate_weight
from funcnn.kernels.weight_shape import transposed
from funcnn.kernels.windows import Padding, Sizes, Windows, crop, make_windows, pad, per_axis
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, backward_without_input, define_layer
from funcnn.layers.convolution.convolution import (
    AnyConvParams,
    ConvParams,
    ConvResiduals,
    ConvStart,
    K,
    checked_start,
    kernel_grads,
)
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


@frozen
class Geometry:
    """A convolution's windows, and what its transpose adds at the end of each axis."""

    windows: Windows
    extra: Shape
    """Points that the last windows of the convolution leave over: less than the stride."""
    beyond: Shape
    """Points that no copy of the kernel reaches."""
    groups: int

    def out_shape(self, x: Shape, channels: int) -> Shape:
        """Return the shape (n, *space, O) of the output, without the points beyond."""
        return (x[0], *out_space(self.windows, self.extra, x[1:-1]), channels)

    @property
    def pads(self) -> tuple[tuple[int, int], ...]:
        """The points beyond, as padding of each axis."""
        return tuple([(0, more) for more in self.beyond])


def geometry(windows: Windows, output_padding: Sizes, groups: int) -> Geometry:
    """Return what is computed for an output padding below the stride or the dilation, or raise."""
    groups = check_count(groups, "groups")
    added = per_axis(output_padding, windows.ndim, "output_padding", 0)
    most = tuple([max(s, d) for s, d in zip(windows.stride, windows.dilation, strict=True)])
    if any(more >= limit for more, limit in zip(added, most, strict=True)) and any(added):
        raise ValueError(
            f"output_padding is {output_padding!r}, expected less than the stride {windows.stride} or dilation {windows.dilation}"
        )
    if windows.padding == "same":
        if any(added):
            raise ValueError(
                f'output_padding is {output_padding!r}, expected 0 with padding "same", which says the output\'s shape'
            )
        return Geometry(windows, added, added, groups)
    rest = [max(0, more - s + 1) for more, s in zip(added, windows.stride, strict=True)]
    uncut = [min(more, high) for more, (_, high) in zip(rest, windows.padding, strict=True)]
    padding = tuple([(low, high - more) for (low, high), more in zip(windows.padding, uncut, strict=True)])
    return Geometry(
        Windows(windows.kernel, windows.stride, windows.dilation, padding),
        tuple([more - less for more, less in zip(added, rest, strict=True)]),
        tuple([more - less for more, less in zip(rest, uncut, strict=True)]),
        groups,
    )


def init(channels: int, place: Geometry, start: ConvStart[K], key: Key, in_shape: Shape) -> Init[K, Empty]:
    *_, inputs = check_spatial(in_shape, place.windows.ndim)
    if inputs % place.groups:
        raise ValueError(f"{inputs} input channels cannot be divided into {place.groups} groups")
    windows = place.windows
    params = start.params(key, transposed(windows.kernel, windows.stride, inputs, channels, place.groups), channels)
    made = place.out_shape((1, *in_shape), channels)[1:-1]
    return Init(params, (), (*[n + more for n, more in zip(made, place.beyond, strict=True)], channels))


def forward(place: Geometry, params: AnyConvParams, state: Empty, x: Array, mode: Mode) -> Forward[Array, Empty, ConvResiduals]:
    weight = params.weight
    check_channels(x, place.windows.ndim, weight.shape[-1], weight)
    out_shape = place.out_shape(x.shape, weight.shape[-2] * place.groups)
    y = pad(correlate_input(x, weight, place.windows, out_shape, place.groups), place.pads)
    y = y + params.bias if isinstance(params, ConvParams) else np.ascontiguousarray(y)
    return Forward(y, state, ConvResiduals(x))


def backward(place: Geometry, params: K, residuals: ConvResiduals, dy: Array, input_grad: bool = True) -> Backward[K, Array]:
    x, weight = residuals.x, params.weight
    out_shape = place.out_shape(x.shape, weight.shape[-2] * place.groups)
    whole = (len(x), *[n + more for n, more in zip(out_shape[1:-1], place.beyond, strict=True)], out_shape[-1])
    check_cotangent(dy, whole, weight.dtype)
    reached = crop(dy, place.pads)
    grads = kernel_grads(params, correlate_weight(reached, x, place.windows, place.groups), dy)
    if not input_grad:
        return backward_without_input(grads)
    return Backward(grads, correlate(reached, weight, place.windows, place.groups))


def transposed_convolution(place: Geometry, channels: int, start: ConvStart[K]) -> Layer[K, Empty, Array, Array]:
    """Make a transposed convolution over any number of spatial axes: what the factories share."""
    channels = check_count(channels, "channels")
    if channels % place.groups:
        raise ValueError(f"{channels} output channels cannot be divided into {place.groups} groups")
    size = "x".join(map(str, place.windows.kernel))
    without = "" if issubclass(start.kind, ConvParams) else "_without_bias"
    return define_layer(
        f"conv_transpose{place.windows.ndim}d{without}({channels}, {size})",
        partial(init, channels, place, start),
        partial(forward, place),
        partial(backward, place),
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
    groups: int = 1,
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
    place = geometry(make_windows(1, kernel, stride, padding, dilation), output_padding, groups)
    return transposed_convolution(place, channels, checked_start(ConvParams, weight_init, bias_init))


def conv_transpose2d(
    channels: int,
    kernel: Sizes,
    *,
    stride: Sizes = 1,
    padding: Padding = "valid",
    dilation: Sizes = 1,
    output_padding: Sizes = 0,
    groups: int = 1,
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
        Points added at the end of each axis, less than the stride or the dilation: a convolution with a stride gives the same
        shape for several input shapes, and this chooses among them.  Not with "same".
    groups : int, optional
        Divide the channels into so many parts that do not mix.
    weight_init, bias_init : callable, optional
        Initializers of the weight (*kernel, O / groups, I) and the bias (O,).

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
    place = geometry(make_windows(2, kernel, stride, padding, dilation), output_padding, groups)
    return transposed_convolution(place, channels, checked_start(ConvParams, weight_init, bias_init))


def conv_transpose3d(
    channels: int,
    kernel: Sizes,
    *,
    stride: Sizes = 1,
    padding: Padding = "valid",
    dilation: Sizes = 1,
    output_padding: Sizes = 0,
    groups: int = 1,
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
    place = geometry(make_windows(3, kernel, stride, padding, dilation), output_padding, groups)
    return transposed_convolution(place, channels, checked_start(ConvParams, weight_init, bias_init))
