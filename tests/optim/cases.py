"""The optimizers under test: one entry or more for every public factory, with the papers' equations beside.

``tests/test_optim.py`` walks the package, finds every factory and looks it up here; a factory without a case is a failing test.
A reference takes one array of parameters and its successive gradients and returns the parameters after them, written from the
paper for one array, with its symbols, and with nothing of the library.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from attrs import frozen

import funcnn as fn
from funcnn.typing import Array, Shape

Reference = Callable[[Array, Sequence[Array]], Array]


@frozen
class OptimizerCase:
    """How one setting of an optimizer is tested.

    ``reference`` is None for those that are made of others and have tests of their own.  ``converging`` makes a setting that
    minimizes a quadratic in so many steps, and how close the method's steps let it come.
    """

    make: Callable[[], fn.Optimizer]
    reference: Reference | None = None
    converging: Callable[[], fn.Optimizer] | None = None
    label: str = ""
    steps: int = 1000
    close: float = 1e-4
    elementwise: bool = True


def rate(c: int) -> float:
    """A schedule."""
    return 0.1 / (1 + c)


def sgd(p: Array, grads: Sequence[Array]) -> Array:
    for g in grads:
        p = p - 0.1 * g
    return p


def sgd_scheduled(p: Array, grads: Sequence[Array]) -> Array:
    for t, g in enumerate(grads):
        p = p - (0.1 / (1 + t)) * g
    return p


def momentum(p: Array, grads: Sequence[Array]) -> Array:
    v = 0 * p
    for g in grads:
        v = 0.8 * v + g
        p = p - 0.1 * v
    return p


def nesterov(p: Array, grads: Sequence[Array]) -> Array:
    v = 0 * p
    for g in grads:
        v = 0.8 * v + g
        p = p - 0.1 * (g + 0.8 * v)
    return p


def adagrad(p: Array, grads: Sequence[Array]) -> Array:
    s = 0 * p + 0.5
    for g in grads:
        s = s + g**2
        p = p - 0.1 * g / (np.sqrt(s) + 1e-3)
    return p


def rmsprop(p: Array, grads: Sequence[Array]) -> Array:
    s = 0 * p
    for g in grads:
        s = 0.7 * s + 0.3 * g**2
        p = p - 0.1 * g / (np.sqrt(s) + 1e-3)
    return p


def rmsprop_momentum(p: Array, grads: Sequence[Array]) -> Array:
    s, v = 0 * p, 0 * p
    for g in grads:
        s = 0.7 * s + 0.3 * g**2
        v = 0.8 * v + g / (np.sqrt(s) + 1e-3)
        p = p - 0.1 * v
    return p


def rmsprop_centered(p: Array, grads: Sequence[Array]) -> Array:
    s, m, v = 0 * p, 0 * p, 0 * p
    for g in grads:
        s, m = 0.7 * s + 0.3 * g**2, 0.7 * m + 0.3 * g
        v = 0.8 * v + g / (np.sqrt(s - m**2) + 1e-3)
        p = p - 0.1 * v
    return p


def adadelta(p: Array, grads: Sequence[Array]) -> Array:
    s, u = 0 * p, 0 * p
    for g in grads:
        s = 0.7 * s + 0.3 * g**2
        d = np.sqrt(u + 1e-3) / np.sqrt(s + 1e-3) * g
        u = 0.7 * u + 0.3 * d**2
        p = p - d
    return p


def adam(p: Array, grads: Sequence[Array], decay: float = 0.0) -> Array:
    m, v = 0 * p, 0 * p
    for t, g in enumerate(grads, 1):
        m = 0.8 * m + (1 - 0.8) * g
        v = 0.9 * v + (1 - 0.9) * g**2
        mhat, vhat = m / (1 - 0.8**t), v / (1 - 0.9**t)
        p = p - 0.1 * (mhat / (np.sqrt(vhat) + 1e-3) + decay * p)
    return p


def adamw(p: Array, grads: Sequence[Array]) -> Array:
    return adam(p, grads, 0.2)


def adamw_matrices(p: Array, grads: Sequence[Array]) -> Array:
    return adam(p, grads, 0.2 if p.ndim >= 2 else 0.0)


def amsgrad(p: Array, grads: Sequence[Array], corrected: bool = True) -> Array:
    m, v, w = 0 * p, 0 * p, 0 * p
    for t, g in enumerate(grads, 1):
        m = 0.8 * m + (1 - 0.8) * g
        v = 0.9 * v + (1 - 0.9) * g**2
        w = np.maximum(w, v)
        if corrected:
            p = p - 0.1 * (m / (1 - 0.8**t)) / (np.sqrt(w / (1 - 0.9**t)) + 1e-3)
        else:
            p = p - 0.1 * m / (np.sqrt(w) + 1e-3)
    return p


def amsgrad_paper(p: Array, grads: Sequence[Array]) -> Array:
    return amsgrad(p, grads, corrected=False)


def adamax(p: Array, grads: Sequence[Array]) -> Array:
    m, u = 0 * p, 0 * p
    for t, g in enumerate(grads, 1):
        m = 0.8 * m + (1 - 0.8) * g
        u = np.maximum(0.9 * u, np.abs(g))
        p = p - 0.1 / (1 - 0.8**t) * m / (u + 1e-3)
    return p


def nadam(p: Array, grads: Sequence[Array]) -> Array:
    m, v = 0 * p, 0 * p
    for t, g in enumerate(grads, 1):
        m = 0.8 * m + (1 - 0.8) * g
        v = 0.9 * v + (1 - 0.9) * g**2
        mhat = 0.8 * m / (1 - 0.8 ** (t + 1)) + (1 - 0.8) * g / (1 - 0.8**t)
        p = p - 0.1 * mhat / (np.sqrt(v / (1 - 0.9**t)) + 1e-3)
    return p


def radam(p: Array, grads: Sequence[Array]) -> Array:
    m, v = 0 * p, 0 * p
    limit = 2 / (1 - 0.9) - 1
    rectified = 0
    for t, g in enumerate(grads, 1):
        m = 0.8 * m + (1 - 0.8) * g
        v = 0.9 * v + (1 - 0.9) * g**2
        mhat = m / (1 - 0.8**t)
        rho = limit - 2 * t * 0.9**t / (1 - 0.9**t)
        if rho > 4:
            r = math.sqrt((rho - 4) * (rho - 2) * limit / ((limit - 4) * (limit - 2) * rho))
            p = p - 0.1 * r * mhat / (np.sqrt(v / (1 - 0.9**t)) + 1e-3)
            rectified += 1
        else:
            p = p - 0.1 * mhat
    assert 0 < rectified < len(grads)  # both branches are taken
    return p


def adabelief(p: Array, grads: Sequence[Array]) -> Array:
    m, s = 0 * p, 0 * p
    for t, g in enumerate(grads, 1):
        m = 0.8 * m + (1 - 0.8) * g
        s = 0.9 * s + (1 - 0.9) * (g - m) ** 2 + 1e-3
        p = p - 0.1 * (m / (1 - 0.8**t)) / (np.sqrt(s / (1 - 0.9**t)) + 1e-3)
    return p


def yogi(p: Array, grads: Sequence[Array]) -> Array:
    m, v = 0 * p, 0 * p + 0.3
    for g in grads:
        m = 0.8 * m + (1 - 0.8) * g
        v = v - (1 - 0.9) * np.sign(v - g**2) * g**2
        p = p - 0.1 * m / (np.sqrt(v) + 1e-3)
    return p


def sign_sgd(p: Array, grads: Sequence[Array]) -> Array:
    for g in grads:
        p = p - 0.1 * np.sign(g)
    return p


def signum(p: Array, grads: Sequence[Array]) -> Array:
    m = 0 * p
    for g in grads:
        m = 0.8 * m + (1 - 0.8) * g
        p = p - 0.1 * np.sign(m)
    return p


def lion(p: Array, grads: Sequence[Array], decay: float = 0.2) -> Array:
    m = 0 * p
    for g in grads:
        c = 0.8 * m + (1 - 0.8) * g
        p = p - 0.1 * (np.sign(c) + decay * p)
        m = 0.9 * m + (1 - 0.9) * g
    return p


def lion_matrices(p: Array, grads: Sequence[Array]) -> Array:
    return lion(p, grads, 0.2 if p.ndim >= 2 else 0.0)


def rprop(p: Array, grads: Sequence[Array]) -> Array:
    """One number after the other, as the paper's listing."""
    new = p.copy()
    for place in np.ndindex(p.shape):
        x: Any = p[place]
        delta: Any = p.dtype.type(0.1)
        before: Any = p.dtype.type(0)
        for gradient in grads:
            g: Any = gradient[place]
            if before * g > 0:
                delta = min(delta * p.dtype.type(1.5), p.dtype.type(0.3))
            elif before * g < 0:
                delta = max(delta * p.dtype.type(0.5), p.dtype.type(0.04))
                g = p.dtype.type(0)
            x, before = x - np.sign(g) * delta, g
        new[place] = x
    return new


