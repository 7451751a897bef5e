"""Transformer blocks, GPT, the text classifier and generation: against their formulas, and the properties that they promise."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn.typing import Array


def numbers(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape)


def started(layer: Any, shape: Any) -> Any:
    """Return parameters of which none is 0."""
    generator = np.random.default_rng(7)
    return fn.tree.map(lambda leaf: leaf + 0.3 * generator.normal(size=leaf.shape), layer.init(fn.Key(1), shape).params)


def run(layer: Any, params: Any, x: Any) -> Any:
    """Return the output of a layer; its state is made of empty tuples, like that of its parts."""
    return fn.apply(layer, params, layer.init(fn.Key(0), (4, 4)).state, x)


def test_rms_norm_is_a_loop_over_rows() -> None:
    layer = fn.rms_norm(eps=0.1)
    params, x = started(layer, (3, 4)), numbers(2, 3, 4)
    y = fn.apply(layer, params, (), x)
    for n, t in np.ndindex(2, 3):
        size = math.sqrt(math.fsum(x[n, t] ** 2) / 4 + 0.1)
        for i in range(4):
            assert math.isclose(y[n, t, i], x[n, t, i] / size * params.scale[i], rel_tol=1e-13)


def test_mean_steps_counts_real_steps() -> None:
    x, mask = numbers(3, 4, 2), np.array([[True, False, True, True], [False] * 4, [True] * 4])
    y = fn.apply(fn.mean_steps(masked=True), (), (), fn.Masked(np.where(mask[..., None], x, np.nan), mask))
    for n in range(3):
        rows = [x[n, t] for t in range(4) if mask[n, t]] or [np.zeros(2)]
        np.testing.assert_allclose(y[n], sum(rows) / len(rows), rtol=1e-14)
    np.testing.assert_allclose(y[2], fn.apply(fn.mean_steps(), (), (), x)[2], rtol=1e-14)


# ------------------------------------------------------------------------------------------------------------------ blocks


def norm(x: Array, params: Any) -> Array:
    return fn.apply(fn.layer_norm(), params, (), x)


def feed(x: Array, first: Any, second: Any) -> Array:
    hidden = fn.apply(fn.gelu(approximate=True), (), (), x @ first.weight + first.bias)
    return np.asarray(hidden @ second.weight + second.bias)


@pytest.mark.parametrize("causal", [False, True])
def test_a_pre_norm_encoder_block_is_its_formula(causal: bool) -> None:
    block = fn.encoder_block(4, 2, causal=causal, positions="alibi")
    params, x = started(block, (4, 4)), numbers(2, 4, 4)
    (norm1, attention, _), (norm2, first, _, second, _) = params
    h = x + fn.apply(fn.attention(2, causal=causal, positions="alibi"), attention, (), norm(x, norm1))
    np.testing.assert_allclose(run(block, params, x), h + feed(norm(h, norm2), first, second), rtol=1e-12, atol=1e-13)


def test_a_post_norm_encoder_block_is_its_formula() -> None:
    block = fn.encoder_block(4, 2, norm_first=False, hidden=3)
    params, x = started(block, (4, 4)), numbers(2, 4, 4)
    (attention, _), norm1, (first, _, second, _), norm2 = params
    assert first.weight.shape == (4, 3)
    h = norm(x + fn.apply(fn.attention(2), attention, (), x), norm1)
    np.testing.assert_allclose(run(block, params, x), norm(h + feed(h, first, second), norm2), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("causal", [False, True])
def test_a_pre_norm_decoder_block_is_its_formula(causal: bool) -> None:
    block = fn.decoder_block(4, 2, causal=causal)
    shapes = (4, 4), (3, 6)
    params, x, memory = started(block, shapes), numbers(2, 4, 4), numbers(2, 3, 6, seed=1)
    (norm1, own, _), (norm2, other, _), (norm3, first, _, second, _) = params
    a = x + fn.apply(fn.attention(2, causal=causal), own, (), norm(x, norm1))
    b = a + fn.apply(fn.cross_attention(2), other, (), (norm(a, norm2), memory))
    y, same = fn.apply(block, params, block.init(fn.Key(0), shapes).state, (x, memory))
    np.testing.assert_allclose(y, b + feed(norm(b, norm3), first, second), rtol=1e-12, atol=1e-13)
    np.testing.assert_array_equal(same, memory)


def test_a_post_norm_decoder_block_is_its_formula() -> None:
    assert fn.decoder_block(4, 2) == fn.decoder_block(4, 2, causal=True)
    block = fn.decoder_block(4, 2, norm_first=False)
    shapes = (4, 4), (3, 6)
    params, x, memory = started(block, shapes), numbers(2, 4, 4), numbers(2, 3, 6, seed=1)
    (own, _), norm1, (other, _), norm2, (first, _, second, _), norm3 = params
    a = norm(x + fn.apply(fn.attention(2, causal=True), own, (), x), norm1)
    b = norm(a + fn.apply(fn.cross_attention(2), other, (), (a, memory)), norm2)
    y, _ = fn.apply(block, params, block.init(fn.Key(0), shapes).state, (x, memory))
    np.testing.assert_allclose(y, norm(b + feed(b, first, second), norm3), rtol=1e-12, atol=1e-13)


def feed_without_bias(x: Array, first: Any, second: Any) -> Array:
    return np.asarray(fn.apply(fn.gelu(approximate=True), (), (), x @ first.weight) @ second.weight)


NORMS: dict[str, Any] = {"rms_norm": fn.rms_norm(), "layer_norm_without_shift": fn.layer_norm_without_shift()}


@pytest.mark.parametrize("kind", NORMS)
def test_an_encoder_block_without_bias_is_its_formula(kind: Any) -> None:
    block = fn.encoder_block_without_bias(4, 2, causal=True, positions="rotary", norm=kind, hidden=3)
    params, x = started(block, (4, 4)), numbers(2, 4, 4)
    normed: Any = partial(fn.apply, NORMS[kind])
    (norm1, look, _), (norm2, first, _, second, _) = params
    h = x + fn.apply(fn.attention_without_bias(2, causal=True, positions="rotary"), look, (), normed(norm1, (), x))
    np.testing.assert_allclose(
        run(block, params, x), h + feed_without_bias(normed(norm2, (), h), first, second), rtol=1e-12, atol=1e-13
    )


@pytest.mark.parametrize("kind", NORMS)
def test_a_decoder_block_without_bias_is_its_formula(kind: Any) -> None:
    block = fn.decoder_block_without_bias(4, 2, norm=kind)
    shapes = (4, 4), (3, 6)
    params, x, memory = started(block, shapes), numbers(2, 4, 4), numbers(2, 3, 6, seed=1)
    normed: Any = partial(fn.apply, NORMS[kind])
    (norm1, own, _), (norm2, other, _), (norm3, first, _, second, _) = params
    a = x + fn.apply(fn.attention_without_bias(2, causal=True), own, (), normed(norm1, (), x))
    b = a + fn.apply(fn.cross_attention_without_bias(2), other, (), (normed(norm2, (), a), memory))
    y, same = fn.apply(block, params, block.init(fn.Key(0), shapes).state, (x, memory))
    np.testing.assert_allclose(y, b + feed_without_bias(normed(norm3, (), b), first, second), rtol=1e-12, atol=1e-13)
    np.testing.assert_array_equal(same, memory)


def test_a_block_with_zero_biases_is_one_without() -> None:
    plain, other = fn.encoder_block(4, 2, norm="rms_norm"), fn.encoder_block_without_bias(4, 2)
    params: Any = plain.init(fn.Key(3), (4, 4)).params  # biases are zeros at first
    leaves = {path: leaf for path, leaf in fn.tree.walk(params) if not path.endswith("bias")}
    own = other.init(fn.Key(3), (4, 4)).params
    assert [path for path, _ in fn.tree.walk(own)] == list(leaves)
    x = numbers(2, 4, 4)
    np.testing.assert_array_equal(run(other, fn.tree.rebuild(own, iter(leaves.values())), x), run(plain, params, x))


@pytest.mark.parametrize("norm_first", [True, False])
def test_masked_blocks_equal_cropped_ones(norm_first: Any) -> None:
    masked = fn.encoder_block(4, 2, norm_first=norm_first, masked=True)
    params, x = started(masked, (4, 4)), numbers(1, 4, 4)
    mask = np.arange(4)[None] < 3
    y = run(masked, params, fn.Masked(np.where(mask[..., None], x, 1e6), mask))
    expected = run(fn.encoder_block(4, 2, norm_first=norm_first), params, x[:, :3])
    np.testing.assert_allclose(y.values[:, :3], expected, rtol=1e-12, atol=1e-13)
    assert not y.values[:, 3:].any()


@pytest.mark.parametrize("norm_first", [True, False])
def test_a_masked_decoder_equals_a_cropped_one(norm_first: Any) -> None:
    masked = fn.decoder_block(4, 2, norm_first=norm_first, masked=True, memory_masked=True)
    plain = fn.decoder_block(4, 2, norm_first=norm_first)
    shapes = (4, 4), (5, 3)
    made = masked.init(fn.Key(0), shapes)
    params, x, memory = started(masked, shapes), numbers(1, 4, 4), numbers(1, 5, 3)
    mask, memory_mask = np.arange(4)[None] < 3, np.arange(5)[None] < 2
    given = (
        fn.Masked(np.where(mask[..., None], x, 1e6), mask),
        fn.Masked(np.where(memory_mask[..., None], memory, 1e6), memory_mask),
    )
    y, _ = fn.apply(masked, params, made.state, given)
    expected, _ = fn.apply(plain, params, made.state, (x[:, :3], memory[:, :2]))
    np.testing.assert_allclose(y.values[:, :3], expected, rtol=1e-12, atol=1e-13)
    assert not y.values[:, 3:].any()


# --------------------------------------------------------------------------------------------------------------------- gpt


def test_a_gpt_starts_as_gpt_2_does() -> None:
    model = fn.gpt(50, layers=3, heads=2, features=64, context_length=16)
    params = model.init(fn.Key(0), (16,)).params
    positions, _, blocks, last = params.inner
    assert params.table.shape == (50, 64)
    assert positions.table.shape == (16, 64)
    assert (last.scale == 1).all()
    assert len(blocks) == 3
    for (_, attention, _), (_, first, _, second, _) in blocks:
        for weight, std in (
            (attention.project.weight, 0.02),
            (attention.output.weight, 0.02 / math.sqrt(6)),
            (first.weight, 0.02),
            (second.weight, 0.02 / math.sqrt(6)),
        ):
            assert math.isclose(weight.std(), std, rel_tol=0.05)
        assert not first.bias.any()
    assert fn.tree.size(params) == 50 * 64 + 16 * 64 + 3 * (12 * 64**2 + 13 * 64) + 2 * 64


@pytest.mark.parametrize("tied", [True, False])
def test_a_gpt_sees_no_later_token(tied: Any) -> None:
    model = fn.gpt(7, layers=2, heads=2, features=8, context_length=6, tied=tied)
    start = model.init(fn.Key(0), (6,))
    params = started(model, (6,))
    tokens = np.array([[1, 2, 3, 4, 5, 6]])
    logits = fn.apply(model, params, start.state, tokens)
    assert logits.shape == (1, 6, 7)
    for t in range(5):
        other = np.concatenate([tokens[:, : t + 1], np.zeros((1, 5 - t), int)], axis=1)
        np.testing.assert_allclose(fn.apply(model, params, start.state, other)[:, : t + 1], logits[:, : t + 1], rtol=1e-12)
    with pytest.raises(ValueError, match="7 steps and there are 6 positions"):
        fn.apply(model, params, start.state, np.zeros((1, 7), int))


def test_a_tied_embedding_reads_with_its_table() -> None:
    layer = fn.tied_embedding(5, 3, fn.tanh())
    params = layer.init(fn.Key(0), (2,)).params
    logits = fn.apply(layer, params, (), np.array([[4, 1]]))
    for t, token in enumerate((4, 1)):
        for v in range(5):
            expected = math.fsum(math.tanh(params.table[token, k]) * params.table[v, k] for k in range(3))
            assert math.isclose(logits[0, t, v], expected, rel_tol=1e-12)


@pytest.mark.parametrize("encoder", ["transformer", "gru"])
def test_padding_does_not_change_the_class_of_a_text(encoder: Any) -> None:
    model: Any = fn.text_classifier(9, 3, encoder, features=8)
    start = model.init(fn.Key(0), (4,))
    text = np.array([[3, 1, 4, 5]])
    longer = np.concatenate([text, np.zeros((1, 3), int)], axis=1)
    logits = fn.apply(model, start.params, start.state, text)
    assert logits.shape == (1, 3)
    np.testing.assert_allclose(fn.apply(model, start.params, start.state, longer), logits, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("encoder", ["transformer", "gru"])
def test_a_text_classifier_learns_which_token_occurs(encoder: Any) -> None:
    generator = np.random.default_rng(0)
    x = generator.integers(2, 9, size=(240, 7))
    labels = generator.integers(0, 2, size=240)
    x[np.arange(240), generator.integers(0, 5, size=240)] = np.where(labels, 1, 8)
    x[labels == 0] = np.where(x[labels == 0] == 1, 2, x[labels == 0])
    x[labels == 1] = np.where(x[labels == 1] == 8, 2, x[labels == 1])
    x[:, 5:] = 0
    model: Any = fn.text_classifier(9, 2, encoder, features=16)
    loss = fn.softmax_cross_entropy()
    made = fn.fit(model, loss, fn.adam(1e-2), x[:200], labels[:200], key=fn.Key(0), epochs=8, batch_size=20, progress=False)
    assert fn.metrics.accuracy(fn.apply(model, made.params, made.state, x[200:]), labels[200:]) >= 0.95


# -------------------------------------------------------------------------------------------------------------- generation


def successor(vocabulary: int, sharpness: float) -> Any:
    """Return a model that finds the token after the last one likely: its table is fixed, and it has no more parameters."""
    return fn.embedding(vocabulary, vocabulary), np.roll(np.eye(vocabulary), 1, axis=1) * sharpness


def test_generation_follows_the_model() -> None:
    model, table = successor(5, 50.0)
    params = fn.tree.map(lambda leaf: table, model.init(fn.Key(0), (1,)).params)
    drawn = fn.generate(model, params, (), np.array([[0], [3]]), 6, fn.Key(0))
    assert drawn.tolist() == [[0, 1, 2, 3, 4, 0, 1], [3, 4, 0, 1, 2, 3, 4]]


def test_generation_draws_from_the_softmax() -> None:
    model, _ = successor(3, 1.0)
    logits = np.log([0.5, 0.3, 0.2])
    params = fn.tree.map(lambda leaf: np.stack([logits] * 3), model.init(fn.Key(0), (1,)).params)
    many = np.zeros((20000, 1), int)
    shares = [
        np.bincount(fn.generate(model, params, (), many, 1, fn.Key(0), temperature=t, top_k=k)[:, 1], minlength=3) / len(many)
        for t, k in ((1.0, None), (0.5, None), (1.0, 2), (0.0, None), (1.0, 1))
    ]
    squares = np.array([0.25, 0.09, 0.04])
    expected = [[0.5, 0.3, 0.2], squares / squares.sum(), [0.625, 0.375, 0], [1, 0, 0], [1, 0, 0]]
    np.testing.assert_allclose(shares, expected, atol=0.015)  # drawn: four deviations


def test_generation_crops_to_the_block_and_depends_on_the_key() -> None:
    model = fn.gpt(11, layers=1, heads=1, features=8, context_length=4)
    start = model.init(fn.Key(0), (4,))
    prompt = np.array([[1, 2, 3, 4, 5, 6]])
    first, again, other = (
        fn.generate(model, start.params, start.state, prompt, 20, fn.Key(seed), context_length=4) for seed in (1, 1, 2)
    )
    assert first.shape == (1, 26)
    np.testing.assert_array_equal(first[:, :6], prompt)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    with pytest.raises(ValueError, match="there are 4 positions"):
        fn.generate(model, start.params, start.state, prompt, 1, fn.Key(1))


def test_generation_shows_the_model_the_last_tokens_of_the_block() -> None:
    shown: list[list[int]] = []

    def forward(params: Any, state: Any, x: Any, mode: fn.Mode) -> Any:
        shown.append(x[0].tolist())
        return fn.Forward(np.eye(9)[(x + 1) % 9] * 50.0, state, ())  # the token after the last one

    model: Any = fn.define_layer("next", lambda key, shape: fn.Init((), (), (*shape, 9)), forward, lambda *given: None)  # type: ignore[arg-type]  # no gradient is asked for
    drawn = fn.generate(model, (), (), np.array([[4, 5, 6]]), 4, fn.Key(0), context_length=4, temperature=0.0)
    assert drawn.tolist() == [[4, 5, 6, 7, 8, 0, 1]]
    assert shown == [[4, 5, 6], [4, 5, 6, 7], [5, 6, 7, 8], [6, 7, 8, 0]]


# ------------------------------------------------------------------------------------------------------------------ errors

MODEL = fn.embedding(3, 3)
PARAMS = MODEL.init(fn.Key(0), (1,)).params
ONE = np.zeros((1, 1), int)
FLOATS: Any = np.zeros((1, 1))


def applied(layer: Any, x: Any) -> object:
    return fn.apply(layer, (), (), x)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: fn.rms_norm(eps=0), ValueError, "eps"),
        (lambda: fn.rms_norm().init(fn.Key(0), ()), ValueError, "features axis"),
        (lambda: fn.mean_steps().init(fn.Key(0), (3,)), ValueError, "time, features"),
        (lambda: fn.encoder_block(0, 1), ValueError, "features"),
        (lambda: fn.encoder_block(4, 2, hidden=0), ValueError, "hidden"),
        (lambda: fn.encoder_block(4, 2, norm="batch_norm"), ValueError, "norm"),  # type: ignore[call-overload]  # on purpose
        (lambda: fn.encoder_block_without_bias(4, 0), ValueError, "heads"),
        (lambda: fn.encoder_block_without_bias(4, 2, norm="layer_norm"), ValueError, "norm"),  # type: ignore[call-overload]  # wrong
        (lambda: fn.decoder_block_without_bias(4, 2, memory_masked=1), TypeError, "memory_masked"),  # type: ignore[call-overload]  # wrong
        (lambda: fn.encoder_block(4, 2, norm_first=1), TypeError, "norm_first"),  # type: ignore[call-overload]  # on purpose
        (lambda: fn.encoder_block(4, 2).init(fn.Key(0), (3, 6)), ValueError, "keeps the shape"),
        (lambda: fn.decoder_block(4, 2, memory_masked=1), TypeError, "memory_masked"),  # type: ignore[call-overload]  # wrong
        (lambda: fn.decoder_block(4, 2).init(fn.Key(0), (3, 4)), ValueError, "pair of shapes"),
        (lambda: fn.beside_memory(fn.relu), TypeError, "inner is .* expected a layer"),  # type: ignore[arg-type]  # wrong on purpose
        (lambda: applied(fn.beside_memory(fn.relu()), np.zeros((2, 3))), TypeError, "a pair"),
        (lambda: fn.memory_residual(fn.drop_memory() >> fn.dense(2)).init(fn.Key(0), ((3, 4), (3, 4))), ValueError, "keeps"),
        (lambda: applied(fn.masked_residual(fn.masked_steps(fn.relu())), np.zeros((1, 2, 3))), TypeError, "Masked"),
        (lambda: fn.tied_embedding(4, 3, fn.tanh), TypeError, "inner is .* expected a layer"),  # type: ignore[arg-type]  # wrong on purpose
        (lambda: fn.tied_embedding(4, 3, fn.dense(2)).init(fn.Key(0), (5,)), ValueError, "keeps the shape"),
        (lambda: fn.gpt(0), ValueError, "vocabulary"),
        (lambda: fn.gpt(5, layers=0), ValueError, "layers"),
        (lambda: fn.gpt(5, features=10, heads=4).init(fn.Key(0), (4,)), ValueError, "10 features do not make 4 heads"),
        (lambda: fn.gpt(5, dropout=1.0), ValueError, "dropout"),
        (lambda: fn.text_classifier(5, 0), ValueError, "classes"),
        (lambda: fn.text_classifier(5, 2, "cnn"), ValueError, "encoder"),  # type: ignore[call-overload]  # wrong on purpose
        (lambda: fn.generate(MODEL, PARAMS, (), FLOATS, 1, fn.Key(0)), TypeError, "integers"),
        (lambda: fn.generate(MODEL, PARAMS, (), np.zeros(3, int), 1, fn.Key(0)), ValueError, r"x\[None\]"),
        (lambda: fn.generate(MODEL, PARAMS, (), ONE, -1, fn.Key(0)), ValueError, "steps"),
        (lambda: fn.generate(MODEL, PARAMS, (), ONE, 1, fn.Key(0), temperature=-1.0), ValueError, "temperature"),
        (lambda: fn.generate(MODEL, PARAMS, (), ONE, 1, fn.Key(0), top_k=0), ValueError, "top_k"),
        (lambda: fn.generate(MODEL, PARAMS, (), ONE, 1, fn.Key(0), context_length=1.5), TypeError, "context_length"),  # type: ignore[arg-type]  # wrong
        (lambda: fn.generate(fn.embedding_bag(3, 3), PARAMS, (), ONE, 1, fn.Key(0)), ValueError, "expected logits"),
    ],
)
def test_wrong_settings_and_inputs_are_refused(call: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
