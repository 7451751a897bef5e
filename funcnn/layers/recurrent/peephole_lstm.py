r"""Long short-term memory with peepholes (Gers & Schmidhuber 2000).

Indices: as in :mod:`funcnn.layers.recurrent.lstm`, whose forward and derivation hold but for what stands here.

Forward.  The gates see the cell as well, each unit its own, through three vectors $p$: the input and the forget gate the cell of
the step before, the output gate that of this step.
$$ z_i \mathrel{+}= p_i \odot c_{t-1}, \qquad z_f \mathrel{+}= p_f \odot c_{t-1}, \qquad z_o \mathrel{+}= p_o \odot c_t . $$

Derivation.  The cell gets a cotangent from each gate that sees it, and a peephole collects over all steps (and the batch):
$$ \bar c_t \mathrel{+}= p_o \odot \bar z_o, \qquad
   \bar c_{t-1} = \bar c_t \odot f_t + p_i \odot \bar z_i + p_f \odot \bar z_f, $$
$$ \bar p_i = \sum_t \bar z_i \odot c_{t-1}, \qquad \bar p_f = \sum_t \bar z_f \odot c_{t-1}, \qquad
   \bar p_o = \sum_t \bar z_o \odot c_t . $$

In code, of what is computed beforehand, these change:
$$ D_c = o \odot (1 - \tanh^2 c_t) + p_o \odot D_o, \qquad D_{c'} = f + p_i \odot D_i + p_f \odot D_f . $$
"""

from functools import partial
from typing import Unpack, overload

import numpy as np
from attrs import frozen

from funcnn import initializers
from funcnn.errors import check_count
from funcnn.initializers import Initializer, check_initializer
from funcnn.key import Key
from funcnn.layer import AnyLayer, Backward, Forward, Init, Layer, Mode, backward_without_input, define_layer
from funcnn.layers.recurrent import lstm, recurrent
from funcnn.layers.recurrent.lstm import LSTMParams, LSTMResiduals, LSTMStart, State
from funcnn.layers.recurrent.recurrent import ORTHOGONAL, SequenceOptions
from funcnn.masked import Masked
from funcnn.runtime.records import read_only_again
from funcnn.typing import Array, Empty, No, Shapes, Yes


@read_only_again
@frozen(eq=False)
class PeepholeLSTMParams:
    """Parameters of an LSTM with peepholes: the gates in the order input, forget, output, candidate, the peepholes alike."""

    input_weight: Array  # (I, 4 H), W
    recurrent_weight: Array  # (H, 4 H), U
    bias: Array  # (4 H,)
    peepholes: Array  # (3, H), p


def init(
    features: int, options: SequenceOptions, start: LSTMStart, peephole_init: Initializer, key: Key, in_shape: Shapes
) -> Init[PeepholeLSTMParams, Empty]:
    made = lstm.init(features, options, start, key, in_shape)
    plain = made.params
    peepholes = peephole_init(key.child(2), (3, features))
    return Init(PeepholeLSTMParams(plain.input_weight, plain.recurrent_weight, plain.bias, peepholes), (), made.out_shape)


def forward(
    options: SequenceOptions, params: PeepholeLSTMParams, state: Empty, x: object, mode: Mode
) -> Forward[object, Empty, LSTMResiduals]:
    plain = LSTMParams(params.input_weight, params.recurrent_weight, params.bias)
    residuals = lstm.steps_forward(options, plain, params.peepholes, x)
    return Forward(recurrent.pack_output(options, residuals.steps, residuals.cells[-1]), state, residuals)


def backward(
    options: SequenceOptions, params: PeepholeLSTMParams, residuals: LSTMResiduals, dy: object, input_grad: bool = True
) -> Backward[PeepholeLSTMParams, object]:
    dgates, dstate = lstm.steps_backward(options, params.recurrent_weight, params.peepholes, residuals, dy)
    dz, cells = recurrent.flatten_gates(dgates), residuals.cells
    di, df, do, _ = np.moveaxis(dgates, 2, 0)
    dpeepholes = np.stack([peephole_grad(di, cells[:-1]), peephole_grad(df, cells[:-1]), peephole_grad(do, cells[1:])])
    grads = PeepholeLSTMParams(*recurrent.affine_grads(residuals.steps, dz), dpeepholes)
    if not input_grad:
        return backward_without_input(grads)
    return Backward(grads, recurrent.pack_input_cotangent(options, dz, params.input_weight, *dstate))


