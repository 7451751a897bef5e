"""What happens inside of an estimator, as pure functions: settings and arrays go in, a trained network comes out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
from attrs import frozen

from funcnn.compile.compiled import compiled
from funcnn.data.batching import batch_count, batches
from funcnn.data.splitting import split, stratified_split
from funcnn.errors import check_count, check_range
from funcnn.grad import LossAndGradFunction, loss_and_grad
from funcnn.key import Key
from funcnn.layer import AnyLayer, Layer, Train
from funcnn.layers.activations.rectifiers import relu
from funcnn.layers.linear.dense import dense
from funcnn.losses.combined import AnyLoss
from funcnn.optim.optimizer import Optimizer
from funcnn.optim.rules.adam import adamw
from funcnn.optim.schedules import Rate, warmup_cosine
from funcnn.train.loop import fit
from funcnn.train.preparation.check_data import row_count
from funcnn.train.record import Callback, Fit, Point
from funcnn.train.scores import batch_mass
from funcnn.train.stopping import EarlyStopping
from funcnn.typing import IntArray

PEAK_RATE = 0.02
"""The highest learning rate of a whole training, whose length is known."""
CONSTANT_RATE = 0.001
"""The learning rate of passes of which nobody knows how many there will be."""
WEIGHT_DECAY = 0.1
OptimizerOption = Optimizer | Callable[[Rate], Optimizer] | None
"""An optimizer, what makes one of a learning rate, or None for AdamW."""

AnyFit = Fit[Any, Any]  # Any: that of a network whose parameters are those of any layers
AnyPoint = Point[Any, Any]
AnyStep = LossAndGradFunction[Any, Any, Any, Any, Any]


@frozen(kw_only=True)
class Settings:
    """How an estimator trains: those of its parameters that are no part of the network."""

    optimizer: OptimizerOption
    learning_rate: float | None
    weight_decay: float | None
    epochs: int
    batch_size: int
    validation: float | None
    early_stopping: EarlyStopping | None
    callbacks: Sequence[Callback[Any, Any]]
    progress: bool


def body(hidden: Sequence[int] | AnyLayer, activation: AnyLayer | None) -> AnyLayer | None:
    """Return the layers between input and head: those that are given, or dense ones of such sizes; None for none at all."""
    if isinstance(hidden, Layer):
        if activation is not None:
            raise ValueError("activation is given beside a layer as hidden, which has its own: leave it out")
        return hidden
    made: AnyLayer | None = None
    if isinstance(hidden, int) or not isinstance(hidden, Sequence):
        raise TypeError(f"hidden is {hidden!r}, expected the sizes of layers, such as (100,), or a layer")
    for size in hidden:
        layer: AnyLayer = dense(check_count(size, "a size in hidden")) >> (relu() if activation is None else activation)
        made = layer if made is None else made >> layer
    return made


def with_head(before: AnyLayer | None, head: AnyLayer) -> AnyLayer:
    """Return a network of a body, or of none, and its head."""
    return head if before is None else before >> head


def optimizer_for(settings: Settings, steps: int | None) -> Optimizer:
    """Return the optimizer for so many steps, or, where nobody knows how many, at a constant rate.

    Of the two, the first warms up over a tenth of the steps and then follows a cosine down to 0.
    """
    given, decay = settings.optimizer, settings.weight_decay
    ready = given is not None and isinstance(given, Optimizer)
    for name in ("learning_rate", "weight_decay"):
        if ready and getattr(settings, name) is not None:
            raise ValueError(f"{name} is given beside the optimizer {given!r}, which has its own: leave one of them out")
    if ready:
        return cast(Optimizer, given)
    usual = CONSTANT_RATE if steps is None else PEAK_RATE
    peak = usual if settings.learning_rate is None else settings.learning_rate
    peak = check_range(peak, "learning_rate", 0.0, np.inf, open_high=True)
    rate: Rate = peak if steps is None or steps < 2 else warmup_cosine(peak, max(1, steps // 10), steps, start=peak / 10)
    if given is None:
        return adamw(rate, weight_decay=WEIGHT_DECAY if decay is None else decay)
    if not callable(given):
        raise TypeError(f"optimizer is {given!r}, expected an optimizer such as fn.adam(1e-3), or a function of a learning rate")
    if decay is not None:
        raise ValueError(
            "weight_decay is that of the usual optimizer: of one's own it is an option, functools.partial(fn.adamw, ...)"
        )
    return given(rate)


def trained(
    model: AnyLayer, loss: AnyLoss, settings: Settings, data: tuple[Any, Any], labels: IntArray | None, key: Key
) -> AnyFit:
    """Train a network on inputs and targets; of labels every class keeps its share in the validation set."""
    held_out = None
    if settings.validation is not None:
        share = check_range(settings.validation, "validation", 0.0, 1.0, open_low=True, open_high=True)
        parts = split(key.child(1), data, share) if labels is None else stratified_split(key.child(1), data, share, labels=labels)
        data, held_out = parts.train, parts.test
    rows = row_count(data)
    batch_size, epochs = min(check_count(settings.batch_size, "batch_size"), rows), check_count(settings.epochs, "epochs")
    return fit(
        model,
        loss,
        optimizer_for(settings, epochs * batch_count(rows, batch_size)),
        *data,
        key=key.child(0),
        epochs=epochs,
        batch_size=batch_size,
        validation=held_out,
        early_stopping=settings.early_stopping,
        callbacks=settings.callbacks,
        progress=settings.progress,
    )


def step_of(model: AnyLayer, loss: AnyLoss) -> AnyStep:
    """Return the function of a step, compiled: it will be called often."""
    return compiled(loss_and_grad(model, loss))


def one_pass(
    step: AnyStep, optimizer: Optimizer, loss: AnyLoss, start: AnyPoint, data: tuple[Any, Any], batch_size: int, key: Key
) -> tuple[AnyPoint, float]:
    """Take one pass through the data, and return where it leads and the mean loss of its batches."""
    now, losses, masses = start, [], []
    shuffle, keys = key.split(2)
    with np.errstate(all="ignore"):
        for number, (x, y) in enumerate(batches(shuffle, data, min(batch_size, row_count(data)))):
            made = step(now.params, now.state, x, y, Train(keys.child(number)))
            if not np.isfinite(made.loss):
                raise FloatingPointError(
                    f"the loss is {made.loss} in step {number + 1} of this pass: the parameters are those before it; try a lower"
                    " learning_rate or scaled inputs"
                )
            updated = optimizer.update(now.params, made.grads, now.opt_state)
            now = Point(updated.params, made.state, updated.state)
            losses.append(float(made.loss))
            masses.append(batch_mass(loss, y))
    return now, float(np.average(losses, weights=masses))
