"""statsmodels: scores and Hessians of its models, links, robust norms."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from tests.benchmarks.public_gradients.case import Case, elementwise


def statsmodels_cases(rng: np.random.Generator) -> Iterator[Case]:
    import statsmodels.api as sm
    from statsmodels.discrete import count_model, discrete_model

    x = sm.add_constant(rng.normal(size=(30, 2)))
    counts = rng.poisson(2, 30)
    binary = (rng.uniform(size=30) < 0.4).astype(int)
    models = {
        "Logit": (discrete_model.Logit(binary, x), 3),
        "Probit": (discrete_model.Probit(binary, x), 3),
        "MNLogit": (discrete_model.MNLogit(np.arange(30) % 3, x), 6),
        "Poisson": (discrete_model.Poisson(counts, x), 3),
        "NegativeBinomial nb2": (discrete_model.NegativeBinomial(counts, x), 4),
        "NegativeBinomial nb1": (discrete_model.NegativeBinomial(counts, x, loglike_method="nb1"), 4),
        "NegativeBinomial geometric": (discrete_model.NegativeBinomial(counts, x, loglike_method="geometric"), 3),
        "NegativeBinomialP": (discrete_model.NegativeBinomialP(counts, x), 4),
        "GeneralizedPoisson": (discrete_model.GeneralizedPoisson(counts, x), 4),
        "ZeroInflatedPoisson": (count_model.ZeroInflatedPoisson(counts, x), 4),
        "GLM Gamma": (sm.GLM(counts + 0.5, x, sm.families.Gamma(sm.families.links.Log())), 3),
        "GLM Binomial": (sm.GLM(binary, x, sm.families.Binomial()), 3),
    }
    for name, (model, size) in models.items():
        point = rng.uniform(0.1, 0.4, size)
        # Of a GLM the scale is estimated anew at every point unless it is given, and is no function of its score then.
        known = {"scale": 1.0} if name.startswith("GLM") else {}
        loglike, score, hessian = (partial(getattr(model, one), **known) for one in ("loglike", "score", "hessian"))
        yield Case(f"{name}.score", loglike, score, point)
        yield Case(f"{name}.hessian", score, hessian, point)
    for name in ("Logit", "Probit", "CLogLog", "Log", "Cauchy", "LogLog", "InverseSquared", "Sqrt"):
        link = getattr(sm.families.links, name)()
        p = rng.uniform(0.1, 0.9, 5)
        yield elementwise(f"links.{name}.deriv", link, link.deriv, p)
        yield elementwise(f"links.{name}.deriv2", link.deriv, link.deriv2, p)
    for name in ("HuberT", "TukeyBiweight", "AndrewWave", "Hampel", "TrimmedMean", "RamsayE", "LeastSquares"):
        norm = getattr(sm.robust.norms, name)()
        z = rng.normal(size=8) * 2
        yield elementwise(f"norms.{name}.psi", norm.rho, norm.psi, z)
        yield elementwise(f"norms.{name}.psi_deriv", norm.psi, norm.psi_deriv, z)
