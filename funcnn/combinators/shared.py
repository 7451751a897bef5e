r"""One layer on several inputs, with the same parameters (Bromley et al. 1993).

Forward, for inputs $x_1, \ldots, x_k$
$$ y_j = f(\theta, x_j). $$

Derivation.  $\mathrm{d}y_j = \partial_\theta f(\theta, x_j)\,\mathrm{d}\theta + \partial_x f(\theta, x_j)\,\mathrm{d}x_j$: each
input has its own cotangent, and the parameters collect one term from each use,
$$ \bar x_j = \partial_x f(\theta, x_j)^\top \bar y_j, \qquad \bar\theta = \sum_j \partial_\theta f(\theta, x_j)^\top \bar y_j. $$

The state goes through the uses in their order: the second begins with what the first has left.
"""

from functools import partial
from typing import Any, TypeVar

import numpy as np

from funcnn import tree
from funcnn.combinators.cotangents import check_cotangents
from funcnn.errors import check_count, describe
from funcnn.key import Key
from funcnn.layer import (
    AnyLayer,
    Backward,
    Forward,
    Init,
    Layer,
    Mode,
    Train,
    backward_without_input,
    check_init,
    check_layer,
    params_only,
)
from funcnn.typing import Shapes

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")


def init(inner: AnyLayer, uses: int, key: Key, in_shape: Shapes) -> Init[Any, Any]:
    check_init(key, in_shape)
    if len(in_shape) != uses or len(set(in_shape)) > 1:
        raise ValueError(f"shared takes {uses} inputs of one shape, got shapes {in_shape}")
    shape: Any = in_shape[0]
    made = inner.init(key, shape)
    repeated: Any = (made.out_shape,) * uses
    return Init(made.params, made.state, repeated)


def forward(inner: AnyLayer, uses: int, params: Any, state: Any, x: Any, mode: Mode) -> Forward[Any, Any, Any]:
    if type(x) is not tuple or len(x) != uses:
        raise TypeError(f"shared takes a tuple of {uses} inputs, got {describe(x)}")
    outputs, kept = [], []
    for index, one in enumerate(x):
        own = mode.child(index) if inner.random and isinstance(mode, Train) else mode
        made = inner.forward(params, state, one, own)
        state = made.state
        outputs.append(made.output)
        kept.append(made.residuals)
    return Forward(tuple(outputs), state, tuple(kept))


def backward(inner: AnyLayer, uses: int, params: Any, residuals: Any, dy: Any, input_grad: bool = True) -> Backward[Any, Any]:
    check_cotangents(dy, (None,) * uses)
    pull: Any = inner.backward if input_grad else partial(params_only, inner)
    made = [pull(params, kept, one) for kept, one in zip(residuals, dy, strict=True)]
    grads = made[0].params
    for later in made[1:]:
        grads = tree.map(np.add, grads, later.params)
    if not input_grad:
        return backward_without_input(grads)
    return Backward(grads, tuple([one.input for one in made]))


def shared(inner: Layer[P, S, X, Y], uses: int = 2) -> Layer[P, S, tuple[X, ...], tuple[Y, ...]]:
    """Use one layer on several inputs, with the same parameters.

    Parameters
    ----------
    inner : Layer
    uses : int, optional
        How many inputs there are.

    Returns
    -------
    Layer
        From a tuple of inputs of one shape to the tuple of outputs, with the parameters and the state of ``inner``; the gradients
        of the uses are added.

    Raises
    ------
    TypeError, ValueError
        When ``inner`` is not a layer, or ``uses`` is less than 1; in ``init`` and ``forward``, when the inputs are not as many.

    See Also
    --------
    parallel : a layer for each input, with parameters of its own.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> twin = fn.shared(fn.dense(2))
    >>> start = twin.init(fn.Key(0), ((3,), (3,)))
    >>> start.out_shape, fn.tree.size(start.params)
    (((2,), (2,)), 8)
    """
    check_layer(inner, "inner")
    uses = check_count(uses, "uses", most=10_000)
    part: Any = inner
    return Layer(
        f"shared({inner.name})",
        partial(init, part, uses),
        partial(forward, part, uses),
        partial(backward, part, uses),
        inner.random,
        (part,),
        partial(combine, uses),
    )


def combine(uses: int, parts: tuple[AnyLayer, ...]) -> Any:
    """Make the combination again from another part."""
    (part,) = parts
    return shared(part, uses=uses)
