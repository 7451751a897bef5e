"""The chain rule between a network and its loss, on one page."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any, Generic, Protocol, TypeVar

from attrs import field, frozen

from funcnn.layer import Eval, Layer, Memo, Mode, params_only
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

OFTEN = 100
"""How many calls it takes for a flat function to be written (:mod:`funcnn.program`), which costs some milliseconds a layer."""


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
    flat = model.memo.function
    if flat is not None:
        output: Y = flat(params, state, x)
        return output
    memo = model.memo
    memo.calls = calls = memo.calls + 1  # of two threads that count at once, one call is lost
    if calls == OFTEN:
        memo.function = _written(lambda network: network.predictor(model, _PREDICT, params, x))
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

    With the network $y = f(x; p)$ and the loss $L(y, t)$ the chain rule gives $\bar y = \partial L/\partial y$ and
    $\bar p = (\partial f/\partial p)^\top \bar y$: the loss's backward, then the network's.  The gradient with respect to
    the network's own
    input is not computed; ``model.backward`` gives it.

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
    """
    return _LossAndGradOf(model, loss)


@frozen
class _LossAndGradOf(Generic[P, S, X, Y, T]):
    """What :func:`loss_and_grad` returns: the rule below, and once it is called often, the flat function that does the same."""

    model: Layer[P, S, X, Y]
    loss: Loss[Y, T]
    memo: Memo = field(init=False, eq=False, repr=False, factory=Memo)

    def __call__(self, params: P, state: S, x: X, target: T, mode: Mode, /) -> LossAndGrad[P, S, Y]:
        flat = self.memo.function
        if flat is not None:
            result: LossAndGrad[P, S, Y] = flat(params, state, x, target, mode)
            return result
        memo = self.memo
        memo.calls = calls = memo.calls + 1
        result = _loss_and_grad(self.model, self.loss, params, state, x, target, mode)
        if calls == OFTEN:  # after the call: it has shown that the arguments fit
            plain = partial(_loss_and_grad, self.model, self.loss)
            memo.function = _written(
                lambda network: network.trainer(self.model, self.loss, LossAndGrad, plain, params, x, target)
            )
        return result


def _written(write: Callable[[ModuleType], Callable[..., Any]]) -> Callable[..., Any] | None:
    """Return the function that is written; None, and a warning, if that fails: then nothing is lost but speed."""
    try:
        return write(import_module("funcnn.program.network"))  # not imported before it is needed
    except Exception as error:
        warnings.warn(
            f"no flat function could be written, the layers are called instead: {error!r}", RuntimeWarning, stacklevel=3
        )
        return None


def _loss_and_grad(
    model: Layer[P, S, X, Y], loss: Loss[Y, T], params: P, state: S, x: X, target: T, mode: Mode
) -> LossAndGrad[P, S, Y]:
    network = model.forward(params, state, x, mode)
    scored = loss.forward(network.output, target)
    doutput = loss.backward(scored.residuals)
    pulled = params_only(model, params, network.residuals, doutput)
    return LossAndGrad(scored.value, pulled.params, network.state, network.output)
