"""What a diagnosis says is true: classes behind nonlinearities, at any scale, and no sentence that is false."""

from __future__ import annotations

import numpy as np
import pytest

from funcnn.check import check_vjp
from funcnn.typing import Array

GENERATOR = np.random.default_rng(0)
X, W = GENERATOR.normal(size=(3, 4)), GENERATOR.normal(size=(4, 4))


def tag(report: object) -> str:
    return report.findings[0].diagnosis.tag  # type: ignore[attr-defined,no-any-return]  # a report


def test_a_transpose_behind_a_nonlinearity() -> None:
    def wrong(x: Array, w: Array, dy: Array) -> tuple[Array, Array]:
        d = dy * (1 - np.tanh(x @ w) ** 2)
        return d @ w, x.T @ d

    assert tag(check_vjp(lambda x, w: np.tanh(x @ w), wrong, X, W)) == "transpose"


def test_a_scan_in_the_wrong_direction() -> None:
    def scan(x: Array) -> Array:
        states = [0 * x[:, 0]]
        for step in range(x.shape[1]):
            states.append(np.tanh(x[:, step]) * states[-1] + x[:, step])
        return np.stack(states[1:], 1)

    def wrong(x: Array, dy: Array) -> tuple[Array]:
        y, made, d = scan(x), [], 0 * x[:, 0]
        for step in range(x.shape[1]):
            d = dy[:, step] + d * np.tanh(x[:, step])
            before = y[:, step - 1] if step else 0
            made.append(d * (1 + before * (1 - np.tanh(x[:, step]) ** 2)))
        return (np.stack(made, 1),)

    report = check_vjp(scan, wrong, GENERATOR.normal(size=(3, 5)))
    assert tag(report) == "time"
    assert "the wrong way" in str(report)


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e-6, 1e-9])
def test_zero_and_factors_are_told_at_any_scale(scale: float) -> None:
    a, b = GENERATOR.normal(size=4), GENERATOR.normal(size=4)

    def f(a: Array, b: Array) -> Array:
        return np.sin(a) + scale * np.sin(b)

    for factor, name in ((0.0, "zero_gradient"), (2.0, "constant_factor")):
        report = check_vjp(f, lambda a, b, dy, k=factor: (dy * np.cos(a), k * scale * dy * np.cos(b)), a, b)
        assert (report.findings[0].path, tag(report)) == ("[1]", name), report


def test_no_repeated_indices_are_named_where_there_are_none() -> None:
    def f(x: Array) -> Array:
        return np.concatenate([x, x[:1] ** 2])

    report = check_vjp(f, lambda x, dy: (dy[:-1].copy(),), X)
    assert "repeated" not in str(report)


def softmax(x: Array) -> Array:
    shares = np.exp(x - x.max(-1, keepdims=True))
    made: Array = shares / shares.sum(-1, keepdims=True)
    return made


@pytest.mark.parametrize(("factor", "said"), [(0.0, "-1"), (-1.0, "-2"), (0.25, "-0.75")])
def test_the_term_that_a_softmax_lacks_is_named_with_its_factor(factor: float, said: str) -> None:
    def wrong(x: Array, dy: Array) -> tuple[Array]:
        y = softmax(x)
        return (y * (dy - factor * (y * dy).sum(-1, keepdims=True)),)

    report = check_vjp(softmax, wrong, X)
    assert tag(report) == "missing_term"
    assert f"lacks a term: {said} times the output times the sum of dy times the output over axis 1" in str(report)


@pytest.mark.parametrize(("factor", "said"), [(2.0, "2"), (-1.0, "-1"), (-3.0, "-3"), (0.3, "0.3")])
def test_two_mistakes_in_one_leaf_are_both_named(factor: float, said: str) -> None:
    report = check_vjp(lambda x, w: x @ w, lambda x, w, dy: (dy @ w.T, factor * (x.T @ dy).T), X, W)
    assert (report.findings[0].path, tag(report)) == ("[1]", "transpose")
    assert f"exchanged; and it is that times {said}" in str(report)


def test_mistakes_in_two_leaves_are_named_apart() -> None:
    def attention(q: Array, k: Array, v: Array) -> Array:
        return softmax(q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])) @ v

    def wrong(q: Array, k: Array, v: Array, dy: Array) -> tuple[Array, Array, Array]:
        p = softmax(q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1]))
        dp = dy @ np.swapaxes(v, -1, -2)
        ds = p * (dp - (p * dp).sum(-1, keepdims=True))
        return ds @ k, np.swapaxes(ds, -1, -2) @ q / np.sqrt(q.shape[-1]), p @ dy

    report = check_vjp(attention, wrong, *GENERATOR.normal(size=(3, 2, 4, 3)))
    assert {one.path: one.diagnosis.tag for one in report.findings} == {"[0]": "constant_factor", "[2]": "transpose"}
    assert "sqrt(3), where 3 is the length of axis 2 of [0]" in str(report)
