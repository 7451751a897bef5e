"""Lanczos, eigenpairs, spectral densities, traces and diagonals beside dense linear algebra and closed forms."""

from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn import curvature, tree
from funcnn.curvature.krylov import tridiagonalize
from funcnn.curvature.operator import operator
from tests.curvature.networks import EVAL, Case, classifier, convolutional, flat, regressor, sequence

CASES = {"classifier": classifier(), "regressor": regressor(), "convolutional": convolutional(), "sequence": sequence()}


def random_symmetric(size: int, values: Any) -> Any:
    basis, _ = np.linalg.qr(np.random.default_rng(size).normal(size=(size, size)))
    return basis @ np.diag(values) @ basis.T


def times(matrix: Any) -> Any:
    return lambda vector: matrix @ vector


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble])
def test_the_tridiagonal_form_is_the_matrix_in_an_orthonormal_basis(dtype: Any) -> None:
    matrix = random_symmetric(40, np.linspace(-1, 30, 40)).astype(dtype)
    of = operator(times(matrix), np.zeros(40, dtype))
    made = tridiagonalize(of, np.ones(40, dtype), 25, np.empty((0, 40), dtype))
    bar = 500 * float(np.finfo(dtype).eps)
    assert made.basis.dtype == dtype
    np.testing.assert_allclose(made.basis @ made.basis.T, np.eye(25), atol=bar)  # where plain Lanczos has lost it
    form = np.diag(made.diagonal) + np.diag(made.beside, 1) + np.diag(made.beside, -1)
    np.testing.assert_allclose(made.basis @ matrix @ made.basis.T, form, atol=max(bar, 1e-14) * 30)


@pytest.mark.parametrize("end", ["largest", "smallest", "magnitude"])
def test_eigenpairs_are_those_of_the_dense_matrix(end: Any) -> None:
    for name, case in CASES.items():
        matrix = case.hessian()
        values, _ = np.linalg.eigh(matrix)
        order = {"largest": -values, "smallest": values, "magnitude": -np.abs(values)}[end]
        made = curvature.eigenpairs(case.hvp, case.params, 3, key=fn.Key(1), end=end, tolerance=1e-9)
        np.testing.assert_allclose(made.values, values[np.argsort(order)][:3], atol=1e-9, err_msg=name)
        vectors = np.stack([flat(one) for one in made.vectors])
        np.testing.assert_allclose(vectors @ vectors.T, np.eye(3), atol=1e-9)
        off = np.linalg.norm(vectors @ matrix - made.values[:, None] * vectors, axis=1)
        assert off.max() <= 1.01 * 1e-9 * np.abs(values).max()  # the tolerance, relative to the largest eigenvalue
        assert made.products <= 4 * len(matrix)


def test_all_copies_of_an_eigenvalue_are_found() -> None:
    matrix = random_symmetric(12, [9, 9, 9, 7, 7, 1, 1, 1, 0, 0, -2, -2])
    made = curvature.eigenpairs(times(matrix), np.zeros(12), 6, key=fn.Key(0))
    np.testing.assert_allclose(made.values, [9, 9, 9, 7, 7, 1], atol=1e-8)  # eigenvalues of clusters
    every = curvature.eigenpairs(times(matrix), np.zeros(12), 12, key=fn.Key(0), end="smallest")
    np.testing.assert_allclose(every.values, [-2, -2, 0, 0, 1, 1, 1, 7, 7, 9, 9, 9], atol=1e-8)  # eigenvalues of clusters
    nothing = curvature.eigenpairs(lambda vector: 0 * vector, np.zeros(4), 2, key=fn.Key(0))
    np.testing.assert_array_equal(nothing.values, [0, 0])


