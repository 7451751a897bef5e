"""What the steps of an epoch leave behind, until the epoch is over and a row of the history says it in short."""

from __future__ import annotations

import math
from time import perf_counter
from typing import Any, Generic, TypeVar

import numpy as np
from attrs import Factory, frozen

from funcnn import tree
from funcnn.losses.loss import Loss
from funcnn.train.evaluate import join

Y = TypeVar("Y")
T = TypeVar("T")


@frozen(eq=False)
class Passing(Generic[Y, T]):
    """What the steps of an epoch leave behind."""

    started: float = Factory(perf_counter)
    numbers: list[int] = Factory(list)
    """The number of each step's batch, from 0 on: those in which nothing counts make no step."""
    losses: list[float] = Factory(list)
    masses: list[float] = Factory(list)
    """How much each batch counts."""
    outputs: list[tuple[Y, T]] = Factory(list)
    """Predictions and targets, when there are metrics."""
    rates: list[float] = Factory(list)
    """The learning rate of each step, when it is recorded."""
    norms: list[float] = Factory(list)
    """The norm of each step's gradient, when it is recorded."""

    @property
    def done(self) -> int:
        """How many batches of the epoch have been looked at."""
        return self.numbers[-1] + 1 if self.numbers else 0

    def loss(self, loss: Loss[Y, T]) -> float:
        """Return the loss of all batches together; NaN when nothing was seen."""
        if not self.losses:
            return math.nan
        if loss.reduction == "sum":
            return math.fsum(self.losses)
        return math.fsum([value * mass for value, mass in zip(self.losses, self.masses, strict=True)]) / math.fsum(self.masses)

    def recorded(self) -> dict[str, float]:
        """Return the learning rate of the last step and the mean norm of the gradients, as far as they are recorded."""
        found = {}
        if self.rates:
            found["learning_rate"] = self.rates[-1]
        if self.norms:
            found["gradient_norm"] = math.fsum(self.norms) / len(self.norms)
        return found

    def as_tree(self) -> tuple[Any, ...]:  # Any: of arrays, and of what the model gives
        """Return all of it as a tree of arrays, for a file."""
        figures = tuple([np.array(column, dtype=float) for column in (self.losses, self.masses, self.rates, self.norms)])
        return np.array(self.numbers), figures, join(self.outputs) if self.outputs else ()


def like_passing(steps: int, recorded: tuple[bool, bool], outputs: tuple[object, object] | None, rows: int) -> object:
    """Return a tree of the structure of :meth:`Passing.as_tree`, by which a file is read.

    Parameters
    ----------
    steps : int
        How many steps there were.
    recorded : (bool, bool)
        Whether the learning rate is recorded, and the norm of the gradients.
    outputs : (prediction, target) or None
        One row of each at least, when there are metrics.
    rows : int
        How many rows of them there were.
    """
    counts = (steps, steps, *(steps if one else 0 for one in recorded))
    figures = tuple([np.zeros(count) for count in counts])
    shown = () if outputs is None or not rows else tree.map(lambda leaf: np.zeros((rows, *leaf.shape[1:]), leaf.dtype), outputs)
    return np.zeros(steps, np.array([0]).dtype), figures, shown


def passing_of(kept: Any) -> Passing[Any, Any]:  # Any: what as_tree gave
    """Return what :meth:`Passing.as_tree` was made of."""
    numbers, (losses, masses, rates, norms), outputs = kept
    shown = [outputs] if tree.leaves(outputs) else []
    return Passing(
        numbers=numbers.tolist(),
        losses=losses.tolist(),
        masses=masses.tolist(),
        outputs=shown,
        rates=rates.tolist(),
        norms=norms.tolist(),
    )
