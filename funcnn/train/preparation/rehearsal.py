"""The rehearsal before the first step: model, loss and metrics are tried on the data, and checkpoints on the disk."""

from __future__ import annotations

import math
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np

from funcnn import tree
from funcnn.data.dataset import take
from funcnn.errors import describe
from funcnn.losses.loss import Loss
from funcnn.train.evaluate import part, predict
from funcnn.train.history import History
from funcnn.train.identity import Identity
from funcnn.train.preparation.check_data import row_count
from funcnn.train.preparation.check_kinds import check_function
from funcnn.train.preparation.request import FitRequest
from funcnn.train.record import Point, Reached
from funcnn.train.scores import Metrics, batch_mass, metric_values
from funcnn.typing import Array

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")
T = TypeVar("T")
M = TypeVar("M")

_CHUNK = 2**20  # numbers of predictions for which targets are checked at a time
_SAMPLE = 64  # rows that are predicted, at least, to try the loss and the metrics


@runtime_checkable
class Rehearsing(Protocol):
    """A callback that can try before the first step what it will have to do."""

    def rehearse(self, points: tuple[Point[P, S], ...], history: History, identity: Identity) -> None:
        """Raise when it cannot be done."""
        ...


def rehearse(request: FitRequest[P, S, X, Y, T, M], start: Point[P, S], held_out: tuple[X, T] | None) -> None:
    """Try the model on some rows, and the loss and the metrics on all targets: each finds out here what it cannot work with.

    The predictions of the first rows stand in for those of all others.
    """
    for x, y, which in [(request.x, request.y, "")] + ([] if held_out is None else [(*held_out, "validation ")]):
        rows = row_count(x)
        sample = min(rows, max(request.batch_size, _SAMPLE))
        with np.errstate(all="ignore"):
            prediction = predict(request.model, start.params, start.state, part(x, 0, sample), batch_size=request.batch_size)
            if any(len(leaf) != sample for leaf in tree.leaves(prediction)):
                raise ValueError(f"the model gives {describe(prediction)} for {sample} rows: expected as many rows")
            try_loss(request.loss, prediction, y, which)
            if request.metrics:
                try_metrics(request.metrics, take(prediction, np.arange(rows) % sample), y, which)


def rehearse_functions(request: FitRequest[P, S, X, Y, T, M], start: Point[P, S], step: object) -> None:
    """Try what ``wrap`` gave, and which parameters ``evaluate_at`` gives at the beginning."""
    check_function(step, "what wrap gives", "like that of loss_and_grad")
    if request.evaluate_at is None:
        return
    try:
        params = request.evaluate_at(start.params, start.opt_state)
        tree.check_like(start.params, params, "what evaluate_at gives")
    except Exception as error:
        error.add_note("in evaluate_at, tried on the parameters of the beginning")
        raise


def try_loss(loss: Loss[Y, T], prediction: Y, y: T, which: str) -> None:
    """Compute the loss of all targets, many at a time; raise unless it is a number and something counts."""
    rows, sample = row_count(y), row_count(prediction)
    leaves: tuple[Array, ...] = tree.leaves(prediction)
    chunk = max(1, min(rows, _CHUNK * sample // max(1, sum(leaf.size for leaf in leaves))))
    stand_in = take(prediction, np.arange(chunk) % sample)
    counted = 0.0
    for first in range(0, rows, chunk):
        target = part(y, first, first + chunk)
        try:
            value = loss.forward(part(stand_in, 0, row_count(target)), target).value
        except (TypeError, ValueError) as error:
            if nothing_counts(loss, target):
                continue
            error.add_note(f"in {loss.name}, rows of {which}y counted from row {first}")
            raise
        if np.ndim(value) != 0:
            raise TypeError(f"{loss.name} gives {describe(value)}, expected one number")
        counted += batch_mass(loss, target)
    if not counted > 0:
        raise ValueError(f"nothing counts in {which}y for {loss.name}: all its rows are ignored or weigh 0")


def nothing_counts(loss: Loss[Y, T], target: T) -> bool:
    """Tell whether a target that the loss refused holds nothing that counts; of a wrong one that cannot be told."""
    try:
        return not batch_mass(loss, target) > 0
    except Exception:  # the loss has said already what is wrong with it
        return False


def try_metrics(metrics: Metrics[Y, M], prediction: Y, y: object, which: str) -> None:
    """Compute the metrics; raise unless they are numbers."""
    for name, score in metric_values(metrics, prediction, y).items():
        if math.isnan(score):
            raise ValueError(
                f"metric {name!r} is NaN on the {which or 'training '}set: have it return a number where it is not defined"
            )


def rehearse_checkpoints(request: FitRequest[P, S, X, Y, T, M], beginning: Reached[P, S], identity: Identity) -> None:
    """Have checkpoints, or other callbacks with a method ``rehearse``, find out whether they can be written."""
    rule = request.early_stopping
    points = (beginning.point,) * (2 if rule is not None and rule.restore_best else 1)
    for callback in request.callbacks:
        if isinstance(callback, Rehearsing):
            callback.rehearse(points, beginning.history, identity)
