"""Metrics: plain functions ``(prediction, target) -> float``, for ``fit``, ``evaluate`` and by themselves.

They look at a set of predictions from outside: none is differentiated, none is averaged over batches.  Those of classification
take the scores of C classes, (n, ..., C), and integer labels (n, ...); logits and probabilities do equally well.  A metric with
an option is bound by ``functools.partial(fn.metrics.top_k_accuracy, k=3)``.

A prediction that holds NaN is an error in all of them, which names the row: it has no largest score, is on no side of a
threshold, and is neither right nor wrong.  (Where ``fit`` or ``evaluate`` find that the loss itself is NaN, so are the metrics
beside it.)  Infinite scores are scores.  Errors are computed in double precision or better, and no square of theirs overflows.
"""

from __future__ import annotations

import math
from typing import Literal, TypeAlias, get_args

import numpy as np

from funcnn.errors import check_choice, check_count, check_range, describe
from funcnn.kernels.arrays import flatten_examples
from funcnn.losses.checks import (
    check_finite,
    check_labels,
    check_pair,
    check_plain,
    check_prediction,
    first,
    is_array,
    show,
)
from funcnn.losses.classification.softmax_cross_entropy import certain, label_losses
from funcnn.runtime.lazy_imports import listing
from funcnn.typing import Array, BoolArray, IntArray

__all__ = [
    "Average",
    "accuracy",
    "average_precision",
    "binary_accuracy",
    "confusion_matrix",
    "f1",
    "mean_absolute_error",
    "perplexity",
    "precision",
    "r2",
    "recall",
    "roc_auc",
    "root_mean_squared_error",
    "top_k_accuracy",
]
__dir__ = listing(__name__, __all__)

Average: TypeAlias = Literal["macro", "micro", "weighted"]
"""How the figures of single classes become one: their mean, one figure of all counts, or their mean by the classes' sizes."""


# ------------------------------------------------------------------------------------------------------------ classification


def accuracy(prediction: Array, target: IntArray) -> float:
    """Return the fraction of rows whose largest score is that of the label (of equal scores the first counts).

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.metrics.accuracy(np.array([[2.0, 1.0], [0.0, 3.0]]), np.array([0, 0]))
    0.5
    """
    labels = _labels(prediction, target)
    return float(np.mean(prediction.argmax(-1) == labels))


def binary_accuracy(prediction: Array, target: Array | IntArray | BoolArray, threshold: float = 0.0) -> float:
    """Return the fraction of entries that lie on the right side of a threshold: 0 for logits, 0.5 for probabilities.

    Parameters
    ----------
    prediction, target : array
        Of one shape; the target is 0 or 1.
    threshold : float, optional
        A prediction above it says 1.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.metrics.binary_accuracy(np.array([[2.0], [-1.0]]), np.array([[1], [1]]))
    0.5
    """
    threshold = check_range(threshold, "threshold", -math.inf, math.inf)
    truth = _truth(prediction, target)
    return float(np.mean((prediction > threshold) == truth))


def top_k_accuracy(prediction: Array, target: IntArray, k: int = 5) -> float:
    """Return the fraction of rows whose label has one of the k largest scores (of equal scores the first come first).

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.metrics.top_k_accuracy(np.array([[3.0, 1.0, 2.0], [0.0, 3.0, 1.0]]), np.array([2, 0]), k=2)
    0.5
    """
    k = check_count(k, "k")
    labels = _labels(prediction, target)[..., None]
    own = np.take_along_axis(prediction, labels, -1)
    before = np.arange(prediction.shape[-1]) < labels
    places = ((prediction > own) | ((prediction == own) & before)).sum(-1)
    return float(np.mean(places < k))


def confusion_matrix(prediction: Array, target: IntArray) -> IntArray:
    """Return how often each label (row) got each class as its largest score (column): counts, (C, C).

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.metrics.confusion_matrix(np.array([[2.0, 1.0], [0.0, 3.0]]), np.array([0, 0]))
    array([[1, 1],
           [0, 0]])
    """
    labels = _labels(prediction, target)
    classes = prediction.shape[-1]
    counts: IntArray = np.bincount(labels.ravel() * classes + prediction.argmax(-1).ravel(), minlength=classes * classes)
    return counts.reshape(classes, classes)


def precision(prediction: Array, target: IntArray, average: Average = "macro") -> float:
    """Return the fraction of the rows given to a class that belong to it, averaged over the classes.

    Parameters
    ----------
    prediction, target : array
        Scores (n, ..., C) and labels (n, ...).
    average : {"macro", "micro", "weighted"}, optional
        The plain mean over the classes that occur, as a label or as an answer; one figure of all rows together (for one label a
        row, the accuracy); or the mean by how often each label occurs.  A class that is never given counts as 0.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> scores, labels = np.eye(3)[[0, 0, 1, 2]], np.array([0, 1, 1, 2])
    >>> round(fn.metrics.precision(scores, labels), 4), round(fn.metrics.recall(scores, labels), 4)
    (0.8333, 0.8333)
    """
    average = check_choice(average, get_args(Average), "average")
    hits, given, labelled = _counts(prediction, target)
    return _average(hits, given, given, labelled, average)