def lars(p: Array, grads: Sequence[Array]) -> Array:
    v = 0 * p
    for g in grads:
        norm, slope = np.linalg.norm(p.ravel()), np.linalg.norm(g.ravel())
        if p.ndim >= 2:
            ratio = 0.5 * norm / (slope + 0.2 * norm) if norm > 0 and slope > 0 else 1
            v = 0.8 * v + 0.1 * ratio * (g + 0.2 * p)
        else:
            v = 0.8 * v + 0.1 * g
        p = p - v
    return p


def lamb(p: Array, grads: Sequence[Array]) -> Array:
    m, v = 0 * p, 0 * p
    for t, g in enumerate(grads, 1):
        m = 0.8 * m + (1 - 0.8) * g
        v = 0.9 * v + (1 - 0.9) * g**2
        u = (m / (1 - 0.8**t)) / (np.sqrt(v / (1 - 0.9**t)) + 1e-3)
        ratio = 1.0
        if p.ndim >= 2:
            u = u + 0.2 * p
            norm, length = np.linalg.norm(p.ravel()), np.linalg.norm(u.ravel())
            ratio = float(norm / length) if norm > 0 and length > 0 else 1.0
        p = p - 0.1 * ratio * u
    return p


def adafactor(p: Array, grads: Sequence[Array]) -> Array:
    """Algorithm 4 for a matrix and 5 for a vector, with the paper's sums."""
    rows, columns, v = 0 * p.sum(-1) if p.ndim else p, 0 * p.sum(-2) if p.ndim >= 2 else p, 0 * p
    for t, g in enumerate(grads, 1):
        rho = min(1e-2, 1 / math.sqrt(t))
        alpha = max(1e-3, np.sqrt(np.mean(p**2)) if p.size else 0) * rho
        beta = 1 - t**-0.8
        if p.ndim >= 2:
            rows = beta * rows + (1 - beta) * (g**2 + 1e-30).sum(-1)
            columns = beta * columns + (1 - beta) * (g**2 + 1e-30).sum(-2)
            v = rows[..., :, None] * columns[..., None, :] / rows.sum(-1)[..., None, None]
        else:
            v = beta * v + (1 - beta) * (g**2 + 1e-30)
        u = g / np.sqrt(v)
        u = u / max(1.0, (np.sqrt(np.mean(u**2)) if p.size else 0) / 1.0)
        p = p - alpha * u
    return p


