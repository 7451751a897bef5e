"""Everything that ``fit`` checks and decides before its first step."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar, cast

import numpy as np
from attrs import frozen

from funcnn import tree
from funcnn.data.batching import batch_count
from funcnn.data.dataset import take
from funcnn.data.splitting import split
from funcnn.errors import check_count, check_finite, describe
from funcnn.key import Key
from funcnn.layer import Eval, Init, Layer, Mode
from funcnn.losses.loss import Loss
from funcnn.losses.weighted import Weighted
from funcnn.masked import Masked
from funcnn.optim.optimizer import Optimizer, OptState
from funcnn.train.checkpoint import resumed
from funcnn.train.divergence import first_not_finite
from funcnn.train.evaluate import part, predict
from funcnn.train.history import History
from funcnn.train.listening import check_listening
from funcnn.train.record import Callback, Point, Setting
from funcnn.train.scores import Metrics, metric_values
from funcnn.train.stopping import EarlyStopping
from funcnn.typing import Array, Shapes

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")
T = TypeVar("T")
M = TypeVar("M")
D = TypeVar("D")

_CHUNK = 2**20  # numbers of predictions for which targets are checked at a time
_SAMPLE = 64  # rows that are predicted, at least, to try the loss and the metrics


class Begin(NamedTuple, Generic[P, S]):
    """Where training begins, or goes on."""

    point: Point[P, S]
    history: History
    best: Point[P, S] | None
    """The point of the last improvement, where early stopping gives it in the end."""
    peak: int
    """The epoch of the last improvement, 0 when there was none."""


@frozen(eq=False)
class Job(Generic[P, S, X, Y, T, M]):
    """What there is to do, all arguments being right."""

    model: Layer[P, S, X, Y]
    loss: Loss[Y, T]
    metrics: Metrics[Y, M]
    x: X
    y: T
    validation: tuple[X, T] | None
    rows: int
    steps: int
    """Steps of an epoch."""
    begin: Callable[[], Begin[P, S]]
    """Makes the beginning: made again when needed, so that nobody keeps parameters of the past."""
    setting: Setting

    @property
    def loss_columns(self) -> tuple[str, ...]:
        """The columns of the history that must be finite."""
        return ("loss",) if self.validation is None else ("loss", "val_loss")

    @property
    def validation_batch(self) -> tuple[X, T, Mode] | None:
        """The validation set as one batch."""
        return None if self.validation is None else (*self.validation, Eval(residuals=False))


def prepare(
    model: Layer[P, S, X, Y],
    loss: Loss[Y, T],
    optimizer: Optimizer,
    x: X,
    y: T,
    key: Key,
    epochs: int,
    batch_size: int,
    validation: tuple[X, T] | float | None,
    metrics: Metrics[Y, M] | None,
    params: P | None,
    state: S | None,
    opt_state: OptState[P] | None,
    drop_last: bool,
    early_stopping: EarlyStopping | None,
    callbacks: Sequence[Callback[P, S]],
    progress: bool | None,
    resume: str | os.PathLike[str] | None,
    *options: object,
) -> tuple[Job[P, S, X, Y, T, M], Begin[P, S]]:
    """Check the arguments of ``fit`` and return what there is to do, and where to begin."""
    metrics = {} if metrics is None else metrics
    check_kinds(model, loss, optimizer, key, metrics, callbacks, early_stopping, drop_last, progress, options)
    check_count(epochs, "epochs")
    check_count(batch_size, "batch_size")
    x, y = check_data(x, y, "")
    held_out = None
    if isinstance(validation, tuple):
        if len(validation) != 2:
            raise ValueError(f"validation is a tuple of {len(validation)}, expected (x, y) or a share such as 0.2")
        held_out = check_data(*validation, "validation ")
        check_alike(x, held_out[0], "x")
        check_alike(y, held_out[1], "y")
    elif validation is not None:
        parts = split(key.child(1), (x, y), validation)
        (x, y), held_out = parts.train, parts.test
    rows = row_count(x)
    if batch_size > rows:
        raise ValueError(f"batch_size is {batch_size} and there are {rows} rows to train on: a batch is at most all of them")
    columns = tuple([prefix + name for prefix in ("", "val_")[: 1 if held_out is None else 2] for name in ("loss", *metrics)])
    check_monitor(early_stopping, columns)
    check_listening(optimizer, columns)
    setting = Setting(key, batch_size, rows, drop_last, columns)

    def begin() -> Begin[P, S]:
        start = starting_point(model, optimizer, x, y, key, params, state, opt_state, resume is not None)
        point, history, best = (start, History(), None) if resume is None else resumed(resume, start, setting)
        return Begin(point, history, best, 0 if early_stopping is None else early_stopping.best_epoch(history))

    beginning = begin()
    for part_x, part_y, what in [(x, y, "")] + ([] if held_out is None else [(*held_out, "validation ")]):
        rehearse(model, loss, metrics, beginning.point, part_x, part_y, batch_size, what)
    steps = batch_count(rows, batch_size, drop_last=drop_last)
    return Job(model, loss, metrics, x, y, held_out, rows, steps, begin, setting), beginning


def check_kinds(
    model: object,
    loss: object,
    optimizer: object,
    key: object,
    metrics: object,
    callbacks: object,
    early_stopping: object,
    drop_last: object,
    progress: object,
    options: tuple[object, ...],
) -> None:
    """Raise a TypeError when an argument is of the wrong kind, such as a factory that was not called."""
    for what, value, kind, example in (
        ("model", model, Layer, "fn.dense(10)"),
        ("loss", loss, Loss, "fn.mean_squared_error()"),
        ("optimizer", optimizer, Optimizer, "fn.adam(1e-3)"),
        ("key", key, Key, "fn.Key(0)"),
    ):
        if isinstance(value, type) or not isinstance(value, kind):
            raise TypeError(f"{what} is {describe(value)}, expected {kind.__name__}, such as {example}")
    if early_stopping is not None and not isinstance(early_stopping, EarlyStopping):
        raise TypeError(f"early_stopping is {describe(early_stopping)}, expected fn.EarlyStopping(patience=...)")
    if not isinstance(drop_last, bool) or progress not in (None, True, False):
        raise TypeError(f"drop_last is {drop_last!r} and progress {progress!r}, expected True or False (progress may be None)")
    if not isinstance(callbacks, Sequence) or not all(callable(callback) for callback in callbacks):
        raise TypeError(f"callbacks is {describe(callbacks)}, expected a sequence of functions of an fn.Epoch")
    if not all(option is None or callable(option) for option in options):
        raise TypeError(f"wrap and evaluate_at are {describe(options)}, expected functions")
    if not isinstance(metrics, Mapping):
        raise TypeError(f"metrics is {describe(metrics)}, expected a dict such as {{'accuracy': fn.accuracy}}")
    for name, metric in metrics.items():
        if not isinstance(name, str) or name in ("", "loss", "epoch") or name.startswith("val_"):
            raise ValueError(
                f"a metric is called {name!r}: expected a text that is not 'loss' or 'epoch' and does not begin with 'val_'"
            )
        if not callable(metric):
            raise TypeError(f"metric {name!r} is {describe(metric)}, expected a function (prediction, target) -> float")


def check_monitor(early_stopping: EarlyStopping | None, columns: tuple[str, ...]) -> None:
    """Raise when early stopping looks at a column that there will not be."""
    if early_stopping is not None and early_stopping.monitor not in columns:
        hint = ": give validation=..., or monitor another one" if early_stopping.monitor.startswith("val_") else ""
        raise ValueError(f"early_stopping monitors {early_stopping.monitor!r}, the columns are {list(columns)}{hint}")


# ---------------------------------------------------------------------------------------------------------------------- data


def check_data(x: X, y: T, which: str) -> tuple[X, T]:
    """Return inputs and targets as plain arrays, without rows of weight 0; raise when they cannot be trained on."""
    x, y = plain(x, f"{which}x"), plain(y, f"{which}y")
    lengths = {f"{which}{name}{path}": len(leaf) for name, data in (("x", x), ("y", y)) for path, leaf in tree.walk(data)}
    if len(set(lengths.values())) > 1:
        raise ValueError(
            f"{', '.join(f'{name} has {length} rows' for name, length in lengths.items())}: each row is one example in"
            " all of them"
        )
    if row_count(x) == 0:
        raise ValueError(f"{which}x and y are empty: expected at least one row")
    if isinstance(y, Weighted):
        counted = y.weight.reshape(len(y.weight), -1).any(1)
        if not counted.any():
            raise ValueError(f"all weights of {which}y are 0: there is nothing to learn from")
        if not counted.all():
            x, y = take(x, np.flatnonzero(counted)), take(y, np.flatnonzero(counted))
    for name, data in (("x", x), ("y", y)):
        for path, leaf in tree.walk(looked_at(data)):
            if leaf.dtype.kind == "f":
                check_finite(leaf, f"{which}{name}{path}")
    return x, y


def looked_at(data: object) -> object:
    """Return what must be finite: not the padding of sequences, nor a weighted target, of which the loss says what is seen."""
    if isinstance(data, Masked):
        return data.values[data.mask]
    if type(data) is tuple:
        return tuple([looked_at(one) for one in data])
    return () if isinstance(data, Weighted) else data


def plain(data: D, what: str) -> D:
    """Return a tree of arrays with every subclass of ndarray (a memory map, for one) as a plain view."""
    try:
        leaves = tree.leaves(data)
    except TypeError as error:
        raise TypeError(f"{what} is {describe(data)}, expected an array: use np.asarray ({error})") from None
    if not leaves:
        raise ValueError(f"{what} holds no array")
    for path, leaf in tree.walk(data):
        if isinstance(leaf, np.ma.MaskedArray):
            raise TypeError(f"{what}{path} is a masked array: use fn.Weighted for masks of targets")
        if leaf.dtype.kind not in "fiub":
            raise TypeError(f"{what}{path} has dtype {leaf.dtype}, expected real numbers: use .astype(float)")
        if leaf.ndim == 0:
            raise ValueError(f"{what}{path} is a single number, expected one example per row")
    return tree.map(np.asarray, data)


def row_count(data: object) -> int:
    """Return the number of rows of data that have been checked."""
    return len(tree.leaves(data)[0])


def check_alike(expected: object, got: object, what: str) -> None:
    """Raise when the examples of the validation set are of another shape or dtype than those to train on."""
    expected, got = unweighted(expected), unweighted(got)
    tree.check_structure(expected, got, f"validation {what}")
    for (path, one), other in zip(tree.walk(expected), tree.leaves(got), strict=True):
        if one.shape[1:] != other.shape[1:] or one.dtype.kind != other.dtype.kind:
            raise ValueError(
                f"validation {what}{path} is {describe(other)} and {what}{path} {describe(one)}: expected the same but"
                " for the rows"
            )


def unweighted(target: object) -> object:
    """Return the target inside of a Weighted one."""
    return target.target if isinstance(target, Weighted) else target


# ---------------------------------------------------------------------------------------------------------------- parameters


def starting_point(
    model: Layer[P, S, X, Y],
    optimizer: Optimizer,
    x: X,
    y: object,
    key: Key,
    params: P | None,
    state: S | None,
    opt_state: OptState[P] | None,
    resuming: bool,
) -> Point[P, S]:
    """Return where training begins: what was given, checked against what the model and the optimizer would make, or that."""
    if resuming and not (params is None and state is None and opt_state is None):
        raise ValueError("resume=... brings params, state and opt_state of its own: give the one or the others")
    if params is None and not (state is None and opt_state is None):
        raise ValueError("state or opt_state is given without params: they belong together")
    made: Init[P, S] = model.init(key.child(0), in_shapes(x))
    dtype = data_dtype(x, y)
    if params is None:
        params, state = tree.astype(made.params, dtype), tree.astype(made.state, dtype)
    else:
        if state is None and tree.leaves(made.state):
            raise ValueError(f"params is given without state, and {model.name} has one (running statistics): give both")
        state = made.state if state is None else state
        check_given(made.params, params, "params")
        check_given(made.state, state, "state")
    expected = optimizer.init(params)
    if opt_state is None:
        opt_state = expected
    else:
        tree.check_like(expected, opt_state, "opt_state")
    return Point(params, state, opt_state)


def check_given(expected: object, got: object, what: str) -> None:
    """Raise when a tree differs from the model's in structure or shape, or is not finite, with the path."""
    tree.check_structure(expected, got, what)
    for (path, one), other in zip(tree.walk(expected), tree.leaves(got), strict=True):
        if one.shape != other.shape or one.dtype.kind != other.dtype.kind:
            raise ValueError(f"{what}{path} is {describe(other)}, expected {describe(one)} as model.init gives")
    broken = first_not_finite(got)
    if broken is not None:
        raise ValueError(f"{what}{broken} holds NaN or infinity: training must begin with finite numbers")


