r"""Scaled dot-product attention (Vaswani et al. 2017, arXiv:1706.03762, eq. 1), in memory linear in the length of the sequences.

Indices: $b$ example and key head, $r$ query head that shares this key head, $i$ query of $T$, $j$ key of $S$, $k$ feature of
$d$.  $b$ and $r$ are left out of the formulas.

Forward.  With a score $s_{ij}$ for each query and key, a bias $\beta$ that depends on their distance alone, and the set
$A_i$ of keys that query $i$ may look at (not those of the padding; if *causal*, only $j \le i$):
$$ s_{ij} = \frac{1}{\sqrt d} \sum_k q_{ik} k_{jk} + \beta_{j-i}, \qquad \ell_i = \ln \sum_{j \in A_i} e^{s_{ij}}, \qquad
   p_{ij} = [j \in A_i]\, e^{s_{ij} - \ell_i}, \qquad o_{ik} = \sum_j m_{ij}\, p_{ij}\, v_{jk} . $$
$m_{ij}$ is the factor of dropout: 1 in evaluation.  A query without any key gives 0.

Derivation.  From $\mathrm{d}\ell_i = \sum_j p_{ij}\,\mathrm{d}s_{ij}$ follows
$\mathrm{d}p_{ij} = p_{ij}\,(\mathrm{d}s_{ij} - \sum_l p_{il}\,\mathrm{d}s_{il})$, and $o$ is bilinear in $p$ and $v$:
$$ \bar v_{jk} = \sum_i m_{ij} p_{ij}\, \bar o_{ik}, \qquad \bar p_{ij} = m_{ij} \sum_k \bar o_{ik} v_{jk}, \qquad
   \bar s_{ij} = p_{ij}\,\Big(\bar p_{ij} - \sum_l p_{il}\, \bar p_{il}\Big) . $$
Scores are bilinear in $q$ and $k$:
$$ \bar q_{ik} = \frac{1}{\sqrt d} \sum_j \bar s_{ij} k_{jk}, \qquad \bar k_{jk} = \frac{1}{\sqrt d} \sum_i \bar s_{ij} q_{ik},
   \qquad \bar\beta_u = \sum_{j - i = u} \bar s_{ij} , $$
where $k$ and $v$, which several query heads share, collect the sum over $r$.

Digits.  The weights of a query sum to 1, and so the cotangents $\bar s_{ij}$ sum to 0: it changes nothing to subtract one vector
from all keys or, without dropout, from all values, or one number from all $\bar p_{ij}$ of a query.  Where keys or values are
nearly alike, or one weight is nearly 1, differences would cancel; so keys and values are centred in backward, and where one
weight is more than a half, its $\bar p_{im}$ is subtracted first: otherwise that would gain one bit at most.  Where all scores
of a block are small enough, exponentials are taken of the scores as they are, without the largest of the query subtracted:
$p$ is their quotient by the sum all the same.

Memory and time.  Scores are computed for a block of queries at a time, small enough for the cache, against all keys that these
queries may look at.  Where there is much to do the $b$ are divided among threads, which changes no number.  Backward computes
them again and needs $\ell_i$ for that, one number for each query; it multiplies the rows of $\bar o$ by $e^{-\ell_i}$, which is
less work than to subtract $\ell_i$ from all scores.  The bias is kept as its $T + S - 1$ diagonals $\beta_u$; a
block of it is a view of them.  Random factors of dropout are drawn again too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import lru_cache, partial

import numpy as np
from attrs import frozen
from numpy.lib.stride_tricks import as_strided

from funcnn.kernels.arrays import largest_exponent, mean_weights, ones
from funcnn.key import Key
from funcnn.runtime.records import fast_init
from funcnn.runtime.threads import parallel_for
from funcnn.typing import Array, BoolArray, Shape

SCORES_PER_BLOCK = 1 << 17
"""How many scores are computed at a time, unless that makes fewer rows than these: half a megabyte of float32."""
MIN_QUERIES_PER_BLOCK = 128
"""Queries of a block, however many keys there are: matrix products of fewer rows waste time, and more of them waste what
causality saves."""
MIN_SCORES_PER_THREAD = 1 << 18
"""From how many scores on a thread of their own pays: a millisecond of work."""


@fast_init
@frozen(eq=False)
class AttentionSpec:
    """What decides the weights besides queries and keys."""

    causal: bool = False
    mask: BoolArray | None = None
    """(B, S), false where a key is hidden from all queries; B divides the number of b, each entry serving as many in a row."""
    diagonals: Array | None = None
    """(G, R, T + S - 1), the bias of distance u - (T - 1) at place u; b takes entry b modulo G."""
    dropout: float = 0.0
    key: Key | None = None
    """The key of dropout; None in evaluation."""
    skip: int = 0
    """How many random numbers belong to examples before the first, in other parts of the batch."""
    block_rows: int | None = None
    """How many queries are treated at a time, also of several examples that have no more; None for as many as fit the cache."""


@fast_init
@frozen(eq=False)
class Block:
    """Some queries of some examples, and the keys that they may look at: the first so many."""

    examples: slice
    queries: slice
    keys: int


@frozen
class Sizes:
    """How scores are divided into blocks."""

    rows: int
    """Queries of an example that are treated at a time."""
    group: int
    """Examples that are, where they have fewer queries than that."""
    groups: int
    """How many such groups there are: what threads divide among each other."""


@lru_cache(maxsize=64)
def sizes(queries: Shape, keys: int, block_rows: int | None) -> Sizes:
    """Return the sizes of blocks for queries (b, r, T) and so many keys: scores that fit the cache, but not too few rows."""
    count, shared, steps = queries
    rows = block_rows or max(MIN_QUERIES_PER_BLOCK, SCORES_PER_BLOCK // max(1, shared * keys))
    group = max(1, rows // max(1, steps))
    return Sizes(rows, group, -(-count // group))


def blocks(q: Array, k: Array, rules: AttentionSpec, part: slice) -> Iterator[Block]:
    """Yield blocks that cover all scores (b, r, i, j) of some groups of examples, but those that causality forbids."""
    queries, keys = q.shape[2], k.shape[1]
    size = sizes(q.shape[:3], keys, rules.block_rows)
    for index in range(part.start, part.stop):
        examples = slice(index * size.group, min((index + 1) * size.group, len(q)))
        for first in range(0, queries, size.rows):
            last = min(first + size.rows, queries)
            yield Block(examples, slice(first, last), last if rules.causal else keys)


@lru_cache(maxsize=64)
def thread_count(queries: Shape, keys: int) -> int:
    """Return how many threads pay for queries (b, r, T) and so many keys."""
    return min(queries[0], math.prod(queries) * keys // MIN_SCORES_PER_THREAD)


def parallel_over_groups(q: Array, k: Array, rules: AttentionSpec, work: Callable[[slice], None]) -> None:
    """Call a function for all groups of examples, divided among threads; in order where random numbers are drawn."""
    threads = 1 if rules.key else thread_count(q.shape[:3], k.shape[1])
    parallel_for(sizes(q.shape[:3], k.shape[1], rules.block_rows).groups, threads, work)


def scale(q: Array) -> np.floating:
    """Return the factor of the scores."""
    factor: np.floating = 1 / np.sqrt(q.real.dtype.type(q.shape[-1]))
    return factor


def attend(q: Array, k: Array, v: Array, rules: AttentionSpec) -> tuple[Array, Array]:
    """Return the output and the logarithm of the sum of exponentials of every query.

    Parameters
    ----------
    q : array (b, r, T, d)
        Queries; the r of one b share its keys and values.
    k, v : array (b, S, d), (b, S, e)
    rules : Rules

    Returns
    -------
    output : array (b, r, T, e)
    logsumexp : array (b, r, T)
        Infinite where a query may look at no key.
    """
    count, shared, steps, _ = q.shape
    kind = np.result_type(q, k, v)
    # With the steps first in memory the heads of one example stand beside one another, as the next layer wants them.
    output: Array = np.empty((steps, count, shared, v.shape[-1]), kind).transpose(1, 2, 0, 3)
    logsumexp: Array = np.empty(q.shape[:-1], kind)
    parallel_over_groups(q, k, rules, partial(attend_block, q, k, v, rules, output, logsumexp))
    return output, logsumexp


def attend_block(q: Array, k: Array, v: Array, rules: AttentionSpec, output: Array, logsumexp: Array, part: slice) -> None:
    """Fill in a part of the output and of the logarithms."""
    generator = None if rules.key is None else rules.key.generator(rules.skip)
    for block in blocks(q, k, rules, part):
        weights, total, log = exponentials(scaled_queries(q, block), k, rules, block)
        place = block.examples, slice(None), block.queries
        shape = output[place].shape
        logsumexp[place] = log.reshape(shape[:-1])
        if generator is not None:
            weights *= dropout_factors(generator, rules.dropout, weights)
        made = np.matmul(weights.swapaxes(1, 2), v[block.examples, : block.keys])
        if (rules.causal or rules.mask is not None) and not math.isfinite(made.real.ravel().dot(made.real.ravel())):
            made = weighted_sums(weights, v[block.examples, : block.keys])
        np.divide(made.reshape(shape), total.reshape(*shape[:-1], 1), out=output[place])


def exponentials(asked: Array, k: Array, rules: AttentionSpec, block: Block) -> tuple[Array, Array, Array]:
    """Return the weights (b, S', r T') of a block times numbers (b, r T'), these numbers, and the logarithms of the sums.

    The numbers are the sums of the exponentials of the scores, where neither these nor the sums are too large or too small;
    otherwise the largest score of each query is subtracted first.
    """
    weights = scores(asked, k, rules, block)
    far = far_exponent(weights.dtype)
    if weights.real.max(initial=-np.inf) <= far:
        np.exp(weights, out=weights)
        total = key_sums(weights)
        if total.real.min(initial=np.inf) >= least_sum(weights.dtype):
            return weights, total, np.log(total)
        weights = scores(asked, k, rules, block)
    top = weights.real.max(1)
    if not np.isfinite(top).all() and may_overflow(asked, k):
        weights, top = differences(asked, k, rules, block)
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


def may_overflow(asked: Array, k: Array) -> bool:
    """Tell whether scores of queries and keys may be beyond the range of numbers, or some of these are no numbers."""
    largest = float(np.abs(asked.real).max(initial=0)) * float(np.abs(k.real).max(initial=0)) * k.shape[-1]
    return not largest < float(np.finfo(k.real.dtype).max)


def differences(asked: Array, k: Array, rules: AttentionSpec, block: Block) -> tuple[Array, Array]:
    """Return the scores of a block less the largest of each query, and this one, where scores are beyond the range of numbers.

    Queries and keys are divided by powers of 2 that are about as large as they are, and differences are multiplied by them.  What
    a query may not look at is left out, and not added to: it may be no number.
    """
    near = k[block.examples, : block.keys]
    kind = np.result_type(asked, k)
    size = power_below(asked, -1).swapaxes(1, 2)
    key_size = power_below(near, (1, 2))
    added = scores(np.zeros_like(asked), np.zeros_like(k), rules, block)  # the bias, and minus infinity where nothing is seen
    made: Array = np.matmul(near / key_size, asked.swapaxes(1, 2) / size)
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


def weighted_sums(weights: Array, v: Array) -> Array:
    """Return the sums (b, n, e) of values (b, S', e) by weights (b, S', n); a value of weight 0 may be no number."""
    finite = np.isfinite(v)
    sums: Array = np.matmul(weights.swapaxes(1, 2), np.where(finite, v, v.dtype.type(0)))
    for place in np.flatnonzero(~finite.all((0, 2))):
        weight = weights[:, place, :, np.newaxis]
        value = np.where(finite[:, place], v.dtype.type(0), v[:, place])[:, np.newaxis]
        sums += np.where(weight == 0, v.dtype.type(0), weight * value)
    return sums


def key_means(v: Array) -> Array:
    """Return the means (b, 1, e) over the keys of (b, S, e)."""
    means: Array = np.matmul(mean_weights(v.shape[1], v.dtype), v)
    return means[:, np.newaxis]


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


def attend_backward(
    q: Array, k: Array, v: Array, rules: AttentionSpec, logsumexp: Array, doutput: Array
) -> tuple[Array, Array, Array, Array | None]:
    """Return the cotangents of q, k, v and the diagonals (None if there are none).

    Parameters
    ----------
    q, k, v, rules
        As in :func:`attend`.
    logsumexp : array (b, r, T)
        From there.
    doutput : array (b, r, T, e)
    """
    dtype = np.result_type(q, k, v, doutput)
    dq: Array = np.empty(q.shape, dtype)
    dk: Array = np.zeros(k.shape, dtype)
    dv: Array = np.zeros(v.shape, dtype)
    ddiagonals: Array | None = None
    if rules.diagonals is not None:
        ddiagonals = np.zeros((*q.shape[:2], rules.diagonals.shape[-1]), dtype)
    # Cotangents of a query's scores sum to 0, so that a shift of all keys changes nothing, and near 0 they lose fewer digits.
    near = k - k[:, :1]
    values = v - key_means(v) if rules.key is None else v
    given = BackwardInputs(q, k, near, values, logsumexp, doutput)
    parallel_over_groups(q, k, rules, partial(attend_backward_block, given, rules, BackwardOutputs(dq, dk, dv, ddiagonals)))
    if ddiagonals is not None and rules.diagonals is not None:
        ddiagonals = ddiagonals.reshape(-1, *rules.diagonals.shape).sum(0)
    return dq, dk, dv, ddiagonals


@frozen(eq=False)
class BackwardInputs:
    """What the cotangents of a block are made of."""

    q: Array
    k: Array
    near: Array
    """The keys, less the first one."""
    values: Array
    """The values, less their mean where no weight is dropped."""
    logsumexp: Array
    doutput: Array


@frozen(eq=False)
class BackwardOutputs:
    """The cotangents, which blocks fill in."""

    dq: Array
    dk: Array
    dv: Array
    ddiagonals: Array | None


def attend_backward_block(given: BackwardInputs, rules: AttentionSpec, made: BackwardOutputs, part: slice) -> None:
    """Fill in the cotangents of some groups of examples."""
    q, k, near, values, logsumexp = given.q, given.k, given.near, given.values, given.logsumexp
    dq, dk, dv, ddiagonals = made.dq, made.dk, made.dv, made.ddiagonals
    queries = q.shape[2]
    generator = None if rules.key is None else rules.key.generator(rules.skip)
    for block in blocks(q, k, rules, part):
        examples, keys = block.examples, block.keys
        place = examples, slice(None), block.queries
        asked = scaled_queries(q, block)
        weights = scores(asked, k, rules, block)
        dy = as_matrix(given.doutput[place])
        log = logsumexp[place].reshape(dy.shape[:2])
        largest = np.abs(log.real).max(initial=0)
        if not largest < np.inf and may_overflow(asked, k):
            weights, total, _ = exponentials(asked, k, rules, block)
            share = 1 / total
        else:
            if not largest <= far_exponent(log.dtype):  # also where one of another example is not a number
                weights -= log[:, np.newaxis]
                log = np.zeros_like(log)
            np.exp(weights, out=weights)
            share = np.exp(-log)  # the weights times this are p
        dy = dy * share[..., np.newaxis]
        dscores = np.matmul(values[examples, :keys], dy.swapaxes(1, 2))  # also times this
        if generator is None:
            dv[examples, :keys] += np.matmul(weights, dy)
        else:
            factors = dropout_factors(generator, rules.dropout, weights)
            dv[examples, :keys] += np.matmul(weights * factors, dy)
            dscores *= factors
        subtract_at_half(dscores, weights, share)
        dscores *= weights
        weights *= (key_sums(dscores) * share)[:, np.newaxis]
        dscores -= weights
        dq[place] = (np.matmul(dscores.swapaxes(1, 2), near[examples, :keys]) * scale(q)).reshape(dq[place].shape)
        dk[examples, :keys] += np.matmul(dscores, asked)
        if ddiagonals is not None:
            square = dscores.reshape(len(dy), keys, q.shape[1], -1).transpose(0, 2, 3, 1)
            sums = diagonal_sums(square)
            begin = queries - block.queries.stop
            ddiagonals[examples, :, begin : begin + sums.shape[-1]] += sums


def subtract_at_half(dscores: Array, weights: Array, share: Array) -> None:
    """Subtract from all cotangents of a query's weights, in place, that of the weight which makes up more than half, if any."""
    half = 0.5 / share.real
    if weights.real.max(initial=0) <= half.min(initial=np.inf):
        return
    places = np.flatnonzero(weights.real > half[:, np.newaxis])  # of three axes np.nonzero takes twenty times longer
    _, keys, queries = weights.shape
    base = np.zeros_like(share)
    base[places // (keys * queries), places % queries] = dscores.ravel()[places]
    dscores -= base[:, np.newaxis]


def as_matrix(x: Array) -> Array:
    """Return (b, r T, d) for (b, r, T, d): queries that share keys are rows of one matrix."""
    return x.reshape(len(x), x.shape[1] * x.shape[2], x.shape[3])


def scaled_queries(q: Array, block: Block) -> Array:
    """Return the queries of a block as rows, times the factor of the scores."""
    return as_matrix(q[block.examples, :, block.queries] * scale(q))


def scores(asked: Array, k: Array, rules: AttentionSpec, block: Block) -> Array:
    """Return the scores of a block (b, S', r T'), minus infinity where a query may not look.

    Keys come first because products of a tall matrix with a flat one are the faster ones, and sums over keys products too.
    """
    examples, queries, keys = block.examples, block.queries, block.keys
    made: Array = np.matmul(k[examples, :keys], asked.swapaxes(1, 2))
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


def dropout_factors(generator: np.random.Generator, rate: float, like: Array) -> Array:
    """Return the factors of dropout: 0 with the given probability, otherwise what keeps the expectation."""
    factors = (generator.random(like.shape, dtype=np.float32) >= rate).astype(like.real.dtype)
    factors *= 1 / (1 - rate)
    return factors


def plain_attend(q: Array, k: Array, v: Array, rules: AttentionSpec) -> Array:
    """Return the output of :func:`attend` by the formula as it stands, without dropout: all scores at once, softmax, product."""
    queries, keys = q.shape[2], k.shape[1]
    distance = np.arange(keys) - np.arange(queries)[:, np.newaxis]
    s = np.einsum("brik,bjk->brij", q, k) * scale(q)
    if rules.diagonals is not None:
        s = s + np.tile(rules.diagonals[..., distance + queries - 1], (len(q) // len(rules.diagonals), 1, 1, 1))
    allowed = np.broadcast_to(distance <= 0 if rules.causal else np.True_, s.shape)
    if rules.mask is not None:
        allowed = allowed & np.repeat(rules.mask, len(q) // len(rules.mask), axis=0)[:, np.newaxis, np.newaxis]
    s = np.where(allowed, s, -np.inf)
    top: Array = np.real(s).max(-1, keepdims=True)
    e = np.where(allowed, np.exp(s - np.where(np.isneginf(top), 0, top)), 0)
    total = e.sum(-1, keepdims=True)
    output: Array = np.einsum("brij,bjk->brik", e / np.where(total == 0, 1, total), v)
    return output
