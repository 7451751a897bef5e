"""``compiled``: a flat function in the place of a network's layers, for who asks for it.

A plain call of :func:`funcnn.loss_and_grad`'s function, or of :func:`funcnn.apply`, runs the plain code of the layers.  What
``compiled`` returns runs, from its second call on, one function that was written from the same source (:mod:`funcnn.compile`).
Of an optimizer it gives one that has worked out, from its second update on, what is the same at every step.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any, Generic, Protocol, TypeVar, overload

from funcnn.grad import LossAndGrad, LossAndGradFunction, LossAndGradOf, apply, misfit, value_and_grads
from funcnn.layer import Eval, Layer, Mode
from funcnn.losses.loss import Loss
from funcnn.optim.optimizer import Optimizer

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")
T = TypeVar("T")
P_in = TypeVar("P_in", contravariant=True)
S_in = TypeVar("S_in", contravariant=True)
X_in = TypeVar("X_in", contravariant=True)
Y_out = TypeVar("Y_out", covariant=True)

WORTHWHILE = 1000
"""Calls that it takes for what is written to have saved the time of writing it: some milliseconds against some microseconds a
layer."""

_PREDICT = Eval(residuals=False)


class ApplyFunction(Protocol[P_in, S_in, X_in, Y_out]):
    """The type of what :func:`compiled` makes of a layer."""

    def __call__(self, params: P_in, state: S_in, x: X_in, /) -> Y_out:
        """Return the output in evaluation mode, as :func:`funcnn.apply` does."""
        ...


@overload
def compiled(function: Layer[P, S, X, Y], /) -> ApplyFunction[P, S, X, Y]: ...
@overload
def compiled(function: LossAndGradFunction[P, S, X, Y, T], /) -> LossAndGradFunction[P, S, X, Y, T]: ...
@overload
def compiled(function: Optimizer, /) -> Optimizer: ...
def compiled(function: Any, /) -> Any:  # Any: the overloads say
    """Return a function that does the same in less time, for networks of small layers that are called often.

    The first call runs the plain code; then, for arguments of its kind, one flat function is written from the source of the
    library's own layers and losses, without the calls and the records in between.  It is the same source, so results are equal to
    the last bit and errors carry the same notes.  Layers and losses of one's own, and whatever else cannot be proved to be the
    same when it is written out, are called as they stand.

    Parameters
    ----------
    function : callable, Layer or Optimizer
        What :func:`funcnn.loss_and_grad` returned; or a layer, for its prediction; or an optimizer, for its updates.  What the
        library made of the first, such as :func:`funcnn.penalized`, is compiled inside.  Any other function is returned as it
        stands.

    Returns
    -------
    callable or Optimizer
        Of a ``loss_and_grad`` function: one of the same type, ``(params, state, x, target, mode) -> LossAndGrad``.  Of a layer:
        ``(params, state, x) -> output``, what :func:`funcnn.apply` gives.  Of an optimizer: one with the same ``init`` and
        ``update``, for trees of small leaves, in which what is the same at every step is worked out once; one whose rule looks
        at whole leaves is returned as it stands.  They pickle and copy, without what was written.

    Raises
    ------
    TypeError
        When the argument is neither a layer nor a function nor an optimizer.

    Notes
    -----
    Writing takes some milliseconds a layer, and each call saves some microseconds a layer: where arrays are small it pays from
    about a thousand calls on.  :func:`funcnn.fit`, :func:`funcnn.predict` and :func:`funcnn.generate` do it themselves.  What is
    written is kept in the object that is returned.  It is for arguments like those of the first call: in another mode, and for
    targets of another kind, the plain code runs.  The library's own functions and classes are those of the moment when it is
    written: who patches these asks for ``compiled`` again.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.dense(2) >> fn.tanh()
    >>> start = model.init(fn.Key(0), (3,))
    >>> step = fn.compiled(fn.loss_and_grad(model, fn.mean_squared_error()))
    >>> step(start.params, start.state, np.ones((4, 3)), np.ones((4, 2)), fn.Train(fn.Key(1))).grads[0].bias.shape
    (2,)
    >>> opt = fn.compiled(fn.adam(0.1))
    >>> opt.update(start.params, start.params, opt.init(start.params)).params[0].bias.shape
    (2,)
    >>> predict = fn.compiled(model)
    >>> predict(start.params, start.state, np.zeros((1, 3)))
    array([[0., 0.]])
    """
    if isinstance(function, Layer):
        return CompiledApply(function)
    if type(function) is LossAndGradOf:
        return CompiledStep(function)
    if isinstance(function, partial) and str(getattr(function.func, "__module__", "")).startswith("funcnn."):
        inside = [compiled(one) if isinstance(one, (LossAndGradOf, partial)) else one for one in function.args]
        return partial(function.func, *inside, **function.keywords)
    if isinstance(function, Optimizer) and not isinstance(function, type):
        from funcnn.compile.optimizer import compiled_optimizer  # most programs need no optimizer

        return compiled_optimizer(function)
    if not callable(function):
        raise TypeError(f"compiled takes a layer, an optimizer, or a function such as loss_and_grad returns, got {function!r}")
    return function


class CompiledApply(Generic[P, S, X, Y]):
    """The prediction of a layer, with the flat function that was written for it."""

    def __init__(self, model: Layer[P, S, X, Y]) -> None:
        self.model = model
        self._written: ApplyFunction[P, S, X, Y] | None = None

    def __call__(self, params: P, state: S, x: X, /) -> Y:
        """Return the output in evaluation mode."""
        if self._written is not None:
            try:
                return self._written(params, state, x)
            except AttributeError as error:
                raise misfit(error, params, state) from error
        output = apply(self.model, params, state, x)  # it shows that the arguments fit
        self._written = written(partial(write_prediction, self.model, params, x), partial(apply, self.model))
        return output

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return CompiledApply, (self.model,)

    def __repr__(self) -> str:
        return f"compiled({self.model!r})"


class CompiledStep(Generic[P, S, X, Y, T]):
    """A ``loss_and_grad`` function, with the flat function that was written for it."""

    def __init__(self, function: LossAndGradOf[P, S, X, Y, T]) -> None:
        self.function = function
        self._written: LossAndGradFunction[P, S, X, Y, T] | None = None

    def __call__(self, params: P, state: S, x: X, target: T, mode: Mode, /) -> LossAndGrad[P, S, Y]:
        """Return the loss, its gradient, the next state and the output."""
        if self._written is not None:
            try:
                return self._written(params, state, x, target, mode)
            except AttributeError as error:
                raise misfit(error, params, state) from error
        model, loss = self.function.model, self.function.loss
        result = self.function(params, state, x, target, mode)  # it shows that the arguments fit
        write = partial(write_step, model, loss, params, x, target)
        self._written = written(write, partial(value_and_grads, model, loss))
        return result

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return CompiledStep, (self.function,)

    def __repr__(self) -> str:
        return f"compiled({self.function!r})"


# Any: functions of networks of all types.  The modules that write are imported when something is written: most programs need
# none of them.


def write_prediction(model: Layer[Any, Any, Any, Any], params: object, x: object) -> Callable[..., Any]:
    """Write the flat function of a layer's prediction."""
    from funcnn.compile.network import predictor

    return predictor(model, _PREDICT, params, x)


