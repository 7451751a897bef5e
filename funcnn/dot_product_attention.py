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
nearly alike, or one weight is nearly 1, differences would cancel; so keys and values are centred in backward, and
$\bar p_{im}$ of the largest weight is subtracted first.

Memory and time. Scores are computed for a block of queries at a time, small enough for the cache, against all keys that these
queries may look at. Where there is much to do the $b$ are divided among threads, which changes no number. Backward computes
them again and needs $\ell_i$ for that, one number for each query. The bias is kept as its $T + S - 1$ diagonals $\beta_u$; a
block of it is a view of them. Random factors of dropout are drawn again too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache, partial

import numpy as np
from attrs import evolve, frozen
from numpy.lib.stride_tricks import as_strided

from funcnn.key import Key
from funcnn.layer import Mode, Train
from funcnn.numerics import ones
from funcnn.threads import divide
from funcnn.typing import Array, BoolArray, IntArray, Shape

BLOCK = 1 << 17
"""How many scores are computed at a time: half a megabyte of float32."""
LEAST_SHARE = 1 << 18
"""How many scores make a thread of their own worth while: half a millisecond of work."""
LEAST_ROWS = 64
"""Queries of a block, however many keys there are: matrix products of fewer rows waste time."""


@frozen(eq=False)
class Rules:
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
    """How many queries of one example are treated at a time; None for as many as fit the cache, also of several examples."""


@frozen(eq=False)
class Block:
    """Some queries of some examples, and the keys that they may look at: the first so many."""

    examples: slice
    queries: slice
    keys: int


