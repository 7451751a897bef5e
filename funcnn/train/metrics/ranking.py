"""Metrics of an order: whether what is relevant has higher scores than what is not."""

from __future__ import annotations

import numpy as np
from attrs import frozen

from funcnn.errors import check_count, describe
from funcnn.losses.checks import check_finite, check_not_nan, check_pair, first, show
from funcnn.train.metrics.checks import (
    Labels,
    Rows,
    Truth,
    check_not_empty,
    check_real,
    entries_of,
    is_alike,
    labelled,
    ranked,
)
from funcnn.typing import Array, BoolArray


def roc_auc(prediction: Array, target: Labels | Truth) -> float:
    """Return the area under the receiver operating characteristic.

    It is the probability that a positive example has a higher score than a negative one, ties counted half (the rank sum of
    Mann and Whitney 1947, divided by the number of pairs).

    Parameters
    ----------
    prediction, target : array
        Scores, and 0 or 1, of one shape; or scores (n, ..., C) and labels (n, ...): then each class against all others, and the
        mean over the classes.

    Raises
    ------
    ValueError
        When there are only positive or only negative examples, of any class.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.metrics.roc_auc(np.array([0.1, 0.4, 0.4, 0.8]), np.array([0, 0, 1, 1]))
    0.875
    """
    if is_alike(prediction, target) or not _has_classes(prediction, target):
        return _area(ranked(prediction, target))
    rows = labelled(prediction, target)  # type: ignore[arg-type]  # they are labels then
    areas = []
    for index in range(rows.scores.shape[-1]):
        truth: BoolArray = rows.target == index
        if truth.all() or not truth.any():
            raise ValueError(
                f"a ranking needs positive and negative examples, class {index} has {int(truth.sum())} of {truth.size} labels"
            )
        areas.append(_area(Rows(rows.scores[:, index], truth, rows.weight)))
    return float(np.mean(areas))


def average_precision(prediction: Array, target: Truth) -> float:
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
    _, hits, others = _falling(ranked(prediction, target))
    return float((hits * np.cumsum(hits) / np.cumsum(hits + others)).sum() / hits.sum())


@frozen(eq=False)
class RocCurve:
    """The rates of false and of true positives as the threshold falls, from none to all."""

    false_positive_rate: Array
    true_positive_rate: Array
    thresholds: Array
    """A score of at least this says yes; the first is infinite."""


def roc_curve(prediction: Array, target: Truth) -> RocCurve:
    """Return the receiver operating characteristic: a point for each score that occurs, and one before.

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
    >>> curve = fn.metrics.roc_curve(np.array([0.1, 0.4, 0.4, 0.8]), np.array([0, 0, 1, 1]))
    >>> curve.false_positive_rate, curve.true_positive_rate
    (array([0. , 0. , 0.5, 1. ]), array([0. , 0.5, 1. , 1. ]))
    """
    thresholds, hits, others = _falling(ranked(prediction, target))
    false, true = (np.concatenate([[0.0], np.cumsum(x) / x.sum()]) for x in (others, hits))
    return RocCurve(false, true, np.concatenate([[np.inf], thresholds]))


@frozen(eq=False)
class PrecisionRecallCurve:
    """Precision and recall as the threshold falls, from no answer to all."""

    precision: Array
    recall: Array
    thresholds: Array
    """A score of at least this says yes; the first is infinite, where nothing is said and the precision counts as 1."""


def precision_recall_curve(prediction: Array, target: Truth) -> PrecisionRecallCurve:
    """Return precision and recall for each score that occurs as the threshold, and one before.

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
    >>> curve = fn.metrics.precision_recall_curve(np.array([0.9, 0.8, 0.7]), np.array([1, 0, 1]))
    >>> curve.precision.round(3), curve.recall
    (array([1.   , 1.   , 0.5  , 0.667]), array([0. , 0.5, 0.5, 1. ]))
    """
    thresholds, hits, others = _falling(ranked(prediction, target))
    found = np.cumsum(hits)
    precision = np.concatenate([[1.0], found / np.cumsum(hits + others)])
    return PrecisionRecallCurve(precision, np.concatenate([[0.0], found / found[-1]]), np.concatenate([[np.inf], thresholds]))


# ------------------------------------------------------------------------------------------------- an order for each query


