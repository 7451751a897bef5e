"""Draw what losses take: predictions and targets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import funcnn as fn
from funcnn.typing import Array, IntArray, Shape


def pair(*shape: int) -> Callable[[np.random.Generator, int], tuple[Array, Array]]:
    """Return a drawer of (prediction, target), both standard normal, of one example's shape."""

    def draw(generator: np.random.Generator, batch: int) -> tuple[Array, Array]:
        return generator.normal(size=(batch, *shape)), generator.normal(size=(batch, *shape))

    return draw


def logits(*shape: int, scale: float = 2.0) -> Callable[[np.random.Generator, int], tuple[Array, Array]]:
    """Return a drawer of (logits, targets in [0, 1], of which some are exactly 0 or 1)."""

    def draw(generator: np.random.Generator, batch: int) -> tuple[Array, Array]:
        target = generator.uniform(-0.5, 1.5, size=(batch, *shape)).clip(0, 1)
        return generator.normal(scale=scale, size=(batch, *shape)), target

    return draw


def labelled(*shape: int, scale: float = 2.0) -> Callable[[np.random.Generator, int], tuple[Array, IntArray]]:
    """Return a drawer of (logits, labels) for an example of a shape (..., classes)."""

    def draw(generator: np.random.Generator, batch: int) -> tuple[Array, IntArray]:
        return generator.normal(scale=scale, size=(batch, *shape)), generator.integers(0, shape[-1], size=(batch, *shape[:-1]))

    return draw


def distributed(*shape: int, scale: float = 2.0) -> Callable[[np.random.Generator, int], tuple[Array, Array]]:
    """Return a drawer of (logits, probabilities) for an example of a shape (..., classes)."""

    def draw(generator: np.random.Generator, batch: int) -> tuple[Array, Array]:
        target = generator.dirichlet(np.ones(shape[-1]), size=(batch, *shape[:-1]))
        return generator.normal(scale=scale, size=(batch, *shape)), target

    return draw


def weighted(
    draw: Callable[[np.random.Generator, int], tuple[Any, Any]],
) -> Callable[[np.random.Generator, int], tuple[Any, Any]]:
    """Return a drawer of the same with a weight for each example, of which the first is 0."""

    def draw_weighted(generator: np.random.Generator, batch: int) -> tuple[Any, Any]:
        prediction, target = draw(generator, batch)
        return prediction, fn.Weighted(target, np.arange(batch) / 2)

    return draw_weighted


def over(
    low: float, high: float, *shape: int, target: Callable[[np.random.Generator, Any], Array]
) -> Callable[[np.random.Generator, int], tuple[Array, Array]]:
    """Return a drawer of (prediction, uniform in [low, high), and a target drawn by a function of generator and shape)."""

    def draw(generator: np.random.Generator, batch: int) -> tuple[Array, Array]:
        return generator.uniform(low, high, size=(batch, *shape)), target(generator, (batch, *shape))

    return draw


def signs(generator: np.random.Generator, shape: Any) -> Array:
    """Draw -1 and 1."""
    chosen: Array = generator.choice([-1.0, 1.0], size=shape)
    return chosen


def counts(generator: np.random.Generator, shape: Any) -> Array:
    """Draw 0, 1, 2, ... as floating numbers."""
    drawn: Array = generator.poisson(2.0, size=shape).astype(float)
    return drawn


def membership(generator: np.random.Generator, shape: Any) -> Array:
    """Draw from [0, 1], of which some are exactly 0 or 1."""
    drawn: Array = generator.uniform(-0.5, 1.5, size=shape).clip(0, 1)
    return drawn


def away_from_0(generator: np.random.Generator, shape: Any) -> Array:
    """Draw numbers of both signs, none of them near 0."""
    drawn: Array = generator.uniform(0.5, 3.0, size=shape) * generator.choice([-1.0, 1.0], size=shape)
    return drawn


def several_labels(generator: np.random.Generator, shape: Any) -> Array:
    """Draw 0 and 1, at least one of each in every row."""
    drawn: Array = generator.integers(0, 2, size=shape).astype(float)
    drawn[..., 0], drawn[..., 1] = 1, 0
    return drawn


def predicted(*shape: int, soft: bool = False) -> Callable[[np.random.Generator, int], tuple[Array, Any]]:
    """Return a drawer of (probabilities, labels or probabilities) for an example of a shape (..., classes)."""

    def draw(generator: np.random.Generator, batch: int) -> tuple[Array, Any]:
        given, wanted = (generator.dirichlet(np.full(shape[-1], 2.0), size=(batch, *shape[:-1])) for _ in range(2))
        return given, wanted if soft else generator.integers(0, shape[-1], size=(batch, *shape[:-1]))

    return draw


def ranked(*shape: int) -> Callable[[np.random.Generator, int], tuple[Array, IntArray]]:
    """Return a drawer of (logits, ranks) for an example of a shape (..., borders)."""

    def draw(generator: np.random.Generator, batch: int) -> tuple[Array, IntArray]:
        ranks = generator.integers(0, shape[-1] + 1, size=(batch, *shape[:-1]))
        return generator.normal(scale=2.0, size=(batch, *shape)), ranks

    return draw


def tuples(
    draw: Callable[[np.random.Generator, int], tuple[Array, Any]], parts: int = 2
) -> Callable[[np.random.Generator, int], tuple[Any, Any]]:
    """Return a drawer of a tuple of predictions and the target of the first."""

    def draw_tuple(generator: np.random.Generator, batch: int) -> tuple[Any, Any]:
        prediction, target = draw(generator, batch)
        return (prediction, *[draw(generator, batch)[0] for _ in range(parts - 1)]), target

    return draw_tuple


