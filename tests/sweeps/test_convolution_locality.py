"""Every form of a convolution keeps what is in a window in that window: outliers, what is not finite, and weights of 0."""

import numpy as np
import pytest

import funcnn as fn
from funcnn.layer import AnyLayer
from funcnn.layers.convolution.convolution import ConvParams
from funcnn.typing import Array, BoolArray

SIZE = 12
# channels in and out, batch: the fast form of many channels, that of few channels, and the plain one
SETTINGS = {"many": (32, 32, 2), "few": (1, 8, 20), "few, wide": (2, 3, 24), "plain": (5, 7, 1)}
each_setting = pytest.mark.parametrize(("inputs", "outputs", "batch"), SETTINGS.values(), ids=SETTINGS.keys())
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def made(inputs: int, outputs: int, dtype: type[np.floating]) -> tuple[AnyLayer, ConvParams]:
    layer = fn.conv2d(outputs, 3, padding=1)
    return layer, fn.tree.astype(layer.init(fn.Key(0), (SIZE, SIZE, inputs)).params, dtype)


def drawn(batch: int, inputs: int, dtype: type[np.floating]) -> Array:
    return np.random.default_rng(1).normal(size=(batch, SIZE, SIZE, inputs)).astype(dtype)


def far(row: int, column: int) -> BoolArray:
    """Return which outputs have a window that does not hold a point."""
    rows, columns = np.indices((SIZE, SIZE))
    return (abs(rows - row) > 1) | (abs(columns - column) > 1)


@each_setting
@each_dtype
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_spoils_its_windows_and_no_other(
    inputs: int, outputs: int, batch: int, dtype: type[np.floating], bad: float
) -> None:
    layer, params = made(inputs, outputs, dtype)
    x = drawn(batch, inputs, dtype)
    x[0, 5, 6, 0] = bad
    with np.errstate(invalid="ignore"):
        forward = layer.forward(params, (), x, fn.Train(fn.Key(0)))
        finite = np.isfinite(forward.output)
        assert finite[1:].all()
        np.testing.assert_array_equal(finite[0], np.broadcast_to(far(5, 6)[..., np.newaxis], finite[0].shape))
        dy = np.ones_like(forward.output)
        dy[0, 5, 6, 0] = bad
        dx = layer.backward(params, forward.residuals, dy).input
    np.testing.assert_array_equal(np.isfinite(dx[0]), np.broadcast_to(far(5, 6)[..., np.newaxis], dx[0].shape))


@each_setting
@each_dtype
@pytest.mark.parametrize("all_channels", [False, True])
def test_a_huge_pixel_leaves_other_windows_their_digits(
    inputs: int, outputs: int, batch: int, dtype: type[np.floating], all_channels: bool
) -> None:
    layer, params = made(inputs, outputs, dtype)
    x = drawn(batch, inputs, dtype)
    x[0, 5, 6, slice(None) if all_channels else 0] = 1e4
    wide = fn.apply(layer, fn.tree.astype(params, np.longdouble), (), x.astype(np.longdouble))
    error = abs(fn.apply(layer, params, (), x) - wide)[0][far(5, 6)]
    assert error.max() < 40 * np.finfo(dtype).eps


@each_setting
@each_dtype
def test_nothing_passes_through_a_weight_of_zero(inputs: int, outputs: int, batch: int, dtype: type[np.floating]) -> None:
    layer, params = made(inputs, outputs, dtype)
    weight = params.weight.copy()
    weight[1, 1:] = weight[2] = 0  # a causal kernel
    causal = type(params)(weight, params.bias)
    x = drawn(batch, inputs, dtype)
    later = x.copy()
    later[:, 6:] *= -3
    now, then = (fn.apply(layer, causal, (), one)[:, :6] for one in (x, later))
    np.testing.assert_array_equal(now, then)


def test_images_of_a_batch_do_not_choose_for_one_another() -> None:
    layer, params = made(32, 32, np.float32)
    x = drawn(3, 32, np.float32)
    x[1, 3, 3] = 1e5
    x[2, :6] = 0
    together = fn.apply(layer, params, (), x)
    np.testing.assert_array_equal(together, np.concatenate([fn.apply(layer, params, (), one[None]) for one in x]))
