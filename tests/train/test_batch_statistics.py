"""Running statistics measured anew for given parameters."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

import funcnn as fn
from funcnn.layers.normalization.batch_norm import RunningStatistics
from funcnn.train.batch_statistics import has_batch_statistics
from funcnn.typing import Array
from tests.sweeps.factories import CALLS

KEY = fn.Key(5)
X = np.random.default_rng(0).normal(size=(50, 3)) * [1.0, 5.0, 0.1] + [0.0, 3.0, -7.0]
NORM = fn.batch_norm(momentum=0.3)


def statistics(state: Any) -> list[RunningStatistics]:
    if isinstance(state, RunningStatistics):
        return [state]
    if isinstance(state, np.ndarray):
        return []
    return [one for _, child in fn.tree.children(state) for one in statistics(child)]


def measured(model: Any, size: int = 16, start: Any = None) -> Any:
    start = model.init(fn.Key(0), (3,)) if start is None else start
    return fn.update_batch_statistics(model, start.params, start.state, X, key=KEY, batch_size=size)


def of_batches(x: Array, size: int) -> tuple[Array, Array]:
    """Return mean and variance by a slow loop over the batches."""
    order = KEY.child(0).generator().permutation(len(x))
    batches = [x[order[first : first + size]] for first in range(0, len(x) - size + 1, size)]
    return np.mean([b.mean(0) for b in batches], axis=0), np.mean([b.var(0, ddof=1) for b in batches], axis=0)


@pytest.mark.parametrize("size", [2, 16, 25, 50, 999])
def test_every_batch_counts_the_same(size: int) -> None:
    (found,) = statistics(measured(fn.serial(NORM, fn.dense(2)), size))
    mean, var = of_batches(X, min(size, 50))
    assert_allclose(found.mean, mean, rtol=1e-12)
    assert_allclose(found.var, var, rtol=1e-12)
    assert int(found.count) == 50 // min(size, 50)


HOLDERS: dict[str, Callable[[Any], Any]] = {
    "serial": lambda norm: fn.serial(norm),
    "chain": lambda norm: fn.identity() >> norm,
    "residual": lambda norm: fn.residual(norm),
    "recompute": lambda norm: fn.recompute(norm),
    "branch": lambda norm: fn.branch(norm, norm),
    "add": lambda norm: fn.add(norm, norm),
    "concatenate": lambda norm: fn.concatenate(norm, norm),
    "nested": lambda norm: fn.residual(fn.recompute(fn.serial(norm, fn.identity())) >> fn.identity()),
    "shard": lambda norm: fn.shard(norm, workers=2),
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_norms_are_found_wherever_they_are(holder: str) -> None:
    mean, var = of_batches(X, 16)
    found = statistics(measured(HOLDERS[holder](NORM)))
    assert found
    for one in found:
        assert_allclose(one.mean, mean, rtol=1e-12)
        assert_allclose(one.var, var, rtol=1e-12)


AVERAGED = [
    name for name, call in CALLS.items() if has_batch_statistics(call.make(getattr(fn, name)).init(KEY, call.shape).state)
]


def test_the_norms_with_running_statistics_are_known() -> None:
    assert {"batch_norm", "batch_norm_without_affine", "instance_norm_with_statistics"} <= set(AVERAGED)


@pytest.mark.parametrize("name", AVERAGED)
def test_every_layer_with_running_statistics_counts_batches_alike(name: str) -> None:
    """The statistics of four batches are the mean of those of each batch alone: whatever the momentum, and none forgotten."""
    call = CALLS[name]
    layer = call.make(getattr(fn, name))
    start = layer.init(KEY, call.shape)
    x: Any = [fn.tree.map(partial(np.multiply, by), call.x(np.float64)) for by in (1.0, 2.0, -3.0, 0.5)]
    whole = fn.tree.map(lambda *leaves: np.concatenate(leaves), *x)
    shuffled = next(iter(fn.data.batches(KEY.child(0), whole, 8)))
    pairs = [fn.data.take(shuffled, np.arange(at, at + 2)) for at in range(0, 8, 2)]
    found = statistics(fn.update_batch_statistics(layer, start.params, start.state, whole, key=KEY, batch_size=2))
    alone = [
        statistics(fn.update_batch_statistics(layer, start.params, start.state, pair, key=KEY, batch_size=2)) for pair in pairs
    ]
    for place, one in enumerate(found):
        assert int(one.count) == 4
        assert_allclose(one.mean, np.mean([each[place].mean for each in alone], axis=0), rtol=1e-12)
        assert_allclose(one.var, np.mean([each[place].var for each in alone], axis=0), rtol=1e-12)


def test_the_second_norm_sees_what_the_first_one_makes_in_training() -> None:
    model = NORM >> fn.tanh() >> NORM
    order = KEY.child(0).generator().permutation(50)
    inner = []
    for first in range(0, 33, 16):
        batch = X[order[first : first + 16]]
        inner.append(np.tanh((batch - batch.mean(0)) / np.sqrt(batch.var(0) + 1e-5)))
    assert_allclose(statistics(measured(model))[1].mean, np.mean([one.mean(0) for one in inner], axis=0), rtol=1e-9, atol=1e-15)


def test_what_is_no_batch_statistic_stays() -> None:
    model = NORM >> fn.spectral_norm(fn.dense(4))
    start = model.init(fn.Key(0), (3,))
    state = measured(model, start=start)
    assert fn.tree.same(state[1], start.state[1])
    assert not fn.tree.same(state[0], start.state[0])
    assert not any(leaf.flags.writeable for leaf in fn.tree.leaves(state))
    assert int(start.state[0].count) == 0  # and what was given is as it was


def test_single_rows_measure_nothing() -> None:
    start = NORM.init(fn.Key(0), (3,))
    trained = NORM.forward(start.params, start.state, X, fn.Train(KEY)).state
    assert fn.tree.same(fn.update_batch_statistics(NORM, start.params, trained, X, key=KEY, batch_size=1), trained)


def test_float32_stays() -> None:
    model = NORM >> fn.dense(2)
    start = model.init(fn.Key(0), (3,))
    params, state = fn.tree.astype((start.params, start.state), np.float32)
    made = fn.update_batch_statistics(model, params, state, X.astype(np.float32), key=KEY)
    assert {leaf.dtype for leaf in fn.tree.leaves(made) if leaf.dtype.kind == "f"} == {np.dtype(np.float32)}


def test_wrong_arguments_are_named() -> None:
    untyped: Any = fn.update_batch_statistics
    start = NORM.init(fn.Key(0), (3,))
    for kind, message, given, named in (
        (TypeError, "model is", (fn.batch_norm, start.params, start.state, X), {"key": KEY}),
        (TypeError, "key is 0", (NORM, start.params, start.state, X), {"key": 0}),
        (ValueError, "x is empty", (NORM, start.params, start.state, X[:0]), {"key": KEY}),
        (ValueError, "batch_size is 0", (NORM, start.params, start.state, X), {"key": KEY, "batch_size": 0}),
    ):
        with pytest.raises(kind, match=message):
            untyped(*given, **named)


def test_fit_measures_them_for_the_parameters_that_it_evaluates() -> None:
    model = fn.dense(8) >> NORM >> fn.relu() >> fn.dense(2)
    y = (X[:, 0] > 0).astype(int)
    optimizer = fn.polyak(fn.momentum(0.1), start=2)
    loss, key, validation = fn.softmax_cross_entropy(), fn.Key(3), (X[:20], y[:20])
    result = fn.fit(
        model, loss, optimizer, X, y, key=key, epochs=4, batch_size=10, validation=validation, evaluate_at=optimizer.average
    )
    average = optimizer.average(result.params, result.opt_state)
    assert has_batch_statistics(result.state)
    state = fn.update_batch_statistics(model, average, result.state, X, key=key.child(2).child(3).child(2), batch_size=10)
    score = fn.evaluate(model, average, state, *validation, loss, batch_size=10)
    assert result.history.last["val_loss"] == score["loss"]
    assert not fn.tree.same(state, result.state)


def test_averages_of_normed_networks_are_as_good_as_they_are() -> None:
    """With statistics of the others the average is far worse, which nothing would show."""
    data = fn.data.digits()
    x, y, test = data.x[:900], data.y[:900], (data.x[900:], data.y[900:])
    model = fn.dense(32) >> fn.batch_norm() >> fn.relu() >> fn.dense(32) >> fn.batch_norm() >> fn.relu() >> fn.dense(10)
    optimizer, loss = fn.polyak(fn.momentum(0.1), start=15), fn.softmax_cross_entropy()
    shared: dict[str, Any] = {"key": fn.Key(1), "epochs": 6, "batch_size": 32, "validation": test}
    fitted: Any = fn.fit(model, loss, optimizer, x, y, evaluate_at=optimizer.average, **shared)
    average = optimizer.average(fitted.params, fitted.opt_state)
    others = fn.evaluate(model, average, fitted.state, *test, loss)["loss"]
    assert fitted.history.last["val_loss"] < 0.7 * others
