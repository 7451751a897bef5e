"""Every loss at the ends of the range: -inf, inf, subnormal, largest, exact ties, in both precisions, value and gradient.

The truth is the textbook formula in exact arithmetic (mpmath), with 0 times infinity being 0 where the factor 0 says that a term
is not there.  What the truth makes finite, and the precision can hold, must be finite; infinite must be infinite; and NaN never
comes.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import mpmath as mp
import numpy as np
import pytest

import funcnn as fn
from funcnn import tree
from funcnn.certificate.names import loss_factories

Real = Any  # mpmath has no types
Truth = Callable[[Sequence[Real], Any], tuple[Real, list[Real]]]
"""The numbers of a prediction, in order, and the target, to the value and the gradient."""
INF = mp.inf


def times(a: Real, b: Real) -> Real:
    return mp.mpf(0) if a == 0 or b == 0 else a * b


def softplus(z: Real) -> Real:
    return max(z, mp.mpf(0)) + (mp.log1p(mp.exp(-abs(z))) if abs(z) != INF else 0)


def sigmoid(z: Real) -> Real:
    return mp.exp(-softplus(-z)) if z != -INF else mp.mpf(0)


def sign(x: Real) -> Real:
    return mp.mpf((x > 0) - (x < 0))


# ------------------------------------------------------------------------------------- losses of single entries: (p, t) -> l, l'


def squared(p: Real, t: Real) -> Any:
    return (p - t) ** 2, 2 * (p - t)


def huber(delta: float) -> Any:
    d = mp.mpf(delta)

    def entry(p: Real, t: Real) -> Any:
        x = p - t
        return (x * x / 2, x) if abs(x) <= d else (d * (abs(x) - d / 2), d * sign(x))

    return entry


def scaled(entry: Any, factor: Real) -> Any:
    return lambda p, t: tuple(times(mp.mpf(factor), part) for part in entry(p, t))


def log_cosh(p: Real, t: Real) -> Any:
    x = abs(p - t)
    if x < 1:
        return mp.log(mp.cosh(x)), mp.tanh(p - t)
    return x - mp.log(2) + (mp.log1p(mp.exp(-2 * x)) if x != INF else 0), sign(p - t) * (mp.tanh(x) if x < 1e6 else 1)


def pinball(q: float) -> Any:
    def entry(p: Real, t: Real) -> Any:
        slope = 1 - mp.mpf(q) if p > t else -mp.mpf(q) if p < t else mp.mpf(0)
        return times(slope, p - t), slope

    return entry


def bernoulli(w: float) -> Any:
    def entry(z: Real, t: Real) -> Any:
        a, b = w * t, 1 - t
        return times(a, softplus(-z)) + times(b, softplus(z)), b * sigmoid(z) - a * sigmoid(-z)

    return entry


def focal(gamma: float, a: float, b: float) -> Any:
    g = mp.mpf(gamma)

    def one(z: Real) -> Any:
        """The loss of the truth 1, and its derivative."""
        weight = sigmoid(-z) ** g if g else mp.mpf(1)
        return times(weight, softplus(-z)), -times(weight, g * times(sigmoid(z), softplus(-z)) + sigmoid(-z))

    def entry(z: Real, t: Real) -> Any:
        (up, dup), (down, ddown) = one(z), one(-z)
        return times(a * t, up) + times(b * (1 - t), down), times(a * t, dup) - times(b * (1 - t), ddown)

    return entry


def poisson(z: Real, t: Real) -> Any:
    rate = mp.exp(z)
    return (rate if z == INF else rate - times(t, z)), (mp.expm1(z) - (t - 1) if abs(z) < 1 else rate - t)


def poisson_rate(rate: Real, t: Real) -> Any:
    if rate == INF:
        return INF, mp.mpf(1)
    return rate - times(t, mp.log(rate)), 1 - t / rate


def squared_log(p: Real, t: Real) -> Any:
    r = mp.log1p(p) - mp.log1p(t)
    return r * r, (2 * r / (1 + p) if p != INF else mp.mpf(0))


def relative(p: Real, t: Real) -> Any:
    return abs(p - t) / abs(t), sign(p - t) / abs(t)


def symmetric(p: Real, t: Real) -> Any:
    if p == t:
        return mp.mpf(0), mp.mpf(0)
    if abs(p) == INF or p * t <= 0:
        return mp.mpf(2), mp.mpf(0)
    return 2 * abs(p - t) / (abs(p) + abs(t)), 4 * sign(p - t) * abs(t) / (abs(p) + abs(t)) ** 2


def tweedie(power: float) -> Any:
    rho = mp.mpf(power)

    def entry(z: Real, t: Real) -> Any:
        up, down = mp.exp((2 - rho) * z), times(t, mp.exp((1 - rho) * z))
        slope = mp.exp((1 - rho) * z) * (mp.expm1(z) - (t - 1)) if abs(z) < 1 else up - down
        return up / (2 - rho) + down / (rho - 1), slope

    return entry


def critic(p: Real, t: Real) -> Any:
    return -t * p, -t


def probable(p: Real, t: Real) -> Any:
    def cost(a: Real, b: Real) -> Any:
        return times(a, -mp.log(b) if b else INF)

    def slope(a: Real, b: Real) -> Any:
        return times(a, 1 / b if b else INF)

    return cost(t, p) + cost(1 - t, 1 - p), slope(1 - t, 1 - p) - slope(t, p)


def hinge(power: int) -> Any:
    def entry(p: Real, t: Real) -> Any:
        h = max(mp.mpf(0), 1 - t * p)
        return h**power, times(-power * t, h ** (power - 1) if h else mp.mpf(0))

    return entry


def entries(entry: Any) -> Truth:
    def truth(p: Sequence[Real], t: Any) -> Any:
        parts = [entry(a, b) for a, b in zip(p, t, strict=True)]
        return sum(value for value, _ in parts), [slope for _, slope in parts]

    return truth


# ---------------------------------------------------------------------------------------------------------- losses of rows


def softmax(z: Sequence[Real]) -> tuple[list[Real], list[Real]]:
    """Return the probabilities and minus their logarithms; a logit of +inf is certain."""
    if max(z) == INF:
        z = [mp.mpf(0) if a == INF else -INF for a in z]
    top = max(z)
    norm = mp.log(mp.fsum(mp.exp(a - top) for a in z))
    cost = [norm - (a - top) for a in z]
    return [mp.exp(-c) for c in cost], cost


def cross_entropy(weights: Any = None, smoothing: float = 0.0) -> Truth:
    def truth(z: Sequence[Real], t: Any) -> Any:
        q = [mp.mpf(c == t) for c in range(len(z))] if isinstance(t, int) else t
        q = [(1 - mp.mpf(smoothing)) * a + mp.mpf(smoothing) / len(z) for a in q]
        q = [a * w for a, w in zip(q, weights or [1] * len(z), strict=True)]
        p, cost = softmax(z)
        return sum(map(times, q, cost)), [mp.fsum(q) * a - b for a, b in zip(p, q, strict=True)]

    return truth


def softmax_focal(gamma: float) -> Truth:
    g = mp.mpf(gamma)

    def truth(z: Sequence[Real], t: int) -> Any:
        p, cost = softmax(z)
        wrong = mp.fsum(a for c, a in enumerate(p) if c != t)
        factor = wrong**g if g else mp.mpf(1)
        ratio = cost[t] / wrong if wrong else mp.mpf(1)
        slope = times(factor, 1 + g * times(p[t], ratio))
        return times(factor, cost[t]), [slope * (-wrong if c == t else a) for c, a in enumerate(p)]

    return truth


def likelihood(x: Sequence[Real], t: int) -> Any:
    return -x[t], [-mp.mpf(c == t) for c in range(len(x))]


def kl(x: Sequence[Real], q: Any) -> Any:
    return sum(times(a, mp.log(a) - b) for a, b in zip(q, x, strict=True) if a), [-a for a in q]


def ranks(z: Sequence[Real], rank: int) -> Any:
    parts = [bernoulli(1.0)(a, mp.mpf(rank > k)) for k, a in enumerate(z)]
    return sum(value for value, _ in parts), [slope for _, slope in parts]


def probabilities(p: Sequence[Real], t: Any) -> Any:
    q = [mp.mpf(c == t) for c in range(len(p))] if isinstance(t, int) else t
    value = sum(times(a, -mp.log(b) if b else INF) for a, b in zip(q, p, strict=True))
    return value, [-times(a, 1 / b if b else INF) for a, b in zip(q, p, strict=True)]


def several(x: Sequence[Real], t: Any) -> Any:
    value, slopes = mp.mpf(0), [mp.mpf(0)] * len(x)
    for c, k in itertools.product(range(len(x)), repeat=2):
        if t[c] == 1 and t[k] == 0 and 1 - x[c] + x[k] > 0:
            value += (1 - x[c] + x[k]) / len(x)
            slopes[c] -= mp.mpf(1) / len(x)
            slopes[k] += mp.mpf(1) / len(x)
    return value, slopes


def sparse(power: int) -> Truth:
    """Return the Fenchel-Young loss of sparsemax (1) or entmax 1.5 (2), from the threshold of the largest scores."""

    def root(top: Sequence[Real]) -> Real:
        middle = mp.fsum(top) / len(top)
        if power == 1:
            return middle - mp.mpf(1) / len(top)
        return middle - mp.sqrt((1 - mp.fsum((a - middle) ** 2 for a in top)) / len(top))

    def truth(z: Sequence[Real], t: Any) -> Any:
        q = [mp.mpf(c == t) for c in range(len(z))] if isinstance(t, int) else t
        if max(z) == INF:
            z = [mp.mpf(0) if a == INF else -INF for a in z]
        u = [(a - max(z)) / power for a in z]
        tops = [sorted(u, reverse=True)[:k] for k in range(1, len(u) + 1)]
        tau = next(tau for top in tops[::-1] if min(top) > -2 and mp.im(tau := root(top)) == 0 and tau <= min(top))
        p = [max(mp.mpf(0), a - tau) ** power for a in u]
        alpha = 1 + mp.mpf(1) / power

        def convex(x: Sequence[Real]) -> Real:
            return mp.fsum(a**alpha - a for a in x) / (alpha * (alpha - 1))

        lost = mp.fsum(times(b - a, tau - c) for a, b, c in zip(p, q, u, strict=True)) * power
        return lost - convex(p) + convex(q), [a - b for a, b in zip(p, q, strict=True)]

    return truth


def embedded(p: Real, t: Real) -> Any:
    return (p, mp.mpf(1)) if t == 1 else (max(mp.mpf(0), 1 - p), -mp.mpf(p < 1))


def stirling(p: Real, t: Real) -> Any:
    value, slope = poisson(p, t)
    return value + (t * mp.log(t) - t + mp.log(2 * mp.pi * t) / 2 if t > 1 else 0), slope


def margins(x: Sequence[Real], t: int) -> Any:
    h = [max(mp.mpf(0), 1 - x[t] + a) if c != t else mp.mpf(0) for c, a in enumerate(x)]
    slopes = [mp.mpf(a > 0) / len(x) for a in h]
    slopes[t] = -mp.fsum(slopes)
    return sum(h) / len(x), slopes


def tversky(alpha: float, beta: float, smooth: float) -> Truth:
    def truth(p: Sequence[Real], t: Any) -> Any:
        both = mp.fsum(a * b for a, b in zip(p, t, strict=True)) + mp.mpf(smooth)
        missed = alpha * mp.fsum(a * (1 - b) for a, b in zip(p, t, strict=True))
        missed += beta * mp.fsum((1 - a) * b for a, b in zip(p, t, strict=True))
        whole = both + missed
        return missed / whole, [(both * (alpha * (1 - b) - beta * b) - missed * b) / whole**2 for b in t]

    return truth


def gaussian(z: Sequence[Real], t: Any) -> Any:
    s, d = z[1], z[0] - t[0]
    square = times(d * d, mp.exp(-s) if s != -INF else INF)
    value = INF if square == INF else s + square + mp.log(2 * mp.pi)
    return value / 2, [times(d, mp.exp(-s) if s != -INF else INF), (1 - square) / 2]


def of_variance(z: Sequence[Real], t: Any) -> Any:
    d, v = z[0] - t[0], z[1]
    square = d * d / v if v != INF else mp.mpf(0)
    return (mp.log(v) + square + mp.log(2 * mp.pi)) / 2, [d / v, (1 - square) / (2 * v)]


def divergence(mu: Real, s: Real) -> Any:
    return (mu * mu + (INF if abs(s) == INF else mp.expm1(s) - s)) / 2, [mu, mp.expm1(s) / 2 if s != -INF else mp.mpf(-0.5)]


def bound(entry: Any, factor: Real) -> Truth:
    def truth(z: Sequence[Real], t: Any) -> Any:
        value, slope = entry(z[0], t[0])
        rest, slopes = divergence(z[1], z[2])
        return times(factor, value) + rest, [times(factor, slope), *slopes]

    return truth


def vector(x: Sequence[Real]) -> Real:
    return mp.sqrt(mp.fsum(a * a for a in x))


def cosine(z: Sequence[Real], t: Any) -> Any:
    x, y = z[: len(z) // 2], z[len(z) // 2 :]
    a, b = vector(x), vector(y)
    if not a or not b:
        return (mp.mpf(1) if t[0] > 0 else mp.mpf(0)), [mp.mpf(0)] * len(z)
    c, area = mp.fdot(x, y) / (a * b), x[0] * y[1] - x[1] * y[0]  # exact: 0 for parallel vectors
    slope = mp.mpf(-1) if t[0] > 0 else mp.mpf(c > 0)
    grads = [-x[1] * area / (a**3 * b), x[0] * area / (a**3 * b), y[1] * area / (a * b**3), -y[0] * area / (a * b**3)]
    apart = (area / (a * b)) ** 2 / (1 + c) if c > 0 else 1 - c
    return (apart if t[0] > 0 else max(mp.mpf(0), c)), [slope * part for part in grads]


def contrastive(z: Sequence[Real], t: Any) -> Any:
    d = [p - q for p, q in zip(z[: len(z) // 2], z[len(z) // 2 :], strict=True)]
    length = vector(d)
    h = max(mp.mpf(0), mp.mpf(0.75) - length)
    first = [t[0] * a - ((1 - t[0]) * h * a / length if length else 0) for a in d]
    return times(t[0], length**2 / 2) + (1 - t[0]) * h * h / 2, [*first, *(-a for a in first)]


def triplet(z: Sequence[Real], t: Any) -> Any:
    a, p, n = (z[i * len(z) // 3 : (i + 1) * len(z) // 3] for i in range(3))
    near, far = ([b - c for b, c in zip(a, other, strict=True)] for other in (p, n))
    value = vector(near) - vector(far) + 1
    u, v = ([b / vector(x) if vector(x) else mp.mpf(0) for b in x] for x in (near, far))
    if value <= 0:
        return mp.mpf(0), [mp.mpf(0)] * len(z)
    return value, [*(b - c for b, c in zip(u, v, strict=True)), *(-b for b in u), *v]


def ranking(z: Sequence[Real], t: Any) -> Any:
    h = 0.5 - t[0] * (z[0] - z[1])
    slope = -t[0] * (h > 0)
    return max(mp.mpf(0), h), [slope, -slope]


# ------------------------------------------------------------------------------------------------------------------- the points

TARGETS = (0.0, 1.0, -3.5)
Point = tuple[Any, Truth, Any, Any]  # loss, truth, prediction (numbers, or a tuple of rows), target


def ends(dtype: Any, low: float = -np.inf) -> list[float]:
    info = np.finfo(dtype)
    small, large = float(info.smallest_subnormal), float(info.max)
    numbers = [0.0, small, float(info.tiny), 1e-5, 1.0, 17.0, 100.0, 800.0, large / 3, large, np.inf]
    return [a for a in (*numbers, *(-a for a in numbers)) if a > low]


def points(dtype: Any) -> Iterator[Point]:
    """Yield losses, all with reduction "sum" and of one example, and where to try them."""
    info = np.finfo(dtype)
    small, large, everywhere = float(info.smallest_subnormal), float(info.max), ends(dtype)
    below_1 = float(1 - info.eps)
    s: Any = {"reduction": "sum"}
    of_entries: list[tuple[Any, Any, Any, Any]] = [
        (fn.mean_squared_error(**s), squared, everywhere, TARGETS),
        (fn.half_squared_error(**s), scaled(squared, 0.5), everywhere, TARGETS),
        (fn.mean_absolute_error(**s), lambda p, t: (abs(p - t), sign(p - t)), everywhere, (*TARGETS, large, -large)),
        (fn.log_cosh_error(**s), log_cosh, everywhere, (*TARGETS, large)),
        (fn.mean_squared_log_error(**s), squared_log, [-below_1, *ends(dtype, -1.0)], (0.0, 1.0, large, -below_1)),
        (fn.poisson_nll(**s), poisson, everywhere, (0.0, 1.0, large)),
        (fn.poisson_nll(full=True, **s), stirling, everywhere, (0.0, 1.0, 5.0)),
        (fn.hinge_embedding(**s), embedded, everywhere, (1.0, -1.0)),
        (fn.poisson_nll(log_rate=False, **s), poisson_rate, ends(dtype, 0.0), (0.0, 1.0, large)),
        (fn.mean_absolute_percentage_error(**s), relative, everywhere, (1.0, -3.5, large, small)),
        (fn.symmetric_mean_absolute_percentage_error(**s), symmetric, everywhere, (0.0, 1.0, -3.5, large, small)),
        *((fn.tweedie_nll(q, **s), tweedie(q), everywhere, (0.0, 1.0, large)) for q in (1.5, 1.25)),
        (fn.wasserstein(**s), critic, everywhere, (1.0, -1.0)),
        (fn.binary_cross_entropy(**s), probable, (0.0, small, 1e-5, 0.5, below_1, 1.0), (0.0, 1.0, 0.25)),
        (
            fn.sigmoid_cross_entropy(label_smoothing=0.25, **s),
            lambda z, t: bernoulli(1.0)(z, 0.75 * t + mp.mpf(0.125)),
            everywhere,
            (0.0, 1.0),
        ),
        (fn.hinge(**s), hinge(1), everywhere, (1.0, -1.0)),
        (fn.squared_hinge(**s), hinge(2), everywhere, (1.0, -1.0)),
        *((fn.huber(d, **s), huber(d), everywhere, TARGETS) for d in (small, float(info.tiny), 0.75, 1e4, large)),
        *((fn.smooth_l1(d, **s), scaled(huber(d), 1 / mp.mpf(d)), everywhere, TARGETS) for d in (small, 0.75, 1e4, large)),
        *((fn.quantile_error(q, **s), pinball(q), everywhere, TARGETS) for q in (0.25, 1e-30, 1 - 2.0**-50)),
        *((fn.sigmoid_cross_entropy(pos_weight=w, **s), bernoulli(w), everywhere, (0.0, 1.0, 0.3)) for w in (1.0, 3.0, 1e-3)),
        *((fn.sigmoid_focal(g, **s), focal(g, 1, 1), everywhere, (0.0, 1.0, 0.25)) for g in (0.0, 0.5, 2.0)),
        (fn.sigmoid_focal(2.0, 0.25, **s), focal(2.0, 0.25, 0.75), everywhere, (0.0, 1.0)),
    ]
    for loss, entry, places, wanted in of_entries:
        for p, t in itertools.product(places, wanted):
            yield loss, entries(entry), (p,), (t,)
    for a in everywhere:
        yield fn.given_losses(**s), lambda p, t: (p[0], [mp.mpf(1)]), (a,), ()
    great = min(large, 1e100)  # 1 beside it takes no more digits than mpmath works with
    logits = [0.0, 60.0, great, -great, -np.inf]
    rows = [row for row in itertools.product(logits, repeat=3) if max(row) > -np.inf]
    rows += [(np.inf, 0.0, 1.0), (0.0, np.inf, -np.inf), (-great, 2.0, np.inf)]
    for row in rows:
        for label in range(3):
            onehot = tuple(float(c == label) for c in range(3))
            yield fn.softmax_cross_entropy(**s), cross_entropy(), row, label
            yield fn.softmax_cross_entropy(**s), cross_entropy(), row, onehot
            yield fn.softmax_cross_entropy(class_weight=(0.0, 0.5, 2.0), **s), cross_entropy((0.0, 0.5, 2.0)), row, label
            yield fn.softmax_focal(2.0, **s), softmax_focal(2.0), row, label
            yield fn.softmax_focal(0.0, **s), softmax_focal(0.0), row, label
            yield fn.negative_log_likelihood(**s), likelihood, row, label
            yield fn.sparsemax_loss(**s), sparse(1), row, label
            yield fn.entmax15_loss(**s), sparse(2), row, onehot
            if row.count(-np.inf) + row.count(np.inf) == 0:
                yield fn.multilabel_margin(**s), several, row, onehot
            if row.count(-np.inf) + row.count(np.inf) < 2 or row[label] == 0:
                yield fn.multi_margin(**s), margins, row, label
        yield fn.softmax_cross_entropy(**s), cross_entropy(), row, (0.25, 0.75, 0.0)
        yield fn.softmax_cross_entropy(label_smoothing=0.125, **s), cross_entropy(None, 0.125), row, 1
        for rank in range(4):
            yield fn.ordinal_cross_entropy(**s), ranks, row, rank
        if np.inf not in row:
            yield fn.kl_divergence(**s), kl, row, (0.25, 0.75, 0.0)
    for row in itertools.product((0.0, small, 1e-5, below_1, 1.0), repeat=2):
        for given in (0, 1, (0.25, 0.75), (1.0, 0.0)):
            yield fn.cross_entropy(**s), probabilities, row, given
        for wanted in ((0.0, 0.0), (1.0, 1.0), (0.0, 1.0)):
            yield fn.dice(**s), tversky(0.5, 0.5, 0.5), row, wanted
            yield fn.tversky(0.0, 2.0, small, **s), tversky(0.0, 2.0, small), row, wanted
    spread = [a for a in everywhere if abs(a) != large]
    for mu, v in itertools.product((0.0, small, 1e-20, 1.5, 1e25, large), spread):
        yield fn.gaussian_nll(**s), gaussian, ((mu,), (v,)), (0.0,)
        if v > 0:
            yield fn.gaussian_nll(log_variance=False, **s), of_variance, ((mu,), (v,)), (0.0,)
        yield fn.gaussian_kl(**s), lambda z, t: divergence(*z), ((mu,), (v,)), ()
        for z in (0.0, np.inf, -np.inf, -large):
            yield fn.negative_elbo(**s), bound(bernoulli(1.0), 1), ((z,), (mu,), (v,)), (1.0,)
            yield fn.negative_elbo("gaussian", **s), bound(squared, 0.5), ((z,), (mu,), (v,)), (1.0,)
    lengths = (0.0, small, 3 * small, 1e-20, 1.0, large / 4)
    for a, b in itertools.product(lengths, lengths):
        for x, y in (((a, 0.0), (b, 0.0)), ((a, 2 * a), (-b, b)), ((a, 2 * a), (b, 2 * b))):
            for t in (1.0, -1.0):
                yield fn.cosine_embedding(**s), cosine, (x, y), (t,)
                yield fn.contrastive(0.75, **s), contrastive, (x, y), (float(t > 0),)
            if max(a, b) < 2:
                yield fn.triplet_margin(**s), triplet, (x, y, (0.25, 0.0)), ()
    for a, b in itertools.product(everywhere, everywhere):
        if abs(a) != np.inf or a != b:
            yield fn.margin_ranking(0.5, **s), ranking, ((a,), (b,)), (1.0,)


APART = {"info_nce", "ctc", "distillation", "student_t_nll", "gaussian_crps", "arc_face", "gaussian_mixture_nll"}
APART |= {"supervised_contrastive", "barlow_twins", "vicreg", "cox_nll", "load_balancing_loss", "router_z_loss"}
"""Losses of whole batches, of sequences and of several arrays, whose tests stand below or beside those of their values."""


def test_every_loss_is_tried_at_the_ends() -> None:
    tried = {loss.name.split("(")[0] for loss, *_ in points(np.float32)}
    assert tried | APART == set(loss_factories())


def rounded(true: Real, dtype: Any) -> float:
    return float(true) if abs(true) == INF or abs(true) <= mp.mpf(float(np.finfo(dtype).max)) else float(sign(true)) * np.inf


def agrees(got: Any, true: Real, dtype: Any) -> bool:
    info = np.finfo(dtype)
    large, rel = mp.mpf(float(info.max)), 400 * float(info.eps)
    if mp.isnan(true) or np.isnan(got):
        return False
    if abs(true) > large * (1 + rel):
        return bool(got == float(sign(true)) * np.inf)
    if np.isinf(got):
        return bool(sign(true) * float(got) > 0 and abs(true) > large * (1 - rel))
    return bool(abs(mp.mpf(float(got)) - true) <= rel * abs(true) + 4 * float(info.smallest_subnormal))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_losses_at_the_ends_of_the_range(dtype: Any) -> None:
    wrong = []
    with mp.workdps(150), np.errstate(all="ignore"):
        for loss, truth, prediction, target in points(dtype):
            several = isinstance(prediction[0], tuple)
            arrays = tuple(np.array([part], dtype) for part in (prediction if several else (prediction,)))
            given: Any = arrays if several else arrays[0]
            wanted: Any = np.array([target], int if isinstance(target, int) else dtype) if target != () else ()
            numbers = [mp.mpf(float(a)) for array in arrays for a in array.ravel()]
            exact = target if isinstance(target, int) else [mp.mpf(float(a)) for a in np.ravel(wanted)]
            value, slopes = truth(numbers, exact)
            made = loss.forward(given, wanted[:, 0] if loss.name.startswith(("cosine", "contrastive")) else wanted)
            gradient = np.concatenate([leaf.ravel() for leaf in tree.leaves(loss.backward(made.residuals))])
            tree.check_like(given, loss.backward(made.residuals), "gradient")
            if made.value.dtype != dtype or not agrees(made.value, value, dtype):
                wrong.append(f"{loss.name} of {prediction} and {target}: value {made.value}, not {mp.nstr(value, 9)}")
            for got, slope in zip(gradient, slopes, strict=True):
                if not agrees(got, slope, dtype):
                    shown = [mp.nstr(a, 9) for a in slopes]
                    wrong.append(f"{loss.name} of {prediction} and {target}: gradient {gradient}, not {shown}")
                    break
    assert not wrong, f"{len(wrong)} wrong, such as\n" + "\n".join(wrong[:: 1 + len(wrong) // 12])
