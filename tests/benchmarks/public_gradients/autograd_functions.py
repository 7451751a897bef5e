"""HIPS autograd: the vector-Jacobian products that it defines by hand, function by function."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.benchmarks.public_gradients.case import Case


def autograd_cases(rng: np.random.Generator) -> Iterator[Case]:
    import autograd.numpy as anp
    from autograd import jacobian
    from autograd.scipy import special, stats

    v, m = rng.uniform(0.2, 0.9, 5), rng.normal(size=(3, 3))
    elementwise = (
        "sin cos tan arcsin arccos arctan sinh cosh tanh arcsinh arctanh exp expm1 log log1p log2 log10 sqrt square reciprocal"
        " abs sign sinc exp2 cumsum prod sum mean var std max min sort"
    )
    for name in elementwise.split():
        function = getattr(anp, name)
        yield Case(f"numpy.{name}", function, jacobian(function), v.copy())
    yield Case("numpy.sinc at 0", anp.sinc, jacobian(anp.sinc), np.array([0.0, 0.3]))
    yield Case("numpy.prod with a zero", anp.prod, jacobian(anp.prod), np.array([0.0, 0.3, 0.7]))
    for name in ("inv", "det", "pinv", "norm"):
        function = getattr(anp.linalg, name)

        def flat(x: Any, function: Any = function) -> Any:
            return anp.ravel(function(anp.reshape(x, (3, 3)) + 3 * anp.eye(3)))

        yield Case(f"linalg.{name}", flat, jacobian(flat), m.ravel())
    for name in ("gammaln", "digamma", "gamma", "erf", "erfc", "logit", "expit", "erfinv", "j0", "y1", "i0"):
        function = getattr(special, name)
        yield Case(f"scipy.special.{name}", function, jacobian(function), v.copy())
    for name in ("norm", "t", "gamma", "beta", "chi2"):
        more = {"norm": (), "t": (3.0,), "gamma": (2.0,), "beta": (2.0, 3.0), "chi2": (4.0,)}[name]
        one = getattr(stats, name)
        for method in ("logpdf", "pdf", "cdf"):
            if hasattr(one, method):
                function = getattr(one, method)

                def at(x: Any, function: Any = function, more: Any = more) -> Any:
                    return function(x, *more)

                yield Case(f"scipy.stats.{name}.{method}", at, jacobian(at), v.copy())
