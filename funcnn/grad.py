"""The chain rule between a network and its loss, on one page."""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

from attrs import frozen

from funcnn.layer import Eval, Layer, Mode, params_only
from funcnn.losses.loss import Loss
from funcnn.record import lean
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

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.dense(2) >> fn.tanh()
    >>> start = model.init(fn.Key(0), (3,))
    >>> fn.apply(model, start.params, start.state, np.zeros((1, 3)))
    array([[0., 0.]])
    """
    return model.forward(params, state, x, _PREDICT).output


@lean
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
        ``(params, state, x, target, mode) -> LossAndGrad(loss, grads, state, output)``; pure, and picklable.

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
    return LossAndGradOf(model, loss)


@frozen
class LossAndGradOf(Generic[P, S, X, Y, T]):
    """What :func:`loss_and_grad` returns: :func:`value_and_grads` of a network and a loss."""

    model: Layer[P, S, X, Y]
    loss: Loss[Y, T]

    def __call__(self, params: P, state: S, x: X, target: T, mode: Mode, /) -> LossAndGrad[P, S, Y]:
        """Return the loss, its gradient, the next state and the output at one batch."""
        return value_and_grads(self.model, self.loss, params, state, x, target, mode)


def value_and_grads(
    model: Layer[P, S, X, Y], loss: Loss[Y, T], params: P, state: S, x: X, target: T, mode: Mode
) -> LossAndGrad[P, S, Y]:
    """Return the loss, its gradient, the next state and the output at one batch."""
    network = model.forward(params, state, x, mode)
    scored = loss.forward(network.output, target)
    doutput = loss.backward(scored.residuals)
    pulled = params_only(model, params, network.residuals, doutput)
    return LossAndGrad(scored.value, pulled.params, network.state, network.output)
