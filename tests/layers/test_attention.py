"""Attention, against loops over single numbers, and the properties that it promises."""

import math
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn.kernels import arrays
from funcnn.kernels import attention_blocks as rule
from funcnn.kernels.attention import attend, attend_backward, plain_attend
from funcnn.kernels.attention_blocks import AttentionSpec
from funcnn.layers.attention.attention import AttentionParams
from funcnn.layers.attention.position_bias import RelativeBias
from funcnn.layers.linear.dense import DenseParams
from funcnn.runtime import threads as threads_module
from funcnn.typing import Array, BoolArray

POSITIONS = ("none", "rotary", "alibi", "relative")


def numbers(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape)


def started(layer: Any, shape: Any) -> Any:
    """Return parameters of which none is 0."""
    generator = np.random.default_rng(7)
    return fn.tree.map(lambda leaf: leaf + 0.3 * generator.normal(size=leaf.shape), layer.init(fn.Key(1), shape).params)


def mapped(row: list[float], params: Any) -> list[float]:
    """Return a vector times a weight, plus a bias."""
    weight, bias = params.weight, getattr(params, "bias", np.zeros(params.weight.shape[1]))
    return [math.fsum([x * weight[i, o] for i, x in enumerate(row)]) + bias[o] for o in range(weight.shape[1])]


def turn(vector: list[float], step: int) -> list[float]:
    """Return a vector turned by rotary positions, each pair as a complex number."""
    half = len(vector) // 2
    out = [0.0] * len(vector)
    for i in range(half):
        angle = step * 10000 ** (-2 * i / len(vector))
        turned = complex(vector[i], vector[i + half]) * complex(math.cos(angle), math.sin(angle))
        out[i], out[i + half] = turned.real, turned.imag
    return out


def weighted_mean(query: list[float], keys: list[list[float]], values: list[list[float]], biases: list[float]) -> list[float]:
    """Return what one query gets from the keys that it may look at."""
    if not keys:
        return [0.0] * len(query)
    scores = [
        math.fsum([q * k for q, k in zip(query, key, strict=True)]) / math.sqrt(len(query)) + bias
        for key, bias in zip(keys, biases, strict=True)
    ]
    weights = [math.exp(score - max(scores)) for score in scores]
    total = math.fsum(weights)
    return [math.fsum([w * value[i] for w, value in zip(weights, values, strict=True)]) / total for i in range(len(query))]


def slow_attention(
    x: Array, params: AttentionParams[Any, Any], heads: int, shared: int, causal: bool, positions: str, mask: BoolArray | None
) -> Array:
    """Return self-attention of (n, t, features) by loops over examples, heads, queries and keys."""
    batch, steps, features = x.shape
    size = features // heads
    y: Array = np.zeros(x.shape)
    for n in range(batch):
        real = [mask is None or bool(mask[n, t]) for t in range(steps)]
        rows = [mapped(x[n, t].tolist() if real[t] else [0.0] * features, params.project) for t in range(steps)]
        for t in range(steps):
            if not real[t]:
                continue
            joined: list[float] = []
            for h in range(heads):
                g = h * shared // heads
                query = rows[t][h * size : (h + 1) * size]
                seen = [u for u in range(steps) if real[u] and (u <= t or not causal)]
                keys = [rows[u][(heads + g) * size : (heads + g + 1) * size] for u in seen]
                values = [rows[u][(heads + shared + g) * size : (heads + shared + g + 1) * size] for u in seen]
                if positions == "rotary":
                    query, keys = turn(query, t), [turn(key, u) for key, u in zip(keys, seen, strict=True)]
                biases = [0.0] * len(seen)
                if positions == "alibi":
                    biases = [-abs(u - t) / 2 ** (8 * (h + 1) / heads) for u in seen]
                if isinstance(params.position, RelativeBias):
                    table = params.position.table
                    if causal:
                        biases = [float(table[min(t - u, len(table) - 1), h]) for u in seen]
                    else:
                        limit = (len(table) - 1) // 2
                        biases = [float(table[max(-limit, min(limit, u - t)) + limit, h]) for u in seen]
                joined += weighted_mean(query, keys, values, biases)
            y[n, t] = mapped(joined, params.output)
    return y


