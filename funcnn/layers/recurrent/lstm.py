r"""Long short-term memory (Hochreiter & Schmidhuber 1997; with forget gates, Gers et al. 2000).

Indices: $t$ step; the batch and feature indices are left out, $\odot$ is the product entry by entry, $\sigma$ the logistic
function.

Forward.  Four gates from the input and the last output, the cell, the output:
$$ [z_i, z_f, z_o, z_g]_t = x_t W + h_{t-1} U + b, $$
$$ i_t = \sigma(z_{i}), \quad f_t = \sigma(z_{f}), \quad o_t = \sigma(z_{o}), \quad g_t = \tanh(z_{g}), $$
$$ c_t = f_t \odot c_{t-1} + i_t \odot g_t, \qquad h_t = o_t \odot \tanh(c_t). $$
With peepholes (Gers & Schmidhuber 2000) the gates see the cell as well, each unit its own, through three vectors $p$:
$$ z_i \mathrel{+}= p_i \odot c_{t-1}, \qquad z_f \mathrel{+}= p_f \odot c_{t-1}, \qquad z_o \mathrel{+}= p_o \odot c_t . $$

Derivation.  Go through the steps backwards.  Let $\bar h_t$ collect what arrives from the output and from step $t+1$, and
$\bar c_t$ what arrives from step $t+1$.  From $\mathrm{d}h_t$ and $\mathrm{d}c_t$, with $\sigma' = \sigma(1-\sigma)$ and
$\tanh' = 1 - \tanh^2$:
$$ \bar z_{o} = \bar h_t \odot \tanh(c_t) \odot o_t (1 - o_t), \qquad
   \bar c_t \mathrel{+}= \bar h_t \odot o_t \odot (1 - \tanh^2 c_t) \;[\,+\; p_o \odot \bar z_o\,], $$
$$ \bar z_{i} = \bar c_t \odot g_t \odot i_t (1 - i_t), \quad
   \bar z_{f} = \bar c_t \odot c_{t-1} \odot f_t (1 - f_t), \quad
   \bar z_{g} = \bar c_t \odot i_t \odot (1 - g_t^2), $$
$$ \bar c_{t-1} = \bar c_t \odot f_t \;[\,+\; p_i \odot \bar z_i + p_f \odot \bar z_f\,], \qquad
   \bar h_{t-1} = \bar z_t U^\top , $$
where the brackets hold what peepholes add.  All parameters enter linearly and are the same at every step, so their cotangents
are sums over steps, each one product at the end:
$$ \bar W = \sum_t x_t^\top \bar z_t, \qquad \bar U = \sum_t h_{t-1}^\top \bar z_t, \qquad \bar b = \sum_t 1^\top \bar z_t, \qquad
   \bar x_t = \bar z_t W^\top, $$
$$ \bar p_i = \sum_t \bar z_i \odot c_{t-1}, \qquad \bar p_f = \sum_t \bar z_f \odot c_{t-1}, \qquad
   \bar p_o = \sum_t \bar z_o \odot c_t \qquad\text{(summed over the batch)}. $$
The recursion starts at the cotangents of the final state, if that was given out, and ends at those of the initial state.
Where a step is masked, $m_t = 0$: $h_t = m_t \hat h_t + (1 - m_t) h_{t-1}$ and likewise $c_t$, with the output $m_t h_t$;
the cotangents split alike.

In code the steps are the leading axis, see :mod:`funcnn.layers.recurrent.recurrent`, and the parameters of the gates with
a logistic
function are halved once, for $\sigma(z) = (1 + \tanh\frac{z}{2})/2$.  Backwards, what stands beside $\bar h_t$ and $\bar c_t$
above is computed beforehand: $D_o = \tanh(c_t) \odot o (1 - o)$ and so on for the gates,
$$ D_c = o \odot (1 - \tanh^2 c_t) \;[\,+\; p_o \odot D_o\,], \qquad D_{c'} = f \;[\,+\; p_i \odot D_i + p_f \odot D_f\,], $$
so that a step is $\bar c_t \mathrel{+}= \bar h_t \odot D_c$, $\bar z_o = \bar h_t \odot D_o$, the other
$\bar z = \bar c_t \odot D$, and $\bar c_{t-1} = \bar c_t \odot D_{c'}$.
"""

