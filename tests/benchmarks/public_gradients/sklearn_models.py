"""scikit-learn: losses, kernels of Gaussian processes and their likelihood, networks."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.benchmarks.public_gradients.case import Case


def sklearn_cases(rng: np.random.Generator) -> Iterator[Case]:
    from sklearn import _loss
    from sklearn.gaussian_process import GaussianProcessRegressor, kernels
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    y = rng.uniform(0.1, 0.9, 7)
    losses = ("HalfSquaredError", "HalfPoissonLoss", "HalfGammaLoss", "HalfBinomialLoss", "ExponentialLoss")
    for name in losses:
        loss = getattr(_loss, name, None) or getattr(_loss.loss, name)
        one = loss()
        yield Case(
            f"_loss.{name}",
            lambda raw, one=one: one.loss(y_true=y, raw_prediction=raw),
            lambda raw, one=one: np.diag(one.gradient(y_true=y, raw_prediction=raw)),
            rng.normal(size=7),
        )
    x, target = rng.normal(size=(6, 2)), rng.normal(size=6)
    for kernel in (
        kernels.RBF(0.7),
        kernels.RBF([0.7, 1.3]),
        kernels.Matern(0.7, nu=0.5),
        kernels.Matern([0.7, 1.1], nu=1.5),
        kernels.Matern(0.7, nu=2.5),
        kernels.RationalQuadratic(0.6, 1.4),
        kernels.ExpSineSquared(0.8, 2.1) + kernels.WhiteKernel(3.0),
        kernels.DotProduct(0.9),
        kernels.ConstantKernel(1.7) * kernels.RBF(0.9) + kernels.WhiteKernel(0.3),
        kernels.RBF(0.8) ** 2,
    ):
        yield Case(
            f"kernels.{kernel}",
            lambda theta, kernel=kernel: kernel.clone_with_theta(theta)(x).ravel(),
            lambda theta, kernel=kernel: kernel.clone_with_theta(theta)(x, eval_gradient=True)[1].reshape(36, -1),
            kernel.theta.copy(),
        )
        regressor = GaussianProcessRegressor(kernel + kernels.WhiteKernel(0.2), alpha=1e-3, optimizer=None).fit(x, target)
        yield Case(
            f"log_marginal_likelihood, {kernel}",
            lambda theta, regressor=regressor: regressor.log_marginal_likelihood(theta),
            lambda theta, regressor=regressor: regressor.log_marginal_likelihood(theta, eval_gradient=True)[1],
            regressor.kernel_.theta.copy(),
        )
    for outputs in (1, 3):
        for activation in ("tanh", "logistic", "relu"):
            yield mlp(MLPRegressor, activation, x, rng.normal(size=(6, outputs)), f"{outputs} outputs")
    yield mlp(MLPClassifier, "tanh", x, np.arange(6) % 3, "3 classes")
    yield mlp(MLPClassifier, "tanh", x, np.arange(6) % 2, "2 classes")


def mlp(kind: Any, activation: str, x: np.ndarray, y: np.ndarray, what: str) -> Case:
    """Return the loss of a network of scikit-learn and its backpropagation, as functions of its packed parameters."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = kind(hidden_layer_sizes=(4,), activation=activation, alpha=0.1, max_iter=1, random_state=0, solver="lbfgs").fit(
            x, y.ravel() if y.shape[-1:] == (1,) else y
        )
    target = y if y.ndim > 1 else net._label_binarizer.transform(y).astype(float)

    def both(packed: np.ndarray) -> tuple[float, np.ndarray]:
        coefs, intercepts = net.coefs_, net.intercepts_
        activations = [x] + [np.empty((len(x), width)) for width in (4, target.shape[1])]
        deltas = [np.empty_like(one) for one in activations[1:]]
        gradients = [np.empty_like(one) for one in coefs], [np.empty_like(one) for one in intercepts]
        try:
            given = np.array(packed, float)
            arguments = (given, x, target, None) if "sample_weight" in names else (given, x, target)
            value, gradient = net._loss_grad_lbfgs(*arguments, activations, deltas, *gradients)
            return value, gradient
        finally:
            net.coefs_, net.intercepts_ = coefs, intercepts

    names = net._loss_grad_lbfgs.__code__.co_varnames
    packed = np.concatenate([one.ravel() for one in (*net.coefs_, *net.intercepts_)])
    name = f"{kind.__name__}, {activation}, {what}"
    return Case(name, lambda p: both(p)[0], lambda p: both(p)[1], packed * 0.7 + 0.05)
