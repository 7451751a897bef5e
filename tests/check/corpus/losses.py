"""Mistakes in losses: a batch in, one number out unless it is said."""

from __future__ import annotations

import numpy as np

from funcnn.typing import Array, IntArray
from tests.check.corpus.attention import softmax_of
from tests.check.corpus.elementwise import sigmoid_of
from tests.check.corpus.entry import Grads, integers, normal, uniform, wrong


def pick(x: Array, labels: IntArray) -> Array:
    return x[np.arange(len(x)), labels]


def cross_entropy(x: Array, labels: IntArray) -> object:
    return (np.logaddexp.reduce(x, axis=1) - pick(x, labels)).mean()


def cross_entropy_pull(x: Array, labels: IntArray) -> Array:
    p = softmax_of(x)
    p[np.arange(len(x)), labels] -= 1
    return p


def cross_entropy_vjp(x: Array, labels: IntArray, dy: Array) -> tuple[Array, None]:
    return cross_entropy_pull(x, labels) * dy / len(x), None


CLASSES = (normal(5, 4), integers(5, below=4))


@wrong(cross_entropy, CLASSES, "constant_factor", "[0]", right=cross_entropy_vjp)
def cross_entropy_without_batch(x: Array, labels: IntArray, dy: Array) -> object:
    """The mean over the batch is differentiated as a sum."""
    return cross_entropy_pull(x, labels) * dy, None


@wrong(cross_entropy, CLASSES, "constant_factor", "[0]", right=cross_entropy_vjp)
def cross_entropy_mean_over_all(x: Array, labels: IntArray, dy: Array) -> object:
    """Divided by batch times classes where the batch is due."""
    return cross_entropy_pull(x, labels) * dy / x.size, None


@wrong(cross_entropy, CLASSES, "ignores_dy", "[0]", right=cross_entropy_vjp)
def cross_entropy_end_of_chain(x: Array, labels: IntArray, dy: Array) -> object:
    """The loss is taken for the end of the chain: dy does not appear."""
    return cross_entropy_pull(x, labels) / len(x), None


@wrong(cross_entropy, CLASSES, "missing_term", "[0]", right=cross_entropy_vjp)
def cross_entropy_target_forgotten(x: Array, labels: IntArray, dy: Array) -> object:
    """p where p - t is due."""
    return softmax_of(x) * dy / len(x), None


@wrong(cross_entropy, CLASSES, "sign_flip", "[0]", right=cross_entropy_vjp)
def cross_entropy_of_likelihood(x: Array, labels: IntArray, dy: Array) -> object:
    """t - p: the gradient of the likelihood, not of its negative."""
    return -cross_entropy_pull(x, labels) * dy / len(x), None


def smoothed(x: Array, labels: IntArray) -> object:
    logp = x - np.logaddexp.reduce(x, axis=1, keepdims=True)
    return -(0.9 * pick(logp, labels) + 0.1 * logp.mean(1)).mean()


def smoothed_vjp(x: Array, labels: IntArray, dy: Array) -> tuple[Array, None]:
    t = np.full_like(x, 0.1 / x.shape[1])
    t[np.arange(len(x)), labels] += 0.9
    return (softmax_of(x) - t) * dy / len(x), None


@wrong(smoothed, CLASSES, "missing_term", "[0]", right=smoothed_vjp)
def smoothed_hard_target(x: Array, labels: IntArray, dy: Array) -> object:
    """The backward pass subtracts the label without its smoothing."""
    return cross_entropy_pull(x, labels) * dy / len(x), None


def weighted(x: Array, labels: IntArray, weights: Array) -> object:
    each = np.logaddexp.reduce(x, axis=1) - pick(x, labels)
    return (weights * each).sum() / weights.sum()


def weighted_vjp(x: Array, labels: IntArray, weights: Array, dy: Array) -> tuple[Array, None, Array]:
    each = np.logaddexp.reduce(x, axis=1) - pick(x, labels)
    total = weights.sum()
    dweights = dy * (each - (weights * each).sum() / total) / total
    return cross_entropy_pull(x, labels) * weights[:, None] * dy / total, None, dweights


WEIGHTED = (normal(5, 3), integers(5, below=3), uniform(5))


@wrong(weighted, WEIGHTED, "constant_factor", "[0]", right=weighted_vjp)
def weighted_by_batch(x: Array, labels: IntArray, weights: Array, dy: Array) -> object:
    """Divided by the batch where the weights' sum is due."""
    return cross_entropy_pull(x, labels) * weights[:, None] * dy / len(x), None, weighted_vjp(x, labels, weights, dy)[2]


@wrong(weighted, WEIGHTED, "missing_term", "[2]", right=weighted_vjp)
def weighted_denominator_constant(x: Array, labels: IntArray, weights: Array, dy: Array) -> object:
    """The weights' gradient forgets that they stand in the denominator too."""
    each = np.logaddexp.reduce(x, axis=1) - pick(x, labels)
    return weighted_vjp(x, labels, weights, dy)[0], None, dy * each / weights.sum()


