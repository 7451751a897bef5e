"""Losses of classes: labels, probabilities and sequences of labels."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

import funcnn as fn
from tests.coverage.bridge import loss, unless
from tests.coverage.operators.linear import linear
from tests.coverage.operators.losses import of_entries, reduced, signs
from tests.coverage.translated import translates


def rows(input: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Return predictions with the classes last, and the batch axis that torch may leave out."""
    if input.dim() == 1:
        return input[None], target[None]
    same = target.dim() == input.dim()
    return input.movedim(1, -1), target.movedim(1, -1) if same else target


def weights(weight: Tensor | None) -> tuple[float, ...] | None:
    """Return the classes' weights as numbers."""
    unless(weight is not None and bool((weight < 0).any()), "weights below 0")
    return None if weight is None else tuple(weight.tolist())


def of_labels(kind: Any, input: Tensor, target: Tensor, ignored: int, reduction: str) -> Any:
    """Return a loss of labels, some of which are to be ignored."""
    logits, labels = rows(input, target)
    unless(not labels.numel(), "an empty batch")
    unless(reduction == "mean" and bool((labels == ignored).all()), "the mean of no examples, NaN in torch")
    made = loss(partial(kind, ignore_index=ignored), logits, labels, reduction)
    return made[0] if reduction == "none" and input.dim() == 1 else made


@translates(F.cross_entropy, constants=("target",))
def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Any = None,
    ignore_index: int = -100,
    reduce: Any = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    word = reduced(reduction, size_average, reduce)
    kind = partial(fn.softmax_cross_entropy, class_weight=weights(weight), label_smoothing=label_smoothing)
    if not target.is_floating_point():
        return of_labels(kind, input, target, ignore_index, word)
    logits, wanted = rows(input, target)
    unless(bool((wanted < 0).any() or ((wanted.sum(-1) - 1).abs() > 1e-8).any()), "targets that are no probabilities")
    made = loss(kind, logits, wanted, word)
    return made[0] if word == "none" and input.dim() == 1 else made


@translates(F.nll_loss)
def nll(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Any = None,
    ignore_index: int = -100,
    reduce: Any = None,
    reduction: str = "mean",
) -> Any:
    kind = partial(fn.negative_log_likelihood, class_weight=weights(weight))
    return of_labels(kind, input, target, ignore_index, reduced(reduction, size_average, reduce))


@translates(F.linear_cross_entropy, constants=("target",))
def linear_cross_entropy(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    *,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: Any = None,
) -> Any:
    """An affine map, whose classes and places are the features, before the loss."""
    kinds = linear_weight.shape[:-1]
    bias = None if linear_bias is None else linear_bias.flatten()
    logits = linear(input, linear_weight.flatten(0, -2), bias).unflatten(-1, kinds)
    ignored = -100 if ignore_index is None else ignore_index
    return cross_entropy(logits, target, weight, None, ignored, None, reduction, label_smoothing)


@translates(F.binary_cross_entropy, constants=("target",))
def binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Any = None, size_average: Any = None, reduce: Any = None, reduction: str = "mean"
) -> Any:
    return of_entries(fn.binary_cross_entropy, input, target, reduced(reduction, size_average, reduce), weight)


@translates(F.binary_cross_entropy_with_logits, constants=("target",))
def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Any:
    unless(bool((target < 0).any() or (target > 1).any()), "targets beyond 0 and 1")
    factor: Any = 1.0
    if pos_weight is not None:
        unless(pos_weight.dim() > 1, "weights of the positive class along several axes")
        unless(bool((pos_weight <= 0).any()), "weights of the positive class that are not positive")
        factor = tuple(pos_weight.tolist()) if pos_weight.dim() else float(pos_weight)
    kind = partial(fn.sigmoid_cross_entropy, pos_weight=factor)
    return of_entries(kind, input, target, reduced(reduction, size_average, reduce), weight)


@translates(F.soft_margin_loss, constants=("target",))
def soft_margin(input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None, reduction: str = "mean") -> Any:
    """The logistic loss, with -1 for the label 0."""
    signs(target)
    return of_entries(fn.sigmoid_cross_entropy, input, (target.detach() + 1) / 2, reduced(reduction, size_average, reduce))


@translates(F.multilabel_soft_margin_loss, constants=("target",))
def multilabel_soft_margin(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Any:
    """The logistic losses of several labels, of which each row has the mean."""
    unless(bool((target < 0).any() or (target > 1).any()), "targets beyond 0 and 1")
    made = of_entries(fn.sigmoid_cross_entropy, input, target.double(), "none", weight).mean(-1)
    word = reduced(reduction, size_average, reduce)
    return made if word == "none" else made.sum() if word == "sum" else made.mean()


@translates(F.multi_margin_loss)
def multi_margin(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Any:
    unless(weight is not None, "class weights of the hinge loss")
    unless(margin <= 0, "a margin that is not positive")
    word = reduced(reduction, size_average, reduce)
    scores, labels = (input, target) if input.dim() == 2 else (input.reshape(1, -1), target.reshape(1))
    made = loss(partial(fn.multi_margin, float(margin), power=p), scores, labels, word)
    return made.reshape(target.shape) if word == "none" else made


@translates(F.multilabel_margin_loss)
def multilabel_margin(
    input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None, reduction: str = "mean"
) -> Any:
    """Torch lists the labels up to the first -1; here they are a row of zeros and ones."""
    scores, listed = (input, target) if input.dim() == 2 else (input.reshape(1, -1), target.reshape(1, -1))
    wanted = torch.zeros_like(scores)
    for row, labels in zip(wanted, listed.tolist(), strict=True):
        own = labels[: labels.index(-1)] if -1 in labels else labels
        unless(len(set(own)) < len(own), "labels that are listed twice, which torch counts twice")
        row[own] = 1
    word = reduced(reduction, size_average, reduce)
    made = loss(fn.multilabel_margin, scores, wanted, word)
    return made[0] if word == "none" and input.dim() < 2 else made


@translates(F.ctc_loss, torch.ctc_loss)
def ctc(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Any:
    """The mean of torch is one of losses divided by the labels' number."""
    inputs, lengths = (torch.as_tensor(value).reshape(-1) for value in (input_lengths, target_lengths))
    scores = log_probs[:, None] if log_probs.dim() == 2 else log_probs
    unless(bool((inputs < lengths).any()), "targets longer than their input")
    unless(bool((scores.exp().sum(-1) - 1).abs().max() > 1e-8), "log-probabilities that do not add up to 1")
    longest = max(int(lengths.max()), 1)
    if targets.dim() == 1:
        pieces = targets.split(lengths.tolist())
        labels = torch.stack([torch.cat([piece, piece.new_ones(longest - len(piece))]) for piece in pieces])
    else:
        labels = targets
    target = fn.CTCTarget(labels.numpy(), lengths.numpy(), inputs.numpy())
    made = loss(partial(fn.ctc, blank), scores.transpose(0, 1), target, "none")
    if reduction == "mean":
        return (made / lengths.clamp(min=1)).mean()
    if reduction == "sum":
        return made.sum()
    return made if log_probs.dim() == 3 else made[0]
