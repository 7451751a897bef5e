r"""LSTM whose hidden state is a projection of its output (Sak, Senior and Beaufays 2014, arXiv:1402.1128, eqs. 7 to 10).

Indices: $t$ step; the batch and feature indices are left out, $\odot$ is the product entry by entry, $\sigma$ the logistic
function.

Forward.  The gates and the cell of $H$ units are those of :mod:`funcnn.layers.recurrent.lstm`; what the next step sees, and what
is given out, are $R < H$ numbers, linear in what the units say:
$$ [z_i, z_f, z_o, z_g]_t = x_t W + h_{t-1} U + b, \qquad c_t = \sigma(z_f) \odot c_{t-1} + \sigma(z_i) \odot \tanh(z_g), $$
$$ m_t = \sigma(z_o) \odot \tanh(c_t), \qquad h_t = m_t P . $$
$U$ then has $4 H R$ weights in place of $4 H^2$.

Derivation.  Backwards through the steps, with $\bar h_t$ from the output and from step $t + 1$,
$$ \bar P = \sum_t m_t^\top \bar h_t, \qquad \bar m_t = \bar h_t P^\top, $$
and on with $\bar m_t$ in the place that $\bar h_t$ has in the LSTM's own derivation:
$\bar z_o = \bar m_t \odot \tanh(c_t) \odot o (1 - o)$, $\bar c_t \mathrel{+}= \bar m_t \odot o \odot (1 - \tanh^2 c_t)$, the
other $\bar z$ of $\bar c_t$, $\bar c_{t-1} = \bar c_t \odot f_t$ and $\bar h_{t-1} = \bar z_t U^\top$; $\bar W$, $\bar U$ and
$\bar b$ are sums over steps.  A masked step hands state and cotangents on as they are.
"""

from functools import partial
from typing import Any, TypeAlias, TypedDict, Unpack, overload

import numpy as np
from attrs import frozen

from funcnn import initializers
from funcnn.errors import check_array, check_cotangent, check_count, check_features, check_options, check_precision, describe
from funcnn.initializers import Initializer
from funcnn.kernels.arrays import as_matrix
from funcnn.key import Key
from funcnn.layer import AnyLayer, Backward, Forward, Init, Layer, Mode, define_layer
from funcnn.layers.activations.sigmoids import sigmoid_value
from funcnn.layers.recurrent import recurrent
from funcnn.layers.recurrent.lstm import LSTMStart, checked_start
from funcnn.layers.recurrent.recurrent import ORTHOGONAL, SequenceOptions
from funcnn.masked import Masked, check_sequence, cotangent_of_masked, cotangent_values
from funcnn.runtime.records import read_only_again
from funcnn.typing import Array, BoolArray, Empty, No, Shapes, Yes

State: TypeAlias = tuple[Array, Array]
"""The projected state (n, R) and the cell (n, H)."""


@read_only_again
@frozen(eq=False)
class ProjectedLSTMParams:
    """Parameters of an LSTM with a projection; the gates stand in the order input, forget, output, candidate."""

    input_weight: Array  # (I, 4 H), W
    recurrent_weight: Array  # (R, 4 H), U
    bias: Array  # (4 H,)
    projection: Array  # (H, R), P


@frozen(eq=False)
class ProjectedLSTMResiduals:
    """The input and all that each step computed, time first."""

    x: Array  # (n, t, I)
    mask: BoolArray | None  # (n, t)
    gates: Array  # (t, 4, n, H)
    hidden: Array  # (t + 1, n, R), the initial one first
    cells: Array  # (t + 1, n, H)
    tanh_cells: Array  # (t, n, H)


