"""What a network is run for: training or evaluation."""

from __future__ import annotations

from typing import NoReturn, TypeAlias, TypeVar

import numpy as np
from attrs import frozen

from funcnn.errors import check_flag, shown
from funcnn.key import Key, check_key
from funcnn.typing import Shape

V = TypeVar("V")  # a number or an array


@frozen
class Train:
    """Training mode: batch statistics are used and updated, dropout drops.  The key makes it reproducible.

    What a layer needs to know of the batch beyond its own examples it asks the mode, because the layer may be given a part of the
    batch only (:func:`funcnn.shard`): then sums run over all parts, and random numbers are those that the whole batch would
    get.
    """

    key: Key

    def __attrs_post_init__(self) -> None:
        if type(self.key) is not Key:
            check_key(self.key)

    def child(self, index: int) -> Train:
        """Return the mode for a layer's part, with a key of its own."""
        return Train(self.key.child(index))

    def all_reduce_sum(self, value: V) -> V:
        """Return the sum of a number or an array over all parts of the batch: here there is one."""
        return value

    def row_offset(self, rows: int) -> int:
        """Return which row of the whole batch is the first of these ``rows``."""
        return 0

    total, before = all_reduce_sum, row_offset  # the names of version 0.1, for layers written for it

    def uniform(self, shape: Shape) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        """Draw numbers from [0, 1), of which those of an example depend on its place in the whole batch."""
        return self.key.generator().random(shape, dtype=np.float32)

    def normal(self, shape: Shape) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        """Draw standard normal numbers, of which those of an example depend on its place in the whole batch."""
        return self.key.generator().standard_normal(shape, dtype=np.float32)


@frozen
class Eval:
    """Evaluation mode: running statistics, no dropout.

    Parameters
    ----------
    residuals : bool
        Whether ``forward`` keeps what ``backward`` needs.  :func:`funcnn.apply` says no: a chain then frees every
        intermediate value as soon as it has been used.
    """

    residuals: bool = True

    def __attrs_post_init__(self) -> None:
        if type(self.residuals) is not bool:
            object.__setattr__(self, "residuals", check_flag(self.residuals, "residuals"))


Mode: TypeAlias = Train | Eval


def keeps_residuals(mode: object) -> bool:
    """Tell whether backward may be called after a forward in a mode of evaluation; raise when it is no mode."""
    return mode.residuals if isinstance(mode, Eval) else refuse_mode(mode)


def refuse_mode(mode: object) -> NoReturn:
    """Raise because something else stands in the place of a mode."""
    raise TypeError(f"the mode is {shown(mode)}, expected fn.Train(key) or fn.Eval()")
