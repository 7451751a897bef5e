r"""Two layers of sequences on one input, one of them run backwards in time (Schuster & Paliwal 1997).

Indices: $n$ example, $t$ step of $T$; $R$ reverses time, $(R x)_{nt} = x_{n,\,T-1-t}$.

Forward
$$ y = [\,f(x),\; R\, g(R x)\,], \qquad y_{nt} \text{ has seen the steps up to } t \text{ in its first part, those from } t
   \text{ on in its second.} $$

Derivation.  Joining along the last axis is a permutation of entries: its transpose cuts the cotangent, $\bar y = [\bar y_f, \bar
y_g]$.  $R$ is its own transpose, so with both uses of x
$$ \bar x = f'(x)^\top \bar y_f + R\, g'(R x)^\top R\, \bar y_g . $$

So it is a branch of f and :func:`funcnn.reverse_time` of g, with what the two give joined: sequences, masked or not, along their
features, and final states side by side.  Initial states, where they are given, stand side by side as well, one for each layer:
their cotangents do not add up.
"""

from functools import partial
from typing import Any, TypeVar, cast, overload

import numpy as np
from attrs import frozen

from funcnn.combinators.cotangents import Like, check_cotangents, like
from funcnn.combinators.reverse_time import reverse_time
from funcnn.combinators.several import backward_each, forward_each, init_each, joined, pulled_to_one_input, total
from funcnn.errors import describe
from funcnn.key import Key
from funcnn.layer import AnyLayer, Backward, Forward, Init, Layer, Mode, check_init, check_layer
from funcnn.masked import Masked
from funcnn.typing import Array, Shapes

P = TypeVar("P")
Q = TypeVar("Q")
S = TypeVar("S")
T = TypeVar("T")
X = TypeVar("X")
Y = TypeVar("Y")
Z = TypeVar("Z")
F = TypeVar("F")
G = TypeVar("G")


@frozen(eq=False)
class BidirectionalResiduals:
    """How many features the first layer gives, and what both kept."""

    cut: int
    output: Like
    parts: tuple[Any, ...]  # Any: the hidden residuals of layers of any types


def init(layers: tuple[AnyLayer, ...], key: Key, in_shape: Shapes) -> Init[tuple[Any, ...], tuple[Any, ...]]:
    check_init(key, in_shape)
    made = init_each(layers, key, each_way(in_shape, any(isinstance(one, tuple) for one in in_shape), "in_shape"))
    shapes: Any = tuple([one.out_shape for one in made])
    final = all(len(shape) == 2 and isinstance(shape[0], tuple) for shape in shapes)
    first, second = [shape[0] for shape in shapes] if final else shapes
    if len(first) != 2 or len(second) != 2 or first[0] != second[0]:
        raise ValueError(f"bidirectional needs two layers that give sequences of equal length, these give {shapes}")
    shape: Any = (first[0], first[1] + second[1])
    params, state = tuple([one.params for one in made]), tuple([one.state for one in made])
    return Init(params, state, (shape, (shapes[0][1], shapes[1][1])) if final else shape)


def each_way(x: Any, pair: bool, what: str) -> tuple[Any, Any]:
    """Return what each of the two layers is given of the input, or of its shape: initial states are a pair, one for each."""
    if not pair:
        return x, x
    if len(x) != 2 or not isinstance(x[1], tuple) or len(x[1]) != 2:
        raise ValueError(f"{what} is {describe(x)}, expected (sequence, (first, second)): a state for each direction")
    sequence, (first, second) = x
    return (sequence, first), (sequence, second)


def forward(
    layers: tuple[AnyLayer, ...], params: tuple[Any, ...], state: tuple[Any, ...], x: Any, mode: Mode
) -> Forward[Any, Any, Any]:
    made = forward_each(layers, params, state, each_way(x, isinstance(x, tuple), "the input"), mode)
    output, cut = together(made[0].output, made[1].output)
    plain = joined(output, made)
    return Forward(output, plain.state, BidirectionalResiduals(cut, sequence_like(output), plain.residuals))


def sequence_like(output: Any) -> Like:
    """Return what the cotangent is to be like; at those of final states each layer looks itself."""
    return (like(output[0]), (None, None)) if isinstance(output, tuple) else like(output)


def together(first: Any, second: Any) -> tuple[Any, int]:
    """Return two sequences joined along the last axis, their final states as a pair, and where the axis was joined."""
    if isinstance(first, tuple):
        sequence, cut = together(first[0], second[0])
        return (sequence, (first[1], second[1])), cut
    if isinstance(first, Masked):
        values, cut = together(first.values, second.values)
        return Masked(values, first.mask), cut
    return np.concatenate([first, second], axis=-1), first.shape[-1]


def apart(dy: Any, cut: int) -> tuple[Any, Any]:
    """Return the cotangents of two sequences: the transpose of :func:`together`."""
    if isinstance(dy, tuple):
        first, second = apart(dy[0], cut)
        return (first, dy[1][0]), (second, dy[1][1])
    if isinstance(dy, Masked):
        first, second = apart(dy.values, cut)
        return Masked(first, cast(Any, None)), Masked(second, cast(Any, None))
    return dy[..., :cut], dy[..., cut:]