def muon(p: Array, grads: Sequence[Array]) -> Array:
    """The author's listing, which has the outputs first: for our matrices transposed."""
    b = 0 * p
    for g in grads:
        b = 0.8 * b + g
        x = (g + 0.8 * b).reshape(-1, p.shape[-1]).T
        outputs, inputs = x.shape
        x = x / (np.linalg.norm(x) + 1e-7)
        if outputs > inputs:
            x = x.T
        for _ in range(5):
            gram = x @ x.T
            x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
        if outputs > inputs:
            x = x.T
        p = p * (1 - 0.1 * 0.2) - 0.1 * max(1, outputs / inputs) ** 0.5 * x.T.reshape(p.shape)
    return p


def schedule_free(p: Array, grads: Sequence[Array]) -> Array:
    z, x, y, total = p, p, p, 0.0
    for t, g in enumerate(grads, 1):
        gamma = 0.1 * min(1, t / 3)
        z = z - gamma * (g + 0.2 * y)
        total += gamma**2
        c = gamma**2 / total
        x = (1 - c) * x + c * z
        y = (1 - 0.8) * z + 0.8 * x
    return y


def schedule_free_adamw(p: Array, grads: Sequence[Array]) -> Array:
    z, x, y, v, total = p, p, p, 0 * p, 0.0
    for t, g in enumerate(grads, 1):
        v = 0.9 * v + (1 - 0.9) * g**2
        gamma = 0.1 * math.sqrt(1 - 0.9**t) * min(1, t / 3)
        z = z - gamma * g / (np.sqrt(v) + 1e-3) - gamma * 0.2 * y
        total += gamma**2
        c = gamma**2 / total
        x = (1 - c) * x + c * z
        y = (1 - 0.8) * z + 0.8 * x
    return y


