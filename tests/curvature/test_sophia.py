"""Sophia: its steps by the paper's algorithm, and the estimates of the diagonal beside the exact one."""

import io
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn import curvature, tree
from funcnn.curvature.sampled_targets import DRAWN, sampled_diagonal
from tests.curvature.networks import EVAL, X, classifier, flat

CASE = classifier()


def data(dtype: Any) -> tuple[Any, Any, Any]:
    return CASE.state, CASE.x.astype(dtype), CASE.target


def by_the_paper(steps: int, estimate: Any, gamma: float, decay: float, dtype: Any) -> list[Any]:
    """Algorithm 3, one number after the other; gradients and estimates are those of the library."""
    rate, beta1, beta2, eps, every = 0.1, 0.8, 0.7, 1e-3, 2
    params = tree.astype(CASE.params, dtype)
    m = [0.0] * flat(params).size
    h = [0.0] * flat(params).size
    found = []
    for t in range(steps):
        made = fn.loss_and_grad(CASE.model, CASE.loss)(params, *data(dtype), EVAL)
        g = [float(one) for one in flat(made.grads)]
        estimated = [float(one) for one in flat(estimate(params, t))] if t % every == 0 else None
        theta = [float(one) for one in flat(params)]
        for i in range(len(theta)):
            m[i] = beta1 * m[i] + (1 - beta1) * g[i]
            if estimated is not None:
                h[i] = beta2 * h[i] + (1 - beta2) * estimated[i]
            theta[i] -= rate * decay * theta[i]
            theta[i] -= rate * max(-1.0, min(1.0, m[i] / max(gamma * h[i], eps)))
        params = tree.astype(tree.ravel(tree.astype(params, np.float64)).unravel(np.array(theta)), dtype)
        found.append(params)
    return found


def gauss_newton(params: Any, count: int) -> Any:
    return sampled_diagonal(CASE.model, CASE.loss)(params, *data(flat(params).dtype), EVAL, key=fn.Key(0).child(count))


def hutchinson(params: Any, count: int) -> Any:
    generator = fn.Key(0).child(count).generator()
    omega = tree.map(lambda leaf: generator.normal(size=leaf.shape).astype(leaf.dtype), params)
    return tree.map(np.multiply, omega, fn.hvp(CASE.model, CASE.loss)(params, *data(flat(params).dtype), omega, EVAL))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("estimator", "estimate"), [("gauss-newton-bartlett", gauss_newton), ("hutchinson", hutchinson)])
def test_steps_follow_the_paper(estimator: Any, estimate: Any, dtype: Any) -> None:
    options = curvature.SophiaOptions(beta1=0.8, beta2=0.7, eps=1e-3, every=2)
    method = curvature.sophia(CASE.model, CASE.loss, 0.1, gamma=5.0, weight_decay=0.2, estimator=estimator, options=options)
    params = tree.astype(CASE.params, dtype)
    opt_state, clipped = method.init(params), []
    for expected in by_the_paper(5, estimate, 5.0, 0.2, dtype):
        made = method.step(params, *data(dtype), EVAL, opt_state)
        moves = np.abs(flat(made.params) - flat(params) * 0.98)
        clipped.append(moves > 0.1 * (1 - 1e-4))
        params, opt_state = made.params, made.opt_state
        tree.check_like(expected, params)
        tolerance = 1e-5 if dtype == np.float32 else 1e-12  # quotients of small numbers, five steps in turn
        np.testing.assert_allclose(flat(params), flat(expected), rtol=tolerance, atol=tolerance)
        assert all(not leaf.flags.writeable for leaf in tree.leaves((params, opt_state)))
    assert 0 < np.mean(clipped) < 1  # both of the clip's branches are taken
    assert opt_state.count == 5


def cases() -> dict[str, Any]:
    generator = np.random.default_rng(1)
    two = fn.dense(4) >> fn.tanh() >> fn.dense(2)
    numbers = generator.normal(size=(7, 2))
    weight = np.array([1.0, 0.0, 2.5, 0.5, 0.0, 1.0, 3.0])
    return {
        "labels": (two, fn.softmax_cross_entropy(), np.zeros(7, int)),
        "sum": (two, fn.softmax_cross_entropy(reduction="sum"), np.zeros(7, int)),
        "weights": (two, fn.softmax_cross_entropy(), fn.Weighted(np.zeros(7, int), weight)),
        "weighted sum": (two, fn.softmax_cross_entropy(reduction="sum"), fn.Weighted(np.zeros(7, int), weight)),
        "bits": (two, fn.sigmoid_cross_entropy(), np.zeros((7, 2))),
        "half of squares": (two, fn.half_squared_error(), numbers),
        "squares": (two, fn.mean_squared_error(), numbers),
        "weighted squares": (two, fn.mean_squared_error(), fn.Weighted(numbers, weight)),
        "counts": (two, fn.poisson_nll(), np.abs(numbers).round()),
    }


