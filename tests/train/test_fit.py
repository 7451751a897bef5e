"""Training: what fit does, and that it does it bit for bit."""

import io
import platform
import signal
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import funcnn as fn
from funcnn.train.progress import reporter
from funcnn.typing import Array, IntArray


def points(rows: int = 40, seed: int = 0) -> tuple[Array, IntArray]:
    """Two classes that a straight line parts."""
    x = np.random.default_rng(seed).normal(size=(rows, 3))
    return x, (x.sum(1) > 0).astype(int)


def network() -> Any:
    return fn.dense(8) >> fn.tanh() >> fn.dropout(0.2) >> fn.dense(2)


def accuracy(prediction: Array, target: IntArray) -> float:
    return float(np.mean(prediction.argmax(1) == target))


def run(**changes: Any) -> fn.Fit[Any, Any]:
    x, y = points()
    task: dict[str, Any] = {
        "model": network(),
        "loss": fn.softmax_cross_entropy(),
        "optimizer": fn.adam(0.05),
        "x": x,
        "y": y,
        "key": fn.Key(3),
        "epochs": 3,
        "batch_size": 16,
    }
    return fn.fit(**(task | changes))


def test_it_learns() -> None:
    x, y = points()
    result = run(epochs=40, validation=points(seed=1), metrics={"accuracy": accuracy})
    assert result.stopped == "finished"
    assert len(result.history) == 40
    assert result.history.last["val_accuracy"] > 0.9
    assert accuracy(fn.predict(network(), result.params, result.state, x), y) > 0.9


@pytest.mark.parametrize("size", [1, 7, 16, 39, 40])
@pytest.mark.parametrize("drop_last", [False, True])
def test_it_is_the_loop_that_its_docstring_describes(size: int, drop_last: bool) -> None:
    x, y = points()
    model, loss, optimizer, key = network(), fn.softmax_cross_entropy(), fn.adam(0.05), fn.Key(3)
    start = model.init(key.child(0), (3,))
    params, state, opt_state = start.params, start.state, optimizer.init(start.params)
    step = fn.loss_and_grad(model, loss)
    means = []
    for epoch in range(3):
        shuffle, steps = key.child(2).child(epoch).split(2)
        losses = []
        for number, (x_batch, y_batch) in enumerate(fn.data.batches(shuffle, (x, y), size, drop_last=drop_last)):
            result = step(params, state, x_batch, y_batch, fn.Train(steps.child(number)))
            updated = optimizer.update(params, result.grads, opt_state)
            params, state, opt_state = updated.params, result.state, updated.state
            losses += [float(result.loss)] * len(x_batch)
        means.append(np.mean(losses))
    fitted = run(batch_size=size, drop_last=drop_last)
    assert fn.tree.same((params, state, opt_state), (fitted.params, fitted.state, fitted.opt_state))
    assert_allclose(fitted.history.columns()["loss"], means, rtol=1e-14)


def test_the_same_seed_gives_the_same_bits_and_another_does_not() -> None:
    first, second, other = run(validation=0.25), run(validation=0.25), run(validation=0.25, key=fn.Key(4))
    assert fn.tree.same((first.params, first.opt_state), (second.params, second.opt_state))
    assert first.history == second.history
    assert not fn.tree.same(first.params, other.params)


@pytest.mark.parametrize("rows", [1, 2, 3, 5, 8, 20])
@pytest.mark.parametrize("drop_last", [False, True])
def test_an_epoch_has_the_updates_that_are_counted(rows: int, drop_last: bool) -> None:
    """Also what follows from the count: schedules are at their end when training is."""
    x, y = points(rows)
    for size in range(1, rows + 1):
        batches = sum(1 for first in range(0, rows, size) if first + size <= rows or not drop_last)
        rates: list[int] = []

        def schedule(count: int, rates: list[int] = rates) -> float:
            rates.append(count)
            return 0.01

        fitted = run(x=x, y=y, model=fn.dense(2), optimizer=fn.sgd(schedule), batch_size=size, drop_last=drop_last, epochs=2)
        assert int(fitted.opt_state.count) == 2 * batches
        assert rates[-1] == 2 * batches - 1


