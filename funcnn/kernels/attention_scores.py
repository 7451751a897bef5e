r"""The scores of attention and their exponentials, a block of queries at a time.

Indices and symbols are those of :mod:`funcnn.kernels.attention`: $s_{ij} = \frac{1}{\sqrt d} \sum_k q_{ik} k_{jk} + \beta_{j-i}$,
minus infinity where query $i$ may not look at key $j$; the sums $\sum_j e^{s_{ij}}$ and their logarithms $\ell_i$.

Where all scores of a block are small enough, exponentials are taken of the scores as they are, without the largest of the query
subtracted: the weights are their quotient by the sum all the same.  Where scores are beyond the range of numbers, differences of
scores are computed instead.  The bias is kept as its $T + S - 1$ diagonals $\beta_u$; a block of it is a view of them.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import as_strided

from funcnn.kernels.arrays import largest_exponent, ones
from funcnn.kernels.attention_blocks import AttentionSpec, Block
from funcnn.typing import Array, BoolArray


def scale(q: Array) -> np.floating:
    """Return the factor of the scores."""
    factor: np.floating = 1 / np.sqrt(q.real.dtype.type(q.shape[-1]))
    return factor


def as_matrix(x: Array) -> Array:
    """Return (b, r T, d) for (b, r, T, d): queries that inv_sum keys are rows of one matrix."""
    return x.reshape(len(x), x.shape[1] * x.shape[2], x.shape[3])


def scaled_queries(q: Array, block: Block) -> Array:
    """Return the queries of a block as rows, times the factor of the scores."""
    return as_matrix(q[block.examples, :, block.queries] * scale(q))


def scores(scaled_q: Array, k: Array, rules: AttentionSpec, block: Block) -> Array:
    """Return the scores of a block (b, S', r T'), minus infinity where a query may not look.

    Keys come first because products of a tall matrix with a flat one are the faster ones, and sums over keys products too.
    """
    examples, queries, keys = block.examples, block.queries, block.keys
    made: Array = np.matmul(k[examples, :keys], scaled_q.swapaxes(1, 2))
    count = queries.stop - queries.start
    square = made.reshape(len(made), keys, -1, count)
    if rules.diagonals is not None:
        square = square + bias_from_diagonals(rules.diagonals, examples, queries, keys, k.shape[1])
    if rules.mask is not None:
        repeats = len(k) // len(rules.mask)
        hidden = ~rules.mask[np.arange(examples.start, examples.stop) // repeats, :keys]
        square += additive_mask(hidden, made)[..., np.newaxis, np.newaxis]
    flat = square.reshape(len(made), -1)
    if rules.causal:
        later = causal_mask(count, square.shape[2], made.real.dtype)
        flat[:, -len(later) :] += later
    return flat.reshape(made.shape)


@lru_cache(maxsize=4)
def causal_mask(count: int, shared: int, dtype: np.dtype[np.floating]) -> Array:
    """Return minus infinity where key j comes after query i of a square (j, r, i), as one long row, and 0 elsewhere.

    It is the same read-only array every time.
    """
    square = np.tril(np.full((count, count), -np.inf, dtype), -1)
    row: Array = np.repeat(square[:, np.newaxis], shared, axis=1).reshape(-1)
    row.setflags(write=False)
    return row


def additive_mask(hidden: BoolArray, like: Array) -> Array:
    """Return minus infinity where something is hidden and 0 elsewhere: to be added, which is faster than choosing."""
    made: Array = np.zeros(hidden.shape, like.real.dtype)
    made[hidden] = -np.inf
    return made


def bias_from_diagonals(diagonals: Array, examples: slice, queries: slice, keys: int, all_keys: int) -> Array:
    """Return the bias (b, S', r, T') of a block: entry (j, i) is at place j - i + T - 1 from the left, so that it is a view."""
    chosen = np.ascontiguousarray(diagonals[np.arange(examples.start, examples.stop) % len(diagonals)][..., ::-1])
    zero = all_keys - 1 + queries.start  # the place, now from the right, of the first query and the first key
    whole, shared, step = chosen.strides
    shape = (len(chosen), keys, chosen.shape[1], queries.stop - queries.start)
    return as_strided(chosen[..., zero:], shape, (whole, -step, shared, step), writeable=False)


def diagonal_sums(square: Array) -> Array:
    """Return the sums (b, r, T + S - 1) of the diagonals of matrices (b, r, T, S), from the lower left to the upper right.

    Rows that are T + S long, read as if they were T + S - 1 long, are each shifted by one against the row before.
    """
    count, shared, height, width = square.shape
    wide: Array = np.zeros((count, shared, height, height + width), square.dtype)
    wide[..., :width] = square[:, :, ::-1]
    sheared = wide.reshape(count, shared, -1)[..., : height * (height + width - 1)]
    sums: Array = sheared.reshape(count, shared, height, height + width - 1).sum(2)
    return sums


def exponentials(scaled_q: Array, k: Array, rules: AttentionSpec, block: Block) -> tuple[Array, Array, Array]:
    """Return the weights (b, S', r T') of a block times numbers (b, r T'), these numbers, and the logarithms of the sums.

    The numbers are the sums of the exponentials of the scores, where neither these nor the sums are too large or too small;
    otherwise the largest score of each query is subtracted first.
    """
    weights = scores(scaled_q, k, rules, block)
    far = far_exponent(weights.dtype)
    if weights.real.max(initial=-np.inf) <= far:
        np.exp(weights, out=weights)
        total = key_sums(weights)
        if total.real.min(initial=np.inf) >= least_sum(weights.dtype):
            return weights, total, np.log(total)
        weights = scores(scaled_q, k, rules, block)
    top = weights.real.max(1)
    if not np.isfinite(top).all() and may_overflow(scaled_q, k):
        weights, top = differences(scaled_q, k, rules, block)
    else:
        if rules.mask is not None:
            top[np.isneginf(top)] = 0
        weights -= top[:, np.newaxis]
    np.exp(weights, out=weights)
    total = key_sums(weights)
    if rules.mask is not None:  # a query that sees a key has a sum of at least 1
        empty = total == 0
        total[empty] = 1
        top[empty] = np.inf
    return weights, total, top + np.log(total)


@lru_cache(maxsize=16)
def far_exponent(dtype: np.dtype[np.floating]) -> int:
    """Return half the largest exponent: with scores up to there neither a sum of exponentials overflows nor their products."""
    return largest_exponent(dtype) // 2


@lru_cache(maxsize=16)
def least_sum(dtype: np.dtype[np.floating]) -> np.floating:
    """Return the exponential of minus that."""
    least: np.floating = np.exp(-np.finfo(dtype).dtype.type(far_exponent(dtype)))
    return least


def key_sums(weights: Array) -> Array:
    """Return the sums (b, n) over the keys of (b, S', n)."""
    sums: Array = np.matmul(ones(weights.shape[1], weights.dtype), weights)
    return sums


def may_overflow(scaled_q: Array, k: Array) -> bool:
    """Tell whether scores of queries and keys may be beyond the range of numbers, or some of these are no numbers."""
    largest = float(np.abs(scaled_q.real).max(initial=0)) * float(np.abs(k.real).max(initial=0)) * k.shape[-1]
    return not largest < float(np.finfo(k.real.dtype).max)


def differences(scaled_q: Array, k: Array, rules: AttentionSpec, block: Block) -> tuple[Array, Array]:
    """Return the scores of a block less the largest of each query, and this one, where scores are beyond the range of numbers.

    Queries and keys are divided by powers of 2 that are about as large as they are, and differences are multiplied by them.  What
    a query may not look at is left out, and not added to: it may be no number.
    """
    centred_k = k[block.examples, : block.keys]
    kind = np.result_type(scaled_q, k)
    size = power_below(scaled_q, -1).swapaxes(1, 2)
    key_size = power_below(centred_k, (1, 2))
    added = scores(np.zeros_like(scaled_q), np.zeros_like(k), rules, block)  # the bias, and minus infinity where nothing is seen
    made: Array = np.matmul(centred_k / key_size, scaled_q.swapaxes(1, 2) / size)
    made = np.where(np.isneginf(added.real), kind.type(-np.inf), made + added / size / key_size)
    top = made.real.max(1)
    made -= np.where(np.isneginf(top), 0, top)[:, np.newaxis]
    made *= size
    made *= key_size
    return made, top * size[:, 0] * key_size[:, 0]


def power_below(x: Array, axis: int | tuple[int, ...]) -> Array:
    """Return the power of 2 below the largest finite number along some axes, which are kept; at least 1."""
    size = np.abs(x.real)
    largest = np.where(np.isfinite(size), size, 0).max(axis, initial=1, keepdims=True)
    power: Array = np.ldexp(np.ones_like(largest), np.frexp(largest)[1] - 1)
    return power
