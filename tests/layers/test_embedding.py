"""Embeddings and positions, against slow loops."""

import math
from collections.abc import Callable
from typing import Any

import mpmath
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
    made = sinusoids(0, 7, features, np.dtype(np.float64))
    for t in range(7):
        for k in range(features):
            angle = t / 10000 ** ((k - k % 2) / features)
            assert math.isclose(made[t, k], math.cos(angle) if k % 2 else math.sin(angle), rel_tol=1e-12, abs_tol=1e-15)


def test_positions_are_added() -> None:
    x = np.random.default_rng(1).normal(size=(2, 3, 4))
    learned = fn.learned_positions(5)
    params = learned.init(fn.Key(0), (3, 4)).params
    np.testing.assert_array_equal(fn.apply(learned, params, (), x), x + np.stack([params.table[:3]] * 2))
    np.testing.assert_array_equal(
        fn.apply(fn.sinusoidal_positions(), (), (), x), x + np.stack([sinusoids(0, 3, 4, np.dtype(np.float64))] * 2)
    )


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


@pytest.mark.parametrize("kind", [fn.learned_positions, fn.sinusoidal_positions])
def test_a_sequence_that_goes_on_has_the_positions_of_the_whole(kind: Any) -> None:
    x = np.random.default_rng(0).normal(size=(2, 7, 4))
    whole, later = kind(9), kind(9, start=3)
    params = whole.init(fn.Key(0), (7, 4)).params
    np.testing.assert_array_equal(fn.apply(later, params, (), x[:, 3:]), fn.apply(whole, params, (), x)[:, 3:])
    with pytest.raises(ValueError, match="7 steps from position 3 on and there are 9 positions"):
        fn.apply(later, params, (), x)
    with pytest.raises(ValueError, match="7 steps from position 3 on"):
        later.init(fn.Key(0), (7, 4))
    with pytest.raises(ValueError, match="start is 10"):
        kind(9, start=10)


def test_the_positions_of_long_doubles_are_as_precise_as_they() -> None:
    mpmath.mp.dps = 30
    x = np.zeros((1, 5, 6), np.longdouble)
    scaled = fn.YarnScaling(2.0, 64), fn.NTKScaling(2.0), fn.Llama3Scaling(2.0, 64), fn.LinearScaling(3.0)
    step, eps = 5000, float(np.finfo(np.longdouble).eps)
    made = fn.apply(fn.sinusoidal_positions(start=step), (), (), x)[0, 4]
    for i in range(3):
        angle = (step + 4) * mpmath.mpf(10000) ** (-mpmath.mpf(2 * i) / 6)
        assert abs(mpmath.mpf(repr(made[2 * i]).split("'")[1]) - mpmath.sin(angle)) < 2 * step * eps
    turned = fn.apply(fn.rotary_positions(start=step), (), (), x + 1)[0, 4]
    for i in range(3):
        angle = (step + 4) * mpmath.mpf(10000) ** (-mpmath.mpf(2 * i) / 6)
        expected = mpmath.cos(angle) - mpmath.sin(angle)
        assert abs(mpmath.mpf(repr(turned[i]).split("'")[1]) - expected) < 4 * step * eps
    for scaling in scaled:
        wide, narrow = (fn.Rotary(scaling=scaling).frequencies(6, kind) for kind in (np.longdouble, np.float64))
        assert wide.dtype == np.longdouble
        assert 0 < abs(wide - narrow).max() < 1e-15


