"""Padding, shuffling, and resizing."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

import funcnn as fn
from tests.coverage.bridge import run, unless
from tests.coverage.operators.layout import over_space, per_axis
from tests.coverage.translated import translates


@translates(F.pad, torch._C._nn.pad)
def pad(input: Tensor, pad: Any, mode: str = "constant", value: float | None = None) -> Any:
    """Pad the last axes, of which torch names the last one first; a negative number cuts off."""
    pairs = [(pad[k], pad[k + 1]) for k in range(0, len(pad), 2)]
    pairs = [(0, 0)] * (input.dim() - len(pairs)) + pairs[::-1]
    cut = [(max(-low, 0), max(-high, 0)) for low, high in pairs]
    added = [(max(low, 0), max(high, 0)) for low, high in pairs]
    gone = any(sum(ends) >= length for ends, length in zip(cut, input.shape, strict=True))
    unless(gone and 0 not in input.shape, "an axis that is cut off whole before it is padded")
    x = input[None, ..., None]
    if any(map(any, cut)):
        x = run(fn.crop(cut), x)
    words: Any = mode
    return run(fn.pad(added, mode=words, value=value or 0.0), x)[0, ..., 0]


@translates(F.pixel_shuffle, torch.pixel_shuffle)
def pixel_shuffle(input: Tensor, upscale_factor: int) -> Any:
    """Turn channels into pixels: torch orders them (c, *block), this library (*block, c)."""
    channels = input.unflatten(-3, (-1, upscale_factor**2)).transpose(-4, -3).flatten(-4, -3)
    made = over_space(fn.pixel_shuffle(upscale_factor), as_batch(channels), 2)
    return made.reshape(*input.shape[:-3], *made.shape[1:])


@translates(F.pixel_unshuffle, torch.pixel_unshuffle)
def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Any:
    """Turn pixels into channels."""
    made = over_space(fn.pixel_unshuffle(downscale_factor), as_batch(input), 2)
    channels = made.unflatten(1, (downscale_factor**2, -1)).transpose(1, 2).flatten(1, 2)
    return channels.reshape(*input.shape[:-3], *channels.shape[1:])


def as_batch(input: Tensor) -> Tensor:
    """Return images with one batch axis, whatever stands before them."""
    unless(0 in input.shape[-3:], "axes without entries")
    return input.reshape(math.prod(input.shape[:-3]), *input.shape[-3:])


@translates(Tensor.add, Tensor.__add__)
def add(input: Tensor, other: Tensor) -> Any:
    """Add: the residual connections of blocks."""
    return run(fn.add_inputs(), (input[None], other[None]))[0]


MODES = {"nearest-exact": "nearest_exact", "bilinear": "linear", "trilinear": "linear", "bicubic": "cubic"}


@translates(F.interpolate)
def interpolate(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Any:
    """Resize the spatial axes."""
    axes = input.dim() - 2
    settings: Any = {"mode": MODES.get(mode, mode)}
    if settings["mode"] in ("linear", "cubic"):
        settings |= {"align_corners": bool(align_corners), "antialias": antialias}
    if size is None and recompute_scale_factor:
        size = [int(length * factor) for length, factor in zip(input.shape[2:], per_axis(scale_factor, axes), strict=True)]
    if size is not None:
        return over_space(fn.resize(tuple(map(int, per_axis(size, axes))), **settings), input, axes)
    return over_space(fn.resize_by(tuple(map(float, per_axis(scale_factor, axes))), **settings), input, axes)


@translates(F.grid_sample)
def grid_sample(
    input: Tensor, grid: Tensor, mode: str = "bilinear", padding_mode: str = "zeros", align_corners: bool | None = None
) -> Any:
    """Sample at the places of a grid."""
    unless(mode == "bicubic", "cubic sampling")
    kind: Any = {"bilinear": "linear", "nearest": "nearest"}[mode]
    padding: Any = {"reflection": "reflect"}.get(padding_mode, padding_mode)
    layer = fn.grid_sample(mode=kind, padding=padding, align_corners=bool(align_corners))
    return run(layer, (input.movedim(1, -1), grid)).movedim(-1, 1)
