"""Mixtures of experts: against a loop over single vectors, and what their routers learn."""

import math
from typing import Any

import attrs
import numpy as np
import pytest

import funcnn as fn
from funcnn.typing import Array

EXPERT = fn.dense(4) >> fn.tanh() >> fn.dense(2)


def numbers(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape)


def slow(params: Any, x: Array, top_k: int) -> tuple[Array, Array]:
    """Return output and scores, vector by vector."""
    outputs, found = [], []
    for vector in x:
        scores = [float(vector @ params.router[:, e]) for e in range(params.router.shape[1])]
        best = sorted(range(len(scores)), key=[-score for score in scores].__getitem__)[:top_k]
        total = sum(math.exp(scores[e]) for e in best)
        y = np.zeros(2)
        for e in best:
            first, _, last = params.experts[e]
            y += math.exp(scores[e]) / total * (np.tanh(vector @ first.weight + first.bias) @ last.weight + last.bias)
        outputs.append(y)
        found.append(scores)
    return np.array(outputs), np.array(found)


@pytest.mark.parametrize("top_k", [1, 2, 5])
def test_a_mixture_is_its_definition(top_k: int) -> None:
    layer = fn.mixture_of_experts_with_routing(EXPERT, 5, top_k=top_k)
    start = layer.init(fn.Key(0), (3, 3))
    x = numbers(4, 3, 3)
    y, scores = fn.apply(layer, start.params, start.state, x)
    expected = slow(start.params, x.reshape(12, 3), top_k)
    np.testing.assert_allclose(y.reshape(12, 2), expected[0], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(scores.reshape(12, 5), expected[1], rtol=1e-12, atol=1e-14)
    plain = fn.mixture_of_experts(EXPERT, 5, top_k=top_k)
    np.testing.assert_array_equal(fn.apply(plain, start.params, start.state, x), y)


def test_a_score_that_is_no_number_shows() -> None:
    layer = fn.mixture_of_experts(EXPERT, 4, top_k=2)
    start = layer.init(fn.Key(0), (3,))
    router = start.params.router.copy()
    router[1, 2] = np.nan
    x = numbers(5, 3)
    assert np.isnan(fn.apply(layer, attrs.evolve(start.params, router=router), start.state, x)).all()
    x[3, 0] = np.nan
    assert np.isnan(fn.apply(layer, start.params, start.state, x)).all(axis=1).tolist() == [False, False, False, True, False]


def test_the_gradient_is_that_of_its_complex_step() -> None:
    layer = fn.mixture_of_experts_with_routing(EXPERT, 4)
    start = layer.init(fn.Key(0), (3,))
    x, dy = numbers(6, 3), (numbers(6, 2, seed=1), numbers(6, 4, seed=2))
    pulled = layer.backward(start.params, layer.forward(start.params, start.state, x, fn.Eval()).residuals, dy)
    given, grads = fn.tree.leaves((start.params, x)), fn.tree.leaves((pulled.params, pulled.input))
    for place, (leaf, grad) in enumerate(zip(given, grads, strict=True)):
        along = numbers(*leaf.shape, seed=20 + place)
        stepped: Any = iter([one + 1e-30j * along if index == place else one + 0j for index, one in enumerate(given)])
        params, at_x = fn.tree.rebuild((start.params, x), stepped)
        made = layer.forward(params, start.state, at_x, fn.Eval()).output
        slope = sum((one.imag * d).sum() for one, d in zip(made, dy, strict=True)) / 1e-30
        np.testing.assert_allclose((grad * along).sum(), slope, rtol=1e-11, atol=1e-13)


def test_a_router_of_one_expert_for_each_vector_learns_nothing_by_the_output() -> None:
    layer = fn.mixture_of_experts(EXPERT, 4, top_k=1)
    start, x = layer.init(fn.Key(0), (3,)), numbers(6, 3)
    made = layer.forward(start.params, start.state, x, fn.Eval())
    assert not layer.backward(start.params, made.residuals, made.output).params.router.any()


def test_experts_that_nobody_asks_have_gradient_zero() -> None:
    layer = fn.mixture_of_experts(EXPERT, 3, top_k=1)
    start = layer.init(fn.Key(0), (3,))
    router = np.zeros((3, 3))
    router[:, 1] = 1.0
    params = fn.tree.replace(start.params, ".router", router)
    x = np.abs(numbers(5, 3))
    made = layer.forward(params, start.state, x, fn.Eval())
    grads = layer.backward(params, made.residuals, np.ones_like(made.output)).params
    assert [bool(any(leaf.any() for leaf in fn.tree.leaves(one))) for one in grads.experts] == [False, True, False]


def test_wrong_experts_are_refused() -> None:
    with pytest.raises(ValueError, match="draws random numbers"):
        fn.mixture_of_experts(fn.dense(3) >> fn.dropout(0.5), 4)
    with pytest.raises(ValueError, match="top_k is 5"):
        fn.mixture_of_experts(fn.dense(3), 4, top_k=5)
    with pytest.raises(ValueError, match="without a state"):
        fn.mixture_of_experts(fn.dense(3) >> fn.batch_norm(), 4).init(fn.Key(0), (3,))
    layer = fn.mixture_of_experts_with_routing(fn.dense(3), 4)
    start = layer.init(fn.Key(0), (2,))
    made = layer.forward(start.params, start.state, numbers(5, 2), fn.Eval())
    with pytest.raises(TypeError, match=r"expected a pair \(output, scores\)"):
        layer.backward(start.params, made.residuals, numbers(5, 3))  # type: ignore[arg-type]  # wrong on purpose
