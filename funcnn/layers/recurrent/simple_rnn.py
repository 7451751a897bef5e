r"""Simple recurrent network (Elman 1990).

Indices: $t$ step; the batch and feature indices are left out, $\odot$ is the product entry by entry, $\phi$ is tanh or relu.

Forward
$$ h_t = \phi(x_t W + h_{t-1} U + b) $$

Derivation.  Backwards through the steps, $\bar h_t$ collecting what arrives from the output and from step $t+1$.  With $\phi'
= 1 - h^2$ for tanh and $[h > 0]$ for relu, both functions of the output:
$$ \bar z_t = \bar h_t \odot \phi'(h_t), \qquad \bar h_{t-1} = \bar z_t U^\top, \qquad \bar x_t = \bar z_t W^\top, $$
$$ \bar W = \sum_t x_t^\top \bar z_t, \qquad \bar U = \sum_t h_{t-1}^\top \bar z_t, \qquad \bar b = \sum_t 1^\top \bar z_t. $$
The final and the initial state, masked steps and the layout in code are as in :mod:`funcnn.layers.recurrent.lstm`.
"""

from functools import partial
from typing import Literal, TypedDict, Unpack, cast, overload

import numpy as np
from attrs import frozen

from funcnn import initializers
from funcnn.errors import check_choice, check_count
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
class RNNParams:
    """Parameters of a simple recurrent network."""

    input_weight: Array  # (I, H), W
    recurrent_weight: Array  # (H, H), U
    bias: Array  # (H,)


@frozen(eq=False)
class RNNResiduals:
    """The input and the states, time first."""

    steps: StepInputs
    values: Array  # (t, n, H), of the activation, before masking


def init(
    features: int, options: SequenceOptions, input_init: Initializer, recurrent_init: Initializer, key: Key, in_shape: Shapes
) -> Init[RNNParams, Empty]:
    time, inputs = recurrent.shape_of(options, in_shape, (features,))
    params = RNNParams(
        input_init(key.child(0), (inputs, features)),
        recurrent_init(key.child(1), (features, features)),
        np.zeros(features),
    )
    return Init(params, (), recurrent.out_shape(options, time, features, (features,)))


def forward(
    activation: str, options: SequenceOptions, params: RNNParams, state: Empty, x: object, mode: Mode
) -> Forward[object, Empty, RNNResiduals]:
    steps, (h,) = recurrent.unpack_input(options, x, 1, params.input_weight, params.recurrent_weight)
    (batch, size), time, hidden = h.shape, steps.count, steps.hidden
    stacked_weight = recurrent.stack_weights(params.recurrent_weight, params.bias, params.input_weight)
    weight = recurrent.blocks(stacked_weight[None], batch)
    values: Array = np.empty((time, batch, size), np.result_type(steps.concatenated, stacked_weight))
    products = recurrent.blocked_view(values[:, None], weight)
    with one_thread():
        for t in range(time):
            np.matmul(steps.concatenated[t], weight, out=products[t])
            z = values[t]
            if activation == "tanh":
                tanh(z, out=z)
            elif z.dtype.kind == "c":  # the real parts are compared
                np.copyto(z, 0, where=z.real <= 0)
            else:
                np.maximum(z, 0, out=z)
            hidden[t + 1] = z
            if steps.mask is not None:
                recurrent.keep_masked_state_(steps.mask[:, t, None], hidden[t + 1], hidden[t])
    return Forward(recurrent.pack_output(options, steps), state, RNNResiduals(steps, values))


def slope_of_steps(activation: str, residuals: RNNResiduals, part: slice) -> tuple[Array]:
    r"""Return $\phi'$ for a stretch of steps, (t, n, H)."""
    values = residuals.values[part]
    return (1 - values * values if activation == "tanh" else cast(Array, values > 0),)  # booleans count as 0 and 1


def backward(
    activation: str, options: SequenceOptions, params: RNNParams, residuals: RNNResiduals, dy: object, input_grad: bool = True
) -> Backward[RNNParams, object]:
    dz, dstate = steps_backward(activation, options, params.recurrent_weight, residuals, dy)
    grads = RNNParams(*recurrent.affine_grads(residuals.steps, dz))
    if not input_grad:
        return backward_without_input(grads)
    return Backward(grads, recurrent.pack_input_cotangent(options, dz, params.input_weight, dstate))


