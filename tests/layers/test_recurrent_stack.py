"""Layers one above the other, and in both directions, whose states are given and given back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn import tree
from funcnn.layer import AnyLayer
from tests.layers.test_recurrent import BATCH, INPUTS, SIZE, TIME, gru_step, loop, lstm_step, numbers, started

SHAPES: Any = ((TIME, INPUTS), (((SIZE,), (SIZE,)), (SIZE,)))


def stack(masked: bool = False) -> AnyLayer:
    """Return an LSTM below a gated recurrent unit."""
    factories: Any = (fn.lstm, fn.gru)
    layers = [make(SIZE, masked=masked, initial=True, final=True) for make in factories]
    made: AnyLayer = fn.recurrent_stack(*layers)
    return made


def near(ours: Any, theirs: Any, rtol: float = 1e-12) -> None:
    """Fail unless two trees are alike."""
    for one, other in zip(tree.leaves(ours), tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(one, other, rtol=rtol, atol=rtol / 100)


def drawn_states(seed: int = 3) -> Any:
    """Return states of the three parts, none of them 0."""
    h, c, of_gru = (numbers(BATCH, SIZE, seed=seed + part) for part in range(3))
    return (h, c), of_gru


@pytest.mark.parametrize("masked", [False, True])
def test_a_stack_number_by_number(masked: bool) -> None:
    layer, x, ((h, c), of_gru) = stack(masked), numbers(BATCH, TIME, INPUTS), drawn_states()
    params = started(layer, SHAPES)
    mask = np.array([[1, 1, 0, 1, 0], [0, 1, 1, 1, 1], [0, 0, 0, 0, 0]], bool) if masked else np.ones((BATCH, TIME), bool)
    below, last_of_lstm = loop(lstm_step, params[0], x, mask, [h, c])
    above, last_of_gru = loop(gru_step, params[1], below, mask, [of_gru])
    sequence, (final, final_of_gru) = fn.apply(layer, params, ((), ()), (fn.Masked(x, mask) if masked else x, ((h, c), of_gru)))
    np.testing.assert_allclose(sequence.values if masked else sequence, above, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(final, last_of_lstm, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(final_of_gru, last_of_gru[0], rtol=1e-13, atol=1e-15)


def test_both_directions_start_with_a_state_each() -> None:
    layer = fn.bidirectional(fn.lstm(SIZE, initial=True, final=True), fn.gru(SIZE, initial=True, final=True))
    x, ((h, c), of_gru), whole = numbers(BATCH, TIME, INPUTS), drawn_states(), np.ones((BATCH, TIME), bool)
    params = started(layer, SHAPES)
    forwards, last = loop(lstm_step, params[0], x, whole, [h, c])
    backwards, first = loop(gru_step, params[1], x[:, ::-1], whole, [of_gru])
    sequence, (final, final_of_gru) = fn.apply(layer, params, ((), ()), (x, ((h, c), of_gru)))
    expected = np.concatenate([forwards, backwards[:, ::-1]], axis=-1)
    np.testing.assert_allclose(sequence, expected, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(final, last, rtol=1e-13)
    np.testing.assert_allclose(final_of_gru, first[0], rtol=1e-13)


def test_a_stack_of_both_directions() -> None:
    way: Any = fn.bidirectional(fn.lstm(SIZE, initial=True, final=True), fn.gru(SIZE, initial=True, final=True))
    layer, x, states = fn.recurrent_stack(way, way), numbers(BATCH, TIME, INPUTS), (drawn_states(), drawn_states(7))
    params = started(layer, ((TIME, INPUTS), (SHAPES[1], SHAPES[1])))
    below, first = fn.apply(way, params[0], ((), ()), (x, states[0]))
    above, second = fn.apply(way, params[1], ((), ()), (below, states[1]))
    sequence, finals = fn.apply(layer, params, (((), ()), ((), ())), (x, states))
    np.testing.assert_array_equal(sequence, above)
    near(finals, (first, second), rtol=0)


def test_a_stack_of_zeros_is_the_chain() -> None:
    layer, x = stack(), numbers(BATCH, TIME, INPUTS)
    params, zeros = started(layer, SHAPES), tree.map(np.zeros_like, drawn_states())
    sequence, _ = fn.apply(layer, params, ((), ()), (x, zeros))
    np.testing.assert_array_equal(sequence, fn.apply(fn.lstm(SIZE) >> fn.gru(SIZE), params, ((), ()), x))
    drawn = fn.lstm(SIZE).init(fn.Key(3).child(0), (TIME, INPUTS)).params
    np.testing.assert_array_equal(layer.init(fn.Key(3), SHAPES).params[0].input_weight, drawn.input_weight)


def test_pieces_that_hand_their_states_on_are_the_whole_backwards_too() -> None:
    layer, x, states = stack(), numbers(BATCH, TIME, INPUTS), drawn_states()
    params, dy, dfinal = started(layer, SHAPES), numbers(BATCH, TIME, SIZE, seed=8), drawn_states(11)
    whole = layer.forward(params, ((), ()), (x, states), fn.Eval())
    first = layer.forward(params, ((), ()), (x[:, :2], states), fn.Eval())
    second = layer.forward(params, ((), ()), (x[:, 2:], first.output[1]), fn.Eval())
    np.testing.assert_allclose(np.concatenate([first.output[0], second.output[0]], axis=1), whole.output[0], rtol=1e-13)
    near(second.output[1], whole.output[1])
    expected = layer.backward(params, whole.residuals, (dy, dfinal))
    later = layer.backward(params, second.residuals, (dy[:, 2:], dfinal))
    earlier = layer.backward(params, first.residuals, (dy[:, :2], later.input[1]))
    near(earlier.input[1], expected.input[1])
    near(tree.map(np.add, earlier.params, later.params), expected.params)
    near(np.concatenate([earlier.input[0], later.input[0]], axis=1), expected.input[0])


def test_bad_stacks() -> None:
    layer, x, states = stack(), numbers(BATCH, TIME, INPUTS), drawn_states()
    params = started(layer, SHAPES)
    with pytest.raises(ValueError, match="recurrent_stack needs at least 2 layers, got 1"):
        fn.recurrent_stack(fn.gru(3, initial=True, final=True))  # type: ignore[call-overload]  # wrong on purpose
    with pytest.raises(ValueError, match=r"states is a tuple of 2 shapes, one for each layer"):
        layer.init(fn.Key(0), (TIME, INPUTS))
    half: Any = fn.gru(3, initial=True)
    nested: Any = ((TIME, INPUTS), ((3,), (3,)))
    without = fn.recurrent_stack(half, half)
    with pytest.raises(ValueError, match=r"the layer gives .*make it with initial=True, final=True") as caught:
        without.init(fn.Key(0), nested)
    assert "[0] gru(3)" in str(caught.value.__notes__)
    with pytest.raises(TypeError, match=r"the input is float64\[3, 5, 2\], expected a pair \(sequence, initial states\)"):
        fn.apply(layer, params, ((), ()), x)
    with pytest.raises(TypeError, match=r"the initial states, input \[1\], are .*expected a tuple of 2, one for each layer"):
        fn.apply(layer, params, ((), ()), (x, states[:1]))
    with pytest.raises(TypeError, match="the initial state is") as caught_type:
        fn.apply(layer, params, ((), ()), (x, states[::-1]))
    assert "[0] lstm(4)" in str(caught_type.value.__notes__)
    kept = layer.forward(params, ((), ()), (x, states), fn.Eval()).residuals
    with pytest.raises(TypeError, match="the cotangent of the output"):
        layer.backward(params, kept, x)
    both: AnyLayer = fn.bidirectional(fn.gru(SIZE, initial=True), fn.gru(SIZE, initial=True))
    with pytest.raises(ValueError, match=r"in_shape is .*a state for each direction"):
        both.init(fn.Key(0), ((TIME, INPUTS), (SIZE,)))
    with pytest.raises(ValueError, match=r"the input is .*a state for each direction"):
        fn.apply(both, started(both, ((TIME, INPUTS), ((SIZE,), (SIZE,)))), ((), ()), (x, states[1]))
