"""The options of attention, against loops over single numbers: scale, bound, windows, bias, masks, rotary positions, widths."""

import cmath
import math
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn import tree
from funcnn.kernels.attention import attend, attend_backward, plain_attend
from funcnn.kernels.attention_blocks import AttentionSpec
from funcnn.kernels.attention_scores import far_argument
from funcnn.typing import Array

T, S = 6, 8  # queries and keys


def numbers(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape)


def coins(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).random(shape) < 0.5


# ------------------------------------------------------------------------------------------- the kernel and its plain form

RULES: dict[str, dict[str, Any]] = {
    "causal, later": {"causal": True, "offset": 2},
    "causal, earlier": {"causal": True, "offset": -3},
    "causal, from the start": {"causal": True},
    "window": {"window": (2, 1)},
    "causal window": {"window": (2, 0), "causal": True, "offset": 2},
    "window beyond the keys": {"window": (0, 1), "offset": 6},
    "window before the keys": {"window": (1, 1), "offset": -2},
    "soft cap": {"soft_cap": 1.5},
    "scale": {"scale": -0.3},
    "bias by head": {"bias": numbers(2, 2, T, S)},
    "bias for all": {"bias": numbers(1, 1, T, S), "soft_cap": 2.0, "window": (3, 3)},
    "seen": {"seen": coins(2, 1, T, S)},
    "diagonals, window": {"diagonals": numbers(2, 2, T + S - 1), "window": (1, 1), "offset": 4},
    "mask, soft cap": {"mask": coins(2, S), "soft_cap": 2.0, "causal": True, "offset": 1},
}


def plain(inputs: Any, rules: AttentionSpec) -> Array:
    q, k, v = inputs
    return plain_attend(q, k, v, rules)


@pytest.mark.parametrize("block_rows", [None, 1, 4])
@pytest.mark.parametrize("name", RULES)
def test_the_fast_form_and_its_gradient_are_those_of_the_plain_formula(name: str, block_rows: int | None) -> None:
    given = RULES[name]
    rules = AttentionSpec(**given, block_rows=block_rows)
    q, k, v = numbers(4, 2, T, 3), numbers(4, S, 3, seed=1), numbers(4, S, 2, seed=2)
    inputs: Any = [q, k, v]
    output, logsumexp = attend(q, k, v, rules)
    np.testing.assert_allclose(output, plain(inputs, rules), rtol=1e-11, atol=1e-12)
    dy = numbers(*output.shape, seed=3)
    *grads, dadded = attend_backward(q, k, v, rules, logsumexp, dy)
    for place, (value, grad) in enumerate(zip(inputs, grads, strict=True)):
        along = numbers(*value.shape, seed=4)
        moved: Any = [*inputs]
        moved[place] = value + 1e-30j * along  # a complex step: exact to rounding
        expected = (plain(moved, rules).imag * dy).sum() / 1e-30
        np.testing.assert_allclose((grad * along).sum(), expected, rtol=1e-9, atol=1e-12)
    for added in {"bias", "diagonals"} & set(given):
        assert dadded is not None
        along = numbers(*given[added].shape, seed=4)
        shifted = AttentionSpec(**{**given, added: given[added] + 1e-30j * along})
        expected = (plain(inputs, shifted).imag * dy).sum() / 1e-30
        summed = dadded.reshape(-1, *along.shape).sum(0)  # diagonals are given for each head of each example
        np.testing.assert_allclose((summed * along).sum(), expected, rtol=1e-9, atol=1e-12)


