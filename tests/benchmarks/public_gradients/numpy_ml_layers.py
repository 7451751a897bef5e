"""numpy-ml: activations with two derivatives, losses, and every layer that has a backward."""

from __future__ import annotations

import collections
import collections.abc
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tests.benchmarks.public_gradients.case import Case, by_pulling_back, elementwise

ACTIVATIONS = "Sigmoid ReLU LeakyReLU Tanh Affine Identity ELU Exponential SELU HardSigmoid SoftPlus"


def numpy_ml_cases(rng: np.random.Generator) -> Iterator[Case]:
    if not hasattr(collections, "Hashable"):  # a name that Python 3.10 took away, and its last release imports
        collections.Hashable = collections.abc.Hashable  # type: ignore[attr-defined]  # put back
    yield from _activations(rng)
    yield from _losses(rng)
    yield from _layers(rng)


def _activations(rng: np.random.Generator) -> Iterator[Case]:
    from numpy_ml.neural_nets import activations

    z = rng.normal(size=6) * 1.5
    for name in ACTIVATIONS.split():
        one = getattr(activations, name)()
        yield elementwise(f"activations.{name}.grad", one.fn, one.grad, z)
        yield elementwise(f"activations.{name}.grad2", one.grad, one.grad2, z)


def _losses(rng: np.random.Generator) -> Iterator[Case]:
    from numpy_ml.neural_nets import activations, losses

    y, z = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    act = activations.Tanh()
    squared = losses.SquaredError()
    yield by_pulling_back(
        "losses.SquaredError.grad",
        lambda z: squared.loss(y, act.fn(z)),
        lambda z, dy: dy * squared.grad(y, act.fn(z), z, act),
        z,
    )

    def softmax(z: np.ndarray) -> np.ndarray:
        e: np.ndarray = np.exp(z - z.max(-1, keepdims=True))
        return e / e.sum(-1, keepdims=True)

    cross, onehot = losses.CrossEntropy(), np.eye(3)[[0, 2, 1, 1]]
    yield by_pulling_back(
        "losses.CrossEntropy.grad",
        lambda z: cross.loss(onehot, softmax(z)),
        lambda z, dy: dy * cross.grad(onehot, softmax(z)),
        z,
    )
    vae = losses.VAELoss()
    true, made = rng.uniform(0.2, 0.8, size=(4, 3)), rng.uniform(0.2, 0.8, size=(4, 3))
    mean, log_var = rng.normal(size=(4, 2)), rng.normal(size=(4, 2))
    for place, name in enumerate(("y_pred", "t_mean", "t_log_var")):
        given, returned = [made, mean, log_var], (0, 2, 1)[place]  # its order

        def at(x: np.ndarray, place: int = place, given: list[np.ndarray] = given) -> list[np.ndarray]:
            return [*given[:place], x, *given[place + 1 :]]

        yield by_pulling_back(
            f"losses.VAELoss.grad, {name}",
            lambda x, at=at: vae.loss(true, *at(x)),
            lambda x, dy, at=at, returned=returned: dy * np.asarray(vae.grad(true, *at(x))[returned]),
            given[place],
        )


def _layers(rng: np.random.Generator) -> Iterator[Case]:
    from numpy_ml.neural_nets import layers

    flat, image, steps = rng.normal(size=(4, 3)), rng.normal(size=(1, 4, 4, 2)), rng.normal(size=(2, 3, 4))
    line = rng.normal(size=(1, 6, 2))
    made: dict[str, tuple[Callable[[], Any], np.ndarray]] = {
        "FullyConnected": (lambda: layers.FullyConnected(2, act_fn="Tanh"), flat),
        "FullyConnected, ReLU": (lambda: layers.FullyConnected(2, act_fn="ReLU"), flat),
        "Softmax": (lambda: layers.Softmax(), flat),
        "Softmax, 3 axes": (lambda: layers.Softmax(), steps),
        "BatchNorm1D": (lambda: layers.BatchNorm1D(), flat),
        "BatchNorm2D": (lambda: layers.BatchNorm2D(), image),
        "LayerNorm1D": (lambda: layers.LayerNorm1D(), flat),
        "LayerNorm2D": (lambda: layers.LayerNorm2D(), image),
        "Flatten": (lambda: layers.Flatten(), image),
        "Conv1D": (lambda: layers.Conv1D(3, 3, act_fn="Tanh"), line),
        "Conv1D, pad 2": (lambda: layers.Conv1D(3, 3, pad=2, stride=2, act_fn="Tanh"), line),
        "Conv1D, dilated": (lambda: layers.Conv1D(3, 3, pad=2, dilation=1, act_fn="Tanh"), line),
        "Conv2D": (lambda: layers.Conv2D(3, (3, 2), act_fn="Tanh"), image),
        "Conv2D, stride 2": (lambda: layers.Conv2D(3, (3, 3), pad=1, stride=2, act_fn="Tanh"), image),
        "Conv2D, dilated": (lambda: layers.Conv2D(3, (2, 2), dilation=1, act_fn="Tanh"), image),
        "Deconv2D": (lambda: layers.Deconv2D(3, (3, 3), act_fn="Tanh"), image),
        "Deconv2D, stride 2": (lambda: layers.Deconv2D(3, (3, 3), stride=2, act_fn="Tanh"), image),
        "Pool2D, max": (lambda: layers.Pool2D((2, 2), stride=2, mode="max"), image),
        "Pool2D, average": (lambda: layers.Pool2D((2, 2), stride=2, mode="average"), image),
        "RNNCell": (lambda: layers.RNNCell(3), flat),
        "LSTMCell": (lambda: layers.LSTMCell(3), flat),
    }
    for name, (make, x) in made.items():
        yield from of_layer(name, make, x)
    for kind in (layers.Add, layers.Multiply):
        one = kind(act_fn="Tanh")
        other = rng.normal(size=(4, 3))

        def forward(x: np.ndarray, one: Any = one, other: np.ndarray = other) -> np.ndarray:
            one.flush_gradients()
            return np.array(one.forward([x, other]))

        def vjp(x: np.ndarray, dy: np.ndarray, one: Any = one, forward: Callable[..., Any] = forward) -> np.ndarray:
            forward(x)
            return np.array(one.backward(dy)[0])

        yield by_pulling_back(f"layers.{kind.__name__}, x", forward, vjp, flat)
    yield from _attention(rng)
    yield from _embedding()


