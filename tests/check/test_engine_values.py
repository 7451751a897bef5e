"""The verdict: error bars, scales, precisions, and how small an error is seen."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from funcnn.check import check_grad, check_hvp, check_vjp, numeric_grad
from funcnn.check.differences.leaf import Comparison
from funcnn.typing import Array

X = np.array([[0.3, -1.2, 2.0], [1.1, 0.7, -0.4]])
W = np.array([[0.2, -0.5], [1.5, 0.3], [-0.7, 0.9]])


def layer(x: Array, w: Array) -> Array:
    y: Array = np.tanh(x @ w)
    return y


def layer_vjp(x: Array, w: Array, dy: Array) -> tuple[Array, Array]:
    d = dy * (1 - np.tanh(x @ w) ** 2)
    return d @ w.T, x.T @ d


def spoiled(position: int, index: tuple[int, ...], error: float) -> Callable[..., tuple[Array, ...]]:
    """Return the gradient with one entry of one leaf off by so much of the leaf's largest entry."""

    def vjp(x: Array, w: Array, dy: Array) -> tuple[Array, ...]:
        made = list(layer_vjp(x, w, dy))
        made[position][index] += error * np.max(np.abs(made[position]))
        return tuple(made)

    return vjp


def test_a_right_gradient_passes_with_its_power_stated() -> None:
    report = check_vjp(layer, layer_vjp, X, W)
    assert report.verdict == "pass"
    assert [leaf.path for leaf in report.leaves] == ["[0]", "[1]"]
    assert all(0 < leaf.power < 1e-11 and leaf.method == "every entry" for leaf in report.leaves)


@pytest.mark.parametrize("reference", ["auto", "float64"])
@pytest.mark.parametrize(("position", "index"), [(0, (1, 2)), (1, (2, 0))])
def test_an_error_a_little_above_the_stated_power_is_seen_and_named(
    reference: str, position: int, index: tuple[int, ...]
) -> None:
    power = check_vjp(layer, layer_vjp, X, W, reference=reference).leaves[position].power
    report = check_vjp(layer, spoiled(position, index, 4 * power), X, W, reference=reference)
    assert report.verdict == "fail"
    assert [(one.path, one.index, one.n_bad) for one in report.findings if one.kind == "value"] == [(f"[{position}]", index, 1)]


@pytest.mark.parametrize("scale", [1.0, 1e8, 1e-8, 1e30, 1e-30])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scaling_the_function_changes_nothing(scale: float, dtype: type) -> None:
    x: Array = X.astype(dtype)
    w: Array = W.astype(dtype)

    def f(x: Array, w: Array) -> Array:
        return layer(x, w) * scale

    def right(x: Array, w: Array, dy: Array) -> tuple[Array, ...]:
        return layer_vjp(x, w, dy * scale)

    def wrong(x: Array, w: Array, dy: Array) -> tuple[Array, ...]:
        dx, dw = layer_vjp(x, w, dy * scale)
        return dx, dw * x.dtype.type(1.00001)

    assert check_vjp(f, right, x, w).verdict == "pass"
    report = check_vjp(f, wrong, x, w)
    assert [one.path for one in report.findings if one.kind == "value"] == ["[1]"]


def test_a_leaf_a_million_million_times_smaller_than_another_is_judged_by_itself() -> None:
    def f(a: Array, b: Array) -> Array:
        return np.sin(a) + 1e-12 * np.sin(b)

    def wrong(a: Array, b: Array, dy: Array) -> tuple[Array, Array]:
        return dy * np.cos(a), np.zeros_like(b)

    report = check_vjp(f, wrong, X[0], X[1])
    assert [leaf.verdict for leaf in report.leaves] == ["pass", "fail"]


def test_a_small_output_among_huge_ones_is_seen() -> None:
    def f(x: Array) -> Array:
        return np.stack([1e8 + x * 0, np.sin(x)])

    assert check_vjp(f, lambda x, dy: (dy[1] * np.cos(x),), X[0]).verdict == "pass"
    assert check_vjp(f, lambda x, dy: (dy[1] * np.cos(x) * (1 + 1e-10),), X[0]).verdict == "fail"


