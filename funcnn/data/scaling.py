r"""Column by column: standardizing, and scaling into an interval.

Each is a pair: a fit on training data, and a frozen record with ``transform`` and ``inverse``.  The record is a tree of arrays:
``fn.save`` keeps it beside the parameters.  Columns that do not vary in the training data have no scale: they are only shifted.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from attrs import frozen

from funcnn.data.former import FORMER
from funcnn.errors import check_array, check_finite, check_range, describe
from funcnn.runtime.former_names import former_names
from funcnn.tree import freeze
from funcnn.typing import Array, Shape

_BLOCK = 1 << 16  # numbers, of which a double-precision copy is made at a time


@frozen(eq=False)
class Standardize:
    """Subtracts the mean of the training data and divides by its standard deviation; see :func:`fit_standardize`."""

    mean: Array  # (...)
    rest: Array  # (...), of the true mean, what its precision does not hold: much, for columns that vary in their last digits
    scale: Array  # (...), the standard deviation, 1 for constant columns

    def transform(self, x: Array) -> Array:
        """Return ``(x - mean - rest) / scale``, in the precision of x."""
        _check_columns(x, self.mean.shape)
        y: Array = x - self.mean.astype(x.dtype)
        y -= self.rest.astype(x.dtype)
        y /= self.scale.astype(x.dtype)
        return y

    def inverse(self, y: Array) -> Array:
        """Return ``y * scale + rest + mean``: what :meth:`transform` was given."""
        _check_columns(y, self.mean.shape)
        x: Array = y * self.scale.astype(y.dtype)
        x += self.rest.astype(y.dtype)
        x += self.mean.astype(y.dtype)
        return x


@frozen(eq=False)
class MinMax:
    """Maps the range of the training data onto an interval; see :func:`fit_min_max`."""

    minimum: Array  # (...)
    span: Array  # (...), maximum - minimum, 1 for constant columns
    interval: Array  # (2,), low and high

    def transform(self, x: Array) -> Array:
        """Return ``(1 - p) * low + p * high`` with ``p = (x - minimum) / span``, in the precision of x."""
        _check_columns(x, self.minimum.shape)
        low, high = self.interval.astype(x.dtype)
        part: Array = x - self.minimum.astype(x.dtype)
        part /= self.span.astype(x.dtype)
        y: Array = (1 - part) * low  # and not low + part (high - low), which misses the upper end by rounding
        part *= high
        y += part
        return y

    def inverse(self, y: Array) -> Array:
        """Return what :meth:`transform` was given."""
        _check_columns(y, self.minimum.shape)
        low, high = self.interval.astype(y.dtype)
        x: Array = y - low
        x *= self.span.astype(y.dtype) / (high - low)
        x += self.minimum.astype(y.dtype)
        return x


def fit_standardize(x: Array) -> Standardize:
    r"""Fit the standardization of each column, $(x - \mu)/\sigma$.

    $\mu$ is the mean over axis 0 and $\sigma^2$ the mean of $(x - \mu)^2$, both accumulated in double precision or better.  A
    column that varies in its last digits only has a mean between the numbers that its precision holds: ``rest`` keeps the
    difference.

    Parameters
    ----------
    x : array (n, ...)
        Training data, floating and finite.

    Returns
    -------
    Standardize
        Constant columns get the scale 1: they become 0.

    Raises
    ------
    TypeError, ValueError
        When x is not floating, is empty, or holds NaN or infinity (named by row and column), or a column's range is infinite.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fitted = fn.data.fit_standardize(np.array([[1.0, 5.0], [3.0, 5.0]]))
    >>> fitted.transform(np.array([[1.0, 5.0], [5.0, 6.0]]))
    array([[-1.,  0.], [ 3.,  1.]])
    """
    check_rows(x)
    low, high = x.min(0), x.max(0)
    constant = low == high  # exactly: roundoff in the mean would leave a scale of 1e-17
    mean = np.where(constant, low, column_mean(x).astype(x.dtype))
    with np.errstate(over="ignore"):
        spread = np.maximum(high - mean, mean - low)
    check_finite(spread, "the range of the columns, from the mean,")
    wide = np.result_type(x.dtype, np.float64)
    unit = np.where(spread == 0, 1, spread).astype(wide)  # in which no square overflows or vanishes
    rest, square = np.zeros_like(unit), np.zeros_like(unit)
    for block in blocks(x, wide):
        rest += ((block - mean) / unit).sum(0)
    rest /= len(x)
    for block in blocks(x, wide):
        square += np.square((block - mean) / unit - rest).sum(0)
    with np.errstate(under="ignore"):
        scale = (np.sqrt(square / len(x)) * unit).astype(x.dtype)
        rest = (rest * unit).astype(x.dtype)
    scale[constant | (scale == 0)] = 1  # 0: less than the smallest number
    return freeze(Standardize(mean, rest, scale))


def fit_min_max(x: Array, low: float = 0.0, high: float = 1.0) -> MinMax:
    """Fit the map of each column's range onto an interval.

    Parameters
    ----------
    x : array (n, ...)
        Training data, floating and finite.
    low, high : float, optional
        Ends of the interval.

    Returns
    -------
    MinMax
        Constant columns become ``low``.  Data outside the training range leave the interval; they are not clipped.

    Raises
    ------
    TypeError, ValueError
        When x is not floating, is empty, or holds NaN or infinity (named by row and column), or low is not below high.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fitted = fn.data.fit_min_max(np.array([[1.0], [3.0]]), -1, 1)
    >>> fitted.transform(np.array([[1.0], [2.0], [3.0]])).ravel()
    array([-1.,  0.,  1.])
    """
    check_rows(x)
    low, high = check_range(low, "low", -np.inf, np.inf), check_range(high, "high", -np.inf, np.inf)
    with np.errstate(over="ignore"):
        interval = np.array([low, high], x.dtype)
        if not -np.inf < low < high < np.inf or not 0 < interval[1] - interval[0] < np.inf:
            raise ValueError(
                f"the interval is [{low}, {high}], expected finite numbers with low < high, unlike and of a finite difference in"
                f" {x.dtype}"
            )
    minimum = x.min(0)
    with np.errstate(over="ignore"):
        span = x.max(0) - minimum
    check_finite(span, "the range of the columns (maximum - minimum)")
    return freeze(MinMax(minimum, np.where(span == 0, 1, span).astype(x.dtype), interval))


def check_rows(x: Array) -> None:
    """Raise unless x is training data: floating (n, ...), not empty, finite."""
    check_array(x, "x")
    if x.dtype.kind != "f":
        raise TypeError(f"x has dtype {x.dtype}, expected a real floating one")
    if len(x) == 0:
        raise ValueError("x has no rows: there is nothing to fit")
    check_finite(x, "x")


def _check_columns(x: Array, shape: Shape) -> None:
    check_array(x, "x")
    if x.shape[1:] != shape:
        raise ValueError(f"x is {describe(x)}, expected rows of shape {shape} as in the data that were fitted")


def column_mean(x: Array) -> Array:
    """Return the mean over axis 0, accumulated in double precision or better."""
    kind = np.result_type(x.dtype, np.float64)
    unit = np.ldexp(np.ones((), kind), np.frexp(np.abs(x).max(0))[1] - 1)  # powers of 2, in which no sum overflows
    mean: Array = np.zeros(x.shape[1:], kind)
    for _ in range(2):  # the second time adds the mean of x - mean: what rounding left in the first
        rest = np.zeros_like(mean)
        for block in blocks(x, kind):
            rest += (block / unit - mean).sum(0)
        mean += rest / len(x)
    mean *= unit
    return mean


def blocks(x: Array, kind: np.dtype[np.floating]) -> Iterator[Array]:
    """Yield the rows of x in another precision, a few at a time: no second copy of the data is ever held."""
    step = max(1, _BLOCK // max(1, x[0].size))
    for first in range(0, len(x), step):
        yield x[first : first + step].astype(kind)


if not TYPE_CHECKING:  # for a type checker every name would be there
    __getattr__ = former_names(__name__, FORMER)
