"""The folds of a run as problems of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeAlias

import numpy as np
from attrs import evolve

from funcnn import data
from funcnn.cli.problem import Problem, Rows
from funcnn.cli.settings import Settings
from funcnn.cli.tables.parting import Parts, posed, strata
from funcnn.key import Key
from funcnn.typing import IntArray

Fold: TypeAlias = Callable[[], Problem]
"""Makes the problem of a fold when it is its turn."""

_WATCHED = 0.15  # of the rows of a fold that are learned from


def folds_of(settings: Settings, problem: Problem, key: Key) -> Iterator[Fold]:
    """Yield the folds of a run; what the columns of a table become is fitted anew in each, on what is learned from.

    Raises
    ------
    ValueError
        When a class has too few rows for so many folds.
    """
    if problem.table is not None:
        assert settings.table is not None
        whole = problem.table.table
        for _, parts in dealt(settings, strata(whole, settings.table), key):
            yield partial(posed, settings, whole, parts)
    elif problem.rows is not None:
        for number, parts in dealt(settings, problem.rows.labels, key):
            yield partial(of_rows, problem, problem.rows, parts, key.child(3).child(number))


def dealt(settings: Settings, labels: IntArray, key: Key) -> Iterator[tuple[int, Parts]]:
    """Yield the number of each fold and its rows, which are stratified."""
    rows = np.arange(len(labels))
    for number, fold in enumerate(data.stratified_k_fold(key.child(0), rows, settings.folds, labels=labels)):
        learning = data.stratified_split(key.child(1).child(number), fold.train, _WATCHED, labels=labels[fold.train])
        yield number, Parts(learning.train, learning.test, fold.test)


def of_rows(problem: Problem, rows: Rows, parts: Parts, key: Key) -> Problem:
    """Return the problem of a fold of rows with classes."""
    train, watched, test = (
        rows.examples(some, key.child(index)) for index, some in enumerate((parts.train, parts.validation, parts.test))
    )
    return evolve(problem, train=train, validation=watched, test=test)
