r"""Layers that are alike, one after another, with their parameters in one tree.

Indices: $k$ repetition of $K$.

Forward
$$ x_0 = x, \qquad x_k = f(\theta_k, x_{k-1}), \qquad y = x_K . $$
All $\theta_k$ stand in one tree, whose leaves have a leading axis of repetitions.

Derivation.  The chain rule, from the last to the first: with $\bar x_K = \bar y$
$$ \bar\theta_k = \partial_\theta f(\theta_k, x_{k-1})^\top \bar x_k, \qquad
   \bar x_{k-1} = \partial_x f(\theta_k, x_{k-1})^\top \bar x_k . $$
"""

from functools import partial
from typing import TypeVar

from attrs import frozen

from funcnn.combinators.stacked.stacking import check_members, member, own_mode, stacked
from funcnn.errors import check_count
from funcnn.key import Key
from funcnn.layer import (
    Backward,
    Forward,
    Init,
    Layer,
    Mode,
    Residuals,
    backward_without_input,
    check_layer,
    define_layer,
    params_only,
)
from funcnn.typing import Shapes

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")


@frozen(eq=False)
class RepeatResiduals:
    """What each repetition kept, the first first."""

    steps: tuple[Residuals, ...]


def init(inner: Layer[P, S, X, X], layers: int, key: Key, in_shape: Shapes) -> Init[P, S]:
    made = [inner.init(key.child(index), in_shape) for index in range(layers)]
    if made[0].out_shape != in_shape:
        raise ValueError(f"repeat needs a layer that keeps the shape; {inner.name} maps {in_shape} to {made[0].out_shape}")
    return Init(stacked(*[one.params for one in made]), stacked(*[one.state for one in made]), in_shape)


def forward(inner: Layer[P, S, X, X], layers: int, params: P, state: S, x: X, mode: Mode) -> Forward[X, S, RepeatResiduals]:
    check_members(params, layers, "params")
    check_members(state, layers, "state")
    states: list[S] = []
    kept: list[Residuals] = []
    for index in range(layers):
        made = inner.forward(member(params, index), member(state, index), x, own_mode(mode, index, inner.random))
        x = made.output
        states.append(made.state)
        kept.append(made.residuals)
    return Forward(x, stacked(*states), RepeatResiduals(tuple(kept)))


def backward(inner: Layer[P, S, X, X], params: P, residuals: RepeatResiduals, dy: X, input_grad: bool = True) -> Backward[P, X]:
    grads: list[P] = []
    for index, kept in reversed(list(enumerate(residuals.steps))[1:]):
        made = inner.backward(member(params, index), kept, dy)
        grads.append(made.params)
        dy = made.input
    first = member(params, 0), residuals.steps[0], dy
    last = inner.backward(*first) if input_grad else params_only(inner, *first)
    whole = stacked(last.params, *grads[::-1])
    return Backward(whole, last.input) if input_grad else backward_without_input(whole)


def repeat(inner: Layer[P, S, X, X], layers: int) -> Layer[P, S, X, X]:
    """Repeat a layer one after another, each time with parameters of its own, which stand in one tree.

    Parameters
    ----------
    inner : Layer
        A layer that keeps the shape: a block of a residual network or of a Transformer.
    layers : int
        How often.

    Returns
    -------
    Layer
        Parameters and state are those of ``inner`` with a leading axis of repetitions in every leaf: as many leaves as one block
        has, however deep the network is.  Each repetition starts, and draws, from a key of its own.

    Raises
    ------
    TypeError, ValueError
        When ``inner`` is no layer, or ``layers`` less than 1; in ``init``, when it changes the shape; in ``forward``, when the
        parameters have not as many repetitions.

    See Also
    --------
    serial : layers of any kind, each with a place of its own in the tree.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.repeat(fn.residual(fn.dense(3) >> fn.tanh()), 4)
    >>> start = model.init(fn.Key(0), (3,))
    >>> start.params[0].weight.shape
    (4, 3, 3)
    """
    check_layer(inner, "inner")
    layers = check_count(layers, "layers", most=10_000)
    return define_layer(
        f"repeat({inner.name}, {layers})",
        partial(init, inner, layers),
        partial(forward, inner, layers),
        partial(backward, inner),
        random=inner.random,
        inputs=None,
    )
