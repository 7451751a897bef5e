r"""A second input that is learned: the initial state of a recurrent layer as a parameter.

Indices: $n$ example; $s$ the parameter, one value for all examples.

Forward
$$ y_n = f(x_n, s) $$

Derivation.  The same $s$ stands in every example, so its cotangent is the sum of what they send back:
$$ \bar s = \sum_n \bar s_n, \qquad (\bar x_n, \bar s_n) = f'(x_n, s)^\top \bar y_n . $$
"""

from functools import partial
from typing import Any, Generic, TypeVar, cast

import numpy as np
from attrs import frozen

from funcnn import initializers, tree
from funcnn.errors import check_array, check_count, shown
from funcnn.initializers import Initializer, check_initializer
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, Residuals, check_init, check_layer
from funcnn.masked import Masked
from funcnn.runtime.records import read_only_again
from funcnn.typing import Array, Shapes

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")
Z = TypeVar("Z")


@read_only_again
@frozen(eq=False)
class TrainedStartParams(Generic[Z, P]):
    """The second input, without the batch axis, and the parameters of the layer."""

    start: Z
    inner: P


def init(
    inner: Layer[P, S, tuple[X, Z], Y], shape: Shapes, start_init: Initializer, key: Key, in_shape: Shapes
) -> Init[TrainedStartParams[Z, P], S]:
    check_init(key, in_shape)
    pair: Any = (in_shape, shape)
    made = inner.init(key.child(0), pair)
    start = cast(Z, tree.freeze(drawn(start_init, key.child(1), shape)))
    return Init(TrainedStartParams(start, made.params), made.state, made.out_shape)


def drawn(start_init: Initializer, key: Key, shape: Any) -> Any:
    """Return an array of a shape, or a tuple of what a tuple of shapes says."""
    if shape and isinstance(shape[0], tuple):
        return tuple([drawn(start_init, key.child(index), part) for index, part in enumerate(shape)])
    return start_init(key, shape)


def forward(
    inner: Layer[P, S, tuple[X, Z], Y], params: TrainedStartParams[Z, P], state: S, x: X, mode: Mode
) -> Forward[Y, S, Residuals]:
    if not isinstance(x, Masked):
        check_array(cast(Array, x))
    batch = len(tree.leaves(x)[0])

    def of_each_example(leaf: Array) -> Array:
        return np.repeat(leaf[None], batch, axis=0)

    return inner.forward(params.inner, state, (x, tree.map(of_each_example, params.start)), mode)


def backward(
    inner: Layer[P, S, tuple[X, Z], Y], params: TrainedStartParams[Z, P], residuals: Residuals, dy: Y
) -> Backward[TrainedStartParams[Z, P], X]:
    made = inner.backward(params.inner, residuals, dy)
    dx, dstart = made.input
    return Backward(TrainedStartParams(tree.map(over_examples, dstart), made.params), dx)


def over_examples(dleaf: Array) -> Array:
    """Return the sum over the batch."""
    total: Array = dleaf.sum(0)
    return total


def trained_start(
    inner: Layer[P, S, tuple[X, Z], Y], shape: Shapes, *, start_init: Initializer = initializers.zeros
) -> Layer[TrainedStartParams[Z, P], S, X, Y]:
    """Learn the second input of a layer, such as the initial state of a recurrent one.

    Parameters
    ----------
    inner : Layer
        From a pair (x, s) to y.
    shape : tuple of int, or tuple of such
        The shape of s for one example: (H,) for ``gru(H, initial=True)``, ((H,), (H,)) for ``lstm(H, initial=True)``.
    start_init : callable, optional
        Initializer of s.

    Returns
    -------
    Layer
        From x to y, parameters :class:`TrainedStartParams`: every example is given the same s.

    Raises
    ------
    TypeError, ValueError
        When ``inner`` is not a layer or ``shape`` is none; in ``init``, when the layer takes another shape.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.trained_start(fn.gru(8, initial=True), (8,))
    >>> start = layer.init(fn.Key(0), (5, 3))
    >>> start.params.start.shape
    (8,)
    >>> fn.apply(layer, start.params, start.state, np.zeros((2, 5, 3))).shape
    (2, 5, 8)
    """
    check_layer(inner, "inner")
    shape = checked_start(shape)
    start_init = check_initializer(start_init, "start_init")
    return Layer(
        f"trained_start({inner.name})",
        partial(init, inner, shape, start_init),
        partial(forward, inner),
        partial(backward, inner),
        inner.random,
    )


def checked_start(shape: Shapes) -> Shapes:
    """Return the shape of a start, or the tuple of the shapes of its parts, with plain ints; raise when it is anything else."""
    if not isinstance(shape, tuple):
        raise TypeError(f"shape is {shown(shape)}, expected that of one example, such as (8,) or ((8,), (8,))")
    made = [checked_start(part) if isinstance(part, tuple) else check_count(part, "a length in shape") for part in shape]
    return cast(Shapes, tuple(made))
