"""The figures of every class in one table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from attrs import frozen

from funcnn.errors import describe
from funcnn.train.metrics.checks import Labels
from funcnn.train.metrics.classification import accuracy, confusion_matrix, f1, precision, recall
from funcnn.train.metrics.counting import Average, counts
from funcnn.train.metrics.per_class import per_class
from funcnn.typing import Array

MEANS: tuple[Average, Average] = ("macro", "weighted")


@frozen(eq=False, repr=False)
class ClassificationReport:
    """What :func:`classification_report` returns; it prints as a table."""

    names: tuple[str, ...]
    precision: Array
    recall: Array
    f1: Array
    support: Array
    """How many rows, or how much weight, each label has."""
    macro: tuple[float, float, float]
    """The plain means of the three over the classes that occur."""
    weighted: tuple[float, float, float]
    """Their means by the support."""
    accuracy: float

    def __str__(self) -> str:
        figures, whole = np.stack([self.precision, self.recall, self.f1]), self.support.sum()
        body = [
            (name, *[f"{x:.3f}" for x in row], f"{n:g}") for name, row, n in zip(self.names, figures.T, self.support, strict=True)
        ]
        last = [
            ("macro", *[f"{x:.3f}" for x in self.macro], f"{whole:g}"),
            ("weighted", *[f"{x:.3f}" for x in self.weighted], f"{whole:g}"),
            ("accuracy", "", "", f"{self.accuracy:.3f}", f"{whole:g}"),
        ]
        rows = [("", "precision", "recall", "f1", "support"), *body, *last]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]) for row in rows
        ]
        return "\n".join([lines[0], *lines[1 : 1 + len(body)], "-" * len(lines[0]), *lines[1 + len(body) :]])

    __repr__ = __str__


def classification_report(prediction: Array, target: Labels, names: Sequence[str] | None = None) -> ClassificationReport:
    """Return precision, recall, F1 and the number of rows of each class, and their means, as a table.

    Parameters
    ----------
    prediction, target : array
        Scores (n, ..., C) and labels (n, ...).
    names : sequence of C texts, optional
        What the classes are called; their numbers without it.

    Raises
    ------
    TypeError, ValueError
        When the names are not as many texts as there are classes.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> scores, labels = np.eye(3)[[0, 0, 1, 2]], np.array([0, 1, 1, 2])
    >>> fn.metrics.classification_report(scores, labels, ("cat", "dog", "owl"))
              precision  recall     f1  support
    cat           0.500   1.000  0.667        1
    dog           1.000   0.500  0.667        2
    owl           1.000   1.000  1.000        1
    -------------------------------------------
    macro         0.833   0.833  0.778        4
    weighted      0.875   0.750  0.750        4
    accuracy                     0.750        4
    """
    classes = len(counts(prediction, target, 0.0).hits)
    if names is None:
        names = [str(index) for index in range(classes)]
    given: object = names
    if isinstance(given, str) or not isinstance(given, Sequence) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"names is {describe(names)}, expected a sequence of {classes} texts")
    if len(names) != classes:
        raise ValueError(f"names has {len(names)} texts, expected one for each of the {classes} classes")
    each = (
        per_class(prediction, target, "precision"),
        per_class(prediction, target, "recall"),
        per_class(prediction, target, "f1"),
    )
    macro, weighted = (
        (precision(prediction, target, how), recall(prediction, target, how), f1(prediction, target, how)) for how in MEANS
    )
    own, support = accuracy(prediction, target), confusion_matrix(prediction, target).sum(1).astype(float)
    return ClassificationReport(tuple(names), *each, support, macro, weighted, own)
