"""What the layers compute, against slow loops and closed forms, and the properties that they promise."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn.kernels import arrays
from funcnn.layer import AnyLayer
from funcnn.layers.normalization.batch_norm import RunningStatistics
from funcnn.typing import Array

TRAIN = fn.Train(fn.Key(0))


def numbers(*shape: int, seed: int = 0, scale: float = 1.0) -> Array:
    return np.random.default_rng(seed).normal(scale=scale, size=shape)


def output(layer: AnyLayer, x: Array) -> Array:
    """Return what a layer without parameters makes of x."""
    made: Array = fn.apply(layer, (), (), x)
    return made


# ------------------------------------------------------------------------------------------------- shapes and products


@pytest.mark.parametrize("shape", [(5, 4), (2, 3, 4), (2, 3, 2, 4)])
def test_linear_is_the_sum_over_features(shape: tuple[int, ...]) -> None:
    layer = fn.linear(3)
    start = layer.init(fn.Key(1), shape[1:])
    assert start.out_shape == (*shape[1:-1], 3)
    x, weight = numbers(*shape), start.params.weight
    expected = np.zeros((*shape[:-1], 3))
    for index in np.ndindex(*shape[:-1]):
        for o in range(3):
            expected[(*index, o)] = math.fsum(x[(*index, i)] * weight[i, o] for i in range(4))
    np.testing.assert_allclose(fn.apply(layer, start.params, (), x), expected, rtol=1e-14, atol=1e-15)


def test_linear_is_dense_with_a_bias_of_zero() -> None:
    linear, dense = fn.linear(3), fn.dense(3)
    x = numbers(5, 4)
    ours, theirs = linear.init(fn.Key(1), (4,)), dense.init(fn.Key(1), (4,))
    np.testing.assert_array_equal(fn.apply(linear, ours.params, (), x), fn.apply(dense, theirs.params, (), x))


def test_flatten_goes_row_by_row() -> None:
    x = numbers(2, 3, 4, 2)
    flat = output(fn.flatten(), x)
    assert fn.flatten().init(fn.Key(0), (3, 4, 2)).out_shape == (24,)
    for n, i, j, k in np.ndindex(*x.shape):
        assert flat[n, (i * 4 + j) * 2 + k] == x[n, i, j, k]
    np.testing.assert_array_equal(output(fn.flatten(), numbers(4)), numbers(4)[:, None])


@pytest.mark.parametrize(("shape", "expected"), [((4, 3), (4, 3)), ((2, -1), (2, 6)), ((-1,), (12,)), ((3, -1, 2), (3, 2, 2))])
def test_reshape(shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    layer = fn.reshape(shape)
    assert layer.init(fn.Key(0), (2, 6)).out_shape == expected
    x = numbers(5, 2, 6)
    y = output(layer, x)
    assert y.shape == (5, *expected)
    np.testing.assert_array_equal(y.ravel(), x.ravel())
    assert output(layer, x[:0]).shape == (0, *expected)


@pytest.mark.parametrize("make", [fn.identity, fn.flatten, lambda: fn.reshape((-1,)), lambda: fn.dropout(0.0)])
@pytest.mark.parametrize("mode", [TRAIN, fn.Eval()])
def test_results_share_no_memory_with_arguments(make: Callable[[], AnyLayer], mode: fn.Mode) -> None:
    layer, x = make(), numbers(3, 4)
    made = layer.forward((), (), x, mode)
    np.testing.assert_array_equal(made.output, x)
    dy = numbers(3, 4, seed=1)
    dx = layer.backward((), made.residuals, dy).input
    np.testing.assert_array_equal(dx, dy)
    assert not np.shares_memory(made.output, x)
    assert not np.shares_memory(dx, dy)


# ---------------------------------------------------------------------------------------------------------- activations


def erf_loop(x: Array) -> Array:
    return np.array([math.erf(one) for one in x.ravel()]).reshape(x.shape)


FORMULAS: dict[str, tuple[Callable[[], AnyLayer], Callable[[Array], Array]]] = {}  # item by item: all at once takes mypy seconds
FORMULAS["identity"] = fn.identity, lambda x: x
FORMULAS["relu"] = fn.relu, lambda x: np.array([max(one, 0.0) for one in x.ravel()]).reshape(x.shape)
FORMULAS["leaky_relu"] = fn.leaky_relu, lambda x: np.where(x > 0, x, 0.01 * x)
FORMULAS["leaky_relu 0"] = lambda: fn.leaky_relu(0), lambda x: np.where(x > 0, x, 0)
FORMULAS["leaky_relu 1"] = lambda: fn.leaky_relu(1), lambda x: x
FORMULAS["elu"] = fn.elu, lambda x: np.where(x > 0, x, np.exp(x) - 1)
FORMULAS["elu 2"] = lambda: fn.elu(2.0), lambda x: np.where(x > 0, x, 2 * (np.exp(x) - 1))
FORMULAS["tanh"] = fn.tanh, lambda x: (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x))
FORMULAS["sigmoid"] = fn.sigmoid, lambda x: 1 / (1 + np.exp(-x))
FORMULAS["softplus"] = fn.softplus, lambda x: np.log(1 + np.exp(x))
FORMULAS["silu"] = fn.silu, lambda x: x / (1 + np.exp(-x))
FORMULAS["gelu"] = fn.gelu, lambda x: x * (1 + erf_loop(x / math.sqrt(2))) / 2
FORMULAS["gelu approximate"] = (
    lambda: fn.gelu(approximate=True),
    lambda x: x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
)
FORMULAS["softmax"] = fn.softmax, lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True)
FORMULAS["softmax 1"] = lambda: fn.softmax(1), lambda x: np.exp(x) / np.exp(x).sum(1, keepdims=True)
FORMULAS["log_softmax"] = fn.log_softmax, lambda x: x - np.log(np.exp(x).sum(-1, keepdims=True))
FORMULAS["log_softmax 1"] = lambda: fn.log_softmax(1), lambda x: x - np.log(np.exp(x).sum(1, keepdims=True))
each_formula = pytest.mark.parametrize(("make", "formula"), FORMULAS.values(), ids=FORMULAS.keys())


@each_formula
def test_textbook_formula(make: Callable[[], AnyLayer], formula: Callable[[Array], Array]) -> None:
    x = numbers(4, 5, 3, scale=2.0)
    for mode in (TRAIN, fn.Eval(), fn.Eval(residuals=False)):
        np.testing.assert_allclose(make().forward((), (), x, mode).output, formula(x), rtol=1e-12, atol=1e-14)


@each_formula
def test_any_memory_layout_and_an_empty_batch(make: Callable[[], AnyLayer], formula: Callable[[Array], Array]) -> None:
    x = numbers(4, 5, 3)
    for view in (x[::2], x[::-1], x.transpose(0, 2, 1), np.asfortranarray(x), x[:, 1:4, :2], x[:0]):
        np.testing.assert_allclose(output(make(), view), formula(view), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "elu", "elu 2"])
def test_the_derivative_at_the_kink_is_the_left_one(name: str) -> None:
    layer = FORMULAS[name][0]()
    x = np.array([[0.0, -0.0]])
    dx = layer.backward((), layer.forward((), (), x, TRAIN).residuals, np.ones((1, 2))).input
    np.testing.assert_array_equal(dx, {"relu": 0, "leaky_relu": 0.01, "elu": 1, "elu 2": 2}[name])


def test_gelu_and_its_approximation_differ_by_less_than_documented() -> None:
    x = np.linspace(-6, 6, 2001)[None]
    assert 4e-4 < abs(output(fn.gelu(), x) - output(fn.gelu(approximate=True), x)).max() < 5e-4


@pytest.mark.parametrize("axis", [-1, 1, 2, -2])
def test_softmax_sums_to_one_along_its_axis(axis: int) -> None:
    x = numbers(6, 5, 4, scale=30.0)
    y = output(fn.softmax(axis), x)
    assert (y >= 0).all()
    np.testing.assert_allclose(y.sum(axis), 1, rtol=1e-14)
    np.testing.assert_allclose(output(fn.softmax(axis), x + 100.0), y, rtol=1e-12)
    np.testing.assert_allclose(np.exp(output(fn.log_softmax(axis), x)), y, rtol=1e-13)


def test_backward_without_residuals_says_what_to_do() -> None:
    layer, x = fn.tanh(), numbers(2, 3)
    made = layer.forward((), (), x, fn.Eval(residuals=False))
    with pytest.raises(ValueError, match="Eval\\(\\)"):
        layer.backward((), made.residuals, x)


# -------------------------------------------------------------------------------------------------------------- dropout


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dropout_drops_the_rate_and_scales_the_rest(rate: float, dtype: type[np.floating]) -> None:
    x = np.asarray(1 + numbers(200, 500) ** 2, dtype)
    layer = fn.dropout(rate)
    made = layer.forward((), (), x, TRAIN)
    dropped = made.output == 0
    assert abs(dropped.mean() - rate) < 5 * math.sqrt(rate * (1 - rate) / x.size)
    np.testing.assert_allclose(made.output[~dropped], x[~dropped] / (1 - rate), rtol=4 * float(np.finfo(dtype).eps))
    for axis in (0, 1):  # no row or column is favoured
        assert abs(dropped.mean(axis) - rate).max() < 6 * math.sqrt(rate * (1 - rate) / x.shape[axis])
    np.testing.assert_array_equal(layer.backward((), made.residuals, x).input, made.output)


def test_dropout_keeps_the_expectation() -> None:
    x = numbers(1, 50)
    layer = fn.dropout(0.3)
    mean = np.mean([layer.forward((), (), x, fn.Train(key)).output for key in fn.Key(9).split(4000)], axis=0)
    assert (abs(mean - x) < 5 * abs(x) * math.sqrt(0.3 / 0.7 / 4000)).all()


def test_dropout_depends_on_the_key_alone() -> None:
    layer, x = fn.dropout(0.5), np.ones((20, 20))
    same = [layer.forward((), (), x.astype(dtype), TRAIN).output for dtype in (np.float32, np.float64, np.longdouble)]
    assert all(np.array_equal(one, same[0]) for one in same)
    assert not np.array_equal(layer.forward((), (), x, fn.Train(fn.Key(1))).output, same[0])
    np.testing.assert_array_equal(output(layer, x), x)


def test_dropouts_of_one_chain_draw_different_masks() -> None:
    x = np.ones((20, 20))
    both = fn.dropout(0.5) >> fn.dropout(0.5)
    kept = both.forward(((), ()), ((), ()), x, TRAIN).output
    assert set(np.unique(kept)) == {0.0, 4.0}
    assert 0.15 < (kept != 0).mean() < 0.35  # a quarter: one mask for both would keep half


# -------------------------------------------------------------------------------------------------------- normalization


def norm_params(make: Callable[[], AnyLayer], features: int) -> tuple[Any, Any]:
    start = make().init(fn.Key(0), (features,))
    params = fn.tree.map(lambda leaf: leaf + numbers(features, seed=leaf.astype(int).max()), start.params)
    return params, start.state


@pytest.mark.parametrize("shape", [(6, 4), (2, 3, 4), (2, 3, 2, 4)])
def test_layer_norm_is_a_loop_over_examples(shape: tuple[int, ...]) -> None:
    layer = fn.layer_norm(eps=1e-3)
    params, _ = norm_params(fn.layer_norm, 4)
    x = 3 + 2 * numbers(*shape)
    y = fn.apply(layer, params, (), x)
    for index in np.ndindex(*shape[:-1]):
        row = x[index].tolist()
        mean = math.fsum(row) / 4
        var = math.fsum((one - mean) ** 2 for one in row) / 4
        for i in range(4):
            expected = (row[i] - mean) / math.sqrt(var + 1e-3) * params.scale[i] + params.shift[i]
            assert math.isclose(y[(*index, i)], expected, rel_tol=1e-12, abs_tol=1e-13)


@pytest.mark.parametrize("shape", [(6, 4), (2, 3, 4), (2, 3, 2, 4)])
def test_batch_norm_is_a_loop_over_features(shape: tuple[int, ...]) -> None:
    layer = fn.batch_norm(eps=1e-3)
    params, _ = norm_params(fn.batch_norm, 4)
    state = RunningStatistics(numbers(4, seed=5), 1 + numbers(4, seed=6) ** 2, np.asarray(3))
    x = 3 + 2 * numbers(*shape)
    made = layer.forward(params, state, x, TRAIN)
    fixed = layer.forward(params, state, x, fn.Eval())
    assert fn.tree.same(fixed.state, state)
    assert made.state.count == 4
    newest = 1 / (1 + 0.9 + 0.9**2 + 0.9**3)
    for i in range(4):
        column = x[..., i].ravel().tolist()
        count = len(column)
        mean = math.fsum(column) / count
        var = math.fsum((one - mean) ** 2 for one in column) / count
        trained, running = made.output[..., i].ravel(), fixed.output[..., i].ravel()
        for n, one in enumerate(column):
            expected = (one - mean) / math.sqrt(var + 1e-3) * params.scale[i] + params.shift[i]
            assert math.isclose(trained[n], expected, rel_tol=1e-12, abs_tol=1e-13)
            expected = (one - state.mean[i]) / math.sqrt(state.var[i] + 1e-3) * params.scale[i] + params.shift[i]
            assert math.isclose(running[n], expected, rel_tol=1e-12, abs_tol=1e-13)
        assert math.isclose(made.state.mean[i], (1 - newest) * state.mean[i] + newest * mean, rel_tol=1e-13)
        assert math.isclose(made.state.var[i], (1 - newest) * state.var[i] + newest * var * count / (count - 1), rel_tol=1e-13)


def test_batch_norm_without_momentum_averages_all_batches() -> None:
    layer = fn.batch_norm(momentum=None)
    start = layer.init(fn.Key(0), (3,))
    batches = [numbers(7, 3, seed=seed) for seed in range(5)]
    state = start.state
    for batch in batches:
        state = layer.forward(start.params, state, batch, TRAIN).state
    np.testing.assert_allclose(state.mean, np.mean([batch.mean(0) for batch in batches], axis=0), rtol=1e-13)
    np.testing.assert_allclose(state.var, np.mean([batch.var(0, ddof=1) for batch in batches], axis=0), rtol=1e-13)
    assert state.count == 5


@pytest.mark.parametrize("momentum", [1e-9, 0.1, 0.5, 1.0])
def test_running_statistics_are_a_weighted_average_of_the_batches_alone(momentum: float) -> None:
    layer = fn.batch_norm(momentum=momentum)
    start = layer.init(fn.Key(0), (3,))
    batches = [5 + 2 * numbers(7, 3, seed=seed) for seed in range(6)]
    state = start.state
    for seen, batch in enumerate(batches, 1):
        state = layer.forward(start.params, state, batch, TRAIN).state
        weights = [(1 - momentum) ** (seen - index) for index in range(1, seen + 1)]
        np.testing.assert_allclose(state.mean, np.average([one.mean(0) for one in batches[:seen]], axis=0, weights=weights))
        np.testing.assert_allclose(state.var, np.average([one.var(0, ddof=1) for one in batches[:seen]], axis=0, weights=weights))


@pytest.mark.parametrize("rows", [0, 1])
def test_batch_norm_of_too_few_rows_leaves_the_running_statistics(rows: int) -> None:
    layer = fn.batch_norm()
    params, state = norm_params(fn.batch_norm, 3)
    made = layer.forward(params, state, numbers(rows, 3), TRAIN)
    assert fn.tree.same(made.state, state)
    np.testing.assert_array_equal(made.output, np.broadcast_to(params.shift, (rows, 3)))
    pulled = layer.backward(params, made.residuals, np.ones((rows, 3)))
    assert not pulled.input.any()
    assert not pulled.params.scale.any()
    np.testing.assert_array_equal(pulled.params.shift, [rows] * 3)


def test_normalized_data_have_mean_0_and_variance_1() -> None:
    x = 50 + 7 * numbers(40, 30)
    for layer, axis in ((fn.layer_norm(eps=1e-12), 1), (fn.batch_norm(eps=1e-12), 0)):
        start = layer.init(fn.Key(0), (30,))
        y = layer.forward(start.params, start.state, x, TRAIN).output  # type: ignore[arg-type]  # of two kinds
        np.testing.assert_allclose(y.mean(axis), 0, atol=1e-14)
        np.testing.assert_allclose(y.var(axis), 1, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rows", [0, 1, 9])
def test_fast_sums_equal_the_plain_ones(dtype: type[np.floating], rows: int) -> None:
    x, y = (np.asarray(numbers(rows, 5, seed=seed), dtype) for seed in (1, 2))
    tolerance = 8 * float(np.finfo(dtype).eps)
    np.testing.assert_allclose(arrays.sum_axis0(x), x.sum(0), rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(arrays.sum_last(x), x.sum(-1), rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(arrays.dot_last(x, y), (x * y).sum(-1), rtol=tolerance, atol=tolerance)
    np.testing.assert_array_equal(arrays.positive_part(x), np.maximum(x, 0))
    np.testing.assert_array_equal(arrays.negative_part(x), np.minimum(x, 0))
    for fast in (arrays.sum_axis0(x), arrays.sum_last(x), arrays.dot_last(x, y)):
        assert fast.dtype == dtype


@pytest.mark.parametrize("shape", [(3000,), (1, 3000), (100, 50), (7, 20, 30), (400, 6), (10, 8, 8, 4)])
def test_parts_of_many_numbers(shape: tuple[int, ...]) -> None:
    x = numbers(*shape)
    for view in (x, x[::-1], np.asfortranarray(x)):
        np.testing.assert_array_equal(arrays.positive_part(view), np.maximum(view, 0))
        np.testing.assert_array_equal(arrays.negative_part(view), np.minimum(view, 0))


# --------------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: fn.linear(0), ValueError, "features"),
        (lambda: fn.linear(2.5), TypeError, "features"),  # type: ignore[arg-type]  # wrong on purpose
        (lambda: fn.linear(2).init(fn.Key(0), ()), ValueError, "features axis"),
        (lambda: fn.layer_norm().init(fn.Key(0), ()), ValueError, "features axis"),
        (lambda: fn.batch_norm().init(fn.Key(0), ()), ValueError, "features axis"),
        (lambda: fn.reshape(6), TypeError, "tuple"),  # type: ignore[arg-type]  # wrong on purpose
        (lambda: fn.reshape((2, 1.5)), TypeError, "integers"),  # type: ignore[arg-type]  # wrong on purpose
        (lambda: fn.reshape((2, 0)), ValueError, "at least 1"),
        (lambda: fn.reshape((-1, -1)), ValueError, "one -1"),
        (lambda: fn.reshape((4,)).init(fn.Key(0), (2, 3)), ValueError, "holds 6 numbers"),
        (lambda: fn.reshape((4, -1)).init(fn.Key(0), (2, 3)), ValueError, "holds 6 numbers"),
        (lambda: output(fn.reshape((4,)), numbers(2, 3)), ValueError, "holds 3 numbers"),
        (lambda: fn.dropout(1.0), ValueError, "rate"),
        (lambda: fn.dropout(-0.1), ValueError, "rate"),
        (lambda: fn.dropout(float("nan")), ValueError, "rate"),
        (lambda: fn.dropout("0.5"), TypeError, "rate"),  # type: ignore[arg-type]  # wrong on purpose
        (lambda: fn.layer_norm(eps=0), ValueError, "eps"),
        (lambda: fn.batch_norm(eps=-1e-5), ValueError, "eps"),
        (lambda: fn.batch_norm(momentum=0), ValueError, "momentum"),
        (lambda: fn.batch_norm(momentum=1.5), ValueError, "momentum"),
        (lambda: fn.leaky_relu(1.5), ValueError, "negative_slope"),
        (lambda: fn.leaky_relu(-0.1), ValueError, "negative_slope"),
        (lambda: fn.elu(0), ValueError, "alpha"),
        (lambda: fn.elu(float("inf")), ValueError, "alpha"),
        (lambda: fn.softmax(0), ValueError, "batch axis"),
        (lambda: fn.log_softmax(1.0), TypeError, "axis"),  # type: ignore[arg-type]  # wrong on purpose
        (lambda: fn.softmax(3).init(fn.Key(0), (4, 5)), ValueError, "from -2 to 2"),
        (lambda: fn.softmax(-3).init(fn.Key(0), (4, 5)), ValueError, "from -2 to 2"),
        (lambda: output(fn.relu(), np.arange(3)), TypeError, "int64"),  # type: ignore[arg-type]  # wrong on purpose
        (lambda: output(fn.tanh(), [[1.0]]), TypeError, "list"),  # type: ignore[arg-type]  # wrong on purpose
        (lambda: output(fn.dropout(0.5), np.array([[True]])), TypeError, "bool"),
        (lambda: output(fn.softmax(), numbers(3)), ValueError, "2 axes"),
    ],
)
def test_wrong_settings_and_inputs_are_refused(call: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("make", [lambda: fn.linear(2), fn.layer_norm, fn.batch_norm])
def test_wrong_features_and_precision_are_refused(make: Callable[[], AnyLayer]) -> None:
    layer = make()
    start = layer.init(fn.Key(0), (4,))
    with pytest.raises(ValueError, match="3 long, expected 4"):
        fn.apply(layer, start.params, start.state, numbers(2, 3))
    with pytest.raises(ValueError, match="batch first"):
        fn.apply(layer, start.params, start.state, numbers(4))
    params, state = fn.tree.astype((start.params, start.state), np.float32)
    with pytest.raises(TypeError, match="float64"):
        fn.apply(layer, params, state, numbers(2, 4))