def adopt(p: Array, grads: Sequence[Array], decay: float = 0.0) -> Array:
    m, v = 0 * p, 0 * p
    for t, g in enumerate(grads):
        if t == 0:
            v = g**2
            continue
        u = np.clip(g / np.maximum(np.sqrt(v), 1e-3), -(t**0.25), t**0.25)
        m = 0.8 * m + (1 - 0.8) * u
        p = p - 0.1 * m - 0.1 * decay * p
        v = 0.9 * v + (1 - 0.9) * g**2
    return p


def adan(p: Array, grads: Sequence[Array]) -> Array:
    m, v, n, before = 0 * p, 0 * p, 0 * p, grads[0]
    for t, g in enumerate(grads, 1):
        m = 0.8 * m + (1 - 0.8) * g
        v = 0.9 * v + (1 - 0.9) * (g - before)
        n = 0.7 * n + (1 - 0.7) * (g + 0.9 * (g - before)) ** 2
        ahead = m / (1 - 0.8**t) + 0.9 * v / (1 - 0.9**t)
        p = (p - 0.1 * ahead / (np.sqrt(n / (1 - 0.7**t)) + 1e-3)) / (1 + 0.1 * 0.2)
        before = g
    return p


def nadamw(p: Array, grads: Sequence[Array]) -> Array:
    m, v = 0 * p, 0 * p
    for t, g in enumerate(grads, 1):
        m = 0.8 * m + (1 - 0.8) * g
        v = 0.9 * v + (1 - 0.9) * g**2
        ahead = 0.8 * m / (1 - 0.8 ** (t + 1)) + (1 - 0.8) * g / (1 - 0.8**t)
        p = (1 - 0.1 * 0.2) * p - 0.1 * ahead / (np.sqrt(v / (1 - 0.9**t)) + 1e-3)
    return p


def optimistic_sgd(p: Array, grads: Sequence[Array]) -> Array:
    before = grads[0]
    for g in grads:
        p = p - 0.1 * (2 * g - before)
        before = g
    return p


def optimistic_adam(p: Array, grads: Sequence[Array]) -> Array:
    m, v, before = 0 * p, 0 * p, None
    for t, g in enumerate(grads, 1):
        m = 0.8 * m + (1 - 0.8) * g
        v = 0.9 * v + (1 - 0.9) * g**2
        u = (m / (1 - 0.8**t)) / (np.sqrt(v / (1 - 0.9**t)) + 1e-3)
        p = p - 0.1 * (2 * u - (u if before is None else before))
        before = u
    return p


