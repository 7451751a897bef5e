"""Layers that rearrange, resample and unfold arrays with spatial axes, against loops over every point."""

import itertools
import math
import tracemalloc
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn import tree
from funcnn.layer import AnyLayer
from funcnn.typing import Array

TRAIN = fn.Train(fn.Key(0))


def numbers(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape)


def check(layer: AnyLayer, x: Array, expected: Array) -> None:
    """Compare what a layer without parameters makes of x, and the shape that it foretells."""
    np.testing.assert_allclose(fn.apply(layer, (), (), x), expected, rtol=1e-12, atol=1e-13)
    assert layer.init(fn.Key(0), x.shape[1:]).out_shape == expected.shape[1:]


# ------------------------------------------------------------------------------------------------- padding and cropping

PADDINGS: dict[str, Any] = {
    "constant": "constant",
    "reflect": "reflect",
    "replicate": "edge",
    "circular": "wrap",
}  # NumPy's names


@pytest.mark.parametrize("mode", PADDINGS)
@pytest.mark.parametrize(
    ("shape", "widths", "pads"),
    [
        ((3, 2), 2, ((2, 2),)),
        ((3, 4, 2), ((1, 2), (0, 3)), ((1, 2), (0, 3))),
        ((3, 4, 2), (1, (2, 0)), ((1, 1), (2, 0))),
        ((2, 3, 4, 1), 1, ((1, 1),) * 3),
        ((1, 2), 0, ((0, 0),)),
    ],
)
def test_padding_is_that_of_numpy(mode: Any, shape: tuple[int, ...], widths: Any, pads: Any) -> None:
    x = numbers(2, *shape)
    check(fn.pad(widths, mode=mode), x, np.pad(x, ((0, 0), *pads, (0, 0)), mode=PADDINGS[mode]))


def test_padding_with_a_constant() -> None:
    x = numbers(2, 3, 2)
    check(fn.pad(1, value=-4.5), x, np.pad(x, ((0, 0), (1, 1), (0, 0)), constant_values=-4.5))
    assert np.isneginf(fn.apply(fn.pad(1, value=-math.inf), (), (), x)[:, 0]).all()


def test_cropping_undoes_padding() -> None:
    x = numbers(2, 4, 5, 3)
    check(fn.crop(((1, 0), (0, 2))), x, x[:, 1:, :3])
    check(fn.crop((1, (0, 2))), x, x[:, 1:3, :3])
    check(fn.crop(1), x, x[:, 1:3, 1:4])
    padded = fn.apply(fn.pad(((3, 1), (2, 2)), mode="circular"), (), (), x)
    check(fn.crop(((3, 1), (2, 2))), padded, x)


def test_bad_paddings() -> None:
    with pytest.raises(ValueError, match="expected one of 'constant', 'reflect', 'replicate', 'circular'"):
        fn.pad(1, mode="edge")  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(ValueError, match="padding is -1"):
        fn.pad(((0, -1),))
    with pytest.raises(TypeError, match=r"padding is 1\.5, expected an integer"):
        fn.pad(1.5)  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(TypeError, match="cropping is True"):
        fn.crop(True)
    with pytest.raises(TypeError, match=r"padding is \(1, 2, 3\)"):
        fn.pad(((1, 2, 3),))  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(ValueError, match="a pair for each spatial axis"):
        fn.crop(())
    with pytest.raises(ValueError, match="value is nan"):
        fn.pad(1, value=math.nan)
    with pytest.raises(ValueError, match="leave it out"):
        fn.pad(1, mode="reflect", value=1.0)
    with pytest.raises(ValueError, match=r"has 3 points, reflect padding adds at most 2, got \(3, 0\)"):
        fn.pad(((3, 0),), mode="reflect").init(fn.Key(0), (3, 1))
    with pytest.raises(ValueError, match="circular padding adds at most 3"):
        fn.apply(fn.pad(4, mode="circular"), (), (), np.zeros((1, 3, 1)))
    with pytest.raises(ValueError, match="leaves nothing"):
        fn.crop(2).init(fn.Key(0), (4, 1))
    with pytest.raises(ValueError, match="leaves nothing"):
        fn.apply(fn.crop(2), (), (), np.zeros((1, 4, 1)))


