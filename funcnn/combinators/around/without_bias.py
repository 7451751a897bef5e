r"""A recurrent layer without biases.

Forward.  That of the layer, with $b = 0$ in its formulas (:mod:`funcnn.layers.recurrent.lstm`, ``gru``, ``simple_rnn``).

Derivation.  A constant has no cotangent: those of the other parameters, of the input and of the states are the layer's own.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias, TypeVar, overload

import numpy as np
from attrs import frozen

from funcnn.key import Key
from funcnn.layer import (
    AnyLayer,
    Backward,
    Forward,
    Init,
    Layer,
    Mode,
    Residuals,
    backward_without_input,
    check_layer,
    define_layer,
)
from funcnn.layers.recurrent import cells, gru, lstm, simple_rnn
from funcnn.layers.recurrent.gru import GRUParams
from funcnn.layers.recurrent.lstm import LSTMParams
from funcnn.layers.recurrent.simple_rnn import RNNParams
from funcnn.runtime.records import read_only_again
from funcnn.typing import Array, Empty, Shapes

X = TypeVar("X")
Y = TypeVar("Y")


@read_only_again
@frozen(eq=False)
class RecurrentWeights:
    """Parameters of a recurrent layer without biases, with the gates in the order of those of the layer."""

    input_weight: Array  # (I, g H), W
    recurrent_weight: Array  # (H, g H), U


WithBias: TypeAlias = RNNParams | LSTMParams | GRUParams


def zeros_like_row(weight: Array, first: int = 0) -> Array:
    """Return zeros for each of the columns of a weight from the first on."""
    return np.zeros(weight.shape[1] - first, weight.dtype)


def rnn_params(weights: RecurrentWeights) -> RNNParams:
    """Return the parameters of a simple recurrent layer whose bias is 0."""
    return RNNParams(weights.input_weight, weights.recurrent_weight, zeros_like_row(weights.input_weight))


def lstm_params(weights: RecurrentWeights) -> LSTMParams:
    """Return the parameters of an LSTM whose biases are 0."""
    return LSTMParams(weights.input_weight, weights.recurrent_weight, zeros_like_row(weights.input_weight))


def gru_params(weights: RecurrentWeights) -> GRUParams:
    """Return the parameters of a gated recurrent unit whose biases are 0."""
    size = 2 * len(weights.recurrent_weight)
    row = zeros_like_row(weights.input_weight)
    return GRUParams(weights.input_weight, weights.recurrent_weight, row, zeros_like_row(weights.input_weight, size))


PARAMS: dict[Callable[..., Any], Callable[[RecurrentWeights], WithBias]] = {
    simple_rnn.forward: rnn_params,
    lstm.forward: lstm_params,
    gru.forward: gru_params,
}
"""By the function that the layer's forward binds."""


def params_of(layer: AnyLayer) -> Callable[[RecurrentWeights], WithBias]:
    """Return what makes the parameters of a layer, or raise."""
    forward: Any = layer.forward
    function = forward.func if isinstance(forward, partial) else forward
    if function is cells.forward:
        return params_of(forward.args[0])
    if function not in PARAMS:
        raise ValueError(f"inner is {layer.name}, expected one of rnn, lstm, gru and their cells; a dense layer is fn.linear")
    return PARAMS[function]


def init(inner: AnyLayer, key: Key, in_shape: Shapes) -> Init[RecurrentWeights, Empty]:
    made = inner.init(key, in_shape)
    return Init(RecurrentWeights(made.params.input_weight, made.params.recurrent_weight), (), made.out_shape)


def forward(inner: AnyLayer, params: RecurrentWeights, state: Empty, x: Any, mode: Mode) -> Forward[Any, Empty, Residuals]:
    return inner.forward(params_of(inner)(params), state, x, mode)


def backward(
    inner: AnyLayer, params: RecurrentWeights, residuals: Residuals, dy: Any, input_grad: bool = True
) -> Backward[RecurrentWeights, Any]:
    options = {"input_grad": False} if inner.selective and not input_grad else {}
    made = inner.backward(params_of(inner)(params), residuals, dy, **options)
    grads = RecurrentWeights(made.params.input_weight, made.params.recurrent_weight)
    return Backward(grads, made.input) if input_grad else backward_without_input(grads)


@overload
def without_bias(inner: Layer[RNNParams, Empty, X, Y]) -> Layer[RecurrentWeights, Empty, X, Y]: ...
@overload
def without_bias(inner: Layer[LSTMParams, Empty, X, Y]) -> Layer[RecurrentWeights, Empty, X, Y]: ...
@overload
def without_bias(inner: Layer[GRUParams, Empty, X, Y]) -> Layer[RecurrentWeights, Empty, X, Y]: ...
def without_bias(inner: AnyLayer) -> AnyLayer:
    """Leave the biases out of a recurrent layer or cell.

    Parameters
    ----------
    inner : Layer
        An :func:`funcnn.rnn`, :func:`funcnn.lstm` or :func:`funcnn.gru`, with any options, or the cell of one.  Options for the
        start of a bias mean nothing then.

    Returns
    -------
    Layer
        Parameters :class:`RecurrentWeights`: the two weights.  It takes and gives what the layer does.

    Raises
    ------
    TypeError, ValueError
        When ``inner`` is no layer, or none of these.

    See Also
    --------
    linear, conv2d_without_bias, attention_without_bias, layer_norm_without_shift : layers that have no bias.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.without_bias(fn.lstm(8, final=True))
    >>> start = layer.init(fn.Key(0), (5, 3))
    >>> fn.tree.paths(start.params)
    ('.input_weight', '.recurrent_weight')
    >>> y, (hidden, cell) = fn.apply(layer, start.params, start.state, np.zeros((2, 5, 3)))
    >>> cell.shape
    (2, 8)
    """
    check_layer(inner, "inner")
    params_of(inner)
    return define_layer(
        f"without_bias({inner.name})",
        partial(init, inner),
        partial(forward, inner),
        partial(backward, inner),
        random=False,
        inputs=None,
    )
