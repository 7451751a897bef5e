r"""Several layers on one input, their outputs as a tuple.

Forward
$$ y = (f_1(x), \ldots, f_k(x)) $$

Derivation.  $\mathrm{d}y_j = f_j'(x)\,\mathrm{d}x$ for every $j$; in $\sum_j \langle \bar y_j, \mathrm{d}y_j \rangle$ the
input's cotangent collects one term from each layer:
$$ \bar x = \sum_j f_j'(x)^\top \bar y_j. $$
"""

from functools import partial
from typing import Any, TypeVar, overload

from funcnn.combinators.several import (
    backward_each,
    check_layers,
    forward_each,
    init_each,
    joined,
    pulled_to_one_input,
)
from funcnn.key import Key
from funcnn.layer import AnyLayer, Backward, Forward, Init, Layer, Mode, check_init
from funcnn.typing import Shapes

X = TypeVar("X")
P = TypeVar("P")
S = TypeVar("S")
Y = TypeVar("Y")
P1 = TypeVar("P1")
P2 = TypeVar("P2")
P3 = TypeVar("P3")
P4 = TypeVar("P4")
P5 = TypeVar("P5")
P6 = TypeVar("P6")
S1 = TypeVar("S1")
S2 = TypeVar("S2")
S3 = TypeVar("S3")
S4 = TypeVar("S4")
S5 = TypeVar("S5")
S6 = TypeVar("S6")
Y1 = TypeVar("Y1")
Y2 = TypeVar("Y2")
Y3 = TypeVar("Y3")
Y4 = TypeVar("Y4")
Y5 = TypeVar("Y5")
Y6 = TypeVar("Y6")


def init(layers: tuple[AnyLayer, ...], key: Key, in_shape: Shapes) -> Init[tuple[Any, ...], tuple[Any, ...]]:
    check_init(key, in_shape)
    made = init_each(layers, key, (in_shape,) * len(layers))
    out_shapes: tuple[Any, ...] = tuple([one.out_shape for one in made])
    return Init(tuple([one.params for one in made]), tuple([one.state for one in made]), out_shapes)


def forward(
    layers: tuple[AnyLayer, ...], params: tuple[Any, ...], state: tuple[Any, ...], x: Any, mode: Mode
) -> Forward[Any, Any, Any]:
    made = forward_each(layers, params, state, (x,) * len(layers), mode)
    return joined(tuple([one.output for one in made]), made)


def backward(
    layers: tuple[AnyLayer, ...], params: tuple[Any, ...], residuals: Any, dy: Any, input_grad: bool = True
) -> Backward[Any, Any]:
    return pulled_to_one_input(backward_each(layers, params, residuals, dy, input_grad), input_grad)


@overload
def branch(
    l1: Layer[P1, S1, X, Y1],
    l2: Layer[P2, S2, X, Y2],
    /,
) -> Layer[tuple[P1, P2], tuple[S1, S2], X, tuple[Y1, Y2]]: ...
@overload
def branch(
    l1: Layer[P1, S1, X, Y1],
    l2: Layer[P2, S2, X, Y2],
    l3: Layer[P3, S3, X, Y3],
    /,
) -> Layer[tuple[P1, P2, P3], tuple[S1, S2, S3], X, tuple[Y1, Y2, Y3]]: ...
@overload
def branch(
    l1: Layer[P1, S1, X, Y1],
    l2: Layer[P2, S2, X, Y2],
    l3: Layer[P3, S3, X, Y3],
    l4: Layer[P4, S4, X, Y4],
    /,
) -> Layer[tuple[P1, P2, P3, P4], tuple[S1, S2, S3, S4], X, tuple[Y1, Y2, Y3, Y4]]: ...
@overload
def branch(
    l1: Layer[P1, S1, X, Y1],
    l2: Layer[P2, S2, X, Y2],
    l3: Layer[P3, S3, X, Y3],
    l4: Layer[P4, S4, X, Y4],
    l5: Layer[P5, S5, X, Y5],
    /,
) -> Layer[tuple[P1, P2, P3, P4, P5], tuple[S1, S2, S3, S4, S5], X, tuple[Y1, Y2, Y3, Y4, Y5]]: ...
@overload
def branch(
    l1: Layer[P1, S1, X, Y1],
    l2: Layer[P2, S2, X, Y2],
    l3: Layer[P3, S3, X, Y3],
    l4: Layer[P4, S4, X, Y4],
    l5: Layer[P5, S5, X, Y5],
    l6: Layer[P6, S6, X, Y6],
    /,
) -> Layer[tuple[P1, P2, P3, P4, P5, P6], tuple[S1, S2, S3, S4, S5, S6], X, tuple[Y1, Y2, Y3, Y4, Y5, Y6]]: ...
@overload  # any number of one type: of so many that no other overload fits too
def branch(
    l1: Layer[P, S, X, Y],
    l2: Layer[P, S, X, Y],
    l3: Layer[P, S, X, Y],
    l4: Layer[P, S, X, Y],
    l5: Layer[P, S, X, Y],
    l6: Layer[P, S, X, Y],
    l7: Layer[P, S, X, Y],
    /,
    *layers: Layer[P, S, X, Y],
) -> Layer[tuple[P, ...], tuple[S, ...], X, tuple[Y, ...]]: ...
def branch(*layers: AnyLayer) -> AnyLayer:
    """Apply several layers to one input; the outputs form a tuple.

    Parameters
    ----------
    *layers : Layer
        At least two; up to six of unlike types, or any number of one type.

    Returns
    -------
    Layer
        From x to (f_1(x), f_2(x), ...).

    Raises
    ------
    ValueError, TypeError
        With fewer than two layers, or something that is not one.

    See Also
    --------
    parallel : each layer has an input of its own.
    add, concatenate : the outputs are summed, or joined.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> both = fn.branch(fn.identity(), fn.tanh())
    >>> start = both.init(fn.Key(0), (1,))
    >>> fn.apply(both, start.params, start.state, np.zeros((1, 1)))
    (array([[0.]]), array([[0.]]))
    """
    check_layers(layers, "branch")
    return Layer(
        "branch",
        partial(init, layers),
        partial(forward, layers),
        partial(backward, layers),
        any(one.random for one in layers),
        layers,
        combine,
    )


def combine(parts: tuple[AnyLayer, ...]) -> AnyLayer:
    """Make the combination again from other parts."""
    return branch(*parts)