def test_what_rounding_hides_is_never_passed() -> None:
    def f(x: Array) -> Array:
        return 1e10 + 1e-7 * np.sin(x)

    for factor in (1.0, 2.0):
        verdict = check_vjp(f, lambda x, dy, factor=factor: (factor * 1e-7 * dy * np.cos(x),), X[0]).verdict
        assert verdict != "pass"


def test_a_period_that_the_steps_skip_is_not_mistaken_for_a_slope() -> None:
    for frequency in (2.0**4 * np.pi * 2**k for k in (8, 10, 12)):
        x = np.array([1.0, 0.5, 0.25])

        def f(x: Array, frequency: float = frequency) -> Array:
            y: Array = x * x + np.sin(frequency * x)
            return y

        def blind(x: Array, dy: Array) -> tuple[Array]:
            return (2 * x * dy,)

        def right(x: Array, dy: Array, frequency: float = frequency) -> tuple[Array]:
            return (dy * (2 * x + frequency * np.cos(frequency * x)),)

        assert check_vjp(f, blind, x).verdict == "fail"
        assert check_vjp(f, right, x).verdict == "pass"


CURVES: list[tuple[Callable[[Any], Any], Callable[[Any], Any], float]] = [
    (np.sin, np.cos, 0.7),
    (lambda x: np.sin(1e4 * x), lambda x: 1e4 * np.cos(1e4 * x), 0.9),
    (lambda x: np.sin(1e4 * x) + np.exp(30 * x), lambda x: 1e4 * np.cos(1e4 * x) + 30 * np.exp(30 * x), 0.9),
    (lambda x: 1e8 + np.sin(x), np.cos, 0.7),
    (np.log, lambda x: 1 / x, 1e-10),
    (np.sqrt, lambda x: 0.5 / np.sqrt(x), 1e-8),
    (lambda x: x**7, lambda x: 7 * x**6, 3.0),
    (lambda x: x**5, lambda x: 5 * x**4, 0.0),
    (np.exp, np.exp, -40.0),
    (lambda x: 1 / (1 + x * x), lambda x: -2 * x / (1 + x * x) ** 2, 2.5),
    (lambda x: np.maximum(x, 0), lambda x: x / x, 1e-12),
    (lambda x: np.tanh(20 * x), lambda x: 20 / np.cosh(20 * x) ** 2, 0.9),
]


@pytest.mark.parametrize("reference", ["auto", "float64"])
@pytest.mark.parametrize("curve", range(len(CURVES)))
def test_error_bars_do_not_lie(curve: int, reference: str) -> None:
    f, slope, at = CURVES[curve]
    values, bars = numeric_grad(f, np.array(at), reference=reference)
    exact = float(slope(np.longdouble(at)))
    error = abs(float(values) - exact)  # type: ignore[arg-type]  # one number
    assert error <= 10 * float(bars) + 1e-15 * abs(exact)  # type: ignore[arg-type]  # one number
    assert np.isfinite(float(bars))  # type: ignore[arg-type]  # one number


def test_a_slope_that_does_not_exist_has_an_infinite_bar() -> None:
    for f in (np.sqrt, lambda x: x * np.log(x) if x > 0 else 0 * x):
        values, bars = numeric_grad(f, np.array(0.0))
        assert bars == np.inf, (values, bars)


def test_numeric_gradient_of_trees_has_their_form() -> None:
    values, bars = numeric_grad(lambda p, i: np.sum(p["w"] ** 2 * p["s"][i]), {"w": X[0], "s": X[1]}, np.array([0, 2, 2]))
    assert isinstance(values, tuple)
    assert isinstance(bars, tuple)
    assert values[1] is None
    np.testing.assert_allclose(values[0]["w"], 2 * X[0] * X[1][[0, 2, 2]], rtol=1e-13)
    np.testing.assert_allclose(values[0]["s"], [X[0, 0] ** 2, 0, X[0, 1] ** 2 + X[0, 2] ** 2], rtol=1e-13)
    assert bars[0]["w"].shape == (3,)


