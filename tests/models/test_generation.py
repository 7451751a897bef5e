"""Generation: a network step by step is the network, and tokens are drawn as the settings say."""

import pickle
from itertools import product
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn.models.generation.sampling import kept, log_softmax, penalized
from funcnn.typing import Array

V = 7
TOKENS = np.random.default_rng(0).integers(0, V, (3, 9))


def together(*layers: Any) -> Any:
    return fn.serial(*layers)


def block(**options: Any) -> Any:
    return fn.encoder_block(8, 4, causal=True, **options)


def with_table(*layers: Any) -> Any:
    return fn.serial(fn.embedding(V, 8), *layers, fn.dense(V))


MODELS: dict[str, Any] = {
    "gpt": fn.gpt(V, layers=2, heads=2, features=8, context_length=9, dropout=0.5),
    "gpt, untied": fn.gpt(V, layers=1, heads=2, features=8, context_length=9, tied=False),
    "rotary, grouped": with_table(block(positions="rotary", key_value_heads=2, norm="rms_norm")),
    "alibi, one key": with_table(block(positions="alibi", key_value_heads=1, norm_first=False)),
    "relative": with_table(block(positions="relative"), fn.recompute(block())),
    "sinusoids, no bias": with_table(
        fn.sinusoidal_positions(), fn.residual(fn.attention_without_bias(2, causal=True)), fn.linear(16), fn.swiglu()
    ),
    "options": with_table(
        fn.attention(2, causal=True, positions=fn.Rotary(base=100.0, features=2), head_features=6, value_features=3),
        fn.attention(2, causal=True, scores=fn.AttentionScores(scale=0.7, soft_cap=2.0, window=(2, 0))),
        fn.qk_norm_attention(4, causal=True, positions="rotary", key_value_heads=2),
        fn.attention(2, causal=True, positions="alibi", scores=fn.AttentionScores(window=3)),
        fn.layer_norm_without_affine(), fn.layer_norm_without_shift(), fn.rms_norm_without_scale(),
        fn.lora(fn.frozen(fn.dense(8)), rank=2), fn.residual(fn.dense(8) >> fn.stochastic_depth(0.5)),
        fn.branch(fn.dense(8), fn.identity()), fn.subtract_inputs(),
    ),
    "branches": with_table(
        fn.branch(fn.dense(4) >> fn.silu(), fn.gru(4)), fn.multiply_inputs(), fn.concatenate(fn.identity(), fn.lstm(4)),
        together(fn.branch(fn.identity(), fn.prelu()), fn.parallel(fn.tanh(), fn.rnn(8)), fn.add_inputs()),
        fn.add(fn.frozen(fn.lstm(8)), fn.identity()),
    ),
    **{f"char_rnn, {cell}": fn.char_rnn(V, cell=cell, features=5, layers=2, dropout=0.5) for cell in ("rnn", "lstm", "gru")},
    "peepholes": with_table(fn.peephole_lstm(4), fn.maxout(4, 2), fn.layer_norm()),
}  # fmt: skip


def parameters(model: Any, dtype: Any = np.float64) -> tuple[Any, Any]:
    """Return parameters that all matter, zeros of the start as well."""
    start = model.init(fn.Key(0), (9,))
    generator = fn.Key(1).generator()
    moved = fn.tree.map(lambda leaf: leaf + generator.normal(0, 0.3, leaf.shape), start.params)
    return fn.tree.astype(moved, dtype), start.state


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble])
@pytest.mark.parametrize("name", MODELS)
def test_step_by_step_is_the_whole(name: str, dtype: Any) -> None:
    params, state = parameters(MODELS[name], dtype)
    whole = fn.apply(MODELS[name], params, state, TOKENS)
    step = fn.generation.stepwise(MODELS[name])
    cache: object = ()
    made: list[Array] = []
    for first, after in ((0, 3), (3, 4), (4, 7), (7, 8), (8, 9)):  # the beginning, one step, and several after others
        logits, cache = step(params, state, cache, TOKENS[:, first:after])
        made.append(logits)
    assert made[0].dtype == dtype
    # Sums of other lengths are added in another order, by other processors in yet another: some units of the largest logit.
    bound = 16 * np.finfo(dtype).eps * np.abs(whole).max()
    np.testing.assert_allclose(np.concatenate(made, axis=1), whole, rtol=0, atol=bound)


