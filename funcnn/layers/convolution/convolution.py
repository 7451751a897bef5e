r"""Convolution over one, two or three spatial axes: as everywhere in the field, a correlation, $y = x \star w + b$.

Indices: $n$ example, $p$ window, $k$ point of the kernel, $i$ input channel of $I$, $o$ output channel of $O$; $s, d, a$
stride, dilation, padding. Images are channels-last, (n, height, width, channels).

Forward
$$ y_{npo} = \sum_{k,i} x_{n,\,sp+dk-a,\,i}\, w_{kio} + b_o, $$
where $x$ is zero outside its borders.  With $g$ groups, output channel $o$ sees only the input channels of its own group, so
that $w$ has $I/g$ of them; with $g = I$ the convolution is *depthwise*.

Derivation.  $y$ is linear in each of $x$, $w$ and $b$.  From $\sum_{npo} \bar y_{npo}\,\mathrm{d}y_{npo}$, collecting what
stands with each factor:
$$ \bar x_{nqi} = \sum_{p,k:\; sp+dk-a=q}\;\sum_o \bar y_{npo} w_{kio}, \qquad
   \bar w_{kio} = \sum_{n,p} x_{n,\,sp+dk-a,\,i}\,\bar y_{npo}, \qquad
   \bar b_o = \sum_{n,p} \bar y_{npo}. $$
The first is a transposed convolution; at stride 1 it is again a correlation, with the flipped kernel.  The sums themselves are in
:mod:`funcnn.kernels.correlation`.

References: LeCun et al. 1998 (convolutional networks); Yu & Koltun 2016, arXiv:1511.07122 (dilation); Dumoulin & Visin 2016,
arXiv:1603.07285 (the arithmetic of shapes).
"""

from functools import partial
from typing import Generic, TypeAlias, TypeVar, cast

from attrs import frozen

from funcnn import initializers
from funcnn.errors import check_channels, check_cotangent, check_count, check_spatial
from funcnn.initializers import Initializer, check_initializer
from funcnn.kernels.correlation import correlate, correlate_input, correlate_weight
from funcnn.kernels.spatial import add_bias, channel_sums
from funcnn.kernels.weight_shape import grouped
from funcnn.kernels.windows import Padding, Sizes, Windows, make_windows
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, backward_without_input, define_layer
from funcnn.runtime.records import read_only_again
from funcnn.typing import Array, Empty, Shape


@read_only_again
@frozen(eq=False)
class ConvParams:
    """Parameters of a convolution."""

    weight: Array  # (*kernel, I / groups, O)
    bias: Array  # (O,)


@read_only_again
@frozen(eq=False)
class ConvWithoutBiasParams:
    """Parameters of a convolution without a bias."""

    weight: Array  # (*kernel, I / groups, O)


AnyConvParams: TypeAlias = ConvParams | ConvWithoutBiasParams
K = TypeVar("K", bound=AnyConvParams)
"""Which of the two the parameters are: the weight's part of the arithmetic is the same."""


@frozen(eq=False)
class ConvResiduals:
    """The input, for the weights' gradient."""

    x: Array  # (n, *space, I)


@frozen
class ConvStart(Generic[K]):
    """What the parameters start from."""

    kind: type[K]
    weight_init: Initializer
    bias_init: Initializer = initializers.zeros

    def params(self, key: Key, shape: Shape, channels: int) -> K:
        """Draw a weight of a shape, and a bias for so many channels where there is one."""
        weight = self.weight_init(key.child(0), shape)
        if issubclass(self.kind, ConvParams):
            return cast(K, ConvParams(weight, self.bias_init(key.child(1), (channels,))))
        return cast(K, ConvWithoutBiasParams(weight))


def checked_start(kind: type[K], weight_init: Initializer, bias_init: Initializer = initializers.zeros) -> ConvStart[K]:
    """Return what the parameters start from, or raise."""
    return ConvStart(kind, check_initializer(weight_init, "weight_init"), check_initializer(bias_init, "bias_init"))


def kernel_grads(params: K, dweight: Array, dy: Array) -> K:
    """Return the parameters' cotangent: the weight's, and where there is a bias the sum of dy (n, *space, O) over all points."""
    grads = ConvParams(dweight, channel_sums(dy)) if isinstance(params, ConvParams) else ConvWithoutBiasParams(dweight)
    return cast(K, grads)


def init(channels: int, windows: Windows, groups: int, start: ConvStart[K], key: Key, in_shape: Shape) -> Init[K, Empty]:
    *space, inputs = check_spatial(in_shape, windows.ndim)
    if inputs % groups:
        raise ValueError(f"{inputs} input channels cannot be divided into {groups} groups")
    params = start.params(key, grouped(windows.kernel, inputs, channels, groups), channels)
    return Init(params, (), (*windows.count(tuple(space)), channels))


def forward(
    windows: Windows, groups: int, params: AnyConvParams, state: Empty, x: Array, mode: Mode
) -> Forward[Array, Empty, ConvResiduals]:
    check_channels(x, windows.ndim, groups * params.weight.shape[-2], params.weight)
    y = correlate(x, params.weight, windows, groups)
    if isinstance(params, ConvParams):
        add_bias(y, params.bias)
    return Forward(y, state, ConvResiduals(x))


