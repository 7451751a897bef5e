"""Mistakes in softmax and attention."""

from __future__ import annotations

import math

import numpy as np

from funcnn.typing import Array
from tests.check.corpus.entry import Grads, normal, uniform, wrong


def softmax_of(x: Array, axis: int = -1) -> Array:
    e = np.exp(x - x.max(axis, keepdims=True))
    y: Array = e / e.sum(axis, keepdims=True)
    return y


def softmax_pull(y: Array, dy: Array, axis: int = -1) -> Array:
    dx: Array = y * (dy - (dy * y).sum(axis, keepdims=True))
    return dx


def softmax(x: Array) -> object:
    return softmax_of(x)


def softmax_vjp(x: Array, dy: Array) -> Grads:
    return (softmax_pull(softmax_of(x), dy),)


@wrong(softmax, (normal(3, 4),), "missing_term", "[0]", right=softmax_vjp)
def softmax_without_sum(x: Array, dy: Array) -> object:
    """The derivative of the normalization is left out: y dy."""
    return (softmax_of(x) * dy,)


@wrong(softmax, (normal(4, 4),), "wrong_axis", "[0]", right=softmax_vjp)
def softmax_sum_over_batch(x: Array, dy: Array) -> object:
    """The correction sums over the batch axis."""
    y = softmax_of(x)
    return (y * (dy - (dy * y).sum(0, keepdims=True)),)


@wrong(softmax, (normal(3, 5),), "missing_term", "[0]", right=softmax_vjp)
def softmax_diagonal(x: Array, dy: Array) -> object:
    """Only the diagonal of the Jacobian: y (1 - y), as for a sigmoid."""
    y = softmax_of(x)
    return (dy * y * (1 - y),)


@wrong(softmax, (normal(2, 3, 4),), "wrong_axis", "[0]", right=softmax_vjp)
def softmax_sum_over_everything(x: Array, dy: Array) -> object:
    """The correction is a sum over the whole array: the axis was forgotten."""
    y = softmax_of(x)
    return (y * (dy - (dy * y).sum()),)


@wrong(softmax, (normal(3, 4),), "ignores_dy", "[0]", right=softmax_vjp)
def softmax_assumes_class_zero(x: Array, dy: Array) -> object:
    """The gradient of the first class's probability, whatever dy is."""
    y = softmax_of(x)
    first = np.zeros_like(y)
    first[:, 0] = 1
    return (softmax_pull(y, first),)


def tempered(x: Array) -> object:
    return softmax_of(x / 2.5)


def tempered_vjp(x: Array, dy: Array) -> Grads:
    return (softmax_pull(softmax_of(x / 2.5), dy) / 2.5,)


@wrong(tempered, (normal(4, 3),), "constant_factor", "[0]", right=tempered_vjp)
def tempered_without_temperature(x: Array, dy: Array) -> object:
    """The temperature is missing in the backward pass."""
    return (softmax_pull(softmax_of(x / 2.5), dy),)


def log_softmax(x: Array) -> object:
    return x - np.logaddexp.reduce(x, axis=-1, keepdims=True)


def log_softmax_vjp(x: Array, dy: Array) -> Grads:
    return (dy - softmax_of(x) * dy.sum(-1, keepdims=True),)


@wrong(log_softmax, (normal(3, 4),), "nonlinear_in_dy", "[0]", right=log_softmax_vjp)
def log_softmax_assumes_unit_sum(x: Array, dy: Array) -> object:
    """dy - y: right only where dy sums to one."""
    return (dy - softmax_of(x),)


@wrong(log_softmax, (normal(4, 4),), "wrong_axis", "[0]", right=log_softmax_vjp)
def log_softmax_axis(x: Array, dy: Array) -> object:
    """The sum of the cotangent runs over the batch."""
    return (dy - softmax_of(x) * dy.sum(0, keepdims=True),)


@wrong(log_softmax, (normal(3, 4),), "sign_flip", "[0]", right=log_softmax_vjp)
def log_softmax_sign(x: Array, dy: Array) -> object:
    """y sum(dy) - dy: the sign of the negative log-likelihood."""
    return (softmax_of(x) * dy.sum(-1, keepdims=True) - dy,)


def attention_of(q: Array, k: Array, v: Array) -> tuple[Array, Array]:
    p = softmax_of(q @ k.swapaxes(-1, -2) / math.sqrt(q.shape[-1]))
    return p, p @ v


