"""The loss and the metrics of predictions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, TypeVar

import numpy as np

from funcnn import tree
from funcnn.errors import describe
from funcnn.losses.loss import Loss
from funcnn.losses.reduction import select
from funcnn.losses.weighted import Weighted

Y = TypeVar("Y")
T = TypeVar("T")
M = TypeVar("M")

Metrics: TypeAlias = Mapping[str, Callable[[Y, M], float]]


def loss_and_metrics(loss: Loss[Y, T], metrics: Metrics[Y, M], prediction: Y, target: T) -> dict[str, float]:
    """Return the loss and the metrics of predictions, all computed once and of all rows."""
    try:
        value = float(loss.forward(prediction, target).value)
    except Exception as error:
        error.add_note(f"in {loss.name}, given the predictions and y")
        raise
    if math.isnan(value):  # the metrics' own complaint would hide that training has diverged
        return {"loss": value} | dict.fromkeys(metrics, math.nan)
    return {"loss": value} | metric_values(metrics, prediction, target)


def batch_mass(loss: Loss[Y, T], target: T) -> float:
    """Return how much a batch counts among others: what the loss says, or as much as it has rows."""
    return float(len(tree.leaves(target)[0])) if loss.mass is None else loss.mass(target)


def metric_values(metrics: Metrics[Y, M], prediction: Y, target: object) -> dict[str, float]:
    """Return the value of each metric; of a Weighted target they see what has a positive weight."""
    seen: Any = target  # Any: the target that the metrics take is that of the loss, or what is inside of its Weighted
    if isinstance(target, Weighted):
        positive: Any = target.weight > 0
        seen = target.target
        if not np.all(positive):
            prediction, seen = select(prediction, positive), select(seen, positive)
    values = {}
    for name, metric in metrics.items():
        try:
            value: object = metric(prediction, seen)
        except Exception as error:
            error.add_note(f"in metric {name!r}")
            raise
        try:
            values[name] = float(value)  # type: ignore[arg-type]  # a metric may return anything
        except (TypeError, ValueError):
            raise TypeError(f"metric {name!r} gives {describe(value)}, expected one number") from None
    return values
