"""Batches: rows of data in the order that a key gives, a few at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import numpy as np

from funcnn.data.dataset import count, take
from funcnn.errors import check_count
from funcnn.key import Key

D = TypeVar("D")


def batch_count(rows: int, size: int, *, drop_last: bool = False) -> int:
    """Return how many batches :func:`batches` gives.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.data.batch_count(10, 4), fn.data.batch_count(10, 4, drop_last=True)
    (3, 2)
    """
    return rows // size if drop_last else -(-rows // size)


def batches(key: Key | None, data: D, size: int, *, drop_last: bool = False) -> Iterator[D]:
    """Return an iterator over the batches of one pass through the data; a batch is copied when it is asked for.

    Parameters
    ----------
    key : Key or None
        Gives the order of the rows; None leaves them in theirs.
    data : Dataset or tree of arrays
        One example per row: the arrays agree in the length of axis 0.
    size : int
        Rows of a batch, from 1 to the number of rows.
    drop_last : bool, optional
        Whether the last batch is left out when it would be smaller than the others; by default it is kept.

    Returns
    -------
    iterator
        Of the same type as the data: tuples for tuples, a Dataset for a Dataset.

    Raises
    ------
    ValueError
        At once, when the arrays differ in length or a batch is larger than the data.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> for x, y in fn.data.batches(fn.Key(0), (np.zeros((5, 2)), np.arange(5)), 2):
    ...     print(x.shape, y.shape)
    (2, 2) (2,)
    (2, 2) (2,)
    (1, 2) (1,)
    """
    rows = count(data)
    check_count(size, "the batch size")
    if size > rows:
        raise ValueError(f"the batch size is {size} and the data have {rows} rows: a batch is at most all of them")
    if key is not None and not isinstance(key, Key):
        raise TypeError(f"key is {key!r}, expected a Key such as fn.Key(0), or None to keep the order of the rows")
    order = np.arange(rows) if key is None else key.generator().permutation(rows)
    stop = rows - rows % size if drop_last else rows
    return (take(data, order[first : first + size]) for first in range(0, stop, size))
