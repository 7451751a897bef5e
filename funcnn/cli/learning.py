"""Training that can be gone on with: in passes through the data, or in steps on windows of a text drawn at random."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from attrs import evolve, frozen

import funcnn as fn
from funcnn.cli import folder, network
from funcnn.cli.failure import RequestError
from funcnn.cli.network import Network
from funcnn.cli.problem import Problem
from funcnn.cli.ranks import is_first
from funcnn.cli.settings import Settings
from funcnn.cli.tasks.task import Task
from funcnn.cli.terminal import complain, more
from funcnn.errors import shorten
from funcnn.files.save import FileError, load, load_note, save
from funcnn.losses.loss import Loss
from funcnn.sharding.communicator import Communicator
from funcnn.train.checkpoint import Checkpoint
from funcnn.train.history import History, Row
from funcnn.train.record import Callback, Epoch, Fit, Point

_PAUSE = 2.0  # seconds from one checkpoint to the next, at least
_STRETCH = 250  # steps between two figures, at most
_TOLD = 10  # lines of figures, about

Trees = tuple[object, ...]


@frozen(eq=False)
class TrainingTask:
    """Everything that training needs."""

    settings: Settings
    problem: Problem
    task: Task
    model: Network
    loss: Loss[Any, Any]
    start: fn.Init[Trees, Trees]
    ranks: Communicator | None = None
    """The processes that train together."""

    @property
    def key(self) -> fn.Key:
        """From where all randomness of training comes."""
        return fn.Key(self.settings.seed).child(3)


class CheckpointWriter:
    """Keeps what is needed to go on: writes it now and then, and the last of it when training is interrupted."""

    def __init__(self, write: Callable[[Any], object]) -> None:
        self.write = write
        self.last: Any = None
        self.written = time.perf_counter()

    def __call__(self, now: Any) -> None:
        """Take where training stands, and write it when the last time is long ago."""
        self.last = now
        if time.perf_counter() - self.written > _PAUSE:
            self.flush()

    def flush(self) -> None:
        """Write where training stood last."""
        if self.last is not None:
            self.write(self.last)
            self.last = None
        self.written = time.perf_counter()


def learn(training: TrainingTask, out: Path, resume: bool) -> tuple[Fit[Trees, Trees], float]:
    """Train, from the start or from the checkpoint of a folder; a diverged run gives its last good parameters.

    The checkpoint stays: it is for the caller to remove, when what was learned is safely written elsewhere.

    Raises
    ------
    RequestError
        When the checkpoint is damaged or belongs to another run.
    """
    began = time.perf_counter()
    path = out / folder.CHECKPOINT
    try:
        fitted = (_in_steps if training.settings.job.counts_steps else _in_epochs)(training, path, resume)
    except FileError as error:
        raise RequestError(str(error)) from None
    except ValueError as error:  # the loss does not take what the model gives of these data
        raise network.refused(training.settings, error) from None
    return fitted, time.perf_counter() - began


def _in_epochs(training: TrainingTask, path: Path, resume: bool) -> Fit[Trees, Trees]:
    bar = _bar_is_possible()
    writer = CheckpointWriter(Checkpoint(path))
    told = () if bar else (_print_every(max(1, training.settings.epochs // _TOLD)),)
    try:
        fitted = train_in_epochs(training, progress=bar, callbacks=(writer, *told), resume=path if resume else None)
    except fn.DivergenceError as error:
        if is_first(training.ranks):
            complain(str(error))
        return error.fit
    if fitted.stopped == "interrupted":
        writer.flush()
    return fitted


def train_in_epochs(
    training: TrainingTask,
    *,
    progress: bool,
    callbacks: tuple[Callback[Trees, Trees], ...] = (),
    resume: Path | None = None,
) -> Fit[Trees, Trees]:
    """Train in passes through the data."""
    settings, problem = training.settings, training.problem
    start = {"params": training.start.params, "state": training.start.state}
    given: dict[str, Any] = start | ({} if resume is None else {"resume": resume})
    fitted: Fit[Trees, Trees] = fn.fit(
        training.model,
        training.loss,
        network.make_optimizer(settings, len(problem.train)),
        problem.train.x,
        problem.train.y,
        key=training.key,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        validation=None if problem.validation is None else (problem.validation.x, problem.validation.y),
        metrics=training.task.metrics,
        early_stopping=None if settings.table is None else fn.EarlyStopping(settings.table.patience),
        progress=progress,
        communicator=training.ranks,
        callbacks=callbacks,
        **given,
    )
    return fitted


def _in_steps(training: TrainingTask, path: Path, resume: bool) -> Fit[Trees, Trees]:
    """Train on batches drawn at random: stretches of some steps, each a pass through windows of its own."""
    settings, problem = training.settings, training.problem
    optimizer = network.make_optimizer(settings, len(problem.train))
    point = Point(training.start.params, training.start.state, optimizer.init(training.start.params))
    history = History()
    if resume:
        point, history = _read_stretches(path, point, training)

    def write(reached: tuple[Point[Trees, Trees], History]) -> None:
        note = {"settings": _identity(training), "history": [[row.epoch, row.seconds, row.values] for row in reached[1].rows]}
        save(path, (reached[0],), note=json.dumps(note))

    writer = CheckpointWriter(write)
    watched = problem.validation
    assert watched is not None
    stretch = min(_STRETCH, -(-settings.steps // _TOLD))
    done = history.last.epoch if history.rows else 0
    fitted: Fit[Trees, Trees] = Fit(point.params, point.state, point.opt_state, history, "finished")
    try:
        while done < settings.steps:
            count = min(stretch, settings.steps - done)
            key = training.key.child(done)
            rows = key.child(0).generator().integers(len(problem.train.x), size=count * settings.batch_size)
            fitted = fn.fit(
                training.model,
                training.loss,
                optimizer,
                problem.train.x[rows],
                problem.train.y[rows],
                key=key.child(1),
                epochs=1,
                batch_size=settings.batch_size,
                validation=(watched.x, watched.y),
                metrics=training.task.metrics,
                params=point.params,
                state=point.state,
                opt_state=point.opt_state,
                progress=False,
                communicator=training.ranks,
            )
            if fitted.stopped == "interrupted":
                raise KeyboardInterrupt
            done += count
            row = fitted.history.last
            history = History((*history.rows, Row(done, row.values, row.seconds)))
            point = Point(fitted.params, fitted.state, fitted.opt_state)
            if is_first(training.ranks):
                writer((point, history))
            print_row(history.last, "step")
    except fn.DivergenceError as error:
        if is_first(training.ranks):
            complain(f"counted from step {done}: {error}")
        fitted = error.fit
    except KeyboardInterrupt:
        writer.flush()
        fitted = evolve(fitted, stopped="interrupted")
    return evolve(fitted, history=history)


def _identity(training: TrainingTask) -> dict[str, object]:
    """Return what must be the same for a run to be gone on with."""
    return {
        "windows": len(training.problem.train.x),
        "steps": training.settings.steps,
        "batch_size": training.settings.batch_size,
        "seed": training.settings.seed,
    }


def _read_stretches(path: Path, like: Point[Trees, Trees], training: TrainingTask) -> tuple[Point[Trees, Trees], History]:
    try:
        note = json.loads(load_note(path))
        identity, rows = note["settings"], note["history"]
        history = History(
            tuple(
                [
                    Row(int(step), tuple([(str(name), float(value)) for name, value in values]), float(seconds))
                    for step, seconds, values in rows
                ]
            )
        )
    except FileError:
        raise
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError, RecursionError) as error:  # anybody's JSON
        raise FileError(f"{path} is not a checkpoint of such a run ({shorten(repr(error))})") from None
    if identity != _identity(training):
        raise FileError(
            f"{path} was made with {shorten(str(identity), 200)}, this run has {_identity(training)}:"
            " only the same run can be gone on with"
        )
    (point,) = load(path, like=(like,))
    return point, history


def _bar_is_possible() -> bool:
    return sys.stderr is not None and sys.stderr.isatty() and find_spec("tqdm") is not None


def _print_every(epochs: int) -> Callable[[Epoch[Trees, Trees]], None]:
    def print_some(epoch: Epoch[Trees, Trees]) -> None:
        if epoch.number % epochs == 0 or epoch.number == 1:
            print_row(epoch.history.last, "epoch")

    return print_some


def said(value: float) -> str:
    """Return a figure with four digits behind the point, or with three in all where these would be zeros."""
    return f"{value:.4f}" if value == 0 or abs(value) >= 5e-4 else f"{value:.2e}"


def print_row(row: Row, counted: str) -> None:
    """Print the figures of an epoch, or of so many steps."""
    figures = "  ".join(f"{name.replace('val_', 'validation ')} {said(value)}" for name, value in row.values)
    more(f"{counted} {row.epoch:4d}  {figures}")