@pytest.mark.parametrize("name", MODELS)
def test_the_last_step_alone(name: str) -> None:
    params, state = parameters(MODELS[name])
    step = fn.generation.stepwise(MODELS[name])
    all_of_them, cache = step(params, state, (), TOKENS)
    alone, same = step(params, state, (), TOKENS, last=True)
    np.testing.assert_allclose(alone, all_of_them[:, -1:], rtol=0, atol=1e-13)
    assert fn.tree.same(cache, same) or name == "gpt"


def test_a_cache_is_a_value() -> None:
    """Two continuations of one cache do not see each other, and some of its sequences go on alone."""
    model = MODELS["rotary, grouped"]
    params, state = parameters(model)
    step = pickle.loads(pickle.dumps(fn.generation.stepwise(model)))
    _, cache = step(params, state, (), TOKENS[:, :4])
    before = fn.tree.map(np.copy, cache)
    once = step(params, state, cache, TOKENS[:, 4:5])
    step(params, state, cache, TOKENS[:, 5:6])
    again = step(params, state, cache, TOKENS[:, 4:5])
    assert fn.tree.same(cache, before)
    np.testing.assert_array_equal(once.logits, again.logits)
    rows = np.array([2, 0, 2])
    some = step(params, state, fn.tree.map(lambda leaf: leaf[rows], cache), TOKENS[rows, 4:5])
    np.testing.assert_allclose(some.logits, once.logits[rows], rtol=0, atol=1e-14)


