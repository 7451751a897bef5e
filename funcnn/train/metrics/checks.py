"""What every metric demands of its arguments, and the weights of a :class:`funcnn.Weighted` target."""

from __future__ import annotations

from typing import Any, Generic, TypeAlias, TypeVar

import numpy as np
from attrs import frozen

from funcnn.errors import describe
from funcnn.kernels.arrays import flatten_examples
from funcnn.losses.checks import (
    check_finite,
    check_labels,
    check_not_nan,
    check_pair,
    check_plain,
    check_prediction,
    first,
    is_array,
    show,
)
from funcnn.losses.reduction import check_weight, select, spread
from funcnn.losses.weighted import Weighted
from funcnn.typing import Array, BoolArray, IntArray

Labels: TypeAlias = IntArray | Weighted[IntArray]
"""Labels (n, ...), or labels with a weight for each."""

Truth: TypeAlias = Array | IntArray | BoolArray | Weighted[Array] | Weighted[IntArray] | Weighted[BoolArray]
"""Zeros and ones of the prediction's shape, or these with weights."""

Numbers: TypeAlias = Array | Weighted[Array]
"""Numbers of the prediction's shape, or these with a weight for each example."""

T = TypeVar("T")


@frozen(eq=False)
class Rows(Generic[T]):
    """Scores and targets in one row for each example that counts, and their weights, if there are any."""

    scores: Array
    target: T
    weight: Array | None  # in units in which no sum or product of them overflows or vanishes

    def share(self, values: Array | BoolArray) -> float:
        """Return the mean of one value for each row, by the weights."""
        if self.weight is None:
            return float(np.mean(values))
        return float((values * self.weight).sum() / self.weight.sum())


def labelled(prediction: Array, target: Labels) -> Rows[IntArray]:
    """Return scores (m, C) and labels (m,); raise unless there is a label, in range, for each row, and no score is NaN."""
    scores, entries, weight = _counted(prediction, target, 1)
    labels = check_labels(entries, scores)
    check_real(scores)
    check_not_empty(labels)
    check_not_nan(scores)
    wide = labels.ravel().astype(np.intp, copy=False)  # what is computed with labels may be far above the largest of them
    return Rows(scores.reshape(-1, scores.shape[-1]), wide, _flat(weight, labels))


def answered(prediction: Array, target: Truth) -> Rows[BoolArray]:
    """Return scores and truths of one shape; raise unless the target is 0 or 1, of the prediction's shape, and no score is NaN.

    The weights are of the same shape.
    """
    entries = entries_of(target)
    if is_array(prediction, "iub") and is_array(entries, "f"):
        raise TypeError(
            f"the prediction is {describe(prediction)} and the target {describe(entries)}: are they exchanged?  Scores come first"
        )
    check_prediction(prediction)
    check_real(prediction)
    check_plain(entries, "target")
    if not is_array(entries, "fiub"):
        raise TypeError(f"target is {describe(entries)}, expected an array of zeros and ones")
    if entries.shape != prediction.shape:
        raise ValueError(f"target has shape {entries.shape} and the prediction {prediction.shape}: reshape one of them")
    scores, wanted, weight = _counted(prediction, target, 0)
    check_not_empty(wanted)
    truth: BoolArray = wanted == 1
    if not (truth | (wanted == 0)).all():
        exchanged = ": are they exchanged?  Scores come first" if np.isin(scores, (0, 1)).all() else ""
        raise ValueError(f"a binary target is 0 or 1, got {wanted[~truth & (wanted != 0)][0]}{exchanged}")
    check_not_nan(scores)
    whole = None if weight is None else np.broadcast_to(spread(weight, scores.ndim), scores.shape)
    return Rows(scores, truth, whole)


def ranked(prediction: Array, target: Truth) -> Rows[BoolArray]:
    """Return the same in one row; raise when there are only positive or only negative examples."""
    rows = answered(prediction, target)
    truth = rows.target.ravel()
    if truth.all() or not truth.any():
        raise ValueError(f"a ranking needs positive and negative examples, got {int(truth.sum())} of {truth.size} positive")
    return Rows(rows.scores.ravel(), truth, None if rows.weight is None else rows.weight.ravel())