def test_drop_last_leaves_out_the_small_batch() -> None:
    assert int(run(epochs=1).opt_state.count) == 3
    assert int(run(epochs=1, drop_last=True).opt_state.count) == 2
    assert int(run(epochs=2, batch_size=40, drop_last=True).opt_state.count) == 2


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble])
def test_the_data_decide_the_precision(dtype: type) -> None:
    x, _ = points()
    result = run(model=fn.dense(4) >> fn.batch_norm() >> fn.dense(2), x=x.astype(dtype))
    leaves = fn.tree.leaves((result.params, result.state, result.opt_state.slots))
    assert {leaf.dtype for leaf in leaves if leaf.dtype.kind == "f"} == {np.dtype(dtype)}


def test_integer_inputs_take_the_precision_of_the_targets() -> None:
    def forward(params: Any, state: Any, x: Any, mode: fn.Mode) -> fn.Forward[Any, Any, Any]:
        return fn.Forward(x.astype(np.float32), state, ())

    def init(key: fn.Key, in_shape: Any) -> fn.Init[Any, Any]:
        return fn.Init((), (), in_shape)

    cast_up: Any = fn.define_layer("to_float", init, forward, lambda params, residuals, dy: fn.Backward(params, None))
    x = np.arange(8).reshape(4, 2)
    result = run(model=cast_up >> fn.dense(1), loss=fn.mean_squared_error(), x=x, y=np.ones((4, 1), np.float32), batch_size=2)
    assert {leaf.dtype for leaf in fn.tree.leaves(result.params)} == {np.dtype(np.float32)}


def test_what_was_learned_can_be_trained_further() -> None:
    model = fn.dense(4) >> fn.batch_norm() >> fn.dense(2)
    first = run(model=model, epochs=2)
    more = run(model=model, epochs=1, params=first.params, state=first.state, opt_state=first.opt_state)
    assert int(more.opt_state.count) == 9
    assert more.history.rows[0]["loss"] < first.history.rows[0]["loss"]


def test_nothing_that_was_given_is_changed() -> None:
    x, y = points()
    params = network().init(fn.Key(9), (3,)).params
    params = fn.tree.map(np.array, params)  # writeable
    before = [leaf.tobytes() for leaf in (x, y, *fn.tree.leaves(params))]
    run(x=x, y=y, params=params)
    assert before == [leaf.tobytes() for leaf in (x, y, *fn.tree.leaves(params))]
    assert all(leaf.flags.writeable for leaf in fn.tree.leaves(params))


def test_validation_is_evaluated_in_evaluation_mode_after_each_epoch() -> None:
    x, y = points(seed=1)
    result = run(validation=(x, y), metrics={"accuracy": accuracy})
    score = fn.evaluate(
        network(), result.params, result.state, x, y, fn.softmax_cross_entropy(), metrics={"accuracy": accuracy}, batch_size=16
    )
    assert result.history.last["val_loss"] == score["loss"]
    assert result.history.last["val_accuracy"] == score["accuracy"]
    assert fn.tree.same(result.params, run().params)  # and it has no influence


def test_a_share_is_held_out_by_the_key() -> None:
    x, y = points()
    parts = fn.data.split(fn.Key(3).child(1), (x, y), 0.25)
    assert len(parts.test[0]) == 10
    by_share, by_hand = run(validation=0.25), run(x=parts.train[0], y=parts.train[1], validation=parts.test)
    assert by_share.history == by_hand.history
    assert fn.tree.same(by_share.params, by_hand.params)


def test_training_metrics_see_the_predictions_of_the_steps() -> None:
    seen: list[int] = []

    def rows(prediction: Array, target: IntArray) -> float:
        seen.append(len(prediction))
        assert len(target) == len(prediction)
        return float(len(prediction))

    result = run(metrics={"rows": rows}, epochs=2)
    assert_array_equal(result.history.columns()["rows"], [40, 40])
    model = fn.dense(2)
    exact = run(model=model, batch_size=40, epochs=1, metrics={"accuracy": accuracy})
    start = model.init(fn.Key(3).child(0), (3,))
    x, y = points()
    assert exact.history.last["accuracy"] == accuracy(fn.apply(model, start.params, start.state, x), y)


def test_a_weight_of_zero_removes_a_row() -> None:
    x, y = points()
    weight = np.ones(40)
    weight[::4] = 0
    wild_x, wild_y = x.copy(), y.copy()
    wild_x[::4], wild_y[::4] = np.nan, 99
    result = run(x=wild_x, y=fn.Weighted(wild_y, weight), metrics={"accuracy": accuracy})
    kept = weight > 0
    plain = run(x=x[kept], y=fn.Weighted(y[kept], weight[kept]), metrics={"accuracy": accuracy})
    assert result.history == plain.history
    assert fn.tree.same(result.params, plain.params)
    unweighted = run(x=x[kept], y=y[kept], metrics={"accuracy": accuracy})
    for mine, other in zip(fn.tree.leaves(result.params), fn.tree.leaves(unweighted.params), strict=True):
        assert_allclose(mine, other, rtol=1e-9)


