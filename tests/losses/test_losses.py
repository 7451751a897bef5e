"""The values of the losses against slow loops, and what every loss promises: weights, masks, precision, messages."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn import tree
from funcnn.certificate.cases import LOSSES, LossCase
from funcnn.certificate.names import loss_factories
from funcnn.losses.batch_rule import is_batchwise

untyped: Any = fn  # for calls that a type checker would refuse


def mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)


def entries(function: Callable[[float, float], float]) -> Callable[[Any, Any], float]:
    """Return the mean over all entries of a function of one prediction and one target."""

    def value(prediction: Any, target: Any) -> float:
        return mean([function(p, t) for p, t in zip(prediction.ravel().tolist(), target.ravel().tolist(), strict=True)])

    return value


def log_softmax(row: list[float]) -> list[float]:
    largest = max(row)
    norm = largest + math.log(math.fsum(math.exp(z - largest) for z in row))
    return [z - norm for z in row]


def rows(x: Any) -> list[list[float]]:
    found: list[list[float]] = x.reshape(-1, x.shape[-1]).tolist()
    return found


def sigmoid_ce(z: float, t: float, pos_weight: float = 1.0) -> float:
    return pos_weight * t * math.log1p(math.exp(-z)) + (1 - t) * math.log1p(math.exp(z))


def softmax_ce(prediction: Any, target: Any, smoothing: float = 0.0, weights: Any = None, ignored: int | None = None) -> float:
    """Return the textbook sum, class by class."""
    classes = prediction.shape[-1]
    weights = [1.0] * classes if weights is None else weights
    losses, masses = [], []
    targets = target.ravel().tolist() if target.dtype.kind == "i" else rows(target)
    for row, wanted in zip(rows(prediction), targets, strict=True):
        if wanted == ignored:
            continue
        onehot = [float(c == wanted) for c in range(classes)] if isinstance(wanted, int) else wanted
        soft = [(1 - smoothing) * q + smoothing / classes for q in onehot]
        losses.append(-math.fsum(w * q * log_p for w, q, log_p in zip(weights, soft, log_softmax(row), strict=True)))
        masses.append(weights[wanted] if isinstance(wanted, int) else 1.0)
    return math.fsum(losses) / math.fsum(masses)


def half_squares(prediction: Any, target: Any) -> float:
    return mean(
        [
            sum((p - t) ** 2 for p, t in zip(a.ravel(), b.ravel(), strict=True)) / 2
            for a, b in zip(prediction, target, strict=True)
        ]
    )


def huber(delta: float) -> Callable[[float, float], float]:
    return lambda p, t: (p - t) ** 2 / 2 if abs(p - t) <= delta else delta * (abs(p - t) - delta / 2)


def pinball(*quantiles: float) -> Callable[[Any, Any], float]:
    def value(prediction: Any, target: Any) -> float:
        q = np.broadcast_to(quantiles, prediction.shape).ravel().tolist()
        d = (prediction - target).ravel().tolist()
        return mean([max((1 - a) * b, -a * b) for a, b in zip(q, d, strict=True)])

    return value


def gaussian_kl(mu: Any, log_variance: Any) -> list[float]:
    """Return the divergence of each example."""
    return [
        sum((m * m + math.exp(s) - 1 - s) / 2 for m, s in zip(a.ravel(), b.ravel(), strict=True))
        for a, b in zip(mu, log_variance, strict=True)
    ]


def elbo(entry: Callable[[float, float], float], beta: float) -> Callable[[Any, Any], float]:
    def value(prediction: Any, target: Any) -> float:
        likelihood = [sum(map(entry, x.ravel().tolist(), t.ravel().tolist())) for x, t in zip(prediction[0], target, strict=True)]
        return mean([r + beta * d for r, d in zip(likelihood, gaussian_kl(*prediction[1:]), strict=True)])

    return value


def nll(prediction: Any, target: Any, weights: Any = (1.0, 1.0, 1.0), ignored: int | None = None) -> float:
    kept = [(weights[label], row[label]) for row, label in zip(rows(prediction), target.ravel(), strict=True) if label != ignored]
    return -math.fsum(w * x for w, x in kept) / math.fsum(w for w, _ in kept)


def kl(prediction: Any, target: Any) -> float:
    pairs = zip(rows(prediction), rows(target), strict=True)
    return mean([sum(p * (math.log(p) - x) for x, p in zip(row, wanted, strict=True) if p) for row, wanted in pairs])


def multi_margin(margin: float, power: int) -> Callable[[Any, Any], float]:
    def value(prediction: Any, target: Any) -> float:
        losses = []
        for row, label in zip(rows(prediction), target.ravel(), strict=True):
            missing = [max(0.0, margin - row[label] + x) for c, x in enumerate(row) if c != label]
            losses.append(sum(h**power for h in missing) / len(row))
        return mean(losses)

    return value


def tversky(alpha: float, beta: float, smooth: float) -> Callable[[Any, Any], float]:
    def value(prediction: Any, target: Any) -> float:
        losses = []
        for p, t in zip(prediction, target, strict=True):
            both, wrong, missed = (p * t).sum(), (p * (1 - t)).sum(), ((1 - p) * t).sum()
            losses.append(1 - (both + smooth) / (both + alpha * wrong + beta * missed + smooth))
        return mean(losses)

    return value


def dice(prediction: Any, target: Any) -> float:
    return mean([1 - (2 * (p * t).sum() + 1) / (p.sum() + t.sum() + 1) for p, t in zip(prediction, target, strict=True)])


def sigmoid_focal(gamma: float, positive: float, negative: float) -> Callable[[Any, Any], float]:
    def entry(z: float, t: float) -> float:
        p = 1 / (1 + math.exp(-z))
        return -positive * t * math.pow(1 - p, gamma) * math.log(p) - negative * (1 - t) * math.pow(p, gamma) * math.log(1 - p)

    return entries(entry)


def softmax_focal(gamma: float, weights: Any) -> Callable[[Any, Any], float]:
    def value(prediction: Any, target: Any) -> float:
        logs = [(weights[label], log_softmax(row)[label]) for row, label in zip(rows(prediction), target.ravel(), strict=True)]
        return math.fsum(-w * (1 - math.exp(x)) ** gamma * x for w, x in logs) / math.fsum(w for w, _ in logs)

    return value


def cosine(x: Any, y: Any) -> float:
    return float(np.dot(x, y) / math.sqrt(np.dot(x, x) * np.dot(y, y)))


def vectors(function: Callable[..., float]) -> Callable[[Any, Any], float]:
    """Return the mean over rows of vectors of a function of one vector of each array and, where there is one, a target."""

    def value(prediction: Any, target: Any) -> float:
        columns = [[np.array(row) for row in rows(x)] for x in prediction]
        if isinstance(target, np.ndarray):
            columns.append(target.ravel().tolist())
        return mean([function(*row) for row in zip(*columns, strict=True)])

    return value


def distance(x: Any, y: Any) -> float:
    return math.dist(x.tolist(), y.tolist())


def info_nce(temperature: float, symmetric: bool) -> Callable[[Any, Any], float]:
    def value(prediction: Any, target: Any) -> float:
        losses = []
        for queries, keys in (prediction, prediction[::-1]):
            for i, query in enumerate(queries):
                losses.append(-log_softmax([cosine(query, key) / temperature for key in keys])[i])
        return mean(losses if symmetric else losses[: len(losses) // 2])

    return value


def supervised_contrastive(temperature: float) -> Callable[[Any, Any], float]:
    """Return the mean over the rows that have others of their label."""

    def value(prediction: Any, target: Any) -> float:
        found = []
        for i, row in enumerate(prediction):
            others = [a for a in range(len(target)) if a != i]
            logs = dict(zip(others, log_softmax([cosine(row, prediction[a]) / temperature for a in others]), strict=True))
            if alike := [-logs[p] for p in others if target[p] == target[i]]:
                found.append(mean(alike))
        return mean(found)

    return value


def barlow_twins(off_diagonal: float, eps: float) -> Callable[[Any, Any], float]:
    def value(prediction: Any, target: Any) -> float:
        first, second = ((x - x.mean(0)) / np.sqrt(x.var(0) + eps) for x in prediction)
        found = 0.0
        for i, j in itertools.product(range(first.shape[1]), repeat=2):
            c = mean((first[:, i] * second[:, j]).tolist())
            found += (1 - c) ** 2 if i == j else off_diagonal * c**2
        return found

    return value


def balance(prediction: Any, target: Any) -> float:
    rows = prediction.reshape(-1, prediction.shape[-1]).tolist()
    experts = range(len(rows[0]))
    first = [max(experts, key=row.__getitem__) for row in rows]
    share = [mean([float(one == e) for one in first]) for e in experts]
    probability = [mean([math.exp(row[e]) / sum(map(math.exp, row)) for row in rows]) for e in experts]
    return len(experts) * sum(f * p for f, p in zip(share, probability, strict=True))


def vicreg(invariance: float, variance: float, covariance: float, eps: float) -> Callable[[Any, Any], float]:
    def value(prediction: Any, target: Any) -> float:
        found = invariance * float(((prediction[0] - prediction[1]) ** 2).mean())
        for view in prediction:
            table = np.cov(view, rowvar=False)
            for i, j in itertools.product(range(len(table)), repeat=2):
                if i == j:
                    found += variance * max(0.0, 1 - math.sqrt(table[i, i] + eps)) / len(table)
                else:
                    found += covariance * table[i, j] ** 2 / len(table)
        return found

    return value


def cox(efron: bool) -> Callable[[Any, Any], float]:
    """Return the mean over the events: at each time the logarithms of what is at risk, one event after the other."""

    def value(prediction: Any, target: Any) -> float:
        risk = [math.exp(x) for x in prediction.ravel()]
        found = 0.0
        for time in set(target.time.tolist()):
            at_risk = math.fsum(r for r, t in zip(risk, target.time, strict=True) if t >= time)
            tied = [r for r, t, e in zip(risk, target.time, target.event, strict=True) if t == time and e]
            for k, own in enumerate(tied):
                found += math.log(at_risk - efron * k / len(tied) * math.fsum(tied)) - math.log(own)
        return found / int(target.event.sum())

    return value


def ctc(blank: int = 0, per_label: bool = False) -> Callable[[Any, Any], float]:
    """Return the sum over all paths, one by one."""

    def value(prediction: Any, target: Any) -> float:
        losses = []
        for logits, labels, length, steps in zip(
            prediction, target.labels, target.label_lengths, target.input_lengths, strict=True
        ):
            logs = [log_softmax(row) for row in rows(logits[:steps])]
            found = 0.0
            for path in itertools.product(range(logits.shape[1]), repeat=int(steps)):
                spelt = [k for k, _ in itertools.groupby(path) if k != blank]
                if spelt == labels[:length].tolist():
                    found += math.exp(sum(logs[t][k] for t, k in enumerate(path)))
            loss = -math.log(found) if found else 0.0  # of what no path can spell, with zero_infinity
            losses.append(loss / max(length, 1) if per_label else loss)
        return mean(losses)

    return value


def long_ctc(prediction: Any, target: Any) -> float:
    """Return the same sum for sequences too long to spell out: from the left, one label of the path after the other."""
    losses = []
    for logits, labels in zip(prediction, target.labels, strict=True):
        logs = [log_softmax(row) for row in rows(logits)]
        wanted = tuple(labels.tolist())
        paths: dict[tuple[tuple[int, ...], int], float] = {
            ((), 0): 1.0
        }  # the probability of all beginnings that spell a tuple and end with a label
        for step in logs:
            longer: dict[tuple[tuple[int, ...], int], float] = {}
            for (spelt, last), probability in paths.items():
                for k, log in enumerate(step):
                    now = spelt if k in (0, last) else (*spelt, k)
                    if now == wanted[: len(now)]:
                        longer[now, k] = longer.get((now, k), 0.0) + probability * math.exp(log)
            paths = longer
        losses.append(-math.log(math.fsum(found for (spelt, _), found in paths.items() if spelt == wanted)))
    return mean(losses)


def distilled(temperature: float) -> Callable[[Any, Any], float]:
    def value(prediction: Any, target: Any) -> float:
        found = []
        for row, wanted in zip(rows(prediction / temperature), rows(target / temperature), strict=True):
            p, q = log_softmax(row), log_softmax(wanted)
            found.append(temperature**2 * math.fsum(math.exp(b) * (b - a) for a, b in zip(p, q, strict=True)))
        return mean(found)

    return value


def arc_face(margin: float, scale: float) -> Callable[[Any, Any], float]:
    """Return the mean of cross-entropies of scaled cosines, by the angles themselves."""

    def value(prediction: Any, target: Any) -> float:
        found = []
        for row, label in zip(rows(prediction), target.ravel().tolist(), strict=True):
            angle = math.acos(row[label]) + margin
            row[label] = math.cos(angle) if angle <= math.pi else -2 - math.cos(angle)
            found.append(-log_softmax([scale * x for x in row])[label])
        return mean(found)

    return value


def sparse_probabilities(row: list[float], power: float) -> list[float]:
    """Return ``max(power * z - tau, 0) ** (1 / power)`` with the tau, found by halving an interval, for which they sum to 1."""
    z = [power * x for x in row]
    low, high = max(z) - 1, max(z)
    for _ in range(200):
        tau = (low + high) / 2
        low, high = (tau, high) if math.fsum(max(x - tau, 0) ** (1 / power) for x in z) > 1 else (low, tau)
    return [max(x - low, 0) ** (1 / power) for x in z]


def fenchel_young(power: float) -> Callable[[Any, Any], float]:
    """Return the loss by its definition, with the Tsallis entropy of alpha = 1 + power."""

    def convex(p: list[float]) -> float:
        return math.fsum(x ** (1 + power) - x for x in p) / (power * (1 + power))

    def value(prediction: Any, target: Any) -> float:
        classes = prediction.shape[-1]
        wanted = np.eye(classes)[target] if target.dtype.kind == "i" else target
        found = []
        for row, q in zip(rows(prediction), rows(wanted), strict=True):
            p = sparse_probabilities(row, power)
            found.append(math.fsum(z * (a - b) for z, a, b in zip(row, p, q, strict=True)) - convex(p) + convex(q))
        return mean(found)

    return value


def mixture(prediction: Any, target: Any) -> float:
    """Return the mean of minus the logarithms of the densities."""
    logits, means, logs = prediction
    found = []
    for index in np.ndindex(*logits.shape[:-1]):
        density = 0.0
        for k, log_pi in enumerate(log_softmax(logits[index].tolist())):
            pairs = zip(means[index][k].tolist(), logs[index][k].tolist(), target[index].tolist(), strict=True)
            density += math.exp(log_pi) * math.prod(
                math.exp(-((t - m) ** 2) / (2 * math.exp(s))) / math.sqrt(2 * math.pi * math.exp(s)) for m, s, t in pairs
            )
        found.append(-math.log(density))
    return mean(found)


# The value of every case of LOSSES that takes a plain target, from the textbook formula in plain Python.
REFERENCES: dict[str, Callable[[Any, Any], float]] = {
    "mean_squared_error-0": entries(lambda p, t: (p - t) ** 2),
    "mean_squared_error-sum": lambda p, t: math.fsum(((p - t) ** 2).ravel()),
    "half_squared_error-0": half_squares,
    "mean_absolute_error-0": entries(lambda p, t: abs(p - t)),
    "huber-0": entries(huber(0.8)),
    "smooth_l1-0": entries(lambda p, t: huber(0.8)(p, t) / 0.8),
    "softmax_cross_entropy-0": softmax_ce,
    "softmax_cross_entropy-large": softmax_ce,
    "softmax_cross_entropy-probabilities": softmax_ce,
    "softmax_cross_entropy-smoothed": lambda p, t: softmax_ce(p, t, 0.1),
    "softmax_cross_entropy-all": lambda p, t: softmax_ce(p, t, 0.1, (0.5, 2.0, 1.0)),
    "softmax_cross_entropy-class weights": lambda p, t: softmax_ce(p, t, 0.0, (0.5, 2.0, 1.0)),
    "softmax_cross_entropy-ignored label": lambda p, t: softmax_ce(p, t, ignored=1),
    "sigmoid_cross_entropy-0": entries(sigmoid_ce),
    "sigmoid_cross_entropy-pos_weight": entries(lambda z, t: sigmoid_ce(z, t, 3.0)),
    "sigmoid_cross_entropy-smoothed": entries(lambda z, t: sigmoid_ce(z, 0.8 * t + 0.1)),
    "cross_entropy-0": lambda p, t: mean([-math.log(row[label]) for row, label in zip(p.tolist(), t.tolist(), strict=True)]),
    "cross_entropy-probabilities": lambda p, t: mean(
        [
            -math.fsum(b * math.log(a) for a, b in zip(row, wanted, strict=True))
            for row, wanted in zip(rows(p), rows(t), strict=True)
        ]
    ),
    "binary_cross_entropy-0": entries(lambda p, t: -t * math.log(p) - (1 - t) * math.log(1 - p)),
    "distillation-0": distilled(1.0),
    "distillation-temperature": distilled(2.5),
    "ordinal_cross_entropy-0": lambda z, y: mean(
        [
            math.fsum(sigmoid_ce(a, float(rank > k)) for k, a in enumerate(row))
            for row, rank in zip(z.tolist(), y.tolist(), strict=True)
        ]
    ),
    "multilabel_margin-0": lambda x, t: mean(
        [
            math.fsum(
                max(0, 1 - row[c] + row[k]) for c, k in itertools.product(range(4), repeat=2) if wanted[c] and not wanted[k]
            )
            / 4
            for row, wanted in zip(x.tolist(), t.tolist(), strict=True)
        ]
    ),
    "mean_absolute_percentage_error-0": entries(lambda p, t: abs((p - t) / t)),
    "symmetric_mean_absolute_percentage_error-0": entries(lambda p, t: 2 * abs(p - t) / (abs(p) + abs(t))),
    "tweedie_nll-0": entries(lambda z, t: math.exp(0.7 * z) / 0.7 + t * math.exp(-0.3 * z) / 0.3),
    "given_losses-0": lambda p, t: mean(p.ravel().tolist()),
    "given_losses-sum": lambda p, t: math.fsum(p.tolist()),
    "wasserstein-0": entries(lambda p, t: -p * t),
    "log_cosh_error-0": entries(lambda p, t: math.log(math.cosh(p - t))),
    "mean_squared_log_error-0": entries(lambda p, t: (math.log(1 + p) - math.log(1 + t)) ** 2),
    "quantile_error-0": pinball(0.3),
    "quantile_error-several": pinball(0.1, 0.5, 0.9),
    "poisson_nll-0": entries(lambda z, t: math.exp(z) - t * z),
    "poisson_nll-rate": entries(lambda rate, t: rate - t * math.log(rate)),
    "poisson_nll-full": entries(
        lambda z, t: math.exp(z) - t * z + (t * math.log(t) - t + math.log(2 * math.pi * t) / 2 if t > 1 else 0.0)
    ),
    "arc_face-0": arc_face(0.6, 4.0),
    "arc_face-sequence": arc_face(0.5, 2.0),
    "sparsemax_loss-0": fenchel_young(1.0),
    "sparsemax_loss-probabilities": fenchel_young(1.0),
    "entmax15_loss-0": fenchel_young(0.5),
    "entmax15_loss-probabilities": fenchel_young(0.5),
    "hinge_embedding-0": entries(lambda p, t: p if t == 1 else max(0.0, 0.8 - p)),
    "gaussian_mixture_nll-0": mixture,
    "gaussian_mixture_nll-sequence": mixture,
    "hinge-0": entries(lambda p, t: max(0.0, 1 - t * p)),
    "squared_hinge-0": entries(lambda p, t: max(0.0, 1 - t * p) ** 2),
    "gaussian_nll-0": lambda p, t: mean(
        [
            -math.log(math.exp(-((m - x) ** 2) / (2 * math.exp(s))) / math.sqrt(2 * math.pi * math.exp(s)))
            for m, s, x in zip(p[0].ravel(), p[1].ravel(), t.ravel(), strict=True)
        ]
    ),
    "gaussian_nll-variance": lambda p, t: mean(
        [
            math.log(2 * math.pi * v) / 2 + (m - x) ** 2 / (2 * v)
            for m, v, x in zip(p[0].ravel().tolist(), p[1].ravel().tolist(), t.ravel().tolist(), strict=True)
        ]
    ),
    "student_t_nll-0": lambda p, t: mean(
        [
            s
            + math.lgamma(1.25)
            - math.lgamma(1.75)
            + math.log(2.5 * math.pi) / 2
            + 1.75 * math.log(1 + ((m - x) / math.exp(s)) ** 2 / 2.5)
            for m, s, x in zip(p[0].ravel().tolist(), p[1].ravel().tolist(), t.ravel().tolist(), strict=True)
        ]
    ),
    "gaussian_crps-0": lambda p, t: mean(
        [
            (x - m) * math.erf((x - m) / math.exp(s / 2) / math.sqrt(2))
            + math.exp(s / 2) * (math.sqrt(2 / math.pi) * math.exp(-((x - m) ** 2) / math.exp(s) / 2) - 1 / math.sqrt(math.pi))
            for m, s, x in zip(p[0].ravel().tolist(), p[1].ravel().tolist(), t.ravel().tolist(), strict=True)
        ]
    ),
    "gaussian_kl-0": lambda p, t: mean(gaussian_kl(*p)),
    "negative_elbo-0": elbo(sigmoid_ce, 1.0),
    "negative_elbo-gaussian": elbo(lambda x, t: (x - t) ** 2 / 2, 0.3),
    "negative_log_likelihood-0": nll,
    "negative_log_likelihood-all": lambda p, t: nll(p, t, (0.5, 2.0, 1.0), 1),
    "kl_divergence-0": kl,
    "multi_margin-0": multi_margin(1.0, 1),
    "multi_margin-squared": multi_margin(0.5, 2),
    "dice-0": dice,
    "tversky-0": tversky(0.2, 0.9, 0.5),
    "sigmoid_focal-0": sigmoid_focal(2.0, 1.0, 1.0),
    "sigmoid_focal-alpha": sigmoid_focal(0.5, 0.25, 0.75),
    "sigmoid_focal-without focus": sigmoid_focal(0.0, 1.0, 1.0),
    "softmax_focal-0": softmax_focal(2.0, (1.0, 1.0, 1.0, 1.0)),
    "softmax_focal-class weights": softmax_focal(0.5, (0.5, 2.0, 1.0)),
    "cosine_embedding-0": vectors(lambda x, y, t: 1 - cosine(x, y) if t == 1 else max(0.0, cosine(x, y) - 0.1)),
    "cosine_embedding-sequence": vectors(lambda x, y, t: 1 - cosine(x, y) if t == 1 else max(0.0, cosine(x, y))),
    "contrastive-0": vectors(lambda x, y, t: (t * distance(x, y) ** 2 + (1 - t) * max(0.0, 2.5 - distance(x, y)) ** 2) / 2),
    "contrastive-sequence": vectors(lambda x, y, t: (t * distance(x, y) ** 2 + (1 - t) * max(0.0, 4 - distance(x, y)) ** 2) / 2),
    "triplet_margin-0": vectors(lambda a, p, n: max(0.0, distance(a, p) - distance(a, n) + 0.5)),
    "info_nce-0": info_nce(0.5, symmetric=False),
    "info_nce-symmetric": info_nce(0.2, symmetric=True),
    "supervised_contrastive-0": supervised_contrastive(0.5),
    "barlow_twins-0": barlow_twins(0.3, 1e-5),
    "load_balancing_loss-0": balance,
    "router_z_loss-0": lambda p, t: mean([math.log(sum(map(math.exp, row))) ** 2 for row in p.reshape(-1, p.shape[-1]).tolist()]),
    "vicreg-0": vicreg(25.0, 25.0, 1.0, 1e-4),
    "cox_nll-0": cox(efron=True),
    "cox_nll-breslow": cox(efron=False),
    "ctc-0": ctc(),
    "ctc-long": long_ctc,
    "ctc-per label": ctc(per_label=True),
    "ctc-too long": ctc(),
    "margin_ranking-0": lambda p, t: entries(lambda d, s: max(0.0, 0.5 - s * d))(p[0] - p[1], t),
}


def plain_cases() -> dict[str, LossCase]:
    """Return the cases whose target carries no weights yet."""
    found = {}
    for name, cases in LOSSES.items():
        for index, case in enumerate(cases):
            if not isinstance(draw(case, 3)[1], fn.Weighted):
                found[f"{name}-{case.label or index}"] = case
    return found


def draw(case: LossCase, batch: int, seed: int = 7) -> tuple[Any, Any]:
    return case.draw(np.random.default_rng(seed), batch)


PLAIN = plain_cases()


def each_plain_that(chosen: Callable[[LossCase], bool]) -> pytest.MarkDecorator:
    """Return the mark of a test of some cases."""
    found = {name: case for name, case in PLAIN.items() if chosen(case)}
    return pytest.mark.parametrize("case", found.values(), ids=found.keys())


def sizes(case: LossCase) -> tuple[int, ...]:
    """Return sizes of batches that a loss can be computed of: one row has no variance, and no other of its label."""
    return (2, 6) if case.make().name.startswith(("vicreg", "supervised")) else (1, 2, 6)


def is_sum(case: LossCase) -> bool:
    return case.label == "sum"


each_plain = each_plain_that(lambda case: True)


def take(values: Any, index: Any) -> Any:
    return tree.map(lambda leaf: leaf[index], values)


def test_every_loss_has_a_reference() -> None:
    assert sorted(REFERENCES) == sorted(PLAIN)
    assert {name.split("-")[0] for name in PLAIN} == set(loss_factories())


@pytest.mark.parametrize("name", PLAIN)
def test_value_is_the_textbook_formula(name: str) -> None:
    case = PLAIN[name]
    for batch in sizes(case):
        prediction, target = draw(case, batch)
        value = case.make().forward(prediction, target).value
        np.testing.assert_allclose(value, REFERENCES[name](prediction, target), rtol=1e-12)


OTHERWISE = ("supervised_contrastive", "cox_nll(efron)")  # of no row with itself; of the mean weight of ties


@each_plain_that(lambda case: not case.make().name.startswith(OTHERWISE))
def test_weight_two_is_a_duplicate_and_weight_zero_a_removed_row(case: LossCase) -> None:
    loss = case.make()
    counts = np.array([2, 0, 1, 3, 0, 1])
    index = np.repeat(np.arange(6), counts)
    prediction, target = draw(case, 6)
    repeated = loss.forward(take(prediction, index), take(target, index))
    gradients = loss.backward(repeated.residuals)
    for weight in (counts, counts.astype(float), counts.astype(np.float32)):
        made = loss.forward(prediction, fn.Weighted(target, weight))
        np.testing.assert_allclose(made.value, repeated.value, rtol=1e-12)
        for whole, copies in zip(tree.leaves(loss.backward(made.residuals)), tree.leaves(gradients), strict=True):
            summed = np.zeros_like(whole)
            np.add.at(summed, index, copies)
            np.testing.assert_allclose(whole, summed, rtol=1e-12, atol=1e-15)
            assert not whole[counts == 0].any()


@each_plain
def test_what_stands_in_a_masked_row_is_never_looked_at(case: LossCase) -> None:
    loss = case.make()
    mask = np.array([True, False, True, True, False])
    prediction, target = draw(case, 5)

    def garbage(leaf: Any) -> Any:
        spoiled = leaf.copy()
        spoiled[~mask] = np.nan if leaf.dtype.kind == "f" else -12345
        return spoiled

    clean = loss.forward(prediction, fn.Weighted(target, mask))
    made = loss.forward(tree.map(garbage, prediction), fn.Weighted(tree.map(garbage, target), mask))
    assert made.value == clean.value
    assert tree.same(loss.backward(made.residuals), loss.backward(clean.residuals))
    alone = loss.forward(take(prediction, mask), take(target, mask))
    np.testing.assert_allclose(made.value, alone.value, rtol=1e-13)


@each_plain
def test_weights_keep_the_precision(case: LossCase) -> None:
    loss = case.make()
    prediction, target = draw(case, 4)
    for dtype in (np.float32, np.float64, np.longdouble):
        given = tree.astype(prediction, dtype)
        for weight in (np.array([0.5, 0.0, 1.0, 2.0]), np.array([1, 2, 3, 4], dtype=np.int8)):
            made = loss.forward(given, fn.Weighted(target, weight))
            assert made.value.dtype == dtype
            tree.check_like(given, loss.backward(made.residuals), "gradient")


@each_plain_that(lambda case: not is_sum(case) and not is_batchwise(case.make()))  # whose weights count rows
def test_all_weights_scaled_change_nothing_in_a_mean(case: LossCase) -> None:
    loss = case.make()
    prediction, target = draw(case, 4)
    weight = np.array([0.5, 0.25, 1.0, 2.0])
    one, other = (loss.forward(prediction, fn.Weighted(target, scale * weight)) for scale in (1.0, 1e6))
    np.testing.assert_allclose(one.value, other.value, rtol=1e-13)


@each_plain
def test_memory_layout_does_not_matter(case: LossCase) -> None:
    loss = case.make()
    prediction, target = draw(case, 4)
    plain = loss.forward(prediction, target)
    gradient = tree.leaves(loss.backward(plain.residuals))
    for change in (np.asfortranarray, lambda leaf: np.repeat(leaf, 2, axis=0)[::2], lambda leaf: leaf[::-1].copy()[::-1]):
        made = loss.forward(tree.map(change, prediction), tree.map(change, target))
        np.testing.assert_allclose(made.value, plain.value, rtol=1e-14)
        for one, other in zip(tree.leaves(loss.backward(made.residuals)), gradient, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-13, atol=1e-16)


@each_plain
@pytest.mark.parametrize("weighted", [False, True])
def test_complex_steps_give_the_derivatives_of_value_and_gradient(case: LossCase, weighted: bool) -> None:
    """Both formulas are analytic: the gradient is the value's derivative, and the gradient's own derivative is symmetric."""
    loss = case.make()
    prediction, target = draw(case, 4)
    if weighted:
        target = fn.Weighted(target, np.array([0.5, 0.0, 1.0, 2.0]))
    generator = np.random.default_rng(3)
    u, v = (tree.map(lambda leaf: generator.normal(size=leaf.shape), prediction) for _ in range(2))

    def dot(one: Any, other: Any) -> float:
        return sum(float((a * b).sum()) for a, b in zip(tree.leaves(one), tree.leaves(other), strict=True))

    def moved(direction: Any, step: Any) -> Any:
        return loss.forward(tree.map(lambda leaf, along: leaf + step * along, prediction, direction), target)

    def gradient(direction: Any, step: Any) -> Any:
        return loss.backward(moved(direction, step).residuals)

    slope = moved(u, 1e-30j).value.imag / 1e-30
    np.testing.assert_allclose(slope, dot(gradient(u, 0.0), u), rtol=1e-11, atol=1e-14)
    curve, other = (tree.map(lambda leaf: leaf.imag / 1e-30, gradient(along, 1e-30j)) for along in (u, v))
    np.testing.assert_allclose(dot(curve, v), dot(other, u), rtol=1e-10, atol=1e-12)
    numeric = tree.map(lambda plus, minus: (plus - minus) / 2e-6, gradient(u, 1e-6), gradient(u, -1e-6))
    np.testing.assert_allclose(dot(curve, v), dot(numeric, v), rtol=1e-5, atol=1e-7)  # differences of first order


@each_plain_that(is_sum)
def test_a_sum_over_nothing_is_0(case: LossCase) -> None:
    assert case.make().forward(*draw(case, 0)).value == 0


@each_plain_that(lambda case: not is_sum(case))
def test_a_mean_over_nothing_is_an_error(case: LossCase) -> None:
    loss = case.make()
    with pytest.raises(ValueError, match=r"empty batch|sum to 0"):
        loss.forward(*draw(case, 0))
    prediction, target = draw(case, 3)
    with pytest.raises(ValueError, match="the weights sum to 0"):
        loss.forward(prediction, fn.Weighted(target, np.zeros(3)))


@each_plain
@pytest.mark.parametrize(
    ("weight", "error", "message"),
    [
        (np.array([1.0, -1.0, 1.0]), ValueError, "weight -1.0 at row 1"),
        (np.array([1.0, 1.0, np.nan]), ValueError, "weight nan at row 2"),
        (np.ones(4), ValueError, r"weight has shape \(4,\)"),
        (np.ones((3, 17)), ValueError, r"weight has shape \(3, 17\)"),
        (np.ones(()), ValueError, r"weight has shape \(\)"),
        ([1.0, 1.0, 1.0], TypeError, "expected an array"),
        (np.array(["a", "b", "c"]), TypeError, "expected an array of non-negative numbers"),
    ],
)
def test_wrong_weights_are_named(case: LossCase, weight: Any, error: type[Exception], message: str) -> None:
    prediction, target = draw(case, 3)
    with pytest.raises(error, match=message):
        case.make().forward(prediction, fn.Weighted(target, weight))


@each_plain_that(lambda case: any(leaf.dtype.kind == "f" for leaf in tree.leaves(draw(case, 3)[1])))
def test_not_a_number_in_the_target_is_named(case: LossCase) -> None:
    prediction, target = draw(case, 3)

    def spoiled(leaf: Any) -> Any:
        changed = leaf.copy()
        changed[1] = np.nan
        return changed

    with pytest.raises(ValueError, match=r"nan at row (1|\[1, 0)"):
        case.make().forward(prediction, tree.map(spoiled, target))
    with pytest.raises(ValueError, match=r"nan at row (0|\[0, 0)") as caught:
        case.make().forward(prediction, fn.Weighted(tree.map(spoiled, target), np.array([0, 1, 1])))
    assert "rows are counted among those of positive weight" in caught.value.__notes__


@each_plain_that(lambda case: bool(tree.leaves(draw(case, 3)[1])))
def test_another_shape_of_the_target_is_an_error(case: LossCase) -> None:
    """Nothing broadcasts: not (n,) against (n, 1), and not one row against many."""
    prediction, target = draw(case, 3)
    for change in (lambda leaf: leaf[:1], lambda leaf: leaf[..., None], lambda leaf: leaf.reshape(-1)[:2], lambda leaf: leaf[0]):
        with pytest.raises((ValueError, TypeError), match=r"shape|axes|one label"):
            case.make().forward(prediction, tree.map(change, target))


@each_plain
def test_another_dtype_is_an_error(case: LossCase) -> None:
    prediction, target = draw(case, 3)
    loss = case.make()
    with pytest.raises(TypeError, match="expected a floating array"):
        loss.forward(tree.map(lambda leaf: np.round(leaf).astype(int), prediction), target)
    with pytest.raises(TypeError, match="expected a floating array"):
        loss.forward(tree.map(lambda leaf: leaf.astype(object), prediction), target)
    if tree.leaves(target):
        with pytest.raises(TypeError, match=r"expected|labels"):
            loss.forward(prediction, tree.map(lambda leaf: leaf.astype(complex), target))
        with pytest.raises((TypeError, ValueError), match=r"expected|labels"):
            loss.forward(prediction, None)


# ------------------------------------------------------------------------------------------------------------ single losses


def test_weights_may_be_given_to_single_entries() -> None:
    prediction, target = draw(PLAIN["mean_squared_error-0"], 3)
    weight = np.array([[1.0, 0.0], [2.0, 1.0], [0.0, 3.0]])
    made = fn.mean_squared_error().forward(prediction, fn.Weighted(target, weight))
    np.testing.assert_allclose(made.value, (weight * (prediction - target) ** 2).sum() / weight.sum(), rtol=1e-15)
    expected = 2 * weight * (prediction - target) / weight.sum()
    np.testing.assert_allclose(fn.mean_squared_error().backward(made.residuals), expected, rtol=1e-14)


def test_weights_of_a_sequence_may_mask_its_padding() -> None:
    loss = fn.softmax_cross_entropy()
    prediction, labels = np.random.default_rng(0).normal(size=(2, 3, 4)), np.array([[0, 3, -1], [2, -1, -1]])
    mask = labels >= 0
    made = loss.forward(prediction, fn.Weighted(labels, mask))
    np.testing.assert_allclose(made.value, softmax_ce(prediction[mask], labels[mask]), rtol=1e-14)
    ignoring = fn.softmax_cross_entropy(ignore_index=-1)
    ignored = ignoring.forward(prediction, labels)
    assert ignored.value == made.value
    assert tree.same(ignoring.backward(ignored.residuals), loss.backward(made.residuals))
    both = ignoring.forward(prediction, fn.Weighted(labels, np.array([1.0, 0.0])))
    np.testing.assert_allclose(both.value, softmax_ce(prediction[0, :2], labels[0, :2]), rtol=1e-14)


def test_class_weights_and_sample_weights_multiply() -> None:
    loss = fn.softmax_cross_entropy(class_weight=(0.5, 2.0, 1.0))
    prediction, labels = draw(PLAIN["softmax_cross_entropy-class weights"], 4)
    weight, each = np.array([1.0, 0.0, 2.0, 0.5]), np.array([0.5, 2.0, 1.0])[labels]
    losses = np.array([softmax_ce(prediction[n : n + 1], labels[n : n + 1]) for n in range(4)])
    expected = (weight * each * losses).sum() / (weight * each).sum()
    np.testing.assert_allclose(loss.forward(prediction, fn.Weighted(labels, weight)).value, expected, rtol=1e-13)


def test_labels_are_the_probabilities_that_they_stand_for() -> None:
    loss = fn.softmax_cross_entropy()
    for scale in (1.0, 1e4):
        prediction, labels = LOSSES["softmax_cross_entropy"][0].draw(np.random.default_rng(0), 6)
        by_label = loss.forward(prediction * scale, labels)
        by_row = loss.forward(prediction * scale, np.eye(4)[labels])
        np.testing.assert_allclose(by_label.value, by_row.value, rtol=1e-14)
        np.testing.assert_allclose(loss.backward(by_label.residuals), loss.backward(by_row.residuals), rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize(
    ("prediction", "target", "error", "message"),
    [
        (np.zeros((3, 4)), np.array([0, 4, 1]), ValueError, r"label 4 at row 1, expected 0 to 3 \(4 classes\)"),
        (np.zeros((3, 4)), np.array([0, 1, -2]), ValueError, "label -2 at row 2, expected 0 to 3"),
        (np.zeros((3, 4)), np.array([0, 2**63], dtype=np.uint64)[[0, 1, 0]], ValueError, "at row 1, expected 0 to 3"),
        (np.zeros((1, 2, 4)), np.array([[0, 9]]), ValueError, r"label 9 at row \[0, 1\]"),
        (
            np.zeros((3, 4)),
            np.array([0.0, 1.0, 2.0]),
            TypeError,
            r"target is float64\[3\], expected integer labels of shape \(3,\)",
        ),
        (np.zeros((3, 4)), np.array([True, False, True]), TypeError, "target is bool"),
        (np.zeros((3, 4)), np.array([[0], [1], [2]]), ValueError, r"labels have shape \(3, 1\), expected \(3,\)"),
        (np.zeros((2, 2)), np.array([[0.5, 0.5], [0.7, 0.7]]), ValueError, "the probabilities at row 1 sum to 1.4"),
        (np.zeros((2, 2)), np.array([[0.5, 0.5], [-0.5, 1.5]]), ValueError, r"probability -0.5 at row \[1, 0\]"),
        (np.zeros(3), np.array([0, 1, 1]), ValueError, "at least 2 axes"),
    ],
)
def test_wrong_classes_are_named(prediction: Any, target: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        fn.softmax_cross_entropy().forward(prediction, target)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.uint64])
def test_labels_of_any_integer_type(dtype: Any) -> None:
    prediction, labels = LOSSES["softmax_cross_entropy"][0].draw(np.random.default_rng(0), 300)
    loss = fn.softmax_cross_entropy()
    assert loss.forward(prediction, labels.astype(dtype)).value == loss.forward(prediction, labels).value


def test_targets_of_a_sigmoid_are_probabilities() -> None:
    with pytest.raises(ValueError, match=r"target 2.0 at row \[1, 0\], expected 0 to 1"):
        fn.sigmoid_cross_entropy().forward(np.zeros((2, 1)), np.array([[1.0], [2.0]]))
    with pytest.raises(ValueError, match=r"target -1.0 at row \[0, 0\], expected 0 to 1"):
        fn.sigmoid_cross_entropy().forward(np.zeros((2, 1)), np.array([[-1.0], [1.0]]))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: untyped.mean_squared_error(reduction="none"), ValueError, "reduction is 'none', expected one of 'mean', 'sum'"),
        (lambda: fn.huber(0.0), ValueError, "delta is 0.0"),
        (lambda: fn.smooth_l1(-1.0), ValueError, "beta is -1.0"),
        (lambda: fn.softmax_cross_entropy(label_smoothing=1.0), ValueError, "label_smoothing is 1.0"),
        (lambda: fn.softmax_cross_entropy(class_weight=(1.0, -1.0)), ValueError, "class_weight is"),
        (lambda: untyped.softmax_cross_entropy(class_weight=2.0), TypeError, "one number for each class"),
        (lambda: untyped.softmax_cross_entropy(ignore_index=0.5), TypeError, "ignore_index is 0.5, expected an integer"),
        (lambda: fn.sigmoid_cross_entropy(pos_weight=0.0), ValueError, "pos_weight is 0.0"),
        (lambda: fn.sigmoid_cross_entropy(label_smoothing=1.0), ValueError, "label_smoothing is 1.0"),
        (lambda: fn.distillation(0.0), ValueError, "temperature is 0.0"),
        (lambda: fn.tweedie_nll(2.0), ValueError, r"power is 2\.0, expected a number in \(1, 2\)"),
        (lambda: fn.quantile_error(1.0), ValueError, "quantile is 1.0, expected above 0 and below 1"),
        (lambda: fn.quantile_error((0.5, 0.0)), ValueError, "quantile is"),
        (lambda: fn.dice(0.0), ValueError, "smooth is 0.0"),
        (lambda: fn.tversky(-1.0), ValueError, "alpha is -1.0"),
        (lambda: fn.multi_margin(0.0), ValueError, "margin is 0.0"),
        (lambda: fn.multi_margin(power=3), ValueError, "power is 3, expected 1 or 2"),
        (lambda: untyped.negative_elbo("poisson"), ValueError, "likelihood is 'poisson'"),
        (lambda: fn.negative_elbo(beta=-1.0), ValueError, "beta is -1.0"),
        (lambda: fn.sigmoid_focal(-1.0), ValueError, "gamma is -1.0"),
        (lambda: fn.sigmoid_focal(alpha=1.0), ValueError, "alpha is 1.0"),
        (lambda: fn.softmax_focal(-1.0), ValueError, "gamma is -1.0"),
        (lambda: fn.cosine_embedding(1.0), ValueError, "margin is 1.0"),
        (lambda: fn.contrastive(0.0), ValueError, "margin is 0.0"),
        (lambda: fn.triplet_margin(-1.0), ValueError, "margin is -1.0"),
        (lambda: fn.info_nce(0.0), ValueError, "temperature is 0.0"),
        (lambda: untyped.info_nce(reduction="none"), ValueError, "reduction is 'none'"),
        (lambda: fn.ctc(-1), ValueError, "blank is -1"),
        (lambda: fn.margin_ranking(-1.0), ValueError, "margin is -1.0"),
        (lambda: untyped.sigmoid_cross_entropy(pos_weight="much"), TypeError, "pos_weight is 'much'"),
    ],
)
def test_wrong_options_are_named(make: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize("make", [fn.softmax_cross_entropy, fn.negative_log_likelihood, fn.softmax_focal])
def test_class_weights_whose_sum_would_overflow_are_refused(make: Any) -> None:
    logits, labels = np.log(np.full((4, 2), 0.5, np.float32)), np.array([0, 1, 1, 0])
    expected = pytest.approx(make().forward(logits, labels).value, rel=1e-6, abs=0.0)  # single precision
    assert make(class_weight=(9e29, 9e29)).forward(logits, labels).value == expected
    with pytest.raises(ValueError, match=r"class_weight is .* and below 1e\+30"):
        make(class_weight=(1e30, 1.0))


def test_class_weights_of_another_number_of_classes() -> None:
    loss = fn.softmax_cross_entropy(class_weight=(1.0, 2.0))
    with pytest.raises(ValueError, match="class_weight has 2 entries and the prediction 3 classes"):
        loss.forward(np.zeros((1, 3)), np.array([1]))


@pytest.mark.parametrize(
    ("loss", "prediction", "target", "message"),
    [
        (fn.mean_squared_log_error(), [[1.0], [-1.0]], [[1.0], [1.0]], r"prediction -1.0 at row \[1, 0\], expected above -1"),
        (fn.mean_squared_log_error(), [[1.0], [1.0]], [[-2.0], [1.0]], r"target -2.0 at row \[0, 0\], expected above -1"),
        (fn.poisson_nll(), [[1.0], [1.0]], [[1.0], [-1.0]], r"target -1.0 at row \[1, 0\], expected 0 to inf"),
        (fn.poisson_nll(log_rate=False), [[1.0], [0.0]], [[1.0], [1.0]], r"prediction 0.0 at row \[1, 0\], expected above 0"),
        (fn.tweedie_nll(), [[1.0], [1.0]], [[1.0], [-1.0]], r"target -1.0 at row \[1, 0\], expected 0 to inf"),
        (fn.mean_absolute_percentage_error(), [[1.0], [1.0]], [[1.0], [0.0]], r"target 0.0 at row \[1, 0\]: an error relative"),
        (fn.binary_cross_entropy(), [[0.5], [1.5]], [[1.0], [0.0]], r"prediction 1.5 at row \[1, 0\], expected a probability"),
        (fn.cross_entropy(), [[0.5, 0.5], [-2.0, 1.0]], [[1.0, 0.0], [1.0, 0.0]], r"prediction -2.0 at row \[1, 0\]"),
        (fn.multilabel_margin(), [[1.0], [0.0]], [[1.0], [0.5]], r"target 0.5 at row \[1, 0\], expected 0 or 1"),
        (fn.wasserstein(), [[1.0], [0.0]], [[1.0], [0.5]], r"target 0.5 at row \[1, 0\], expected -1 or 1"),
        (fn.hinge(), [[1.0], [0.0]], [[1.0], [0.0]], r"target 0.0 at row \[1, 0\], expected -1 or 1"),
        (fn.squared_hinge(), [[1.0], [0.0]], [[1.0], [0.5]], r"target 0.5 at row \[1, 0\], expected -1 or 1"),
    ],
)
def test_numbers_out_of_a_loss_s_range_are_named(loss: Any, prediction: Any, target: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        loss.forward(np.array(prediction), np.array(target))


def test_shapes_of_an_autoencoder_that_do_not_fit() -> None:
    x, z = np.zeros((2, 3)), np.zeros((2, 1))
    with pytest.raises(ValueError, match="of unlike batches"):
        fn.negative_elbo().forward((x, z[:1], z[:1]), x)
    with pytest.raises(TypeError, match=r"expected a tuple \(reconstruction, mean, log_variance\) of arrays"):
        untyped.negative_elbo().forward((x, z), x)
    with pytest.raises(TypeError, match=r"expected \(\): this loss takes none"):
        untyped.gaussian_kl().forward((z, z), z)


def test_focal_losses_with_exponent_0_are_cross_entropies() -> None:
    for focal, entropy, name in (
        (fn.softmax_focal(0.0), fn.softmax_cross_entropy(), "softmax_cross_entropy-0"),
        (fn.sigmoid_focal(0.0), fn.sigmoid_cross_entropy(), "sigmoid_cross_entropy-0"),
    ):
        one: Any = focal
        other: Any = entropy
        prediction, target = draw(PLAIN[name], 5)
        made, expected = one.forward(prediction, target), other.forward(prediction, target)
        np.testing.assert_allclose(made.value, expected.value, rtol=1e-14)
        np.testing.assert_allclose(one.backward(made.residuals), other.backward(expected.residuals), rtol=1e-13, atol=1e-16)


def test_vectors_of_length_0_have_no_direction_and_no_gradient() -> None:
    zero, some = np.zeros((1, 3)), np.array([[1.0, 2.0, 2.0]])
    target = np.ones(1)
    cosine = fn.cosine_embedding()
    made = cosine.forward((zero, some), target)
    assert made.value == 1
    assert all(not leaf.any() for leaf in cosine.backward(made.residuals))
    contrast = fn.contrastive(1.0)
    apart = contrast.forward((some, some), 0 * target)
    assert apart.value == 0.5
    assert all(not leaf.any() for leaf in contrast.backward(apart.residuals))
    triplet = fn.triplet_margin(1.0)
    same = triplet.forward((some, some, some), ())
    assert same.value == 1
    assert all(not leaf.any() for leaf in triplet.backward(same.residuals))
    nce = fn.info_nce()
    pairs = nce.forward((np.concatenate([zero, some]), np.concatenate([some, zero])), ())
    np.testing.assert_allclose(pairs.value, (math.log(2) + math.log(1 + math.exp(10))) / 2)
    dqueries, dkeys = nce.backward(pairs.residuals)
    assert not dqueries[0].any()
    assert not dkeys[1].any()


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_lengths_neither_overflow_nor_vanish(scale: float) -> None:
    x, y = np.array([[3.0, 4.0]], np.float32) * np.float32(scale), np.array([[4.0, 3.0]], np.float32) * np.float32(scale)
    made = fn.cosine_embedding().forward((x, y), np.ones(1))
    np.testing.assert_allclose(made.value, 0.04, rtol=1e-6)  # float32
    made_triplet = fn.triplet_margin(0.0).forward((x, 0 * x, x), ())
    np.testing.assert_allclose(made_triplet.value, 5 * scale, rtol=1e-6)  # float32


def test_an_impossible_class_may_have_a_log_probability_of_minus_infinity() -> None:
    loss = fn.kl_divergence()
    made = loss.forward(np.array([[0.0, -np.inf]]), np.array([[1.0, 0.0]]))
    assert made.value == 0
    np.testing.assert_array_equal(loss.backward(made.residuals), [[-1.0, 0.0]])


def test_a_prediction_of_several_arrays() -> None:
    loss: Any = fn.margin_ranking()
    x, target = np.zeros((2, 1)), np.ones((2, 1))
    with pytest.raises(TypeError, match=r"the prediction is float64\[2, 1\], expected a tuple \(first, second\) of arrays"):
        loss.forward(x, target)
    with pytest.raises(TypeError, match=r"expected a tuple \(first, second\) of arrays"):
        loss.forward((x, x, x), target)
    with pytest.raises(
        ValueError, match=r"the prediction's second is float64\[2\] and its first float64\[2, 1\]: they must be alike"
    ):
        loss.forward((x, x[:, 0]), target)
    with pytest.raises(ValueError, match="they must be alike"):
        loss.forward((x, x.astype(np.float32)), target)


def test_ctc_with_another_blank_and_any_integers() -> None:
    generator = np.random.default_rng(0)
    logits, labels = generator.normal(size=(2, 5, 4)), np.array([[0, 0, 2], [3, 2, 99]])
    loss = fn.ctc(blank=1)
    target = fn.CTCTarget(labels, np.array([3, 2]), np.array([5, 4]))
    made = loss.forward(logits, target)
    np.testing.assert_allclose(made.value, ctc(1)(logits, target), rtol=1e-13)
    assert not loss.backward(made.residuals)[1, 4].any(), "nothing after the end of an input has a gradient"
    for dtype in (np.uint8, np.uint64, np.int32):
        parts: list[Any] = [part.astype(dtype) for part in (labels, target.label_lengths, target.input_lengths)]
        other = fn.CTCTarget(*parts)
        assert loss.forward(logits, other).value == made.value


def test_ctc_of_extreme_logits() -> None:
    """All the weight on one wrong path: the loss is the difference of the logits, not infinity."""
    logits = np.zeros((1, 3, 3), np.float32)
    logits[0, :, 2] = 1e4
    loss = fn.ctc()
    target = fn.CTCTarget(np.array([[1]]), np.array([1]), np.array([3]))
    made = loss.forward(logits, target)
    np.testing.assert_allclose(made.value, 3e4 - math.log(6), rtol=1e-6)  # float32
    gradient = loss.backward(made.residuals)
    assert np.isfinite(gradient).all()
    np.testing.assert_allclose(gradient[0].sum(1), 0, atol=1e-6)  # float32
    np.testing.assert_allclose(gradient[0, 1], [-1 / 3, -2 / 3, 1.0], rtol=1e-3)  # differences of logits of 1e4 in float32


@pytest.mark.parametrize(
    ("labels", "label_lengths", "input_lengths", "error", "message"),
    [
        ([[1, 3]], [2], [4], ValueError, r"label 3 at row 0, place 1, expected 0 to 2 \(3 classes\) except the blank, 0"),
        ([[1, 0]], [2], [4], ValueError, "label 0 at row 0, place 1"),
        ([[1, 1]], [2], [2], ValueError, "row 0 has 2 labels, which take at least 3 time steps"),
        ([[1, 2]], [3], [4], ValueError, "label_lengths holds 3 at row 0, expected 0 to 2"),
        ([[1, 2]], [2], [5], ValueError, "input_lengths holds 5 at row 0, expected 1 to 4"),
        ([[1, 2]], [2], [0], ValueError, "input_lengths holds 0 at row 0"),
        ([[1, 2]], [2, 2], [4], ValueError, r"label_lengths have shape \(2,\)"),
        ([1, 2], [2], [4], ValueError, r"labels have shape \(2,\), expected 2 axes"),
        ([[1.0, 2.0]], [2], [4], TypeError, "labels are float64"),
    ],
)
def test_wrong_transcriptions_are_named(
    labels: Any, label_lengths: Any, input_lengths: Any, error: type[Exception], message: str
) -> None:
    target = fn.CTCTarget(np.array(labels), np.array(label_lengths), np.array(input_lengths))
    with pytest.raises(error, match=message):
        fn.ctc().forward(np.zeros((1, 4, 3)), target)


def test_wrong_predictions_of_transcriptions_are_named() -> None:
    target = fn.CTCTarget(np.array([[1]]), np.array([1]), np.array([1]))
    with pytest.raises(ValueError, match="expected at least 3 axes"):
        fn.ctc().forward(np.zeros((1, 3)), target)
    with pytest.raises(ValueError, match=r"expected \(batch, time, classes\), more classes than 3"):
        fn.ctc(blank=3).forward(np.zeros((1, 2, 3)), target)
    with pytest.raises(TypeError, match="expected a CTCTarget"):
        untyped.ctc().forward(np.zeros((1, 2, 3)), np.array([[1]]))


def test_distillation_of_close_and_of_certain_teachers() -> None:
    loss = fn.distillation(2.0)
    teacher = np.array([[1.0, -2.0, 0.5], [0.0, 300.0, -np.inf]])
    same = loss.forward(teacher.clip(-1e308), teacher)
    assert same.value == 0
    assert not loss.backward(same.residuals).any()
    near = teacher[:1] + np.array([[1e-9, 0, 0]])
    p = np.exp(teacher[0] / 2) / np.exp(teacher[0] / 2).sum()
    # To first order.
    np.testing.assert_allclose(loss.forward(near, teacher[:1]).value, 0.5 * p[0] * (1 - p[0]) * 1e-18, rtol=1e-6)
    certain = loss.forward(np.zeros((1, 3)), np.array([[0.0, 1e4, 0.0]]))
    np.testing.assert_allclose(certain.value, 4 * np.log(3))
    np.testing.assert_allclose(loss.backward(certain.residuals), [[2 / 3, -4 / 3, 2 / 3]])
