"""Levenberg-Marquardt and Newton-CG: known problems, their own formulas, and far fewer steps than L-BFGS."""

import pickle
from typing import Any

import numpy as np
import pytest
from attrs import frozen

import funcnn as fn
from funcnn import curvature, tree
from funcnn.curvature.newton_cg import steihaug
from funcnn.curvature.operator import operator
from tests.curvature.networks import EVAL


@frozen(eq=False)
class Squares:
    residuals: Any
    rows: Any

    def jacobian(self) -> Any:
        return self.rows


@frozen(eq=False)
class Quadratic:
    loss: Any
    grads: Any
    matrix: Any

    def product(self, vector: Any, /) -> Any:
        return self.matrix @ vector


def rosenbrock_squares(p: Any) -> Squares:
    """Moré, Garbow & Hillstrom (1981), problem 1."""
    x, y = p
    rows = np.array([[-20 * x, 10], [-1, 0]], p.dtype)
    return Squares(np.array([10 * (y - x * x), 1 - x], p.dtype), rows)


def powell_squares(p: Any) -> Squares:
    """Problem 13 there, whose Jacobian is singular at the solution 0."""
    a, b, c, d = p
    root5, root10 = np.sqrt(5.0), np.sqrt(10.0)
    r = np.array([a + 10 * b, root5 * (c - d), (b - 2 * c) ** 2, root10 * (a - d) ** 2])
    rows = np.array(
        [
            [1, 10, 0, 0],
            [0, 0, root5, -root5],
            [0, 2 * (b - 2 * c), -4 * (b - 2 * c), 0],
            [2 * root10 * (a - d), 0, 0, -2 * root10 * (a - d)],
        ]
    )
    return Squares(r, rows)


def rosenbrock(p: Any) -> Quadratic:
    x, y = p
    grads = np.array([-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)], p.dtype)
    matrix = np.array([[2 - 400 * (y - 3 * x * x), -400 * x], [-400 * x, 200]], p.dtype)
    return Quadratic((1 - x) ** 2 + 100 * (y - x * x) ** 2, grads, matrix)


LM = curvature.levenberg_marquardt()
NEWTON = curvature.newton_cg()


def test_least_squares_of_the_collection_are_solved() -> None:
    found = fn.minimize(rosenbrock_squares, np.array([-1.2, 1.0]), LM, tolerance=1e-10)
    assert found.converged, found.message
    np.testing.assert_allclose(found.params, 1, atol=1e-9)
    assert found.steps < 40
    singular = fn.minimize(powell_squares, np.array([3.0, -1, 0, 1]), LM, tolerance=1e-10)
    assert singular.converged
    np.testing.assert_allclose(singular.params, 0, atol=1e-3)  # at a minimum of fourth order the gradient vanishes early


def test_a_linear_problem_is_the_normal_equations() -> None:
    generator = np.random.default_rng(0)
    rows, target = generator.normal(size=(9, 4)), generator.normal(size=9)
    found = fn.minimize(lambda p: Squares(rows @ p - target, rows), np.zeros(4), curvature.levenberg_marquardt(damping=1e-12))
    np.testing.assert_allclose(found.params, np.linalg.lstsq(rows, target)[0], rtol=1e-9)
    assert found.steps <= 3


def test_a_damped_step_is_the_formula() -> None:
    generator = np.random.default_rng(1)
    rows, target = generator.normal(size=(5, 7)), generator.normal(size=5)  # fewer residuals than parameters, too
    stepped = LM.step(lambda p: Squares(rows @ p - target, rows), np.zeros(7), LM.init(np.zeros(7)))
    damping = 1e-3 * np.sum(rows**2, axis=0).max()
    expected = np.linalg.solve(rows.T @ rows + damping * np.eye(7), rows.T @ target)
    np.testing.assert_allclose(stepped.params, expected, rtol=1e-9)
    assert stepped.state.slots[2] == pytest.approx(damping / 3, rel=1e-3, abs=0.0)  # nearly all that was promised has come


def test_newton_finds_the_minimum_of_rosenbrock() -> None:
    found = fn.minimize(rosenbrock, np.array([-1.2, 1.0]), NEWTON, tolerance=1e-9)
    assert found.converged, found.message
    np.testing.assert_allclose(found.params, 1, atol=1e-8)  # where the gradient is below the tolerance
    assert found.steps < 40


