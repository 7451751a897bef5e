"""Layers that move entries, and those that take sums of neighbours along the axes of space."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from attrs import evolve

from funcnn.deploy.onnx.graph import Graph, Tensor, Translation
from funcnn.deploy.onnx.operators import along, cuts, gather, matmul, pad, regroup, reshape, swap, transpose
from funcnn.kernels.resampling import resample, taps
from funcnn.kernels.spatial import sizes_of, widths_of
from funcnn.layers.shape import (
    affine_grid,
    channel_shuffle,
    crop,
    grid_sample,
    identity,
    pixel_shuffle,
    resize,
    slice_axis,
    squeeze,
    upsample,
)
from funcnn.layers.shape import pad as padding
from funcnn.layers.shape import reshape as reshaping
from funcnn.layers.shape import transpose as transposing

# Any: the parameters and states of layers of all types.


def reshaped(g: Graph, shape: Any, params: Any, state: Any, x: Tensor) -> Tensor:
    return reshape(g, x, reshaping.resolve(shape, x.shape))


def transposed(g: Graph, axes: Any, params: Any, state: Any, x: Tensor) -> Tensor:
    return transpose(g, x, transposing.with_batch(axes))


def same(g: Graph, params: Any, state: Any, x: Tensor) -> Tensor:
    return x


def squeezed(g: Graph, change: Any, params: Any, state: Any, x: Tensor) -> Tensor:
    return reshape(g, x, change((1, *x.shape))[1:])


def part_of_axis(g: Graph, part: Any, axis: int, params: Any, state: Any, x: Tensor) -> Tensor:
    at = squeeze.place(axis, x.ndim)
    places = range(*slice(*part).indices(x.shape[at - 1]))
    return gather(g, x, g.integers(*places), at)


def shuffled_channels(g: Graph, groups: int, params: Any, state: Any, x: Tensor) -> Tensor:
    size = x.shape[-1] // groups
    pairs = reshape(g, x, (*x.shape[:-1], groups, size))
    return regroup(g, swap(g, pairs, pairs.ndim - 1, pairs.ndim - 2), x.shape)


def cropped(g: Graph, cropping: Any, params: Any, state: Any, x: Tensor) -> Tensor:
    pads = widths_of(cropping, len(x.shape) - 1)
    places = [range(low, n - high) for n, (low, high) in zip(x.shape[:-1], pads, strict=True)]
    return cuts(g, x, places)


def padded(g: Graph, widths: Any, kind: Any, value: float, params: Any, state: Any, x: Tensor) -> Tensor:
    pads = widths_of(widths, len(x.shape) - 1)
    if kind == "constant":
        return pad(g, x, pads, value)
    y = x
    for axis, (length, (low, high)) in enumerate(zip(x.shape[:-1], pads, strict=True), 1):
        if low or high:
            y = gather(g, y, g.integers(*padding.sources(kind, length, low, high).tolist()), axis)
    return y


def fine(g: Graph, factor: Any, params: Any, state: Any, x: Tensor) -> Tensor:
    shape = pixel_shuffle.fine_shape(factor, x.shape)
    ndim = len(shape) - 1
    blocks = reshape(g, x, (*x.shape[:-1], *sizes_of(factor, ndim), shape[-1]))
    pairs = [axis for q in range(1, 1 + ndim) for axis in (q, q + ndim)]
    return regroup(g, transpose(g, blocks, (0, *pairs, 2 * ndim + 1)), shape)


def coarse(g: Graph, factor: Any, params: Any, state: Any, x: Tensor) -> Tensor:
    shape = pixel_shuffle.coarse_shape(factor, x.shape)
    ndim = len(shape) - 1
    pairs = [length for pair in zip(shape[:-1], sizes_of(factor, ndim), strict=True) for length in pair]
    blocks = reshape(g, x, (*pairs, x.shape[-1]))
    order = (0, *[2 * q - 1 for q in range(1, 1 + ndim)], *[2 * q for q in range(1, 1 + ndim)], 2 * ndim + 1)
    return regroup(g, transpose(g, blocks, order), shape)


def repeated(g: Graph, factor: Any, params: Any, state: Any, x: Tensor) -> Tensor:
    factors = sizes_of(factor, len(x.shape) - 1)
    scales = g.constant(np.asarray((1, 1, *factors), np.float32), "scales")
    shape = (*[n * f for n, f in zip(x.shape[:-1], factors, strict=True)], x.shape[-1])
    made = g.node(
        "Resize",
        [g.channels_first(x), None, scales],
        shape,
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
    return evolve(made, channels_first=True)


def interpolated(g: Graph, factor: Any, align_corners: bool, params: Any, state: Any, x: Tensor) -> Tensor:
    y = x
    for axis, (f, length) in enumerate(zip(sizes_of(factor, len(x.shape) - 1), x.shape[:-1], strict=True), 1):
        y = along(g, upsample.linear_matrix(length, f, align_corners, np.dtype(x.dtype)), y, axis)
    return y


def resampled(g: Graph, how: resize.Resizing, params: Any, state: Any, x: Tensor) -> Tensor:
    """Write a product with the matrix of each axis: what resampling makes of the identity."""
    y = x
    for axis, one in enumerate(how.axes(x.shape[:-1]), 1):
        y = along(g, resample(np.eye(one.length, dtype=x.dtype), taps(one)[0], 0), y, axis)
    return y


def grid(g: Graph, space: Any, align_corners: bool, params: Any, state: Any, x: Tensor) -> Tensor:
    places = g.constant(affine_grid.regular(space, align_corners), "places", x.dtype)
    return regroup(g, matmul(g, places, swap(g, x, 1, 2)), (*space, len(space)))


def sampled(g: Graph, how: grid_sample.Sampling, params: Any, state: Any, x: tuple[Tensor, Tensor]) -> Tensor:
    image, where = x
    if len(image.shape) != 3:
        raise g.refuse(f"operator set 18 samples images, of two axes of space, and this one has {len(image.shape) - 1}")
    points = int(np.prod(where.shape[:-1]))
    made = g.node(
        "GridSample",
        [g.channels_first(image), reshape(g, where, (points, 1, 2))],
        (points, 1, image.shape[-1]),
        mode={"linear": "bilinear", "nearest": "nearest"}[how.mode],
        padding_mode={"zeros": "zeros", "border": "border", "reflect": "reflection"}[how.padding],
        align_corners=int(how.align_corners),
    )
    return reshape(g, evolve(made, channels_first=True), (*where.shape[:-1], image.shape[-1]))


TRANSLATIONS: dict[Callable[..., Any], Translation] = {
    reshaping.forward: reshaped,
    transposing.forward: transposed,
    identity.forward: same,
    squeeze.forward: squeezed,
    slice_axis.forward: part_of_axis,
    channel_shuffle.forward: shuffled_channels,
    crop.forward: cropped,
    padding.forward: padded,
    pixel_shuffle.shuffle_forward: fine,
    pixel_shuffle.unshuffle_forward: coarse,
    upsample.nearest_forward: repeated,
    upsample.linear_forward: interpolated,
    resize.forward: resampled,
    affine_grid.forward: grid,
    grid_sample.forward: sampled,
}
