"""Functions of textbooks with their gradients, in any precision that NumPy computes in."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from funcnn.typing import Array, BoolArray, IntArray, Scalar
from tests.rates.second.scenario import Scenario

Draw = Callable[[np.random.Generator], Scenario]


def mixture(rng: np.random.Generator) -> Scenario:
    """The log-likelihood of a mixture of normal distributions: of the data, the means, the log-scales and the weights' logits."""
    n, k = int(rng.integers(1, 6)), int(rng.integers(1, 4))

    def parts(x: Array, m: Array, s: Array, a: Array) -> tuple[Array, Array, Array]:
        z = (x[:, None] - m) * np.exp(-s)
        top = a - s - z * z / 2
        peak = top.max(1, keepdims=True)
        shares = np.exp(top - peak)
        return z, shares / shares.sum(1, keepdims=True), peak[:, 0] + np.log(shares.sum(1))

    def function(x: Array, m: Array, s: Array, a: Array) -> Array:
        total: Array = parts(x, m, s, a)[2] - np.log(np.exp(a - a.max()).sum()) - a.max()
        return total

    def gradient(x: Array, m: Array, s: Array, a: Array, dy: Array) -> tuple[Array, ...]:
        z, r, _ = parts(x, m, s, a)
        w = np.exp(a - a.max())
        pull = dy[:, None] * r * z * np.exp(-s)
        return -pull.sum(1), pull.sum(0), (dy[:, None] * r * (z * z - 1)).sum(0), (dy[:, None] * (r - w / w.sum())).sum(0)

    return Scenario(
        "mixture", function, gradient, (rng.normal(size=n), 2 * rng.normal(size=k), rng.normal(size=k), rng.normal(size=k))
    )


def kernel(rng: np.random.Generator) -> Scenario:
    """What a Gaussian kernel predicts at its own points: of the points, the width and the weights."""
    n, d = int(rng.integers(2, 6)), int(rng.integers(1, 4))

    def matrix(x: Array, width: Array) -> tuple[Array, Array]:
        apart = x[:, None] - x
        return apart, np.exp(-(apart * apart).sum(-1) / (2 * width * width))

    def function(x: Array, width: Array, c: Array) -> Array:
        made: Array = matrix(x, width)[1] @ c
        return made

    def gradient(x: Array, width: Array, c: Array, dy: Array) -> tuple[Array, ...]:
        apart, k = matrix(x, width)
        dk = dy[:, None] * c * k
        pull = (dk[..., None] * apart) / (width * width)
        squares = (apart * apart).sum(-1)
        return pull.sum(0) - pull.sum(1), np.asarray((dk * squares).sum() / width**3), k.T @ dy

    return Scenario("kernel", function, gradient, (rng.normal(size=(n, d)), np.asarray(rng.uniform(0.3, 3)), rng.normal(size=n)))


def polynomial(rng: np.random.Generator) -> Scenario:
    """A polynomial by Horner's rule: of the points and the coefficients."""
    n, degree = int(rng.integers(1, 6)), int(rng.integers(1, 8))

    def function(x: Array, c: Array) -> Array:
        y = np.zeros_like(x)
        for one in c[::-1]:
            y = y * x + one
        return y

    def gradient(x: Array, c: Array, dy: Array) -> tuple[Array, ...]:
        slope = np.zeros_like(x)
        for power in range(len(c) - 1, 0, -1):
            slope = slope * x + power * c[power]
        return dy * slope, np.stack([(dy * x**power).sum() for power in range(len(c))])

    return Scenario("polynomial", function, gradient, (rng.uniform(-1.5, 1.5, n), rng.normal(size=degree + 1)))