def blocks(q: Array, k: Array, rules: Rules, part: slice) -> Iterator[Block]:
    """Yield blocks that cover all scores (b, r, i, j) of a part of b, but those that causality forbids."""
    _, shared, queries, _ = q.shape
    keys = k.shape[1]
    each = shared * queries * keys
    if rules.block_rows is None and each <= BLOCK:
        step = max(1, BLOCK // max(1, each))
        for start in range(part.start, part.stop, step):
            yield Block(slice(start, min(start + step, part.stop)), slice(0, queries), keys)
        return
    rows = rules.block_rows or max(LEAST_ROWS, BLOCK // (shared * keys))
    for start in range(part.start, part.stop):
        for first in range(0, queries, rows):
            last = min(first + rows, queries)
            yield Block(slice(start, start + 1), slice(first, last), last if rules.causal else keys)


@lru_cache(maxsize=64)
def shares(queries: Shape, keys: Shape) -> int:
    """Return how many threads are worth while for queries and keys of some shapes."""
    return min(queries[0], math.prod(queries[:3]) * keys[1] // LEAST_SHARE)


def scale(q: Array) -> np.floating:
    """Return the factor of the scores."""
    factor: np.floating = 1 / np.sqrt(q.real.dtype.type(q.shape[-1]))
    return factor


def attend(q: Array, k: Array, v: Array, rules: Rules) -> tuple[Array, Array]:
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
    output: Array = np.empty((*q.shape[:-1], v.shape[-1]), np.result_type(q, k, v))
    logsumexp: Array = np.empty(q.shape[:-1], output.dtype)
    threads = shares(q.shape, k.shape) if rules.key is None else 1  # random numbers are drawn in order
    divide(len(q), threads, partial(attend_part, q, k, v, rules, output, logsumexp))
    return output, logsumexp


def attend_part(q: Array, k: Array, v: Array, rules: Rules, output: Array, logsumexp: Array, part: slice) -> None:
    """Fill in a part of the output and of the logarithms."""
    generator = None if rules.key is None else rules.key.generator(rules.skip)
    for block in blocks(q, k, rules, part):
        weights = scores(scaled(q, block), k, rules, block)
        top = at_places(weights.real, places_of_largest(weights))
        if rules.mask is not None:
            top[np.isneginf(top)] = 0
        weights -= top
        np.exp(weights, out=weights)
        total = np.matmul(weights, ones(block.keys, weights.dtype))[..., np.newaxis]
        if rules.mask is not None:
            empty = total == 0
            total[empty] = 1
            top[empty] = np.inf
        place = block.examples, slice(None), block.queries
        shape = output[place].shape
        logsumexp[place] = (top + np.log(total)).reshape(shape[:-1])
        if generator is not None:
            weights *= drawn(generator, rules.dropout, weights)
        made = np.matmul(weights, v[block.examples, : block.keys])
        made /= total
        output[place] = made.reshape(shape)


def attend_backward(
    q: Array, k: Array, v: Array, rules: Rules, logsumexp: Array, doutput: Array
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
    values = v - v.mean(1, keepdims=True) if rules.key is None else v
    threads = shares(q.shape, k.shape) if rules.key is None else 1
    divide(len(q), threads, partial(pull_part, q, k, near, values, rules, logsumexp, doutput, dq, dk, dv, ddiagonals))
    if ddiagonals is not None and rules.diagonals is not None:
        ddiagonals = ddiagonals.reshape(-1, *rules.diagonals.shape).sum(0)
    return dq, dk, dv, ddiagonals


def pull_part(
    q: Array,
    k: Array,
    near: Array,
    values: Array,
    rules: Rules,
    logsumexp: Array,
    doutput: Array,
    dq: Array,
    dk: Array,
    dv: Array,
    ddiagonals: Array | None,
    part: slice,
) -> None:
    """Fill in a part of the cotangents, from keys and values that are centred."""
    queries = q.shape[2]
    generator = None if rules.key is None else rules.key.generator(rules.skip)
    for block in blocks(q, k, rules, part):
        examples, keys = block.examples, block.keys
        place = examples, slice(None), block.queries
        asked = scaled(q, block)
        weights = scores(asked, k, rules, block)
        weights -= logsumexp[place].reshape(*asked.shape[:2], 1)
        np.exp(weights, out=weights)
        given = rows(doutput[place])
        dscores = np.matmul(given, values[examples, :keys].swapaxes(1, 2))
        if generator is None:
            dv[examples, :keys] += np.matmul(weights.swapaxes(1, 2), given)
        else:
            factors = drawn(generator, rules.dropout, weights)
            dv[examples, :keys] += np.matmul((weights * factors).swapaxes(1, 2), given)
            dscores *= factors
        dscores -= at_places(dscores, places_of_largest(weights))
        dscores -= np.einsum("bij,bij->bi", weights, dscores)[..., np.newaxis]
        dscores *= weights
        dq[place] = (np.matmul(dscores, near[examples, :keys]) * scale(q)).reshape(dq[place].shape)
        dk[examples, :keys] += np.matmul(dscores.swapaxes(1, 2), asked)
        if ddiagonals is not None:
            square = dscores.reshape(*dq[place].shape[:-1], keys)
            sums = diagonal_sums(square)
            begin = queries - block.queries.stop
            ddiagonals[examples, :, begin : begin + sums.shape[-1]] += sums


def rows(x: Array) -> Array:
    """Return (b, r T, d) for (b, r, T, d): queries that share keys are rows of one matrix."""
    return x.reshape(len(x), x.shape[1] * x.shape[2], x.shape[3])


def scaled(q: Array, block: Block) -> Array:
    """Return the queries of a block as rows, times the factor of the scores."""
    return rows(q[block.examples, :, block.queries] * scale(q))


def scores(asked: Array, k: Array, rules: Rules, block: Block) -> Array:
    """Return the scores of a block (b, r T', S'), minus infinity where a query may not look."""
    examples, queries, keys = block.examples, block.queries, block.keys
    made: Array = np.matmul(asked, k[examples, :keys].swapaxes(1, 2))
    count = queries.stop - queries.start
    square = made.reshape(len(made), -1, count, keys)
    if rules.diagonals is not None:
        square = square + bias(rules.diagonals, examples, queries, keys, k.shape[1])
    if rules.mask is not None:
        repeats = len(k) // len(rules.mask)
        hidden = ~rules.mask[np.arange(examples.start, examples.stop) // repeats, :keys]
        square += penalty(hidden, made)[:, np.newaxis, np.newaxis]
    if rules.causal:
        square[..., queries.start : queries.stop] += later_keys(count, made.real.dtype)
    return square.reshape(made.shape)


@lru_cache(maxsize=4)
def later_keys(count: int, dtype: np.dtype[np.floating]) -> Array:
    """Return minus infinity above the diagonal of a square and 0 elsewhere: the same read-only matrix every time."""
    square: Array = np.triu(np.full((count, count), -np.inf, dtype), 1)
    square.setflags(write=False)
    return square


def places_of_largest(x: Array) -> IntArray:
    """Return where the largest entry of each row stands in ``x.ravel()``: short rows several times faster than ``x.max(-1)``."""
    places: IntArray = x.real.argmax(-1).ravel()
    places += np.arange(0, x.size, x.shape[-1])
    return places


def at_places(x: Array, places: IntArray) -> Array:
    """Return the entries at such places, one for each row (..., 1)."""
    chosen: Array = x.ravel()[places].reshape(*x.shape[:-1], 1)
    return chosen


def penalty(hidden: BoolArray, like: Array) -> Array:
    """Return minus infinity where something is hidden and 0 elsewhere: to be added, which is faster than choosing."""
    made: Array = np.zeros(hidden.shape, like.real.dtype)
    made[hidden] = -np.inf
    return made


def bias(diagonals: Array, examples: slice, queries: slice, keys: int, all_keys: int) -> Array:
    """Return the bias (b, r, T', S') of a block: entry (i, j) is at place j - i + T - 1, so that it is a view."""
    chosen = diagonals[np.arange(examples.start, examples.stop) % len(diagonals)]
    zero = chosen.shape[-1] - all_keys - queries.start  # the place of the first query and the first key
    step = chosen.strides[-1]
    shape = (*chosen.shape[:2], queries.stop - queries.start, keys)
    return as_strided(chosen[..., zero:], shape, (*chosen.strides[:2], -step, step), writeable=False)


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


def with_dropout(mode: Mode, q: Array, k: Array, rules: Rules) -> Rules:
    """Return the rules with the key of dropout, if the mode has one, and where the random numbers of these examples begin."""
    if not isinstance(mode, Train) or not rules.dropout:
        return rules
    before = mode.before(len(q))
    each = 0  # factors of one b
    if before:
        for block in blocks(q, k, rules, slice(0, 1)):
            each += q.shape[1] * (block.queries.stop - block.queries.start) * block.keys
    return evolve(rules, key=mode.key, skip=before * each)


def drawn(generator: np.random.Generator, rate: float, like: Array) -> Array:
    """Return the factors of dropout: 0 with the given probability, otherwise what keeps the expectation."""
    factors = (generator.random(like.shape, dtype=np.float32) >= rate).astype(like.real.dtype)
    factors *= 1 / (1 - rate)
    return factors


def plain_attend(q: Array, k: Array, v: Array, rules: Rules) -> Array:
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
