r"""Gated recurrent unit (Cho et al. 2014, arXiv:1406.1078), with either place of the reset gate.

Indices: $t$ step; the batch and feature indices are left out, $\odot$ is the product entry by entry, $\sigma$ the logistic
function.

Forward.  With $[a_r, a_u, a_n]_t = x_t W + b$ and the blocks $U_r, U_u, U_n$ of $U$:
$$ r_t = \sigma(a_r + h_{t-1} U_r), \qquad u_t = \sigma(a_u + h_{t-1} U_u), $$
$$ n_t = \tanh\bigl(a_n + r_t \odot (h_{t-1} U_n + d)\bigr) \quad\text{(reset after)}, \qquad
   n_t = \tanh\bigl(a_n + (r_t \odot h_{t-1})\, U_n + d\bigr) \quad\text{(reset before, as in the paper)}, $$
$$ h_t = (1 - u_t) \odot n_t + u_t \odot h_{t-1}. $$

Derivation.  Backwards through the steps, $\bar h_t$ collecting what arrives from the output and from step $t+1$:
$$ \bar n = \bar h_t \odot (1 - u), \qquad \bar z_n = \bar n \odot (1 - n^2), \qquad
   \bar z_u = \bar h_t \odot (h_{t-1} - n) \odot u (1 - u). $$
Reset after: with $q = h_{t-1} U_n + d$, $\bar q = \bar z_n \odot r$ and $\bar z_r = \bar z_n \odot q \odot r(1 - r)$, so that
$$ \bar h_{t-1} = \bar h_t \odot u + \bar z_r U_r^\top + \bar z_u U_u^\top + \bar q\, U_n^\top, \qquad
   \bar U_n = \sum_t h_{t-1}^\top \bar q_t, \qquad \bar d = \sum_t 1^\top \bar q_t. $$
Reset before: with $p = r \odot h_{t-1}$, $\bar p = \bar z_n U_n^\top$ and $\bar z_r = \bar p \odot h_{t-1} \odot r (1 - r)$,
so that
$$ \bar h_{t-1} = \bar h_t \odot u + \bar z_r U_r^\top + \bar z_u U_u^\top + \bar p \odot r, \qquad
   \bar U_n = \sum_t p_t^\top \bar z_{n,t}, \qquad \bar d = \sum_t 1^\top \bar z_{n,t}. $$
In both, $\bar W = \sum_t x_t^\top \bar z_t$, $\bar b = \sum_t 1^\top \bar z_t$, $\bar x_t = \bar z_t W^\top$, and the other
blocks of $\bar U$ are
$\sum_t h_{t-1}^\top \bar z_t$.  A masked step keeps the state, as in :mod:`funcnn.layers.lstm`.
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


@frozen(eq=False)
class GRUParams:
    """Parameters of a gated recurrent unit; the gates stand in the order reset, update, candidate."""

    input_weight: Array  # (I, 3 H), W
    recurrent_weight: Array  # (H, 3 H), U
    bias: Array  # (3 H,), b
    candidate_bias: Array  # (H,), d: the recurrent bias of the candidate


@frozen(eq=False)
class GRUResiduals:
    """The input and all that each step computed, time first."""

    x: Array  # (t, n, I)
    mask: Array | None  # (t, n, 1)
    gates: Array  # (t, n, 3 H)
    inner: Array  # (t, n, H), q where the reset comes after, p where it comes before
    hidden: Array  # (t + 1, n, H), the initial one first


def init(
    features: int,
    initial: bool,
    input_init: Initializer,
    recurrent_init: Initializer,
    update_bias: float,
    key: Key,
    in_shape: Shapes,
) -> Init[GRUParams, Empty]:
    time, inputs = sequence_shape(in_shape, initial, None, features)
    bias = np.zeros(3 * features)
    bias[features : 2 * features] = update_bias
    params = GRUParams(
        input_init(key.child(0), gate_shape(inputs, features, 3)),
        np.concatenate([recurrent_init(gate, (features, features)) for gate in key.child(1).split(3)], axis=1),
        bias,
        np.zeros(features),
    )
    return Init(freeze(params), (), (time, features))


def forward(
    after: bool, masked: bool, initial: bool, params: GRUParams, state: Empty, inputs: Any, mode: Mode
) -> Forward[Any, Empty, GRUResiduals]:
    values, mask, start = taken_apart(inputs, masked, initial)
    check_input(values, params.input_weight)
    x = time_first(values)
    time, batch, _ = x.shape
    size = params.recurrent_weight.shape[0]
    h0 = zeros(batch, size, x, params.bias) if start is None else start
    check_state(h0, batch, size)
    gates = project(x, params.input_weight)  # all steps at once
    gates += params.bias
    hidden: Array = np.empty((time + 1, batch, size), np.result_type(gates, h0))
    inner: Array = np.empty((time, batch, size), hidden.dtype)
    hidden[0] = h0
    half = gates.real.dtype.type(0.5)
    two = params.recurrent_weight[:, : 2 * size]
    candidate = params.recurrent_weight[:, 2 * size :]
    for t in range(time):
        h = hidden[t]
        z, n = gates[t, :, : 2 * size], gates[t, :, 2 * size :]
        mapped = dot(h, params.recurrent_weight if after else two)
        z += mapped[:, : 2 * size]
        z *= half  # sigma(z) = (1 + tanh(z / 2)) / 2
        np.tanh(z, out=z)
        z *= half
        z += half
        r, u = z[:, :size], z[:, size:]
        if after:
            q = np.add(mapped[:, 2 * size :], params.candidate_bias, out=inner[t])
            n += r * q
        else:
            p = np.multiply(r, h, out=inner[t])
            n += dot(p, candidate)
            n += params.candidate_bias
        np.tanh(n, out=n)
        new = np.subtract(h, n, out=hidden[t + 1])  # (1 - u) n + u h = n + u (h - n)
        new *= u
        new += n
        if mask is not None:
            keep_masked(mask[t], hidden, t)
    output = hidden[1:].copy() if mask is None else hidden[1:] * mask
    result: Any = Masked(batch_first(output), inputs[0].mask if initial else inputs.mask) if masked else batch_first(output)
    return Forward(result, state, GRUResiduals(x, mask, gates, inner, hidden))


def backward(
    after: bool, masked: bool, initial: bool, params: GRUParams, kept: GRUResiduals, dy: Any, input_grad: bool = True
) -> Backward[GRUParams, Any]:
    doutput = time_first(dy.values if masked else dy)
    time, batch, size = doutput.shape
    two = np.ascontiguousarray(params.recurrent_weight[:, : 2 * size].T)
    candidate = np.ascontiguousarray(params.recurrent_weight[:, 2 * size :].T)
    dz: Array = np.empty(kept.gates.shape, np.result_type(doutput, kept.gates))
    dinner: Array = np.empty(kept.inner.shape, dz.dtype)  # the cotangent of what U_n maps: q, or z_n
    dh: Array = np.zeros((batch, size), dz.dtype)
    for t in reversed(range(time)):
        h = kept.hidden[t]
        r, u, n = (kept.gates[t, :, k * size : (k + 1) * size] for k in range(3))
        if kept.mask is None:
            dh += doutput[t]
            skipped = None
        else:
            dh += doutput[t] * kept.mask[t]
            skipped = (1 - kept.mask[t]) * dh
            dh *= kept.mask[t]
        dr, du, dn = (dz[t, :, k * size : (k + 1) * size] for k in range(3))
        np.multiply(dh * (1 - u), 1 - n * n, out=dn)
        np.multiply(dh * (h - n), u * (1 - u), out=du)
        dh *= u
        if after:
            np.multiply(dn * kept.inner[t], r * (1 - r), out=dr)
            dh += dot(np.multiply(dn, r, out=dinner[t]), candidate)
        else:
            dinner[t] = dn
            dp = dot(dn, candidate)
            np.multiply(dp * h, r * (1 - r), out=dr)
            dh += dp * r
        dh += dot(dz[t, :, : 2 * size], two)
        if skipped is not None:
            dh += skipped
    before = rows(kept.hidden[:-1])
    every, mapped = rows(dz), rows(dinner)
    seen = before if after else rows(kept.inner)
    grads = GRUParams(
        input_weight=dot(rows(kept.x).T, every),
        recurrent_weight=np.concatenate([dot(before.T, every[:, : 2 * size]), dot(seen.T, mapped)], axis=1),
        bias=sum_rows(every),
        candidate_bias=sum_rows(mapped),
    )
    if not input_grad:
        return backward_without_input(grads)
    return Backward(grads, put_together(batch_first(project(dz, params.input_weight.T)), dh, masked, initial))


@overload
def gru(
    features: int,
    *,
    masked: Literal[False] = False,
    initial: Literal[False] = False,
    reset_after: bool = ...,
    input_init: Initializer = ...,
    recurrent_init: Initializer = ...,
    update_bias: float = ...,
) -> Layer[GRUParams, Empty, Array, Array]: ...
@overload
def gru(
    features: int,
    *,
    masked: Literal[True],
    initial: Literal[False] = False,
    reset_after: bool = ...,
    input_init: Initializer = ...,
    recurrent_init: Initializer = ...,
    update_bias: float = ...,
) -> Layer[GRUParams, Empty, Masked, Masked]: ...
@overload
def gru(
    features: int,
    *,
    masked: Literal[False] = False,
    initial: Literal[True],
    reset_after: bool = ...,
    input_init: Initializer = ...,
    recurrent_init: Initializer = ...,
    update_bias: float = ...,
) -> Layer[GRUParams, Empty, tuple[Array, Array], Array]: ...
@overload
def gru(
    features: int,
    *,
    masked: Literal[True],
    initial: Literal[True],
    reset_after: bool = ...,
    input_init: Initializer = ...,
    recurrent_init: Initializer = ...,
    update_bias: float = ...,
) -> Layer[GRUParams, Empty, tuple[Masked, Array], Masked]: ...
def gru(
    features: int,
    *,
    masked: bool = False,
    initial: bool = False,
    reset_after: bool = True,
    input_init: Initializer = initializers.glorot_uniform,
    recurrent_init: Initializer = ORTHOGONAL,
    update_bias: float = 0.0,
) -> AnyLayer:
    """Gated recurrent unit over a sequence: (n, t, I) to the hidden states (n, t, H).

    Parameters
    ----------
    features : int
        Number of hidden units H.
    masked : bool, optional
        Take and give :class:`funcnn.Masked` sequences.
    initial : bool, optional
        Take a pair (sequence, hidden) with the initial state (n, H) instead of zeros.
    reset_after : bool, optional
        Apply the reset gate after the recurrent product, as PyTorch, Keras and cuDNN do; False is the paper's variant.
    input_init, recurrent_init : callable, optional
        Initialisers of W (I, 3 H) and of the three (H, H) blocks of U.
    update_bias : float, optional
        Initial bias of the update gate; the larger, the longer the unit remembers at the start (Tallec & Ollivier 2018).

    Returns
    -------
    Layer
        Parameters :class:`GRUParams`.

    Raises
    ------
    TypeError, ValueError
        When ``features`` is not a positive integer; in ``forward``, when the input is not what the layer was made for.

    References
    ----------
    Cho et al. (2014), Learning phrase representations using RNN encoder-decoder, arXiv:1406.1078.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.gru(8)
    >>> start = layer.init(fn.Key(0), (5, 3))
    >>> fn.apply(layer, start.params, start.state, np.zeros((2, 5, 3))).shape
    (2, 5, 8)
    """
    check_count(features, "features")
    forwards: Any = partial(forward, reset_after, masked, initial)  # Any: the overloads say what goes in and out
    backwards: Any = partial(backward, reset_after, masked, initial)
    return Layer(
        f"gru({features})",
        partial(init, features, initial, input_init, recurrent_init, update_bias),
        forwards,
        backwards,
        False,
    )
