"""The Laplace approximation beside Bayesian linear regression, which it equals, and beside dense matrices."""

import pickle
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn import curvature, tree
from tests.curvature.networks import EVAL, classifier, flat, regressor

GENERATOR = np.random.default_rng(4)
X = GENERATOR.normal(size=(20, 3))
Y = X @ [[1.0], [-2.0], [0.5]] + 0.3 + 0.2 * GENERATOR.normal(size=(20, 1))
LINEAR = fn.dense(1)
INPUTS = np.hstack((X, np.ones((20, 1))))


def ridge(precision: float, noise: float) -> Any:
    """The mean of the posterior of linear regression (Bishop 2006, eq. 3.53), as parameters of the layer."""
    matrix = INPUTS.T @ INPUTS + precision * noise**2 * np.eye(4)
    solution = np.linalg.solve(matrix, INPUTS.T @ Y)
    start = LINEAR.init(fn.Key(0), (3,)).params
    return type(start)(solution[:3], solution[3])


def posterior_of(precision: float, noise: float, reduction: Any = "mean", structure: Any = "full") -> Any:
    made = curvature.laplace(
        LINEAR, fn.half_squared_error(reduction=reduction), prior_precision=precision, noise=noise, structure=structure
    )
    return made(ridge(precision, noise), (), X, Y)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("structure", ["full", "kronecker"])  # of one layer with squared errors the factors are exact
def test_linear_regression_has_its_known_posterior(reduction: Any, structure: Any) -> None:
    precision, noise = 0.7, 0.3
    posterior = posterior_of(precision, noise, reduction, structure)
    covariance = np.linalg.inv(INPUTS.T @ INPUTS / noise**2 + precision * np.eye(4))  # eq. 3.54
    x_new = GENERATOR.normal(size=(5, 3))
    rows = np.hstack((x_new, np.ones((5, 1))))
    made = posterior.predict(x_new)
    np.testing.assert_allclose(made.mean, rows @ np.vstack((posterior.params.weight, posterior.params.bias)))
    # Times the condition.
    np.testing.assert_allclose(made.covariance[:, 0, 0], np.einsum("nd,de,ne->n", rows, covariance, rows), rtol=1e-8)
    np.testing.assert_allclose(made.deviations[:, 0] ** 2, made.covariance[:, 0, 0] + noise**2)  # eq. 3.59


def evidence(precision: float, noise: float) -> float:
    """The logarithm of the density of all targets: normal, with covariance noise^2 I + X X' / precision."""
    covariance = noise**2 * np.eye(20) + INPUTS @ INPUTS.T / precision
    sign, log_determinant = np.linalg.slogdet(2 * np.pi * covariance)
    assert sign == 1
    return float(-log_determinant / 2 - Y[:, 0] @ np.linalg.solve(covariance, Y[:, 0]) / 2)


@pytest.mark.parametrize(("precision", "noise"), [(0.7, 0.3), (1e-3, 2.0), (50.0, 0.1)])
def test_linear_regression_has_its_known_evidence(precision: float, noise: float) -> None:
    assert posterior_of(precision, noise).log_evidence() == pytest.approx(evidence(precision, noise), rel=1e-9, abs=0.0)


def test_tuning_finds_where_the_evidence_is_largest() -> None:
    precision, noise = 1.0, 1.0
    for _ in range(30):  # the mean moves with the prior
        tuned = posterior_of(precision, noise).tuned()
        precision, noise = tuned.prior_precision, tuned.noise
    best = evidence(precision, noise)
    for factor in (0.9, 1.1):
        assert evidence(precision * factor, noise) < best
        assert evidence(precision, noise * factor) < best
    assert 0.1 < noise < 0.3