ANY_SPACE: list[Any] = [
    fn.pad,
    fn.crop,
    fn.upsample,
    fn.pixel_shuffle,
    fn.pixel_unshuffle,
    fn.adaptive_avg_pool,
    fn.adaptive_max_pool,
]


@pytest.mark.parametrize("make", ANY_SPACE)
def test_layers_of_any_space_refuse_what_has_none_or_another_one(make: Any) -> None:
    with pytest.raises(ValueError, match="expected spatial axes before the channels"):
        make(1).init(fn.Key(0), (4,))
    with pytest.raises(ValueError, match="at least 3 axes"):
        fn.apply(make(1), (), (), np.zeros((2, 4)))
    with pytest.raises(ValueError, match="expected 2 spatial axes, then the channels"):
        make((1, 1)).init(fn.Key(0), (4, 4))
    with pytest.raises(ValueError, match="expected 4 axes: batch, 2 spatial, channels"):
        fn.apply(make((1, 1)), (), (), np.zeros((2, 4, 4)))
    with pytest.raises(TypeError, match="expected a floating one"):
        fn.apply(make(1), (), (), np.zeros((2, 4, 4), int))


@pytest.mark.parametrize("make", ANY_SPACE[2:])
def test_sizes_are_integers_of_at_least_one(make: Any) -> None:
    for wrong in (0, (2, 0)):
        with pytest.raises(ValueError, match="is 0, expected at least 1"):
            make(wrong)
    for bad in (2.0, True, (2, 1.5), "2"):
        with pytest.raises(TypeError, match="expected an integer"):
            make(bad)
    with pytest.raises(ValueError, match="one for each spatial axis"):
        make(())


# ------------------------------------------------------------------------------------------------- upsampling