@frozen(eq=False)
class Errors:
    """Prediction minus target, prediction and target, (n, outputs), in units in which nothing overflows."""

    left: Array
    predicted: Array
    wanted: Array
    unit: Array  # of each output: powers of 2, so that nothing is rounded
    weight: Array | None  # (n, 1)

    def mean(self, values: Array | BoolArray) -> Array:
        """Return the mean over the examples of values (n, outputs), by the weights."""
        if self.weight is None:
            plain: Array = values.mean(0)
            return plain
        means: Array = (values * self.weight).sum(0) / self.weight.sum()
        return means

    def check_unweighted(self, what: str) -> None:
        """Raise unless all weights that are not 0 are equal: of a median or of ranks, others have no one meaning."""
        if self.weight is not None and (self.weight != self.weight[0]).any():
            raise ValueError(f"{what} takes no weights but 0 and one other, which leave rows out")


def errors_of(prediction: Array, target: Numbers) -> Errors:
    """Return the errors in double precision or better; raise unless both are finite numbers of one shape."""
    p, wanted, weight = _counted(prediction, target, None)
    wanted = check_pair(p, wanted)
    check_real(p)
    check_not_empty(wanted)
    check_finite(wanted)
    check_not_nan(p)
    p, t = (flatten_examples(x.astype(np.result_type(x.dtype, np.float64))) for x in (p, wanted))
    largest = np.maximum(np.abs(np.where(np.isinf(p), 0, p)).max(0), np.abs(t).max(0))
    unit: Array = np.ldexp(np.ones((), t.dtype), np.frexp(largest)[1] - 1)
    return Errors(p / unit - t / unit, p / unit, t / unit, unit, None if weight is None else weight[:, None])


def entries_of(target: Any) -> Any:
    """Return a target without its weights."""
    return target.target if isinstance(target, Weighted) else target


def is_alike(prediction: object, target: Any) -> bool:
    """Tell whether the target has the prediction's shape: answers of yes and no, and not labels of classes."""
    entries = entries_of(target)
    return isinstance(prediction, np.ndarray) and isinstance(entries, np.ndarray) and entries.shape == prediction.shape


def check_probabilities(scores: Array) -> None:
    """Raise unless scores are from 0 to 1."""
    wrong = (scores < 0) | (scores > 1)
    if wrong.any():
        row = first(wrong)
        raise ValueError(f"the prediction is {scores[row]} at row {show(row)}, expected probabilities, 0 to 1")


def check_real(prediction: Array) -> None:
    """Raise when a prediction is complex: losses continue analytically, and a score is a real number."""
    if prediction.dtype.kind == "c":
        raise TypeError(f"the prediction is {describe(prediction)}, and a metric is of real numbers: use .real")


def check_not_empty(target: Array | IntArray | BoolArray) -> None:
    """Raise when there is no example."""
    if not target.size:
        raise ValueError(f"a metric needs at least one example, the target has shape {target.shape}")


def _counted(prediction: Array, target: Any, features: int | None) -> tuple[Array, Any, Array | None]:
    """Return the rows that count, and their weights over :func:`weight_unit`; of a target without weights all, and None."""
    if not isinstance(target, Weighted):
        return prediction, target, None
    check_prediction(prediction)
    weight = check_weight(target.weight, prediction, features)
    entries = target.target
    check_plain(entries, "target")
    positive = weight > 0
    if not positive.any():
        raise ValueError("the weights are all 0: a metric needs at least one example")
    return select(prediction, positive), select(entries, positive), weight[positive] / weight_unit(weight)


def weight_unit(weight: Array | IntArray | BoolArray) -> Array:
    """Return the power of 2 next below the largest weight: division by it rounds nothing."""
    one = np.ones((), np.result_type(weight.dtype, np.float64))
    unit: Array = np.ldexp(one, np.frexp(weight.max() * one)[1] - 1)
    return unit


def _flat(weight: Array | None, labels: IntArray) -> Array | None:
    return None if weight is None else np.broadcast_to(spread(weight, labels.ndim), labels.shape).ravel()
