"""Splits: disjoint parts of the data, by key, with the proportions of the classes kept where that is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import numpy as np

from funcnn.data.dataset import Dataset, Split, count, select
from funcnn.errors import check_count, check_range, describe, label_advice
from funcnn.key import Key, check_key
from funcnn.typing import IntArray

D = TypeVar("D")


def split(key: Key, data: D, test: float = 0.25) -> Split[D]:
    """Split the rows at random into a training and a test set.

    Parameters
    ----------
    key : Key
    data : Dataset or tree of arrays
    test : float, optional
        Share of the test set, in (0, 1); its size is rounded to the nearest number of rows.

    Returns
    -------
    Split
        ``train`` and ``test``, each of the type of the data.

    Raises
    ------
    ValueError
        When the share is out of range, or one of the two sets would be empty.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> parts = fn.data.split(fn.Key(0), np.arange(8))
    >>> len(parts.train), len(parts.test)
    (6, 2)
    """
    key = check_key(key)
    rows = count(data)
    held_out = _test_rows(rows, test)
    order = key.generator().permutation(rows)
    return Split(select(data, order[held_out:]), select(data, order[:held_out]))


def stratified_split(key: Key, data: D, test: float = 0.25, *, labels: IntArray | None = None) -> Split[D]:
    """Split the rows at random into a training and a test set with the same proportions of the classes.

    The test set gets of each class its exact share rounded down, and the rows still missing go to the classes with the largest
    remainders (the smaller label first where they are equal).

    Parameters
    ----------
    key : Key
    data : Dataset or tree of arrays
    test : float, optional
        Share of the test set, in (0, 1); its size is rounded to the nearest number of rows.
    labels : array (n,), optional
        The classes, any integers or texts; those of a Dataset are its y.

    Returns
    -------
    Split
        ``train`` and ``test``, each of the type of the data.

    Raises
    ------
    ValueError
        When the share is out of range, one of the sets would be empty, or a class would be missing from the training set.
    TypeError
        When labels are neither given nor those of a Dataset, or are not integers.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> parts = fn.data.stratified_split(fn.Key(0), fn.data.digits())
    >>> len(parts.train), len(parts.test), np.bincount(parts.test.y).tolist()
    (1348, 449, [45, 45, 44, 46, 45, 45, 45, 45, 44, 45])
    """
    key = check_key(key)
    rows = count(data)
    values = _labels(data, labels, rows)
    held_out = _test_rows(rows, test)
    names, counts = np.unique(values, return_counts=True)
    share, remainder = np.divmod(counts * held_out, rows)
    share[np.argsort(-remainder, kind="stable")[: held_out - share.sum()]] += 1
    _check_trained(names, counts, share, "lower the share of the test set")
    groups = _groups(key.child(0), values, names)
    order_test, order_train = key.child(1).generator(), key.child(2).generator()
    chosen = np.concatenate([group[:number] for group, number in zip(groups, share, strict=True)])
    others = np.concatenate([group[number:] for group, number in zip(groups, share, strict=True)])
    return Split(select(data, order_train.permutation(others)), select(data, order_test.permutation(chosen)))


def k_fold(key: Key, data: D, folds: int = 5) -> Iterator[Split[D]]:
    """Return an iterator over k splits: each row is in the test set of exactly one.

    The test sets differ in size by at most one row.

    Parameters
    ----------
    key : Key
    data : Dataset or tree of arrays
    folds : int, optional
        From 2 to the number of rows.

    Returns
    -------
    iterator of Split

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> [len(fold.test) for fold in fn.data.k_fold(fn.Key(0), np.arange(10), 4)]
    [3, 3, 2, 2]
    """
    key = check_key(key)
    rows = count(data)
    folds = _check_folds(folds, rows)
    fold = np.empty(rows, np.intp)
    fold[key.generator().permutation(rows)] = np.arange(rows) % folds
    return _folds(data, fold, folds)


def stratified_k_fold(key: Key, data: D, folds: int = 5, *, labels: IntArray | None = None) -> Iterator[Split[D]]:
    """Return an iterator over k splits as in :func:`k_fold`, of which any two differ in the test rows of a class by at most one.

    Parameters
    ----------
    key : Key
    data : Dataset or tree of arrays
    folds : int, optional
        From 2 to the number of rows.
    labels : array (n,), optional
        The classes, any integers or texts; those of a Dataset are its y.

    Returns
    -------
    iterator of Split

    Raises
    ------
    ValueError
        When the number of folds is out of range, or a class has a single row (and so none to train on in one of the splits).

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> folds = fn.data.stratified_k_fold(fn.Key(0), fn.data.digits(), 5)
    >>> [np.bincount(fold.test.y)[0] for fold in folds]
    [np.int64(36), np.int64(36), np.int64(36), np.int64(35), np.int64(35)]
    """
    key = check_key(key)
    rows = count(data)
    values = _labels(data, labels, rows)
    folds = _check_folds(folds, rows)
    names, counts = np.unique(values, return_counts=True)
    _check_trained(names, counts, np.ones_like(counts), "use k_fold or merge classes")
    fold = np.empty(rows, np.intp)
    fold[np.concatenate(_groups(key, values, names))] = np.arange(rows) % folds  # dealt like cards, class after class
    return _folds(data, fold, folds)


def _test_rows(rows: int, test: float) -> int:
    test = check_range(test, "the share of the test set", 0, 1, open_low=True, open_high=True)
    held_out = round(rows * test)
    if not 0 < held_out < rows:
        raise ValueError(
            f"a share of {test:g} of {rows} rows leaves {held_out} for the test set: both sets need at least one row"
        )
    return held_out


def _labels(data: object, labels: IntArray | None, rows: int) -> IntArray:
    """Return the labels to stratify by: any integers or texts (n,)."""
    if labels is None:
        if not isinstance(data, Dataset):
            raise TypeError("labels=... must be given: only a Dataset brings its own")
        labels = data.y
    if isinstance(labels, np.ma.MaskedArray):
        raise TypeError(
            "labels is a masked array, expected an array (n,) of integers or text: which class are the rows behind the mask?"
        )
    values = np.asarray(labels)
    if values.dtype.kind not in "iubUS":
        raise TypeError(f"labels is {describe(values)}, expected an array (n,) of integers or text{label_advice(values)}")
    if values.ndim != 1:
        raise ValueError(f"labels has shape {values.shape}, expected (n,): one label for each example")
    if len(values) != rows:
        raise ValueError(f"{len(values)} labels for {rows} rows: each row needs one")
    return values


def _groups(key: Key, labels: IntArray, names: IntArray) -> list[IntArray]:
    """Return the rows of each class in the order that the key gives."""
    return [key.child(index).generator().permutation(np.flatnonzero(labels == name)) for index, name in enumerate(names)]


def _check_trained(names: IntArray, counts: IntArray, share: IntArray, advice: str) -> None:
    for name, rows, tested in zip(names.tolist(), counts.tolist(), share.tolist(), strict=True):
        if rows <= tested:
            raise ValueError(f"class {name} has {rows} row{'s' * (rows > 1)}, which leaves none for training: {advice}")


def _check_folds(folds: int, rows: int) -> int:
    folds = check_count(folds, "the number of folds", least=2)
    if folds > rows:
        raise ValueError(f"{folds} folds of {rows} rows: each fold needs at least one row")
    return folds


def _folds(data: D, fold: IntArray, folds: int) -> Iterator[Split[D]]:
    return (Split(select(data, np.flatnonzero(fold != one)), select(data, np.flatnonzero(fold == one))) for one in range(folds))