@pytest.mark.parametrize(("shape", "factors"), [((3, 2), (2,)), ((2, 3, 2), (3, 1)), ((2, 1, 3, 2), (2, 3, 2))])
def test_nearest_repeats_every_point(shape: tuple[int, ...], factors: tuple[int, ...]) -> None:
    x = numbers(2, *shape)
    space = [f * n for f, n in zip(factors, shape[:-1], strict=True)]
    expected = np.empty((2, *space, shape[-1]))
    for p in np.ndindex(*space):
        expected[:, *p] = x[:, *[i // f for i, f in zip(p, factors, strict=True)]]
    check(fn.upsample(factors), x, expected)


def interpolated(line: list[float], place: float) -> float:
    """Return the value of a piecewise linear function of nodes 0, 1, ..., constant outside of them."""
    place = min(max(place, 0.0), len(line) - 1.0)
    left = min(int(place), len(line) - 2) if len(line) > 1 else 0
    right = min(left + 1, len(line) - 1)
    return line[left] + (place - left) * (line[right] - line[left])


@pytest.mark.parametrize("align", [False, True])
@pytest.mark.parametrize(("length", "factor"), [(4, 2), (5, 3), (1, 3), (3, 1), (1, 1), (2, 5)])
def test_linear_interpolates_between_points(length: int, factor: int, align: bool) -> None:
    x = numbers(2, length, 3)
    y = np.empty((2, factor * length, 3))
    for n, p, c in np.ndindex(*y.shape):
        corners = p * (length - 1) / max(1, factor * length - 1)
        place = corners if align else (p + 0.5) / factor - 0.5
        y[n, p, c] = interpolated(x[n, :, c].tolist(), place)
    check(fn.upsample(factor, mode="linear", align_corners=align), x, y)


def test_bilinear_is_linear_along_each_axis() -> None:
    x = numbers(2, 3, 4, 2)
    rows = fn.apply(fn.upsample((2, 1), mode="linear"), (), (), x)
    check(fn.upsample((2, 3), mode="linear"), x, fn.apply(fn.upsample((1, 3), mode="linear"), (), (), rows))


def test_aligned_corners_stay_and_linear_functions_are_kept() -> None:
    x = np.add.outer(3 * np.arange(4.0), np.arange(5.0))[None, :, :, None]
    y = fn.apply(fn.upsample(2, mode="linear", align_corners=True), (), (), x)
    expected = np.add.outer(3 * np.linspace(0, 3, 8), np.linspace(0, 4, 10))[None, :, :, None]
    np.testing.assert_allclose(y, expected, rtol=1e-13, atol=1e-13)


def test_bad_upsampling() -> None:
    with pytest.raises(ValueError, match="expected one of 'nearest', 'linear'"):
        fn.upsample(2, mode="bicubic")  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(ValueError, match="align_corners is for linear"):
        fn.upsample(2, align_corners=True)


# ------------------------------------------------------------------------------------------------- pixel shuffle


@pytest.mark.parametrize(("shape", "factors"), [((2, 3, 8), (2, 2)), ((3, 6), (3,)), ((1, 2, 3, 12), (2, 1, 3)), ((2, 3), (1,))])
def test_shuffle_makes_points_of_channels(shape: tuple[int, ...], factors: tuple[int, ...]) -> None:
    x = numbers(2, *shape)
    channels = shape[-1] // math.prod(factors)
    y = np.empty((2, *[f * n for f, n in zip(factors, shape[:-1], strict=True)], channels))
    for q in np.ndindex(*shape[:-1]):
        for number, r in enumerate(np.ndindex(*factors)):
            for c in range(channels):
                point = [f * i + j for f, i, j in zip(factors, q, r, strict=True)]
                y[:, *point, c] = x[:, *q, number * channels + c]
    check(fn.pixel_shuffle(factors), x, y)
    check(fn.pixel_unshuffle(factors), y, x)


def test_bad_blocks() -> None:
    with pytest.raises(ValueError, match="6 channels cannot be divided into blocks of 2x2 points"):
        fn.pixel_shuffle(2).init(fn.Key(0), (3, 3, 6))
    with pytest.raises(ValueError, match="6 channels cannot be divided"):
        fn.apply(fn.pixel_shuffle(2), (), (), np.zeros((1, 3, 3, 6)))
    with pytest.raises(ValueError, match=r"the spatial axes have \(4, 3\) points"):
        fn.pixel_unshuffle(2).init(fn.Key(0), (4, 3, 1))


# ------------------------------------------------------------------------------------------------- unfold and fold

WINDOWS: list[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any], Any]] = [
    # example, kernel, options, padding
    ((6, 2), (3,), {}, ((0, 0),)),
    ((4, 5, 2), (2, 3), {"stride": (1, 2), "padding": ((1, 0), (0, 2))}, ((1, 0), (0, 2))),
    ((5, 4, 1), (2, 2), {"dilation": 2, "padding": 1}, ((1, 1), (1, 1))),
    ((3, 2, 3, 2), (2, 1, 2), {}, ((0, 0),) * 3),
    ((3, 4, 2), (1, 1), {}, ((0, 0),) * 2),
    ((5, 2), (3,), {"stride": 2, "padding": "same"}, ((1, 1),)),
]


