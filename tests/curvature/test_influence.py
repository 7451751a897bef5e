"""Influence functions beside retraining without each example, TracIn beside training, and the tangent kernel beside Jacobians."""

from functools import partial
from typing import Any

import numpy as np
import pytest
from attrs import frozen

import funcnn as fn
from funcnn import curvature, tree
from tests.curvature.networks import EVAL, classifier, flat

GENERATOR = np.random.default_rng(6)
PENALTY = 0.02
MODEL, LOSS = fn.dense(3), fn.softmax_cross_entropy()
X, LABELS = GENERATOR.normal(size=(40, 4)), GENERATOR.integers(0, 3, 40)
LABELS[:30] = np.argmax(X[:30, :3], axis=1)
ASKED, ANSWERS = GENERATOR.normal(size=(6, 4)), GENERATOR.integers(0, 3, 6)
START = MODEL.init(fn.Key(0), (4,)).params


@frozen(eq=False)
class Penalized:
    """A loss and its products with the penalty on the parameters."""

    inner: Any
    params: Any

    @property
    def loss(self) -> Any:
        return self.inner.loss + PENALTY / 2 * np.sum(flat(self.params) ** 2)

    @property
    def grads(self) -> Any:
        return tree.map(lambda g, p: g + PENALTY * p, self.inner.grads, self.params)

    def product(self, vector: Any, /) -> Any:
        return tree.map(lambda h, v: h + PENALTY * v, self.inner.product(vector), vector)


def trained(x: Any, labels: Any, start: Any) -> Any:
    both = curvature.loss_and_product(MODEL, LOSS)
    found = fn.minimize(
        lambda p: Penalized(both(p, (), x, labels, EVAL), p), start, curvature.newton_cg(), steps=50, tolerance=1e-9
    )
    assert found.converged, found.message
    return found.params


def query_loss(params: Any) -> float:
    return float(LOSS.forward(fn.apply(MODEL, params, (), ASKED), ANSWERS).value)


def ranks(values: Any) -> Any:
    return np.argsort(np.argsort(values)).astype(float)


@frozen(eq=False)
class Shrunk:
    """39 / 40 of a mean over 39 examples: the sum over them, divided by 40."""

    inner: Any

    @property
    def loss(self) -> Any:
        return self.inner.loss * 39 / 40

    @property
    def grads(self) -> Any:
        return tree.map(lambda leaf: leaf * (39 / 40), self.inner.grads)

    def product(self, vector: Any, /) -> Any:
        return tree.map(lambda leaf: leaf * (39 / 40), self.inner.product(vector))


def without(x: Any, labels: Any, params: Any) -> Penalized:
    """The objective without an example: the sum of the other losses over 40, and the whole penalty."""
    return Penalized(Shrunk(curvature.loss_and_product(MODEL, LOSS)(params, (), x, labels, EVAL)), params)


def test_influence_is_what_leaving_out_does() -> None:
    params = trained(X, LABELS, START)
    said = curvature.influence(MODEL, LOSS, damping=PENALTY)(params, (), (X, LABELS), (ASKED, ANSWERS))
    before = query_loss(params)
    done = []
    for n in range(40):
        kept = np.arange(40) != n
        found = fn.minimize(partial(without, X[kept], LABELS[kept]), params, curvature.newton_cg(), steps=50, tolerance=1e-9)
        assert found.converged, found.message
        done.append(query_loss(found.params) - before)
    assert np.corrcoef(ranks(said), ranks(done))[0, 1] >= 0.95
    assert np.corrcoef(said, done)[0, 1] >= 0.97


def test_influence_is_the_formula() -> None:
    case = classifier()
    made = curvature.influence(case.model, case.loss, damping=0.3, kind="ggn", tolerance=1e-12)
    said = made(case.params, case.state, (case.x, case.target), (case.x[:2], case.target[:2]))
    each = fn.per_example_grads(case.model, case.loss)(*case.at, EVAL)
    rows = np.concatenate([leaf.reshape(7, -1) for leaf in tree.leaves(each)], axis=1)
    matrix = case.ggn() + 0.3 * np.eye(rows.shape[1])
    # The tolerance of the solves.
    np.testing.assert_allclose(said, rows @ np.linalg.solve(matrix, rows[:2].mean(axis=0)) / 7, rtol=1e-6)


