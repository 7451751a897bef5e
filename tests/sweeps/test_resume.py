"""A checkpoint belongs to one run: every argument of fit against every other, in all pairs.

A run that goes on as another one is refused, by the name of what differs, or it ends with the bits of that other run.
"""

import inspect
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import funcnn as fn

ROWS = 14
_GENERATOR = np.random.default_rng(3)
X, Y = _GENERATOR.normal(size=(ROWS, 3)), _GENERATOR.normal(size=(ROWS, 1))
VALIDATION = _GENERATOR.normal(size=(6, 3)), _GENERATOR.normal(size=(6, 1))
MODEL = fn.dense(4) >> fn.tanh() >> fn.dense(1)
START = MODEL.init(fn.Key(8), (3,))
ADAM = fn.adam(0.05)
STEPPED = ADAM.update(START.params, START.params, ADAM.init(START.params)).state
AVERAGE = fn.ema(ADAM)


def changed(array: Any, row: int = 3) -> Any:
    other = array.copy()
    other[row] = np.nextafter(other[row], np.inf)
    return other


def exchanged(array: Any) -> Any:
    other = array.copy()
    other[[2, 5]] = other[[5, 2]]
    return other


def scaled_error(scale: float) -> Any:
    """A loss of closures, which differ in what they are bound to alone."""

    def forward(prediction: Any, target: Any) -> Any:
        return fn.LossForward(scale * ((prediction - target) ** 2).mean(), prediction - target)

    def backward(difference: Any) -> Any:
        return 2 * scale * difference / difference.size

    return fn.define_loss("scaled_error", forward, backward)


def doubled(function: Any) -> Any:
    return fn.penalized(function, fn.l2_penalty(0.1))


class Metric:
    """A metric that is an object with a setting."""

    def __init__(self, power: float) -> None:
        self.power = power

    def __call__(self, prediction: Any, target: Any) -> float:
        return float((abs(prediction - target) ** self.power).mean())


RULE = fn.EarlyStopping(2)
RESTORED: dict[str, Any] = {"params": START.params, "state": START.state}

# by argument of fit: other values than the base has.  Where several arguments belong together they are given together
BASE: dict[str, Any] = {
    "model": MODEL,
    "loss": fn.mean_squared_error(),
    "optimizer": ADAM,
    "x": X,
    "y": Y,
    "key": fn.Key(0),
    "epochs": 4,
    "batch_size": 4,
    "validation": VALIDATION,
    "metrics": {"error": Metric(1)},
}
OTHERS: dict[str, list[dict[str, Any]]] = {
    "model": [{"model": fn.dense(4) >> one >> fn.dense(1)} for one in (fn.relu(), fn.leaky_relu(0.1), fn.leaky_relu(0.2))],
    "loss": [
        {"loss": one} for one in (fn.mean_absolute_error(), fn.huber(1.0), fn.huber(2.0), scaled_error(1.0), scaled_error(2.0))
    ],
    "optimizer": [
        {"optimizer": one}
        for one in (
            fn.adam(0.06),
            fn.adam(0.05, beta1=0.8),
            fn.adamw(0.05),
            fn.nadam(0.05),
            fn.adam(fn.schedules.cosine(0.05, 20)),
            fn.adam(fn.schedules.cosine(0.05, 30)),
            fn.ema(fn.adam(0.05), 0.9),
            fn.polyak(fn.adam(0.05)),
            fn.accumulated(fn.adam(0.05), 3),
            fn.accumulated(fn.adam(0.05), 5),
            fn.reduce_on_plateau(fn.adam(0.05), patience=0),
            fn.adam(lambda count: 0.05),
            fn.adam(lambda count: 0.05 + 0 * count),
        )
    ],
    "x": [
        {"x": changed(X)},
        {"x": exchanged(X)},
        {"x": -X},
        {"x": np.asfortranarray(X)},
        {"x": X.astype(np.float32), "validation": None},
    ],
    "y": [
        {"y": one} for one in (changed(Y), exchanged(Y), fn.Weighted(Y, np.ones(ROWS)), fn.Weighted(Y, np.arange(1, ROWS + 1)))
    ],
    "key": [{"key": fn.Key(1)}, {"key": fn.Key(0).child(0)}],
    "epochs": [{"epochs": 1}, {"epochs": 2}, {"epochs": 7}],
    "batch_size": [{"batch_size": 5}, {"batch_size": np.int64(4)}, {"batch_size": ROWS}],
    "validation": [{"validation": one} for one in (None, 0.25, 0.3, (changed(VALIDATION[0]), VALIDATION[1]))],
    "metrics": [
        {"metrics": one}
        for one in (
            None,
            {"error": Metric(2)},
            {"other": Metric(1)},
            {"error": lambda p, t: float(np.max(p - t))},
            {"error": lambda p, t: float(np.min(p - t))},
            {"error": fn.metrics.r2},
        )
    ],
    "params": [RESTORED, {"params": fn.tree.map(lambda leaf: 2 * leaf, START.params), "state": START.state}],
    "state": [{"model": fn.dense(4) >> fn.batch_norm() >> fn.dense(1)}],
    "opt_state": [RESTORED | {"opt_state": STEPPED}],
    "history": [
        RESTORED | {"history": fn.History((fn.Row(1, (("loss", 9.0), ("error", 9.0), ("val_loss", 9.0), ("val_error", 9.0))),))}
    ],
    "wrap": [
        {"wrap": doubled},
        {"wrap": partial(fn.sharpness_aware, rho=0.1)},
        {"wrap": partial(fn.sharpness_aware, rho=0.2)},
    ],
    "evaluate_at": [{"optimizer": AVERAGE}, {"optimizer": AVERAGE, "evaluate_at": AVERAGE.average}],
    "drop_last": [{"drop_last": True}, {"drop_last": np.False_}],
    "early_stopping": [
        {"early_stopping": one}
        for one in (
            RULE,
            fn.EarlyStopping(1),
            fn.EarlyStopping(30),
            fn.EarlyStopping(2, restore_best=False),
            fn.EarlyStopping(2, 0.05),
            fn.EarlyStopping(2, monitor="loss"),
            fn.EarlyStopping(2, monitor="val_error", mode="max"),
        )
    ],
    "callbacks": [{"callbacks": [lambda epoch: None]}, {"callbacks": ()}],
    "progress": [{"progress": False}],
    "record": [{"record": ("learning_rate",)}, {"record": ("gradient_norm", "learning_rate")}],
}
RUNS = [("base", BASE)] + [(name, BASE | one) for name, others in OTHERS.items() for one in others]


