r"""From the losses of single examples to one number: reduction, weights and masks, for all losses at once.

A loss file gives two functions: ``losses(prediction, target)``, an array $\ell$ of one loss for each entry, row or example
(with whatever it keeps for its gradient), and ``pullback``, the transpose of its derivative, which takes the cotangent
$\bar\ell$ of that array.  With weights $w$ (1 where none are given)
$$ L = \frac{\sum_n w_n \ell_n}{\sum_n w_n m_n} \quad\text{(mean)}, \qquad L = \sum_n w_n \ell_n \quad\text{(sum)}. $$
$m$ is 1 for all losses but those with class weights, whose examples count as much as their classes do.

Derivation.  The denominator does not depend on the prediction, so that
$$ \bar\ell_n = \frac{\partial L}{\partial \ell_n} = \frac{w_n}{\sum_k w_k m_k}, \qquad \text{or } w_n, $$
which is a constant: it is found in the forward and handed to ``pullback`` in the backward.

Examples of weight 0 are taken out before anything is computed, and their gradient is put in as 0 afterwards: nothing in such a
row, not even a NaN, can reach the value or the gradient of the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, Generic, TypeAlias, TypeVar

import numpy as np
from attrs import field, frozen

from funcnn import tree
from funcnn.errors import describe
from funcnn.kernels.arrays import ones
from funcnn.layer import comparable
from funcnn.losses.checks import check_finite, check_plain, first, is_array, show
from funcnn.losses.limits import narrowed, widened
from funcnn.losses.loss import Loss, LossForward, define_loss
from funcnn.losses.loss import Reduction as Reduction  # for the loss files: the word belongs to what a loss is
from funcnn.losses.loss import check_reduction as check_reduction
from funcnn.losses.weighted import Weighted
from funcnn.typing import Array, BoolArray, IntArray, Scalar

Y = TypeVar("Y")
T = TypeVar("T")
R = TypeVar("R")


@frozen
class Rule(Generic[Y, T, R]):
    """The losses of single examples and their pullback.

    Parameters
    ----------
    losses : callable
        ``(prediction, target) -> (losses, residuals)``; it checks its arguments first.
    pullback : callable
        ``(residuals, dlosses) -> dprediction``, a new array each time.  dlosses has as many axes as the losses, of length 1
        where it is constant, or none at all.
    features : int or None
        How many of the prediction's last axes one loss is made of; None for all but the batch axis.
    mass : callable or None
        ``target -> m`` of the losses' shape, where it is not 1.
    mask : callable or None
        ``(prediction, target) -> booleans``, False where the target itself says that the example is not there.
    counted : callable or None
        The same of a target alone, which has been checked.
    limits : callable or None
        The same as ``losses``, by a form that holds at infinite predictions too, where it is another: it is asked when the value
        is not finite.
    """

    losses: Callable[[Y, T], tuple[Array, R]] = field(eq=comparable)
    pullback: Callable[[R, Array], Y] = field(eq=comparable)
    features: int | None
    mass: Callable[[T], Array] | None = field(eq=comparable, default=None)
    mask: Callable[[Y, T], BoolArray] | None = field(eq=comparable, default=None)
    counted: Callable[[T], BoolArray] | None = field(eq=comparable, default=None)
    limits: Callable[[Y, T], tuple[Array, R]] | None = field(eq=comparable, default=None)


Reduced: TypeAlias = tuple[R, Array]
"""What the losses kept, and their cotangent: of no axes, or of as many as the losses have."""


@frozen(eq=False)
class Widened(Generic[Y, R]):
    """The same of a prediction in the next wider precision: see :func:`in_the_limit`."""

    reduced: Reduced[R]
    prediction: Y  # for the precision of its gradient


@frozen(eq=False)
class Selected(Generic[Y, R]):
    """The same for the examples of positive weight, and where they stand."""

    kept: Reduced[R] | Widened[Y, R]
    positive: BoolArray  # of the weight's shape
    prediction: Y  # for the shape of its gradient


Summed: TypeAlias = tuple[Scalar, Reduced[R] | Widened[Y, R]]
"""A value, and what its gradient needs."""


def reduced(name: str, rule: Rule[Y, T, R], reduction: Reduction) -> Loss[Y, T | Weighted[T]]:
    """Make a loss of a rule: its value is the mean or the sum over the examples, weighted when the target is."""
    check_reduction(reduction)
    bound = partial(forward, rule, reduction == "mean"), partial(backward, rule)
    return define_loss(name, *bound, reduction=reduction, mass=partial(batch_mass, rule.mass, rule.counted))


def batch_mass(mass: Callable[[T], Array] | None, counted: Callable[[T], BoolArray] | None, target: T | Weighted[T]) -> float:
    """Return the denominator of the mean of a batch, up to a factor that is the same for all batches of a set.

    That factor is the number of entries which have one weight.  Where nothing has weights of its own, the mass is that of rows.
    """
    if mass is None and counted is None and type(target) is np.ndarray:  # nearly all of them, once in every step
        return float(len(target))
    weight: Array | None = None
    entries: Any = target  # Any: the target, without its weights
    if isinstance(target, Weighted):
        weight, entries = np.asarray(target.weight, float), target.target
    if counted is not None:
        kept = counted(entries)
        weight = kept.astype(float) if weight is None else spread(weight, kept.ndim) * kept
    if mass is not None:
        if weight is None:
            return float(mass(entries).sum())
        positive = weight > 0
        masses = mass(select(entries, positive))
        return float((spread(weight[positive], masses.ndim) * masses).sum())
    return float(weight.sum()) if weight is not None else float(next((len(leaf) for leaf in tree.leaves(entries)), 1))


def forward(
    rule: Rule[Y, T, R], mean: bool, prediction: Y, target: T | Weighted[T]
) -> LossForward[Reduced[R] | Widened[Y, R] | Selected[Y, R]]:
    if isinstance(target, Weighted):
        return weighted_forward(rule, mean, prediction, target)
    if rule.mask is not None and not (mask := rule.mask(prediction, target)).all():
        return weighted_forward(rule, mean, prediction, Weighted(target, mask))
    value, kept = plain_sum(rule, mean, target, *rule.losses(prediction, target))
    if not math.isfinite(value.real):
        return LossForward(*in_the_limit(rule, partial(plain_sum, rule, mean, target), prediction, target))
    return LossForward(value, kept)


def plain_sum(rule: Rule[Y, T, R], mean: bool, target: T, losses: Array, residuals: R) -> tuple[Scalar, Reduced[R]]:
    """Return the value, and what its gradient needs, where nothing has weights."""
    value = total(losses)
    if not mean:
        dlosses = reciprocal(1, losses.real.dtype)
    elif rule.mass is None:
        if not losses.size:
            raise ValueError(f"the mean over an empty batch is undefined: the losses have shape {losses.shape}")
        value /= losses.size
        dlosses = reciprocal(losses.size, losses.real.dtype)
    else:
        whole = losses.real.dtype.type(positive_sum(rule.mass(target), "class weights of the labels"))
        value /= whole
        dlosses = np.asarray(1 / whole)
    return value, (residuals, dlosses)


def in_the_limit(
    rule: Rule[Y, T, R], summed: Callable[[Array, R], tuple[Scalar, Reduced[R]]], prediction: Y, target: T
) -> tuple[Scalar, Widened[Y, R]]:
    """Return a value that came out infinite or NaN from losses that are computed in the next wider precision.

    What overflows on the way, but not in the end, is finite then; and where the losses have a form of their own for infinite
    predictions, it is taken.
    """
    check_finite(target)
    losses = rule.losses if rule.limits is None else rule.limits
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        value, kept = summed(*losses(widened(prediction), target))
        narrow: Scalar = value.astype(np.result_type(*(leaf.dtype for leaf in tree.leaves(prediction))))
    return narrow, Widened(kept, prediction)


def weighted_forward(
    rule: Rule[Y, T, R], mean: bool, prediction: Y, weighted: Weighted[T]
) -> LossForward[Reduced[R] | Widened[Y, R] | Selected[Y, R]]:
    weight: Array = check_weight(weighted.weight, prediction, rule.features)
    if rule.mask is not None:
        mask = rule.mask(prediction, weighted.target)
        weight = spread(weight, mask.ndim) * mask
    positive: BoolArray = weight > 0
    if positive.all():
        return LossForward(*weighted_sum(rule, mean, prediction, weighted.target, weight))
    try:
        value, kept = weighted_sum(rule, mean, select(prediction, positive), select(weighted.target, positive), weight[positive])
    except (TypeError, ValueError) as error:
        error.add_note("rows are counted among those of positive weight")
        raise
    return LossForward(value, Selected(kept, positive, prediction))


def weighted_sum(
    rule: Rule[Y, T, R], mean: bool, prediction: Y, target: T, weight: Array
) -> tuple[Scalar, Reduced[R] | Widened[Y, R]]:
    """Return the value for positive weights, and what its gradient needs."""

    def summed(losses: Array, residuals: R) -> tuple[Scalar, Reduced[R]]:
        dlosses = weight.reshape(weight.shape + (1,) * (losses.ndim - weight.ndim))
        if mean:
            mass = np.ones(losses.shape, dlosses.dtype) if rule.mass is None else rule.mass(target)
            dlosses = shares(dlosses, mass)
        dlosses = dlosses.astype(losses.real.dtype)
        return total(losses * dlosses), (residuals, dlosses)

    value, kept = summed(*rule.losses(prediction, target))
    if not math.isfinite(value.real):
        return in_the_limit(rule, summed, prediction, target)
    return value, kept


def backward(rule: Rule[Y, T, R], residuals: Reduced[R] | Widened[Y, R] | Selected[Y, R]) -> Y:
    if isinstance(residuals, Selected):
        return scatter(pulled(rule, residuals.kept), residuals.positive, residuals.prediction)
    return pulled(rule, residuals)


def pulled(rule: Rule[Y, T, R], kept: Reduced[R] | Widened[Y, R]) -> Y:
    """Return the gradient, in the precision of the prediction."""
    if isinstance(kept, Widened):
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            return narrowed(rule.pullback(*kept.reduced), kept.prediction)
    return rule.pullback(*kept)


# ------------------------------------------------------------------------------------------------------------- the parts


def check_weight(weight: Array | IntArray | BoolArray, prediction: object, features: int | None) -> Array:
    """Return the weight as floating numbers; raise unless it is non-negative and of a leading part of the losses' shape."""
    if not is_array(weight, "fiub"):
        check_plain(weight, "weight")
        raise TypeError(f"weight is {describe(weight)}, expected an array of non-negative numbers")
    for leaf in tree.leaves(prediction):
        most = 1 if features is None else leaf.ndim - features
        if not 1 <= weight.ndim <= most or leaf.shape[: weight.ndim] != weight.shape:
            raise ValueError(
                f"weight has shape {weight.shape} and the losses {leaf.shape[:most]} (prediction {describe(leaf)}):"
                " expected the batch axis, or more of the leading axes"
            )
    numbers: Array = weight.astype(np.result_type(weight.dtype, np.float64))
    wrong = ~((numbers >= 0) & np.isfinite(numbers))
    if wrong.any():
        row = first(wrong)
        raise ValueError(f"weight {numbers[row]} at row {show(row)}, expected a finite number of at least 0")
    return numbers


