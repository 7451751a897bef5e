r"""Long short-term memory (Hochreiter & Schmidhuber 1997; with forget gates, Gers et al. 2000).

Indices: $t$ step; the batch and feature indices are left out, $\odot$ is the product entry by entry, $\sigma$ the logistic
function.

Forward.  Four gates from the input and the last output, the cell, the output:
$$ [z_i, z_f, z_o, z_g]_t = x_t W + h_{t-1} U + b, $$
$$ i_t = \sigma(z_{i}), \quad f_t = \sigma(z_{f}), \quad o_t = \sigma(z_{o}), \quad g_t = \tanh(z_{g}), $$
$$ c_t = f_t \odot c_{t-1} + i_t \odot g_t, \qquad h_t = o_t \odot \tanh(c_t). $$

Derivation.  Go through the steps backwards.  Let $\bar h_t$ collect what arrives from the output and from step $t+1$, and
$\bar c_t$ what arrives from step $t+1$.  From $\mathrm{d}h_t$ and $\mathrm{d}c_t$, with $\sigma' = \sigma(1-\sigma)$ and
$\tanh' = 1 - \tanh^2$:
$$ \bar z_{o} = \bar h_t \odot \tanh(c_t) \odot o_t (1 - o_t), \qquad
   \bar c_t \mathrel{+}= \bar h_t \odot o_t \odot (1 - \tanh^2 c_t), $$
$$ \bar z_{i} = \bar c_t \odot g_t \odot i_t (1 - i_t), \quad
   \bar z_{f} = \bar c_t \odot c_{t-1} \odot f_t (1 - f_t), \quad
   \bar z_{g} = \bar c_t \odot i_t \odot (1 - g_t^2), $$
$$ \bar c_{t-1} = \bar c_t \odot f_t, \qquad \bar h_{t-1} = \bar z_t U^\top . $$
All parameters enter linearly and are the same at every step, so their cotangents are sums over steps, each one product at the
end:
$$ \bar W = \sum_t x_t^\top \bar z_t, \qquad \bar U = \sum_t h_{t-1}^\top \bar z_t, \qquad \bar b = \sum_t 1^\top \bar z_t, \qquad
   \bar x_t = \bar z_t W^\top . $$
The recursion starts at the cotangents of the final state, if that was given out, and ends at those of the initial state.
Where a step is masked, $m_t = 0$: $h_t = m_t \hat h_t + (1 - m_t) h_{t-1}$ and likewise $c_t$, with the output $m_t h_t$;
the cotangents split alike.

In code the steps are the leading axis, see :mod:`funcnn.layers.recurrent.recurrent`, and the parameters of the gates with a
logistic function are halved once, for $\sigma(z) = (1 + \tanh\frac{z}{2})/2$.  Backwards, what stands beside $\bar h_t$ and
$\bar c_t$ above, the slopes, is computed beforehand: $D_o = \tanh(c_t) \odot o (1 - o)$ and so on for the gates,
$D_c = o \odot (1 - \tanh^2 c_t)$ and $D_{c'} = f$, so that a step is $\bar c_t \mathrel{+}= \bar h_t \odot D_c$,
$\bar z_o = \bar h_t \odot D_o$, the other $\bar z = \bar c_t \odot D$, and $\bar c_{t-1} = \bar c_t \odot D_{c'}$.

The steps are written for peepholes as well, vectors through which the gates see the cell: what these add, and its derivation,
stands in :mod:`funcnn.layers.recurrent.peephole_lstm`.
"""

from functools import partial
from typing import TypeAlias, TypedDict, Unpack, overload

import numpy as np
from attrs import frozen

from funcnn import initializers
from funcnn.errors import check_count, check_range
from funcnn.initializers import Initializer, check_initializer
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
class LSTMParams:
    """Parameters of an LSTM; the gates stand in the order input, forget, output, candidate."""

    input_weight: Array  # (I, 4 H), W
    recurrent_weight: Array  # (H, 4 H), U
    bias: Array  # (4 H,)


