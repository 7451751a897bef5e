"""Everything that ``fit`` checks and decides before its first step."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Generic, TypeVar

import numpy as np
from attrs import evolve, fields, frozen

from funcnn.compile.compiled import compiled_if_often
from funcnn.data.batching import batch_count
from funcnn.data.splitting import split, stratified_split
from funcnn.data.streams.rows import Rows
from funcnn.errors import check_range
from funcnn.grad import LossAndGradFunction, LossAndGradOf
from funcnn.layer import Eval, Mode
from funcnn.optim.learning_rate import learning_rate
from funcnn.optim.optimizer import Optimizer, OptState
from funcnn.optim.transformations.clip import global_norm
from funcnn.train.checkpoint import resumed
from funcnn.train.divergence import DivergenceError, diverged
from funcnn.train.evaluate import part, predict
from funcnn.train.history import History
from funcnn.train.holdout import Holdout
from funcnn.train.identity import MAY_DIFFER, Identity
from funcnn.train.passing import Passing
from funcnn.train.plateau_report import check_listening
from funcnn.train.preparation.check_data import check_alike, check_data, kind_of, row_count
from funcnn.train.preparation.check_request import check_history, check_monitor, checked
from funcnn.train.preparation.rehearsal import rehearse, rehearse_checkpoints, rehearse_functions
from funcnn.train.preparation.request import FitRequest
from funcnn.train.preparation.starting import starting_point
from funcnn.train.ranks import check_ranks, read_by_ranks, step_of_ranks, with_all_rows, with_ranks
from funcnn.train.record import Point, Reached, Step, StepListener, listening

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")
T = TypeVar("T")
M = TypeVar("M")
F = TypeVar("F")


_MOST_READ = 1024


@frozen(eq=False)
class Plan(Generic[P, S, X, Y, T, M]):
    """What there is to do, all arguments being right."""

    request: FitRequest[P, S, X, Y, T, M]
    """The arguments, of which x and y are now what is trained on."""
    source: X
    """What batches are made of: x, or the rows of x that this process reads."""
    validation: tuple[X, T] | None
    step: LossAndGradFunction[P, S, X, Y, T]
    optimizer: Optimizer
    """The optimizer, for the steps."""
    steps: int
    """Batches of an epoch."""
    begin: Callable[[], Reached[P, S]]
    """Makes the beginning: made again when needed, so that nobody keeps parameters of the past."""
    identity: Identity
    interrupts: AbstractContextManager[object]
    """What sees to Ctrl-C while training goes on in several processes."""
    listeners: tuple[StepListener, ...]
    """The callbacks of steps."""

    @property
    def draws(self) -> bool:
        """Whether somebody may want the key of a step."""
        return self.request.model.random or self.request.wrap is not None

    @property
    def loss_columns(self) -> tuple[str, ...]:
        """The columns of the history that must be finite."""
        return ("loss",) if self.validation is None else ("loss", "val_loss")

    @property
    def validation_batch(self) -> tuple[X, T, Mode] | None:
        """The validation set as one batch: of rows that are read from elsewhere, the first ones."""
        if self.validation is None:
            return None
        x, y = self.validation
        rows = min(row_count(x), _MOST_READ) if isinstance(x, Rows) else row_count(x)
        return part(x, 0, rows), part(y, 0, rows), Eval(residuals=False)

    def note(self, passing: Passing[Y, T], grads: P, state: OptState[P]) -> None:
        """Note what is to be recorded of a step, given its gradient and the optimizer's state before it."""
        if "learning_rate" in self.request.record:
            rate = learning_rate(self.request.optimizer, state)
            passing.rates.append(math.nan if rate is None else rate)
        if "gradient_norm" in self.request.record:
            passing.norms.append(float(global_norm(grads)))

    def hears(self, now: Point[P, S], before: OptState[P], passing: Passing[Y, T], grads: P, reached: Reached[P, S]) -> bool:
        """Show a step to all who listen, and tell whether one of them wants training to end."""
        step = Step(
            now.params,
            now.state,
            now.opt_state,
            len(reached.history) + 1,
            passing.done,
            passing.losses[-1],
            grads,
            reached.history,
            self.request.optimizer,
            before,
            reached.best,
            passing,
            self.identity,
        )
        return any([bool(listener.on_step(step)) for listener in self.listeners])  # noqa: C419  # a list: all are called

    def diverged(
        self, now: Point[P, S], batch: tuple[X, T, Mode] | None, before: tuple[Point[P, S], tuple[X, T, Mode]] | None, step: int,
        reached: Reached[P, S],
    ) -> DivergenceError[P, S]:  # fmt: skip
        """Return the error of a loss that is not finite in a step, or, without a batch, at the end of an epoch."""
        request = self.request
        failed = self.validation_batch if batch is None else with_all_rows(request, self.source, batch)
        last = None if before is None else (before[0], with_all_rows(request, self.source, before[1]))
        return diverged(request.model, request.loss, now, failed, last, step, reached, self.begin)

    def is_over(self, reached: Reached[P, S]) -> bool:
        """Tell whether early stopping ends training."""
        rule = self.request.early_stopping
        return rule is not None and rule.is_over(reached.history, reached.peak)


