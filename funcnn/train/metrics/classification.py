"""Metrics of answers: how often the largest score, or the right side of a threshold, is right."""

from __future__ import annotations

import math
from typing import Literal, TypeAlias, cast, get_args, overload

import numpy as np
from attrs import frozen

from funcnn.errors import check_choice, check_count, check_range, describe
from funcnn.losses.weighted import Weighted
from funcnn.train.metrics.checks import Labels, Rows, Truth, answered, entries_of, is_alike, labelled, weight_unit
from funcnn.typing import Array, BoolArray, IntArray

Average: TypeAlias = Literal["macro", "micro", "weighted"]
"""How the figures of single classes become one: their mean, one figure of all counts, or their mean by the classes' sizes."""

Classes: TypeAlias = Labels | Truth
"""Labels of classes, (n, ...), or yes and no for each score, of the prediction's shape."""


def accuracy(prediction: Array, target: Labels) -> float:
    """Return the fraction of rows whose largest score is that of the label (of equal scores the first counts).

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> scores, labels = np.array([[2.0, 1.0], [0.0, 3.0]]), np.array([0, 0])
    >>> fn.metrics.accuracy(scores, labels)
    0.5
    >>> fn.metrics.accuracy(scores, fn.Weighted(labels, np.array([3.0, 1.0])))
    0.75
    """
    rows = labelled(prediction, target)
    return rows.share(rows.scores.argmax(-1) == rows.target)


def binary_accuracy(prediction: Array, target: Truth, threshold: float = 0.0) -> float:
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
    rows = answered(prediction, target)
    return rows.share((rows.scores > threshold) == rows.target)


def hamming_loss(prediction: Array, target: Truth, threshold: float = 0.0) -> float:
    """Return the fraction of entries that lie on the wrong side of a threshold, over all labels: see :func:`binary_accuracy`.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.metrics.hamming_loss(np.array([[2.0, -1.0], [1.0, 1.0]]), np.array([[1, 1], [1, 1]]))
    0.25
    """
    threshold = check_range(threshold, "threshold", -math.inf, math.inf)
    rows = answered(prediction, target)
    return rows.share((rows.scores > threshold) != rows.target)


def exact_match(prediction: Array, target: Truth, threshold: float = 0.0) -> float:
    """Return the fraction of rows (n, ..., labels) of which every label lies on the right side of a threshold.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.metrics.exact_match(np.array([[2.0, -1.0], [1.0, 1.0]]), np.array([[1, 1], [1, 1]]))
    0.5
    """
    threshold = check_range(threshold, "threshold", -math.inf, math.inf)
    rows = answered(prediction, target)
    if prediction.ndim < 2:
        raise ValueError(f"the prediction is {describe(prediction)}, expected an axis of labels behind that of the examples")
    if isinstance(target, Weighted) and target.weight.ndim == prediction.ndim:
        raise ValueError("weights of single labels have no meaning for whole rows: give one for each row")
    right: BoolArray = ((rows.scores > threshold) == rows.target).all(-1)
    return Rows(rows.scores, right, None if rows.weight is None else rows.weight[..., 0]).share(right)


def top_k_accuracy(prediction: Array, target: Labels, k: int = 5) -> float:
    """Return the fraction of rows whose label has one of the k largest scores (of equal scores the first come first).

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.metrics.top_k_accuracy(np.array([[3.0, 1.0, 2.0], [0.0, 3.0, 1.0]]), np.array([2, 0]), k=2)
    0.5
    """
    k = check_count(k, "k")
    rows = labelled(prediction, target)
    labels = rows.target[:, None]
    own = np.take_along_axis(rows.scores, labels, -1)
    before = np.arange(rows.scores.shape[-1]) < labels
    places = ((rows.scores > own) | ((rows.scores == own) & before)).sum(-1)
    return rows.share(places < k)


@overload
def confusion_matrix(prediction: Array, target: IntArray) -> IntArray: ...
@overload
def confusion_matrix(prediction: Array, target: Weighted[IntArray]) -> Array: ...
def confusion_matrix(prediction: Array, target: Labels) -> IntArray | Array:
    """Return how often each label (row) got each class as its largest score (column): counts, (C, C), or sums of weights.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.metrics.confusion_matrix(np.array([[2.0, 1.0], [0.0, 3.0]]), np.array([0, 0]))
    array([[1, 1],
           [0, 0]])
    """
    found = _tally(prediction, target)
    return found * float(weight_unit(target.weight)) if isinstance(target, Weighted) else found


