"""Cases of embeddings and of positions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import funcnn as fn
from funcnn.certificate.cases.case import LayerCase
from funcnn.certificate.cases.draws import masked
from funcnn.typing import IntArray, Shape


def two_below(count: int) -> Callable[[np.random.Generator, Any], Any]:
    """Return what draws tokens and labels, integers from 0 to below ``count``."""
    return partial(drawn_two_below, below(count))


def drawn_two_below(draw: Callable[[np.random.Generator, Any], Any], generator: np.random.Generator, shape: Any) -> Any:
    """Draw for each of two shapes."""
    batch, *shapes = shape
    return tuple([draw(generator, (batch, *one)) for one in shapes])


def below(count: int) -> Callable[[np.random.Generator, Shape], IntArray]:
    """Return a drawer of indices in 0..count - 1, many of them alike."""

    def draw(generator: np.random.Generator, shape: Shape) -> IntArray:
        return generator.integers(0, count, size=shape)

    return draw


def padded(count: int) -> Callable[[np.random.Generator, Shape], IntArray]:
    """Return a drawer of indices of which every third is 1, and the first example is all 1: the padding."""

    def draw(generator: np.random.Generator, shape: Shape) -> IntArray:
        drawn = generator.integers(0, count, size=shape)
        drawn.ravel()[::3] = 1
        drawn[:1] = 1
        return drawn

    return draw


def weighted_bags(count: int) -> Callable[[np.random.Generator, Any], Any]:
    """Return a drawer of indices, many of them alike and some of them 1, and of their weights."""

    def draw(generator: np.random.Generator, shape: Any) -> Any:
        batch, indices, weights = shape
        return padded(count)(generator, (batch, *indices)), generator.normal(size=(batch, *weights))

    return draw


EMBEDDING: dict[str, tuple[LayerCase, ...]] = {
    "embedding": (
        LayerCase(lambda: fn.embedding(3, 2), (5,), inputs=below(3)),
        LayerCase(lambda: fn.embedding(7, 3), (), inputs=below(6), batch=4, label="one index each, rows unused"),
        LayerCase(lambda: fn.embedding(4, 3), (2, 3), inputs=below(4), label="several axes"),
        LayerCase(lambda: fn.embedding(4, 3, padding_index=1), (5,), inputs=padded(4), label="padding"),
        LayerCase(lambda: fn.embedding(4, 3, padding_index=1, masked=True), (5,), inputs=padded(4), label="masked"),
    ),
    "weighted_embedding_bag": (
        LayerCase(lambda: fn.weighted_embedding_bag(4, 2, padding_index=1), ((3,), (3,)), inputs=weighted_bags(4)),
    ),
    "embedding_bag": (
        LayerCase(lambda: fn.embedding_bag(4, 3), (5,), inputs=below(4)),
        LayerCase(lambda: fn.embedding_bag(4, 3, "sum"), (3,), inputs=below(4), label="sum"),
        LayerCase(lambda: fn.embedding_bag(5, 3, "max"), (4,), inputs=below(5), label="max"),
        LayerCase(lambda: fn.embedding_bag(4, 2, padding_index=1), (5,), inputs=padded(4), label="padding"),
        LayerCase(lambda: fn.embedding_bag(4, 2, "sum", padding_index=1), (5,), inputs=padded(4), label="sum, padding"),
        LayerCase(lambda: fn.embedding_bag(4, 2, "max", padding_index=1), (5,), inputs=padded(4), label="max, padding"),
    ),
    "learned_positions": (
        LayerCase(lambda: fn.learned_positions(5), (4, 2)),
        LayerCase(lambda: fn.learned_positions(3), (3, 3), label="as many as steps"),
        LayerCase(lambda: fn.learned_positions(6, start=2), (3, 2), label="from the third on"),
        LayerCase(lambda: fn.masked_steps(fn.learned_positions(5)), (4, 2), inputs=masked, label="masked"),
    ),
    "sinusoidal_positions": (
        LayerCase(lambda: fn.sinusoidal_positions(), (4, 6)),
        LayerCase(lambda: fn.sinusoidal_positions(3), (3, 5), label="odd"),
    ),
}
