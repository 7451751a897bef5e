"""Large leaves: directions see errors, bisection names the entry, and the cost is bounded."""

from functools import partial

import attrs
import numpy as np
import pytest

import funcnn as fn
from funcnn.check import check_model, check_vjp
from funcnn.check.differences.screen import DIRECTIONS, EVALUATIONS
from funcnn.layer import Residuals
from funcnn.layers.linear.dense import DenseParams
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


MANY_ZEROS = np.where(np.random.default_rng(0).random((80, 80)) < 0.5, 0, np.random.default_rng(1).standard_normal((80, 80)))


@pytest.mark.parametrize(("at_zero", "convention"), [(0.0, "left derivative"), (1.0, "right derivative")])
def test_thousands_of_kinks_with_one_convention_are_right(at_zero: float, convention: str) -> None:
    report = check_vjp(lambda x: np.maximum(x, 0).sum(1), lambda x, dy: (dy[:, None] * np.heaviside(x, at_zero),), MANY_ZEROS)
    assert report.verdict == "kink-ok"
    assert report.leaves[0].convention == convention
    assert report.leaves[0].power < 1e-5


@pytest.mark.parametrize("at_zero", [-0.01, 1.01, 3.0])
def test_thousands_of_kinks_with_another_value_are_wrong(at_zero: float) -> None:
    report = check_vjp(lambda x: np.maximum(x, 0).sum(1), lambda x, dy: (dy[:, None] * np.heaviside(x, at_zero),), MANY_ZEROS)
    assert report.verdict == "fail"
    index = report.findings[0].index
    assert index is not None
    assert MANY_ZEROS[index] == 0


def test_a_single_wrong_entry_of_a_large_leaf_is_called_one() -> None:
    def vjp(x: Array, dy: Array) -> tuple[Array]:
        d = dy * np.cos(x)
        d[40, 7] += 0.01
        return (d,)

    report = check_vjp(
        np.sin, vjp, np.random.default_rng(2).standard_normal((100, 100)), cotangent=np.ones((100, 100)), method="screen"
    )
    (found,) = (one for one in report.findings if one.kind == "value")
    assert found.index == (40, 7)
    assert "a random direction agrees" in found.text


def test_a_row_of_a_large_leaf_is_named_by_the_entries_that_were_looked_at() -> None:
    w = np.random.default_rng(3).standard_normal((90, 70))

    def vjp(w: Array, dy: Array) -> tuple[Array]:
        d = np.broadcast_to(dy, w.shape) * 2 * w
        d[:, 33] *= 1.5
        return (d,)

    report = check_vjp(lambda w: (w * w).sum(0), vjp, w, method="screen")
    assert report.verdict == "fail"
    assert report.findings[0].diagnosis.tag == "row_or_column"


def test_an_error_as_small_as_would_see_is_seen_in_a_screened_leaf() -> None:
    """Four directions miss it once in a billion; an error of 0.8 times their bar, a 142nd of it, they miss four times in ten."""
    w = GENERATOR.normal(size=(90, 70))
    for seed in range(12):

        def vjp(w: Array, dy: Array, error: float = 0.0) -> tuple[Array]:
            d = 2 * w * dy
            d[17, 3] += error
            return (d,)

        check = partial(check_vjp, lambda w: (w * w).sum(0), cotangent=np.ones(70), seed=seed, explain=False)
        (leaf,) = check(vjp, w).leaves
        assert (leaf.verdict, leaf.method) == ("pass", f"{DIRECTIONS} directions")
        (spoiled,) = check(partial(vjp, error=leaf.power * float(np.abs(2 * w).max())), w).leaves
        assert spoiled.verdict != "pass"
