"""From a table to arrays: one record with the rules of every column, fitted on training rows and kept beside the parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import numpy as np
from attrs import frozen
from numpy.typing import DTypeLike, NDArray

from funcnn.data.dataset import Dataset, check_dtype, read_only
from funcnn.data.tables.columns import Kind, Table, told
from funcnn.data.tables.encodings import CategoryEncoding, Encoding, out_of_reach
from funcnn.data.tables.frames import as_table
from funcnn.data.tables.targets import Target
from funcnn.errors import shorten
from funcnn.typing import Array, IntArray

TableLike: TypeAlias = object
"""A :class:`Table`, a frame, or a dict of arrays: whatever :func:`as_table` takes."""

_BLOCK = 1 << 17  # numbers of the result that are filled at a time, which the cache holds


@frozen(repr=False)
class TableTransform:
    """Turns tables into arrays by what :func:`fit_table` has learned from one: a pure function of it.

    A table may be a :class:`Table`, a frame or a dict (:func:`as_table`).  Its columns may stand in any order, and others beside
    them are left aside (:meth:`surplus` tells which).
    """

    encodings: tuple[Encoding, ...]
    target: Target | None
    left_out: tuple[tuple[str, str], ...] = ()
    """Columns that make no feature, each with the reason."""

    def __repr__(self) -> str:
        to = "" if self.target is None else f", {self.target.task} of {shorten(self.target.name, 40)}"
        return f"TableTransform({len(self.encodings)} columns to {len(self.features)} features{to})"

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that it reads, without the target."""
        return tuple(one.name for one in self.encodings)

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the features: what each column of the array means."""
        return tuple(feature for one in self.encodings for feature in one.features)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the labels 0, 1, ...; none where numbers are predicted."""
        return () if self.target is None else self.target.classes

    @property
    def kinds(self) -> dict[str, Kind]:
        """The kind of every column, for :func:`read_table` to read another file as the training data were read."""
        kinds: dict[str, Kind] = {one.name: one.kind for one in self.encodings}
        if self.target is not None:
            kinds[self.target.name] = "category" if self.target.task == "classification" else "number"
        return kinds

    def transform(self, data: TableLike, *, dtype: DTypeLike = np.float64) -> Array:
        """Return the features (n, features) of a table, read-only.

        Raises
        ------
        ValueError
            When columns are missing, a value is infinite or not of its column's kind, or a category is unknown and these are not
            to be ignored; with source, row and column.
        TypeError
            When it is no table, or a column is of another kind.
        """
        table, kind = self._checked(data), check_dtype(dtype)
        widths = [len(one.features) for one in self.encodings]
        total = sum(widths)
        out: Array = np.empty((len(table), total), kind)
        ends = np.cumsum([0, *widths]).tolist()
        columns: list[tuple[Callable[[Array, Any], None], NDArray[Any], int, int]] = [  # Any: each takes what it has aligned
            (one.write_into, one.aligned(table), begin, end)
            for one, begin, end in zip(self.encodings, ends[:-1], ends[1:], strict=True)
            if begin < end
        ]
        step = max(1, _BLOCK // max(1, total))
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is named below
            for first in range(0, len(table), step):
                block = out[first : first + step]
                for write, values, begin, end in columns:
                    write(block[:, begin:end], values[first : first + step])
            finite = bool(np.isfinite(out.sum())) or bool(np.isfinite(out).all())
        if not finite:
            row, place = np.argwhere(~np.isfinite(out))[0].tolist()
            name = next(one.name for one, end in zip(self.encodings, ends[1:], strict=True) if place < end)
            raise out_of_reach(table, row, name, kind)
        return read_only(out)

    def indices(self, data: TableLike) -> IntArray:
        """Return the categories of the columns that are not one-hot (n, columns), for :func:`embedding`, read-only.

        0 is a category that is missing or unknown; the others begin with 1.  :attr:`index_sizes` tells how many there are.
        """
        table = self._checked(data)
        columns = [np.maximum(one.aligned(table), -1) + 1 for one in self._indexed()]
        found: IntArray = np.stack(columns, axis=1).astype(np.int64) if columns else np.zeros((len(table), 0), np.int64)
        return read_only(found)

    @property
    def index_sizes(self) -> tuple[int, ...]:
        """How many values each column of :meth:`indices` may take: the vocabularies of their embeddings."""
        return tuple(len(one.categories) + 1 for one in self._indexed())

    def targets(self, data: TableLike, *, dtype: DTypeLike = np.float64) -> Array | IntArray:
        """Return what is to be predicted: labels (n,), or scaled numbers (n, 1); read-only.

        Raises
        ------
        ValueError
            When there is no target, or it is missing, infinite, or a class that the training data did not have, with the row.
        """
        target = self._target()
        table = as_table(data)
        _check_there(table, (target.name,))
        return read_only(target.values(table, dtype))

    def dataset(self, data: TableLike, *, dtype: DTypeLike = np.float64) -> Dataset[Array | IntArray]:
        """Return features and targets as a :class:`Dataset`, with the names of features and classes."""
        table = as_table(data)
        x, y = self.transform(table, dtype=dtype), self.targets(table, dtype=dtype)
        return Dataset(x, y, self.classes, self.features, table.source)

    def decode(self, prediction: Array | IntArray) -> NDArray[np.str_] | Array:
        """Return predictions as a person reads them.

        Names (n,) of labels (n,) or of the largest scores (n, classes); or, for a target of numbers, predictions (n, 1) in its
        own unit (n,).
        """
        return self._target().decode(prediction)  # type: ignore[arg-type]  # labels for a target of numbers are refused there

    def surplus(self, data: TableLike) -> tuple[str, ...]:
        """Return the names of a table's columns that were not in the training data."""
        known = {*self.names, *(name for name, _ in self.left_out), *(() if self.target is None else (self.target.name,))}
        return tuple(name for name in as_table(data).names if name not in known)

    def unseen(self, data: TableLike) -> dict[str, tuple[str, ...]]:
        """Return the categories of a table that the training data did not have, by the names of their columns."""
        table = self._checked(data)
        found = {one.name: one.unknown(table) for one in self.encodings if isinstance(one, CategoryEncoding)}
        return {name: words for name, words in found.items() if words}

    def _checked(self, data: TableLike) -> Table:
        table = as_table(data)
        _check_there(table, self.names)
        return table

    def _indexed(self) -> Iterable[CategoryEncoding]:
        return [one for one in self.encodings if isinstance(one, CategoryEncoding) and not one.one_hot]

    def _target(self) -> Target:
        if self.target is None:
            raise ValueError("the transform has no target: fit_table(table, target=...) makes one that has")
        return self.target


def _check_there(table: Table, names: tuple[str, ...]) -> None:
    """Raise a ValueError unless a table has all of these columns."""
    gone = [name for name in names if name not in table.columns]
    if gone:
        some = ", ".join(shorten(repr(name), 40) for name in gone[:8])
        raise ValueError(
            f"{table.source} has no column{'s' * (len(gone) > 1)} {some}{f' and {len(gone) - 8} others' * (len(gone) > 8)},"
            f" which the training data had: add {'them' if len(gone) > 1 else 'it'} (empty fields are filled);"
            f" {told(table.names)}"
        )