def interpolation(rng: np.random.Generator) -> Scenario:
    """Linear interpolation in a table, level beyond its ends: of the places, which may be near a knot, and the values."""
    n, k = int(rng.integers(1, 7)), int(rng.integers(2, 7))
    x = rng.uniform(-0.7, k - 0.3, n)
    if rng.random() < 0.4:
        x[0] = rng.integers(0, k) + rng.choice((-1, 1)) * 10.0 ** rng.uniform(-9, -2)

    def places(x: Array) -> tuple[IntArray, Array, BoolArray]:
        inside: Array = np.clip(x, 0, k - 1)
        left: IntArray = np.minimum(np.floor(inside).astype(int), k - 2)
        return left, inside - left.astype(x.dtype), (x > 0) & (x < k - 1)

    def function(x: Array, v: Array) -> Array:
        left, share, _ = places(x)
        made: Array = v[left] * (1 - share) + v[left + 1] * share
        return made

    def gradient(x: Array, v: Array, dy: Array) -> tuple[Array, ...]:
        left, share, inside = places(x)
        dv = np.zeros_like(v)
        np.add.at(dv, left, dy * (1 - share))
        np.add.at(dv, left + 1, dy * share)
        return dy * (v[left + 1] - v[left]) * inside, dv

    return Scenario("interpolation", function, gradient, (x, rng.normal(size=k)))


def oscillator(rng: np.random.Generator) -> Scenario:
    """Van der Pol's equation by Heun's method: of the start, and of the damping, through all steps."""
    steps, h = int(rng.integers(1, 12)), float(rng.uniform(0.02, 0.15))

    def rate(u: Array, mu: Array) -> Array:
        return np.stack([u[1], mu * (1 - u[0] * u[0]) * u[1] - u[0]])

    def back(u: Array, mu: Array, d: Array) -> tuple[Array, Array]:
        du = np.stack([d[1] * (-2 * mu * u[0] * u[1] - 1), d[0] + d[1] * mu * (1 - u[0] * u[0])])
        return du, d[1] * (1 - u[0] * u[0]) * u[1]

    def function(u: Array, mu: Array) -> Array:
        for _ in range(steps):
            k = rate(u, mu)
            u = u + h / 2 * (k + rate(u + h * k, mu))
        return u

    def gradient(u: Array, mu: Array, dy: Array) -> tuple[Array, ...]:
        path = [u]
        for _ in range(steps - 1):
            k = rate(path[-1], mu)
            path.append(path[-1] + h / 2 * (k + rate(path[-1] + h * k, mu)))
        d, dmu = dy, np.zeros_like(mu)
        for at in path[::-1]:
            there, more = back(at + h * rate(at, mu), mu, h / 2 * d)
            here, less = back(at, mu, h / 2 * d + h * there)
            d, dmu = d + there + here, dmu + more + less
        return d, np.asarray(dmu)

    return Scenario("oscillator", function, gradient, (rng.normal(size=2), np.asarray(rng.uniform(0.1, 3))))


def regression(rng: np.random.Generator) -> Scenario:
    """A robust or a one-sided loss of the residuals of a linear model: of its matrix, its coefficients and what is measured."""
    n, d, kind = int(rng.integers(2, 6)), int(rng.integers(1, 4)), int(rng.integers(4))
    size = float(10.0 ** rng.uniform(-2, 1))

    def value(r: Array) -> Array:
        s = np.abs(r)
        made: Array = (
            np.where(s <= size, r * r / 2, size * (s - size / 2)),
            np.maximum(0.3 * r, -0.7 * r),
            np.where(s <= size, 1 - (1 - (r / size) ** 2) ** 3, 1),
            np.maximum(0, size - r) ** 2,
        )[kind]
        return made

    def slope(r: Array) -> Array:
        made: Array = (
            np.clip(r, -size, size),
            np.where(r > 0, 0.3, -0.7),
            np.where(np.abs(r) <= size, 6 * r / size**2 * (1 - (r / size) ** 2) ** 2, 0),
            -2 * np.maximum(0, size - r),
        )[kind].astype(r.dtype)
        return made

    def function(a: Array, b: Array, y: Array) -> Array:
        return value(a @ b - y)

    def gradient(a: Array, b: Array, y: Array, dy: Array) -> tuple[Array, ...]:
        d = dy * slope(a @ b - y)
        return d[:, None] * b, a.T @ d, -d

    name = ("huber", "quantile", "biweight", "squared hinge")[kind]
    return Scenario(name, function, gradient, (rng.normal(size=(n, d)), rng.normal(size=d), rng.normal(size=n)))


