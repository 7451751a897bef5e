"""The contract: each rule by a gradient that breaks it and nothing else."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from funcnn.check import check_vjp
from funcnn.check.report import Report
from funcnn.typing import Array, IntArray

X = np.array([[0.3, -1.2, 2.0], [1.1, 0.7, -0.4]])
W = np.array([[0.2, -0.5], [1.5, 0.3], [-0.7, 0.9]])


def product(x: Array, w: Array) -> Array:
    return x @ w


def right(x: Array, w: Array, dy: Array) -> tuple[Array, Array]:
    return dy @ w.T, x.T @ dy


def only(report: Report, kind: str, path: str, tag: str) -> None:
    """Demand that a report finds one thing and no other."""
    assert [(one.kind, one.path, one.diagnosis.tag) for one in report.findings] == [(kind, path, tag)], str(report)
    assert report.verdict == "fail"


def test_a_pure_gradient_has_no_findings() -> None:
    assert check_vjp(product, right, X, W).findings == ()


def test_writing_into_an_argument_is_found_with_its_line() -> None:
    def writes(x: Array, w: Array, dy: Array) -> tuple[Array, Array]:
        made = right(x, w, dy)
        w[0, 0] += 1
        return made

    report = check_vjp(product, writes, X, W)
    only(report, "mutation", "[1]", "mutates_input")
    assert "w[0, 0] += 1" in report.findings[0].text
    assert W[0, 0] == 0.2


def test_writing_the_same_number_is_writing() -> None:
    def writes(x: Array, w: Array, dy: Array) -> tuple[Array, Array]:
        x *= 1
        return right(x, w, dy)

    only(check_vjp(product, writes, X, W), "mutation", "[0]", "mutates_input")


def test_the_function_may_not_write_either() -> None:
    def writes(x: Array, w: Array) -> Array:
        y = x @ w
        x[:] = 0
        return y

    report = check_vjp(writes, right, X, W)
    assert ("mutation", "[0]") in {(one.kind, one.path) for one in report.findings}
    assert [leaf.verdict for leaf in report.leaves] == ["pass", "pass"]


def test_writing_into_the_cotangent() -> None:
    def writes(x: Array, w: Array, dy: Array) -> tuple[Array, Array]:
        made = right(x, w, dy)
        dy /= 2
        return made

    only(check_vjp(product, writes, X, W), "mutation", "dy", "mutates_dy")


def test_two_gradients_in_one_array() -> None:
    def shares(a: Array, b: Array, dy: Array) -> tuple[Array, Array]:
        d = 1 * dy
        return d, d

    only(check_vjp(lambda a, b: a + b, shares, X, X.copy()), "aliasing", "[1]", "aliasing")


def test_a_view_of_the_cotangent_and_one_of_an_argument() -> None:
    only(check_vjp(lambda x: x.reshape(-1) * 1, lambda x, dy: (dy.reshape(x.shape),), X), "aliasing", "[0]", "aliasing")
    report = check_vjp(lambda a, b: a * b, lambda a, b, dy: (b if (dy == 1).all() else b * dy, a * dy), X, X.copy())
    only(report, "aliasing", "[0]", "aliasing")


def test_a_buffer_that_is_used_again() -> None:
    buffer = {np.dtype(kind): np.empty(X.shape, kind) for kind in (np.float64, np.longdouble)}
    report = check_vjp(np.sin, lambda x, dy: (np.multiply(dy, np.cos(x), out=buffer[x.dtype]),), X)
    only(report, "aliasing", "[0]", "aliasing")


def test_randomness_in_the_gradient_and_in_the_function() -> None:
    generator = np.random.default_rng(0)
    noisy = check_vjp(np.sin, lambda x, dy: (dy * np.cos(x) * (1 + 1e-6 * generator.random()),), X)
    assert noisy.findings[0].diagnosis.tag == "nondeterministic"
    random = check_vjp(lambda x: np.sin(x + generator.random()), lambda x, dy: (dy * np.cos(x),), X)
    assert ("determinism", "") in {(one.kind, one.path) for one in random.findings}
    assert random.verdict == "fail"


def remembering() -> Callable[[Array, Array], tuple[Array]]:
    cosines: dict[Any, Array] = {}

    def vjp(x: Array, dy: Array) -> tuple[Array]:
        return (dy * cosines.setdefault((x.shape, x.dtype), np.cos(x)),)

    return vjp


def test_memory_of_an_earlier_point() -> None:
    report = check_vjp(np.sin, remembering(), X)
    assert report.verdict == "fail"
    assert report.findings[0].path == "[0]"
    assert report.findings[0].diagnosis.tag == "stale_state"


def test_memory_of_the_last_call_of_the_function() -> None:
    last: dict[str, Array] = {}

    def f(x: Array) -> Array:
        last["y"] = np.tanh(x)
        return last["y"] + 0

    report = check_vjp(f, lambda x, dy: ((dy * (1 - last["y"] ** 2)).astype(x.dtype),), X)
    assert "stale_state" in {one.diagnosis.tag for one in report.findings}


@pytest.mark.parametrize(
    ("vjp", "tag"),
    [
        (lambda x, dy: (np.cos(x) * 1,), "ignores_dy"),
        (lambda x, dy: (np.cos(x) * np.abs(dy),), "nonlinear_in_dy"),
        (lambda x, dy: (np.cos(x) * np.clip(dy, -100, 100),), "nonlinear_in_dy"),
        (lambda x, dy: (np.cos(x) * (dy + 1e-9 * dy**2),), "nonlinear_in_dy"),
        (lambda x, dy: (np.cos(x) * np.sign(dy),), "nonlinear_in_dy"),
    ],
)
def test_linearity_in_the_cotangent(vjp: Callable[..., tuple[Array]], tag: str) -> None:
    report = check_vjp(np.sin, vjp, X)
    assert report.verdict == "fail"
    assert report.findings[0].diagnosis.tag == tag
    assert report.findings[0].path == "[0]"


def test_order_in_memory() -> None:
    def by_memory(x: Array, w: Array, dy: Array) -> tuple[Array, Array]:
        dx, dw = right(x, w, dy)
        return dx.ravel("K").reshape(x.shape) if not x.flags.c_contiguous and x.flags.f_contiguous else dx, dw

    def f_by_memory(x: Array, w: Array, dy: Array) -> tuple[Array, Array]:
        x = x.ravel("K").reshape(x.shape)
        return dy @ w.T, x.T @ dy

    report = check_vjp(product, f_by_memory, X, W)
    assert {(one.kind, one.path) for one in report.findings} == {("layout", "[1]")}
    assert check_vjp(product, by_memory, X, W).verdict in ("pass", "fail")


@pytest.mark.parametrize(
    ("vjp", "kind", "path"),
    [
        (lambda x, w, dy: dy @ w.T, "structure", ""),
        (lambda x, w, dy: right(x, w, dy)[:1], "structure", ""),
        (lambda x, w, dy: (*right(x, w, dy), None), "structure", ""),
        (lambda x, w, dy: list(right(x, w, dy)), "structure", ""),
        (lambda x, w, dy: (right(x, w, dy)[0], None), "structure", "[1]"),
        (lambda x, w, dy: (right(x, w, dy)[0], 0.0), "structure", "[1]"),
        (lambda x, w, dy: (right(x, w, dy)[0], right(x, w, dy)[1].T), "shape", "[1]"),
        (lambda x, w, dy: (right(x, w, dy)[0].astype(np.float32), right(x, w, dy)[1]), "dtype", "[0]"),
        (lambda x, w, dy: (right(x, w, dy)[0] + 0j, right(x, w, dy)[1]), "dtype", "[0]"),
        (lambda x, w, dy: (right(x, w, dy)[0] * np.nan, right(x, w, dy)[1]), "nonfinite", "[0]"),
    ],
)
def test_form_of_the_result(vjp: Callable[..., Any], kind: str, path: str) -> None:
    report = check_vjp(product, vjp, X, W)
    assert report.verdict == "fail"
    assert {(one.kind, one.path) for one in report.findings} == {(kind, path)}
    assert {one.diagnosis.tag for one in report.findings} == {kind}


def test_a_wrong_form_of_one_leaf_does_not_hide_a_wrong_value_of_another() -> None:
    report = check_vjp(product, lambda x, w, dy: (2 * (dy @ w.T), (x.T @ dy).T), X, W)
    assert {(one.kind, one.path) for one in report.findings} == {("shape", "[1]"), ("value", "[0]")}


def test_trees_and_integers() -> None:
    def look_up(p: dict[str, Array], i: IntArray) -> tuple[Array, IntArray]:
        return p["table"][i] * p["scale"], i + 1

    def vjp(p: dict[str, Array], i: IntArray, dy: tuple[Array, None]) -> tuple[dict[str, Array], None]:
        table = np.zeros_like(p["table"])
        np.add.at(table, i, dy[0] * p["scale"])
        return {"scale": (dy[0] * p["table"][i]).sum(0), "table": table}, None

    args = ({"table": X.copy(), "scale": X[0].copy()}, np.array([0, 1, 1]))
    assert check_vjp(look_up, vjp, *args).verdict == "pass"
    with_zeros = check_vjp(look_up, lambda p, i, dy: (vjp(p, i, dy)[0], np.zeros(3)), *args)
    assert {(one.kind, one.path) for one in with_zeros.findings} == {("structure", "[1]")}
    missing = check_vjp(look_up, lambda p, i, dy: ({"table": vjp(p, i, dy)[0]["table"]}, None), *args)
    assert {(one.kind, one.path) for one in missing.findings} == {("structure", "[0]")}
    assert "['scale']" in missing.findings[0].text


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_sum_that_is_zero_by_cancellation_may_round_otherwise_in_another_order(seed: int) -> None:
    """Its value is rounding alone, of a few values: several neighbours share the one that is here, and yet it is not exact."""

    def f(x: Array) -> Any:
        z = x - x.mean(0)
        return np.sum(z / np.sqrt((z * z).mean(0) + 1e-5))

    x = 1e3 * np.random.default_rng(seed).normal(size=(4, 4))
    assert check_vjp(f, lambda x, dy: (0 * x,), x, seed=seed, explain=False).verdict != "fail"