@frozen(eq=False)
class LSTMResiduals:
    """The input and all that each step computed, time first."""

    steps: StepInputs
    gates: Array  # (t, 4, n, H)
    cells: Array  # (t + 1, n, H), the initial one first
    tanh_cells: Array  # (t, n, H), of the cells before masking


@frozen
class LSTMStart:
    """What the parameters start from."""

    input_init: Initializer
    recurrent_init: Initializer
    forget_bias: float
    input_bias: float


def checked_start(input_init: Initializer, recurrent_init: Initializer, forget_bias: float, input_bias: float) -> LSTMStart:
    """Return what the parameters start from, or raise."""
    return LSTMStart(
        check_initializer(input_init, "input_init"),
        check_initializer(recurrent_init, "recurrent_init"),
        check_range(forget_bias, "forget_bias", float("-inf"), float("inf"), open_low=True, open_high=True),
        check_range(input_bias, "input_bias", float("-inf"), float("inf"), open_low=True, open_high=True),
    )


def init(features: int, options: SequenceOptions, start: LSTMStart, key: Key, in_shape: Shapes) -> Init[LSTMParams, Empty]:
    state = ((features,), (features,))
    time, inputs = recurrent.shape_of(options, in_shape, state)
    bias = np.zeros(4 * features)
    bias[:features] = start.input_bias
    bias[features : 2 * features] = start.forget_bias
    params = LSTMParams(
        start.input_init(key.child(0), (inputs, 4 * features)),
        recurrent.weight_of_gates(start.recurrent_init, key.child(1), features, 4),
        bias,
    )
    return Init(params, (), recurrent.out_shape(options, time, features, state))


def forward(
    options: SequenceOptions, params: LSTMParams, state: Empty, x: object, mode: Mode
) -> Forward[object, Empty, LSTMResiduals]:
    residuals = steps_forward(options, params, None, x)
    return Forward(recurrent.pack_output(options, residuals.steps, residuals.cells[-1]), state, residuals)


def steps_forward(options: SequenceOptions, params: LSTMParams, peepholes: Array | None, x: object) -> LSTMResiduals:
    """Go through the steps of a sequence; the peepholes are (3, H), or None."""
    steps, (_, c) = recurrent.unpack_input(options, x, 2, params.input_weight, params.recurrent_weight)
    (batch, size), time, hidden = c.shape, steps.count, steps.hidden
    stacked_weight = recurrent.stack_weights(params.recurrent_weight, params.bias, params.input_weight)
    stacked_weight[:, : 3 * size] *= 0.5
    weight = recurrent.blocks(recurrent.by_gate(stacked_weight, 4), batch)
    half_peepholes = None if peepholes is None else 0.5 * peepholes[:, None]  # (3, 1, H)
    dtype = np.result_type(steps.concatenated, stacked_weight)
    gates: Array = np.empty((time, 4, batch, size), dtype)
    cells: Array = np.empty((time + 1, batch, size), dtype)
    tanh_cells: Array = np.empty((time, batch, size), dtype)
    cells[0] = c
    products = recurrent.blocked_view(gates, weight)
    with one_thread():
        for t in range(time):
            np.matmul(steps.concatenated[t], weight, out=products[t])
            z = gates[t]
            i, f, o, g = z
            if half_peepholes is None:
                tanh(z, out=z)  # i, f, o = sigma(z) and g = tanh(z)
                recurrent.tanh_to_sigmoid_(z[:3])
            else:
                i += half_peepholes[0] * cells[t]
                f += half_peepholes[1] * cells[t]
                recurrent.sigmoid_of_double_(z[:2])
                tanh(g, out=g)
            c = np.multiply(f, cells[t], out=cells[t + 1])
            c += i * g  # c_t = f c_{t-1} + i g
            if half_peepholes is not None:
                o += half_peepholes[2] * c
                recurrent.sigmoid_of_double_(o)
            h = np.multiply(o, tanh(c, out=tanh_cells[t]), out=hidden[t + 1])
            if steps.mask is not None:
                step_mask = steps.mask[:, t, None]
                recurrent.keep_masked_state_(step_mask, c, cells[t])
                recurrent.keep_masked_state_(step_mask, h, hidden[t])
    return LSTMResiduals(steps, gates, cells, tanh_cells)


