"""Recurrent layers against the textbook, one number at a time, and what masks and states promise."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn import tree
from funcnn.files.nodes import take_apart
from funcnn.layer import AnyLayer
from funcnn.layers.recurrent import recurrent
from funcnn.layers.recurrent.peephole_lstm import PeepholeLSTMParams
from funcnn.typing import Array

BATCH, TIME, INPUTS, SIZE = 3, 5, 2, 4


def numbers(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape)


def started(layer: AnyLayer, in_shape: Any = (TIME, INPUTS)) -> Any:
    """Return parameters, every one of them drawn at random."""
    generator = np.random.default_rng(5)
    return tree.map(lambda leaf: generator.normal(size=leaf.shape), layer.init(fn.Key(0), in_shape).params)


def sigma(z: float) -> float:
    return 1 / (1 + math.exp(-z))


# ------------------------------------------------------------------------------------------- one step of one example, in numbers


def affine(x: list[float], h: list[float], params: Any, column: int) -> float:
    z = float(params.bias[column])
    z += sum(x[i] * float(params.input_weight[i, column]) for i in range(len(x)))
    return z + sum(h[j] * float(params.recurrent_weight[j, column]) for j in range(len(h)))


def rnn_step(params: Any, x: list[float], state: list[list[float]]) -> list[list[float]]:
    (h,) = state
    return [[math.tanh(affine(x, h, params, k)) for k in range(SIZE)]]


def relu_step(params: Any, x: list[float], state: list[list[float]]) -> list[list[float]]:
    (h,) = state
    return [[max(affine(x, h, params, k), 0.0) for k in range(SIZE)]]


def lstm_step(params: Any, x: list[float], state: list[list[float]]) -> list[list[float]]:
    h, c = state
    peepholes = params.peepholes.tolist() if isinstance(params, PeepholeLSTMParams) else [[0.0] * SIZE] * 3
    new_h, new_c = [], []
    for k in range(SIZE):
        i, f, o, g = (affine(x, h, params, gate * SIZE + k) for gate in range(4))
        i, f = sigma(i + peepholes[0][k] * c[k]), sigma(f + peepholes[1][k] * c[k])
        new_c.append(f * c[k] + i * math.tanh(g))
        new_h.append(sigma(o + peepholes[2][k] * new_c[k]) * math.tanh(new_c[k]))
    return [new_h, new_c]


def gru_step(params: Any, x: list[float], state: list[list[float]], after: bool = True) -> list[list[float]]:
    (h,) = state
    nothing = [0.0] * SIZE
    r = [sigma(affine(x, h, params, k)) for k in range(SIZE)]
    u = [sigma(affine(x, h, params, SIZE + k)) for k in range(SIZE)]
    new = []
    for k in range(SIZE):
        column = [float(one) for one in params.recurrent_weight[:, 2 * SIZE + k]]
        a, d = affine(x, nothing, params, 2 * SIZE + k), float(params.candidate_bias[k])
        if after:
            n = math.tanh(a + r[k] * (sum(one * w for one, w in zip(h, column, strict=True)) + d))
        else:
            n = math.tanh(a + sum(r[j] * h[j] * column[j] for j in range(SIZE)) + d)
        new.append((1 - u[k]) * n + u[k] * h[k])
    return [new]


def reset_before_step(params: Any, x: list[float], state: list[list[float]]) -> list[list[float]]:
    return gru_step(params, x, state, after=False)


def loop(step: Callable[..., Any], params: Any, x: Array, mask: Any, state: Sequence[Array]) -> tuple[Array, list[Array]]:
    """Return the outputs and the final state, example by example and step by step."""
    outputs: Array = np.zeros((BATCH, TIME, SIZE))
    finals: list[Array] = [np.zeros((BATCH, SIZE)) for _ in state]
    for n in range(BATCH):
        now = [part[n].tolist() for part in state]
        for t in range(TIME):
            if mask[n, t]:
                now = step(params, x[n, t].tolist(), now)
                outputs[n, t] = now[0]
        for final, part in zip(finals, now, strict=True):
            final[n] = part
    return outputs, finals


KINDS: dict[str, tuple[Callable[..., AnyLayer], Callable[..., Any], int]] = {
    "rnn": (lambda **ends: fn.rnn(SIZE, **ends), rnn_step, 1),
    "rnn relu": (lambda **ends: fn.rnn(SIZE, activation="relu", **ends), relu_step, 1),
    "lstm": (lambda **ends: fn.lstm(SIZE, **ends), lstm_step, 2),
    "peephole_lstm": (lambda **ends: fn.peephole_lstm(SIZE, **ends), lstm_step, 2),
    "gru": (lambda **ends: fn.gru(SIZE, **ends), gru_step, 1),
    "gru reset before": (lambda **ends: fn.gru(SIZE, reset_after=False, **ends), reset_before_step, 1),
}
each_kind = pytest.mark.parametrize(("make", "step", "parts"), KINDS.values(), ids=KINDS.keys())


@each_kind
@pytest.mark.parametrize("masked", [False, True])
def test_the_textbook_number_by_number(make: Any, step: Any, parts: int, masked: bool) -> None:
    layer = make(masked=masked, initial=True, final=True)
    state: Any = [numbers(BATCH, SIZE, seed=9 + part) for part in range(parts)]
    given: Any = tuple(state) if parts > 1 else state[0]
    shapes: Any = tuple((SIZE,) for _ in state) if parts > 1 else (SIZE,)
    params, x = started(layer, ((TIME, INPUTS), shapes)), numbers(BATCH, TIME, INPUTS)
    mask = np.array([[1, 1, 0, 1, 0], [0, 1, 1, 1, 1], [0, 0, 0, 0, 0]], bool) if masked else np.ones((BATCH, TIME), bool)
    outputs, finals = loop(step, params, x, mask, state)
    sequence, final = fn.apply(layer, params, (), (fn.Masked(x, mask) if masked else x, given))
    np.testing.assert_allclose(sequence.values if masked else sequence, outputs, rtol=1e-13, atol=1e-15)
    for ours, theirs in zip(final if parts > 1 else (final,), finals, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-13, atol=1e-15)


@each_kind
def test_a_state_of_zeros_is_where_a_sequence_starts(make: Any, step: Any, parts: int) -> None:
    layer = make()
    params, x = started(layer), numbers(BATCH, TIME, INPUTS)
    expected, _ = loop(step, params, x, np.ones((BATCH, TIME), bool), [np.zeros((BATCH, SIZE))] * parts)
    np.testing.assert_allclose(fn.apply(layer, params, (), x), expected, rtol=1e-13, atol=1e-15)


@each_kind
def test_pieces_that_hand_their_state_on_are_the_whole(make: Any, step: Any, parts: int) -> None:
    params, x = started(make()), numbers(BATCH, TIME, INPUTS)
    first, state = fn.apply(make(final=True), params, (), x[:, :2])
    second = fn.apply(make(initial=True), params, (), (x[:, 2:], state))
    np.testing.assert_allclose(np.concatenate([first, second], axis=1), fn.apply(make(), params, (), x), rtol=1e-14)


@each_kind
def test_what_stands_in_the_padding_does_not_matter(make: Any, step: Any, parts: int) -> None:
    layer, mask = make(masked=True), np.array([[1, 1, 0, 0, 0], [0, 1, 1, 0, 1], [1, 1, 1, 1, 1]], bool)
    params, x, dy = started(layer), numbers(BATCH, TIME, INPUTS), numbers(BATCH, TIME, SIZE, seed=1)
    nothing: Any = None

    def gradients(padding: float) -> Any:
        forward = layer.forward(params, (), fn.Masked(np.where(mask[..., None], x, padding), mask), fn.Eval())
        dmasked = fn.Masked(np.where(mask[..., None], dy, padding), nothing)
        made = layer.backward(params, forward.residuals, dmasked)
        return forward.output.values, made.params, made.input.values

    for ours, theirs in zip(tree.leaves(gradients(math.nan)), tree.leaves(gradients(0.0)), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@each_kind
def test_float32_is_the_formula_in_float32(make: Any, step: Any, parts: int) -> None:
    layer = make()
    params, x = started(layer), numbers(BATCH, TIME, INPUTS)
    y = fn.apply(layer, fn.tree.astype(params, np.float32), (), x.astype(np.float32))
    assert y.dtype == np.float32
    # Float32, and errors that the steps hand on.
    np.testing.assert_allclose(y, fn.apply(layer, params, (), x), rtol=1e-4, atol=2e-6)


def test_files_with_peepholes_still_load(tmp_path: Path) -> None:
    """The file of a layer that was made by ``lstm(3, peepholes=True)``: its description is compared by the loader."""
    params = fn.peephole_lstm(3).init(fn.Key(0), (TIME, INPUTS)).params
    nodes, leaves = take_apart(params)
    assert nodes[0] == ("PeepholeLSTMParams", [".input_weight", ".recurrent_weight", ".bias", ".peepholes"])
    assert [leaf.shape for _, leaf in leaves] == [(INPUTS, 12), (3, 12), (12,), (3, 3)]
    fn.save(tmp_path / "params.npz", params)
    assert tree.same(fn.load(tmp_path / "params.npz", like=params), params)


def test_gates_of_any_size_stay_between_0_and_1() -> None:
    layer = fn.lstm(SIZE)
    params = tree.map(lambda leaf: 1e3 * leaf, started(layer))
    y = fn.apply(layer, params, (), 1e3 * numbers(BATCH, TIME, INPUTS))
    assert np.isfinite(y).all()
    assert abs(y).max() <= 1


def test_gates_start_where_they_are_told_to() -> None:
    bias = fn.lstm(2, forget_bias=3.0, input_bias=-2.0).init(fn.Key(0), (4, 1)).params.bias
    np.testing.assert_array_equal(bias, [-2, -2, 3, 3, 0, 0, 0, 0])
    bias = fn.gru(2, update_bias=3.0).init(fn.Key(0), (4, 1)).params.bias
    np.testing.assert_array_equal(bias, [0, 0, 3, 3, 0, 0])


# ------------------------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize("make", [fn.rnn, fn.lstm, fn.peephole_lstm, fn.gru])
def test_bad_settings(make: Any) -> None:
    with pytest.raises(ValueError, match="features is 0"):
        make(0)
    for setting in ("masked", "initial", "final"):
        with pytest.raises(TypeError, match=f"{setting} is 1, expected True or False"):
            make(3, **{setting: 1})


def test_bad_settings_of_one_layer() -> None:
    with pytest.raises(TypeError, match="peephole_init is 'zeros'"):
        fn.peephole_lstm(3, peephole_init="zeros")  # type: ignore[call-overload]  # wrong on purpose
    with pytest.raises(TypeError, match="reset_after is None"):
        fn.gru(3, reset_after=None)  # type: ignore[call-overload]  # wrong on purpose
    with pytest.raises(ValueError, match="activation is 'sigmoid'"):
        fn.rnn(3, activation="sigmoid")  # type: ignore[call-overload]  # wrong on purpose


def test_bad_input() -> None:
    layer: AnyLayer = fn.lstm(SIZE, initial=True)
    params, x, h = started(fn.lstm(SIZE)), numbers(BATCH, TIME, INPUTS), numbers(BATCH, SIZE)
    with pytest.raises(TypeError, match="expected a pair \\(sequence, initial state\\)"):
        fn.apply(layer, params, (), x)
    with pytest.raises(TypeError, match="the initial state is float64\\[3, 4\\], expected a tuple of 2 arrays"):
        fn.apply(layer, params, (), (x, h))
    with pytest.raises(TypeError, match="the initial state is NoneType"):
        fn.apply(layer, params, (), (x, (None, h)))
    with pytest.raises(ValueError, match="the initial state is float64\\[2, 4\\], expected shape \\(3, 4\\)"):
        fn.apply(layer, params, (), (x, (h[:2], h)))
    with pytest.raises(ValueError, match="expected \\(batch, time, features\\)"):
        fn.apply(layer, params, (), (x[None], (h, h)))
    with pytest.raises(ValueError, match="the last axis of the input is 1 long, expected 2 features"):
        fn.apply(layer, params, (), (x[..., :1], (h, h)))
    masked: AnyLayer = fn.gru(SIZE, masked=True)
    with pytest.raises(TypeError, match="expected funcnn\\.Masked"):
        fn.apply(masked, started(masked), (), x)
    with pytest.raises(ValueError, match="a sequence and the initial state"):
        layer.init(fn.Key(0), (TIME, INPUTS))
    with pytest.raises(ValueError, match="expected \\(time, features\\)"):
        masked.init(fn.Key(0), (INPUTS,))


# --------------------------------------------------------------------------------------------- both directions, a learned start


def test_both_directions() -> None:
    both = fn.bidirectional(fn.gru(SIZE), fn.rnn(SIZE))
    params, x = started(both), numbers(BATCH, TIME, INPUTS)
    zeros, whole = [np.zeros((BATCH, SIZE))], np.ones((BATCH, TIME), bool)
    forwards, _ = loop(gru_step, params[0], x, whole, zeros)
    backwards, _ = loop(rnn_step, params[1], x[:, ::-1], whole, zeros)
    expected = np.concatenate([forwards, backwards[:, ::-1]], axis=-1)
    np.testing.assert_allclose(fn.apply(both, params, ((), ()), x), expected, rtol=1e-13, atol=1e-15)


def test_both_directions_of_masked_sequences_and_their_final_states() -> None:
    both = fn.bidirectional(fn.lstm(SIZE, masked=True, final=True), fn.lstm(SIZE, masked=True, final=True))
    params, x = started(both), numbers(BATCH, TIME, INPUTS)
    mask, zeros = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [0, 1, 0, 1, 0]], bool), [np.zeros((BATCH, SIZE))] * 2
    forwards, last = loop(lstm_step, params[0], x, mask, zeros)
    backwards, first = loop(lstm_step, params[1], x[:, ::-1], mask[:, ::-1], zeros)
    sequence, states = fn.apply(both, params, ((), ()), fn.Masked(x, mask))
    np.testing.assert_array_equal(sequence.mask, mask)
    expected = np.concatenate([forwards, backwards[:, ::-1]], axis=-1)
    np.testing.assert_allclose(sequence.values, expected, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(states, [last, first], rtol=1e-13)


def test_directions_must_give_sequences_of_one_length() -> None:
    shortened: Any = fn.last_step()
    with pytest.raises(ValueError, match="two layers that give sequences of equal length"):
        fn.bidirectional(shortened, shortened).init(fn.Key(0), (TIME, INPUTS))


def test_a_learned_start_is_given_to_every_example() -> None:
    inner = fn.lstm(SIZE, initial=True)
    layer = fn.trained_start(inner, ((SIZE,), (SIZE,)), start_init=fn.initializers.normal(1.0))
    params = layer.init(fn.Key(0), (TIME, INPUTS)).params
    x, each = numbers(BATCH, TIME, INPUTS), np.ones((BATCH, 1))
    h, c = params.start
    expected = fn.apply(inner, params.inner, (), (x, (each * h, each * c)))
    np.testing.assert_array_equal(fn.apply(layer, params, (), x), expected)
    assert abs(h).min() > 0


def test_a_learned_start_learns() -> None:
    model = fn.trained_start(fn.rnn(1, initial=True), (1,)) >> fn.last_step()
    start = model.init(fn.Key(0), (1, 1))
    x, target = np.zeros((4, 1, 1)), np.full((4, 1), 0.5)
    grads = fn.loss_and_grad(model, fn.half_squared_error())(start.params, start.state, x, target, fn.Train(fn.Key(0))).grads
    weight = start.params[0].inner.recurrent_weight[0, 0]
    np.testing.assert_allclose(grads[0].start, [-0.5 * weight], rtol=1e-14)  # tanh'(0) is 1


def test_bad_starts() -> None:
    with pytest.raises(TypeError, match="inner is the function gru, expected a layer"):
        fn.trained_start(fn.gru, (3,))  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(TypeError, match="shape is 3"):
        fn.trained_start(fn.gru(3, initial=True), 3)  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(ValueError, match="a length in shape is 0"):
        fn.trained_start(fn.gru(3, initial=True), (0,))
    with pytest.raises(ValueError, match="a sequence and the initial state"):
        fn.trained_start(fn.gru(3, initial=True), (4,)).init(fn.Key(0), (TIME, INPUTS))


# ------------------------------------------------------------------------------------------------- the fast way and the plain one


def gradients(layer: AnyLayer, params: Any, x: Array, dy: Array) -> Any:
    """Return the output and all cotangents."""
    made = layer.forward(params, (), x, fn.Eval())
    back = layer.backward(params, made.residuals, dy)
    return made.output, back.params, back.input


@pytest.mark.parametrize("make", [fn.rnn, fn.lstm, fn.peephole_lstm, fn.gru, partial(fn.gru, reset_after=False)])
@pytest.mark.parametrize("size", [64, 96, 128])
def test_products_by_blocks_of_columns_are_the_same(make: Any, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    layer = make(size)
    params, x, dy = started(layer), numbers(BATCH, TIME, INPUTS), numbers(BATCH, TIME, size, seed=1)
    by_blocks = gradients(layer, params, x, dy)
    monkeypatch.setattr(recurrent, "SMALL_GEMM", 0)
    for ours, theirs in zip(tree.leaves(by_blocks), tree.leaves(gradients(layer, params, x, dy)), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("size", [20, 128])
def test_the_lstm_is_its_plain_formula(size: int) -> None:
    layer = fn.lstm(size)
    params, x, dy = started(layer, (TIME, 17)), numbers(BATCH, TIME, 17), numbers(BATCH, TIME, size, seed=1)
    dy[:, ::2] = 0.0
    states, gates = [(np.zeros((BATCH, size)), np.zeros((BATCH, size)))], []
    for t in range(TIME):
        h, c = states[-1]
        z = x[:, t] @ params.input_weight + h @ params.recurrent_weight + params.bias
        i, f, o = (1 / (1 + np.exp(-z[:, k * size : (k + 1) * size])) for k in range(3))
        g = np.tanh(z[:, 3 * size :])
        c = f * c + i * g
        states.append((o * np.tanh(c), c))
        gates.append((i, f, o, g))
    dweight, drecurrent, dbias = (np.zeros(leaf.shape) for leaf in tree.leaves(params))
    dx, dh, dc = np.zeros(x.shape), np.zeros((BATCH, size)), np.zeros((BATCH, size))
    for t in reversed(range(TIME)):
        i, f, o, g = gates[t]
        before, after = states[t], np.tanh(states[t + 1][1])
        dh = dh + dy[:, t]
        dc = dc + dh * o * (1 - after**2)
        dz = np.concatenate(
            [dc * g * i * (1 - i), dc * before[1] * f * (1 - f), dh * after * o * (1 - o), dc * i * (1 - g**2)], 1
        )
        dweight += x[:, t].T @ dz
        drecurrent += before[0].T @ dz
        dbias += dz.sum(0)
        dx[:, t], dh, dc = dz @ params.input_weight.T, dz @ params.recurrent_weight.T, dc * f
    plain = np.stack([state[0] for state in states[1:]], axis=1), dweight, drecurrent, dbias, dx
    for ours, theirs in zip(tree.leaves(gradients(layer, params, x, dy)), plain, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("make", [fn.lstm, fn.peephole_lstm, fn.gru, fn.rnn])
@pytest.mark.parametrize("cut", [lambda y: y[:1], lambda y: y[:, :1], lambda y: y[..., :1]])
def test_a_cotangent_of_another_shape_is_refused(make: Any, cut: Any) -> None:
    layer = make(4)
    start = layer.init(fn.Key(0), (5, 2))
    made = layer.forward(start.params, start.state, np.ones((3, 5, 2)), fn.Eval())
    with pytest.raises(ValueError, match=r"cotangent of the output.*\(3, 5, 4\)"):
        layer.backward(start.params, made.residuals, cut(made.output))
