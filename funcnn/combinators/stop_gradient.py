r"""A layer from which, and through which, no gradient flows.

Forward: $y = f(x)$, the inner layer's.

Backward: $\bar x = 0$, and the same for every parameter.

This is on purpose not the transpose of forward's derivative but that of a *surrogate* that is constant.  The inner layer's
backward is not called, and nothing that it keeps for it is kept.
"""

from functools import partial
from typing import Any, TypeVar, cast, overload

import numpy as np
from attrs import frozen

from funcnn import tree
from funcnn.combinators.cotangents import Like, check_cotangents, like
from funcnn.kernels.arrays import without_tangent
from funcnn.layer import AnyLayer, Backward, Forward, Layer, Mode, backward_without_input, check_layer
from funcnn.layers.shape.identity import identity
from funcnn.typing import Array, Empty

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")
T = TypeVar("T")


@frozen(eq=False)
class StopResiduals:
    """The input, for the shapes of its cotangent, and what the output is like."""

    x: Any  # Any: of the type of the layer's input
    output: Like


def zeros_like(values: T) -> T:
    """Return the cotangent of a tree that is 0 everywhere."""
    leaves = [np.zeros_like(leaf) if leaf.dtype.kind in "fc" else None for leaf in tree.leaves(values)]
    return tree.rebuild(values, iter(cast("list[Array]", leaves)))  # the cotangent of an integer leaf is None


def forward(inner: Layer[P, S, X, Y], params: P, state: S, x: X, mode: Mode) -> Forward[Y, S, StopResiduals]:
    made = inner.forward(params, state, x, mode)
    return Forward(tree.map(without_tangent, made.output), made.state, StopResiduals(x, like(made.output)))


def backward(params: P, residuals: StopResiduals, dy: object, input_grad: bool = True) -> Backward[P, Any]:
    check_cotangents(dy, residuals.output)
    grads = zeros_like(params)
    if not input_grad:
        return backward_without_input(grads)
    return Backward(grads, zeros_like(residuals.x))


@overload
def stop_gradient() -> Layer[Empty, Empty, Array, Array]: ...
@overload
def stop_gradient(inner: Layer[P, S, X, Y]) -> Layer[P, S, X, Y]: ...
def stop_gradient(inner: AnyLayer | None = None) -> AnyLayer:
    """Let no gradient through: a layer's values are used, and neither it nor what comes before it learns from that.

    Parameters
    ----------
    inner : Layer, optional
        The layer whose output is taken; the identity if none is given.

    Returns
    -------
    Layer
        Of the same types, parameters and state.  All gradients that it gives are 0.  A gradient check of a network that holds it
        fails, rightly: backward is on purpose not the derivative of forward.

    Raises
    ------
    TypeError
        When ``inner`` is not a layer.

    See Also
    --------
    freeze : an optimizer that leaves parameters as they are while gradients flow.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.stop_gradient(fn.tanh())
    >>> made = layer.forward((), (), np.array([[0.0, 1.0]]), fn.Eval())
    >>> made.output, layer.backward((), made.residuals, np.array([[1.0, 1.0]])).input
    (array([[0.        , 0.76159416]]), array([[0., 0.]]))
    """
    layer: AnyLayer = identity() if inner is None else inner
    check_layer(layer, "inner")
    kept: Any = partial(forward, layer)  # Any: the residuals' type is hidden from here on
    pulled: Any = backward
    return Layer(f"stop_gradient({layer.name})", layer.init, kept, pulled, layer.random, (layer,), combine)


def combine(parts: tuple[AnyLayer, ...]) -> AnyLayer:
    """Make the combination again from another part."""
    return stop_gradient(*parts)