def peephole_grad(dgate: Array, cells: Array) -> Array:
    """Return the sum over steps and examples of a gate's cotangent (t, n, H) times the cell (t, n, H) that it saw."""
    total: Array = np.einsum("tnh,tnh->h", dgate, cells)
    return total


class Settings(lstm.Settings, total=False):
    """The arguments that do not change a type."""

    peephole_init: Initializer


@overload
def peephole_lstm(
    features: int, *, masked: No = False, initial: No = False, final: No = False, **more: Unpack[Settings]
) -> Layer[PeepholeLSTMParams, Empty, Array, Array]: ...
@overload
def peephole_lstm(
    features: int, *, masked: No = False, initial: No = False, final: Yes, **more: Unpack[Settings]
) -> Layer[PeepholeLSTMParams, Empty, Array, tuple[Array, State]]: ...
@overload
def peephole_lstm(
    features: int, *, masked: No = False, initial: Yes, final: No = False, **more: Unpack[Settings]
) -> Layer[PeepholeLSTMParams, Empty, tuple[Array, State], Array]: ...
@overload
def peephole_lstm(
    features: int, *, masked: No = False, initial: Yes, final: Yes, **more: Unpack[Settings]
) -> Layer[PeepholeLSTMParams, Empty, tuple[Array, State], tuple[Array, State]]: ...
@overload
def peephole_lstm(
    features: int, *, masked: Yes, initial: No = False, final: No = False, **more: Unpack[Settings]
) -> Layer[PeepholeLSTMParams, Empty, Masked, Masked]: ...
@overload
def peephole_lstm(
    features: int, *, masked: Yes, initial: No = False, final: Yes, **more: Unpack[Settings]
) -> Layer[PeepholeLSTMParams, Empty, Masked, tuple[Masked, State]]: ...
@overload
def peephole_lstm(
    features: int, *, masked: Yes, initial: Yes, final: No = False, **more: Unpack[Settings]
) -> Layer[PeepholeLSTMParams, Empty, tuple[Masked, State], Masked]: ...
@overload
def peephole_lstm(
    features: int, *, masked: Yes, initial: Yes, final: Yes, **more: Unpack[Settings]
) -> Layer[PeepholeLSTMParams, Empty, tuple[Masked, State], tuple[Masked, State]]: ...
def peephole_lstm(
    features: int,
    *,
    masked: bool = False,
    initial: bool = False,
    final: bool = False,
    input_init: Initializer = initializers.glorot_uniform,
    recurrent_init: Initializer = ORTHOGONAL,
    peephole_init: Initializer = initializers.zeros,
    forget_bias: float = 1.0,
    input_bias: float = 0.0,
) -> AnyLayer:
    """Long short-term memory whose gates see the cell: (n, t, I) to the hidden states (n, t, H).

    Parameters
    ----------
    features : int
        Number of hidden units H.
    masked, initial, final : bool, optional
        What the layer takes and gives, as in :func:`funcnn.lstm`.
    input_init, recurrent_init, peephole_init : callable, optional
        Initializers of W (I, 4 H), of the four (H, H) blocks of U and of the peepholes (3, H).
    forget_bias, input_bias : float, optional
        Initial biases, as in :func:`funcnn.lstm`.

    Returns
    -------
    Layer
        Parameters :class:`PeepholeLSTMParams`.

    Raises
    ------
    TypeError, ValueError
        When an argument is out of range; in ``forward``, when the input is not what the layer was made for.

    See Also
    --------
    lstm : without peepholes.

    References
    ----------
    Gers & Schmidhuber (2000), Recurrent nets that time and count.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.peephole_lstm(8)
    >>> start = layer.init(fn.Key(0), (5, 3))
    >>> start.params.peepholes.shape
    (3, 8)
    >>> fn.apply(layer, start.params, start.state, np.zeros((2, 5, 3))).shape
    (2, 5, 8)
    """
    features = check_count(features, "features")
    options = SequenceOptions(masked, initial, final)
    start = lstm.checked_start(input_init, recurrent_init, forget_bias, input_bias)
    peephole_init = check_initializer(peephole_init, "peephole_init")
    return define_layer(
        f"peephole_lstm({features})",
        partial(init, features, options, start, peephole_init),
        partial(forward, options),
        partial(backward, options),
        random=False,
        inputs=None,
    )