def test_negative_curvature_is_followed_to_the_border() -> None:
    matrix = np.diag([-1.0, 2.0])
    path = steihaug(operator(lambda v: matrix @ v, np.zeros(2)), np.array([1.0, 0.0]), 3.0, 1e-9, 10)
    delta, image, at_border = path.within(3.0)
    np.testing.assert_allclose(delta, [-3, 0], atol=1e-5)  # the tolerance of the inner solve
    np.testing.assert_allclose(image, matrix @ delta, atol=1e-5)  # the tolerance of the inner solve
    assert at_border
    shorter, image, _ = path.within(1.0)
    np.testing.assert_allclose(shorter, [-1, 0], atol=1e-12)
    np.testing.assert_allclose(image, matrix @ shorter)
    saddle = fn.minimize(
        lambda p: Quadratic((p[0] ** 2 - 1) ** 2 + p[1] ** 2, np.array([4 * p[0] ** 3 - 4 * p[0], 2 * p[1]]),
                            np.diag([12 * p[0] ** 2 - 4, 2.0])),
        np.array([1e-3, 1.0]),
        NEWTON,
    )  # fmt: skip
    assert saddle.converged
    np.testing.assert_allclose(saddle.params, [1, 0], atol=1e-6)  # where the gradient is below the tolerance


def test_inside_of_the_region_the_path_ends_at_the_newton_step() -> None:
    basis = np.random.default_rng(2).normal(size=(6, 6))
    matrix, g = basis @ basis.T + np.eye(6), np.arange(1.0, 7.0)
    delta, _, at_border = steihaug(operator(lambda v: matrix @ v, g), g, 1e3, 1e-12, 50).within(1e3)
    np.testing.assert_allclose(delta, -np.linalg.solve(matrix, g), rtol=1e-9)
    assert not at_border


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble])
def test_every_precision_is_kept(dtype: Any) -> None:
    minimize: Any = fn.minimize
    for function, method in ((rosenbrock_squares, LM), (rosenbrock, NEWTON)):
        found = minimize(function, np.array([-1.2, 1.0], dtype), method, tolerance=1e-3, steps=60)
        assert found.params.dtype == dtype
        np.testing.assert_allclose(found.params, 1, atol=5e-3)  # where so few steps end


MODEL = fn.mlp(8, 8, 1, activation="tanh")
START = MODEL.init(fn.Key(1), (1,))
X = np.linspace(-2, 2, 40)[:, None]
Y = np.sin(3 * X) * X


def test_a_regression_takes_far_fewer_steps_than_l_bfgs() -> None:
    loss = fn.half_squared_error(reduction="sum")
    squares = curvature.least_squares(MODEL)
    at = START.state, X, Y, EVAL
    found = fn.minimize(lambda p: squares(p, *at), START.params, LM, steps=40)
    quasi = fn.minimize(lambda p: fn.loss_and_grad(MODEL, loss)(p, *at), START.params, steps=200)
    assert found.loss < 1e-5
    assert quasi.loss > 100 * found.loss


@pytest.mark.parametrize("kind", ["hessian", "ggn"])
def test_a_convex_problem_takes_few_newton_steps(kind: Any) -> None:
    model, loss = fn.dense(3), fn.softmax_cross_entropy()
    generator = np.random.default_rng(0)
    x, labels = generator.normal(size=(60, 5)) * np.geomspace(0.1, 30, 5), generator.integers(0, 3, 60)
    start = model.init(fn.Key(0), (5,))
    both = curvature.loss_and_product(model, loss, kind)
    at = start.state, x, labels, EVAL
    newton = fn.minimize(lambda p: both(p, *at), start.params, NEWTON, tolerance=1e-9)
    quasi = fn.minimize(lambda p: fn.loss_and_grad(model, loss)(p, *at), start.params, tolerance=1e-9)
    assert newton.converged, newton.message
    assert newton.steps < 40
    assert quasi.steps == 200
    assert newton.loss < quasi.loss


