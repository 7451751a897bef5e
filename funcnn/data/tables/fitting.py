"""Fitting a transform: what each column of a table becomes, learned from the rows that are given and no others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import numpy as np
from attrs import field, frozen

from funcnn.data.scaling import fit_standardize
from funcnn.data.tables.columns import Kind, Table, check_kind_name, told
from funcnn.data.tables.encodings import (
    BooleanEncoding,
    CategoryEncoding,
    DateEncoding,
    Encoding,
    NumberEncoding,
    Part,
    Unseen,
    as_categories,
    finite_numbers,
    gone,
    moments_of,
    truths_of,
)
from funcnn.data.tables.frames import as_table
from funcnn.data.tables.targets import TableTask, check_task, fit_target
from funcnn.data.tables.transform import TableLike, TableTransform
from funcnn.errors import check_choice, check_count, shorten, shown
from funcnn.typing import Array, BoolArray

Impute: TypeAlias = Literal["median", "mean"]
Categories: TypeAlias = Literal["one_hot", "index"]

_PARTS: tuple[Part, ...] = ("year", "week", "day")
_LONG = {"year": 366 * 86400 * 10**6, "week": 8 * 86400 * 10**6, "day": 0}
"""What repeats counts only in data that span it: in microseconds."""

_FEW = 10  # texts that are taken for categories, however few rows there are


@frozen
class TableOptions:
    """How :func:`fit_table` treats columns.

    Parameters
    ----------
    impute : "median" or "mean", optional
        What stands for a missing number, with a column that says that it was missing; dates take the median.
    categories : "one_hot" or "index", optional
        Whether a category becomes one-hot columns, or a number that :meth:`TableTransform.indices` gives for an embedding.
    unseen : "ignore" or "error", optional
        What a category means that the training data did not have: 0 in every column (index 0), or an error.
    max_categories : int, optional
        Categories of a column that are known: the most frequent; the others count as unseen.
    kinds : dict, optional
        "number", "boolean", "date" or "category" for the names of columns that are to be taken as something else than they are,
        such as "category" for numbers that are names.
    leave_out : sequence of str, optional
        Columns that are not to be learned from.
    """

    impute: Impute = "median"
    categories: Categories = "one_hot"
    unseen: Unseen = "ignore"
    max_categories: int = 100
    kinds: Mapping[str, Kind] = field(factory=dict, hash=False)
    leave_out: Sequence[str] = ()

    def __attrs_post_init__(self) -> None:
        check_choice(self.impute, ("median", "mean"), "impute")
        check_choice(self.categories, ("one_hot", "index"), "categories")
        check_choice(self.unseen, ("ignore", "error"), "unseen")
        object.__setattr__(self, "max_categories", check_count(self.max_categories, "max_categories"))
        if not isinstance(self.kinds, Mapping):
            raise TypeError(f"kinds is {shown(self.kinds)}, expected a dict such as {{'zip': 'category'}}")
        object.__setattr__(self, "kinds", {name: check_kind_name(kind, str(name)) for name, kind in self.kinds.items()})
        given: object = self.leave_out
        if isinstance(given, str) or not isinstance(given, Sequence) or not all(isinstance(name, str) for name in given):
            raise TypeError(f"leave_out is {shown(self.leave_out)}, expected names of columns such as ('id', 'comment')")
        object.__setattr__(self, "leave_out", tuple(given))


def fit_table(
    data: TableLike, target: str | None = None, *, task: TableTask | None = None, options: TableOptions | None = None
) -> TableTransform:
    """Fit the transform of a table to arrays: what scikit-learn does with a ColumnTransformer of imputers, scalers and encoders.

    - A number becomes ``(x - mean) / scale``, with mean and standard deviation of those that are there.
    - A truth value becomes 1 or 0.
    - A date becomes the time since the mean one, scaled, and sine and cosine of the part that has gone of its year, its week
      (from Monday on) and its day, as far as the data span these.
    - A category becomes one-hot columns, in alphabetic order, or an index.
    - What is missing is imputed (numbers and dates by the median, truth values by the more frequent), and a column of its own
      says where it was missing, if it ever was in training.  A missing category is 0 in all its columns.

    Columns of one value, and more than ten texts of which more than half of the rows have one of their own, make no feature:
    ``left_out`` says why.

    Parameters
    ----------
    data : Table, DataFrame or dict
        The training rows, and no others: what is learned here must not come from rows that are to be tested on.
    target : str, optional
        The column that is to be predicted.
    task : "classification" or "regression", optional
        By default the target tells: texts, truth values and at most ten different whole numbers are classes.
    options : TableOptions, optional

    Returns
    -------
    TableTransform

    Raises
    ------
    TypeError, ValueError
        When there is no such column, none is left to learn from, a number is infinite, or the target is missing somewhere,
        constant, or of too many classes; with source, row and column.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> train = {
    ...     "age": [31.0, None, 47.0, 40.0], "plan": ["basic", "pro", "pro", "basic"], "left": ["no", "yes", "no", "yes"],
    ... }
    >>> fitted = fn.data.fit_table(train, "left")
    >>> fitted.features
    ('age', 'age is missing', 'plan=basic', 'plan=pro')
    >>> fitted.transform({"plan": ["pro", "new"], "age": [None, 40.0]}).round(2)
    array([[0.1, 1. , 0. , 1. ],
           [0.1, 0. , 0. , 0. ]])
    >>> fitted.targets(train), fitted.decode(np.array([[0.2, 0.8], [0.7, 0.3]]))
    (array([0, 1, 0, 1]), array(['yes', 'no'], dtype='<U3'))
    """
    table, options = as_table(data), TableOptions() if options is None else options
    if not isinstance(options, TableOptions):
        raise TypeError(f"options is {shown(options)}, expected fn.data.TableOptions(...)")
    if target is not None and not isinstance(target, str):
        raise TypeError(f"target is {shown(target)}, expected the name of a column, or None")
    if len(table) == 0:
        raise ValueError(f"{table.source} has no rows: there is nothing to fit")
    wanted = (*(() if target is None else (target,)), *options.leave_out, *options.kinds)
    for name in wanted:
        if name not in table.columns:
            raise ValueError(f"{table.source} has no column {shorten(repr(name))}; {told(table.names)}")
    fitted_target = None if target is None else fit_target(table, target, check_task(task))
    encodings: list[Encoding] = []
    left_out = []
    for name in table.names:
        if name == target:
            continue
        found = "as asked" if name in options.leave_out else _encoding(table, name, options)
        if isinstance(found, str):
            left_out.append((name, found))
        else:
            encodings.append(found)
    if not encodings:
        reasons = "; ".join(f"{shorten(repr(name), 40)}: {reason}" for name, reason in left_out[:5])
        raise ValueError(f"{table.source} has no column to learn from" + (f" ({reasons})" if reasons else " beside the target"))
    return TableTransform(tuple(encodings), fitted_target, tuple(left_out))


def _encoding(table: Table, name: str, options: TableOptions) -> Encoding | str:
    """Return how a column is encoded, or why it is left out."""
    column = table.columns[name]
    missing = column.missing
    if missing.all():
        return "empty in all rows"
    kind = options.kinds.get(name, column.kind)
    if kind == "number":
        return _number(table, name, missing, options)
    if kind == "boolean":
        flags = truths_of(table, name)
        present = flags[flags >= 0]
        if present.min() == present.max() and not missing.any():
            return f"{'true' if present[0] else 'false'} in all rows"
        return BooleanEncoding(name, bool(2 * present.sum() >= len(present)), bool(missing.any()))
    return _date(table, name, missing) if kind == "date" else _category(table, name, missing, options)


def _number(table: Table, name: str, missing: BoolArray, options: TableOptions) -> Encoding | str:
    values = finite_numbers(table, name)
    present: Array = np.asarray(values[~missing] if missing.any() else values, np.float64)
    if not missing.any() and present.min() == present.max():
        return f"{present[0]:g} in all rows"
    try:
        fitted = fit_standardize(present[:, None])
    except ValueError as error:
        raise ValueError(f"{table.source}: column {shorten(repr(name))} cannot be scaled: {error}") from None
    mean = float(fitted.mean[0]) + float(fitted.rest[0])
    fill = float(np.median(present)) if options.impute == "median" else mean
    return NumberEncoding(name, fill, mean, float(fitted.scale[0]), bool(missing.any()))


def _date(table: Table, name: str, missing: BoolArray) -> Encoding | str:
    moments = moments_of(table, name)
    micro = moments[~missing].astype(np.int64)
    low, high = int(micro.min()), int(micro.max())
    if low == high and not missing.any():
        return f"{moments[0]} in all rows"
    mean = low + int(np.mean((micro - low).astype(np.float64)))
    scale = float(np.std((micro - mean).astype(np.float64))) or 1.0
    parts: tuple[Part, ...] = tuple(
        part for part in _PARTS if high - low >= _LONG[part] and len(np.unique(gone(micro[:100_000], part))) > 1
    )
    fill = int(np.sort(micro)[len(micro) // 2])
    return DateEncoding(name, fill, mean, scale, parts, bool(missing.any()))


def _category(table: Table, name: str, missing: BoolArray, options: TableOptions) -> Encoding | str:
    column = as_categories(table.columns[name])
    counts = np.bincount(column.values[~missing], minlength=len(column.categories))
    words = [word for word, count in zip(column.categories, counts.tolist(), strict=True) if count]
    if len(words) == 1 and not missing.any():
        return f"{shorten(repr(words[0]), 40)} in all rows"
    if len(words) > min(_FEW, options.max_categories) and 2 * len(words) > len(table):
        return f"{len(words):,} different texts in {len(table):,} rows"
    if len(words) > options.max_categories:
        ranked = sorted(zip((-counts).tolist(), column.categories, strict=True))
        words = [word for _, word in ranked[: options.max_categories]]
    return CategoryEncoding(name, tuple(sorted(words)), bool(missing.any()), options.categories == "one_hot", options.unseen)
