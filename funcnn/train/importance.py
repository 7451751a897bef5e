r"""Permutation importance: how much worse a network becomes when it no longer knows one of its features.

With the score $s$ of the predictions for rows $X$ and with $X^{(j)}$, whose column $j$ is shuffled among the rows (Breiman 2001,
Random forests, section 10; Fisher, Rudin and Dominici 2019, arXiv:1801.01489, eq. 3),
$$ I_j = s(X) - s(X^{(j)}) , $$
averaged over several shuffles.  A feature that another one repeats has little of it: the network knows it still.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from attrs import frozen

from funcnn.errors import check_count, check_function, describe, is_plain, shown
from funcnn.key import Key, check_key
from funcnn.layer import Layer, check_layer
from funcnn.train.evaluate import predict
from funcnn.typing import Array

P = TypeVar("P")
S = TypeVar("S")
Y = TypeVar("Y")
T = TypeVar("T")


@frozen(eq=False)
class PermutationImportance:
    """What :func:`permutation_importance` gives."""

    score: float
    """The score of the rows as they are."""
    mean: Array
    """By how much it falls, feature by feature (d,); negative where it rises."""
    std: Array
    """The standard deviation over the shuffles (d,)."""


def permutation_importance(
    model: Layer[P, S, Array, Y],
    params: P,
    state: S,
    x: Array,
    y: T,
    metric: Callable[[Y, T], float],
    *,
    key: Key,
    repeats: int = 5,
    groups: Sequence[Sequence[int]] | None = None,
) -> PermutationImportance:
    """Return by how much a score falls when a feature is shuffled among the rows.

    Parameters
    ----------
    model : Layer
    params, state : tree
    x : array (n, d)
        Rows that the network was not trained on.
    y : array or tree of arrays
        Their targets.
    metric : callable
        ``(prediction, target) -> float``, larger is better, such as :func:`metrics.accuracy` or :func:`metrics.r2`.
    key : Key
        Its child (r, j) shuffles feature j for the r-th time.
    repeats : int, optional
        Shuffles of each feature.
    groups : sequence of sequence of int, optional
        Columns that are shuffled together, such as those of one category; by default each column alone.

    Returns
    -------
    PermutationImportance
        With an entry for each column, or group.

    Raises
    ------
    TypeError, ValueError
        When an argument is of the wrong kind, or a group names a column that is not there.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> x = np.random.default_rng(0).standard_normal((50, 2))
    >>> model = fn.linear(1)
    >>> params = fn.tree.replace(model.init(fn.Key(0), (2,)).params, ".weight", np.array([[1.0], [0.0]]))
    >>> found = fn.permutation_importance(model, params, (), x, x[:, :1], fn.metrics.r2, key=fn.Key(0))
    >>> found.score, bool(found.mean[0] > 1), float(found.mean[1])
    (1.0, True, 0.0)
    """
    check_layer(model, "model")
    check_function(metric, "metric", "(prediction, target) -> float")
    key, repeats = check_key(key), check_count(repeats, "repeats")
    if not is_plain(x) or x.dtype.kind != "f" or x.ndim != 2 or not x.size:
        raise TypeError(f"x is {describe(x)}, expected floating rows (n, d)")
    columns = [[column] for column in range(x.shape[1])] if groups is None else checked_groups(groups, x.shape[1])
    score = float(metric(predict(model, params, state, x), y))
    fallen = np.empty((repeats, len(columns)))
    for repeat in range(repeats):
        for number, group in enumerate(columns):
            order = key.child(repeat).child(number).generator().permutation(len(x))
            shuffled = x.copy()
            shuffled[:, group] = x[order][:, group]
            fallen[repeat, number] = score - float(metric(predict(model, params, state, shuffled), y))
    return PermutationImportance(score, fallen.mean(0), fallen.std(0))


def checked_groups(groups: Sequence[Sequence[int]], count: int) -> list[list[int]]:
    """Return groups of columns as lists, or raise when one names a column that is not there."""
    if not isinstance(groups, (list, tuple)) or not groups:
        raise TypeError(f"groups is {shown(groups)}, expected lists of columns in a list")
    made = []
    for number, group in enumerate(groups):
        if not isinstance(group, (list, tuple, range)) or not len(group):
            raise TypeError(f"groups[{number}] is {shown(group)}, expected the numbers of columns in a list")
        made.append([check_count(column, f"a column of groups[{number}]", 0, count - 1) for column in group])
    return made