def test_every_loss_that_is_drawn_has_a_case() -> None:
    assert {loss.name for _, loss, _ in cases().values()} == set(DRAWN)


@pytest.mark.parametrize("name", cases())
def test_drawn_targets_estimate_the_gauss_newton_diagonal(name: str) -> None:
    """The mean of many estimates is within four of its standard errors."""
    model, loss, target = cases()[name]
    start = model.init(fn.Key(0), (3,))
    at = start.params, start.state, X, target, EVAL
    exact = flat(fn.curvature.ggn_diagonal(model, loss)(*at))
    estimate = sampled_diagonal(model, loss)
    drawn = np.array([flat(estimate(*at, key=fn.Key(seed))) for seed in range(600)])
    errors = drawn.std(0) / np.sqrt(len(drawn))
    assert (np.abs(drawn.mean(0) - exact) < 4 * errors).all()
    assert errors.max() < 0.2 * exact.max()


def test_rows_of_weight_0_are_not_looked_at() -> None:
    model, loss = fn.dense(2), fn.softmax_cross_entropy()
    start = model.init(fn.Key(0), (3,))
    spoilt, weight = X.copy(), np.array([1.0, 1, 1, 0, 1, 1, 1])
    spoilt[3] = 1e300
    estimate = sampled_diagonal(model, loss)
    target = fn.Weighted(np.zeros(7, int), weight)
    one, other = (estimate(start.params, start.state, x, target, EVAL, key=fn.Key(0)) for x in (X, spoilt))
    np.testing.assert_array_equal(flat(one), flat(other))


def test_a_saved_state_goes_on_alike() -> None:
    method = curvature.sophia(CASE.model, CASE.loss, 0.05)
    params, opt_state = CASE.params, method.init(CASE.params)
    for index in range(3):
        made = method.step(params, *CASE.at[1:], fn.Train(fn.Key(index)), opt_state)
        params, opt_state = made.params, made.opt_state
    file = io.BytesIO()
    arrays: Any = {f"leaf{index}": leaf for index, leaf in enumerate(tree.leaves(opt_state))}
    np.savez(file, **arrays)
    file.seek(0)
    with np.load(file, allow_pickle=False) as loaded:
        again = tree.rebuild(opt_state, iter([loaded[name] for name in arrays]))
    for index in range(10):  # the next estimate among them
        ours, theirs = (method.step(params, *CASE.at[1:], fn.Train(fn.Key(9 + index)), one) for one in (opt_state, again))
        assert tree.same(ours.params, theirs.params)
        params, opt_state, again = ours.params, ours.opt_state, theirs.opt_state


def test_what_does_not_fit_is_named() -> None:
    method: Any = curvature.sophia(CASE.model, CASE.loss, 0.1)
    with pytest.raises(TypeError, match="opt_state is None, expected what init or the last step gave"):
        method.step(*CASE.at, EVAL, None)
    with pytest.raises(ValueError, match=r"opt_state.mean.* expected"):
        method.step(*CASE.at, EVAL, method.init(np.ones(3)))
    with pytest.raises(ValueError, match=r"the gradient\[0\].weight is not finite"):
        method.step(CASE.params, CASE.state, CASE.x * np.nan, CASE.target, EVAL, method.init(CASE.params))
    with pytest.raises(ValueError, match=r"the loss huber.* targets can be drawn .* use estimator='hutchinson'"):
        curvature.sophia(CASE.model, fn.huber(), 0.1)
    with pytest.raises(ValueError, match="estimator is 'newton'"):
        curvature.sophia(CASE.model, CASE.loss, 0.1, estimator="newton")  # type: ignore[arg-type]  # on purpose
    with pytest.raises(TypeError, match=r"options is 3, expected fn.curvature.SophiaOptions"):
        curvature.sophia(CASE.model, CASE.loss, 0.1, options=3)  # type: ignore[arg-type]  # on purpose
    with pytest.raises(ValueError, match="gamma is 0"):
        curvature.sophia(CASE.model, CASE.loss, 0.1, gamma=0)
