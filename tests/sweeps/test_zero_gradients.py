"""A gradient that is zero by cancellation passes, whatever its rounding; one that is not zero there fails.

A constant right before a normalization, or before a softmax, changes nothing: its gradient is a sum that cancels, and formula and
differences both give rounding errors of zero.  They agree, and that must be seen for every such layer, at every scale of the
activations, in every precision and with every seed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import numpy as np
import pytest

import funcnn as fn

ZEROS: dict[str, tuple[Callable[[], list[Any]], tuple[int, ...], int]] = {
    "dense": (lambda: [fn.dense(6), fn.batch_norm(), fn.relu(), fn.dense(3)], (5,), 0),
    "conv2d": (
        lambda: [fn.conv2d(4, 3, padding="same"), fn.batch_norm(), fn.relu(), fn.flatten(), fn.dense(3)], (4, 4, 2), 0,
    ),
    "conv2d of 20": (
        lambda: [fn.conv2d(20, 3, padding="same"), fn.batch_norm(), fn.relu(), fn.global_avg_pool(), fn.dense(3)], (3, 3, 1), 0,
    ),
    "conv1d, instance_norm": (
        lambda: [fn.conv1d(4, 3), fn.instance_norm(), fn.silu(), fn.flatten(), fn.dense(3)], (6, 2), 0,
    ),
    "two in a row": (
        lambda: [fn.dense(6), fn.batch_norm(), fn.relu(), fn.dense(18), fn.batch_norm(), fn.relu(), fn.dense(3)], (5,), 3,
    ),
    "depthwise_conv2d": (
        lambda: [fn.depthwise_conv2d(3), fn.batch_norm(), fn.relu(), fn.flatten(), fn.dense(3)], (5, 5, 3), 0,
    ),
}  # fmt: skip
"""Layers, the shape of an example, and the number of the layer whose bias changes nothing."""


def problem(name: str, seed: int, scale: float, dtype: str) -> tuple[Any, ...]:
    make, shape, _ = ZEROS[name]
    start = fn.serial(*make()).init(fn.Key(seed), shape)
    draw = np.random.default_rng(seed)
    x = (scale * draw.normal(size=(4, *shape))).astype(dtype)
    return x, draw.integers(3, size=4), fn.tree.astype(start.params, dtype), fn.tree.astype(start.state, dtype)


@pytest.mark.parametrize("method", ["screen", "auto"])
@pytest.mark.parametrize("name", ZEROS)
def test_zero_against_rounding_passes(name: str, method: Any) -> None:
    for seed, (scale, dtype, reference) in enumerate([(1e-2, "float32", "float64"), (30.0, "float64", "auto")]):
        x, y, params, state = problem(name, seed, scale, dtype)
        report = fn.check.check_model(
            fn.serial(*ZEROS[name][0]()), fn.softmax_cross_entropy(), x, y, params=params, state=state,
            mode=fn.Train(fn.Key(1)), method=method, reference=reference, seed=seed,
        )  # fmt: skip
        assert report.ok, f"scale {scale}, {dtype}, {reference}: {report}"


@pytest.mark.parametrize("seed", [7, 17, 39])
def test_zero_against_rounding_passes_at_the_edge_of_the_domain(seed: int) -> None:
    """Targets of 0 and 1 have neighbours on one side only: what lies beyond is refused by the loss."""
    model = fn.serial(fn.reshape((8, 8, 1)), fn.unet(1, channels=(2,), blocks=1), fn.flatten())
    start = model.init(fn.Key(seed).child(1), (64,))
    clean = fn.data.digits(dtype=np.float32).x[:8]
    assert clean.max() == 1
    for first in range(0, 8, 2):
        y = clean[first : first + 2]
        x = y + fn.Key(seed).generator().normal(0, 0.3, y.shape).astype(np.float32)
        report = fn.check.check_model(
            model, fn.sigmoid_cross_entropy(), x, y, params=fn.tree.astype(start.params, np.float32),
            state=fn.tree.astype(start.state, np.float32), mode=fn.Train(fn.Key(seed)), method="screen", reference="float64",
            seed=seed,
        )  # fmt: skip
        assert report.ok, report


@pytest.mark.parametrize("name", ZEROS)
def test_what_is_not_zero_there_fails(name: str) -> None:
    """A gradient of a thousandth of what the outputs' change would need, or of a millionth, in the place of zero."""
    for seed, size in enumerate((1e-3, 1e-6)):
        x, y, params, state = problem(name, seed, 1.0, "float64")
        layers, index = ZEROS[name][0](), ZEROS[name][2]

        def wrong(params: Any, residuals: Any, dy: Any, right: Any = layers[index].backward, size: float = size) -> Any:
            made = right(params, residuals, dy)
            return fn.Backward(attrs.evolve(made.params, bias=made.params.bias + size * np.abs(dy).sum()), made.input)

        layers[index] = attrs.evolve(layers[index], backward=wrong)
        report = fn.check.check_model(
            fn.serial(*layers), fn.softmax_cross_entropy(), x, y, params=params, state=state, mode=fn.Train(fn.Key(1)),
            method="screen", seed=seed,
        )  # fmt: skip
        (leaf,) = [one for one in report.leaves if one.path == f"params[{index}].bias"]
        assert leaf.verdict == "fail", report