def test_metrics_leave_out_what_is_masked() -> None:
    target = fn.Weighted(np.array([[0, 1], [1, 1]]), np.array([[1.0, 0.0], [1.0, 2.0]]))
    x = np.zeros((2, 2, 3))

    def count(prediction: Array, labels: IntArray) -> float:
        assert prediction.shape == (3, 2)
        return float(labels.sum())

    model = fn.dense(2)
    start = model.init(fn.Key(0), (2, 3))
    score = fn.evaluate(model, start.params, start.state, x, target, fn.softmax_cross_entropy(), metrics={"count": count})
    assert score["count"] == 2.0


def test_evaluation_does_not_depend_on_the_batch_size() -> None:
    x, y = points()
    start = network().init(fn.Key(0), (3,))
    given = network(), start.params, start.state, x, y, fn.softmax_cross_entropy(reduction="sum")
    assert_allclose(fn.evaluate(*given, batch_size=7)["loss"], fn.evaluate(*given, batch_size=40)["loss"], rtol=1e-14)
    assert fn.predict(*given[:4], batch_size=7).shape == (40, 2)
    outputs: Any = fn.predict(fn.branch(fn.dense(2), fn.tanh()), (start.params[0], ()), ((), ()), x, batch_size=7)
    assert [one.shape for one in outputs] == [(40, 8), (40, 3)]


def test_predictions_have_every_row_once_at_any_batch_size() -> None:
    model = fn.identity()
    for rows in (1, 2, 3, 7, 20):
        x = np.arange(2.0 * rows).reshape(rows, 2)
        for size in range(1, rows + 2):
            assert_array_equal(fn.predict(model, (), (), x, batch_size=size), x)
        assert_array_equal(fn.predict(model, (), (), x, batch_size=np.int8(2)), x)  # type: ignore[arg-type]  # counts as an int


def test_several_inputs_are_a_tuple() -> None:
    x, _ = points()

    def forward(params: Any, state: Any, xs: Any, mode: fn.Mode) -> fn.Forward[Any, Any, Any]:
        return fn.Forward(xs[0] + xs[1], state, ())

    def init(key: fn.Key, shapes: Any) -> fn.Init[Any, Any]:
        return fn.Init((), (), shapes[0])

    add: Any = fn.Layer("add", init, forward, lambda params, residuals, dy: fn.Backward(params, (dy, dy)))
    result = run(model=fn.parallel(fn.dense(4), fn.dense(4)) >> add >> fn.dense(2), x=(x, x[:, :2]), validation=0.2, epochs=20)
    assert result.history.last["loss"] < result.history.rows[0]["loss"]


def test_memory_maps_are_data(tmp_path: Any) -> None:
    x, _ = points()
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert fn.tree.same(run(x=mapped).params, run().params)


# ------------------------------------------------------------------------------------------------------------- when it ends


def test_early_stopping_gives_the_best_parameters() -> None:
    saved: list[Any] = []
    result = run(
        epochs=200,
        optimizer=fn.adam(0.3),
        validation=points(20, seed=5),
        early_stopping=fn.EarlyStopping(3),
        callbacks=[lambda epoch: saved.append(epoch.params)],
    )
    assert result.stopped == "early"
    best = result.history.best("val_loss").epoch
    assert len(result.history) == best + 3
    assert fn.tree.same(result.params, saved[best - 1])
    last = run(
        epochs=200,
        optimizer=fn.adam(0.3),
        validation=points(20, seed=5),
        early_stopping=fn.EarlyStopping(3, restore_best=False),
    )
    assert last.history == result.history
    assert fn.tree.same(last.params, saved[-1])


def rows(name: str, values: list[float]) -> fn.History:
    return fn.History(tuple(fn.Row(epoch, ((name, value),)) for epoch, value in enumerate(values, 1)))


