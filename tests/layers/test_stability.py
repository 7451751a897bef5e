"""No digits are lost: every layer and its gradient against mpmath, at tails, saturation, large offsets and tiny variances."""

from collections.abc import Callable, Sequence
from typing import Any

import mpmath
import numpy as np
import pytest
from attrs import frozen

import funcnn as fn
from funcnn.layer import AnyLayer
from funcnn.typing import Array, Empty
from tests.exact import DIGITS, assert_accurate, to_mp

each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble])
TRAIN = fn.Train(fn.Key(0))


@frozen
class Exact:
    """An activation, its formula and its derivative, as mpmath computes them."""

    make: Callable[[], fn.Layer[Empty, Empty, Array, Array]]
    value: Callable[[Any], Any]
    slope: Callable[[Any], Any]


def sigma(x: Any) -> Any:
    return 1 / (1 + mpmath.exp(-x))


def sigma_slope(x: Any) -> Any:
    return sigma(x) * sigma(-x)


def phi(x: Any) -> Any:
    return mpmath.mpf(x > 0) if abs(x) > 1e6 else mpmath.erfc(-x / mpmath.sqrt(2)) / 2


def gelu_argument(x: Any) -> Any:
    return 2 * mpmath.sqrt(2 / mpmath.pi) * (x + mpmath.mpf("0.044715") * x**3)


def gelu_argument_slope(x: Any) -> Any:
    return 2 * mpmath.sqrt(2 / mpmath.pi) * (1 + 3 * mpmath.mpf("0.044715") * x**2)


SELU_LAMBDA, SELU_ALPHA = mpmath.mpf(1.0507009873554805), mpmath.mpf(1.6732632423543772)


def clip(x: Any, low: float, high: float) -> Any:
    return min(max(x, mpmath.mpf(low)), mpmath.mpf(high))


def mish_factor(x: Any) -> Any:
    return mpmath.tanh(mpmath.log1p(mpmath.exp(x)))


def mish_factor_slope(x: Any) -> Any:
    w = mpmath.exp(x)
    return 4 * w * (1 + w) / (w * w + 2 * w + 2) ** 2


def squareplus(x: Any, b: float) -> Any:
    return max(x, mpmath.mpf(0)) + b / 2 / (mpmath.sqrt(x * x + b) + abs(x))


def squareplus_slope(x: Any, b: float) -> Any:
    return squareplus(x, b) / mpmath.sqrt(x * x + b)


def tanhshrink(x: Any) -> Any:
    with mpmath.workdps(3 * DIGITS):
        return x - mpmath.tanh(x)


