"""What every loss demands of its arguments, before any arithmetic.

On the way to a right answer each check is a comparison or two; the search for the row that is wrong begins when one is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np

from funcnn import tree
from funcnn.errors import check_kind, describe, is_plain, label_advice, refuse_dtype
from funcnn.losses.limits import row_totals
from funcnn.typing import Array, BoolArray, IntArray


def is_array(value: object, kinds: str) -> bool:
    """Tell whether a value is a plain array (see :func:`funcnn.errors.is_plain`) of one of these kinds of dtype."""
    return is_plain(value) and value.dtype.kind in kinds


def check_plain(value: object, what: str) -> None:
    """Raise when a value computes by rules of its own (a masked array, a matrix), or is a table that holds an array."""
    if isinstance(value, np.ndarray) or hasattr(value, "to_numpy"):
        check_kind(value, what, "an array")


def check_prediction(prediction: Array, min_ndim: int = 1, what: str = "the prediction") -> None:
    """Raise unless a prediction is a floating array with a batch axis (and a class axis, where two are asked for)."""
    if type(prediction) is not np.ndarray:
        check_kind(prediction, what, "a floating array")
    if prediction.dtype.char not in "fdgFDG":
        if prediction.dtype.kind not in "fV":  # half precision of other packages is of kind V
            raise TypeError(f"{what} is {describe(prediction)}, expected a floating array: use .astype(float)")
        refuse_dtype(prediction.dtype, what)
    if prediction.ndim < min_ndim:
        axes = "a batch axis" if min_ndim == 1 else f"at least {min_ndim} axes, the batch first"
        raise ValueError(f"{what} has shape {prediction.shape}, expected {axes}")


def check_pair(prediction: Array, target: Array, min_ndim: int = 1) -> Array:
    """Return the target in the prediction's precision; raise unless both are floating arrays of the very same shape."""
    if type(prediction) is np.ndarray and prediction.dtype.char in "fdg" and prediction.ndim >= min_ndim:
        if type(target) is np.ndarray and target.dtype is prediction.dtype and target.shape == prediction.shape:
            return target
    else:
        check_prediction(prediction, min_ndim)
    check_plain(target, "target")
    if not is_array(target, "f"):
        raise TypeError(f"target is {describe(target)}, expected a real floating array like the prediction{advice(target)}")
    if target.shape != prediction.shape:
        raise ValueError(
            f"target has shape {target.shape} and the prediction {prediction.shape}: a loss never broadcasts, reshape one of them"
        )
    return target.astype(prediction.real.dtype)


def check_label_array(labels: IntArray, prediction: Array) -> None:
    """Raise unless labels are integers, one for each row of a prediction (..., C)."""
    check_order(prediction, labels)
    check_prediction(prediction, 2)
    if not is_array(labels, "iu"):
        check_plain(labels, "labels")
        raise TypeError(f"labels are {describe(labels)}, expected an integer array{label_advice(labels)}")
    if labels.shape != prediction.shape[:-1]:
        raise ValueError(
            f"labels have shape {labels.shape}, expected {prediction.shape[:-1]}: one label for each row of a prediction of"
            f" shape {prediction.shape}, the last axis being the classes"
        )


def check_order(prediction: object, labels: object) -> None:
    """Raise when what stands in the place of the prediction are labels, and scores for them in the place of the labels."""
    if is_array(prediction, "iu") and is_array(labels, "f"):
        given, wanted = cast(Array, prediction), cast(Array, labels)
        if given.ndim and given.shape == wanted.shape[:-1]:
            raise TypeError(
                f"the prediction is {describe(given)} and the target {describe(wanted)}: are they exchanged?"
                " Predictions come first"
            )


def advice(target: object) -> str:
    """Return what to do to make numbers of a target, as the end of a message."""
    if is_array(target, "iub"):
        return ": use .astype(float)"
    return "" if isinstance(target, np.ndarray) else ": use np.asarray(..., dtype=float)"


def check_labels(labels: IntArray, prediction: Array) -> IntArray:
    """Return labels as signed integers; raise unless they are 0 to C - 1, one for each row of a prediction (..., C)."""
    check_label_array(labels, prediction)
    classes = prediction.shape[-1]
    if labels.size and not (labels.item(labels.argmin()) >= 0 and labels.item(labels.argmax()) < classes):
        row = first((labels < 0) | (labels >= classes))
        left_out = "; rows to leave out take the weight 0 in fn.Weighted(labels, weight)" if labels[row] < 0 else ""
        raise ValueError(f"label {labels[row]} at row {show(row)}, expected 0 to {classes - 1} ({classes} classes){left_out}")
    return labels if labels.dtype.kind == "i" else labels.astype(np.intp)


