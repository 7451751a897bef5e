r"""Simple recurrent network (Elman 1990).

Indices: $t$ step; the batch and feature indices are left out, $\odot$ is the product entry by entry, $\phi$ is tanh or relu.

Forward
$$ h_t = \phi(x_t W + h_{t-1} U + b) $$

Derivation.  Backwards through the steps, $\bar h_t$ collecting what arrives from the output and from step $t+1$.  With
$\phi' = 1 - h^2$ for tanh
and $[h > 0]$ for relu, both functions of the output:
$$ \bar z_t = \bar h_t \odot \phi'(h_t), \qquad \bar h_{t-1} = \bar z_t U^\top, \qquad \bar x_t = \bar z_t W^\top, $$
$$ \bar W = \sum_t x_t^\top \bar z_t, \qquad \bar U = \sum_t h_{t-1}^\top \bar z_t, \qquad \bar b = \sum_t 1^\top \bar z_t. $$
A masked step keeps the state, as in :mod:`funcnn.layers.lstm`.
"""

from functools import partial
from typing import Any, Literal, overload

import numpy as np
from attrs import frozen

from funcnn import initializers
from funcnn.errors import check_count
from funcnn.initializers import Initializer
from funcnn.key import Key
from funcnn.layer import AnyLayer, Backward, Forward, Init, Layer, Mode, backward_without_input
from funcnn.layers.lstm import ORTHOGONAL, keep_masked
from funcnn.layers.recurrent import (
    batch_first,
    check_input,
    check_state,
    put_together,
    sequence_shape,
    taken_apart,
    time_first,
    zeros,
)
from funcnn.masked import Masked
from funcnn.numerics import dot, project, rows, sum_rows
from funcnn.tree import freeze
from funcnn.typing import Array, Empty, Shapes


@frozen(eq=False)
class RNNParams:
    """Parameters of a simple recurrent network."""

    input_weight: Array  # (I, H), W
    recurrent_weight: Array  # (H, H), U
    bias: Array  # (H,)


@frozen(eq=False)
class RNNResiduals:
    """The input and the states, time first."""

    x: Array  # (t, n, I)
    mask: Array | None  # (t, n, 1)
    values: Array  # (t, n, H), of the activation, before masking
    hidden: Array  # (t + 1, n, H), the initial one first


def init(
    features: int, initial: bool, input_init: Initializer, recurrent_init: Initializer, key: Key, in_shape: Shapes
) -> Init[RNNParams, Empty]:
    time, inputs = sequence_shape(in_shape, initial, None, features)
    params = RNNParams(
        input_init(key.child(0), (inputs, features)),
        recurrent_init(key.child(1), (features, features)),
        np.zeros(features),
    )
    return Init(freeze(params), (), (time, features))


def forward(
    activation: str, masked: bool, initial: bool, params: RNNParams, state: Empty, inputs: Any, mode: Mode
) -> Forward[Any, Empty, RNNResiduals]:
    values, mask, start = taken_apart(inputs, masked, initial)
    check_input(values, params.input_weight)
    x = time_first(values)
    time, batch, _ = x.shape
    size = params.recurrent_weight.shape[0]
    h0 = zeros(batch, size, x, params.bias) if start is None else start
    check_state(h0, batch, size)
    z = project(x, params.input_weight)  # all steps at once
    z += params.bias
    hidden: Array = np.empty((time + 1, batch, size), np.result_type(z, h0))
    hidden[0] = h0
    for t in range(time):
        now = z[t]
        now += dot(hidden[t], params.recurrent_weight)
        if activation == "tanh":
            np.tanh(now, out=now)
        else:
            np.maximum(now, 0, out=now)
        hidden[t + 1] = now
        if mask is not None:
            keep_masked(mask[t], hidden, t)
    output = hidden[1:].copy() if mask is None else hidden[1:] * mask
    result: Any = Masked(batch_first(output), inputs[0].mask if initial else inputs.mask) if masked else batch_first(output)
    return Forward(result, state, RNNResiduals(x, mask, z, hidden))