def test_one_dimensional_laplacian_has_its_known_spectrum() -> None:
    size = 30  # eigenvalues 2 - 2 cos(pi j / (D + 1)), Golub & Van Loan, section 4.8.6
    matrix = 2 * np.eye(size) - np.eye(size, k=1) - np.eye(size, k=-1)
    known = 2 - 2 * np.cos(np.pi * np.arange(size, 0, -1) / (size + 1))
    made = curvature.eigenpairs(times(matrix), np.zeros(size), 4, key=fn.Key(2), tolerance=1e-10)
    np.testing.assert_allclose(made.values, known[:4], atol=1e-9)
    density = curvature.spectral_density(times(matrix), np.zeros(size), key=fn.Key(0), steps=size, samples=40)
    log_determinant = density.trace(np.log)
    assert abs(log_determinant.value - np.log(size + 1)) < 4 * log_determinant.error  # its determinant is D + 1
    assert log_determinant.error < 2.5


def test_moments_of_a_spectral_density_are_traces_of_powers() -> None:
    matrix = random_symmetric(50, np.linspace(0, 1, 50) ** 3)
    made = curvature.spectral_density(times(matrix), np.zeros(50), key=fn.Key(0), steps=5, samples=200)
    for power in range(10):  # a Gauss rule of 5 nodes is exact up to degree 9
        estimate = made.trace(lambda nodes, power=power: nodes**power)  # type: ignore[misc]  # lambda with a default
        assert abs(estimate.value - np.trace(np.linalg.matrix_power(matrix, power))) <= 4 * estimate.error + 1e-10
    grid = np.linspace(-1, 2, 601)
    assert np.trapezoid(made.density(grid, 0.1), grid) == pytest.approx(1, abs=1e-3)  # the trapezoids of the grid


METHODS = [curvature.hutchinson, curvature.hutch_plus_plus, curvature.xtrace]


@pytest.mark.parametrize("method", METHODS)
def test_traces_lie_within_their_errors(method: Any) -> None:
    matrix = random_symmetric(60, 0.9 ** np.arange(60) - 0.1)
    made = [method(times(matrix), np.zeros(60), key=fn.Key(seed), products=24) for seed in range(60)]
    off = np.array([one.value for one in made]) - np.trace(matrix)
    errors = np.array([one.error for one in made])
    assert abs(off.mean()) < 4 * off.std() / np.sqrt(60)  # no bias
    assert 0.6 < np.sqrt(np.mean(off**2)) / np.sqrt(np.mean(errors**2)) < 1.6
    assert {one.products for one in made} == {24}


def test_closer_methods_are_closer() -> None:
    matrix = random_symmetric(60, 0.7 ** np.arange(60))
    off = []
    for method in METHODS:
        made = [method(times(matrix), np.zeros(60), key=fn.Key(seed), products=30).value for seed in range(20)]
        off.append(float(np.sqrt(np.mean((np.array(made) - np.trace(matrix)) ** 2))))
    assert off[1] < off[0] / 5
    assert off[2] < off[1] / 3


@pytest.mark.parametrize("method", METHODS[1:])
def test_a_matrix_of_low_rank_has_an_exact_trace(method: Any) -> None:
    thin = np.random.default_rng(0).normal(size=(20, 3))
    made = method(times(thin @ thin.T), np.zeros(20), key=fn.Key(0), products=18)
    assert made.value == pytest.approx(np.trace(thin @ thin.T), rel=1e-10, abs=0.0)
    assert made.error < 1e-9


def test_a_trace_of_a_tiny_matrix_takes_no_more_than_it() -> None:
    for method in METHODS:
        made = method(times(np.diag([1.0, 2.0])), np.zeros(2), key=fn.Key(0), products=20)
        assert made.value == pytest.approx(3, abs=1e-10)


@pytest.mark.parametrize("name", CASES)
def test_diagonals_are_those_of_the_dense_matrix(name: str) -> None:
    case = CASES[name]
    expected = np.diag(case.ggn())
    exact = curvature.ggn_diagonal(case.model, case.loss)(*case.at, EVAL)
    np.testing.assert_allclose(flat(exact), expected, atol=1e-9)
    np.testing.assert_allclose(flat(curvature.diagonal(case.ggn_product, case.params)), expected, atol=1e-9)
    np.testing.assert_allclose(flat(curvature.diagonal(case.hvp, case.params)), np.diag(case.hessian()), rtol=1e-10, atol=1e-14)
    assert type(exact) is type(case.params)


