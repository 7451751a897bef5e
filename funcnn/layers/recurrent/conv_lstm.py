r"""LSTM over pictures: convolutions in the place of products (Shi et al. 2015, arXiv:1506.04214, eq. 3, without peepholes).

Indices: $t$ step; the batch, the points and the channels are left out, $*$ is a convolution that keeps the size, $\odot$ the
product entry by entry, $\sigma$ the logistic function.

Forward.  One convolution of the input and the last output, channels side by side, gives the four gates of every point:
$$ [z_i, z_f, z_o, z_g]_t = [x_t, h_{t-1}] * W + b, \qquad
   c_t = \sigma(z_f) \odot c_{t-1} + \sigma(z_i) \odot \tanh(z_g), \qquad h_t = \sigma(z_o) \odot \tanh(c_t) . $$

Derivation.  That of :mod:`funcnn.layers.recurrent.lstm`, point by point, for $\bar z_t$ and $\bar c_{t-1}$; the convolution's own
(:mod:`funcnn.layers.convolution.convolution`) takes $\bar z_t$ to $[\bar x_t, \bar h_{t-1}]$, and $\bar W$ and $\bar b$ are sums
over steps.
"""

from functools import partial
from typing import Any, TypeAlias, TypedDict, Unpack, cast, overload

import numpy as np
from attrs import evolve, frozen

from funcnn import initializers, tree
from funcnn.errors import check_array, check_cotangent, check_count, check_flag, check_precision, check_range, describe
from funcnn.initializers import Initializer
from funcnn.kernels.windows import Sizes
from funcnn.key import Key
from funcnn.layer import AnyLayer, Backward, Forward, Init, Layer, Mode, Residuals, define_layer
from funcnn.layers.activations.sigmoids import sigmoid_value
from funcnn.layers.convolution.convolution import ConvParams, conv2d
from funcnn.typing import Array, Empty, No, Shape, Shapes, Yes

State: TypeAlias = tuple[Array, Array]
"""The output and the cell of a step, each (n, height, width, F)."""


@frozen(eq=False)
class ConvLSTMResiduals:
    """What every step computed, and what its convolution kept."""

    convolutions: tuple[Residuals, ...]
    gates: Array  # (t, n, h, w, 4, F)
    cells: Array  # (t + 1, n, h, w, F), the initial one first
    tanh_cells: Array  # (t, n, h, w, F)
    shape: Shape  # of the sequence


@frozen
class ConvLSTM:
    """The convolution of the gates, their number, and what is taken and given beside the sequence."""

    gates: AnyLayer
    features: int
    initial: bool
    final: bool


def split_shapes(setting: ConvLSTM, in_shape: Shapes) -> Shape:
    """Return the shape (t, h, w, C) of one sequence, or raise."""
    shape: Any = in_shape
    state: Any = None
    if setting.initial:
        if len(shape) != 2 or not isinstance(shape[0], tuple):
            raise ValueError(f"in_shape is {in_shape}, expected those of a sequence and of the initial state, a pair")
        shape, state = shape
    if len(shape) != 4 or not all(isinstance(length, int) for length in shape):
        raise ValueError(f"an example has shape {shape}, expected (time, height, width, channels)")
    own = (*shape[1:3], setting.features)
    if setting.initial and state != (own, own):
        raise ValueError(f"the initial state has shapes {state}, expected {(own, own)}")
    return cast(Shape, shape)


def init(setting: ConvLSTM, forget_bias: float, key: Key, in_shape: Shapes) -> Init[ConvParams, Empty]:
    time, height, width, channels = split_shapes(setting, in_shape)
    own = (height, width, setting.features)
    made = setting.gates.init(key, (height, width, channels + setting.features))
    bias = made.params.bias.copy()
    bias[setting.features : 2 * setting.features] = forget_bias
    out_shape = (time, *own)
    return Init(evolve(made.params, bias=bias), (), cast(Shapes, (out_shape, (own, own))) if setting.final else out_shape)


