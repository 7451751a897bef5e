"""The row that an epoch adds to the history."""

from __future__ import annotations

import math
import warnings
from time import perf_counter
from typing import TypeVar

from funcnn.train.batch_statistics import has_batch_statistics, update_batch_statistics
from funcnn.train.evaluate import join
from funcnn.train.history import Row
from funcnn.train.passing import Passing
from funcnn.train.preparation.prepare import Plan
from funcnn.train.ranks import predict_by_ranks
from funcnn.train.record import Point
from funcnn.train.scores import loss_and_metrics, metric_values

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")
T = TypeVar("T")
M = TypeVar("M")


def evaluated(plan: Plan[P, S, X, Y, T, M], epoch: int, now: Point[P, S]) -> tuple[P, S]:
    """Return the parameters to validate with, and their state: other parameters have batch statistics of their own."""
    request = plan.request
    if request.evaluate_at is None:
        return now.params, now.state
    params = request.evaluate_at(now.params, now.opt_state)
    if params is now.params or not has_batch_statistics(now.state):
        return params, now.state
    key = request.key.child(2).child(epoch - 1).child(2)
    size = request.batch_size
    return params, update_batch_statistics(request.model, params, now.state, request.x, key=key, batch_size=size)


def epoch_row(plan: Plan[P, S, X, Y, T, M], epoch: int, now: Point[P, S], passing: Passing[Y, T]) -> Row:
    """Return the row of an epoch: the loss of its batches, the metrics of its own predictions, and those of validation."""
    request = plan.request
    values = {"loss": passing.loss(request.loss)}
    if passing.outputs:
        values |= metric_values(request.metrics, *join(passing.outputs))
    else:
        values |= dict.fromkeys(request.metrics, math.nan)
    if plan.validation is not None:
        x, y = plan.validation
        at = evaluated(plan, epoch, now)
        prediction = predict_by_ranks(request.communicator, request.model, at, x, request.batch_size)
        scores = loss_and_metrics(request.loss, request.metrics, prediction, y)
        values |= {f"val_{name}": value for name, value in scores.items()}
    values |= dict.fromkeys(request.record, math.nan) | passing.recorded()
    for name, value in values.items():
        if math.isnan(value) and name not in request.record and not name.endswith("loss"):
            warnings.warn(
                f"metric {name!r} is NaN in epoch {epoch}: it is not defined for its predictions", RuntimeWarning, stacklevel=3
            )
    return Row(epoch, tuple(values.items()), perf_counter() - passing.started)
