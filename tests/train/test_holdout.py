"""A validation share that keeps the proportions of the classes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import funcnn as fn

Y = np.repeat([0, 1, 2], [40, 12, 8])
X = np.random.default_rng(0).normal(size=(60, 3))


def held_out(validation: Any, y: Any = Y, **changes: Any) -> list[Any]:
    """Return the targets that a metric is shown in validation, which are fewer than those of training."""
    seen: list[Any] = []

    def metric(prediction: Any, target: Any) -> float:
        seen.append(target)
        return 0.0

    task: dict[str, Any] = {"key": fn.Key(3), "epochs": 1, "batch_size": 10, "metrics": {"seen": metric}}
    fn.fit(fn.dense(3), fn.softmax_cross_entropy(), fn.adam(), X, y, validation=validation, **(task | changes))
    return [target for target in seen if len(target) < 30]


def test_every_class_has_its_share() -> None:
    for target in held_out(fn.Holdout(0.25)):
        assert np.bincount(target).tolist() == [10, 3, 2]


def test_a_weighted_target_has_its_labels_inside() -> None:
    (found, *_) = held_out(fn.Holdout(0.25), fn.Weighted(Y, np.linspace(0.1, 1, 60)))
    assert np.bincount(found).tolist() == [10, 3, 2]


def test_the_rows_are_those_of_the_split_of_that_key() -> None:
    parts = fn.data.stratified_split(fn.Key(3).child(1), (X, Y), 0.25, labels=Y)
    np.testing.assert_array_equal(held_out(fn.Holdout(0.25))[0], parts.test[1])
    np.testing.assert_array_equal(held_out(fn.Holdout(0.25, stratified=False))[0], held_out(0.25)[0])


def test_other_labels_may_be_given() -> None:
    names = np.where(np.arange(60) % 3 == 0, "a", "b")
    marked = np.arange(60) % 3 == 0
    one, other = (np.isin(X[:, 0], part) for part in (X[marked, 0], X[~marked, 0]))
    parts = fn.data.stratified_split(fn.Key(3).child(1), (X, Y), 0.2, labels=names)
    found = held_out(fn.Holdout(0.2, names))[0]
    np.testing.assert_array_equal(found, parts.test[1])
    assert np.isin(parts.test[0][:, 0], X[one, 0]).sum() == 4
    assert np.isin(parts.test[0][:, 0], X[other, 0]).sum() == 8


@pytest.mark.parametrize(
    ("validation", "y", "message"),
    [
        (fn.Holdout(0.25), np.zeros((60, 3)) + 1 / 3, "not one label a row"),
        (fn.Holdout(0.25, Y[:7]), Y, "7 labels for 60 rows"),
        (fn.Holdout(0.9), np.r_[Y[:-1], 2, ][:60] * 0 + (np.arange(60) == 5), "leaves none for training"),
    ],
)  # fmt: skip
def test_what_cannot_be_parted_so_is_refused(validation: Any, y: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        held_out(validation, y)


@pytest.mark.parametrize("share", [0.0, 1.0, "half"])
def test_a_share_that_is_none_is_refused(share: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="share"):
        fn.Holdout(share)


def test_a_run_goes_on_with_the_same_holdout_alone(tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    held_out(fn.Holdout(0.25), callbacks=[fn.Checkpoint(path)])
    task: dict[str, Any] = {"key": fn.Key(3), "epochs": 2, "batch_size": 10, "resume": path}
    with pytest.raises(fn.FileError, match="validation"):
        fn.fit(fn.dense(3), fn.softmax_cross_entropy(), fn.adam(), X, Y, validation=fn.Holdout(0.2), **task)
