"""Training in several processes, as ``fit`` does it: what all of them must agree on, and what only one of them does."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import numpy as np
from attrs import evolve, frozen

from funcnn import tree
from funcnn.data.streams.rows import Rows, Selected
from funcnn.errors import shorten
from funcnn.grad import LossAndGradFunction, LossAndGradOf
from funcnn.layer import Layer, Mode
from funcnn.sharding.communicator import Communicator, all_gather_rows, all_gather_texts
from funcnn.train.evaluate import part, predict
from funcnn.train.fingerprint import fingerprint
from funcnn.train.history import History
from funcnn.train.identity import Identity, entry
from funcnn.train.preparation.check_data import row_count
from funcnn.train.preparation.rehearsal import Rehearsing
from funcnn.train.preparation.request import FitRequest
from funcnn.train.record import Callback, Epoch, Point, Step, listening, wanted
from funcnn.typing import Array

if TYPE_CHECKING:
    from funcnn.train.rank_rows import RowsOfRank

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")
T = TypeVar("T")
M = TypeVar("M")


class RankError(RuntimeError):
    """Raised by :func:`fit` in the processes that wait for another one, when that one has failed, or has other parameters."""


# ------------------------------------------------------------------------------------------------------- before the first step


def with_ranks(request: FitRequest[P, S, X, Y, T, M]) -> tuple[FitRequest[P, S, X, Y, T, M], AbstractContextManager[object]]:
    """Return the request of one process among others, and what sees to interrupts while it trains.

    Callbacks run on rank 0, which alone shows progress; the request of a single process stays what it is.
    """
    communicator = request.communicator
    if communicator is None:
        return request, nullcontext()
    if request.batch_size < communicator.size:
        raise ValueError(
            f"batch_size is {request.batch_size} and there are {communicator.size} processes: expected a row for each, at least"
        )
    interrupts = Interrupts()
    shown = request.progress if communicator.rank == 0 else False
    callbacks = (CallbacksOfRankZero(communicator, interrupts, request.callbacks),)
    return evolve(request, callbacks=callbacks, progress=shown), interrupts


def check_ranks(request: FitRequest[P, S, X, Y, T, M], identity: Identity, start: Point[P, S]) -> None:
    """Raise, on all ranks, unless the ranks have the same data, the same code and the same beginning.

    Raises
    ------
    ValueError
        With the arguments that differ, and which ranks have which.
    """
    if request.communicator is None:
        return
    begin = (start.params, start.state, tuple(tree.leaves(start.opt_state)))
    own = identity.entries | {
        "epochs": entry(request.epochs),
        "early_stopping": [repr(request.early_stopping), fingerprint(request.early_stopping)],
        "the beginning": [f"{tree.size(start.params)} parameters", fingerprint(begin)],
        "whether callbacks hear steps": entry(bool(listening(request.callbacks))),
        "versions": entry(f"{identity.versions}, NumPy {np.__version__}"),
    }
    told: list[dict[str, list[str]]] = [json.loads(text) for text in all_gather_texts(request.communicator, json.dumps(own))]
    unlike = [name for name in own if len({one[name][1] for one in told}) > 1]
    if unlike:
        raise ValueError("the processes are not given the same: " + "; ".join(said_by_ranks(name, told) for name in unlike))


def said_by_ranks(name: str, told: Sequence[Mapping[str, list[str]]]) -> str:
    """Return what ranks have of an argument: rank 0, and the first that has another."""
    other = next(rank for rank, one in enumerate(told) if one[name][1] != told[0][name][1])
    first, second = told[0][name][0], told[other][name][0]
    return f"{name} is {first} on rank 0, and {second if second != first else 'another that looks alike'} on rank {other}"


def step_of_ranks(
    step: LossAndGradOf[P, S, X, Y, T], request: FitRequest[P, S, X, Y, T, M], interrupts: object
) -> LossAndGradFunction[P, S, X, Y, T]:
    """Return the step that the ranks divide among them: with the outputs of all only where somebody looks at them."""
    if request.communicator is None:
        return step
    from funcnn.losses.batchwise import is_apart  # not on import: most programs train in one process
    from funcnn.sharding.data_parallel import Ranks, parallel_step

    asked = interrupts.is_asked if isinstance(interrupts, Interrupts) else bool
    looked_at = bool(request.metrics) or request.wrap is not None or not is_apart(step.loss)
    return parallel_step(step, Ranks(request.communicator, step.loss, asked), looked_at)


def read_by_ranks(request: FitRequest[P, S, X, Y, T, M]) -> X:
    """Return what batches are made of: of rows that are read when they are asked for, each rank reads its own.

    But for a step that somebody wraps, who may look at whole batches before the ranks divide them, such as to mix their rows.
    """
    x, communicator = request.x, request.communicator
    if communicator is None or communicator.size == 1 or request.wrap is not None or not isinstance(x, Rows):
        return x
    from funcnn.train.rank_rows import RowsOfRank  # not on import, as above

    return cast(X, RowsOfRank(x, communicator))


# --------------------------------------------------------------------------------------------------------- while training goes on


def with_all_rows(request: FitRequest[P, S, X, Y, T, M], source: X, batch: tuple[X, T, Mode]) -> tuple[X, T, Mode]:
    """Return a batch with the rows that all ranks have read: each of them has to ask."""
    if source is request.x:
        return batch
    x, target, mode = batch
    return cast(X, cast("RowsOfRank", source).gathered(cast(Array, x))), target, mode


def predict_by_ranks(communicator: Communicator | None, model: Layer[P, S, X, Y], now: tuple[P, S], x: X, batch_size: int) -> Y:
    """Return the predictions of all rows, of which each rank computes some batches."""
    params, state = now
    if communicator is None or communicator.size == 1:
        return predict(model, params, state, x, batch_size=batch_size)
    rows, ranks = row_count(x), communicator.size
    batches = -(-rows // batch_size)
    ends = [min(rows, batch_size * (batches * rank // ranks)) for rank in range(ranks + 1)]
    first, stop = ends[communicator.rank], ends[communicator.rank + 1]
    last = max(stop, first + 1)  # one row at least, for the shape of what is predicted
    mine = cast(X, Selected(x, np.arange(first, last))) if isinstance(x, Rows) else part(x, first, last)
    own = predict(model, params, state, mine, batch_size=batch_size)
    counts = tuple([after - before for before, after in pairwise(ends)])
    return all_gather_rows(communicator, part(own, 0, stop - first), counts)


@frozen(eq=False)
class CallbacksOfRankZero(Generic[P, S]):
    """Callbacks that run on rank 0, and what all ranks tell one another at the end of an epoch."""

    communicator: Communicator
    interrupts: Interrupts
    callbacks: Sequence[Callback[P, S]]

    @property
    def hears_steps(self) -> bool:
        """Whether one of them is to be called after steps: then the ranks tell one another after each."""
        return bool(listening(self.callbacks))

    def __call__(self, epoch: Epoch[P, S]) -> bool:
        """Call them where they run, and return on every rank whether training is to end.

        Raises
        ------
        RankError
            Where others wait, when a callback has failed, or when the parameters of the ranks are not the same any more.
        KeyboardInterrupt
            On all ranks, when one of them was interrupted.
        """
        return self._agreed(lambda: wanted(self.callbacks, epoch), fingerprint((epoch.params, epoch.state)), epoch.number)

    def on_step(self, step: Step[P, S]) -> bool:
        """Call those of steps where they run; return and raise as at the end of an epoch."""
        heard = listening(self.callbacks)
        return self._agreed(lambda: any([bool(one.on_step(step)) for one in heard]), "", step.epoch)  # noqa: C419  # all are called

    def _agreed(self, call: Callable[[], bool], digest: str, epoch: int) -> bool:
        """Return on every rank what a function returns on rank 0."""
        own: dict[str, Any] = {"ends": False, "error": "", "digest": digest}
        failed: BaseException | None = None
        if self.communicator.rank == 0:
            try:
                own["ends"] = call()
            except BaseException as error:  # the others are told of it, and it goes on its way
                failed = error
                own["error"] = shorten(f"{type(error).__name__}: {error}", 500)
        own["interrupted"] = self.interrupts.is_asked()
        told = [json.loads(text) for text in all_gather_texts(self.communicator, json.dumps(own))]
        if failed is not None:
            raise failed
        if told[0]["error"]:
            raise RankError(f"a callback failed on rank 0: {told[0]['error']}")
        unlike = [rank for rank, one in enumerate(told) if one["digest"] != told[0]["digest"]]
        if unlike:
            raise RankError(
                f"after epoch {epoch} the parameters of rank {unlike[0]} are not those of rank 0: all make the same"
                " update of the same gradient, so their processors or libraries round differently, or a layer keeps a state"
                " of its own rows"
            )
        if any(one["interrupted"] for one in told):
            raise KeyboardInterrupt
        return bool(told[0]["ends"])

    def rehearse(self, points: tuple[Point[P, S], ...], history: History, identity: Identity) -> None:
        """Have the callbacks try what they will have to do, where they run."""
        for callback in self.callbacks if self.communicator.rank == 0 else ():
            if isinstance(callback, Rehearsing):
                callback.rehearse(points, history, identity)


class Interrupts:
    """Ctrl-C while ranks train: it is remembered, and told with the next sum, so that all ranks end after the same step.

    Otherwise one rank would wait for ever for the sum that another one has left.  SIGTERM is taken as such, too: it is what the
    launcher of Open MPI sends the ranks on Ctrl-C, and what a queue sends a job whose time is over.
    """

    signals = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self._asked = False
        self._before: dict[int, Callable[[int, FrameType | None], Any] | int | None] = {}

    def is_asked(self) -> bool:
        """Tell whether this process was interrupted."""
        return self._asked

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():  # elsewhere Python takes no signals
            self._before = {one: signal.signal(one, self._remember) for one in self.signals}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        before, self._before = self._before, {}
        for one, handler in before.items():
            signal.signal(one, handler)
        if before and self._asked and kind is None:  # it came after the last sum
            signal.raise_signal(signal.SIGINT)

    def _remember(self, number: int, frame: FrameType | None) -> None:
        self._asked = True
