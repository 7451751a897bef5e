"""Every argument of fit, predict and evaluate, given what it is not for: refused before any work, by name, in one short line."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import funcnn as fn

X, Y = np.random.default_rng(0).normal(size=(12, 3)), np.random.default_rng(1).normal(size=(12, 1))
MODEL = fn.dense(2) >> fn.batch_norm() >> fn.dense(1)
START = MODEL.init(fn.Key(0), (3,))


class Table:
    """As of pandas: its text has as many lines as it has rows."""

    def __repr__(self) -> str:
        return "\n".join(["0.123  4.567"] * 60)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.zeros((60, 2), dtype)


class Odd:
    def __float__(self) -> float:
        return 0.3


WRONG: dict[str, Any] = {
    "none": None,
    "zero": 0,
    "minus one": -1,
    "three": 3,
    "one and a half": 1.5,
    "nan": float("nan"),
    "infinity": float("inf"),
    "huge": 10**30,
    "true": True,
    "text": "text",
    "long text": "a\nb" * 60,
    "bytes": b"bytes",
    "list": [[1.0, 2.0]] * 1000,
    "empty tuple": (),
    "tuple": (1, 2),
    "dict": {"a": 1},
    "set": {1},
    "table": Table(),
    "odd": Odd(),
    "object": object(),
    "class": dict,
    "factory": fn.dense,
    "function": print,
    "array": np.zeros((12, 3)),
    "long array": np.zeros((5000, 7)),
    "number array": np.array(3),
    "empty array": np.zeros((0, 3)),
    "texts": np.array(["a"] * 12),
    "objects": np.array([None] * 12),
    "half": np.zeros((12, 3), np.float16),
    "complex": np.zeros((12, 3), complex),
    "dates": np.zeros(12, "datetime64[s]"),
    "structured": np.zeros(12, [("a", float)]),
    "masked": np.ma.zeros((12, 3)),
    "nans": np.full((12, 3), np.nan),
    "key": fn.Key(1),
    "layer": fn.dense(1),
    "loss": fn.mean_squared_error(),
    "optimizer": fn.adam(1e-3),
    "optimizer class": type(fn.adam(1e-3)),
    "history": fn.History(),
    "rule": fn.EarlyStopping(3),
    "weighted": fn.Weighted(np.zeros((12, 1)), np.zeros(12)),
    "init": START,
    "generator": (one for one in (1, 2)),
}

LONGEST = 500
NAMED = {  # what a message may call an argument instead: by something that belongs to it
    "model": ("model", "params", "state"),
    "params": ("params", "state", "parameters"),
    "state": ("state", "params"),
    "opt_state": ("opt_state", "params"),
    "history": ("history", "params"),
    "early_stopping": ("early_stopping",),
    "x": ("x", "input"),
}


class WorkError(Exception):
    """Work was done."""


def no_work(epoch: object) -> None:
    raise WorkError


def fitting(**changes: Any) -> None:
    task: dict[str, Any] = {
        "model": MODEL,
        "loss": fn.mean_squared_error(),
        "optimizer": fn.adam(1e-3),
        "x": X,
        "y": Y,
        "key": fn.Key(0),
        "epochs": 1,
        "batch_size": 4,
        "validation": (X, Y),
        "callbacks": [no_work],
    }
    fn.fit(**(task | changes))


def evaluating(**changes: Any) -> None:
    task: dict[str, Any] = {
        "model": MODEL,
        "params": START.params,
        "state": START.state,
        "x": X,
        "y": Y,
        "loss": fn.mean_squared_error(),
    }
    fn.evaluate(**(task | changes))


def predicting(**changes: Any) -> None:
    task: dict[str, Any] = {"model": MODEL, "params": START.params, "state": START.state, "x": X}
    fn.predict(**(task | changes))


CALLS: dict[str, Callable[..., None]] = {"fit": fitting, "evaluate": evaluating, "predict": predicting}
CASES = [(call, name) for call in CALLS for name in inspect.signature(getattr(fn, call)).parameters]
RAW = (
    "has no attribute",
    "not subscriptable",
    "not callable",
    "has no len",
    "not iterable",
    "ambiguous",
    "unsupported operand",
    "could not be broadcast",
)


def refusal(call: str, changes: dict[str, Any]) -> BaseException | None:
    """Return the error of a call, or None when it was taken."""
    try:
        CALLS[call](**changes)
    except WorkError:
        return None
    except Exception as error:
        return error
    return None


@pytest.mark.parametrize(("call", "name"), CASES, ids=[f"{call}-{name}" for call, name in CASES])
def test_what_is_wrong_is_named_in_one_short_line(call: str, name: str) -> None:
    for what, value in WRONG.items():
        changes = {name: value}
        if name in ("state", "opt_state", "history") and call == "fit":
            changes |= {"params": START.params} | ({} if name == "state" else {"state": START.state})
        if name == "params" and call == "fit":
            changes["state"] = START.state
        error = refusal(call, changes)
        if error is None:
            continue
        text = str(error)
        assert isinstance(error, (TypeError, ValueError, OSError)), f"{what}: {type(error).__name__}: {text[:200]}"
        assert "\n" not in text, f"{what}: {text[:200]}"
        assert len(text) <= LONGEST, f"{what}: {len(text)} characters: {text[:200]}"
        notes = " ".join(getattr(error, "__notes__", ()))
        assert not any(raw in text for raw in RAW) or f"in {name}" in notes, f"{what}: {text}"
        words = f"{text} {notes}"
        assert any(one in words for one in NAMED.get(name, (name,))), f"{what}: {text} does not name {name}"


def test_what_is_taken_is_what_should_be() -> None:
    """The sweep above says nothing of what is taken: that is listed here, so that it is not taken by accident."""
    taken = {
        f"{call} {name}": {what for what, value in WRONG.items() if refusal(call, {name: value}) is None} for call, name in CASES
    }
    assert taken["fit epochs"] == {"three", "number array"}
    assert taken["fit batch_size"] == {"three", "number array"}
    assert taken["fit validation"] == {"none"}
    for name in ("metrics", "params", "state", "opt_state", "history", "wrap", "evaluate_at", "early_stopping", "resume"):
        assert taken[f"fit {name}"] <= {"none"} | ({"rule"} if name == "early_stopping" else set()), name
    for name in ("model", "loss", "optimizer", "x", "y", "key"):
        assert not taken[f"fit {name}"] - {"layer", "loss", "optimizer", "key", "array"}, name
    assert taken["fit record"] == {"empty tuple"}
    assert taken["fit drop_last"] == {"true"}
    assert taken["fit progress"] == {"none", "true"}
