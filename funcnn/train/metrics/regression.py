"""Metrics of numbers: how far predictions are from what was measured."""

from __future__ import annotations

import numpy as np

from funcnn.errors import check_range, describe
from funcnn.losses.checks import check_tuple, first, show
from funcnn.train.metrics.checks import Numbers, errors_of
from funcnn.typing import Array


def mean_absolute_error(prediction: Array, target: Numbers) -> float:
    """Return the mean over all entries of ``abs(prediction - target)``."""
    found = errors_of(prediction, target)
    return float(np.mean(found.mean(np.abs(found.left)) * found.unit))


def root_mean_squared_error(prediction: Array, target: Numbers) -> float:
    """Return the root of the mean over all entries of ``(prediction - target) ** 2``: an error in the target's own unit.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.metrics.root_mean_squared_error(np.array([[1.0], [5.0]]), np.array([[2.0], [-2.0]]))
    5.0
    """
    found = errors_of(prediction, target)
    largest = found.unit.max(initial=0) or 1
    return float(np.sqrt(np.mean(found.mean(np.square(found.left)) * np.square(found.unit / largest))) * largest)


def median_absolute_error(prediction: Array, target: Numbers) -> float:
    """Return the median over the examples of ``abs(prediction - target)``, the mean over the outputs.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.metrics.median_absolute_error(np.array([[1.0], [2.0], [90.0]]), np.array([[2.0], [4.0], [3.0]]))
    2.0
    """
    found = errors_of(prediction, target)
    found.check_unweighted("the median")
    return float(np.mean(np.median(np.abs(found.left), axis=0) * found.unit))


def max_error(prediction: Array, target: Numbers) -> float:
    """Return the largest ``abs(prediction - target)`` of all entries.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.metrics.max_error(np.array([[1.0], [5.0]]), np.array([[2.0], [-2.0]]))
    7.0
    """
    found = errors_of(prediction, target)
    return float((np.abs(found.left).max(0) * found.unit).max())


def mean_absolute_percentage_error(prediction: Array, target: Numbers) -> float:
    """Return the mean over all entries of ``abs(prediction - target) / abs(target)``: 0.1 is ten percent.

    Raises
    ------
    ValueError
        When a target is 0, of which no error is a part.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> round(fn.metrics.mean_absolute_percentage_error(np.array([[9.0], [6.0]]), np.array([[10.0], [4.0]])), 12)
    0.3
    """
    found = errors_of(prediction, target)
    zero = found.wanted == 0
    if zero.any():
        raise ValueError(f"target 0 at row {show(first(zero))}: an error relative to it has no value")
    return float(np.mean(found.mean(np.abs(found.left / found.wanted))))


def symmetric_mean_absolute_percentage_error(prediction: Array, target: Numbers) -> float:
    """Return the mean over all entries of ``2 abs(prediction - target) / (abs(prediction) + abs(target))``: from 0 to 2.

    An entry in which both are 0 counts as 0.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.metrics.symmetric_mean_absolute_percentage_error(np.array([[3.0], [0.0]]), np.array([[1.0], [0.0]]))
    0.5
    """
    found = errors_of(prediction, target)
    size, whole = np.abs(found.left), np.abs(found.predicted) + np.abs(found.wanted)
    ratio = np.divide(2 * size, whole, out=np.full(whole.shape, 2.0), where=np.isfinite(whole) & (whole > 0))
    ratio = np.where(whole == 0, 0, ratio)
    return float(np.mean(found.mean(ratio)))


def r2(prediction: Array, target: Numbers) -> float:
    """Return the coefficient of determination, the part of the target's variance that is explained; the mean over the outputs.

    1 for a perfect prediction, 0 for the target's mean, negative for what is worse.  An output whose target is constant counts
    as 1 if it is met exactly, and as 0 if not.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.metrics.r2(np.array([[1.0], [2.0], [4.0]]), np.array([[1.0], [2.0], [3.0]]))
    0.5
    """
    found = errors_of(prediction, target)
    left, wanted = found.left, found.wanted
    constant = wanted.min(0) == wanted.max(0)  # exactly: a mean is rounded, and what is left of the target would be its error
    centred = wanted - wanted[0]
    centred -= found.mean(centred)
    spread = np.where(constant, 1, np.abs(centred).max(0))
    weight = 1 if found.weight is None else found.weight
    with np.errstate(over="ignore"):
        ratio = (weight * np.square(left / spread)).sum(0) / np.where(constant, 1, (weight * np.square(centred / spread)).sum(0))
    met = (left == 0).all(0)
    return float(np.mean(np.where(constant, met, 1 - ratio)))