def test_an_estimated_diagonal_lies_within_its_errors() -> None:
    case = CASES["classifier"]
    made = curvature.estimate_diagonal(case.hvp, case.params, key=fn.Key(0), products=200)
    off = (flat(made.values) - np.diag(case.hessian())) / np.maximum(flat(made.errors), 1e-12)
    assert np.abs(off).max() < 4.5
    assert 0.7 < off.std() < 1.4


def test_a_diagonal_with_dropout_and_weights_is_that_of_the_batch() -> None:
    case = CASES["classifier"]
    model = fn.dense(4) >> fn.dropout(0.5) >> fn.dense(3)
    start = model.init(fn.Key(0), (3,))
    target: Any = fn.Weighted(case.target, np.array([1.0, 0, 2, 1, 1, 0.5, 3]))
    at = start.params, start.state, case.x, target
    mode = fn.Train(fn.Key(8))
    made = curvature.ggn_diagonal(model, case.loss)(*at, mode)
    expected = curvature.diagonal(lambda vector: fn.ggn_product(model, case.loss)(*at, vector, mode), start.params)
    np.testing.assert_allclose(flat(made), flat(expected), rtol=1e-10, atol=1e-15)


def test_a_loss_that_is_not_convex_has_no_square_root() -> None:
    case = Case(fn.dense(1), fn.define_loss("wave", _wave, lambda y: np.cos(y)), np.ones((3, 2)), np.zeros((3, 1)))
    with pytest.raises(fn.curvature.NegativeCurvatureError, match=r"wave is not convex in the output of example 0"):
        curvature.ggn_diagonal(case.model, case.loss)(
            tree.map(lambda leaf: np.ones_like(leaf), case.params), case.state, case.x, case.target, EVAL
        )


def _wave(prediction: Any, target: Any) -> Any:
    return fn.LossForward(np.sin(prediction).sum(), prediction)


def test_what_is_no_symmetric_product_is_refused() -> None:
    like = {"a": np.zeros(2), "b": np.zeros((2, 2))}
    key = fn.Key(0)
    with pytest.raises(ValueError, match=r"not symmetric"):
        curvature.eigenpairs(times(np.triu(np.ones((5, 5)))), np.zeros(5), key=key)
    with pytest.raises(ValueError, match=r"what the product gave\['b'\] is not finite"):
        curvature.hutchinson(lambda v: {"a": v["a"], "b": v["b"] * np.nan}, like, key=key)
    with pytest.raises(ValueError, match=r"what the product gave\['a'\] is float64\[3\], expected float64\[2\]"):
        curvature.xtrace(lambda v: {**v, "a": np.zeros(3)}, like, key=key)
    with pytest.raises(ValueError, match=r"one structure"):
        curvature.spectral_density(lambda v: (v["a"], v["b"]), like, key=key)  # type: ignore[arg-type, return-value]  # wrong
    with pytest.raises(TypeError, match=r"like\[1\] is int64\[2\]"):
        curvature.diagonal(lambda v: v, (np.zeros(1), np.zeros(2, int)))
    with pytest.raises(TypeError, match=r"like\[1\] is float32 and like\[0\] float64"):
        curvature.diagonal(lambda v: v, (np.zeros(1), np.zeros(2, np.float32)))
    with pytest.raises(ValueError, match="products is 5, expected an even number"):
        curvature.xtrace(lambda v: v, np.zeros(9), key=key, products=5)
    matrix = random_symmetric(40, np.linspace(0, 1, 40))
    with pytest.raises(fn.ConvergenceError, match="max_products"):
        curvature.eigenpairs(times(matrix), np.zeros(40), 5, key=key, max_products=8)
