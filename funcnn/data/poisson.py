"""Batches in which each row is by chance, independently of the others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import numpy as np

from funcnn.data.dataset import count, take
from funcnn.errors import check_count, check_range, shown
from funcnn.key import Key

D = TypeVar("D")


def poisson_batches(key: Key, data: D, sampling_rate: float, steps: int) -> Iterator[D]:
    """Return an iterator over batches in which each row is with a probability, independently: Poisson sampling.

    It is what the accounts of private training presume (:func:`funcnn.sampled_gaussian_rdp`): sizes vary, and a batch may be
    empty.

    Parameters
    ----------
    key : Key
    data : Dataset or tree of arrays
        One example per row: the arrays agree in the length of axis 0.
    sampling_rate : float
        The probability, from 0 to 1.
    steps : int
        How many batches.

    Returns
    -------
    iterator
        Of the same type as the data; the rows of a batch keep their order.

    Raises
    ------
    TypeError, ValueError
        At once, when the arrays differ in length or an argument is out of its range.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> [len(x) for x in fn.data.poisson_batches(fn.Key(0), np.arange(100), 0.1, 4)]
    [8, 8, 8, 7]

    See Also
    --------
    batches : of equal sizes, each row once in a pass.
    """
    if not isinstance(key, Key):
        raise TypeError(f"key is {shown(key)}, expected a Key such as fn.Key(0)")
    rows, steps = count(data), check_count(steps, "steps", least=0)
    return _draws(key, data, rows, check_range(sampling_rate, "sampling_rate", 0, 1), steps)


def _draws(key: Key, data: D, rows: int, rate: float, steps: int) -> Iterator[D]:
    for step in range(steps):
        yield take(data, np.flatnonzero(key.child(step).generator().random(rows) < rate))
