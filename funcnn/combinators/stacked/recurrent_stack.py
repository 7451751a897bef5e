r"""Recurrent layers one above the other, whose states come in and go out together.

Indices: $k$ layer of $K$; $s_k$ the initial state of a layer, $s'_k$ its final one.

Forward, with $x_0 = x$ and $y = x_K$
$$ (x_k, s'_k) = f_k(x_{k-1}, s_k) . $$

Derivation.  Only the sequence goes from layer to layer: each takes the cotangent of its sequence from the layer above and that
of its final state from outside, and sends back those of its sequence, to the layer below, and of its initial state.  From the
last to the first, with $\bar x_K = \bar y$
$$ (\bar x_{k-1}, \bar s_k) = f_k'(x_{k-1}, s_k)^\top (\bar x_k, \bar s'_k) . $$

So a sequence may be cut into pieces: the final states of one are the initial states of the next, and the pieces give what the
whole does.
"""

from functools import partial
from typing import Any, TypeVar, cast, overload

from funcnn.combinators.cotangents import check_cotangents
from funcnn.combinators.several import check_layers, check_lengths
from funcnn.errors import add_step, describe, shown
from funcnn.key import Key
from funcnn.layer import AnyLayer, Backward, Forward, Init, Layer, Mode, Train, backward_without_input, check_init, params_only
from funcnn.typing import Shapes

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Z = TypeVar("Z")
P1 = TypeVar("P1")
P2 = TypeVar("P2")
P3 = TypeVar("P3")
P4 = TypeVar("P4")
S1 = TypeVar("S1")
S2 = TypeVar("S2")
S3 = TypeVar("S3")
S4 = TypeVar("S4")
Y1 = TypeVar("Y1")
Y2 = TypeVar("Y2")
Y3 = TypeVar("Y3")
Y4 = TypeVar("Y4")
Z1 = TypeVar("Z1")
Z2 = TypeVar("Z2")
Z3 = TypeVar("Z3")
Z4 = TypeVar("Z4")

# Any: sequences and states of layers of any types; the overloads hold them to account.


def init(layers: tuple[AnyLayer, ...], key: Key, in_shape: Shapes) -> Init[tuple[Any, ...], tuple[Any, ...]]:
    check_init(key, in_shape)
    pair: Any = in_shape
    if len(pair) != 2 or not all(isinstance(one, tuple) for one in pair) or len(pair[1]) != len(layers):
        raise ValueError(
            f"in_shape is {shown(in_shape)}, expected ((time, features), states): states is a tuple of {len(layers)} shapes,"
            " one for each layer"
        )
    sequence, starts = pair
    made: list[Init[Any, Any]] = []
    for index, (layer, start) in enumerate(zip(layers, starts, strict=True)):
        try:
            made.append(layer.init(key.child(index), (sequence, start)))
            sequence = next_shape(made[-1].out_shape, start)
        except Exception as error:
            add_step(error, index, layer.name, (sequence, start))
            raise
    return Init(tuple([one.params for one in made]), tuple([one.state for one in made]), cast(Any, (sequence, starts)))


def next_shape(out_shape: Any, start: Any) -> Any:
    """Return the shape of the sequence that goes on, or raise unless a final state is beside it that is like the initial one."""
    if len(out_shape) != 2 or not isinstance(out_shape[0], tuple) or out_shape[1] != start:
        raise ValueError(
            f"the layer gives {shown(out_shape)}, expected ((time, features), {shown(start)}), a sequence and its final state:"
            " make it with initial=True, final=True"
        )
    return out_shape[0]


def forward(
    layers: tuple[AnyLayer, ...], params: tuple[Any, ...], state: tuple[Any, ...], x: Any, mode: Mode
) -> Forward[Any, Any, Any]:
    check_lengths(layers, parameters=params, states=state)
    if type(x) is not tuple or len(x) != 2:
        raise TypeError(f"the input is {describe(x)}, expected a pair (sequence, initial states)")
    sequence, starts = x
    if type(starts) is not tuple or len(starts) != len(layers):
        raise TypeError(
            f"the initial states, input [1], are {describe(starts)}, expected a tuple of {len(layers)}, one for each layer"
        )
    finals, states, kept = [], [], []
    for index, layer in enumerate(layers):
        own = mode.child(index) if layer.random and isinstance(mode, Train) else mode
        try:
            made = layer.forward(params[index], state[index], (sequence, starts[index]), own)
            sequence, final = made.output
        except Exception as error:
            add_step(error, index, layer.name, sequence)
            raise
        finals.append(final)
        states.append(made.state)
        kept.append(made.residuals)
    return Forward((sequence, tuple(finals)), tuple(states), tuple(kept))


def backward(
    layers: tuple[AnyLayer, ...], params: tuple[Any, ...], residuals: Any, dy: Any, input_grad: bool = True
) -> Backward[Any, Any]:
    check_lengths(layers, residuals=residuals)
    check_cotangents(dy, (None, (None,) * len(layers)))
    dsequence, dfinals = dy
    grads, dstarts = [], []
    for index, layer in reversed(list(enumerate(layers))):
        given = params[index], residuals[index], (dsequence, dfinals[index])
        try:
            if not (index or input_grad):
                grads.append(params_only(layer, *given).params)
                return backward_without_input(tuple(grads[::-1]))
            made = layer.backward(*given)
        except Exception as error:
            add_step(error, index, layer.name, dsequence)
            raise
        dsequence, dstart = made.input
        grads.append(made.params)
        dstarts.append(dstart)
    return Backward(tuple(grads[::-1]), (dsequence, tuple(dstarts[::-1])))


