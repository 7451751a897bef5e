r"""Layers beside a memory: what a decoder is made of.

A decoder's layers work on a sequence $x$ and look at a memory $m$, the encoder's output, which goes on as it is.  So each maps
a pair to a pair:
$$ (x, m) \mapsto (f(x), m), \qquad (x, m) \mapsto (x + f(x, m),\, m), \qquad (x, m) \mapsto x . $$

Derivation.  A copy of $m$ goes on, so that its cotangents from both ways are summed:
$$ (\bar y, \bar n) \mapsto (f'(x)^\top \bar y,\; \bar n), \qquad
   (\bar y, \bar n) \mapsto (\bar y + f_x^\top \bar y,\; \bar n + f_m^\top \bar y), \qquad
   \bar y \mapsto (\bar y, 0) . $$
Where $x$ is masked, the sum is 0 in the padding, and so is its cotangent.
"""

from functools import partial
from typing import Any, Generic, TypeVar, cast

import numpy as np
from attrs import frozen

from funcnn import tree
from funcnn.combinators.cotangents import Like, check_cotangents, like
from funcnn.combinators.pick_input import check_trees
from funcnn.combinators.stop_gradient import zeros_like
from funcnn.errors import describe
from funcnn.key import Key
from funcnn.layer import AnyLayer, Backward, Forward, Init, Layer, Mode, Residuals, check_init, check_layer, define_layer
from funcnn.masked import Masked, cleared
from funcnn.typing import BoolArray, Empty, Shapes

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")
M = TypeVar("M")


@frozen(eq=False)
class MemoryResiduals:
    """The mask of the sequence, if it has one, and what the layer kept."""

    mask: BoolArray | None
    output: Like
    inner: Residuals


@frozen(eq=False)
class BesideResiduals:
    """What the memory is like, and what the layer kept."""

    output: Like
    inner: Residuals


@frozen(eq=False)
class DropResiduals(Generic[M]):
    """The memory, for the shape of its cotangent, and what the output is like."""

    memory: M
    output: Like


def check_pair(x: object) -> None:
    """Raise a TypeError unless x is a pair of trees."""
    if not isinstance(x, tuple) or len(x) != 2:
        raise TypeError(f"the input is {describe(x)}, expected a pair (sequence, memory)")
    check_trees(x)


def shapes_of(in_shape: Shapes) -> tuple[Any, Any]:
    """Return the two shapes of a pair, or raise a ValueError."""
    if len(in_shape) != 2 or not all(isinstance(one, tuple) for one in in_shape):
        raise ValueError(f"in_shape is {in_shape}, expected a pair of shapes: of the sequence and of the memory")
    return in_shape[0], in_shape[1]


# ---------------------------------------------------------------------------------------------------- (x, m) to (f(x), m)


def beside_init(inner: Layer[P, S, X, Y], key: Key, in_shape: Shapes) -> Init[P, S]:
    check_init(key, in_shape)
    sequence, memory = shapes_of(in_shape)
    made = inner.init(key, sequence)
    return Init(made.params, made.state, cast(Any, (made.out_shape, memory)))


def beside_forward(
    inner: Layer[P, S, X, Y], params: P, state: S, x: tuple[X, M], mode: Mode
) -> Forward[tuple[Y, M], S, BesideResiduals]:
    check_pair(x)
    made = inner.forward(params, state, x[0], mode)
    return Forward((made.output, tree.map(np.copy, x[1])), made.state, BesideResiduals((None, like(x[1])), made.residuals))


def beside_backward(inner: Layer[P, S, X, Y], params: P, residuals: BesideResiduals, dy: tuple[Y, M]) -> Backward[P, tuple[X, M]]:
    check_cotangents(dy, residuals.output)
    made = inner.backward(params, residuals.inner, dy[0])
    return Backward(made.params, (made.input, tree.map_cotangents(np.copy, dy[1])))


def beside_memory(inner: Layer[P, S, X, Y]) -> Layer[P, S, tuple[X, Any], tuple[Y, Any]]:
    """Apply a layer to the first of a pair and let the memory go on: (x, m) to (f(x), m).

    The memory may be any tree of arrays: labels, integers, which :func:`linear_cross_entropy` takes at the end of a network, or
    the states that go with a sequence through a :func:`recurrent_stack`.

    Parameters
    ----------
    inner : Layer

    Returns
    -------
    Layer
        With the parameters and the state of ``inner``; ``init`` takes the pair of shapes.

    Raises
    ------
    TypeError, ValueError
        When ``inner`` is not a layer; in ``init`` and ``forward``, when the input is not a pair.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.beside_memory(fn.relu()), (), (), (np.array([[-1.0]]), np.array([[-2.0]])))
    (array([[0.]]), array([[-2.]]))
    """
    check_layer(inner, "inner")
    kept: Any = partial(beside_forward, inner)  # Any: the residuals' type is hidden from here on
    pulled: Any = partial(beside_backward, inner)
    return Layer(
        f"beside_memory({inner.name})",
        partial(beside_init, inner),
        kept,
        pulled,
        inner.random,
        (inner,),  # type: ignore[arg-type]  # parts are for looking at: their types are not kept
        combine_beside,
    )


