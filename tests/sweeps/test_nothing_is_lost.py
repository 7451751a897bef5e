"""Whatever ends training, and wherever: what was learned so far comes with it.

An error is raised in every line of the loop, in everything that is the user's own, and in every step; and an interrupt likewise.
"""

import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import attrs
import numpy as np
import pytest

import funcnn as fn
from funcnn.train import loop

_GENERATOR = np.random.default_rng(0)
X, Y = _GENERATOR.normal(size=(8, 3)), _GENERATOR.normal(size=(8, 1))


@attrs.frozen
class OwnError(Exception):
    """An error of the user's own, of which nothing can be set."""

    reason: str


def run(**changes: Any) -> fn.Fit[Any, Any]:
    task: dict[str, Any] = {
        "model": fn.dense(2) >> fn.batch_norm() >> fn.dense(1),
        "loss": fn.mean_squared_error(),
        "optimizer": fn.adam(0.1),
        "x": X,
        "y": Y,
        "key": fn.Key(0),
        "epochs": 3,
        "batch_size": 4,
        "validation": (X, Y),
    }
    return fn.fit(**(task | changes))


def points(**changes: Any) -> list[Any]:
    """Return (params, state, opt_state) after every step of the run that nothing ends."""
    seen: list[Any] = []

    def recorded(function: Any) -> Any:
        def step(params: Any, state: Any, *rest: Any) -> Any:
            seen.append((params, state))
            return function(params, state, *rest)

        return step

    last = run(wrap=recorded, **changes)
    return [*seen, (last.params, last.state)]


POINTS = points()


def check(fit: Any, steps: int | None = None) -> int:
    """Check that a result is one of the run's points, with a history that fits; return its number of steps."""
    done = int(fit.opt_state.count)
    assert fn.tree.same((fit.params, fit.state), POINTS[done])
    assert done // 2 - 1 <= len(fit.history) <= (done + 1) // 2
    if steps is not None:
        assert done == steps
    return done


# ------------------------------------------------------------------------------------------------------- the user's own functions


