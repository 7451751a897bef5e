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
blocks of $\bar U$ are $\sum_t h_{t-1}^\top \bar z_t$.  The final and the initial state, masked steps and the layout in code
are as in :mod:`funcnn.layers.recurrent.lstm`, and so are the factors
beside $\bar h_t$ and $\bar p$, which are computed beforehand.
"""

from functools import partial
from typing import Any, TypedDict, Unpack, overload

import numpy as np
from attrs import frozen

from funcnn import initializers
from funcnn.errors import check_count, check_flag, check_range
from funcnn.initializers import Initializer, check_initializer
from funcnn.kernels.arrays import as_matrix, matmul_last, sum_axis0
from funcnn.key import Key
from funcnn.layer import AnyLayer, Backward, Forward, Init, Layer, Mode, backward_without_input, check_init
from funcnn.layers.recurrent import recurrent
from funcnn.layers.recurrent.lstm import ORTHOGONAL
from funcnn.layers.recurrent.recurrent import No, SequenceOptions, Steps, Yes
from funcnn.masked import Masked
from funcnn.runtime.blas import one_thread
from funcnn.runtime.records import read_only_again
from funcnn.tree import freeze
from funcnn.typing import Array, Empty, Shapes


@read_only_again
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

    steps: Steps
    gates: Array  # (t, 3, n, H)
    inner: Array  # (t, n, H), q where the reset comes after, p where it comes before


def init(
    features: int,
    ends: SequenceOptions,
    input_init: Initializer,
    recurrent_init: Initializer,
    update_bias: float,
    key: Key,
    in_shape: Shapes,
) -> Init[GRUParams, Empty]:
    check_init(key, in_shape)
    time, inputs = recurrent.shape_of(ends, in_shape, (features,))
    bias = np.zeros(3 * features)
    bias[features : 2 * features] = update_bias
    params = GRUParams(
        input_init(key.child(0), (inputs, 3 * features)),
        np.concatenate([recurrent_init(gate, (features, features)) for gate in key.child(1).split(3)], axis=1),
        bias,
        np.zeros(features),
    )
    return Init(freeze(params), (), recurrent.out_shape(ends, time, features, (features,)))


def forward(
    after: bool, ends: SequenceOptions, params: GRUParams, state: Empty, given: Any, mode: Mode
) -> Forward[Any, Empty, GRUResiduals]:
    steps, (h,) = recurrent.unpack_input(ends, given, 1, params.input_weight, params.recurrent_weight)
    (batch, size), time, hidden = h.shape, len(steps.seen) - 1, steps.hidden
    whole = recurrent.stack_weights(params.recurrent_weight, params.bias, params.input_weight)
    two = recurrent.blocks(recurrent.by_gate(0.5 * whole[:, : 2 * size], 2), batch)
    candidate = matmul_last(steps.inputs, whole[size:, 2 * size :])  # of all steps, without the part of the state
    before, last = steps.seen[..., : size + 1], whole[:size, 2 * size :]  # the state and 1
    if after:
        last = np.concatenate([last, params.candidate_bias[None]])
    else:
        candidate += params.candidate_bias
    third = recurrent.blocks(last[None], batch)
    gates: Array = np.empty((time, 3, batch, size), candidate.dtype)
    inner: Array = np.empty((time, batch, size), candidate.dtype)
    products, last_products = (
        recurrent.blocked_view(gates[:, :2], two),
        recurrent.blocked_view(inner[:, None] if after else gates[:, 2:], third),
    )
    with one_thread():
        for t in range(time):
            r, u, n = gates[t]
            np.matmul(steps.seen[t], two, out=products[t])
            recurrent.sigmoid_of_double_(gates[t, :2])
            if after:
                np.matmul(before[t], third, out=last_products[t])
                np.multiply(r, inner[t], out=n)
            else:
                p = np.multiply(r, hidden[t], out=inner[t])
                np.matmul(p, third, out=last_products[t])
            n += candidate[t]
            np.tanh(n, out=n)
            h = np.subtract(hidden[t], n, out=hidden[t + 1])  # (1 - u) n + u h = n + u (h - n)
            h *= u
            h += n
            if steps.mask is not None:
                recurrent.keep_masked_state_(steps.mask[:, t, None], h, hidden[t])
    return Forward(recurrent.pack_output(ends, steps), state, GRUResiduals(steps, gates, inner))


def derivatives(after: bool, kept: GRUResiduals, part: slice) -> tuple[Array, Array]:
    r"""Return, for a stretch of steps, $\bar z_r, \bar z_u, \bar z_n, \bar q$ over $\bar h$ (t, 4, n, H), and u (t, n, H).

    Where the reset comes before, the first is over $\bar p$ instead, and $\bar z_n$ is given twice.
    """
    gates, h = kept.gates[part], kept.steps.hidden[part]
    r, u, n = gates.swapaxes(0, 1)
    slopes: Array = np.empty((len(gates), 4, *h.shape[1:]), gates.dtype)
    dr, du, dn, dq = slopes.swapaxes(0, 1)
    one_less = 1 - u
    np.multiply(one_less, 1 - n * n, out=dn)
    np.multiply(one_less, u, out=du)
    du *= h - n
    np.multiply(1 - r, r, out=dr)
    if after:
        np.multiply(dn, r, out=dq)
        dr *= kept.inner[part]
        dr *= dn
    else:
        dq[:] = dn
        dr *= h
    return slopes, u


def backward(
    after: bool, ends: SequenceOptions, params: GRUParams, kept: GRUResiduals, dy: Any, input_grad: bool = True
) -> Backward[GRUParams, Any]:
    steps, size = kept.steps, kept.steps.size
    doutput, (dh,) = recurrent.unpack_output_cotangent(ends, steps, 1, dy)
    weights = recurrent.transposed_blocks(params.recurrent_weight, 3, len(dh))
    every: Array = np.empty((len(kept.gates), len(dh), 4, size), dh.dtype)  # dz of all steps, and last what U_n gives
    dzs, each = every.swapaxes(1, 2), np.empty((3, *dh.shape), dh.dtype)
    products = recurrent.blocked_view(each, weights)
    with one_thread():
        for t, (slopes, u) in recurrent.reversed_steps(partial(derivatives, after, kept), len(every)):
            dh += doutput[t]
            passed = None if steps.mask is None else recurrent.split_masked_cotangent(steps.mask[:, t, None], dh)
            dz = dzs[t]
            np.multiply(dh, slopes, out=dz)
            dh *= u
            np.matmul(dz[3:, None], weights[2:], out=products[2:])
            if not after:
                dp = each[2]
                np.multiply(dp, slopes[0], out=dz[0])
                dp *= kept.gates[t, 0]
            np.matmul(dz[:2, None], weights[:2], out=products[:2])
            dh += np.add.reduce(each, axis=0)
            if passed is not None:
                dh += passed
    dz, dmapped = every[:, :, :3].reshape(*every.shape[:2], 3 * size), every[:, :, 3]
    before = steps.hidden[:-1]
    input_weight, bias = recurrent.input_grads(steps, dz)
    recurrent_weight = np.concatenate(
        [
            recurrent.weight_cotangent(before, dz[..., : 2 * size]),
            recurrent.weight_cotangent(before if after else kept.inner, dmapped),
        ],
        axis=1,
    )
    grads = GRUParams(input_weight, recurrent_weight, bias, sum_axis0(as_matrix(dmapped)))
    if not input_grad:
        return backward_without_input(grads)
    return Backward(grads, recurrent.pack_input_cotangent(ends, dz, params.input_weight, dh))


class Settings(TypedDict, total=False):
    """The arguments that do not change a type."""

    reset_after: bool
    input_init: Initializer
    recurrent_init: Initializer
    update_bias: float


@overload
def gru(
    features: int, *, masked: No = False, initial: No = False, final: No = False, **more: Unpack[Settings]
) -> Layer[GRUParams, Empty, Array, Array]: ...
@overload
def gru(
    features: int, *, masked: No = False, initial: No = False, final: Yes, **more: Unpack[Settings]
) -> Layer[GRUParams, Empty, Array, tuple[Array, Array]]: ...
@overload
def gru(
    features: int, *, masked: No = False, initial: Yes, final: No = False, **more: Unpack[Settings]
) -> Layer[GRUParams, Empty, tuple[Array, Array], Array]: ...
@overload
def gru(
    features: int, *, masked: No = False, initial: Yes, final: Yes, **more: Unpack[Settings]
) -> Layer[GRUParams, Empty, tuple[Array, Array], tuple[Array, Array]]: ...
@overload
def gru(
    features: int, *, masked: Yes, initial: No = False, final: No = False, **more: Unpack[Settings]
) -> Layer[GRUParams, Empty, Masked, Masked]: ...
@overload
def gru(
    features: int, *, masked: Yes, initial: No = False, final: Yes, **more: Unpack[Settings]
) -> Layer[GRUParams, Empty, Masked, tuple[Masked, Array]]: ...
@overload
def gru(
    features: int, *, masked: Yes, initial: Yes, final: No = False, **more: Unpack[Settings]
) -> Layer[GRUParams, Empty, tuple[Masked, Array], Masked]: ...
@overload
def gru(
    features: int, *, masked: Yes, initial: Yes, final: Yes, **more: Unpack[Settings]
) -> Layer[GRUParams, Empty, tuple[Masked, Array], tuple[Masked, Array]]: ...
def gru(
    features: int,
    *,
    masked: bool = False,
    initial: bool = False,
    final: bool = False,
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
    final : bool, optional
        Give a pair (sequence, hidden) with the state after the last step that is not masked.
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
        When an argument is out of range; in ``forward``, when the input is not what the layer was made for.

    See Also
    --------
    last_step : the last hidden state alone.
    bidirectional : one such layer in each direction.
    trained_start : learns the initial state.

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
    features = check_count(features, "features")
    input_init, recurrent_init = check_initializer(input_init, "input_init"), check_initializer(recurrent_init, "recurrent_init")
    reset_after = check_flag(reset_after, "reset_after")
    update_bias = check_range(update_bias, "update_bias", float("-inf"), float("inf"), open_low=True, open_high=True)
    ends = SequenceOptions(masked, initial, final)
    forwards: Any = partial(forward, reset_after, ends)  # Any: the overloads say what goes in and out
    backwards: Any = partial(backward, reset_after, ends)
    return Layer(
        f"gru({features})",
        partial(init, features, ends, input_init, recurrent_init, update_bias),
        forwards,
        backwards,
        False,
    )