def precision(prediction: Array, target: Classes, average: Average = "macro", threshold: float = 0.0) -> float:
    """Return the fraction of the rows given to a class that belong to it, averaged over the classes.

    Parameters
    ----------
    prediction, target : array
        Scores (n, ..., C) and labels (n, ...); or scores and zeros and ones of one shape, where the last axis of two axes or more
        are labels of which a row may have several, and (n,) or (n, 1) is one question of yes and no.
    average : {"macro", "micro", "weighted"}, optional
        The plain mean over the classes that occur, as a label or as an answer; one figure of all rows together (for one label a
        row, the accuracy); or the mean by how often each label occurs.  :func:`per_class` has the figure of each class.  A class
        that is never given counts as 0.
    threshold : float, optional
        Of answers of yes and no: a score above it says yes; 0 for logits, 0.5 for probabilities.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> scores, labels = np.eye(3)[[0, 0, 1, 2]], np.array([0, 1, 1, 2])
    >>> round(fn.metrics.precision(scores, labels), 4), round(fn.metrics.recall(scores, labels), 4)
    (0.8333, 0.8333)
    >>> fn.metrics.precision(np.array([2.0, 1.0, -1.0]), np.array([1, 0, 1]))
    0.5
    """
    average = check_average(average)
    found = counts(prediction, target, threshold)
    return averaged(found, *precision_parts(found), average)


def recall(prediction: Array, target: Classes, average: Average = "macro", threshold: float = 0.0) -> float:
    """Return the fraction of the rows of a class that are given to it, averaged over the classes: see :func:`precision`."""
    average = check_average(average)
    found = counts(prediction, target, threshold)
    return averaged(found, *recall_parts(found), average)


def f1(prediction: Array, target: Classes, average: Average = "macro", threshold: float = 0.0) -> float:
    """Return the harmonic mean of precision and recall, class by class, averaged over the classes: see :func:`precision`.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.metrics.f1(np.eye(2)[[0, 0, 1]], np.array([0, 1, 1]), average="micro")
    0.6666666666666666
    """
    average = check_average(average)
    found = counts(prediction, target, threshold)
    return averaged(found, *f_beta_parts(found, 1.0), average)


def f_beta(prediction: Array, target: Classes, average: Average = "macro", threshold: float = 0.0, beta: float = 2.0) -> float:
    r"""Return the mean of precision $P$ and recall $R$ in which recall counts $\beta$ times as much.

    It is $(1 + \beta^2) P R / (\beta^2 P + R)$, class by class, averaged over the classes: see :func:`precision`.

    Parameters
    ----------
    prediction, target, average, threshold
        As for :func:`precision`.
    beta : float, optional
        Positive; 1 is :func:`f1`.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> round(fn.metrics.f_beta(np.array([2.0, 1.0, -1.0]), np.array([1, 0, 0]), beta=2.0), 4)
    0.8333
    """
    average = check_average(average)
    beta = check_range(beta, "beta", 0, math.inf, open_low=True, open_high=True)
    found = counts(prediction, target, threshold)
    return averaged(found, *f_beta_parts(found, beta), average)


def specificity(prediction: Array, target: Classes, average: Average = "macro", threshold: float = 0.0) -> float:
    """Return the fraction of the rows of other classes that are not given to a class: see :func:`precision`.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.metrics.specificity(np.array([2.0, 1.0, -1.0]), np.array([1, 0, 0]))
    0.5
    """
    average = check_average(average)
    found = counts(prediction, target, threshold)
    return averaged(found, *specificity_parts(found), average)


def iou(prediction: Array, target: Classes, average: Average = "macro", threshold: float = 0.0) -> float:
    """Return intersection over union of what is given to a class and what belongs to it (Jaccard): see :func:`precision`.

    With labels (n, height, width) of pixels it is the measure of segmentation; with ``"macro"`` the mean IoU.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.metrics.iou(np.eye(2)[[0, 0, 1]], np.array([0, 1, 1]))
    0.5
    """
    average = check_average(average)
    found = counts(prediction, target, threshold)
    return averaged(found, *iou_parts(found), average)


