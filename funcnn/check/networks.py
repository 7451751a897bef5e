"""Checks of layers, losses and whole networks."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import TypeVar, cast

import numpy as np

from funcnn import tree
from funcnn.check import requests
from funcnn.check.case.problem import Question, pose
from funcnn.check.functions import spelled, times
from funcnn.check.report import Report
from funcnn.check.verify import ONE, Method, verify
from funcnn.errors import describe
from funcnn.grad import loss_and_grad
from funcnn.key import Key
from funcnn.layer import Eval, Layer, Mode, Train
from funcnn.losses.loss import Loss
from funcnn.typing import Array, Shapes

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")
T = TypeVar("T")


def check_layer(
    layer: Layer[P, S, X, Y],
    x: X | Shapes,
    *,
    mode: Mode | None = None,
    params: P | None = None,
    state: S | None = None,
    batch: int = 3,
    cotangent: Y | None = None,
    seed: int = 0,
    method: Method = "auto",
    reference: str = "auto",
    explain: bool | float = True,
) -> Report:
    """Check the gradients of a layer: every leaf of its parameters, and its input.

    Parameters
    ----------
    layer : Layer
        A layer or a composition of layers.
    x : array, tree of arrays or shape
        A batch of inputs, or the shape of one example (a tuple of shapes where the layer takes several arrays): then a batch
        is drawn, standard normal.
    mode : Mode, optional
        ``Eval()`` unless said.  With ``Train(key)`` the key is fixed, and so is everything random.
    params, state : tree, optional
        By default those of ``layer.init``, the parameters perturbed: zeros and ones would hide wrong terms.
    batch : int, optional
        How many examples are drawn.
    cotangent, seed, method, reference, explain
        As in :func:`check_vjp`.

    Returns
    -------
    Report
        Leaves are named ``params`` and ``input`` and the path below: ``params[0].weight``.  The state is held fixed, and the next
        state that forward gives is not differentiated.

    Raises
    ------
    TypeError, ValueError
        What the layer raises for such an input, and as in :func:`check_vjp`.

    Examples
    --------
    >>> import funcnn as fn
    >>> report = fn.check.check_layer(fn.dense(2), (3,), mode=fn.Train(fn.Key(1)))
    >>> report.ok, [leaf.path for leaf in report.leaves]
    (True, ['params.weight', 'params.bias', 'input'])
    """
    requests.options(seed, method, reference, explain)
    requests.a_layer(layer)
    requests.a_mode(mode)
    requests.a_batch(batch)
    how = Eval() if mode is None else mode
    generator = np.random.default_rng(seed)
    if _is_like_a_shape(x):
        requests.a_shape(x, "x")
    shape = cast(Shapes, x) if is_shape(x) else example_shape(x)
    data = drawn(shape, batch, generator) if is_shape(x) else x
    if params is None or state is None:
        made = layer.init(Key(seed), shape)
        params = perturbed(made.params, generator) if params is None else params
        state = made.state if state is None else state
        requests.alike(params, made.params, "params")
        requests.alike(state, made.state, "state")

    def function(params: P, state: S, x: X) -> Y:
        return layer.forward(params, state, x, how).output

    def pullback(params: P, state: S, x: X, dy: Y) -> tuple[P, X]:
        pulled = layer.backward(params, layer.forward(params, state, x, how).residuals, dy)
        return pulled.params, pulled.input

    def again(params: P, state: S, x: X, dy: Y) -> tuple[P, X]:
        residuals = layer.forward(params, state, x, how).residuals
        layer.backward(params, residuals, dy)
        pulled = layer.backward(params, residuals, dy)
        return pulled.params, pulled.input

    given = f"{x!r}, batch={batch}" if is_shape(x) else "x, params=params, state=state"
    options = ", ".join(spelled(seed, method, reference, cotangent=cotangent))
    call = f"fn.check.check_layer(layer, {given}, mode={_spelled(how)}, {options})  # layer: {layer.name}"
    names = ("params", "state", "input")
    question = Question(layer.name, function, pullback, again, constants(layer.forward), call)
    problem = pose(question, (params, state, data), names, names, (0, 2))
    return verify(problem, cotangent=cotangent, seed=seed, method=method, reference=reference, explain=explain)


def check_loss(
    loss: Loss[Y, T],
    prediction: Y,
    target: T,
    *,
    seed: int = 0,
    method: Method = "auto",
    reference: str = "auto",
    explain: bool | float = True,
) -> Report:
    """Check the gradient of a loss with respect to its prediction.

    Parameters
    ----------
    loss : Loss
    prediction : array or tree of arrays
        What is differentiated.
    target : array or tree of arrays
        Labels or values, held fixed.
    seed, method, reference, explain
        As in :func:`check_vjp`.

    Returns
    -------
    Report
        Leaves are named ``prediction`` and the path below.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.check.check_loss(fn.mean_squared_error(), np.ones((2, 3)), np.zeros((2, 3))).ok
    True
    """
    requests.options(seed, method, reference, explain)
    requests.a_loss(loss)

    def function(prediction: Y, target: T) -> object:
        return loss.forward(prediction, target).value

    def pullback(prediction: Y, target: T, dy: Array) -> tuple[Y]:
        return (times(loss.backward(loss.forward(prediction, target).residuals), dy),)

    def again(prediction: Y, target: T, dy: Array) -> tuple[Y]:
        residuals = loss.forward(prediction, target).residuals
        loss.backward(residuals)
        return (times(loss.backward(residuals), dy),)

    names = ("prediction", "target")
    call = f"fn.check.check_loss(loss, prediction, target, {', '.join(spelled(seed, method, reference))})"
    given = (prediction, target)
    question = Question(loss.name, function, pullback, again, constants(loss.forward), call)
    problem = pose(question, given, names, names, (0,))
    return verify(problem, cotangent=ONE, seed=seed, method=method, reference=reference, explain=explain)


def check_model(
    model: Layer[P, S, X, Y],
    loss: Loss[Y, T],
    x: X,
    target: T,
    *,
    params: P | None = None,
    state: S | None = None,
    mode: Mode | None = None,
    seed: int = 0,
    method: Method = "auto",
    reference: str = "auto",
    explain: bool | float = True,
) -> Report:
    """Check the gradient of a network's loss with respect to every leaf of its parameters: the very one that training follows.

    Parameters
    ----------
    model : Layer
    loss : Loss
    x, target : array or tree of arrays
        A batch.
    params, state : tree, optional
        By default those of ``model.init``, the parameters perturbed.
    mode : Mode, optional
        ``Eval()`` unless said.
    seed, method, reference, explain
        As in :func:`check_vjp`.  With the default method, leaves of more than a few thousand entries are looked at along random
        directions, and a wrong entry is found by bisection: a network of a million parameters takes seconds.

    Returns
    -------
    Report
        Leaves are named ``params`` and the path below: ``params[0].weight``.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.dense(4) >> fn.tanh() >> fn.dense(2)
    >>> x, labels = np.random.default_rng(0).normal(size=(5, 3)), np.array([0, 1, 1, 0, 1])
    >>> fn.check.check_model(model, fn.softmax_cross_entropy(), x, labels).ok
    True
    """
    requests.options(seed, method, reference, explain)
    requests.a_layer(model, "model")
    requests.a_loss(loss)
    requests.a_mode(mode)
    how = Eval() if mode is None else mode
    if params is None or state is None:
        made = model.init(Key(seed), example_shape(x))
        params = perturbed(made.params, np.random.default_rng(seed)) if params is None else params
        state = made.state if state is None else state
        requests.alike(params, made.params, "params")
        requests.alike(state, made.state, "state")
    step = loss_and_grad(model, loss)

    def function(params: P, state: S, x: X, target: T) -> object:
        return loss.forward(model.forward(params, state, x, how).output, target).value

    def pullback(params: P, state: S, x: X, target: T, dy: Array) -> tuple[P]:
        return (times(step(params, state, x, target, how).grads, dy),)

    names = ("params", "state", "input", "target")
    options = ", ".join(spelled(seed, method, reference))
    call = f"fn.check.check_model(model, loss, x, target, params=params, state=state, mode={_spelled(how)}, {options})"
    given = (params, state, x, target)
    question = Question(f"{model.name} with {loss.name}", function, pullback, reproduce=call)
    problem = pose(question, given, names, names, (0,))
    return verify(problem, cotangent=ONE, seed=seed, method=method, reference=reference, explain=explain)


def is_shape(x: object) -> bool:
    """Tell whether x is a shape, or a tuple of shapes, rather than data."""
    return isinstance(x, tuple) and all(isinstance(part, (int, np.integer)) or is_shape(part) for part in x)


def _is_like_a_shape(x: object) -> bool:
    """Tell whether x can be nothing but a shape: a tuple that holds numbers somewhere."""
    return isinstance(x, tuple) and any(isinstance(part, (int, float, str)) or _is_like_a_shape(part) for part in x)


def example_shape(x: object, path: str = "input") -> Shapes:
    """Return the shape of one example of a batch: a tuple of shapes for a tuple of arrays."""
    if isinstance(x, np.ndarray):
        if not x.ndim:
            raise ValueError(f"{path} is {describe(x)}: expected a batch of examples, with the batch as its first axis")
        return cast(Shapes, x.shape[1:])
    return cast(Shapes, tuple(example_shape(child, path + step) for step, child in tree.children(x, path)))


def drawn(shape: object, batch: int, generator: np.random.Generator) -> object:
    """Return a batch of standard normal examples of a shape, or of several."""
    assert isinstance(shape, tuple)
    if all(isinstance(axis, (int, np.integer)) for axis in shape):
        return generator.normal(size=(batch, *shape))
    return tuple(drawn(one, batch, generator) for one in shape)


def perturbed(params: P, generator: np.random.Generator) -> P:
    """Return parameters without zeros and ones, which would hide wrong terms: each leaf plus a fifth of its size."""

    def perturb(leaf: Array) -> Array:
        if leaf.dtype.kind != "f":
            return leaf
        size = float(np.sqrt(np.mean(leaf * leaf))) if leaf.size else 1.0
        moved: Array = (leaf + 0.2 * (size or 1.0) * generator.normal(size=leaf.shape)).astype(leaf.dtype)
        return moved

    return tree.map(perturb, params)


def constants(function: Callable[..., object]) -> dict[str, float]:
    """Return the numbers that are bound to a function by ``partial``, by the names of its parameters."""
    if not isinstance(function, partial):
        return {}
    try:
        bound = inspect.signature(function.func).bind_partial(*function.args, **function.keywords).arguments
    except (TypeError, ValueError):
        return {}
    return {
        name: float(value) for name, value in bound.items() if isinstance(value, (int, float)) and not isinstance(value, bool)
    }


def _spelled(mode: Mode) -> str:
    """Return the mode as one would type it."""
    if not isinstance(mode, Train):
        return "fn.Eval()"
    children = "".join(f".child({index})" for index in mode.key.path)
    return f"fn.Train(fn.Key({mode.key.entropy}){children})"