def untargeted(*shapes: Shape) -> Callable[[np.random.Generator, int], tuple[tuple[Array, ...], tuple[()]]]:
    """Return a drawer of (standard normal predictions of several shapes, the empty tuple)."""

    def draw(generator: np.random.Generator, batch: int) -> tuple[tuple[Array, ...], tuple[()]]:
        return tuple(generator.normal(size=(batch, *shape)) for shape in shapes), ()

    return draw


def one_untargeted(*shape: int) -> Callable[[np.random.Generator, int], tuple[Array, tuple[()]]]:
    """Return a drawer of (standard normal predictions of one shape, the empty tuple)."""

    def draw(generator: np.random.Generator, batch: int) -> tuple[Array, tuple[()]]:
        return generator.normal(size=(batch, *shape)), ()

    return draw


def untargeted_losses(*shape: int) -> Callable[[np.random.Generator, int], tuple[Array, tuple[()]]]:
    """Return a drawer of (losses of one example's shape, none of them near 0, the empty tuple)."""

    def draw(generator: np.random.Generator, batch: int) -> tuple[Array, tuple[()]]:
        return generator.uniform(0.5, 3.0, size=(batch, *shape)), ()

    return draw


def autoencoded(generator: np.random.Generator, batch: int) -> tuple[tuple[Array, ...], Array]:
    """Draw ((reconstruction, mean, log-variance), target) of a variational autoencoder."""
    shapes = (2, 3), (4,), (4,)
    return tuple(generator.normal(size=(batch, *shape)) for shape in shapes), membership(generator, (batch, 2, 3))


def paired(
    *shape: int, target: Callable[[np.random.Generator, Any], Array]
) -> Callable[[np.random.Generator, int], tuple[tuple[Array, Array], Array]]:
    """Return a drawer of (two batches of vectors of one example's shape, one target for each pair of vectors)."""

    def draw(generator: np.random.Generator, batch: int) -> tuple[tuple[Array, Array], Array]:
        first, second = (generator.normal(size=(batch, *shape)) for _ in range(2))
        return (first, second), target(generator, (batch, *shape[:-1]))

    return draw


def transcribed(generator: np.random.Generator, batch: int) -> tuple[Array, fn.CTCTarget]:
    """Draw logits of 6 time steps and 3 classes, and sequences of up to 3 labels, also of unlike input lengths."""
    lengths = np.resize([2, 3, 0, 1], batch)
    target = fn.CTCTarget(generator.integers(1, 3, size=(batch, 3)), lengths, np.resize([6, 5, 4, 1], batch))
    return generator.normal(size=(batch, 6, 3)), target


def long_transcribed(generator: np.random.Generator, batch: int) -> tuple[Array, fn.CTCTarget]:
    """Draw logits of 30 time steps and 3 classes, and sequences of 4 labels."""
    lengths, steps = np.full(batch, 4), np.full(batch, 30)
    return generator.normal(size=(batch, 30, 3)), fn.CTCTarget(generator.integers(1, 3, size=(batch, 4)), lengths, steps)


def squeezed(generator: np.random.Generator, batch: int) -> tuple[Array, fn.CTCTarget]:
    """Draw the same, with one sequence, the second, that is too long for its input."""
    logits, target = transcribed(generator, batch)
    steps = target.input_lengths.copy()
    steps[1:2] = 2
    return logits, fn.CTCTarget(target.labels, target.label_lengths, steps)


def of_cosines(*shape: int) -> Callable[[np.random.Generator, int], tuple[Array, IntArray]]:
    """Return a drawer of (cosines, labels) for an example of a shape (..., classes), the first nearly opposite."""

    def draw(generator: np.random.Generator, batch: int) -> tuple[Array, IntArray]:
        cosines = generator.uniform(-0.8, 0.95, size=(batch, *shape))
        labels = generator.integers(0, shape[-1], size=(batch, *shape[:-1]))
        cosines[:1] = generator.uniform(-0.99, -0.9, size=shape)
        return cosines, labels

    return draw


def mixed(rows: Shape, entries: int) -> Callable[[np.random.Generator, int], tuple[tuple[Array, ...], Array]]:
    """Return a drawer of ((logits, means, log-variances) of a mixture's components (..., K), vectors of so many entries)."""

    def draw(generator: np.random.Generator, batch: int) -> tuple[tuple[Array, ...], Array]:
        shapes = rows, (*rows, entries), (*rows, entries)
        logits, mean, log_variance = (generator.normal(size=(batch, *shape)) for shape in shapes)
        return (logits, mean, 0.2 * log_variance), generator.normal(size=(batch, *rows[:-1], entries))

    return draw


def grouped(size: int) -> Callable[[np.random.Generator, int], tuple[Array, IntArray]]:
    """Return a drawer of (vectors, labels), of which each row but the last of an odd number has another of its own."""

    def draw(generator: np.random.Generator, batch: int) -> tuple[Array, IntArray]:
        return generator.normal(size=(batch, size)), generator.permutation(np.arange(batch) // 2 % 3)

    return draw


def followed(*shape: int) -> Callable[[np.random.Generator, int], tuple[Array, fn.SurvivalTarget]]:
    """Return a drawer of (scores, times with ties and whether an event ended them)."""

    def draw(generator: np.random.Generator, batch: int) -> tuple[Array, fn.SurvivalTarget]:
        time = generator.integers(1, 4, size=batch).astype(float)
        return generator.normal(size=(batch, *shape)), fn.SurvivalTarget(time, np.arange(batch) % 3 != 1)

    return draw
