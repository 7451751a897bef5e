"""What happens inside a function, at its corners: stairs of single precision, kinks next to the point, rounding at a kink."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn.check import check_layer, check_vjp
from funcnn.typing import Array

STAIRS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "flat exponential": (lambda x: np.exp(np.maximum(x, 0) ** 2), lambda x: 2 * np.maximum(x, 0) * np.exp(np.maximum(x, 0) ** 2)),
    "reciprocal": (lambda x: 1 / (1 + x * x), lambda x: -2 * x / (1 + x * x) ** 2),
    "cosine of a sine": (lambda x: np.cos(np.sin(x)), lambda x: -np.sin(np.sin(x)) * np.cos(x)),
    "identity": (lambda x: x, np.ones_like),
}


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("curve", STAIRS)
def test_single_precision_inside_makes_no_gradient_wrong(curve: str, full: bool) -> None:
    value, slope = STAIRS[curve]
    generator = np.random.default_rng(3)

    def f(x: Array) -> Any:
        return np.sin(value(x.astype(np.float32)).astype(x.dtype))

    def vjp(x: Array, dy: Array) -> tuple[Array]:
        z = x if full else x.astype(np.float32)
        return ((dy * np.cos(value(z)) * slope(z)).astype(x.dtype),)

    for _ in range(12):
        x = generator.uniform(0.02, 1.2, size=(1, 2))
        assert check_vjp(f, vjp, x, explain=False).verdict != "fail"
        wrong = check_vjp(f, lambda x, dy: (1.01 * vjp(x, dy)[0],), x, explain=False)
        assert not wrong.ok or wrong.leaves[0].power > 1e-2


def test_one_side_alone_does_not_say_wrong() -> None:
    def f(r: Array) -> Any:  # next to 0.02 it bends by 5e-12: hidden by the others, and gone at every longer step to the right
        return np.sqrt(r * r + 6e-8**2).sum()

    r = np.array([3.3e5, 2e-2, 6.7e5, 7.5e5])
    assert check_vjp(f, lambda r, dy: (dy * r / np.sqrt(r * r + 6e-8**2),), r, explain=False).verdict != "fail"
    assert not check_vjp(f, lambda r, dy: (dy * np.where(r < 1, 0.999, 1.0),), r, explain=False).ok


def test_small_outputs_do_not_make_the_large_ones_noisy() -> None:
    w = np.random.default_rng(1).normal(size=(3, 5))
    x = np.random.default_rng(2).normal(size=3)
    b = 1e-9 * np.array([1, -2, 0, 2, 0]) - (x @ w) * np.array([1, 1, 0, 1, 0])  # three sums lose nine digits

    def vjp(x: Array, b: Array, dy: Array) -> tuple[Array, Array]:
        d = dy / np.cosh(x @ w + b) ** 2
        return d @ w.T, d.copy()

    report = check_vjp(lambda x, b: np.tanh(x @ w + b), vjp, x, b, explain=False)
    assert report.ok
    assert max(leaf.power for leaf in report.leaves) < 1e-11


def test_neighbours_on_a_side_without_slope_excuse_no_slope_on_the_other() -> None:
    def shrink(x: Array) -> Any:
        return np.sign(x) * np.maximum(np.abs(x) - 1, 0)

    def vjp(x: Array, dy: Array, factor: float = 1.0) -> tuple[Array]:
        return (factor * dy * (np.abs(x) >= 1),)

    for seed in range(80, 88):  # in two of them the first neighbours all lie there
        x = np.array([[-0.5, 0.0, -0.5, 1.0]])
        assert check_vjp(shrink, vjp, x, seed=seed, explain=False).ok
        assert not check_vjp(shrink, lambda x, dy: vjp(x, dy, 1.03), x, seed=seed, explain=False).ok


def test_rounding_is_told_where_it_is_more_than_what_the_formula_is_held_to() -> None:
    x = np.random.default_rng(0).normal(size=(2, 3)).astype(np.float32)
    (leaf,) = check_vjp(np.sin, lambda x, dy: (dy * np.cos(x),), x, explain=False).leaves
    assert leaf.power < 1e-11
    assert 1e-7 < leaf.rounding < 1e-5
    report = check_vjp(np.sin, lambda x, dy: (dy * np.cos(x),), x, explain=False)
    assert "besides, rounding in float32 passes up to 4e-06" in str(report)
    assert "besides" not in str(check_vjp(np.sin, lambda x, dy: (dy * np.cos(x),), x.astype(float), explain=False))


def test_at_a_kink_rounding_is_what_lies_outside_of_the_conventions() -> None:
    def larger(a: Array, b: Array) -> Any:
        return 1 / (1 + np.maximum(a, b) ** 2)

    def slope(a: Array, b: Array, dy: Array) -> Array:
        largest = np.maximum(a, b)
        slopes: Array = -2 * dy * largest / (1 + largest**2) ** 2
        return slopes

    def right(a: Array, b: Array, dy: Array) -> tuple[Array, Array]:
        d = slope(a, b, dy)
        return d * (a > b) + d * (a == b) / 2, d * (a < b) + d * (a == b) / 2

    def noisy(a: Array, b: Array, dy: Array) -> tuple[Array, Array]:
        d, lost = slope(a, b, dy), 1e-7 if a.dtype == np.float64 else 0.0
        return d * (a > b), d * (a <= b) * (1 + lost)

    a, b = np.array([0.5, 0.0, 1.0]), np.array([0.5, -0.7, 0.5])
    assert check_vjp(larger, right, a, b, explain=False).ok
    report = check_vjp(larger, noisy, a, b, explain=False)
    assert [found.kind for found in report.findings] == ["precision"]


def test_of_rounding_errors_nothing_is_claimed() -> None:
    def f(x: Array) -> Any:
        z = 1 / (1 + np.exp(-x))
        return (z - z.mean()) / np.sqrt(z.var() + 5e-5)

    def erratic(x: Array, dy: Array) -> tuple[Array]:
        seed = int.from_bytes(x.astype(float).tobytes()[:6], "little")
        return (3e-15 * dy * np.random.default_rng(seed).uniform(-1, 1, x.shape).astype(x.dtype),)

    (leaf,) = check_vjp(f, erratic, np.array([[-59.0, 58.0, 59.3, -60.2]]), explain=False).leaves
    assert leaf.verdict != "pass" or leaf.power == np.inf


def test_a_saturated_function_is_no_other_one_in_long_double() -> None:
    layer = fn.laplacian(fn.dense(1) >> fn.tanh(), points=12, radius=0.125)
    made = layer.init(fn.Key(3), (2,))
    report = check_layer(layer, 30 * np.array([[1.2, 0.7]]), params=made.params, state=made.state, explain=False)
    assert report.verdict != "fail"
    assert not any("another one in long double" in note for note in report.notes)


def test_kinks_nearby_are_no_noise_of_every_point() -> None:
    x, w = np.array([[0.3, -0.7]]), np.array([[0.5, -1.2, 0.4], [0.9, 0.3, -0.8]])
    b = np.array([6e-7, -9e-7, 3e-7]) - (x @ w)[0]  # three kinks within a millionth

    def f(x: Array, b: Array) -> Any:
        return np.maximum(x @ w + b, 0).sum() + np.tanh(x).sum()

    def vjp(x: Array, b: Array, dy: Array) -> tuple[Array, Array]:
        on = dy * (x @ w + b > 0)
        return on @ w.T + dy / np.cosh(x) ** 2, on[0].copy()

    for seed in range(3):
        report = check_vjp(f, vjp, x, b, seed=seed, explain=False)
        assert report.verdict == "pass"
        assert max(leaf.power for leaf in report.leaves) < 1e-9


def test_a_slope_of_zero_is_asked_from_afar_where_a_longer_step_moves() -> None:
    r = np.array([-5.2e-11, -1.5e-11, 1.1e-11, -6.6e-11, -5.4e-12, 2.9e-11])
    dy = np.array([-1.1, 1.4, -1.0, -1.0, 0.6, 0.8])
    report = check_vjp(lambda r: 1 - np.exp(-r * r), lambda r, dy: (2 * r * dy * np.exp(-r * r),), r, cotangent=dy, explain=False)
    assert report.verdict != "fail"


def test_a_cone_near_its_tip_is_no_kink_and_no_stairs() -> None:
    def f(p: Array, q: Array) -> Any:
        return np.sqrt(((p - q) ** 2).sum())

    def vjp(p: Array, q: Array, dy: Array, sign: float = 1.0) -> tuple[Array, Array]:
        d = dy * (p - q) / f(p, q)
        return sign * d, -d

    for seed in range(6):
        generator = np.random.default_rng(seed)
        p = generator.normal(size=(1, 2))
        q = p + 1e-5 * generator.normal(size=(1, 2))
        assert check_vjp(f, vjp, p, q, seed=seed, explain=False).verdict == "pass"
        assert check_vjp(f, lambda p, q, dy: vjp(p, q, dy, -1), p, q, seed=seed, explain=False).verdict == "fail"


def test_a_dead_zone_that_ends_on_one_side_beside_large_numbers_is_no_stairs() -> None:
    x = np.array([1e8, -3e8, 0.0, 2e8, 0.25, -0.3])
    report = check_vjp(
        lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0), lambda x, dy: (dy * (np.abs(x) > 0.5),), x, explain=False
    )
    assert report.ok


@pytest.mark.parametrize("factor", [0.0, 1.0, 1e6])
def test_where_no_slope_is_visible_nothing_is_claimed_of_it(factor: float) -> None:
    x = np.array([44.9, 46.2, -44.1, 43.2])
    (leaf,) = check_vjp(np.tanh, lambda x, dy: (factor * dy / np.cosh(x) ** 2,), x, explain=False).leaves
    assert (leaf.verdict, leaf.power) == ("pass", np.inf)


@pytest.mark.parametrize("small", [1.9e-10, 1e-9, 3e-8, 1e-5])
@pytest.mark.parametrize("loss", ["cauchy", "charbonnier"])
def test_a_tiny_residual_among_ordinary_ones_is_not_still(small: float, loss: str) -> None:
    """Next to it the loss is 0 to the last digit, at the steps of the others it moves: what 1 + r^2 rounds away lies between."""

    def f(r: Array) -> Any:
        return np.log(1 + r * r) if loss == "cauchy" else np.sqrt(1 + r * r) - 1

    def vjp(r: Array, dy: Array) -> tuple[Array]:
        return (dy * (2 * r / (1 + r * r) if loss == "cauchy" else r / np.sqrt(1 + r * r)),)

    for large in (-0.85697979, 0.31, 1.7, 40.0):
        r = np.array([large, small])
        assert check_vjp(f, vjp, r, explain=False).verdict == "pass"
        assert not check_vjp(f, lambda r, dy: (1.001 * vjp(r, dy)[0],), r, explain=False).ok