def slopes_of_steps(residuals: LSTMResiduals, peepholes: Array | None, part: slice) -> tuple[Array, Array, Array]:
    """Return, for a stretch of steps, the D of the four gates (t, 4, n, H), and D_c and D_c' (t, n, H)."""
    gates, before, tanh_cells = residuals.gates[part], residuals.cells[part], residuals.tanh_cells[part]
    i, f, o, g = gates.swapaxes(0, 1)
    slopes: Array = 1 - gates
    slope_i, slope_f, slope_o, slope_g = slopes.swapaxes(0, 1)
    # D_i = i (1 - i) g,  D_f = f (1 - f) c_{t-1},  D_o = o (1 - o) tanh(c_t),  D_g = (1 - g) (1 + g) i
    slopes[:, :3] *= gates[:, :3]
    slope_i *= g
    slope_f *= before
    slope_o *= tanh_cells
    slope_g *= 1 + g
    slope_g *= i
    # D_c = (1 - tanh(c_t)^2) o
    slope_cell = tanh_cells * tanh_cells
    np.subtract(1, slope_cell, out=slope_cell)
    slope_cell *= o
    if peepholes is None:
        return slopes, slope_cell, f
    slope_cell += peepholes[2] * slope_o
    return slopes, slope_cell, f + peepholes[0] * slope_i + peepholes[1] * slope_f


def backward(
    options: SequenceOptions, params: LSTMParams, residuals: LSTMResiduals, dy: object, input_grad: bool = True
) -> Backward[LSTMParams, object]:
    dgates, dstate = steps_backward(options, params.recurrent_weight, None, residuals, dy)
    dz = recurrent.flatten_gates(dgates)
    grads = LSTMParams(*recurrent.affine_grads(residuals.steps, dz))
    if not input_grad:
        return backward_without_input(grads)
    return Backward(grads, recurrent.pack_input_cotangent(options, dz, params.input_weight, *dstate))


def steps_backward(
    options: SequenceOptions, recurrent_weight: Array, peepholes: Array | None, residuals: LSTMResiduals, dy: object
) -> tuple[Array, tuple[Array, Array]]:
    """Return the cotangents of all gates (t, n, 4, H), before their activations, and of the initial state."""
    steps = residuals.steps
    doutput, (dh, dc) = recurrent.unpack_output_cotangent(options, steps, 2, dy)
    column = None if peepholes is None else peepholes[:, None]
    weight = recurrent.transposed_blocks(recurrent_weight, 4, len(dh))
    dgates: Array = np.empty((steps.count, len(dh), 4, steps.size), dh.dtype)
    dz_by_gate, dh_by_gate = dgates.swapaxes(1, 2), np.empty((4, *dh.shape), dh.dtype)
    products = recurrent.blocked_view(dh_by_gate, weight)
    with one_thread():
        for t, (slopes, slope_cell, slope_before) in recurrent.reversed_steps(
            partial(slopes_of_steps, residuals, column), steps.count
        ):
            dh += doutput[t]
            dmasked: tuple[Array, ...] = ()
            if steps.mask is not None:
                step_mask = steps.mask[:, t, None]
                dmasked = (recurrent.split_masked_cotangent(step_mask, dh), recurrent.split_masked_cotangent(step_mask, dc))
            dc += dh * slope_cell
            dz = dz_by_gate[t]
            np.multiply(dc, slopes, out=dz)
            np.multiply(dh, slopes[2], out=dz[2])
            dc *= slope_before
            np.matmul(dz[:, None], weight, out=products)
            np.add.reduce(dh_by_gate, axis=0, out=dh)  # dz U^T, the sum of the gates' shares
            if dmasked:
                dh += dmasked[0]
                dc += dmasked[1]
    return dgates, (dh, dc)


