"""Functions as they come: buffers that must be writable, trees that change, cotangents of every kind, slow explanations."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest

from funcnn.check import check_vjp
from funcnn.typing import Array

X = np.array([0.3, -1.2, 2.0])


def guarded(x: Array) -> Array:
    """Return an array as compiled code takes it."""
    if not x.flags.writeable:
        raise ValueError("buffer source array is read-only")
    return x


def test_code_that_takes_writable_buffers_only_is_neither_refused_nor_accused() -> None:
    assert check_vjp(lambda x: np.sin(guarded(x)), lambda x, dy: (dy * np.cos(x),), X).verdict == "pass"
    assert check_vjp(np.sin, lambda x, dy: (dy * np.cos(guarded(x)),), X).verdict == "pass"
    assert check_vjp(np.sin, lambda x, dy: (guarded(dy) * np.cos(x),), X).verdict == "pass"


def test_code_that_writes_is_accused_as_before() -> None:
    def in_place(x: Array, dy: Array) -> tuple[Array]:
        dy *= np.cos(x)
        return (dy.copy(),)

    def what_was_there(x: Array, dy: Array) -> tuple[Array]:
        x[:] = x + 0
        return (dy * np.cos(x),)

    assert [one.diagnosis.tag for one in check_vjp(np.sin, in_place, X).findings] == ["mutates_dy"]
    assert [one.diagnosis.tag for one in check_vjp(np.sin, what_was_there, X).findings] == ["mutates_input"]


@pytest.mark.parametrize("period", [2, 3])
def test_an_output_whose_tree_changes_is_found(period: int) -> None:
    count = itertools.count()

    def f(x: Array) -> dict[str, Array]:
        return {("b" if next(count) % period else "a"): np.sin(x)}

    report = check_vjp(f, lambda x, dy: (next(iter(dy.values())) * np.cos(x),), X)
    assert [one.kind for one in report.findings] == ["structure"]
    assert report.verdict == "fail"


def test_sparse_and_large_cotangents_are_tried() -> None:
    def ignores_zeros(x: Array, dy: Array) -> tuple[Array]:
        return (np.where(dy == 0, 1e-3, dy) * np.cos(x),)

    def clips(x: Array, dy: Array) -> tuple[Array]:
        return (np.clip(dy, -1e4, 1e4) * np.cos(x),)

    for vjp in (ignores_zeros, clips):
        assert "nonlinear_in_dy" in {one.diagnosis.tag for one in check_vjp(np.sin, vjp, X).findings}


def test_explaining_has_a_limit_that_is_told() -> None:
    def slow(x: Array) -> Array:
        time.sleep(2e-3)
        y: Array = np.tanh(np.cumsum(x, 1))
        return y

    def wrong(x: Array, dy: Array) -> tuple[Array]:
        d = dy * (1 - slow(x) ** 2)
        return (d[:, ::-1].cumsum(1)[:, ::-1] * (1 + 0.1 * np.sin(9 * x)),)

    x = np.random.default_rng(0).normal(size=(4, 5))
    report = check_vjp(slow, wrong, x, explain=0.05)
    assert report.verdict == "fail"
    assert "cut short" in report.findings[0].diagnosis.text
    assert report.notes == ("explaining was cut short after 0.05 s: explain=0.6 gives it more time",)
    with pytest.raises(ValueError, match="explain is -1, expected True, False or a positive number"):
        check_vjp(slow, wrong, x, explain=-1)
    with pytest.raises(TypeError, match="explain is 'long', expected True, False or a number of seconds"):
        check_vjp(slow, wrong, x, explain="long")  # type: ignore[arg-type]  # on purpose
