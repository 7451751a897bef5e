"""Convolutions against loops over every index, and the arithmetic of their shapes."""

import itertools
from typing import Any, cast

import numpy as np
import pytest

import funcnn as fn
from funcnn.typing import Array
from funcnn.windows import make_windows


def slow(x: Array, weight: Array, bias: Array, stride: Any, pads: Any, dilation: Any, groups: int) -> Array:
    """Correlate by the definition, one product at a time."""
    space, kernel = x.shape[1:-1], weight.shape[:-2]
    count = [(n + sum(p) - d * (k - 1) - 1) // s + 1 for n, p, d, k, s in zip(space, pads, dilation, kernel, stride, strict=True)]
    y = np.zeros((len(x), *count, weight.shape[-1]))
    per_in, per_out = x.shape[-1] // groups, weight.shape[-1] // groups
    for n, *place, o in np.ndindex(y.shape):
        for k in np.ndindex(kernel):
            at = [s * p + d * j - low for s, p, d, j, (low, _) in zip(stride, place, dilation, k, pads, strict=True)]
            if all(0 <= a < length for a, length in zip(at, space, strict=True)):
                for i in range(per_in):
                    y[(n, *place, o)] += x[(n, *at, (o // per_out) * per_in + i)] * weight[(*k, i, o)]
    return y + bias


SETTINGS: list[tuple[Any, ...]] = [
    # example, channels, kernel, stride, padding, dilation, groups
    ((6, 2), 3, (3,), (1,), ((0, 0),), (1,), 1),
    ((7, 2), 4, (2,), (3,), ((2, 1),), (2,), 2),
    ((4, 5, 2), 3, (2, 3), (1, 1), ((0, 0), (0, 0)), (1, 1), 1),
    ((5, 4, 4), 2, (3, 2), (2, 1), ((1, 0), (0, 2)), (1, 2), 2),
    ((3, 3, 2), 2, (1, 1), (1, 1), ((1, 1), (0, 0)), (1, 1), 1),
    ((3, 4, 2, 2), 2, (2, 1, 2), (1, 2, 1), ((1, 0), (0, 0), (0, 1)), (1, 1, 1), 1),
]


@pytest.mark.parametrize("setting", SETTINGS)
def test_convolution_is_its_definition(setting: tuple[Any, ...]) -> None:
    shape, channels, kernel, stride, padding, dilation, groups = setting
    make: Any = [fn.conv1d, fn.conv2d, fn.conv3d][len(kernel) - 1]
    layer = make(channels, kernel, stride=stride, padding=padding, dilation=dilation, groups=groups)
    start = layer.init(fn.Key(1), shape)
    bias = np.arange(1.0, channels + 1)
    params = type(start.params)(start.params.weight, bias)
    x = np.random.default_rng(0).normal(size=(2, *shape))
    expected = slow(x, params.weight, bias, stride, padding, dilation, groups)
    np.testing.assert_allclose(fn.apply(layer, params, (), x), expected, rtol=1e-12, atol=1e-13)
    assert start.out_shape == expected.shape[1:]


@pytest.mark.parametrize(("block", "batch"), [(1, 3), (200, 3), (10**9, 3)])
def test_blocks_of_any_size_give_the_same(block: int, batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    layer = fn.conv2d(3, 3, stride=2, padding="same")
    start = layer.init(fn.Key(1), (7, 6, 2))
    x = np.random.default_rng(0).normal(size=(batch, 7, 6, 2))

    def results() -> list[Any]:
        made = layer.forward(start.params, (), x, fn.Eval())
        pulled = layer.backward(start.params, made.residuals, made.output)
        return [made.output, pulled.params.weight, pulled.params.bias, pulled.input]

    plain = results()
    monkeypatch.setattr("funcnn.correlation.BLOCK_BYTES", block)
    for one, other in zip(plain, results(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(("stride", "padding", "dilation", "extra"), list(itertools.product((1, 2), (0, 1), (1, 2), (0, 1))))
def test_transposed_convolution_lays_kernels_side_by_side(stride: int, padding: int, dilation: int, extra: int) -> None:
    if extra >= stride:
        return
    layer = fn.conv_transpose2d(3, (2, 3), stride=stride, padding=padding, dilation=dilation, output_padding=extra)
    start = layer.init(fn.Key(1), (3, 4, 2))
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 2))
    bias = np.array([1.0, 2.0, 3.0])
    params = type(start.params)(start.params.weight, bias)
    full = np.zeros((2, 40, 40, 3))
    for n, p, q in np.ndindex(2, 3, 4):
        for k, j in np.ndindex(2, 3):
            full[n, stride * p + dilation * k, stride * q + dilation * j] += params.weight[k, j] @ x[n, p, q]
    height, width, _ = start.out_shape
    assert (height, width) == (
        (3 - 1) * stride - 2 * padding + dilation + 1 + extra,
        (4 - 1) * stride - 2 * padding + 2 * dilation + 1 + extra,
    )
    expected = full[:, padding:, padding:][:, :height, :width] + bias
    np.testing.assert_allclose(fn.apply(layer, params, (), x), expected, rtol=1e-12, atol=1e-13)


def test_same_padding_keeps_or_divides_the_shape() -> None:
    for length, kernel, stride, dilation in itertools.product(range(1, 9), (1, 2, 3, 5), (1, 2, 3), (1, 2)):
        windows = make_windows(1, kernel, stride, "same", dilation)
        assert windows.count((length,)) == (-(-length // stride),)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: fn.conv2d(0, 3), "channels is 0"),
        (lambda: fn.conv2d(4, (3, 3, 3)), "2 spatial axes"),
        (lambda: fn.conv2d(4, 0), "kernel is 0"),
        (lambda: fn.conv2d(4, 3, stride=0), "stride is 0"),
        (lambda: fn.conv2d(4, 3, padding=-1), "padding is -1"),
        (lambda: fn.conv2d(4, 3, padding=cast(Any, "full")), '"same", "valid"'),
        (lambda: fn.conv2d(4, 3, groups=3), "3 groups"),
        (lambda: fn.conv2d(4, 3, groups=2).init(fn.Key(0), (8, 8, 3)), "2 groups"),
        (lambda: fn.conv2d(4, 9).init(fn.Key(0), (8, 8, 3)), "a window spans 9"),
        (lambda: fn.conv2d(4, 3).init(fn.Key(0), (64,)), "channels come last"),
        (lambda: fn.conv_transpose2d(4, 3, output_padding=1), "less than the stride"),
    ],
)
def test_what_cannot_be_convolved_is_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_another_rank_or_number_of_channels_is_refused() -> None:
    layer = fn.conv2d(4, 3)
    start = layer.init(fn.Key(0), (8, 8, 3))
    for x, message in [(np.ones((8, 8, 3)), "at least 4 axes"), (np.ones((1, 3, 8, 8)), "8 channels .* expected 3")]:
        with pytest.raises(ValueError, match=message):
            fn.apply(layer, start.params, (), x)