from functools import partial
from typing import Any, TypeAlias, TypedDict, Unpack, overload

import numpy as np
from attrs import frozen

from funcnn import initializers
from funcnn.errors import check_count, check_flag, check_range
from funcnn.initializers import Initializer, check_initializer
from funcnn.key import Key
from funcnn.layer import AnyLayer, Backward, Forward, Init, Layer, Mode, backward_without_input, check_init
from funcnn.layers.recurrent import recurrent
from funcnn.layers.recurrent.recurrent import No, SequenceOptions, Steps, Yes
from funcnn.masked import Masked
from funcnn.runtime.blas import one_thread
from funcnn.runtime.records import read_only_again
from funcnn.tree import freeze
from funcnn.typing import Array, Empty, Shapes

ORTHOGONAL = initializers.orthogonal()


@read_only_again
@frozen(eq=False)
class LSTMParams:
    """Parameters of an LSTM; the gates stand in the order input, forget, output, candidate."""

    input_weight: Array  # (I, 4 H), W
    recurrent_weight: Array  # (H, 4 H), U
    bias: Array  # (4 H,)


@read_only_again
@frozen(eq=False)
class PeepholeLSTMParams(LSTMParams):
    """Parameters of an LSTM with peepholes, which stand in the order input, forget, output."""

    peepholes: Array  # (3, H), p


@frozen(eq=False)
class LSTMResiduals:
    """The input and all that each step computed, time first."""

    steps: Steps
    gates: Array  # (t, 4, n, H)
    cells: Array  # (t + 1, n, H), the initial one first
    tanh_cells: Array  # (t, n, H), of the cells before masking


@frozen
class LSTMStart:
    """What the parameters start from."""

    input_weight: Initializer
    recurrent_weight: Initializer
    peepholes: Initializer | None  # None: the gates do not see the cell
    forget_bias: float
    input_bias: float


def init(features: int, ends: SequenceOptions, start: LSTMStart, key: Key, in_shape: Shapes) -> Init[LSTMParams, Empty]:
    check_init(key, in_shape)
    state = ((features,), (features,))
    time, inputs = recurrent.shape_of(ends, in_shape, state)
    bias = np.zeros(4 * features)
    bias[:features] = start.input_bias
    bias[features : 2 * features] = start.forget_bias
    weight = start.input_weight(key.child(0), (inputs, 4 * features))
    blocks = np.concatenate([start.recurrent_weight(gate, (features, features)) for gate in key.child(1).split(4)], axis=1)
    params = LSTMParams(weight, blocks, bias)
    if start.peepholes is not None:
        params = PeepholeLSTMParams(weight, blocks, bias, start.peepholes(key.child(2), (3, features)))
    return Init(freeze(params), (), recurrent.out_shape(ends, time, features, state))


