"""Splits by group: rows of one person, machine or document are all learned from, or all tested on.

Rows of a group resemble one another more than those of others; were they on both sides, the test would ask what was learned by
heart.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import numpy as np

from funcnn.data.dataset import Split, count, select
from funcnn.errors import check_count, check_range, describe, is_plain
from funcnn.key import Key, check_key
from funcnn.typing import IntArray

D = TypeVar("D")


def group_split(key: Key, data: D, groups: IntArray, test: float = 0.25) -> Split[D]:
    """Split the rows at random into a training and a test set, with whole groups on either side.

    Groups are taken in the order that the key gives as long as each brings the test set closer to its share; so large groups may
    make it smaller or larger than asked.

    Parameters
    ----------
    key : Key
    data : Dataset, Table or tree of arrays
    groups : array (n,)
        Of which group each row is: any integers or texts, of at least two groups.
    test : float, optional
        Share of the test set, in (0, 1).

    Returns
    -------
    Split
        ``train`` and ``test``, each of the type of the data, with the rows in random order.

    Raises
    ------
    TypeError, ValueError
        When the groups are neither, there is only one, or the share is out of range.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> patients = np.array([7, 7, 7, 8, 8, 9, 9, 9])
    >>> parts = fn.data.group_split(fn.Key(0), np.arange(8), patients)
    >>> set(patients[parts.train]) & set(patients[parts.test])
    set()
    """
    key = check_key(key)
    names, group = _groups(groups, count(data))
    wanted = len(group) * check_range(test, "the share of the test set", 0, 1, open_low=True, open_high=True)
    sizes = np.bincount(group)
    held_out, chosen = 0, np.zeros(len(names), bool)
    for one in key.child(0).generator().permutation(len(names)).tolist():
        if abs(held_out + sizes[one] - wanted) < abs(held_out - wanted):
            chosen[one], held_out = True, held_out + int(sizes[one])
    if not chosen.any():  # every group is more than twice the share: the smallest comes closest
        chosen[sizes.argmin()] = True
    if chosen.all():
        chosen[sizes.argmax()] = False
    rows = chosen[group]
    order_train, order_test = key.child(1).generator(), key.child(2).generator()
    return Split(
        select(data, order_train.permutation(np.flatnonzero(~rows))), select(data, order_test.permutation(np.flatnonzero(rows)))
    )


def group_k_fold(key: Key, data: D, groups: IntArray, folds: int = 5) -> Iterator[Split[D]]:
    """Return an iterator over k splits with whole groups on either side: each group is in the test set of exactly one.

    Groups are dealt from the largest down, each to the fold that has the fewest rows so far, so that folds are of similar size;
    the key decides between equals.

    Parameters
    ----------
    key : Key
    data : Dataset, Table or tree of arrays
    groups : array (n,)
        Of which group each row is: any integers or texts.
    folds : int, optional
        From 2 to the number of groups.

    Returns
    -------
    iterator of Split

    Raises
    ------
    TypeError, ValueError
        When the groups are neither integers nor texts, or fewer than the folds.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> folds = fn.data.group_k_fold(fn.Key(0), np.arange(8), np.array([7, 7, 7, 8, 8, 9, 9, 9]), 3)
    >>> sorted(len(fold.test) for fold in folds)
    [2, 3, 3]
    """
    key = check_key(key)
    names, group = _groups(groups, count(data))
    folds = check_count(folds, "the number of folds", least=2)
    if folds > len(names):
        raise ValueError(f"{folds} folds of {len(names)} groups: each fold needs at least one")
    sizes = np.bincount(group)
    shuffled = key.generator().permutation(len(names))
    fold, filled = np.empty(len(names), np.intp), np.zeros(folds, np.intp)
    for one in shuffled[np.argsort(-sizes[shuffled], kind="stable")].tolist():
        fold[one] = filled.argmin()
        filled[fold[one]] += sizes[one]
    of_rows = fold[group]
    return (
        Split(select(data, np.flatnonzero(of_rows != one)), select(data, np.flatnonzero(of_rows == one))) for one in range(folds)
    )


def _groups(groups: object, rows: int) -> tuple[IntArray, IntArray]:
    """Return the different groups and the number of each row's."""
    values = np.asarray(groups) if isinstance(groups, (list, tuple)) else groups
    if not is_plain(values) or values.dtype.kind not in "iubUS" or values.ndim != 1:
        raise TypeError(f"groups is {describe(groups)}, expected an array (n,) of integers or texts")
    if len(values) != rows:
        raise ValueError(f"{len(values)} groups for {rows} rows: each row needs one")
    names, group = np.unique(values, return_inverse=True)
    if len(names) < 2:
        raise ValueError(f"there {'is one group' if len(names) else 'are no rows'}, expected at least two groups to be parted")
    return names, group.reshape(-1)
