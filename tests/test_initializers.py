"""The initializers: ranges, moments, structure, and purity."""

import math
from typing import Any

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
    "orthogonal": initializers.orthogonal(2.0),
    "identity": initializers.identity(),
    "dirac": initializers.dirac(),
    "sparse": initializers.sparse(0.5),
}
NORMAL_FOURTH = 3.0  # kurtosis: E x^4 / (E x^2)^2
UNIFORM_FOURTH = 1.8


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
        (lambda: initializers.sparse(1.5), ValueError, "sparsity"),
        (lambda: initializers.constant("1"), TypeError, "value"),  # type: ignore[arg-type]  # wrong on purpose
        (lambda: initializers.normal(fn.Key(0), (2, 3)), TypeError, "positional"),  # type: ignore[arg-type, call-arg]  # wrong
    ],
)
def test_wrong_settings_are_refused(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
