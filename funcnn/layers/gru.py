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
$\sum_t h_{t-1}^\top \bar z_t$.  The final and the initial state, masked steps and the layout in
code are as in :mod:`funcnn.layers.lstm`.
"""

from functools import partial
from typing import Any, TypedDict, Unpack, overload

import numpy as np
from attrs import frozen

from funcnn import initializers
from funcnn.blas import one_thread
from funcnn.errors import check_count, check_flag
from funcnn.initializers import Initializer
from funcnn.key import Key
from funcnn.layer import AnyLayer, Backward, Forward, Init, Layer, Mode, backward_without_input
from funcnn.layers import recurrent
from funcnn.layers.lstm import ORTHOGONAL
from funcnn.layers.recurrent import Ends, No, Steps, Yes
from funcnn.masked import Masked
from funcnn.numerics import dot, rows, sum_rows
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
    """The input and all that each step computed, time first, examples as columns."""

    steps: Steps
    gates: Array  # (t, 3 H, n)
    inner: Array  # (t, H, n), q where the reset comes after, p where it comes before


def init(
    features: int,
    ends: Ends,
    input_init: Initializer,
    recurrent_init: Initializer,
    update_bias: float,
    key: Key,
    in_shape: Shapes,
) -> Init[GRUParams, Empty]:
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
    after: bool, ends: Ends, params: GRUParams, state: Empty, given: Any, mode: Mode
) -> Forward[Any, Empty, GRUResiduals]:
    steps, (h,) = recurrent.taken_apart(ends, given, 1, params.input_weight, params.recurrent_weight)
    size = steps.size
    half = recurrent.halves(size, 2, 3, params.bias)
    weight = recurrent.transposed(params.recurrent_weight, half)
    gates = recurrent.projected(steps, params.input_weight, params.bias, half)
    d = params.candidate_bias[:, None]
    inner: Array = np.empty((len(gates), *h.shape), gates.dtype)
    with one_thread():
        for t in range(len(gates)):
            z, n = gates[t, : 2 * size], gates[t, 2 * size :]
            mapped = dot(weight if after else weight[: 2 * size], h)
            z += mapped[: 2 * size]
            recurrent.logistic(z)
            r, u = z[:size], z[size:]
            if after:
                q = np.add(mapped[2 * size :], d, out=inner[t])
                n += r * q
            else:
                p = np.multiply(r, h, out=inner[t])
                n += dot(weight[2 * size :], p)
                n += d
            np.tanh(n, out=n)
            new = h - n  # (1 - u) n + u h = n + u (h - n)
            new *= u
            new += n
            if steps.mask is not None:
                recurrent.hold(steps.mask[:, t], new, h)
            h = new
            steps.hidden[t + 1] = h.T
    return Forward(recurrent.given_back(ends, steps), state, GRUResiduals(steps, gates, inner))


def backward(
    after: bool, ends: Ends, params: GRUParams, kept: GRUResiduals, dy: Any, input_grad: bool = True
) -> Backward[GRUParams, Any]:
    steps, size = kept.steps, kept.steps.size
    doutput, (dh,) = recurrent.cotangent(ends, steps, 1, dy)
    two, candidate = params.recurrent_weight[:, : 2 * size], params.recurrent_weight[:, 2 * size :]
    dz: Array = np.empty((3 * size, dh.shape[1]), dh.dtype)
    dr, du, dn = dz[:size], dz[size : 2 * size], dz[2 * size :]
    every: Array = np.empty((len(kept.gates), *dz.T.shape), dz.dtype)  # dz of all steps, (t, n, 3 H)
    dmapped: Array = np.empty((len(kept.gates), *dh.T.shape), dz.dtype)  # the cotangent of what U_n gives: of q, or of z_n
    with one_thread():
        for t in reversed(range(len(every))):
            h = recurrent.columns(steps.hidden[t])
            r, u, n = (kept.gates[t, k * size : (k + 1) * size] for k in range(3))
            dh += doutput[:, t].T
            passed = None if steps.mask is None else recurrent.split(steps.mask[:, t], dh)
            np.multiply(dh * (1 - u), 1 - n * n, out=dn)
            np.multiply(dh * (h - n), u * (1 - u), out=du)
            dh *= u
            if after:
                dq = dn * r
                np.multiply(dn * kept.inner[t], r * (1 - r), out=dr)
                dh += dot(candidate, dq)
                dmapped[t] = dq.T
            else:
                dp = dot(candidate, dn)
                np.multiply(dp * h, r * (1 - r), out=dr)
                dh += dp * r
                dmapped[t] = dn.T
            dh += dot(two, dz[: 2 * size])
            if passed is not None:
                dh += passed
            every[t] = dz.T
    before = steps.hidden[:-1]
    seen = before if after else kept.inner.swapaxes(1, 2)  # by U_n
    input_weight, bias = recurrent.input_grads(steps, every)
    recurrent_weight = np.concatenate(
        [recurrent.over_steps(before, every[..., : 2 * size]), recurrent.over_steps(seen, dmapped)], axis=1
    )
    grads = GRUParams(input_weight, recurrent_weight, bias, sum_rows(rows(dmapped)))
    if not input_grad:
        return backward_without_input(grads)
    return Backward(grads, recurrent.put_together(ends, every, params.input_weight, dh))


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
    check_count(features, "features")
    check_flag(reset_after, "reset_after")
    ends = Ends(masked, initial, final)
    forwards: Any = partial(forward, reset_after, ends)  # Any: the overloads say what goes in and out
    backwards: Any = partial(backward, reset_after, ends)
    return Layer(
        f"gru({features})",
        partial(init, features, ends, input_init, recurrent_init, update_bias),
        forwards,
        backwards,
        False,
    )