@pytest.mark.parametrize(("shape", "kernel", "options", "pads"), WINDOWS)
def test_unfolding_gives_windows_and_folding_adds_them(
    shape: tuple[int, ...], kernel: tuple[int, ...], options: dict[str, Any], pads: tuple[tuple[int, int], ...]
) -> None:
    x = numbers(2, *shape)
    padded = np.pad(x, ((0, 0), *pads, (0, 0)))
    ndim = len(kernel)
    stride, dilation = (np.broadcast_to(options.get(name, 1), ndim).tolist() for name in ("stride", "dilation"))
    lengths = [n - d * (k - 1) for n, d, k in zip(padded.shape[1:-1], dilation, kernel, strict=True)]
    starts = [range(0, length, s) for length, s in zip(lengths, stride, strict=True)]
    count = [len(one) for one in starts]
    windows = np.empty((2, *count, *kernel, shape[-1]))
    again = np.zeros(padded.shape)
    given = numbers(2, *count, *kernel, shape[-1], seed=1)
    for p in np.ndindex(*count):
        for k in np.ndindex(*kernel):
            point = [one[i] + d * j for one, i, d, j in zip(starts, p, dilation, k, strict=True)]
            windows[:, *p, *k] = padded[:, *point]
            again[:, *point] += given[:, *p, *k]
    check(fn.unfold(kernel, **options), x, windows.reshape(2, *count, -1))
    parts = [slice(low, again.shape[axis] - high) for axis, (low, high) in enumerate(pads, 1)]
    check(fn.fold(shape[:-1], kernel, **options), given.reshape(2, *count, -1), again[:, *parts])


def test_a_convolution_is_unfolding_and_a_dense_layer() -> None:
    x = numbers(2, 5, 6, 3)
    layer = fn.conv2d(4, (3, 2), stride=2, padding=1)
    params = layer.init(fn.Key(1), (5, 6, 3)).params
    features = fn.apply(fn.unfold((3, 2), stride=2, padding=1), (), (), x)
    np.testing.assert_allclose(fn.apply(layer, params, (), x), features @ params.weight.reshape(-1, 4), rtol=1e-12, atol=1e-13)


def test_bad_windows() -> None:
    with pytest.raises(TypeError, match="expected a tuple with an integer for each spatial axis"):
        fn.unfold(3)  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(TypeError, match="space is 5, expected a tuple"):
        fn.fold(5, 3)  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(ValueError, match="kernel is 0"):
        fn.unfold((3, 0))
    with pytest.raises(ValueError, match="a window spans 3"):
        fn.fold((2,), 3)
    with pytest.raises(ValueError, match=r"there are \(4,\) windows, expected \(3,\)"):
        fn.fold((5,), 3).init(fn.Key(0), (4, 3))
    with pytest.raises(ValueError, match=r"there are \(4,\) windows"):
        fn.apply(fn.fold((5,), 3), (), (), np.zeros((1, 4, 3)))
    with pytest.raises(ValueError, match="4 features cannot be divided among the 3 points"):
        fn.fold((5,), 3).init(fn.Key(0), (3, 4))
    with pytest.raises(ValueError, match="expected 1 spatial axes"):
        fn.unfold((3,)).init(fn.Key(0), (3, 4, 2))


# ------------------------------------------------------------------------------------------------- pooling


@pytest.mark.parametrize(("shape", "size"), [((5, 2), (2,)), ((7, 4, 3), (3, 4)), ((3, 2), (5,)), ((2, 3, 5, 1), (1, 2, 3))])
def test_adaptive_pooling_is_its_definition(shape: tuple[int, ...], size: tuple[int, ...]) -> None:
    x: Any = numbers(2, *shape)
    average, largest = np.empty((2, *size, shape[-1])), np.empty((2, *size, shape[-1]))
    for p in np.ndindex(*size):
        ranges = [range(math.floor(i * n / s), math.ceil((i + 1) * n / s)) for i, n, s in zip(p, shape[:-1], size, strict=True)]
        cell = np.array([x[:, *point] for point in itertools.product(*ranges)])
        average[:, *p] = cell.mean(0)
        largest[:, *p] = cell.max(0)
    check(fn.adaptive_avg_pool(size), x, average)
    check(fn.adaptive_max_pool(size), x, largest)
    pooled = fn.apply(fn.adaptive_max_pool_with_indices(size), (), (), x)
    np.testing.assert_array_equal(pooled.values, largest)
    points, places = x.reshape(2, -1, shape[-1]), pooled.indices.reshape(2, -1, shape[-1])
    np.testing.assert_array_equal(np.take_along_axis(points, places, 1).reshape(largest.shape), largest)


