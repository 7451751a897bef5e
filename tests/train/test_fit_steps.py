"""Callbacks of steps, checkpoints within epochs, and what is recorded of steps."""

import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn.optim.learning_rate import learning_rate
from tests.train.test_fit_resume import run, same


class CopyAfter:
    """Copies a checkpoint as it is after so many steps, and so many epochs."""

    def __init__(self, source: Path, target: Path, epoch: int, step: int) -> None:
        self.source, self.target, self.at = source, target, (epoch, step)

    def __call__(self, epoch: Any) -> None:
        """Do nothing at the end of an epoch."""

    def on_step(self, step: Any) -> None:
        if (step.epoch, step.number) == self.at:
            shutil.copy(self.source, self.target)


RECORDED: dict[str, Any] = {"record": ("learning_rate", "gradient_norm")}


@pytest.mark.parametrize(
    "changes", [{}, {"metrics": None}, RECORDED, {"validation": None}], ids=["metrics", "none", "record", "no"]
)
@pytest.mark.parametrize(("epoch", "step"), [(1, 1), (1, 2), (3, 1), (3, 3), (8, 2)])
def test_a_run_goes_on_within_an_epoch_with_the_same_bits(tmp_path: Path, changes: Any, epoch: int, step: int) -> None:
    path, kept = tmp_path / "run.npz", tmp_path / "kept.npz"
    run(callbacks=[fn.Checkpoint(path, every_steps=1), CopyAfter(path, kept, epoch, step)], **changes)
    assert same(run(resume=kept, **changes), run(**changes))


def test_a_run_goes_on_within_an_epoch_with_its_best_point(tmp_path: Path) -> None:
    rule = fn.EarlyStopping(3)
    whole = run(early_stopping=rule, epochs=60)
    path, kept = tmp_path / "run.npz", tmp_path / "kept.npz"
    looking = CopyAfter(path, kept, len(whole.history) - 1, 2)
    run(early_stopping=rule, epochs=60, callbacks=[fn.Checkpoint(path, every_steps=2), looking])
    assert same(run(early_stopping=rule, epochs=60, resume=kept), whole)


def test_a_run_goes_on_within_an_epoch_of_which_no_step_is_left(tmp_path: Path) -> None:
    path, kept = tmp_path / "run.npz", tmp_path / "kept.npz"
    run(callbacks=[fn.Checkpoint(path, every_steps=1), CopyAfter(path, kept, 2, 3)], **RECORDED)
    steps: list[int] = []
    run(epochs=2, resume=kept, callbacks=[fn.OnStep(lambda step: steps.append(step.number))], **RECORDED)
    assert steps == []


def test_weighted_targets_and_batches_in_which_nothing_counts_go_on(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    weight = random.integers(0, 2, (30, 2)).astype(np.float32)
    weight[:, 0] = 1e-30
    y = fn.Weighted(random.normal(size=(30, 2)).astype(np.float32), weight)
    loss = fn.mean_squared_error()
    changes: dict[str, Any] = {"loss": loss, "y": y, "model": fn.dense(2), "batch_size": 2}
    changes["metrics"] = {"size": lambda p, t: float(np.abs(p - t).mean())}
    path, kept = tmp_path / "run.npz", tmp_path / "kept.npz"
    run(callbacks=[fn.Checkpoint(path, every_steps=1), CopyAfter(path, kept, 2, 5)], **changes)
    assert same(run(resume=kept, **changes), run(**changes))


def test_a_step_shows_what_it_was(tmp_path: Path) -> None:
    seen: list[Any] = []
    rate = fn.schedules.linear(0.1, 0.0, 20)
    done = run(epochs=2, optimizer=fn.sgd(rate), callbacks=[fn.OnStep(seen.append)])
    assert [(one.epoch, one.number) for one in seen] == [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3)]
    assert [one.learning_rate for one in seen] == [rate(count) for count in range(6)]
    assert fn.tree.same(seen[-1].params, done.params)
    for before, after in pairwise(seen):
        leaves = [fn.tree.leaves(tree) for tree in (before.params, after.grads, after.params)]
        for old, grad, new in zip(*leaves, strict=True):
            np.testing.assert_allclose(old - np.float32(after.learning_rate) * grad, new, rtol=1e-5, atol=1e-7)  # float32
    assert seen[0].gradient_norm == pytest.approx(np.sqrt(sum(np.square(leaf).sum() for leaf in fn.tree.leaves(seen[0].grads))))
    assert [len(one.history) for one in seen] == [0, 0, 0, 1, 1, 1]


