r"""The scores of attention and their exponentials, a block of queries at a time.

Indices and symbols are those of :mod:`funcnn.kernels.attention`: $s_{ij} = \kappa \sum_k q_{ik} k_{jk} + \beta_{ij}$,
minus infinity where query $i$ may not look at key $j$; the sums $\sum_j e^{s_{ij}}$ and their logarithms $\ell_i$.

Where all scores of a block are small enough, exponentials are taken of the scores as they are, without the largest of the query
subtracted: the weights are their quotient by the sum all the same.  Where scores are beyond the range of numbers, differences of
scores are computed instead.  The bias is kept as its $T + S - 1$ diagonals $\beta_u$; a block of it is a view of them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.lib.stride_tricks import as_strided

from funcnn.kernels.arrays import all_finite, largest_exponent, ones
from funcnn.kernels.attention_blocks import AttentionSpec, Block
from funcnn.kernels.transcendental import exp
from funcnn.typing import Array, BoolArray

Entries = TypeVar("Entries", Array, BoolArray)


def scale(q: Array, rules: AttentionSpec) -> np.floating | float:
    """Return the factor of the scores."""
    if rules.scale is not None:
        return rules.scale
    factor: np.floating = 1 / np.sqrt(q.real.dtype.type(q.shape[-1]))
    return factor


def as_matrix(x: Array) -> Array:
    """Return (b, r T, d) for (b, r, T, d): queries that inv_sum keys are rows of one matrix."""
    return x.reshape(len(x), x.shape[1] * x.shape[2], x.shape[3])


def scaled_queries(q: Array, rules: AttentionSpec, block: Block) -> Array:
    """Return the queries of a block as rows, times the factor of the scores."""
    return as_matrix(q[block.examples, :, block.queries] * scale(q, rules))


def scores(scaled_q: Array, k: Array, rules: AttentionSpec, block: Block) -> Array:
    """Return the scores of a block (b, S', r T'), minus infinity where a query may not look.

    Keys come first because products of a tall matrix with a flat one are the faster ones, and sums over keys products too.
    """
    examples, (count, keys) = block.examples, block.size
    made: Array = np.matmul(k[examples, block.keys], scaled_q.swapaxes(1, 2))
    if rules.soft_cap is not None:
        made = rules.soft_cap * np.tanh(capped_argument(made, scaled_q, k, rules.soft_cap, block))
    square = made.reshape(len(made), keys, -1, count)
    if rules.diagonals is not None:
        square = square + bias_from_diagonals(rules.diagonals, block, k.shape[1])
    if rules.bias is not None:
        square = square + entries_of_block(rules.bias, len(k), block)
    if rules.mask is not None:
        repeats = len(k) // len(rules.mask)
        hidden = ~rules.mask[np.arange(examples.start, examples.stop) // repeats, block.keys]
        square += additive_mask(hidden, made)[..., np.newaxis, np.newaxis]
    if rules.seen is not None:
        square += additive_mask(~entries_of_block(rules.seen, len(k), block), made)
    if rules.window is not None or (rules.causal and not ends_in_a_square(rules, block)):
        square += additive_mask(hidden_by_distance(rules, block), made)[:, np.newaxis]
    elif rules.causal:
        flat = square.reshape(len(made), -1)
        later = causal_mask(count, square.shape[2], made.real.dtype)
        flat[:, -len(later) :] += later
    return square.reshape(made.shape)


def capped_argument(products: Array, scaled_q: Array, k: Array, soft_cap: float, block: Block) -> Array:
    """Return the products of queries and keys divided by the bound, also where the products are beyond the range of numbers."""
    return products / soft_cap if all_finite(products) else far_argument(scaled_q, k[block.examples, block.keys], soft_cap)


def far_argument(scaled_q: Array, k: Array, soft_cap: float) -> Array:
    """Return the same where the products are beyond the range: of numbers divided by powers of 2, then multiplied by them."""
    size, key_size = power_below(scaled_q, -1).swapaxes(1, 2), power_below(k, (1, 2))
    made: Array = np.matmul(k / key_size, scaled_q.swapaxes(1, 2) / size) * (size / soft_cap) * key_size
    return made


def soft_cap_slope(scaled_q: Array, k: Array, soft_cap: float, block: Block) -> Array:
    """Return the derivative (b, S', r T') of capped scores by the products: 1 - tanh^2, with its digits where it is nearly 0."""
    products: Array = np.matmul(k[block.examples, block.keys], scaled_q.swapaxes(1, 2))
    z = capped_argument(products, scaled_q, k, soft_cap, block)
    e = np.exp(np.where(z.real < 0, 2 * z, -2 * z))
    slope: Array = 4 * e / np.square(1 + e)
    return slope


def entries_of_block(table: Entries, count: int, block: Block) -> Entries:
    """Return the entries (b, S', r or 1, T') for a block of a table (B, R or 1, T, S) whose entries serve count / B in a row."""
    rows = np.arange(block.examples.start, block.examples.stop) // (count // len(table))
    chosen: Entries = table[rows, :, block.queries, block.keys].transpose(0, 3, 1, 2)
    return chosen


def ends_in_a_square(rules: AttentionSpec, block: Block) -> bool:
    """Tell whether the last keys of a block stand where its queries do."""
    count, keys = block.size
    return block.keys.stop == block.queries.stop + rules.offset and keys >= count


def hidden_by_distance(rules: AttentionSpec, block: Block) -> BoolArray:
    """Return where key j of a block is too late for query i, or too far away: (S', T')."""
    distance = np.arange(block.keys.start, block.keys.stop)[:, np.newaxis] - rules.offset
    distance = distance - np.arange(block.queries.start, block.queries.stop)
    hidden: BoolArray = distance > 0 if rules.causal else np.zeros(distance.shape, bool)
    if rules.window is not None:
        before, after = rules.window
        hidden = hidden | (distance < -before) | (distance > after)
    return hidden


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


def bias_from_diagonals(diagonals: Array, block: Block, all_keys: int) -> Array:
    """Return the bias (b, S', r, T') of a block: entry (j, i) is at place j - i + T - 1 from the left, so that it is a view."""
    count, keys = block.size
    rows = np.arange(block.examples.start, block.examples.stop) % len(diagonals)
    chosen = np.ascontiguousarray(diagonals[rows][..., ::-1])
    zero = all_keys - 1 + block.queries.start - block.keys.start  # the place, now from the right, of the first query and key
    whole, shared, step = chosen.strides
    shape = (len(chosen), keys, chosen.shape[1], count)
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
        exp(weights, out=weights)
        total = key_sums(weights)
        if total.real.min(initial=np.inf) >= least_sum(weights.dtype):
            return weights, total, np.log(total)
        weights = scores(scaled_q, k, rules, block)
    top = weights.real.max(1)
    if not np.isfinite(top).all() and rules.soft_cap is None and may_overflow(scaled_q, k):
        weights, top = differences(scaled_q, k, rules, block)
    else:
        if rules.may_hide_all:
            top[np.isneginf(top.real)] = 0
        weights -= top[:, np.newaxis]
    exp(weights, out=weights)
    total = key_sums(weights)
    if rules.may_hide_all:  # a query that sees a key has a sum of at least 1
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
    centred_k = k[block.examples, block.keys]
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
