"""Kinks: no false alarm, no blind spot, and the convention told."""

from typing import Any

import attrs
import numpy as np
import pytest

import funcnn as fn
from funcnn.check import check_layer, check_vjp
from funcnn.typing import Array

AT = np.array([[0.0, 1.0, -1.0], [-0.0, 0.5, 0.0]])


def relu(x: Array) -> Array:
    return np.maximum(x, 0)


@pytest.mark.parametrize(
    ("value", "convention"), [(0.0, "left derivative"), (1.0, "right derivative"), (0.5, "middle"), (0.25, "0.25 to 0.25")]
)
def test_every_value_between_the_one_sided_derivatives_passes_and_is_named(value: float, convention: str) -> None:
    report = check_vjp(relu, lambda x, dy: (dy * np.where(x == 0, value, x > 0).astype(x.dtype),), AT)
    assert report.verdict == "kink-ok"
    assert report.ok
    assert report.leaves[0].kinks == 3
    assert report.leaves[0].convention.startswith(convention)


@pytest.mark.parametrize("value", [-1e-6, 1 + 1e-6, 2.0, -1.0, np.nan, np.inf])
def test_every_other_value_fails(value: float) -> None:
    report = check_vjp(relu, lambda x, dy: (dy * np.where(x == 0, value, x > 0).astype(x.dtype),), AT)
    assert report.verdict == "fail"
    assert report.findings[0].index in {(0, 0), (1, 0), (1, 2)}


@pytest.mark.parametrize("distance", [1e-3, 1e-6, 1e-9, 1e-12])
def test_next_to_a_kink_there_is_no_freedom(distance: float) -> None:
    x = np.array([distance, -distance, 1.0])
    assert check_vjp(relu, lambda x, dy: (dy * (x > 0),), x).verdict == "pass"
    assert check_vjp(relu, lambda x, dy: (dy * np.where(abs(x) < 0.1, 0.5, x > 0).astype(x.dtype),), x).verdict == "fail"


def largest(x: Array) -> Array:
    y: Array = x.max(-1)
    return y


TIED = np.array([[2.0, 1.0, 2.0, 2.0], [0.0, 3.0, -1.0, 1.0]])


def test_all_ways_to_share_a_tie_pass() -> None:
    def first(x: Array, dy: Array) -> tuple[Array]:
        return ((np.arange(4) == x.argmax(-1)[:, None]) * dy[:, None],)

    def shared(x: Array, dy: Array) -> tuple[Array]:
        at = (x == x.max(-1, keepdims=True)).astype(x.dtype)
        return (at / at.sum(-1, keepdims=True) * dy[:, None],)

    for vjp in (first, shared):
        report = check_vjp(largest, vjp, TIED)
        assert report.verdict == "kink-ok"
        assert report.leaves[0].kinks == 3
    report = check_vjp(largest, lambda x, dy: (2 * first(x, dy)[0],), TIED)
    assert report.verdict == "fail"


def test_each_output_may_have_its_own_convention() -> None:
    def both(x: Array) -> Array:
        return np.stack([np.maximum(x, 0), -np.maximum(-x, 0)])

    def vjp(x: Array, dy: Array) -> tuple[Array]:
        return (dy[0] * (x > 0) + dy[1] * (x < 0),)

    report = check_vjp(both, vjp, np.array([0.0, 1.0, -2.0]))
    assert report.verdict == "kink-ok"
    wrong = check_vjp(both, lambda x, dy: (dy[0] * (x > 0) - dy[1] * (x <= 0),), np.array([0.0, 1.0, -2.0]))
    assert wrong.verdict == "fail"


def test_the_gradient_of_a_smooth_function_written_with_kinks_is_held_to_its_value() -> None:
    def identity(x: Array) -> Array:
        y: Array = np.maximum(x, 0) - np.maximum(-x, 0)
        return y

    x = np.array([0.0, 1.0])
    assert check_vjp(identity, lambda x, dy: (1 * dy,), x).verdict == "pass"
    assert check_vjp(identity, lambda x, dy: (dy * (x != 0),), x).verdict == "fail"


def test_at_the_edge_of_the_domain_one_side_is_enough() -> None:
    x = np.array([0.0, 0.5, 2.0])
    assert check_vjp(lambda x: x**1.5, lambda x, dy: (1.5 * dy * np.sqrt(x),), x).verdict == "pass"
    assert check_vjp(lambda x: x**1.5, lambda x, dy: (1.5 * dy * np.sqrt(x) + 0.01 * (x == 0),), x).verdict == "fail"


def test_without_a_derivative_nothing_is_passed() -> None:
    assert check_vjp(np.sqrt, lambda x, dy: (0 * dy,), np.zeros(2)).verdict == "inconclusive"


def test_many_kinks_are_settled_quickly() -> None:
    x = np.where(np.arange(1500) % 2, 0.0, np.linspace(-1, 1, 1500))
    report = check_vjp(relu, lambda x, dy: (dy * (x > 0),), x)
    assert report.verdict == "kink-ok"
    assert report.leaves[0].kinks == 750
    assert report.evaluations < 10 * x.size


def test_a_network_at_an_input_of_zeros_where_all_its_kinks_meet() -> None:
    model = fn.dense(6) >> fn.relu() >> fn.dense(5) >> fn.relu() >> fn.dense(3)
    made = model.init(fn.Key(0), (4,))
    report = check_layer(model, np.zeros((2, 4)), params=made.params, state=made.state)
    assert report.verdict == "kink-ok"

    def wrong(params: object, residuals: Any, dy: Array) -> Any:
        return fn.Backward(params, dy * np.where(residuals.value == 0, 2, residuals.value > 0).astype(dy.dtype))

    bad = fn.dense(6) >> attrs.evolve(fn.relu(), backward=wrong) >> fn.dense(3)
    made_wrong = bad.init(fn.Key(0), (4,))
    report = check_layer(bad, np.zeros((2, 4)), params=made_wrong.params, state=made_wrong.state)
    assert report.verdict == "fail"
