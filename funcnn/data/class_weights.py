r"""Balanced weights: rare classes count as much in a loss as frequent ones.

Of $n$ rows in $C$ classes, of which $n_c$ are of class $c$, a row of it weighs $n / (C n_c)$ (King and Zeng 2001): each class
weighs $n / C$ together, and all rows weigh $n$.
"""

from __future__ import annotations

import numpy as np

from funcnn.data.dataset import check_labels
from funcnn.errors import check_count, is_plain
from funcnn.tree import freeze
from funcnn.typing import Array, IntArray


def balanced_class_weight(labels: IntArray, classes: int | None = None) -> tuple[float, ...]:
    """Return the weight of each class with which all count alike: the argument ``class_weight`` of losses.

    Parameters
    ----------
    labels : integer array (n,)
        Of the training data, from 0 on.
    classes : int, optional
        How many there are; by default one more than the largest label.

    Returns
    -------
    tuple of float
        The number of rows, divided by the number of classes that occur and by the rows of the class; 0 for one without rows.

    Raises
    ------
    TypeError, ValueError
        When labels are not integers (n,) in [0, classes), or there are none.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> weight = fn.data.balanced_class_weight(np.array([0, 0, 0, 1]))
    >>> [round(one, 3) for one in weight]
    [0.667, 2.0]
    >>> loss = fn.softmax_cross_entropy(class_weight=weight)
    """
    counts = _counts(labels, classes)
    present = int(np.count_nonzero(counts))
    return tuple(float(len(labels) / (present * one)) if one else 0.0 for one in counts.tolist())


def balanced_weights(labels: IntArray) -> Array:
    """Return the weight of each row with which all classes count alike: the weight of a :class:`Weighted` target.

    Parameters
    ----------
    labels : integer array (n,)
        From 0 on.

    Returns
    -------
    array (n,)
        float64, with the mean 1.

    Raises
    ------
    TypeError, ValueError
        When labels are not integers (n,) from 0 on, or there are none.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> labels = np.array([0, 0, 0, 1])
    >>> fn.data.balanced_weights(labels).round(3)
    array([0.667, 0.667, 0.667, 2.   ])
    >>> target = fn.Weighted(labels, fn.data.balanced_weights(labels))
    """
    weight: Array = np.array(balanced_class_weight(labels))[labels]
    return freeze(weight)


def _counts(labels: IntArray, classes: int | None) -> IntArray:
    largest = int(labels.max()) + 1 if is_plain(labels) and labels.dtype.kind in "iu" and labels.size else 1
    number = largest if classes is None else check_count(classes, "classes")
    check_labels(labels, number)
    if not len(labels):
        raise ValueError("there are no labels to be balanced")
    return np.bincount(labels, minlength=number)