def unpack_input(setting: ConvLSTM, params: ConvParams, x: object) -> tuple[Array, State]:
    """Return the sequence and the initial state, or raise."""
    sequence: Any = x
    given: Any = None
    if setting.initial:
        if not isinstance(x, tuple) or len(x) != 2 or not isinstance(x[1], tuple) or len(x[1]) != 2:
            raise TypeError(f"the input is {describe(x)}, expected a pair (sequence, (output, cell))")
        sequence, given = x
    check_array(sequence, "the sequence", min_ndim=5)
    channels = params.weight.shape[-2] - setting.features
    if sequence.ndim != 5 or sequence.shape[-1] != channels or 0 in sequence.shape[1:]:
        raise ValueError(f"the sequence is {describe(sequence)}, expected (batch, time, height, width, {channels} channels)")
    check_precision(sequence, params.weight, "the sequence")
    shape = (len(sequence), *sequence.shape[2:4], setting.features)
    if given is None:
        zeros: Array = np.zeros(shape, np.result_type(sequence, params.weight))
        return sequence, (zeros, zeros)
    for part in given:
        check_array(part, "the initial state")
        if part.shape != shape:
            raise ValueError(f"the initial state is {describe(part)}, expected shape {shape}")
        check_precision(part, params.weight, "the initial state")
    return sequence, given


def forward(
    setting: ConvLSTM, params: ConvParams, state: Empty, x: object, mode: Mode
) -> Forward[object, Empty, ConvLSTMResiduals]:
    sequence, (h, c) = unpack_input(setting, params, x)
    batch, time, height, width, _ = sequence.shape
    shape = (batch, height, width, setting.features)
    kind = np.result_type(sequence, params.weight, h, c)
    gates: Array = np.empty((time, batch, height, width, 4, setting.features), kind)
    hidden: Array = np.empty((time, *shape), kind)
    cells: Array = np.empty((time + 1, *shape), kind)
    tanh_cells: Array = np.empty((time, *shape), kind)
    cells[0] = c
    kept = []
    for t in range(time):
        made = setting.gates.forward(params, (), np.concatenate([sequence[:, t], h], axis=-1), mode)
        kept.append(made.residuals)
        z = made.output.reshape(batch, height, width, 4, setting.features)
        gates[t, ..., :3, :], gates[t, ..., 3, :] = sigmoid_value(z[..., :3, :]), np.tanh(z[..., 3, :])
        i, f, o, g = np.moveaxis(gates[t], -2, 0)
        cells[t + 1] = f * cells[t] + i * g
        tanh_cells[t] = np.tanh(cells[t + 1])
        h = np.multiply(o, tanh_cells[t], out=hidden[t])
    y = hidden.swapaxes(0, 1).copy()
    residuals = ConvLSTMResiduals(tuple(kept), gates, cells, tanh_cells, sequence.shape)
    return Forward((y, (h.copy(), cells[-1].copy())) if setting.final else y, state, residuals)


def unpack_cotangent(setting: ConvLSTM, residuals: ConvLSTMResiduals, dy: Any) -> tuple[Array, Array, Array]:
    """Return the cotangents of the outputs and of the final state's two parts, or raise."""
    cells = residuals.cells
    own, dtype = cells.shape[1:], cells.dtype
    dh: Array = np.zeros(own, dtype)
    dc: Array = np.zeros(own, dtype)
    if setting.final:
        if not isinstance(dy, tuple) or len(dy) != 2 or not isinstance(dy[1], tuple) or len(dy[1]) != 2:
            raise TypeError(
                f"the cotangent of the output (doutput) is {describe(dy)}, expected a pair (sequence, (output, cell))"
            )
        dy, state = dy
        for part in state:
            check_cotangent(part, own, dtype)
        dh, dc = (np.array(part, dtype) for part in state)
    check_cotangent(dy, (own[0], len(cells) - 1, *own[1:]), dtype)
    return dy, dh, dc