def init(
    sizes: tuple[int, int], options: SequenceOptions, start: LSTMStart, key: Key, in_shape: Shapes
) -> Init[ProjectedLSTMParams, Empty]:
    features, projected = sizes
    state = ((projected,), (features,))
    time, inputs = recurrent.shape_of(options, in_shape, state)
    bias = np.zeros(4 * features)
    bias[:features] = start.input_bias
    bias[features : 2 * features] = start.forget_bias
    params = ProjectedLSTMParams(
        start.input_init(key.child(0), (inputs, 4 * features)),
        np.concatenate([start.recurrent_init(one, (projected, features)) for one in key.child(1).split(4)], axis=1),
        bias,
        start.input_init(key.child(2), (features, projected)),
    )
    return Init(params, (), recurrent.out_shape(options, time, projected, state))


def unpack_input(options: SequenceOptions, params: ProjectedLSTMParams, x: object) -> tuple[Array, BoolArray | None, State]:
    """Return the features, the mask and the initial state, or raise."""
    sequence: object = x
    given: Any = None
    if options.initial:
        if not isinstance(x, tuple) or len(x) != 2:
            raise TypeError(f"the input is {describe(x)}, expected a pair (sequence, initial state)")
        sequence, given = x
        if not isinstance(given, tuple) or len(given) != 2:
            raise TypeError(f"the initial state is {describe(given)}, expected a tuple of 2 arrays")
    values, mask = check_sequence(sequence, options.masked)
    check_features(values, params.input_weight)
    features, projected = params.projection.shape
    kind = np.result_type(values, params.input_weight)
    if given is None:
        return values, mask, (np.zeros((len(values), projected), kind), np.zeros((len(values), features), kind))
    for one, size in zip(given, (projected, features), strict=True):
        check_array(one, "the initial state")
        if one.shape != (len(values), size):
            raise ValueError(f"the initial state is {describe(one)}, expected shape {(len(values), size)}")
        check_precision(one, params.input_weight, "the initial state")
    return values, mask, given


def forward(
    options: SequenceOptions, params: ProjectedLSTMParams, state: Empty, x: object, mode: Mode
) -> Forward[object, Empty, ProjectedLSTMResiduals]:
    values, mask, (h, c) = unpack_input(options, params, x)
    batch, time, _ = values.shape
    features, projected = params.projection.shape
    outside = (as_matrix(values) @ params.input_weight + params.bias).reshape(batch, time, 4, features)
    kind = np.result_type(outside, h, c)
    gates: Array = np.empty((time, 4, batch, features), kind)
    hidden: Array = np.empty((time + 1, batch, projected), kind)
    cells: Array = np.empty((time + 1, batch, features), kind)
    tanh_cells: Array = np.empty((time, batch, features), kind)
    hidden[0], cells[0] = h, c
    for t in range(time):
        z = outside[:, t].swapaxes(0, 1) + (hidden[t] @ params.recurrent_weight).reshape(batch, 4, features).swapaxes(0, 1)
        gates[t, :3], gates[t, 3] = sigmoid_value(z[:3]), np.tanh(z[3])
        i, f, o, g = gates[t]
        cells[t + 1] = f * cells[t] + i * g
        tanh_cells[t] = np.tanh(cells[t + 1])
        hidden[t + 1] = (o * tanh_cells[t]) @ params.projection
        if mask is not None:
            recurrent.keep_masked_state_(mask[:, t, None], cells[t + 1], cells[t])
            recurrent.keep_masked_state_(mask[:, t, None], hidden[t + 1], hidden[t])
    residuals = ProjectedLSTMResiduals(values, mask, gates, hidden, cells, tanh_cells)
    return Forward(pack_output(options, residuals), state, residuals)


def pack_output(options: SequenceOptions, residuals: ProjectedLSTMResiduals) -> object:
    """Return the projected states batch first, 0 at masked steps, and perhaps the final state."""
    hidden, mask = residuals.hidden[1:].swapaxes(0, 1).copy(), residuals.mask
    output: Array | Masked = hidden
    if mask is not None:
        hidden *= mask[..., None]
        output = Masked(hidden, mask)
    return (output, (residuals.hidden[-1].copy(), residuals.cells[-1].copy())) if options.final else output


