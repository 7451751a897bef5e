"""The initializers: ranges, moments, structure, and purity."""

import math
from typing import Any, get_args

import numpy as np
import pytest

import funcnn as fn
from funcnn import initializers
from funcnn.initializers import Initializer

SHAPE = (400, 300)
FAN_IN, FAN_OUT = SHAPE

ALL: dict[str, Initializer] = {
    "zeros": initializers.zeros,
    "ones": initializers.ones,
    "constant": initializers.constant(2.5),
    "uniform": initializers.uniform(-1, 3),
    "normal": initializers.normal(2.0, mean=1.0),
    "truncated_normal": initializers.truncated_normal(2.0, mean=1.0),
    "variance_scaling": initializers.variance_scaling(3.0, "fan_out", "truncated_normal"),
    "glorot_uniform": initializers.glorot_uniform,
    "glorot_normal": initializers.glorot_normal,
    "he_uniform": initializers.he_uniform,
    "he_normal": initializers.he_normal,
    "lecun_uniform": initializers.lecun_uniform,
    "lecun_normal": initializers.lecun_normal,
    "glorot_truncated_normal": initializers.glorot_truncated_normal,
    "he_truncated_normal": initializers.he_truncated_normal,
    "lecun_truncated_normal": initializers.lecun_truncated_normal,
    "orthogonal": initializers.orthogonal(2.0),
    "identity": initializers.identity(),
    "dirac": initializers.dirac(),
    "sparse": initializers.sparse(0.5),
}
NORMAL_FOURTH = 3.0  # kurtosis: E x^4 / (E x^2)^2
UNIFORM_FOURTH = 1.8
CUT_FOURTH = 2.3684  # of the normal between -2 and 2: E x^2 = 0.77374, E x^4 = 1.41799


@pytest.mark.parametrize("make", ALL.values(), ids=ALL.keys())
def test_same_key_same_read_only_float64_weights(make: Initializer) -> None:
    first, second = make(fn.Key(1), (6, 4)), make(fn.Key(1), (6, 4))
    assert first.shape == (6, 4)
    assert first.dtype == np.float64
    assert not first.flags.writeable
    assert fn.tree.same(first, second)


RANDOM = [name for name in ALL if name not in ("zeros", "ones", "constant", "identity", "dirac")]


@pytest.mark.parametrize("name", RANDOM)
def test_another_key_gives_other_weights(name: str) -> None:
    assert not fn.tree.same(ALL[name](fn.Key(1), (6, 4)), ALL[name](fn.Key(2), (6, 4)))


@pytest.mark.parametrize(
    ("name", "mean", "variance", "kurtosis"),
    [
        ("uniform", 1.0, 16 / 12, UNIFORM_FOURTH),
        ("normal", 1.0, 4.0, NORMAL_FOURTH),
        ("glorot_uniform", 0.0, 2 / (FAN_IN + FAN_OUT), UNIFORM_FOURTH),
        ("glorot_normal", 0.0, 2 / (FAN_IN + FAN_OUT), NORMAL_FOURTH),
        ("he_uniform", 0.0, 2 / FAN_IN, UNIFORM_FOURTH),
        ("he_normal", 0.0, 2 / FAN_IN, NORMAL_FOURTH),
        ("lecun_uniform", 0.0, 1 / FAN_IN, UNIFORM_FOURTH),
        ("lecun_normal", 0.0, 1 / FAN_IN, NORMAL_FOURTH),
        ("glorot_truncated_normal", 0.0, 2 / (FAN_IN + FAN_OUT), CUT_FOURTH),
        ("he_truncated_normal", 0.0, 2 / FAN_IN, CUT_FOURTH),
        ("lecun_truncated_normal", 0.0, 1 / FAN_IN, CUT_FOURTH),
    ],
)
def test_moments(name: str, mean: float, variance: float, kurtosis: float) -> None:
    x = ALL[name](fn.Key(4), SHAPE)
    std = math.sqrt(variance)
    assert abs(x.mean() - mean) < 5 * std / math.sqrt(x.size)  # five standard errors
    assert abs(x.var() / variance - 1) < 5 * math.sqrt((kurtosis - 1) / x.size)
    assert abs(((x - mean) ** 4).mean() / variance**2 / kurtosis - 1) < 0.05


def test_uniform_stays_in_its_range() -> None:
    x = initializers.uniform(-1, 3)(fn.Key(0), SHAPE)
    assert x.min() >= -1
    assert x.max() < 3
    assert abs(ALL["he_uniform"](fn.Key(0), SHAPE)).max() <= math.sqrt(6 / FAN_IN)