class Settings(TypedDict, total=False):
    """The arguments that do not change a type."""

    input_init: Initializer
    recurrent_init: Initializer
    forget_bias: float
    input_bias: float


State: TypeAlias = tuple[Array, Array]
"""The hidden state and the cell, each (n, H)."""


@overload
def lstm(
    features: int, *, masked: No = False, initial: No = False, final: No = False, **more: Unpack[Settings]
) -> Layer[LSTMParams, Empty, Array, Array]: ...
@overload
def lstm(
    features: int, *, masked: No = False, initial: No = False, final: Yes, **more: Unpack[Settings]
) -> Layer[LSTMParams, Empty, Array, tuple[Array, State]]: ...
@overload
def lstm(
    features: int, *, masked: No = False, initial: Yes, final: No = False, **more: Unpack[Settings]
) -> Layer[LSTMParams, Empty, tuple[Array, State], Array]: ...
@overload
def lstm(
    features: int, *, masked: No = False, initial: Yes, final: Yes, **more: Unpack[Settings]
) -> Layer[LSTMParams, Empty, tuple[Array, State], tuple[Array, State]]: ...
@overload
def lstm(
    features: int, *, masked: Yes, initial: No = False, final: No = False, **more: Unpack[Settings]
) -> Layer[LSTMParams, Empty, Masked, Masked]: ...
@overload
def lstm(
    features: int, *, masked: Yes, initial: No = False, final: Yes, **more: Unpack[Settings]
) -> Layer[LSTMParams, Empty, Masked, tuple[Masked, State]]: ...
@overload
def lstm(
    features: int, *, masked: Yes, initial: Yes, final: No = False, **more: Unpack[Settings]
) -> Layer[LSTMParams, Empty, tuple[Masked, State], Masked]: ...
@overload
def lstm(
    features: int, *, masked: Yes, initial: Yes, final: Yes, **more: Unpack[Settings]
) -> Layer[LSTMParams, Empty, tuple[Masked, State], tuple[Masked, State]]: ...
def lstm(
    features: int,
    *,
    masked: bool = False,
    initial: bool = False,
    final: bool = False,
    input_init: Initializer = initializers.glorot_uniform,
    recurrent_init: Initializer = ORTHOGONAL,
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
    input_init, recurrent_init : callable, optional
        Initializers of W (I, 4 H) and of the four (H, H) blocks of U.
    forget_bias : float, optional
        Initial bias of the forget gate; 1 lets the cell remember from the start (Jozefowicz et al. 2015).
    input_bias : float, optional
        Initial bias of the input gate.  For memory over some T steps, ``forget_bias=log(T), input_bias=-log(T)``: a cell that
        forgets slowly must fill as slowly (Tallec & Ollivier 2018).

    Returns
    -------
    Layer
        Parameters :class:`LSTMParams`.

    Raises
    ------
    TypeError, ValueError
        When an argument is out of range; in ``forward``, when the input is not what the layer was made for.

    See Also
    --------
    peephole_lstm : whose gates see the cell.
    last_step : the last hidden state alone.
    bidirectional : one such layer in each direction.
    trained_start : learns the initial state.

    References
    ----------
    Hochreiter & Schmidhuber (1997), Long short-term memory.  Gers, Schmidhuber & Cummins (2000), Learning to forget.
    Jozefowicz, Zaremba & Sutskever (2015), An empirical exploration of recurrent network architectures.  Tallec & Ollivier
    (2018), Can recurrent neural networks warp time? arXiv:1804.11188.

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
    options = SequenceOptions(masked, initial, final)
    start = checked_start(input_init, recurrent_init, forget_bias, input_bias)
    return define_layer(
        f"lstm({features})",
        partial(init, features, options, start),
        partial(forward, options),
        partial(backward, options),
        random=False,
        inputs=None,
    )