def test_a_function_of_float64_only_is_judged_in_float64() -> None:
    def picky(x: Array) -> Array:
        if x.dtype != np.float64:
            raise TypeError("float64 only")
        return np.linalg.inv(x)

    def vjp(a: Array, dy: Array) -> tuple[Array]:
        if a.dtype != np.float64:
            raise TypeError("float64 only")
        y = np.linalg.inv(a)
        return (-y.T @ dy @ y.T,)

    a = X[:, :2] + 2 * np.eye(2)
    report = check_vjp(picky, vjp, a)
    assert report.verdict == "pass"
    assert report.reference == "float64"
    assert not check_vjp(picky, lambda a, dy: (vjp(a, dy)[0] * (1 + 1e-9),), a).ok


def test_a_function_of_float32_only_is_judged_with_wider_bars() -> None:
    def single(x: Array) -> Array:
        if x.dtype != np.float32:
            raise TypeError("float32 only")
        return np.tanh(x)

    def vjp(x: Array, dy: Array) -> tuple[Array]:
        if x.dtype != np.float32:
            raise TypeError("float32 only")
        return (dy * (1 - np.tanh(x) ** 2),)

    x = X.astype(np.float32)
    assert check_vjp(single, vjp, x).verdict == "pass"
    report = check_vjp(single, lambda x, dy: (vjp(x, dy)[0] * np.float32(1.01),), x)
    assert report.verdict == "fail"


def test_a_python_number_is_an_output() -> None:
    assert check_grad(lambda x: float(np.sum(x**2)), lambda x: 2 * x, X).verdict == "pass"


def test_lost_digits_are_told_from_a_wrong_formula() -> None:
    x = 3000 + X

    def spread(x: Array) -> Array:
        c = x - x.mean(0)
        y: Array = np.sqrt((c * c).mean(0))
        return y

    def careless(x: Array, dy: Array) -> tuple[Array]:
        variance = (x * x).mean(0) - x.mean(0) ** 2
        return (dy * (x - x.mean(0)) / np.sqrt(variance) / len(x),)

    report = check_vjp(spread, careless, x)
    assert [(one.kind, one.diagnosis.tag) for one in report.findings] == [("precision", "precision_loss")]
    assert report.leaves[0].verdict == "pass"

    def single(x: Array, dy: Array) -> tuple[Array]:
        c = (x - x.mean(0)).astype(np.float32)
        return (dy * c / np.sqrt((c * c).mean(0)) / len(x),)

    assert "precision_loss" in {one.diagnosis.tag for one in check_vjp(spread, single, W).findings}


def test_a_gradient_that_is_zero_for_a_reason_passes() -> None:
    def centred(x: Array, b: Array) -> Array:
        z = x + b
        y: Array = z - z.mean(0)
        return y

    def vjp(x: Array, b: Array, dy: Array) -> tuple[Array, Array]:
        d = dy - dy.mean(0)
        return d, d.sum(0)

    assert check_vjp(centred, vjp, X, W[0, :1] + np.zeros(3)).verdict == "pass"
    assert check_vjp(centred, lambda x, b, dy: (dy - dy.mean(0), dy.sum(0)), X, np.ones(3)).verdict == "fail"


def test_hessian_vector_products() -> None:
    def grad(w: Array, x: Array) -> Array:
        return x.T @ np.tanh(x @ w)

    def hvp(w: Array, v: Array, x: Array) -> Array:
        return x.T @ ((1 - np.tanh(x @ w) ** 2) * (x @ v))

    assert check_hvp(grad, hvp, W[:, 0], X).verdict == "pass"
    assert check_hvp(grad, hvp, W[:, 0], X, vector=np.array([1.0, 0.0, 0.0])).verdict == "pass"
    report = check_hvp(grad, lambda w, v, x: x.T @ (x @ v), W[:, 0], X)
    assert report.verdict == "fail"
    assert report.findings[0].path == "params"


def test_the_same_seed_gives_the_same_report() -> None:
    first, second = (check_vjp(layer, spoiled(0, (0, 1), 1e-3), X, W, seed=4) for _ in range(2))
    assert first == second
    assert first != check_vjp(layer, spoiled(0, (0, 1), 1e-3), X, W, seed=5)


def test_without_explanation_the_verdict_is_the_same() -> None:
    for vjp in (layer_vjp, spoiled(1, (0, 0), 1e-6)):
        assert check_vjp(layer, vjp, X, W).verdict == check_vjp(layer, vjp, X, W, explain=False).verdict


