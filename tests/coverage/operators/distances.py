"""Lengths, angles and distances."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

import funcnn as fn
from tests.coverage.bridge import run, unless
from tests.coverage.operators.layout import alone
from tests.coverage.translated import translates


@translates(F.normalize)
def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12, out: Any = None) -> Any:
    unless(p != 2, "lengths other than Euclid's")
    return alone(fn.unit_norm(dim + 1 if dim >= 0 else dim, eps=eps), input)


@translates(F.cosine_similarity, torch.cosine_similarity)
def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Any:
    """Torch repeats the two to one shape, and takes the axis of the longer shape."""
    first, second = torch.broadcast_tensors(x1, x2)
    if not first.dim():
        first, second, dim = first[None], second[None], 0
    pair = tuple(part.movedim(dim, -1)[None] for part in (first, second))
    return run(fn.cosine_similarity(eps=eps), pair)[0, ..., 0]


@translates(F.pairwise_distance, torch.pairwise_distance)
def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Any:
    """Torch adds eps to the differences: here it is taken from what is subtracted."""
    unless(p < 1, "distances of a power below 1")
    made = run(fn.pairwise_distance(float(p)), (x1[None], (x2 - eps)[None]))[0]
    return made if keepdim else made[..., 0]


@translates(F.pdist, torch.pdist)
def pdist(input: Tensor, p: float = 2.0) -> Any:
    """Each row beside each later one."""
    unless(p < 1, "distances of a power below 1")
    unless(p == math.inf, "the largest difference as a distance")
    unless(not input.numel() or len(input) < 2, "axes without entries")
    first, second = torch.triu_indices(len(input), len(input), 1)
    return run(fn.pairwise_distance(float(p)), (input[first], input[second]))[..., 0]


@translates(F.channel_shuffle, torch.channel_shuffle)
def channel_shuffle(input: Tensor, groups: int) -> Any:
    return run(fn.channel_shuffle(groups), input.movedim(1, -1)).movedim(-1, 1)