def at(call: int, error: BaseException, value: Any = None) -> Callable[..., Any]:
    """Return a function that raises an error when it is called for that time, counted from 1."""
    calls = 0

    def function(*_: Any, **__: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call:
            raise error
        return value

    return function


def broken_step(call: int, error: BaseException) -> dict[str, Any]:
    """Raise in a step: as a layer, a loss, a batch of data or the memory would."""
    raising = at(call, error)

    def wrapped(function: Any) -> Any:
        def step(*given: Any) -> Any:
            raising()
            return function(*given)

        return step

    return {"wrap": wrapped}


class Broken:
    """An optimizer whose update raises."""

    def __init__(self, call: int, error: BaseException) -> None:
        self.optimizer, self.raising = fn.adam(0.1), at(call, error)

    def init(self, params: Any) -> Any:
        return self.optimizer.init(params)

    def update(self, params: Any, grads: Any, state: Any) -> Any:
        self.raising()
        return self.optimizer.update(params, grads, state)


PLACES: dict[str, tuple[Callable[[BaseException], dict[str, Any]], int]] = {
    "a metric in training": (lambda error: {"metrics": {"own": at(5, error, 0.0)}}, 4),  # two of the rehearsal, two of an epoch
    "a metric in validation": (lambda error: {"metrics": {"own": at(6, error, 0.0)}}, 4),
    "a callback": (lambda error: {"callbacks": [at(2, error)]}, 4),
    "a callback of steps": (lambda error: {"callbacks": [fn.OnStep(at(3, error))]}, 3),
    "evaluate_at": (lambda error: {"evaluate_at": lambda params, state: at(int(state.count) // 4, error, params)()}, 4),
    "the first step": (lambda error: broken_step(1, error), 0),
    "a later step": (lambda error: broken_step(4, error), 3),
    "the optimizer": (lambda error: {"optimizer": Broken(4, error)}, 3),
}
ERRORS: list[BaseException] = [
    ValueError("no"), ZeroDivisionError("no"), MemoryError(), OSError(28, "No space left on device"), OwnError("no"),
    StopIteration(), SystemExit(3), RecursionError(), AssertionError(), KeyError("a"), GeneratorExit(), Warning("no"),
]  # fmt: skip


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("place", PLACES)
def test_an_error_carries_what_was_learned(place: str, error: BaseException) -> None:
    changes, steps = PLACES[place]
    raised = type(error)(*error.args)
    with pytest.raises(type(error)) as caught:
        run(**changes(raised))
    assert caught.value is raised  # it keeps its type and is itself
    fit = caught.value.fit  # type: ignore[attr-defined]  # what fit adds
    assert fit.stopped == "error"
    check(fit, steps)
    assert bool(steps) == any("what was learned is not lost" in note for note in getattr(raised, "__notes__", ()))


@pytest.mark.parametrize("place", PLACES)
def test_an_interrupt_gives_what_was_learned(place: str) -> None:
    changes, steps = PLACES[place]
    fit = run(**changes(KeyboardInterrupt()))
    assert fit.stopped == "interrupted"
    check(fit, steps)


def test_a_disk_that_fills_up_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("funcnn.train.checkpoint.save", at(2, OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space left") as caught:
        run(callbacks=[fn.Checkpoint(tmp_path / "run.npz")])
    check(caught.value.fit, 4)  # type: ignore[attr-defined]  # what fit adds


def test_a_disk_that_fills_up_within_an_epoch_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("funcnn.train.checkpoint.save", at(4, OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space left") as caught:
        run(callbacks=[fn.Checkpoint(tmp_path / "run.npz", every_steps=1)])  # after two steps, their epoch, and the third step
    check(caught.value.fit, 3)  # type: ignore[attr-defined]  # what fit adds


def test_data_that_cannot_be_read_lose_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    raising, take = at(3, OSError("read error")), fn.data.batching.take  # type: ignore[attr-defined]  # a module

    def failing(*given: Any) -> Any:
        raising()
        return take(*given)

    monkeypatch.setattr("funcnn.data.batching.take", failing)
    with pytest.raises(OSError, match="read error") as caught:
        run()
    check(caught.value.fit, 4)  # type: ignore[attr-defined]  # what fit adds


def test_the_best_parameters_are_carried_where_early_stopping_keeps_them() -> None:
    kept: list[Any] = []

    def callback(epoch: fn.Epoch[Any, Any]) -> None:
        kept.append(epoch.best)
        if epoch.number == 3:
            raise ValueError("no")

    with pytest.raises(ValueError, match="no") as caught:
        run(epochs=9, callbacks=[callback], early_stopping=fn.EarlyStopping(5))
    fit: Any = caught.value.fit  # type: ignore[attr-defined]  # what fit adds
    assert fn.tree.same((fit.params, fit.state), (kept[-1].params, kept[-1].state))
    assert len(fit.history) == 3


def test_what_is_carried_goes_to_other_processes() -> None:
    with pytest.raises(ValueError, match="no") as caught:
        run(callbacks=[at(2, ValueError("no"))])
    again = pickle.loads(pickle.dumps(caught.value))
    assert again.args == ("no",)
    check(again.fit, 4)


def test_parameters_that_are_broken_are_not_carried() -> None:
    """The last update makes NaN of the parameters, and before the next loss could show it the epoch's metric raises."""

    class Wild(Broken):
        def update(self, params: Any, grads: Any, state: Any) -> Any:
            made = self.optimizer.update(params, grads, state)
            if int(made.state.count) < 4:
                return made
            return type(made)(fn.tree.map(lambda leaf: leaf * np.nan, made.params), made.state)

    with pytest.raises(ValueError, match="no") as caught:
        run(optimizer=Wild(0, ValueError()), metrics={"own": at(5, ValueError("no"), 0.0)})
    check(caught.value.fit, 3)  # type: ignore[attr-defined]  # what fit adds


# --------------------------------------------------------------------------------------------------------- every line of the loop


def raise_at_line(number: int, error: BaseException) -> tuple[Any, bool]:
    """Train, and raise an error before the line event of that number in the file of the loop; tell whether it came to that."""
    events = 0
    fired = False

    def local(frame: FrameType, event: str, _: object) -> Any:
        nonlocal events, fired
        if event == "line":
            events += 1
            if events == number:
                fired = True
                sys.settrace(None)
                raise error
        return local

    def trace(frame: FrameType, event: str, _: object) -> Any:
        return local if frame.f_code.co_filename == loop.__file__ else None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        return run(), fired
    except BaseException as raised:
        if raised is not error:
            raise
        return raised, fired
    finally:
        sys.settrace(before)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, ValueError])
def test_nothing_is_lost_in_any_line_of_the_loop(kind: type[BaseException]) -> None:
    most, number = 0, 0
    seen: set[int] = set()
    while True:
        number += 1
        got, fired = raise_at_line(number, kind("here"))
        if not fired:
            break
        fit = got if isinstance(got, fn.Fit) else getattr(got, "fit", None)
        if fit is None:  # before the first step there is nothing to lose, and after the last the result is on its way
            assert not seen or most == 6
            continue
        done = check(fit)
        assert done >= most, f"line event {number} loses a step that was done"
        most = max(most, done)
        seen.add(done)
    assert seen == set(range(7))
    assert number > 100
