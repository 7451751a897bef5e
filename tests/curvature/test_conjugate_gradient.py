"""Conjugate gradients beside dense solves, and where there is nothing to be solved."""

from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn import curvature, tree
from tests.curvature.networks import classifier, flat

CASE = classifier()


def drawn(values: Any) -> Any:
    generator = np.random.default_rng(0)
    return tree.map(lambda leaf: generator.normal(size=leaf.shape).astype(leaf.dtype), values)


def test_solves_what_the_dense_matrix_solves() -> None:
    target = drawn(CASE.params)
    made = curvature.conjugate_gradient(CASE.ggn_product, target, damping=1e-2, tolerance=1e-10)
    matrix = CASE.ggn() + 1e-2 * np.eye(len(flat(target)))
    # The tolerance of the residual, times the condition.
    np.testing.assert_allclose(flat(made.solution), np.linalg.solve(matrix, flat(target)), rtol=1e-6, atol=1e-8)
    assert made.residual < 1e-9
    assert type(made.solution) is type(CASE.params)


def test_takes_as_many_steps_as_there_are_eigenvalues() -> None:
    matrix = np.diag([1.0] * 5 + [4.0] * 5 + [9.0] * 5)  # Nocedal & Wright, theorem 5.4
    made = curvature.conjugate_gradient(lambda v: matrix @ v, np.arange(1.0, 16.0), tolerance=1e-12)
    assert made.steps == 3


def test_an_exact_preconditioner_leaves_one_step() -> None:
    matrix = np.diag(np.geomspace(1, 1e6, 30))
    b = np.ones(30)
    plain = curvature.conjugate_gradient(lambda v: matrix @ v, b, tolerance=1e-10)
    made = curvature.conjugate_gradient(lambda v: matrix @ v, b, tolerance=1e-10, preconditioner=lambda v: v / np.diag(matrix))
    assert made.steps == 1
    assert plain.steps > 15
    np.testing.assert_allclose(made.solution, b / np.diag(matrix))


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-4), (np.longdouble, 1e-12)])
def test_keeps_the_precision(dtype: Any, tolerance: float) -> None:
    matrix = np.diag(np.linspace(1, 3, 6)).astype(dtype)
    made = curvature.conjugate_gradient(lambda v: matrix @ v, np.ones(6, dtype), tolerance=tolerance)
    assert made.solution.dtype == dtype
    assert made.residual <= tolerance


def test_zero_is_solved_by_zero() -> None:
    made = curvature.conjugate_gradient(lambda v: v, np.zeros(3))
    assert made.steps == 0
    assert made.residual == 0
    np.testing.assert_array_equal(made.solution, 0)


@pytest.mark.parametrize("values", [[1.0, -0.5], [1.0, 0.0]])
def test_negative_curvature_and_singular_matrices_are_refused(values: Any) -> None:
    with pytest.raises(curvature.NegativeCurvatureError, match=r"indefinite or singular; use a Gauss-Newton product.*damping="):
        curvature.conjugate_gradient(lambda v: np.array(values) * v, np.ones(2))
    made = curvature.conjugate_gradient(lambda v: np.array(values) * v, np.ones(2), damping=1.0)
    np.testing.assert_allclose(made.solution, 1 / (1 + np.array(values)))


def test_what_does_not_converge_says_so() -> None:
    matrix = np.diag(np.geomspace(1, 1e6, 50))
    with pytest.raises(fn.ConvergenceError, match=r"after 4 products.*max_steps="):
        curvature.conjugate_gradient(lambda v: matrix @ v, np.ones(50), max_steps=4)
    hilbert = 1 / (1 + np.add.outer(np.arange(8.0), np.arange(8.0))) + 1e-9 * np.eye(8)
    with pytest.raises(fn.ConvergenceError, match="rounding limits it"):
        curvature.conjugate_gradient(lambda v: hilbert @ v, np.ones(8), tolerance=1e-15, max_steps=5000)


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match=r"target\['a'\] is not finite"):
        curvature.conjugate_gradient(lambda v: v, {"a": np.array([np.nan])})
    with pytest.raises(ValueError, match="damping is -1"):
        curvature.conjugate_gradient(lambda v: v, np.ones(1), damping=-1)
    with pytest.raises(TypeError, match="product is 3"):
        curvature.conjugate_gradient(3, np.ones(1))  # type: ignore[arg-type]  # on purpose
    with pytest.raises(curvature.NegativeCurvatureError, match="the preconditioner is not positive"):
        curvature.conjugate_gradient(lambda v: v, np.ones(2), preconditioner=lambda v: -v)