def test_a_step_can_end_training_within_an_epoch() -> None:
    done = run(callbacks=[fn.OnStep(lambda step: step.epoch == 3 and step.number == 2)])
    assert done.stopped == "callback"
    assert len(done.history) == 2
    assert int(done.opt_state.count) == 8


def test_every_so_often_is_counted_in_each_epoch() -> None:
    seen: list[tuple[int, int]] = []
    run(epochs=2, callbacks=[fn.OnStep(lambda step: seen.append((step.epoch, step.number)), every=2)])
    assert seen == [(1, 2), (2, 2)]


def test_recorded_columns_stand_last_and_say_what_the_steps_were() -> None:
    seen: list[Any] = []
    done = run(epochs=3, callbacks=[fn.OnStep(seen.append)], **RECORDED)
    columns = done.history.columns()
    assert list(columns)[-2:] == ["learning_rate", "gradient_norm"]
    np.testing.assert_array_equal(columns["learning_rate"], [one.learning_rate for one in seen[2::3]])
    norms = np.array([one.gradient_norm for one in seen]).reshape(3, 3)
    np.testing.assert_allclose(columns["gradient_norm"], norms.mean(1), rtol=1e-12)
    assert fn.tree.same(done.params, run(epochs=3).params)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"record": "learning_rate"}, "record is 'learning_rate'"),
        ({"record": ("loss",)}, "a column in record is 'loss'"),
        ({"record": ("gradient_norm",) * 2}, "each column stands in it once"),
        ({"record": ("gradient_norm",), "metrics": {"gradient_norm": lambda p, t: 0.0}}, "give the metric another name"),
        ({"record": ("learning_rate",), "optimizer": fn.rprop()}, "no rule in"),
    ],
)
def test_what_cannot_be_recorded_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        run(**changes)


def test_a_run_with_other_records_is_not_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    run(epochs=2, callbacks=[fn.Checkpoint(path)], **RECORDED)
    with pytest.raises(fn.FileError, match="record"):
        run(resume=path)


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        (fn.adam(0.1), 0.1),
        (fn.chain(fn.clip_by_global_norm(1.0), fn.sgd(0.2)), 0.2),
        (fn.ema(fn.sgd(fn.schedules.linear(1.0, 0.0, 10))), 1.0),
        (fn.rprop(), None),
    ],
    ids=["rule", "chain", "average", "none"],
)
def test_the_rate_is_that_of_the_rule_wherever_it_lies(optimizer: Any, expected: float | None) -> None:
    assert learning_rate(optimizer, optimizer.init(np.zeros(3))) == expected


def test_the_rate_is_asked_at_the_count_of_the_rule_and_scaled_by_a_plateau() -> None:
    halved = fn.reduce_on_plateau(fn.sgd(0.5), factor=0.5, patience=0)
    state = halved.report(1.0, halved.report(1.0, halved.init(np.zeros(3))))
    assert learning_rate(halved, state) == 0.25
    every_second = fn.accumulated(fn.sgd(fn.schedules.linear(1.0, 0.0, 10)), 2)
    state = every_second.init(np.zeros(3))
    for expected in (1.0, 1.0, 0.9):
        assert learning_rate(every_second, state) == expected
        state = every_second.update(np.zeros(3), np.ones(3), state).state


def test_the_last_checkpoints_are_kept_the_newest_first(tmp_path: Path) -> None:
    saving = fn.Checkpoint(tmp_path / "run.npz", keep=3)
    assert saving.existing() is None
    run(epochs=5, callbacks=[saving])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.1.npz", "run.2.npz", "run.npz"]
    assert saving.existing() == tmp_path / "run.npz"
    for path, epochs in zip(saving.paths(), (5, 4, 3), strict=True):
        assert same(run(epochs=epochs, resume=path), run(epochs=epochs))
    (tmp_path / "run.npz").unlink()
    assert saving.existing() == tmp_path / "run.1.npz"
    assert same(run(resume=saving.existing()), run())


def test_a_run_goes_on_if_there_is_one(tmp_path: Path) -> None:
    saving = fn.Checkpoint(tmp_path / "run.npz")
    for epochs in (2, 5, 8):
        done = run(epochs=epochs, callbacks=[saving], resume=saving.existing())
    assert same(done, run())