def backward(
    windows: Windows, groups: int, params: K, residuals: ConvResiduals, dy: Array, input_grad: bool = True
) -> Backward[K, Array]:
    x, weight = residuals.x, params.weight
    check_cotangent(dy, (len(x), *windows.count(x.shape[1:-1]), weight.shape[-1]), weight.dtype)
    grads = kernel_grads(params, correlate_weight(x, dy, windows, groups), dy)
    if not input_grad:
        return backward_without_input(grads)
    return Backward(grads, correlate_input(dy, weight, windows, x.shape, groups))


def convolution(windows: Windows, channels: int, groups: int, start: ConvStart[K]) -> Layer[K, Empty, Array, Array]:
    """Make a convolution over any number of spatial axes: what the factories share."""
    channels = check_count(channels, "channels")
    groups = check_count(groups, "groups")
    if channels % groups:
        raise ValueError(f"{channels} output channels cannot be divided into {groups} groups")
    size = "x".join(map(str, windows.kernel))
    without = "" if issubclass(start.kind, ConvParams) else "_without_bias"
    return define_layer(
        f"conv{windows.ndim}d{without}({channels}, {size})",
        partial(init, channels, windows, groups, start),
        partial(forward, windows, groups),
        partial(backward, windows, groups),
        random=False,
    )


def conv1d(
    channels: int,
    kernel: Sizes,
    *,
    stride: Sizes = 1,
    padding: Padding = "valid",
    dilation: Sizes = 1,
    groups: int = 1,
    weight_init: Initializer = initializers.glorot_uniform,
    bias_init: Initializer = initializers.zeros,
) -> Layer[ConvParams, Empty, Array, Array]:
    """Convolve sequences (n, length, channels); see :func:`conv2d`.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.conv1d(8, 3, padding="same").init(fn.Key(0), (20, 4)).out_shape
    (20, 8)
    """
    windows = make_windows(1, kernel, stride, padding, dilation)
    return convolution(windows, channels, groups, checked_start(ConvParams, weight_init, bias_init))


def conv2d(
    channels: int,
    kernel: Sizes,
    *,
    stride: Sizes = 1,
    padding: Padding = "valid",
    dilation: Sizes = 1,
    groups: int = 1,
    weight_init: Initializer = initializers.glorot_uniform,
    bias_init: Initializer = initializers.zeros,
) -> Layer[ConvParams, Empty, Array, Array]:
    """Convolve images (n, height, width, channels).

    Parameters
    ----------
    channels : int
        Number of output channels O.
    kernel : int or sequence of int
        Points of the kernel along each spatial axis; a number stands for all.
    stride : int or sequence of int, optional
        Steps between windows.
    padding : "valid", "same", int, or sequence, optional
        Zeros around the input: none; so many that there are ceil(length / stride) windows (an odd one comes last); or a number
        or a pair (before, after) for each spatial axis.
    dilation : int or sequence of int, optional
        Distance between the points of the kernel.
    groups : int, optional
        Divide the channels into so many parts that do not mix; as many as input channels makes a depthwise convolution.
    weight_init, bias_init : callable, optional
        Initializers of the weight (*kernel, I / groups, O) and the bias (O,).

    Returns
    -------
    Layer
        From (n, height, width, I) to (n, height', width', O) with height' = 1 + (height + padding - dilation (kernel - 1) - 1)
        // stride.

    Raises
    ------
    TypeError, ValueError
        When an argument is out of range or groups do not divide the channels; in ``init``, when the example is smaller than the
        kernel; in ``forward``, when the input has another rank or number of channels.

    See Also
    --------
    conv2d_without_bias : the same without a bias, as before a normalization that would take it away again.
    pad : other points around the image than zeros: ``fn.pad(1, mode="reflect") >> fn.conv2d(8, 3)``, or "replicate", "circular".

    References
    ----------
    Dumoulin & Visin (2016), A guide to convolution arithmetic for deep learning, arXiv:1603.07285.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.conv2d(6, 5, padding=2)
    >>> start = layer.init(fn.Key(0), (28, 28, 1))
    >>> start.params.weight.shape, start.out_shape
    ((5, 5, 1, 6), (28, 28, 6))
    >>> fn.apply(layer, start.params, start.state, np.zeros((2, 28, 28, 1))).shape
    (2, 28, 28, 6)
    """
    windows = make_windows(2, kernel, stride, padding, dilation)
    return convolution(windows, channels, groups, checked_start(ConvParams, weight_init, bias_init))


def conv3d(
    channels: int,
    kernel: Sizes,
    *,
    stride: Sizes = 1,
    padding: Padding = "valid",
    dilation: Sizes = 1,
    groups: int = 1,
    weight_init: Initializer = initializers.glorot_uniform,
    bias_init: Initializer = initializers.zeros,
) -> Layer[ConvParams, Empty, Array, Array]:
    """Convolve volumes (n, depth, height, width, channels); see :func:`conv2d`.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.conv3d(2, 3, stride=2).init(fn.Key(0), (9, 9, 7, 1)).out_shape
    (4, 4, 3, 2)
    """
    windows = make_windows(3, kernel, stride, padding, dilation)
    return convolution(windows, channels, groups, checked_start(ConvParams, weight_init, bias_init))
