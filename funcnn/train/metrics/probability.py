"""Metrics of probabilities: how likely the truth was thought to be, and whether it came as often as was said."""

from __future__ import annotations

import math
from typing import cast

import numpy as np
from attrs import frozen

from funcnn.errors import check_count
from funcnn.losses.classification.softmax_cross_entropy import certain, label_losses
from funcnn.train.metrics.checks import Labels, Rows, Truth, answered, check_probabilities, is_alike, labelled
from funcnn.typing import Array, BoolArray, IntArray


def perplexity(prediction: Array, target: Labels) -> float:
    """Return the exponential of the mean cross-entropy of logits: how many equally likely classes would be as hard to guess.

    Infinite where a label has no chance, or less than a float can tell.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> round(fn.metrics.perplexity(np.zeros((2, 8)), np.array([3, 5])), 12)
    8.0
    """
    with np.errstate(over="ignore"):
        return float(np.exp(_entropy(prediction, target)))


def bits_per_character(prediction: Array, target: Labels) -> float:
    """Return the mean cross-entropy of logits in bits: what each label would cost in a code made by the network.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> round(fn.metrics.bits_per_character(np.zeros((2, 8)), np.array([3, 5])), 12)
    3.0
    """
    return float(_entropy(prediction, target) / math.log(2))


def log_loss(prediction: Array, target: Labels | Truth) -> float:
    """Return the mean of minus the logarithm of the probability that was given to what happened.

    Parameters
    ----------
    prediction, target : array
        Probabilities (n, ..., C) and labels (n, ...); or probabilities of yes, and zeros and ones, of one shape.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> round(fn.metrics.log_loss(np.array([[0.5, 0.5], [0.25, 0.75]]), np.array([0, 1])), 6)
    0.490415
    """
    rows, own = _own(prediction, target)
    with np.errstate(divide="ignore"):
        return rows.share(0 - np.log(own))


def brier_score(prediction: Array, target: Labels | Truth) -> float:
    """Return the mean squared distance of probabilities from what happened (Brier 1950): 0 is best.

    Parameters
    ----------
    prediction, target : array
        Probabilities (n, ..., C) and labels (n, ...), where the squares of a row are added up; or probabilities of yes, and zeros
        and ones, of one shape.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.metrics.brier_score(np.array([0.5, 1.0]), np.array([1, 1]))
    0.125
    """
    if is_alike(prediction, target):
        yes = answered(prediction, target)
        check_probabilities(yes.scores)
        return yes.share(np.square(yes.scores.astype(float) - yes.target))
    rows = labelled(prediction, cast(Labels, target))
    check_probabilities(rows.scores)
    left = rows.scores.astype(float)
    left[np.arange(len(left)), rows.target] -= 1
    return rows.share(np.square(left).sum(-1))


@frozen(eq=False)
class CalibrationCurve:
    """How often answers of about the same confidence were right, from the least confident on."""

    confidence: Array
    """The mean probability in each bin that is not empty."""
    accuracy: Array
    """How often they were right."""
    weight: Array
    """The part of all answers that is in the bin."""


def calibration_curve(prediction: Array, target: Labels | Truth, bins: int = 10) -> CalibrationCurve:
    """Return how often answers were right, by the probability that they were given.

    Parameters
    ----------
    prediction, target : array
        Probabilities (n, ..., C) and labels (n, ...), where the largest probability is the confidence; or probabilities of yes,
        and zeros and ones, of one shape.
    bins : int, optional
        Into how many equal intervals 0 to 1 is divided.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> curve = fn.metrics.calibration_curve(np.array([0.9, 0.9, 0.2]), np.array([1, 0, 0]))
    >>> curve.confidence, curve.accuracy
    (array([0.2, 0.9]), array([0. , 0.5]))
    """
    bins = check_count(bins, "bins")
    if is_alike(prediction, target):
        yes = answered(prediction, target)
        confidence, right = yes.scores.ravel(), yes.target.ravel()
        weight: Array | None = None if yes.weight is None else yes.weight.ravel()
    else:
        rows = labelled(prediction, cast(Labels, target))
        confidence, weight = rows.scores.max(-1), rows.weight
        right = rows.scores.argmax(-1) == rows.target
    check_probabilities(confidence)
    confidence = confidence.astype(float)
    own = np.ones(len(confidence)) if weight is None else weight
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    sums = np.bincount(place, own, bins)
    there = sums > 0
    means, hits = (np.bincount(place, own * x, bins)[there] / sums[there] for x in (confidence, right))
    return CalibrationCurve(means, hits, sums[there] / sums.sum())


def calibration_error(prediction: Array, target: Labels | Truth, bins: int = 10) -> float:
    """Return the expected calibration error: how far confidence is from accuracy, bin by bin (Guo et al. 2017, eq. 3).

    Parameters
    ----------
    prediction, target, bins
        As for :func:`calibration_curve`.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> round(fn.metrics.calibration_error(np.array([0.9, 0.9, 0.2]), np.array([1, 0, 0])), 6)
    0.333333
    """
    curve = calibration_curve(prediction, target, bins)
    return float((np.abs(curve.confidence - curve.accuracy) * curve.weight).sum())


def _entropy(prediction: Array, target: Labels) -> float:
    rows = labelled(prediction, target)
    with np.errstate(over="ignore"):
        losses, _ = label_losses(certain(rows.scores) if np.isposinf(rows.scores).any() else rows.scores, rows.target)
    return rows.share(losses.astype(np.result_type(losses, np.float64)))


def _own(prediction: Array, target: Labels | Truth) -> tuple[Rows[IntArray] | Rows[BoolArray], Array]:
    """Return the probability that was given to what happened."""
    if is_alike(prediction, target):
        yes = answered(prediction, target)
        check_probabilities(yes.scores)
        p = yes.scores.astype(float)
        return yes, np.where(yes.target, p, 1 - p)
    rows = labelled(prediction, cast(Labels, target))
    check_probabilities(rows.scores)
    return rows, rows.scores.astype(float)[np.arange(len(rows.scores)), rows.target]
