"""Cases of layers that rearrange or resample arrays with spatial axes, treat channel by channel, or add noise."""

from __future__ import annotations

from typing import Any

import numpy as np

import funcnn as fn
from funcnn.certificate.cases.case import LayerCase
from funcnn.certificate.cases.draws import normals, pooled, tied
from funcnn.typing import Array


def image_and_grid(generator: np.random.Generator, shape: Any) -> tuple[Array, ...]:
    """Draw images, and places in them and a little beyond their borders."""
    image, grid = normals(generator, shape)
    return image, 0.6 * grid


IMAGES: dict[str, tuple[LayerCase, ...]] = {
    "pad": (
        LayerCase(lambda: fn.pad(1), (2, 3, 2)),
        LayerCase(lambda: fn.pad(((1, 2), 0), value=0.7), (3, 2, 2), label="constant"),
        LayerCase(lambda: fn.pad(((2, 1), (0, 3)), mode="reflect"), (3, 4, 2), label="reflect"),
        LayerCase(lambda: fn.pad(0, mode="reflect"), (1, 2), label="nothing"),
        LayerCase(lambda: fn.pad(((0, 3), (2, 1)), mode="replicate"), (1, 3, 2), label="replicate"),
        LayerCase(lambda: fn.pad(((2, 1), (0, 3)), mode="circular"), (2, 3, 2), label="circular"),
    ),
    "crop": (
        LayerCase(lambda: fn.crop(1), (3, 4, 2)),
        LayerCase(lambda: fn.crop(((0, 2), 1)), (4, 5, 2), label="each axis"),
        LayerCase(lambda: fn.crop(0), (3, 2), label="nothing"),
    ),
    "upsample": (
        LayerCase(lambda: fn.upsample(2), (2, 3, 2)),
        LayerCase(lambda: fn.upsample((3, 1)), (2, 3, 2), label="each axis"),
        LayerCase(lambda: fn.upsample(2), (3, 2), label="one axis"),
        LayerCase(lambda: fn.upsample(2), (3, 2), label="sequence"),
        LayerCase(lambda: fn.upsample(2, mode="linear"), (3, 4, 2), label="linear"),
        LayerCase(lambda: fn.upsample((3, 2), mode="linear", align_corners=True), (3, 4, 2), label="corners"),
        LayerCase(lambda: fn.upsample(1, mode="linear", align_corners=True), (1, 3), label="one point"),
        LayerCase(lambda: fn.upsample(1, mode="linear", align_corners=True), (2, 3), label="two points"),
        LayerCase(lambda: fn.upsample(2, mode="linear"), (130, 1), batch=2, label="many points"),
        LayerCase(lambda: fn.upsample(2, mode="linear", align_corners=True), (130, 1), batch=2, label="many points, corners"),
    ),
    "channel_shuffle": (
        LayerCase(lambda: fn.channel_shuffle(2), (2, 6)),
        LayerCase(lambda: fn.channel_shuffle(3), (6,), label="features"),
        LayerCase(lambda: fn.channel_shuffle(1), (3, 2), label="nothing"),
    ),
    "resize": (
        LayerCase(lambda: fn.resize((3, 7), mode="cubic"), (5, 4, 2), label="cubic"),
        LayerCase(lambda: fn.resize((2, 6), antialias=True), (5, 3, 2), label="linear, antialias"),
        LayerCase(lambda: fn.resize(4, mode="cubic", align_corners=True), (3, 2), label="cubic, corners"),
        LayerCase(lambda: fn.resize(2, mode="area"), (5, 2), label="area"),
    ),
    "resize_by": (
        LayerCase(lambda: fn.resize_by((1.5, 0.6), mode="nearest_exact"), (3, 5, 1), label="nearest"),
        LayerCase(lambda: fn.resize_by(1.5), (5, 2), label="linear"),
    ),
    "grid_sample": (
        LayerCase(lambda: fn.grid_sample(), ((4, 3, 2), (3, 2)), inputs=image_and_grid),
        LayerCase(
            lambda: fn.grid_sample(padding="reflect", align_corners=True),
            ((3, 4, 1), (2, 2, 2)),
            inputs=image_and_grid,
            label="reflect, corners",
        ),
        LayerCase(lambda: fn.grid_sample(padding="border"), ((5, 2), (4, 1)), inputs=image_and_grid, label="border, one axis"),
        LayerCase(
            lambda: fn.grid_sample(mode="nearest", align_corners=True),
            ((5, 5, 1), (3, 2)),
            inputs=image_and_grid,
            label="nearest, corners",
        ),
    ),
    "affine_grid": (
        LayerCase(lambda: fn.affine_grid((2, 3)), (2, 3)),
        LayerCase(lambda: fn.affine_grid((2, 1, 2), align_corners=True), (3, 4), label="corners, volume"),
    ),
    "pixel_shuffle": (
        LayerCase(lambda: fn.pixel_shuffle(2), (2, 3, 8)),
        LayerCase(lambda: fn.pixel_shuffle((2, 3, 1)), (1, 2, 3, 12), label="each axis"),
        LayerCase(lambda: fn.pixel_shuffle(1), (3, 2), label="nothing"),
    ),
    "pixel_unshuffle": (
        LayerCase(lambda: fn.pixel_unshuffle(2), (4, 6, 2)),
        LayerCase(lambda: fn.pixel_unshuffle((2, 3, 1)), (2, 6, 3, 2), label="each axis"),
        LayerCase(lambda: fn.pixel_unshuffle(1), (3, 2), label="nothing"),
    ),
    "unfold": (
        LayerCase(lambda: fn.unfold((2, 3)), (3, 5, 2)),
        LayerCase(lambda: fn.unfold((3,), stride=2, padding="same", dilation=2), (6, 2), label="sequence"),
        LayerCase(lambda: fn.unfold((1, 1)), (2, 3, 2), label="points"),
        LayerCase(lambda: fn.unfold((2, 2), stride=(1, 2), padding=((0, 1), (2, 1))), (3, 4, 2), label="all"),
    ),
    "fold": (
        LayerCase(lambda: fn.fold((3, 5), (2, 3)), (2, 3, 12)),
        LayerCase(lambda: fn.fold((6,), 3, stride=2, padding="same", dilation=2), (3, 6), label="sequence"),
        LayerCase(lambda: fn.fold((2, 3), 1), (2, 3, 2), label="points"),
        LayerCase(lambda: fn.fold((3, 4), 2, stride=(1, 2), padding=((0, 1), (2, 1))), (3, 3, 8), label="all"),
    ),
    "max_pool_with_indices": (
        LayerCase(lambda: fn.max_pool_with_indices((2,)), (5, 2)),
        LayerCase(
            lambda: fn.max_pool_with_indices((2, 3), stride=(1, 2), padding=((0, 1), (1, 0))), (4, 5, 2), label="overlapping"
        ),
        LayerCase(lambda: fn.max_pool_with_indices((3, 3), stride=2, ceil_mode=True), (6, 4, 2), label="ceil"),
        LayerCase(lambda: fn.max_pool_with_indices((2, 2), stride=1, dilation=2, padding=1), (4, 5, 2), label="dilated"),
        LayerCase(lambda: fn.max_pool_with_indices((2, 2)), (4, 4, 1), inputs=tied, smooth=False, label="ties"),
    ),
    "max_unpool": (
        LayerCase(lambda: fn.max_unpool((4, 5)), (2, 3, 2), inputs=pooled(20)),
        LayerCase(lambda: fn.max_unpool((3,)), (4, 2), inputs=pooled(3), label="several numbers at one point"),
    ),
    "on_values": (LayerCase(lambda: fn.on_values(fn.conv1d(2, 3, padding="same")), (4, 2), inputs=pooled(8)),),
    "adaptive_avg_pool": (
        LayerCase(lambda: fn.adaptive_avg_pool(2), (5, 4, 2)),
        LayerCase(lambda: fn.adaptive_avg_pool((3, 1)), (5, 4, 2), label="each axis"),
        LayerCase(lambda: fn.adaptive_avg_pool(4), (3, 2), label="more cells than points"),
        LayerCase(lambda: fn.adaptive_avg_pool(3), (130, 1), batch=2, label="many points"),
    ),
    "fractional_max_pool": (
        LayerCase(lambda: fn.fractional_max_pool(2, (3, 2)), (5, 4, 2)),
        LayerCase(lambda: fn.fractional_max_pool(2, 3), (5, 2), inputs=tied, smooth=False, label="ties"),
    ),
    "fractional_max_pool_with_indices": (LayerCase(lambda: fn.fractional_max_pool_with_indices(2, 3), (6, 2)),),
    "adaptive_max_pool_with_indices": (
        LayerCase(lambda: fn.adaptive_max_pool_with_indices((2, None)), (5, 3, 2)),
        LayerCase(lambda: fn.adaptive_max_pool_with_indices(2), (5, 2), inputs=tied, smooth=False, label="ties"),
    ),
    "adaptive_max_pool": (
        LayerCase(lambda: fn.adaptive_max_pool(2), (5, 4, 2)),
        LayerCase(lambda: fn.adaptive_max_pool((3, 1)), (5, 4, 2), label="each axis"),
        LayerCase(lambda: fn.adaptive_max_pool((None, 2)), (3, 5, 2), label="an axis as it is"),
        LayerCase(lambda: fn.adaptive_max_pool(4), (3, 2), label="more cells than points"),
        LayerCase(lambda: fn.adaptive_max_pool(2), (5, 3, 2), inputs=tied, smooth=False, label="ties"),
    ),
    "depthwise_conv1d": (
        LayerCase(lambda: fn.depthwise_conv1d(3), (6, 2)),
        LayerCase(lambda: fn.depthwise_conv1d(2, multiplier=3, dilation=2, padding=((2, 0),)), (5, 2), label="causal"),
    ),
    "depthwise_conv2d": (
        LayerCase(lambda: fn.depthwise_conv2d((2, 3), padding=1), (3, 4, 3)),
        LayerCase(lambda: fn.depthwise_conv2d(3, multiplier=2, stride=2, padding="same"), (5, 4, 2), label="same"),
    ),
    "separable_conv1d": (
        LayerCase(lambda: fn.separable_conv1d(3, 2), (4, 2)),
        LayerCase(lambda: fn.separable_conv1d(3, 2, multiplier=2, stride=2, padding=1, dilation=2), (5, 2), label="all"),
    ),
    "separable_conv2d": (
        LayerCase(lambda: fn.separable_conv2d(3, (2, 1)), (3, 2, 2)),
        LayerCase(lambda: fn.separable_conv2d(1, 2, multiplier=2, stride=2, padding="same", dilation=2), (4, 3, 2), label="all"),
    ),
    "transpose": (
        LayerCase(lambda: fn.transpose((1, 2, 0)), (2, 3, 4)),
        LayerCase(lambda: fn.transpose((3, 0, 2, 1)), (2, 3, 2, 2), batch=2, label="four axes"),
    ),
    "stochastic_depth": (
        LayerCase(lambda: fn.stochastic_depth(0.4), (2, 3), batch=5),
        LayerCase(lambda: fn.stochastic_depth(0.0), (3,), label="none"),
    ),
    "spatial_dropout": (
        LayerCase(lambda: fn.spatial_dropout(0.4), (2, 3, 4)),
        LayerCase(lambda: fn.spatial_dropout(0.0), (3, 2), label="none"),
    ),
    "alpha_dropout": (
        LayerCase(lambda: fn.alpha_dropout(0.3), (7,)),
        LayerCase(lambda: fn.alpha_dropout(0.0), (2, 3), label="none"),
    ),
    "gaussian_noise": (LayerCase(lambda: fn.gaussian_noise(0.5), (2, 3)),),
}
