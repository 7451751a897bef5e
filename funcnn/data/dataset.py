"""What a data set is: inputs, targets, and the names that a person reads.

Splitting and batching know data only as rows: ``count`` and ``take`` are all they use.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Generic, TypeVar, cast

import numpy as np
from attrs import evolve, frozen
from numpy.typing import DTypeLike

from funcnn import tree
from funcnn.data.streams.rows import Rows, Selected
from funcnn.data.tables.columns import Table
from funcnn.errors import check_finite, check_kind, describe, is_plain, label_advice, refuse_dtype
from funcnn.runtime.treedef import flatten
from funcnn.typing import Array, IntArray

D = TypeVar("D")  # data: a Dataset, a Table or a tree of arrays
A = TypeVar("A", bound="Array | IntArray")
T_co = TypeVar("T_co", bound="Array | IntArray", covariant=True)  # targets: labels or numbers


def read_only(array: A) -> A:
    """Return a view that cannot be written to; the caller's array keeps its own flags."""
    if not is_plain(array):
        check_kind(array, "an array of a data set", "a plain array", "np.asarray")
    view = array.view()
    view.setflags(write=False)
    return cast(A, view)


@frozen(eq=False, repr=False)
class Dataset(Generic[T_co]):
    """Examples with their targets.

    Parameters
    ----------
    x : array (n, ...)
        The inputs, floating; one row per example.
    y : array (n, ...)
        The targets: integer labels (n,) for classification, floating numbers for regression.
    classes : tuple of str, optional
        What the labels 0, 1, ... mean; empty for regression.
    features : tuple of str, optional
        What the entries of one input mean, in the order of its ravelled form.
    description : str, optional
        Where the data come from, and under which licence.

    Raises
    ------
    TypeError
        When x is not a floating array.
    ValueError
        When there are no rows, x and y differ in length, a value is NaN or infinite (named by row and column), or a label is not
        that of a class (named by row).

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> data = fn.data.Dataset(np.eye(3), np.array([0, 1, 1]), classes=("cat", "dog"))
    >>> data
    Dataset(x=float64[3, 3], y=int64[3], 2 classes)
    >>> len(data)
    3
    """

    x: Array
    y: T_co
    classes: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    description: str = ""

    def __attrs_post_init__(self) -> None:
        for name in ("x", "y"):
            object.__setattr__(self, name, read_only(getattr(self, name)))
        if self.x.dtype.char not in "fdg":
            refuse_dtype(self.x.dtype, "x")
        if self.y.dtype.kind not in "fiub":
            raise TypeError(f"y is {describe(self.y)}, expected integer labels or floating numbers{label_advice(self.y)}")
        if self.x.ndim < 2:
            raise ValueError(
                f"x has shape {self.x.shape}, expected (n, ...) with at least two axes: use x[:, None] for one feature"
            )
        if count((self.x, self.y)) == 0:
            raise ValueError("the data are empty: expected at least one row")
        if self.features and len(self.features) != math.prod(self.x.shape[1:]):
            raise ValueError(
                f"{len(self.features)} feature names for inputs of shape {self.x.shape[1:]}: give one for each entry, or none"
            )
        check_finite(self.x, "x")
        if self.y.dtype.kind == "f":
            check_finite(cast(Array, self.y), "y")
        if self.classes:
            check_labels(self.y, len(self.classes), "y")

    def __len__(self) -> int:
        return len(self.x)

    def __repr__(self) -> str:
        named = f", {len(self.classes)} classes" if self.classes else ""
        return f"Dataset(x={describe(self.x)}, y={describe(self.y)}{named})"


@frozen(eq=False)
class Split(Generic[D]):
    """Two disjoint parts of a data set."""

    train: D
    test: D


def check_labels(labels: object, count: int, what: str = "labels") -> None:
    """Raise unless labels are integers (n,) in [0, count): a wrong one is named by its row."""
    if not is_plain(labels) or labels.dtype.kind not in "iu":
        raise TypeError(f"{what} is {describe(labels)}, expected an integer array of labels{label_advice(labels)}")
    if labels.ndim != 1:
        raise ValueError(f"{what} has shape {labels.shape}, expected (n,): one label for each example")
    wrong = np.flatnonzero((labels < 0) | (labels >= count))
    if wrong.size:
        raise ValueError(f"{what}[{wrong[0]}] is {labels[wrong[0]]}, expected a label in 0..{count - 1} ({wrong.size} such rows)")


def arrays(data: object) -> tuple[Array, ...]:
    """Return the arrays of a Dataset or of a tree; not those of rows that are read later."""
    if has_rows(data):
        return () if isinstance(data, Rows) else tuple(leaf for one in cast("tuple[object, ...]", data) for leaf in arrays(one))
    return (data.x, cast(Array, data.y)) if isinstance(data, Dataset) else tree.leaves(data)


def has_rows(data: object) -> bool:
    """Tell whether data are rows that are read when they are asked for, or a tuple with such."""
    return isinstance(data, Rows) or (type(data) is tuple and any(isinstance(one, Rows) for one in data))