def test_linear_regression_has_the_exact_derivative() -> None:
    """Cook & Weisberg (1982): without example n the coefficients move by (X'X)^-1 x_n e_n / (1 - h_n)."""
    x, y = GENERATOR.normal(size=(30, 3)), GENERATOR.normal(size=(30, 1))
    model = fn.linear(1)
    solution = np.linalg.lstsq(x, y)[0]
    params = type(model.init(fn.Key(0), (3,)).params)(solution)
    asked, answer = GENERATOR.normal(size=(1, 3)), np.array([[0.7]])
    said = curvature.influence(model, fn.half_squared_error())(params, (), (x, y), (asked, answer))
    errors, error = (y - x @ solution)[:, 0], (answer - asked @ solution)[0, 0]
    inverse = np.linalg.inv(x.T @ x)
    np.testing.assert_allclose(said, error * (asked @ inverse @ x.T)[0] * errors, rtol=1e-6)  # to first order: no 1 - h_n


def test_tracin_is_what_small_steps_do() -> None:
    case = classifier()
    scores = curvature.tracin(case.model, case.loss)
    path, params = [], case.params
    step = 1e-5
    query = case.x[:3], case.target[:3]
    losses = []
    for n in range(7):  # one step on each example
        one = case.x[n : n + 1], case.target[n : n + 1]
        losses.append([_loss(case, params, query[0][q : q + 1], query[1][q : q + 1]) for q in range(3)])
        path.append((params, step))
        grads = fn.loss_and_grad(case.model, case.loss)(params, case.state, *one, EVAL).grads
        params = tree.map(lambda p, g: p - step * g, params, grads)
    losses.append([_loss(case, params, query[0][q : q + 1], query[1][q : q + 1]) for q in range(3)])
    lowered = -np.diff(np.array(losses), axis=0)  # (7, 3)
    for n in range(7):
        said = scores(path[n : n + 1], case.state, (case.x, case.target), query)
        np.testing.assert_allclose(said[:, n], lowered[n], rtol=1e-3, atol=1e-10)  # differences of retrained networks
    whole = scores(path, case.state, (case.x, case.target), query)
    parts = [scores([one], case.state, (case.x, case.target), query) for one in path]
    np.testing.assert_allclose(whole, np.sum(parts, axis=0))


def _loss(case: Any, params: Any, x: Any, target: Any) -> Any:
    return case.loss.forward(fn.apply(case.model, params, case.state, x), target).value


def test_the_tangent_kernel_is_the_product_of_jacobians() -> None:
    case = classifier()
    kernel = curvature.tangent_kernel(case.model)
    made = kernel(case.params, case.state, case.x, case.x[:2])
    jacobian = fn.jacobian(case.model)(case.params, case.state, case.x, EVAL)
    rows = np.concatenate([leaf.reshape(7, 3, -1) for leaf in tree.leaves(jacobian)], axis=2)
    np.testing.assert_allclose(made, np.einsum("nkd,mld->nmkl", rows, rows[:2]), rtol=1e-10)
    np.testing.assert_allclose(kernel(case.params, case.state, case.x)[:, :2], made)


def test_a_wide_network_has_the_arc_cosine_kernels() -> None:
    """Cho & Saul (2009), eq. 6 to 8: the means over normal weights of relu(u) relu(v) and of their slopes."""
    width, size = 20_000, 3
    inner = fn.linear(width, weight_init=fn.initializers.normal(std=1.0)) >> fn.relu()
    model = inner >> fn.linear(1, weight_init=fn.initializers.normal(std=width**-0.5))
    start = model.init(fn.Key(0), (size,))
    x = GENERATOR.normal(size=(2, size))
    made = curvature.tangent_kernel(model)(start.params, start.state, x)[0, 1, 0, 0]
    lengths = np.linalg.norm(x, axis=1)
    angle = np.arccos(x[0] @ x[1] / lengths.prod())
    values = lengths.prod() / (2 * np.pi) * (np.sin(angle) + (np.pi - angle) * np.cos(angle))
    slopes = (np.pi - angle) / (2 * np.pi)
    assert made == pytest.approx(width * values + slopes * x[0] @ x[1], rel=0.05, abs=0.0)  # a finite width scatters by its root


def test_what_does_not_fit_is_named() -> None:
    case = classifier()
    data = case.x, case.target
    with pytest.raises(curvature.NegativeCurvatureError, match=r"fn.ggn_product.*damping="):
        curvature.influence(case.model, case.loss)(case.params, case.state, data, data)
    with pytest.raises(fn.ConvergenceError, match="max_steps="):
        curvature.influence(case.model, case.loss, kind="ggn", damping=1e-3, max_steps=2)(case.params, case.state, data, data)
    with pytest.raises(ValueError, match="reduction 'sum', expected 'mean'"):
        curvature.influence(case.model, fn.softmax_cross_entropy(reduction="sum"))
    wrong: Any = case.x
    with pytest.raises(TypeError, match=r"query is float64.*expected a pair"):
        curvature.influence(case.model, case.loss, damping=1.0)(case.params, case.state, data, wrong)
    with pytest.raises(ValueError, match="path is empty"):
        curvature.tracin(case.model, case.loss)([], case.state, data, data)
