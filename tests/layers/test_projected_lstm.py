"""LSTM with a projection: against a loop over steps and units, masks, and states that are carried on."""

import math
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn.typing import Array


def numbers(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape)


def sigma(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def slow(params: Any, x: Array, h: Array, c: Array) -> tuple[Array, Array, Array]:
    """Return outputs and final state of one example, unit by unit."""
    units, outputs = len(c), []
    for step in x:
        z = step @ params.input_weight + h @ params.recurrent_weight + params.bias
        said, cell = np.empty(units), np.empty(units)
        for k in range(units):
            i, f, o = (sigma(float(z[gate * units + k])) for gate in range(3))
            cell[k] = f * c[k] + i * math.tanh(z[3 * units + k])
            said[k] = o * math.tanh(cell[k])
        h, c = np.array([sum(said[k] * params.projection[k, r] for k in range(units)) for r in range(len(h))]), cell
        outputs.append(h)
    return np.array(outputs), h, c


def test_it_is_loops_over_units() -> None:
    layer: Any = fn.projected_lstm(4, 3, initial=True, final=True)
    shape = ((5, 2), ((3,), (4,)))
    params = layer.init(fn.Key(0), shape).params
    x, h, c = numbers(2, 5, 2), numbers(2, 3, seed=1), numbers(2, 4, seed=2)
    y, (last, cell) = fn.apply(layer, params, (), (x, (h, c)))
    for n in range(2):
        expected = slow(params, x[n], h[n], c[n])
        for got, wanted in zip((y[n], last[n], cell[n]), expected, strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-14)


def test_a_projection_that_is_the_unit_matrix_is_an_lstm() -> None:
    layer, plain = fn.projected_lstm(3, 3), fn.lstm(3)
    params, x = layer.init(fn.Key(0), (5, 2)).params, numbers(2, 5, 2)
    unit = type(params)(params.input_weight, params.recurrent_weight, params.bias, np.eye(3))
    same = type(plain.init(fn.Key(0), (5, 2)).params)(params.input_weight, params.recurrent_weight, params.bias)
    np.testing.assert_allclose(fn.apply(layer, unit, (), x), fn.apply(plain, same, (), x), rtol=1e-12, atol=1e-14)


def test_the_state_of_one_piece_starts_the_next() -> None:
    whole, carried = fn.projected_lstm(4, 3), fn.projected_lstm(4, 3, initial=True, final=True)
    params, x = whole.init(fn.Key(0), (6, 2)).params, numbers(2, 6, 2)
    first, state = fn.apply(carried, params, (), (x[:, :2], (np.zeros((2, 3)), np.zeros((2, 4)))))
    second, _ = fn.apply(carried, params, (), (x[:, 2:], state))
    expected = fn.apply(whole, params, (), x)
    np.testing.assert_allclose(np.concatenate([first, second], axis=1), expected, rtol=1e-13, atol=1e-15)


def test_padding_changes_nothing_wherever_it_lies() -> None:
    mask = np.array([[True, False, True, True, False], [False, True, True, True, False]])
    plain, masked = fn.projected_lstm(4, 3, final=True), fn.projected_lstm(4, 3, masked=True, final=True)
    params, x = plain.init(fn.Key(0), (5, 2)).params, numbers(2, 5, 2)
    y, state = fn.apply(masked, params, (), fn.Masked(x, mask))
    expected, last = fn.apply(plain, params, (), np.stack([x[n][mask[n]] for n in range(2)]))
    np.testing.assert_allclose(np.stack([y.values[n][mask[n]] for n in range(2)]), expected, rtol=1e-13, atol=1e-15)
    assert not y.values[~mask].any()
    for one, other in zip(state, last, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-13, atol=1e-15)


def test_states_that_do_not_fit_are_refused() -> None:
    layer: Any = fn.projected_lstm(4, 3, initial=True)
    params = layer.init(fn.Key(0), ((5, 2), ((3,), (4,)))).params
    with pytest.raises(ValueError, match=r"the initial state is .*, expected shape \(2, 3\)"):
        fn.apply(layer, params, (), (numbers(2, 5, 2), (numbers(2, 4), numbers(2, 4))))
    with pytest.raises(TypeError, match="expected a tuple of 2 arrays"):
        fn.apply(layer, params, (), (numbers(2, 5, 2), numbers(2, 4)))
    with pytest.raises(ValueError, match="a sequence and the initial state"):
        layer.init(fn.Key(0), ((5, 2), ((4,), (4,))))
    with pytest.raises(ValueError, match="projected"):
        fn.projected_lstm(4, 0)