def write_step(
    model: Layer[Any, Any, Any, Any], loss: Loss[Any, Any], params: object, x: object, target: object
) -> Callable[..., Any]:
    """Write the flat function of a network's loss and its gradients."""
    from funcnn.compile.network import trainer

    return trainer(model, loss, LossAndGrad, partial(value_and_grads, model, loss), params, x, target)


class Writing:
    """One thread writes at a time.

    Python 3.11 counts the depth of the syntax tree that it builds once for all threads, and calls it a SystemError when two that
    build one take turns (python/cpython issue 106905).
    """

    lock = threading.RLock()


def _begin_anew() -> None:
    """Take a lock that is free in a forked process: the thread that held the old one is not here."""
    Writing.lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


def written(write: Callable[[], Any], plain: Callable[..., Any]) -> Any:
    """Return the function that is written; the plain one, and a warning, if that fails: then nothing is lost but speed."""
    try:
        with Writing.lock:
            return write()
    except Exception as error:
        warnings.warn(
            f"no flat function could be written, the layers are called instead: {error!r}", RuntimeWarning, stacklevel=3
        )
        return plain


@overload
def compiled_if_often(function: Layer[P, S, X, Y], calls: int) -> ApplyFunction[P, S, X, Y]: ...
@overload
def compiled_if_often(function: LossAndGradFunction[P, S, X, Y, T], calls: int) -> LossAndGradFunction[P, S, X, Y, T]: ...
@overload
def compiled_if_often(function: Optimizer, calls: int) -> Optimizer: ...
def compiled_if_often(function: Any, calls: int) -> Any:
    """Return :func:`compiled` of a function that will be called so many times, if that is often enough for it to pay."""
    if calls >= WORTHWHILE:
        return compiled(function)
    return partial(apply, function) if isinstance(function, Layer) else function