ACTIVATIONS = {
    "relu": Exact(fn.relu, lambda x: max(x, mpmath.mpf(0)), lambda x: mpmath.mpf(x > 0)),
    "leaky_relu": Exact(lambda: fn.leaky_relu(0.25), lambda x: x if x > 0 else x / 4, lambda x: mpmath.mpf(1 if x > 0 else 0.25)),
    "elu": Exact(fn.elu, lambda x: x if x > 0 else mpmath.expm1(x), lambda x: mpmath.exp(min(x, 0))),
    "elu 1.5": Exact(
        lambda: fn.elu(1.5), lambda x: x if x > 0 else 1.5 * mpmath.expm1(x), lambda x: 1.5 * mpmath.exp(x) if x <= 0 else 1
    ),
    "tanh": Exact(fn.tanh, mpmath.tanh, lambda x: 4 * sigma_slope(2 * x)),
    "sigmoid": Exact(fn.sigmoid, sigma, sigma_slope),
    "softplus": Exact(fn.softplus, lambda x: mpmath.log1p(mpmath.exp(x)), sigma),
    "silu": Exact(fn.silu, lambda x: x * sigma(x), lambda x: sigma(x) + x * sigma_slope(x)),
    "gelu": Exact(fn.gelu, lambda x: x * phi(x), lambda x: phi(x) + (x * mpmath.npdf(x) if abs(x) < 1e6 else 0)),
    "gelu approximate": Exact(
        lambda: fn.gelu(approximate=True),
        lambda x: x * sigma(gelu_argument(x)),
        lambda x: sigma(gelu_argument(x)) + x * sigma_slope(gelu_argument(x)) * gelu_argument_slope(x),
    ),
    "log_sigmoid": Exact(fn.log_sigmoid, lambda x: -mpmath.log1p(mpmath.exp(-x)), lambda x: sigma(-x)),
    "mish": Exact(fn.mish, lambda x: x * mish_factor(x), lambda x: mish_factor(x) + x * mish_factor_slope(x)),
    "relu6": Exact(fn.relu6, lambda x: clip(x, 0, 6), lambda x: mpmath.mpf(0 < x < 6)),
    "hard_tanh": Exact(lambda: fn.hard_tanh(-0.5, 3.0), lambda x: clip(x, -0.5, 3), lambda x: mpmath.mpf(-0.5 < x < 3)),
    "hard_sigmoid": Exact(fn.hard_sigmoid, lambda x: clip(x + 3, 0, 6) / 6, lambda x: mpmath.mpf(-3 < x < 3) / 6),
    "hard_sigmoid of another slope": Exact(
        lambda: fn.hard_sigmoid(0.25, 0.75), lambda x: clip(x / 4 + 0.75, 0, 1), lambda x: mpmath.mpf(-3 < x < 1) / 4
    ),
    "softplus with a threshold": Exact(
        lambda: fn.softplus(2.0, threshold=3.0),
        lambda x: x if 2 * x > 3 else mpmath.log1p(mpmath.exp(2 * x)) / 2,
        lambda x: mpmath.mpf(1) if 2 * x > 3 else sigma(2 * x),
    ),
    "hard_swish": Exact(
        fn.hard_swish,
        lambda x: x * clip(x + 3, 0, 6) / 6,
        lambda x: mpmath.mpf(x >= 3) if x <= -3 or x >= 3 else (2 * x + 3) / 6,
    ),
    "celu": Exact(
        lambda: fn.celu(0.5), lambda x: x if x > 0 else mpmath.expm1(2 * x) / 2, lambda x: mpmath.exp(2 * min(x, mpmath.mpf(0)))
    ),
    "selu": Exact(
        fn.selu,
        lambda x: SELU_LAMBDA * (x if x > 0 else SELU_ALPHA * mpmath.expm1(x)),
        lambda x: SELU_LAMBDA * (1 if x > 0 else SELU_ALPHA * mpmath.exp(x)),
    ),
    "softsign": Exact(fn.softsign, lambda x: x / (1 + abs(x)), lambda x: 1 / (1 + abs(x)) ** 2),
    "squareplus": Exact(fn.squareplus, lambda x: squareplus(x, 4), lambda x: squareplus_slope(x, 4)),
    "squareplus 0.25": Exact(lambda: fn.squareplus(0.25), lambda x: squareplus(x, 0.25), lambda x: squareplus_slope(x, 0.25)),
    "softshrink": Exact(fn.softshrink, lambda x: x - clip(x, -0.5, 0.5), lambda x: mpmath.mpf(abs(x) > 0.5)),
    "hardshrink": Exact(fn.hardshrink, lambda x: x if abs(x) > 0.5 else mpmath.mpf(0), lambda x: mpmath.mpf(abs(x) > 0.5)),
    "tanhshrink": Exact(fn.tanhshrink, tanhshrink, lambda x: mpmath.tanh(x) ** 2),
    "threshold": Exact(
        lambda: fn.threshold(0.5, -2.0), lambda x: x if x > 0.5 else mpmath.mpf(-2), lambda x: mpmath.mpf(x > 0.5)
    ),
    "quick_gelu": Exact(
        fn.quick_gelu, lambda x: x * sigma(1.702 * x), lambda x: sigma(1.702 * x) + 1.702 * x * sigma_slope(1.702 * x)
    ),
    "log_cosh": Exact(fn.log_cosh, lambda x: mpmath.log1p(2 * mpmath.sinh(x / 2) ** 2), mpmath.tanh),
}
each_activation = pytest.mark.parametrize("case", ACTIVATIONS.values(), ids=ACTIVATIONS.keys())