def spectrum(rng: np.random.Generator) -> Scenario:
    """The power of a signal at some frequencies, which are arguments too."""
    n, k = int(rng.integers(2, 9)), int(rng.integers(1, 4))

    def waves(x: Array, f: Array) -> tuple[Array, Array, Array, Array, Array]:
        t = np.arange(len(x)).astype(x.dtype)
        c, s = np.cos(np.outer(f, t)), np.sin(np.outer(f, t))
        return t, c, s, c @ x, s @ x

    def function(x: Array, f: Array) -> Array:
        _, _, _, re, im = waves(x, f)
        made: Array = re * re + im * im
        return made

    def gradient(x: Array, f: Array, dy: Array) -> tuple[Array, ...]:
        t, c, s, re, im = waves(x, f)
        slopes = 2 * (im * (c @ (t * x)) - re * (s @ (t * x)))
        return 2 * (c.T @ (dy * re) + s.T @ (dy * im)), dy * slopes

    return Scenario("spectrum", function, gradient, (rng.normal(size=n), rng.uniform(0, 3, k)))


def likelihood(rng: np.random.Generator) -> Scenario:
    """The negative log-likelihood of a normal vector of covariance A A' + I, by elimination: of A and the vector."""
    n, d = int(rng.integers(1, 4)), int(rng.integers(1, 4))

    def inverse(a: Array) -> tuple[Array, Scalar]:
        """Return the inverse of the covariance and the logarithm of its determinant."""
        both = np.concatenate([a @ a.T + np.eye(n, dtype=a.dtype), np.eye(n, dtype=a.dtype)], 1)
        logs = a.dtype.type(0)
        for at in range(n):  # a positive definite matrix needs no pivots
            logs += np.log(both[at, at])
            both[at] /= both[at, at]
            for other in range(n):
                if other != at:
                    both[other] -= both[other, at] * both[at]
        return both[:, n:], logs

    def function(a: Array, x: Array) -> Array:
        s, logs = inverse(a)
        return np.asarray((x @ s @ x + logs) / 2)

    def gradient(a: Array, x: Array, dy: Array) -> tuple[Array, ...]:
        s, _ = inverse(a)
        z = s @ x
        return dy * ((s - np.outer(z, z)) @ a), dy * z

    return Scenario("likelihood", function, gradient, (rng.normal(size=(n, d)), rng.normal(size=n)))


def distance(rng: np.random.Generator) -> Scenario:
    """The distance of two places on a sphere by haversines, near or far: of both, in radians."""
    n = int(rng.integers(1, 4))
    p = np.stack([rng.uniform(-1.2, 1.2, n), rng.uniform(-3, 3, n)], 1)
    q = p + 10.0 ** rng.uniform(-5, 0) * rng.normal(size=p.shape)

    def half(p: Array, q: Array) -> tuple[Array, Array, Array]:
        u, v = np.sin((q[:, 0] - p[:, 0]) / 2), np.sin((q[:, 1] - p[:, 1]) / 2)
        return u, v, u * u + np.cos(p[:, 0]) * np.cos(q[:, 0]) * v * v

    def function(p: Array, q: Array) -> Array:
        made: Array = 2 * np.arcsin(np.sqrt(half(p, q)[2]))
        return made

    def gradient(p: Array, q: Array, dy: Array) -> tuple[Array, ...]:
        u, v, a = half(p, q)
        d = dy / np.sqrt(a * (1 - a))
        cp, cq, sp, sq = np.cos(p[:, 0]), np.cos(q[:, 0]), np.sin(p[:, 0]), np.sin(q[:, 0])
        du, dv = u * np.cos((q[:, 0] - p[:, 0]) / 2), cp * cq * v * np.cos((q[:, 1] - p[:, 1]) / 2)
        first = np.stack([d * (-du - sp * cq * v * v), -d * dv], 1)
        return first, np.stack([d * (du - cp * sq * v * v), d * dv], 1)

    return Scenario("distance", function, gradient, (p, q))


