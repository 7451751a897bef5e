"""Sequences of unequal length: values padded to one length, with a mask of what is real."""

from __future__ import annotations

import numpy as np
from attrs import frozen

from funcnn.errors import describe
from funcnn.typing import Array, BoolArray


@frozen(eq=False)
class Masked:
    """A batch of sequences and which of their steps are real: a tree with two leaves.

    Layers that take masked sequences neither read nor write what lies in the padding: it leaks into no result, loss or gradient.
    The cotangent of a Masked is a Masked whose mask is None, since truth has no gradient.

    Parameters
    ----------
    values : array, shape (n, t, features)
        The sequences; what stands in the padding does not matter.
    mask : bool array, shape (n, t)
        True where a step is real.

    Raises
    ------
    TypeError, ValueError
        When the mask is not boolean, or its shape is not that of the values' first two axes.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.Masked(np.zeros((2, 3, 1)), np.array([[True, True, False], [True, True, True]])).mask.sum(1)
    array([2, 3])
    """

    values: Array
    mask: BoolArray

    def __attrs_post_init__(self) -> None:
        mask: object = self.mask
        if mask is None:  # a cotangent
            return
        if not isinstance(mask, np.ndarray) or mask.dtype.kind != "b":
            raise TypeError(f"a mask is an array of booleans, got {describe(mask)}")
        if self.values.shape[:2] != mask.shape:
            raise ValueError(f"the mask is {describe(mask)}, expected the first two axes of {describe(self.values)}")


def cleared(values: Array, mask: BoolArray) -> Array:
    """Return the values with 0 in the padding, whatever stood there."""
    return np.where(mask.reshape(*mask.shape, *(1,) * (values.ndim - 2)), values, values.dtype.type(0))