def ftrl(p: Array, grads: Sequence[Array], l1: float = 0.0) -> Array:
    n = 0 * p + 0.5
    z = -((0.3 + np.sqrt(n)) / 0.1 + 0.2) * p - l1 * np.sign(p)
    for g in grads:
        z = z + g - (np.sqrt(n + g**2) - np.sqrt(n)) / 0.1 * p
        n = n + g**2
        p = np.where(np.abs(z) <= l1, 0, -(z - np.sign(z) * l1) / ((0.3 + np.sqrt(n)) / 0.1 + 0.2))
    return p


def novograd(p: Array, grads: Sequence[Array]) -> Array:
    m, v = 0 * p, None
    for g in grads:
        square = np.sum(g**2)
        v = square if v is None else 0.9 * v + (1 - 0.9) * square
        m = 0.8 * m + (g / (np.sqrt(v) + 1e-3) + 0.2 * p)
        p = p - 0.1 * m
    return p


def sm3(p: Array, grads: Sequence[Array], beta: float = 0.8, covered: bool = True) -> Array:
    """SM3-II set by set, as the paper's listing: a set is a place on an axis, with all numbers that have it."""
    places = list(np.ndindex(p.shape))
    sets: dict[Any, list[Any]] = {}
    for i in places:
        for r in [(axis, i[axis]) for axis in range(p.ndim)] if covered and p.ndim > 1 else [i]:
            sets.setdefault(r, []).append(i)
    zero: Any = p.dtype.type(0)
    mu: dict[Any, Any] = dict.fromkeys(sets, zero)
    m, p = np.zeros_like(p), p.copy()
    for g in grads:
        nu: dict[Any, Any] = {i: min(mu[r] for r, members in sets.items() if i in members) + g[i] * g[i] for i in places}
        for i in places:
            step: Any = g[i] / (np.sqrt(nu[i]) + 1e-3) if nu[i] > 0 else zero
            m[i] = beta * m[i] + (1 - beta) * step
            p[i] -= 0.1 * m[i]
        mu = {r: max(nu[i] for i in members) for r, members in sets.items()}
    return p


def averaged_sgd(p: Array, grads: Sequence[Array]) -> Array:
    """The iterates, as PyTorch's listing has them: the decay first, and then the step."""
    for t, g in enumerate(grads):
        eta = 0.1 / (1 + 0.2 * 0.1 * t) ** 0.75
        p = p * (1 - 0.2 * eta)
        p = p - eta * g
    return p


BETAS: dict[str, Any] = {"beta1": 0.8, "beta2": 0.9, "eps": 1e-3}


def decaying(start: float, steps: int = 1000) -> fn.schedules.Schedule:
    return fn.schedules.cosine(start, steps)


