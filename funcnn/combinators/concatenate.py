r"""The outputs of several layers on one input, joined along the last axis.

Indices: $o$ feature of an output; layer $j$ gives $O_j$ of them.

Forward
$$ y = [f_1(x), \ldots, f_k(x)], \qquad y_{n,\,O_1 + \cdots + O_{j-1} + o} = f_j(x)_{no} $$

Derivation.  Joining is a permutation of entries, so its transpose cuts the cotangent at the same places, $\bar y = [\bar
y_1, \ldots, \bar y_k]$, and
$$ \bar x = \sum_j f_j'(x)^\top \bar y_j. $$
"""

from functools import partial
from itertools import accumulate
from typing import Any, TypeVar, overload

import numpy as np
from attrs import frozen

from funcnn.combinators import branch
from funcnn.combinators.cotangents import Like, check_cotangents, like
from funcnn.combinators.several import backward_each, check_layers, forward_each, joined, pulled_to_one_input
from funcnn.key import Key
from funcnn.layer import AnyLayer, Backward, Forward, Init, Layer, Mode
from funcnn.typing import Array, Shape, Shapes

X = TypeVar("X")
P = TypeVar("P")
S = TypeVar("S")
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


@frozen(eq=False)
class ConcatenateResiduals:
    """Where the joined axis is cut, and what the layers kept."""

    cuts: tuple[int, ...]
    output: Like
    parts: tuple[Any, ...]  # Any: the hidden residuals of layers of any types


def init(layers: tuple[AnyLayer, ...], key: Key, in_shape: Shapes) -> Init[tuple[Any, ...], tuple[Any, ...]]:
    made = branch.init(layers, key, in_shape)
    shapes: tuple[Shape, ...] = made.out_shape  # type: ignore[assignment]  # the layers of this combinator give one array each
    if len({shape[:-1] for shape in shapes}) > 1:
        raise ValueError(f"concatenate needs outputs that differ in the last axis only, the layers give {shapes}")
    return Init(made.params, made.state, (*shapes[0][:-1], sum(shape[-1] for shape in shapes)))


def forward(
    layers: tuple[AnyLayer, ...], params: tuple[Any, ...], state: tuple[Any, ...], x: Any, mode: Mode
) -> Forward[Any, Any, Any]:
    made = forward_each(layers, params, state, (x,) * len(layers), mode)
    plain = joined(np.concatenate([one.output for one in made], axis=-1), made)
    cuts = tuple(accumulate(one.output.shape[-1] for one in made[:-1]))
    return Forward(plain.output, plain.state, ConcatenateResiduals(cuts, like(plain.output), plain.residuals))


def backward(
    layers: tuple[AnyLayer, ...], params: tuple[Any, ...], residuals: Any, dy: Any, input_grad: bool = True
) -> Backward[Any, Any]:
    check_cotangents(dy, residuals.output)
    dys = tuple(np.split(dy, residuals.cuts, axis=-1))
    return pulled_to_one_input(backward_each(layers, params, residuals.parts, dys, input_grad), input_grad)


@overload
def concatenate(
    l1: Layer[P1, S1, X, Array],
    l2: Layer[P2, S2, X, Array],
    /,
) -> Layer[tuple[P1, P2], tuple[S1, S2], X, Array]: ...
@overload
def concatenate(
    l1: Layer[P1, S1, X, Array],
    l2: Layer[P2, S2, X, Array],
    l3: Layer[P3, S3, X, Array],
    /,
) -> Layer[tuple[P1, P2, P3], tuple[S1, S2, S3], X, Array]: ...
@overload
def concatenate(
    l1: Layer[P1, S1, X, Array],
    l2: Layer[P2, S2, X, Array],
    l3: Layer[P3, S3, X, Array],
    l4: Layer[P4, S4, X, Array],
    /,
) -> Layer[tuple[P1, P2, P3, P4], tuple[S1, S2, S3, S4], X, Array]: ...
@overload
def concatenate(
    l1: Layer[P1, S1, X, Array],
    l2: Layer[P2, S2, X, Array],
    l3: Layer[P3, S3, X, Array],
    l4: Layer[P4, S4, X, Array],
    l5: Layer[P5, S5, X, Array],
    /,
) -> Layer[tuple[P1, P2, P3, P4, P5], tuple[S1, S2, S3, S4, S5], X, Array]: ...
@overload
def concatenate(
    l1: Layer[P1, S1, X, Array],
    l2: Layer[P2, S2, X, Array],
    l3: Layer[P3, S3, X, Array],
    l4: Layer[P4, S4, X, Array],
    l5: Layer[P5, S5, X, Array],
    l6: Layer[P6, S6, X, Array],
    /,
) -> Layer[tuple[P1, P2, P3, P4, P5, P6], tuple[S1, S2, S3, S4, S5, S6], X, Array]: ...
@overload  # any number of one type: of so many that no other overload fits too
def concatenate(
    l1: Layer[P, S, X, Array],
    l2: Layer[P, S, X, Array],
    l3: Layer[P, S, X, Array],
    l4: Layer[P, S, X, Array],
    l5: Layer[P, S, X, Array],
    l6: Layer[P, S, X, Array],
    l7: Layer[P, S, X, Array],
    /,
    *layers: Layer[P, S, X, Array],
) -> Layer[tuple[P, ...], tuple[S, ...], X, Array]: ...
def concatenate(*layers: AnyLayer) -> AnyLayer:
    """Join the outputs of several layers on one input along the last axis.

    Parameters
    ----------
    *layers : Layer
        At least two, whose outputs differ in the last axis only; up to six of unlike types, or any number of one type.

    Returns
    -------
    Layer
        From x to [f_1(x), f_2(x), ...].

    Raises
    ------
    ValueError, TypeError
        With fewer than two layers, or something that is not one; in ``init``, when the outputs differ before the last axis.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> twice = fn.concatenate(fn.identity(), fn.identity())
    >>> start = twice.init(fn.Key(0), (2,))
    >>> start.out_shape, fn.apply(twice, start.params, start.state, np.ones((1, 2))).shape
    ((4,), (1, 4))
    """
    check_layers(layers, "concatenate")
    return Layer(
        "concatenate",
        partial(init, layers),
        partial(forward, layers),
        partial(backward, layers),
        any(one.random for one in layers),
        layers,
        combine,
    )


def combine(parts: tuple[AnyLayer, ...]) -> AnyLayer:
    """Make the combination again from other parts."""
    return concatenate(*parts)