def backward(setting: ConvLSTM, params: ConvParams, residuals: ConvLSTMResiduals, dy: object) -> Backward[ConvParams, object]:
    doutput, dh, dc = unpack_cotangent(setting, residuals, dy)
    gates, cells = residuals.gates, residuals.cells
    channels = residuals.shape[-1]
    dx: Array = np.empty(residuals.shape, np.result_type(doutput, gates))
    grads: Any = tree.map(np.zeros_like, params)
    for t in reversed(range(len(gates))):
        dh = dh + doutput[:, t]
        i, f, o, g = np.moveaxis(gates[t], -2, 0)
        said = residuals.tanh_cells[t]
        dc = dc + dh * o * (1 - said * said)
        dz = (dc * g * i * (1 - i), dc * cells[t] * f * (1 - f), dh * said * o * (1 - o), dc * i * (1 - g * g))
        pulled = setting.gates.backward(params, residuals.convolutions[t], np.concatenate(dz, axis=-1))
        grads = tree.map(np.add, grads, pulled.params)
        dx[:, t], dh = pulled.input[..., :channels], pulled.input[..., channels:]
        dc = dc * f
    return Backward(grads, (dx, (dh.copy(), dc)) if setting.initial else dx)


class Settings(TypedDict, total=False):
    """The arguments that do not change a type."""

    kernel: Sizes
    forget_bias: float
    weight_init: Initializer


@overload
def conv_lstm(
    features: int, *, initial: No = False, final: No = False, **more: Unpack[Settings]
) -> Layer[ConvParams, Empty, Array, Array]: ...
@overload
def conv_lstm(
    features: int, *, initial: No = False, final: Yes, **more: Unpack[Settings]
) -> Layer[ConvParams, Empty, Array, tuple[Array, State]]: ...
@overload
def conv_lstm(
    features: int, *, initial: Yes, final: No = False, **more: Unpack[Settings]
) -> Layer[ConvParams, Empty, tuple[Array, State], Array]: ...
@overload
def conv_lstm(
    features: int, *, initial: Yes, final: Yes, **more: Unpack[Settings]
) -> Layer[ConvParams, Empty, tuple[Array, State], tuple[Array, State]]: ...
def conv_lstm(
    features: int,
    *,
    kernel: Sizes = 3,
    initial: bool = False,
    final: bool = False,
    forget_bias: float = 1.0,
    weight_init: Initializer = initializers.glorot_uniform,
) -> AnyLayer:
    """LSTM over a sequence of pictures: (n, t, height, width, C) to the outputs (n, t, height, width, F).

    Parameters
    ----------
    features : int
        Number of channels F of the outputs and of the cells.
    kernel : int or pair of int, optional
        Points of the convolution along height and width.
    initial : bool, optional
        Take a pair (sequence, (output, cell)) with the initial state, each (n, height, width, F), instead of zeros.
    final : bool, optional
        Give a pair (sequence, (output, cell)) with the state after the last step.
    forget_bias : float, optional
        Initial bias of the forget gate.
    weight_init : callable, optional
        Initializer of the kernel: its height and width, C + F, 4 F.

    Returns
    -------
    Layer
        Parameters as those of :func:`funcnn.conv2d`, with the gates in the order input, forget, output, candidate.

    Raises
    ------
    TypeError, ValueError
        When an argument is out of range; in ``init`` and ``forward``, when the input is not what the layer was made for.

    See Also
    --------
    lstm : of sequences of features.
    time_distributed : applies a layer of pictures to each of a sequence.

    References
    ----------
    Shi et al. (2015), Convolutional LSTM network: a machine learning approach for precipitation nowcasting, arXiv:1506.04214.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.conv_lstm(4)
    >>> start = layer.init(fn.Key(0), (5, 6, 7, 3))
    >>> start.params.weight.shape
    (3, 3, 7, 16)
    >>> fn.apply(layer, start.params, start.state, np.zeros((2, 5, 6, 7, 3))).shape
    (2, 5, 6, 7, 4)
    """
    features = check_count(features, "features")
    gates = conv2d(4 * features, kernel, padding="same", weight_init=weight_init)
    forget_bias = check_range(forget_bias, "forget_bias", float("-inf"), float("inf"), open_low=True, open_high=True)
    setting = ConvLSTM(gates, features, check_flag(initial, "initial"), check_flag(final, "final"))
    return define_layer(
        f"conv_lstm({features})",
        partial(init, setting, forget_bias),
        partial(forward, setting),
        partial(backward, setting),
        random=False,
        inputs=None,
    )