def combine_beside(parts: tuple[AnyLayer, ...]) -> Any:
    """Make the combination again from another part."""
    return beside_memory(*parts)


# ----------------------------------------------------------------------------------------------- (x, m) to (x + f(x, m), m)


def residual_init(inner: Layer[P, S, tuple[X, M], X], key: Key, in_shape: Shapes) -> Init[P, S]:
    check_init(key, in_shape)
    sequence, _ = shapes_of(in_shape)
    made = inner.init(key, in_shape)
    if made.out_shape != sequence:
        raise ValueError(
            f"memory_residual needs a layer that keeps the sequence's shape; {inner.name} maps {sequence} to {made.out_shape}"
        )
    return Init(made.params, made.state, in_shape)


def residual_forward(
    inner: Layer[P, S, tuple[X, M], X], params: P, state: S, x: tuple[Any, M], mode: Mode
) -> Forward[Any, S, MemoryResiduals]:
    check_pair(x)
    sequence, mask = x[0], None
    made: Any = inner.forward(params, state, x, mode)
    if isinstance(sequence, Masked):
        mask = sequence.mask
        y: Any = Masked(cleared(sequence.values + made.output.values, mask), mask)
    else:
        y = sequence + made.output
    return Forward((y, tree.map(np.copy, x[1])), made.state, MemoryResiduals(mask, like((y, x[1])), made.residuals))


def residual_backward(
    inner: Layer[P, S, tuple[X, M], X], params: P, residuals: MemoryResiduals, dy: tuple[Any, M]
) -> Backward[P, Any]:
    check_cotangents(dy, residuals.output)
    dsequence, dmemory = cast("tuple[Any, Any]", dy)
    if residuals.mask is not None:
        dsequence = Masked(cleared(dsequence.values, residuals.mask), cast(Any, None))
    made = inner.backward(params, residuals.inner, cast(Any, dsequence))
    dx, dm = cast("tuple[Any, Any]", made.input)
    return Backward(made.params, tree.add_cotangents((dsequence, dmemory), (dx, dm)))


def memory_residual(inner: Layer[P, S, tuple[X, M], X]) -> Layer[P, S, tuple[X, M], tuple[X, M]]:
    """Add to a sequence what a layer makes of it and the memory: (x, m) to (x + f(x, m), m).

    Parameters
    ----------
    inner : Layer
        From a pair (x, m) to the shape of x, such as :func:`funcnn.cross_attention`; x may be :class:`funcnn.Masked`.

    Returns
    -------
    Layer
        With the parameters and the state of ``inner``; ``init`` takes the pair of shapes.

    Raises
    ------
    TypeError, ValueError
        When ``inner`` is not a layer; in ``init``, when it changes the shape; in ``forward``, when the input is not a pair.

    Examples
    --------
    >>> import funcnn as fn
    >>> layer = fn.memory_residual(fn.cross_attention(2))
    >>> layer.init(fn.Key(0), ((5, 4), (7, 3))).out_shape
    ((5, 4), (7, 3))
    """
    check_layer(inner, "inner")
    kept: Any = partial(residual_forward, inner)  # Any: the residuals' type is hidden from here on
    pulled: Any = partial(residual_backward, inner)
    return Layer(
        f"memory_residual({inner.name})",
        partial(residual_init, inner),
        kept,
        pulled,
        inner.random,
        (inner,),  # type: ignore[arg-type]  # parts are for looking at: their types are not kept
        combine_residual,
    )


def combine_residual(parts: tuple[AnyLayer, ...]) -> Any:
    """Make the combination again from another part."""
    return memory_residual(*parts)


# ------------------------------------------------------------------------------------------------------------- (x, m) to x


def drop_init(key: Key, in_shape: Shapes) -> Init[Empty, Empty]:
    check_init(key, in_shape)
    return Init((), (), shapes_of(in_shape)[0])


def drop_forward(params: Empty, state: Empty, x: tuple[X, M], mode: Mode) -> Forward[X, Empty, DropResiduals[M]]:
    check_pair(x)
    return Forward(tree.map(np.copy, x[0]), state, DropResiduals(x[1], like(x[0])))


def drop_backward(params: Empty, residuals: DropResiduals[M], dy: X) -> Backward[Empty, tuple[X, M]]:
    check_cotangents(dy, residuals.output)
    return Backward(params, (tree.map_cotangents(np.copy, dy), zeros_like(residuals.memory)))


def drop_memory() -> Layer[Empty, Empty, tuple[Any, Any], Any]:
    """Give the first of a pair, at the end of a decoder: (x, m) to x.

    Returns
    -------
    Layer
        ``init`` takes the pair of shapes.

    Raises
    ------
    TypeError, ValueError
        In ``init`` and ``forward``, when the input is not a pair.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.drop_memory(), (), (), (np.array([[1.0]]), np.array([[2.0]])))
    array([[1.]])
    """
    return define_layer("drop_memory", drop_init, drop_forward, drop_backward, random=False, inputs=None)