def in_shapes(x: object) -> Shapes:
    """Return the shape of one input, without the batch axis."""
    if isinstance(x, np.ndarray):
        return cast(Shapes, x.shape[1:])
    if isinstance(x, Masked):
        return x.values.shape[1:]
    if type(x) is tuple and all(isinstance(one, np.ndarray) for one in x):
        return tuple([one.shape[1:] for one in x])
    raise TypeError(f"x is {type(x).__name__}, expected an array or a tuple of arrays: the inputs of a network")


def data_dtype(x: object, y: object) -> np.dtype[Any]:
    """Return the precision of the data: that of x, or of y when x holds integers, or else float64."""
    for data in (x, unweighted(y)):
        found = [leaf.dtype for leaf in tree.leaves(data) if leaf.dtype.kind == "f"]
        if found:
            return np.result_type(*found)
    return np.dtype(np.float64)


# ----------------------------------------------------------------------------------------------------------------- rehearsal


def rehearse(
    model: Layer[P, S, X, Y],
    loss: Loss[Y, T],
    metrics: Metrics[Y, M],
    start: Point[P, S],
    x: X,
    y: T,
    batch_size: int,
    which: str,
) -> None:
    """Try the model on some rows, and the loss and the metrics on all targets: each finds out here what it cannot work with.

    The predictions of the first rows stand in for those of all others.
    """
    rows = row_count(x)
    sample = min(rows, max(batch_size, _SAMPLE))
    with np.errstate(all="ignore"):
        prediction = predict(model, start.params, start.state, part(x, 0, sample), batch_size=batch_size)
        leaves: tuple[Array, ...] = tree.leaves(prediction)
        if any(len(leaf) != sample for leaf in leaves):
            raise ValueError(f"the model gives {describe(prediction)} for {sample} rows: expected as many rows")
        chunk = max(1, min(rows, _CHUNK * sample // max(1, sum(leaf.size for leaf in leaves))))
        stand_in = take(prediction, np.arange(chunk) % sample)
        for first in range(0, rows, chunk):
            target = part(y, first, first + chunk)
            try:
                value = loss.forward(part(stand_in, 0, row_count(target)), target).value
            except (TypeError, ValueError) as error:
                error.add_note(f"in {loss.name}, rows of {which}y counted from row {first}")
                raise
            if np.ndim(value) != 0:
                raise TypeError(f"{loss.name} gives {describe(value)}, expected one number")
        if metrics:
            values = metric_values(metrics, take(prediction, np.arange(rows) % sample), y)
            for name, score in values.items():
                if math.isnan(score):
                    raise ValueError(
                        f"metric {name!r} is NaN on the {which or 'training '}set: have it return a number where it is"
                        " not defined"
                    )
