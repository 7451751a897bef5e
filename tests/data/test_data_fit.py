"""Standardizing, scaling, whitening, one-hot rows and vocabularies: fitted on training data, pure, and back again."""

from __future__ import annotations

import tracemalloc
from fractions import Fraction
from typing import Any, Protocol

import attrs
import numpy as np
import pytest

import funcnn as fn
from funcnn.typing import Array

KEY = fn.Key(0)


class Fitted(Protocol):
    def transform(self, x: Array, /) -> Array: ...

    def inverse(self, y: Array, /) -> Array: ...


def data(seed: int, dtype: Any = np.float64, shape: tuple[int, ...] = (50, 4)) -> Array:
    draw = fn.Key(seed).generator()
    x: Array = (draw.normal(size=shape) * draw.uniform(0.1, 30, shape[1:]) + draw.normal(0, 20, shape[1:])).astype(dtype)
    return x


def fit_whiten_zca(x: Array) -> fn.data.Whiten:
    return fn.data.fit_whiten(x, "zca")


def fit_min_max_wide(x: Array) -> fn.data.MinMax:
    return fn.data.fit_min_max(x, -3, 5)


FITS = [fn.data.fit_standardize, fn.data.fit_min_max, fit_min_max_wide, fn.data.fit_whiten, fit_whiten_zca]
BY_COLUMN = FITS[:3]


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_inverse_gives_back_what_was_given(fit: Any, dtype: type[np.floating]) -> None:
    for seed in range(5):
        fitted: Fitted = fit(data(seed, dtype))
        other = data(seed + 100, dtype)  # the fit is of other data: nothing is learned from these
        there = fitted.transform(other)
        back = fitted.inverse(there)
        assert there.dtype == back.dtype == dtype
        np.testing.assert_allclose(back, other, rtol=0, atol=2e3 * float(np.finfo(dtype).eps))


@pytest.mark.parametrize("fit", FITS)
def test_a_fit_is_pure(fit: Any) -> None:
    x = data(0)
    before = x.copy()
    x.setflags(write=False)
    fitted = fit(x)
    first = fitted.transform(x)
    fitted.inverse(first)
    assert np.array_equal(x, before)
    assert fn.tree.same(fitted, fit(x))
    assert all(not leaf.flags.writeable for leaf in fn.tree.leaves(fitted))
    assert all(not np.shares_memory(leaf, x) for leaf in fn.tree.leaves(fitted))
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        fitted.mean = x


@pytest.mark.parametrize("fit", FITS)
def test_the_precision_of_the_data_decides(fit: Any) -> None:
    fitted = fit(data(0, np.float64))
    assert fitted.transform(data(1, np.float32)).dtype == np.float32
    assert all(leaf.dtype == np.float32 for leaf in fn.tree.leaves(fit(data(0, np.float32))))


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_named(fit: Any, value: float) -> None:
    x = data(0)
    x[7, 2] = value
    with pytest.raises(ValueError, match=f"x is {value} at row 7, column 2"):
        fit(x)


@pytest.mark.parametrize("fit", FITS)
def test_wrong_data_for_a_fit(fit: Any) -> None:
    with pytest.raises(TypeError, match="dtype int64"):
        fit(np.ones((3, 2), int))
    with pytest.raises(TypeError, match="complex128"):
        fit(np.ones((3, 2), complex))
    with pytest.raises(ValueError, match="no rows"):
        fit(np.ones((0, 2)))
    with pytest.raises(ValueError, match="expected at least 2 axes"):
        fit(np.ones(3))
    fitted = fit(data(0))
    for way in (fitted.transform, fitted.inverse):
        with pytest.raises(ValueError, match=r"x is float64\[2, 3\]"):
            way(np.ones((2, 3)))
        with pytest.raises(TypeError, match="dtype int64"):
            way(np.ones((2, 4), int))


@pytest.mark.parametrize("shape", [(40, 3), (40, 2, 3, 1)])
def test_standardized_columns_have_mean_0_and_deviation_1(shape: tuple[int, ...]) -> None:
    x = data(3, shape=shape)
    y = fn.data.fit_standardize(x).transform(x)
    np.testing.assert_allclose(y.mean(0), 0, atol=1e-14)
    np.testing.assert_allclose(y.std(0), 1, rtol=1e-14)


@pytest.mark.parametrize("value", [0.0, 0.1, 1 / 3, -7e15, 1e-300, 1e200])
@pytest.mark.parametrize("rows", [1, 3, 1000])
def test_constant_columns_are_only_shifted(value: float, rows: int) -> None:
    x = np.stack([np.full(rows, value), np.arange(rows, dtype=float)], axis=1)
    for fit in BY_COLUMN:
        fitted: Fitted = fit(x)  # type: ignore[operator]  # one of several kinds
        there = fitted.transform(x)
        assert np.all(there[:, 0] == (-3 if fit is fit_min_max_wide else 0))
        back = fitted.inverse(there)
        assert np.array_equal(back[:, 0], x[:, 0])
        np.testing.assert_allclose(back[:, 1], x[:, 1], atol=4 * rows * 2**-52)


