"""Weights of examples: whatever is a mean over examples counts one of weight 2 like the same example twice."""

from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn import tree

WEIGHT = np.array([1.0, 2.0, 0.0, 3.0, 1.0])
TWICE = np.repeat(np.arange(5), WEIGHT.astype(int))
X = np.random.default_rng(0).standard_normal((5, 3))
LABELS = np.array([0, 1, 2, 2, 0])
NUMBERS = np.random.default_rng(1).standard_normal((5, 3))
MODEL = fn.dense(4) >> fn.tanh() >> fn.dense(3)
PARAMS = MODEL.init(fn.Key(0), (3,)).params
VECTOR = tree.map(lambda leaf: np.random.default_rng(2).standard_normal(leaf.shape), PARAMS)
TIMES = (3.0, 1.0, 2.0)

CASES: dict[str, tuple[Any, Any, Any, Any]] = {
    "squares": (fn.half_squared_error(), fn.Weighted(NUMBERS, WEIGHT), fn.half_squared_error(), NUMBERS),
    "labels": (fn.softmax_cross_entropy(), fn.Weighted(LABELS, WEIGHT), fn.softmax_cross_entropy(), LABELS),
    "large weights": (fn.softmax_cross_entropy(), fn.Weighted(LABELS, 8 * WEIGHT), fn.softmax_cross_entropy(), LABELS),
    "classes": (
        fn.softmax_cross_entropy(class_weight=(1.0, 0.5, 3.0)),
        fn.Weighted(LABELS, WEIGHT / np.array([1.0, 0.5, 3.0])[LABELS]),
        fn.softmax_cross_entropy(),
        LABELS,
    ),
    "ignored": (
        fn.softmax_cross_entropy(ignore_index=-1),
        fn.Weighted(np.where(WEIGHT > 0, LABELS, -1), np.maximum(WEIGHT, 1.0)),
        fn.softmax_cross_entropy(),
        LABELS,
    ),
}
"""A loss and a target with weights; the same loss, and the target of which rows are repeated."""


def kronecker(kind: Any, sharing: Any = "expand", *, corrected: bool = False) -> Any:
    def of(model: Any, loss: Any) -> Any:
        factors = fn.curvature.kronecker_factors(model, loss, kind=kind, sharing=sharing, corrected=corrected)
        return lambda params, state, x, target, vector, mode: factors(params, state, x, target, mode).product(vector)

    return of


def sum_of_influences(model: Any, loss: Any) -> Any:
    """Return the influence of all examples of each row of X together, for the products' arguments."""
    influence = fn.curvature.influence(model, loss, kind="ggn", damping=0.1, tolerance=1e-12)

    def of_rows(params: Any, state: Any, x: Any, target: Any, vector: Any, mode: Any) -> Any:
        rows = np.arange(5) if len(x) == 5 else TWICE
        answer = NUMBERS[:1] if loss.name == "half_squared_error" else LABELS[:1]  # of one, its class's weight cancels
        return np.bincount(rows, influence(params, state, (x, target), (X[:1] + 1, answer)), 5)

    return of_rows


PRODUCTS: dict[str, Any] = {
    "hvp": fn.hvp,
    "ggn": fn.ggn_product,
    "empirical fisher": lambda model, loss: fn.fisher_product(model, loss, kind="empirical"),
    "kronecker": kronecker("true"),
    "corrected": kronecker("true", corrected=True),
    "reduced": kronecker("true", "reduce"),
    "empirical factors": kronecker("empirical"),
    "influence": sum_of_influences,
}


@pytest.mark.parametrize("name", PRODUCTS)
@pytest.mark.parametrize("case", CASES)
def test_a_row_of_weight_two_is_the_row_twice(name: str, case: str) -> None:
    loss, weighted, plain, target = CASES[case]
    got = PRODUCTS[name](MODEL, loss)(PARAMS, ((), (), ()), X, weighted, VECTOR, fn.Eval())
    expected = PRODUCTS[name](MODEL, plain)(PARAMS, ((), (), ()), X[TWICE], target[TWICE], VECTOR, fn.Eval())
    for one, other in zip(tree.leaves(got), tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("structure", ["full", "diagonal", "last_layer"])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize(("make", "target"), [(fn.half_squared_error, NUMBERS), (fn.softmax_cross_entropy, LABELS)])
def test_a_posterior_of_weights_is_that_of_repeated_rows(make: Any, target: Any, reduction: Any, structure: Any) -> None:
    posterior: Any = fn.curvature.laplace(MODEL, make(reduction=reduction), structure=structure, noise=1.0)
    weighted = posterior(PARAMS, ((), (), ()), X, fn.Weighted(target, WEIGHT))
    twice = posterior(PARAMS, ((), (), ()), X[TWICE], target[TWICE])
    assert weighted.log_evidence() == pytest.approx(twice.log_evidence(), rel=1e-12, abs=0.0)
    np.testing.assert_allclose(weighted.predict(X).covariance, twice.predict(X).covariance, rtol=1e-9, atol=1e-12)
