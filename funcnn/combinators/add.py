r"""The sum of several layers on one input.

Forward
$$ y = \sum_j f_j(x) $$

Derivation.  $\mathrm{d}y = \sum_j f_j'(x)\,\mathrm{d}x$, so every layer is given the cotangent of the sum, $\bar y_j = \bar
y$, and
$$ \bar x = \sum_j f_j'(x)^\top \bar y. $$
"""

from functools import partial
from typing import Any, TypeVar, overload

from funcnn.combinators import branch
from funcnn.combinators.several import backward_each, check_layers, forward_each, joined, pulled_to_one_input, total
from funcnn.key import Key
from funcnn.layer import AnyLayer, Backward, Forward, Init, Layer, Mode
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


def init(layers: tuple[AnyLayer, ...], key: Key, in_shape: Shapes) -> Init[tuple[Any, ...], tuple[Any, ...]]:
    made = branch.init(layers, key, in_shape)
    if len(set(made.out_shape)) > 1:
        raise ValueError(f"add needs outputs of one shape, the layers give {made.out_shape}")
    return Init(made.params, made.state, made.out_shape[0])  # type: ignore[arg-type]  # an output's shape, not an axis


def forward(
    layers: tuple[AnyLayer, ...], params: tuple[Any, ...], state: tuple[Any, ...], x: Any, mode: Mode
) -> Forward[Any, Any, Any]:
    made = forward_each(layers, params, state, (x,) * len(layers), mode)
    return joined(total([one.output for one in made]), made)


def backward(
    layers: tuple[AnyLayer, ...], params: tuple[Any, ...], residuals: Any, dy: Any, input_grad: bool = True
) -> Backward[Any, Any]:
    return pulled_to_one_input(backward_each(layers, params, residuals, (dy,) * len(layers), input_grad), input_grad)


@overload
def add(
    l1: Layer[P1, S1, X, Y],
    l2: Layer[P2, S2, X, Y],
    /,
) -> Layer[tuple[P1, P2], tuple[S1, S2], X, Y]: ...
@overload
def add(
    l1: Layer[P1, S1, X, Y],
    l2: Layer[P2, S2, X, Y],
    l3: Layer[P3, S3, X, Y],
    /,
) -> Layer[tuple[P1, P2, P3], tuple[S1, S2, S3], X, Y]: ...
@overload
def add(
    l1: Layer[P1, S1, X, Y],
    l2: Layer[P2, S2, X, Y],
    l3: Layer[P3, S3, X, Y],
    l4: Layer[P4, S4, X, Y],
    /,
) -> Layer[tuple[P1, P2, P3, P4], tuple[S1, S2, S3, S4], X, Y]: ...
@overload
def add(
    l1: Layer[P1, S1, X, Y],
    l2: Layer[P2, S2, X, Y],
    l3: Layer[P3, S3, X, Y],
    l4: Layer[P4, S4, X, Y],
    l5: Layer[P5, S5, X, Y],
    /,
) -> Layer[tuple[P1, P2, P3, P4, P5], tuple[S1, S2, S3, S4, S5], X, Y]: ...
@overload
def add(
    l1: Layer[P1, S1, X, Y],
    l2: Layer[P2, S2, X, Y],
    l3: Layer[P3, S3, X, Y],
    l4: Layer[P4, S4, X, Y],
    l5: Layer[P5, S5, X, Y],
    l6: Layer[P6, S6, X, Y],
    /,
) -> Layer[tuple[P1, P2, P3, P4, P5, P6], tuple[S1, S2, S3, S4, S5, S6], X, Y]: ...
@overload  # any number of one type: of so many that no other overload fits too
def add(
    l1: Layer[P, S, X, Y],
    l2: Layer[P, S, X, Y],
    l3: Layer[P, S, X, Y],
    l4: Layer[P, S, X, Y],
    l5: Layer[P, S, X, Y],
    l6: Layer[P, S, X, Y],
    l7: Layer[P, S, X, Y],
    /,
    *layers: Layer[P, S, X, Y],
) -> Layer[tuple[P, ...], tuple[S, ...], X, Y]: ...
def add(*layers: AnyLayer) -> AnyLayer:
    """Sum the outputs of several layers on one input.

    Parameters
    ----------
    *layers : Layer
        At least two, with outputs of one shape; up to six of unlike types, or any number of one type.

    Returns
    -------
    Layer
        From x to f_1(x) + f_2(x) + ...

    Raises
    ------
    ValueError, TypeError
        With fewer than two layers, or something that is not one; in ``init``, when the outputs differ in shape.

    See Also
    --------
    residual : x + f(x).

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> double = fn.add(fn.identity(), fn.identity())
    >>> start = double.init(fn.Key(0), (1,))
    >>> fn.apply(double, start.params, start.state, np.ones((1, 1)))
    array([[2.]])
    """
    check_layers(layers, "add")
    return Layer(
        "add",
        partial(init, layers),
        partial(forward, layers),
        partial(backward, layers),
        any(one.random for one in layers),
        layers,
        combine,
    )


def combine(parts: tuple[AnyLayer, ...]) -> AnyLayer:
    """Make the combination again from other parts."""
    return add(*parts)
