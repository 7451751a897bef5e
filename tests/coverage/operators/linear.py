"""Affine and bilinear maps, and embeddings."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

import funcnn as fn
from tests.coverage.bridge import run, unless
from tests.coverage.operators.layout import alone
from tests.coverage.translated import translates


@translates(F.linear, torch._C._nn.linear)
def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Any:
    """Multiply by a matrix, which torch keeps as (O, I)."""
    if weight.dim() == 1:
        shift = () if bias is None else (bias.reshape(1),)
        return alone((fn.linear if bias is None else fn.dense)(1), input, weight[:, None], *shift)[..., 0]
    shift = () if bias is None else (bias.expand(weight.shape[0]),)
    return alone((fn.linear if bias is None else fn.dense)(weight.shape[0]), input, weight.t(), *shift)


@translates(F.bilinear, torch.bilinear)
def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Any:
    """Multiply two inputs by a tensor, which torch keeps as (O, I, J); without a bias it is the constant 0."""
    shift = weight.new_zeros(len(weight)) if bias is None else bias
    return run(fn.bilinear(len(weight)), (input1[None], input2[None]), weight.movedim(0, -1), shift)[0]


@translates(F.embedding)
def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Any:
    """Look rows up."""
    unless(max_norm is not None, "a largest norm of the rows")
    unless(scale_grad_by_freq, "gradients by frequency")
    unless(sparse, "sparse gradients")
    unless(padding_idx is not None, "a row without a gradient that need not be 0")
    return alone(fn.embedding(*weight.shape), input, weight)


def filled(values: Tensor, ends: list[int], padding: int) -> Tensor:
    """Return the stretches between ends as rows, filled up to the longest."""
    bags = [values[first:last] for first, last in pairwise(ends)]
    longest = max(map(len, bags))
    return torch.stack([torch.cat([bag, bag.new_full((longest - len(bag),), padding)]) for bag in bags])


@translates(F.embedding_bag)
def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Any:
    """Reduce the rows of a bag."""
    unless(max_norm is not None, "a largest norm of the rows")
    unless(scale_grad_by_freq, "gradients by frequency")
    unless(sparse, "sparse gradients")
    reduction: Any = mode
    padding_idx = None if padding_idx is None else padding_idx % len(weight)
    if offsets is not None:  # bags of unequal size are filled up with the index of padding, or that of a row more
        ends = offsets.tolist() if include_last_offset else [*offsets.tolist(), len(input)]
        if padding_idx is None:
            padding_idx = len(weight)
            weight = torch.cat([weight, weight.new_zeros(1, weight.shape[1])])
        input = filled(input, ends, padding_idx)
        if per_sample_weights is not None:
            per_sample_weights = filled(per_sample_weights, ends, 0)
    if per_sample_weights is not None:
        layer = fn.weighted_embedding_bag(*weight.shape, padding_index=padding_idx)
        return run(layer, (input, per_sample_weights), weight)
    return run(fn.embedding_bag(*weight.shape, reduction, padding_index=padding_idx), input, weight)