def test_an_axis_of_adaptive_pooling_may_stay_as_it_is() -> None:
    x = numbers(2, 5, 7, 3)
    for kind in (fn.adaptive_avg_pool, fn.adaptive_max_pool):
        check(kind((None, 2)), x, fn.apply(kind((5, 2)), (), (), x))
        with pytest.raises(ValueError, match="output_size is"):
            kind((None, 0))


def test_adaptive_pooling_to_one_point_is_global_pooling() -> None:
    x = numbers(2, 3, 4, 2)
    check(fn.adaptive_avg_pool(1), x, fn.apply(fn.global_avg_pool(), (), (), x)[:, None, None])
    check(fn.adaptive_max_pool(1), x, fn.apply(fn.global_max_pool(), (), (), x)[:, None, None])


POOLINGS: list[dict[str, Any]] = [
    {},
    {"stride": 1},
    {"stride": (2, 1), "padding": 1},
    {"stride": 3, "ceil_mode": True},
    {"dilation": 2, "stride": 1},
    {"padding": "same", "stride": 2},
]


@pytest.mark.parametrize("options", POOLINGS, ids=str)
def test_indices_are_where_the_maxima_are(options: dict[str, Any]) -> None:
    x = numbers(2, 6, 5, 3) - 5  # all negative: a zero of the padding would be larger
    layer = fn.max_pool_with_indices((2, 3), **options)
    pooled = fn.apply(layer, (), (), x)
    np.testing.assert_array_equal(pooled.values, fn.apply(fn.max_pool2d((2, 3), **options), (), (), x))
    for n, p, q, c in np.ndindex(*pooled.values.shape):
        assert x[n].reshape(30, 3)[pooled.indices[n, p, q, c], c] == pooled.values[n, p, q, c]
    assert layer.init(fn.Key(0), (6, 5, 3)).out_shape == pooled.values.shape[1:]


def test_of_equal_entries_the_first_has_the_index() -> None:
    pooled = fn.apply(fn.max_pool_with_indices((2, 2), padding=1, stride=2), (), (), np.full((1, 4, 4, 1), -np.inf))
    assert pooled.indices[0, :, :, 0].tolist() == [[0, 1, 3], [4, 5, 7], [12, 13, 15]]


def test_nan_spreads() -> None:
    x = np.array([1.0, np.nan, 2.0, 3.0]).reshape(1, 4, 1)
    pooled = fn.apply(fn.max_pool_with_indices((2,)), (), (), x)
    assert np.isnan(pooled.values[0, 0, 0])
    assert pooled.values[0, 1, 0] == 3