@pytest.mark.parametrize("structure", ["full", "diagonal", "kronecker", "last_layer"])
@pytest.mark.parametrize("make", [classifier, regressor])
def test_networks_have_what_the_dense_matrix_has(make: Any, structure: Any) -> None:
    case: Any = make()
    precision = 0.5
    noise = 0.4 if make is regressor else 1.0
    posterior = curvature.laplace(case.model, case.loss, structure=structure, prior_precision=precision, noise=noise)(*case.at)
    size = tree.size(case.params)
    matrix = 7 * case.ggn()
    kept = np.ones(size, bool)
    if structure == "diagonal":
        matrix = np.diag(np.diag(matrix))
    if structure == "kronecker":
        factors = curvature.kronecker_factors(case.model, case.loss, corrected=True)(
            case.params, case.state, case.x, case.target, EVAL
        )
        _, unravel = tree.ravel(case.params)
        matrix = 7 * np.stack([flat(factors.product(unravel(unit))) for unit in np.eye(size)])
    if structure == "last_layer":
        kept[: tree.size(case.params[0])] = False
    precisions = matrix[np.ix_(kept, kept)] / noise**2 + precision * np.eye(kept.sum())
    inverse = np.zeros((size, size))
    inverse[np.ix_(kept, kept)] = np.linalg.inv(precisions)
    x_new = GENERATOR.normal(size=(4, 3))
    made = fn.jacobian(case.model)(case.params, case.state, x_new, EVAL)
    jacobian = np.concatenate([leaf.reshape(4, leaf.shape[1], -1) for leaf in tree.leaves(made)], axis=2)
    predicted = posterior.predict(x_new)
    # Times the condition.
    np.testing.assert_allclose(
        predicted.covariance, np.einsum("nkd,de,nle->nkl", jacobian, inverse, jacobian), rtol=1e-5, atol=1e-12
    )
    values = flat(case.params)[kept]
    expected = -posterior.loss / noise**2 - precision / 2 * values @ values + kept.sum() / 2 * np.log(precision)
    expected -= np.linalg.slogdet(precisions)[1] / 2
    expected -= 7 * np.log(2 * np.pi * noise**2) if make is regressor else 0
    assert posterior.log_evidence() == pytest.approx(expected, rel=1e-7, abs=0.0)  # times the condition
    samples = np.stack([flat(one) for one in posterior.sample(fn.Key(0), 1000)]) - flat(case.params)
    assert not samples[:, ~kept].any()
    np.testing.assert_allclose(np.var(samples[:, kept], axis=0), np.diag(inverse)[kept], rtol=0.25)  # drawn
    white = np.linalg.cholesky(precisions).T @ samples[:, kept].T
    assert np.abs(white @ white.T / 1000 - np.eye(kept.sum())).max() < 0.25


def test_probabilities_are_near_the_mean_over_logits_and_softer() -> None:
    case = classifier()
    posterior = curvature.laplace(case.model, case.loss, prior_precision=2.0)(*case.at)
    x_new = GENERATOR.normal(size=(6, 3))
    made, predicted = posterior.probabilities(x_new), posterior.predict(x_new)
    np.testing.assert_allclose(made.sum(axis=1), 1)
    drawn = [
        np.random.default_rng(n).multivariate_normal(mean, covariance, 20_000)
        for n, (mean, covariance) in enumerate(zip(predicted.mean, predicted.covariance, strict=True))
    ]
    softmax = [np.exp(one) / np.exp(one).sum(axis=1, keepdims=True) for one in drawn]
    np.testing.assert_allclose(made, [one.mean(axis=0) for one in softmax], atol=0.06)  # drawn
    plain = np.exp(predicted.mean) / np.exp(predicted.mean).sum(axis=1, keepdims=True)
    assert (made.max(axis=1) < plain.max(axis=1)).all()


def test_where_chooses_the_leaves_that_are_random() -> None:
    case = regressor()
    posterior = curvature.laplace(case.model, case.loss, where=r"weight$")(*case.at)
    (sampled,) = posterior.sample(fn.Key(0), 1)
    np.testing.assert_array_equal(sampled[0].bias, case.params[0].bias)
    assert (sampled[0].weight != case.params[0].weight).all()
    again = pickle.loads(pickle.dumps(posterior))
    assert tree.same(next(again.sample(fn.Key(0), 1)), sampled)
    assert again.with_prior(3.0).log_evidence() == posterior.with_prior(3.0).log_evidence()
    assert posterior.with_prior(3.0, 0.5).noise == 0.5


def test_what_does_not_fit_is_named() -> None:
    case = classifier()
    with pytest.raises(ValueError, match="the loss is mean_squared_error, expected a negative log-likelihood"):
        curvature.laplace(LINEAR, fn.mean_squared_error())
    with pytest.raises(ValueError, match=r"noise is 0.5, and the likelihood softmax_cross_entropy"):
        curvature.laplace(case.model, case.loss, noise=0.5)
    with pytest.raises(ValueError, match="prior_precision is 0"):
        curvature.laplace(case.model, case.loss, prior_precision=0)
    with pytest.raises(ValueError, match="where= chooses none of the leaves"):
        curvature.laplace(case.model, case.loss, where="kernel")(*case.at)
    with pytest.raises(ValueError, match=r"where= chooses leaves for the structures"):
        curvature.laplace(case.model, case.loss, where="weight", structure="kronecker")
    with pytest.raises(ValueError, match="no chain of layers"):
        curvature.laplace(LINEAR, fn.half_squared_error(), structure="last_layer")(ridge(1, 1), (), X, Y)
    with pytest.raises(ValueError, match="no classes"):
        posterior_of(1.0, 1.0).probabilities(X)
    exact = ridge(1e-12, 1.0)
    fitted = curvature.laplace(LINEAR, fn.half_squared_error())(exact, (), X[:4], fn.apply(LINEAR, exact, (), X[:4]))
    with pytest.raises(ValueError, match="the noise cannot be told"):
        fitted.tuned()
    zero = curvature.laplace(LINEAR, fn.half_squared_error())(tree.map(np.zeros_like, exact), (), X, Y)
    with pytest.raises(ValueError, match="grows with the prior's precision"):
        zero.tuned()
    with pytest.raises(fn.ConvergenceError, match="give more steps="):
        posterior_of(1e6, 1.0).tuned(steps=1)
