"""Pooling and unpooling."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

import funcnn as fn
from funcnn.layers.pooling import fractional_max_pooling
from funcnn.layers.pooling.fractional_max_pooling import FractionalWindows
from funcnn.layers.pooling.max_unpooling import PooledResiduals, pool_backward
from tests.coverage.bridge import run, unless
from tests.coverage.operators.layout import over_space, per_axis
from tests.coverage.translated import translates

AVERAGES = (fn.avg_pool1d, fn.avg_pool2d, fn.avg_pool3d)
POWERS = (fn.lp_pool1d, fn.lp_pool2d, fn.lp_pool3d)


def maximum(axes: int, *functions: Any, indices: bool | None = None) -> None:
    """Register max pooling of so many spatial axes."""
    plain = (fn.max_pool1d, fn.max_pool2d, fn.max_pool3d)[axes - 1]

    @translates(*functions)
    def translator(
        input: Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:
        kernel = per_axis(kernel_size, axes)
        settings: Any = {
            "stride": per_axis(stride, axes) if stride not in (None, [], ()) else None,
            "padding": per_axis(padding, axes),
            "dilation": per_axis(dilation, axes),
            "ceil_mode": ceil_mode,
        }
        if return_indices if indices is None else indices:
            return over_space(fn.max_pool_with_indices(kernel, **settings), input, axes)
        return over_space(plain(kernel, **settings), input, axes)


maximum(1, F.max_pool1d, torch.max_pool1d)
maximum(2, F.max_pool2d, torch.max_pool2d)
maximum(3, F.max_pool3d, torch.max_pool3d)
maximum(1, F.max_pool1d_with_indices, indices=True)
maximum(2, F.max_pool2d_with_indices, indices=True)
maximum(3, F.max_pool3d_with_indices, indices=True)


def unpooling(axes: int, function: Any) -> None:
    """Register max unpooling of so many spatial axes."""

    @translates(function)
    def translator(
        input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None
    ) -> Any:
        kernel, cut = per_axis(kernel_size, axes), per_axis(padding, axes)
        step = per_axis(stride, axes) if stride not in (None, [], ()) else kernel
        space = (
            tuple(output_size[-axes:])
            if output_size is not None
            else tuple(
                (length - 1) * s - 2 * p + k for length, s, p, k in zip(input.shape[-axes:], step, cut, kernel, strict=True)
            )
        )
        one = input.dim() == axes + 1
        values, where = (tensor[None] if one else tensor for tensor in (input, indices))
        unless(repeats(where), "places that come several times, of which torch keeps the last")
        made = run(fn.max_unpool(space), (values.movedim(1, -1), where.movedim(1, -1)), pack=fn.Pooled).movedim(-1, 1)
        return made[0] if one else made


def repeats(where: Tensor) -> bool:
    """Tell whether a place comes twice in a channel."""
    flat = where.flatten(2).sort(-1).values
    return bool((flat[..., 1:] == flat[..., :-1]).any())


unpooling(1, F.max_unpool1d)
unpooling(2, F.max_unpool2d)
unpooling(3, F.max_unpool3d)


def average(axes: int, *functions: Any) -> None:
    """Register average pooling of so many spatial axes."""

    @translates(*functions)
    def translator(
        input: Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Any:
        unless(divisor_override is not None and divisor_override < 1, "a divisor below 0")
        layer = AVERAGES[axes - 1](
            per_axis(kernel_size, axes),
            stride=per_axis(stride, axes) if stride not in (None, [], ()) else None,
            padding=per_axis(padding, axes),
            ceil_mode=ceil_mode,
            count_include_pad=count_include_pad,
            divisor=divisor_override,
        )
        return over_space(layer, input, axes)


average(1, F.avg_pool1d, torch.avg_pool1d)
average(2, F.avg_pool2d, torch._C._nn.avg_pool2d)
average(3, F.avg_pool3d, torch._C._nn.avg_pool3d)


def power(axes: int, function: Any) -> None:
    """Register power pooling of so many spatial axes."""

    @translates(function)
    def translator(input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Any:
        unless(
            norm_type % 2 != 0 and bool((input < 0).any()), "odd powers of negative numbers, which here are those of magnitudes"
        )
        layer = POWERS[axes - 1](
            float(norm_type),
            per_axis(kernel_size, axes),
            stride=per_axis(stride, axes) if stride is not None else None,
            ceil_mode=ceil_mode,
        )
        return over_space(layer, input, axes)


power(1, F.lp_pool1d)
power(2, F.lp_pool2d)
power(3, F.lp_pool3d)


def fractional(axes: int, function: Any, indices: bool) -> None:
    """Register fractional max pooling: its places are given to the same function of this library that a key draws them for."""

    @translates(function)
    def translator(
        input: Tensor,
        kernel_size: Any,
        output_size: Any = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> Any:
        unless(_random_samples is None, "random: other numbers are drawn")
        unless(bool((_random_samples < 0).any() or (_random_samples >= 1).any()), "places drawn beyond 0 and 1")
        space = input.shape[-axes:]
        sizes = output_size
        if sizes is None:
            sizes = [int(length * ratio) for length, ratio in zip(space, per_axis(output_ratio, axes), strict=True)]
        windows = FractionalWindows(per_axis(kernel_size, axes), per_axis(sizes, axes))
        u = _random_samples.numpy()
        drawn = u[..., ::-1] if axes == 2 else u  # of images torch's first number is that of the width
        layer: Any = fn.define_layer(
            "fractional", partial(fractional_max_pooling.init, windows), partial(placed, windows, drawn), pool_backward
        )
        values, places = over_space(layer, input, axes)
        return (values, places) if indices or return_indices else values


def placed(windows: Any, u: Any, params: Any, state: Any, x: Any, mode: Any) -> Any:
    """Pool at places that are given."""
    y, found = fractional_max_pooling.pool_at(windows, u[: len(x)], x)  # torch takes the first of more
    return fn.Forward(fn.Pooled(y, found), state, PooledResiduals(x.shape, found))


fractional(2, F.fractional_max_pool2d, False)
fractional(3, F.fractional_max_pool3d, False)
fractional(2, F.fractional_max_pool2d_with_indices, True)
fractional(3, F.fractional_max_pool3d_with_indices, True)


def adaptive(axes: int, kind: Any, *functions: Any, indices: bool = False) -> None:
    """Register adaptive pooling of so many spatial axes."""

    @translates(*functions)
    def translator(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
        made = fn.adaptive_max_pool_with_indices if indices or return_indices else kind
        return over_space(made(per_axis(output_size, axes)), input, axes)


adaptive(1, fn.adaptive_avg_pool, F.adaptive_avg_pool1d, torch.adaptive_avg_pool1d)
adaptive(2, fn.adaptive_avg_pool, F.adaptive_avg_pool2d)
adaptive(3, fn.adaptive_avg_pool, F.adaptive_avg_pool3d)
adaptive(1, fn.adaptive_max_pool, F.adaptive_max_pool1d)
adaptive(2, fn.adaptive_max_pool, F.adaptive_max_pool2d)
adaptive(3, fn.adaptive_max_pool, F.adaptive_max_pool3d)
adaptive(1, None, F.adaptive_max_pool1d_with_indices, indices=True)
adaptive(2, None, F.adaptive_max_pool2d_with_indices, indices=True)
adaptive(3, None, F.adaptive_max_pool3d_with_indices, indices=True)