def test_every_argument_of_fit_is_swept() -> None:
    assert set(inspect.signature(fn.fit).parameters) - {"resume", "communicator"} <= {*BASE, *OTHERS}


@pytest.fixture(scope="module")
def whole() -> list[Any]:
    """Every run, never interrupted."""
    return [fn.fit(**task) for _, task in RUNS]


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The checkpoint of every run after two epochs (or one, of those that have one)."""
    paths = []
    for index, (_, task) in enumerate(RUNS):
        paths.append(tmp_path_factory.mktemp("runs") / f"{index}.npz")
        epochs = min(task["epochs"], 2)
        fn.fit(**(task | {"epochs": epochs, "callbacks": [*task.get("callbacks", ()), fn.Checkpoint(paths[-1])]}))
    return paths


def differing(first: dict[str, Any], second: dict[str, Any]) -> set[str]:
    return {name for name in {*first, *second} if first.get(name) is not second.get(name)}


@pytest.mark.parametrize("index", range(len(RUNS)), ids=[f"{number}-{name}" for number, (name, _) in enumerate(RUNS)])
def test_a_checkpoint_is_refused_by_name_or_gives_the_bits_of_the_run(
    index: int, whole: list[Any], checkpoints: list[Path]
) -> None:
    """One run resumed from the checkpoints of all."""
    task, expected = RUNS[index][1], whole[index]
    taken = 0
    for (_, other), path in zip(RUNS, checkpoints, strict=True):
        got, refusal = resumed(task, path)
        if got is None:
            names = differing(task, other)
            assert names, f"the checkpoint of the very same run is refused: {refusal}"
            assert any(name in refusal for name in names), f"{refusal} names none of {names}"
            continue
        taken += 1
        assert fn.tree.same((got.params, got.state, got.opt_state), (expected.params, expected.state, expected.opt_state))
        assert got.history == expected.history
        assert got.stopped == expected.stopped
    assert taken or task["epochs"] == 1


def resumed(task: dict[str, Any], path: Path) -> tuple[fn.Fit[Any, Any] | None, str]:
    """Return the run that went on, or None and why it was refused."""
    try:
        return fn.fit(**task, resume=path), ""
    except ValueError as error:
        return None, str(error)
