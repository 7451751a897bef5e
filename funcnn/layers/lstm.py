r"""Long short-term memory (Hochreiter & Schmidhuber 1997; with forget gates, Gers et al. 2000).

Indices: $t$ step; the batch and feature indices are left out, $\odot$ is the product entry by entry, $\sigma$ the logistic
function.

Forward.  Four gates from the input and the last output, the cell, the output:
$$ [z_i, z_f, z_o, z_g]_t = x_t W + h_{t-1} U + b, $$
$$ i_t = \sigma(z_{i}), \quad f_t = \sigma(z_{f}), \quad o_t = \sigma(z_{o}), \quad g_t = \tanh(z_{g}), $$
$$ c_t = f_t \odot c_{t-1} + i_t \odot g_t, \qquad h_t = o_t \odot \tanh(c_t). $$

Derivation.  Go through the steps backwards.  Let $\bar h_t$ collect what arrives from the output and from step $t+1$, and
$\bar c_t$ what
arrives from step $t+1$.  From $\mathrm{d}h_t$ and $\mathrm{d}c_t$, with $\sigma' = \sigma(1-\sigma)$ and $\tanh' = 1 - \tanh^2$:
$$ \bar c_t \mathrel{+}= \bar h_t \odot o_t \odot (1 - \tanh^2 c_t), $$
$$ \bar z_{o} = \bar h_t \odot \tanh(c_t) \odot o_t (1 - o_t), \quad
   \bar z_{i} = \bar c_t \odot g_t \odot i_t (1 - i_t), \quad
   \bar z_{f} = \bar c_t \odot c_{t-1} \odot f_t (1 - f_t), \quad
   \bar z_{g} = \bar c_t \odot i_t \odot (1 - g_t^2), $$
$$ \bar c_{t-1} = \bar c_t \odot f_t, \qquad \bar h_{t-1} = \bar z_t U^\top . $$
The affine map is linear in its parameters and the same at every step, so their cotangents are sums over steps, each one
product at the end:
$$ \bar W = \sum_t x_t^\top \bar z_t, \qquad \bar U = \sum_t h_{t-1}^\top \bar z_t, \qquad \bar b = \sum_t 1^\top \bar z_t, \qquad
   \bar x_t = \bar z_t W^\top . $$
Where a step is masked, $m_t = 0$: $h_t = m_t \hat h_t + (1 - m_t) h_{t-1}$ and likewise $c_t$, with the output $m_t h_t$;
the cotangents split alike.
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
from funcnn.layers.recurrent import (
    batch_first,
    check_input,
    check_state,
    gate_shape,
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

ORTHOGONAL = initializers.orthogonal()


@frozen(eq=False)
class LSTMParams:
    """Parameters of an LSTM; the gates stand in the order input, forget, output, candidate."""

    input_weight: Array  # (I, 4 H), W
    recurrent_weight: Array  # (H, 4 H), U
    bias: Array  # (4 H,)


@frozen(eq=False)
class LSTMResiduals:
    """The input and all that each step computed, time first."""

    x: Array  # (t, n, I)
    mask: Array | None  # (t, n, 1)
    gates: Array  # (t, n, 4 H)
    cells: Array  # (t + 1, n, H), the initial one first
    tanh_cells: Array  # (t, n, H), of the cells before masking
    hidden: Array  # (t + 1, n, H), the initial one first


def init(
    features: int,
    initial: bool,
    input_init: Initializer,
    recurrent_init: Initializer,
    forget_bias: float,
    key: Key,
    in_shape: Shapes,
) -> Init[LSTMParams, Empty]:
    time, inputs = sequence_shape(in_shape, initial, 2, features)
    bias = np.zeros(4 * features)
    bias[features : 2 * features] = forget_bias
    params = LSTMParams(
        input_init(key.child(0), gate_shape(inputs, features, 4)),
        np.concatenate([recurrent_init(gate, (features, features)) for gate in key.child(1).split(4)], axis=1),
        bias,
    )
    return Init(freeze(params), (), (time, features))


def forward(
    masked: bool, initial: bool, params: LSTMParams, state: Empty, inputs: Any, mode: Mode
) -> Forward[Any, Empty, LSTMResiduals]:
    values, mask, start = taken_apart(inputs, masked, initial)
    check_input(values, params.input_weight)
    x = time_first(values)
    time, batch, _ = x.shape
    size = params.recurrent_weight.shape[0]
    h0, c0 = (zeros(batch, size, x, params.bias),) * 2 if start is None else start
    check_state(h0, batch, size)
    check_state(c0, batch, size)
    gates = project(x, params.input_weight)  # all steps at once
    gates += params.bias
    kind = np.result_type(gates, h0)
    hidden: Array = np.empty((time + 1, batch, size), kind)
    cells: Array = np.empty_like(hidden)
    tanh_cells: Array = np.empty((time, batch, size), kind)
    hidden[0], cells[0] = h0, c0
    half = gates.real.dtype.type(0.5)
    for t in range(time):
        z = gates[t]
        z += dot(hidden[t], params.recurrent_weight)
        logistic = z[:, : 3 * size]  # sigma(z) = (1 + tanh(z / 2)) / 2: one tanh for all four gates
        logistic *= half
        np.tanh(z, out=z)
        logistic *= half
        logistic += half
        i, f, o, g = parts(z, size)
        cell = np.multiply(f, cells[t], out=cells[t + 1])
        cell += i * g
        np.multiply(o, np.tanh(cell, out=tanh_cells[t]), out=hidden[t + 1])
        if mask is not None:
            keep_masked(mask[t], cells, t)
            keep_masked(mask[t], hidden, t)
    output = hidden[1:].copy() if mask is None else hidden[1:] * mask
    result: Any = Masked(batch_first(output), inputs[0].mask if initial else inputs.mask) if masked else batch_first(output)
    return Forward(result, state, LSTMResiduals(x, mask, gates, cells, tanh_cells, hidden))


def keep_masked(mask: Array, values: Array, t: int) -> None:
    """Where step t is masked, put back what stood there a step before."""
    values[t + 1] *= mask
    values[t + 1] += (1 - mask) * values[t]


def parts(z: Array, size: int) -> tuple[Array, Array, Array, Array]:
    """Return the four gates as views."""
    return z[:, :size], z[:, size : 2 * size], z[:, 2 * size : 3 * size], z[:, 3 * size :]


def backward(
    masked: bool, initial: bool, params: LSTMParams, kept: LSTMResiduals, dy: Any, input_grad: bool = True
) -> Backward[LSTMParams, Any]:
    doutput = time_first(dy.values if masked else dy)
    time, batch, size = doutput.shape
    recurrent = np.ascontiguousarray(params.recurrent_weight.T)  # once, for the product of every step
    dz: Array = np.empty(kept.gates.shape, np.result_type(doutput, kept.gates))
    dh: Array = np.zeros((batch, size), dz.dtype)
    dc: Array = np.zeros((batch, size), dz.dtype)
    for t in reversed(range(time)):
        i, f, o, g = parts(kept.gates[t], size)
        di, df, do, dg = parts(dz[t], size)
        tanh_cell = kept.tanh_cells[t]
        mask = None if kept.mask is None else kept.mask[t]
        skipped: tuple[Array, ...] = ()
        if mask is None:
            dh += doutput[t]
        else:
            dh += doutput[t] * mask
            skipped = (1 - mask) * dh, (1 - mask) * dc
            dh *= mask
            dc *= mask
        dc += dh * o * (1 - tanh_cell * tanh_cell)
        np.multiply(dc * g, i * (1 - i), out=di)
        np.multiply(dc * kept.cells[t], f * (1 - f), out=df)
        np.multiply(dh * tanh_cell, o * (1 - o), out=do)
        np.multiply(dc * i, 1 - g * g, out=dg)
        dc *= f
        dh = dot(dz[t], recurrent)
        if skipped:
            dh += skipped[0]
            dc += skipped[1]
    every = rows(dz)
    grads = LSTMParams(
        input_weight=dot(rows(kept.x).T, every),
        recurrent_weight=dot(rows(kept.hidden[:-1]).T, every),
        bias=sum_rows(every),
    )
    if not input_grad:
        return backward_without_input(grads)
    dx = batch_first(project(dz, params.input_weight.T))
    return Backward(grads, put_together(dx, (dh, dc), masked, initial))


@overload
def lstm(
    features: int,
    *,
    masked: Literal[False] = False,
    initial: Literal[False] = False,
    input_init: Initializer = ...,
    recurrent_init: Initializer = ...,
    forget_bias: float = ...,
) -> Layer[LSTMParams, Empty, Array, Array]: ...
@overload
def lstm(
    features: int,
    *,
    masked: Literal[True],
    initial: Literal[False] = False,
    input_init: Initializer = ...,
    recurrent_init: Initializer = ...,
    forget_bias: float = ...,
) -> Layer[LSTMParams, Empty, Masked, Masked]: ...
@overload
def lstm(
    features: int,
    *,
    masked: Literal[False] = False,
    initial: Literal[True],
    input_init: Initializer = ...,
    recurrent_init: Initializer = ...,
    forget_bias: float = ...,
) -> Layer[LSTMParams, Empty, tuple[Array, tuple[Array, Array]], Array]: ...
@overload
def lstm(
    features: int,
    *,
    masked: Literal[True],
    initial: Literal[True],
    input_init: Initializer = ...,
    recurrent_init: Initializer = ...,
    forget_bias: float = ...,
) -> Layer[LSTMParams, Empty, tuple[Masked, tuple[Array, Array]], Masked]: ...
def lstm(
    features: int,
    *,
    masked: bool = False,
    initial: bool = False,
    input_init: Initializer = initializers.glorot_uniform,
    recurrent_init: Initializer = ORTHOGONAL,
    forget_bias: float = 1.0,
) -> AnyLayer:
    """Long short-term memory over a sequence: (n, t, I) to the hidden states (n, t, H).

    Parameters
    ----------
    features : int
        Number of hidden units H.
    masked : bool, optional
        Take and give :class:`funcnn.Masked` sequences.
    initial : bool, optional
        Take a pair (sequence, (hidden, cell)) with the initial state, each (n, H), instead of zeros.
    input_init, recurrent_init : callable, optional
        Initialisers of W (I, 4 H) and of the four (H, H) blocks of U.
    forget_bias : float, optional
        Initial bias of the forget gate; 1 lets the cell remember from the start (Jozefowicz et al. 2015).

    Returns
    -------
    Layer
        Parameters :class:`LSTMParams`.  ``>> fn.last_step()`` gives the last hidden state alone.

    Raises
    ------
    TypeError, ValueError
        When ``features`` is not a positive integer; in ``forward``, when the input is not what the layer was made for.

    References
    ----------
    Hochreiter & Schmidhuber (1997), Long short-term memory.  Gers, Schmidhuber & Cummins (2000), Learning to forget.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.lstm(8)
    >>> start = layer.init(fn.Key(0), (5, 3))
    >>> fn.apply(layer, start.params, start.state, np.zeros((2, 5, 3))).shape
    (2, 5, 8)
    """
    check_count(features, "features")
    forwards: Any = partial(forward, masked, initial)  # Any: the overloads say what goes in and out
    backwards: Any = partial(backward, masked, initial)
    return Layer(
        f"lstm({features})",
        partial(init, features, initial, input_init, recurrent_init, forget_bias),
        forwards,
        backwards,
        False,
    )
