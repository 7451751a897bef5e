r"""A layer over further leading axes: each step of a sequence, or each frame of a film, is an example of its own.

Indices: $n$ example, $t$ step (any number of axes).

Forward
$$ y_{nt} = f(\theta, x_{nt}) . $$

Derivation.  Each $x_{nt}$ is an example of the inner layer; its batch is the $(n, t)$ in one axis.  Bringing two axes into one
moves no number, and so
$$ \bar x_{nt} = \partial_x f(\theta, x_{nt})^\top \bar y_{nt}, \qquad
   \bar\theta = \sum_{nt} \partial_\theta f(\theta, x_{nt})^\top \bar y_{nt} . $$
"""

from functools import partial
from typing import Any, TypeVar, cast

import numpy as np
from attrs import frozen

from funcnn import tree
from funcnn.errors import check_cotangent, check_count, describe, is_plain
from funcnn.key import Key
from funcnn.layer import (
    AnyLayer,
    Backward,
    Forward,
    Init,
    Layer,
    Mode,
    Residuals,
    backward_without_input,
    check_init,
    check_layer,
    params_only,
)
from funcnn.typing import Array, IntArray, Shape, Shapes

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X", Array, IntArray)


@frozen(eq=False)
class TimeDistributedResiduals:
    """The axes before those of an example, what the output is like, and what the inner layer kept."""

    lead: Shape
    shape: Shape
    dtype: np.dtype[np.floating]
    inner: Residuals


def init(inner: AnyLayer, axes: int, key: Key, in_shape: Shapes) -> Init[Any, Any]:
    check_init(key, in_shape)
    if any(isinstance(one, tuple) for one in in_shape):
        raise ValueError(f"in_shape is {in_shape}, expected that of one input")
    if len(in_shape) < axes:
        raise ValueError(f"an example has shape {in_shape}, expected {axes} axes of steps before those of the layer")
    lead, shape = cast(Shape, in_shape[:axes]), cast(Shape, in_shape[axes:])
    made = inner.init(key, shape)
    return Init(made.params, made.state, (*lead, *cast(Shape, made.out_shape)))


def forward(inner: AnyLayer, axes: int, params: Any, state: Any, x: Any, mode: Mode) -> Forward[Any, Any, Any]:
    if not is_plain(x) or x.ndim <= axes:
        raise TypeError(
            f"the input is {describe(x)}, expected an array with the batch and {axes} axes of steps before the layer's"
        )
    lead, rest = x.shape[: axes + 1], x.shape[axes + 1 :]
    made = inner.forward(params, state, x.reshape(int(np.prod(lead)), *rest), mode)
    if not is_plain(made.output):
        raise TypeError(f"{inner.name} gives {describe(made.output)}, and time_distributed takes layers that give one array")
    y = made.output.reshape(*lead, *made.output.shape[1:])
    return Forward(y, made.state, TimeDistributedResiduals(lead, y.shape, y.dtype, made.residuals))


def backward(inner: AnyLayer, params: Any, residuals: Any, dy: Array, input_grad: bool = True) -> Backward[Any, Any]:
    check_cotangent(dy, residuals.shape, residuals.dtype)
    lead = residuals.lead
    flat = dy.reshape(int(np.prod(lead)), *dy.shape[len(lead) :])
    if not input_grad:
        return backward_without_input(params_only(inner, params, residuals.inner, flat).params)
    made = inner.backward(params, residuals.inner, flat)
    return Backward(made.params, tree.map_cotangents(lambda leaf: leaf.reshape(*lead, *leaf.shape[1:]), made.input))


def time_distributed(inner: Layer[P, S, X, Array], axes: int = 1) -> Layer[P, S, X, Array]:
    """Apply a layer to each step of a sequence, or each frame of a film, with the same parameters.

    Parameters
    ----------
    inner : Layer
        From one array to one array.
    axes : int, optional
        How many axes of steps stand between the batch and an example of the layer.

    Returns
    -------
    Layer
        From (n, t, ...) to (n, t, ...), with the parameters and the state of ``inner``.  To the layer each step is an example of
        its own: batch statistics are taken over all of them, and dropout draws for each.

    Raises
    ------
    TypeError, ValueError
        When ``inner`` is no layer, or ``axes`` less than 1; in ``init`` and ``forward``, when there are fewer axes, or the layer
        does not give one array.

    See Also
    --------
    masked_steps : the same for sequences with padding.

    Examples
    --------
    Images of a film, one by one:

    >>> import numpy as np, funcnn as fn
    >>> frames = fn.time_distributed(fn.conv2d(4, 3) >> fn.relu() >> fn.global_avg_pool())
    >>> start = frames.init(fn.Key(0), (10, 8, 8, 3))
    >>> start.out_shape
    (10, 4)
    >>> fn.apply(frames, start.params, start.state, np.zeros((2, 10, 8, 8, 3))).shape
    (2, 10, 4)
    """
    check_layer(inner, "inner")
    axes = check_count(axes, "axes")
    part: Any = inner  # parts are for looking at: their types are not kept
    return Layer(
        f"time_distributed({inner.name})",
        partial(init, part, axes),
        partial(forward, part, axes),
        partial(backward, part),
        inner.random,
        (part,),
        partial(combine, axes),
    )


def combine(axes: int, parts: tuple[AnyLayer, ...]) -> AnyLayer:
    """Make the combination again from another part."""
    return time_distributed(parts[0], axes)