def ndcg(prediction: Array, target: Array, k: int = 10) -> float:
    r"""Return the normalized discounted cumulative gain of the first k: how much of the relevance comes early.

    For each row $\sum_{i \le k} r_i / \log_2(i + 1)$ with the relevance $r_i$ of what has the i-th largest score, divided by the
    most that it could be; the mean over the rows.  Of equal scores the first come first.

    Parameters
    ----------
    prediction, target : array
        Scores and relevances of at least 0, (n, items).  Rows in which nothing is relevant are left out.
    k : int, optional
        How many of the first are looked at.

    Raises
    ------
    ValueError
        When a relevance is negative, or nothing is relevant at all.

    References
    ----------
    Jarvelin and Kekalainen (2002), Cumulated gain-based evaluation of IR techniques.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> round(fn.metrics.ndcg(np.array([[3.0, 2.0, 1.0]]), np.array([[0.0, 1.0, 0.0]])), 4)
    0.6309
    """
    k = check_count(k, "k")
    gains = _relevance(prediction, target)
    discount = 1 / np.log2(np.arange(2, min(k, gains.shape[1]) + 2))
    reached = (gains[:, :k] * discount).sum(1)
    best = (-np.sort(-gains, axis=1)[:, :k] * discount).sum(1)
    return float(np.mean(reached / best))


def mean_reciprocal_rank(prediction: Array, target: Array) -> float:
    """Return the mean of one over the place of the first that is relevant: see :func:`ndcg`.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.metrics.mean_reciprocal_rank(np.array([[3.0, 2.0], [3.0, 2.0]]), np.array([[0.0, 1.0], [1.0, 0.0]]))
    0.75
    """
    relevant = _relevance(prediction, target) > 0
    return float(np.mean(1 / (relevant.argmax(1) + 1)))


def hit_rate(prediction: Array, target: Array, k: int = 10) -> float:
    """Return the fraction of rows with something relevant among the first k: see :func:`ndcg`.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.metrics.hit_rate(np.array([[3.0, 2.0], [3.0, 2.0]]), np.array([[0.0, 1.0], [1.0, 0.0]]), k=1)
    0.5
    """
    k = check_count(k, "k")
    relevant = _relevance(prediction, target) > 0
    return float(np.mean(relevant[:, :k].any(1)))


def mean_average_precision(prediction: Array, target: Array) -> float:
    """Return the mean over the rows of the mean precision at each place that is relevant: see :func:`ndcg`.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> round(fn.metrics.mean_average_precision(np.array([[3.0, 2.0, 1.0]]), np.array([[1.0, 0.0, 1.0]])), 4)
    0.8333
    """
    relevant = _relevance(prediction, target) > 0
    precision = relevant.cumsum(1) / np.arange(1, relevant.shape[1] + 1)
    return float(np.mean((precision * relevant).sum(1) / relevant.sum(1)))


# ---------------------------------------------------------------------------------------------------------------- the parts


def _has_classes(prediction: object, target: Labels | Truth) -> bool:
    entries = entries_of(target)
    if not isinstance(prediction, np.ndarray) or not isinstance(entries, np.ndarray) or prediction.ndim < 2:
        return False
    return prediction.shape[-1] > 1 and bool(entries.shape == prediction.shape[:-1])


def _falling(rows: Rows[BoolArray]) -> tuple[Array, Array, Array]:
    """Return the scores that occur, falling, and the weights of the positive and the negative examples at each."""
    scores, place = np.unique(-rows.scores, return_inverse=True)
    weight = np.ones(rows.target.size) if rows.weight is None else rows.weight
    hits, others = (np.bincount(place.ravel(), weight * one, len(scores)).astype(float) for one in (rows.target, ~rows.target))
    return -scores, hits, others


def _area(rows: Rows[BoolArray]) -> float:
    _, hits, others = _falling(rows)
    below = others.sum() - np.cumsum(others)
    return float((hits * (below + others / 2)).sum() / (hits.sum() * others.sum()))


def _relevance(prediction: Array, target: Array) -> Array:
    """Return the relevances of each row in the order of falling scores, without the rows in which nothing is relevant."""
    wanted = check_pair(prediction, target, 2)
    check_real(prediction)
    check_not_empty(wanted)
    check_finite(wanted)
    check_not_nan(prediction)
    if prediction.ndim != 2:
        raise ValueError(f"the prediction is {describe(prediction)}, expected scores (n, items)")
    wrong = wanted < 0
    if wrong.any():
        row = first(wrong)
        raise ValueError(f"relevance {wanted[row]} at row {show(row)}, expected at least 0: are scores and relevances exchanged?")
    some = (wanted > 0).any(1)
    if not some.any():
        raise ValueError("nothing is relevant in any row: there is no order to be judged")
    order = np.argsort(-prediction[some], axis=1, kind="stable")
    gains: Array = np.take_along_axis(wanted[some].astype(float), order, 1)
    return gains