def test_early_stopping_is_a_function_of_the_history() -> None:
    rule = fn.EarlyStopping(2, monitor="loss")
    assert not rule.is_over(fn.History())
    assert not rule.is_over(rows("loss", [3.0, 3.0]))
    assert rule.is_over(rows("loss", [3.0, 3.0, 3.0]))
    assert not rule.is_over(rows("loss", [3.0, 3.0, 2.9]))
    assert fn.EarlyStopping(2, 0.5, monitor="loss").is_over(rows("loss", [3.0, 2.8, 2.6]))
    assert not fn.EarlyStopping(2, 0.5, monitor="loss").is_over(rows("loss", [3.0, 2.8, 2.4]))
    rising = fn.EarlyStopping(1, monitor="f", mode="max")
    assert rising.best_epoch(rows("f", [0.1, 0.5, 0.4])) == 2
    assert rising.best_epoch(rows("f", [np.nan, np.nan])) == 0
    assert rising.is_over(rows("f", [np.nan]))


def test_a_callback_sees_every_epoch_and_may_end_training() -> None:
    numbers: list[int] = []
    others: list[int] = []

    def stop_at_two(epoch: fn.Epoch[Any, Any]) -> bool:
        numbers.append(epoch.number)
        assert epoch.history.last.epoch == epoch.number
        return epoch.number == 2

    result = run(callbacks=[stop_at_two, lambda epoch: others.append(epoch.number)], epochs=9)
    assert result.stopped == "callback"
    assert numbers == others == [1, 2]
    assert fn.tree.same(result.params, run(epochs=2).params)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Answer to interrupts as a program in a terminal does: one in the background may have been started without."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_gives_what_was_learned_so_far(interruptible: None) -> None:
    def interrupt(epoch: fn.Epoch[Any, Any]) -> None:
        if epoch.number == 2:
            signal.raise_signal(signal.SIGINT)

    result = run(callbacks=[interrupt], epochs=9)
    assert result.stopped == "interrupted"
    assert len(result.history) == 2
    assert fn.tree.same(result.params, run(epochs=2).params)


