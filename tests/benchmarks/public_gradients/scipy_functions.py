"""SciPy: test functions of its optimizers, special functions with their derivatives."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.benchmarks.public_gradients.case import Case, elementwise


def scipy_cases(rng: np.random.Generator) -> Iterator[Case]:
    from scipy import optimize, special

    yield Case("optimize.rosen_der", optimize.rosen, optimize.rosen_der, rng.normal(size=5))
    yield Case("optimize.rosen_hess", optimize.rosen_der, optimize.rosen_hess, rng.normal(size=5))
    x = rng.uniform(0.5, 3, 6)
    pairs = {
        "digamma of gammaln": (special.gammaln, special.digamma),
        "polygamma 1 of digamma": (special.digamma, lambda x: special.polygamma(1, x)),
        "jvp": (lambda x: special.jv(1.5, x), lambda x: special.jvp(1.5, x)),
        "yvp": (lambda x: special.yv(0.5, x), lambda x: special.yvp(0.5, x)),
        "ivp": (lambda x: special.iv(2.0, x), lambda x: special.ivp(2.0, x)),
        "kvp": (lambda x: special.kv(1.0, x), lambda x: special.kvp(1.0, x)),
        "h1vp, real part": (lambda x: special.hankel1(1, x).real, lambda x: special.h1vp(1, x).real),
        "expit of softplus": (lambda x: -special.log_expit(-x), special.expit),
    }
    for name, (f, derivative) in pairs.items():
        yield elementwise(f"special.{name}", f, derivative, x)
