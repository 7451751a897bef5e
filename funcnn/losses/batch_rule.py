r"""Losses of a whole batch: its rows are compared with each other, and none has a loss of its own.

A file of such a loss gives ``value(prediction, target, weight, mean)``, one number for rows that all count, with what its
gradient needs, and ``pullback``, that gradient.  Rows of weight 0 are taken out before anything is computed, as for the losses of
single examples (:mod:`funcnn.losses.reduction`); those that remain have a weight $w_n > 0$, which says how many rows a row is,
beside the others as well as in the mean.

Single precision is computed in double: sums over pairs of rows cancel where these are nearly alike, and their cost is that of a
matrix of the batch, not of the network.  What is not finite is computed once more in the next wider precision.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, Generic, TypeVar

import numpy as np
from attrs import field, frozen

from funcnn import tree
from funcnn.layer import comparable
from funcnn.losses.checks import check_finite
from funcnn.losses.limits import narrowed, widened
from funcnn.losses.loss import Loss, LossForward, Reduction, check_reduction, define_loss
from funcnn.losses.reduction import batch_mass, check_weight, positive_sum, scatter, select
from funcnn.losses.weighted import Weighted
from funcnn.typing import Array, BoolArray, Scalar

Y = TypeVar("Y")
T = TypeVar("T")
R = TypeVar("R")


@frozen
class BatchRule(Generic[Y, T, R]):
    """The value of a batch and its gradient.

    Parameters
    ----------
    check : callable
        ``(prediction, target) -> target``: raises unless they fit, before any arithmetic.
    value : callable
        ``(prediction, target, weight, mean) -> (value, residuals)`` for weights (n,) above 0, in the prediction's precision.
    pullback : callable
        ``residuals -> dprediction``, a new array each time.
    mass : callable or None
        ``(target, weight) -> float``: how much the batch counts in the mean over batches, where it is not the sum of weights.
    """

    check: Callable[[Y, T], T] = field(eq=comparable)
    value: Callable[[Y, T, Array, bool], tuple[Scalar, R]] = field(eq=comparable)
    pullback: Callable[[R], Y] = field(eq=comparable)
    mass: Callable[[T, Array], float] | None = field(eq=comparable, default=None)


@frozen(eq=False)
class BatchResiduals(Generic[Y, R]):
    """What the value kept, where the rows of positive weight stand, and the prediction, for the shape of its gradient."""

    kept: R
    positive: BoolArray | None
    prediction: Y


def batchwise(name: str, rule: BatchRule[Y, T, R], reduction: Reduction) -> Loss[Y, T | Weighted[T]]:
    """Make a loss of a rule."""
    check_reduction(reduction)
    bound = partial(forward, rule, reduction == "mean"), partial(backward, rule)
    return define_loss(name, *bound, reduction=reduction, mass=partial(mass, rule))


def is_batchwise(loss: Loss[Any, Any]) -> bool:
    """Tell whether a loss compares the rows of a batch with each other."""
    return isinstance(loss.forward, partial) and loss.forward.func is forward


def forward(rule: BatchRule[Y, T, R], mean: bool, prediction: Y, target: T | Weighted[T]) -> LossForward[BatchResiduals[Y, R]]:
    positive: BoolArray | None = None
    if isinstance(target, Weighted):
        weight = check_weight(target.weight, prediction, None)
        entries: T = target.target
        chosen = prediction
        if not (weight > 0).all():
            positive = weight > 0
            chosen, entries, weight = select(prediction, positive), select(entries, positive), weight[positive]
        try:
            entries = rule.check(chosen, entries)
        except (TypeError, ValueError) as error:
            error.add_note("rows are counted among those of positive weight")
            raise
    else:
        chosen, entries = prediction, rule.check(prediction, target)
        weight = np.ones(len(tree.leaves(prediction)[0]))
    if mean:
        positive_sum(weight, "weights")
    dtype = np.result_type(*(leaf.dtype for leaf in tree.leaves(prediction)))
    single = dtype.char in "fF"
    value, kept = rule.value(widened(chosen) if single else chosen, entries, in_precision(weight, dtype), mean)
    if not math.isfinite(value.real):  # perhaps an overflow on the way
        check_finite(entries)
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            value, kept = rule.value(widened(widened(chosen) if single else chosen), entries, weight, mean)
    with np.errstate(over="ignore"):
        return LossForward(value.astype(dtype), BatchResiduals(kept, positive, prediction))


def in_precision(weight: Array, dtype: np.dtype[Any]) -> Array:
    """Return weights in the precision that a prediction of a dtype is computed in: double at least."""
    return weight.astype(np.longdouble if dtype.char in "gG" else np.float64)


def backward(rule: BatchRule[Y, T, R], residuals: BatchResiduals[Y, R]) -> Y:
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        gradient = narrowed(rule.pullback(residuals.kept), residuals.prediction)
    return gradient if residuals.positive is None else scatter(gradient, residuals.positive, residuals.prediction)


def mass(rule: BatchRule[Y, T, R], target: T | Weighted[T]) -> float:
    """Return how much a batch counts in the mean over batches."""
    if rule.mass is None:
        return batch_mass(None, None, target)
    if not isinstance(target, Weighted):
        return rule.mass(target, np.ones(len(tree.leaves(target)[0])))
    weight = np.asarray(target.weight, float)
    positive = weight > 0
    return rule.mass(select(target.target, positive), weight[positive])
