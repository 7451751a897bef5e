"""Rules in which the entries of a row depend on one another: norms, softmax, products, distances, attention."""

from __future__ import annotations

from typing import Any

import numpy as np

from funcnn.typing import Array, IntArray
from tests.rates.maths import exp, log, sqrt
from tests.rates.program import Rule


def _mean(x: Array, axis: int) -> Array:
    return np.asarray(x.sum(axis=axis, keepdims=True) / x.shape[axis])


def _standardize(x: Array, axis: int, eps: float) -> Array:
    c = x - _mean(x, axis)
    return np.asarray(c / sqrt(_mean(c * c, axis) + eps))


def _standardize_reverse(xs: tuple[Array, ...], y: Array, dy: Array, axis: int, eps: float) -> tuple[Array, ...]:
    c = xs[0] - _mean(xs[0], axis)
    root = sqrt(_mean(c * c, axis) + eps)
    return ((dy - _mean(dy, axis) - y * _mean(dy * y, axis)) / root,)


STANDARDIZE = Rule("standardize", _standardize, _standardize_reverse)


def _rms(x: Array, axis: int, eps: float) -> Array:
    return np.asarray(x / sqrt(_mean(x * x, axis) + eps))


def _rms_reverse(xs: tuple[Array, ...], y: Array, dy: Array, axis: int, eps: float) -> tuple[Array, ...]:
    return ((dy - y * _mean(dy * y, axis)) / sqrt(_mean(xs[0] * xs[0], axis) + eps),)


RMS = Rule("rms norm", _rms, _rms_reverse)


def _normalize(x: Array, axis: int, eps: float) -> Array:
    return np.asarray(x / sqrt((x * x).sum(axis=axis, keepdims=True) + eps))


def _normalize_reverse(xs: tuple[Array, ...], y: Array, dy: Array, axis: int, eps: float) -> tuple[Array, ...]:
    (x,) = xs
    root = sqrt((x * x).sum(axis=axis, keepdims=True) + eps)
    return ((dy - y * (dy * y).sum(axis=axis, keepdims=True)) / root,)


NORMALIZE = Rule("unit norm", _normalize, _normalize_reverse)


def _softmax(x: Array, axis: int = -1) -> Array:
    e = exp(x - x.max(axis=axis, keepdims=True))
    return np.asarray(e / e.sum(axis=axis, keepdims=True))


def _softmax_pull(p: Array, dy: Array, axis: int = -1) -> Array:
    return np.asarray(p * (dy - (dy * p).sum(axis=axis, keepdims=True)))


SOFTMAX = Rule("softmax", _softmax, lambda xs, y, dy, axis: (_softmax_pull(y, dy, axis),))


def _logsumexp(x: Array, axis: int) -> Array:
    top = x.max(axis=axis, keepdims=True)
    return np.asarray((top + log(exp(x - top).sum(axis=axis, keepdims=True))).squeeze(axis))


LOGSUMEXP = Rule("log-sum-exp", _logsumexp, lambda xs, y, dy, axis: (np.expand_dims(dy, axis) * _softmax(xs[0], axis),))
LOG_SOFTMAX = Rule(
    "log softmax",
    lambda x: x - np.expand_dims(_logsumexp(x, -1), -1),
    lambda xs, y, dy: (dy - _softmax(xs[0]) * dy.sum(axis=-1, keepdims=True),),
)


def _cross_entropy(x: Array, labels: IntArray) -> Array:
    return np.asarray(_logsumexp(x, -1) - x[np.arange(len(x)), labels])


def _cross_entropy_reverse(xs: tuple[Any, ...], y: Array, dy: Array) -> tuple[Array, ...]:
    x, labels = xs
    dx = _softmax(x)
    rows = np.arange(len(x))
    own = dx[rows, labels]
    # p - 1 of the own class, as minus the sum of the others: where p is nearly 1 that keeps its digits.
    dx[rows, labels] = 0
    dx[rows, labels] = np.where(own > 0.5, -dx.sum(axis=-1), own - 1)
    return (dx * dy[:, None],)


CROSS_ENTROPY = Rule("cross-entropy", _cross_entropy, _cross_entropy_reverse)


