"""The chain rule between a network and its loss, on one page."""

from __future__ import annotations

from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from attrs import frozen

from funcnn import tree
from funcnn.errors import describe, shown
from funcnn.layer import Eval, Layer, Mode, Train, check_layer, params_only, refuse_mode
from funcnn.losses.loss import Loss, check_loss
from funcnn.runtime.records import fast_init
from funcnn.typing import Scalar

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")
T = TypeVar("T")
P_inv = TypeVar("P_inv")
X_in = TypeVar("X_in", contravariant=True)
T_in = TypeVar("T_in", contravariant=True)


_PREDICT = Eval(residuals=False)


def apply(model: Layer[P, S, X, Y], params: P, state: S, x: X) -> Y:
    """Return the output of a network in evaluation mode; no residuals are kept.

    Parameters
    ----------
    model : Layer
    params, state : tree
        As ``model.init`` or training gave them.
    x : array
        A batch of inputs, the batch axis first.

    Returns
    -------
    array
        The outputs, the batch axis first.

    Raises
    ------
    TypeError
        When the model is not a layer, or the parameters are not those of the model.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.dense(2) >> fn.tanh()
    >>> start = model.init(fn.Key(0), (3,))
    >>> fn.apply(model, start.params, start.state, np.zeros((1, 3)))
    array([[0., 0.]])
    """
    if not isinstance(model, Layer):
        check_layer(model, "the model")
    try:
        return model.forward(params, state, x, _PREDICT).output
    except AttributeError as error:
        raise misfit(error, params, state) from error


@fast_init
@frozen(eq=False)
class LossAndGrad(Generic[P, S, Y]):
    """What a function made by :func:`loss_and_grad` gives."""

    loss: Scalar
    """The value of the loss."""
    grads: P
    """Its gradient: a tree like the parameters."""
    state: S
    """The next state."""
    output: Y
    """The network's output."""


class LossAndGradFunction(Protocol[P, S, X_in, Y, T_in]):
    """The type of what :func:`loss_and_grad` returns, and of whatever combinators make of it."""

    def __call__(self, params: P, state: S, x: X_in, target: T_in, mode: Mode, /) -> LossAndGrad[P, S, Y]:
        """Return the loss, its gradient, the next state and the output at one batch."""
        ...


def loss_and_grad(model: Layer[P, S, X, Y], loss: Loss[Y, T]) -> LossAndGradFunction[P, S, X, Y, T]:
    r"""Return the function that computes a network's loss and the gradient with respect to its parameters.

    With the network $y = f(x; p)$ and the loss $L(y, t)$ the chain rule gives $\bar y = \partial L/\partial y$ and $\bar p =
    (\partial f/\partial p)^\top \bar y$: the loss's backward, then the network's.  The gradient with respect to the network's
    own input is not computed; ``model.backward`` gives it.

    Parameters
    ----------
    model : Layer
    loss : Loss

    Returns
    -------
    callable
        ``(params, state, x, target, mode) -> LossAndGrad(loss, grads, state, output)``; pure, and picklable.  It raises
        a ValueError when the loss's backward gives another shape than the network's output has.

    Raises
    ------
    TypeError
        When the model is not a layer, or the loss is not a loss.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.dense(1)
    >>> start = model.init(fn.Key(0), (2,))
    >>> step = fn.loss_and_grad(model, fn.mean_squared_error())
    >>> result = step(start.params, start.state, np.ones((4, 2)), np.ones((4, 1)), fn.Train(fn.Key(1)))
    >>> result.grads.bias.shape
    (1,)

    See Also
    --------
    compiled : the same function in less time, for small networks that are called often.
    """
    check_layer(model, "the model")
    check_loss(loss)
    return LossAndGradOf(model, loss)


@frozen
class LossAndGradOf(Generic[P, S, X, Y, T]):
    """What :func:`loss_and_grad` returns: :func:`value_and_grads` of a network and a loss."""

    model: Layer[P, S, X, Y]
    loss: Loss[Y, T]

    def __call__(self, params: P, state: S, x: X, target: T, mode: Mode, /) -> LossAndGrad[P, S, Y]:
        """Return the loss, its gradient, the next state and the output at one batch."""
        try:
            return value_and_grads(self.model, self.loss, params, state, x, target, mode)
        except AttributeError as error:
            raise misfit(error, params, state) from error


def value_and_grads(
    model: Layer[P, S, X, Y], loss: Loss[Y, T], params: P, state: S, x: X, target: T, mode: Mode
) -> LossAndGrad[P, S, Y]:
    """Return the loss, its gradient, the next state and the output at one batch."""
    if not isinstance(mode, (Train, Eval)):
        refuse_mode(mode)
    network = model.forward(params, state, x, mode)
    scored = loss.forward(network.output, target)
    doutput: Any = loss.backward(scored.residuals)  # Any: most often an array, which is looked at
    if type(doutput) is not np.ndarray or doutput.shape != getattr(network.output, "shape", None):
        check_loss_gradient(doutput, network.output, loss.name)
    pulled = params_only(model, params, network.residuals, doutput)
    return LossAndGrad(scored.value, pulled.params, network.state, network.output)


def check_loss_gradient(gradient: object, output: object, name: str) -> None:
    """Raise unless the gradient that a loss gives is like the output: a narrower one would be repeated, and train in silence."""
    try:
        pairs = [(leaf, own) for _, leaf, own in tree.with_cotangents(output, gradient)]
    except ValueError as error:
        raise ValueError(f"the loss {name} gives a gradient unlike the model's output: {error}") from None
    for leaf, own in pairs:
        if own is not None and own.shape != leaf.shape:
            raise ValueError(
                f"the loss {name} gives the gradient {describe(own)} for the model's output {describe(leaf)}: its backward"
                " returns an array of the prediction's shape"
            )


class Misfit(TypeError):  # noqa: N818 - what it says stands in its name
    """Raised when a layer does not find what it looks for in its part of the parameters or of the state."""


def misfit(error: AttributeError, params: object, state: object) -> Exception:
    """Return the error to raise when a layer looks for a field that its part of the parameters, or of the state, does not have.

    Any other error is returned as it is.
    """
    for what, one in (("params", params), ("state", state)):
        path = _place(one, getattr(error, "obj", None), what)
        if path is not None:
            made = Misfit(
                f"{path} is {shown(error.obj)}, in which a layer looks for {error.name!r}: these are not the {what} of this"
                " model; are params and state in their order, and from its init?"
            )
            for note in getattr(error, "__notes__", ()):
                made.add_note(note)
            return made
    return error


def _place(node: object, wanted: object, path: str) -> str | None:
    """Return the path of an object in a tree, or None."""
    if node is wanted:
        return path
    if isinstance(node, (np.ndarray, str, int, float)) or node is None:
        return None
    try:
        inside = tree.children(node)
    except TypeError:  # no tree: what stands there is not looked into
        return None
    found = (_place(child, wanted, path + step) for step, child in inside)
    return next((one for one in found if one is not None), None)
