"""Sequences of unequal length: values padded to one length, with a mask of what is real."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from attrs import frozen

from funcnn.errors import check_array, check_cotangent, check_kind, describe
from funcnn.typing import Array, BoolArray


@frozen(eq=False)
class Masked:
    """A batch of sequences and which of their steps are real: a tree with two leaves.

    Layers that take masked sequences neither read nor write what lies in the padding: it leaks into no result, loss or gradient.
    The cotangent of a Masked is a Masked whose mask is None, since booleans have no gradient.

    Parameters
    ----------
    values : array, shape (n, t, features)
        The sequences; what stands in the padding does not matter.
    mask : bool array, shape (n, t)
        True where a step is real.

    Raises
    ------
    TypeError, ValueError
        When the values are not an array; when the mask is not boolean, or its shape is not that of the values' first two axes.

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
            raise TypeError(f"the mask is {describe(mask)}, expected an array of booleans (n, t)")
        check_kind(self.values, "values", "an array (n, t, features)", "np.asarray(...)")
        if mask.ndim != 2 or self.values.shape[:2] != mask.shape:
            raise ValueError(f"the mask is {describe(mask)}, expected the first two axes of {describe(self.values)}")


def cleared(values: Array, mask: BoolArray) -> Array:
    """Return the values with 0 in the padding, whatever stood there."""
    return np.where(mask.reshape(*mask.shape, *(1,) * (values.ndim - 2)), values, values.dtype.type(0))


def cotangent_values(
    dy: object, mask: BoolArray | None, shape: tuple[int, ...], dtype: np.dtype[np.generic] | None = None
) -> Array:
    """Return the cotangent of a sequence's values, checked, with 0 in the padding; a mask says that the output is a Masked."""
    if mask is None:
        check_cotangent(dy, shape, dtype)
        return cast(Array, dy)
    values = masked_cotangent(dy)
    check_cotangent(values, shape, dtype)
    return cleared(values, mask)


def cotangent_of_masked(dvalues: Array) -> Masked:
    """Return the cotangent of a masked sequence: a mask has none."""
    return Masked(dvalues, cast(BoolArray, None))


def masked_cotangent(dy: object) -> Array:
    """Return the values of the cotangent of a masked sequence, or raise a TypeError when it is something else."""
    if not isinstance(dy, Masked):
        raise TypeError(f"the cotangent of the output (doutput) is {describe(dy)}, expected funcnn.Masked(values, None)")
    return dy.values


def check_sequence(x: object, masked: bool, what: str = "the input") -> tuple[Array, BoolArray | None]:
    """Return sequences (n, t, features), with 0 in the padding, and their mask or None: what layers of sequences take.

    Raises
    ------
    TypeError, ValueError
        When x is something else, or is masked where the layer was made for plain sequences, or the other way round.
    """
    mask = None
    values: Any = x  # whether it is an array is looked at below
    if masked:
        if not isinstance(x, Masked):
            raise TypeError(
                f"{what} is {describe(x)}, expected funcnn.Masked(values, mask), since the layer was made with masked=True"
            )
        values, mask = x.values, x.mask
    check_array(values, what, min_ndim=3)
    if values.ndim != 3:
        raise ValueError(f"{what} is {describe(values)}, expected (batch, time, features)")
    return values if mask is None else cleared(values, mask), mask


def check_steps(values: Array) -> None:
    """Raise unless sequences (n, t, features) have a step."""
    if not values.shape[1]:
        raise ValueError(f"the input is {describe(values)}, sequences of no steps (axis 1), expected at least one step")
