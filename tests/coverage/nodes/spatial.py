"""Convolutions, pooling, padding and resizing."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn import functional as F

import funcnn as fn
from tests.coverage.bridge import run, unless
from tests.coverage.onnx_samples import node
from tests.coverage.operators import convolutions, pooling, shapes
from tests.coverage.operators.layout import over_space
from tests.coverage.translated import TRANSLATORS

UNPOOLING = [TRANSLATORS[function].call for function in (F.max_unpool1d, F.max_unpool2d, F.max_unpool3d)]


def padding(attributes: dict[str, Any], axes: int) -> Any:
    """Return the padding of each axis, before and after, or a word."""
    word = attributes.get("auto_pad", "NOTSET")
    unless(word == "SAME_LOWER", "padding of which more comes before")
    if word == "SAME_UPPER":
        return "same"
    pads = attributes.get("pads", [0] * (2 * axes))
    return tuple(zip(pads[:axes], pads[axes:], strict=True))


@node("Conv")
def conv(attributes: dict[str, Any], x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Any:
    axes = weight.dim() - 2
    layer = (convolutions.WITHOUT_BIAS if bias is None else convolutions.CONVOLUTIONS)[axes - 1](
        weight.shape[0],
        tuple(weight.shape[2:]),
        stride=attributes.get("strides", [1] * axes),
        padding=padding(attributes, axes),
        dilation=attributes.get("dilations", [1] * axes),
        groups=attributes.get("group", 1),
    )
    return over_space(layer, x, axes, weight.movedim((0, 1), (-1, -2)), *(() if bias is None else (bias,)))


@node("ConvTranspose")
def conv_transpose(attributes: dict[str, Any], x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Any:
    axes, groups = weight.dim() - 2, attributes.get("group", 1)
    unless("output_shape" in attributes, "the shape of a transposed convolution's output")
    layer = (convolutions.TRANSPOSED_WITHOUT_BIAS if bias is None else convolutions.TRANSPOSED)[axes - 1](
        weight.shape[1] * groups,
        tuple(weight.shape[2:]),
        stride=attributes.get("strides", [1] * axes),
        padding=padding(attributes, axes),
        dilation=attributes.get("dilations", [1] * axes),
        output_padding=attributes.get("output_padding", [0] * axes),
        groups=groups,
    )
    return over_space(layer, x, axes, weight.movedim((0, 1), (-1, -2)), *(() if bias is None else (bias,)))


def window(attributes: dict[str, Any], x: Tensor) -> tuple[int, dict[str, Any]]:
    """Return how many axes a window has, and its settings."""
    unless(not x.is_floating_point(), "integers")
    axes = len(attributes["kernel_shape"])
    return axes, {
        "kernel": tuple(attributes["kernel_shape"]),
        "stride": tuple(attributes.get("strides", [1] * axes)),
        "padding": padding(attributes, axes),
        "ceil_mode": bool(attributes.get("ceil_mode", 0)),
        "dilation": tuple(attributes.get("dilations", [1] * axes)),
    }


@node("MaxPool")
def max_pool(attributes: dict[str, Any], x: Tensor) -> Any:
    """ONNX counts the places of the maxima over examples and channels too."""
    axes, settings = window(attributes, x)
    layer = fn.max_pool_with_indices(**settings)
    unless(bool(attributes.get("storage_order", 0)), "indices in columns first")
    values, places = over_space(layer, x, axes)
    points = x[0, 0].numel()
    channel = places.new_tensor(range(x.shape[0] * x.shape[1])).reshape(*x.shape[:2], *[1] * axes)
    return values, places + points * channel


@node("AveragePool")
def average_pool(attributes: dict[str, Any], x: Tensor) -> Any:
    axes, settings = window(attributes, x)
    layer = pooling.AVERAGES[axes - 1](**settings, count_include_pad=bool(attributes.get("count_include_pad", 0)))
    return over_space(layer, x, axes)


@node("LpPool")
def power_pool(attributes: dict[str, Any], x: Tensor) -> Any:
    axes, settings = window(attributes, x)
    return over_space(pooling.POWERS[axes - 1](float(attributes.get("p", 2)), **settings), x, axes)


@node("GlobalAveragePool")
def global_average_pool(attributes: dict[str, Any], x: Tensor) -> Any:
    return run(fn.global_avg_pool(), x.movedim(1, -1)).reshape(*x.shape[:2], *[1] * (x.dim() - 2))


@node("GlobalMaxPool")
def global_max_pool(attributes: dict[str, Any], x: Tensor) -> Any:
    return run(fn.global_max_pool(), x.movedim(1, -1)).reshape(*x.shape[:2], *[1] * (x.dim() - 2))


@node("MaxUnpool")
def max_unpool(attributes: dict[str, Any], x: Tensor, places: Tensor, shape: Tensor | None = None) -> Any:
    unless(shape is not None, "places that count in another shape than the output's")
    return UNPOOLING[x.dim() - 3](x, places, attributes["kernel_shape"], attributes.get("strides"))


@node("Col2Im")
def col2im(attributes: dict[str, Any], x: Tensor, space: Tensor, kernel: Tensor) -> Any:
    """Fold windows: ONNX orders their features (c, *kernel), and the windows come last."""
    axes = len(space)
    window_of = tuple(kernel.tolist())
    settings: Any = {
        "stride": tuple(attributes.get("strides", [1] * axes)),
        "padding": padding(attributes, axes),
        "dilation": tuple(attributes.get("dilations", [1] * axes)),
    }
    counts = fn.unfold(window_of, **settings).init(fn.Key(0), (*space.tolist(), 1)).out_shape[:-1]
    windows = x.unflatten(1, (-1, int(kernel.prod()))).permute(0, 3, 2, 1).flatten(2).unflatten(1, counts)
    return run(fn.fold(tuple(space.tolist()), window_of, **settings), windows).movedim(-1, 1)


@node("Pad")
def pad(attributes: dict[str, Any], x: Tensor, pads: Tensor, value: Tensor | None = None, axes: Tensor | None = None) -> Any:
    unless(not x.is_floating_point(), "integers")
    which = list(range(x.dim())) if axes is None else [int(axis) % x.dim() for axis in axes.tolist()]
    ends = [[0, 0] for _ in range(x.dim())]
    for place, axis in enumerate(which):
        ends[axis] = [int(pads[place]), int(pads[place + len(which)])]
    mode = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}[
        attributes.get("mode", "constant")
    ]
    return shapes.pad(x, [end for pair in ends[::-1] for end in pair], mode, None if value is None else float(value))


@node("DepthToSpace")
def depth_to_space(attributes: dict[str, Any], x: Tensor) -> Any:
    """Of the two orders of channels one is this library's, the other one torch's."""
    size = attributes["blocksize"]
    if attributes.get("mode", "DCR") == "DCR":
        return over_space(fn.pixel_shuffle(size), x, 2)
    return shapes.pixel_shuffle(x, size)


@node("SpaceToDepth")
def space_to_depth(attributes: dict[str, Any], x: Tensor) -> Any:
    size = attributes["blocksize"]
    if attributes.get("mode", "DCR") == "DCR":
        return over_space(fn.pixel_unshuffle(size), x, 2)
    return shapes.pixel_unshuffle(x, size)