def prepare(request: FitRequest[P, S, X, Y, T, M]) -> tuple[Plan[P, S, X, Y, T, M], Reached[P, S]]:
    """Check the arguments of ``fit`` and return what there is to do, and where to begin."""
    request = checked(request)
    x, y = check_data(request.x, request.y, "")
    given = evolve(request, x=x, y=y)
    x, y, held_out = parted(given)
    rows = row_count(x)
    if request.batch_size > rows:
        raise ValueError(
            f"batch_size is {request.batch_size} and there are {rows} rows to train on: a batch is at most all of them"
        )
    names = ("loss", *request.metrics)
    columns = names if held_out is None else (*names, *[f"val_{name}" for name in names])
    columns = (*columns, *request.record)
    check_monitor(request.early_stopping, columns)
    check_history(request.history, request.params, columns)
    check_listening(request.optimizer, columns)
    identity = identity_of(given, held_out, columns)
    if request.callbacks or request.resume is not None:
        identity.settings  # noqa: B018  # worked out now, as the functions are before their first call
    request, interrupts = with_ranks(evolve(request, x=x, y=y))
    past = History() if request.history is None else request.history

    def begin() -> Reached[P, S]:
        start = starting_point(request)
        if request.resume is not None:
            return resumed(request.resume, start, identity, request.early_stopping, len(past), partial(shown, request, start))
        keeps = past.rows and request.early_stopping is not None and request.early_stopping.restore_best
        return Reached(start, past, start if keeps else None, len(past))

    beginning = begin()
    check_epochs(request, beginning)
    check_ranks(request, identity, beginning.point)
    rehearse(request, beginning.point, held_out)
    rehearse_checkpoints(request, beginning, identity)
    steps = batch_count(rows, request.batch_size, drop_last=request.drop_last)
    calls = steps * (request.epochs - len(beginning.history))
    made = compiled_if_often(step_of_ranks(LossAndGradOf(request.model, request.loss), request, interrupts), calls)
    step = made if request.wrap is None else wrapped(request.wrap, made)
    rehearse_functions(request, beginning.point, step)
    optimizer = compiled_if_often(request.optimizer, calls)
    listeners = listening(request.callbacks)
    return Plan(
        request, read_by_ranks(request), held_out, step, optimizer, steps, begin, identity, interrupts, listeners
    ), beginning


