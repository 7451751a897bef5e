"""The checker let loose on gradients that others wrote by hand: ``python -m tests.benchmarks.public_gradients``.

It needs the packages, in an environment of its own: ``pip install scipy scikit-learn statsmodels autograd thinc``.  What is not
installed is said, and not counted.  A gradient that fails is confirmed by other means before it is called a bug: it is off plain
central differences, taken without anything of the checker, by more than 1e-4 at each of five steps, or is NaN where
they are numbers.
"""

from __future__ import annotations

import importlib.metadata
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

import funcnn as fn

RNG = np.random.default_rng(0)
Case = tuple[str, Callable[..., Any], Callable[..., Any], np.ndarray]
"""A name, a function of a vector, its gradient or Jacobian, and the point."""


def scipy_cases() -> Iterator[Case]:
    from scipy import optimize, special

    yield "optimize.rosen_der", optimize.rosen, optimize.rosen_der, RNG.normal(size=5)
    yield "optimize.rosen_hess", optimize.rosen_der, optimize.rosen_hess, RNG.normal(size=5)
    x = RNG.uniform(0.5, 3, 6)
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
        yield f"special.{name}", f, lambda x, derivative=derivative: np.diag(derivative(x)), x


def sklearn_cases() -> Iterator[Case]:
    from sklearn import _loss
    from sklearn.gaussian_process import GaussianProcessRegressor, kernels
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    y = RNG.uniform(0.1, 0.9, 7)
    losses = ("HalfSquaredError", "HalfPoissonLoss", "HalfGammaLoss", "HalfBinomialLoss", "ExponentialLoss")
    for name in losses:
        loss = getattr(_loss, name, None) or getattr(_loss.loss, name)
        one = loss()
        yield (
            f"_loss.{name}",
            lambda raw, one=one: one.loss(y_true=y, raw_prediction=raw),
            lambda raw, one=one: np.diag(one.gradient(y_true=y, raw_prediction=raw)),
            RNG.normal(size=7),
        )
    x, target = RNG.normal(size=(6, 2)), RNG.normal(size=6)
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
        yield (
            f"kernels.{kernel}",
            lambda theta, kernel=kernel: kernel.clone_with_theta(theta)(x).ravel(),
            lambda theta, kernel=kernel: kernel.clone_with_theta(theta)(x, eval_gradient=True)[1].reshape(36, -1),
            kernel.theta.copy(),
        )
        regressor = GaussianProcessRegressor(kernel + kernels.WhiteKernel(0.2), alpha=1e-3, optimizer=None).fit(x, target)
        yield (
            f"log_marginal_likelihood, {kernel}",
            lambda theta, regressor=regressor: regressor.log_marginal_likelihood(theta),
            lambda theta, regressor=regressor: regressor.log_marginal_likelihood(theta, eval_gradient=True)[1],
            regressor.kernel_.theta.copy(),
        )
    for outputs in (1, 3):
        for activation in ("tanh", "logistic", "relu"):
            yield mlp(MLPRegressor, activation, x, RNG.normal(size=(6, outputs)), f"{outputs} outputs")
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
    return f"{kind.__name__}, {activation}, {what}", lambda p: both(p)[0], lambda p: both(p)[1], packed * 0.7 + 0.05


def statsmodels_cases() -> Iterator[Case]:
    import statsmodels.api as sm
    from statsmodels.discrete import count_model, discrete_model

    x = sm.add_constant(RNG.normal(size=(30, 2)))
    counts = RNG.poisson(2, 30)
    binary = (RNG.uniform(size=30) < 0.4).astype(int)
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
        point = RNG.uniform(0.1, 0.4, size)
        # Of a GLM the scale is estimated anew at every point unless it is given, and is no function of its score then.
        known = {"scale": 1.0} if name.startswith("GLM") else {}
        loglike, score, hessian = (partial(getattr(model, one), **known) for one in ("loglike", "score", "hessian"))
        yield f"{name}.score", loglike, score, point
        yield f"{name}.hessian", score, hessian, point
    for name in ("Logit", "Probit", "CLogLog", "Log", "Cauchy", "LogLog", "InverseSquared", "Sqrt"):
        link = getattr(sm.families.links, name)()
        p = RNG.uniform(0.1, 0.9, 5)
        yield f"links.{name}.deriv", link, lambda p, link=link: np.diag(link.deriv(p)), p
        yield f"links.{name}.deriv2", link.deriv, lambda p, link=link: np.diag(link.deriv2(p)), p
    for name in ("HuberT", "TukeyBiweight", "AndrewWave", "Hampel", "TrimmedMean", "RamsayE", "LeastSquares"):
        norm = getattr(sm.robust.norms, name)()
        z = RNG.normal(size=8) * 2
        yield f"norms.{name}.psi", norm.rho, lambda z, norm=norm: np.diag(norm.psi(z)), z
        yield f"norms.{name}.psi_deriv", norm.psi, lambda z, norm=norm: np.diag(norm.psi_deriv(z)), z