def check_between(target: Array, low: float, high: float, what: str) -> Array:
    """Return a real array; raise unless every number is in [low, high], where NaN is not.

    What a mean or a sum of such numbers, in their own precision, may be beyond an end by rounding is taken for the end.
    """
    if target.size and not (target.item(target.argmin()) >= low and target.item(target.argmax()) <= high):
        rounding = 16 * np.finfo(target.dtype).eps
        wrong = ~((target >= low - rounding) & (target <= high + rounding))
        if wrong.any():
            row = first(wrong)
            raise ValueError(f"{what} {target[row]} at row {show(row)}, expected {low:g} to {high:g}")
        return target.clip(low, high)
    return target


def check_above(x: Array, low: float, what: str) -> None:
    """Raise unless every number of an array is above a bound; NaN is passed (the loss will be NaN)."""
    wrong = x.real <= low
    if wrong.any():
        row = first(wrong)
        raise ValueError(f"{what} {x[row]} at row {show(row)}, expected above {low:g}")


def check_signs(target: Array) -> None:
    """Raise unless every number of a real array is -1 or 1."""
    wrong = np.abs(target) != 1
    if wrong.any():
        row = first(wrong)
        raise ValueError(f"target {target[row]} at row {show(row)}, expected -1 or 1")


def check_tuple(prediction: tuple[Array, ...], names: tuple[str, ...], min_ndim: int = 1) -> tuple[Array, ...]:
    """Return a prediction of several arrays; raise unless it is as many floating ones, of one shape and precision."""
    if type(prediction) is not tuple or len(prediction) != len(names):
        raise TypeError(f"the prediction is {describe(prediction)}, expected a tuple ({', '.join(names)}) of arrays")
    for name, array in zip(names, prediction, strict=True):
        check_prediction(array, min_ndim, f"the prediction's {name}")
        if array.shape != prediction[0].shape or array.dtype.type is not prediction[0].dtype.type:
            raise ValueError(
                f"the prediction's {name} is {describe(array)} and its {names[0]} {describe(prediction[0])}: they must be alike"
            )
    return prediction


def check_no_target(target: tuple[()]) -> None:
    """Raise unless the target is the empty tuple."""
    if type(target) is not tuple or target:
        raise TypeError(f"target is {describe(target)}, expected (): this loss takes none")


def check_probabilities(target: Array) -> Array:
    """Return a real array (..., C); raise unless its rows are non-negative and sum to 1, to the square root of its precision."""
    target = check_between(target, 0, np.inf, "probability")
    sums = row_totals(target)
    wrong = ~(np.abs(sums - 1) <= np.sqrt(np.finfo(target.dtype).eps))
    if wrong.any():
        row = first(wrong)
        raise ValueError(f"the probabilities at row {show(row)} sum to {sums[row]}, expected 1")
    return target


def check_finite(target: object) -> None:
    """Raise a ValueError with the first row of a target that holds NaN or infinity; called when a loss is not finite."""
    for path, leaf in tree.walk(target):
        if leaf.dtype.kind == "f" and not np.isfinite(leaf).all():
            row = first(~np.isfinite(leaf))
            raise ValueError(f"target{path} holds {leaf[row]} at row {show(row)}")


def check_not_nan(scores: Array | IntArray, what: str = "the prediction") -> None:
    """Raise when a score is NaN, before the largest one, or a side of a threshold, is taken for an answer."""
    wrong = np.isnan(scores)
    if wrong.any():
        raise ValueError(
            f"{what} is nan at row {show(first(wrong))} ({np.count_nonzero(wrong)} such numbers): NaN is neither the largest nor"
            " the least, and neither right nor wrong"
        )


def first(wrong: BoolArray) -> tuple[int, ...]:
    """Return the index of the first True."""
    return tuple(int(axis) for axis in np.argwhere(wrong)[0])


def show(row: tuple[int, ...]) -> str:
    """Write an index the short way when it has one axis."""
    return str(row[0]) if len(row) == 1 else str(list(row))


def positive_numbers(
    value: float | Sequence[float], what: str, *, zero: bool = False, below: float = np.inf
) -> float | tuple[float, ...]:
    """Return one number as a float, or several as a tuple (which compare and pickle); raise unless they are positive."""
    check_plain(value, what)
    numbers = np.asarray(value)
    if numbers.dtype.kind not in "iuf" or numbers.ndim > 1:
        raise TypeError(f"{what} is {value!r}, expected a number or a sequence of numbers")
    if not numbers.size or not ((numbers < below) & ((numbers > 0) | (zero & (numbers == 0)))).all():
        least = "at least 0" if zero else "above 0"
        most = "finite" if below == np.inf else f"below {below:g}"
        raise ValueError(f"{what} is {value!r}, expected {least} and {most}")
    return float(numbers) if numbers.ndim == 0 else tuple(float(number) for number in numbers)