@pytest.mark.parametrize("bound", [0.3, 1.0, 2.0, 5.0])
def test_truncated_normal_is_the_normal_between_the_bounds(bound: float) -> None:
    x = (initializers.truncated_normal(2.0, mean=1.0, bound=bound)(fn.Key(0), SHAPE) - 1) / 2
    assert abs(x).max() <= bound
    inside = math.erf(bound / math.sqrt(2))
    for z in np.linspace(-bound, bound, 9)[1:-1]:
        expected = (math.erf(z / math.sqrt(2)) + inside) / (2 * inside)
        assert abs((x <= z).mean() - expected) < 5 * math.sqrt(0.25 / x.size)


@pytest.mark.parametrize("distribution", ["uniform", "normal", "truncated_normal"])
@pytest.mark.parametrize(("fan", "size"), [("fan_in", 9 * 20), ("fan_out", 9 * 40), ("fan_avg", 9 * 30)])
def test_variance_scaling_has_the_variance_stated(fan: Any, size: int, distribution: Any) -> None:
    x = initializers.variance_scaling(3.0, fan, distribution)(fn.Key(7), (3, 3, 20, 40))
    assert abs(x.var() * size / 3 - 1) < 5 * math.sqrt(2 / x.size)


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 4), (2, 3, 4, 6)])
def test_orthogonal_has_orthonormal_columns_or_rows(shape: tuple[int, ...]) -> None:
    q = initializers.orthogonal(2.0)(fn.Key(3), shape).reshape(-1, shape[-1]) / 2
    gram = q.T @ q if q.shape[0] >= q.shape[1] else q @ q.T
    np.testing.assert_allclose(gram, np.eye(len(gram)), atol=1e-14)


def test_orthogonal_is_uniform_over_rotations() -> None:
    """Of a uniform 2 by 2 orthogonal matrix every entry has mean 0, and half of them are reflections."""
    drawn = np.array([initializers.orthogonal()(key, (2, 2)) for key in fn.Key(0).split(2000)])
    assert abs(drawn.mean(0)).max() < 5 * math.sqrt(0.5 / 2000)
    assert abs(np.linalg.det(drawn).mean()) < 5 / math.sqrt(2000)


@pytest.mark.parametrize("groups", [1, 2])
def test_a_delta_orthogonal_convolution_keeps_lengths(groups: int) -> None:
    layer = fn.conv2d(8, (3, 5), padding="same", groups=groups, weight_init=initializers.delta_orthogonal(2.0))
    start = layer.init(fn.Key(5), (6, 7, 4))
    images = np.random.default_rng(0).normal(size=(2, 6, 7, 4))
    y = fn.apply(layer, start.params, start.state, images)
    np.testing.assert_allclose((y * y).sum((1, 2, 3)), 4 * (images * images).sum((1, 2, 3)), rtol=1e-13)


