"""The range test for learning rates."""

from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn.train.find_learning_rate import has_risen, running_mean, steepest

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


@pytest.mark.parametrize("count", [10, 45, 80])
@pytest.mark.parametrize("lowest", [4, 9, 44, 79])
def test_the_suggestion_against_lines_fitted_one_by_one(count: int, lowest: int) -> None:
    lowest = min(lowest, count - 1)
    rates = np.geomspace(1e-5, 1.0, count) * np.exp(0.3 * np.sin(np.arange(count)) / count)
    losses = np.random.default_rng(count).normal(size=count) - np.linspace(0, 3, count)
    beside = 2 if count < 60 else count // 20
    slopes = {}
    for middle in range(beside, count - beside):
        if middle <= lowest:
            near = range(middle - beside, middle + beside + 1)
            slopes[middle] = np.polyfit([np.log(rates[one]) for one in near], [losses[one] for one in near], 1)[0]
    steep = min(slopes, key=lambda middle: slopes[middle])
    expected = rates[steep] if slopes[steep] < 0 else np.nan
    np.testing.assert_equal(steepest(rates, losses, lowest), expected)


def test_the_running_mean_is_the_weighted_mean_of_all_before() -> None:
    losses = np.random.default_rng(0).normal(size=20)
    means = [np.average(losses[: k + 1], weights=0.9 ** np.arange(k, -1, -1)) for k in range(20)]
    np.testing.assert_allclose(running_mean(losses.tolist()), means, rtol=1e-12)


def test_a_loss_has_risen_when_it_is_three_falls_above_the_least() -> None:
    """Long stretches of one loss each, so that the running mean is that loss."""

    def after(*levels: float) -> bool:
        return has_risen([level for level in levels for _ in range(400)])

    assert not after(8.0, 6.0, 11.99)
    assert after(8.0, 6.0, 12.01)  # by three times the fall of 2
    assert not after(8.0, 10.39)  # without a fall, by three tenths of the loss at first
    assert after(8.0, 10.41)
    assert after(-8.0, -5.59)
    assert not has_risen([1.0, *[100.0] * 8])  # too few to tell
    assert has_risen([1.0, *[100.0] * 9])


def test_batches_in_which_nothing_counts_make_no_step_and_are_no_reason_to_end() -> None:
    y = np.full(len(DATA.y), -1)
    y[0] = DATA.y[0]  # in one batch of 29
    curve = find(y=y, loss=fn.softmax_cross_entropy(ignore_index=-1), high=1e-3, steps=20)
    assert (len(curve.rates), curve.ended) == (20, "finished")


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
