"""Pooling against loops over every window."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn.layer import AnyLayer
from funcnn.typing import Array, BoolArray

SETTINGS: list[dict[str, Any]] = [
    {},
    {"stride": 1},
    {"stride": 3},
    {"padding": 1, "stride": 2},
    {"padding": ((1, 0), (0, 1)), "stride": (1, 2)},
    {"ceil_mode": True, "stride": 2},
    {"ceil_mode": True, "stride": 3, "padding": 1},
    {"padding": "same", "stride": 2},
]


def slow(x: Array, kernel: tuple[int, int], reduce: Callable[[list[Array], int], Array], **options: Any) -> Array:
    """Pool by the definition: ``reduce`` gets the true points of a window and how many points it has in all."""
    stride = options.get("stride", kernel)
    stride = (stride, stride) if isinstance(stride, int) else stride
    padding = options.get("padding", 0)
    if padding == "same":
        totals = [max(0, (-(-n // s) - 1) * s + k - n) for n, k, s in zip(x.shape[1:3], kernel, stride, strict=True)]
        padding = tuple((total // 2, total - total // 2) for total in totals)
    pads = ((padding, padding),) * 2 if isinstance(padding, int) else padding
    count = []
    for n, k, s, (low, high) in zip(x.shape[1:3], kernel, stride, pads, strict=True):
        steps = (n + low + high - k) / s
        c = 1 + int(np.ceil(steps) if options.get("ceil_mode") else np.floor(steps))
        if (c - 1) * s >= n + low:
            c -= 1
        count.append(c)
    y = np.empty((len(x), *count, x.shape[-1]))
    for n, p, q in np.ndindex(len(x), *count):
        found, size = [], 0
        for i, j in np.ndindex(*kernel):
            a, b = p * stride[0] + i - pads[0][0], q * stride[1] + j - pads[1][0]
            size += 0 <= a + pads[0][0] < x.shape[1] + sum(pads[0]) and 0 <= b + pads[1][0] < x.shape[2] + sum(pads[1])
            if 0 <= a < x.shape[1] and 0 <= b < x.shape[2]:
                found.append(x[n, a, b])
        y[n, p, q] = reduce(found, size)
    return y


def check(layer: Any, expected: Array, x: Array) -> None:
    np.testing.assert_allclose(fn.apply(layer, (), (), x), expected, rtol=1e-12, atol=1e-13)
    assert layer.init(fn.Key(0), x.shape[1:]).out_shape == expected.shape[1:]


@pytest.mark.parametrize("options", SETTINGS, ids=str)
def test_pooling_is_its_definition(options: dict[str, Any]) -> None:
    x = np.random.default_rng(0).normal(size=(2, 7, 8, 3))
    kernel = (2, 3)
    check(fn.max_pool2d(kernel, **options), slow(x, kernel, lambda found, size: np.max(found, axis=0), **options), x)
    check(fn.avg_pool2d(kernel, **options), slow(x, kernel, lambda found, size: np.mean(found, axis=0), **options), x)
    power = slow(x, kernel, lambda found, size: np.sum(np.abs(found) ** 2.5, axis=0) ** 0.4, **options)
    check(fn.lp_pool2d(2.5, kernel, **options), power, x)
    if not options.get("ceil_mode"):
        padded = slow(x, kernel, lambda found, size: np.sum(found, axis=0) / 6, **options)
        check(fn.avg_pool2d(kernel, count_include_pad=True, **options), padded, x)


@pytest.mark.parametrize("options", SETTINGS, ids=str)
def test_another_divisor_takes_the_place_of_the_number_of_points(options: dict[str, Any]) -> None:
    x = np.random.default_rng(0).normal(size=(2, 7, 8, 3))
    expected = slow(x, (2, 3), lambda found, size: np.sum(found, axis=0) / 5, **options)
    check(fn.avg_pool2d((2, 3), divisor=5, **options), expected, x)
    check(fn.avg_pool2d((2, 3), divisor=5, count_include_pad=True, **options), expected, x)


def test_dilated_averages_and_powers() -> None:
    x = np.random.default_rng(0).normal(size=(2, 5, 5, 1))
    points = np.stack([x[:, :3, :4], x[:, 2:, :4], x[:, :3, 1:], x[:, 2:, 1:]])
    check(fn.avg_pool2d(2, stride=1, dilation=(2, 1)), points.mean(0), x)
    check(fn.lp_pool2d(3.0, 2, stride=1, dilation=(2, 1)), (np.abs(points) ** 3).sum(0) ** (1 / 3), x)
    line = x[:, :, 0]
    check(fn.avg_pool1d(2, stride=1, dilation=2), (line[:, :3] + line[:, 2:]) / 2, line)
    inner = np.stack([line[:, 1], *((line[:, :3] + line[:, 2:]) / 2).swapaxes(0, 1), line[:, 3]], axis=1)
    check(fn.avg_pool1d(2, stride=1, dilation=2, padding=1), inner, line)


def test_dilated_maximum() -> None:
    x = np.random.default_rng(0).normal(size=(2, 5, 5, 1))
    expected = np.maximum(np.maximum(x[:, :3, :3], x[:, 2:, :3]), np.maximum(x[:, :3, 2:], x[:, 2:, 2:]))
    check(fn.max_pool2d(2, stride=1, dilation=2), expected, x)


@pytest.mark.parametrize("options", SETTINGS, ids=str)
def test_each_output_of_maximum_pooling_goes_back_to_the_first_maximum(options: dict[str, Any]) -> None:
    x = np.random.default_rng(0).integers(0, 3, (2, 7, 8, 3)).astype(float)
    layer = fn.max_pool2d((2, 3), **options)
    made = layer.forward((), (), x, fn.Eval())
    dy = np.random.default_rng(1).normal(size=made.output.shape)
    later = np.arange(x[..., 0].size, dtype=float).reshape(*x.shape[:-1], 1)  # so little that only ties are broken
    expected = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        expected[place] = dy[where_it_goes(layer, x - 1e-6 * later, place)].sum()
    for array in (x, x.swapaxes(1, 3).copy().swapaxes(1, 3)):
        made = layer.forward((), (), array, fn.Eval())
        np.testing.assert_allclose(layer.backward((), made.residuals, dy).input, expected, rtol=1e-12, atol=1e-13)


def where_it_goes(layer: Any, x: Array, place: tuple[int, ...]) -> BoolArray:
    """Tell which outputs change with one entry of the input, none of which are equal in a window."""
    changed = x.copy()
    changed[place] += 1e-9
    outputs: BoolArray = fn.apply(layer, (), (), changed) != fn.apply(layer, (), (), x)
    return outputs


def test_of_equal_entries_the_first_gets_the_gradient() -> None:
    layer = fn.max_pool2d(2)
    made = layer.forward((), (), np.ones((1, 2, 2, 1)), fn.Eval())
    assert layer.backward((), made.residuals, np.full((1, 1, 1, 1), 5.0)).input.ravel().tolist() == [5, 0, 0, 0]


def test_global_pooling() -> None:
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
    check(fn.global_avg_pool(), x.mean((1, 2)), x)
    check(fn.global_max_pool(), x.max((1, 2)), x)


def test_power_pooling_does_not_overflow() -> None:
    x = np.full((1, 2, 2, 1), 1e300)
    assert fn.apply(fn.lp_pool2d(2.0, 2), (), (), x).item() == pytest.approx(2e300)
    tiny = fn.lp_pool2d(2.0, 2).forward((), (), np.zeros((1, 2, 2, 1)), fn.Eval())
    assert not fn.lp_pool2d(2.0, 2).backward((), tiny.residuals, np.ones((1, 1, 1, 1))).input.any()


def test_padding_as_large_as_a_window_is_refused() -> None:
    with pytest.raises(ValueError, match="less than the 2 points"):
        fn.max_pool2d(2, padding=2)
    with pytest.raises(ValueError, match="channels come last"):
        fn.max_pool2d(2).init(fn.Key(0), (8, 8))


# ------------------------------------------------------------------------------------- windows that end beyond, or hold no number


def plain_average(x: list[float], kernel: int, stride: int, padding: int) -> list[float]:
    """Average as ONNX and PyTorch define it with ceil_mode and padding counted: what lies beyond the padding is not counted."""
    means, start = [], -padding
    while start < len(x) + padding - kernel + stride and start < len(x):
        stop = min(start + kernel, len(x) + padding)
        means.append(sum(x[max(start, 0) : stop]) / (stop - start))
        start += stride
    return means


@pytest.mark.parametrize("length", range(7, 14))
@pytest.mark.parametrize(("kernel", "stride", "padding"), [(2, 2, 0), (3, 2, 1), (7, 3, 3), (3, 3, 0), (4, 3, 2), (2, 3, 1)])
def test_points_beyond_the_padding_are_not_counted(length: int, kernel: int, stride: int, padding: int) -> None:
    x = np.random.default_rng(length).normal(size=length)
    layer = fn.avg_pool1d(kernel, stride=stride, padding=padding, ceil_mode=True, count_include_pad=True)
    want = plain_average(x.tolist(), kernel, stride, padding)
    np.testing.assert_allclose(fn.apply(layer, (), (), x[None, :, None]).ravel(), want, rtol=1e-12)


LOWEST = -np.inf


@pytest.mark.parametrize("indices", [False, True])
@pytest.mark.parametrize(
    "x",
    [
        [LOWEST, LOWEST, 1, 2],
        [LOWEST] * 4,
        [np.nan, 5, 1, 2],
        [3, np.nan, np.nan, 2],
        [np.inf, np.inf, 1, LOWEST],
        [LOWEST, np.nan, LOWEST, LOWEST],
    ],
)
def test_the_maximum_is_a_point_of_the_window(indices: bool, x: list[float]) -> None:
    layer: AnyLayer = fn.max_pool_with_indices((3,), stride=2, padding=1) if indices else fn.max_pool1d(3, stride=2, padding=1)
    made = layer.forward((), (), np.array(x, np.float64)[None, :, None], fn.Train(fn.Key(0)))
    dy: Any = fn.Pooled(np.ones((1, 2, 1)), None) if indices else np.ones((1, 2, 1))  # type: ignore[arg-type]  # no cotangent
    windows = [x[:2], x[1:4]]
    values = made.output.values if indices else made.output
    np.testing.assert_array_equal(values.ravel(), [np.max(window) for window in windows])
    dx = layer.backward((), made.residuals, dy).input.ravel()
    first = [int(np.argmax(window)) for window in windows]
    counted = np.zeros(4)
    np.add.at(counted, [first[0], 1 + first[1]], 1)
    np.testing.assert_array_equal(dx, counted)


def test_a_dilated_window_in_the_padding_alone_is_refused() -> None:
    for layer in (
        fn.max_pool1d(2, stride=1, padding=1, dilation=3),
        fn.max_pool_with_indices((2,), stride=1, padding=1, dilation=3),
    ):
        with pytest.raises(
            ValueError, match=r"dilation 3 has points in the padding \(1, 1\) alone: use less padding or dilation"
        ):
            layer.init(fn.Key(0), (2, 1))
    assert fn.max_pool1d(2, stride=1, padding=1, dilation=3).init(fn.Key(0), (4, 1)).out_shape == (3, 1)


def test_power_pooling_of_an_infinite_point_is_infinite() -> None:
    x = np.array([np.inf, 1.0, 2.0, -np.inf, 3.0, 4.0], np.float32)[None, :, None]
    np.testing.assert_allclose(fn.apply(fn.lp_pool1d(2.0, 2), (), (), x).ravel(), [np.inf, np.inf, 5])


def test_the_root_of_power_pooling_is_as_precise_as_the_numbers() -> None:
    y = fn.apply(fn.lp_pool1d(3.0, 90), (), (), np.ones((1, 90, 1), np.longdouble)).ravel()
    np.testing.assert_allclose(y * y * y, [90], rtol=16 * float(np.finfo(np.longdouble).eps))
