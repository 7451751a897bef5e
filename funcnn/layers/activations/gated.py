r"""Gated linear units: one half of the features, gated by the other.

Indices: $n$ example (any number of leading axes), $c$ feature of $C$.  The last axis of $x$ holds $2C$ numbers: the values
$a_{nc} = x_{nc}$ and the gates' inputs $b_{nc} = x_{n,\,C+c}$.

Forward
$$ y_{nc} = a_{nc}\,g(b_{nc}), \qquad g = \sigma \text{ (glu)}, \quad \text{silu (swiglu)}, \quad \text{gelu (geglu)}, \quad
   \text{relu (reglu)}. $$

Derivation.  $\mathrm{d}y_{nc} = g(b_{nc})\,\mathrm{d}a_{nc} + a_{nc}\,g'(b_{nc})\,\mathrm{d}b_{nc}$, and so
$$ \bar x_{nc} = g(b_{nc})\,\bar y_{nc}, \qquad \bar x_{n,\,C+c} = a_{nc}\,g'(b_{nc})\,\bar y_{nc}. $$
Both factors are worked out in forward, and kept in the place of x.  Another axis than the last may hold both halves.
"""

from functools import partial

import numpy as np
from attrs import frozen

from funcnn.errors import check_array, check_cotangent, describe, refuse_without_residuals
from funcnn.kernels.arrays import positive_part
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, Train, define_layer
from funcnn.layers.activations.elementwise import Function, WithSlope
from funcnn.layers.activations.gelu import gelu_and_slope, gelu_value
from funcnn.layers.activations.sigmoids import sigmoid_and_slope, sigmoid_value, silu_and_slope, silu_value
from funcnn.layers.activations.softmax import check_axis
from funcnn.typing import Array, Empty, Shape


@frozen(eq=False)
class GatedResiduals:
    """The derivative of the output by the values and by the gates' inputs."""

    factors: Array  # (..., 2 C)


def init(axis: int, key: Key, in_shape: Shape) -> Init[Empty, Empty]:
    place = axis if axis < 0 else axis - 1
    if not -len(in_shape) <= place < len(in_shape) or in_shape[place] % 2:
        raise ValueError(f"an example has shape {in_shape}, expected an even number of features in {named(axis)}")
    out_shape = list(in_shape)
    out_shape[place] //= 2
    return Init((), (), tuple(out_shape))


def named(axis: int) -> str:
    """Return what messages call the axis that is halved."""
    return "its last axis" if axis == -1 else f"axis {axis} of the batch"


def forward(
    axis: int, function: Function, with_slope: WithSlope, params: Empty, state: Empty, x: Array, mode: Mode
) -> Forward[Array, Empty, GatedResiduals | Empty]:
    check_array(x)
    if not -x.ndim < axis < x.ndim or x.shape[axis] % 2:
        raise ValueError(f"the input is {describe(x)}, expected an even number of features in {named(axis)}")
    a, b = np.split(x, 2, axis=axis)
    if not (isinstance(mode, Train) or mode.residuals):
        return Forward(a * function(b), state, ())
    gate, slope = with_slope(b)
    slope *= a
    return Forward(a * gate, state, GatedResiduals(np.concatenate((gate, slope), axis=axis)))


def backward(axis: int, params: Empty, residuals: GatedResiduals | Empty, dy: Array) -> Backward[Empty, Array]:
    if not isinstance(residuals, GatedResiduals):
        refuse_without_residuals()
    factors = residuals.factors
    shape = list(factors.shape)
    shape[axis] //= 2
    check_cotangent(dy, tuple(shape), factors.dtype)
    return Backward(params, np.concatenate((dy, dy), axis=axis) * factors)


def gated(name: str, axis: int, function: Function, with_slope: WithSlope) -> Layer[Empty, Empty, Array, Array]:
    """Make the layer of a gate g and the function b -> (g(b), g'(b))."""
    axis = check_axis(axis)
    whole = name if axis == -1 else f"{name}({axis})"
    return define_layer(
        whole, partial(init, axis), partial(forward, axis, function, with_slope), partial(backward, axis), random=False
    )


def rectified(b: Array) -> Array:
    """Return b where it is positive, and 0 elsewhere."""
    return positive_part(b)


def rectified_and_slope(b: Array) -> tuple[Array, Array]:
    """Return that and its derivative, 0 at 0."""
    return positive_part(b), (b.real > 0).astype(b.dtype)


def glu(axis: int = -1) -> Layer[Empty, Empty, Array, Array]:
    """Gated linear unit: half of the features times the sigmoid of the other (Dauphin et al. 2017, arXiv:1612.08083, eq. 1).

    Parameters
    ----------
    axis : int, optional
        Axis of the input array that holds both halves, the batch axis being 0: negative, or at least 1.

    Returns
    -------
    Layer
        From (..., 2 C) to (..., C): the second half are the gates.

    Raises
    ------
    ValueError
        When the axis is the batch axis; in ``init`` and ``forward``, when the number of features is odd.
    TypeError
        When the axis is not an integer; in ``forward``, when x is not a floating array.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.glu(), (), (), np.array([[3.0, 4.0, 0.0, 100.0]]))
    array([[1.5, 4. ]])
    """
    return gated("glu", axis, sigmoid_value, sigmoid_and_slope)


def swiglu(axis: int = -1) -> Layer[Empty, Empty, Array, Array]:
    """Swish-gated linear unit: half of the features times the silu of the other (Shazeer 2020, arXiv:2002.05202, eq. 6).

    Parameters
    ----------
    axis : int, optional
        As for :func:`funcnn.glu`.

    Returns
    -------
    Layer
        From (..., 2 C) to (..., C): the second half are the gates.  With weights of its own: ``fn.linear(2 * C) >> fn.swiglu()``.

    Raises
    ------
    TypeError, ValueError
        As :func:`funcnn.glu`.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.swiglu(), (), (), np.array([[3.0, 4.0, 0.0, 100.0]]))
    array([[  0., 400.]])
    """
    return gated("swiglu", axis, silu_value, silu_and_slope)


def geglu(axis: int = -1) -> Layer[Empty, Empty, Array, Array]:
    """GELU-gated linear unit: half of the features times the gelu of the other (Shazeer 2020, arXiv:2002.05202, eq. 6).

    Parameters
    ----------
    axis : int, optional
        As for :func:`funcnn.glu`.

    Returns
    -------
    Layer
        From (..., 2 C) to (..., C): the second half are the gates.

    Raises
    ------
    TypeError, ValueError
        As :func:`funcnn.glu`.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.geglu(), (), (), np.array([[3.0, 4.0, 0.0, 100.0]]))
    array([[  0., 400.]])
    """
    return gated("geglu", axis, gelu_value, gelu_and_slope)


def reglu(axis: int = -1) -> Layer[Empty, Empty, Array, Array]:
    """ReLU-gated linear unit: half of the features times the relu of the other (Shazeer 2020, arXiv:2002.05202, eq. 6).

    Parameters
    ----------
    axis : int, optional
        As for :func:`funcnn.glu`.

    Returns
    -------
    Layer
        From (..., 2 C) to (..., C): the second half are the gates.

    Raises
    ------
    TypeError, ValueError
        As :func:`funcnn.glu`.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.reglu(), (), (), np.array([[3.0, 4.0, -1.0, 100.0]]))
    array([[  0., 400.]])
    """
    return gated("reglu", axis, rectified, rectified_and_slope)
