"""Data sets, batches and splits."""

from __future__ import annotations

import hashlib
import itertools
import pickle
from collections.abc import Iterator
from typing import Any

import attrs
import numpy as np
import pytest

import funcnn as fn
from funcnn.data import Dataset, batching
from funcnn.typing import Array, IntArray

KEY = fn.Key(0)


def numbered(rows: int) -> tuple[Array, IntArray]:
    """Rows that know their number: every part of the data can be traced."""
    index = np.arange(rows)
    return np.stack([index, -index], axis=1).astype(float), index


# ------------------------------------------------------------------------------------------------------------- data sets


def test_digits_are_the_published_ones() -> None:
    data = fn.data.digits()
    assert data.x.shape == (1797, 64)
    assert data.x.min() == 0
    assert data.x.max() == 1
    assert np.array_equal(data.x * 16, np.round(data.x * 16))
    assert np.bincount(data.y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    content = (data.x * 16).astype(np.uint8).tobytes() + data.y.astype(np.uint8).tobytes()
    assert hashlib.sha256(content).hexdigest() == "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"
    assert (data.x[0].reshape(8, 8)[0] * 16).tolist() == [0, 0, 5, 13, 9, 1, 0, 0]
    assert "CC BY 4.0" in data.description


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble])
def test_every_data_set_has_the_precision_asked_for(dtype: type[np.floating]) -> None:
    for data in (
        fn.data.digits(dtype=dtype),
        fn.data.xor(dtype=dtype),
        fn.data.spirals(KEY, dtype=dtype),
        fn.data.sinusoid(KEY, dtype=dtype),
        fn.data.friedman(KEY, dtype=dtype),
    ):
        assert data.x.dtype == dtype
        assert data.y.dtype == (dtype if not data.classes else np.int64)


def test_digits_as_images_are_channels_last() -> None:
    images = fn.data.digits(flat=False).x
    assert images.shape == (1797, 8, 8, 1)
    assert np.array_equal(images.reshape(1797, 64), fn.data.digits().x)


@pytest.mark.parametrize("dtype", [int, bool, complex, object])
def test_a_data_set_is_floating(dtype: type) -> None:
    with pytest.raises(TypeError, match="expected a floating one"):
        fn.data.digits(dtype=dtype)


def test_made_data_depend_on_the_key_alone() -> None:
    for make in (fn.data.spirals, fn.data.sinusoid, fn.data.friedman):
        first, again, other = make(KEY), make(KEY), make(fn.Key(1))
        assert np.array_equal(first.x, again.x)
        assert np.array_equal(first.y, again.y)
        assert not np.array_equal(first.x, other.x)


def test_spirals_without_noise_lie_on_their_formula() -> None:
    data = fn.data.spirals(KEY, 4, 2, noise=0, turns=0.5)
    assert np.allclose(np.hypot(*data.x.T), [0.25, 0.5, 0.75, 1] * 2)
    assert np.allclose(data.x[3], [-1, 0])
    assert np.allclose(data.x[7], [1, 0])
    assert data.y.tolist() == [0] * 4 + [1] * 4


def test_sinusoid_without_noise_is_its_formula() -> None:
    data = fn.data.sinusoid(KEY, 50, noise=0)
    assert np.array_equal(data.y, np.sin(2 * np.pi * data.x))
    noisy = fn.data.sinusoid(KEY, 5000, noise=0.5)
    rest = noisy.y - np.sin(2 * np.pi * noisy.x)
    assert abs(rest.std() - 0.5) < 0.02


