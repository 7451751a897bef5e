"""Checks of the arguments of ``fit`` that are no data: of the right kind, and of a value that makes sense."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar, get_args

from attrs import evolve

from funcnn.errors import check_choice, check_count, check_flag
from funcnn.key import Key
from funcnn.layer import Layer
from funcnn.losses.loss import Loss
from funcnn.optim.composite import walk
from funcnn.optim.optimizer import Optimizer
from funcnn.sharding.communicator import check_communicator
from funcnn.train.history import History
from funcnn.train.preparation.check_data import kind_of
from funcnn.train.preparation.check_kinds import check_function, check_kind, check_metrics
from funcnn.train.preparation.request import FitRequest
from funcnn.train.record import Recorded
from funcnn.train.stopping import EarlyStopping

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")
T = TypeVar("T")
M = TypeVar("M")


def checked(request: FitRequest[P, S, X, Y, T, M]) -> FitRequest[P, S, X, Y, T, M]:
    """Return the request with its numbers as Python's own; raise when an argument is wrong."""
    check_kind(request.model, Layer, "model")
    check_kind(request.loss, Loss, "loss")
    check_kind(request.optimizer, Optimizer, "optimizer")
    check_kind(request.key, Key, "key")
    if request.early_stopping is not None:
        check_kind(request.early_stopping, EarlyStopping, "early_stopping")
    if request.history is not None:
        check_kind(request.history, History, "history")
    if request.wrap is not None:
        check_function(request.wrap, "wrap", "of the function that loss_and_grad gives")
    if request.evaluate_at is not None:
        check_function(request.evaluate_at, "evaluate_at", "(params, opt_state) -> params")
    if request.resume is not None and not isinstance(request.resume, (str, os.PathLike)):
        raise TypeError(f"resume is {kind_of(request.resume)}, expected the path of a checkpoint")
    if request.communicator is not None:
        check_communicator(request.communicator)
    check_callbacks(request.callbacks)
    check_record(request)
    check_metrics(request.metrics)
    return evolve(
        request,
        epochs=check_count(request.epochs, "epochs"),
        batch_size=check_count(request.batch_size, "batch_size"),
        record=tuple(request.record),
        drop_last=check_flag(request.drop_last, "drop_last"),
        progress=None if request.progress is None else check_flag(request.progress, "progress"),
    )


def check_callbacks(callbacks: object) -> None:
    """Raise a TypeError when the callbacks are no sequence of functions."""
    if isinstance(callbacks, (str, bytes)) or not isinstance(callbacks, Sequence):
        raise TypeError(f"callbacks is {kind_of(callbacks)}, expected a sequence of functions of an fn.Epoch")
    for index, callback in enumerate(callbacks):
        check_function(callback, f"callbacks[{index}]", "of an fn.Epoch")


def check_record(request: FitRequest[P, S, X, Y, T, M]) -> None:
    """Raise unless what is to be recorded is known, given once, and there."""
    record: object = request.record
    if isinstance(record, (str, bytes)) or not isinstance(record, Sequence):
        raise TypeError(f"record is {kind_of(record)}, expected a sequence such as ('learning_rate', 'gradient_norm')")
    for name in record:
        check_choice(name, get_args(Recorded), "a column in record")
        if name in request.metrics:
            raise ValueError(f"record has the column {name!r}, and a metric is called so: give the metric another name")
    if len(set(record)) < len(record):
        raise ValueError(f"record is {record!r}: each column stands in it once")
    if "learning_rate" in record and not any(hasattr(one, "learning_rate") for one in walk(request.optimizer)):
        raise ValueError(f"record has 'learning_rate', and no rule in {request.optimizer!r} has one")


def check_monitor(early_stopping: EarlyStopping | None, columns: tuple[str, ...]) -> None:
    """Raise when early stopping looks at a column that there will not be."""
    if early_stopping is not None and early_stopping.monitor not in columns:
        hint = ": give validation=..., or monitor another one" if early_stopping.monitor.startswith("val_") else ""
        raise ValueError(f"early_stopping monitors {early_stopping.monitor!r}, the columns are {list(columns)}{hint}")


def check_history(history: History | None, params: object, columns: tuple[str, ...]) -> None:
    """Raise when the history to go on with is given alone, or is that of a run with other columns."""
    if history is None:
        return
    if params is None:
        raise ValueError("history is given without params: it belongs to the parameters of the run that goes on")
    for row in history.rows:
        if tuple(name for name, _ in row.values) != columns:
            raise ValueError(
                f"history has the columns {[name for name, _ in row.values]} in epoch {row.epoch}, and this run has"
                f" {list(columns)}: to go on with a run give the same metrics and validation"
            )