def autograd_cases() -> Iterator[Case]:
    import autograd.numpy as anp
    from autograd import jacobian
    from autograd.scipy import special, stats

    v, m = RNG.uniform(0.2, 0.9, 5), RNG.normal(size=(3, 3))
    elementwise = (
        "sin cos tan arcsin arccos arctan sinh cosh tanh arcsinh arctanh exp expm1 log log1p log2 log10 sqrt square reciprocal"
        " abs sign sinc exp2 cumsum prod sum mean var std max min sort"
    )
    for name in elementwise.split():
        function = getattr(anp, name)
        yield f"numpy.{name}", function, jacobian(function), v.copy()
    yield "numpy.sinc at 0", anp.sinc, jacobian(anp.sinc), np.array([0.0, 0.3])
    yield "numpy.prod with a zero", anp.prod, jacobian(anp.prod), np.array([0.0, 0.3, 0.7])
    for name in ("inv", "det", "pinv", "norm"):
        function = getattr(anp.linalg, name)

        def flat(x: Any, function: Any = function) -> Any:
            return anp.ravel(function(anp.reshape(x, (3, 3)) + 3 * anp.eye(3)))

        yield f"linalg.{name}", flat, jacobian(flat), m.ravel()
    for name in ("gammaln", "digamma", "gamma", "erf", "erfc", "logit", "expit", "erfinv", "j0", "y1", "i0"):
        function = getattr(special, name)
        yield f"scipy.special.{name}", function, jacobian(function), v.copy()
    for name in ("norm", "t", "gamma", "beta", "chi2"):
        more = {"norm": (), "t": (3.0,), "gamma": (2.0,), "beta": (2.0, 3.0), "chi2": (4.0,)}[name]
        one = getattr(stats, name)
        for method in ("logpdf", "pdf", "cdf"):
            if hasattr(one, method):
                function = getattr(one, method)

                def at(x: Any, function: Any = function, more: Any = more) -> Any:
                    return function(x, *more)

                yield f"scipy.stats.{name}.{method}", at, jacobian(at), v.copy()


def thinc_cases() -> Iterator[Case]:
    from thinc.api import NumpyOps

    ops = NumpyOps()
    x = RNG.normal(size=6) * 1.5

    def of(name: str, forward: Callable[..., Any], backward: Callable[..., Any]) -> Case:
        return f"ops.{name}", forward, lambda v: np.diag(backward(v)), x.copy()

    for name in ("relu", "sigmoid", "tanh", "mish", "swish", "gelu", "relu_k", "hard_sigmoid", "hard_tanh", "hard_swish"):
        forward, backward = getattr(ops, name, None), getattr(ops, f"backprop_{name}", None)
        if forward is None or backward is None:
            continue

        def row(v: Any, forward: Any = forward) -> Any:
            return forward(v[None].copy())[0]

        def rows(v: Any, forward: Any = forward, backward: Any = backward, name: str = name) -> Any:
            dy, given = np.ones((1, v.size)), v[None].copy()
            y = forward(given.copy())
            takes_output = name in ("relu", "sigmoid", "tanh")
            arguments = (dy, y) if takes_output else (dy, given, y) if name == "swish" else (dy, given)
            return backward(*arguments)[0]

        yield of(name, row, rows)


PACKAGES = {
    "scipy": scipy_cases,
    "scikit-learn": sklearn_cases,
    "statsmodels": statsmodels_cases,
    "autograd": autograd_cases,
    "thinc": thinc_cases,
}


def confirmed(f: Callable[..., Any], jac: Callable[..., Any], x: np.ndarray) -> float:
    """Return by how much a Jacobian is off plain central differences, relative to its largest entry: the least of five steps."""
    claimed = np.atleast_1d(np.asarray(jac(x.copy()), float)).reshape(-1, x.size)
    off = []
    for step in (1e-3, 1e-4, 1e-5, 1e-6, 1e-7):
        columns = [
            (np.asarray(f(x + step * e), float).ravel() - np.asarray(f(x - step * e), float).ravel()) / (2 * step)
            for e in np.eye(x.size)
        ]
        slopes = np.stack(columns, axis=-1)
        size = max(np.max(np.abs(slopes)), np.max(np.abs(claimed)), 1e-300)
        off.append(float(np.max(np.abs(slopes - claimed)) / size))
    return float("inf") if np.isnan(off).all() else float(np.nanmin(off))


def run(package: str) -> str:
    """Check one package and return its row of the table."""
    verdicts: dict[str, int] = {}
    bugs, times = 0, []
    for name, f, jac, x in PACKAGES[package]():
        started = time.perf_counter()
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                report = fn.check.check_scipy(f, jac, x, explain=False)
                verdict = report.verdict
            except Exception as error:
                verdict, report = "error", None
                print(f"  {package} {name}: {type(error).__name__}: {str(error)[:100]}")
            times.append(time.perf_counter() - started)
            verdicts[verdict] = verdicts.get(verdict, 0) + 1
            if report is not None and not report.ok:
                off = confirmed(f, jac, x)
                bad = verdict == "fail" and not off < 1e-4
                bugs += bad
                said = "; ".join(one.text for one in report.findings)[:120]
                print(f"  {package} {name}: {verdict}, off plain differences by {off:.2g}{' (confirmed)' if bad else ''}: {said}")
    version = importlib.metadata.version(package)
    passed = verdicts.get("pass", 0) + verdicts.get("kink-ok", 0)
    counts = [
        sum(verdicts.values()),
        passed,
        verdicts.get("fail", 0),
        verdicts.get("inconclusive", 0),
        verdicts.get("error", 0),
        bugs,
    ]
    return f"| {package} {version} | {' | '.join(map(str, counts))} | {np.median(times):.2f} s |"


def main() -> None:
    rows = []
    for package in PACKAGES:
        try:
            importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            print(f"  {package}: not installed")
            continue
        rows.append(run(package))
    print("| package | gradients | pass | fail | inconclusive | raised | confirmed | median time |")
    print("|---|---|---|---|---|---|---|---|")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
