r"""A part of a network that stays as it is: in evaluation mode in training too, and with parameters that learn nothing.

Forward: $y = f(\theta, x)$, the inner layer's in evaluation mode, whatever the mode is: its running statistics are used and stay
as they are, and nothing is dropped.

Backward: $\bar x = (\partial f / \partial x)^\top \bar y$, the inner layer's, and $\bar\theta = 0$.

With respect to the input this is the derivative of forward; with respect to the parameters it is on purpose that of a surrogate
in which they are constants.
"""

from functools import partial
from typing import Any, TypeVar

from funcnn import tree
from funcnn.combinators.stop_gradient import zeros_like
from funcnn.kernels.arrays import without_tangent
from funcnn.layer import AnyLayer, Backward, Eval, Forward, Layer, Mode, Residuals, Train, backward_without_input, check_layer

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")


def forward(inner: Layer[P, S, X, Y], params: P, state: S, x: X, mode: Mode) -> Forward[Y, S, Residuals]:
    return inner.forward(tree.map(without_tangent, params), state, x, Eval() if isinstance(mode, Train) else mode)


def backward(inner: Layer[P, S, X, Y], params: P, residuals: Residuals, dy: Y, input_grad: bool = True) -> Backward[P, X]:
    grads = zeros_like(params)
    if not input_grad:
        return backward_without_input(grads)
    return Backward(grads, inner.backward(tree.map(without_tangent, params), residuals, dy).input)


def frozen(inner: Layer[P, S, X, Y]) -> Layer[P, S, X, Y]:
    """Keep a layer as it is while what stands around it is trained: a pretrained part, say.

    Parameters
    ----------
    inner : Layer

    Returns
    -------
    Layer
        Of the same types, parameters and state.  It is in evaluation mode in training too: batch norms use their running
        statistics and leave them as they are, dropout drops nothing.  Its parameters' gradient is 0, and the gradient flows on to
        its input.  A gradient check of its parameters fails, rightly: backward is on purpose not the derivative of forward.

    Raises
    ------
    TypeError
        When ``inner`` is not a layer.

    Notes
    -----
    An update may move parameters whose gradient is 0: weight decay does, and so does momentum of earlier steps.  Where the
    optimizer has any, put it into ``fn.freeze`` as well.

    See Also
    --------
    freeze : an optimizer that leaves parameters as they are.
    stop_gradient : also stops what flows on to the input.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.frozen(fn.dense(3) >> fn.batch_norm()) >> fn.dense(1)
    >>> start = model.init(fn.Key(0), (2,))
    >>> made = model.forward(start.params, start.state, np.ones((4, 2)), fn.Train(fn.Key(1)))
    >>> fn.tree.same(made.state, start.state)
    True
    >>> grads = model.backward(start.params, made.residuals, made.output).params
    >>> grads[0][0].weight.any(), grads[1].weight.any()
    (np.False_, np.True_)
    """
    check_layer(inner, "inner")
    return Layer(
        f"frozen({inner.name})",
        inner.init,
        partial(forward, inner),
        partial(backward, inner),
        False,  # in evaluation mode nothing is drawn
        (inner,),  # type: ignore[arg-type]  # parts are for looking at: their types are not kept
        combine,
    )


def combine(parts: tuple[AnyLayer, ...]) -> Any:
    """Make the combination again from another part."""
    return frozen(*parts)
