"""L-BFGS and its line search, and sharpness-aware gradients."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from attrs import frozen

import funcnn as fn
from funcnn import tree
from funcnn.optim.rules.lbfgs import product
from funcnn.optim.rules.wolfe import Point, line_search
from funcnn.typing import Array


@frozen(eq=False)
class Value:
    loss: float
    grads: Any


def rosenbrock(x: Any) -> Value:
    """The extended function of Rosenbrock, of any even number of variables."""
    a, b = x[0::2], x[1::2]
    grads = np.empty_like(x)
    grads[0::2] = -2 * (1 - a) - 400 * a * (b - a**2)
    grads[1::2] = 200 * (b - a**2)
    return Value(float(np.sum((1 - a) ** 2 + 100 * (b - a**2) ** 2)), grads)


def test_finds_the_minimum_of_rosenbrock() -> None:
    found = fn.minimize(rosenbrock, np.tile([-1.2, 1.0], 5), tolerance=1e-8)
    assert found.converged
    assert found.gradient_norm <= 1e-8
    np.testing.assert_allclose(found.params, 1, atol=1e-8)  # a gradient of 1e-8 is allowed there
    assert found.steps < 60
    assert found.evaluations < 90


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-4), (np.float64, 1e-9), (np.longdouble, 1e-9)])
def test_finds_the_minimum_of_a_quadratic_in_every_precision(dtype: Any, tolerance: float) -> None:
    hessian = np.diag(np.geomspace(1, 100, 12)).astype(dtype)
    goal = {"a": np.linspace(-1, 1, 6).reshape(2, 3).astype(dtype), "b": np.linspace(0, 2, 6).astype(dtype)}

    def function(params: Any) -> Value:
        away, unravel = tree.ravel(tree.map(np.subtract, params, goal))
        return Value(float(away @ hessian @ away / 2), unravel(hessian @ away))

    found = fn.minimize(function, tree.map(np.zeros_like, goal), tolerance=tolerance)
    assert found.converged, found.message
    tree.check_like(goal, found.params)
    for path, ours, theirs in zip(tree.paths(goal), tree.leaves(found.params), tree.leaves(goal), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=10 * tolerance, err_msg=path)
    assert not any(leaf.flags.writeable for leaf in tree.leaves(found.params))


def test_needs_few_steps_where_the_memory_spans_the_space() -> None:
    hessian = np.diag([1.0, 10.0, 100.0])
    found = fn.minimize(lambda x: Value(float(x @ hessian @ x / 2), hessian @ x), np.ones(3), tolerance=1e-10)
    assert found.converged
    assert found.steps <= 20


def test_the_two_loops_are_the_update_of_the_inverse_hessian() -> None:
    generator = np.random.default_rng(0)
    factor = generator.normal(size=(5, 5))
    hessian = factor @ factor.T + np.eye(5)
    steps = generator.normal(size=(3, 5))
    changes = steps @ hessian
    inverse = np.eye(5) * float(steps[-1] @ changes[-1]) / float(changes[-1] @ changes[-1])
    for s, y in zip(steps, changes, strict=True):  # Nocedal & Wright, eq. 7.16 and 7.17
        left = np.eye(5) - np.outer(s, y) / (y @ s)
        inverse = left @ inverse @ left.T + np.outer(s, s) / (y @ s)
    g = generator.normal(size=5)
    np.testing.assert_allclose(product(steps, changes, g), inverse @ g, rtol=1e-12)
    np.testing.assert_array_equal(product(steps[:0], changes[:0], g), g)


def test_a_step_is_pure_and_resumes() -> None:
    method, x = fn.lbfgs(history_size=3), np.tile([-1.2, 1.0], 2)
    x.setflags(write=False)
    state = method.init(x)
    for _ in range(6):
        first, second = method.step(rosenbrock, x, state), method.step(rosenbrock, x, state)
        assert tree.same(first.params, second.params)
        assert tree.same(first.state, second.state)
        assert first.loss < rosenbrock(x).loss
        x, state = first.params, first.state
    assert state.slots[0].shape == (3, 4)
    assert int(state.count) == 6
    assert all(not leaf.flags.writeable for leaf in tree.leaves((x, state)))


def test_every_step_satisfies_the_strong_wolfe_conditions() -> None:
    method, x = fn.lbfgs(c1=1e-3, c2=0.5), np.tile([-1.2, 1.0], 3)
    state = method.init(x)
    for _ in range(20):
        step = method.step(rosenbrock, x, state)
        move, before, after = step.params - x, rosenbrock(x), rosenbrock(step.params)
        slope = float(before.grads @ move)
        assert after.loss <= before.loss + 1e-3 * slope
        assert abs(float(after.grads @ move)) <= 0.5 * abs(slope)
        x, state = step.params, step.state


LINES: dict[str, Callable[[float], tuple[float, float]]] = {
    "parabola": lambda a: ((a - 3) ** 2, 2 * (a - 3)),
    "far minimum": lambda a: ((a - 3000) ** 2, 2 * (a - 3000)),
    "steep at first": lambda a: (-a / (a**2 + 2), (a**2 - 2) / (a**2 + 2) ** 2),  # More & Thuente 1994, eq. 5.1
    "flat then steep": lambda a: (
        (a + 0.004) ** 5 - 2 * (a + 0.004) ** 4,
        5 * (a + 0.004) ** 4 - 8 * (a + 0.004) ** 3,
    ),  # eq. 5.2
    "wall": lambda a: (-a - math.log(1 - a), -1 + 1 / (1 - a)) if a < 1 else (math.nan, math.nan),
}


@pytest.mark.parametrize("name", [name for name in LINES if name != "wall"])
@pytest.mark.parametrize("first", [1e-3, 1e-1, 1.0, 10.0, 1000.0])
@pytest.mark.parametrize(("c1", "c2"), [(1e-4, 0.9), (0.1, 0.1), (1e-3, 0.1)])
def test_line_search_finds_a_point(name: str, first: float, c1: float, c2: float) -> None:
    def evaluate(step: float) -> Point[None]:
        value, slope = LINES[name](step)
        return Point(step, value, slope, None)

    start = evaluate(0.0)
    found = line_search(evaluate, start, first, c1, c2, 0.0, 60)
    assert found is not None
    assert found.value <= start.value + c1 * found.step * start.slope
    assert abs(found.slope) <= c2 * abs(start.slope)


def test_line_search_shortens_a_step_into_what_is_not_finite() -> None:
    def evaluate(step: float) -> Point[None]:
        value, slope = (step**2 - step, 2 * step - 1) if step < 2 else (math.nan, math.inf)
        return Point(step, value, slope, None)

    found = line_search(evaluate, evaluate(0.0), 100.0, 1e-4, 0.9, 0.0, 30)
    assert found is not None
    assert 0 < found.step < 2


def test_a_wrong_gradient_ends_with_a_message() -> None:
    found = fn.minimize(lambda x: Value(float(x @ x), -2 * x), np.ones(3))
    assert not found.converged
    assert "wrong gradient" in found.message
    np.testing.assert_array_equal(found.params, 1)


def test_runs_out_of_steps_with_a_message() -> None:
    found = fn.minimize(rosenbrock, np.array([-1.2, 1.0]), steps=3, tolerance=0.0)
    assert (found.converged, found.steps) == (False, 3)
    assert "after 3 steps" in found.message


def test_starts_at_a_minimum() -> None:
    found = fn.minimize(rosenbrock, np.ones(2))
    assert (found.converged, found.loss) == (True, 0.0)
    nothing: Any = ()
    assert fn.minimize(lambda params: Value(0.0, params), nothing).params == ()


def test_says_what_is_wrong() -> None:
    with pytest.raises(ValueError, match="not finite at the parameters"):
        fn.minimize(lambda x: Value(math.nan, x), np.ones(2))
    with pytest.raises(ValueError, match=r"the gradients is float64\[3\], expected float64\[2\]"):
        fn.minimize(lambda x: Value(1.0, np.ones(3)), np.ones(2))
    with pytest.raises(TypeError, match="floating-point"):
        fn.minimize(lambda x: Value(1.0, x), np.arange(2))
    for options, message in (
        ({"history_size": 0}, "history_size"),
        ({"c1": 0.5}, "c1"),
        ({"c1": 0.2, "c2": 0.1}, "c2"),
        ({"max_evaluations": 0}, "max_evaluations"),
    ):
        make: Any = fn.lbfgs
        with pytest.raises(ValueError, match=message):
            make(**options)
    with pytest.raises(ValueError, match="tolerance"):
        fn.minimize(rosenbrock, np.ones(2), tolerance=-1.0)


def test_trains_a_network_to_a_stationary_point() -> None:
    model = fn.dense(3) >> fn.tanh() >> fn.dense(1)
    start = model.init(fn.Key(0), (2,))
    x = np.random.default_rng(0).normal(size=(40, 2))
    target = np.sin(x[:, :1]) * x[:, 1:]
    step = fn.loss_and_grad(model, fn.mean_squared_error())

    def penalized(params: Any) -> Value:
        result = step(params, start.state, x, target, fn.Eval())
        flat, _ = tree.ravel(params)
        return Value(float(result.loss + 0.005 * flat @ flat), tree.map(lambda g, p: g + 0.01 * p, result.grads, params))

    found = fn.minimize(penalized, start.params, tolerance=1e-9)
    assert found.converged, found.message
    assert found.loss < 0.5 * penalized(start.params).loss


# ------------------------------------------------------------------------------------------------------ sharpness-aware


def bowl(params: Any, state: Any, x: Any, target: Any, mode: Any) -> fn.LossAndGrad[Any, Any, Any]:
    """Half a square: the gradient at p is p."""
    flat = np.concatenate([leaf.ravel() for leaf in tree.leaves(params)])
    return fn.LossAndGrad(np.float64(0.5 * flat @ flat), params, state + 1, x)


def call(function: Any, params: Any) -> Any:
    return function(params, 0, "output", None, fn.Eval())


def test_sharpness_aware_takes_the_gradient_uphill() -> None:
    params = (np.array([3.0]), {"b": np.array([[4.0]])})
    result = call(fn.sharpness_aware(bowl, 0.5), params)
    np.testing.assert_allclose(result.grads[0], [3.3], rtol=1e-14)
    np.testing.assert_allclose(result.grads[1]["b"], [[4.4]], rtol=1e-14)
    assert (result.loss, result.state, result.output) == (12.5, 1, "output")


def test_adaptive_sharpness_is_relative_to_the_parameters() -> None:
    p = np.array([1.0, -2.0])
    scaled = np.abs(p) * p
    expected = p + 0.5 * np.abs(p) * scaled / np.linalg.norm(scaled)
    np.testing.assert_allclose(call(fn.sharpness_aware(bowl, 0.5, adaptive=True), (p,)).grads[0], expected, rtol=1e-14)


def test_sharpness_aware_at_a_stationary_point_and_where_nothing_is_finite() -> None:
    assert call(fn.sharpness_aware(bowl), (np.zeros(2),)).grads[0].tolist() == [0.0, 0.0]
    assert np.isnan(call(fn.sharpness_aware(bowl), (np.array([np.nan]),)).grads[0][0])
    with pytest.raises(ValueError, match=r"rho is 0.0, expected a number in \(0, inf\)"):
        fn.sharpness_aware(bowl, 0.0)


def test_sharpness_aware_agrees_with_the_first_order_expansion() -> None:
    """The gradient at p + e is g + H e to first order, with H from central differences of the gradient."""
    model = fn.dense(3) >> fn.tanh() >> fn.dense(1)
    start = model.init(fn.Key(0), (2,))
    x = np.random.default_rng(0).normal(size=(5, 2))
    step = fn.loss_and_grad(model, fn.mean_squared_error())

    def gradient(flat: Array, unravel: Any) -> Array:
        return tree.ravel(step(unravel(flat), start.state, x, x[:, :1], fn.Eval()).grads).vector

    flat, unravel = tree.ravel(start.params)
    g = gradient(flat, unravel)
    e = 1e-3 * g / np.linalg.norm(g)
    sharp = fn.sharpness_aware(step, 1e-3)(start.params, start.state, x, x[:, :1], fn.Eval())
    h = 1e-4 / np.linalg.norm(e)
    curved = (gradient(flat + h * e, unravel) - gradient(flat - h * e, unravel)) / (2 * h)
    np.testing.assert_allclose(tree.ravel(sharp.grads).vector, g + curved, atol=1e-5)  # a Taylor expansion to first order
    assert np.abs(curved).max() > 1e-4
