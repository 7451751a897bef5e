"""How often each class was given, and how often it ought to have been: the counts that metrics of classes are made of.

Precision, recall and their like are ratios of two such counts for each class, its ``parts``; the ratios are then averaged.
Labels of classes are counted by way of the confusion matrix, answers of yes and no question by question.
"""

from __future__ import annotations

import math
from typing import Literal, TypeAlias, cast, get_args

import numpy as np
from attrs import frozen

from funcnn.errors import check_choice, check_range, describe
from funcnn.train.metrics.checks import Labels, Truth, answered, entries_of, is_alike, labelled
from funcnn.typing import Array, IntArray

Average: TypeAlias = Literal["macro", "micro", "weighted"]
"""How the figures of single classes become one: their mean, one figure of all counts, or their mean by the classes' sizes."""

Classes: TypeAlias = Labels | Truth
"""Labels of classes, (n, ...), or yes and no for each score, of the prediction's shape."""


@frozen(eq=False)
class Counts:
    """For each class: the weight of the rows rightly given to it, given to it, labelled with it, with others, and rightly left.

    Each is a sum of its own: a difference of sums of weights is rounded, and not 0 where there is no row.
    """

    hits: Array | IntArray
    given: Array | IntArray
    labelled: Array | IntArray
    others: Array | IntArray
    passed: Array | IntArray


def counts(prediction: Array, target: Classes, threshold: float) -> Counts:
    """Return the counts of labels, or of answers of yes and no."""
    threshold = check_range(threshold, "threshold", -math.inf, math.inf)
    if is_alike(prediction, target):
        rows = answered(prediction, target)
        by_question = (-1, rows.scores.shape[-1] if rows.scores.ndim > 1 else 1)
        yes, truth = (rows.scores > threshold).reshape(by_question), rows.target.reshape(by_question)
        weight = np.ones(yes.shape, int) if rows.weight is None else rows.weight.reshape(by_question)
        return Counts(
            hits=(weight * (yes & truth)).sum(0),
            given=(weight * yes).sum(0),
            labelled=(weight * truth).sum(0),
            others=(weight * ~truth).sum(0),
            passed=(weight * (~yes & ~truth)).sum(0),
        )
    matrix = label_matrix(prediction, target, threshold)
    labels = matrix.sum(1)
    others = off_diagonal(np.broadcast_to(labels, matrix.shape)).sum(1)
    wrongly_given = off_diagonal(matrix).sum(0)
    return Counts(hits=matrix.diagonal(), given=matrix.sum(0), labelled=labels, others=others, passed=others - wrongly_given)


Parts: TypeAlias = tuple[Array | IntArray, Array | IntArray]
"""Numerators and denominators of the figures of the classes."""


def precision_parts(found: Counts) -> Parts:
    return found.hits, found.given


def recall_parts(found: Counts) -> Parts:
    return found.hits, found.labelled


def f_beta_parts(found: Counts, beta: float) -> Parts:
    if beta > 1:  # the same over the square of beta, which may overflow
        share = beta**-2
        return (1 + share) * found.hits, found.labelled + share * found.given
    return (1 + beta**2) * found.hits, beta**2 * found.labelled + found.given


def specificity_parts(found: Counts) -> Parts:
    return found.passed, found.others


def iou_parts(found: Counts) -> Parts:
    return found.hits, found.given + found.labelled - found.hits


def ratios(part: Array | IntArray, whole: Array | IntArray) -> Array:
    """Return the ratios part/whole of the classes, 0/0 being 0."""
    ratio: Array = np.divide(part, whole, out=np.zeros(len(part)), where=whole != 0)
    return ratio


def averaged(found: Counts, part: Array | IntArray, whole: Array | IntArray, average: Average) -> float:
    """Return the ratios part/whole of the classes as one figure."""
    if average == "micro":
        summed = whole.sum()
        return float(part.sum() / summed) if summed else 0.0
    ratio = ratios(part, whole)
    if average == "macro":
        occurs = found.given + found.labelled > 0
        return float(ratio[occurs].mean()) if occurs.any() else 0.0
    everything = found.labelled.sum()
    return float((ratio * found.labelled).sum() / everything) if everything else 0.0


def check_average(average: Average) -> Average:
    """Return how classes are averaged, or raise."""
    return cast(Average, check_choice(average, get_args(Average), "average"))


def tally(prediction: Array, target: Labels) -> IntArray | Array:
    """Return the confusion matrix, (C, C), of weights in their unit."""
    rows = labelled(prediction, target)
    classes = rows.scores.shape[-1]
    places = rows.target * classes + rows.scores.argmax(-1)
    return np.bincount(places, rows.weight, minlength=classes * classes).reshape(classes, classes)


def label_matrix(prediction: Array, target: Classes, threshold: float) -> IntArray | Array:
    """Return the confusion matrix of a target that is not of the prediction's shape; raise where it cannot be labels."""
    entries = entries_of(target)
    given: object = prediction
    one_column = isinstance(given, np.ndarray) and given.ndim >= 2 and given.shape[-1] == 1
    if one_column and isinstance(entries, np.ndarray):
        raise ValueError(
            f"the prediction is {describe(prediction)}, one score for each row, and the target {describe(entries)}: answers of"
            " yes and no have one shape, reshape one of them"
        )
    if threshold != 0:
        raise ValueError(f"threshold is {threshold}, and the target has labels of classes: of these the largest score wins")
    return tally(prediction, cast(IntArray, target))  # labels, since they are not alike


def square_matrix(prediction: Array, target: Classes, threshold: float) -> IntArray | Array:
    """Return the confusion matrix, of yes and no that of both answers."""
    threshold = check_range(threshold, "threshold", -math.inf, math.inf)
    if not is_alike(prediction, target):
        return label_matrix(prediction, target, threshold)
    found = counts(prediction, target, threshold)
    if len(found.hits) != 1:
        raise ValueError(f"the prediction is {describe(prediction)}, answers to several questions: take one column at a time")
    hits, positive, negative, passed = (one[0] for one in (found.hits, found.labelled, found.others, found.passed))
    return np.array([[passed, negative - passed], [positive - hits, hits]])


def off_diagonal(matrix: Array | IntArray) -> Array | IntArray:
    """Return a square matrix with zeros on its diagonal."""
    return np.where(np.eye(len(matrix), dtype=bool), 0, matrix)
