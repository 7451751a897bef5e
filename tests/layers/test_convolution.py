"""Convolutions against loops over every index, and the arithmetic of their shapes."""

import itertools
from typing import Any, cast

import numpy as np
import pytest

import funcnn as fn
from funcnn import tree
from funcnn.kernels import block_toeplitz, correlation, winograd
from funcnn.kernels.spatial import add_bias, channel_sums
from funcnn.kernels.windows import make_windows
from funcnn.typing import Array


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
    monkeypatch.setattr("funcnn.kernels.correlation.BLOCK_BYTES", block)
    for one, other in zip(plain, results(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("tiles", [1, 3, 1000])
@pytest.mark.parametrize("batch", [0, 1, 3])
@pytest.mark.parametrize("space", [(3, 3), (4, 9), (10, 4), (6, 6), (1, 2)])
def test_fewer_products_give_the_same(space: tuple[int, int], batch: int, tiles: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("funcnn.kernels.winograd.tiles_at_once", lambda products: tiles)
    generator = np.random.default_rng(0)
    x, weight = generator.normal(size=(batch, *space, 2)), generator.normal(size=(3, 3, 2, 5))
    for pads in (((1, 1), (1, 1)), ((1, 1), (0, 2)), ((2, 3), (2, 1)), ((3, 1), (1, 4))):
        windows = make_windows(2, 3, 1, pads)
        y = correlation.correlate_plain(x, weight, windows, 1)
        np.testing.assert_allclose(winograd.correlate(x, weight, windows), y, rtol=1e-11, atol=1e-12)
        dy = generator.normal(size=y.shape)
        dweight = correlation.correlate_weight_plain(x, dy, windows, 1)
        np.testing.assert_allclose(winograd.correlate_weight(x, dy, windows), dweight, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("batch", [0, 1, 3])
@pytest.mark.parametrize("setting", SETTINGS)
def test_bands_give_the_same(setting: tuple[Any, ...], batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    shape, outputs, kernel, stride, padding, dilation, _ = setting
    windows = make_windows(len(kernel), kernel, stride, padding, dilation)
    in_shape = (batch, *shape)
    generator = np.random.default_rng(0)
    x, weight = generator.normal(size=in_shape), generator.normal(size=(*kernel, shape[-1], outputs))
    y = correlation.correlate_plain(x, weight, windows, 1)
    dy = generator.normal(size=y.shape)
    dx = block_toeplitz.correlate_input(dy, weight, windows, in_shape)
    assert dx.shape == in_shape
    expected = np.zeros(in_shape)  # each entry on its own: what the correlation of a 1 there is multiplied with
    for place in np.ndindex(in_shape):
        one = np.zeros(in_shape)
        one[place] = 1
        expected[place] = (correlation.correlate_plain(one, weight, windows, 1) * dy).sum()
    np.testing.assert_allclose(dx, expected, rtol=1e-11, atol=1e-12)
    monkeypatch.setattr("funcnn.kernels.block_toeplitz.is_faster", lambda *_: False)
    np.testing.assert_allclose(dx, correlation.correlate_input(dy, weight, windows, in_shape), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("batch", [0, 1, 3])
@pytest.mark.parametrize("setting", SETTINGS)
def test_windows_together_give_the_same(setting: tuple[Any, ...], batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    shape, outputs, kernel, stride, padding, dilation, _ = setting
    windows = make_windows(len(kernel), kernel, stride, padding, dilation)
    generator = np.random.default_rng(0)
    x, weight = generator.normal(size=(batch, *shape)), generator.normal(size=(*kernel, shape[-1], outputs))
    y = correlation.correlate_plain(x, weight, windows, 1)
    dy = generator.normal(size=y.shape)
    dweight = correlation.correlate_weight_plain(x, dy, windows, 1)
    width = y.shape[-2]
    for many in [many for many in range(1, width + 1) if width % many == 0]:
        monkeypatch.setattr("funcnn.kernels.block_toeplitz.windows_per_group", lambda *_, many=many: many)
        np.testing.assert_allclose(correlation.correlate(x, weight, windows), y, rtol=1e-11, atol=1e-12)
        np.testing.assert_allclose(correlation.correlate_weight(x, dy, windows), dweight, rtol=1e-11, atol=1e-12)


def test_few_channels_of_many_windows_are_taken_together() -> None:
    assert block_toeplitz.windows_per_group(make_windows(2, 5, padding=2), (32, 28, 28, 1), 6, 1) == 7  # 42 output channels
    assert block_toeplitz.windows_per_group(make_windows(2, 5, padding=2), (2, 28, 28, 1), 6, 1) == 1  # few windows
    assert (
        block_toeplitz.windows_per_group(make_windows(2, 5, padding=2), (32, 28, 29, 1), 6, 1) == 1
    )  # 29 of them would be mostly zeros
    assert block_toeplitz.windows_per_group(make_windows(2, 3, padding=1), (32, 32, 32, 3), 64, 1) == 1  # enough channels
    assert block_toeplitz.windows_per_group(make_windows(2, 5, padding=2), (32, 28, 28, 6), 6, 6) == 1  # channels do not mix


@pytest.mark.parametrize("batch", [0, 2])
def test_a_bias_is_added_to_every_point(batch: int) -> None:
    generator = np.random.default_rng(0)
    y, bias = generator.normal(size=(batch, 3, 5, 2)), np.array([1.0, -2.0])
    for place in (y.copy(), y.swapaxes(1, 2).copy().swapaxes(1, 2)):
        add_bias(place, bias)
        np.testing.assert_array_equal(place, y + bias)
    np.testing.assert_allclose(channel_sums(y), y.sum((0, 1, 2)), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(channel_sums(y.swapaxes(1, 2)), y.sum((0, 1, 2)), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("dtype", "digits"), [(np.float32, 2e-6), (np.float64, 4e-15)])
def test_fewer_products_cost_few_digits(dtype: type[np.floating[Any]], digits: float) -> None:
    generator = np.random.default_rng(0)
    x, weight = generator.normal(size=(2, 8, 8, 64)).astype(dtype), generator.normal(size=(3, 3, 64, 64)).astype(dtype)
    windows = make_windows(2, 3, 1, 1)
    exact = correlation.correlate_plain(x.astype(np.longdouble), weight.astype(np.longdouble), windows, 1)
    got = winograd.correlate(x, weight, windows)
    assert got.dtype == dtype
    assert abs(got - exact).max() < digits * abs(exact).max()
    dy = generator.normal(size=got.shape).astype(dtype)
    slope = correlation.correlate_weight_plain(x.astype(np.longdouble), dy.astype(np.longdouble), windows, 1)
    assert abs(winograd.correlate_weight(x, dy, windows) - slope).max() < digits * abs(slope).max()


def test_only_suitable_convolutions_take_fewer_products() -> None:
    many, single = winograd.LEAST_CHANNELS, np.dtype(np.float32)
    suits = winograd.suits
    assert suits(make_windows(2, 3, 1, "same"), many, many, single)
    assert not suits(make_windows(2, 3), many - 1, many, single)
    assert not suits(make_windows(2, 3), many, many - 1, single)
    assert not suits(make_windows(2, 3), many, many, np.dtype(np.longdouble))
    for windows in (make_windows(2, 3, 2), make_windows(2, 3, 1, 0, 2), make_windows(2, (3, 2)), make_windows(3, 3)):
        assert not suits(windows, many, many, single)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_layer_of_many_channels_is_its_definition(dtype: type[np.floating[Any]]) -> None:
    layer = fn.conv2d(48, 3, padding=((1, 0), (1, 1)))
    start = layer.init(fn.Key(1), (4, 3, 48))
    params = tree.astype(start.params, dtype)
    x = np.random.default_rng(0).normal(size=(2, 4, 3, 48)).astype(dtype)
    made = layer.forward(params, (), x, fn.Eval())
    assert made.output.shape == (2, *start.out_shape)
    wide, same = tree.astype(start.params, np.longdouble), x.astype(np.longdouble)
    expected = layer.forward(wide, (), same, fn.Eval())  # long double takes the plain sums
    tolerance = 100 * float(np.finfo(dtype).eps)
    np.testing.assert_allclose(made.output, expected.output, rtol=tolerance, atol=tolerance)
    ours, theirs = layer.backward(params, made.residuals, made.output), layer.backward(wide, expected.residuals, expected.output)
    for one, other in zip(tree.leaves((ours.params, ours.input)), tree.leaves((theirs.params, theirs.input)), strict=True):
        assert one.dtype == dtype
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance * float(abs(other).max()))


@pytest.mark.parametrize(
    ("stride", "padding", "dilation", "extra"),
    [(stride, *rest) for stride, *rest in itertools.product((1, 2), (0, 1), (1, 2), (0, 1)) if rest[-1] < max(stride, rest[-2])],
)
def test_transposed_convolution_lays_kernels_side_by_side(stride: int, padding: int, dilation: int, extra: int) -> None:
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


def test_a_transposed_convolution_in_groups_is_one_for_each_group() -> None:
    layer, part = fn.conv_transpose2d(6, (2, 3), stride=2, groups=2), fn.conv_transpose2d(3, (2, 3), stride=2)
    params = fn.tree.map(lambda leaf: leaf + 1.0, layer.init(fn.Key(0), (3, 4, 4)).params)
    assert params.weight.shape == (2, 3, 3, 4)
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 4))
    halves = [
        fn.apply(part, type(params)(params.weight[..., i : i + 2], params.bias[o : o + 3]), (), x[..., i : i + 2])
        for i, o in ((0, 0), (2, 3))
    ]
    np.testing.assert_allclose(fn.apply(layer, params, (), x), np.concatenate(halves, axis=-1), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(
    ("plain", "biased", "shape"),
    [
        (fn.conv1d_without_bias(4, 3, stride=2, groups=2), fn.conv1d(4, 3, stride=2, groups=2), (9, 2)),
        (fn.conv2d_without_bias(4, (2, 3), padding="same"), fn.conv2d(4, (2, 3), padding="same"), (4, 5, 2)),
        (fn.conv3d_without_bias(2, 2, dilation=2), fn.conv3d(2, 2, dilation=2), (4, 3, 3, 2)),
        (fn.depthwise_conv1d_without_bias(3, multiplier=2), fn.depthwise_conv1d(3, multiplier=2), (5, 2)),
        (fn.depthwise_conv2d_without_bias(2, stride=2), fn.depthwise_conv2d(2, stride=2), (4, 5, 2)),
        (fn.separable_conv1d_without_bias(3, 2), fn.separable_conv1d(3, 2), (5, 2)),
        (fn.separable_conv2d_without_bias(3, 2, padding=1), fn.separable_conv2d(3, 2, padding=1), (3, 4, 2)),
        (fn.conv_transpose1d_without_bias(3, 3, stride=2), fn.conv_transpose1d(3, 3, stride=2), (4, 2)),
        (
            fn.conv_transpose2d_without_bias(4, 2, stride=2, padding=1, output_padding=1, groups=2),
            fn.conv_transpose2d(4, 2, stride=2, padding=1, output_padding=1, groups=2),
            (3, 4, 2),
        ),
        (fn.conv_transpose3d_without_bias(2, 2), fn.conv_transpose3d(2, 2), (2, 3, 3, 2)),
    ],
    ids=lambda one: getattr(one, "name", None),
)
def test_without_a_bias_it_is_the_same_with_a_bias_of_zeros(plain: Any, biased: Any, shape: Any) -> None:
    few, many = (layer.init(fn.Key(3), shape) for layer in (plain, biased))
    assert few.out_shape == many.out_shape
    weights = [leaf for path, leaf in tree.walk(many.params) if path.endswith("weight")]
    assert all(map(np.array_equal, tree.leaves(few.params), weights))
    assert not any("bias" in path for path in tree.paths(few.params))
    x = np.random.default_rng(0).normal(size=(2, *shape))
    one, other = plain.forward(few.params, few.state, x, fn.Eval()), biased.forward(many.params, many.state, x, fn.Eval())
    np.testing.assert_array_equal(one.output, other.output)  # a bias of 0 changes no bit
    dy = np.random.default_rng(1).normal(size=one.output.shape)
    ours, theirs = plain.backward(few.params, one.residuals, dy), biased.backward(many.params, other.residuals, dy)
    np.testing.assert_array_equal(ours.input, theirs.input)
    dweights = [leaf for path, leaf in tree.walk(theirs.params) if path.endswith("weight")]
    assert all(map(np.array_equal, tree.leaves(ours.params), dweights))


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
        (lambda: fn.conv_transpose2d(4, 3, stride=2, dilation=3, output_padding=3), "less than the stride"),
        (lambda: fn.conv_transpose2d(4, 3, stride=2, padding="same", output_padding=1), 'expected 0 with padding "same"'),
        (lambda: fn.conv_transpose2d(4, 3, groups=3), "3 groups"),
        (lambda: fn.conv_transpose2d(4, 3, groups=2).init(fn.Key(0), (8, 8, 3)), "2 groups"),
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