def test_unpooling_puts_numbers_back() -> None:
    values, indices = numbers(2, 2, 2, 3), np.random.default_rng(1).integers(0, 20, size=(2, 2, 2, 3))
    y = np.zeros((2, 4, 5, 3))
    for n, p, q, c in np.ndindex(*values.shape):
        y[n, indices[n, p, q, c] // 5, indices[n, p, q, c] % 5, c] += values[n, p, q, c]
    layer = fn.max_unpool((4, 5))
    np.testing.assert_allclose(fn.apply(layer, (), (), fn.Pooled(values, indices)), y, rtol=1e-14)
    assert layer.init(fn.Key(0), (2, 2, 3)).out_shape == (4, 5, 3)


def test_an_autoencoder_of_pooling_and_unpooling_learns() -> None:
    inside = fn.on_values(fn.conv1d(2, 3, padding="same") >> fn.tanh())
    model = fn.max_pool_with_indices((2,)) >> inside >> fn.max_unpool((8,))
    start = model.init(fn.Key(0), (8, 2))
    assert start.out_shape == (8, 2)
    x = numbers(4, 8, 2)
    step = fn.loss_and_grad(model, fn.mean_squared_error())
    made = step(start.params, start.state, x, x, TRAIN)
    moved = tree.map(lambda leaf, slope: leaf - 0.1 * slope, start.params, made.grads)
    assert step(moved, start.state, x, x, TRAIN).loss < made.loss


def test_bad_pooled() -> None:
    with pytest.raises(TypeError, match="indices are an array of integers"):
        fn.Pooled(np.zeros((1, 2, 1)), np.zeros((1, 2, 1)))  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(ValueError, match="expected the shape of the values"):
        fn.Pooled(np.zeros((1, 2, 1)), np.zeros((1, 2), int))
    with pytest.raises(TypeError, match=r"expected funcnn\.Pooled"):
        fn.apply(fn.max_unpool((4,)), (), (), np.zeros((1, 2, 1)))  # type: ignore[misc]  # wrong on purpose
    with pytest.raises(TypeError, match=r"expected funcnn\.Pooled"):
        fn.apply(fn.on_values(fn.tanh()), (), (), np.zeros((1, 2, 1)))  # type: ignore[misc]  # wrong on purpose
    for wrong in (4, -1):
        with pytest.raises(ValueError, match=r"the spatial shape \(4,\) has 4 points"):
            fn.apply(fn.max_unpool((4,)), (), (), fn.Pooled(np.zeros((1, 1, 1)), np.full((1, 1, 1), wrong)))
    with pytest.raises(ValueError, match=r"on_values needs a layer that keeps the shape.*maps \(4, 2\) to \(4, 3\)"):
        fn.on_values(fn.conv1d(3, 1)).init(fn.Key(0), (4, 2))
    with pytest.raises(TypeError, match="expected a tuple with an integer"):
        fn.max_pool_with_indices(2)  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(ValueError, match="less than the 2 points"):
        fn.max_pool_with_indices((2,), padding=2)
    with pytest.raises(ValueError, match="channels come last"):
        fn.max_unpool((4, 4)).init(fn.Key(0), (2, 2))


# ------------------------------------------------------------------------------------------------- depthwise and separable


@pytest.mark.parametrize("multiplier", [1, 3])
@pytest.mark.parametrize("options", [{}, {"stride": 2, "padding": "same"}, {"padding": 1, "dilation": 2}], ids=str)
def test_depthwise_is_a_convolution_with_as_many_groups_as_channels(multiplier: int, options: dict[str, Any]) -> None:
    pairs: list[tuple[AnyLayer, AnyLayer, tuple[int, ...]]] = [
        (
            fn.depthwise_conv1d(2, multiplier=multiplier, **options),
            fn.conv1d(2 * multiplier, 2, groups=2, **options),
            (6, 2),
        ),
        (
            fn.depthwise_conv2d((2, 3), multiplier=multiplier, **options),
            fn.conv2d(2 * multiplier, (2, 3), groups=2, **options),
            (5, 6, 2),
        ),
    ]
    for depthwise, grouped, shape in pairs:
        start, plain = depthwise.init(fn.Key(1), shape), grouped.init(fn.Key(1), shape)
        assert tree.same(start.params, plain.params)
        assert start.out_shape == plain.out_shape
        params = type(plain.params)(plain.params.weight, numbers(2 * multiplier))
        x = numbers(2, *shape)
        ours, theirs = (layer.forward(params, (), x, TRAIN) for layer in (depthwise, grouped))
        np.testing.assert_allclose(ours.output, theirs.output, rtol=1e-12, atol=1e-13)
        dy = numbers(*ours.output.shape, seed=1)
        mine, other = depthwise.backward(params, ours.residuals, dy), grouped.backward(params, theirs.residuals, dy)
        for one, another in zip(tree.leaves((mine.params, mine.input)), tree.leaves((other.params, other.input)), strict=True):
            np.testing.assert_allclose(one, another, rtol=1e-12, atol=1e-13)


def test_separable_is_depthwise_then_pointwise() -> None:
    options: dict[str, Any] = {"multiplier": 2, "stride": 2, "padding": 1, "dilation": 2}
    assert fn.separable_conv1d(3, 2, **options) == fn.serial(fn.depthwise_conv1d(2, **options), fn.conv1d(3, 1))
    assert fn.separable_conv2d(3, 2, **options) == fn.serial(fn.depthwise_conv2d(2, **options), fn.conv2d(3, 1))


def test_bad_depthwise() -> None:
    with pytest.raises(ValueError, match="multiplier is 0"):
        fn.depthwise_conv2d(3, multiplier=0)
    with pytest.raises(ValueError, match="channels is 0"):
        fn.separable_conv2d(0, 3)
    layer = fn.depthwise_conv2d(2, multiplier=3)
    params = layer.init(fn.Key(0), (4, 4, 2)).params
    with pytest.raises(ValueError, match="expected 2"):
        fn.apply(layer, params, (), np.zeros((1, 4, 4, 6)))
    with pytest.raises(ValueError, match="channels come last"):
        layer.init(fn.Key(0), (4, 2))


# ------------------------------------------------------------------------------------------------- axes


def test_transpose_reorders_the_axes_of_examples() -> None:
    x = numbers(2, 3, 4, 5)
    y = np.empty((2, 4, 5, 3))
    for c, i, j in np.ndindex(3, 4, 5):
        y[:, i, j, c] = x[:, c, i, j]
    check(fn.transpose((1, 2, 0)), x, y)
    check(fn.transpose((2, 0, 1)), y, x)
    check(fn.transpose([0]), numbers(2, 3), numbers(2, 3))


def test_bad_axes() -> None:
    with pytest.raises(TypeError, match="expected a tuple of integers"):
        fn.transpose(1)  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(TypeError, match="expected a tuple of integers"):
        fn.transpose((True, 0))
    with pytest.raises(ValueError, match="expected each of 0 to 1 once"):
        fn.transpose((1, 2))
    with pytest.raises(ValueError, match="expected 2 axes to be put in the order"):
        fn.transpose((1, 0)).init(fn.Key(0), (2, 3, 4))
    with pytest.raises(ValueError, match="expected 3 axes, batch first"):
        fn.apply(fn.transpose((1, 0)), (), (), np.zeros((2, 3)))


# ------------------------------------------------------------------------------------------------- noise


def test_spatial_dropout_drops_whole_channels() -> None:
    x = numbers(200, 3, 2, 50)
    y = fn.spatial_dropout(0.3).forward((), (), x, TRAIN).output
    factors = y / x
    np.testing.assert_allclose(factors, np.broadcast_to(factors[:, :1, :1], x.shape), rtol=1e-12)
    kept = factors[:, 0, 0] != 0
    np.testing.assert_allclose(factors[:, 0, 0][kept], 1 / 0.7, rtol=1e-12)
    assert abs(kept.mean() - 0.7) < 0.02
    check(fn.spatial_dropout(0.3), x, x)


def test_alpha_dropout_keeps_the_mean_and_the_variance_of_selu_units() -> None:
    x = numbers(2000, 100)
    for rate in (0.0, 0.1, 0.5):
        y = fn.alpha_dropout(rate).forward((), (), x, TRAIN).output
        assert abs(y.mean() - x.mean()) < 0.01
        assert abs(y.var() - x.var()) < 0.01
    check(fn.alpha_dropout(0.5), x, x)


def test_alpha_dropout_gives_two_values_of_one_number() -> None:
    y = fn.alpha_dropout(0.25).forward((), (), np.full((1, 10_000), 2.0), TRAIN).output
    limit = -1.7580993408473766
    a = 1 / math.sqrt(0.75 + limit**2 * 0.25 * 0.75)
    b = -a * 0.25 * limit
    dropped = y[0] < 0
    np.testing.assert_allclose(y[0][dropped], a * limit + b, rtol=1e-12)
    np.testing.assert_allclose(y[0][~dropped], a * 2.0 + b, rtol=1e-12)
    assert abs(dropped.mean() - 0.25) < 0.02


def test_gaussian_noise_has_its_standard_deviation() -> None:
    x = numbers(1000, 100)
    noise = fn.gaussian_noise(0.3).forward((), (), x, TRAIN).output - x
    assert abs(noise.std() - 0.3) < 0.01
    assert abs(noise.mean()) < 0.01
    check(fn.gaussian_noise(0.3), x, x)


@pytest.mark.parametrize("make", [fn.spatial_dropout, fn.alpha_dropout, fn.gaussian_noise])
def test_one_key_draws_the_same_in_every_precision(make: Any) -> None:
    x = numbers(3, 4, 5)
    single = make(0.4).forward((), (), x.astype(np.float32), TRAIN).output
    np.testing.assert_allclose(single, make(0.4).forward((), (), x, TRAIN).output, rtol=1e-5, atol=1e-6)  # float32


def test_bad_rates() -> None:
    for make in (fn.spatial_dropout, fn.alpha_dropout):
        with pytest.raises(ValueError, match="the probability of being dropped"):
            make(1.0)
        with pytest.raises(ValueError, match="nan"):
            make(math.nan)
    with pytest.raises(ValueError, match="std is -1"):
        fn.gaussian_noise(-1)
    with pytest.raises(TypeError, match="std is True"):
        fn.gaussian_noise(True)
    with pytest.raises(ValueError, match="use dropout for features"):
        fn.spatial_dropout(0.5).init(fn.Key(0), (4,))
    with pytest.raises(ValueError, match="at least 3 axes"):
        fn.apply(fn.spatial_dropout(0.5), (), (), np.zeros((2, 4)))


# ------------------------------------------------------------------------------------------- cost in proportion, NaN where it is


@pytest.mark.parametrize("corners", [False, True])
@pytest.mark.parametrize(("length", "factor"), [(1, 3), (2, 2), (5, 1), (5, 3), (7, 4)])
def test_linear_upsampling_interpolates_at_exact_places(length: int, factor: int, corners: bool) -> None:
    x = np.random.default_rng(0).normal(size=length)
    count = factor * length
    places = [
        Fraction(p * (length - 1), max(1, count - 1))
        if corners
        else min(max(Fraction(2 * p + 1 - factor, 2 * factor), Fraction(0)), Fraction(length - 1))
        for p in range(count)
    ]
    want = np.interp([float(place) for place in places], np.arange(length), x)
    layer = fn.upsample(factor, mode="linear", align_corners=corners)
    np.testing.assert_allclose(fn.apply(layer, (), (), x[None, :, None]).ravel(), want, rtol=1e-14, atol=1e-15)
    for bad in range(length):
        spoiled = x.copy()
        spoiled[bad] = np.nan
        got = np.isnan(fn.apply(layer, (), (), spoiled[None, :, None]).ravel())
        np.testing.assert_array_equal(got, [abs(place - bad) < 1 for place in places])


@pytest.mark.parametrize(
    "layer",
    [
        fn.upsample(2, mode="linear"),
        fn.upsample(2, mode="linear", align_corners=True),
        fn.adaptive_avg_pool(20_000),
        fn.adaptive_avg_pool(700),
    ],
)
def test_resampling_takes_memory_in_proportion_to_the_points(layer: AnyLayer) -> None:
    x = np.ones((1, 30_000, 1), np.float32)
    made = layer.forward((), (), x, fn.Train(fn.Key(0)))
    tracemalloc.start()
    fn.apply(layer, (), (), x)
    layer.backward((), made.residuals, made.output)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100 * x.nbytes