def test_windows_leave_keys_out_before_anything_is_computed_with_them() -> None:
    rules = AttentionSpec(causal=True, window=(2, 0), block_rows=4)
    q, k, v = numbers(1, 1, 64, 3), numbers(1, 64, 3, seed=1), numbers(1, 64, 2, seed=2)
    whole, _ = attend(q, k, v, rules)
    k[:, :32], v[:, :32] = np.nan, np.nan
    part, _ = attend(q, k, v, rules)
    np.testing.assert_array_equal(part[:, :, 36:], whole[:, :, 36:])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_capped_scores_beyond_the_range_of_numbers_are_the_cap() -> None:
    q = np.array([[[[1e30, 1e30]]]], np.float32)
    k = np.array([[[1e30, -1e29], [1e30, -1e30], [-1e30, 0.0]]], np.float32)
    v = np.eye(3, dtype=np.float32)[np.newaxis]
    output, _ = attend(q, k, v, AttentionSpec(soft_cap=2.0))
    weights = np.exp([2.0, 0.0, -2.0])  # the second product is exactly 0
    np.testing.assert_allclose(output[0, 0, 0], weights / weights.sum(), rtol=1e-6)


def test_the_form_for_products_beyond_the_range_is_the_plain_one_within_it() -> None:
    scaled_q, k = 100 * numbers(2, 4, 3), 10 * numbers(2, 5, 3, seed=1)
    plainly = np.matmul(k, scaled_q.swapaxes(1, 2)) / 1.5
    np.testing.assert_allclose(far_argument(scaled_q, k, 1.5), plainly, rtol=1e-12)


# -------------------------------------------------------------------------------------------------------- without maps


def plain_score(product: float, size: int, *place: int) -> float:
    return product / math.sqrt(size)


def slow_attention(q: Array, k: Array, v: Array, sees: Any, score: Any = plain_score) -> Array:
    """Attend by loops for (n, h, t, d): ``sees(n, h, i, j)`` and ``score(product, d, n, h, i, j)`` say what, and how much."""
    heads, groups = q.shape[1], k.shape[1]
    y = np.zeros((*q.shape[:-1], v.shape[-1]))
    for n, h, i in np.ndindex(*q.shape[:-1]):
        g = h * groups // heads
        seen = [j for j in range(k.shape[2]) if sees(n, h, i, j)]
        scores = [score(math.fsum(q[n, h, i] * k[n, g, j]), q.shape[-1], n, h, i, j) for j in seen]
        weights = [math.exp(one - max(scores)) for one in scores]
        for weight, j in zip(weights, seen, strict=True):
            y[n, h, i] += weight / math.fsum(weights) * v[n, g, j]
    return y


QKV = numbers(2, 4, T, 3), numbers(2, 2, S, 3, seed=1), numbers(2, 2, S, 5, seed=2)
SHAPES: Any = tuple(one.shape[1:] for one in QKV)


def always(n: int, h: int, i: int, j: int) -> bool:
    return True


@pytest.mark.parametrize(
    ("options", "sees"),
    [
        ({}, always),
        ({"causal": True, "align": "start"}, lambda n, h, i, j: j <= i),
        ({"causal": True, "align": "end"}, lambda n, h, i, j: j <= i + S - T),
        ({"align": "end", "scores": fn.AttentionScores(window=(1, 2))}, lambda n, h, i, j: -1 <= j - i - S + T <= 2),
        ({"align": "start", "causal": True, "scores": fn.AttentionScores(window=1)}, lambda n, h, i, j: -1 <= j - i <= 0),
    ],
)
def test_queries_by_head_see_the_keys_that_they_may(options: Any, sees: Any) -> None:
    layer = fn.scaled_dot_product(**options)
    assert layer.init(fn.Key(0), SHAPES).out_shape == (4, T, 5)
    np.testing.assert_allclose(fn.apply(layer, (), (), QKV), slow_attention(*QKV, sees), rtol=1e-11, atol=1e-12)
    single: Any = tuple(one[:, 0] for one in QKV)
    q, k, v = [one[:, :1] for one in QKV]
    expected = slow_attention(q, k, v, sees)[:, 0]
    np.testing.assert_allclose(fn.apply(layer, (), (), single), expected, rtol=1e-11, atol=1e-12)