def attention(q: Array, k: Array, v: Array) -> object:
    return attention_of(q, k, v)[1]


def attention_vjp(q: Array, k: Array, v: Array, dy: Array) -> Grads:
    p, _ = attention_of(q, k, v)
    ds = softmax_pull(p, dy @ v.swapaxes(-1, -2)) / math.sqrt(q.shape[-1])
    return ds @ k, ds.swapaxes(-1, -2) @ q, p.swapaxes(-1, -2) @ dy


QKV = (normal(2, 3, 4), normal(2, 5, 4), normal(2, 5, 2))
QKV_SQUARE = (normal(2, 3, 3), normal(2, 3, 3, seed=1), normal(2, 3, 3, seed=2))


@wrong(attention, QKV, "constant_factor", "[0]", right=attention_vjp)
def attention_query_scale(q: Array, k: Array, v: Array, dy: Array) -> object:
    """1/sqrt(d) is missing in the query's gradient."""
    dq, dk, dv = attention_vjp(q, k, v, dy)
    return dq * math.sqrt(q.shape[-1]), dk, dv


@wrong(attention, QKV_SQUARE, "swapped_leaf", "[0]", "[1]", right=attention_vjp)
def attention_query_and_key_swapped(q: Array, k: Array, v: Array, dy: Array) -> object:
    """Query and key receive each other's gradient."""
    dq, dk, dv = attention_vjp(q, k, v, dy)
    return dk, dq, dv


@wrong(attention, QKV_SQUARE, "transpose", "[2]", right=attention_vjp)
def attention_value_by_weights(q: Array, k: Array, v: Array, dy: Array) -> object:
    """The value's gradient multiplies by the attention weights, not by their transpose."""
    dq, dk, _ = attention_vjp(q, k, v, dy)
    return dq, dk, attention_of(q, k, v)[0] @ dy


@wrong(attention, QKV, "missing_term", "[0]", "[1]", right=attention_vjp)
def attention_softmax_sum(q: Array, k: Array, v: Array, dy: Array) -> object:
    """The softmax inside forgets its row sum."""
    p, _ = attention_of(q, k, v)
    ds = p * (dy @ v.swapaxes(-1, -2)) / math.sqrt(q.shape[-1])
    return ds @ k, ds.swapaxes(-1, -2) @ q, p.swapaxes(-1, -2) @ dy


@wrong(attention, QKV, "zero_gradient", "[1]", right=attention_vjp)
def attention_key_cached(q: Array, k: Array, v: Array, dy: Array) -> object:
    """The keys come from a cache and get no gradient."""
    dq, _, dv = attention_vjp(q, k, v, dy)
    return dq, np.zeros_like(k), dv


@wrong(attention, QKV, "row_or_column", "[2]", right=attention_vjp)
def attention_value_last_position(q: Array, k: Array, v: Array, dy: Array) -> object:
    """The last key position's value gets no gradient: range(len - 1)."""
    dq, dk, dv = attention_vjp(q, k, v, dy)
    dv[:, -1] = 0
    return dq, dk, dv


def split_heads(x: Array, heads: int) -> Array:
    return x.reshape(*x.shape[:2], heads, -1).swapaxes(1, 2)


def merge_heads(x: Array) -> Array:
    return x.swapaxes(1, 2).reshape(x.shape[0], x.shape[2], -1)


def multi_head(q: Array, k: Array, v: Array) -> object:
    return merge_heads(attention_of(split_heads(q, 2), split_heads(k, 2), split_heads(v, 2))[1])


def multi_head_vjp(q: Array, k: Array, v: Array, dy: Array) -> Grads:
    parts = attention_vjp(split_heads(q, 2), split_heads(k, 2), split_heads(v, 2), split_heads(dy, 2))
    return tuple(merge_heads(part) for part in parts)


MULTI = (normal(2, 3, 4), normal(2, 3, 4, seed=1), normal(2, 3, 4, seed=2))


@wrong(multi_head, MULTI, "permuted", "[2]", right=multi_head_vjp)
def multi_head_merged_without_transpose(q: Array, k: Array, v: Array, dy: Array) -> object:
    """The value's heads are merged by reshape alone."""
    parts = attention_vjp(split_heads(q, 2), split_heads(k, 2), split_heads(v, 2), split_heads(dy, 2))
    return merge_heads(parts[0]), merge_heads(parts[1]), parts[2].reshape(v.shape)