def forward(
    ends: SequenceOptions, params: LSTMParams, state: Empty, given: Any, mode: Mode
) -> Forward[Any, Empty, LSTMResiduals]:
    steps, (_, c) = recurrent.unpack_input(ends, given, 2, params.input_weight, params.recurrent_weight)
    (batch, size), time, hidden = c.shape, len(steps.seen) - 1, steps.hidden
    whole = recurrent.stack_weights(params.recurrent_weight, params.bias, params.input_weight)
    whole[:, : 3 * size] *= 0.5
    weight = recurrent.blocks(recurrent.by_gate(whole, 4), batch)
    peepholes = 0.5 * params.peepholes[:, None] if isinstance(params, PeepholeLSTMParams) else None  # (3, 1, H)
    kind = np.result_type(steps.seen, whole)
    gates: Array = np.empty((time, 4, batch, size), kind)
    cells: Array = np.empty((time + 1, batch, size), kind)
    tanh_cells: Array = np.empty((time, batch, size), kind)
    cells[0] = c
    products = recurrent.blocked_view(gates, weight)
    with one_thread():
        for t in range(time):
            np.matmul(steps.seen[t], weight, out=products[t])
            z = gates[t]
            i, f, o, g = z
            if peepholes is None:
                np.tanh(z, out=z)
                recurrent.tanh_to_sigmoid_(z[:3])
            else:
                i += peepholes[0] * cells[t]
                f += peepholes[1] * cells[t]
                recurrent.sigmoid_of_double_(z[:2])
                np.tanh(g, out=g)
            c = np.multiply(f, cells[t], out=cells[t + 1])
            c += i * g
            if peepholes is not None:
                o += peepholes[2] * c
                recurrent.sigmoid_of_double_(o)
            h = np.multiply(o, np.tanh(c, out=tanh_cells[t]), out=hidden[t + 1])
            if steps.mask is not None:
                real = steps.mask[:, t, None]
                recurrent.keep_masked_state_(real, c, cells[t])
                recurrent.keep_masked_state_(real, h, hidden[t])
    return Forward(recurrent.pack_output(ends, steps, cells[-1]), state, LSTMResiduals(steps, gates, cells, tanh_cells))


def derivatives(kept: LSTMResiduals, peepholes: Array | None, part: slice) -> tuple[Array, Array, Array]:
    """Return, for a stretch of steps, the D of the four gates (t, 4, n, H), and D_c and D_c' (t, n, H)."""
    gates, before, tanh_cells = kept.gates[part], kept.cells[part], kept.tanh_cells[part]
    i, f, o, g = gates.swapaxes(0, 1)
    slopes: Array = 1 - gates
    di, df, do, dg = slopes.swapaxes(0, 1)
    slopes[:, :3] *= gates[:, :3]
    dg *= 1 + g
    di *= g
    df *= before
    do *= tanh_cells
    dg *= i
    dcell = tanh_cells * tanh_cells
    np.subtract(1, dcell, out=dcell)
    dcell *= o
    if peepholes is None:
        return slopes, dcell, f
    dcell += peepholes[2] * do
    return slopes, dcell, f + peepholes[0] * di + peepholes[1] * df


def backward(
    ends: SequenceOptions, params: LSTMParams, kept: LSTMResiduals, dy: Any, input_grad: bool = True
) -> Backward[LSTMParams, Any]:
    steps, cells, size = kept.steps, kept.cells, kept.steps.size
    doutput, (dh, dc) = recurrent.unpack_output_cotangent(ends, steps, 2, dy)
    peepholes = params.peepholes[:, None] if isinstance(params, PeepholeLSTMParams) else None
    weight = recurrent.transposed_blocks(params.recurrent_weight, 4, len(dh))
    every: Array = np.empty((len(kept.gates), len(dh), 4, size), dh.dtype)  # dz of all steps
    dzs, each = every.swapaxes(1, 2), np.empty((4, *dh.shape), dh.dtype)
    products = recurrent.blocked_view(each, weight)
    with one_thread():
        for t, (slopes, dcell, dbefore) in recurrent.reversed_steps(partial(derivatives, kept, peepholes), len(every)):
            dh += doutput[t]
            passed: tuple[Array, ...] = ()
            if steps.mask is not None:
                passed = (
                    recurrent.split_masked_cotangent(steps.mask[:, t, None], dh),
                    recurrent.split_masked_cotangent(steps.mask[:, t, None], dc),
                )
            dc += dh * dcell
            dz = dzs[t]
            np.multiply(dc, slopes, out=dz)
            np.multiply(dh, slopes[2], out=dz[2])
            dc *= dbefore
            np.matmul(dz[:, None], weight, out=products)
            np.add.reduce(each, axis=0, out=dh)
            if passed:
                dh += passed[0]
                dc += passed[1]
    dz = every.reshape(*every.shape[:2], 4 * size)
    grads = LSTMParams(*recurrent.affine_grads(steps, dz))
    if peepholes is not None:
        di, df, do, _ = np.moveaxis(every, 2, 0)
        seen = np.stack(
            [peephole_cotangent(di, cells[:-1]), peephole_cotangent(df, cells[:-1]), peephole_cotangent(do, cells[1:])]
        )
        grads = PeepholeLSTMParams(grads.input_weight, grads.recurrent_weight, grads.bias, seen)
    if not input_grad:
        return backward_without_input(grads)
    return Backward(grads, recurrent.pack_input_cotangent(ends, dz, params.input_weight, dh, dc))