def test_the_jacobian_of_a_network_is_its_jacobian() -> None:
    model = fn.dense(3) >> fn.tanh() >> fn.dense(2)
    start = model.init(fn.Key(0), (1,))
    made = curvature.least_squares(model)(start.params, start.state, X[:5], np.zeros((5, 2)), EVAL)
    expected = fn.jacobian(model)(start.params, start.state, X[:5], EVAL)
    for one, other in zip(tree.leaves(made.jacobian()), tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other.reshape(one.shape), rtol=1e-12)
    np.testing.assert_allclose(made.residuals, fn.apply(model, start.params, start.state, X[:5]).ravel())


TWICE = np.random.default_rng(0).normal(size=(2, 4, 2))


@pytest.mark.parametrize(
    ("make", "x"),
    [
        (lambda inner: fn.directional_derivatives(inner, [(1, 0), (0, 1)], radius=2.0**-7) >> fn.join_inputs(), TWICE[0]),
        (lambda inner: fn.laplacian(inner, radius=2.0**-7), TWICE[0]),
        (fn.input_gradient, TWICE[0]),
        (lambda inner: fn.divergence(inner >> fn.dense(2)), TWICE[0]),
        (lambda inner: fn.shared(inner) >> fn.join_inputs(), tuple(TWICE)),
    ],
)
def test_cotangents_pulled_back_apart_are_those_of_each_example(make: Any, x: Any) -> None:
    model = make(fn.dense(5) >> fn.tanh() >> fn.dense(1))
    start = model.init(fn.Key(0), ((2,), (2,)) if isinstance(x, tuple) else (2,))
    output = fn.apply(model, start.params, start.state, x)
    doutput = np.random.default_rng(1).normal(size=output.shape)
    made = curvature.per_example_vjp(model)(start.params, start.state, x, doutput, EVAL)
    np.testing.assert_allclose(made.output, output, rtol=1e-12)
    for n in range(4):
        own = tree.map(lambda leaf, n=n: leaf[n : n + 1], x)  # type: ignore[misc]  # lambda with a default
        alone = fn.vjp(model)(start.params, start.state, own, doutput[n : n + 1], EVAL)
        for one, other in zip(tree.leaves(made.params), tree.leaves(alone.params), strict=True):
            np.testing.assert_allclose(one[n], other, rtol=1e-9, atol=1e-10)


def test_steps_are_pure_and_pickle() -> None:
    squares = curvature.least_squares(MODEL)
    again = pickle.loads(pickle.dumps((LM, squares)))
    state = LM.init(START.params)
    one = LM.step(lambda p: squares(p, START.state, X, Y, EVAL), START.params, state)
    other = again[0].step(lambda p: again[1](p, START.state, X, Y, EVAL), START.params, state)
    assert tree.same(one.params, other.params)
    assert tree.same(one.state, other.state)
    assert not any(leaf.flags.writeable for leaf in tree.leaves(one.params))


def test_what_does_not_fit_is_named() -> None:
    minimize: Any = fn.minimize
    with pytest.raises(TypeError, match=r"method is .*expected fn.lbfgs"):
        minimize(rosenbrock, np.ones(2), fn.adam())
    with pytest.raises(TypeError, match=r"expected a record with residuals"):
        minimize(rosenbrock, np.ones(2), LM)
    with pytest.raises(TypeError, match=r"expected a record with loss, grads and a method product"):
        minimize(rosenbrock_squares, np.ones(2), NEWTON)
    with pytest.raises(ValueError, match=r"the Jacobian is float64\[3, 2\], expected float64\[2, 2\]"):
        fn.minimize(lambda p: Squares(np.ones(2), np.ones((3, 2))), np.ones(2), LM)
    with pytest.raises(ValueError, match="not finite at the parameters"):
        fn.minimize(lambda p: Squares(np.full(2, np.nan), np.ones((2, 2))), np.ones(2), LM)
    with pytest.raises(ValueError, match="not finite at the parameters"):
        fn.minimize(lambda p: Quadratic(np.nan, np.ones(2), np.eye(2)), np.ones(2), NEWTON)
    with pytest.raises(ValueError, match="damping is 0"):
        curvature.levenberg_marquardt(damping=0)
    with pytest.raises(ValueError, match="kind is 'fisher'"):
        curvature.loss_and_product(MODEL, fn.half_squared_error(), "fisher")  # type: ignore[arg-type]  # on purpose
    with pytest.raises(ValueError, match="state does not fit"):
        LM.step(rosenbrock_squares, np.ones(2), fn.adam().init(np.ones(2)))