def backward(
    layers: tuple[AnyLayer, ...], params: tuple[Any, ...], residuals: Any, dy: Any, input_grad: bool = True
) -> Backward[Any, Any]:
    check_cotangents(dy, residuals.output)
    made = backward_each(layers, params, residuals.parts, apart(dy, residuals.cut), input_grad)
    if not input_grad or not isinstance(made[0].input, tuple):
        return pulled_to_one_input(made, input_grad)
    (dx, dfirst), (dx_of_second, dsecond) = made[0].input, made[1].input
    return Backward((made[0].params, made[1].params), (total([dx, dx_of_second]), (dfirst, dsecond)))


@overload
def bidirectional(
    forwards: Layer[P, S, tuple[X, Y], tuple[Array, F]], backwards: Layer[Q, T, tuple[X, Z], tuple[Array, G]]
) -> Layer[tuple[P, Q], tuple[S, T], tuple[X, tuple[Y, Z]], tuple[Array, tuple[F, G]]]: ...
@overload
def bidirectional(
    forwards: Layer[P, S, tuple[X, Y], tuple[Masked, F]], backwards: Layer[Q, T, tuple[X, Z], tuple[Masked, G]]
) -> Layer[tuple[P, Q], tuple[S, T], tuple[X, tuple[Y, Z]], tuple[Masked, tuple[F, G]]]: ...
@overload
def bidirectional(
    forwards: Layer[P, S, tuple[X, Y], Array], backwards: Layer[Q, T, tuple[X, Z], Array]
) -> Layer[tuple[P, Q], tuple[S, T], tuple[X, tuple[Y, Z]], Array]: ...
@overload
def bidirectional(
    forwards: Layer[P, S, tuple[X, Y], Masked], backwards: Layer[Q, T, tuple[X, Z], Masked]
) -> Layer[tuple[P, Q], tuple[S, T], tuple[X, tuple[Y, Z]], Masked]: ...
@overload
def bidirectional(
    forwards: Layer[P, S, X, Array], backwards: Layer[Q, T, X, Array]
) -> Layer[tuple[P, Q], tuple[S, T], X, Array]: ...
@overload
def bidirectional(
    forwards: Layer[P, S, X, Masked], backwards: Layer[Q, T, X, Masked]
) -> Layer[tuple[P, Q], tuple[S, T], X, Masked]: ...
@overload
def bidirectional(
    forwards: Layer[P, S, X, tuple[Array, F]], backwards: Layer[Q, T, X, tuple[Array, G]]
) -> Layer[tuple[P, Q], tuple[S, T], X, tuple[Array, tuple[F, G]]]: ...
@overload
def bidirectional(
    forwards: Layer[P, S, X, tuple[Masked, F]], backwards: Layer[Q, T, X, tuple[Masked, G]]
) -> Layer[tuple[P, Q], tuple[S, T], X, tuple[Masked, tuple[F, G]]]: ...
def bidirectional(forwards: AnyLayer, backwards: AnyLayer) -> AnyLayer:
    """Run one layer over sequences forwards and one backwards in time, and join what they give at each step.

    Parameters
    ----------
    forwards, backwards : Layer
        From sequences (n, t, I), masked or not, to sequences (n, t, F) and (n, t, G) of the same kind; with ``final=True``, to
        pairs of a sequence and a final state; with ``initial=True``, from pairs of a sequence and an initial state.  The second
        sees the steps in reverse.

    Returns
    -------
    Layer
        To sequences (n, t, F + G), or to a pair of them and both final states; from sequences, or from a pair of them and both
        initial states.

    Raises
    ------
    TypeError
        When an argument is not a layer.
    ValueError
        In ``init``, when the layers do not give sequences of equal length; there and in ``forward``, when initial states are not
        a pair.

    See Also
    --------
    reverse_time : one layer backwards; ``fn.add(f, fn.reverse_time(g))`` sums both directions.
    concatenate, branch : the two without time reversed.
    recurrent_stack : several such layers, one above the other, with the states of all.

    References
    ----------
    Schuster & Paliwal (1997), Bidirectional recurrent neural networks.

    Examples
    --------
    >>> import funcnn as fn
    >>> tagger = fn.bidirectional(fn.lstm(8), fn.lstm(8)) >> fn.bidirectional(fn.lstm(4), fn.lstm(4)) >> fn.dense(3)
    >>> tagger.init(fn.Key(0), (7, 5)).out_shape
    (7, 3)

    One vector for a whole sequence is made of both final states:

    >>> both = fn.bidirectional(fn.gru(4, final=True), fn.gru(4, final=True))
    >>> both.init(fn.Key(0), (7, 5)).out_shape
    ((7, 8), ((4,), (4,)))
    """
    check_layer(forwards, "forwards")
    check_layer(backwards, "backwards")
    return _made_of((forwards, reverse_time(backwards)))


def _made_of(layers: tuple[AnyLayer, ...]) -> AnyLayer:
    """Make the combination of a layer and one whose time is already reversed."""
    if len(layers) != 2:
        raise ValueError(f"bidirectional takes two layers, got {describe(layers)}")
    return Layer(
        "bidirectional",
        partial(init, layers),
        partial(forward, layers),
        partial(backward, layers),
        any(one.random for one in layers),
        layers,
        _made_of,
    )
