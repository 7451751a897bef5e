"""The range test for learning rates."""

from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn.train.find_learning_rate import running_mean, steepest

DATA = fn.data.digits()


def find(**changes: Any) -> fn.LearningRateCurve:
    task: dict[str, Any] = {
        "model": fn.dense(16) >> fn.relu() >> fn.dense(10),
        "loss": fn.softmax_cross_entropy(),
        "optimizer": fn.adam,
        "x": DATA.x,
        "y": DATA.y,
        "key": fn.Key(0),
        "batch_size": 64,
    }
    return fn.find_learning_rate(**(task | changes))


def test_the_rates_are_those_of_the_steps_of_a_training_that_begins_alike() -> None:
    curve = find(low=1e-5, high=0.1, steps=50)
    np.testing.assert_allclose(curve.rates, np.geomspace(1e-5, 0.1, 50), rtol=1e-12)
    assert curve.ended == "finished"
    seen: list[float] = []
    schedule = fn.schedules.exponential(1e-5, 1e4, 49)
    fn.fit(
        fn.dense(16) >> fn.relu() >> fn.dense(10),
        fn.softmax_cross_entropy(),
        fn.adam(schedule),
        DATA.x,
        DATA.y,
        key=fn.Key(0),
        epochs=2,
        batch_size=64,
        callbacks=[fn.OnStep(lambda step: seen.append(step.loss))],
    )
    assert curve.losses.tolist() == seen[:50]


def test_it_ends_where_the_loss_rises_far_and_where_it_is_no_number() -> None:
    rising = find(optimizer=fn.sgd, high=1e4)
    assert rising.ended in ("rising", "diverged")
    assert len(rising.rates) < 100
    exploding = find(loss=fn.mean_squared_error(), y=DATA.x[:, :10] * 1e150, optimizer=fn.sgd)
    assert exploding.ended == "diverged"
    assert np.isfinite(exploding.losses).all()


@pytest.mark.parametrize("optimizer", [fn.sgd, fn.adam], ids=["sgd", "adam"])
def test_a_training_with_the_suggestion_does_better_than_far_below_it(optimizer: Any) -> None:
    curve = find(optimizer=optimizer)
    losses = [
        fn.fit(
            fn.dense(16) >> fn.relu() >> fn.dense(10),
            fn.softmax_cross_entropy(),
            optimizer(curve.suggestion * factor),
            DATA.x,
            DATA.y,
            key=fn.Key(1),
            epochs=2,
            batch_size=64,
        ).history.last["loss"]
        for factor in (0.01, 1.0)
    ]
    assert losses[1] < 0.7 * losses[0]


def test_the_suggestion_is_where_the_loss_falls_fastest() -> None:
    rates = np.geomspace(1e-4, 1.0, 41)
    fall = -np.tanh(2 * np.log(rates / 1e-2))
    assert steepest(rates, fall, 40) == pytest.approx(1e-2, rel=1e-9, abs=0.0)
    assert steepest(rates, fall, 10) == rates[10]
    assert np.isnan(steepest(rates, -fall, 40))


def test_the_running_mean_of_equal_losses_is_that_loss() -> None:
    np.testing.assert_allclose(running_mean([3.0] * 20), 3.0, rtol=1e-14)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 3}, "steps"),
        ({"low": 0.0}, "low"),
        ({"high": 1e-9}, "high"),
        ({"optimizer": fn.adam(0.1)}, "optimizer"),
        ({"batch_size": 0}, "batch_size"),
        ({"y": DATA.y[:5]}, "rows"),
    ],
)
def test_wrong_arguments_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        find(**changes)
