"""How an update of a small tree notices that squares of its gradients are too large to be summed, at next to no cost."""

from __future__ import annotations

import math

import numpy as np
from attrs import frozen

from funcnn.optim.norms import room_of

SHORT = 1 << 14  # numbers up to which the largest one is found sooner than a sum of squares


@frozen(eq=False)
class Watch:
    """What to look at; what is done when it is too large says :func:`norms.bounded`.

    The ordinary update shall not take longer for it.  Where a result is at least the squares, its largest number is looked up,
    which is in the processor's cache still, and the rule is run again if that is too large.
    """

    share: float
    place: int  # of that result; 0: the gradients are looked through before the rule is run
    limit: float  # for its largest number


def watched(dtype: np.dtype[np.floating], size: int, share: float | None, squares: tuple[int, float] | None) -> Watch | None:
    """Return what to look at in updates of a vector, if there is anything.

    Parameters
    ----------
    dtype : dtype
    size : int
    share : float or None
        See :func:`norms.bounded`; None: the rule sums no squares.
    squares : (int, float) or None
        The place of a result of the rule that is at least a multiple of the gradients' squares, and that multiple.
    """
    if share is None or not size or room_of(dtype) == math.inf:
        return None
    if squares is None or size > SHORT:
        return Watch(share, 0, math.inf)
    place, multiple = squares
    return Watch(share, place, 0.5 * multiple * room_of(dtype) * share)  # half: all rounding is less