def test_a_weighted_bag_is_a_loop_over_places() -> None:
    layer = fn.weighted_embedding_bag(5, 3, padding_index=1)
    generator = np.random.default_rng(0)
    indices, weights = generator.integers(0, 5, (4, 6)), generator.normal(size=(4, 6))
    indices[0] = 1
    params = table(5, 3)
    made = layer.forward(params, (), (indices, weights), fn.Eval())
    dy = generator.normal(size=(4, 3))
    pulled = layer.backward(params, made.residuals, dy)
    dtable = np.zeros((5, 3))
    for n in range(4):
        expected = np.zeros(3)
        for t in range(6):
            v = indices[n, t]
            if v == 1:
                assert pulled.input[1][n, t] == 0
                continue
            expected += weights[n, t] * params.table[v]
            dtable[v] += weights[n, t] * dy[n]
            assert math.isclose(pulled.input[1][n, t], float(params.table[v] @ dy[n]), rel_tol=1e-12, abs_tol=1e-14)
        np.testing.assert_allclose(made.output[n], expected, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(pulled.params.table, dtable, rtol=1e-12, atol=1e-14)


def test_weights_of_one_give_the_sum_and_padding_is_never_read() -> None:
    indices, ones = np.array([[0, 2, 4, 4]]), np.ones((1, 4))
    params = table(5, 3)
    plain, weighted = fn.embedding_bag(5, 3, "sum"), fn.weighted_embedding_bag(5, 3)
    np.testing.assert_allclose(
        fn.apply(weighted, params, (), (indices, ones)), fn.apply(plain, params, (), indices), rtol=1e-14, atol=0.0
    )
    masked = fn.weighted_embedding_bag(5, 3, padding_index=4)
    spoiled = np.where(indices == 4, np.nan, 1.0)
    assert np.isfinite(fn.apply(masked, params, (), (indices, spoiled))).all()


def test_bags_and_weights_that_do_not_fit_are_refused() -> None:
    params = table(5, 3)
    layer: Any = fn.weighted_embedding_bag(5, 3)
    with pytest.raises(ValueError, match=r"expected \(t,\) and \(t,\)"):
        fn.apply(layer, params, (), (np.zeros((2, 3), int), np.ones((2, 4))))
    with pytest.raises(ValueError, match="2 bags of indices and 1 of weights"):
        fn.apply(layer, params, (), (np.zeros((2, 3), int), np.ones((1, 3))))
    with pytest.raises(TypeError, match="expected a pair"):
        fn.apply(layer, params, (), np.zeros((2, 3), int))


def test_rows_of_a_table_stay_short_by_a_projection() -> None:
    layer = fn.embedding_bag(5, 3, "sum")
    optimizer = fn.projected(fn.sgd(10.0), fn.projections.max_norm(1.0, axis=1), where="table")
    params = table(5, 3)
    step = fn.loss_and_grad(layer, fn.mean_squared_error())
    made = step(params, (), np.array([[0, 1], [2, 2]]), np.ones((2, 3)), fn.Eval())
    updated = optimizer.update(params, made.grads, optimizer.init(params))
    assert (np.linalg.norm(updated.params.table, axis=1) <= 1 + 1e-12).all()


@pytest.mark.parametrize("dtype", [np.int32, np.uint8, np.int64, np.float32, np.float64])
def test_bags_that_lie_one_after_another(dtype: Any) -> None:
    generator = np.random.default_rng(0)
    for _ in range(20):
        offsets = np.array([0, *np.sort(generator.integers(0, 10, 3))])
        values = generator.integers(0, 9, 9).astype(dtype)
        made = fn.bags_from_offsets(values, offsets, 9)
        bags = [values[first:last].tolist() for first, last in zip(offsets, [*offsets[1:], 9], strict=True)]
        longest = max(map(len, bags))
        assert made.tolist() == [bag + [9] * (longest - len(bag)) for bag in bags]
        assert made.dtype == dtype


def test_bags_without_an_entry_are_filled() -> None:
    empty = fn.bags_from_offsets(np.zeros(0, int), np.array([0, 0]), 3)
    np.testing.assert_array_equal(empty, [[3], [3]])
    layer = fn.embedding_bag(4, 2, padding_index=3)
    assert not fn.apply(layer, layer.init(fn.Key(0), (1,)).params, (), empty).any()
    assert fn.bags_from_offsets(np.zeros(0, int), np.zeros(0, int), 3).shape == (0, 1)


@pytest.mark.parametrize(
    ("values", "offsets", "fill", "error", "message"),
    [
        (np.arange(4), np.array([1, 2]), 0, ValueError, r"offsets\[0\] is 1, expected 0"),
        (np.arange(4), np.array([0, 3, 2]), 0, ValueError, r"offsets\[1\] is 3, expected no more than 2"),
        (np.arange(4), np.array([0, 5]), 0, ValueError, r"offsets\[1\] is 5, expected no more than 4"),
        (np.arange(4), np.zeros(0, int), 0, ValueError, "offsets is empty"),
        (np.arange(4), np.array([0.0]), 0, TypeError, "offsets is"),
        (np.arange(4).reshape(2, 2), np.array([0]), 0, TypeError, "values is"),
        (np.arange(4), np.array([0]), 0.5, TypeError, "fill is 0.5"),
        (np.arange(4, dtype=np.uint8), np.array([0]), 256, ValueError, "fill is 256"),
        (np.ones(4, np.float32), np.array([0]), 1e39, ValueError, "fill is 1e"),
    ],
)
def test_bags_that_are_none(values: Any, offsets: Any, fill: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        fn.bags_from_offsets(values, offsets, fill)
