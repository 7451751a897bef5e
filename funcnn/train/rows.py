"""The row that an epoch adds to the history."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from time import perf_counter
from typing import TypeVar

from funcnn.optim.optimizer import OptState
from funcnn.train.evaluate import join, predict
from funcnn.train.history import Row
from funcnn.train.prepare import Job
from funcnn.train.record import Point
from funcnn.train.scores import loss_and_metrics, metric_values

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")
T = TypeVar("T")
M = TypeVar("M")


def epoch_row(
    job: Job[P, S, X, Y, T, M],
    epoch: int,
    now: Point[P, S],
    losses: list[float],
    outputs: list[tuple[Y, T]],
    evaluate_at: Callable[[P, OptState[P]], P] | None,
    started: float,
) -> Row:
    """Return the row of an epoch: its mean loss over the rows, the metrics of its own predictions, and those of validation.

    Parameters
    ----------
    losses : list of float
        Of each batch: all but the last have as many rows as a batch has.
    outputs : list of (prediction, target)
        Of each batch, when there are metrics.
    started : float
        When the epoch began, by ``perf_counter``.
    """
    size = job.setting.batch_size
    last = min(size, job.rows - size * (len(losses) - 1))
    values = {"loss": (math.fsum(losses[:-1]) * size + losses[-1] * last) / (size * (len(losses) - 1) + last)}
    if outputs:
        values |= metric_values(job.metrics, *join(outputs))
    if job.validation is not None:
        x, y = job.validation
        params = now.params if evaluate_at is None else evaluate_at(now.params, now.opt_state)
        prediction = predict(job.model, params, now.state, x, batch_size=size)
        values |= {f"val_{name}": value for name, value in loss_and_metrics(job.loss, job.metrics, prediction, y).items()}
    for name, value in values.items():
        if math.isnan(value) and not name.endswith("loss"):
            warnings.warn(
                f"metric {name!r} is NaN in epoch {epoch}: it is not defined for its predictions", RuntimeWarning, stacklevel=3
            )
    return Row(epoch, tuple(values.items()), perf_counter() - started)
