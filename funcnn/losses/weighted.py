"""A target with a weight for each example: how every loss takes sample weights and masks."""

from __future__ import annotations

from typing import Generic, TypeVar

from attrs import frozen

from funcnn.typing import Array, BoolArray, IntArray

T_co = TypeVar("T_co", covariant=True)


@frozen(eq=False)
class Weighted(Generic[T_co]):
    """A target and how much each example of it counts.

    Every loss takes one in place of its plain target.  With reduction ``"mean"`` the value is ``sum(w * l) / sum(w)`` over the
    losses l of the single examples: a weight of 2 equals the same row twice, and a weight of 0 a row that is not there.  What
    stands in a row of weight 0 is never looked at, neither its prediction (be it NaN) nor its target (be it no label at all),
    and its gradient is exactly 0.

    Parameters
    ----------
    target : array or tree of arrays
        What the loss would take alone; ``()`` for a loss that takes no target.
    weight : array
        At least 0; integers and booleans (masks) will do.  Its shape is the leading part of the losses' shape, at least the
        batch axis: for a loss of each entry of a prediction (n, t, d) it may be (n,), (n, t) or (n, t, d); for a loss of each
        row, (n,) or (n, t).  A weight counts for all the losses under it.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> loss, prediction, target = fn.mean_squared_error(), np.array([[1.0], [2.0], [9.0]]), np.zeros((3, 1))
    >>> loss.forward(prediction, target).value
    np.float64(28.666666666666668)
    >>> loss.forward(prediction, fn.Weighted(target, np.array([1, 1, 0]))).value
    np.float64(2.5)
    """

    target: T_co
    weight: Array | IntArray | BoolArray