def balanced_accuracy(prediction: Array, target: Classes, threshold: float = 0.0) -> float:
    """Return the mean recall over the classes that occur as labels; of yes and no, over both answers.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.metrics.balanced_accuracy(np.eye(2)[[0, 0, 0, 0]], np.array([0, 0, 0, 1]))
    0.5
    """
    matrix = _square(prediction, target, threshold)
    labelled_rows = matrix.sum(1)
    return float((matrix.diagonal()[labelled_rows > 0] / labelled_rows[labelled_rows > 0]).mean())


def matthews_correlation(prediction: Array, target: Classes, threshold: float = 0.0) -> float:
    """Return the correlation of answers and labels, from -1 to 1 (Matthews 1975; of several classes, Gorodkin 2004).

    0 where all labels, or all answers, are the same.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> round(fn.metrics.matthews_correlation(np.array([2.0, 1.0, -1.0, -1.0]), np.array([1, 0, 0, 0])), 6)
    0.57735
    """
    matrix = _square(prediction, target, threshold).astype(float)
    labels, answers = matrix.sum(1), matrix.sum(0)
    spread = math.sqrt(_unequal(labels, labels)) * math.sqrt(_unequal(answers, answers))
    return (_unequal(labels, answers) - _wrong(matrix) * float(matrix.sum())) / spread if spread else 0.0


def cohen_kappa(prediction: Array, target: Classes, threshold: float = 0.0) -> float:
    """Return how much of the agreement that chance leaves open is reached (Cohen 1960): 1 for all, 0 for chance alone.

    0 where chance leaves nothing open, since all labels and answers are the same.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.metrics.cohen_kappa(np.eye(2)[[0, 0, 1, 1]], np.array([0, 1, 1, 1]))
    0.5
    """
    matrix = _square(prediction, target, threshold).astype(float)
    left_open = _unequal(matrix.sum(1), matrix.sum(0))
    return 1 - _wrong(matrix) * float(matrix.sum()) / left_open if left_open else 0.0


# ---------------------------------------------------------------------------------------------------------------- the parts


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
        columns = (-1, rows.scores.shape[-1] if rows.scores.ndim > 1 else 1)
        yes, truth = (rows.scores > threshold).reshape(columns), rows.target.reshape(columns)
        weight = np.ones(yes.shape, int) if rows.weight is None else rows.weight.reshape(columns)
        return Counts(*((weight * one).sum(0) for one in (yes & truth, yes, truth, ~truth, ~yes & ~truth)))
    matrix = _matrix(prediction, target, threshold)
    labels = matrix.sum(1)
    others = _off_diagonal(np.broadcast_to(labels, matrix.shape)).sum(1)
    return Counts(matrix.diagonal(), matrix.sum(0), labels, others, others - _off_diagonal(matrix).sum(0))


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


def _tally(prediction: Array, target: Labels) -> IntArray | Array:
    """Return the confusion matrix, (C, C), of weights in their unit."""
    rows = labelled(prediction, target)
    classes = rows.scores.shape[-1]
    places = rows.target * classes + rows.scores.argmax(-1)
    return np.bincount(places, rows.weight, minlength=classes * classes).reshape(classes, classes)


def _matrix(prediction: Array, target: Classes, threshold: float) -> IntArray | Array:
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
    return _tally(prediction, cast(IntArray, target))  # labels, since they are not alike


def _square(prediction: Array, target: Classes, threshold: float) -> IntArray | Array:
    """Return the confusion matrix, of yes and no that of both answers."""
    threshold = check_range(threshold, "threshold", -math.inf, math.inf)
    if not is_alike(prediction, target):
        return _matrix(prediction, target, threshold)
    found = counts(prediction, target, threshold)
    if len(found.hits) != 1:
        raise ValueError(f"the prediction is {describe(prediction)}, answers to several questions: take one column at a time")
    hits, positive, negative, passed = (one[0] for one in (found.hits, found.labelled, found.others, found.passed))
    return np.array([[passed, negative - passed], [positive - hits, hits]])


def _off_diagonal(matrix: Array | IntArray) -> Array | IntArray:
    """Return a square matrix with zeros on its diagonal."""
    return np.where(np.eye(len(matrix), dtype=bool), 0, matrix)


def _wrong(matrix: Array) -> float:
    """Return the weight of the rows whose answer is not their label."""
    return float(_off_diagonal(matrix).sum())


def _unequal(first: Array, second: Array) -> float:
    """Return the sum of the products of different classes: for equal weights, how many pairs are not of one class."""
    return float(_off_diagonal(np.outer(first, second)).sum())