def test_moments_are_right_to_the_last_digits() -> None:
    """A large mean and a small deviation, against exact arithmetic."""
    x = (1e6 + data(4, shape=(3000, 1)) * 1e-3).astype(np.float64)
    exact = [Fraction(float(value)) for value in x.ravel()]
    mean = sum(exact, Fraction(0)) / len(exact)
    variance = sum(((value - mean) ** 2 for value in exact), Fraction(0)) / len(exact)
    fitted = fn.data.fit_standardize(x)
    assert abs(Fraction(float(fitted.mean[0])) / mean - 1) < 2**-52
    assert abs(float(fitted.scale[0]) / float(variance) ** 0.5 - 1) < 1e-13


def test_single_precision_is_accumulated_in_double() -> None:
    x = (100 + data(5, shape=(200_000, 1)) / 30).astype(np.float32)
    fitted = fn.data.fit_standardize(x)
    assert fitted.mean[0] == np.float32(x.astype(np.float64).mean())
    assert fitted.scale[0] == np.float32(x.astype(np.float64).std())


def test_columns_that_overflow_are_named() -> None:
    x = np.array([[1.0, -1.7e308], [2.0, 1.7e308], [2.0, 1.7e308]])
    with pytest.raises(ValueError, match="the range of the columns"):
        fn.data.fit_standardize(x)
    with pytest.raises(ValueError, match="range of the columns"):
        fn.data.fit_min_max(x)


def test_min_max_fills_the_interval() -> None:
    x = data(6)
    y = fn.data.fit_min_max(x, -3, 5).transform(x)
    np.testing.assert_allclose(y.min(0), -3, rtol=1e-15)
    np.testing.assert_allclose(y.max(0), 5, rtol=1e-15)
    for low, high in ((1, 1), (2, 1), (np.nan, 1), (0, np.inf)):
        with pytest.raises(ValueError, match=r"the interval is|low is nan"):
            fn.data.fit_min_max(x, low, high)


