"""Convolutional LSTM: against a loop over points, an LSTM of single points, and states that are carried on."""

import math
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn.layers.recurrent.lstm import LSTMParams
from funcnn.typing import Array


def numbers(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape)


def sigma(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def test_it_is_loops_over_points() -> None:
    features, time, height, width, channels = 2, 3, 4, 3, 2
    layer = fn.conv_lstm(features)
    params = layer.init(fn.Key(0), (time, height, width, channels)).params
    x = numbers(time, height, width, channels)
    made = fn.apply(layer, params, (), x[None])[0]
    h, c = np.zeros((height, width, features)), np.zeros((height, width, features))
    for t in range(time):
        seen = np.pad(np.concatenate([x[t], h], axis=-1), ((1, 1), (1, 1), (0, 0)))
        cell, output = np.empty_like(c), np.empty_like(h)
        for p in range(height):
            for q in range(width):
                z = params.bias.copy()
                for i in range(3):
                    for j in range(3):
                        z += seen[p + i, q + j] @ params.weight[i, j]
                for k in range(features):
                    gate = [sigma(float(z[one * features + k])) for one in range(3)]
                    cell[p, q, k] = gate[1] * c[p, q, k] + gate[0] * math.tanh(z[3 * features + k])
                    output[p, q, k] = gate[2] * math.tanh(cell[p, q, k])
        h, c = output, cell
        np.testing.assert_allclose(made[t], h, rtol=1e-12, atol=1e-14)


def test_a_kernel_of_one_point_is_an_lstm_of_each_point() -> None:
    layer, plain = fn.conv_lstm(3, kernel=1), fn.lstm(3)
    x = numbers(2, 5, 2, 2, 4)
    params = layer.init(fn.Key(0), x.shape[1:]).params
    weight = params.weight[0, 0]
    same = LSTMParams(weight[:4].copy(), weight[4:].copy(), params.bias)
    made = fn.apply(layer, params, (), x)
    for p in range(2):
        for q in range(2):
            np.testing.assert_allclose(made[:, :, p, q], fn.apply(plain, same, (), x[:, :, p, q]), rtol=1e-12, atol=1e-14)


def test_the_state_of_one_piece_starts_the_next() -> None:
    whole, carried = fn.conv_lstm(2), fn.conv_lstm(2, initial=True, final=True)
    x = numbers(2, 5, 3, 3, 1)
    params, zeros = whole.init(fn.Key(0), x.shape[1:]).params, np.zeros((2, 3, 3, 2))
    first, state = fn.apply(carried, params, (), (x[:, :2], (zeros, zeros)))
    second, _ = fn.apply(carried, params, (), (x[:, 2:], state))
    np.testing.assert_allclose(np.concatenate([first, second], axis=1), fn.apply(whole, params, (), x), rtol=1e-13, atol=1e-15)


def test_the_forget_gate_starts_with_its_bias() -> None:
    bias = fn.conv_lstm(2, forget_bias=0.5).init(fn.Key(0), (5, 3, 3, 1)).params.bias
    assert bias.tolist() == [0, 0, 0.5, 0.5, 0, 0, 0, 0]


def test_inputs_that_do_not_fit_are_refused() -> None:
    layer: Any = fn.conv_lstm(2)
    params = layer.init(fn.Key(0), (5, 3, 3, 1)).params
    with pytest.raises(ValueError, match=r"expected \(time, height, width, channels\)"):
        layer.init(fn.Key(0), (3, 3, 1))
    with pytest.raises(ValueError, match=r"expected \(batch, time, height, width, 1 channels\)"):
        fn.apply(layer, params, (), numbers(2, 5, 3, 3, 2))
    carried: Any = fn.conv_lstm(2, initial=True)
    with pytest.raises(ValueError, match=r"the initial state is .*, expected shape \(2, 3, 3, 2\)"):
        fn.apply(carried, params, (), (numbers(2, 5, 3, 3, 1), (numbers(2, 3, 3, 1), numbers(2, 3, 3, 2))))
    with pytest.raises(ValueError, match="the initial state has shapes"):
        carried.init(fn.Key(0), ((5, 3, 3, 1), ((3, 3, 1), (3, 3, 2))))
    with pytest.raises(TypeError, match=r"expected a pair \(sequence, \(output, cell\)\)"):
        fn.apply(carried, params, (), numbers(2, 5, 3, 3, 1))
