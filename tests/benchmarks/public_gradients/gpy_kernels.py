"""GPy: kernels by their parameters and inputs, transformations, likelihoods up to their third derivative, mappings."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from tests.benchmarks.public_gradients.case import Case, by_pulling_back, elementwise


def gpy_cases(rng: np.random.Generator) -> Iterator[Case]:
    yield from _kernels(rng)
    yield from _transformations(rng)
    yield from _likelihoods(rng)
    yield from _mappings(rng)


def _kernels(rng: np.random.Generator) -> Iterator[Case]:
    from GPy import kern

    x, other = rng.normal(size=(4, 2)), rng.normal(size=(3, 2))
    plain = {
        "RBF": kern.RBF(2, 1.3, 0.8),
        "RBF ARD": kern.RBF(2, 1.3, [0.8, 1.4], ARD=True),
        "Exponential": kern.Exponential(2, 1.3, 0.8),
        "OU": kern.OU(2, 1.3, 0.8),
        "Matern32 ARD": kern.Matern32(2, 1.3, [0.8, 1.4], ARD=True),
        "Matern52": kern.Matern52(2, 1.3, 0.8),
        "ExpQuad": kern.ExpQuad(2, 1.3, 0.8),
        "RatQuad": kern.RatQuad(2, 1.3, 0.8, 1.7),
        "Cosine": kern.Cosine(2, 1.3, 0.8),
        "ExpQuadCosine": kern.ExpQuadCosine(2, 1.3, 0.8, 2.1),
        "Sinc": kern.Sinc(2, 1.3, 0.8),
        "Linear ARD": kern.Linear(2, [0.8, 1.4], ARD=True),
        "LinearFull": kern.LinearFull(2, 1, rng.normal(size=(2, 1)), np.array([0.7, 0.9])),
        "Poly": kern.Poly(2, 1.3, 0.8, 0.6, order=3.0),
        "MLP": kern.MLP(2, 1.3, 0.8, 0.6),
        "MLP ARD": kern.MLP(2, 1.3, [0.8, 1.4], 0.6, ARD=True),
        "StdPeriodic": kern.StdPeriodic(2, 1.3, 2.1, 0.8),
        "StdPeriodic ARD": kern.StdPeriodic(2, 1.3, [2.1, 1.7], [0.8, 1.2], ARD1=True, ARD2=True),
        "Bias": kern.Bias(2, 1.3),
        "White": kern.White(2, 1.3),
        "Add": kern.RBF(2, 1.3, 0.8) + kern.Linear(2, 0.7),
        "Prod": kern.RBF(2, 1.3, 0.8) * kern.Matern32(2, 0.9, 1.1),
        "Prod of three": kern.RBF(2, 1.3, 0.8) * kern.Matern32(2, 0.9, 1.1) * kern.Bias(2, 0.7),
    }
    line = np.sort(rng.uniform(0.2, 3, size=(4, 1)), axis=0)
    ends = np.concatenate([line, line - rng.uniform(0.1, 0.4, size=(4, 1))], 1)
    tagged = np.concatenate([line, np.array([[0.0], [1.0], [0.0], [1.0]])], 1)
    special = {
        "Brownian": (kern.Brownian(1, 1.3), line),
        "PeriodicExponential": (kern.PeriodicExponential(1, 1.3, 0.8, 3.0), line),
        "PeriodicMatern32": (kern.PeriodicMatern32(1, 1.3, 0.8, 3.0), line),
        "PeriodicMatern52": (kern.PeriodicMatern52(1, 1.3, 0.8, 3.0), line),
        "Integral": (kern.Integral(1, [1.3], [0.8]), line),
        "Integral_Limits": (kern.Integral_Limits(2, [1.3], [0.8]), ends),
        "Coregionalize": (kern.Coregionalize(1, 2, 1), np.array([[0], [1], [1], [0]])),
        "ODE_UY": (kern.ODE_UY(2), tagged),
        "ODE_t": (kern.ODE_t(2), tagged),
        "EQ_ODE1": (kern.EQ_ODE1(2, output_dim=2), tagged),
        "TruncLinear": (kern.TruncLinear(1, 1.3, 0.4), line),
        "Spline": (kern.Spline(1, 1.3), line / 4),
    }
    for name, one in plain.items():
        yield of_parameters(name, one, x)
        yield of_parameters(f"{name}, crossed", one, x, other)
        yield of_parameters_of_the_diagonal(name, one, x)
        yield of_inputs(name, one, x)
        yield of_inputs(f"{name}, crossed", one, x, other)
    for name, (one, at) in special.items():
        yield of_parameters(name, one, at)
        yield of_parameters_of_the_diagonal(name, one, at)


def of_parameters(name: str, one: Any, x: np.ndarray, other: np.ndarray | None = None) -> Case:
    def value(theta: np.ndarray) -> Any:
        one[:] = theta
        return one.K(x, other)

    def vjp(theta: np.ndarray, dy: np.ndarray) -> np.ndarray:
        one[:] = theta
        one.gradient = 0.0
        one.update_gradients_full(dy, x, other)
        return np.array(one.gradient)

    return by_pulling_back(f"kern.{name}.update_gradients_full", value, vjp, np.array(one.param_array))


def of_parameters_of_the_diagonal(name: str, one: Any, x: np.ndarray) -> Case:
    def value(theta: np.ndarray) -> Any:
        one[:] = theta
        return one.Kdiag(x)

    def vjp(theta: np.ndarray, dy: np.ndarray) -> np.ndarray:
        one[:] = theta
        one.gradient = 0.0
        one.update_gradients_diag(dy, x)
        return np.array(one.gradient)

    return by_pulling_back(f"kern.{name}.update_gradients_diag", value, vjp, np.array(one.param_array))


def of_inputs(name: str, one: Any, x: np.ndarray, other: np.ndarray | None = None) -> Case:
    return by_pulling_back(
        f"kern.{name}.gradients_X", lambda x: one.K(x, other), lambda x, dy: np.array(one.gradients_X(dy, x, other)), x
    )


def _transformations(rng: np.random.Generator) -> Iterator[Case]:
    from GPy.core.parameterization import transformations
    from GPy.likelihoods import link_functions

    f = rng.uniform(0.3, 1.8, 5)
    orders = ("transf", "dtransf_df", "d2transf_df2", "d3transf_df3")
    for name in ("Identity", "Probit", "ScaledProbit", "Cloglog", "Log", "Log_ex_1", "Reciprocal"):
        one = getattr(link_functions, name)()
        for lower, upper in pairwise(orders):
            yield elementwise(f"link_functions.{name}.{upper}", getattr(one, lower), getattr(one, upper), f)
    for name, one in {
        "Logexp": transformations.Logexp(),
        "Exponent": transformations.Exponent(),
        "NegativeLogexp": transformations.NegativeLogexp(),
        "Square": transformations.Square(),
        "Logistic": transformations.Logistic(-0.5, 2.5),
    }.items():
        at = one.f(f)
        pull = by_pulling_back(
            f"transformations.{name}.gradfactor", one.f, lambda x, dy, one=one: one.gradfactor(one.f(x), dy), f
        )
        yield pull if np.isfinite(at).all() else Case(pull.name, pull.function, pull.jacobian, f)


def _likelihoods(rng: np.random.Generator) -> Iterator[Case]:
    from GPy import likelihoods
    from GPy.likelihoods.loggaussian import LogGaussian
    from GPy.likelihoods.loglogistic import LogLogistic

    f, y = rng.uniform(0.3, 0.9, size=(4, 1)), rng.uniform(0.5, 2, size=(4, 1))
    counts, binary = rng.poisson(3, size=(4, 1)).astype(float), np.array([[1.0], [0.0], [1.0], [1.0]])
    trials = {"trials": np.array([[5.0], [4.0], [6.0], [7.0]])}
    censored = {"censored": np.array([[0.0], [1.0], [0.0], [1.0]])}
    several: dict[str, tuple[Any, np.ndarray, Any]] = {
        "Gaussian": (likelihoods.Gaussian(variance=0.7), y, None),
        "StudentT": (likelihoods.StudentT(deg_free=4.0, sigma2=0.8), y, None),
        "Poisson": (likelihoods.Poisson(), counts, None),
        "Gamma": (likelihoods.Gamma(beta=1.4), y, None),
        "Exponential": (likelihoods.Exponential(), y, None),
        "Bernoulli": (likelihoods.Bernoulli(), binary, None),
        "Binomial": (likelihoods.Binomial(), np.minimum(counts, 4), trials),
        "Weibull": (likelihoods.Weibull(beta=1.3), y, None),
        "LogGaussian": (LogGaussian(sigma=0.6), y, censored),
        "LogLogistic": (LogLogistic(r=1.6), y, censored),
    }
    by_link = ("logpdf_link", "dlogpdf_dlink", "d2logpdf_dlink2", "d3logpdf_dlink3")
    by_f = ("logpdf", "dlogpdf_df", "d2logpdf_df2", "d3logpdf_df3")
    for name, (one, at, more) in several.items():
        for orders in (by_link, by_f):
            for lower, upper in pairwise(orders):
                yield by_pulling_back(
                    f"likelihoods.{name}.{upper}",
                    lambda f, one=one, at=at, more=more, lower=lower: getattr(one, lower)(f, at, Y_metadata=more),
                    lambda f, dy, one=one, at=at, more=more, upper=upper: dy * getattr(one, upper)(f, at, Y_metadata=more),
                    f,
                )


def _mappings(rng: np.random.Generator) -> Iterator[Case]:
    from GPy import kern, mappings

    x = rng.normal(size=(4, 2))
    for name, one in {
        "Linear": mappings.Linear(2, 3),
        "MLP": mappings.MLP(2, 3, hidden_dim=4),
        "MLPext": mappings.MLPext(2, 3, hidden_dims=[4], prior=None),
        "Kernel": mappings.Kernel(2, 3, rng.normal(size=(5, 2)), kern.RBF(2)),
        "Constant": mappings.Constant(2, 3, np.array([0.4, 0.5, 0.6])),
    }.items():

        def value(theta: np.ndarray, one: Any = one) -> Any:
            one[:] = theta
            return one.f(x)

        def vjp(theta: np.ndarray, dy: np.ndarray, one: Any = one) -> np.ndarray:
            one[:] = theta
            one.gradient = 0.0
            one.update_gradients(dy, x)
            return np.array(one.gradient)

        yield by_pulling_back(f"mappings.{name}.update_gradients", value, vjp, np.array(one.param_array))
        yield by_pulling_back(
            f"mappings.{name}.gradients_X",
            lambda x, one=one: one.f(x),
            lambda x, dy, one=one: np.array(one.gradients_X(dy, x)),
            x,
        )