@pytest.mark.parametrize("kind", ["pca", "zca"])
def test_whitened_data_have_the_identity_as_covariance(kind: Any) -> None:
    x = data(7) @ fn.Key(8).generator().normal(size=(4, 4))
    y = fn.data.fit_whiten(x, kind).transform(x)
    np.testing.assert_allclose(y.mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(y.T @ y / len(y), np.eye(4), atol=1e-12)


def test_zca_is_the_symmetric_whitening() -> None:
    fitted = fn.data.fit_whiten(data(7), "zca")
    np.testing.assert_allclose(fitted.matrix, fitted.matrix.T, rtol=1e-12)
    assert np.all(np.linalg.eigvalsh(fitted.matrix) > 0)


def test_directions_without_variation_are_left_out() -> None:
    x = data(8, shape=(60, 3))
    dependent = np.concatenate([x, x @ np.ones((3, 2)), np.full((60, 1), 0.1)], axis=1)
    fitted = fn.data.fit_whiten(dependent)
    assert fitted.matrix.shape == (6, 3)
    np.testing.assert_allclose(fitted.inverse(fitted.transform(dependent)), dependent, atol=1e-11)
    zca = fn.data.fit_whiten(dependent, "zca")
    assert zca.matrix.shape == (6, 6)
    np.testing.assert_allclose(zca.inverse(zca.transform(dependent)), dependent, atol=1e-11)
    with pytest.raises(ValueError, match="components is 4, and the data vary in 3 directions"):
        fn.data.fit_whiten(dependent, components=4)


def test_the_largest_components_are_kept() -> None:
    x = data(9, shape=(200, 3)) * np.array([1.0, 100.0, 1e-3])
    fitted = fn.data.fit_whiten(x, components=1)
    assert np.abs(fitted.matrix[:, 0]).argmax() == 1
    assert fitted.matrix[1, 0] > 0


def test_wrong_whitenings() -> None:
    with pytest.raises(ValueError, match="all rows of x are equal"):
        fn.data.fit_whiten(np.full((5, 3), 0.1))
    with pytest.raises(ValueError, match="all rows of x are equal"):
        fn.data.fit_whiten(np.ones((1, 3)))
    with pytest.raises(ValueError, match="kind is 'ica'"):
        fn.data.fit_whiten(data(0), "ica")  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(ValueError, match="components is 0"):
        fn.data.fit_whiten(data(0), components=0)
    with pytest.raises(ValueError, match=r"expected \(n, D\)"):
        fn.data.fit_whiten(data(0, shape=(5, 2, 2)))
    with pytest.raises(TypeError, match="done in float32 or float64"):
        fn.data.fit_whiten(data(0, np.longdouble))


# --------------------------------------------------------------------------------------------------------------- one-hot


def test_one_hot_rows() -> None:
    rows = fn.data.one_hot(np.array([2, 0, 2], np.uint8), 4, dtype=np.float32)
    assert rows.dtype == np.float32
    assert rows.tolist() == [[0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 1, 0]]
    assert not rows.flags.writeable
    assert fn.data.one_hot(np.zeros(0, int), 4).shape == (0, 4)


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        (np.array([0, 3, 1, 5]), ValueError, r"labels\[1\] is 3, expected a label in 0..2 \(2 such rows\)"),
        (np.array([0, -1]), ValueError, r"labels\[1\] is -1"),
        (np.array([0.0]), TypeError, "use .astype"),
        (np.array([True]), TypeError, "expected an integer array"),
        (np.array([[1]]), ValueError, r"expected \(n,\)"),
        ([0, 1], TypeError, "expected an integer array"),
    ],
)
def test_wrong_labels_are_named_by_their_row(labels: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        fn.data.one_hot(labels, 3)


@pytest.mark.parametrize("seed", range(5))
def test_fitted_one_hot_rows_go_there_and_back(seed: int) -> None:
    labels = fn.Key(seed).generator().integers(-1000, 1000, 30)
    fitted = fn.data.fit_one_hot(labels)
    rows = fitted.transform(labels)
    assert np.array_equal(rows.sum(1), np.ones(30))
    assert np.array_equal(fitted.inverse(rows), labels)
    assert fn.tree.paths(fitted) == (".labels",)


def test_unknown_labels_are_named_by_their_row() -> None:
    fitted = fn.data.fit_one_hot(np.array([3, 7]))
    for label in (1, 5, 9):
        with pytest.raises(ValueError, match=rf"labels\[1\] is {label}, which is not among the 2 labels"):
            fitted.transform(np.array([3, label]))
    with pytest.raises(ValueError, match=r"expected \(n, 2\)"):
        fitted.inverse(np.ones((2, 3)))
    with pytest.raises(ValueError, match="no labels"):
        fn.data.fit_one_hot(np.zeros(0, int))
    with pytest.raises(TypeError, match="expected integers"):
        fn.data.fit_one_hot(np.zeros(2))  # type: ignore[arg-type]  # wrong on purpose


# ------------------------------------------------------------------------------------------------------------------ text


@pytest.mark.parametrize("text", ["hello world\n", "naïve ☃ 😀 \U0010ffff\0", "a", "\ud800 lone"])
def test_text_goes_there_and_back(text: str) -> None:
    vocabulary = fn.data.fit_vocabulary(text)
    assert vocabulary.characters == "".join(sorted(set(text)))
    assert len(vocabulary) == len(set(text))
    tokens = vocabulary.encode(text)
    assert tokens.shape == (len(text),)
    assert [vocabulary.characters[token] for token in tokens] == list(text)
    assert vocabulary.decode(tokens) == text
    assert vocabulary.decode(vocabulary.encode("")) == ""
    assert fn.tree.paths(vocabulary) == (".codes",)


def test_unknown_characters_and_tokens_are_named() -> None:
    vocabulary = fn.data.fit_vocabulary("bcd")
    for character in "aez":
        with pytest.raises(ValueError, match=f"character '{character}' at position 2 is not among the 3"):
            vocabulary.encode("bc" + character)
    for token in (-1, 3):
        with pytest.raises(ValueError, match=rf"tokens\[1\] is {token}, expected a token in 0..2"):
            vocabulary.decode(np.array([0, token]))
    with pytest.raises(TypeError, match="expected integers"):
        vocabulary.decode(np.array([0.0]))
    with pytest.raises(ValueError, match="the text is empty"):
        fn.data.fit_vocabulary("")


@pytest.mark.parametrize(("count", "length", "stride"), [(10, 3, 1), (10, 3, 3), (10, 9, 1), (11, 2, 4), (4, 1, 2)])
def test_windows_and_what_comes_next(count: int, length: int, stride: int) -> None:
    tokens = np.arange(count) * 7
    inputs, targets = fn.data.windows(tokens, length, stride)
    starts = [start for start in range(0, count, stride) if start + length + 1 <= count]
    assert inputs.tolist() == [tokens[start : start + length].tolist() for start in starts]
    assert targets.tolist() == [tokens[start + 1 : start + length + 1].tolist() for start in starts]
    assert len(inputs) == (count - length - 1) // stride + 1
    assert np.shares_memory(inputs, tokens)
    assert not inputs.flags.writeable
    assert not targets.flags.writeable


def test_windows_make_batches_without_a_copy_of_all() -> None:
    pair = fn.data.windows(np.arange(1_000_000), 64)
    tracemalloc.start()
    try:
        inputs, targets = next(fn.data.batches(KEY, pair, 12))
        assert tracemalloc.get_traced_memory()[1] < 20_000_000  # the order of the rows; all windows would be 512 MB
    finally:
        tracemalloc.stop()
    assert inputs.shape == (12, 64)
    assert np.array_equal(inputs + 1, targets)


def test_wrong_windows() -> None:
    with pytest.raises(ValueError, match="3 tokens are too few for a window of 3"):
        fn.data.windows(np.arange(3), 3)
    with pytest.raises(ValueError, match="stride is 0"):
        fn.data.windows(np.arange(9), 3, 0)
    with pytest.raises(TypeError, match="expected integers"):
        fn.data.windows(np.zeros(9), 3)  # type: ignore[arg-type]  # wrong on purpose
