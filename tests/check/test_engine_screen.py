"""Large leaves: directions see errors, bisection names the entry, and the cost is bounded."""

import attrs
import numpy as np
import pytest

import funcnn as fn
from funcnn.check import check_model, check_vjp
from funcnn.check.screen import DIRECTIONS, EVALUATIONS
from funcnn.layer import Residuals
from funcnn.layers.dense import DenseParams
from funcnn.typing import Array

GENERATOR = np.random.default_rng(3)
X = GENERATOR.normal(size=(4, 90))
W = GENERATOR.normal(size=(90, 70))


def product(x: Array, w: Array) -> Array:
    y: Array = np.tanh(x @ w)
    return y


def right(x: Array, w: Array, dy: Array) -> tuple[Array, Array]:
    d = dy * (1 - np.tanh(x @ w) ** 2)
    return d @ w.T, x.T @ d


def test_a_right_leaf_passes_within_twelve_evaluations_a_direction() -> None:
    report = check_vjp(product, right, X, W)
    assert report.verdict == "pass"
    large = report.leaves[1]
    assert large.method == f"{DIRECTIONS} directions"
    assert large.evaluations <= DIRECTIONS * EVALUATIONS
    assert 0 < large.power < 1e-8


@pytest.mark.parametrize("error", [1.0, 1e-3, 1e-6])
@pytest.mark.parametrize("index", [(0, 0), (37, 61), (89, 69)])
def test_one_wrong_entry_among_thousands_is_named(index: tuple[int, int], error: float) -> None:
    def wrong(x: Array, w: Array, dy: Array) -> tuple[Array, Array]:
        dx, dw = right(x, w, dy)
        dw[index] += error * np.abs(dw).max()
        return dx, dw

    report = check_vjp(product, wrong, X, W)
    assert [leaf.verdict for leaf in report.leaves] == ["pass", "fail"]
    (found,) = (one for one in report.findings if one.kind == "value")
    assert (found.path, found.index, found.n_bad) == ("[1]", index, 1)


def test_a_leaf_that_is_wrong_everywhere() -> None:
    report = check_vjp(product, lambda x, w, dy: (right(x, w, dy)[0], 1.0001 * right(x, w, dy)[1]), X, W)
    (found,) = (one for one in report.findings if one.kind == "value")
    assert found.path == "[1]"
    assert found.n_bad == found.n > 20


def test_directions_can_be_asked_for_and_so_can_every_entry() -> None:
    x, w = X[:, :9], W[:9, :7].copy()
    assert check_vjp(product, right, x, w, method="screen").leaves[1].method == f"{DIRECTIONS} directions"
    x, w = X[:1, :68].copy(), W[:68, :60].copy()
    assert check_vjp(product, right, x, w).leaves[1].method != "every entry"
    assert check_vjp(product, right, x, w, method="full").leaves[1].method == "every entry"


def test_zeros_at_kinks_do_not_spoil_the_rest() -> None:
    x = np.where(np.arange(4500) % 15, np.linspace(-1, 1, 4500), 0)
    report = check_vjp(lambda x: np.maximum(x, 0), lambda x, dy: (dy * (x > 0),), x)
    assert report.verdict == "kink-ok"
    assert report.leaves[0].kinks == 300


def test_an_unused_large_leaf() -> None:
    def f(x: Array, w: Array) -> Array:
        return np.sin(x)

    assert check_vjp(f, lambda x, w, dy: (dy * np.cos(x), np.zeros_like(w)), X, W).verdict == "pass"
    report = check_vjp(f, lambda x, w, dy: (dy * np.cos(x), 1e-30 * w), X, W)
    assert report.verdict != "pass"


MODEL = fn.dense(1000) >> fn.relu() >> fn.dense(200) >> fn.relu() >> fn.dense(10)


def wrong_entry(params: DenseParams, residuals: Residuals, dy: Array) -> fn.Backward[DenseParams, Array]:
    made = fn.dense(1000).backward(params, residuals, dy)
    weight = made.params.weight.copy()
    weight[123, 456] *= 1.001
    return attrs.evolve(made, params=DenseParams(weight, made.params.bias))


def test_a_million_parameters_with_one_entry_off_by_a_thousandth() -> None:
    x, labels = GENERATOR.normal(size=(2, 784)), np.array([3, 7])
    loss = fn.softmax_cross_entropy()
    report = check_model(MODEL, loss, x, labels)
    assert fn.tree.size(MODEL.init(fn.Key(0), (784,)).params) > 900_000
    assert report.ok, str(report)
    assert report.evaluations < 400
    first: fn.Layer[DenseParams, tuple[()], Array, Array] = attrs.evolve(fn.dense(1000), backward=wrong_entry)
    wrong = first >> fn.relu() >> fn.dense(200) >> fn.relu() >> fn.dense(10)
    report = check_model(wrong, loss, x, labels, explain=False)
    (found,) = (one for one in report.findings if one.kind == "value")
    assert (found.path, found.index) == ("params[0].weight", (123, 456))
    assert report.evaluations < 1500
