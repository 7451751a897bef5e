r"""Recurrent cells: one step, from an input and a state to the state after it.

Forward and derivation are those of the layers over sequences (:mod:`funcnn.layers.recurrent.simple_rnn`, ``lstm``, ``gru``) for a
sequence of one step, which begins with the state that is given:
$$ s_1 = f(x, s_0; p), \qquad
   (\bar x, \bar s_0, \bar p) = \Big(\frac{\partial f}{\partial (x, s_0, p)}\Big)^{\!\top} \bar s_1 . $$
The code and the parameters are theirs, so that weights learned over sequences can be used step by step, as in a decoder, in
reinforcement learning, or where steps are far apart in time.
"""

from functools import partial
from typing import Any, Literal, cast

import numpy as np
from attrs import frozen

from funcnn import initializers
from funcnn.errors import check_array, check_cotangent, describe
from funcnn.initializers import Initializer
from funcnn.key import Key
from funcnn.layer import AnyLayer, Backward, Forward, Init, Layer, Mode, Residuals, backward_without_input, define_layer
from funcnn.layers.recurrent.gru import GRUParams, gru
from funcnn.layers.recurrent.lstm import LSTMParams, State, lstm
from funcnn.layers.recurrent.recurrent import ORTHOGONAL
from funcnn.layers.recurrent.simple_rnn import RNNParams, rnn
from funcnn.typing import Array, Empty, Shapes


@frozen(eq=False)
class CellResiduals:
    """What the layer over sequences kept, and the state after the step, whose shape a cotangent has."""

    inner: Residuals
    state: Any  # an array (n, H), or a pair of such


def init(inner: AnyLayer, key: Key, in_shape: Shapes) -> Init[Any, Empty]:
    shape: Any = in_shape
    if len(shape) != 2 or not isinstance(shape[0], tuple) or len(shape[0]) != 1:
        raise ValueError(f"in_shape is {in_shape}, expected the shapes of the input (features,) and of the state")
    made = inner.init(key, ((1, *shape[0]), shape[1]))
    return Init(made.params, (), cast(Any, made.out_shape)[1])


def forward(inner: AnyLayer, params: Any, state: Empty, x: object, mode: Mode) -> Forward[Any, Empty, CellResiduals]:
    if not isinstance(x, tuple) or len(x) != 2:
        raise TypeError(f"the input is {describe(x)}, expected a pair (input, state)")
    values, before = x
    check_array(values)
    if values.ndim != 2:
        raise ValueError(f"the input is {describe(values)}, expected (batch, features)")
    made = inner.forward(params, state, (values[:, np.newaxis], before), mode)
    after = made.output[1]
    return Forward(after, state, CellResiduals(made.residuals, after))


def backward(inner: AnyLayer, params: Any, residuals: CellResiduals, dy: Any, input_grad: bool = True) -> Backward[Any, Any]:
    check_state_cotangent(dy, residuals.state)
    hidden = residuals.state[0] if isinstance(residuals.state, tuple) else residuals.state
    unused: Array = np.zeros((len(hidden), 1, hidden.shape[1]), hidden.dtype)  # the output of the step is its state
    made = inner.backward(params, residuals.inner, (unused, dy))
    if not input_grad:
        return backward_without_input(made.params)
    dsequence, dbefore = made.input
    return Backward(made.params, (dsequence[:, 0], dbefore))


def check_state_cotangent(dy: object, state: Any) -> None:
    """Raise unless the cotangent of a state is like it: an array, or a pair of arrays."""
    if not isinstance(state, tuple):
        check_cotangent(dy, state.shape, state.dtype)
        return
    if not isinstance(dy, tuple) or len(dy) != len(state):
        raise TypeError(f"the cotangent of the output (doutput) is {describe(dy)}, expected a pair (hidden, cell)")
    for one, part in zip(dy, state, strict=True):
        check_cotangent(one, part.shape, part.dtype)


def cell_of(name: str, inner: AnyLayer) -> AnyLayer:
    """Return the cell of a layer over sequences that takes and gives states."""
    return define_layer(name, partial(init, inner), partial(forward, inner), partial(backward, inner), random=False, inputs=None)


