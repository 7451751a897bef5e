"""Convolutions, transposed ones, and windows as features."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

import funcnn as fn
from tests.coverage.bridge import run
from tests.coverage.operators.layout import over_space, per_axis
from tests.coverage.translated import translates

CONVOLUTIONS = (fn.conv1d, fn.conv2d, fn.conv3d)
WITHOUT_BIAS = (fn.conv1d_without_bias, fn.conv2d_without_bias, fn.conv3d_without_bias)
TRANSPOSED = (fn.conv_transpose1d, fn.conv_transpose2d, fn.conv_transpose3d)
TRANSPOSED_WITHOUT_BIAS = (
    fn.conv_transpose1d_without_bias,
    fn.conv_transpose2d_without_bias,
    fn.conv_transpose3d_without_bias,
)


@translates(F.conv1d, F.conv2d, F.conv3d, torch.conv1d, torch.conv2d, torch.conv3d)
def conv(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Any:
    """Convolve: torch's kernels are (O, I / groups, *kernel)."""
    axes = weight.dim() - 2
    layer = (CONVOLUTIONS if bias is not None else WITHOUT_BIAS)[axes - 1](
        weight.shape[0],
        tuple(weight.shape[2:]),
        stride=per_axis(stride, axes),
        padding=padding if isinstance(padding, str) else per_axis(padding, axes),
        dilation=per_axis(dilation, axes),
        groups=groups,
    )
    return over_space(layer, input, axes, weight.movedim((0, 1), (-1, -2)), *(() if bias is None else (bias,)))


@translates(
    F.conv_transpose1d,
    F.conv_transpose2d,
    F.conv_transpose3d,
    torch.conv_transpose1d,
    torch.conv_transpose2d,
    torch.conv_transpose3d,
)
def conv_transpose(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Any:
    """Convolve transposed: torch's kernels are (I, O / groups, *kernel)."""
    axes = weight.dim() - 2
    layer = (TRANSPOSED if bias is not None else TRANSPOSED_WITHOUT_BIAS)[axes - 1](
        weight.shape[1] * groups,
        tuple(weight.shape[2:]),
        stride=per_axis(stride, axes),
        padding=per_axis(padding, axes),
        output_padding=per_axis(output_padding, axes),
        groups=groups,
        dilation=per_axis(dilation, axes),
    )
    return over_space(layer, input, axes, weight.movedim((0, 1), (-1, -2)), *(() if bias is None else (bias,)))


@translates(F.unfold)
def unfold(input: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """Give windows as features: torch orders them (c, *kernel), and the windows come last."""
    batch = input if input.dim() == 4 else input[None]
    layer = fn.unfold(
        per_axis(kernel_size, 2), stride=per_axis(stride, 2), padding=per_axis(padding, 2), dilation=per_axis(dilation, 2)
    )
    windows = run(layer, batch.movedim(1, -1))
    made = windows.flatten(1, 2).unflatten(2, (-1, batch.shape[1])).permute(0, 3, 2, 1).flatten(1, 2)
    return made if input.dim() == 4 else made[0]
