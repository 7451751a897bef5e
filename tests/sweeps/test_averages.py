"""Averages: of many float32 numbers they keep the digits of a pairwise sum, and of numbers up to 1 they are at most 1."""

from collections.abc import Callable

import numpy as np
import pytest

import funcnn as fn
from funcnn.layer import AnyLayer
from funcnn.typing import Array

LENGTHS = [1, 3, 7, 11, 21, 49, 100, 333]
AVERAGES: dict[str, Callable[[], AnyLayer]] = {
    "global_avg_pool": fn.global_avg_pool,
    "mean_steps": fn.mean_steps,
    "adaptive_avg_pool(1)": lambda: fn.adaptive_avg_pool(1),
    "adaptive_avg_pool(3)": lambda: fn.adaptive_avg_pool(3),
    "adaptive_avg_pool(40)": lambda: fn.adaptive_avg_pool(40),
    "avg_pool1d(3)": lambda: fn.avg_pool1d(3, stride=2, padding=1),
    "avg_pool1d(7), ceil": lambda: fn.avg_pool1d(7, stride=3, padding=3, ceil_mode=True),
    "upsample(3, linear)": lambda: fn.upsample(3, mode="linear"),
    "upsample(5, linear)": lambda: fn.upsample(5, mode="linear", align_corners=True),
}
each_average = pytest.mark.parametrize("make", AVERAGES.values(), ids=AVERAGES.keys())
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@each_average
@each_dtype
@pytest.mark.parametrize("length", LENGTHS)
def test_the_average_of_ones_is_one(make: Callable[[], AnyLayer], dtype: type[np.floating], length: int) -> None:
    np.testing.assert_array_equal(fn.apply(make(), (), (), np.ones((2, length, 3), dtype)), 1)


@each_average
@each_dtype
@pytest.mark.parametrize("length", LENGTHS)
def test_averages_of_probabilities_are_probabilities(make: Callable[[], AnyLayer], dtype: type[np.floating], length: int) -> None:
    x = 1 - np.random.default_rng(length).random((50, length, 3)).astype(dtype) ** 8
    y = fn.apply(make(), (), (), x)
    assert 0 <= y.min() <= y.max() <= 1


@pytest.mark.parametrize("kind", ["square", "line"])
@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize("name", ["global_avg_pool", "mean_steps", "adaptive_avg_pool(1)", "adaptive_avg_pool(3)"])
def test_long_averages_keep_their_digits(name: str, kind: str, constant: bool) -> None:
    if name == "mean_steps" and kind == "square":
        kind = "line"
    shape = (1, 510, 510, 2) if kind == "square" else (1, 300_000, 2)
    x = np.full(shape, 0.1, np.float32) if constant else np.random.default_rng(0).uniform(0.5, 1.5, shape).astype(np.float32)
    wide = fn.apply(AVERAGES[name](), (), (), x.astype(float))
    assert abs(fn.apply(AVERAGES[name](), (), (), x) / wide - 1).max() < (1e-6 if constant else 6e-7)


def long_sum_layers() -> dict[str, tuple[AnyLayer, tuple[int, ...]]]:
    """Return layers whose backward sums over the batch and all points, and examples for them."""
    return {
        "dense": (fn.dense(3), (2,)),
        "conv1d": (fn.conv1d(3, 3, padding=1), (200, 2)),
        "depthwise": (fn.depthwise_conv2d(3, padding=1), (20, 20, 2)),
        "conv_transpose1d": (fn.conv_transpose1d(3, 2), (200, 2)),
        "batch_norm": (fn.batch_norm(), (50, 3)),
        "layer_norm": (fn.layer_norm(), (50, 3)),
        "group_norm": (fn.group_norm(1), (50, 3)),
        "rms_norm": (fn.rms_norm(), (50, 3)),
        "affine": (fn.affine(), (50, 3)),
        "prelu": (fn.prelu(), (50, 3)),
        "maxout": (fn.maxout(3, 2), (4,)),
        "learned_positions": (fn.learned_positions(50), (50, 3)),
        "trained_start": (fn.trained_start(fn.rnn(3, initial=True), (3,)), (4, 2)),
        "peephole_lstm": (fn.peephole_lstm(3), (30, 2)),
        "gru": (fn.gru(3), (30, 2)),
    }


@pytest.mark.parametrize("name", long_sum_layers())
def test_gradients_summed_over_many_numbers_keep_their_digits(name: str) -> None:
    layer, shape = long_sum_layers()[name]
    rows = max(2000, 400_000 // int(np.prod(shape)) // 4)
    start = layer.init(fn.Key(0), shape)
    generator = np.random.default_rng(1)
    x = (-1 if name == "prelu" else 1) * generator.uniform(0.5, 1.5, (rows, *shape)).astype(np.float32)
    dy = None
    grads = []
    for dtype in (np.float32, np.float64):
        params, state = (fn.tree.astype(fn.tree.astype(part, np.float32), dtype) for part in (start.params, start.state))
        made = layer.forward(params, state, x.astype(dtype), fn.Train(fn.Key(0)))
        if dy is None:
            dy = ((made.output > 0) + generator.uniform(0.1, 0.2, made.output.shape)).astype(np.float32)  # no sum of it cancels
        grads.append(fn.tree.leaves(layer.backward(params, made.residuals, dy.astype(dtype)).params))
    for single, double in zip(*grads, strict=True):
        size: Array = np.maximum(abs(double), abs(double).max() / 100)
        assert (abs(single - double) / size).max() < 2e-5
