"""What attention looks at, and what it does to queries and keys before: against loops over single numbers."""

import math
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn.layer import AnyLayer
from funcnn.typing import Array


def numbers(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape)


def softmax(scores: list[float]) -> list[float]:
    top = max(scores)
    total = sum(math.exp(score - top) for score in scores)
    return [math.exp(score - top) / total for score in scores]


def normalized(vector: Array, scale: Array, eps: float) -> Array:
    return scale * vector / math.sqrt(sum(one * one for one in vector.tolist()) / len(vector) + eps)


def turned(vector: Array, step: int) -> Array:
    half = len(vector) // 2
    made = vector.copy()
    for i in range(half):
        angle = step * 10000.0 ** (-i / half)
        made[i] = vector[i] * math.cos(angle) - vector[i + half] * math.sin(angle)
        made[i + half] = vector[i] * math.sin(angle) + vector[i + half] * math.cos(angle)
    return made


@pytest.mark.parametrize("rotary", [False, True])
@pytest.mark.parametrize("kind", [fn.qk_norm_attention, fn.qk_norm_attention_without_bias])
def test_normalized_queries_and_keys_are_loops_over_numbers(kind: Any, rotary: bool) -> None:
    heads, shared, size, steps, eps = 4, 2, 4, 5, 0.3
    options: Any = {"positions": "rotary" if rotary else "none", "eps": eps, "key_value_heads": shared, "causal": True}
    layer = kind(heads, head_features=size, **options)
    params = fn.tree.map(lambda leaf: leaf + 0.1 * numbers(*leaf.shape), layer.init(fn.Key(0), (steps, 6)).params)
    x = numbers(2, steps, 6, seed=1)
    inner = params.attention
    bias = [getattr(one, "bias", 0.0) for one in (inner.project, inner.output)]
    expected = np.empty((2, steps, 6))
    found = fn.attention_weights(layer)(params, x)
    for n in range(2):
        projected = x[n] @ inner.project.weight + bias[0]
        q = projected[:, : heads * size].reshape(steps, heads, size)
        k = projected[:, heads * size : (heads + shared) * size].reshape(steps, shared, size)
        v = projected[:, (heads + shared) * size :].reshape(steps, shared, size)
        joined = np.zeros((steps, heads, size))
        for h in range(heads):
            for t in range(steps):
                query = normalized(q[t, h], params.query_norm.scale, eps)
                keys = [normalized(k[u, h // 2], params.key_norm.scale, eps) for u in range(t + 1)]
                if rotary:
                    query, keys = turned(query, t), [turned(key, u) for u, key in enumerate(keys)]
                weights = softmax([float(query @ key) / math.sqrt(size) for key in keys])
                np.testing.assert_allclose(found[n, h, t], [*weights, *[0.0] * (steps - t - 1)], rtol=1e-12, atol=1e-14)
                joined[t, h] = sum(weight * v[u, h // 2] for u, weight in enumerate(weights))
        expected[n] = joined.reshape(steps, heads * size) @ inner.output.weight + bias[1]
    np.testing.assert_allclose(fn.apply(layer, params, (), x), expected, rtol=1e-12, atol=1e-14)


def test_scores_of_normalized_queries_do_not_grow_with_the_weights() -> None:
    layer, x = fn.qk_norm_attention(2, eps=1e-14), numbers(2, 4, 6)
    params = layer.init(fn.Key(0), (4, 6)).params
    larger = fn.tree.map_where(lambda leaf: 1000.0 * leaf, params, "project.weight")
    weights = fn.attention_weights(layer)
    np.testing.assert_allclose(weights(larger, x), weights(params, x), rtol=1e-11, atol=0.0)


LAYERS: dict[str, tuple[AnyLayer, Any]] = {
    "plain": (fn.attention(2), (5, 4)),
    "causal, grouped, blocks": (fn.attention(4, causal=True, key_value_heads=2, block_rows=2), (5, 8)),
    "relative, window": (fn.attention(2, positions="relative", scores=fn.AttentionScores(window=1, soft_cap=1.5)), (5, 4)),
    "alibi, no bias": (fn.attention_without_bias(2, positions="alibi"), (5, 4)),
    "normalized": (fn.qk_norm_attention(2, positions="rotary"), (5, 8)),
    "across": (fn.cross_attention(2), ((5, 4), (3, 6))),
    "bias": (fn.attention_with_score_bias(2), ((5, 4), (1, 5, 5))),
    "bare": (fn.scaled_dot_product(), ((5, 4), (3, 4), (3, 2))),
    "bare, heads": (fn.scaled_dot_product(causal=True, align="end"), ((4, 5, 2), (2, 7, 2), (2, 7, 3))),
    "bare, bias": (fn.scaled_dot_product_with_bias(), ((2, 5, 2), (2, 7, 2), (2, 7, 3), (2, 5, 7))),
}


def drawn(shape: Any, scale: float = 1.0) -> Any:
    if isinstance(shape[0], tuple):
        return tuple(scale * numbers(3, *one, seed=place) for place, one in enumerate(shape))
    return scale * numbers(3, *shape)


@pytest.mark.parametrize("size", [1.0, 300.0])
@pytest.mark.parametrize("name", LAYERS)
def test_the_values_by_the_weights_are_what_attention_gives(name: str, size: float) -> None:
    layer, shape = LAYERS[name]
    params, x = layer.init(fn.Key(0), shape).params, drawn(shape, size)
    weights = fn.attention_weights(layer)(params, x)
    residuals: Any = layer.forward(params, (), x, fn.Eval()).residuals
    residuals = getattr(residuals, "inner", residuals)
    groups = weights.reshape(*residuals.q.shape[:3], -1)
    values = np.einsum("brij,bje->brie", groups, residuals.v).reshape(*weights.shape[:3], -1)
    attended = (
        residuals.joined.reshape(3, weights.shape[2], weights.shape[1], -1).swapaxes(1, 2)
        if hasattr(residuals, "joined")
        else np.reshape(fn.apply(layer, params, (), x), values.shape)
    )
    np.testing.assert_allclose(values, attended, rtol=1e-11, atol=1e-11 * size)  # of scores up to 1e5
    np.testing.assert_allclose(weights.sum(-1), 1.0, rtol=1e-12, atol=0.0)
    some = fn.attention_weights(layer, queries=(1, 4))(params, x)
    np.testing.assert_allclose(some, weights[:, :, 1:4], rtol=1e-12, atol=1e-15)


def test_padding_gives_and_gets_no_weight() -> None:
    mask = np.array([[True, True, False], [False, False, False]])
    x = fn.Masked(numbers(2, 3, 4), mask)
    layer = fn.attention(2, masked=True)
    weights = fn.attention_weights(layer)(layer.init(fn.Key(0), (3, 4)).params, x)
    np.testing.assert_allclose(weights.sum(-1), np.broadcast_to(mask[:, None], (2, 2, 3)), rtol=1e-12, atol=0.0)
    assert (weights[0, :, :, 2] == 0).all()
    across = fn.cross_attention(2, memory_masked=True)
    params = across.init(fn.Key(0), ((2, 4), (3, 4))).params
    seen = fn.attention_weights(across)(params, (numbers(2, 2, 4), x))
    np.testing.assert_allclose(seen.sum(-1), [[[1, 1]] * 2, [[0, 0]] * 2], rtol=1e-12, atol=0.0)


def test_masked_and_cropped_sequences_are_looked_at_alike() -> None:
    mask = np.array([[True, True, False], [True, True, False]])
    values = numbers(2, 3, 4)
    layer, plain = fn.qk_norm_attention(2, masked=True), fn.qk_norm_attention(2)
    params = plain.init(fn.Key(0), (3, 4)).params
    whole: Any = fn.apply(layer, params, (), fn.Masked(values, mask))
    np.testing.assert_allclose(whole.values[:, :2], fn.apply(plain, params, (), values[:, :2]), rtol=1e-12, atol=1e-14)
    assert not whole.values[:, 2].any()


def test_the_unit_matrix_as_values_gives_weights_with_a_gradient() -> None:
    q, k = numbers(2, 3, 4), numbers(2, 5, 4, seed=1)
    unit = np.broadcast_to(np.eye(5), (2, 5, 5)).copy()
    layer = fn.scaled_dot_product()
    weights = fn.attention_weights(layer)((), (q, k, unit))
    np.testing.assert_allclose(fn.apply(layer, (), (), (q, k, unit)), weights[:, 0], rtol=1e-13, atol=0.0)


def test_a_network_shows_what_its_attention_looks_at() -> None:
    model = fn.serial(*[fn.encoder_block(4, 2, causal=True) for _ in range(2)])
    start = model.init(fn.Key(0), (4, 4))
    maps = []

    def look(seen: fn.Seen) -> None:
        if seen.phase == "forward":
            maps.append(fn.attention_weights(seen.layer)(seen.params, seen.given))

    fn.apply(fn.watch(look, model, which=r" attention"), start.params, start.state, numbers(1, 4, 4))
    assert [one.shape for one in maps] == [(1, 2, 4, 4)] * 2
    assert all(not np.triu(one, 1).any() for one in maps)


def test_what_is_no_attention_is_refused() -> None:
    with pytest.raises(ValueError, match=r"layer is dense\(2\), expected a layer of attention: take that of a network"):
        fn.attention_weights(fn.dense(2))
    with pytest.raises(TypeError, match="layer is 3"):
        fn.attention_weights(3)  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(ValueError, match="queries"):
        fn.attention_weights(fn.attention(2), queries=(3, 2))
    with pytest.raises(TypeError, match="queries"):
        fn.attention_weights(fn.attention(2), queries=3)  # type: ignore[arg-type]  # wrong on purpose
    layer = fn.attention(2)
    params = layer.init(fn.Key(0), (3, 4)).params
    with pytest.raises(ValueError, match=r"queries is \(0, 9\), and the sequence has 3 steps"):
        fn.attention_weights(layer, queries=(0, 9))(params, numbers(1, 3, 4))
    with pytest.raises(ValueError, match="eps"):
        fn.qk_norm_attention(2, eps=0.0)
