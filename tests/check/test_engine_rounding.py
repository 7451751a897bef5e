"""Rounding inside functions, short periods and two precisions: what differences do not see is never taken for zero."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from funcnn.check import check_vjp, numeric_grad
from funcnn.typing import Array

Curve = Callable[[Any], Any]
LOSSES: dict[str, tuple[Curve, Curve]] = {
    "Cauchy": (lambda r: np.log(1 + r * r), lambda r: 2 * r / (1 + r * r)),
    "pseudo-Huber": (lambda r: np.sqrt(1 + r * r) - 1, lambda r: r / np.sqrt(1 + r * r)),
    "log cosh": (lambda r: np.log(np.cosh(r)), np.tanh),
    "Welsch": (lambda r: 1 - np.exp(-r * r), lambda r: 2 * r * np.exp(-r * r)),
    "exponential": (lambda r: np.exp(r) - 1 - r, np.expm1),
}
RESIDUALS = (
    np.array([1e-8, -3e-9]),
    np.array([1e-9, -3e-10]),
    np.array([2e-12, -3e-12, 1e-12]),
    np.array([1.2e-8, 1, -0.7, 2]),
    np.array([-2.7e-11, 1.2e-11, -3.7, -8.8e-14]),
)


@pytest.mark.parametrize("summed", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("at", range(len(RESIDUALS)))
def test_rounding_inside_hides_a_slope_and_is_no_slope_of_zero(at: int, loss: str, summed: bool) -> None:
    value, slope = LOSSES[loss]
    r = RESIDUALS[at]

    def f(r: Array) -> Any:
        return value(r).sum() if summed else value(r)

    assert check_vjp(f, lambda r, dy: (dy * slope(r),), r, explain=False).verdict != "fail"
    assert not check_vjp(f, lambda r, dy: (0 * r,), r, explain=False).ok
    if summed:
        values, bars = (np.asarray(one) for one in numeric_grad(f, r))
        exact = slope(r.astype(np.longdouble))
        assert np.all(np.abs(values - exact) <= 10 * bars + 1e-15 * np.abs(exact))


def test_saturated_units_before_a_norm_are_not_called_wrong() -> None:
    def norm(z: Array) -> Array:
        c = z - z.mean(-1, keepdims=True)
        y: Array = c / np.sqrt((c * c).mean(-1, keepdims=True) + 1e-5)
        return y

    def vjp(x: Array, dy: Array) -> tuple[Array]:
        z = 1 / (1 + np.exp(-(x + 50)))
        c = z - z.mean(-1, keepdims=True)
        r = 1 / np.sqrt((c * c).mean(-1, keepdims=True) + 1e-5)
        h = c * r
        d = r * (dy - dy.mean(-1, keepdims=True) - h * (dy * h).mean(-1, keepdims=True))
        return (d * np.exp(-(x + 50)),)

    x = np.random.default_rng(0).normal(size=(3, 4))
    assert check_vjp(lambda x: norm(1 / (1 + np.exp(-(x + 50)))), vjp, x).verdict != "fail"
    assert check_vjp(lambda x: norm(1 / (1 + np.exp(-(x + 50)))), lambda x, dy: (dy * 1e-3,), x).verdict == "fail"


@pytest.mark.parametrize("frequency", [3e4, 1e7, 1e9, 1e12])
@pytest.mark.parametrize("seed", range(3))
def test_many_kinks_and_a_short_period_deceive_nobody(frequency: float, seed: int) -> None:
    generator = np.random.default_rng(seed)
    phase, x = generator.uniform(0, 6.28, 3), generator.random(2)

    def f(x: Array) -> Array:
        y: Array = np.maximum(np.sin(frequency * x[:, None] + phase), 0)
        return y

    def vjp(x: Array, dy: Array) -> tuple[Array]:
        angle = frequency * x[:, None] + phase
        return ((dy * (np.sin(angle) > 0) * frequency * np.cos(angle)).sum(1),)

    assert check_vjp(f, vjp, x, seed=seed, explain=False).verdict != "fail"
    blind = check_vjp(f, lambda x, dy: (0 * x,), x, seed=seed, explain=False)
    assert not blind.ok or not vjp(x, np.ones((2, 3)))[0].any()


def test_positional_encodings_of_sixteen_octaves_pass() -> None:
    generator = np.random.default_rng(0)
    count = 16
    w = np.pi * 2.0 ** np.arange(count)
    x, weight = generator.random((8, 2)), generator.normal(size=(4 * count, 8)) / 8

    def encoded(x: Array) -> Array:
        a = x[..., None] * w
        return np.concatenate([np.sin(a), np.cos(a)], -1).reshape(len(x), -1)

    def vjp(x: Array, weight: Array, dy: Array) -> tuple[Array, Array]:
        e, a = encoded(x), x[..., None] * w
        d = dy * (e @ weight > 0)
        de = (d @ weight.T).reshape(len(x), 2, 2 * count)
        return ((de[..., :count] * np.cos(a) - de[..., count:] * np.sin(a)) * w).sum(-1), e.T @ d

    def f(x: Array, weight: Array) -> Array:
        y: Array = np.maximum(encoded(x) @ weight, 0)
        return y

    assert check_vjp(f, vjp, x, weight, explain=False).verdict == "pass"
    assert check_vjp(f, lambda x, w, dy: (0 * x, vjp(x, w, dy)[1]), x, weight, explain=False).verdict == "fail"


@pytest.mark.parametrize("step", [1e-6, 1e-8, 1e-10, 1e-12])
def test_difference_quotients_in_the_place_of_a_gradient_are_seen(step: float) -> None:
    def f(x: Array) -> Array:
        if x.dtype != np.float64:
            raise TypeError("float64 only")
        return np.exp(-x * x) * x

    for seed in range(3):
        x = np.random.default_rng(seed).normal(size=3)
        report = check_vjp(f, lambda x, dy: (dy * (f(x + step) - f(x)) / step,), x, explain=False)
        exact = (1 - 2 * x * x) * np.exp(-x * x)
        error = np.max(np.abs((f(x + step) - f(x)) / step - exact)) / np.max(np.abs(exact))
        assert not report.ok or error < report.leaves[0].power


def test_erratic_errors_are_seen_or_their_size_is_told() -> None:
    def vjp(x: Array, size: float, dy: Array) -> tuple[Array]:
        dirt = np.sin(1e25 * x.astype(np.longdouble))  # another one for every neighbour
        return (dy * (np.cos(x) + (size * dirt).astype(x.dtype)),)

    x = np.array([0.3, -1.2, 2.0])
    for size in (1e-4, 1e-6, 1e-8, 1e-11):
        report = check_vjp(np.sin, lambda x, dy, size=size: vjp(x, size, dy), x, explain=False)
        assert report.verdict == "fail" or report.leaves[0].power > size


def test_a_function_that_is_another_one_in_long_double_is_named_and_judged_in_float64() -> None:
    def top(x: Array) -> Array:
        return np.take_along_axis(x, np.argpartition(-x, 3, axis=1)[:, :3], 1)

    def vjp(x: Array, dy: Array) -> tuple[Array]:
        d = np.zeros_like(x)
        np.put_along_axis(d, np.argpartition(-x, 3, axis=1)[:, :3], dy, 1)
        return (d,)

    report = check_vjp(top, vjp, np.random.default_rng(0).normal(size=(4, 40)))
    assert report.ok
    assert report.reference == "float64"
    assert "another one in long double" in report.notes[0]
    assert report.notes[0] in str(report)

    def branch(x: Array) -> Array:
        return 3 * np.sin(x) if x.dtype == np.longdouble else np.sin(x)

    x = np.array([0.3, -1.2, 2.0])
    assert check_vjp(branch, lambda x, dy: (dy * np.cos(x),), x).ok
    assert check_vjp(branch, lambda x, dy: (3 * dy * np.cos(x),), x).verdict == "fail"


def test_a_factor_in_one_precision_is_not_called_a_right_formula() -> None:
    def vjp(x: Array, dy: Array) -> tuple[Array]:
        return (dy * np.cos(x) * (1 if x.dtype == np.longdouble else 3),)

    report = check_vjp(np.sin, vjp, np.array([0.3, -1.2, 2.0]))
    assert report.verdict == "fail"
    assert "the formula is right" not in str(report)


@pytest.mark.parametrize("gap", [1e-5, 1e-4, 1e-3, 3e-3, 1e-2])
def test_single_precision_inside_and_a_kink_near_by(gap: float) -> None:
    def largest(x: Array) -> Array:
        y: Array = x.astype(np.float32).max(1)
        return y

    def vjp(x: Array, dy: Array) -> tuple[Array]:
        d = np.zeros_like(x)
        d[np.arange(len(x)), x.argmax(1)] = dy
        return (d,)

    x = np.random.default_rng(15).normal(size=(6, 5)).astype(np.float32)
    x[:, 1] = x[:, 0] + np.float32(gap) * np.array([1, -1, 1, 1, -1, -1], np.float32)
    x[:, 2:] -= 5
    assert check_vjp(largest, vjp, x, explain=False).verdict != "fail"
    assert not check_vjp(largest, lambda x, dy: (vjp(x, dy)[0] * np.float32(1.1),), x, explain=False).ok


def test_single_precision_is_enough_for_arguments_of_single_precision() -> None:
    def vjp(x: Array, dy: Array) -> tuple[Array]:
        work = np.zeros(x.shape, np.float32)
        work += (3 * x * x).astype(np.float32)
        return (dy * work,)

    x = np.random.default_rng(3).normal(size=4)
    report = check_vjp(lambda x: x**3, vjp, x.astype(np.float32))
    assert report.ok
    assert report.leaves[0].power > 1e-9
    assert not check_vjp(lambda x: x**3, vjp, x).ok