def ball(rng: np.random.Generator) -> Scenario:
    """Rows drawn back into a ball: those within it stay as they are."""
    n, d = int(rng.integers(1, 4)), int(rng.integers(1, 4))

    def function(x: Array, r: Array) -> Array:
        made: Array = x / np.maximum(1, np.sqrt((x * x).sum(1, keepdims=True)) / r)
        return made

    def gradient(x: Array, r: Array, dy: Array) -> tuple[Array, ...]:
        norm = np.sqrt((x * x).sum(1, keepdims=True))
        out = norm > r
        along = (dy * x).sum(1, keepdims=True) / norm
        dx = np.where(out, r / norm * (dy - along * x / norm), dy)
        return dx, np.asarray((out * along).sum())

    return Scenario("ball", function, gradient, (rng.normal(size=(n, d)), np.asarray(rng.uniform(0.3, 2))))


def drawdown(rng: np.random.Generator) -> Scenario:
    """How far a walk lies below its highest point so far."""
    n = int(rng.integers(2, 9))

    def function(x: Array) -> Array:
        made: Array = np.maximum.accumulate(x) - x
        return made

    def gradient(x: Array, dy: Array) -> tuple[Array, ...]:
        dx, best = -dy.copy(), 0
        for at in range(len(x)):
            best = at if x[at] > x[best] else best
            dx[best] += dy[at]
        return (dx,)

    return Scenario("drawdown", function, gradient, (np.cumsum(rng.normal(size=n)),))


def valley(rng: np.random.Generator) -> Scenario:
    """Rosenbrock's valley in several dimensions."""

    def function(x: Array) -> Array:
        return np.asarray((100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum())

    def gradient(x: Array, dy: Array) -> tuple[Array, ...]:
        dx, off = np.zeros_like(x), x[1:] - x[:-1] ** 2
        dx[1:] += 200 * off
        dx[:-1] -= 400 * off * x[:-1] + 2 * (1 - x[:-1])
        return (dy * dx,)

    return Scenario("valley", function, gradient, (rng.normal(size=int(rng.integers(2, 7))),))


def alignment(rng: np.random.Generator) -> Scenario:
    """The cost of aligning two sequences, with a soft minimum at every step: backward gives the share of each pair."""
    n, m, gamma = int(rng.integers(1, 5)), int(rng.integers(1, 5)), float(10.0 ** rng.uniform(-1, 1))

    def costs(x: Array, y: Array) -> Array:
        r = np.full((n + 1, m + 1), np.inf, x.dtype)
        r[0, 0] = 0
        for i in range(1, n + 1):
            for j in range(1, m + 1):
                before = np.array([r[i - 1, j - 1], r[i - 1, j], r[i, j - 1]])
                least = before.min()
                r[i, j] = (x[i - 1] - y[j - 1]) ** 2 + least - gamma * np.log(np.exp((least - before) / gamma).sum())
        return r

    def function(x: Array, y: Array) -> Array:
        return np.asarray(costs(x, y)[n, m])

    def gradient(x: Array, y: Array, dy: Array) -> tuple[Array, ...]:
        r, share = costs(x, y), np.zeros((n + 1, m + 1), x.dtype)
        share[n, m] = dy
        for i in range(n, 0, -1):
            for j in range(m, 0, -1):
                places = ((i - 1, j - 1), (i - 1, j), (i, j - 1))
                before = np.array([r[place] for place in places])
                weights = np.exp((before.min() - before) / gamma)
                for place, weight in zip(places, weights / weights.sum(), strict=True):
                    share[place] += share[i, j] * weight
        d = 2 * share[1:, 1:] * (x[:, None] - y)
        return d.sum(1), -d.sum(0)

    return Scenario("alignment", function, gradient, (rng.normal(size=n), rng.normal(size=m)))


TEXTBOOK: tuple[Draw, ...] = (
    mixture, kernel, polynomial, interpolation, oscillator, regression, spectrum, likelihood, distance, ball, drawdown, valley,
    alignment,
)  # fmt: skip