@overload
def recurrent_stack(
    l1: Layer[P1, S1, tuple[X, Z1], tuple[Y1, Z1]],
    l2: Layer[P2, S2, tuple[Y1, Z2], tuple[Y2, Z2]],
    /,
) -> Layer[tuple[P1, P2], tuple[S1, S2], tuple[X, tuple[Z1, Z2]], tuple[Y2, tuple[Z1, Z2]]]: ...
@overload
def recurrent_stack(
    l1: Layer[P1, S1, tuple[X, Z1], tuple[Y1, Z1]],
    l2: Layer[P2, S2, tuple[Y1, Z2], tuple[Y2, Z2]],
    l3: Layer[P3, S3, tuple[Y2, Z3], tuple[Y3, Z3]],
    /,
) -> Layer[tuple[P1, P2, P3], tuple[S1, S2, S3], tuple[X, tuple[Z1, Z2, Z3]], tuple[Y3, tuple[Z1, Z2, Z3]]]: ...
@overload
def recurrent_stack(
    l1: Layer[P1, S1, tuple[X, Z1], tuple[Y1, Z1]],
    l2: Layer[P2, S2, tuple[Y1, Z2], tuple[Y2, Z2]],
    l3: Layer[P3, S3, tuple[Y2, Z3], tuple[Y3, Z3]],
    l4: Layer[P4, S4, tuple[Y3, Z4], tuple[Y4, Z4]],
    /,
) -> Layer[tuple[P1, P2, P3, P4], tuple[S1, S2, S3, S4], tuple[X, tuple[Z1, Z2, Z3, Z4]], tuple[Y4, tuple[Z1, Z2, Z3, Z4]]]: ...
@overload  # any number of one type: of so many that no other overload fits too
def recurrent_stack(
    l1: Layer[P, S, tuple[X, Z], tuple[X, Z]],
    l2: Layer[P, S, tuple[X, Z], tuple[X, Z]],
    l3: Layer[P, S, tuple[X, Z], tuple[X, Z]],
    l4: Layer[P, S, tuple[X, Z], tuple[X, Z]],
    l5: Layer[P, S, tuple[X, Z], tuple[X, Z]],
    /,
    *layers: Layer[P, S, tuple[X, Z], tuple[X, Z]],
) -> Layer[tuple[P, ...], tuple[S, ...], tuple[X, tuple[Z, ...]], tuple[X, tuple[Z, ...]]]: ...
def recurrent_stack(*layers: AnyLayer) -> AnyLayer:
    """Recurrent layers one above the other, all of whose initial states are given and final states given back.

    Parameters
    ----------
    *layers : Layer
        At least two, each from a pair (sequence, initial state) to a pair (sequence, final state): a recurrent layer with
        ``initial=True, final=True``.  Up to four of unlike types, or any number of one type.

    Returns
    -------
    Layer
        From (sequence, states) to (sequence, states), each a tuple of the layers' states, the first layer's first.  The
        parameters are those of the layers in a chain, ``fn.lstm(8) >> fn.lstm(8)``.

    Raises
    ------
    TypeError, ValueError
        With fewer than two layers, or something that is not one; in ``init``, when a layer takes no state or gives none; in
        ``forward``, when the input is not a pair of a sequence and as many states as layers.

    See Also
    --------
    serial : the layers one above the other where each starts with zeros.
    trained_start : learns the initial states.
    beside_memory : applies a layer to the sequence alone, below the first layer, above the last, or between two.

    Notes
    -----
    Backward gives the cotangents of the initial states as well: for a state that an encoder gives to a decoder, say.  For
    truncated back-propagation through time the states go on as they are, and no gradient crosses the cut.

    ``torch.nn.LSTM`` has all hidden states in one array (layers, n, H) and all cells in another: its ``h0, c0`` are
    ``tuple(zip(h0, c0))`` here, and ``h_n = np.stack([hidden for hidden, cell in states])``.

    References
    ----------
    Graves, Mohamed & Hinton (2013), Speech recognition with deep recurrent neural networks, arXiv:1303.5778.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.recurrent_stack(fn.lstm(8, initial=True, final=True), fn.lstm(4, initial=True, final=True))
    >>> start = layer.init(fn.Key(0), ((6, 3), (((8,), (8,)), ((4,), (4,)))))
    >>> x = np.ones((2, 6, 3))
    >>> zeros = tuple((np.zeros((2, size)), np.zeros((2, size))) for size in (8, 4))
    >>> y, states = fn.apply(layer, start.params, start.state, (x, zeros))
    >>> y.shape, [hidden.shape for hidden, cell in states]
    ((2, 6, 4), [(2, 8), (2, 4)])

    In two pieces:

    >>> first, states = fn.apply(layer, start.params, start.state, (x[:, :4], zeros))
    >>> second, states = fn.apply(layer, start.params, start.state, (x[:, 4:], states))
    >>> bool(np.allclose(np.concatenate([first, second], axis=1), y))
    True

    With dropout between the layers:

    >>> upper = fn.beside_memory(fn.dropout(0.2)) >> fn.gru(4, initial=True, final=True)
    >>> fn.recurrent_stack(fn.gru(8, initial=True, final=True), upper).init(fn.Key(0), ((6, 3), ((8,), (4,)))).out_shape
    ((6, 4), ((8,), (4,)))
    """
    check_layers(layers, "recurrent_stack")
    return Layer(
        "recurrent_stack",
        partial(init, layers),
        partial(forward, layers),
        partial(backward, layers),
        any(one.random for one in layers),
        layers,
        combine,
    )


def combine(parts: tuple[AnyLayer, ...]) -> AnyLayer:
    """Make the combination again from other parts."""
    return recurrent_stack(*parts)