def positive_sum(weight: Array, what: str) -> Scalar:
    """Return the sum of weights; raise when there is nothing to take a mean of."""
    summed: Scalar = weight.sum()
    if not summed > 0:
        raise ValueError(f"the {what} sum to {summed}, and a mean needs a positive sum: is every row masked?")
    return summed


def shares(weight: Array, mass: Array) -> Array:
    """Return ``weight / (weight * mass).sum()``: in a mean it is the ratios of the weights that count, however large they are."""
    with np.errstate(over="ignore"):
        whole = positive_sum(weight * mass, "weights")
        if not np.isfinite(whole):
            weight = weight / weight.max()
            whole = (weight * (mass / mass.max())).sum() * mass.max()
    parts: Array = weight / whole
    return parts


def select(values: Y, positive: BoolArray) -> Y:
    """Return the rows of positive weight of every array in a tree, their leading axes merged into one.

    Raises
    ------
    ValueError
        When there are not as many rows as weights.  Predictions were looked at before: so it is the target that is wrong.
    """

    def chosen(leaf: Array) -> Array:
        if leaf.shape[: positive.ndim] != positive.shape:
            raise ValueError(f"target is {describe(leaf)}, and its weight has shape {positive.shape}: expected one for each row")
        return leaf[positive]

    return tree.map(chosen, values)