def steps_backward(
    activation: str, options: SequenceOptions, recurrent_weight: Array, residuals: RNNResiduals, dy: object
) -> tuple[Array, Array]:
    """Return the cotangents of all steps (t, n, H), before the activation, and of the initial state."""
    steps = residuals.steps
    doutput, (dh,) = recurrent.unpack_output_cotangent(options, steps, 1, dy)
    weight = recurrent.transposed_blocks(recurrent_weight, 1, len(dh))
    dz: Array = np.empty(residuals.values.shape, dh.dtype)
    products = recurrent.blocked_view(dh[None], weight)
    with one_thread():
        for t, (slope,) in recurrent.reversed_steps(partial(slope_of_steps, activation, residuals), steps.count):
            dh += doutput[t]
            dmasked = None if steps.mask is None else recurrent.split_masked_cotangent(steps.mask[:, t, None], dh)
            np.multiply(dh, slope, out=dz[t])
            np.matmul(dz[t], weight, out=products)
            if dmasked is not None:
                dh += dmasked
    return dz, dh


class Settings(TypedDict, total=False):
    """The arguments that do not change a type."""

    activation: Literal["tanh", "relu"]
    input_init: Initializer
    recurrent_init: Initializer


@overload
def rnn(
    features: int, *, masked: No = False, initial: No = False, final: No = False, **more: Unpack[Settings]
) -> Layer[RNNParams, Empty, Array, Array]: ...
@overload
def rnn(
    features: int, *, masked: No = False, initial: No = False, final: Yes, **more: Unpack[Settings]
) -> Layer[RNNParams, Empty, Array, tuple[Array, Array]]: ...
@overload
def rnn(
    features: int, *, masked: No = False, initial: Yes, final: No = False, **more: Unpack[Settings]
) -> Layer[RNNParams, Empty, tuple[Array, Array], Array]: ...
@overload
def rnn(
    features: int, *, masked: No = False, initial: Yes, final: Yes, **more: Unpack[Settings]
) -> Layer[RNNParams, Empty, tuple[Array, Array], tuple[Array, Array]]: ...
@overload
def rnn(
    features: int, *, masked: Yes, initial: No = False, final: No = False, **more: Unpack[Settings]
) -> Layer[RNNParams, Empty, Masked, Masked]: ...
@overload
def rnn(
    features: int, *, masked: Yes, initial: No = False, final: Yes, **more: Unpack[Settings]
) -> Layer[RNNParams, Empty, Masked, tuple[Masked, Array]]: ...
@overload
def rnn(
    features: int, *, masked: Yes, initial: Yes, final: No = False, **more: Unpack[Settings]
) -> Layer[RNNParams, Empty, tuple[Masked, Array], Masked]: ...
@overload
def rnn(
    features: int, *, masked: Yes, initial: Yes, final: Yes, **more: Unpack[Settings]
) -> Layer[RNNParams, Empty, tuple[Masked, Array], tuple[Masked, Array]]: ...
def rnn(
    features: int,
    *,
    activation: Literal["tanh", "relu"] = "tanh",
    masked: bool = False,
    initial: bool = False,
    final: bool = False,
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
    final : bool, optional
        Give a pair (sequence, hidden) with the state after the last step that is not masked.
    input_init, recurrent_init : callable, optional
        Initializers of W (I, H) and U (H, H).

    Returns
    -------
    Layer
        Parameters :class:`RNNParams`.

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
    Elman (1990), Finding structure in time.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.rnn(8)
    >>> start = layer.init(fn.Key(0), (5, 3))
    >>> fn.apply(layer, start.params, start.state, np.zeros((2, 5, 3))).shape
    (2, 5, 8)
    """
    features = check_count(features, "features")
    options = SequenceOptions(masked, initial, final)
    input_init, recurrent_init = check_initializer(input_init, "input_init"), check_initializer(recurrent_init, "recurrent_init")
    activation = check_choice(activation, ("tanh", "relu"), "activation")
    return define_layer(
        f"rnn({features})",
        partial(init, features, options, input_init, recurrent_init),
        partial(forward, activation, options),
        partial(backward, activation, options),
        random=False,
        inputs=None,
    )
