"""Folds several times over, each time dealt anew: what a cross-validation says depends on how it was dealt."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import TypeVar

from funcnn.data.dataset import Split
from funcnn.data.splitting import k_fold, stratified_k_fold
from funcnn.errors import check_count
from funcnn.key import Key, check_key
from funcnn.typing import IntArray

D = TypeVar("D")


def repeated_k_fold(key: Key, data: D, folds: int = 5, repeats: int = 10) -> Iterator[Split[D]]:
    """Return an iterator over the splits of :func:`k_fold`, several times over with keys of their own.

    Parameters
    ----------
    key : Key
        Its child ``i`` deals the folds for the i-th time.
    data : Dataset, Table or tree of arrays
    folds : int, optional
        From 2 to the number of rows.
    repeats : int, optional
        How often.

    Returns
    -------
    iterator of Split
        ``folds * repeats`` of them.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> len(list(fn.data.repeated_k_fold(fn.Key(0), np.arange(10), 5, 3)))
    15
    """
    key, repeats = check_key(key), check_count(repeats, "repeats")
    k_fold(key, data, folds)  # what is wrong is said before the first split is asked for
    return chain.from_iterable(k_fold(key.child(one), data, folds) for one in range(repeats))


def repeated_stratified_k_fold(
    key: Key, data: D, folds: int = 5, repeats: int = 10, *, labels: IntArray | None = None
) -> Iterator[Split[D]]:
    """Return an iterator over the splits of :func:`stratified_k_fold`, several times over with keys of their own.

    Parameters
    ----------
    key : Key
        Its child ``i`` deals the folds for the i-th time.
    data : Dataset, Table or tree of arrays
    folds : int, optional
        From 2 to the number of rows.
    repeats : int, optional
        How often.
    labels : array (n,), optional
        The classes, any integers or texts; those of a Dataset are its y.

    Returns
    -------
    iterator of Split
        ``folds * repeats`` of them.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> labels = np.array([0, 0, 0, 0, 1, 1])
    >>> splits = fn.data.repeated_stratified_k_fold(fn.Key(0), np.arange(6), 2, 3, labels=labels)
    >>> [labels[one.test].sum() for one in splits]
    [np.int64(1), np.int64(1), np.int64(1), np.int64(1), np.int64(1), np.int64(1)]
    """
    key, repeats = check_key(key), check_count(repeats, "repeats")
    stratified_k_fold(key, data, folds, labels=labels)
    return chain.from_iterable(stratified_k_fold(key.child(one), data, folds, labels=labels) for one in range(repeats))