def of_layer(name: str, make: Callable[[], Any], x: np.ndarray) -> Iterator[Case]:
    """Yield a case for the input of a layer and one for each of its parameters."""
    np.random.seed(0)  # noqa: NPY002  # what its initializers draw from
    layer = make()
    layer.forward(x.copy())

    def run(x: np.ndarray) -> np.ndarray:
        layer.flush_gradients()
        for key in layer.derived_variables:
            if "accumulator" in key:
                layer.derived_variables[key] = None  # as a new cell has it: flushed ones have a list, which backward adds to
        y = layer.forward(x.copy())
        return np.array(y[0] if isinstance(y, tuple) else y)

    def pull(x: np.ndarray, dy: np.ndarray) -> np.ndarray:
        run(x)
        return np.array(layer.backward(dy))

    yield by_pulling_back(f"layers.{name}, x", run, pull, x)
    for key, start in layer.parameters.items():
        if not isinstance(start, np.ndarray) or np.shape(layer.gradients.get(key)) != start.shape:
            continue  # a running mean, or nothing yet

        def at(value: np.ndarray, key: str = key) -> np.ndarray:
            layer.parameters[key] = value.copy()
            return run(x)

        def back(value: np.ndarray, dy: np.ndarray, at: Any = at, key: str = key) -> np.ndarray:
            at(value)
            layer.backward(dy)
            return np.array(layer.gradients[key])

        yield by_pulling_back(f"layers.{name}, {key}", at, back, np.array(start))
        layer.parameters[key] = start


def _attention(rng: np.random.Generator) -> Iterator[Case]:
    from numpy_ml.neural_nets import layers

    given = [rng.normal(size=shape) for shape in ((2, 3, 4), (2, 3, 4), (2, 3, 2))]
    for place, name in enumerate("QKV"):

        def at(x: np.ndarray, place: int = place) -> Any:
            one = layers.DotProductAttention()
            one.forward(*[*given[:place], x, *given[place + 1 :]])
            return one

        def value(x: np.ndarray, at: Any = at, place: int = place) -> np.ndarray:
            one = layers.DotProductAttention()
            return np.array(one.forward(*[*given[:place], x, *given[place + 1 :]]))

        yield by_pulling_back(
            f"layers.DotProductAttention, {name}",
            value,
            lambda x, dy, at=at, place=place: np.array(at(x).backward(dy)[place]),
            given[place],
        )


def _embedding() -> Iterator[Case]:
    from numpy_ml.neural_nets import layers

    for pool in (None, "sum", "mean"):
        for name, ids in {"": [[0, 1, 2], [3, 4, 5]], ", repeated ids": [[0, 1, 1], [3, 1, 5]]}.items():
            np.random.seed(0)  # noqa: NPY002  # what its initializers draw from
            one = layers.Embedding(2, 6, pool=pool)
            tokens = np.array(ids)
            one.forward(tokens)
            start = np.array(one.parameters["W"])

            def run(w: np.ndarray, one: Any = one, tokens: np.ndarray = tokens) -> np.ndarray:
                one.flush_gradients()
                one.parameters["W"] = w.copy()
                return np.array(one.forward(tokens))

            def back(w: np.ndarray, dy: np.ndarray, run: Any = run, one: Any = one) -> np.ndarray:
                run(w)
                one.backward(dy)
                return np.array(one.gradients["W"])

            yield by_pulling_back(f"layers.Embedding, pool={pool}{name}", run, back, start)