def points(dtype: type[np.floating]) -> Array:
    """Return numbers of both signs and all sizes up to 1e4, dense where activations bend."""
    generator = np.random.default_rng(0)
    special = [0, 1e-30, 1e-8, 1e-3, 0.5, 1, 2, 5, 9, 10, 12, 15, 17, 20, 30, 37, 50, 80, 87, 100, 300, 700, 1e3, 1e4]
    x = np.concatenate([special, generator.uniform(0, 20, 60), 10.0 ** generator.uniform(-10, 4, 60)])
    return np.concatenate([x, -x]).astype(dtype)[np.newaxis]


@each_activation
@each_dtype
def test_activation(case: Exact, dtype: type[np.floating]) -> None:
    x = points(dtype)
    assert_accurate(fn.apply(case.make(), (), (), x), case.value, x)
    assert_accurate(case.make().forward((), (), x, TRAIN).output, case.value, x)


@each_activation
@each_dtype
def test_slope_of_activation(case: Exact, dtype: type[np.floating]) -> None:
    x = points(dtype)
    layer = case.make()
    dx = layer.backward((), layer.forward((), (), x, TRAIN).residuals, np.ones_like(x)).input
    assert_accurate(dx, case.slope, x)


@each_activation
def test_infinities_and_nan_do_what_numpy_does(case: Exact) -> None:
    ends = fn.apply(case.make(), (), (), np.array([[np.inf, np.nan]]))
    limit = case.value(mpmath.mpf(10) ** 30)
    np.testing.assert_array_equal(ends[0, 0], float(limit) if limit < 10 else np.inf)
    assert np.isnan(ends[0, 1])


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("relu", 0),
        ("elu", -1),
        ("tanh", -1),
        ("sigmoid", 0),
        ("softplus", 0),
        ("relu6", 0),
        ("hard_tanh", -0.5),
        ("hard_sigmoid", 0),
        ("hard_swish", 0),
        ("celu", -0.5),
        ("selu", -1.0507009873554805 * 1.6732632423543772),
        ("softsign", -1),
        ("squareplus", 0),
        ("threshold", -2),
    ],
)
def test_minus_infinity_gives_the_limit(name: str, limit: float) -> None:
    x = np.array([[-np.inf]])
    layer = ACTIVATIONS[name].make()
    made = layer.forward((), (), x, TRAIN)
    assert made.output[0, 0] == limit
    assert layer.backward((), made.residuals, np.ones_like(x)).input[0, 0] == 0


# ------------------------------------------------------------------------------------------------------------- softmax

LOGITS = [
    [0.0, 0.0, 0.0, 0.0],
    [1e4, -1e4, 0.0, 1e4 - 1],
    [1e4, 1e4, 1e4, 1e4],
    [-1e4, -1e4 - 3, -1e4 + 2, -1e4],
    [40.0, 0.0, -3.0, 1.0],
    [0.0, 17.0, 1.0, -2.0],
    [-5.0, -5.0, 30.0, 30.0],
    [0.3, -1.2, 2.2, 0.9],
]
COTANGENTS = [[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.4, -1.3, 0.7, 2.1], [1.0, 1.0, 1.0, 1.0], [1e4, 1e4 + 1, 1e4, 1e4]]


def exact_softmax(x: Sequence[Any]) -> list[Any]:
    weights = [mpmath.exp(one) for one in x]
    return [weight / mpmath.fsum(weights) for weight in weights]


def within(got: Array, exact: Sequence[Any], size: Sequence[Any], ulps: float) -> None:
    """Raise unless each |got - exact| is at most so many units in the last place of a number of the given size."""
    eps, tiny = to_mp(np.finfo(got.dtype).eps), to_mp(np.finfo(got.dtype).smallest_subnormal)
    for one, value, scale in zip(got, exact, size, strict=True):
        assert abs(to_mp(one) - value) <= ulps * (eps * scale + tiny), (one, value)


@each_dtype
@pytest.mark.parametrize("logits", LOGITS)
def test_softmax_and_its_logarithm(logits: list[float], dtype: type[np.floating]) -> None:
    x = np.array([logits], dtype)
    with mpmath.workdps(DIGITS):
        p = exact_softmax([to_mp(one) for one in x[0]])
        spread = [1 + abs(to_mp(one) - to_mp(x.max())) for one in x[0]]
        within(fn.apply(fn.softmax(), (), (), x)[0], p, [one * far for one, far in zip(p, spread, strict=True)], 12)
        exact = [mpmath.log(one) for one in p]
        within(fn.apply(fn.log_softmax(), (), (), x)[0], exact, [abs(one) for one in exact], 8)