def recall(prediction: Array, target: IntArray, average: Average = "macro") -> float:
    """Return the fraction of the rows of a class that are given to it, averaged over the classes: see :func:`precision`."""
    average = check_choice(average, get_args(Average), "average")
    hits, given, labelled = _counts(prediction, target)
    return _average(hits, labelled, given, labelled, average)


def f1(prediction: Array, target: IntArray, average: Average = "macro") -> float:
    """Return the harmonic mean of precision and recall, class by class, averaged over the classes: see :func:`precision`.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.metrics.f1(np.eye(2)[[0, 0, 1]], np.array([0, 1, 1]), average="micro")
    0.6666666666666666
    """
    average = check_choice(average, get_args(Average), "average")
    hits, given, labelled = _counts(prediction, target)
    return _average(2 * hits, given + labelled, given, labelled, average)


def perplexity(prediction: Array, target: IntArray) -> float:
    """Return the exponential of the mean cross-entropy of logits: how many equally likely classes would be as hard to guess.

    Infinite where a label has no chance, or less than a float can tell.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> round(fn.metrics.perplexity(np.zeros((2, 8)), np.array([3, 5])), 12)
    8.0
    """
    labels = _labels(prediction, target)
    with np.errstate(over="ignore"):
        losses, _ = label_losses(certain(prediction) if np.isposinf(prediction).any() else prediction, labels)
        return float(np.exp(losses.mean(dtype=np.result_type(losses, np.float64))))


# ---------------------------------------------------------------------------------------------------------------- ranking


def roc_auc(prediction: Array, target: Array | IntArray | BoolArray) -> float:
    """Return the area under the receiver operating characteristic.

    It is the probability that a positive example has a higher score than a negative one, ties counted half (the rank sum of
    Mann and Whitney 1947, divided by the number of pairs).

    Parameters
    ----------
    prediction, target : array
        Of one shape: scores, and 0 or 1.

    Raises
    ------
    ValueError
        When there are only positive or only negative examples.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.metrics.roc_auc(np.array([0.1, 0.4, 0.4, 0.8]), np.array([0, 0, 1, 1]))
    0.875
    """
    truth = _two_classes(prediction, target)
    _, place, ties = np.unique(prediction.ravel(), return_inverse=True, return_counts=True)
    rank = (np.cumsum(ties) - (ties - 1) / 2)[place.ravel()]  # the middle of the ranks that equal scores share
    positives = int(truth.sum())
    pairs = positives * (truth.size - positives)
    return float((rank[truth].sum() - positives * (positives + 1) / 2) / pairs)


def average_precision(prediction: Array, target: Array | IntArray | BoolArray) -> float:
    """Return the mean of the precision over the recall as the threshold falls: the area under their curve in steps.

    Parameters
    ----------
    prediction, target : array
        Of one shape: scores, and 0 or 1.  Equal scores are reached together.

    Raises
    ------
    ValueError
        When there are only positive or only negative examples.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> round(fn.metrics.average_precision(np.array([0.9, 0.8, 0.7]), np.array([1, 0, 1])), 4)
    0.8333
    """
    truth = _two_classes(prediction, target)
    scores, place = np.unique(-prediction.ravel(), return_inverse=True)
    hits = np.bincount(place.ravel(), truth, len(scores))
    reached = np.bincount(place.ravel(), minlength=len(scores))
    return float((hits * np.cumsum(hits) / np.cumsum(reached)).sum() / truth.sum())


# ------------------------------------------------------------------------------------------------------------- regression


def mean_absolute_error(prediction: Array, target: Array) -> float:
    """Return the mean over all entries of ``abs(prediction - target)``."""
    difference, _, unit = _errors(prediction, target)
    return float(np.mean(np.abs(difference).mean(0) * unit))


def root_mean_squared_error(prediction: Array, target: Array) -> float:
    """Return the root of the mean over all entries of ``(prediction - target) ** 2``: an error in the target's own unit.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.metrics.root_mean_squared_error(np.array([[1.0], [5.0]]), np.array([[2.0], [-2.0]]))
    5.0
    """
    difference, _, unit = _errors(prediction, target)
    largest = unit.max(initial=0) or 1
    return float(np.sqrt(np.mean(np.square(difference).mean(0) * np.square(unit / largest))) * largest)


