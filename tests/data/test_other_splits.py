"""Splits by group, by time and repeated, and balanced weights: pure, keyed, and each row where it belongs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import funcnn as fn

KEY = fn.Key(0)
untyped: Any = fn.data


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("share", [0.1, 0.25, 0.6])
def test_groups_are_never_parted(seed: int, share: float) -> None:
    groups = fn.Key(seed).generator().integers(0, 60, 400)
    parts = fn.data.group_split(fn.Key(seed), np.arange(400), groups, share)
    assert sorted([*parts.train.tolist(), *parts.test.tolist()]) == list(range(400))
    assert not set(groups[parts.train]) & set(groups[parts.test])
    assert abs(len(parts.test) - 400 * share) <= np.bincount(groups).max()
    again = fn.data.group_split(fn.Key(seed), np.arange(400), groups, share)
    np.testing.assert_array_equal(again.test, parts.test)
    assert not np.array_equal(fn.data.group_split(fn.Key(seed + 9), np.arange(400), groups, share).test, parts.test)


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.9])
def test_groups_of_one_row_give_the_share_exactly(share: float) -> None:
    parts = fn.data.group_split(KEY, np.arange(40), np.arange(40), share)
    assert len(parts.test) == round(40 * share)
    assert not np.array_equal(parts.train, np.sort(parts.train))


@pytest.mark.parametrize(("sizes", "share"), [((50, 50), 0.1), ((99, 1), 0.9), ((1, 99), 0.05), ((40, 40, 20), 0.01)])
def test_both_sides_of_large_groups_have_some(sizes: tuple[int, ...], share: float) -> None:
    groups = np.repeat(np.arange(len(sizes)), sizes)
    parts = fn.data.group_split(KEY, np.arange(100), groups, share)
    assert len(parts.train)
    assert len(parts.test)


@pytest.mark.parametrize("folds", [2, 5, 20])
def test_each_group_is_tested_once(folds: int) -> None:
    groups = np.array([f"person {one}" for one in KEY.generator().integers(0, 40, 300)])
    splits = list(fn.data.group_k_fold(KEY, np.arange(300), groups, folds))
    assert len(splits) == folds
    assert sorted(np.concatenate([one.test for one in splits]).tolist()) == list(range(300))
    for one in splits:
        assert not set(groups[one.train]) & set(groups[one.test])
        assert len(one.train) + len(one.test) == 300
    sizes = [len(one.test) for one in splits]
    assert max(sizes) - min(sizes) <= np.unique(groups, return_counts=True)[1].max()


@pytest.mark.parametrize("kind", [np.int64, np.float32, "datetime64[D]"])
@pytest.mark.parametrize("gap", [0, 7])
def test_what_is_tested_comes_later(kind: Any, gap: int) -> None:
    times = KEY.generator().integers(0, 50, 200).astype(kind)
    parts = fn.data.time_split(np.arange(200), times, 0.3, gap=gap)
    assert times[parts.train].max() < times[parts.test].min()
    assert len(parts.train) + len(parts.test) == 200 - gap
    assert abs(len(parts.test) - 60) <= np.unique(times, return_counts=True)[1].max()
    assert (np.diff(times[parts.test].astype(float)) >= 0).all()
    done = 0
    for one in fn.data.time_series_split(np.arange(200), times, 4, gap=gap):
        assert times[one.train].max() < times[one.test].min()
        assert len(one.train) > done
        done = len(one.train)
    tests = [one.test for one in fn.data.time_series_split(np.arange(200), times, 4, gap=gap)]
    assert len(np.unique(np.concatenate(tests))) == sum(map(len, tests))
    assert times[tests[-1]].max() == times.max()


def test_rows_in_order_need_no_times() -> None:
    parts = fn.data.time_split(np.arange(10), test=0.2, gap=1)
    assert (parts.train.tolist(), parts.test.tolist()) == ([0, 1, 2, 3, 4, 5, 6], [8, 9])
    table = fn.data.as_table({"x": np.arange(10.0)})
    assert [len(one.train) for one in fn.data.time_series_split(table, folds=4)] == [2, 4, 6, 8]
    uneven = list(fn.data.time_series_split(np.arange(13), folds=4))  # the rows that are over are learned from by all
    assert [(len(one.train), len(one.test)) for one in uneven] == [(5, 2), (7, 2), (9, 2), (11, 2)]
    for least in (fn.data.time_split(np.arange(2), test=0.5), *fn.data.time_series_split(np.arange(2), folds=1)):
        assert (least.train.tolist(), least.test.tolist()) == ([0], [1])


def test_folds_are_dealt_anew() -> None:
    labels = np.arange(24) % 3
    plain = list(fn.data.repeated_k_fold(KEY, np.arange(24), 4, 3))
    strata = list(fn.data.repeated_stratified_k_fold(KEY, np.arange(24), 4, 3, labels=labels))
    for splits in (plain, strata):
        for time in range(3):
            assert sorted(np.concatenate([one.test for one in splits[4 * time : 4 * time + 4]]).tolist()) == list(range(24))
        assert not np.array_equal(splits[0].test, splits[4].test)
    assert all(np.bincount(labels[one.test]).tolist() == [2, 2, 2] for one in strata)
    np.testing.assert_array_equal(plain[5].test, list(fn.data.k_fold(KEY.child(1), np.arange(24), 4))[1].test)


def test_balanced_classes_weigh_alike() -> None:
    labels = np.repeat(np.arange(4), [50, 3, 1, 10])
    weight = fn.data.balanced_class_weight(labels)
    np.testing.assert_allclose([labels.size / 4] * 4, np.bincount(labels) * weight)
    assert fn.data.balanced_weights(labels).mean() == pytest.approx(1)
    assert fn.data.balanced_class_weight(np.array([0, 2]), 4) == (1.0, 0.0, 1.0, 0.0)
    logits = KEY.generator().normal(size=(64, 4))
    by_class = fn.softmax_cross_entropy(class_weight=weight).forward(logits, labels).value
    by_row = fn.softmax_cross_entropy().forward(logits, fn.Weighted(labels, fn.data.balanced_weights(labels))).value
    assert by_class == pytest.approx(by_row)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: untyped.group_split(KEY, np.arange(4), np.ones(4, int)), "there is one group, expected at least two"),
        (lambda: untyped.group_split(KEY, np.arange(4), np.ones(4)), r"groups is float64\[4\], expected"),
        (lambda: untyped.group_split(KEY, np.arange(4), np.arange(3)), "3 groups for 4 rows"),
        (lambda: untyped.group_split(KEY, np.arange(4), np.arange(4), 1.0), "the share of the test set is 1"),
        (lambda: untyped.group_split(0, np.arange(4), np.arange(4)), "key is 0"),
        (lambda: untyped.group_k_fold(KEY, np.arange(4), np.array([1, 1, 2, 2]), 3), "3 folds of 2 groups"),
        (lambda: untyped.time_split(np.arange(4), np.array(["a"] * 4)), r"times is <U1\[4\]"),
        (lambda: untyped.time_split(np.arange(2), np.array([1.0, np.nan])), r"times\[1\] is nan"),
        (lambda: untyped.time_split(np.arange(2), np.array(["2020-01-01", "NaT"], "datetime64[D]")), r"times\[1\] is NaT"),
        (lambda: untyped.time_split(np.arange(4), np.ones(4)), "learns from 0 and tests on 4"),
        (lambda: untyped.time_split(np.arange(4), gap=3), "learns from 0 and tests on 1, expected .* a smaller gap"),
        (lambda: untyped.time_split(np.arange(4), gap=-1), "gap is -1"),
        (lambda: untyped.time_split(np.arange(4), test=1.0), "the share of the test set is 1.0"),
        (lambda: untyped.time_split(np.arange(4), test=0), "the share of the test set is 0"),
        (lambda: untyped.time_split(np.arange(4), np.arange(3)), "3 times for 4 rows"),
        (lambda: untyped.time_series_split(np.arange(4), folds=4), "4 folds of 4 rows"),
        (lambda: untyped.time_series_split(np.arange(9), np.ones(9), 2), "expected at least one each"),
        (lambda: untyped.repeated_k_fold(KEY, np.arange(4), 9), "9 folds of 4 rows"),
        (lambda: untyped.repeated_k_fold(KEY, np.arange(4), 2, 0), "repeats is 0"),
        (lambda: untyped.repeated_stratified_k_fold(KEY, np.arange(4), 2), "labels=... must be given"),
        (lambda: untyped.balanced_class_weight(np.array([0.5])), r"labels is float64\[1\]"),
        (lambda: untyped.balanced_class_weight(np.array([-1, 0])), r"labels\[0\] is -1"),
        (lambda: untyped.balanced_class_weight(np.array([0, 3]), 2), r"labels\[1\] is 3"),
        (lambda: untyped.balanced_class_weight(np.array([], int)), "no labels"),
    ],
)
def test_wrong_arguments_are_refused_at_once(call: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        call()