def test_numbers_far_below_their_leafs_are_looked_at_in_their_own_size() -> None:
    """A dead zone of width 1 around entries beside a hundred million: a step of the large ones jumps over it."""

    def hard(x: Array) -> Array:
        return np.where(np.abs(x) > 0.5, x, 0)

    for x in (np.array([1e8, -3e8, 2e8, 0.0]), np.array([1e8, 0.25, 0.0, -2e8]), np.array([1e4, -3e5, 2e4, 0.3])):
        assert check_vjp(hard, lambda x, dy: (dy * (np.abs(x) > 0.5),), x).ok
        assert check_vjp(hard, lambda x, dy: (dy.copy(),), x).verdict == "fail"


def test_a_side_without_slope_does_not_speak_for_both() -> None:
    """A probability of 1e-19 beside 1: it has gone long before a step upwards ends, and its slope is below the rounding of 1."""

    def logistic(x: Array) -> Array:
        p = 1 / (1 + np.exp(x))
        return np.stack([p, 1 - p])

    x = np.array([41.0, 42.0, 60.0])
    report = check_vjp(logistic, lambda x, dy: ((dy[1] - dy[0]) * np.exp(x) / (1 + np.exp(x)) ** 2,), x)
    assert report.verdict != "fail", report


@pytest.mark.parametrize("offset", [0.0, 1.0, 1e6])
@pytest.mark.parametrize("near", [-1e-4, -1e-8, 1e-8])
def test_next_to_a_kink_the_side_without_slope_is_enough(offset: float, near: float) -> None:
    x = np.array([near, 1.0, -2.0])
    assert check_vjp(lambda x: np.maximum(x, 0) + offset, lambda x, dy: (dy * (x > 0),), x).ok
    wrong = check_vjp(lambda x: np.maximum(x, 0) + offset, lambda x, dy: (dy * (x > 0) + [1e-3, 0, 0],), x)
    assert wrong.verdict == "fail"


def test_single_precision_in_one_factor_is_seen() -> None:
    def mixed(x: Array) -> Array:
        return np.tanh(x.astype(np.float32)).astype(x.dtype) * x

    def slope(x: Array, dy: Array, error: float = 0.0) -> tuple[Array]:
        t = np.tanh(x)
        return (dy * (t * (1 + error) + x * (1 - t * t)),)

    x = np.array([[0.7, -1.2, 0.4], [0.3, 1.9, -0.8]])
    assert check_vjp(mixed, slope, x).ok
    assert check_vjp(mixed, lambda x, dy: slope(x, dy, 0.05), x).verdict == "fail"
    assert not check_vjp(mixed, lambda x, dy: slope(x, dy, 0.002), x).ok


def test_jumps_and_kinks_do_not_count_as_single_precision() -> None:
    """A small mistake beside them is seen as well as elsewhere."""
    for step in (np.sign, np.abs):

        def broken(x: Array, step: Callable[[Array], Array] = step) -> Array:
            return x * x + 1e-7 * step(x[0] - 0.5)

        report = check_vjp(broken, lambda x, dy: (2 * x * dy * (1 + 1e-6),), np.array([0.5, 1.5, 2.5]))
        assert report.verdict == "fail"
        assert report.findings[0].n_bad >= 2


@pytest.mark.parametrize("off", [0.0, 3.0, 9.0])
def test_what_would_be_seen_allows_for_a_difference_that_is_off_itself(off: float) -> None:
    """A gradient that is off by 9 bars passes: if it is right, the difference is off, and hides up to 19 on that side."""
    done = Comparison(np.array([1.0, 1.0 + off * 1e-9]), 0.0, 1e-7)
    one, bar = np.ones(2), np.full(2, 1e-9)
    done.set(np.arange(2), one, one, bar)
    done.scale = np.float64(1.0)
    assert done.verdict == "pass"
    power = done.report("[0]", (2,), "float64", "x").power
    assert power == pytest.approx(1e-9 * (10 + max(off, 1)), rel=1e-6, abs=0.0)  # 1 + 9e-9 is rounded to seven digits of 9e-9


def test_an_entry_that_is_wrong_does_not_blur_what_is_seen_of_the_others() -> None:
    report = check_vjp(np.sin, lambda x, dy: (dy * np.cos(x) * np.where(x == x.max(), 1.05, 1),), X, explain=False)
    assert report.verdict == "fail"
    assert report.leaves[0].power < 1e-10