def r2(prediction: Array, target: Array) -> float:
    """Return the coefficient of determination, the part of the target's variance that is explained; the mean over the outputs.

    1 for a perfect prediction, 0 for the target's mean, negative for what is worse.  An output whose target is constant counts
    as 1 if it is met exactly, and as 0 if not.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.metrics.r2(np.array([[1.0], [2.0], [4.0]]), np.array([[1.0], [2.0], [3.0]]))
    0.5
    """
    left, wanted, _ = _errors(prediction, target)
    constant = wanted.min(0) == wanted.max(0)  # exactly: a mean is rounded, and what is left of the target would be its error
    centred = wanted - wanted[0]
    centred -= centred.mean(0)
    spread = np.where(constant, 1, np.abs(centred).max(0))
    with np.errstate(over="ignore"):
        ratio = np.square(left / spread).sum(0) / np.where(constant, 1, np.square(centred / spread).sum(0))
    met = (left == 0).all(0)
    return float(np.mean(np.where(constant, met, 1 - ratio)))


# ---------------------------------------------------------------------------------------------------------------- the parts


def _labels(prediction: Array, target: IntArray) -> IntArray:
    """Return the labels as signed integers; raise unless there is one, in range, for each row, and no score is NaN."""
    labels = check_labels(target, prediction)
    _real(prediction)
    _not_empty(labels)
    _not_nan(prediction)
    return labels


def _truth(prediction: Array, target: Array | IntArray | BoolArray) -> BoolArray:
    """Return a binary target as booleans; raise unless it is 0 or 1 and of the prediction's shape."""
    if is_array(prediction, "iub") and is_array(target, "f"):
        raise TypeError(
            f"the prediction is {describe(prediction)} and the target {describe(target)}: are they exchanged?  Scores come first"
        )
    check_prediction(prediction)
    _real(prediction)
    check_plain(target, "target")
    if not is_array(target, "fiub"):
        raise TypeError(f"target is {describe(target)}, expected an array of zeros and ones")
    if target.shape != prediction.shape:
        raise ValueError(f"target has shape {target.shape} and the prediction {prediction.shape}: reshape one of them")
    _not_empty(target)
    truth: BoolArray = target == 1
    if not (truth | (target == 0)).all():
        exchanged = ": are they exchanged?  Scores come first" if np.isin(prediction, (0, 1)).all() else ""
        raise ValueError(f"a binary target is 0 or 1, got {target[~truth & (target != 0)][0]}{exchanged}")
    _not_nan(prediction)
    return truth


def _two_classes(prediction: Array, target: Array | IntArray | BoolArray) -> BoolArray:
    truth = _truth(prediction, target).ravel()
    if truth.all() or not truth.any():
        raise ValueError(f"a ranking needs positive and negative examples, got {int(truth.sum())} of {truth.size} positive")
    return truth


def _errors(prediction: Array, target: Array) -> tuple[Array, Array, Array]:
    """Return prediction - target and the target, (n, outputs), in units in which nothing overflows; and these, for each output.

    All are in double precision or better; the units are powers of 2, so that nothing is rounded.
    """
    wanted = check_pair(prediction, target)
    _real(prediction)
    _not_empty(wanted)
    check_finite(wanted)
    _not_nan(prediction)
    p, t = (flatten_examples(x.astype(np.result_type(x.dtype, np.float64))) for x in (prediction, wanted))
    largest = np.maximum(np.abs(np.where(np.isinf(p), 0, p)).max(0), np.abs(t).max(0))
    unit: Array = np.ldexp(np.ones((), t.dtype), np.frexp(largest)[1] - 1)
    return p / unit - t / unit, t / unit, unit


def _real(prediction: Array) -> None:
    """Raise when a prediction is complex: losses continue analytically, and a score is a real number."""
    if prediction.dtype.kind == "c":
        raise TypeError(f"the prediction is {describe(prediction)}, and a metric is of real numbers: use .real")


def _not_nan(prediction: Array) -> None:
    """Raise when a prediction is NaN, which is neither right nor wrong."""
    wrong = np.isnan(prediction)
    if wrong.any():
        raise ValueError(
            f"the prediction is nan at row {show(first(wrong))} ({np.count_nonzero(wrong)} such numbers): a metric needs numbers,"
            " and NaN is neither right nor wrong"
        )


def _not_empty(target: Array | IntArray | BoolArray) -> None:
    if not target.size:
        raise ValueError(f"a metric needs at least one example, the target has shape {target.shape}")


def _counts(prediction: Array, target: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Return for each class how many rows were rightly given to it, were given to it, and are labelled with it."""
    matrix = confusion_matrix(prediction, target)
    return matrix.diagonal(), matrix.sum(0), matrix.sum(1)


def _average(part: IntArray, whole: IntArray, given: IntArray, labelled: IntArray, average: Average) -> float:
    """Return the ratios part/whole of the classes (0/0 being 0) as one figure."""
    if average == "micro":
        return float(part.sum() / whole.sum())
    ratio = part / np.maximum(whole, 1)
    if average == "macro":
        return float(ratio[given + labelled > 0].mean())
    return float((ratio * labelled).sum() / labelled.sum())
