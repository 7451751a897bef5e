"""A table as the problem of a run: read, parted, and turned into arrays by what its training rows say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from attrs import evolve, frozen

from funcnn import data
from funcnn.cli.failure import RequestError
from funcnn.cli.network import Facts
from funcnn.cli.problem import Examples, Problem, TableParts
from funcnn.cli.settings import Settings
from funcnn.cli.table_settings import SHIPPED, TableSettings
from funcnn.cli.terminal import plain
from funcnn.data.tables.columns import Kind, Table, told
from funcnn.data.tables.encodings import as_categories, finite_numbers
from funcnn.data.tables.targets import TableTask, task_of
from funcnn.errors import shorten
from funcnn.key import Key
from funcnn.typing import BoolArray, IntArray

_TESTED, _WATCHED = 0.2, 0.15  # of all rows, and of the others
_LEAST = 5  # rows of which these shares leave one each
_BINS = 10  # of a target of numbers, in equal shares of which rows are drawn
_BATCHES = ((100_000, 1024), (10_000, 256))
"""Rows of a batch for tables of so many rows and more; of smaller ones what the settings say."""


@frozen(eq=False)
class Parts:
    """The numbers of rows that are learned from, watched, and tested on."""

    train: IntArray
    validation: IntArray
    test: IntArray


def pose_table(settings: Settings) -> tuple[Settings, Problem]:
    """Return the problem that settings ask of a table, and the settings with what the table has told.

    Raises
    ------
    RequestError
        When the table cannot be read, a column is not there, or it cannot be learned from; with file, line and column.
    """
    try:
        table, asked = read(settings)
        settings = evolve(settings, table=asked)
        key = Key(settings.seed).child(0)
        groups = strata(table, asked)
        rows = np.arange(len(table))
        held_out = data.stratified_split(key.child(1), rows, _TESTED, labels=groups)
        learning = data.stratified_split(key.child(2), held_out.train, _WATCHED, labels=groups[held_out.train])
        problem = posed(settings, table, Parts(learning.train, learning.test, held_out.test))
    except (OSError, ValueError, TypeError, ImportError) as error:
        raise RequestError(f"--data {settings.data}: {error}") from None
    except MemoryError:
        raise RequestError(f"--data {settings.data}: the table does not fit in memory") from None
    if not asked.fixed_batch:
        usual = next((size for rows_, size in _BATCHES if len(table) >= rows_), settings.batch_size)
        settings = evolve(settings, batch_size=min(usual, len(problem.train)))
    return settings, problem


def read(settings: Settings) -> tuple[Table, TableSettings]:
    """Return the table of a run, and what is asked of it with the task that its target tells."""
    asked = settings.table
    assert asked is not None
    kinds: dict[str, Kind] = dict.fromkeys(asked.categories, "category")
    if settings.data.startswith(SHIPPED):
        table = data.sklearn_table(settings.data.removeprefix(SHIPPED))
    else:
        table = data.read_table(settings.data, kinds=kinds, missing=asked.missing, **asked.dialect)
    if len(table) < _LEAST:
        raise ValueError(f"{table.source} has {len(table)} rows, and at least {_LEAST} are needed to learn, to watch and to test")
    for name in (*([asked.target] if asked.target else []), *asked.leave_out, *asked.categories):
        if name not in table.columns:
            raise ValueError(f"there is no column {shorten(repr(name))}; {told(table.names)}")
    if settings.folds > len(table):
        raise ValueError(f"--cv {settings.folds}: the table has {len(table):,} rows, and each fold needs at least one")
    if asked.task:
        return table, asked
    return table, evolve(asked, task=task_of(table, asked.target))


def strata(table: Table, asked: TableSettings) -> IntArray:
    """Return groups (n,) of which each part of a table gets its share: classes, or tenths of the numbers."""
    if not asked.target:
        return np.zeros(len(table), np.intp)
    data.fit_table(table, asked.target, task="regression" if asked.task == "regression" else "classification")
    if asked.task != "regression":
        column = as_categories(table.columns[asked.target])
        return np.array(column.categories)[column.values]
    numbers = np.asarray(finite_numbers(table, asked.target), np.float64)
    ranks = np.argsort(np.argsort(numbers, kind="stable"), kind="stable")
    groups: IntArray = ranks * max(1, min(_BINS, len(table) // 10)) // len(table)
    return groups


def posed(settings: Settings, table: Table, parts: Parts) -> Problem:
    """Return the problem of a table in parts: what columns become is learned from the first of them alone."""
    asked, dtype = settings.table, np.dtype(settings.dtype)
    assert asked is not None
    train, validation, test = (table.take(rows) for rows in (parts.train, parts.validation, parts.test))
    kinds: dict[str, Kind] = dict.fromkeys(asked.categories, "category")
    if asked.task == "anomalies":
        left_out = (*asked.leave_out, *([asked.target] if asked.target else []))
        usual = [one.take(usual_rows(one, asked)) for one in (train, validation)]
        fitted = data.fit_table(usual[0], options=data.TableOptions(kinds=kinds, leave_out=left_out))
        x = [fitted.transform(one, dtype=dtype) for one in (*usual, test)]
        first, watched, last = (Examples(one, one) for one in x)
    else:
        task: TableTask = "regression" if asked.task == "regression" else "classification"
        options = data.TableOptions(kinds=kinds, leave_out=asked.leave_out)
        fitted = data.fit_table(train, asked.target, task=task, options=options)
        sets = [fitted.dataset(one, dtype=dtype) for one in (train, validation, test)]
        first, watched, last = (Examples(one.x, one.y) for one in sets)
    facts = Facts(tuple(map(plain, fitted.classes)), len(fitted.features))
    said = f"{len(first):,} to train, {len(watched):,} to validate, {len(last):,} to test" + ", stratified" * bool(asked.target)
    title = f"{len(table):,} rows of {table.source}, {len(fitted.names)} columns as {len(fitted.features)} features"
    whole = TableParts(fitted, train, test, table)
    return Problem(title, said, facts, first, watched, last, source_of(settings), table=whole)


def usual_rows(table: Table, asked: TableSettings) -> IntArray:
    """Return the numbers of the rows that are usual: those of the most frequent class, or all where no column tells."""
    if not asked.target:
        return np.arange(len(table))
    return np.flatnonzero(~is_unusual(table, asked.target, usual_class(table, asked.target)))


def usual_class(table: Table, target: str) -> str:
    """Return the most frequent class of a column."""
    column = as_categories(table.columns[target])
    return column.categories[int(np.bincount(column.values).argmax())]


def is_unusual(table: Table, target: str, usual: str) -> BoolArray:
    """Return where a column says another class than the usual one."""
    column = as_categories(table.columns[target])
    return np.array([word != usual for word in column.categories])[column.values]


def source_of(settings: Settings) -> str:
    """Return the expression that reads the table in a script."""
    if settings.data.startswith(SHIPPED):
        return f"fn.data.sklearn_table({settings.data.removeprefix(SHIPPED)!r})"
    asked = settings.table or TableSettings()
    said = [("missing", asked.missing)] * bool(asked.missing) + list(asked.dialect.items())
    more = "".join([f", {name}={value!r}" for name, value in said])
    return f"fn.data.read_table({str(Path(settings.data).resolve())!r}, like=transform{more})"