def count(data: object) -> int:
    """Return the number of rows of a Dataset, a Table or a tree of arrays: the length that axis 0 of all its arrays has.

    Raises
    ------
    ValueError
        When there is no array, one has no axis, or lengths differ, with the paths.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.data.count((np.zeros((5, 2)), np.zeros(5)))
    5
    """
    if isinstance(data, Table):
        return len(data)
    try:
        named = list(_named(data))
    except TypeError as error:
        raise TypeError(f"the data are no tree of arrays: {error}") from None
    if not named:
        raise ValueError("the data hold no array, expected at least one with rows along axis 0")
    for path, leaf in named:
        if len(leaf.shape) == 0:
            raise ValueError(f"data{path} is a single number, expected rows along axis 0")
        if len(leaf) != len(named[0][1]):
            raise ValueError(
                f"data{path} has {len(leaf)} rows and data{named[0][0]} has {len(named[0][1])}:"
                " a row is one example in all arrays"
            )
    return len(named[0][1])


def _named(data: object) -> Iterator[tuple[str, Array | Rows]]:
    """Yield the arrays of data, and rows that are read later, with their paths."""
    if isinstance(data, Dataset):
        yield from ((".x", data.x), (".y", cast(Array, data.y)))
    elif isinstance(data, Rows):
        yield "", data
    elif has_rows(data):
        for place, one in enumerate(cast("tuple[object, ...]", data)):
            yield from ((f"[{place}]{path}", leaf) for path, leaf in _named(one))
    else:
        yield from tree.walk(data)


def select(data: D, rows: IntArray) -> D:
    """Return the given rows as :func:`take` does, but of what is read when it is asked for without reading it."""
    if isinstance(data, Rows):
        chosen = np.arange(len(data))[rows]
        return cast(D, Selected(data.rows, data.chosen[chosen]) if isinstance(data, Selected) else Selected(data, chosen))
    if has_rows(data):
        return cast(D, tuple([select(one, rows) for one in cast("tuple[object, ...]", data)]))
    return take(data, rows)


def take(data: D, rows: IntArray) -> D:
    """Return the given rows of a Dataset, a Table or a tree of arrays, as read-only copies.

    Parameters
    ----------
    data : Dataset, Table, tree of arrays, or Rows
        Rows that are read when they are asked for, which may also be entries of a tuple, are read now.
    rows : array (k,)
        Integers, counted from the end where they are negative, or as many booleans as there are rows: True for those to keep.

    Raises
    ------
    TypeError, ValueError
        When rows are neither, or a row does not exist (named by its place).

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.data.take((np.arange(4), np.eye(4)), np.array([3, 0]))[0]
    array([3, 0])
    """
    if type(rows) is not np.ndarray or rows.dtype.kind != "i" or rows.ndim != 1:
        rows = _positions(data, rows)
    try:
        if isinstance(data, Dataset):
            return evolve(data, x=_take(data.x, rows), y=_take(data.y, rows))
        if has_rows(data):
            return cast(D, _read(data, rows))
        if isinstance(data, Table):
            return cast(D, data.take(rows))
        structure, leaves = flatten(data)  # and not tree.map: this is done for every batch
        taken = [_take(leaf, rows) for leaf in leaves]
    except IndexError:
        there = count(data)
        place = int(np.argmax((rows < -there) | (rows >= there)))
        raise ValueError(
            f"rows[{place}] is {rows[place]}, and the data have {there} rows: expected {-there} to {there - 1}"
        ) from None
    for leaf in taken:
        leaf.setflags(write=False)
    return structure.rebuild(taken)


def _read(data: object, rows: IntArray) -> object:
    """Return rows of which some are read now."""
    if isinstance(data, Rows):
        return data.take(np.arange(len(data))[rows])
    return tuple([take(one, rows) for one in cast("tuple[object, ...]", data)])


def _positions(data: object, rows: object) -> IntArray:
    """Return rows that are a mask, unsigned or a list as signed integers; raise when they are another thing."""
    given = rows if is_plain(rows) else np.asarray(rows) if isinstance(rows, (list, tuple, range)) else None
    if given is None or given.ndim != 1 or given.dtype.kind not in ("iub" if given.size else "iubf"):
        raise TypeError(f"rows is {describe(rows)}, expected an array (k,) of integers or a mask of booleans")
    if given.dtype.kind != "b":
        return given.astype(np.intp)
    if len(given) != count(data):
        raise ValueError(f"rows is a mask of {len(given)} booleans, and the data have {count(data)} rows")
    return np.flatnonzero(given)


def _take(leaf: A, rows: IntArray) -> A:
    """Return ``leaf[rows]``; take is three times faster on small arrays, but it would copy all of a strided one first."""
    return cast(A, leaf.take(rows, axis=0) if leaf.flags.c_contiguous else leaf[rows])


def check_dtype(dtype: DTypeLike) -> np.dtype[np.floating]:
    """Return the floating dtype that a loader is asked for, or raise a TypeError."""
    kind = tree.checked_dtype(dtype)
    if kind.char not in "fdg":
        raise TypeError(f"dtype is {kind}, expected a floating one, not half precision: np.float64 or np.float32")
    return kind
