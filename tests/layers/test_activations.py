"""What the activations compute, against loops over single numbers, at their corners, and with wrong arguments."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn.layer import AnyLayer, Mode
from funcnn.layers.activations.prelu import PReLUParams
from funcnn.layers.linear.maxout import MaxoutParams
from funcnn.typing import Array

TRAIN = fn.Train(fn.Key(0))


def numbers(*shape: int, seed: int = 0, scale: float = 2.0) -> Array:
    return np.random.default_rng(seed).normal(scale=scale, size=shape)


def output(layer: AnyLayer, x: Array) -> Array:
    """Return what a layer without parameters makes of x."""
    made: Array = fn.apply(layer, (), (), x)
    return made


def logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def normal_below(x: float) -> float:
    return (1 + math.erf(x / math.sqrt(2))) / 2


def selu(x: float) -> float:
    alpha, scale = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946  # as printed by the paper's authors
    return scale * x if x > 0 else scale * alpha * (math.exp(x) - 1)


FORMULAS: dict[str, tuple[Callable[[], AnyLayer], Callable[[float], float]]] = {
    "relu6": (fn.relu6, lambda x: min(max(0.0, x), 6.0)),
    "hard_tanh": (fn.hard_tanh, lambda x: -1 if x < -1 else 1 if x > 1 else x),
    "hard_tanh 0.25 to 2": (lambda: fn.hard_tanh(0.25, 2), lambda x: 0.25 if x < 0.25 else 2 if x > 2 else x),
    "hard_sigmoid": (fn.hard_sigmoid, lambda x: 0 if x < -3 else 1 if x > 3 else x / 6 + 0.5),
    "hard_swish": (fn.hard_swish, lambda x: 0 if x < -3 else x if x > 3 else x * (x + 3) / 6),
    "softplus 2.5": (lambda: fn.softplus(2.5), lambda x: math.log(1 + math.exp(2.5 * x)) / 2.5),
    "silu 2.5": (lambda: fn.silu(2.5), lambda x: x * logistic(2.5 * x)),
    "quick_gelu": (fn.quick_gelu, lambda x: x * logistic(1.702 * x)),
    "sine": (lambda: fn.sine(3.0), lambda x: math.sin(3 * x)),
    "snake": (lambda: fn.snake(3.0), lambda x: x + math.sin(3 * x) ** 2 / 3),
    "relu_squared": (fn.relu_squared, lambda x: max(x, 0.0) ** 2),
    "celu": (fn.celu, lambda x: x if x > 0 else math.exp(x) - 1),
    "celu 1.5": (lambda: fn.celu(1.5), lambda x: x if x > 0 else 1.5 * (math.exp(x / 1.5) - 1)),
    "selu": (fn.selu, selu),
    "mish": (fn.mish, lambda x: x * math.tanh(math.log(1 + math.exp(x)))),
    "log_sigmoid": (fn.log_sigmoid, lambda x: math.log(logistic(x))),
    "softsign": (fn.softsign, lambda x: x / (1 + abs(x))),
    "squareplus": (fn.squareplus, lambda x: (x + math.sqrt(x * x + 4)) / 2),
    "squareplus 0.1": (lambda: fn.squareplus(0.1), lambda x: (x + math.sqrt(x * x + 0.1)) / 2),
    "softshrink": (fn.softshrink, lambda x: math.copysign(max(abs(x) - 0.5, 0), x)),
    "softshrink 2": (lambda: fn.softshrink(2), lambda x: math.copysign(max(abs(x) - 2, 0), x)),
    "hardshrink": (fn.hardshrink, lambda x: x if abs(x) > 0.5 else 0),
    "hardshrink 2": (lambda: fn.hardshrink(2), lambda x: x if abs(x) > 2 else 0),
    "tanhshrink": (fn.tanhshrink, lambda x: x - math.tanh(x)),
    "threshold": (lambda: fn.threshold(0.3, -7), lambda x: x if x > 0.3 else -7),
    "exponential": (fn.exponential, math.exp),
    "log_cosh": (fn.log_cosh, lambda x: math.log(math.cosh(x))),
    "rrelu": (lambda: fn.rrelu(0.2, 0.4), lambda x: x if x > 0 else 0.3 * x),
    "rrelu as usual": (fn.rrelu, lambda x: x if x > 0 else x * 11 / 48),
}
each_formula = pytest.mark.parametrize(("make", "formula"), FORMULAS.values(), ids=FORMULAS.keys())


def by_loop(formula: Callable[[float], float], x: Array) -> Array:
    return np.array([formula(one) for one in x.ravel().tolist()]).reshape(x.shape)


@each_formula
def test_textbook_formula(make: Callable[[], AnyLayer], formula: Callable[[float], float]) -> None:
    x = numbers(4, 5, 3)
    plain: list[Mode] = [fn.Eval(), fn.Eval(residuals=False)]
    for mode in plain if make().random else [*plain, TRAIN]:
        np.testing.assert_allclose(make().forward((), (), x, mode).output, by_loop(formula, x), rtol=1e-11, atol=1e-14)


@each_formula
def test_any_memory_layout_and_an_empty_batch(make: Callable[[], AnyLayer], formula: Callable[[float], float]) -> None:
    x = numbers(4, 5, 3)
    for view in (x[::2], x[::-1], x.transpose(0, 2, 1), np.asfortranarray(x), x[:, 1:4, :2], x[:0]):
        np.testing.assert_allclose(output(make(), view), by_loop(formula, view), rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize(
    ("layer", "points", "slopes"),
    [
        (fn.relu6(), [0, 6], [0, 0]),
        (fn.hard_tanh(), [-1, 1], [0, 0]),
        (fn.hard_sigmoid(), [-3, 3], [0, 0]),
        (fn.hard_swish(), [-3, 3], [0, 1]),
        (fn.celu(0.5), [0, -0.0], [1, 1]),
        (fn.selu(), [0], [1.0507009873554805 * 1.6732632423543772]),
        (fn.rrelu(0.2, 0.2), [0], [0.2]),
        (fn.softsign(), [0], [1]),
        (fn.squareplus(), [0], [0.5]),
        (fn.softshrink(), [-0.5, 0, 0.5], [0, 0, 0]),
        (fn.hardshrink(), [-0.5, 0, 0.5], [0, 0, 0]),
        (fn.threshold(0.3, 0.3), [0.3], [0]),
        (fn.log_cosh(), [0], [0]),
        (fn.log_cosh(), [-1, 1], [-math.tanh(1), math.tanh(1)]),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_the_derivative_at_a_corner_is_the_documented_one(layer: AnyLayer, points: list[float], slopes: list[float]) -> None:
    x = np.array([points], float)
    dx = layer.backward((), layer.forward((), (), x, TRAIN).residuals, np.ones_like(x)).input
    np.testing.assert_allclose(dx[0], slopes, rtol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "make",
    [fn.softsign, fn.squareplus, fn.log_cosh, fn.hard_swish, fn.tanhshrink, fn.mish, fn.quick_gelu, lambda: fn.softplus(3.0)],
)
def test_the_largest_numbers_do_not_overflow(make: Callable[[], AnyLayer], dtype: type[np.floating]) -> None:
    x = np.array([[1.0, -1.0]], dtype) * np.finfo(dtype).max / 4
    made = make().forward((), (), x, TRAIN)
    assert np.isfinite(made.output).all()
    assert np.isfinite(make().backward((), made.residuals, np.ones_like(x)).input).all()


def test_the_exponential_overflows_to_infinity_with_a_warning() -> None:
    with pytest.warns(RuntimeWarning, match="overflow"):
        assert output(fn.exponential(), np.array([[1000.0]])) == np.inf


def test_selu_keeps_mean_0_and_variance_1() -> None:
    """The fixed point of the paper, by the midpoint rule: mean 0 and mean square 1 of selu of a standard normal number."""
    x = np.linspace(-12, 12, 240_001)
    weight = np.exp(-x * x / 2) / math.sqrt(2 * math.pi) * (x[1] - x[0])
    y = output(fn.selu(), x[None])[0]
    assert abs((weight * y).sum()) < 1e-9
    assert abs((weight * y * y).sum() - 1) < 1e-9


# ------------------------------------------------------------------------------------------------------------ rectifiers


@pytest.mark.parametrize("shape", [(6, 3), (2, 4, 3)])
@pytest.mark.parametrize("shared", [False, True])
def test_prelu_has_a_slope_for_each_channel_or_one(shape: tuple[int, ...], shared: bool) -> None:
    layer = fn.prelu(0.1, shared=shared)
    start = layer.init(fn.Key(0), shape[1:])
    assert start.out_shape == shape[1:]
    np.testing.assert_array_equal(start.params.slope, [0.1] if shared else [0.1] * 3)
    slopes = [1.7] if shared else [0.3, -0.4, 1.5]
    x = numbers(*shape)
    y = fn.apply(layer, PReLUParams(np.array(slopes)), (), x)
    for index in np.ndindex(*shape):
        slope = slopes[0] if shared else slopes[index[-1]]
        assert y[index] == (x[index] if x[index] > 0 else slope * x[index])


def test_rrelu_draws_its_slopes_from_the_key() -> None:
    layer, x = fn.rrelu(0.2, 0.6), -np.ones((100, 100))
    slopes = -layer.forward((), (), x, TRAIN).output
    assert 0.2 <= slopes.min() < 0.201
    assert 0.599 < slopes.max() <= 0.6
    assert abs(slopes.mean() - 0.4) < 5 * 0.4 / math.sqrt(12 * x.size)
    assert abs(slopes.var() - 0.4**2 / 12) < 2e-4
    for dtype in (np.float32, np.longdouble):
        np.testing.assert_allclose(layer.forward((), (), x.astype(dtype), TRAIN).output, -slopes, rtol=1e-6)  # float32
    assert not np.array_equal(layer.forward((), (), x, fn.Train(fn.Key(1))).output, -slopes)
    np.testing.assert_array_equal(layer.forward((), (), -x, TRAIN).output, -x)


# --------------------------------------------------------------------------------------------------- softmax's relatives


@pytest.mark.parametrize("axis", [-1, 1, 2, -2])
def test_softmin_is_the_softmax_of_the_negative(axis: int) -> None:
    x = numbers(6, 5, 4)
    np.testing.assert_allclose(output(fn.softmin(axis), x), np.exp(-x) / np.exp(-x).sum(axis, keepdims=True), rtol=1e-13)


def nearest_on_the_simplex(x: list[float]) -> list[float]:
    """Return max(x - tau, 0) with the tau, found by bisection, for which it sums to 1."""
    low, high = min(x) - 1, max(x)
    for _ in range(200):
        middle = (low + high) / 2
        if sum(max(one - middle, 0) for one in x) > 1:
            low = middle
        else:
            high = middle
    return [max(one - low, 0) for one in x]


@pytest.mark.parametrize("scale", [0.1, 1.0, 30.0])
def test_sparsemax_is_the_nearest_point_of_the_simplex(scale: float) -> None:
    x = numbers(6, 7, scale=scale)
    expected = [nearest_on_the_simplex(row) for row in x.tolist()]
    np.testing.assert_allclose(output(fn.sparsemax(), x), expected, atol=1e-13)
    np.testing.assert_allclose(output(fn.sparsemax(), x + 1e3), expected, atol=1e-12)
    across = np.repeat(x[:, :, None], 2, axis=2)
    np.testing.assert_array_equal(output(fn.sparsemax(1), across)[:, :, 1], output(fn.sparsemax(), x))
    np.testing.assert_array_equal(output(fn.sparsemax(-2), across), output(fn.sparsemax(1), across))


def test_sparsemax_of_ties_infinities_and_nan() -> None:
    layer = fn.sparsemax()
    x = np.array([[2.0, 2, 2, 2], [1, 0, 0, 0], [-np.inf, 0.5, 0, -np.inf], [1e30, 1e30, -1e30, 0]])
    expected = [[0.25] * 4, [1, 0, 0, 0], [0, 0.75, 0.25, 0], [0.5, 0.5, 0, 0]]
    made = layer.forward((), (), x, TRAIN)
    np.testing.assert_array_equal(made.output, expected)
    dx = layer.backward((), made.residuals, np.array([[1.0, 2, 3, 6]] * 4)).input
    np.testing.assert_array_equal(dx, [[-2, -1, 0, 3], [0, 0, 0, 0], [0, -0.5, 0.5, 0], [-0.5, 0.5, 0, 0]])
    assert np.isnan(output(layer, np.array([[1.0, np.nan, 0.0]]))).all()
    assert output(layer, np.array([[1.0, 0.5]], np.float32)).dtype == np.float32


# -------------------------------------------------------------------------------------------------------- gates, maxout

GATES: dict[str, tuple[Callable[[], AnyLayer], Callable[[float], float]]] = {
    "glu": (fn.glu, logistic),
    "swiglu": (fn.swiglu, lambda x: x * logistic(x)),
    "geglu": (fn.geglu, lambda x: x * normal_below(x)),
    "reglu": (fn.reglu, lambda x: max(x, 0.0)),
}


@pytest.mark.parametrize(("make", "gate"), GATES.values(), ids=GATES.keys())
def test_gates_multiply_the_first_half_by_the_gated_second(make: Callable[[], AnyLayer], gate: Callable[[float], float]) -> None:
    layer, x = make(), numbers(2, 3, 8)
    assert layer.init(fn.Key(0), (3, 8)).out_shape == (3, 4)
    for mode in (TRAIN, fn.Eval(residuals=False)):
        y = layer.forward((), (), x, mode).output
        for n, t, c in np.ndindex(2, 3, 4):
            assert math.isclose(y[n, t, c], x[n, t, c] * gate(float(x[n, t, 4 + c])), rel_tol=1e-12, abs_tol=1e-15)
    with pytest.raises(ValueError, match="Eval\\(\\)"):
        layer.backward((), layer.forward((), (), x, fn.Eval(residuals=False)).residuals, y)


@pytest.mark.parametrize("shape", [(6, 3), (2, 4, 3)])
def test_maxout_is_the_largest_of_its_maps(shape: tuple[int, ...]) -> None:
    layer = fn.maxout(2, 4)
    start = layer.init(fn.Key(0), shape[1:])
    assert start.out_shape == (*shape[1:-1], 2)
    assert start.params.weight.shape == (4, 3, 2)
    assert not np.array_equal(start.params.weight[0], start.params.weight[1])
    params = MaxoutParams(start.params.weight, numbers(4, 2, seed=1))
    x = numbers(*shape)
    y = fn.apply(layer, params, (), x)
    for index in np.ndindex(*shape[:-1]):
        for o in range(2):
            pieces = [
                math.fsum([*(x[(*index, i)] * params.weight[k, i, o] for i in range(3)), params.bias[k, o]]) for k in range(4)
            ]
            assert math.isclose(y[(*index, o)], max(pieces), rel_tol=1e-13)


def test_where_pieces_of_maxout_are_equal_the_first_takes_the_gradient() -> None:
    layer, x = fn.maxout(1), np.ones((1, 2))
    params = MaxoutParams(np.ones((2, 2, 1)), np.zeros((2, 1)))
    pulled = layer.backward(params, layer.forward(params, (), x, TRAIN).residuals, np.ones((1, 1)))
    np.testing.assert_array_equal(pulled.params.bias[:, 0], [1, 0])
    np.testing.assert_array_equal(pulled.input, [[1, 1]])


# --------------------------------------------------------------------------------------------------------------- errors


def bad(call: Callable[[], object], error: type[Exception], message: str) -> Any:
    return pytest.param(call, error, message, id=f"{message}-{error.__name__}")


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        bad(lambda: fn.hard_tanh(1.0, 1.0), ValueError, "high"),
        bad(lambda: fn.hard_tanh(math.inf, math.inf), ValueError, "low"),
        bad(lambda: fn.hard_tanh(-math.inf, math.inf), ValueError, "high"),
        bad(lambda: fn.hard_sigmoid(0.0), ValueError, "slope"),
        bad(lambda: fn.hard_sigmoid(shift=math.inf), ValueError, "shift"),
        bad(lambda: fn.softplus(threshold=-math.inf), ValueError, "threshold"),
        bad(lambda: fn.hard_tanh(0, math.nan), ValueError, "high"),
        bad(lambda: fn.hard_tanh("0"), TypeError, "low"),  # type: ignore[arg-type]  # wrong on purpose
        bad(lambda: fn.celu(0), ValueError, "alpha"),
        bad(lambda: fn.celu(math.nan), ValueError, "alpha"),
        bad(lambda: fn.squareplus(0), ValueError, "b is 0"),
        bad(lambda: fn.squareplus(math.inf), ValueError, "b is inf"),
        bad(lambda: fn.softshrink(0), ValueError, "threshold"),
        bad(lambda: fn.hardshrink(-1), ValueError, "threshold"),
        bad(lambda: fn.hardshrink(None), TypeError, "threshold"),  # type: ignore[arg-type]  # wrong on purpose
        bad(lambda: fn.threshold(math.nan, 0), ValueError, "threshold"),
        bad(lambda: fn.threshold(0, math.inf), ValueError, "value"),
        bad(lambda: fn.threshold(0, True), TypeError, "value"),
        bad(lambda: fn.rrelu(0.5, 0.4), ValueError, "high"),
        bad(lambda: fn.rrelu(-0.1), ValueError, "low"),
        bad(lambda: fn.rrelu(True), TypeError, "low"),
        bad(lambda: fn.prelu(math.nan), ValueError, "initial"),
        bad(lambda: fn.prelu(shared=1), TypeError, "shared"),  # type: ignore[arg-type]  # wrong on purpose
        bad(lambda: fn.prelu().init(fn.Key(0), ()), ValueError, "channels axis"),
        bad(lambda: fn.softmin(0), ValueError, "batch axis"),
        bad(lambda: fn.sparsemax(1.5), TypeError, "axis"),  # type: ignore[arg-type]  # wrong on purpose
        bad(lambda: fn.sparsemax(3).init(fn.Key(0), (4, 5)), ValueError, "from -2 to 2"),
        bad(lambda: fn.glu().init(fn.Key(0), (3,)), ValueError, "even number"),
        bad(lambda: fn.glu().init(fn.Key(0), ()), ValueError, "even number"),
        bad(lambda: fn.glu(0), ValueError, "axis"),
        bad(lambda: fn.glu(2).init(fn.Key(0), (4,)), ValueError, "even number of features in axis 2"),
        bad(lambda: output(fn.glu(2), numbers(2, 4)), ValueError, "axis 2"),
        bad(lambda: fn.softplus(0.0), ValueError, "beta"),
        bad(lambda: fn.sine(-1.0), ValueError, "frequency"),
        bad(lambda: fn.snake(0.0), ValueError, "alpha"),
        bad(lambda: output(fn.geglu(), numbers(2, 3)), ValueError, "float64\\[2, 3\\].*even number"),
        bad(lambda: output(fn.swiglu(), numbers(4)), ValueError, "2 axes"),
        bad(lambda: fn.maxout(0), ValueError, "features"),
        bad(lambda: fn.maxout(2, 1), ValueError, "pieces"),
        bad(lambda: fn.maxout(2, 2.0), TypeError, "pieces"),  # type: ignore[arg-type]  # wrong on purpose
        bad(lambda: fn.maxout(2).init(fn.Key(0), ()), ValueError, "features axis"),
        bad(lambda: output(fn.relu6(), np.arange(3)), TypeError, "int64"),  # type: ignore[arg-type]  # wrong on purpose
        bad(lambda: output(fn.mish(), [[1.0]]), TypeError, "list"),  # type: ignore[arg-type]  # wrong on purpose
        bad(lambda: output(fn.softmin(), np.arange(4).reshape(2, 2)), TypeError, "int64"),  # type: ignore[arg-type]  # on purpose
        bad(lambda: output(fn.sparsemax(), numbers(3)), ValueError, "2 axes"),
        bad(lambda: output(fn.rrelu(), np.array([[True]])), TypeError, "bool"),
    ],
)
def test_wrong_settings_and_inputs_are_refused(call: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize(
    "make", [fn.prelu, lambda: fn.maxout(2), lambda: fn.prelu(shared=True)], ids=["prelu", "maxout", "shared"]
)
def test_wrong_features_and_precision_are_refused(make: Callable[[], AnyLayer]) -> None:
    layer = make()
    start = layer.init(fn.Key(0), (4,))
    if len(fn.tree.leaves(start.params)[0]) != 1:
        with pytest.raises(ValueError, match="3 long, expected 4"):
            fn.apply(layer, start.params, start.state, numbers(2, 3))
    with pytest.raises(ValueError, match="batch first"):
        fn.apply(layer, start.params, start.state, numbers(4))
    with pytest.raises(TypeError, match="float64"):
        fn.apply(layer, fn.tree.astype(start.params, np.float32), start.state, numbers(2, 4))


@pytest.mark.parametrize("shared", [False, True])
def test_a_slope_of_0_times_minus_infinity_is_0(shared: bool) -> None:
    x = np.array([[-np.inf, -1.0, np.inf]])
    drawn, leaky = fn.rrelu(0.0, 0.0), fn.leaky_relu(0.0)
    learned = fn.prelu(0.0, shared=shared)
    start = learned.init(fn.Key(0), (3,))
    for mode in (fn.Eval(), fn.Train(fn.Key(1))):
        for output in (
            drawn.forward((), (), x, mode).output,
            leaky.forward((), (), x, mode).output,
            learned.forward(start.params, (), x, mode).output,
        ):
            np.testing.assert_array_equal(output, [[0.0, 0.0, np.inf]])


@pytest.mark.parametrize("make", [fn.glu, fn.swiglu, fn.geglu, fn.reglu])
def test_a_gate_over_another_axis_is_the_gate_over_the_last_one_turned(make: Any) -> None:
    x, dy = numbers(2, 4, 3), numbers(2, 2, 3, seed=1)
    turned, plain = make(1), make()
    assert turned.init(fn.Key(0), (4, 3)).out_shape == (2, 3)
    one = turned.forward((), (), x, TRAIN)
    other = plain.forward((), (), x.swapaxes(1, 2), TRAIN)
    np.testing.assert_array_equal(one.output, other.output.swapaxes(1, 2))
    dx = plain.backward((), other.residuals, dy.swapaxes(1, 2)).input
    np.testing.assert_array_equal(turned.backward((), one.residuals, dy).input, dx.swapaxes(1, 2))
    np.testing.assert_array_equal(output(turned, x), one.output)


@pytest.mark.parametrize("scale", [0.1, 1.0, 5.0, 1e6])
@pytest.mark.parametrize("axis", [-1, 1])
def test_entmax_15_solves_its_equation(scale: float, axis: int) -> None:
    x = numbers(5, 4, 3, scale=scale)
    y = output(fn.entmax15(axis), x)
    for line, found in zip(
        np.moveaxis(x, axis, -1).reshape(-1, x.shape[axis]), np.moveaxis(y, axis, -1).reshape(-1, x.shape[axis]), strict=True
    ):
        halves = [one / 2 - max(line) / 2 for one in line.tolist()]
        low, high = -1.0, 0.0
        for _ in range(200):  # the sum falls with tau: halve the interval
            middle = (low + high) / 2
            low, high = (middle, high) if math.fsum(max(one - middle, 0) ** 2 for one in halves) > 1 else (low, middle)
        np.testing.assert_allclose(found, [max(one - low, 0) ** 2 for one in halves], rtol=1e-9, atol=1e-12)