def unpack_cotangent(options: SequenceOptions, residuals: ProjectedLSTMResiduals, dy: object) -> tuple[Array, Array, Array]:
    """Return the cotangents of the projected states (n, t, R), 0 at masked steps, and of the final state's two parts."""
    hidden, cells = residuals.hidden, residuals.cells
    doutput: object = dy
    given: Any = (None, None)
    if options.final:
        if not isinstance(dy, tuple) or len(dy) != 2:
            raise TypeError(f"{recurrent.COTANGENT} is {describe(dy)}, expected a pair: of the sequence and of the final state")
        doutput, given = dy
        if not isinstance(given, tuple) or len(given) != 2:
            raise TypeError(f"{recurrent.COTANGENT} has the final state {describe(given)}, expected a tuple of 2 arrays")
    shape = (hidden.shape[1], len(hidden) - 1, hidden.shape[2])
    dhidden = cotangent_values(doutput, residuals.mask, shape, hidden.dtype)
    states = []
    for part, like in zip(given, (hidden[0], cells[0]), strict=True):
        if part is not None:
            check_cotangent(part, like.shape, like.dtype)
        states.append(np.zeros(like.shape, like.dtype) if part is None else np.array(part, like.dtype))
    return dhidden, states[0], states[1]


def backward(
    options: SequenceOptions, params: ProjectedLSTMParams, residuals: ProjectedLSTMResiduals, dy: object
) -> Backward[ProjectedLSTMParams, object]:
    doutput, dh, dc = unpack_cotangent(options, residuals, dy)
    x, mask, gates, cells = residuals.x, residuals.mask, residuals.gates, residuals.cells
    (batch, time, _), features = x.shape, cells.shape[2]
    kind = np.result_type(doutput, gates)
    dz: Array = np.empty((time, batch, 4, features), kind)
    dstates: Array = np.empty((time, batch, dh.shape[1]), kind)  # of h_t before masking
    for t in reversed(range(time)):
        dh = dh + doutput[:, t]
        dkept_h: Any = 0
        dkept_c: Any = 0
        if mask is not None:
            dkept_h = recurrent.split_masked_cotangent(mask[:, t, None], dh)
            dkept_c = recurrent.split_masked_cotangent(mask[:, t, None], dc)
        dstates[t] = dh
        i, f, o, g = gates[t]
        said = residuals.tanh_cells[t]
        dm = dh @ params.projection.T
        dc = dc + dm * o * (1 - said * said)
        dz[t, :, 0] = dc * g * i * (1 - i)
        dz[t, :, 1] = dc * cells[t] * f * (1 - f)
        dz[t, :, 2] = dm * said * o * (1 - o)
        dz[t, :, 3] = dc * i * (1 - g * g)
        dc = dc * f + dkept_c
        dh = dz[t].reshape(batch, 4 * features) @ params.recurrent_weight.T + dkept_h
    flat = dz.reshape(time * batch, 4 * features)
    said_all = as_matrix(gates[:, 2] * residuals.tanh_cells)
    steps = as_matrix(x.swapaxes(0, 1))
    grads = ProjectedLSTMParams(
        steps.T @ flat, as_matrix(residuals.hidden[:-1]).T @ flat, flat.sum(0), said_all.T @ as_matrix(dstates)
    )
    dvalues = (flat @ params.input_weight.T).reshape(time, batch, x.shape[2]).swapaxes(0, 1)
    dx: Any = cotangent_of_masked(dvalues) if options.masked else dvalues
    return Backward(grads, (dx, (dh, dc)) if options.initial else dx)


class Settings(TypedDict, total=False):
    """The arguments that do not change a type."""

    input_init: Initializer
    recurrent_init: Initializer
    forget_bias: float
    input_bias: float


Params: TypeAlias = ProjectedLSTMParams


