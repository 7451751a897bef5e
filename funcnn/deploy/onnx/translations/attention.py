"""Attention in its primitives: two products, and a softmax of the scores between them.

Heads stand in groups that share their keys and values: queries are (n, g, r, t, d), keys (n, g, 1, s, d).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from attrs import evolve, frozen

from funcnn.deploy.onnx.graph import Graph, MaskedTensor, Tensor, Translation
from funcnn.deploy.onnx.operators import (
    add,
    binary,
    cut,
    divide,
    gather,
    matmul,
    multiply,
    regroup,
    reshape,
    transpose,
    unary,
    where,
)
from funcnn.deploy.onnx.translations.masks import cleared
from funcnn.deploy.onnx.translations.normalization import root_mean_square
from funcnn.layers.attention import (
    attention,
    attention_with_scores,
    cross_attention,
    qk_norm_attention,
    rotary,
    scaled_dot_product,
)
from funcnn.layers.attention.position_bias import RelativeBias, alibi_bias, relative_bias
from funcnn.layers.attention.rotary import Rotary, pair_slices, turns
from funcnn.layers.attention.scores import AttentionScores

# Any: the parameters and states of layers of all types.


@frozen(eq=False)
class Rules:
    """What changes the scores, beside queries and keys."""

    scores: AttentionScores
    causal: bool = False
    offset: int = 0
    """Which key stands where the first query does."""
    diagonals: Any = None  # an array (h, t + s - 1), by distance
    bias: Tensor | None = None  # (h or 1, t, s)
    seen: Tensor | None = None  # (h or 1, t, s)
    mask: Tensor | None = None  # (s,)


HeadNorm: TypeAlias = Callable[[Tensor, int], Tensor]


def unchanged(heads: Tensor, which: int) -> Tensor:
    return heads


def projected(g: Graph, params: Any, x: Tensor) -> Tensor:
    y = matmul(g, x, g.constant(params.weight, "weight"))
    return add(g, y, g.constant(params.bias, "bias")) if hasattr(params, "bias") else y


def heads_of(g: Graph, x: Tensor, first: int, heads: int, size: int) -> Tensor:
    """Return some heads of what was projected, (n, heads, t, size)."""
    steps = x.shape[0]
    chosen = cut(g, x, 2, first, first + heads * size)
    return transpose(g, reshape(g, chosen, (steps, heads, size)), (0, 2, 1, 3))


def rotated(g: Graph, x: Tensor, how: Rotary, start: int = 0) -> Tensor:
    """Return (..., t, size) with its pairs of features turned: each times a cosine, plus its partner times a sine."""
    steps, size = x.shape[-2:]
    count = how.turned(size)
    cosines, sines = turns(how, start, steps, count, np.dtype(x.dtype))
    first, second = pair_slices(count, how.interleaved)
    partner = np.arange(size)
    partner[first], partner[second] = partner[second].copy(), partner[first].copy()
    cosine, sine = np.ones((steps, size), x.dtype), np.zeros((steps, size), x.dtype)
    cosine[:, first] = cosine[:, second] = cosines
    sine[:, first], sine[:, second] = -sines, sines
    turned = multiply(g, gather(g, x, g.integers(*partner.tolist()), -1), g.constant(sine, "sines"))
    return add(g, multiply(g, x, g.constant(cosine, "cosines")), turned)


def attended(g: Graph, q: Tensor, k: Tensor, v: Tensor, rules: Rules) -> Tensor:
    """Return what the queries (n, h, t, d) read of the values (n, g, s, e), as (n, h, t, e)."""
    (heads, queries, size), (groups, keys, _) = q.shape, k.shape
    shared = heads // groups
    grouped = reshape(g, q, (groups, shared, queries, size))
    k_transposed = reshape(g, transpose(g, k, (0, 1, 3, 2)), (groups, 1, size, keys))
    scale = rules.scores.scale if rules.scores.scale is not None else 1 / np.sqrt(np.dtype(q.dtype).type(size))
    scores = matmul(g, multiply(g, grouped, float(scale)), k_transposed)
    if rules.scores.soft_cap is not None:
        scores = multiply(g, unary(g, "Tanh", divide(g, scores, rules.scores.soft_cap)), rules.scores.soft_cap)
    distance = np.arange(keys) - np.arange(queries)[:, np.newaxis] - rules.offset
    if rules.diagonals is not None:
        table = rules.diagonals[:, distance + queries - 1].astype(q.dtype)
        scores = add(g, scores, g.constant(table.reshape(groups, shared, queries, keys), "bias"))
    if rules.bias is not None:
        scores = add(g, scores, by_group(g, rules.bias, groups))
    allowed = allowance(g, rules, distance, groups)
    if allowed is not None:
        scores = where(g, allowed, scores, float(np.finfo(q.dtype).min))
    weights = unary(g, "Softmax", scores, axis=-1)
    if rules.mask is not None or rules.seen is not None:
        assert allowed is not None
        weights = where(g, allowed, weights, 0.0)  # a query that sees no key reads nothing
    made = matmul(g, weights, reshape(g, v, (groups, 1, keys, v.shape[-1])))
    return reshape(g, made, (heads, queries, v.shape[-1]))


def by_group(g: Graph, table: Tensor, groups: int) -> Tensor:
    """Return (h or 1, t, s) as (g or 1, r or 1, t, s)."""
    heads = table.shape[0]
    return reshape(g, table, (groups if heads > 1 else 1, heads // groups if heads > 1 else 1, *table.shape[1:]))


def allowance(g: Graph, rules: Rules, distance: np.ndarray[Any, Any], groups: int) -> Tensor | None:
    """Return where a query may look, or None where it may look everywhere."""
    parts: list[Tensor] = []
    known = np.ones(distance.shape, bool)
    if rules.causal:
        known &= distance <= 0
    if rules.scores.window is not None:
        known &= (distance >= -rules.scores.window[0]) & (distance <= rules.scores.window[1])
    if not known.all():
        parts.append(g.constant(known, "allowed"))
    if rules.mask is not None:
        parts.append(reshape(g, rules.mask, (1, 1, 1, rules.mask.shape[0])))
    if rules.seen is not None:
        parts.append(by_group(g, rules.seen, groups))
    if not parts:
        return None
    whole = parts[0]
    for one in parts[1:]:
        whole = binary(g, "And", whole, one, bool)
    return whole


def merged(g: Graph, x: Tensor) -> Tensor:
    """Return heads (n, h, t, size) side by side, (n, t, h size)."""
    heads, steps, size = x.shape
    return reshape(g, transpose(g, x, (0, 2, 1, 3)), (steps, heads * size))


def attending(g: Graph, setting: Any, params: Any, values: Tensor, rules: Rules, norm: HeadNorm = unchanged) -> Tensor:
    """Return what a sequence reads of itself; a norm may change the queries (0) and the keys (1) of heads before."""
    values = g.channels_last(values)
    steps, features = values.shape
    heads, shared = setting.heads, setting.key_value_heads
    size, value_size = setting.head_sizes((steps, features))
    with g.step(".project"):
        whole = projected(g, params.project, values)
    q, k = heads_of(g, whole, 0, heads, size), heads_of(g, whole, heads * size, shared, size)
    v = heads_of(g, whole, (heads + shared) * size, shared, value_size)
    q, k = norm(q, 0), norm(k, 1)
    if isinstance(setting.positions, Rotary):
        q, k = rotated(g, q, setting.positions), rotated(g, k, setting.positions)
    diagonals = None
    if isinstance(params.position, RelativeBias):
        diagonals = relative_bias(params.position, steps, setting.causal)
    elif setting.positions == "alibi":
        diagonals = alibi_bias(heads, steps)
    joined = merged(g, attended(g, q, k, v, evolve(rules, causal=setting.causal, diagonals=diagonals)))
    with g.step(".output"):
        return projected(g, params.output, joined)


def to_itself(g: Graph, setting: Any, params: Any, state: Any, x: Any) -> Any:
    if not setting.masked:
        return attending(g, setting, params, x, Rules(setting.scores))
    y = attending(g, setting, params, x.values, Rules(setting.scores, mask=x.mask))
    return MaskedTensor(cleared(g, y, x.mask), x.mask)


def with_norms(g: Graph, setting: Any, eps: float, params: Any, state: Any, x: Any) -> Any:
    def norm(heads: Tensor, which: int) -> Tensor:
        own: Tensor = root_mean_square(g, eps, (params.query_norm, params.key_norm)[which], (), heads)
        return own

    values, mask = (x.values, x.mask) if setting.masked else (x, None)
    y = attending(g, setting, params.attention, values, Rules(setting.scores, mask=mask), norm)
    return y if mask is None else MaskedTensor(cleared(g, y, mask), mask)


def with_scores(g: Graph, kind: str, setting: Any, params: Any, state: Any, x: tuple[Tensor, Tensor]) -> Tensor:
    values, table = x
    return attending(g, setting, params, values, with_table(Rules(setting.scores), kind, table))


def with_table(rules: Rules, kind: str, table: Tensor) -> Rules:
    """Return rules with a mask or a bias of the scores."""
    return evolve(rules, seen=table) if kind == "mask" else evolve(rules, bias=table)


def to_memory(g: Graph, setting: Any, params: Any, state: Any, x: tuple[Any, Any]) -> Any:
    sequence, memory = x
    values = g.channels_last(sequence.values if setting.masked else sequence)
    read = g.channels_last(memory.values if setting.memory_masked else memory)
    heads, shared = setting.heads, setting.key_value_heads
    size, value_size = setting.head_sizes(values.shape[-1])
    with g.step(".query"):
        asked = projected(g, params.query, values)
    with g.step(".memory"):
        seen = projected(g, params.memory, read)
    q, k = heads_of(g, asked, 0, heads, size), heads_of(g, seen, 0, shared, size)
    v = heads_of(g, seen, shared * size, shared, value_size)
    rules = Rules(setting.scores, mask=memory.mask if setting.memory_masked else None)
    joined = merged(g, attended(g, q, k, v, rules))
    with g.step(".output"):
        y = projected(g, params.output, joined)
    return MaskedTensor(cleared(g, y, sequence.mask), sequence.mask) if setting.masked else y


def plain(g: Graph, setting: Any, params: Any, state: Any, x: tuple[Tensor, ...]) -> Tensor:
    """Write attention without parameters; without heads, of one head."""
    q, k, v, *extra = (one if len(one.shape) == 3 else reshape(g, one, (1, *one.shape)) for one in x)
    rules = Rules(setting.scores, setting.causal, setting.offset(q.shape[1], k.shape[1]))
    if extra:
        rules = with_table(rules, setting.extra, extra[0])
    made = attended(g, q, k, v, rules)
    return made if len(x[0].shape) == 3 else reshape(g, made, made.shape[1:])


def turned_heads(g: Graph, place: Any, params: Any, state: Any, x: Tensor) -> Tensor:
    steps, features = x.shape
    size = features // place.heads
    heads = transpose(g, reshape(g, x, (steps, place.heads, size)), (0, 2, 1, 3))
    made = rotated(g, heads, place.rotary, place.start)
    return regroup(g, transpose(g, made, (0, 2, 1, 3)), x.shape)


TRANSLATIONS: dict[Callable[..., Any], Translation] = {
    attention.forward: to_itself,
    attention_with_scores.forward: with_scores,
    cross_attention.forward: to_memory,
    qk_norm_attention.forward: with_norms,
    scaled_dot_product.forward: plain,
    rotary.forward: turned_heads,
}