def test_friedman_is_its_formula() -> None:
    data = fn.data.friedman(KEY, 50, 6, noise=0)
    a, b, c, d, e, _ = data.x.T
    assert np.allclose(data.y[:, 0], 10 * np.sin(np.pi * a * b) + 20 * (c - 0.5) ** 2 + 10 * d + 5 * e)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: fn.data.spirals(KEY, 0), "count is 0"),
        (lambda: fn.data.spirals(KEY, 5, 1), "classes is 1, expected at least 2"),
        (lambda: fn.data.spirals(KEY, noise=-1), "noise is -1"),
        (lambda: fn.data.spirals(KEY, noise=np.inf), "noise is inf"),
        (lambda: fn.data.spirals(KEY, turns=np.nan), "turns is nan"),
        (lambda: fn.data.sinusoid(KEY, 0), "count is 0"),
        (lambda: fn.data.friedman(KEY, 5, 4), "features is 4, expected at least 5"),
    ],
)
def test_wrong_sizes_of_made_data(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(ValueError, match=message):
        make()


def test_a_dataset_is_read_only_and_leaves_the_caller_s_arrays_alone() -> None:
    x, y = numbered(3)
    data = Dataset(x, y)
    assert not data.x.flags.writeable
    assert not data.y.flags.writeable
    assert x.flags.writeable
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        data.x = x  # type: ignore[misc]  # wrong on purpose
    again = pickle.loads(pickle.dumps(data))
    assert np.array_equal(again.x, x)


def with_nan(row: int, column: int, value: float = np.nan) -> Array:
    x = np.ones((4, 3))
    x[row, column] = value
    return x


LABELS = np.arange(4)


@pytest.mark.parametrize(
    ("x", "y", "classes", "error", "message"),
    [
        (with_nan(2, 1), LABELS, (), ValueError, "x is nan at row 2, column 1, expected finite numbers"),
        (with_nan(3, 0, -np.inf), LABELS, (), ValueError, "x is -inf at row 3, column 0"),
        (np.ones((4, 3)), with_nan(1, 0)[:, :1], (), ValueError, "y is nan at row 1, column 0"),
        (np.ones((4, 3)), np.arange(5), (), ValueError, r"data\[1\] has 5 rows and data\[0\] has 4"),
        (np.ones((4, 3)), LABELS, ("a", "b", "c"), ValueError, r"y\[3\] is 3, expected a label in 0..2"),
        (np.ones((4, 3)), LABELS - 1, tuple("abcd"), ValueError, r"y\[0\] is -1, expected a label in 0..3"),
        (np.ones((4, 3)), LABELS * 1.0, tuple("abcd"), TypeError, "expected an integer array of labels"),
        (np.ones((4, 3)), LABELS[:, None], tuple("abcd"), ValueError, r"shape \(4, 1\), expected \(n,\)"),
        (np.ones((4, 3), int), LABELS, (), TypeError, "x has dtype int64"),
        (np.ones(4), LABELS, (), ValueError, "at least two axes"),
        (np.ones((0, 3)), LABELS[:0], (), ValueError, "the data are empty"),
        ([[1.0]], LABELS[:1], (), TypeError, "use np.asarray"),
    ],
)
def test_wrong_data_are_named(x: Array, y: Array, classes: tuple[str, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Dataset(x, y, classes)


def test_feature_names_fit_the_inputs() -> None:
    with pytest.raises(ValueError, match="2 feature names for inputs of shape"):
        Dataset(np.ones((4, 3)), LABELS, features=("a", "b"))
    assert Dataset(np.ones((4, 2, 2)), LABELS, features=tuple("abcd")).features == tuple("abcd")


def test_huge_finite_numbers_are_finite() -> None:
    Dataset(np.full((4, 3), 1.7e308), LABELS)  # their sum is not


# --------------------------------------------------------------------------------------------------------------- batches


SIZES = [(rows, size) for rows in (*range(1, 26), 60, 150) for size in range(1, rows + 1)]


@pytest.mark.parametrize("several", [1, 1 << 6, 1 << 19])
@pytest.mark.parametrize("drop_last", [False, True])
def test_batches_have_the_counted_sizes_at_any_length(monkeypatch: Any, several: int, drop_last: bool) -> None:
    monkeypatch.setattr(batching, "_AT_ONCE", several)  # how many are copied together must not show
    for rows, size in SIZES:
        batches = [np.arange(first, min(rows, first + size)) for first in range(0, rows, size)]
        expected = [batch for batch in batches if len(batch) == size or not drop_last]
        for data in (np.arange(rows), (np.arange(rows), np.zeros((rows, 3)))):
            got = [fn.tree.leaves(batch)[0] for batch in fn.data.batches(None, data, size, drop_last=drop_last)]
            assert fn.tree.same(tuple(got), tuple(expected)), (rows, size)
        assert fn.data.batch_count(rows, size, drop_last=drop_last) == len(expected)


@pytest.mark.parametrize(("rows", "size"), [(10, 3), (9, 3), (1, 1), (7, 7), (5, 1), (20, 16), (150, 100), (54_000, 64)])
@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("key", [KEY, None])
def test_batches_give_every_row_once(rows: int, size: int, drop_last: bool, key: fn.Key | None) -> None:
    got = list(fn.data.batches(key, numbered(rows), size, drop_last=drop_last))
    assert len(got) == fn.data.batch_count(rows, size, drop_last=drop_last)
    sizes = [len(y) for _, y in got]
    assert sizes == [size] * (rows // size) + ([rows % size] if rows % size and not drop_last else [])
    order = np.concatenate([y for _, y in got])
    assert len(set(order.tolist())) == len(order) == (rows - rows % size if drop_last else rows)
    for x, y in got:
        assert np.array_equal(x[:, 0], y)
        assert np.array_equal(x[:, 1], -y)
        assert not x.flags.writeable
    if key is None:
        assert np.array_equal(order, np.arange(len(order)))


@pytest.mark.parametrize("width", [1000, 20_000, 60_000, 200_000])
@pytest.mark.parametrize("drop_last", [False, True])
def test_batches_that_are_copied_together_are_those_copied_one_by_one(width: int, drop_last: bool) -> None:
    x = np.arange(13 * width).reshape(13, width)
    order = KEY.generator().permutation(13)
    got = list(fn.data.batches(KEY, (x, order), 2, drop_last=drop_last))
    expected = [(x[order[i : i + 2]], order[order[i : i + 2]]) for i in range(0, 12 if drop_last else 13, 2)]
    assert fn.tree.same(tuple(got), tuple(expected))
    assert not any(leaf.flags.writeable or np.shares_memory(leaf, x) for leaf, _ in got)


def test_the_key_gives_the_order() -> None:
    def order(key: fn.Key) -> list[int]:
        return [int(row) for _, y in fn.data.batches(key, numbered(20), 6) for row in y]

    assert order(KEY) == order(KEY)
    assert order(KEY) != order(KEY.child(0))
    assert order(KEY) != list(range(20))


def test_batches_are_of_the_kind_of_the_data() -> None:
    x, y = numbered(4)
    assert isinstance(next(fn.data.batches(KEY, Dataset(x, y), 2)), Dataset)
    assert set(next(fn.data.batches(KEY, {"x": x, "y": y}, 2))) == {"x", "y"}
    nested = next(fn.data.batches(KEY, (x, (y, {"again": y})), 2))
    assert np.array_equal(nested[1][0], nested[1][1]["again"])
    assert next(fn.data.batches(None, x, 2)).tolist() == x[:2].tolist()


def test_batches_are_made_lazily() -> None:
    class Counting(np.ndarray[tuple[int, ...], np.dtype[np.float64]]):
        taken = 0

        def take(self, *arguments: object, **named: object) -> Array:  # type: ignore[override]  # counts the calls
            Counting.taken += 1
            return np.asarray(self).take(*arguments, **named)  # type: ignore[call-overload, no-any-return]  # as given

    stream = fn.data.batches(KEY, np.zeros((10, 1)).view(Counting), 2)
    assert isinstance(stream, Iterator)
    assert Counting.taken == 0
    next(stream)
    assert Counting.taken == 1


@pytest.mark.parametrize(
    ("size", "error", "message"),
    [
        (5, ValueError, "batch_size is 5 and the data have 4 rows"),
        (0, ValueError, "batch_size is 0, expected at least 1"),
        (2.0, TypeError, "batch_size is 2.0, expected an integer"),
        (True, TypeError, "batch_size is True, expected an integer"),
    ],
)
def test_wrong_batch_sizes_raise_at_once(size: int, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        fn.data.batches(KEY, numbered(4), size)
    if size != 5:
        with pytest.raises(error, match=message):
            fn.data.batch_count(4, size)


@pytest.mark.parametrize("number", [np.int8, np.uint8, np.int64, np.array])
def test_batch_sizes_may_be_numbers_of_numpy(number: Any) -> None:
    sizes = [len(batch) for batch in fn.data.batches(None, np.arange(300), number(100), drop_last=np.True_)]  # type: ignore[arg-type]
    assert sizes == [100] * 3
    assert fn.data.batch_count(300, number(100)) == 3


def test_flags_of_batches_are_flags() -> None:
    with pytest.raises(TypeError, match="drop_last is 'no', expected True or False"):
        fn.data.batches(None, np.arange(5), 2, drop_last="no")  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(TypeError, match="drop_last is 1, expected True or False"):
        fn.data.batch_count(5, 2, drop_last=1)  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(ValueError, match="rows is -1"):
        fn.data.batch_count(-1, 2)


def test_wrong_data_for_batches_raise_at_once() -> None:
    with pytest.raises(ValueError, match=r"data\['b'\] has 3 rows and data\['a'\] has 2"):
        fn.data.batches(KEY, {"a": np.zeros(2), "b": np.zeros(3)}, 1)
    with pytest.raises(ValueError, match="hold no array"):
        fn.data.batches(KEY, (), 1)
    with pytest.raises(ValueError, match=r"data\[1\] is a single number"):
        fn.data.batches(KEY, (np.zeros(2), np.array(1.0)), 1)
    with pytest.raises(TypeError, match="key is 3, expected a Key"):
        fn.data.batches(3, np.zeros(2), 1)  # type: ignore[arg-type]  # wrong on purpose


# ---------------------------------------------------------------------------------------------------------------- splits


SHARES = list(itertools.product([2, 3, 10, 101], [0.1, 0.25, 0.5, 0.9]))


def leaves_rows(rows: int, test: float) -> bool:
    """Tell whether both sets of a split get a row."""
    return 0 < round(rows * test) < rows


@pytest.mark.parametrize(("rows", "test"), [one for one in SHARES if not leaves_rows(*one)])
def test_a_split_that_leaves_a_set_empty_is_an_error(rows: int, test: float) -> None:
    with pytest.raises(ValueError, match="both sets need at least one row"):
        fn.data.split(KEY, numbered(rows), test)


@pytest.mark.parametrize(("rows", "test"), [one for one in SHARES if leaves_rows(*one)])
def test_a_split_parts_the_rows(rows: int, test: float) -> None:
    parts = fn.data.split(KEY, numbered(rows), test)
    assert len(parts.test[1]) == round(rows * test)
    assert sorted([*parts.train[1], *parts.test[1]]) == list(range(rows))


@pytest.mark.parametrize("test", [0, 1, -0.1, 1.5, np.nan])
def test_a_share_is_between_0_and_1(test: float) -> None:
    for split in (fn.data.split, fn.data.stratified_split):
        with pytest.raises(ValueError, match="the share of the test set"):
            split(KEY, fn.data.xor(), test)


@pytest.mark.parametrize("seed", range(30))
def test_a_stratified_split_has_the_exact_proportions(seed: int) -> None:
    """Largest remainder: each class gets its share rounded down or up, and no class rounded down had a larger remainder."""
    draw = fn.Key(seed).generator()
    labels = draw.choice(draw.integers(-50, 50, 5), size=int(draw.integers(60, 400)))
    test = float(draw.uniform(0.1, 0.5))
    parts = fn.data.stratified_split(fn.Key(seed), (np.arange(len(labels)), labels), test, labels=labels)
    rows = np.concatenate([parts.train[0], parts.test[0]])
    assert sorted(rows.tolist()) == list(range(len(labels)))
    assert np.array_equal(labels[parts.test[0]], parts.test[1])
    held_out = round(len(labels) * test)
    assert len(parts.test[0]) == held_out
    up: list[int] = []
    down: list[int] = []
    for name in np.unique(labels):
        whole, remainder = divmod(int((labels == name).sum()) * held_out, len(labels))
        got = int((parts.test[1] == name).sum())
        assert got in (whole, whole + 1)
        (up if got > whole else down).append(remainder)
    assert not up or not down or min(up) >= max(down)


def test_a_stratified_split_mixes_the_classes() -> None:
    parts = fn.data.stratified_split(KEY, fn.data.spirals(KEY, 100))
    for part in (parts.train, parts.test):
        assert np.count_nonzero(np.diff(part.y)) > len(part) / 3
    other = fn.data.stratified_split(fn.Key(1), fn.data.spirals(KEY, 100))
    assert not np.array_equal(parts.test.x, other.test.x)


def test_stratified_splits_want_labels() -> None:
    x, y = numbered(8)
    with pytest.raises(TypeError, match=r"labels=\.\.\. must be given"):
        fn.data.stratified_split(KEY, (x, y))
    with pytest.raises(ValueError, match="3 labels for 8 rows"):
        fn.data.stratified_split(KEY, (x, y), labels=y[:3])
    with pytest.raises(TypeError, match=r"expected an array \(n,\) of integers or text"):
        fn.data.stratified_split(KEY, (x, y), labels=x[:, 0])  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(TypeError, match=r"expected an array \(n,\) of integers or text"):
        fn.data.stratified_split(KEY, fn.data.sinusoid(KEY))
    with pytest.raises(ValueError, match="which leaves none for training"):
        fn.data.stratified_split(KEY, x, 0.5, labels=np.array([0, 1, 2, 3, 4, 5, 6, 7]))


@pytest.mark.parametrize(("rows", "folds"), [(10, 2), (10, 3), (10, 10), (101, 7)])
def test_k_folds_test_every_row_once(rows: int, folds: int) -> None:
    parts = list(fn.data.k_fold(KEY, numbered(rows), folds))
    assert len(parts) == folds
    tested = np.concatenate([part.test[1] for part in parts])
    assert sorted(tested.tolist()) == list(range(rows))
    sizes = [len(part.test[1]) for part in parts]
    assert max(sizes) - min(sizes) <= 1
    for part in parts:
        assert sorted([*part.train[1], *part.test[1]]) == list(range(rows))


@pytest.mark.parametrize("seed", range(10))
def test_stratified_k_folds_differ_by_at_most_one_of_a_class(seed: int) -> None:
    draw = fn.Key(seed).generator()
    labels = np.concatenate([draw.integers(-3, 3, 90), np.repeat([-3, -2, -1, 0, 1, 2], 2)])
    folds = int(draw.integers(2, 9))
    parts = list(fn.data.stratified_k_fold(fn.Key(seed), np.arange(len(labels)), folds, labels=labels))
    assert sorted(np.concatenate([part.test for part in parts]).tolist()) == list(range(len(labels)))
    sizes = [len(part.test) for part in parts]
    assert max(sizes) - min(sizes) <= 1
    for name in np.unique(labels):
        tested = [int((labels[part.test] == name).sum()) for part in parts]
        assert max(tested) - min(tested) <= 1
    for part in parts:
        assert set(part.train.tolist()).isdisjoint(part.test.tolist())
        assert len(part.train) + len(part.test) == len(labels)


@pytest.mark.parametrize("fold", [fn.data.k_fold, fn.data.stratified_k_fold])
def test_the_number_of_folds_is_checked_at_once(fold: object) -> None:
    assert callable(fold)
    for folds, message in ((1, "expected at least 2"), (5, "5 folds of 4 rows")):
        with pytest.raises(ValueError, match=message):
            fold(KEY, fn.data.xor(), folds)


def test_a_class_of_one_row_cannot_be_stratified_into_folds() -> None:
    with pytest.raises(ValueError, match="class 7 has 1 row, which leaves none for training"):
        fn.data.stratified_k_fold(KEY, np.arange(5), 2, labels=np.array([1, 1, 1, 1, 7]))


def test_taking_rows_keeps_the_names() -> None:
    data = fn.data.digits()
    few = fn.data.take(data, np.array([5, 3]))
    assert few.classes == data.classes
    assert few.features == data.features
    assert np.array_equal(few.x, data.x[[5, 3]])