@overload
def projected_lstm(
    features: int, projected: int, *, masked: No = False, initial: No = False, final: No = False, **more: Unpack[Settings]
) -> Layer[Params, Empty, Array, Array]: ...
@overload
def projected_lstm(
    features: int, projected: int, *, masked: No = False, initial: No = False, final: Yes, **more: Unpack[Settings]
) -> Layer[Params, Empty, Array, tuple[Array, State]]: ...
@overload
def projected_lstm(
    features: int, projected: int, *, masked: No = False, initial: Yes, final: No = False, **more: Unpack[Settings]
) -> Layer[Params, Empty, tuple[Array, State], Array]: ...
@overload
def projected_lstm(
    features: int, projected: int, *, masked: No = False, initial: Yes, final: Yes, **more: Unpack[Settings]
) -> Layer[Params, Empty, tuple[Array, State], tuple[Array, State]]: ...
@overload
def projected_lstm(
    features: int, projected: int, *, masked: Yes, initial: No = False, final: No = False, **more: Unpack[Settings]
) -> Layer[Params, Empty, Masked, Masked]: ...
@overload
def projected_lstm(
    features: int, projected: int, *, masked: Yes, initial: No = False, final: Yes, **more: Unpack[Settings]
) -> Layer[Params, Empty, Masked, tuple[Masked, State]]: ...
@overload
def projected_lstm(
    features: int, projected: int, *, masked: Yes, initial: Yes, final: No = False, **more: Unpack[Settings]
) -> Layer[Params, Empty, tuple[Masked, State], Masked]: ...
@overload
def projected_lstm(
    features: int, projected: int, *, masked: Yes, initial: Yes, final: Yes, **more: Unpack[Settings]
) -> Layer[Params, Empty, tuple[Masked, State], tuple[Masked, State]]: ...
def projected_lstm(
    features: int,
    projected: int,
    *,
    masked: bool = False,
    initial: bool = False,
    final: bool = False,
    **more: Unpack[Settings],
) -> AnyLayer:
    """Long short-term memory with a projection: (n, t, I) to the projected states (n, t, R).

    Parameters
    ----------
    features : int
        Number of units H.
    projected : int
        Number R of the projected states: PyTorch's ``proj_size``.
    masked, initial, final : bool, optional
        As for :func:`funcnn.lstm`; the state is the pair (n, R), (n, H).
    **more
        ``input_init``, ``recurrent_init``, ``forget_bias`` and ``input_bias`` of :func:`funcnn.lstm`; the projection (H, R) is
        drawn by ``input_init`` too.

    Returns
    -------
    Layer
        Parameters :class:`ProjectedLSTMParams`.

    Raises
    ------
    TypeError, ValueError
        When an argument is out of range; in ``forward``, when the input is not what the layer was made for.

    References
    ----------
    Sak, Senior & Beaufays (2014), Long short-term memory based recurrent neural network architectures for large vocabulary speech
    recognition, arXiv:1402.1128.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.projected_lstm(8, 3, final=True)
    >>> start = layer.init(fn.Key(0), (5, 4))
    >>> y, (hidden, cell) = fn.apply(layer, start.params, start.state, np.zeros((2, 5, 4)))
    >>> y.shape, hidden.shape, cell.shape
    ((2, 5, 3), (2, 3), (2, 8))
    """
    check_options(more, Settings, "projected_lstm")
    sizes = check_count(features, "features"), check_count(projected, "projected")
    options = SequenceOptions(masked, initial, final)
    start = checked_start(
        more.get("input_init", initializers.glorot_uniform),
        more.get("recurrent_init", ORTHOGONAL),
        more.get("forget_bias", 1.0),
        more.get("input_bias", 0.0),
    )
    return define_layer(
        f"projected_lstm({sizes[0]}, {sizes[1]})",
        partial(init, sizes, options, start),
        partial(forward, options),
        partial(backward, options),
        random=False,
        inputs=None,
    )
