"""Rules that look at the whole tree: distance over gradients, and Langevin dynamics."""

import math
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn import tree
from tests.optim.cases import draw


def norm(one: Any) -> float:
    return math.sqrt(math.fsum(float(x) ** 2 for leaf in tree.leaves(one) for x in np.ravel(leaf)))


@pytest.mark.parametrize("weighted", [False, True])
def test_distance_over_gradients_follows_the_equations(weighted: bool) -> None:
    opt = (fn.dowg if weighted else fn.dog)(0.5, initial_distance=0.01)
    start = params = draw(0)
    state, total, farthest = opt.init(params), 0.0, 0.01 * (1 + norm(params))
    expected = params
    for seed in range(1, 7):
        grads = draw(seed)
        farthest = max(farthest, norm(tree.map(np.subtract, expected, start)))
        total += norm(grads) ** 2 * (farthest**2 if weighted else 1)
        rate = 0.5 * farthest ** (2 if weighted else 1) / math.sqrt(total)
        expected = tree.map(lambda p, g, a=rate: p - a * g, expected, grads)  # type: ignore[misc]  # a is a number
        updated = opt.update(params, grads, state)
        params, state = updated.params, updated.state
        for ours, theirs in zip(tree.leaves(params), tree.leaves(expected), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("size", [1e-300, 1e-20, 1e150, 1e300])
@pytest.mark.parametrize("make", [fn.dog, fn.dowg])
def test_gradients_of_any_size_take_the_same_steps(make: Any, size: float) -> None:
    """A common factor cancels."""
    opt, runs = make(), []
    for factor in (1.0, size):
        params = draw(0)
        state = opt.init(params)
        for seed in (1, 2, 3):
            updated = opt.update(params, tree.map(lambda g, f=factor: np.asarray(g * f), draw(seed)), state)  # type: ignore[misc]  # f is a number
            params, state = updated.params, updated.state
        runs.append(params)
    for ours, theirs in zip(*map(tree.leaves, runs), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-15)


def test_without_gradients_nothing_moves() -> None:
    params = draw(0)
    for opt in (fn.dog(), fn.dowg()):
        zeros = tree.map(np.zeros_like, params)
        assert tree.same(opt.update(params, zeros, opt.init(params)).params, params)


def test_a_state_of_other_parameters_is_refused() -> None:
    opt = fn.dog()
    with pytest.raises(ValueError, match="the parameters in it have other shapes"):
        opt.update(np.ones(2), np.ones(2), opt.init(np.ones(3)))
    with pytest.raises(TypeError, match="an optimizer updates floating-point leaves"):
        opt.init(np.ones(2, int))


def test_langevin_dynamics_draws_from_a_normal_distribution() -> None:
    """Of the potential x^2 / 2 at temperature T the stationary variance is T, but for the size of the steps."""
    opt = fn.sgld(fn.Key(0), 0.05, temperature=0.25)
    x = np.zeros(4000)
    state = opt.init(x)
    for _ in range(150):
        updated = opt.update(x, x, state)
        x, state = updated.params, updated.state
    assert abs(x.mean()) < 0.03
    assert x.var() == pytest.approx(0.25 / (1 - 0.05 / 2), rel=0.08, abs=0.0)  # drawn


def test_noise_depends_on_the_key_and_the_count_alone() -> None:
    x = np.zeros(5)
    one, same, other = (fn.sgld(fn.Key(seed), 0.1) for seed in (0, 0, 1))
    first = one.update(x, x, one.init(x))
    assert tree.same(first.params, same.update(x, x, same.init(x)).params)
    assert not tree.same(first.params, other.update(x, x, other.init(x)).params)
    second = one.update(x, x, first.state)
    assert not tree.same(first.params, second.params)