def backward(
    activation: str, masked: bool, initial: bool, params: RNNParams, kept: RNNResiduals, dy: Any, input_grad: bool = True
) -> Backward[RNNParams, Any]:
    doutput = time_first(dy.values if masked else dy)
    time, batch, size = doutput.shape
    recurrent = np.ascontiguousarray(params.recurrent_weight.T)
    dz: Array = np.empty(kept.values.shape, np.result_type(doutput, kept.values))
    dh: Array = np.zeros((batch, size), dz.dtype)
    for t in reversed(range(time)):
        value = kept.values[t]
        if kept.mask is None:
            dh += doutput[t]
            skipped = None
        else:
            dh += doutput[t] * kept.mask[t]
            skipped = (1 - kept.mask[t]) * dh
            dh *= kept.mask[t]
        slope = 1 - value * value if activation == "tanh" else value > 0
        dh = dot(np.multiply(dh, slope, out=dz[t]), recurrent)
        if skipped is not None:
            dh += skipped
    every = rows(dz)
    grads = RNNParams(
        input_weight=dot(rows(kept.x).T, every),
        recurrent_weight=dot(rows(kept.hidden[:-1]).T, every),
        bias=sum_rows(every),
    )
    if not input_grad:
        return backward_without_input(grads)
    return Backward(grads, put_together(batch_first(project(dz, params.input_weight.T)), dh, masked, initial))


@overload
def rnn(
    features: int,
    *,
    activation: Literal["tanh", "relu"] = ...,
    masked: Literal[False] = False,
    initial: Literal[False] = False,
    input_init: Initializer = ...,
    recurrent_init: Initializer = ...,
) -> Layer[RNNParams, Empty, Array, Array]: ...
@overload
def rnn(
    features: int,
    *,
    activation: Literal["tanh", "relu"] = ...,
    masked: Literal[True],
    initial: Literal[False] = False,
    input_init: Initializer = ...,
    recurrent_init: Initializer = ...,
) -> Layer[RNNParams, Empty, Masked, Masked]: ...
@overload
def rnn(
    features: int,
    *,
    activation: Literal["tanh", "relu"] = ...,
    masked: Literal[False] = False,
    initial: Literal[True],
    input_init: Initializer = ...,
    recurrent_init: Initializer = ...,
) -> Layer[RNNParams, Empty, tuple[Array, Array], Array]: ...
@overload
def rnn(
    features: int,
    *,
    activation: Literal["tanh", "relu"] = ...,
    masked: Literal[True],
    initial: Literal[True],
    input_init: Initializer = ...,
    recurrent_init: Initializer = ...,
) -> Layer[RNNParams, Empty, tuple[Masked, Array], Masked]: ...
def rnn(
    features: int,
    *,
    activation: Literal["tanh", "relu"] = "tanh",
    masked: bool = False,
    initial: bool = False,
    input_init: Initializer = initializers.glorot_uniform,
    recurrent_init: Initializer = ORTHOGONAL,
) -> AnyLayer:
    """Run a simple recurrent network over a sequence: (n, t, I) to the hidden states (n, t, H).

    Parameters
    ----------
    features : int
        Number of hidden units H.
    activation : "tanh" or "relu", optional
    masked : bool, optional
        Take and give :class:`funcnn.Masked` sequences.
    initial : bool, optional
        Take a pair (sequence, hidden) with the initial state (n, H) instead of zeros.
    input_init, recurrent_init : callable, optional
        Initialisers of W (I, H) and U (H, H).

    Returns
    -------
    Layer
        Parameters :class:`RNNParams`.

    Raises
    ------
    TypeError, ValueError
        When an argument is out of range; in ``forward``, when the input is not what the layer was made for.

    References
    ----------
    Elman (1990), Finding structure in time.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.rnn(8)
    >>> start = layer.init(fn.Key(0), (5, 3))
    >>> fn.apply(layer, start.params, start.state, np.zeros((2, 5, 3))).shape
    (2, 5, 8)
    """
    check_count(features, "features")
    if activation not in ("tanh", "relu"):
        raise ValueError(f'activation is {activation!r}, expected "tanh" or "relu"')
    forwards: Any = partial(forward, activation, masked, initial)  # Any: the overloads say what goes in and out
    backwards: Any = partial(backward, activation, masked, initial)
    return Layer(
        f"rnn({features})",
        partial(init, features, initial, input_init, recurrent_init),
        forwards,
        backwards,
        False,
    )