@each_dtype
@pytest.mark.parametrize("cotangent", COTANGENTS)
@pytest.mark.parametrize("logits", LOGITS)
def test_gradients_of_softmax_and_its_logarithm(logits: list[float], cotangent: list[float], dtype: type[np.floating]) -> None:
    """The error is small against the terms that are left when what must cancel has been cancelled."""
    x, dy = np.array([logits], dtype), np.array([cotangent], dtype)
    largest = int(x.argmax())
    with mpmath.workdps(DIGITS):
        p = exact_softmax([to_mp(one) for one in x[0]])
        far = float(x.max() - x.min()) if p[largest] < 0.999 else 60.0
        g = [to_mp(one) for one in dy[0]]
        total = mpmath.fsum(g)

        layer = fn.softmax()
        dx = layer.backward((), layer.forward((), (), x, TRAIN).residuals, dy).input[0]
        moved = [b - g[largest] for b in g]
        mean = mpmath.fsum(a * b for a, b in zip(p, moved, strict=True))
        exact = [a * (b - mean) for a, b in zip(p, moved, strict=True)]
        rest = mpmath.fsum(a * abs(b) for a, b in zip(p, moved, strict=True))
        within(dx, exact, [a * (abs(b) + rest) for a, b in zip(p, moved, strict=True)], 16 + 4 * far)

        layer = fn.log_softmax()
        dx = layer.backward((), layer.forward((), (), x, TRAIN).residuals, dy).input[0]
        exact = [b - a * total for a, b in zip(p, g, strict=True)]
        size = mpmath.fsum(abs(one) for one in g)
        terms = [abs(b) + a * size for a, b in zip(p, g, strict=True)]
        terms[largest] = size - abs(g[largest]) + (1 - p[largest]) * size
        within(dx, exact, terms, 16 + 4 * far)


@each_dtype
@pytest.mark.parametrize("make", [fn.softmax, fn.log_softmax])
def test_an_input_of_minus_infinity_is_masked_out(make: Callable[[], AnyLayer], dtype: type[np.floating]) -> None:
    layer = make()
    masked = layer.forward((), (), np.array([[1.0, -np.inf, 3.0]], dtype), TRAIN)
    plain = layer.forward((), (), np.array([[1.0, 3.0]], dtype), TRAIN)
    np.testing.assert_array_equal(masked.output[:, [0, 2]], plain.output)
    assert masked.output[0, 1] == (0 if make is fn.softmax else -np.inf)
    dx = layer.backward((), masked.residuals, np.array([[1.0, 0.0, 2.0]], dtype)).input
    np.testing.assert_array_equal(dx[:, [0, 2]], layer.backward((), plain.residuals, np.array([[1.0, 2.0]], dtype)).input)
    assert dx[0, 1] == 0


# ------------------------------------------------------------------------------------------------------- normalization

OFFSETS = {
    "centred": (0.0, 1.0),
    "large offset": (1e4, 1.0),
    "huge offset": (-3e5, 1.0),
    "tiny": (0.0, 1e-6),
    "large": (0.0, 1e4),
}
each_offset = pytest.mark.parametrize(("offset", "spread"), OFFSETS.values(), ids=OFFSETS.keys())
EPS = [1e-5, 1e-12]


def exact_normalization(x: Sequence[Any], g: Sequence[Any], eps: float) -> tuple[list[Any], Any, list[Any], list[Any]]:
    """Return the normalized x, rstd, the cotangent of x for that of the normalized x, and the size of its terms."""
    count = len(x)
    mean = mpmath.fsum(x) / count
    rstd = 1 / mpmath.sqrt(mpmath.fsum((one - mean) ** 2 for one in x) / count + mpmath.mpf(eps))
    y = [(one - mean) * rstd for one in x]
    along = mpmath.fsum(a * b for a, b in zip(y, g, strict=True)) / count
    dx = [rstd * (b - mpmath.fsum(g) / count - a * along) for a, b in zip(y, g, strict=True)]
    about = mpmath.fsum(abs(b) for b in g) / count
    pull = mpmath.fsum(abs(a * b) for a, b in zip(y, g, strict=True)) / count
    return y, rstd, dx, [rstd * (abs(b) + about + abs(a) * pull) for a, b in zip(y, g, strict=True)]


