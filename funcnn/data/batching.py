"""Batches: rows of data in the order that a key gives, a few at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import numpy as np

from funcnn.data.dataset import Dataset, arrays, count, has_rows, take
from funcnn.errors import check_count, check_flag, shown
from funcnn.key import Key
from funcnn.runtime.treedef import flatten
from funcnn.typing import Array, IntArray

D = TypeVar("D")

_AT_ONCE = 1 << 19  # bytes: small batches are copied several at a time, which costs less than one by one


def batch_count(rows: int, batch_size: int, *, drop_last: bool = False) -> int:
    """Return how many batches :func:`batches` gives.

    Parameters
    ----------
    rows : int
        Rows of the data, at least 0.
    batch_size : int
        Rows of a batch, at least 1.
    drop_last : bool, optional
        Whether a last batch that would be smaller than the others is left out.

    Raises
    ------
    TypeError, ValueError
        When a number is not such an integer, or ``drop_last`` is neither True nor False.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.data.batch_count(10, 4), fn.data.batch_count(10, 4, drop_last=True)
    (3, 2)
    """
    rows, batch_size = check_count(rows, "rows", 0), check_count(batch_size, "batch_size")
    return rows // batch_size if check_flag(drop_last, "drop_last") else -(-rows // batch_size)


def batches(key: Key | None, data: D, batch_size: int, *, drop_last: bool = False) -> Iterator[D]:
    """Return an iterator over the batches of one pass through the data; they are copied as they are asked for.

    Parameters
    ----------
    key : Key or None
        Gives the order of the rows; None leaves them in theirs.
    data : Dataset, tree of arrays, or Rows
        One example per row: the arrays agree in the length of axis 0.  :class:`Rows`, which are read batch by batch, may also be
        entries of a tuple; :func:`prefetch` has a thread read ahead.
    batch_size : int
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
    TypeError
        At once, when ``batch_size`` is not an integer, ``drop_last`` neither True nor False, or ``key`` is not a Key.

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
    batch_size, drop_last = check_count(batch_size, "batch_size"), check_flag(drop_last, "drop_last")
    if batch_size > rows:
        raise ValueError(f"batch_size is {batch_size} and the data have {rows} rows: a batch is at most all of them")
    if key is not None and not isinstance(key, Key):
        raise TypeError(f"key is {shown(key)}, expected a Key such as fn.Key(0), or None to keep the order of the rows")
    order = np.arange(rows) if key is None else key.generator().permutation(rows)
    stop = rows - rows % batch_size if drop_last else rows
    return _copies(data, order[:stop], batch_size)


def _copies(data: D, order: IntArray, size: int) -> Iterator[D]:
    row = sum(leaf.nbytes // len(leaf) for leaf in arrays(data))
    several = 1 if isinstance(data, Dataset) or has_rows(data) else max(1, _AT_ONCE // max(1, row * size))
    for first in range(0, len(order), size * several):
        rows = order[first : first + size * several]
        copied = take(data, rows)
        if len(rows) <= size:
            yield copied
            continue
        full = len(rows) // size
        structure, leaves = flatten(copied)
        yield from map(structure.rebuild, zip(*[_cut(leaf, full, size) for leaf in leaves], strict=True))
        if full * size < len(rows):
            yield structure.rebuild([leaf[full * size :] for leaf in leaves])


def _cut(leaf: Array, count: int, size: int) -> Array:
    """Return the first rows as an array of so many batches, of which it is an iterable."""
    return leaf[: count * size].reshape(count, size, *leaf.shape[1:])
