r"""Several layers, each on an input of its own.

Forward
$$ y_j = f_j(x_j) $$

Derivation.  The Jacobian is block diagonal, so each cotangent goes through its own layer: $\bar x_j = f_j'(x_j)^\top \bar y_j$.
"""

from functools import partial
from typing import Any, TypeVar, overload

from funcnn.combinators.several import backward_each, check_layers, forward_each, init_each, joined
from funcnn.key import Key
from funcnn.layer import AnyLayer, Backward, Forward, Init, Layer, Mode, backward_without_input, check_init
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
X1 = TypeVar("X1")
X2 = TypeVar("X2")
X3 = TypeVar("X3")
X4 = TypeVar("X4")
X5 = TypeVar("X5")
X6 = TypeVar("X6")
Y1 = TypeVar("Y1")
Y2 = TypeVar("Y2")
Y3 = TypeVar("Y3")
Y4 = TypeVar("Y4")
Y5 = TypeVar("Y5")
Y6 = TypeVar("Y6")


def init(layers: tuple[AnyLayer, ...], key: Key, in_shape: Shapes) -> Init[tuple[Any, ...], tuple[Any, ...]]:
    check_init(key, in_shape)
    if len(in_shape) != len(layers) or not all(isinstance(one, tuple) for one in in_shape):
        raise ValueError(f"parallel of {len(layers)} layers takes a tuple of as many shapes, got {in_shape!r}")
    shapes: tuple[Any, ...] = in_shape
    made = init_each(layers, key, shapes)
    out_shapes: tuple[Any, ...] = tuple([one.out_shape for one in made])
    return Init(tuple([one.params for one in made]), tuple([one.state for one in made]), out_shapes)


def forward(
    layers: tuple[AnyLayer, ...], params: tuple[Any, ...], state: tuple[Any, ...], x: Any, mode: Mode
) -> Forward[Any, Any, Any]:
    if not isinstance(x, tuple) or len(x) != len(layers):
        raise ValueError(f"parallel of {len(layers)} layers takes a tuple of as many inputs, got {type(x).__name__}")
    made = forward_each(layers, params, state, x, mode)
    return joined(tuple([one.output for one in made]), made)


def backward(
    layers: tuple[AnyLayer, ...], params: tuple[Any, ...], residuals: Any, dy: Any, input_grad: bool = True
) -> Backward[Any, Any]:
    made = backward_each(layers, params, residuals, dy, input_grad)
    grads = tuple([one.params for one in made])
    return Backward(grads, tuple([one.input for one in made])) if input_grad else backward_without_input(grads)


@overload
def parallel(
    l1: Layer[P1, S1, X1, Y1],
    l2: Layer[P2, S2, X2, Y2],
    /,
) -> Layer[tuple[P1, P2], tuple[S1, S2], tuple[X1, X2], tuple[Y1, Y2]]: ...
@overload
def parallel(
    l1: Layer[P1, S1, X1, Y1],
    l2: Layer[P2, S2, X2, Y2],
    l3: Layer[P3, S3, X3, Y3],
    /,
) -> Layer[tuple[P1, P2, P3], tuple[S1, S2, S3], tuple[X1, X2, X3], tuple[Y1, Y2, Y3]]: ...
@overload
def parallel(
    l1: Layer[P1, S1, X1, Y1],
    l2: Layer[P2, S2, X2, Y2],
    l3: Layer[P3, S3, X3, Y3],
    l4: Layer[P4, S4, X4, Y4],
    /,
) -> Layer[tuple[P1, P2, P3, P4], tuple[S1, S2, S3, S4], tuple[X1, X2, X3, X4], tuple[Y1, Y2, Y3, Y4]]: ...
@overload
def parallel(
    l1: Layer[P1, S1, X1, Y1],
    l2: Layer[P2, S2, X2, Y2],
    l3: Layer[P3, S3, X3, Y3],
    l4: Layer[P4, S4, X4, Y4],
    l5: Layer[P5, S5, X5, Y5],
    /,
) -> Layer[tuple[P1, P2, P3, P4, P5], tuple[S1, S2, S3, S4, S5], tuple[X1, X2, X3, X4, X5], tuple[Y1, Y2, Y3, Y4, Y5]]: ...
@overload
def parallel(
    l1: Layer[P1, S1, X1, Y1],
    l2: Layer[P2, S2, X2, Y2],
    l3: Layer[P3, S3, X3, Y3],
    l4: Layer[P4, S4, X4, Y4],
    l5: Layer[P5, S5, X5, Y5],
    l6: Layer[P6, S6, X6, Y6],
    /,
) -> Layer[
    tuple[P1, P2, P3, P4, P5, P6], tuple[S1, S2, S3, S4, S5, S6], tuple[X1, X2, X3, X4, X5, X6], tuple[Y1, Y2, Y3, Y4, Y5, Y6]
]: ...
@overload  # any number of one type: of so many that no other overload fits too
def parallel(
    l1: Layer[P, S, X, Y],
    l2: Layer[P, S, X, Y],
    l3: Layer[P, S, X, Y],
    l4: Layer[P, S, X, Y],
    l5: Layer[P, S, X, Y],
    l6: Layer[P, S, X, Y],
    l7: Layer[P, S, X, Y],
    /,
    *layers: Layer[P, S, X, Y],
) -> Layer[tuple[P, ...], tuple[S, ...], tuple[X, ...], tuple[Y, ...]]: ...
def parallel(*layers: AnyLayer) -> AnyLayer:
    """Apply each layer to an input of its own: (x_1, x_2, ...) to (f_1(x_1), f_2(x_2), ...).

    Parameters
    ----------
    *layers : Layer
        At least two; up to six of unlike types, or any number of one type.

    Returns
    -------
    Layer
        From a tuple of inputs to the tuple of outputs; ``init`` takes the tuple of the inputs' shapes.

    Raises
    ------
    ValueError, TypeError
        With fewer than two layers, something that is not one, or another number of inputs than of layers.

    See Also
    --------
    branch : all layers have the same input.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> pair = fn.parallel(fn.identity(), fn.tanh())
    >>> start = pair.init(fn.Key(0), ((2,), (1,)))
    >>> start.out_shape
    ((2,), (1,))
    """
    check_layers(layers, "parallel")
    return Layer(
        "parallel",
        partial(init, layers),
        partial(forward, layers),
        partial(backward, layers),
        any(one.random for one in layers),
        layers,
        combine,
    )


def combine(parts: tuple[AnyLayer, ...]) -> AnyLayer:
    """Make the combination again from other parts."""
    return parallel(*parts)