def test_scale_and_bound_of_the_scores() -> None:
    layer = fn.scaled_dot_product(scores=fn.AttentionScores(scale=0.7, soft_cap=0.9))
    expected = slow_attention(*QKV, always, lambda product, *_: 0.9 * math.tanh(0.7 * product / 0.9))
    np.testing.assert_allclose(fn.apply(layer, (), (), QKV), expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("heads", [4, 1])
def test_a_bias_of_ones_own_is_added_and_a_mask_hides(heads: int) -> None:
    bias, mask = numbers(2, heads, T, S, seed=3), coins(2, heads, T, S, seed=4)
    mask[0, 0, 1] = False  # a query without keys
    shape = (*SHAPES, (heads, T, S))

    def at(table: Any, n: int, h: int, i: int, j: int) -> Any:
        return table[n, h % heads, i, j]

    biased, masked = fn.scaled_dot_product_with_bias(), fn.scaled_dot_product_with_mask()
    assert biased.init(fn.Key(0), shape).out_shape == masked.init(fn.Key(0), shape).out_shape == (4, T, 5)
    expected = slow_attention(*QKV, always, lambda product, size, *place: product / math.sqrt(size) + at(bias, *place))
    np.testing.assert_allclose(fn.apply(biased, (), (), (*QKV, bias)), expected, rtol=1e-11, atol=1e-12)
    expected = slow_attention(*QKV, lambda *place: at(mask, *place))
    y = fn.apply(masked, (), (), (*QKV, mask))
    np.testing.assert_allclose(y, expected, rtol=1e-11, atol=1e-12)
    hidden = fn.apply(biased, (), (), (*QKV, np.where(mask, 0.0, -np.inf)))
    np.testing.assert_allclose(hidden, expected, rtol=1e-11, atol=1e-12)
    made = masked.forward((), (), (*QKV, mask), fn.Eval())
    assert masked.backward((), made.residuals, y).input[3] is None


# ----------------------------------------------------------------------------------------------------------- rotary


def turned(vector: Array, step: int, frequencies: list[float], interleaved: bool, magnitude: float = 1.0) -> Array:
    """Turn the first pairs of a vector as complex numbers."""
    y, count = vector.copy(), len(frequencies)
    for pair, frequency in enumerate(frequencies):
        places = (2 * pair, 2 * pair + 1) if interleaved else (pair, pair + count)
        value = complex(*vector[list(places)]) * cmath.rect(magnitude, step * frequency)
        y[list(places)] = value.real, value.imag
    return y


@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize("features", [None, 4])
def test_rotary_positions_turn_pairs_as_complex_numbers(interleaved: bool, features: int | None) -> None:
    rotary = fn.Rotary(base=50.0, features=features, interleaved=interleaved)
    layer = fn.rotary_positions(rotary, heads=2, start=3)
    x, count = numbers(2, 5, 12), features or 6
    frequencies = [50.0 ** (-2 * i / count) for i in range(count // 2)]
    y = fn.apply(layer, (), (), x)
    for n, t, h in np.ndindex(2, 5, 2):
        head = slice(6 * h, 6 * h + 6)
        np.testing.assert_allclose(y[n, t, head], turned(x[n, t, head], t + 3, frequencies, interleaved), rtol=1e-12, atol=1e-13)


def test_the_scalings_of_rotary_positions_are_their_formulas() -> None:
    base, m, s, length = 1000.0, 16, 4.0, 64
    plain = [base ** (-2 * i / m) for i in range(m // 2)]
    np.testing.assert_allclose(fn.Rotary(base=base).frequencies(m), plain, rtol=1e-13)
    linear = fn.Rotary(base=base, scaling=fn.LinearScaling(s)).frequencies(m)
    np.testing.assert_allclose(linear, [one / s for one in plain], rtol=1e-13)
    ntk = fn.Rotary(base=base, scaling=fn.NTKScaling(s)).frequencies(m)
    np.testing.assert_allclose(ntk, [(base * s ** (m / (m - 2))) ** (-2 * i / m) for i in range(m // 2)], rtol=1e-13)
    assert ntk[0] == 1
    assert math.isclose(ntk[-1], plain[-1] / s, rel_tol=1e-12)
    llama = fn.Rotary(base=base, scaling=fn.Llama3Scaling(s, length, low=0.5, high=2.0)).frequencies(m)
    yarn = fn.Rotary(base=base, scaling=fn.YarnScaling(s, length, fast=4.0, slow=0.5))
    low = math.floor(m * math.log(length / (4.0 * 2 * math.pi)) / (2 * math.log(base)))
    high = math.ceil(m * math.log(length / (0.5 * 2 * math.pi)) / (2 * math.log(base)))
    assert 0 <= low < high < m // 2
    for i, one in enumerate(plain):
        wave = 2 * math.pi / one
        if wave < length / 2.0:
            expected = one
        elif wave > length / 0.5:
            expected = one / s
        else:
            smooth = (length / wave - 0.5) / (2.0 - 0.5)
            expected = (1 - smooth) * one / s + smooth * one
        assert math.isclose(llama[i], expected, rel_tol=1e-12)
        kept = 1 - min(1.0, max(0.0, (i - low) / (high - low)))
        assert math.isclose(yarn.frequencies(m)[i], kept * one + (1 - kept) * one / s, rel_tol=1e-12)
    assert any(one / s < two < one for one, two in zip(plain, llama, strict=True))
    assert yarn.scaling is not None
    assert math.isclose(yarn.scaling.magnitude, 0.1 * math.log(4.0) + 1)
    y = fn.apply(fn.rotary_positions(yarn), (), (), numbers(1, 4, m))
    row, magnitude = numbers(1, 4, m)[0, 3], 0.1 * math.log(4.0) + 1
    expected_row = turned(row, 3, yarn.frequencies(m).tolist(), interleaved=False, magnitude=magnitude)
    np.testing.assert_allclose(y[0, 3], expected_row, rtol=1e-12, atol=1e-13)


def test_yarn_of_a_short_context_stretches_from_the_first_pair_on() -> None:
    rotary = fn.Rotary(scaling=fn.YarnScaling(4.0, 100))  # no pair makes 32 turns within 100 steps
    high = math.ceil(16 * math.log(100 / (2 * math.pi)) / (2 * math.log(10000.0)))
    for i, (one, plain) in enumerate(zip(rotary.frequencies(16), fn.Rotary().frequencies(16), strict=True)):
        kept = 1 - min(1.0, i / high)
        assert math.isclose(one, kept * plain + (1 - kept) * plain / 4, rel_tol=1e-12)


# ----------------------------------------------------------------------------------------------------------- with maps


def started(layer: Any, shape: Any) -> Any:
    """Return parameters of which none is 0."""
    return tree.map(lambda leaf: leaf + 0.3 * numbers(*leaf.shape, seed=7), layer.init(fn.Key(1), shape).params)


def by_head(x: Array, first: int, heads: int, size: int) -> Array:
    """Return some columns of (n, t, columns) as (n, heads, t, size)."""
    return x[..., first : first + heads * size].reshape(*x.shape[:2], heads, size).swapaxes(1, 2)


@pytest.mark.parametrize("sizes", [{}, {"head_features": 6, "value_features": 3}])
@pytest.mark.parametrize("interleaved", [False, True])
def test_self_attention_with_every_option_is_loops_over_numbers(sizes: Any, interleaved: bool) -> None:
    rotary = fn.Rotary(base=100.0, features=2, interleaved=interleaved)
    scores = fn.AttentionScores(scale=0.4, soft_cap=1.2, window=(2, 1))
    layer = fn.attention(4, key_value_heads=2, positions=rotary, scores=scores, block_rows=2, **sizes)
    params, x = started(layer, (T, 8)), numbers(2, T, 8)
    d, e = sizes.get("head_features", 2), sizes.get("value_features", 2)
    assert params.project.weight.shape == (8, 6 * d + 2 * e)
    projected = x @ params.project.weight + params.project.bias
    q, k, v = by_head(projected, 0, 4, d), by_head(projected, 4 * d, 2, d), by_head(projected, 6 * d, 2, e)
    for one in (q, k):
        for n, h, t in np.ndindex(*one.shape[:-1]):
            one[n, h, t] = turned(one[n, h, t], t, [1.0], interleaved)
    attended = slow_attention(
        q, k, v, lambda n, h, i, j: -2 <= j - i <= 1, lambda product, *_: 1.2 * math.tanh(0.4 * product / 1.2)
    )
    expected = attended.swapaxes(1, 2).reshape(2, T, 4 * e) @ params.output.weight + params.output.bias
    np.testing.assert_allclose(fn.apply(layer, params, (), x), expected, rtol=1e-11, atol=1e-12)


def test_cross_attention_with_every_option_is_loops_over_numbers() -> None:
    scores = fn.AttentionScores(scale=0.4, soft_cap=1.2, window=(2, 1))
    layer = fn.cross_attention_without_bias(4, key_value_heads=2, head_features=3, value_features=5, scores=scores)
    params, x, memory = started(layer, ((T, 7), (S, 6))), numbers(2, T, 7), numbers(2, S, 6, seed=1)
    seen = memory @ params.memory.weight
    q, k, v = by_head(x @ params.query.weight, 0, 4, 3), by_head(seen, 0, 2, 3), by_head(seen, 6, 2, 5)
    attended = slow_attention(
        q, k, v, lambda n, h, i, j: -2 <= j - i <= 1, lambda product, *_: 1.2 * math.tanh(0.4 * product / 1.2)
    )
    expected = attended.swapaxes(1, 2).reshape(2, T, 20) @ params.output.weight
    np.testing.assert_allclose(fn.apply(layer, params, (), (x, memory)), expected, rtol=1e-11, atol=1e-12)


def test_the_word_rotary_is_the_record_with_its_defaults() -> None:
    assert fn.attention(2, positions="rotary") == fn.attention(2, positions=fn.Rotary())
    assert fn.attention(2, positions=fn.Rotary(base=5.0)) != fn.attention(2, positions="rotary")


# ------------------------------------------------------------------------------------------------------------------ errors


def called(layer: Any, x: Any) -> Any:
    return fn.apply(layer, (), (), x)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: fn.Rotary(base=1.0), ValueError, "base is 1"),
        (lambda: fn.Rotary(features=3), ValueError, "features is 3, expected an even number"),
        (lambda: fn.Rotary(scaling=2.0), TypeError, "scaling is 2.0"),  # type: ignore[arg-type]  # wrong on purpose
        (lambda: fn.LinearScaling(0.5), ValueError, "factor is 0.5"),
        (lambda: fn.YarnScaling(2.0, 64, fast=1.0), ValueError, "slow is 1.0, expected less than fast"),
        (lambda: fn.Llama3Scaling(2.0, 64, low=4.0), ValueError, "low is 4.0, expected less than high"),
        (lambda: fn.AttentionScores(soft_cap=0.0), ValueError, "soft_cap is 0"),
        (lambda: fn.AttentionScores(window=(1, 2, 3)), ValueError, "window is"),
        (lambda: fn.AttentionScores(window=-1), ValueError, "window is -1"),
        (lambda: fn.AttentionScores(scale=math.nan), ValueError, "scale is nan"),
        (lambda: fn.attention(2, scores=3), TypeError, "scores is 3"),  # type: ignore[call-overload]  # wrong on purpose
        (lambda: fn.attention(2, head_features=0), ValueError, "head_features is 0"),
        (lambda: fn.cross_attention(2, value_features=0), ValueError, "value_features is 0"),
        (lambda: fn.attention(2, positions=fn.Rotary(features=4)).init(fn.Key(0), (3, 4)), ValueError, "turn 4 features"),
        (lambda: fn.rotary_positions(heads=2).init(fn.Key(0), (3, 6)), ValueError, "odd number"),
        (lambda: fn.rotary_positions(heads=4).init(fn.Key(0), (3, 6)), ValueError, "do not make 4 heads"),
        (lambda: fn.rotary_positions(start=-1), ValueError, "start is -1"),
        (lambda: fn.scaled_dot_product(align="middle"), ValueError, "align"),  # type: ignore[arg-type]  # wrong on purpose
        (lambda: fn.scaled_dot_product(causal=True).init(fn.Key(0), SHAPES), ValueError, 'align="start" or align="end"'),
        (
            lambda: fn.scaled_dot_product().init(fn.Key(0), ((3, 2, 4), (2, 2, 4), (2, 2, 4))),
            ValueError,
            "3 heads of queries and 2 of keys",
        ),
        (
            lambda: fn.scaled_dot_product_with_bias().init(fn.Key(0), (*SHAPES, (2, T, S))),
            ValueError,
            r"bias of an example has shape \(2, 6, 8\), expected \(4, 6, 8\) or \(1, 6, 8\)",
        ),
        (lambda: called(fn.scaled_dot_product_with_mask(), (*QKV, numbers(2, 4, T, S))), TypeError, "booleans"),
        (lambda: called(fn.scaled_dot_product_with_bias(), (*QKV, numbers(1, 4, T, S))), ValueError, "2 examples"),
        (
            lambda: called(fn.scaled_dot_product_with_bias(), (*[np.float32(one) for one in QKV], numbers(2, 4, T, S))),
            TypeError,
            "no more precision",
        ),
    ],
)
def test_wrong_options_are_refused(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("table_heads", [4, 1])
def test_self_attention_with_a_bias_or_a_mask_is_loops_over_numbers(table_heads: int) -> None:
    bias, mask = numbers(2, table_heads, T, T, seed=3), coins(2, table_heads, T, T, seed=4)
    shape: Any = ((T, 8), (table_heads, T, T))
    biased = fn.attention_with_score_bias(4, key_value_heads=2, causal=True)
    masked = fn.attention_with_mask(4, key_value_heads=2)
    params, x = started(biased, shape), numbers(2, T, 8)
    projected = x @ params.project.weight + params.project.bias
    q, k, v = by_head(projected, 0, 4, 2), by_head(projected, 8, 2, 2), by_head(projected, 12, 2, 2)

    def expected(attended: Array) -> Array:
        made: Array = attended.swapaxes(1, 2).reshape(2, T, 8) @ params.output.weight + params.output.bias
        return made

    def added(product: float, size: int, n: int, h: int, i: int, j: int) -> float:
        return product / math.sqrt(size) + float(bias[n, h % table_heads, i, j])

    attended = slow_attention(q, k, v, lambda n, h, i, j: j <= i, added)
    np.testing.assert_allclose(fn.apply(biased, params, (), (x, bias)), expected(attended), rtol=1e-11, atol=1e-12)
    attended = slow_attention(q, k, v, lambda n, h, i, j: mask[n, h % table_heads, i, j])
    np.testing.assert_allclose(fn.apply(masked, params, (), (x, mask)), expected(attended), rtol=1e-11, atol=1e-12)
    made = masked.forward(params, (), (x, mask), fn.Eval())
    assert masked.backward(params, made.residuals, made.output).input[1] is None


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: fn.attention_with_score_bias(2, positions="relative"), ValueError, "relative"),
        (lambda: fn.attention_with_mask(0), ValueError, "heads"),
        (lambda: fn.attention_with_mask(2).init(fn.Key(0), (3, 4)), ValueError, "shapes of the sequence"),
        (lambda: fn.attention_with_mask(2).init(fn.Key(0), ((3, 4), (3, 3, 3))), ValueError, r"expected \(2, 3, 3\) or"),
    ],
)
def test_wrong_biases_and_masks_are_refused(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