def test_delta_orthogonal_is_orthogonal_at_the_centre_alone() -> None:
    make = initializers.delta_orthogonal()
    for shape in ((3, 5, 3), (2, 3, 3, 5), (4, 6, 6)):
        kernel = make(fn.Key(0), shape).copy()
        centre = tuple(length // 2 for length in shape[:-2])
        q = kernel[centre] if shape[-2] <= shape[-1] else kernel[centre].T
        np.testing.assert_allclose(q @ q.T, np.eye(len(q)), atol=1e-14)
        kernel[centre] = 0
        assert not kernel.any()
    assert make(fn.Key(0), (0, 3, 2)).shape == (0, 3, 2)


ACTIVATIONS: dict[str, Any] = {
    "identity": fn.identity(),
    "relu": fn.relu(),
    "leaky_relu": fn.leaky_relu(),
    "tanh": fn.tanh(),
    "sigmoid": fn.sigmoid(),
    "gelu": fn.gelu(),
    "silu": fn.silu(),
    "mish": fn.mish(),
    "elu": fn.elu(),
    "selu": fn.selu(),
    "softplus": fn.softplus(),
}


def mean_square(layer: Any) -> float:
    """E f(z)^2 by the trapezoid rule on both sides of 0, where the slope of some jumps."""
    total = 0.0
    for z in (np.linspace(-14, 0, 50001), np.linspace(0, 14, 50001)):
        y = fn.apply(layer, (), (), z[:, None])[:, 0]
        total += float(np.trapezoid(y * y * np.exp(-z * z / 2), z)) / math.sqrt(2 * math.pi)
    return total


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_gains_keep_the_mean_square_of_what_the_layers_make(name: Any) -> None:
    assert initializers.gain(name) ** 2 * mean_square(ACTIVATIONS[name]) == pytest.approx(1, rel=1e-9, abs=0.0)


def test_every_gain_is_tested() -> None:
    assert set(get_args(initializers.Activation)) == set(ACTIVATIONS)


def test_the_gain_of_another_slope() -> None:
    for slope in (-0.5, 0.0, 0.3, 1.0):
        assert initializers.gain("leaky_relu", slope) == pytest.approx(math.sqrt(2 / (1 + slope**2)), rel=1e-15, abs=0.0)
    assert initializers.gain("leaky_relu", 0.3) ** 2 * mean_square(fn.leaky_relu(0.3)) == pytest.approx(1, rel=1e-9, abs=0.0)


@pytest.mark.parametrize("name", ["relu", "tanh", "selu"])
def test_deep_networks_with_these_gains_keep_their_signal(name: Any) -> None:
    block = [fn.dense(300, weight_init=initializers.orthogonal(initializers.gain(name))), ACTIVATIONS[name]]
    layer = fn.serial(ACTIVATIONS[name], *block * 12)
    start = layer.init(fn.Key(0), (300,))
    y = fn.apply(layer, start.params, start.state, np.random.default_rng(0).normal(size=(50, 300)))
    assert 0.7 < (y * y).mean() * initializers.gain(name) ** 2 < 1.4


def test_identity_and_dirac_give_the_input_back() -> None:
    x = np.arange(12.0).reshape(3, 4)
    np.testing.assert_array_equal(x @ initializers.identity()(fn.Key(0), (4, 4)), x)
    np.testing.assert_array_equal(x @ initializers.identity(2.0)(fn.Key(0), (4, 6)), np.pad(2 * x, ((0, 0), (0, 2))))
    layer = fn.conv2d(6, 3, padding="same", groups=2, weight_init=initializers.dirac(groups=2))
    start = layer.init(fn.Key(0), (4, 5, 4))
    images = np.random.default_rng(0).normal(size=(2, 4, 5, 4))
    y = fn.apply(layer, start.params, start.state, images)
    np.testing.assert_array_equal(y[..., [0, 1, 3, 4]], images)
    assert not y[..., [2, 5]].any()


def test_sparse_empties_a_part_of_every_column() -> None:
    x = initializers.sparse(0.85, std=2.0)(fn.Key(0), (100, 400))
    assert set((x == 0).sum(0).tolist()) == {85}
    assert abs((x == 0).mean(1) - 0.85).max() < 5 * math.sqrt(0.85 * 0.15 / 400)  # every row alike
    assert abs(x[x != 0].std() / 2 - 1) < 5 / math.sqrt(2 * 6000)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: initializers.glorot_uniform(fn.Key(0), (3,)), ValueError, "two axes"),
        (lambda: initializers.orthogonal()(fn.Key(0), (3,)), ValueError, "two axes"),
        (lambda: initializers.identity()(fn.Key(0), (2, 3, 3)), ValueError, "dirac"),
        (lambda: initializers.sparse()(fn.Key(0), (2, 3, 3)), ValueError, "two axes"),
        (lambda: initializers.dirac(2)(fn.Key(0), (3, 2, 3)), ValueError, "3 output channels"),
        (lambda: initializers.uniform(2, 1), ValueError, "high is 1"),
        (lambda: initializers.normal(-1), ValueError, "std"),
        (lambda: initializers.normal(float("nan")), ValueError, "std"),
        (lambda: initializers.truncated_normal(bound=0.01), ValueError, "bound"),
        (lambda: initializers.variance_scaling(0), ValueError, "scale"),
        (lambda: initializers.variance_scaling(1.0, "fan"), ValueError, "fan_avg"),  # type: ignore[arg-type]  # wrong on purpose
        (lambda: initializers.variance_scaling(1.0, "fan_in", "cauchy"), ValueError, "uniform"),  # type: ignore[arg-type]  # wrong
        (lambda: initializers.delta_orthogonal()(fn.Key(0), (2, 3)), ValueError, "use orthogonal for a matrix"),
        (lambda: initializers.delta_orthogonal(0), ValueError, "gain"),
        (lambda: initializers.gain("swish"), ValueError, "silu"),  # type: ignore[arg-type]  # wrong on purpose
        (lambda: initializers.gain("relu", 0.1), ValueError, "relu has none"),
        (lambda: initializers.gain("leaky_relu", math.inf), ValueError, "slope"),
        (lambda: initializers.sparse(1.5), ValueError, "sparsity"),
        (lambda: initializers.constant("1"), TypeError, "value"),  # type: ignore[arg-type]  # wrong on purpose
        (lambda: initializers.normal(fn.Key(0), (2, 3)), TypeError, "positional"),  # type: ignore[arg-type, call-arg]  # wrong
    ],
)
def test_wrong_settings_are_refused(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