def test_positions_end_where_they_end() -> None:
    model = fn.gpt(V, layers=1, heads=1, features=8, context_length=4)
    start = model.init(fn.Key(0), (4,))
    params, state = start.params, start.state
    step = fn.generation.stepwise(model)
    _, cache = step(params, state, (), TOKENS[:, :4])
    with pytest.raises(ValueError, match=r"5 steps and there are 4 positions") as caught:
        step(params, state, cache, TOKENS[:, 4:5])
    assert caught.value.__notes__ == ["in layer [0] learned_positions(4), given float64[3, 1, 8]"]


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (with_table(fn.encoder_block(8, 2)), r"attention\(2\) at \[1\]\[0\]\[1\] .* sees later steps"),
        (with_table(fn.bidirectional(fn.lstm(4), fn.lstm(4))), r"at \[1\] .* not known"),
        (fn.embedding(V, V, padding_index=0, masked=True), "at the root .* no padding"),
        (with_table(fn.lstm(8, final=True)), "more than a plain sequence"),
        (with_table(fn.group_norm_without_affine(2)), "more than the features"),
        (with_table(fn.lora(fn.gru(8), rank=2)), "which does not treat each step alone"),
        (fn.tied_embedding(V, 8, fn.mean_steps()), r"mean_steps at \.inner"),
    ],
)
def test_what_may_look_ahead_is_refused(model: Any, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        fn.generation.stepwise(model)


def test_tokens_that_are_none_are_refused() -> None:
    model = MODELS["gpt"]
    params, state = parameters(model)
    step: Any = fn.generation.stepwise(model)
    for tokens, kind in ((TOKENS * 1.0, TypeError), (TOKENS[0], ValueError), (TOKENS[:, :0], ValueError), ([[1]], TypeError)):
        with pytest.raises(kind, match="tokens is"):
            step(params, state, (), tokens)


# ---------------------------------------------------------------------------------------------------------------- sampling


def sampled(model: Any, prompt: Any, steps: int = 5, **settings: Any) -> fn.generation.Generated:
    params, state = parameters(model)
    how = fn.generation.Sampling(**settings)
    return fn.generation.sample(model, params, state, prompt, steps, fn.Key(3), sampling=how)


@pytest.mark.parametrize("name", ["gpt", "char_rnn, lstm"])
def test_tokens_are_those_of_whole_sequences(name: str) -> None:
    """A network that cannot be computed step by step sees the whole sequence each time, and draws the same."""
    model = MODELS[name]
    whole: Any = fn.define_layer("whole", model.init, lambda *given: model.forward(*given), model.backward)
    fast, slow = (sampled(one, TOKENS[:, :3], temperature=0.8, top_k=4) for one in (model, whole))
    np.testing.assert_array_equal(fast.tokens, slow.tokens)
    np.testing.assert_allclose(fast.log_probabilities, slow.log_probabilities, rtol=0, atol=1e-12)


def test_no_more_than_the_context_is_shown() -> None:
    model = MODELS["char_rnn, lstm"]  # which could remember all
    params, state = parameters(model)
    how = fn.generation.Sampling(temperature=0)
    made = fn.generation.sample(model, params, state, TOKENS[:, :2], 6, fn.Key(0), sampling=how, context_length=3)
    for end in range(2, 8):
        logits = fn.apply(model, params, state, made.tokens[:, max(0, end - 3) : end])[:, -1]
        chances = np.log(np.exp(logits) / np.exp(logits).sum(1, keepdims=True))
        np.testing.assert_array_equal(made.tokens[:, end], logits.argmax(1))
        np.testing.assert_allclose(made.log_probabilities[:, end - 2], chances.max(1), rtol=0, atol=1e-12)


def test_a_prompt_whose_type_holds_no_such_token_is_refused() -> None:
    model: Any = fn.gpt(300, layers=1, features=8, context_length=9)
    params, state = parameters(model)
    prompt = np.array([[1, 2]], np.uint8)  # token 299 would come out as 43
    with pytest.raises(ValueError, match="and the model has 300 tokens"):
        fn.generation.sample(model, params, state, prompt, 2, fn.Key(3))
    with pytest.raises(ValueError, match="and the model has 300 tokens"):
        fn.generation.beam_search(model, params, state, prompt, 2)
    small: Any = fn.gpt(256, layers=1, features=8, context_length=9)
    params, state = parameters(small)
    assert fn.generation.sample(small, params, state, prompt, 2, fn.Key(3)).tokens.dtype == np.uint8


def test_log_probabilities_are_those_of_the_model() -> None:
    model = MODELS["gpt"]
    params, state = parameters(model)
    made = sampled(model, TOKENS[:, :3], temperature=0.5, top_k=3, repetition_penalty=1.3)
    logits = fn.apply(model, params, state, made.tokens)[:, 2:-1]
    logs = logits - np.log(np.exp(logits).sum(2, keepdims=True))
    expected = np.take_along_axis(logs, made.tokens[:, 3:, None], 2)[..., 0]
    np.testing.assert_allclose(made.log_probabilities, expected, rtol=0, atol=1e-12)


def test_several_samples_of_a_prompt() -> None:
    made = sampled(MODELS["rotary, grouped"], TOKENS[:2, :3], samples=4, temperature=2.0)
    assert made.tokens.shape == (8, 8)
    np.testing.assert_array_equal(made.tokens[:, :3], TOKENS[[0, 0, 0, 0, 1, 1, 1, 1], :3])
    assert len({tuple(row) for row in made.tokens[:4].tolist()}) > 1
    repeated = sampled(MODELS["rotary, grouped"], np.repeat(TOKENS[:2, :3], 4, axis=0), temperature=2.0)
    np.testing.assert_array_equal(made.tokens, repeated.tokens)


def test_a_stop_token_ends_a_sequence() -> None:
    model = fn.embedding(5, 5)
    params = fn.tree.map(lambda leaf: np.roll(np.eye(5), 1, axis=1) * 60.0, model.init(fn.Key(0), (1,)).params)
    how = fn.generation.Sampling(stop=(3,))
    made = fn.generation.sample(model, params, (), np.array([[0], [4]]), 6, fn.Key(0), sampling=how)
    assert made.tokens.tolist() == [[0, 1, 2, 3, 3, 3, 3], [4, 0, 1, 2, 3, 3, 3]]
    assert made.lengths.tolist() == [4, 5]
    assert (made.log_probabilities[0, 3:] == 0).all()


def shares(logits: Any, **settings: Any) -> Array:
    """Return the probabilities with which one token is drawn."""
    given = np.log(np.array([logits]))
    found: Array = np.exp(log_softmax(kept(given, fn.generation.Sampling(**settings))))
    return found.reshape(-1)


def test_the_filters_keep_what_they_say() -> None:
    given = [0.1, 0.4, 0.05, 0.25, 0.2]
    np.testing.assert_allclose(shares(given), given)
    np.testing.assert_allclose(shares(given, top_k=2), [0, 0.4 / 0.65, 0, 0.25 / 0.65, 0])
    np.testing.assert_allclose(shares(given, top_p=0.6), [0, 0.4 / 0.65, 0, 0.25 / 0.65, 0])
    np.testing.assert_allclose(shares(given, top_p=0.66), [0, 0.4 / 0.85, 0, 0.25 / 0.85, 0.2 / 0.85])
    np.testing.assert_allclose(shares(given, top_p=1e-9), [0, 1, 0, 0, 0])
    np.testing.assert_allclose(shares(given, top_p=1.0), given)
    np.testing.assert_allclose(shares(given, min_p=0.45), [0, 0.4 / 0.85, 0, 0.25 / 0.85, 0.2 / 0.85])
    np.testing.assert_allclose(shares(given, min_p=1.0), [0, 1, 0, 0, 0])
    np.testing.assert_allclose(shares(given, min_p=0.0, top_k=9), given)
    np.testing.assert_allclose(shares(given, top_k=3, top_p=0.7), [0, 0.4 / 0.65, 0, 0.25 / 0.65, 0])  # of what is left


def test_what_was_seen_is_penalized() -> None:
    logits = np.array([[2.0, -1.0, 3.0]])
    np.testing.assert_array_equal(penalized(logits, np.array([[0, 1, 1]]), 2.0), [[1.0, -2.0, 3.0]])
    assert penalized(logits, np.array([[0]]), 1.0) is logits
    likely = [6.0, 5.0, 4.0, 3.0]
    model = fn.embedding(4, 4)
    params = fn.tree.map(lambda leaf: np.array([likely] * 4), model.init(fn.Key(0), (1,)).params)
    how = fn.generation.Sampling(temperature=0.0, repetition_penalty=9.0)
    made = fn.generation.sample(model, params, (), np.array([[2]]), 3, fn.Key(0), sampling=how)
    assert made.tokens.tolist() == [[2, 0, 1, 3]]


def test_drawing_has_the_probabilities_of_the_softmax() -> None:
    model = fn.embedding(3, 3)
    params = fn.tree.map(lambda leaf: np.log([[0.5, 0.3, 0.2]] * 3), model.init(fn.Key(0), (1,)).params)
    how = fn.generation.Sampling(top_p=0.75, samples=20_000)
    made = fn.generation.sample(model, params, (), np.array([[0]]), 1, fn.Key(0), sampling=how)
    # 20,000 draws: four deviations.
    np.testing.assert_allclose(np.bincount(made.tokens[:, 1], minlength=3) / 20_000, [0.625, 0.375, 0], atol=0.015)


def of_logits(row: list[float], tokens: int = 4) -> tuple[Any, Any]:
    """Return a model that gives the same logits after every token, and its parameters."""
    model = fn.embedding(tokens, len(row))
    return model, fn.tree.map(lambda leaf: np.array([row] * tokens), model.init(fn.Key(0), (1,)).params)


@pytest.mark.parametrize("temperature", [1.0, 1e-3, 1e-300, 5e-324, 0.0])
@pytest.mark.parametrize("filters", [{}, {"top_k": 2}, {"top_p": 0.9}, {"min_p": 0.5}])
@pytest.mark.parametrize("likely", [700.0, 1e308, np.inf])
def test_what_is_certain_is_drawn(temperature: float, filters: dict[str, Any], likely: float) -> None:
    """Also where logits over the temperature are no numbers, or a logit is infinite."""
    model, params = of_logits([-1e308, 1.0, likely, 2.0])
    how = fn.generation.Sampling(temperature=temperature, **filters)
    made = fn.generation.sample(model, params, (), np.array([[0]]), 3, fn.Key(0), sampling=how)
    assert made.tokens.tolist() == [[0, 2, 2, 2]]
    np.testing.assert_allclose(made.log_probabilities, 0, atol=1e-12)
    found = fn.generation.beam_search(model, params, (), np.array([[0]]), 2, beams=1)
    assert found.tokens.tolist() == [[0, 2, 2]]


@pytest.mark.parametrize(("row", "said"), [([0.0, np.nan, 1.0, 2.0], "nan"), ([-np.inf] * 4, "all -inf")])
def test_logits_without_a_most_probable_token_are_an_error(row: list[float], said: str) -> None:
    model, params = of_logits(row)
    prompt = np.array([[0]])
    for temperature in (1.0, 0.0):
        with pytest.raises(ValueError, match=f"logits after sequence 0 are {said}"):
            fn.generate(model, params, (), prompt, 2, fn.Key(0), temperature=temperature)
    with pytest.raises(ValueError, match=f"logits after sequence 0 are {said}"):
        fn.generation.beam_search(model, params, (), prompt, 2)


def test_what_cannot_be_is_no_continuation() -> None:
    model, params = of_logits([0.0, -np.inf, 0.5, -np.inf])
    made = fn.generation.beam_search(model, params, (), np.array([[0]]), 2, beams=9)
    assert sorted(made.tokens[:, 1:].tolist()) == [[0, 0], [0, 2], [2, 0], [2, 2]]
    assert np.isfinite(made.log_probabilities).all()


def test_a_stop_token_that_never_comes_is_refused() -> None:
    model, params = of_logits([0.0, 1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="stop has the token 4, and the model gives tokens from 0 to 3"):
        fn.generation.sample(model, params, (), np.array([[0]]), 2, fn.Key(0), sampling=fn.generation.Sampling(stop=(1, 4)))
    with pytest.raises(ValueError, match="stop has the token 4"):
        fn.generation.beam_search(model, params, (), np.array([[0]]), 2, stop=(1, 4))


@pytest.mark.parametrize(
    ("settings", "kind", "named"),
    [
        ({"temperature": -1.0}, ValueError, "temperature"),
        ({"top_k": 0}, ValueError, "top_k"),
        ({"top_p": 0.0}, ValueError, "top_p"),
        ({"top_p": 1.5}, ValueError, "top_p"),
        ({"min_p": "much"}, TypeError, "min_p"),
        ({"repetition_penalty": 0.0}, ValueError, "repetition_penalty"),
        ({"stop": 3}, TypeError, "stop"),
        ({"stop": (-1,)}, ValueError, "stop"),
        ({"samples": 0}, ValueError, "samples"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], kind: type[Exception], named: str) -> None:
    with pytest.raises(kind, match=named):
        fn.generation.Sampling(**settings)


# ------------------------------------------------------------------------------------------------------------- beam search


def searched(steps: int, **settings: Any) -> fn.generation.Generated:
    params, state = parameters(MODELS["gpt"])
    return fn.generation.beam_search(MODELS["gpt"], params, state, TOKENS[:1, :2], steps, **settings)


def every_continuation(steps: int, stop: tuple[int, ...], length_penalty: float) -> list[tuple[float, list[int]]]:
    """Return all continuations with their scores, the best first: what a search of any width cannot surpass."""
    params, state = parameters(MODELS["gpt"])
    found: dict[tuple[int, ...], float] = {}
    for tokens in product(range(V), repeat=steps):
        whole = np.array([[*TOKENS[0, :2], *tokens]])
        logits = fn.apply(MODELS["gpt"], params, state, whole)[0, 1:-1]
        logs = (logits - np.log(np.exp(logits).sum(1, keepdims=True)))[np.arange(steps), list(tokens)]
        length = next((place + 1 for place, token in enumerate(tokens) if token in stop), steps)
        found[tokens[:length]] = float(logs[:length].sum()) / length**length_penalty
    return sorted(((score, [*tokens]) for tokens, score in found.items()), reverse=True)


@pytest.mark.parametrize(("stop", "length_penalty"), [((), 1.0), ((2, 5), 1.0), ((2, 5), 0.0), ((2,), 2.0)])
def test_a_wide_search_finds_the_best(stop: tuple[int, ...], length_penalty: float) -> None:
    expected = every_continuation(3, stop, length_penalty)[:5]
    made = searched(3, beams=V**3, stop=stop, length_penalty=length_penalty)
    for place, (score, tokens) in enumerate(expected):
        length = int(made.lengths[place])
        assert made.tokens[place, 2:length].tolist() == tokens
        assert made.log_probabilities[place].sum() / len(tokens) ** length_penalty == pytest.approx(score, abs=1e-12)


def test_one_beam_is_the_greedy_choice() -> None:
    greedy = sampled(MODELS["gpt"], TOKENS[:1, :2], steps=6, temperature=0.0)
    np.testing.assert_array_equal(searched(6, beams=1).tokens, greedy.tokens)
    np.testing.assert_allclose(searched(6, beams=1).log_probabilities, greedy.log_probabilities, rtol=0, atol=1e-12)


def test_more_beams_find_what_is_no_worse() -> None:
    sums = [float(searched(6, beams=beams).log_probabilities[0].sum()) for beams in (1, 3, 20)]
    assert sums[0] <= sums[1] + 1e-12
    assert sums[1] <= sums[2] + 1e-12


@pytest.mark.parametrize("power", [1e3, -1e3, 1e308])
def test_powers_of_lengths_beyond_floats_are_refused(power: float) -> None:
    with pytest.raises(ValueError, match="length_penalty is"):
        searched(6, length_penalty=power)


def test_beam_search_takes_one_prompt() -> None:
    params, state = parameters(MODELS["gpt"])
    with pytest.raises(ValueError, match="2 sequences"):
        fn.generation.beam_search(MODELS["gpt"], params, state, TOKENS[:2], 1)
