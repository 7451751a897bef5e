r"""Power pooling (L_q pooling) over windows of one to three spatial axes.

Indices: $n$ example, $p$ window, $k$ point of a window, $c$ channel; $x_{npkc}$ is the input at point $k$ of window $p$.

Forward
$$ y_{npc} = \Bigl(\sum_k |x_{npkc}|^q\Bigr)^{1/q} $$

Derivation.  From $y^q = \sum_k |x_k|^q$ follows
$q\,y^{q-1}\,\mathrm{d}y = \sum_k q\,|x_k|^{q-1}\operatorname{sign}(x_k)\,\mathrm{d}x_k$, so
$$ \bar x_{npkc} = \bar y_{npc}\, \Bigl(\frac{|x_{npkc}|}{y_{npc}}\Bigr)^{q-1} \operatorname{sign}(x_{npkc}), $$
and 0 where the whole window is 0.
"""

from functools import partial

import numpy as np
from attrs import frozen

from funcnn.errors import check_cotangent_like, check_flag, check_range
from funcnn.kernels.windows import Padding, Sizes, Windows, crop, pad
from funcnn.layer import Backward, Forward, Layer, Mode, define_layer
from funcnn.layers.pooling.pooling import check_input, fitted, geometry, init, name, offsets
from funcnn.typing import Array, Empty


@frozen(eq=False)
class PoolResiduals:
    """The input and the output."""

    x: Array  # (n, *space, c)
    y: Array  # (n, *count, c)


def power_forward(
    windows: Windows, ceil: bool, power: float, params: Empty, state: Empty, x: Array, mode: Mode
) -> Forward[Array, Empty, PoolResiduals]:
    check_input(x, windows.ndim)
    space = x.shape[1:-1]
    own = fitted(windows, ceil, space)
    padded = pad(x, own.pads(space))
    places = list(offsets(own, own.count(space)))
    scale = np.zeros((len(x), *own.count(space), x.shape[-1]), x.real.dtype)
    for place in places:  # the largest entry is divided out: no power of it overflows
        np.maximum(scale, np.abs(padded[:, *place].real), out=scale)
    zero = scale == 0
    scale += zero
    np.minimum(scale, np.finfo(scale.dtype).max, out=scale)  # infinity divided by itself would be no number
    total: Array = np.zeros(scale.shape, x.dtype)
    for place in places:
        total += powers(padded[:, *place] / scale, power)
    y: Array = scale * (total + zero) ** (x.real.dtype.type(1) / power)
    y *= ~zero
    return Forward(y, state, PoolResiduals(x, y))


def power_backward(
    windows: Windows, ceil: bool, power: float, params: Empty, residuals: PoolResiduals, dy: Array
) -> Backward[Empty, Array]:
    x, y = residuals.x, residuals.y
    check_cotangent_like(dy, y)
    own = fitted(windows, ceil, x.shape[1:-1])
    pads = own.pads(x.shape[1:-1])
    padded = pad(x, pads)
    dpadded: Array = np.zeros(padded.shape, dy.dtype)
    nonzero = y + (y == 0)
    for place in offsets(own, y.shape[1:-1]):
        part = padded[:, *place]
        dpadded[:, *place] += dy * signs(part, y, power) * magnitude(part / nonzero) ** (power - 1)
    return Backward(params, crop(dpadded, pads))


def powers(x: Array, power: float) -> Array:
    """Return ``|x|**power``; of a complex step at 0, where a power below 2 has a kink or no curvature, 0."""
    raised: Array = magnitude(x) ** power
    return raised if x.dtype.kind == "f" or power >= 2 else raised * (x.real != 0)


def signs(x: Array, y: Array, power: float) -> Array:
    """Return the sign of x, and at 0 that of both sides: 0, or in a complex step 1 where the power is smooth there."""
    found: Array = np.sign(x.real)
    if x.dtype.kind == "c" and power >= 2:
        found += (found == 0) & (y.real != 0)
    return found


def magnitude(x: Array) -> Array:
    """Return |x| as an analytic function: x times the sign of its real part."""
    return x * np.where(x.real < 0, x.real.dtype.type(-1), x.real.dtype.type(1))


def lp_pool(power: float, windows: Windows, ceil_mode: bool) -> Layer[Empty, Empty, Array, Array]:
    """Make power-average pooling over any number of spatial axes."""
    power = check_range(power, "power", 1.0, float("inf"), open_high=True)
    ceil_mode = check_flag(ceil_mode, "ceil_mode")
    return define_layer(
        name("lp_pool", windows),
        partial(init, windows, ceil_mode),
        partial(power_forward, windows, ceil_mode, power),
        partial(power_backward, windows, ceil_mode, power),
        random=False,
    )


def lp_pool1d(
    power: float,
    kernel: Sizes,
    *,
    stride: Sizes | None = None,
    padding: Padding = "valid",
    dilation: Sizes = 1,
    ceil_mode: bool = False,
) -> Layer[Empty, Empty, Array, Array]:
    """Power pooling of sequences (n, length, channels); see :func:`lp_pool2d`.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.lp_pool1d(2.0, 2).init(fn.Key(0), (6, 2)).out_shape
    (3, 2)
    """
    return lp_pool(power, geometry(1, kernel, stride, padding, dilation), ceil_mode)


def lp_pool2d(
    power: float,
    kernel: Sizes,
    *,
    stride: Sizes | None = None,
    padding: Padding = "valid",
    dilation: Sizes = 1,
    ceil_mode: bool = False,
) -> Layer[Empty, Empty, Array, Array]:
    """Take the power sum (sum |x|^power)^(1/power) over windows of images (n, height, width, channels).

    Parameters
    ----------
    power : float
        At least 1; 1 is the sum of magnitudes, and the larger it is the closer to the maximum.
    kernel : int or sequence of int
        Points of a window along each spatial axis.
    stride : int or sequence of int, optional
        Steps between windows; the kernel unless given.
    padding : "valid", "same", int, or sequence, optional
        As for :func:`funcnn.conv2d`, less than a window.
    dilation : int or sequence of int, optional
        Distance between the points of a window.
    ceil_mode : bool, optional
        Keep a last window that the input does not fill.

    Returns
    -------
    Layer

    Raises
    ------
    TypeError, ValueError
        When an argument is out of range; in ``init``, when the example is smaller than a window.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> x = np.array([3.0, 0.0, 0.0, -4.0]).reshape(1, 2, 2, 1)
    >>> fn.apply(fn.lp_pool2d(2.0, 2), (), (), x)[0, 0, 0]
    array([5.])
    """
    return lp_pool(power, geometry(2, kernel, stride, padding, dilation), ceil_mode)


def lp_pool3d(
    power: float,
    kernel: Sizes,
    *,
    stride: Sizes | None = None,
    padding: Padding = "valid",
    dilation: Sizes = 1,
    ceil_mode: bool = False,
) -> Layer[Empty, Empty, Array, Array]:
    """Power pooling of volumes (n, depth, height, width, channels); see :func:`lp_pool2d`.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.lp_pool3d(2.0, 2).init(fn.Key(0), (4, 4, 2, 1)).out_shape
    (2, 2, 1, 1)
    """
    return lp_pool(power, geometry(3, kernel, stride, padding, dilation), ceil_mode)
