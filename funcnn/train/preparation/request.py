"""What ``fit`` is asked for: its arguments in one record."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from attrs import frozen

from funcnn.grad import LossAndGradFunction
from funcnn.key import Key
from funcnn.layer import Layer
from funcnn.losses.loss import Loss
from funcnn.optim.optimizer import Optimizer, OptState
from funcnn.sharding.communicator import Communicator
from funcnn.train.history import History
from funcnn.train.holdout import Holdout
from funcnn.train.record import Callback, Recorded
from funcnn.train.scores import Metrics
from funcnn.train.stopping import EarlyStopping

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")
T = TypeVar("T")
M = TypeVar("M")


@frozen(eq=False, kw_only=True)
class FitRequest(Generic[P, S, X, Y, T, M]):
    """The arguments of :func:`fit`, which its docstring explains: as they were given, or as they were checked."""

    model: Layer[P, S, X, Y]
    loss: Loss[Y, T]
    optimizer: Optimizer
    x: X
    y: T
    key: Key
    epochs: int
    batch_size: int
    validation: tuple[X, T] | float | Holdout | None
    metrics: Metrics[Y, M]
    params: P | None
    state: S | None
    opt_state: OptState[P] | None
    history: History | None
    wrap: Callable[[LossAndGradFunction[P, S, X, Y, T]], LossAndGradFunction[P, S, X, Y, T]] | None
    evaluate_at: Callable[[P, OptState[P]], P] | None
    drop_last: bool
    early_stopping: EarlyStopping | None
    callbacks: Sequence[Callback[P, S]]
    progress: bool | None
    resume: str | os.PathLike[str] | None
    communicator: Communicator | None
    record: Sequence[Recorded]