@each_offset
@each_dtype
@pytest.mark.parametrize("eps", EPS)
def test_layer_norm(offset: float, spread: float, eps: float, dtype: type[np.floating]) -> None:
    generator = np.random.default_rng(3)
    x = np.asarray(offset + spread * generator.normal(size=(3, 50)), dtype)
    dy = np.asarray(generator.normal(size=x.shape), dtype)
    layer = fn.layer_norm(eps=eps)
    start = layer.init(fn.Key(0), (50,))
    params = fn.tree.astype(start.params, dtype)
    made = layer.forward(params, (), x, TRAIN)
    dx = layer.backward(params, made.residuals, dy).input
    with mpmath.workdps(DIGITS):
        for row in range(len(x)):
            exact = exact_normalization([to_mp(one) for one in x[row]], [to_mp(one) for one in dy[row]], eps)
            within(made.output[row], exact[0], [max(map(abs, exact[0]))] * 50, 16)
            within(dx[row], exact[2], exact[3], 32)


@each_offset
@each_dtype
@pytest.mark.parametrize("eps", EPS)
def test_batch_norm(offset: float, spread: float, eps: float, dtype: type[np.floating]) -> None:
    generator = np.random.default_rng(4)
    x = np.asarray(offset + spread * generator.normal(size=(50, 3)), dtype)
    dy = np.asarray(generator.normal(size=x.shape), dtype)
    layer = fn.batch_norm(eps=eps, momentum=1.0)
    start = layer.init(fn.Key(0), (3,))
    params, state = fn.tree.astype((start.params, start.state), dtype)
    made = layer.forward(params, state, x, TRAIN)
    dx = layer.backward(params, made.residuals, dy).input
    with mpmath.workdps(DIGITS):
        for column in range(3):
            numbers = [to_mp(one) for one in x[:, column]]
            exact = exact_normalization(numbers, [to_mp(one) for one in dy[:, column]], eps)
            within(made.output[:, column], exact[0], [max(map(abs, exact[0]))] * 50, 16)
            within(dx[:, column], exact[2], exact[3], 32)
            mean = mpmath.fsum(numbers) / 50
            var = mpmath.fsum((one - mean) ** 2 for one in numbers) / 49
            within(made.state.mean[[column]], [mean], [mpmath.mpf(max(abs(offset), spread))], 4)
            within(made.state.var[[column]], [var], [var], 32)


@each_dtype
@pytest.mark.parametrize("make", [fn.layer_norm, fn.batch_norm])
def test_constant_input_is_normalized_to_zero(make: Callable[[], AnyLayer], dtype: type[np.floating]) -> None:
    x = np.full((6, 6), 1e4 / 3, dtype)
    layer = make()
    start = layer.init(fn.Key(0), (6,))
    params, state = fn.tree.astype((start.params, start.state), dtype)
    made = layer.forward(params, state, x, TRAIN)
    assert not made.output.any()
    assert np.isfinite(layer.backward(params, made.residuals, np.ones_like(x)).input).all()


def test_float32_statistics_of_many_rows() -> None:
    """A plain running sum of 200,000 rows in float32 would lose more than two digits of the mean and of the variance."""
    x = np.random.default_rng(5).normal(10.0, 0.5, size=(200_000, 2)).astype(np.float32)
    layer = fn.batch_norm(momentum=1.0)
    start = layer.init(fn.Key(0), (2,))
    params, state = fn.tree.astype((start.params, start.state), np.float32)
    made = layer.forward(params, state, x, TRAIN)
    # Float32: three units in the last place, and what a sum of 200,000 squares loses.
    np.testing.assert_allclose(made.state.mean, x.mean(0, dtype=np.float64), rtol=2e-7)
    # Float32: three units in the last place, and what a sum of 200,000 squares loses.
    np.testing.assert_allclose(made.state.var, x.var(0, dtype=np.float64, ddof=1), rtol=2e-5)
