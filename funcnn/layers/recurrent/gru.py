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
are as in :mod:`funcnn.layers.recurrent.lstm`; so are the slopes, the factors beside $\bar h_t$ and $\bar p$, which are computed
beforehand.
"""

from functools import partial
from typing import TypedDict, Unpack, overload

import numpy as np
from attrs import frozen

from funcnn import initializers
from funcnn.errors import check_count, check_flag, check_range
from funcnn.initializers import Initializer, check_initializer
from funcnn.kernels.arrays import as_matrix, matmul_last, sum_axis0
from funcnn.kernels.transcendental import tanh
from funcnn.key import Key
from funcnn.layer import AnyLayer, Backward, Forward, Init, Layer, Mode, backward_without_input, define_layer
from funcnn.layers.recurrent import recurrent
from funcnn.layers.recurrent.recurrent import ORTHOGONAL, SequenceOptions, StepInputs
from funcnn.masked import Masked
from funcnn.runtime.blas import one_thread
from funcnn.runtime.records import read_only_again
from funcnn.typing import Array, Empty, No, Shapes, Yes


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

    steps: StepInputs
    gates: Array  # (t, 3, n, H)
    inner: Array  # (t, n, H), q where the reset comes after, p where it comes before


@frozen
class GRUStart:
    """What the parameters start from."""

    input_init: Initializer
    recurrent_init: Initializer
    update_bias: float


def init(features: int, options: SequenceOptions, start: GRUStart, key: Key, in_shape: Shapes) -> Init[GRUParams, Empty]:
    time, inputs = recurrent.shape_of(options, in_shape, (features,))
    bias = np.zeros(3 * features)
    bias[features : 2 * features] = start.update_bias
    params = GRUParams(
        start.input_init(key.child(0), (inputs, 3 * features)),
        recurrent.weight_of_gates(start.recurrent_init, key.child(1), features, 3),
        bias,
        np.zeros(features),
    )
    return Init(params, (), recurrent.out_shape(options, time, features, (features,)))


def forward(
    after: bool, options: SequenceOptions, params: GRUParams, state: Empty, x: object, mode: Mode
) -> Forward[object, Empty, GRUResiduals]:
    steps, (h,) = recurrent.unpack_input(options, x, 1, params.input_weight, params.recurrent_weight)
    (batch, size), time, hidden = h.shape, steps.count, steps.hidden
    stacked_weight = recurrent.stack_weights(params.recurrent_weight, params.bias, params.input_weight)
    gates_weight = recurrent.blocks(recurrent.by_gate(0.5 * stacked_weight[:, : 2 * size], 2), batch)
    candidate = matmul_last(steps.inputs, stacked_weight[size:, 2 * size :])  # of all steps, without the part of the state
    before, last_weight = steps.concatenated[..., : size + 1], stacked_weight[:size, 2 * size :]  # before: the state and 1
    if after:
        last_weight = np.concatenate([last_weight, params.candidate_bias[None]])
    else:
        candidate += params.candidate_bias
    candidate_weight = recurrent.blocks(last_weight[None], batch)
    gates: Array = np.empty((time, 3, batch, size), candidate.dtype)
    inner: Array = np.empty((time, batch, size), candidate.dtype)
    products, candidate_products = (
        recurrent.blocked_view(gates[:, :2], gates_weight),
        recurrent.blocked_view(inner[:, None] if after else gates[:, 2:], candidate_weight),
    )
    with one_thread():
        for t in range(time):
            r, u, n = gates[t]
            np.matmul(steps.concatenated[t], gates_weight, out=products[t])
            recurrent.sigmoid_of_double_(gates[t, :2])
            if after:
                # n = tanh(a_n + r q),  q = h U_n + d
                np.matmul(before[t], candidate_weight, out=candidate_products[t])
                np.multiply(r, inner[t], out=n)
            else:
                # n = tanh(a_n + d + p U_n),  p = r h
                p = np.multiply(r, hidden[t], out=inner[t])
                np.matmul(p, candidate_weight, out=candidate_products[t])
            n += candidate[t]
            tanh(n, out=n)
            # h_t = (1 - u) n + u h = n + u (h - n)
            h = np.subtract(hidden[t], n, out=hidden[t + 1])
            h *= u
            h += n
            if steps.mask is not None:
                recurrent.keep_masked_state_(steps.mask[:, t, None], h, hidden[t])
    return Forward(recurrent.pack_output(options, steps), state, GRUResiduals(steps, gates, inner))


def slopes_of_steps(after: bool, residuals: GRUResiduals, part: slice) -> tuple[Array, Array]:
    r"""Return, for a stretch of steps, $\bar z_r, \bar z_u, \bar z_n, \bar q$ over $\bar h$ (t, 4, n, H), and u (t, n, H).

    Where the reset comes before, the first is over $\bar p$ instead, and $\bar z_n$ is given twice.
    """
    gates, h = residuals.gates[part], residuals.steps.hidden[part]
    r, u, n = gates.swapaxes(0, 1)
    slopes: Array = np.empty((len(gates), 4, *h.shape[1:]), gates.dtype)
    slope_r, slope_u, slope_n, slope_q = slopes.swapaxes(0, 1)
    one_less = 1 - u
    np.multiply(one_less, 1 - n * n, out=slope_n)  # (1 - u) (1 - n^2)
    np.multiply(one_less, u, out=slope_u)
    slope_u *= h - n  # u (1 - u) (h - n)
    np.multiply(1 - r, r, out=slope_r)
    if after:
        np.multiply(slope_n, r, out=slope_q)
        slope_r *= residuals.inner[part]
        slope_r *= slope_n  # r (1 - r) q times the slope of z_n
    else:
        slope_q[:] = slope_n
        slope_r *= h  # r (1 - r) h
    return slopes, u


def backward(
    after: bool, options: SequenceOptions, params: GRUParams, residuals: GRUResiduals, dy: object, input_grad: bool = True
) -> Backward[GRUParams, object]:
    steps, size = residuals.steps, residuals.steps.size
    dgates, dstate = steps_backward(after, options, params.recurrent_weight, residuals, dy)
    dz, dcandidate = recurrent.flatten_gates(dgates[:, :, :3]), dgates[:, :, 3]
    before = steps.hidden[:-1]
    input_weight, bias = recurrent.input_grads(steps, dz)
    recurrent_weight = np.concatenate(
        [
            recurrent.weight_cotangent(before, dz[..., : 2 * size]),
            recurrent.weight_cotangent(before if after else residuals.inner, dcandidate),
        ],
        axis=1,
    )
    grads = GRUParams(input_weight, recurrent_weight, bias, sum_axis0(as_matrix(dcandidate)))
    if not input_grad:
        return backward_without_input(grads)
    return Backward(grads, recurrent.pack_input_cotangent(options, dz, params.input_weight, dstate))


def steps_backward(
    after: bool, options: SequenceOptions, recurrent_weight: Array, residuals: GRUResiduals, dy: object
) -> tuple[Array, Array]:
    """Return the cotangents of all gates (t, n, 4, H), before their activations, and of the initial state.

    They are those of r, u and n, and last what $U_n$ gives.
    """
    steps = residuals.steps
    doutput, (dh,) = recurrent.unpack_output_cotangent(options, steps, 1, dy)
    weights = recurrent.transposed_blocks(recurrent_weight, 3, len(dh))
    dgates: Array = np.empty((steps.count, len(dh), 4, steps.size), dh.dtype)
    dz_by_gate, dh_by_gate = dgates.swapaxes(1, 2), np.empty((3, *dh.shape), dh.dtype)
    products = recurrent.blocked_view(dh_by_gate, weights)
    with one_thread():
        for t, (slopes, u) in recurrent.reversed_steps(partial(slopes_of_steps, after, residuals), steps.count):
            dh += doutput[t]
            dmasked = None if steps.mask is None else recurrent.split_masked_cotangent(steps.mask[:, t, None], dh)
            dz = dz_by_gate[t]
            np.multiply(dh, slopes, out=dz)
            dh *= u
            np.matmul(dz[3:, None], weights[2:], out=products[2:])
            if not after:
                dp = dh_by_gate[2]
                np.multiply(dp, slopes[0], out=dz[0])
                dp *= residuals.gates[t, 0]  # what p = r h gives to h
            np.matmul(dz[:2, None], weights[:2], out=products[:2])
            dh += np.add.reduce(dh_by_gate, axis=0)
            if dmasked is not None:
                dh += dmasked
    return dgates, dh


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
        Initializers of W (I, 3 H) and of the three (H, H) blocks of U.
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
    options = SequenceOptions(masked, initial, final)
    reset_after = check_flag(reset_after, "reset_after")
    start = GRUStart(
        check_initializer(input_init, "input_init"),
        check_initializer(recurrent_init, "recurrent_init"),
        check_range(update_bias, "update_bias", float("-inf"), float("inf"), open_low=True, open_high=True),
    )
    return define_layer(
        f"gru({features})",
        partial(init, features, options, start),
        partial(forward, reset_after, options),
        partial(backward, reset_after, options),
        random=False,
        inputs=None,
    )