def test_an_interrupt_within_a_step_loses_at_most_that_step() -> None:
    calls = 0

    def interrupted(function: Any) -> Any:
        def step(*given: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == 5:  # the second step of the second epoch
                raise KeyboardInterrupt
            return function(*given)

        return step

    result = run(wrap=interrupted)
    assert result.stopped == "interrupted"
    assert len(result.history) == 1
    assert int(result.opt_state.count) == 4


# ----------------------------------------------------------------------------------------------------------- what counts


def still(loss: Any, y: Any, **changes: Any) -> fn.Fit[Any, Any]:
    """Train with steps of 0 and validate on the same rows: both losses are of the same set and the same parameters."""
    x, _ = points()
    result = run(model=fn.dense(2), loss=loss, optimizer=fn.sgd(0.0), y=y, validation=(x, y), **changes)
    assert_allclose(result.history.last["loss"], result.history.last["val_loss"], rtol=1e-12)
    return result


def some_ignored(every: int = 3) -> IntArray:
    labels = points()[1].copy()
    labels[::every] = -1
    return labels


@pytest.mark.parametrize("size", [7, 16, 39, 40])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_loss_of_an_epoch_is_that_of_the_set(size: int, reduction: Any) -> None:
    weight = np.random.default_rng(3).uniform(0, 3, 40)
    entropy = partial(fn.softmax_cross_entropy, reduction=reduction)
    still(entropy(), points()[1], batch_size=size)
    still(entropy(class_weight=(1, 50)), points()[1], batch_size=size)
    still(entropy(ignore_index=-1), some_ignored(), batch_size=size)
    still(entropy(ignore_index=-1, class_weight=(1, 50)), fn.Weighted(some_ignored(), weight), batch_size=size)
    still(entropy(), fn.Weighted(points()[1], weight), batch_size=size)


def test_a_loss_of_ones_own_says_how_its_batches_count() -> None:
    def forward(prediction: Array, target: IntArray) -> Any:
        return fn.LossForward((prediction[:, 0] * target).sum() / target.sum(), (prediction, target))

    def backward(kept: Any) -> Array:
        _, target = kept
        return np.stack([target / target.sum(), np.zeros(len(target))], 1)

    still(fn.define_loss("own", forward, backward, mass=lambda target: float(target.sum())), points()[1])


@pytest.mark.parametrize("size", [7, 16])
def test_the_loss_of_an_epoch_is_without_penalties(size: int) -> None:
    still(fn.softmax_cross_entropy(), points()[1], wrap=lambda step: fn.penalized(step, fn.l2_penalty(0.5)), batch_size=size)


@pytest.mark.parametrize("what", ["ignored", "class", "weight"])
def test_a_batch_in_which_nothing_counts_changes_nothing(what: str) -> None:
    """Neither does its momentum, nor the running statistics: as if it were not there."""
    x, labels = points()
    model, optimizer = fn.dense(4) >> fn.batch_norm() >> fn.dense(2), fn.momentum(0.1)
    counted = np.arange(40) % 5 == 0
    target: Any = np.where(counted, labels, -1)
    loss = fn.softmax_cross_entropy(ignore_index=-1)
    if what == "class":
        target, loss = np.where(counted, 1, 0), fn.softmax_cross_entropy(class_weight=(0, 1))
    if what == "weight":
        target = fn.Weighted(np.stack([labels, labels], 1), np.stack([counted, counted & (labels > 5)], 1))
        x = np.stack([x, x], 1)
    seen: list[int] = []

    def counting(prediction: Array, target: Any) -> float:
        seen.append(len(prediction))
        return 0.0

    result = run(model=model, optimizer=optimizer, loss=loss, x=x, y=target, batch_size=2, metrics={"rows": counting})
    left = 0
    params, state, opt_state = None, None, None
    key = fn.Key(3)
    x_kept, target_kept = (x[counted], fn.tree.map(lambda leaf: leaf[counted], target)) if what == "weight" else (x, target)
    start = model.init(key.child(0), x.shape[1:])
    params, state, opt_state = start.params, start.state, optimizer.init(start.params)
    step = fn.loss_and_grad(model, loss)
    for epoch in range(3):
        for x_batch, y_batch in fn.data.batches(key.child(2).child(epoch).child(0), (x_kept, target_kept), 2):
            inner = y_batch.weight if isinstance(y_batch, fn.Weighted) else y_batch > (-1 if what == "ignored" else 0)
            if not np.any(inner):
                continue
            made = step(params, state, x_batch, y_batch, fn.Train(key))
            updated = optimizer.update(params, made.grads, opt_state)
            params, state, opt_state, left = updated.params, made.state, updated.state, left + 1
    assert fn.tree.same((params, state, opt_state), (result.params, result.state, result.opt_state))
    assert int(result.opt_state.count) == left
    assert result.stopped == "finished"


def test_an_epoch_of_which_nothing_counted_is_not_divergence() -> None:
    """The only row that counts may be in the small batch that is left out."""
    labels = np.full(5, -1)
    labels[2] = 1
    x, _ = points(5)
    loss = fn.softmax_cross_entropy(ignore_index=-1)
    with pytest.warns(RuntimeWarning, match="metric 'own' is NaN"):
        result = run(x=x, y=labels, loss=loss, batch_size=4, drop_last=True, epochs=12, metrics={"own": lambda p, t: 0.0})
    figures = result.history.columns()["loss"]
    assert 0 < np.isnan(figures).sum() < 12
    assert int(result.opt_state.count) == np.isfinite(figures).sum()


# ------------------------------------------------------------------------------------------------------------------- going on


def test_a_run_that_goes_on_has_the_bits_of_one_run() -> None:
    whole = run(epochs=5, validation=0.25)
    for epochs in (1, 2, 4):
        first = run(epochs=epochs, validation=0.25)
        given = {"params": first.params, "state": first.state, "opt_state": first.opt_state, "history": first.history}
        second = run(epochs=5, validation=0.25, **given)
        assert second.history == whole.history
        assert fn.tree.same((second.params, second.opt_state), (whole.params, whole.opt_state))


def test_going_on_with_a_share_and_no_history_is_a_warning() -> None:
    first = run(validation=0.25)
    with pytest.warns(UserWarning, match="may have been trained on them"):
        run(validation=0.25, key=fn.Key(4), params=first.params)
    run(validation=points(seed=1), key=fn.Key(4), params=first.params)  # no share: nothing to say


def test_the_history_of_another_run_is_refused() -> None:
    first = run()
    with pytest.raises(
        ValueError, match=r"history has the columns \['loss'\] in epoch 1, and this run has \['loss', 'val_loss'\]"
    ):
        run(params=first.params, history=first.history, validation=0.25)
    with pytest.raises(ValueError, match="epochs is 2, and history has 3 already"):
        run(params=first.params, history=first.history, epochs=2)


def test_early_stopping_goes_on_from_what_is_given() -> None:
    """The parameters that are given count as the best so far, with the last figures."""
    first = run(epochs=2)
    given = {"params": first.params, "state": first.state, "opt_state": first.opt_state, "history": first.history}
    rule = fn.EarlyStopping(3, 100.0, monitor="loss")  # no improvement is large enough
    result = run(epochs=20, early_stopping=rule, **given)
    assert result.stopped == "early"
    assert len(result.history) == 5
    assert fn.tree.same((result.params, result.opt_state), (first.params, first.opt_state))


# ------------------------------------------------------------------------------------------------------------------- options


def test_the_gradient_can_be_wrapped() -> None:
    def wrap(function: Any) -> Any:
        return fn.sharpness_aware(function, rho=0.1)

    assert not fn.tree.same(run(wrap=wrap).params, run().params)


def test_averages_can_be_evaluated() -> None:
    optimizer = fn.ema(fn.adam(0.05), 0.9)
    validation = points(seed=1)
    result = run(optimizer=optimizer, validation=validation, evaluate_at=optimizer.average)
    average = optimizer.average(result.params, result.opt_state)
    score = fn.evaluate(network(), average, result.state, *validation, fn.softmax_cross_entropy(), batch_size=16)
    assert result.history.last["val_loss"] == score["loss"]
    assert fn.tree.same(result.params, run().params)


def test_reduction_on_a_plateau_is_told_the_figures() -> None:
    optimizer = fn.reduce_on_plateau(fn.sgd(0.0), patience=0, factor=0.5)
    result = run(model=fn.dense(2), optimizer=optimizer, epochs=3)  # steps of 0: the loss cannot fall
    assert optimizer.scale(result.opt_state) <= 0.5
    rising = fn.reduce_on_plateau(fn.sgd(0.0), patience=0, factor=0.5, mode="max")
    result = run(model=fn.dense(2), optimizer=rising, epochs=3, metrics={"accuracy": accuracy}, validation=0.25)
    assert rising.scale(result.opt_state) == 0.25
    with pytest.raises(ValueError, match="give metrics="):
        run(optimizer=rising)


# ------------------------------------------------------------------------------------------------------- history and progress


def test_the_history_is_a_table(tmp_path: Any) -> None:
    result = run(validation=0.25, metrics={"accuracy": accuracy})
    columns = result.history.columns()
    assert list(columns) == ["epoch", "loss", "accuracy", "val_loss", "val_accuracy"]
    assert_array_equal(columns["epoch"], [1, 2, 3])
    text = result.history.to_csv(tmp_path / "history.csv")
    assert (tmp_path / "history.csv").read_text() == text
    table = np.genfromtxt(io.StringIO(text), delimiter=",", names=True)
    for name, column in columns.items():
        assert_array_equal(table[name], column)
    assert result.history.last == result.history.rows[-1]
    assert result.history.last.seconds > 0
    assert result.history.best().epoch == 1 + int(np.argmin(columns["val_loss"]))
    assert result.history.best("val_accuracy", "max").epoch == 1 + int(np.argmax(columns["val_accuracy"]))


def test_the_history_says_what_it_does_not_have() -> None:
    history = rows("loss", [1.0])
    with pytest.raises(KeyError, match="no column 'accuracy'"):
        history.last["accuracy"]
    with pytest.raises(ValueError, match="minimum or its maximum"):
        history.best("accuracy")
    with pytest.raises(ValueError, match="expected 'min' or 'max'"):
        history.best("loss", "most")  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(ValueError, match="no epoch was completed"):
        _ = fn.History().last
    with pytest.raises(ValueError, match="no row has a number"):
        rows("loss", [np.nan]).best("loss")
    assert fn.History().columns() == {}
    assert fn.History().to_csv() == ""


def test_a_metric_that_becomes_nan_is_a_warning() -> None:
    calls = 0

    def fading(prediction: Array, target: IntArray) -> float:
        nonlocal calls
        calls += 1
        return 1.0 if calls < 3 else np.nan  # the rehearsal, the first epoch, the second

    with pytest.warns(RuntimeWarning, match="metric 'fading' is NaN in epoch 2"):
        result = run(metrics={"fading": fading}, epochs=2)
    assert np.isnan(result.history.last["fading"])


def test_progress_is_silent_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    run(metrics={"accuracy": accuracy})
    assert capsys.readouterr() == ("", "")


def test_progress_is_a_bar_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    quiet, shown = run(), run(progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "epoch 3/3" in err
    assert "9/9" in err
    assert "loss" in err
    assert fn.tree.same(quiet.params, shown.params)


def test_progress_is_lines_without_tqdm(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tqdm", None)
    run(progress=True)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("epoch 1/3: loss ")


def test_progress_on_a_terminal_needs_tqdm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with reporter(None, 1, 1, 0) as silent:
        assert type(silent).__name__ == "Silent"


def test_the_allocator_is_told_where_it_listens() -> None:
    assert fn.keep_memory() == (platform.libc_ver()[0] == "glibc")
