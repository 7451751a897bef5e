"""Preparing data at the ends: last digits, both ends of the range, labels of any kind, rows by mask, options as NumPy numbers."""

import itertools
from typing import Any

import numpy as np
import pytest

import funcnn as fn

KEY = fn.Key(0)
untyped: Any = fn  # for calls that a type checker would refuse
DTYPES: tuple[Any, ...] = (np.float32, np.float64)


def columns(dtype: Any) -> dict[str, Any]:
    """Return columns that are hard to standardize: two values of some numbers of rows."""
    info = np.finfo(dtype)
    one = dtype(14.62)
    pairs = {
        "one ulp": (one, np.nextafter(one, dtype(15))),
        "one ulp below 1": (dtype(1), np.nextafter(dtype(1), dtype(0))),
        "subnormal": (dtype(0), dtype(64 * info.smallest_subnormal)),
        "tiny": (dtype(info.tiny), dtype(3 * info.tiny)),
        "largest": (dtype(info.max / 4), dtype(-info.max / 4)),
        "large": (dtype(info.max / 2), dtype(info.max / 2 * (1 - 64 * info.eps))),
        "wide": (dtype(0), dtype(info.max)),
        "years": (dtype(2023), dtype(2024)),
    }
    return {name: np.array([a] * 300 + [b] * 200, dtype)[:, None] for name, (a, b) in pairs.items()}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", columns(np.float32))
