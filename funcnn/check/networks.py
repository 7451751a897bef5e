"""Checks of layers, losses and whole networks."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from funcnn import tree
from funcnn.check.problem import pose
from funcnn.check.report import Report
from funcnn.check.verify import verify
from funcnn.grad import loss_and_grad
from funcnn.key import Key
from funcnn.layer import Eval, Layer, Mode
from funcnn.losses.loss import Loss
from funcnn.typing import Array, Shape

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")
T = TypeVar("T")


def check_layer(
    layer: Layer[P, S, X, Y],
    x: X | Shape,
    *,
    mode: Mode | None = None,
    params: P | None = None,
    state: S | None = None,
    cotangent: Y | None = None,
    seed: int = 0,
    reference: str = "auto",
) -> Report:
    """Check the gradients of a layer: every leaf of its parameters, and its input.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.check.check_layer(fn.dense(2), (3,)).ok
    True
    """
    how = Eval() if mode is None else mode
    data: object = x
    generator = np.random.default_rng(seed)
    shape = None
    if isinstance(x, tuple) and all(isinstance(axis, int) for axis in x):
        shape = x
        data = generator.normal(size=(3, *x))
    if params is None or state is None:
        made = layer.init(Key(seed), shape or example_shape(data))
        params = perturbed(made.params, generator) if params is None else params
        state = made.state if state is None else state

    def function(params: P, state: S, x: X) -> Y:
        return layer.forward(params, state, x, how).output

    def pullback(params: P, state: S, x: X, dy: Y) -> tuple[P, X]:
        pulled = layer.backward(params, layer.forward(params, state, x, how).residuals, dy)
        return pulled.params, pulled.input

    names = ("params", "state", "input")
    problem = pose(layer.name, function, pullback, (params, state, data), names, names, (0, 2))
    return verify(problem, cotangent=cotangent, seed=seed, reference=reference)


def example_shape(x: object) -> Shape:
    """Return the shape of one example of a batch: a tuple of shapes for a tuple of arrays."""
    if isinstance(x, np.ndarray):
        return x.shape[1:]
    return tuple(example_shape(child) for _, child in tree.children(x))  # type: ignore[misc]


def perturbed(params: P, generator: np.random.Generator) -> P:
    """Return parameters without zeros and ones, which would hide wrong terms: each leaf plus a fifth of its size."""

    def perturb(leaf: Array) -> Array:
        if leaf.dtype.kind != "f":
            return leaf
        size = float(np.sqrt(np.mean(leaf * leaf))) if leaf.size else 1.0
        moved: Array = (leaf + 0.2 * (size or 1.0) * generator.normal(size=leaf.shape)).astype(leaf.dtype)
        return moved

    return tree.map(perturb, params)


def check_loss(loss: Loss[Y, T], prediction: Y, target: T, *, seed: int = 0, reference: str = "auto") -> Report:
    """Check the gradient of a loss with respect to its prediction."""

    def function(prediction: Y, target: T) -> object:
        return loss.forward(prediction, target).value

    def pullback(prediction: Y, target: T, dy: Array) -> tuple[Y]:
        pulled = loss.backward(loss.forward(prediction, target).residuals)
        return (tree.map(lambda leaf: leaf * dy.astype(leaf.dtype), pulled),)

    names = ("prediction", "target")
    problem = pose(loss.name, function, pullback, (prediction, target), names, names, (0,))
    return verify(problem, cotangent=np.ones(()), seed=seed, reference=reference)


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
    reference: str = "auto",
) -> Report:
    """Check the gradient of a network's loss with respect to every leaf of its parameters: the one that training follows."""
    how = Eval() if mode is None else mode
    if params is None or state is None:
        made = model.init(Key(seed), example_shape(x))
        params = perturbed(made.params, np.random.default_rng(seed)) if params is None else params
        state = made.state if state is None else state
    step = loss_and_grad(model, loss)

    def function(params: P, state: S, x: X, target: T) -> object:
        return loss.forward(model.forward(params, state, x, how).output, target).value

    def pullback(params: P, state: S, x: X, target: T, dy: Array) -> tuple[P]:
        grads = step(params, state, x, target, how).grads
        return (tree.map(lambda leaf: leaf * dy.astype(leaf.dtype), grads),)

    names = ("params", "state", "input", "target")
    problem = pose(f"{model.name} with {loss.name}", function, pullback, (params, state, x, target), names, names, (0,))
    return verify(problem, cotangent=np.ones(()), seed=seed, reference=reference)
