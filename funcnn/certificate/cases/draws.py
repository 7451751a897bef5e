"""Draw the inputs of layers: plain ones, and those that visit the corners of a formula."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import funcnn as fn
from funcnn import tree
from funcnn.typing import Array, Shape


def normal(generator: np.random.Generator, shape: Shape) -> Array:
    """Draw standard normal inputs."""
    return generator.normal(size=shape)


def normals(generator: np.random.Generator, shape: Any) -> tuple[Array, ...]:
    """Draw one standard normal input for each of several shapes."""
    batch, *shapes = shape
    return tuple(generator.normal(size=(batch, *one)) for one in shapes)


def small_normals(generator: np.random.Generator, shape: Any) -> tuple[Array, ...]:
    """Draw inputs of standard deviation 0.1, one for each of several shapes: thirty times as large they are not yet far out."""
    return tuple(0.1 * one for one in normals(generator, shape))


def wide(generator: np.random.Generator, shape: Shape) -> Array:
    """Draw inputs of standard deviation 3: both tails and the middle of every activation."""
    return generator.normal(scale=3.0, size=shape)


def narrow(generator: np.random.Generator, shape: Shape) -> Array:
    """Draw inputs of standard deviation 0.2: the middle of every activation."""
    return generator.normal(scale=0.2, size=shape)


def masked(generator: np.random.Generator, shape: Shape) -> fn.Masked:
    """Draw sequences, with masks that end early, start late, have a hole, and one that hides all."""
    mask = generator.random(shape[:2]) < 0.7
    mask[:1] = False
    return fn.Masked(generator.normal(size=shape), mask)


def with_state(generator: np.random.Generator, shape: Any) -> Any:
    """Draw sequences and the initial state of a recurrent layer."""
    batch, sequence, state = shape
    return generator.normal(size=(batch, *sequence)), drawn_state(generator, batch, state)


def small_with_state(generator: np.random.Generator, shape: Any) -> Any:
    """Draw the same of standard deviation 0.1: thirty times as large they are not yet far out."""
    return tree.map(partial(np.multiply, 0.1), with_state(generator, shape))


def masked_with_state(generator: np.random.Generator, shape: Any) -> Any:
    """Draw masked sequences and the initial state of a recurrent layer."""
    batch, sequence, state = shape
    return masked(generator, (batch, *sequence)), drawn_state(generator, batch, state)


def drawn_state(generator: np.random.Generator, batch: int, state: Any) -> Any:
    """Draw an initial state of one part or several, or of several layers."""
    if isinstance(state[0], tuple):
        return tuple([drawn_state(generator, batch, part) for part in state])
    return generator.normal(size=(batch, *state))


def tied(generator: np.random.Generator, shape: Shape) -> Array:
    """Draw small integers: many entries are equal."""
    return generator.integers(0, 3, size=shape).astype(float)


def kinked(generator: np.random.Generator, shape: Shape) -> Array:
    """Draw small integers of both signs: a third are exactly 0."""
    return generator.integers(-1, 2, size=shape).astype(float)


def among(*points: float) -> Callable[[np.random.Generator, Shape], Array]:
    """Return what draws some of the points, every one of them if there is room: the corners of a formula, exactly."""
    return partial(drawn_among, points)


def drawn_among(points: tuple[float, ...], generator: np.random.Generator, shape: Shape) -> Array:
    """Draw some of the points, in any order."""
    drawn: Array = generator.permutation(np.resize(np.array(points), shape).ravel()).reshape(shape)
    return drawn


def saturating(generator: np.random.Generator, shape: Shape) -> Array:
    """Draw inputs of standard deviation 30: nearly all are far out in a tail."""
    return generator.normal(scale=30.0, size=shape)


def shifted(generator: np.random.Generator, shape: Shape) -> Array:
    """Draw inputs with a mean of a thousand times their standard deviation."""
    return generator.normal(100.0, 0.1, size=shape)


def pooled(points: int) -> Callable[[np.random.Generator, Shape], fn.Pooled]:
    """Return a drawer of values and of the points, of so many, where they were: some at the same."""

    def draw(generator: np.random.Generator, shape: Shape) -> fn.Pooled:
        return fn.Pooled(generator.normal(size=shape), generator.integers(0, points, size=shape))

    return draw


def graphs(generator: np.random.Generator, shape: Any) -> Any:
    """Draw features of nodes, and edges, some of them twice, to the node itself, or none."""
    batch, nodes, edges = shape
    drawn = generator.integers(-1, nodes[0], size=(batch, *edges))
    return generator.normal(size=(batch, *nodes)), np.where((drawn < 0).any(-1, keepdims=True), -1, drawn)


def labelled_rows(count: int) -> Callable[[np.random.Generator, Any], Any]:
    """Return a drawer of features, and of a label of so many classes for each row."""

    def draw(generator: np.random.Generator, shape: Any) -> Any:
        batch, features, labels = shape
        return generator.normal(size=(batch, *features)), generator.integers(0, count, size=(batch, *labels))

    return draw