def rnn_cell(
    features: int,
    *,
    activation: Literal["tanh", "relu"] = "tanh",
    input_init: Initializer = initializers.glorot_uniform,
    recurrent_init: Initializer = ORTHOGONAL,
) -> Layer[RNNParams, Empty, tuple[Array, Array], Array]:
    """One step of a simple recurrent layer: a pair of the input (n, I) and the state (n, H) to the next state.

    Parameters
    ----------
    features : int
        Number of hidden units H.
    activation, input_init, recurrent_init : optional
        As for :func:`funcnn.rnn`.

    Returns
    -------
    Layer
        Parameters as those of :func:`funcnn.rnn`.

    Raises
    ------
    TypeError, ValueError
        As for :func:`funcnn.rnn`.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> cell = fn.rnn_cell(4)
    >>> start = cell.init(fn.Key(0), ((3,), (4,)))
    >>> fn.apply(cell, start.params, (), (np.zeros((2, 3)), np.zeros((2, 4)))).shape
    (2, 4)
    """
    inner = rnn(features, activation=activation, initial=True, final=True, input_init=input_init, recurrent_init=recurrent_init)
    return cell_of(f"rnn_cell({features})", inner)


def lstm_cell(
    features: int,
    *,
    input_init: Initializer = initializers.glorot_uniform,
    recurrent_init: Initializer = ORTHOGONAL,
    forget_bias: float = 1.0,
    input_bias: float = 0.0,
) -> Layer[LSTMParams, Empty, tuple[Array, State], State]:
    """One step of long short-term memory: (input, (hidden, cell)) to the next (hidden, cell).

    Parameters
    ----------
    features : int
        Number of hidden units H.
    input_init, recurrent_init, forget_bias, input_bias : optional
        As for :func:`funcnn.lstm`.

    Returns
    -------
    Layer
        Parameters as those of :func:`funcnn.lstm`; the input is (n, I), hidden state and cell are (n, H).

    Raises
    ------
    TypeError, ValueError
        As for :func:`funcnn.lstm`.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> cell = fn.lstm_cell(4)
    >>> start = cell.init(fn.Key(0), ((3,), ((4,), (4,))))
    >>> state = np.zeros((2, 4)), np.zeros((2, 4))
    >>> for x in np.ones((5, 2, 3)):
    ...     state = fn.apply(cell, start.params, (), (x, state))
    >>> state[0].shape
    (2, 4)
    """
    inner = lstm(
        features,
        initial=True,
        final=True,
        input_init=input_init,
        recurrent_init=recurrent_init,
        forget_bias=forget_bias,
        input_bias=input_bias,
    )
    return cell_of(f"lstm_cell({features})", inner)


def gru_cell(
    features: int,
    *,
    reset_after: bool = True,
    input_init: Initializer = initializers.glorot_uniform,
    recurrent_init: Initializer = ORTHOGONAL,
    update_bias: float = 0.0,
) -> Layer[GRUParams, Empty, tuple[Array, Array], Array]:
    """One step of a gated recurrent unit: a pair of the input (n, I) and the state (n, H) to the next state.

    Parameters
    ----------
    features : int
        Number of hidden units H.
    reset_after, input_init, recurrent_init, update_bias : optional
        As for :func:`funcnn.gru`.

    Returns
    -------
    Layer
        Parameters as those of :func:`funcnn.gru`.

    Raises
    ------
    TypeError, ValueError
        As for :func:`funcnn.gru`.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> cell = fn.gru_cell(4)
    >>> start = cell.init(fn.Key(0), ((3,), (4,)))
    >>> fn.apply(cell, start.params, (), (np.zeros((2, 3)), np.zeros((2, 4)))).shape
    (2, 4)
    """
    inner = gru(
        features,
        reset_after=reset_after,
        initial=True,
        final=True,
        input_init=input_init,
        recurrent_init=recurrent_init,
        update_bias=update_bias,
    )
    return cell_of(f"gru_cell({features})", inner)