def mean_square(p: Array, t: Array) -> object:
    return ((p - t) ** 2).mean()


def mean_square_vjp(p: Array, t: Array, dy: Array) -> Grads:
    d = 2 * (p - t) * dy / p.size
    return d, -d


PAIR = (normal(4, 3), normal(4, 3, seed=1))


@wrong(mean_square, PAIR, "constant_factor", "[0]", right=mean_square_vjp)
def mean_square_without_two(p: Array, t: Array, dy: Array) -> object:
    """The factor of two is missing."""
    return (p - t) * dy / p.size, mean_square_vjp(p, t, dy)[1]


@wrong(mean_square, PAIR, "constant_factor", "[0]", "[1]", right=mean_square_vjp)
def mean_square_batch_only(p: Array, t: Array, dy: Array) -> object:
    """The mean over all entries is differentiated as a mean over the batch."""
    d = 2 * (p - t) * dy / len(p)
    return d, -d


@wrong(mean_square, PAIR, "sign_flip", "[1]", right=mean_square_vjp)
def mean_square_target_sign(p: Array, t: Array, dy: Array) -> object:
    """Both arguments get the same gradient."""
    d = 2 * (p - t) * dy / p.size
    return d, d.copy()


@wrong(mean_square, PAIR, "zero_gradient", "[1]", right=mean_square_vjp)
def mean_square_target_constant(p: Array, t: Array, dy: Array) -> object:
    """The target is an argument but gets no gradient."""
    return mean_square_vjp(p, t, dy)[0], np.zeros_like(t)


def huber(p: Array, t: Array) -> object:
    r = p - t
    a = abs(r)
    return np.where(a <= 0.8, 0.5 * r * r, 0.8 * (a - 0.4)).sum()


def huber_vjp(p: Array, t: Array, dy: Array) -> Grads:
    d = dy * np.clip(p - t, -0.8, 0.8)
    return d, -d


@wrong(huber, PAIR, "region", "[0]", right=huber_vjp)
def huber_quadratic_everywhere(p: Array, t: Array, dy: Array) -> object:
    """Beyond delta the gradient goes on growing."""
    return dy * (p - t), huber_vjp(p, t, dy)[1]


@wrong(huber, PAIR, "region", "[0]", right=huber_vjp)
def huber_without_delta(p: Array, t: Array, dy: Array) -> object:
    """Beyond delta the gradient is the sign, without delta."""
    r = p - t
    return dy * np.where(abs(r) <= 0.8, r, np.sign(r)), huber_vjp(p, t, dy)[1]


def logits(x: Array, t: Array) -> object:
    return (np.logaddexp(x, 0) - x * t).mean()


def logits_vjp(x: Array, t: Array, dy: Array) -> Grads:
    return (sigmoid_of(x) - t) * dy / x.size, -x * dy / x.size


BINARY = (normal(4, 2), uniform(4, 2, low=0, high=1))


@wrong(logits, BINARY, "missing_term", "[0]", right=logits_vjp)
def logits_extra_derivative(x: Array, t: Array, dy: Array) -> object:
    """The sigmoid's derivative is multiplied in once more: that of the squared error."""
    s = sigmoid_of(x)
    return (s - t) * s * (1 - s) * dy / x.size, logits_vjp(x, t, dy)[1]


@wrong(logits, BINARY, "missing_term", "[0]", right=logits_vjp)
def logits_without_target(x: Array, t: Array, dy: Array) -> object:
    """The target is forgotten."""
    return sigmoid_of(x) * dy / x.size, logits_vjp(x, t, dy)[1]


def divergence(p: Array, q: Array) -> object:
    return (p * np.log(p / q)).sum(-1)


def divergence_vjp(p: Array, q: Array, dy: Array) -> Grads:
    return dy[:, None] * (np.log(p / q) + 1), -dy[:, None] * p / q


DISTRIBUTIONS = (uniform(3, 4), uniform(3, 4, seed=1))


@wrong(divergence, DISTRIBUTIONS, "missing_term", "[0]", right=divergence_vjp)
def divergence_without_one(p: Array, q: Array, dy: Array) -> object:
    """log(p/q) where log(p/q) + 1 is due."""
    return dy[:, None] * np.log(p / q), divergence_vjp(p, q, dy)[1]


@wrong(divergence, DISTRIBUTIONS, "sign_flip", "[1]", right=divergence_vjp)
def divergence_sign(p: Array, q: Array, dy: Array) -> object:
    """The second distribution's minus is missing."""
    return divergence_vjp(p, q, dy)[0], dy[:, None] * p / q


