"""The network, the loss and the optimizer that settings ask for, and the same as a line of a script."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import cast

import numpy as np

import funcnn as fn
from funcnn import tree
from funcnn.cli.failure import RequestError
from funcnn.cli.settings import Settings
from funcnn.layer import Init, Layer
from funcnn.optim.optimizer import Optimizer
from funcnn.typing import Array

# object: which layers there are, and so the types of their parameters, is known only at run time.
Network = Layer[tuple[object, ...], tuple[object, ...], Array, Array]
Call = tuple[str, tuple[float, ...]]
"""A factory's name and its arguments."""

_LARGEST = 2_000_000_000  # parameters: beyond, a mistyped width would bring the machine down before any message


def calls(settings: Settings, classes: int) -> list[Call]:
    """Return the layers as names of factories with arguments: dense, activation and dropout for each hidden size, and dense."""
    layers: list[Call] = []
    for width in settings.hidden:
        layers += [("dense", (width,)), (settings.activation, ())]
        if settings.dropout:
            layers.append(("dropout", (settings.dropout,)))
    return [*layers, ("dense", (classes,))]


def make_network(settings: Settings, classes: int) -> Network:
    """Return the network."""
    layers = [cast(Layer[object, object, Array, Array], _factory(name)(*given)) for name, given in calls(settings, classes)]
    return fn.serial(*layers)


def source(settings: Settings, classes: int) -> str:
    """Return the expression that makes the network in a script."""
    made = [f"fn.{name}({', '.join(map(repr, given))})" for name, given in calls(settings, classes)]
    return f"fn.serial({', '.join(made)})"


def make_optimizer(settings: Settings, rows: int) -> Optimizer:
    """Return the optimizer, its learning rate scheduled over all steps of a training set with the given number of rows."""
    steps = settings.epochs * fn.data.batch_count(rows, settings.batch_size)
    rate = fn.schedules.cosine(settings.learning_rate, steps) if settings.schedule == "cosine" else settings.learning_rate
    return cast(Optimizer, _factory(settings.optimizer)(rate))


def parameters(settings: Settings, features: int, classes: int) -> int:
    """Return how many parameters the network has, without making them."""
    widths = [features, *settings.hidden, classes]
    return sum((inputs + 1) * outputs for inputs, outputs in pairwise(widths))


def start(
    settings: Settings, model: Network, key: fn.Key, features: int, classes: int
) -> Init[tuple[object, ...], tuple[object, ...]]:
    """Return the initial parameters and state in the precision asked for.

    Raises
    ------
    RequestError
        When they do not fit in memory.
    """
    size = parameters(settings, features, classes)
    try:
        if size > _LARGEST:
            raise MemoryError
        made = model.init(key, (features,))
        dtype = np.dtype(settings.dtype)
        return Init(tree.astype(made.params, dtype), tree.astype(made.state, dtype), made.out_shape)
    except MemoryError:
        raise RequestError(f"--hidden {' '.join(map(str, settings.hidden))}: {size:,} parameters do not fit in memory") from None


def _factory(name: str) -> Callable[..., object]:
    return cast("Callable[..., object]", getattr(fn, name))
