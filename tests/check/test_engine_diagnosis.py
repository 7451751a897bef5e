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
