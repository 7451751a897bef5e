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


GAMMAS = (1.0, 0.5, 2.0, 1.0, 1.0, 0.25) * 2


def prodigy(params: list[Any], steps: list[list[Any]], decay: float) -> list[Any]:
    """Algorithm 4 of the paper as it stands, one number after the other, with the decay of its authors' AdamW."""
    beta1, beta2, eps, d, r = 0.8, 0.9, 1e-3, 1e-3, 0.0
    x = [float(one) for leaf in params for one in np.ravel(leaf)]
    decays = [decay if np.ndim(leaf) > 1 else 0.0 for leaf in params for _ in np.ravel(leaf)]
    x0, (m, v, s), distances = list(x), ([0.0] * len(x) for _ in range(3)), []
    for gamma, grads in zip(GAMMAS, steps, strict=True):
        g = [float(one) for leaf in grads for one in np.ravel(leaf)]
        r = math.sqrt(beta2) * r + (1 - math.sqrt(beta2)) * gamma * d**2 * math.fsum(g[i] * (x0[i] - x[i]) for i in range(len(x)))
        for i in range(len(x)):
            m[i] = beta1 * m[i] + (1 - beta1) * d * g[i]
            v[i] = beta2 * v[i] + (1 - beta2) * d**2 * g[i] ** 2
            s[i] = math.sqrt(beta2) * s[i] + (1 - math.sqrt(beta2)) * gamma * d**2 * g[i]
        new_d = max(d, r / math.fsum(map(abs, s)))
        for i in range(len(x)):
            x[i] -= gamma * d * (m[i] / (math.sqrt(v[i]) + d * eps) + decays[i] * x[i])
        d = new_d
        distances.append(d)
    assert len(set(distances)) > 2  # it grew more than once
    return x


@pytest.mark.parametrize("decay", [0.0, 0.2])
def test_prodigy_follows_the_paper(decay: float) -> None:
    opt = fn.prodigy(
        GAMMAS.__getitem__, beta1=0.8, beta2=0.9, eps=1e-3, weight_decay=decay, initial_distance=1e-3, where=fn.is_matrix
    )
    start = params = draw(0)
    state = opt.init(params)
    steps = [tree.map(lambda g: np.asarray(g + 4), draw(seed)) for seed in range(1, 13)]  # that agree in where to go
    for grads in steps:
        updated = opt.update(params, grads, state)
        params, state = updated.params, updated.state
    expected = prodigy(list(tree.leaves(start)), [list(tree.leaves(grads)) for grads in steps], decay)
    got = [float(one) for leaf in tree.leaves(params) for one in np.ravel(leaf)]
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("exponent", [-30, -12, 20, 40])
def test_prodigy_takes_the_same_steps_for_a_common_factor(exponent: int, dtype: Any) -> None:
    opt, runs = fn.prodigy(eps=0.0), []
    for factor in (1.0, 2.0**exponent):
        params: Any = np.array([5.0, -3.0, 1e-3], dtype)
        state = opt.init(params)
        for _ in range(40):
            updated = opt.update(params, (params - dtype(1)) * dtype(factor), state)
            params, state = updated.params, updated.state
        runs.append(params)
    assert abs(runs[0][0] - 5) > 0.1  # the distance was found
    np.testing.assert_array_equal(*runs)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_prodigy_stays_among_numbers_where_squares_do_not(dtype: Any) -> None:
    for size in (float(np.finfo(dtype).smallest_subnormal), float(np.finfo(dtype).tiny), float(np.finfo(dtype).max) / 4):
        params: Any = (np.ones(3, dtype), np.full((2, 2), 2, dtype))
        opt = fn.prodigy()
        state = opt.init(params)
        for _ in range(30):
            updated = opt.update(params, tree.map(lambda p, s=size: p * p.dtype.type(s), params), state)  # type: ignore[misc]  # s is a number
            params, state = updated.params, updated.state
        assert all(np.isfinite(leaf).all() for leaf in tree.leaves((params, state)))


def test_prodigy_does_not_hide_what_is_no_number() -> None:
    opt, params = fn.prodigy(), (np.ones(2), np.ones(3))
    state = opt.init(params)
    for grads in ((np.array([np.nan, 1.0]), np.ones(3)), params):
        updated = opt.update(params, grads, state)
        params, state = updated.params, updated.state
    assert all(np.isnan(leaf).all() for leaf in params)


def test_averaged_descent_keeps_the_mean_of_its_iterates() -> None:
    """PyTorch's ASGD with t0 = 1: from its third update on the mean is of those that came after the second."""
    opt = fn.averaged_sgd(0.1, decay=0.2, power=0.6, start=2)
    x, average, eta, mu = 1.5, 0.0, 0.1, 1.0
    params = np.array(x)
    state = opt.init(params)
    for step, slope in enumerate((3.0, -1.0, 0.5, 2.0, -2.0), 1):
        x = x * (1 - 0.2 * eta) - eta * slope
        average = x if mu == 1 else average + mu * (x - average)
        eta, mu = 0.1 / (1 + 0.2 * 0.1 * step) ** 0.6, 1 / max(1, step - 1)
        updated = opt.update(params, np.array(slope), state)
        params, state = updated.params, updated.state
        assert float(params) == pytest.approx(x, rel=1e-14, abs=0.0)
        assert float(opt.average(params, state)) == pytest.approx(average, rel=1e-14, abs=0.0)
