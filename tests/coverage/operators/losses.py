"""Losses of regression and similarity; those of classes stand beside."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

import funcnn as fn
from tests.coverage.bridge import loss, unless
from tests.coverage.translated import translates


def reduced(reduction: str, size_average: Any = None, reduce: Any = None) -> str:
    """Return the reduction, also where it is given in the words of old."""
    if size_average is None and reduce is None:
        return reduction
    return "none" if reduce is False else "sum" if size_average is False else "mean"


def of_entries(kind: Any, input: Any, target: Tensor, reduction: str, weight: Tensor | None = None) -> Any:
    """Return a loss of single entries, of predictions and a target that torch repeats to one shape."""
    inputs = input if isinstance(input, tuple) else (input,)
    *parts, wanted = torch.broadcast_tensors(*inputs, target)
    weights = None if weight is None else weight.expand(wanted.shape)[None]
    made = loss(
        kind,
        tuple(part[None] for part in parts) if isinstance(input, tuple) else parts[0][None],
        wanted[None],
        reduction,
        weights,
    )
    return made[0] if reduction == "none" else made


def plain(kind: Any, function: Any) -> None:
    """Register a loss of single entries without options."""

    @translates(function, constants=("target",))
    def translator(
        input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None, reduction: str = "mean", weight: Any = None
    ) -> Any:
        return of_entries(kind, input, target, reduced(reduction, size_average, reduce), weight)


plain(fn.mean_squared_error, F.mse_loss)
plain(fn.mean_absolute_error, F.l1_loss)


@translates(F.smooth_l1_loss, constants=("target",))
def smooth_l1(
    input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None, reduction: str = "mean", beta: float = 1.0
) -> Any:
    kind = partial(fn.smooth_l1, beta) if beta else fn.mean_absolute_error
    return of_entries(kind, input, target, reduced(reduction, size_average, reduce))


@translates(F.huber_loss, constants=("target",))
def huber(input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0, weight: Tensor | None = None) -> Any:
    return of_entries(partial(fn.huber, delta), input, target, reduction, weight)


@translates(F.poisson_nll_loss, constants=("target",))
def poisson(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: Any = None,
    eps: float = 1e-8,
    reduce: Any = None,
    reduction: str = "mean",
) -> Any:
    """Torch adds eps to the rate within the logarithm: here it is added to the rate, and taken from the loss."""
    unless(bool((target < 0).any()), "counts below 0")
    kind, word = partial(fn.poisson_nll, log_rate=log_input, full=full), reduced(reduction, size_average, reduce)
    if log_input or eps == 0:
        return of_entries(kind, input, target, word)
    unless(bool((input + eps <= 0).any()), "rates below 0")
    entries = torch.broadcast_shapes(input.shape, target.shape).numel() if word == "sum" else 1
    return of_entries(kind, input + eps, target, word) - entries * eps


@translates(F.hinge_embedding_loss, constants=("target",))
def hinge_embedding(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Any:
    unless(margin <= 0, "a margin that is not positive")
    unless(bool((target.abs() != 1).any()), "targets of neither 1 nor -1")
    return of_entries(partial(fn.hinge_embedding, float(margin)), input, target, reduced(reduction, size_average, reduce))


@translates(F.gaussian_nll_loss, constants=("target",))
def gaussian(input: Tensor, target: Tensor, var: Any, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> Any:
    """Torch leaves the constant out unless it is told not to."""
    variance = torch.as_tensor(var, dtype=input.dtype)
    if variance.dim() and variance.shape == input.shape[:-1] != input.shape:
        variance = variance[..., None]
    unless(bool((variance < eps).any()), "variances that are set to a least one")
    made = of_entries(partial(fn.gaussian_nll, log_variance=False), (input, variance), target, reduction)
    if full:
        return made
    entries = torch.broadcast_shapes(input.shape, target.shape, variance.shape).numel() if reduction == "sum" else 1
    return made - entries * math.log(2 * math.pi) / 2


@translates(F.kl_div, constants=("target",))
def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Any:
    unless(log_target, "targets of log-probabilities")
    rows = target.sum(-1) if target.dim() else target
    unless(not bool((target >= 0).all() and ((rows - 1).abs() <= 1e-8).all()), "targets that are no probabilities")
    unless(reduced(reduction, size_average, reduce) == "none", "divergences of single entries")
    made = loss(fn.kl_divergence, *(part.reshape(-1, *part.shape[-1:] or (1,)) for part in (input, target)), "sum")
    return made / {"sum": 1, "mean": target.numel(), "batchmean": len(target)}[reduced(reduction, size_average, reduce)]


@translates(F.margin_ranking_loss, constants=("target",))
def margin_ranking(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Any:
    signs(target)
    unless(margin < 0, "a negative margin")
    kind = partial(fn.margin_ranking, float(margin))
    return of_entries(kind, (input1, input2), target, reduced(reduction, size_average, reduce))


def signs(target: Tensor) -> None:
    """Raise unless all targets are 1 or -1."""
    unless(bool((target.abs() != 1).any()), "targets other than 1 and -1")


@translates(F.cosine_embedding_loss, constants=("target",))
def cosine_embedding(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Any:
    signs(target)
    pair = (input1, input2) if target.dim() else (input1[None], input2[None])
    labels = (target if target.dim() else target[None]).double()
    made = loss(partial(fn.cosine_embedding, float(margin)), pair, labels, word := reduced(reduction, size_average, reduce))
    return made[0] if word == "none" and not target.dim() else made


@translates(F.triplet_margin_loss)
def triplet_margin(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Any:
    """Torch adds eps to the differences: here it is taken from the vectors that are subtracted."""
    unless(swap, "triplets with the distance swap")
    unless(p != 2, "distances other than Euclid's")
    vectors = torch.broadcast_tensors(anchor, positive - eps, negative - eps)
    word = reduced(reduction, size_average, reduce)
    one = anchor.dim() == 1
    made = loss(partial(fn.triplet_margin, float(margin)), tuple(v[None] if one else v for v in vectors), (), word)
    return made[0] if word == "none" and one else made