def hinge(x: Array, t: Array) -> object:
    return np.maximum(1 - t * x, 0).mean()


def hinge_vjp(x: Array, t: Array, dy: Array) -> Grads:
    active = (t * x < 1) * (-dy / x.size)
    return active * t, active * x


@wrong(hinge, (normal(8) * 1.5, np.array([1.0, -1, 1, 1, -1, 1, -1, -1])), "region", "[0]", right=hinge_vjp)
def hinge_beyond_margin(x: Array, t: Array, dy: Array) -> object:
    """Examples beyond the margin receive a gradient too."""
    return -t * dy / x.size, hinge_vjp(x, t, dy)[1]


def cosine(a: Array, b: Array) -> object:
    return (a * b).sum(1) / np.sqrt((a * a).sum(1) * (b * b).sum(1))


def cosine_vjp(a: Array, b: Array, dy: Array) -> Grads:
    na, nb = np.sqrt((a * a).sum(1, keepdims=True)), np.sqrt((b * b).sum(1, keepdims=True))
    c = (a * b).sum(1, keepdims=True) / (na * nb)
    d = dy[:, None]
    return d * (b / (na * nb) - c * a / na**2), d * (a / (na * nb) - c * b / nb**2)


@wrong(cosine, (normal(4, 3), normal(4, 3, seed=1)), "missing_term", "[0]", right=cosine_vjp)
def cosine_without_projection(a: Array, b: Array, dy: Array) -> object:
    """The first vector's norm is treated as a constant."""
    na, nb = np.sqrt((a * a).sum(1, keepdims=True)), np.sqrt((b * b).sum(1, keepdims=True))
    return dy[:, None] * b / (na * nb), cosine_vjp(a, b, dy)[1]


def dice(p: Array, t: Array) -> object:
    return 1 - 2 * (p * t).sum() / (p.sum() + t.sum())


def dice_vjp(p: Array, t: Array, dy: Array) -> Grads:
    total, common = p.sum() + t.sum(), (p * t).sum()
    return -2 * dy * (t / total - common / total**2), -2 * dy * (p / total - common / total**2)


@wrong(dice, (uniform(3, 4, low=0, high=1), uniform(3, 4, low=0, high=1, seed=1)), "missing_term", "[0]", right=dice_vjp)
def dice_denominator_constant(p: Array, t: Array, dy: Array) -> object:
    """The quotient rule's second half is missing."""
    return -2 * dy * t / (p.sum() + t.sum()), dice_vjp(p, t, dy)[1]


def focal(x: Array) -> object:
    p = sigmoid_of(x)
    return -((1 - p) ** 2 * np.log(p)).sum()


def focal_vjp(x: Array, dy: Array) -> Grads:
    p = sigmoid_of(x)
    return (dy * (2 * (1 - p) ** 2 * p * np.log(p) - (1 - p) ** 3),)


@wrong(focal, (normal(7),), "missing_term", "[0]", right=focal_vjp)
def focal_modulation_constant(x: Array, dy: Array) -> object:
    """The modulating factor is treated as a constant weight."""
    p = sigmoid_of(x)
    return (-dy * (1 - p) ** 3,)


def absolute_error(p: Array, t: Array) -> object:
    return abs(p - t).mean()


def absolute_error_vjp(p: Array, t: Array, dy: Array) -> Grads:
    d = np.sign(p - t) * dy / p.size
    return d, -d


@wrong(absolute_error, PAIR, "constant_factor", "[0]", right=absolute_error_vjp)
def absolute_error_sum(p: Array, t: Array, dy: Array) -> object:
    """1/n is missing."""
    return np.sign(p - t) * dy, absolute_error_vjp(p, t, dy)[1]


@wrong(absolute_error, PAIR, "missing_term", "[0]", right=absolute_error_vjp)
def absolute_error_as_square(p: Array, t: Array, dy: Array) -> object:
    """The residual itself where its sign is due."""
    return (p - t) * dy / p.size, absolute_error_vjp(p, t, dy)[1]


def variational(mu: Array, logvar: Array, noise: Array) -> object:
    """A sample and its divergence from the standard normal: two outputs."""
    z = mu + np.exp(0.5 * logvar) * noise
    return z, 0.5 * (np.exp(logvar) + mu * mu - 1 - logvar).sum(1)


def variational_vjp(mu: Array, logvar: Array, noise: Array, dy: tuple[Array, Array]) -> Grads:
    dz, dk = dy[0], dy[1][:, None]
    s = np.exp(0.5 * logvar)
    return dz + dk * mu, 0.5 * dz * s * noise + 0.5 * dk * (np.exp(logvar) - 1), dz * s


VARIATIONAL = (normal(3, 2), normal(3, 2, seed=1), normal(3, 2, seed=2))