def peephole_cotangent(dgate: Array, cells: Array) -> Array:
    """Return the sum over steps and examples of a gate's cotangent (t, n, H) times the cell (t, n, H) that it saw."""
    total: Array = np.einsum("tnh,tnh->h", dgate, cells)
    return total


class Settings(TypedDict, total=False):
    """The arguments that do not change a type."""

    input_init: Initializer
    recurrent_init: Initializer
    peephole_init: Initializer
    forget_bias: float
    input_bias: float


State: TypeAlias = tuple[Array, Array]
"""The hidden state and the cell, each (n, H)."""


@overload
def lstm(
    features: int, *, masked: No = False, initial: No = False, final: No = False, peepholes: No = False, **more: Unpack[Settings]
) -> Layer[LSTMParams, Empty, Array, Array]: ...
@overload
def lstm(
    features: int, *, masked: No = False, initial: No = False, final: Yes, peepholes: No = False, **more: Unpack[Settings]
) -> Layer[LSTMParams, Empty, Array, tuple[Array, State]]: ...
@overload
def lstm(
    features: int, *, masked: No = False, initial: Yes, final: No = False, peepholes: No = False, **more: Unpack[Settings]
) -> Layer[LSTMParams, Empty, tuple[Array, State], Array]: ...
@overload
def lstm(
    features: int, *, masked: No = False, initial: Yes, final: Yes, peepholes: No = False, **more: Unpack[Settings]
) -> Layer[LSTMParams, Empty, tuple[Array, State], tuple[Array, State]]: ...
@overload
def lstm(
    features: int, *, masked: Yes, initial: No = False, final: No = False, peepholes: No = False, **more: Unpack[Settings]
) -> Layer[LSTMParams, Empty, Masked, Masked]: ...
@overload
def lstm(
    features: int, *, masked: Yes, initial: No = False, final: Yes, peepholes: No = False, **more: Unpack[Settings]
) -> Layer[LSTMParams, Empty, Masked, tuple[Masked, State]]: ...
@overload
def lstm(
    features: int, *, masked: Yes, initial: Yes, final: No = False, peepholes: No = False, **more: Unpack[Settings]
) -> Layer[LSTMParams, Empty, tuple[Masked, State], Masked]: ...
@overload
def lstm(
    features: int, *, masked: Yes, initial: Yes, final: Yes, peepholes: No = False, **more: Unpack[Settings]
) -> Layer[LSTMParams, Empty, tuple[Masked, State], tuple[Masked, State]]: ...
@overload
def lstm(
    features: int, *, masked: No = False, initial: No = False, final: No = False, peepholes: Yes, **more: Unpack[Settings]
) -> Layer[PeepholeLSTMParams, Empty, Array, Array]: ...
@overload
def lstm(
    features: int, *, masked: No = False, initial: No = False, final: Yes, peepholes: Yes, **more: Unpack[Settings]
) -> Layer[PeepholeLSTMParams, Empty, Array, tuple[Array, State]]: ...
@overload
def lstm(
    features: int, *, masked: No = False, initial: Yes, final: No = False, peepholes: Yes, **more: Unpack[Settings]
) -> Layer[PeepholeLSTMParams, Empty, tuple[Array, State], Array]: ...
@overload
def lstm(
    features: int, *, masked: No = False, initial: Yes, final: Yes, peepholes: Yes, **more: Unpack[Settings]
) -> Layer[PeepholeLSTMParams, Empty, tuple[Array, State], tuple[Array, State]]: ...
@overload
def lstm(
    features: int, *, masked: Yes, initial: No = False, final: No = False, peepholes: Yes, **more: Unpack[Settings]
) -> Layer[PeepholeLSTMParams, Empty, Masked, Masked]: ...
@overload
def lstm(
    features: int, *, masked: Yes, initial: No = False, final: Yes, peepholes: Yes, **more: Unpack[Settings]
) -> Layer[PeepholeLSTMParams, Empty, Masked, tuple[Masked, State]]: ...
@overload
def lstm(
    features: int, *, masked: Yes, initial: Yes, final: No = False, peepholes: Yes, **more: Unpack[Settings]
) -> Layer[PeepholeLSTMParams, Empty, tuple[Masked, State], Masked]: ...
@overload
def lstm(
    features: int, *, masked: Yes, initial: Yes, final: Yes, peepholes: Yes, **more: Unpack[Settings]
) -> Layer[PeepholeLSTMParams, Empty, tuple[Masked, State], tuple[Masked, State]]: ...
def lstm(
    features: int,
    *,
    masked: bool = False,
    initial: bool = False,
    final: bool = False,
    peepholes: bool = False,
    input_init: Initializer = initializers.glorot_uniform,
    recurrent_init: Initializer = ORTHOGONAL,
    peephole_init: Initializer = initializers.zeros,
    forget_bias: float = 1.0,
    input_bias: float = 0.0,
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
    final : bool, optional
        Give a pair (sequence, (hidden, cell)) with the state after the last step that is not masked.
    peepholes : bool, optional
        Let the gates see the cell.
    input_init, recurrent_init, peephole_init : callable, optional
        Initialisers of W (I, 4 H), of the four (H, H) blocks of U and of the peepholes (3, H).
    forget_bias : float, optional
        Initial bias of the forget gate; 1 lets the cell remember from the start (Jozefowicz et al. 2015).
    input_bias : float, optional
        Initial bias of the input gate.  For memory over some T steps, ``forget_bias=log(T), input_bias=-log(T)``: a cell that
        forgets slowly must fill as slowly (Tallec & Ollivier 2018).

    Returns
    -------
    Layer
        Parameters :class:`LSTMParams`, or :class:`PeepholeLSTMParams`.

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
    Hochreiter & Schmidhuber (1997), Long short-term memory.  Gers, Schmidhuber & Cummins (2000), Learning to forget.
    Gers & Schmidhuber (2000), Recurrent nets that time and count.  Jozefowicz, Zaremba & Sutskever (2015), An empirical
    exploration of recurrent network architectures.  Tallec & Ollivier (2018), Can recurrent neural networks warp time?
    arXiv:1804.11188.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.lstm(8)
    >>> start = layer.init(fn.Key(0), (5, 3))
    >>> fn.apply(layer, start.params, start.state, np.zeros((2, 5, 3))).shape
    (2, 5, 8)

    The state of one piece of a sequence starts the next:

    >>> carried = fn.lstm(8, initial=True, final=True)
    >>> zeros = np.zeros((2, 8)), np.zeros((2, 8))
    >>> y, (hidden, cell) = fn.apply(carried, start.params, start.state, (np.ones((2, 5, 3)), zeros))
    >>> bool((hidden == y[:, -1]).all())
    True
    """
    features = check_count(features, "features")
    input_init = check_initializer(input_init, "input_init")
    recurrent_init = check_initializer(recurrent_init, "recurrent_init")
    peephole_init = check_initializer(peephole_init, "peephole_init")
    peepholes = check_flag(peepholes, "peepholes")
    forget_bias = check_range(forget_bias, "forget_bias", float("-inf"), float("inf"), open_low=True, open_high=True)
    input_bias = check_range(input_bias, "input_bias", float("-inf"), float("inf"), open_low=True, open_high=True)
    ends = SequenceOptions(masked, initial, final)
    start = LSTMStart(input_init, recurrent_init, peephole_init if peepholes else None, forget_bias, input_bias)
    forwards: Any = partial(forward, ends)  # Any: the overloads say what goes in and out
    backwards: Any = partial(backward, ends)
    return Layer(
        f"lstm({features})",
        partial(init, features, ends, start),
        forwards,
        backwards,
        False,
    )
