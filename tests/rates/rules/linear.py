"""Rules that are linear or bilinear, and those that only move entries."""

from __future__ import annotations

import numpy as np

from funcnn.typing import Array, IntArray
from tests.rates.maths import cos, like, sin
from tests.rates.program import Rule


def unbroadcast(dx: Array, x: Array) -> Array:
    """Return a cotangent summed over the axes along which its array was broadcast."""
    lead = dx.ndim - x.ndim
    dx = dx.sum(axis=tuple(range(lead))) if lead else dx
    axes = tuple(axis for axis, length in enumerate(x.shape) if length == 1 and dx.shape[axis] != 1)
    return np.asarray(dx.sum(axis=axes, keepdims=True) if axes else dx)


ADD = Rule("add", lambda a, b: a + b, lambda xs, y, dy: (unbroadcast(dy, xs[0]), unbroadcast(dy, xs[1])))
SUBTRACT = Rule("subtract", lambda a, b: a - b, lambda xs, y, dy: (unbroadcast(dy, xs[0]), unbroadcast(-dy, xs[1])))
MULTIPLY = Rule(
    "multiply", lambda a, b: a * b, lambda xs, y, dy: (unbroadcast(dy * xs[1], xs[0]), unbroadcast(dy * xs[0], xs[1]))
)


def _quotient_reverse(xs: tuple[Array, ...], y: Array, dy: Array) -> tuple[Array, ...]:
    a, b = xs
    below = 1 + b * b
    return unbroadcast(dy / below, a), unbroadcast(-2 * dy * a * b / below**2, b)


QUOTIENT = Rule("quotient", lambda a, b: a / (1 + b * b), _quotient_reverse)
MATMUL = Rule("matmul", lambda x, w: x @ w, lambda xs, y, dy: (dy @ xs[1].T, xs[0].T @ dy))
TIMES = Rule("times constant", lambda x, w: x @ like(w, x), lambda xs, y, dy, w: (dy @ like(w, dy).T,))
MASK = Rule("mask", lambda x, m: x * like(m, x), lambda xs, y, dy, m: (dy * like(m, dy),))
TRANSPOSE = Rule("transpose", lambda x: x.T.copy(), lambda xs, y, dy: (dy.T.copy(),))
FLIP = Rule("flip", lambda x: x[..., ::-1].copy(), lambda xs, y, dy: (dy[..., ::-1].copy(),))


def _sum_reverse(xs: tuple[Array, ...], y: Array, dy: Array, axis: int | None) -> tuple[Array, ...]:
    wide = dy if axis is None else np.expand_dims(dy, axis)
    return (wide + 0 * xs[0],)


SUM = Rule("sum", lambda x, axis: np.asarray(x.sum(axis=axis)), _sum_reverse)
MEAN = Rule(
    "mean",
    lambda x, axis: np.asarray(x.sum(axis=axis)) / x.shape[axis],
    lambda xs, y, dy, axis: (_sum_reverse(xs, y, dy, axis)[0] / xs[0].shape[axis],),
)


def _cumsum_reverse(xs: tuple[Array, ...], y: Array, dy: Array) -> tuple[Array, ...]:
    return (np.cumsum(dy[..., ::-1], axis=-1)[..., ::-1].copy(),)


CUMSUM = Rule("cumsum", lambda x: np.cumsum(x, axis=-1), _cumsum_reverse)


def _diff_reverse(xs: tuple[Array, ...], y: Array, dy: Array) -> tuple[Array, ...]:
    dx = 0 * xs[0]
    dx[..., 1:] += dy
    dx[..., :-1] -= dy
    return (dx,)


DIFF = Rule("diff", lambda x: x[..., 1:] - x[..., :-1], _diff_reverse)


def _gather_reverse(xs: tuple[Array, ...], y: Array, dy: Array, index: IntArray) -> tuple[Array, ...]:
    dx = 0 * xs[0]
    np.add.at(dx, index, dy)
    return (dx,)


GATHER = Rule("gather", lambda x, index: x[index], _gather_reverse)


def _lookup_reverse(xs: tuple[Array, ...], y: Array, dy: Array) -> tuple[Array, ...]:
    return _gather_reverse(xs[:1], y, dy, xs[1])  # type: ignore[arg-type]  # the second argument is the table's rows


LOOKUP = Rule("lookup", lambda x, index: x[index], _lookup_reverse)


def _concat_reverse(xs: tuple[Array, ...], y: Array, dy: Array) -> tuple[Array, ...]:
    width = xs[0].shape[-1]
    return dy[..., :width].copy(), dy[..., width:].copy()


CONCAT = Rule("concat", lambda a, b: np.concatenate([a, b], axis=-1), _concat_reverse)


def _angles(x: Array, w: Array) -> Array:
    return np.asarray(x[..., None] * like(w, x))


def _encode(x: Array, w: Array) -> Array:
    a = _angles(x, w)
    return np.concatenate([sin(a), cos(a)], axis=-1).reshape(len(x), -1)


def _encode_reverse(xs: tuple[Array, ...], y: Array, dy: Array, w: Array) -> tuple[Array, ...]:
    (x,) = xs
    a = _angles(x, w)
    ds = dy.reshape(*x.shape, 2 * len(w))
    return (((ds[..., : len(w)] * cos(a) - ds[..., len(w) :] * sin(a)) * like(w, x)).sum(axis=-1),)


ENCODE = Rule("encode", _encode, _encode_reverse)
"""The sine and the cosine of each entry times each frequency, as positions are encoded."""


def _convolve(x: Array, kernel: Array) -> Array:
    width = x.shape[-1] - len(kernel) + 1
    total = x[..., :width] * kernel[0]
    for at in range(1, len(kernel)):
        total = total + x[..., at : at + width] * kernel[at]
    return np.asarray(total)


def _convolve_reverse(xs: tuple[Array, ...], y: Array, dy: Array) -> tuple[Array, ...]:
    x, kernel = xs
    width = dy.shape[-1]
    dx, dkernel = 0 * x, 0 * kernel
    for at in range(len(kernel)):
        dx[..., at : at + width] += dy * kernel[at]
        dkernel[at] = (dy * x[..., at : at + width]).sum()
    return dx, dkernel


CONVOLVE = Rule("convolve", _convolve, _convolve_reverse)


def _back(dy: Array, x: Array) -> Array:
    return dy if dy.dtype == object else dy.astype(x.dtype)


TO_SINGLE = Rule("to single", lambda x: x if x.dtype == object else x.astype(np.float32), lambda xs, y, dy: (_back(dy, xs[0]),))
FROM_SINGLE = Rule(
    "from single",
    lambda x, leaf: x if x.dtype == object else x.astype(leaf.dtype),
    lambda xs, y, dy: (_back(dy, xs[0]), 0 * xs[1]),
)
"""Back to the precision of another node, an argument."""
CASTS = (TO_SINGLE, FROM_SINGLE)
