r"""Gated linear units: one half of the features, gated by the other.

Indices: $n$ example (any number of leading axes), $c$ feature of $C$.  The last axis of $x$ holds $2C$ numbers: the values
$a_{nc} = x_{nc}$ and the gates' inputs $b_{nc} = x_{n,\,C+c}$.

Forward
$$ y_{nc} = a_{nc}\,g(b_{nc}), \qquad g = \sigma \text{ (glu)}, \quad \text{silu (swiglu)}, \quad \text{gelu (geglu)}. $$

Derivation.  $\mathrm{d}y_{nc} = g(b_{nc})\,\mathrm{d}a_{nc} + a_{nc}\,g'(b_{nc})\,\mathrm{d}b_{nc}$, and so
$$ \bar x_{nc} = g(b_{nc})\,\bar y_{nc}, \qquad \bar x_{n,\,C+c} = a_{nc}\,g'(b_{nc})\,\bar y_{nc}. $$
Both factors are worked out in forward, and kept in the place of x.
"""

from functools import partial

import numpy as np
from attrs import frozen

from funcnn.errors import check_array, check_cotangent, describe, refuse_without_residuals
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, Train, define_layer
from funcnn.layers.activations.elementwise import Function, WithSlope
from funcnn.layers.activations.gelu import gelu_and_slope, gelu_value
from funcnn.layers.activations.sigmoids import sigmoid_and_slope, sigmoid_value, silu_and_slope, silu_value
from funcnn.typing import Array, Empty, Shape


@frozen(eq=False)
class GatedResiduals:
    """The derivative of the output by the values and by the gates' inputs."""

    factors: Array  # (..., 2 C)


def init(key: Key, in_shape: Shape) -> Init[Empty, Empty]:
    if not in_shape or in_shape[-1] % 2:
        raise ValueError(f"an example has shape {in_shape}, expected an even number of features in its last axis")
    return Init((), (), (*in_shape[:-1], in_shape[-1] // 2))


def forward(
    function: Function, with_slope: WithSlope, params: Empty, state: Empty, x: Array, mode: Mode
) -> Forward[Array, Empty, GatedResiduals | Empty]:
    check_array(x)
    if x.shape[-1] % 2:
        raise ValueError(f"the input is {describe(x)}, expected an even number of features in its last axis")
    half = x.shape[-1] // 2
    a, b = x[..., :half], x[..., half:]
    if not (isinstance(mode, Train) or mode.residuals):
        return Forward(a * function(b), state, ())
    gate, slope = with_slope(b)
    slope *= a
    return Forward(a * gate, state, GatedResiduals(np.concatenate((gate, slope), axis=-1)))


def backward(params: Empty, residuals: GatedResiduals | Empty, dy: Array) -> Backward[Empty, Array]:
    if not isinstance(residuals, GatedResiduals):
        refuse_without_residuals()
    factors = residuals.factors
    check_cotangent(dy, (*factors.shape[:-1], factors.shape[-1] // 2), factors.dtype)
    return Backward(params, np.concatenate((dy, dy), axis=-1) * factors)


def gated(name: str, function: Function, with_slope: WithSlope) -> Layer[Empty, Empty, Array, Array]:
    """Make the layer of a gate g and the function b -> (g(b), g'(b))."""
    return define_layer(name, init, partial(forward, function, with_slope), backward, random=False)


def glu() -> Layer[Empty, Empty, Array, Array]:
    """Gated linear unit: half of the features times the sigmoid of the other (Dauphin et al. 2017, arXiv:1612.08083, eq. 1).

    Returns
    -------
    Layer
        From (..., 2 C) to (..., C): the second half are the gates.

    Raises
    ------
    ValueError
        In ``init`` and ``forward``, when the number of features is odd.
    TypeError
        In ``forward``, when x is not a floating array.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.glu(), (), (), np.array([[3.0, 4.0, 0.0, 100.0]]))
    array([[1.5, 4. ]])
    """
    return gated("glu", sigmoid_value, sigmoid_and_slope)


def swiglu() -> Layer[Empty, Empty, Array, Array]:
    """Swish-gated linear unit: half of the features times the silu of the other (Shazeer 2020, arXiv:2002.05202, eq. 6).

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
    return gated("swiglu", silu_value, silu_and_slope)


def geglu() -> Layer[Empty, Empty, Array, Array]:
    """GELU-gated linear unit: half of the features times the gelu of the other (Shazeer 2020, arXiv:2002.05202, eq. 6).

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
    return gated("geglu", gelu_value, gelu_and_slope)