def scatter(gradient: Y, positive: BoolArray, like: Y) -> Y:
    """Return zeros like a tree, with the rows of positive weight taken from a gradient: the transpose of :func:`select`."""

    def put(leaf: Array, rows: Array) -> Array:
        full = np.zeros(leaf.shape, rows.dtype)
        full[positive] = rows
        return full

    return tree.map(put, like, gradient)


def spread(dlosses: Array, ndim: int) -> Array:
    """Return the cotangent of losses of several features each, with axes of length 1 in the place of these."""
    return dlosses.reshape(dlosses.shape + (1,) * (ndim - dlosses.ndim)) if dlosses.ndim else dlosses


def total(losses: Array) -> Scalar:
    """Return ``losses.sum()``; the product with ones is three times faster while the array is small.

    The sum of many is taken in C order: by halves, whatever the order in memory is.
    """
    summed: Scalar = losses.ravel().sum() if losses.size > 4096 else losses.ravel().dot(ones(losses.size, losses.dtype))
    return summed


@lru_cache(maxsize=64)
def reciprocal(count: int, dtype: np.dtype[np.floating]) -> Array:
    """Return 1/count as a read-only array without axes, which multiplies faster than a Python number does."""
    value = np.ones((), dtype)
    value /= count
    value.setflags(write=False)
    return value