def test_standardized_columns_have_mean_0_and_deviation_1(dtype: Any, name: str) -> None:
    x = columns(dtype)[name]
    fitted = fn.data.fit_standardize(x)
    y = fitted.transform(x)
    assert y.dtype == dtype
    tolerance = 2e-2 if name == "subnormal" else 200 * np.finfo(dtype).eps  # whose mean and deviation have few digits
    assert abs(y.mean(dtype=np.longdouble)) < tolerance
    assert abs(y.std(dtype=np.longdouble) - 1) < tolerance
    np.testing.assert_allclose(
        fitted.inverse(y), x, rtol=4 * np.finfo(dtype).eps, atol=4 * float(np.finfo(dtype).smallest_subnormal)
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_deviation_below_the_smallest_number_is_none(dtype: Any) -> None:
    x = np.zeros((100_000, 1), dtype)
    x[0] = np.finfo(dtype).smallest_subnormal
    y = fn.data.fit_standardize(x).transform(x)
    assert np.isfinite(y).all()
    assert np.abs(y).max() < 1e-30


@pytest.mark.parametrize("dtype", DTYPES)
def test_ranges_that_overflow_are_named(dtype: Any) -> None:
    x = np.array([[1.0, -1.0], [2.0, -1.0], [3.0, 1.0]], dtype) * np.array([1, np.finfo(dtype).max], dtype)
    for fit in (fn.data.fit_standardize, fn.data.fit_min_max):
        with pytest.raises(ValueError, match="the range of the columns"):
            fit(x)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("low", [-1.0, 0.0, 0.1, -7.3])
def test_scaled_columns_fill_the_interval_exactly(dtype: Any, low: float) -> None:
    x = np.concatenate(list(columns(dtype).values()), axis=1)
    fitted = fn.data.fit_min_max(x, low, 0.7)
    y = fitted.transform(x)
    np.testing.assert_array_equal(y.min(0), dtype(low))
    np.testing.assert_array_equal(y.max(0), dtype(0.7))


@pytest.mark.parametrize(
    ("interval", "message"),
    [
        ((0, 1e39), "the interval is"),
        ((1.0, 1.0 + 1e-12), "unlike and of a finite difference in float32"),
        ((-3e38, 3e38), "the interval is"),
        (("0", 1), "low is '0', expected a number"),
        ((0, None), "high is None, expected a number"),
        ((np.nan, 1), "low is nan"),
    ],
)
def test_intervals_that_are_none_are_refused(interval: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        fn.data.fit_min_max(np.ones((2, 1), np.float32), *interval)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("scale", [2.0**-100, 1.0, 2.0**100])
def test_whitening_of_any_scale_with_constant_columns(dtype: Any, scale: float) -> None:
    x = np.random.default_rng(0).normal(size=(200, 4)).astype(dtype) * dtype(scale)
    x[:, 2] = dtype(scale)
    fitted = fn.data.fit_whiten(x)
    y = fitted.transform(x)
    assert y.shape == (200, 3)
    np.testing.assert_allclose(y.T @ y / len(y), np.eye(3), atol=1e-4 if dtype == np.float32 else 1e-12)
    np.testing.assert_allclose(fitted.inverse(y), x, atol=1e-5 * scale)


FITS = (fn.data.fit_standardize, fn.data.fit_min_max, fn.data.fit_whiten)


@pytest.mark.parametrize("fit", FITS)
def test_other_kinds_of_arrays_are_refused(fit: Any) -> None:
    x = np.random.default_rng(0).normal(size=(5, 2))
    for wrong, message in ((x.astype(np.float16), "float16"), (np.ma.array(x), "masked"), (x.tolist(), "list"), (None, "None")):
        with pytest.raises(TypeError, match=message):
            fit(wrong)
        with pytest.raises(TypeError, match=message):
            fit(x).transform(wrong)
    with pytest.raises(TypeError, match="float16"):
        fn.data.Dataset(x.astype(np.float16), np.arange(5))
    load: Any
    for load in (fn.data.digits, fn.data.xor):
        for dtype in (np.float16, "no dtype", int):
            with pytest.raises(TypeError, match="dtype"):
                load(dtype=dtype)


# -------------------------------------------------------------------------------------------------------------------- labels

LABELS: dict[str, Any] = {
    "int8": (np.arange(200).repeat(3) - 100).astype(np.int8),
    "uint8": np.arange(256).repeat(3).astype(np.uint8),
    "int64": np.tile(np.array([np.iinfo(np.int64).min, np.iinfo(np.int64).max]), 6),
    "uint64": np.tile(np.array([0, np.iinfo(np.uint64).max], np.uint64), 6),
    "text": np.tile(np.array(["cat", "dog", "owl"]), 5),
    "bytes": np.tile(np.array([b"cat", b"dog"]), 5),
    "bool": np.tile(np.array([True, False]), 6),
}


@pytest.mark.parametrize("name", LABELS)
def test_stratified_parts_of_labels_of_any_kind(name: str) -> None:
    labels = LABELS[name]
    rows = np.arange(len(labels))
    names, counts = np.unique(labels, return_counts=True)
    parts = fn.data.stratified_split(KEY, rows, 1 / counts[0], labels=labels)
    assert sorted([*parts.train, *parts.test]) == list(rows)
    assert sorted(labels[parts.test].tolist()) == sorted(names.tolist()), "one of each class"
    for fold in fn.data.stratified_k_fold(KEY, rows, int(counts[0]), labels=labels):
        assert len(fold.test) == len(names)


def test_labels_that_cannot_stratify_are_refused_with_advice_that_works() -> None:
    rows = np.arange(4)
    for labels, message in (
        (np.array(["a", 1, None, "b"], object), r"np.unique\(labels, return_inverse=True\)"),
        (np.array([0.0, 1.0, 0.0, 1.0]), r"\.astype\(int\)"),
        (np.ma.array([0, 1, 0, 1], mask=[False, True, False, False]), "masked"),
        (np.zeros((4, 2), int), "shape"),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            fn.data.stratified_split(KEY, rows, 0.5, labels=labels)
        with pytest.raises((TypeError, ValueError), match=message):
            fn.data.stratified_k_fold(KEY, rows, 2, labels=labels)


@pytest.mark.parametrize("labels", [np.array(["a", "b"]), np.array(["a", "b"], object)])
def test_text_labels_get_advice_that_works_on_text(labels: Any) -> None:
    calls: list[Any] = [
        lambda: fn.data.one_hot(labels, 3),
        lambda: fn.data.fit_one_hot(labels),
        lambda: fn.data.fit_one_hot(np.array([1, 2])).transform(labels),
        lambda: fn.data.Dataset(np.eye(2), labels),
        lambda: fn.data.Dataset(np.eye(2), labels, classes=("a", "b")),
    ]
    for call in calls:
        with pytest.raises(TypeError, match=r"np.unique\(labels, return_inverse=True\)") as caught:
            call()
        assert ".astype" not in str(caught.value)


def test_one_hot_rows_of_integers_of_two_kinds() -> None:
    """Signed and unsigned integers would be compared as floating numbers, which have fewer digits."""
    large = 2**63 - 1
    fitted = fn.data.fit_one_hot(np.array([large, large - 1]))
    np.testing.assert_array_equal(fitted.transform(np.array([large - 1, large], np.uint64)), np.eye(2))
    with pytest.raises(ValueError, match=r"labels\[0\] is 18446744073709551615, which is not among"):
        fn.data.fit_one_hot(np.array([-1, 0])).transform(np.array([2**64 - 1], np.uint64))
    with pytest.raises(ValueError, match=r"rows is nan at row \[1, 0\]"):
        fitted.inverse(np.array([[0.0, 1.0], [np.nan, 1.0]]))


# --------------------------------------------------------------------------------------------------------------------- rows


def test_rows_by_mask_list_and_any_integers() -> None:
    data = np.array([10, 20, 30])
    for rows in (np.array([True, False, True]), [0, 2], (0, -1), np.array([0, 2], np.uint64), range(0, 3, 2)):
        np.testing.assert_array_equal(untyped.data.take(data, rows), [10, 30])
    assert untyped.data.take(data, []).shape == (0,)
    both = fn.data.take(fn.data.Dataset(np.eye(3), data), np.array([False, True, False]))
    assert both.y.tolist() == [20]


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        (np.array([True, False]), ValueError, "rows is a mask of 2 booleans, and the data have 3 rows"),
        (np.array([0.0, 2.0]), TypeError, r"rows is float64\[2\], expected an array \(k,\) of integers or a mask"),
        ([0.5], TypeError, "expected an array"),
        (np.array([0, 3]), ValueError, r"rows\[1\] is 3, and the data have 3 rows: expected -3 to 2"),
        (np.array([-4]), ValueError, r"rows\[0\] is -4"),
        (np.array([2**40]), ValueError, r"rows\[0\] is 1099511627776"),
        (np.array([[0, 1]]), TypeError, "expected an array"),
        (np.array(1), TypeError, "expected an array"),
        (1, TypeError, "rows is 1, expected an array"),
        (None, TypeError, "rows is None"),
        (np.ma.array([0, 1]), TypeError, "masked array"),
    ],
)
def test_wrong_rows_are_named(rows: Any, error: type[Exception], message: str) -> None:
    for data in (np.arange(3), (np.arange(3), np.eye(3)), fn.data.Dataset(np.eye(3), np.arange(3)), np.eye(3).T):
        with pytest.raises(error, match=message):
            fn.data.take(data, rows)


# ------------------------------------------------------------------------------------------------------------------ options


def test_options_of_data_are_numbers_of_numpy_too() -> None:
    x, labels = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32), np.arange(40) % 4
    calls: dict[str, tuple[Any, Any]] = {
        "split": (0.25, lambda v: fn.data.split(KEY, x, v).test),
        "stratified": (0.25, lambda v: fn.data.stratified_split(KEY, x, v, labels=labels).test),
        "folds": (4, lambda v: next(iter(fn.data.k_fold(KEY, x, v))).test),
        "stratified folds": (4, lambda v: next(iter(fn.data.stratified_k_fold(KEY, x, v, labels=labels))).test),
        "low": (0.25, lambda v: fn.data.fit_min_max(x, v).transform(x)),
        "high": (0.25, lambda v: fn.data.fit_min_max(x, 0, v).transform(x)),
        "classes": (4, lambda v: fn.data.one_hot(labels, v)),
        "components": (2, lambda v: fn.data.fit_whiten(x, components=v).transform(x)),
        "length": (4, lambda v: fn.data.windows(labels, v)[0]),
        "stride": (4, lambda v: fn.data.windows(labels, 3, v)[0]),
    }
    for name, (value, call) in calls.items():
        kinds: tuple[Any, ...] = (
            (np.float64, np.float32, np.array) if isinstance(value, float) else (np.int8, np.uint64, np.array)
        )
        for kind in kinds:
            got, expected = call(kind(value)), call(value)
            assert got.dtype == expected.dtype, name
            np.testing.assert_array_equal(got, expected, name)
        for wrong in ("x", [1, 2], np.nan, None):
            if name == "components" and wrong is None:
                continue
            with pytest.raises((TypeError, ValueError)) as caught:
                call(wrong)
            assert any(word in str(caught.value) for word in (name.split()[-1], "share")), name


@pytest.mark.parametrize(("text", "what"), list(itertools.product((None, 3, b"ab", ["a", "b"]), ("fit", "encode"))))
def test_text_is_text(text: Any, what: str) -> None:
    with pytest.raises(TypeError, match=r"text is .*, expected a str"):
        fn.data.fit_vocabulary(text) if what == "fit" else fn.data.fit_vocabulary("ab").encode(text)


def test_flags_of_data_are_flags() -> None:
    with pytest.raises(TypeError, match="flat is 'no', expected True or False"):
        untyped.data.digits(flat="no")
    for kind in (None, "PCA", 3, np.nan):
        with pytest.raises((TypeError, ValueError), match="kind is"):
            untyped.data.fit_whiten(np.eye(3), kind)
