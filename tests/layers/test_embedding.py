"""Embeddings and positions, against slow loops."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn.kernels.scatter import scatter_rows
from funcnn.layers.embedding.embedding import EmbeddingParams
from funcnn.layers.embedding.positions import sinusoids
from funcnn.typing import IntArray


def table(rows: int, features: int) -> EmbeddingParams:
    return EmbeddingParams(np.random.default_rng(3).normal(size=(rows, features)))


def tokens(count: int, *shape: int) -> IntArray:
    return np.random.default_rng(4).integers(0, count, size=shape)


@pytest.mark.parametrize("shape", [(6,), (2, 3), (2, 3, 4)])
def test_embedding_looks_up_each_index(shape: tuple[int, ...]) -> None:
    params, x = table(5, 3), tokens(5, *shape)
    layer = fn.embedding(5, 3)
    assert layer.init(fn.Key(0), shape[1:]).out_shape == (*shape[1:], 3)
    y = fn.apply(layer, params, (), x)
    padded = fn.apply(fn.embedding(5, 3, padding_index=2), params, (), x)
    for place in np.ndindex(*shape):
        assert y[place].tolist() == params.table[x[place]].tolist()
        assert padded[place].tolist() == ([0.0] * 3 if x[place] == 2 else y[place].tolist())


def test_a_masked_embedding_hides_the_padding_index() -> None:
    x = np.array([[1, 2, 0], [0, 0, 0]])
    y = fn.apply(fn.embedding(3, 2, padding_index=0, masked=True), table(3, 2), (), x)
    assert y.mask.tolist() == [[True, True, False], [False] * 3]
    assert not y.values[~y.mask].any()


@pytest.mark.parametrize("count", [0, 1, 2, 7, 1000])
@pytest.mark.parametrize("kinds", [1, 3, 40])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble])
def test_rows_of_one_index_are_summed(count: int, kinds: int, dtype: Any) -> None:
    generator = np.random.default_rng(5)
    indices, rows = generator.integers(0, kinds, size=count), generator.normal(size=(count, 3)).astype(dtype)
    expected = np.zeros((kinds + 1, 3), dtype)
    for index, row in zip(indices, rows, strict=True):
        expected[index] += row
    summed = scatter_rows(indices, rows, kinds + 1)
    assert summed.dtype == dtype
    np.testing.assert_allclose(
        summed, expected, rtol=1e-5 if dtype is np.float32 else 1e-12, atol=1e-4 if dtype is np.float32 else 1e-12
    )


@pytest.mark.parametrize("reduction", ["sum", "mean", "max"])
@pytest.mark.parametrize("padding", [None, 1])
def test_embedding_bag_is_a_loop_over_bags(reduction: Any, padding: int | None) -> None:
    params, x = table(4, 3), tokens(4, 6, 5)
    x[0] = 1
    y = fn.apply(fn.embedding_bag(4, 3, reduction, padding_index=padding), params, (), x)
    for n, bag in enumerate(x):
        vectors = [params.table[v] for v in bag if v != padding]
        for k in range(3):
            entries = [float(vector[k]) for vector in vectors] or [0.0]
            expected = {"sum": math.fsum(entries), "mean": math.fsum(entries) / len(entries), "max": max(entries)}[reduction]
            assert math.isclose(y[n, k], expected, rel_tol=1e-12, abs_tol=1e-14)


@pytest.mark.parametrize("features", [1, 4, 5])
def test_sinusoids_are_those_of_the_paper(features: int) -> None:
    made = sinusoids(7, features)
    for t in range(7):
        for k in range(features):
            angle = t / 10000 ** ((k - k % 2) / features)
            assert math.isclose(made[t, k], math.cos(angle) if k % 2 else math.sin(angle), rel_tol=1e-12, abs_tol=1e-15)


def test_positions_are_added() -> None:
    x = np.random.default_rng(1).normal(size=(2, 3, 4))
    learned = fn.learned_positions(5)
    params = learned.init(fn.Key(0), (3, 4)).params
    np.testing.assert_array_equal(fn.apply(learned, params, (), x), x + np.stack([params.table[:3]] * 2))
    np.testing.assert_array_equal(fn.apply(fn.sinusoidal_positions(), (), (), x), x + np.stack([sinusoids(3, 4)] * 2))


PARAMS = table(4, 2)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: fn.embedding(0, 2), ValueError, "vocabulary"),
        (lambda: fn.embedding(4, 2.0), TypeError, "features"),  # type: ignore[call-overload]  # wrong on purpose
        (lambda: fn.embedding(4, 2, padding_index=4), ValueError, "padding_index is 4, expected at least 0 and at most 3"),
        (lambda: fn.embedding(4, 2, padding_index=True), TypeError, "padding_index"),
        (lambda: fn.embedding(4, 2, masked=True), ValueError, "padding_index"),  # type: ignore[call-overload]  # wrong on purpose
        (lambda: fn.apply(fn.embedding(4, 2), PARAMS, (), np.array([[0, 1], [4, -1]])), ValueError, r"is 4 at place \[1, 0\]"),
        (lambda: fn.apply(fn.embedding(4, 2), PARAMS, (), np.array([0, -1])), ValueError, r"-1 at place \[1\].* 0\.\.3"),
        (lambda: fn.apply(fn.embedding(4, 2), PARAMS, (), np.array([0.0])), TypeError, "integers"),
        (lambda: fn.apply(fn.embedding(4, 2), PARAMS, (), np.array(1)), ValueError, "batch axis"),
        (lambda: fn.embedding_bag(4, 2, "median"), ValueError, "reduction"),  # type: ignore[arg-type]  # wrong on purpose
        (lambda: fn.embedding_bag(4, 2).init(fn.Key(0), (2, 3)), ValueError, "one bag"),
        (lambda: fn.apply(fn.embedding_bag(4, 2), PARAMS, (), np.array([1])), ValueError, "batch, t"),
        (lambda: fn.learned_positions(0), ValueError, "max_length"),
        (lambda: fn.learned_positions(3).init(fn.Key(0), (4, 2)), ValueError, "4 steps and there are 3 positions"),
        (lambda: fn.learned_positions(3).init(fn.Key(0), (4,)), ValueError, "time, features"),
        (lambda: fn.apply(fn.sinusoidal_positions(3), (), (), np.zeros((1, 4, 2))), ValueError, "4 steps and there are 3"),
        (lambda: fn.apply(fn.sinusoidal_positions(3), (), (), np.zeros((1, 1, 4, 2))), ValueError, "batch, time, features"),
    ],
)
def test_wrong_settings_and_inputs_are_refused(call: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_a_sequence_longer_than_its_positions_is_refused_in_forward() -> None:
    layer = fn.learned_positions(3)
    params = layer.init(fn.Key(0), (3, 2)).params
    with pytest.raises(ValueError, match="5 steps and there are 3"):
        fn.apply(layer, params, (), np.zeros((1, 5, 2)))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("reduction", ["sum", "mean", "max"])
def test_what_stands_in_the_padding_row_counts_for_nothing(reduction: Any, bad: float) -> None:
    layer = fn.embedding_bag(4, 1, reduction, padding_index=0)
    x = np.array([[0, 1, 2], [3, 0, 0], [0, 0, 0], [0, 3, 3]])
    made = []
    for padding in (0.0, bad):
        params = type(layer.init(fn.Key(0), (3,)).params)(np.array([[padding], [-1.0], [-3.0], [-2.0]]))
        forward = layer.forward(params, (), x, fn.Eval())
        made.append((forward.output, layer.backward(params, forward.residuals, np.ones((4, 1))).params.table))
    np.testing.assert_array_equal(made[0][0], made[1][0])
    np.testing.assert_array_equal(made[0][1], made[1][1])
    np.testing.assert_array_equal(
        made[0][0].ravel(), {"sum": [-4, -2, 0, -4], "mean": [-2, -2, 0, -2], "max": [-1, -2, 0, -2]}[reduction]
    )


def test_the_largest_of_a_bag_may_be_minus_infinity() -> None:
    layer = fn.embedding_bag(3, 2, "max", padding_index=0)
    params = type(layer.init(fn.Key(0), (3,)).params)(np.array([[9.0, 9], [-np.inf, 1], [-np.inf, -np.inf]]))
    made = layer.forward(params, (), np.array([[0, 1, 2]]), fn.Eval())
    np.testing.assert_array_equal(made.output, [[-np.inf, 1]])
    np.testing.assert_array_equal(layer.backward(params, made.residuals, np.ones((1, 2))).params.table, [[0, 0], [1, 1], [0, 0]])
