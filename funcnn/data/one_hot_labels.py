"""One-hot rows: a label as the unit vector of its class."""

from __future__ import annotations

import numpy as np
from attrs import frozen
from numpy.typing import DTypeLike

from funcnn.data.dataset import check_dtype, check_labels
from funcnn.errors import check_array, check_count, describe, is_plain, label_advice
from funcnn.losses.checks import check_not_nan
from funcnn.tree import freeze
from funcnn.typing import Array, IntArray


def one_hot(labels: IntArray, classes: int, *, dtype: DTypeLike = np.float64) -> Array:
    """Return the rows of the identity matrix that labels 0, 1, ... name.

    Parameters
    ----------
    labels : integer array (n,)
        In [0, classes).
    classes : int
        Number of columns C.
    dtype : dtype, optional
        Precision of the result.

    Returns
    -------
    array (n, C)
        1 in the label's column, 0 elsewhere.

    Raises
    ------
    TypeError, ValueError
        When labels are not integers (n,), or one is out of range (named by its row).

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.data.one_hot(np.array([2, 0]), 3)
    array([[0., 0., 1.],
           [1., 0., 0.]])
    """
    classes = check_count(classes, "classes", most=10**9)
    check_labels(labels, classes)
    rows: Array = np.zeros((len(labels), classes), check_dtype(dtype))
    rows[np.arange(len(labels)), labels] = 1
    return freeze(rows)


@frozen(eq=False)
class OneHot:
    """One-hot rows for the labels of the training data, whatever integers they are; see :func:`fit_one_hot`."""

    labels: IntArray  # (C,), sorted and unlike: column c stands for labels[c]

    def transform(self, labels: IntArray, *, dtype: DTypeLike = np.float64) -> Array:
        """Return one-hot rows (n, C); a label that the training data did not have is a ValueError that names its row."""
        _check_integers(labels)
        same = labels.astype(self.labels.dtype)  # integers of two kinds would be compared as floating numbers
        columns = np.searchsorted(self.labels, same).clip(max=len(self.labels) - 1)
        unknown = np.flatnonzero((self.labels[columns] != same) | (same != labels))
        if unknown.size:
            raise ValueError(
                f"labels[{unknown[0]}] is {labels[unknown[0]]}, which is not among the {len(self.labels)} labels of the"
                f" training data ({unknown.size} such rows)"
            )
        return one_hot(columns, len(self.labels), dtype=dtype)

    def inverse(self, rows: Array) -> IntArray:
        """Return the label of the largest entry of each row (n, C): of one-hot rows, or of scores and probabilities."""
        check_array(rows, "rows")
        if rows.ndim != 2 or rows.shape[1] != len(self.labels):
            raise ValueError(f"rows is {describe(rows)}, expected (n, {len(self.labels)}): one column for each label")
        check_not_nan(rows, "rows")
        labels: IntArray = self.labels[rows.argmax(1)]
        return labels


def fit_one_hot(labels: IntArray) -> OneHot:
    """Fit the columns of one-hot rows: one for each label that occurs, in order.

    Parameters
    ----------
    labels : integer array (n,)
        Of the training data; any integers.

    Returns
    -------
    OneHot

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fitted = fn.data.fit_one_hot(np.array([7, 3, 7]))
    >>> fitted.transform(np.array([3, 7]))
    array([[1., 0.],
           [0., 1.]])
    >>> fitted.inverse(np.array([[0.1, 0.9]]))
    array([7])
    """
    _check_integers(labels)
    if not len(labels):
        raise ValueError("there are no labels to fit")
    return freeze(OneHot(np.unique(labels)))


def _check_integers(labels: object) -> None:
    if not is_plain(labels) or labels.dtype.kind not in "iu" or labels.ndim != 1:
        raise TypeError(f"labels is {describe(labels)}, expected integers (n,){label_advice(labels)}")
