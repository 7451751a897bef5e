"""What is to be predicted, as an array and back: labels with the names of their classes, or numbers in a unit of their own."""

from __future__ import annotations

from typing import ClassVar, Literal, TypeAlias

import numpy as np
from attrs import frozen
from numpy.typing import DTypeLike, NDArray

from funcnn.data.dataset import check_dtype, check_labels
from funcnn.data.scaling import fit_standardize
from funcnn.data.tables.columns import BooleanColumn, CategoryColumn, NumberColumn, Table
from funcnn.data.tables.encodings import as_categories, finite_numbers, out_of_reach
from funcnn.errors import check_array, describe, is_plain, shorten, shown
from funcnn.losses.checks import check_not_nan
from funcnn.typing import Array, IntArray

TableTask: TypeAlias = Literal["classification", "regression"]

_CLASSES = 10  # different whole numbers that are taken for labels
_MANY = 1000  # classes that texts may be


@frozen
class LabelTarget:
    """Classes: the labels 0, 1, ... stand for names."""

    name: str
    classes: tuple[str, ...]
    task: ClassVar[TableTask] = "classification"

    def values(self, table: Table, dtype: DTypeLike) -> IntArray:
        """Return the labels (n,) of a table."""
        column = as_categories(table.columns[self.name])
        _check_known(table, self.name)
        places = {name: place for place, name in enumerate(self.classes)}
        labels = np.array([places.get(word, -1) for word in column.categories], np.int64)[column.values]
        wrong = np.flatnonzero(labels < 0)
        if wrong.size:
            word = column.categories[column.values[wrong[0]]]
            raise ValueError(
                f"{table.place(int(wrong[0]), self.name)} is {shorten(repr(word))}, expected one of the {len(self.classes)}"
                f" classes of the training data: {shorten(', '.join(self.classes))}"
            )
        return labels

    def decode(self, prediction: Array | IntArray) -> NDArray[np.str_]:
        """Return the names (n,) of labels (n,), or of the largest scores or probabilities (n, C)."""
        if is_plain(prediction) and prediction.dtype.kind == "f" and prediction.ndim == 2:
            if prediction.shape[1] != len(self.classes):
                raise ValueError(
                    f"the prediction is {describe(prediction)}, expected (n, {len(self.classes)}): one column for each class"
                )
            check_not_nan(prediction)
            labels: Array | IntArray = prediction.argmax(1)
        else:
            labels = prediction
        check_labels(labels, len(self.classes), "the prediction")
        names: NDArray[np.str_] = np.array(self.classes)[labels.astype(np.intp)]
        return names


@frozen
class NumberTarget:
    """Numbers, as ``(y - mean) / scale``: so a network begins with the mean, and errors are of the size of 1."""

    name: str
    mean: float
    scale: float
    task: ClassVar[TableTask] = "regression"

    @property
    def classes(self) -> tuple[str, ...]:
        """No names: a number is none of a few."""
        return ()

    def values(self, table: Table, dtype: DTypeLike) -> Array:
        """Return the scaled numbers (n, 1) of a table."""
        _check_known(table, self.name)
        scaled = np.subtract(finite_numbers(table, self.name), self.mean, dtype=np.float64)
        scaled /= self.scale
        with np.errstate(over="ignore"):  # named below
            made = scaled.astype(check_dtype(dtype))[:, None]
        if not np.isfinite(made).all():
            raise out_of_reach(table, int(np.argmin(np.isfinite(made))), self.name, made.dtype)
        return made

    def decode(self, prediction: Array) -> Array:
        """Return predictions (n, 1) or (n,) in the target's own unit, (n,) in double precision."""
        check_array(prediction, "the prediction", 1)
        if prediction.shape[1:] not in ((), (1,)):
            raise ValueError(f"the prediction is {describe(prediction)}, expected (n, 1): one number for each row")
        numbers: Array = prediction.reshape(len(prediction)).astype(np.float64) * self.scale + self.mean
        return numbers


Target: TypeAlias = LabelTarget | NumberTarget


def fit_target(table: Table, name: str, task: TableTask | None) -> Target:
    """Fit the column that is to be predicted; without a task its values tell which it is."""
    column = table.columns[name]
    _check_known(table, name)
    if task is None:
        task = task_of(table, name)
    what = f"{table.source}: the target {shorten(repr(name))}"
    if task == "regression":
        numbers = np.asarray(finite_numbers(table, name), np.float64)
        if numbers.min() == numbers.max():
            raise ValueError(f"{what} is {numbers[0]:g} in all {len(table):,} rows: there is nothing to learn")
        try:
            fitted = fit_standardize(numbers[:, None])
        except ValueError as error:
            raise ValueError(f"{what} cannot be scaled: {error}") from None
        return NumberTarget(name, float(fitted.mean[0]) + float(fitted.rest[0]), float(fitted.scale[0]))
    if isinstance(column, NumberColumn):
        finite_numbers(table, name)
    words = as_categories(column)
    present = np.unique(words.values)
    if isinstance(column, CategoryColumn):
        classes = tuple(sorted(words.categories[code] for code in present.tolist()))
    else:  # numbers and truth values in their own order
        classes = tuple(words.categories[code] for code in present.tolist())
    if len(classes) == 1:
        raise ValueError(
            f"{what} is {shorten(repr(classes[0]))} in all {len(table):,} rows: a single class leaves nothing to learn"
        )
    if len(classes) > min(_MANY, len(table) // 2):
        raise ValueError(
            f"{what} has {len(classes):,} classes in {len(table):,} rows, expected several rows of each: {_advice(column, name)}"
        )
    return LabelTarget(name, classes)


def _advice(column: object, name: str) -> str:
    return "task='regression' predicts numbers" if isinstance(column, NumberColumn) else "is it the name of the row?"


def task_of(table: Table, name: str) -> TableTask:
    """Return what a target asks for: classification if it is of texts, of truth values, or of at most ten whole numbers."""
    column = table.columns[name]
    if isinstance(column, (CategoryColumn, BooleanColumn)):
        return "classification"
    if not isinstance(column, NumberColumn):
        raise TypeError(
            f"{table.source}: the target {shorten(repr(name))} is of dates, expected numbers, truth values or texts: make it a"
            " number, such as days since a day"
        )
    different = np.unique(column.values)
    few = len(different) <= min(_CLASSES, len(table) // 2)
    whole = bool(np.isfinite(different).all()) and bool((different == np.floor(different)).all())
    return "classification" if few and whole else "regression"


def _check_known(table: Table, name: str) -> None:
    missing = table.columns[name].missing
    if missing.any():
        row = int(missing.argmax())
        raise ValueError(
            f"{table.place(row, name)} is missing, and it is the target ({int(missing.sum())} such rows of {len(table):,}):"
            " fill it in, or leave such rows out"
        )


def check_task(task: object) -> TableTask | None:
    """Return a task that was asked for, or raise."""
    if task is None or (isinstance(task, str) and (task == "classification" or task == "regression")):
        return task  # type: ignore[return-value]  # one of the two words
    raise ValueError(f"task is {shown(task)}, expected 'classification', 'regression', or None to have the target tell")
