"""Splits by time: what comes later is tested on, as it will be when the network is used."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TypeVar

import numpy as np

from funcnn.data.dataset import Split, count, select
from funcnn.data.tables.columns import DateArray
from funcnn.errors import check_count, check_range, describe, is_plain
from funcnn.typing import Array, IntArray

D = TypeVar("D")


def time_split(data: D, times: Array | IntArray | DateArray | None = None, test: float = 0.25, *, gap: int = 0) -> Split[D]:
    """Split the rows into earlier ones to learn from, and the last ones to test on; nothing is drawn.

    Rows of one time stay together: a test set begins with a time that the training set does not have.

    Parameters
    ----------
    data : Dataset, Table or tree of arrays
    times : array (n,), optional
        Numbers or dates of the rows, in any order; by default the rows are in order.
    test : float, optional
        Share of the test set, in (0, 1).
    gap : int, optional
        Rows between the two sets that are in neither, such as those whose features look at what is predicted.

    Returns
    -------
    Split
        ``train`` and ``test``, each of the type of the data, with the rows in order of time.

    Raises
    ------
    TypeError, ValueError
        When times are neither numbers nor dates, missing somewhere, or a set would be empty.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> years = np.array([2021, 2019, 2022, 2020])
    >>> parts = fn.data.time_split(years, years)
    >>> parts.train.tolist(), parts.test.tolist()
    ([2019, 2020, 2021], [2022])
    """
    rows = count(data)
    test = check_range(test, "the share of the test set", 0, 1, open_low=True, open_high=True)
    gap = check_count(gap, "gap", least=0)
    order, begins = _in_order(times, rows)
    begin = _nearest(begins, rows - round(rows * test))
    return _parted(data, order, begin, rows, gap)


def time_series_split(
    data: D, times: Array | IntArray | DateArray | None = None, folds: int = 5, *, gap: int = 0
) -> Iterator[Split[D]]:
    """Return an iterator over k splits, each of which tests on the rows that follow those it learns from.

    The rows in order of time are cut into k + 1 pieces; each split tests on one of the last k, and learns from all before it.

    Parameters
    ----------
    data : Dataset, Table or tree of arrays
    times : array (n,), optional
        Numbers or dates of the rows, in any order; by default the rows are in order.  Rows of one time stay together.
    folds : int, optional
        From 1 to one less than the number of rows.
    gap : int, optional
        Rows before each test set that are not learned from.

    Returns
    -------
    iterator of Split

    Raises
    ------
    TypeError, ValueError
        When times are neither numbers nor dates, missing somewhere, or a set would be empty.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> [(len(fold.train), len(fold.test)) for fold in fn.data.time_series_split(np.arange(10), folds=4)]
    [(2, 2), (4, 2), (6, 2), (8, 2)]
    """
    rows = count(data)
    folds, gap = check_count(folds, "the number of folds"), check_count(gap, "gap", least=0)
    if folds >= rows:
        raise ValueError(f"{folds} folds of {rows} rows: each needs rows before it, so that there are {rows - 1} at most")
    order, begins = _in_order(times, rows)
    first = rows - folds * (rows // (folds + 1))
    cuts = [*(_nearest(begins, first + one * (rows // (folds + 1))) for one in range(folds)), rows]
    parts = list(pairwise(cuts))
    for begin, end in parts:  # before the first split is asked for
        _check(begin, end, gap, rows)
    return (_parted(data, order, begin, end, gap) for begin, end in parts)


def _in_order(times: Array | IntArray | DateArray | None, rows: int) -> tuple[IntArray, IntArray]:
    """Return the rows in order of time, and the places where a time begins."""
    if times is None:
        return np.arange(rows), np.arange(rows)
    given: object = times
    if not is_plain(given) or given.dtype.kind not in "iufM" or given.ndim != 1:
        raise TypeError(f"times is {describe(given)}, expected an array (n,) of numbers or dates")
    if len(times) != rows:
        raise ValueError(f"{len(times)} times for {rows} rows: each row needs one")
    missing = np.flatnonzero(times != times)
    if missing.size:
        raise ValueError(f"times[{missing[0]}] is {times[missing[0]]} ({missing.size} such rows): when was that?")
    order = np.argsort(times, kind="stable")
    ordered = times[order]
    return order, np.concatenate([[0], np.flatnonzero(ordered[1:] != ordered[:-1]) + 1])


def _nearest(begins: IntArray, place: int) -> int:
    """Return the beginning of a time that is nearest to a place."""
    return int(begins[np.abs(begins - place).argmin()])


def _check(begin: int, end: int, gap: int, rows: int) -> None:
    if begin - gap < 1 or end <= begin:
        raise ValueError(
            f"a split of {rows} rows learns from {max(0, begin - gap)} and tests on {end - begin}, expected at least one each:"
            f" other shares, fewer folds{', a smaller gap' * (gap > 0)}, or times that tell more rows apart"
        )


def _parted(data: D, order: IntArray, begin: int, end: int, gap: int) -> Split[D]:
    _check(begin, end, gap, len(order))
    return Split(select(data, order[: begin - gap]), select(data, order[begin:end]))