@wrong(multi_head, MULTI, "permuted", "[0]", right=multi_head_vjp)
def multi_head_heads_reversed(q: Array, k: Array, v: Array, dy: Array) -> object:
    """The query's heads come back in the reverse order."""
    parts = attention_vjp(split_heads(q, 2), split_heads(k, 2), split_heads(v, 2), split_heads(dy, 2))
    return merge_heads(parts[0][:, ::-1]), merge_heads(parts[1]), merge_heads(parts[2])


def positions(x: Array, table: Array) -> object:
    return np.sin(x + table)


def positions_vjp(x: Array, table: Array, dy: Array) -> Grads:
    d = dy * np.cos(x + table)
    return d, d.sum(0)


@wrong(positions, (normal(3, 4, 2), normal(4, 2)), "missing_batch_sum", "[1]", right=positions_vjp)
def positions_last_example(x: Array, table: Array, dy: Array) -> object:
    """The table of positions is shared by the batch; only the last example counts."""
    d = dy * np.cos(x + table)
    return d, d[-1].copy()


@wrong(positions, (normal(4, 4, 2), normal(4, 2)), "wrong_axis", "[1]", right=positions_vjp)
def positions_sum_over_time(x: Array, table: Array, dy: Array) -> object:
    """The table's gradient sums over positions instead of examples."""
    d = dy * np.cos(x + table)
    return d, d.sum(1)


def angles(n: int, half: int, like: Array) -> tuple[Array, Array]:
    a = np.arange(n).astype(like.dtype)[:, None] / (np.arange(half).astype(like.dtype) + 1)
    return np.cos(a), np.sin(a)


def rotate(x: Array) -> object:
    c, s = angles(x.shape[1], x.shape[2] // 2, x)
    a, b = np.split(x, 2, axis=-1)
    return np.concatenate([a * c - b * s, a * s + b * c], axis=-1)


def rotate_vjp(x: Array, dy: Array) -> Grads:
    c, s = angles(x.shape[1], x.shape[2] // 2, x)
    a, b = np.split(dy, 2, axis=-1)
    return (np.concatenate([a * c + b * s, b * c - a * s], axis=-1),)


@wrong(rotate, (normal(2, 4, 4),), "transpose", "[0]", right=rotate_vjp)
def rotary_turns_forward(x: Array, dy: Array) -> object:
    """The cotangent is turned forward where it must be turned back."""
    c, s = angles(x.shape[1], x.shape[2] // 2, x)
    a, b = np.split(dy, 2, axis=-1)
    return (np.concatenate([a * c - b * s, a * s + b * c], axis=-1),)


def relative_bias(scores: Array, bias: Array) -> object:
    return softmax_of(scores + bias)


def relative_bias_vjp(scores: Array, bias: Array, dy: Array) -> Grads:
    ds = softmax_pull(softmax_of(scores + bias), dy)
    return ds, ds.sum(0)


@wrong(relative_bias, (normal(3, 4, 4), normal(4, 4)), "transpose", "[1]", right=relative_bias_vjp)
def relative_bias_transposed(scores: Array, bias: Array, dy: Array) -> object:
    """Queries and keys change places in the bias's gradient."""
    ds = softmax_pull(softmax_of(scores + bias), dy)
    return ds, ds.sum(0).T.copy()


def pooled(x: Array, w: Array) -> object:
    p = softmax_of(x @ w, axis=1)
    return (p[:, :, None] * x).sum(1)


def pooled_vjp(x: Array, w: Array, dy: Array) -> Grads:
    p = softmax_of(x @ w, axis=1)
    ds = softmax_pull(p, (x * dy[:, None]).sum(-1), axis=1)
    return p[:, :, None] * dy[:, None] + ds[:, :, None] * w, (ds[:, :, None] * x).sum((0, 1))


@wrong(pooled, (normal(3, 4, 2), uniform(2)), "missing_term", "[0]", right=pooled_vjp)
def pooled_scores_detached(x: Array, w: Array, dy: Array) -> object:
    """The input's path through the attention scores is left out."""
    p = softmax_of(x @ w, axis=1)
    ds = softmax_pull(p, (x * dy[:, None]).sum(-1), axis=1)
    return p[:, :, None] * dy[:, None], (ds[:, :, None] * x).sum((0, 1))