@wrong(variational, VARIATIONAL, "missing_term", "[1]", right=variational_vjp)
def variational_half_forgotten(mu: Array, logvar: Array, noise: Array, dy: tuple[Array, Array]) -> object:
    """The half of the standard deviation's exponent is missing in the sample's path."""
    dmu, dlogvar, dnoise = variational_vjp(mu, logvar, noise, dy)
    return dmu, dlogvar + 0.5 * dy[0] * np.exp(0.5 * logvar) * noise, dnoise


@wrong(variational, VARIATIONAL, "missing_term", "[0]", right=variational_vjp)
def variational_divergence_forgotten(mu: Array, logvar: Array, noise: Array, dy: tuple[Array, Array]) -> object:
    """The second output's cotangent is not used for the mean."""
    _, dlogvar, dnoise = variational_vjp(mu, logvar, noise, dy)
    return dy[0].copy(), dlogvar, dnoise


def gaussian(mu: Array, sigma: Array, t: Array) -> object:
    return (0.5 * ((t - mu) / sigma) ** 2 + np.log(sigma)).sum()


def gaussian_vjp(mu: Array, sigma: Array, t: Array, dy: Array) -> Grads:
    r = (t - mu) / sigma
    return -dy * r / sigma, dy * (1 - r * r) / sigma, dy * r / sigma


GAUSSIAN = (normal(4, 2), uniform(4, 2), normal(4, 2, seed=1))


@wrong(gaussian, GAUSSIAN, "missing_term", "[1]", right=gaussian_vjp)
def gaussian_log_determinant(mu: Array, sigma: Array, t: Array, dy: Array) -> object:
    """The derivative of log sigma is forgotten."""
    r = (t - mu) / sigma
    return -dy * r / sigma, -dy * r * r / sigma, dy * r / sigma


def poisson(rate: Array, count: Array) -> object:
    return (rate - count * np.log(rate + 0.01)).sum()


def poisson_vjp(rate: Array, count: Array, dy: Array) -> Grads:
    return dy * (1 - count / (rate + 0.01)), -dy * np.log(rate + 0.01)


POISSON = (uniform(6, low=0.05, high=2.0), uniform(6, low=0, high=3))


@wrong(poisson, POISSON, "eps_mismatch", "[0]", right=poisson_vjp)
def poisson_eps(rate: Array, count: Array, dy: Array) -> object:
    """The epsilon of the logarithm is missing backward."""
    return dy * (1 - count / rate), poisson_vjp(rate, count, dy)[1]


def triplet(a: Array, p: Array, n: Array) -> object:
    return np.maximum(((a - p) ** 2).sum(1) - ((a - n) ** 2).sum(1) + 1, 0)


def triplet_vjp(a: Array, p: Array, n: Array, dy: Array) -> Grads:
    on = (((a - p) ** 2).sum(1) - ((a - n) ** 2).sum(1) + 1 > 0) * dy
    return 2 * on[:, None] * (n - p), -2 * on[:, None] * (a - p), 2 * on[:, None] * (a - n)


TRIPLET = (normal(6, 2), normal(6, 2, seed=1), normal(6, 2, seed=2))


@wrong(triplet, TRIPLET, "missing_term", "[0]", right=triplet_vjp)
def triplet_anchor_of_positive(a: Array, p: Array, n: Array, dy: Array) -> object:
    """The anchor's distance to the negative is left out."""
    _, dp, dn = triplet_vjp(a, p, n, dy)
    return -dp, dp, dn


@wrong(triplet, TRIPLET, "region", "[1]", right=triplet_vjp)
def triplet_inactive_rows(a: Array, p: Array, n: Array, dy: Array) -> object:
    """Triplets beyond the margin still pull their positive."""
    da, _, dn = triplet_vjp(a, p, n, dy)
    return da, -2 * dy[:, None] * (a - p), dn


def brier(x: Array, labels: IntArray) -> object:
    """Per example, not reduced."""
    p = softmax_of(x)
    p[np.arange(len(x)), labels] -= 1
    return (p * p).sum(1)


def brier_vjp(x: Array, labels: IntArray, dy: Array) -> tuple[Array, None]:
    p = softmax_of(x)
    d = 2 * dy[:, None] * cross_entropy_pull(x, labels)
    return p * (d - (d * p).sum(1, keepdims=True)), None


@wrong(brier, CLASSES, "row_or_column", "[0]", right=brier_vjp)
def brier_first_example_only(x: Array, labels: IntArray, dy: Array) -> object:
    """Only the first example's cotangent flows back."""
    first = np.zeros_like(dy)
    first[0] = dy[0]
    return brier_vjp(x, labels, first)


@wrong(brier, CLASSES, "constant_factor", "[0]", right=brier_vjp)
def brier_without_two(x: Array, labels: IntArray, dy: Array) -> object:
    """The square's two is missing."""
    return brier_vjp(x, labels, 0.5 * dy)