def identity_of(request: FitRequest[P, S, X, Y, T, M], held_out: object, columns: tuple[str, ...]) -> Identity:
    """Return by what a run is told from others: all arguments that may touch a number, the data as they were given."""
    arguments = {one.name: getattr(request, one.name) for one in fields(FitRequest) if one.name not in MAY_DIFFER}
    if request.record:
        arguments["record"] = request.record
    arguments["validation"] = held_out if isinstance(request.validation, tuple) else request.validation
    return Identity(arguments, columns)


def shown(request: FitRequest[P, S, X, Y, T, M], start: Point[P, S]) -> tuple[Y, T] | None:
    """Return a prediction and a target of one row, of which a checkpoint within an epoch holds more, when there are metrics."""
    if not request.metrics:
        return None
    with np.errstate(all="ignore"):
        return predict(request.model, start.params, start.state, part(request.x, 0, 1)), part(request.y, 0, 1)


def parted(request: FitRequest[P, S, X, Y, T, M]) -> tuple[X, T, tuple[X, T] | None]:
    """Return the inputs and targets to train on, and the validation set."""
    validation, x, y = request.validation, request.x, request.y
    if validation is None:
        return x, y, None
    if isinstance(validation, tuple):
        if len(validation) != 2:
            raise ValueError(
                f"validation is a tuple of {len(validation)}, expected (x, y), a share such as 0.2, or fn.Holdout(0.2)"
            )
        held_out = check_data(*validation, "validation ")
        check_alike(x, held_out[0], "x")
        check_alike(y, held_out[1], "y")
        return x, y, held_out
    if isinstance(validation, Holdout):
        return held_out_by_class(request, validation)
    if not hasattr(validation, "__float__") or isinstance(validation, bool):
        raise TypeError(f"validation is {kind_of(validation)}, expected a tuple (x, y) or a share such as 0.2")
    share = check_range(validation, "validation", 0.0, 1.0, open_low=True, open_high=True)
    try:
        parts = split(request.key.child(1), (x, y), share)
    except ValueError as error:
        raise ValueError(f"validation is {share:g}: {error}") from None
    warn_of_params(request, share)
    return *parts.train, parts.test


def held_out_by_class(request: FitRequest[P, S, X, Y, T, M], holdout: Holdout) -> tuple[X, T, tuple[X, T]]:
    """Return the inputs and targets to train on, and the validation set, as a :class:`Holdout` says."""
    data, key = (request.x, request.y), request.key.child(1)
    labels = holdout.labels_for(request.y)
    try:
        parts = split(key, data, holdout.share) if labels is None else stratified_split(key, data, holdout.share, labels=labels)
    except (TypeError, ValueError) as error:
        raise type(error)(f"validation is a Holdout of {holdout.share:g}: {error}") from None
    warn_of_params(request, holdout.share)
    return *parts.train, parts.test


def warn_of_params(request: FitRequest[P, S, X, Y, T, M], share: float) -> None:
    """Warn when parameters are given that may have been trained on the rows which are held out."""
    if request.params is not None and request.history is None and request.resume is None:
        warnings.warn(
            f"validation={share:g} holds out rows that this key draws, and the params that are given may have been trained on"
            " them: then the figures of validation are too good.  To go on with a run give its key and history=...; or part the"
            " data once, by fn.data.split, and give validation=(x, y)",
            UserWarning,
            stacklevel=5,
        )


def wrapped(wrap: Callable[[F], F], function: F) -> F:
    """Return what a function of the user's makes of that of ``loss_and_grad``; its errors say that they are its."""
    try:
        return wrap(function)
    except Exception as error:
        error.add_note("in wrap, given the function of loss_and_grad")
        raise


def check_epochs(request: FitRequest[P, S, X, Y, T, M], beginning: Reached[P, S]) -> None:
    """Raise when there are more epochs already than there are to be."""
    done = len(beginning.history)
    if done > request.epochs:
        where = "history has" if request.resume is None else f"{request.resume} has"
        raise ValueError(f"epochs is {request.epochs}, and {where} {done} already: epochs are counted from the very first")