@pytest.mark.parametrize("positions", POSITIONS)
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("shared", [4, 2, 1])
@pytest.mark.parametrize("block_rows", [None, 2])
def test_self_attention_is_loops_over_numbers(positions: Any, causal: bool, shared: int, block_rows: int | None) -> None:
    layer = fn.attention(4, causal=causal, key_value_heads=shared, positions=positions, max_distance=2, block_rows=block_rows)
    params, x = started(layer, (5, 8)), numbers(2, 5, 8)
    expected = slow_attention(x, params, 4, shared, causal, positions, None)
    np.testing.assert_allclose(fn.apply(layer, params, (), x), expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("features", [8, 12])
def test_every_pair_of_rotary_features_turns_with_a_frequency_of_its_own(features: int) -> None:
    layer = fn.attention(1, positions="rotary")  # one head of four or six pairs: with one pair the frequency is always 1
    params, x = started(layer, (7, features)), numbers(2, 7, features)
    expected = slow_attention(x, params, 1, 1, False, "rotary", None)
    np.testing.assert_allclose(fn.apply(layer, params, (), x), expected, rtol=1e-11, atol=1e-12)  # rounding of some 50 products


@pytest.mark.parametrize("positions", POSITIONS)
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("block_rows", [None, 3])
def test_masked_self_attention_is_loops_over_numbers(positions: Any, causal: bool, block_rows: int | None) -> None:
    layer = fn.attention_without_bias(2, causal=causal, masked=True, positions=positions, block_rows=block_rows)
    params, x = started(layer, (6, 4)), numbers(3, 6, 4)
    mask = np.array([[True] * 6, [False] * 6, [False, True, False, True, True, False]])
    expected = slow_attention(x, params, 2, 2, causal, positions, mask)
    filled = np.where(mask[..., None], x, np.nan)  # what stands in the padding does not matter
    y = fn.apply(layer, params, (), fn.Masked(filled, mask))
    np.testing.assert_allclose(y.values, expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("memory_masked", [False, True])
def test_cross_attention_is_loops_over_numbers(masked: bool, memory_masked: bool) -> None:
    masks: dict[str, Any] = {"masked": masked, "memory_masked": memory_masked}  # Any: of which the overloads want literals
    layer: Any = fn.cross_attention(4, **masks, key_value_heads=2)
    params = started(layer, ((3, 8), (5, 6)))
    x, memory = numbers(2, 3, 8), numbers(2, 5, 6, seed=1)
    mask, memory_mask = np.array([[True, False, True]] * 2), np.array([[True, True, False, True, False], [False] * 5])
    expected = np.zeros(x.shape)
    for n in range(2):
        seen = [j for j in range(5) if not memory_masked or memory_mask[n, j]]
        rows = [mapped(memory[n, j].tolist(), params.memory) for j in seen]
        for t in range(3):
            if masked and not mask[n, t]:
                continue
            query, joined = mapped(x[n, t].tolist(), params.query), []
            for h in range(4):
                g = h // 2
                keys, values = [row[2 * g : 2 * g + 2] for row in rows], [row[4 + 2 * g : 4 + 2 * g + 2] for row in rows]
                joined += weighted_mean(query[2 * h : 2 * h + 2], keys, values, [0.0] * len(seen))
            expected[n, t] = mapped(joined, params.output)
    given = (fn.Masked(x, mask) if masked else x, fn.Masked(memory, memory_mask) if memory_masked else memory)
    y = fn.apply(layer, params, (), given)
    np.testing.assert_allclose(y.values if masked else y, expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("causal", [False, True])
def test_scaled_dot_product_is_loops_over_numbers(causal: bool) -> None:
    q, k, v = numbers(2, 4, 3), numbers(2, 4, 3, seed=1), numbers(2, 4, 3, seed=2)
    layer = fn.scaled_dot_product(causal=causal)
    assert layer.init(fn.Key(0), ((4, 3), (4, 3), (4, 5))).out_shape == (4, 5)
    y = fn.apply(layer, (), (), (q, k, v))
    for n, i in np.ndindex(2, 4):
        seen = range(i + 1 if causal else 4)
        keys, values = [k[n, j].tolist() for j in seen], [v[n, j].tolist() for j in seen]
        np.testing.assert_allclose(y[n, i], weighted_mean(q[n, i].tolist(), keys, values, [0.0] * len(keys)), rtol=1e-12)


# ------------------------------------------------------------------------------------------- the fast form and the plain one


def problem(causal: bool, mask: bool, bias: bool, dtype: Any = np.float64) -> tuple[Array, Array, Array, AttentionSpec]:
    queries, keys = 37, 37 if causal else 23
    q, k, v = numbers(6, 2, queries, 4), numbers(6, keys, 4, seed=1), numbers(6, keys, 3, seed=2)
    hidden = np.random.default_rng(3).random((3, keys)) < 0.5
    hidden[0] = False
    diagonals = numbers(2, 2, queries + keys - 1, seed=4)
    rules = AttentionSpec(causal, hidden if mask else None, diagonals.astype(dtype) if bias else None)
    return q.astype(dtype), k.astype(dtype), v.astype(dtype), rules


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("mask", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("block", [1, 60, 3000, 1 << 17])
def test_blocks_of_any_size_give_the_plain_formula(
    causal: bool, mask: bool, bias: bool, dtype: Any, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rule, "SCORES_PER_BLOCK", block)
    monkeypatch.setattr(rule, "MIN_QUERIES_PER_BLOCK", 4)
    monkeypatch.setattr(rule, "sizes", rule.sizes.__wrapped__)
    q, k, v, rules = problem(causal, mask, bias, dtype)
    output, _ = attend(q, k, v, rules)
    assert output.dtype == dtype
    tolerance = 1e-5 if dtype is np.float32 else 1e-13
    np.testing.assert_allclose(output, plain_attend(q, k, v, rules), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("mask", [False, True])
@pytest.mark.parametrize("block", [1, 60, 3000])
def test_blocks_of_any_size_give_the_same_gradients(
    causal: bool, mask: bool, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    q, k, v, rules = problem(causal, mask, bias=True)
    dy = numbers(6, 2, 37, 3, seed=5)

    def gradients() -> Any:
        _, logsumexp = attend(q, k, v, rules)
        return attend_backward(q, k, v, rules, logsumexp, dy)

    whole = gradients()
    monkeypatch.setattr(rule, "SCORES_PER_BLOCK", block)
    monkeypatch.setattr(rule, "MIN_QUERIES_PER_BLOCK", 4)
    monkeypatch.setattr(rule, "sizes", rule.sizes.__wrapped__)
    for one, other in zip(whole, gradients(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("block", [60, 1 << 17])
@pytest.mark.parametrize("processors", [2, 4])
def test_threads_change_no_number(block: int, processors: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule, "SCORES_PER_BLOCK", block)
    monkeypatch.setattr(rule, "sizes", rule.sizes.__wrapped__)
    q, k, v, rules = problem(causal=True, mask=True, bias=True)
    dy = numbers(6, 2, 37, 3, seed=5)

    def all_of_it(threads: int) -> Any:
        monkeypatch.setattr(rule, "thread_count", lambda queries, keys: threads)
        output, logsumexp = attend(q, k, v, rules)
        return output, logsumexp, *attend_backward(q, k, v, rules, logsumexp, dy)

    monkeypatch.setattr(threads_module, "processors", lambda: processors)
    for one, other in zip(all_of_it(1), all_of_it(4), strict=True):
        np.testing.assert_array_equal(one, other)


def test_long_sequences_are_divided_among_threads() -> None:
    assert rule.thread_count((1, 1, 4096), 4096) == 1
    assert rule.thread_count((4, 1, 1024), 1024) == 4
    assert rule.thread_count((48, 1, 64), 64) == 0


@pytest.mark.parametrize("processors", [1, 2, 3])
@pytest.mark.parametrize("threads", [0, 1, 3])
def test_a_product_is_the_same_on_any_number_of_threads(threads: int, processors: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads_module, "processors", lambda: processors)
    a, b = numbers(7, 5), numbers(5, 4, seed=1)
    np.testing.assert_allclose(arrays.parallel_dot(a, b, threads), a @ b, rtol=1e-13)
    np.testing.assert_allclose(arrays.parallel_dot(b.T, a.T, threads), (a @ b).T, rtol=1e-13)


@pytest.mark.parametrize("masked", [False, True])
def test_attention_divided_among_threads_is_attention(masked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    layer: Any = fn.attention(2, causal=True, masked=masked)  # type: ignore[call-overload]  # masked is one of the two
    params, x, dy = started(layer, (9, 4)), numbers(3, 9, 4), numbers(3, 9, 4, seed=1)
    given = [fn.Masked(one, np.arange(9) < np.array([[9], [4], [7]])) if masked else one for one in (x, dy)]

    def all_of_it() -> list[Array]:
        made = layer.forward(params, (), given[0], fn.Eval())
        pulled = layer.backward(params, made.residuals, given[1])
        return [made.output.values if masked else made.output, *fn.tree.leaves(pulled.params)]

    whole = all_of_it()
    monkeypatch.setattr(rule, "thread_count", lambda queries, keys: 4)
    monkeypatch.setattr("funcnn.layers.attention.attention.thread_count", lambda queries, keys: 4)
    monkeypatch.setattr(threads_module, "processors", lambda: 2)
    for one, other in zip(whole, all_of_it(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-13)


def test_memory_grows_linearly_with_time() -> None:
    layer = fn.attention(1, causal=True)
    params = layer.init(fn.Key(0), (4, 4)).params

    def peak(steps: int) -> int:
        x = numbers(1, steps, 4)
        tracemalloc.start()
        try:
            made = layer.forward(params, (), x, fn.Eval())
            layer.backward(params, made.residuals, made.output)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(4000) < 2.5 * peak(2000)
    assert peak(4000) < 8 * 4000 * 4000 / 5  # the matrix of all scores would be 8 bytes each


def test_large_scores_neither_overflow_nor_vanish() -> None:
    q, k = np.full((1, 1, 2, 1), 1e3), np.array([[[1e3], [-1e3], [1e3 - 1e-3]]])
    v = np.eye(3)[None]
    output, _ = attend(q, k, v, AttentionSpec())
    expected = np.array([1, 0, math.exp(-1)]) / (1 + math.exp(-1))
    np.testing.assert_allclose(output, np.broadcast_to(expected, output.shape), rtol=1e-9)


@pytest.mark.parametrize("size", [1.0, 4.0, 40.0, 100.0])
def test_gradients_keep_their_digits_whether_scores_are_small_or_large(size: float) -> None:
    """Weights from nearly equal to nearly 0 and 1, against the same in long double."""
    q, k, v = size * numbers(3, 2, 5, 4), numbers(3, 7, 4, seed=1), numbers(3, 7, 3, seed=2)
    dy = numbers(3, 2, 5, 3, seed=3)

    def gradients(dtype: Any) -> Any:
        a, b, c = q.astype(dtype), k.astype(dtype), v.astype(dtype)
        _, logsumexp = attend(a, b, c, AttentionSpec())
        return attend_backward(a, b, c, AttentionSpec(), logsumexp, dy.astype(dtype))[:3]

    for one, exact in zip(gradients(np.float64), gradients(np.longdouble), strict=True):
        assert (abs(one - exact) <= 2e-13 * size * abs(exact)).all()


@pytest.mark.parametrize("dropout", [0.25, 0.6])
def test_dropout_keeps_the_expectation_and_depends_on_the_key(dropout: float) -> None:
    q, k, v = np.zeros((1, 1, 400, 2)), np.zeros((1, 100, 2)), np.ones((1, 100, 1))
    first, _ = attend(q, k, v, AttentionSpec(dropout=dropout, key=fn.Key(0)))
    again, _ = attend(q, k, v, AttentionSpec(dropout=dropout, key=fn.Key(0)))
    other, _ = attend(q, k, v, AttentionSpec(dropout=dropout, key=fn.Key(1)))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    error = math.sqrt(dropout / (1 - dropout) / (400 * 100))
    assert abs(first.mean() - 1) < 4 * error
    kept = first * 100 * (1 - dropout)
    np.testing.assert_allclose(kept, kept.round(), atol=1e-9)  # each weight is dropped or kept


# -------------------------------------------------------------------------------------------------------------- properties


@pytest.mark.parametrize("positions", POSITIONS)
def test_a_causal_output_does_not_see_later_inputs(positions: Any) -> None:
    layer = fn.attention(2, causal=True, positions=positions)
    params, x = started(layer, (6, 8)), numbers(2, 6, 8)
    y = fn.apply(layer, params, (), x)
    for t in range(5):
        later = np.concatenate([x[:, : t + 1], numbers(2, 5 - t, 8, seed=9)], axis=1)
        np.testing.assert_allclose(fn.apply(layer, params, (), later)[:, : t + 1], y[:, : t + 1], rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("positions", POSITIONS)
@pytest.mark.parametrize("causal", [False, True])
def test_masked_equals_cropped(positions: Any, causal: bool) -> None:
    masked: Any = fn.attention(2, causal=causal, masked=True, positions=positions, max_distance=3)
    plain: Any = fn.attention(2, causal=causal, positions=positions, max_distance=3)
    params, x = started(plain, (6, 8)), numbers(1, 6, 8)
    mask = np.arange(6)[None] < 4
    garbage = np.where(mask[..., None], x, 1e9)
    made, cropped = (
        masked.forward(params, (), fn.Masked(garbage, mask), fn.Eval()),
        plain.forward(params, (), x[:, :4], fn.Eval()),
    )
    np.testing.assert_allclose(made.output.values[:, :4], cropped.output, rtol=1e-12, atol=1e-13)
    assert not made.output.values[:, 4:].any()
    dy = numbers(1, 6, 8, seed=3)
    pulled = masked.backward(params, made.residuals, fn.Masked(dy, mask))
    expected = plain.backward(params, cropped.residuals, dy[:, :4])
    np.testing.assert_allclose(pulled.input.values[:, :4], expected.input, rtol=1e-11, atol=1e-12)
    assert not pulled.input.values[:, 4:].any()
    for one, other in zip(fn.tree.leaves(pulled.params), fn.tree.leaves(expected.params), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-12)


def test_an_example_of_padding_alone_has_no_part_in_anything() -> None:
    layer: Any = fn.attention(2, masked=True)
    params = started(layer, (3, 4))
    mask = np.array([[False] * 3])
    made = layer.forward(params, (), fn.Masked(np.full((1, 3, 4), np.nan), mask), fn.Eval())
    pulled = layer.backward(params, made.residuals, fn.Masked(np.full((1, 3, 4), np.nan), mask))
    for leaf in (made.output.values, pulled.input.values, *fn.tree.leaves(pulled.params)):
        assert not leaf.any()


def test_grouped_queries_equal_repeated_heads() -> None:
    grouped, full = fn.attention(4, key_value_heads=2), fn.attention(4)
    params, x = started(grouped, (5, 8)), numbers(2, 5, 8)

    def repeated(columns: Array) -> Array:
        q, k, v = np.split(columns, [8, 12], axis=-1)
        parts = [np.repeat(part.reshape(*part.shape[:-1], 2, 2), 2, axis=-2).reshape(*part.shape[:-1], 8) for part in (k, v)]
        return np.concatenate([q, *parts], axis=-1)

    wide = DenseParams(repeated(params.project.weight), repeated(params.project.bias))
    expected = fn.apply(full, AttentionParams(wide, params.output, ()), (), x)
    np.testing.assert_allclose(fn.apply(grouped, params, (), x), expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("positions", ["rotary", "alibi", "relative"])
def test_positions_are_relative(positions: Any) -> None:
    """Steps that padding moves to later times see each other as before."""
    layer = fn.attention(2, masked=True, positions=positions, max_distance=2)
    params, x = started(layer, (4, 8)), numbers(1, 4, 8)
    here = fn.apply(layer, params, (), fn.Masked(x, np.ones((1, 4), bool))).values
    later = np.concatenate([np.zeros((1, 3, 8)), x], axis=1)
    there = fn.apply(layer, params, (), fn.Masked(later, np.arange(7)[None] >= 3)).values
    np.testing.assert_allclose(there[:, 3:], here, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("positions", ["rotary", "alibi", "relative"])
def test_positions_tell_an_order(positions: Any) -> None:
    x = numbers(1, 4, 8)
    kinds: tuple[tuple[Any, bool], ...] = ("none", False), (positions, True)
    for kind, differs in kinds:
        layer = fn.attention(2, positions=kind)
        params = started(layer, (4, 8))
        turned = fn.apply(layer, params, (), x[:, ::-1])[:, ::-1]
        params = started(layer, (4, 8))
        swapped = fn.apply(layer, params, (), x[:, [1, 0, 2, 3]])[:, [1, 0, 2, 3]]
        same = fn.apply(layer, params, (), x)
        assert np.allclose(swapped, same) is not differs
        assert np.allclose(turned, same) is (kind in ("none", "alibi"))


def test_one_key_is_all_there_is_to_see() -> None:
    layer = fn.cross_attention(2)
    params = started(layer, ((3, 4), (1, 5)))
    memory = numbers(2, 1, 5)
    y = fn.apply(layer, params, (), (numbers(2, 3, 4), memory))
    value = (memory @ params.memory.weight + params.memory.bias)[..., 4:]
    expected = value @ params.output.weight + params.output.bias
    np.testing.assert_allclose(y, np.broadcast_to(expected, y.shape), rtol=1e-12)


# ------------------------------------------------------------------------------------------------------------------ errors


def called(layer: Any, x: Any, shape: Any = (3, 4)) -> object:
    return fn.apply(layer, layer.init(fn.Key(0), shape).params, (), x)


SEQUENCE, MASK = np.zeros((2, 3, 4)), np.ones((2, 3), bool)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: fn.attention(0), ValueError, "heads"),
        (lambda: fn.attention(2.0), TypeError, "heads"),  # type: ignore[call-overload]  # wrong on purpose
        (lambda: fn.attention(4, key_value_heads=3), ValueError, "divisor of the 4 heads"),
        (lambda: fn.attention(4, key_value_heads=0), ValueError, "key_value_heads"),
        (lambda: fn.attention(2, positions="sine"), ValueError, "positions"),  # type: ignore[call-overload]  # wrong on purpose
        (lambda: fn.attention(2, causal=1), TypeError, "causal"),  # type: ignore[call-overload]  # wrong on purpose
        (lambda: fn.attention(2, bias="no"), TypeError, "bias"),  # type: ignore[call-overload]  # wrong on purpose
        (lambda: fn.attention(2, max_distance=0), ValueError, "max_distance"),
        (lambda: fn.attention(2, dropout=1.0), ValueError, "dropout"),
        (lambda: fn.attention(2, dropout=float("nan")), ValueError, "dropout"),
        (lambda: fn.attention(2, block_rows=0), ValueError, "block_rows"),
        (lambda: fn.attention(3).init(fn.Key(0), (3, 4)), ValueError, "4 features do not make 3 heads"),
        (lambda: fn.attention(4, positions="rotary").init(fn.Key(0), (3, 4)), ValueError, "odd number"),
        (lambda: fn.attention(2).init(fn.Key(0), (4,)), ValueError, "time, features"),
        (lambda: called(fn.attention(2), np.zeros((2, 4))), ValueError, "3 axes"),
        (lambda: called(fn.attention(2), np.zeros((2, 3, 3, 4))), ValueError, "batch, time, features"),
        (lambda: called(fn.attention(2), np.zeros((2, 3, 5))), ValueError, "5 long, expected 4"),
        (lambda: called(fn.attention(2), np.zeros((2, 3, 4), int)), TypeError, "int64"),
        (lambda: called(fn.attention(2), fn.Masked(SEQUENCE, MASK)), TypeError, "masked=True"),
        (lambda: called(fn.attention(2, masked=True), SEQUENCE), TypeError, "expected funcnn.Masked"),
        (lambda: fn.scaled_dot_product(causal=1), TypeError, "causal"),  # type: ignore[arg-type]  # wrong on purpose
        (lambda: fn.scaled_dot_product().init(fn.Key(0), ((3, 2), (4, 2))), ValueError, "queries, keys and values"),
        (lambda: fn.scaled_dot_product().init(fn.Key(0), ((3, 2), (4, 3), (4, 2))), ValueError, r"\(s, d\)"),
        (lambda: fn.scaled_dot_product(causal=True).init(fn.Key(0), ((3, 2), (4, 2), (4, 2))), ValueError, "as many keys"),
        (lambda: called(fn.scaled_dot_product(), SEQUENCE, ((3, 4),) * 3), TypeError, "queries, keys, values"),
        (lambda: called(fn.scaled_dot_product(), (SEQUENCE, SEQUENCE[:1], SEQUENCE), ((3, 4),) * 3), ValueError, "batches"),
        (lambda: fn.cross_attention(2).init(fn.Key(0), (3, 4)), ValueError, "memory time"),
        (lambda: fn.cross_attention(2, key_value_heads=4), ValueError, "divisor"),
        (lambda: fn.cross_attention(2, memory_masked=None), TypeError, "memory_masked"),  # type: ignore[call-overload]  # wrong
        (lambda: called(fn.cross_attention(2), SEQUENCE, ((3, 4), (3, 4))), TypeError, "a pair"),
        (lambda: called(fn.cross_attention(2), (SEQUENCE, SEQUENCE[:1]), ((3, 4), (3, 4))), ValueError, "batch of 2"),
        (lambda: called(fn.cross_attention(2), (SEQUENCE, SEQUENCE[:, :0]), ((3, 4), (3, 4))), ValueError, "one step"),
        (lambda: called(fn.cross_attention(2, memory_masked=True), (SEQUENCE, SEQUENCE), ((3, 4), (3, 4))), TypeError, "memory"),
    ],
)
def test_wrong_settings_and_inputs_are_refused(call: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e200])
@pytest.mark.parametrize("layer", [fn.attention(2, causal=True), fn.attention(2, causal=True, positions="relative")])
def test_a_later_step_that_is_no_number_does_not_reach_earlier_ones(layer: Any, bad: float) -> None:
    start = layer.init(fn.Key(0), (5, 6))
    x = np.random.default_rng(0).normal(size=(2, 5, 6))
    spoiled = x.copy()
    spoiled[0, 3] = bad
    whole, part = (fn.apply(layer, start.params, start.state, one) for one in (x, spoiled))
    np.testing.assert_allclose(part[0, :3], whole[0, :3], rtol=1e-12)
    np.testing.assert_allclose(part[1], whole[1], rtol=1e-12)
    if np.isnan(bad):
        assert np.isnan(part[0, 3:]).all()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("size", [1e19, 1e20, 1e25, 1e37])
def test_scores_beyond_the_range_of_numbers(causal: bool, size: float) -> None:
    generator = np.random.default_rng(1)
    q, k, v = ((generator.normal(size=(2, 5, 3)) * one).astype(np.float32) for one in (size, size, 1))
    layer = fn.scaled_dot_product(causal=causal)
    dy = generator.normal(size=(2, 5, 3)).astype(np.float32)
    made = layer.forward((), (), (q, k, v), fn.Eval())
    wide = layer.forward((), (), (q.astype(float), k.astype(float), v.astype(float)), fn.Eval())
    np.testing.assert_allclose(made.output, wide.output, rtol=1e-5)  # float32
    for got, wanted in zip(
        layer.backward((), made.residuals, dy).input, layer.backward((), wide.residuals, dy.astype(float)).input, strict=True
    ):
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-6)  # float32
