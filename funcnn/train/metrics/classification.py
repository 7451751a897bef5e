"""Metrics of answers: how often the largest score, or the right side of a threshold, is right."""

from __future__ import annotations

import math
from typing import overload

import numpy as np

from funcnn.errors import check_count, check_range, describe
from funcnn.losses.weighted import Weighted
from funcnn.train.metrics.checks import Labels, Rows, Truth, answered, labelled, weight_unit
from funcnn.train.metrics.counting import (
    Average,
    Classes,
    averaged,
    check_average,
    counts,
    f_beta_parts,
    iou_parts,
    off_diagonal,
    precision_parts,
    recall_parts,
    specificity_parts,
    square_matrix,
    tally,
)
from funcnn.typing import Array, BoolArray, IntArray


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
    found = tally(prediction, target)
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
    matrix = square_matrix(prediction, target, threshold)
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
    matrix = square_matrix(prediction, target, threshold).astype(float)
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
    matrix = square_matrix(prediction, target, threshold).astype(float)
    left_open = _unequal(matrix.sum(1), matrix.sum(0))
    return 1 - _wrong(matrix) * float(matrix.sum()) / left_open if left_open else 0.0


def _wrong(matrix: Array) -> float:
    """Return the weight of the rows whose answer is not their label."""
    return float(off_diagonal(matrix).sum())


def _unequal(first: Array, second: Array) -> float:
    """Return the sum of the products of different classes: for equal weights, how many pairs are not of one class."""
    return float(off_diagonal(np.outer(first, second)).sum())
