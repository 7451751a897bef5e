r"""Scaled dot-product attention (Vaswani et al. 2017, arXiv:1706.03762, eq. 1), in memory linear in the length of the sequences.

Indices: $b$ example and key head, $r$ query head that shares this key head, $i$ query of $T$, $j$ key of $S$, $k$ feature of
$d$.  $b$ and $r$ are left out of the formulas.

Forward.  With a score $s_{ij}$ for each query and key, a bias $\beta$, which may depend on their distance alone, and the set
$A_i$ of keys that query $i$ may look at (not those of the padding; if *causal*, only $j \le i$; in a *window*, only those near
by):
$$ s_{ij} = \kappa \sum_k q_{ik} k_{jk} + \beta_{ij}, \qquad \ell_i = \ln \sum_{j \in A_i} e^{s_{ij}}, \qquad
   p_{ij} = [j \in A_i]\, e^{s_{ij} - \ell_i}, \qquad o_{ik} = \sum_j m_{ij}\, p_{ij}\, v_{jk} . $$
$\kappa$ is $1/\sqrt d$ unless another scale is given; $m_{ij}$ is the factor of dropout: 1 in evaluation.  A query without any
key gives 0.

Derivation.  From $\mathrm{d}\ell_i = \sum_j p_{ij}\,\mathrm{d}s_{ij}$ follows
$\mathrm{d}p_{ij} = p_{ij}\,(\mathrm{d}s_{ij} - \sum_l p_{il}\,\mathrm{d}s_{il})$, and $o$ is bilinear in $p$ and $v$:
$$ \bar v_{jk} = \sum_i m_{ij} p_{ij}\, \bar o_{ik}, \qquad \bar p_{ij} = m_{ij} \sum_k \bar o_{ik} v_{jk}, \qquad
   \bar s_{ij} = p_{ij}\,\Big(\bar p_{ij} - \sum_l p_{il}\, \bar p_{il}\Big) . $$
Scores are bilinear in $q$ and $k$:
$$ \bar q_{ik} = \kappa \sum_j \bar s_{ij} k_{jk}, \qquad \bar k_{jk} = \kappa \sum_i \bar s_{ij} q_{ik},
   \qquad \bar\beta_{ij} = \bar s_{ij}, \quad \bar\beta_u = \sum_{j - i = u} \bar s_{ij} , $$
where $k$ and $v$, which several query heads share, collect the sum over $r$, and a bias over all that share it.

Soft cap (Gemma 2, arXiv:2408.00118, section 2).  Products $z_{ij} = \kappa \sum_k q_{ik} k_{jk}$ go into the score as
$c \tanh(z_{ij} / c)$, which stays within $\pm c$; then $\bar z_{ij} = \bar s_{ij}\,(1 - \tanh^2(z_{ij}/c))$ takes the place of
$\bar s_{ij}$ in $\bar q$ and $\bar k$.

Digits.  The weights of a query sum to 1, and so the cotangents $\bar s_{ij}$ sum to 0: it changes nothing to subtract one vector
from all keys or, without dropout, from all values, or one number from all $\bar p_{ij}$ of a query.  Where keys or values are
nearly alike, or one weight is nearly 1, differences would cancel; so keys (but for a soft cap) and values are centred in
backward, and where one weight is more than a half, its $\bar p_{im}$ is subtracted first: otherwise that would gain one bit at
most.

Memory and time.  Scores are computed for a block of queries at a time (:mod:`funcnn.kernels.attention_blocks`,
:mod:`funcnn.kernels.attention_scores`), so that memory is linear in the length.  Backward computes them again and needs $\ell_i$
for that, one number for each query; it multiplies the rows of $\bar o$ by $e^{-\ell_i}$, which is less work than to subtract
$\ell_i$ from all scores.  Random factors of dropout are drawn again too.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np
from attrs import frozen

from funcnn.kernels.arrays import mean_weights
from funcnn.kernels.attention_blocks import AttentionSpec, Block, blocks, parallel_over_groups, sizes, visible_keys
from funcnn.kernels.attention_scores import (
    as_matrix,
    diagonal_sums,
    exponentials,
    far_exponent,
    key_sums,
    may_overflow,
    scale,
    scaled_queries,
    scores,
    soft_cap_slope,
)
from funcnn.kernels.transcendental import exp
from funcnn.typing import Array


def attend(q: Array, k: Array, v: Array, rules: AttentionSpec) -> tuple[Array, Array]:
    """Return the output and the logarithm of the sum of exponentials of every query.

    Parameters
    ----------
    q : array (b, r, T, d)
        Queries; the r of one b inv_sum its keys and values.
    k, v : array (b, S, d), (b, S, e)
    rules : AttentionSpec

    Returns
    -------
    output : array (b, r, T, e)
    logsumexp : array (b, r, T)
        Infinite where a query may look at no key.
    """
    count, shared, steps, _ = q.shape
    kind = np.result_type(q, k, v, *added_to_scores(rules))
    # With the steps first in memory the heads of one example stand beside one another, as the next layer wants them.
    output: Array = np.empty((steps, count, shared, v.shape[-1]), kind).transpose(1, 2, 0, 3)
    logsumexp: Array = np.empty(q.shape[:-1], kind)
    parallel_over_groups(q, k, rules, partial(attend_block, q, k, v, rules, output, logsumexp))
    return output, logsumexp


def added_to_scores(rules: AttentionSpec) -> list[Array]:
    """Return the arrays that are added to scores."""
    return [one for one in (rules.diagonals, rules.bias) if one is not None]


def attend_block(q: Array, k: Array, v: Array, rules: AttentionSpec, output: Array, logsumexp: Array, part: slice) -> None:
    """Fill in a part of the output and of the logarithms."""
    generator = None if rules.key is None else rules.key.generator(rules.skip)
    for block in blocks(q, k, rules, part):
        weights, total, log = exponentials(scaled_queries(q, rules, block), k, rules, block)
        place = block.examples, slice(None), block.queries
        shape = output[place].shape
        logsumexp[place] = log.reshape(shape[:-1])
        if generator is not None:
            weights *= dropout_factors(generator, rules.dropout, weights)
        values = v[block.examples, block.keys]
        made = np.matmul(weights.swapaxes(1, 2), values)
        if not math.isfinite(made.real.ravel().dot(made.real.ravel())):  # or some squares are beyond the range of numbers
            weights /= total[:, np.newaxis]  # so that sums are no larger than the values
            total = np.ones_like(total)
            made = weighted_sums(weights, values) if rules.hides else np.matmul(weights.swapaxes(1, 2), values)
        np.divide(made.reshape(shape), total.reshape(*shape[:-1], 1), out=output[place])


def attention_weights(q: Array, k: Array, rules: AttentionSpec, queries: slice) -> Array:
    """Return the weights (b, r, T', S), without dropout, of the queries of a range: their own size of memory, and a block's.

    Parameters
    ----------
    q, k, rules
        As in :func:`attend`.
    queries : slice
        From where to where.
    """
    count, shared, steps, _ = q.shape
    keys = k.shape[1]
    made: Array = np.zeros((count, shared, queries.stop - queries.start, keys), np.result_type(q, k, *added_to_scores(rules)))
    rows = sizes((count, shared, steps), keys, rules.block_rows).rows
    for example in range(count):
        for first in range(queries.start, queries.stop, rows):
            last = min(first + rows, queries.stop)
            block = Block(slice(example, example + 1), slice(first, last), visible_keys(first, last, keys, rules))
            weights, total, _ = exponentials(scaled_queries(q, rules, block), k, rules, block)
            weights /= total[:, np.newaxis]
            square = weights.reshape(block.size[1], shared, last - first).transpose(1, 2, 0)
            made[example, :, first - queries.start : last - queries.start, block.keys] = square
    return made


def weighted_sums(weights: Array, v: Array) -> Array:
    """Return the sums (b, n, e) of values (b, S', e) by weights (b, S', n); a value of weight 0 may be no number."""
    finite = np.isfinite(v)
    sums: Array = np.matmul(weights.swapaxes(1, 2), np.where(finite, v, v.dtype.type(0)))
    for place in np.flatnonzero(~finite.all((0, 2))):
        weight = weights[:, place, :, np.newaxis]
        value = np.where(finite[:, place], v.dtype.type(0), v[:, place])[:, np.newaxis]
        sums += np.where(weight == 0, v.dtype.type(0), weight * value)
    return sums


def attend_backward(
    q: Array, k: Array, v: Array, rules: AttentionSpec, logsumexp: Array, doutput: Array
) -> tuple[Array, Array, Array, Array | None]:
    """Return the cotangents of q, k, v and of the diagonals, for each b and r, or of the bias (None if there are neither).

    Parameters
    ----------
    q, k, v, rules
        As in :func:`attend`.
    logsumexp : array (b, r, T)
        From there.
    doutput : array (b, r, T, e)
    """
    dtype = np.result_type(q, k, v, doutput, *added_to_scores(rules))
    dq: Array = np.empty(q.shape, dtype)
    dk: Array = np.zeros(k.shape, dtype)
    dv: Array = np.zeros(v.shape, dtype)
    ddiagonals: Array | None = None
    if rules.diagonals is not None:
        ddiagonals = np.zeros((*q.shape[:2], rules.diagonals.shape[-1]), dtype)
    dbias: Array | None = None if rules.bias is None else np.zeros(rules.bias.shape, dtype)
    # Cotangents of a query's scores sum to 0, so that a shift of all keys changes nothing; near 0 they keep more digits.
    centred_k = k - k[:, :1] if rules.soft_cap is None else k
    values = v - key_means(v) if rules.key is None else v
    inputs = BackwardInputs(q, k, centred_k, values, logsumexp, doutput)
    outputs = BackwardOutputs(dq, dk, dv, ddiagonals, dbias)
    parallel_over_groups(q, k, rules, partial(attend_backward_block, inputs, rules, outputs))
    return dq, dk, dv, ddiagonals if dbias is None else dbias


@frozen(eq=False)
class BackwardInputs:
    """What the cotangents of a block are made of."""

    q: Array
    k: Array
    centred_k: Array
    """The keys, less the first one where scores are not capped."""
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
    dbias: Array | None


def attend_backward_block(inputs: BackwardInputs, rules: AttentionSpec, outputs: BackwardOutputs, part: slice) -> None:
    """Fill in the cotangents of some groups of examples."""
    q, k, centred_k, values, logsumexp = inputs.q, inputs.k, inputs.centred_k, inputs.values, inputs.logsumexp
    dq, dk, dv, ddiagonals = outputs.dq, outputs.dk, outputs.dv, outputs.ddiagonals
    queries = q.shape[2]
    generator = None if rules.key is None else rules.key.generator(rules.skip)
    for block in blocks(q, k, rules, part):
        examples, keys = block.examples, block.keys
        place = examples, slice(None), block.queries
        scaled_q = scaled_queries(q, rules, block)
        weights = scores(scaled_q, k, rules, block)
        dy = as_matrix(inputs.doutput[place])
        log = logsumexp[place].reshape(dy.shape[:2])
        largest = np.abs(log.real).max(initial=0)
        if not largest < np.inf and rules.soft_cap is None and may_overflow(scaled_q, k):
            weights, total, _ = exponentials(scaled_q, k, rules, block)
            inv_sum: Array = 1 / total
        else:
            if not largest <= far_exponent(log.dtype):  # also where one of another example is not a number
                weights -= log[:, np.newaxis]
                log = np.zeros_like(log)
            exp(weights, out=weights)
            inv_sum = exp(-log)  # the weights times this are p
        dy = dy * inv_sum[..., np.newaxis]
        dscores = np.matmul(values[examples, keys], dy.swapaxes(1, 2))  # also times this
        if generator is None:
            dv[examples, keys] += np.matmul(weights, dy)
        else:
            factors = dropout_factors(generator, rules.dropout, weights)
            dv[examples, keys] += np.matmul(weights * factors, dy)
            dscores *= factors
        subtract_at_half(dscores, weights, inv_sum)
        dscores *= weights
        weights *= (key_sums(dscores) * inv_sum)[:, np.newaxis]
        dscores -= weights
        square = dscores.reshape(len(dy), block.size[1], q.shape[1], -1).transpose(0, 2, 3, 1)
        if ddiagonals is not None:
            sums = diagonal_sums(square)
            begin = queries - block.queries.stop + keys.start
            ddiagonals[examples, :, begin : begin + sums.shape[-1]] += sums
        if outputs.dbias is not None:
            add_to_bias(outputs.dbias, square, len(k), block)
        if rules.soft_cap is not None:
            dscores *= soft_cap_slope(scaled_q, k, rules.soft_cap, block)
        dq[place] = (np.matmul(dscores.swapaxes(1, 2), centred_k[examples, keys]) * scale(q, rules)).reshape(dq[place].shape)
        dk[examples, keys] += np.matmul(dscores, scaled_q)


def add_to_bias(dbias: Array, square: Array, count: int, block: Block) -> None:
    """Add the cotangents (b, r, T', S') of a block's scores to that of a bias (B, R or 1, T, S), which count / B share each."""
    shared = square if dbias.shape[1] == square.shape[1] else square.sum(1)
    for index, one in enumerate(shared, block.examples.start):
        dbias[index // (count // len(dbias)), :, block.queries, block.keys] += one


def key_means(v: Array) -> Array:
    """Return the means (b, 1, e) over the keys of (b, S, e)."""
    means: Array = np.matmul(mean_weights(v.shape[1], v.dtype), v)
    return means[:, np.newaxis]


def subtract_at_half(dscores: Array, weights: Array, inv_sum: Array) -> None:
    """Subtract from all cotangents of a query's weights, in place, that of the weight which makes up more than half, if any."""
    half = 0.5 / inv_sum.real
    if weights.real.max(initial=0) <= half.min(initial=np.inf):
        return
    places = np.flatnonzero(weights.real > half[:, np.newaxis])  # of three axes np.nonzero takes twenty times longer
    _, keys, queries = weights.shape
    base = np.zeros_like(inv_sum)
    base[places // (keys * queries), places % queries] = dscores.ravel()[places]
    dscores -= base[:, np.newaxis]


def dropout_factors(generator: np.random.Generator, rate: float, like: Array) -> Array:
    """Return the factors of dropout: 0 with the given probability, otherwise what keeps the expectation."""
    factors = (generator.random(like.shape, dtype=np.float32) >= rate).astype(like.real.dtype)
    factors *= 1 / (1 - rate)
    return factors


def plain_weights(q: Array, k: Array, rules: AttentionSpec) -> Array:
    """Return the weights (b, r, T, S) by the formula as it stands, without dropout: all scores at once, and their softmax."""
    queries, keys = q.shape[2], k.shape[1]
    distance = np.arange(keys) - np.arange(queries)[:, np.newaxis] - rules.offset
    s = np.einsum("brik,bjk->brij", q, k) * scale(q, rules)
    if rules.soft_cap is not None:
        s = s.real.dtype.type(rules.soft_cap) * np.tanh(s / s.real.dtype.type(rules.soft_cap))
    if rules.diagonals is not None:
        places = distance + rules.offset + queries - 1
        s = s + np.tile(rules.diagonals[..., places], (len(q) // len(rules.diagonals), 1, 1, 1))
    if rules.bias is not None:
        s = s + np.repeat(rules.bias, len(q) // len(rules.bias), axis=0)
    allowed = np.broadcast_to(distance <= 0 if rules.causal else np.True_, s.shape)
    if rules.window is not None:
        allowed = allowed & (distance >= -rules.window[0]) & (distance <= rules.window[1])
    if rules.mask is not None:
        allowed = allowed & np.repeat(rules.mask, len(q) // len(rules.mask), axis=0)[:, np.newaxis, np.newaxis]
    if rules.seen is not None:
        allowed = allowed & np.repeat(rules.seen, len(q) // len(rules.seen), axis=0)
    s = np.where(allowed, s, -np.inf)
    top: Array = np.real(s).max(-1, keepdims=True)
    e = np.where(allowed, np.exp(s - np.where(np.isneginf(top), 0, top)), 0)
    total = e.sum(-1, keepdims=True)
    return e / np.where(total == 0, 1, total)


def plain_attend(q: Array, k: Array, v: Array, rules: AttentionSpec) -> Array:
    """Return the output of :func:`attend` by the formula as it stands, without dropout: the weights, and their product."""
    output: Array = np.einsum("brij,bjk->brik", plain_weights(q, k, rules), v)
    return output