OPTIMIZERS: dict[str, list[OptimizerCase]] = {
    "sgd": [
        OptimizerCase(lambda: fn.sgd(0.1), sgd, lambda: fn.sgd(0.018)),
        OptimizerCase(lambda: fn.sgd(rate), sgd_scheduled, label="schedule"),
    ],
    "momentum": [OptimizerCase(lambda: fn.momentum(0.1, momentum=0.8), momentum, lambda: fn.momentum(0.01))],
    "nesterov": [OptimizerCase(lambda: fn.nesterov(0.1, momentum=0.8), nesterov, lambda: fn.nesterov(0.01))],
    "adagrad": [
        OptimizerCase(lambda: fn.adagrad(0.1, initial_accumulator_value=0.5, eps=1e-3), adagrad, lambda: fn.adagrad(0.5))
    ],
    "rmsprop": [
        OptimizerCase(lambda: fn.rmsprop(0.1, decay=0.7, eps=1e-3), rmsprop, lambda: fn.rmsprop(decaying(0.05))),
        OptimizerCase(
            lambda: fn.rmsprop(0.1, decay=0.7, eps=1e-3, momentum=0.8),
            rmsprop_momentum,
            lambda: fn.rmsprop(decaying(0.01), momentum=0.9),
            "momentum",
        ),
        OptimizerCase(
            lambda: fn.rmsprop(0.1, decay=0.7, eps=1e-3, momentum=0.8, centered=True),
            rmsprop_centered,
            lambda: fn.rmsprop(decaying(0.01), centered=True, eps=1e-2),
            "centered",
        ),
    ],
    "adadelta": [OptimizerCase(lambda: fn.adadelta(decay=0.7, eps=1e-3), adadelta, lambda: fn.adadelta(decaying(1.0)))],
    "adam": [
        OptimizerCase(lambda: fn.adam(0.1, **BETAS), adam, lambda: fn.adam(0.1)),
        OptimizerCase(lambda: fn.adam(0.1, beta1=0.0, beta2=0.0, eps=1e-3), None, label="betas of 0"),
    ],
    "adamw": [
        OptimizerCase(lambda: fn.adamw(0.1, weight_decay=0.2, **BETAS), adamw, lambda: fn.adamw(0.1, weight_decay=0)),
        OptimizerCase(lambda: fn.adamw(0.1, weight_decay=0.2, where=fn.is_matrix, **BETAS), adamw_matrices, label="matrices"),
    ],
    "amsgrad": [
        OptimizerCase(lambda: fn.amsgrad(0.1, **BETAS), amsgrad, lambda: fn.amsgrad(0.1)),
        OptimizerCase(lambda: fn.amsgrad(0.1, bias_correction=False, **BETAS), amsgrad_paper, label="paper"),
    ],
    "adamax": [OptimizerCase(lambda: fn.adamax(0.1, **BETAS), adamax, lambda: fn.adamax(0.1))],
    "nadam": [OptimizerCase(lambda: fn.nadam(0.1, **BETAS), nadam, lambda: fn.nadam(decaying(0.1)))],
    "radam": [OptimizerCase(lambda: fn.radam(0.1, **BETAS), radam, lambda: fn.radam(decaying(0.015), beta2=0.99))],
    "adabelief": [OptimizerCase(lambda: fn.adabelief(0.1, **BETAS), adabelief, lambda: fn.adabelief(0.1))],
    "yogi": [OptimizerCase(lambda: fn.yogi(0.1, initial_accumulator_value=0.3, **BETAS), yogi, lambda: fn.yogi(0.1))],
    "adopt": [
        OptimizerCase(lambda: fn.adopt(0.1, **BETAS), adopt, lambda: fn.adopt(decaying(0.1), beta2=0.99)),
        OptimizerCase(
            lambda: fn.adopt(0.1, weight_decay=0.2, where=fn.is_matrix, **BETAS),
            lambda p, grads: adopt(p, grads, 0.2 if p.ndim >= 2 else 0.0),
            label="matrices",
        ),
    ],
    "adan": [
        OptimizerCase(lambda: fn.adan(0.1, beta3=0.7, weight_decay=0.2, **BETAS), adan, lambda: fn.adan(decaying(0.1))),
    ],
    "nadamw": [
        OptimizerCase(lambda: fn.nadamw(0.1, weight_decay=0.2, **BETAS), nadamw, lambda: fn.nadamw(decaying(0.1), weight_decay=0))
    ],
    "optimistic_sgd": [
        OptimizerCase(lambda: fn.optimistic_sgd(0.1), optimistic_sgd, lambda: fn.optimistic_sgd(0.006), steps=2500)
    ],
    "optimistic_adam": [
        OptimizerCase(lambda: fn.optimistic_adam(0.1, **BETAS), optimistic_adam, lambda: fn.optimistic_adam(decaying(0.1))),
    ],
    "ftrl": [
        OptimizerCase(
            lambda: fn.ftrl(0.1, beta=0.3, l2=0.2, initial_accumulator_value=0.5), ftrl, lambda: fn.ftrl(0.5, beta=0.0)
        ),
        OptimizerCase(
            lambda: fn.ftrl(0.1, beta=0.3, l1=3.0, l2=0.2, initial_accumulator_value=0.5),
            lambda p, grads: ftrl(p, grads, 3.0),
            label="l1",
        ),
    ],
    "novograd": [
        OptimizerCase(
            lambda: fn.novograd(0.1, weight_decay=0.2, **BETAS), novograd, lambda: fn.novograd(decaying(0.05)), elementwise=False
        )
    ],
    "dog": [OptimizerCase(lambda: fn.dog(), converging=lambda: fn.dog(), elementwise=False, close=1e-2)],
    "dowg": [OptimizerCase(lambda: fn.dowg(), converging=lambda: fn.dowg(), elementwise=False, close=1e-2)],
    "prodigy": [
        OptimizerCase(
            lambda: fn.prodigy(0.5, weight_decay=0.2, where=fn.is_matrix, **BETAS),
            converging=lambda: fn.prodigy(decaying(1.0), beta2=0.99),
            elementwise=False,
        )
    ],
    "shampoo": [
        OptimizerCase(lambda: fn.shampoo(0.1, momentum=0.8, every=2), converging=lambda: fn.shampoo(0.2), elementwise=False)
    ],
    "soap": [
        OptimizerCase(
            lambda: fn.soap(0.1, weight_decay=0.2, every=2, **BETAS), converging=lambda: fn.soap(decaying(0.1)), elementwise=False
        )
    ],
    "sm3": [
        OptimizerCase(lambda: fn.sm3(0.1, momentum=0.8, eps=1e-3), sm3, lambda: fn.sm3(0.5), "momentum", elementwise=False),
        OptimizerCase(
            lambda: fn.sm3(0.1, momentum=0.0, eps=1e-3), lambda p, grads: sm3(p, grads, 0.0), label="plain", elementwise=False
        ),
        OptimizerCase(
            lambda: fn.sm3(0.1, momentum=0.8, eps=1e-3, where="nothing at all"),
            lambda p, grads: sm3(p, grads, covered=False),
            label="no covers",
            elementwise=False,
        ),
    ],
    "averaged_sgd": [OptimizerCase(lambda: fn.averaged_sgd(0.1, decay=0.2), averaged_sgd, lambda: fn.averaged_sgd(0.018))],
    "sgld": [
        OptimizerCase(
            lambda: fn.sgld(fn.Key(1), 0.1),
            converging=lambda: fn.sgld(fn.Key(1), decaying(0.02), temperature=0.0),
            elementwise=False,
        )
    ],
    "signum": [
        OptimizerCase(lambda: fn.signum(0.1, momentum=0.8), signum, lambda: fn.signum(decaying(0.05), momentum=0.5), close=1e-3)
    ],
    "sign_sgd": [
        OptimizerCase(lambda: fn.sign_sgd(0.1), sign_sgd, lambda: fn.sign_sgd(decaying(0.05)), close=1e-3),
        OptimizerCase(
            lambda: fn.sign_sgd(0.1, momentum=0.8),
            signum,
            lambda: fn.sign_sgd(decaying(0.05), momentum=0.5),
            "momentum",
            close=1e-3,
        ),
    ],
    "lion": [
        OptimizerCase(
            lambda: fn.lion(0.1, beta1=0.8, beta2=0.9, weight_decay=0.2), lion, lambda: fn.lion(decaying(0.05)), close=1e-3
        ),
        OptimizerCase(
            lambda: fn.lion(0.1, beta1=0.8, beta2=0.9, weight_decay=0.2, where=fn.is_matrix), lion_matrices, label="matrices"
        ),
    ],
    "rprop": [
        OptimizerCase(lambda: fn.rprop(0.1, increase=1.5, min_step_size=0.04, max_step_size=0.3), rprop, lambda: fn.rprop(0.1)),
    ],
    "lars": [
        OptimizerCase(
            lambda: fn.lars(0.1, momentum=0.8, weight_decay=0.2, trust_coefficient=0.5),
            lars,
            lambda: fn.lars(decaying(0.1), trust_coefficient=0.1),
            elementwise=False,
        )
    ],
    "lamb": [
        OptimizerCase(lambda: fn.lamb(0.1, weight_decay=0.2, **BETAS), lamb, lambda: fn.lamb(decaying(0.1)), elementwise=False)
    ],
    "adafactor": [
        OptimizerCase(
            lambda: fn.adafactor(),
            adafactor,
            lambda: fn.adafactor(decaying(0.1), scale_parameter=False),
            elementwise=False,
        )
    ],
    "muon": [
        OptimizerCase(
            lambda: fn.muon(0.1, momentum=0.8, weight_decay=0.2, rest=fn.sgd(0.1)),
            lambda p, grads: muon(p, grads) if p.ndim >= 2 else sgd(p, grads),
            lambda: fn.muon(decaying(0.1), rest=fn.adam(0.1)),
            elementwise=False,
            close=1e-3,
        )
    ],
    "schedule_free": [
        OptimizerCase(
            lambda: fn.schedule_free(0.1, beta=0.8, weight_decay=0.2, warmup_steps=3),
            schedule_free,
            lambda: fn.schedule_free(0.05),
        )
    ],
    "schedule_free_adamw": [
        OptimizerCase(
            lambda: fn.schedule_free_adamw(0.1, weight_decay=0.2, warmup_steps=3, **BETAS),
            schedule_free_adamw,
            lambda: fn.schedule_free_adamw(0.1),
            close=1e-3,
        )
    ],
    "chain": [
        OptimizerCase(
            lambda: fn.chain(fn.clip_by_global_norm(1.0), fn.weight_decay(0.1), fn.gradient_noise(fn.Key(0)), fn.adam(0.1)),
            elementwise=False,
        )
    ],
    "partition": [
        OptimizerCase(lambda: fn.partition((fn.is_matrix, fn.momentum(0.1)), rest=fn.adam(0.1)), elementwise=False),
    ],
    "freeze": [OptimizerCase(lambda: fn.freeze(fn.is_matrix, fn.adam(0.1)), elementwise=False)],
    "ema": [OptimizerCase(lambda: fn.ema(fn.momentum(0.1), 0.9))],
    "polyak": [OptimizerCase(lambda: fn.polyak(fn.momentum(0.1), start=2))],
    "lookahead": [OptimizerCase(lambda: fn.lookahead(fn.adam(0.1), steps=2))],
    "accumulated": [OptimizerCase(lambda: fn.accumulated(fn.adam(0.1), 3))],
    "skip_nonfinite": [OptimizerCase(lambda: fn.skip_nonfinite(fn.adam(0.1)), elementwise=False)],
    "projected": [OptimizerCase(lambda: fn.projected(fn.momentum(0.1), fn.projections.box(-0.5, 0.5), where=fn.is_matrix))],
    "skip_large_updates": [OptimizerCase(lambda: fn.skip_large_updates(fn.adam(0.1), 50.0), elementwise=False)],
    "reduce_on_plateau": [OptimizerCase(lambda: fn.reduce_on_plateau(fn.adam(0.1)))],
}

SHAPES: dict[str, Shape] = {"matrix": (3, 4), "vector": (5,), "number": (), "nothing": (0,), "kernel": (2, 3, 2), "tall": (5, 2)}


def draw(seed: int, dtype: Any = np.float64, zeros: bool = True) -> Any:
    """Draw a tree with a leaf of every kind: a tuple of a dict and an array, with a few exact zeros."""
    generator = np.random.default_rng(seed)
    leaves = {name: generator.normal(size=shape) for name, shape in SHAPES.items()}
    if zeros:
        leaves["vector"] = leaves["vector"] * np.array([1, 0, 1, 1, 1])
    made = {name: np.asarray(leaf).astype(dtype) for name, leaf in leaves.items()}
    return ({name: made[name] for name in ("vector", "matrix", "number", "nothing")}, made["kernel"], ((), made["tall"]))
