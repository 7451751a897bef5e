"""Ties and kinks that meet: every convention passes, and no share of more than there is."""

from __future__ import annotations

import numpy as np
import pytest

from funcnn.check import check_vjp
from funcnn.typing import Array


def test_the_tied_have_one_share_in_all() -> None:
    x = np.array([[2.0, 1.0, 2.0, 2.0], [0.0, 3.0, -1.0, 3.0]])

    def all_of_it(x: Array, dy: Array) -> tuple[Array]:
        return ((x == x.max(-1, keepdims=True)) * dy[:, None],)

    report = check_vjp(lambda x: x.max(-1), all_of_it, x)
    assert report.verdict == "fail"
    assert report.findings[0].n_bad == 5
    assert report.findings[0].diagnosis.tag == "region"
    assert "more, or less, in all" in str(report)
    worst = report.findings[0]
    assert worst.numeric is not None
    assert worst.analytic is not None
    assert worst.numeric / worst.analytic == pytest.approx(1 / 2)

    def shared(x: Array, dy: Array) -> tuple[Array]:
        at = (x == x.max(-1, keepdims=True)).astype(x.dtype)
        return (at / at.sum(-1, keepdims=True) * dy[:, None],)

    assert check_vjp(lambda x: x.max(-1), shared, x).verdict == "kink-ok"


@pytest.mark.parametrize(
    ("first", "second", "right"), [(1, 0, True), (0, 1, True), (0.5, 0.5, True), (1, 1, False), (0, 0, False)]
)
def test_a_tie_of_two_arguments(first: float, second: float, right: bool) -> None:
    a, b = np.array([1.0, 2.0, -1.0]), np.array([1.0, 0.5, -1.0])

    def vjp(a: Array, b: Array, dy: Array) -> tuple[Array, Array]:
        tied = a == b
        return dy * np.where(tied, first, a > b).astype(a.dtype), dy * np.where(tied, second, b > a).astype(a.dtype)

    assert check_vjp(np.maximum, vjp, a, b).ok is right


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 1.0])
def test_a_relu_of_a_minimum_where_both_kinks_meet(share: float) -> None:
    a, b = np.array([0.0, 1.0, -1.0, 2.0]), np.array([0.0, 3.0, 2.0, 2.0])

    def vjp(a: Array, b: Array, dy: Array) -> tuple[Array, Array]:
        y = np.minimum(a, b)
        relu = np.where(y == 0, share, y > 0).astype(a.dtype)
        half = np.where(a == b, 0.5, a < b).astype(a.dtype)
        return dy * relu * half, dy * relu * (1 - half)

    def f(a: Array, b: Array) -> Array:
        y: Array = np.maximum(np.minimum(a, b), 0)
        return y

    assert check_vjp(f, vjp, a, b).ok
    assert check_vjp(f, lambda a, b, dy: (vjp(a, b, dy)[0] + 2 * (a == 0), vjp(a, b, dy)[1]), a, b).verdict == "fail"


def test_kinks_side_by_side_are_no_tie() -> None:
    x = np.zeros(5)
    for left, right in ((0.0, 1.0), (1.0, 1.0), (0.5, 0.0)):

        def vjp(x: Array, dy: Array, left: float = left, right: float = right) -> tuple[Array]:
            at = np.where(np.arange(5) % 2, left, right)
            return (dy * np.where(x == 0, at, x > 0).astype(x.dtype),)

        assert check_vjp(lambda x: np.maximum(x, 0), vjp, x).ok
        assert check_vjp(lambda x: np.maximum(x, 0).sum(), lambda x, dy: vjp(x, dy * np.ones(5)), x).ok


@pytest.mark.parametrize("seed", [3, 13, 14])
def test_a_sort_of_many_tied_numbers(seed: int) -> None:
    """Of its neighbours some stand so near another tie that no difference tells: others are asked."""
    x = np.random.default_rng(seed).integers(-1, 2, size=(3, 5)) / 2

    def vjp(x: Array, dy: Array, factor: float = 1.0) -> tuple[Array]:
        dx = np.zeros_like(x)
        np.put_along_axis(dx, np.argsort(x, -1, kind="stable"), dy * factor, -1)
        return (dx,)

    assert check_vjp(lambda x: np.sort(x, -1), vjp, x, seed=seed, explain=False).verdict == "kink-ok"
    assert check_vjp(lambda x: np.sort(x, -1), lambda x, dy: vjp(x, dy, 1.01), x, seed=seed, explain=False).verdict == "fail"