def _product_reverse(xs: tuple[Array, ...], y: Array, dy: Array) -> tuple[Array, ...]:
    (x,) = xs
    ones = 1 + 0 * x[..., :1]
    before = np.concatenate([ones, np.cumprod(x[..., :-1], axis=-1)], axis=-1)
    after = np.concatenate([np.cumprod(x[..., :0:-1], axis=-1)[..., ::-1], ones], axis=-1)
    return (dy[..., None] * before * after,)


PRODUCT = Rule("product", lambda x: np.asarray(x.prod(axis=-1)), _product_reverse)
"""The product of each row; a zero spoils nothing, since the others are multiplied and nothing is divided."""


def _attention(q: Array, k: Array, v: Array) -> Array:
    return _softmax(q @ k.T / q.shape[-1] ** 0.5) @ v


def _attention_reverse(xs: tuple[Array, ...], y: Array, dy: Array) -> tuple[Array, ...]:
    q, k, v = xs
    p = _softmax(q @ k.T / q.shape[-1] ** 0.5)
    ds = _softmax_pull(p, dy @ v.T) / q.shape[-1] ** 0.5
    return ds @ k, ds.T @ q, p.T @ dy


ATTENTION = Rule("attention", _attention, _attention_reverse)


def _distances(x: Array, c: Array, eps: float) -> Array:
    gap = x[:, None] - c[None]
    return np.asarray(sqrt((gap * gap).sum(axis=-1) + eps))


def _distances_reverse(xs: tuple[Array, ...], y: Array, dy: Array, eps: float) -> tuple[Array, ...]:
    x, c = xs
    pull = (dy / y)[..., None] * (x[:, None] - c[None])
    return pull.sum(axis=1), -pull.sum(axis=0)


DISTANCES = Rule("distances", _distances, _distances_reverse)


def _shares(x: Array, top: Array, shared: bool) -> Array:
    """Return how a maximum's cotangent is dealt out: to its first place, or in equal parts to all."""
    winners = x == top
    if not shared:
        winners = winners & (np.cumsum(winners, axis=-1) == 1)
    part = 0 * x
    part[winners] = 1
    return np.asarray(part / part.sum(axis=-1, keepdims=True))


def _maximum_reverse(xs: tuple[Array, ...], y: Array, dy: Array, shared: bool) -> tuple[Array, ...]:
    return (_shares(xs[0], y[..., None], shared) * dy[..., None],)


MAXIMUM = Rule("max", lambda x, shared: np.asarray(x.max(axis=-1)), _maximum_reverse)


def _larger_reverse(xs: tuple[Array, ...], y: Array, dy: Array, at_tie: float) -> tuple[Array, ...]:
    a, b = xs
    first: Array = np.where(a > b, 1 + 0 * a, np.where(a == b, at_tie + 0 * a, 0 * a))
    return dy * first, dy * (1 - first)


def _smaller_reverse(xs: tuple[Array, ...], y: Array, dy: Array, at_tie: float) -> tuple[Array, ...]:
    return _larger_reverse(xs[::-1], y, dy, at_tie)


LARGER = Rule("maximum", lambda a, b, at_tie: np.asarray(np.where(a >= b, a, b)), _larger_reverse)
SMALLER = Rule("minimum", lambda a, b, at_tie: np.asarray(np.where(a <= b, a, b)), _smaller_reverse)


def _order(x: Array, count: int) -> IntArray:
    return np.argsort(-x, axis=-1, kind="stable")[..., :count]


def _top_reverse(xs: tuple[Array, ...], y: Array, dy: Array, count: int) -> tuple[Array, ...]:
    dx = 0 * xs[0]
    np.put_along_axis(dx, _order(xs[0], count), dy, axis=-1)
    return (dx,)


TOP = Rule("top", lambda x, count: np.take_along_axis(x, _order(x, count), axis=-1), _top_reverse)
"""The largest entries of each row in falling order; as many as the row is long: a sort."""


def _pool_reverse(xs: tuple[Array, ...], y: Array, dy: Array) -> tuple[Array, ...]:
    pairs = xs[0].reshape(*xs[0].shape[:-1], -1, 2)
    return ((_shares(pairs, y[..., None], False) * dy[..., None]).reshape(xs[0].shape),)


POOL = Rule("pool", lambda x: x.reshape(*x.shape[:-1], -1, 2).max(axis=-1), _pool_reverse)
