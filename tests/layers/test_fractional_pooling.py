"""Fractional max pooling: against a loop over windows, and what its places promise."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn.layers.pooling.fractional_max_pooling import FractionalWindows, pool_at, window_starts
from funcnn.typing import Array


def numbers(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape)


def slow_starts(length: int, kernel: int, count: int, u: float) -> list[int]:
    starts = []
    for p in range(count - 1):
        alpha = (length - kernel) / (count - 1)
        starts.append(math.floor((p + u) * alpha) - math.floor(u * alpha))
    return [*starts, length - kernel]


@pytest.mark.parametrize(("length", "kernel", "count"), [(9, 2, 5), (9, 3, 4), (6, 2, 1), (5, 1, 5), (10, 2, 9)])
def test_windows_begin_at_the_first_point_and_end_at_the_last(length: int, kernel: int, count: int) -> None:
    u = np.random.default_rng(0).random((3, 2))
    starts = window_starts(length, kernel, count, u)
    for n in range(3):
        for c in range(2):
            found = starts[n, :, c].tolist()
            assert found == slow_starts(length, kernel, count, u[n, c])
            steps = {later - earlier for earlier, later in pairwise(found)}
            alpha = (length - kernel) / max(1, count - 1)
            assert steps <= {math.floor(alpha), math.ceil(alpha)}
            assert found[-1] == length - kernel


def test_it_is_the_maximum_of_each_window() -> None:
    x, u = numbers(2, 6, 7, 3), np.random.default_rng(1).random((2, 3, 2))
    y, indices = pool_at(FractionalWindows((2, 3), (4, 3)), u, x)
    for n in range(2):
        for c in range(3):
            rows, columns = slow_starts(6, 2, 4, u[n, c, 0]), slow_starts(7, 3, 3, u[n, c, 1])
            for p, top in enumerate(rows):
                for q, left in enumerate(columns):
                    window = x[n, top : top + 2, left : left + 3, c]
                    assert y[n, p, q, c] == window.max()
                    row, column = divmod(int(indices[n, p, q, c]), 7)
                    assert x[n, row, column, c] == window.max()
                    assert top <= row < top + 2
                    assert left <= column < left + 3


def test_equal_keys_give_equal_places_and_evaluation_draws_none() -> None:
    layer, x = fn.fractional_max_pool(2, 6), numbers(4, 11, 3)
    first, again, other = (layer.forward((), (), x, fn.Train(fn.Key(seed))).output for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    np.testing.assert_array_equal(fn.apply(layer, (), (), x), layer.forward((), (), x, fn.Eval()).output)


def test_a_step_of_one_point_is_max_pooling() -> None:
    x = numbers(2, 6, 7, 3)
    made = fn.apply(fn.fractional_max_pool((2, 3), (5, 5)), (), (), x)
    np.testing.assert_array_equal(made, fn.apply(fn.max_pool2d((2, 3), stride=1), (), (), x))


def test_indices_lead_back() -> None:
    layer, x = fn.fractional_max_pool_with_indices(2, (3, 2, 2)), numbers(2, 5, 4, 4, 3)
    made = layer.forward((), (), x, fn.Train(fn.Key(0)))
    points, places = x.reshape(2, -1, 3), made.output.indices.reshape(2, -1, 3)
    np.testing.assert_array_equal(np.take_along_axis(points, places, 1).reshape(made.output.values.shape), made.output.values)
    nothing: Any = None  # integers have no cotangent
    pulled = layer.backward((), made.residuals, fn.Pooled(np.ones_like(made.output.values), nothing))
    assert pulled.input.sum() == made.output.values.size


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fn.fractional_max_pool(2, 5).init(fn.Key(0), (5, 2)), "5 windows of 2: expected an output_size of at most 4"),
        (lambda: fn.fractional_max_pool((2, 2), 2).init(fn.Key(0), (5, 2)), "2 spatial axes"),
        (lambda: fn.apply(fn.fractional_max_pool(2, (2, 2)), (), (), numbers(1, 5, 2)), "4 axes"),
        (lambda: fn.fractional_max_pool(2, 0), "output_size"),
    ],
)  # fmt: skip
def test_wrong_settings_are_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
