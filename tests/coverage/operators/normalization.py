"""Normalization."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

import funcnn as fn
from tests.coverage.bridge import MANY, run, unless
from tests.coverage.operators.layout import alone
from tests.coverage.translated import translates


def given(*parameters: Tensor | None) -> tuple[Tensor, ...]:
    """Return those that are there."""
    return tuple(parameter for parameter in parameters if parameter is not None)


@translates(F.layer_norm, torch.layer_norm)
def layer_norm(
    input: Tensor,
    normalized_shape: Any,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    _: Any = None,
) -> Any:
    """Normalize each example; a shift without a scale has a scale of 1 here."""
    unless(eps <= 0, "an eps that is not positive")
    axes = len(tuple(normalized_shape))
    if weight is None and bias is not None:
        weight = torch.ones_like(bias)
    kind = fn.layer_norm_without_affine if weight is None else fn.layer_norm_without_shift if bias is None else fn.layer_norm
    return alone(kind(eps=eps, last_axes=axes), input, *given(weight, bias))


@translates(F.rms_norm, torch.rms_norm)
def rms_norm(input: Tensor, normalized_shape: Any, weight: Tensor | None = None, eps: float | None = None) -> Any:
    """Divide by the root of the mean square."""
    unless(eps is not None and eps <= 0, "an eps that is not positive")
    settings: Any = {
        "eps": float(np.finfo(np.float64).eps) if eps is None else eps,
        "last_axes": len(tuple(normalized_shape)),
    }
    return alone((fn.rms_norm_without_scale if weight is None else fn.rms_norm)(**settings), input, *given(weight))


@translates(F.group_norm, torch.group_norm)
def group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5, _: Any = None
) -> Any:
    """Normalize groups of channels of each example."""
    unless(eps <= 0, "an eps that is not positive")
    if weight is None and bias is None:
        return run(fn.group_norm_without_affine(num_groups, eps=eps), input.movedim(1, -1)).movedim(-1, 1)
    return run(fn.group_norm(num_groups, eps=eps), input.movedim(1, -1), *both(input, weight, bias)).movedim(-1, 1)


def both(input: Tensor, weight: Tensor | None, bias: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return a scale and a shift, with constants in place of the one that is not there."""
    like = input.new_zeros(input.shape[1])
    return like + 1 if weight is None else weight, like if bias is None else bias


@translates(F.instance_norm, torch.instance_norm)
def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
    _: Any = None,
) -> Any:
    """Normalize each channel of each example; by running statistics it is batch norm in evaluation."""
    if not use_input_stats:
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    if running_mean is not None and running_var is not None:
        return batch_norm(input, running_mean, running_var, weight, bias, True, momentum, eps, fn.instance_norm_with_statistics)
    if weight is None and bias is None:
        return run(fn.instance_norm_without_affine(eps=eps), input.movedim(1, -1)).movedim(-1, 1)
    return run(fn.instance_norm(eps=eps), input.movedim(1, -1), *both(input, weight, bias)).movedim(-1, 1)


@translates(F.batch_norm, torch.batch_norm)
def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
    kind: Any = None,
) -> Any:
    """Normalize each channel over the batch, and update the running statistics as torch does."""
    unless(0 in input.shape[1:] or input.dim() < 2, "axes without entries")
    x = input.movedim(1, -1)
    if running_mean is None or running_var is None:
        return run(fn.batch_norm_without_statistics(eps=eps), x, *both(input, weight, bias), train=True).movedim(-1, 1)
    state = [running_mean.detach().numpy().copy(), running_var.detach().numpy().copy(), np.array(float(MANY))]
    unless(training and momentum <= 0, "a momentum that is not positive")
    settings: Any = {"momentum": momentum if training else 0.1, "eps": eps}
    own = kind if kind is fn.instance_norm_with_statistics else fn.batch_norm  # else it is torch's flag for a faster way
    if weight is None and bias is None and own is fn.batch_norm:
        made = run(fn.batch_norm_without_affine(**settings), x, state=state, train=training)
    else:
        made = run(own(**settings), x, *both(input, weight, bias), state=state, train=training)
    with torch.no_grad():
        running_mean.copy_(torch.from_numpy(state[0].copy()))
        running_var.copy_(torch.from_numpy(state[1].copy()))
    return made.movedim(-1, 1)


@translates(F.local_response_norm)
def local_response_norm(input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Any:
    """Divide by a power of the neighbours' squares: torch divides alpha by the size."""
    unless(k <= 0, "a k that is not positive")
    layer = fn.local_response_norm(size, alpha=alpha / size, beta=beta, k=k)
    return run(layer, input.movedim(1, -1)).movedim(-1, 1)