def explained_variance(prediction: Array, target: Numbers) -> float:
    """Return the part of the target's variance that is explained, a constant error left out; the mean over the outputs.

    As :func:`r2`, but for the mean of the errors, which costs nothing.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.metrics.explained_variance(np.array([[2.0], [3.0], [4.0]]), np.array([[1.0], [2.0], [3.0]]))
    1.0
    """
    found = errors_of(prediction, target)
    if not np.isfinite(found.left).all():
        return float("-inf")
    left, wanted = found.left - found.left[0], found.wanted - found.wanted[0]
    left, wanted = left - found.mean(left), wanted - found.mean(wanted)
    constant = found.wanted.min(0) == found.wanted.max(0)
    spread = np.where(constant, 1, np.abs(wanted).max(0))
    with np.errstate(over="ignore"):
        ratio = found.mean(np.square(left / spread)) / np.where(constant, 1, found.mean(np.square(wanted / spread)))
    met = (found.left == found.left[0]).all(0)
    return float(np.mean(np.where(constant, met, 1 - ratio)))


def pearson(prediction: Array, target: Numbers) -> float:
    """Return the correlation of prediction and target, from -1 to 1; the mean over the outputs.

    Raises
    ------
    ValueError
        When a prediction is infinite, or an output's prediction or target constant, of which there is no correlation.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> round(fn.metrics.pearson(np.array([[1.0], [2.0], [4.0]]), np.array([[2.0], [4.0], [8.0]])), 12)
    1.0
    """
    found = errors_of(prediction, target)
    return float(np.mean(_correlation(found.predicted, found.wanted, found.weight)))


def spearman(prediction: Array, target: Numbers) -> float:
    """Return the correlation of the ranks of prediction and target, equal numbers sharing theirs; the mean over the outputs.

    Raises
    ------
    ValueError
        When an output's prediction or target is constant, of which there is no correlation.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> round(fn.metrics.spearman(np.array([[1.0], [2.0], [40.0]]), np.array([[2.0], [3.0], [4.0]])), 12)
    1.0
    """
    found = errors_of(prediction, target)
    found.check_unweighted("a correlation of ranks")
    p, t = (np.stack([_ranks(column) for column in x.T], axis=1) for x in (found.predicted, found.wanted))
    return float(np.mean(_correlation(p, t, None)))


def pinball(prediction: Array, target: Numbers, quantile: float = 0.5) -> float:
    """Return the mean over all entries of the cost of a predicted quantile: too low costs q, too high 1 - q for each unit.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.metrics.pinball(np.array([[0.0], [4.0]]), np.array([[2.0], [2.0]]), quantile=0.75)
    1.0
    """
    quantile = check_range(quantile, "quantile", 0, 1, open_low=True, open_high=True)
    found = errors_of(prediction, target)
    cost = np.maximum((1 - quantile) * found.left, -quantile * found.left)
    return float(np.mean(found.mean(cost) * found.unit))


def interval_coverage(prediction: tuple[Array, Array], target: Numbers) -> float:
    """Return the fraction of entries that lie within predicted intervals.

    Parameters
    ----------
    prediction : tuple of two arrays
        The lower and the upper ends.
    target : array
        Of their shape.

    Raises
    ------
    ValueError
        When an upper end is below its lower one.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.metrics.interval_coverage((np.zeros((2, 1)), np.ones((2, 1))), np.array([[0.5], [1.5]]))
    0.5
    """
    low, high = check_tuple(prediction, ("low", "high"))
    above, below = errors_of(low, target), errors_of(high, target)
    wrong = low > high
    if wrong.any():
        row = first(wrong)
        raise ValueError(f"the interval at row {show(row)} is from {low[row]} to {high[row]}: the lower end comes first")
    return float(np.mean(above.mean((above.left <= 0) & (below.left >= 0))))


# ---------------------------------------------------------------------------------------------------------------- the parts


def _correlation(p: Array, t: Array, weight: Array | None) -> Array:
    """Return the correlation of each column."""
    if not np.isfinite(p).all():
        row = first(~np.isfinite(p))
        raise ValueError(f"the prediction is {p[row]} at row {show(row)}: of infinite numbers there is no correlation")
    share = np.full((len(p), 1), 1 / len(p)) if weight is None else weight / weight.sum()
    columns = []
    for name, x in (("prediction", p), ("target", t)):
        if (x.min(0) == x.max(0)).any():
            raise ValueError(f"the {name} is constant, {describe(x)}, and has no correlation with anything")
        centred = x - x[0]
        centred = centred - (share * centred).sum(0)
        columns.append(centred / np.abs(centred).max(0))
    a, b = columns
    both: Array = (share * a * b).sum(0) / np.sqrt((share * a * a).sum(0) * (share * b * b).sum(0))
    return np.clip(both, -1, 1)


def _ranks(x: Array) -> Array:
    """Return the rank of each number, from 1 on; equal ones share the middle of theirs."""
    _, place, ties = np.unique(x, return_inverse=True, return_counts=True)
    ranks: Array = (np.cumsum(ties) - (ties - 1) / 2)[place.ravel()]
    return ranks
