"""Running statistics of batch normalization for parameters that were never trained with: averages, for one.

The running statistics of a state are those of the inputs which the parameters of the last steps made.  Other parameters, such as
the average of many steps, make other inputs: what normalizes these must be measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar, cast

import numpy as np
from attrs import evolve

from funcnn import tree
from funcnn.data.batching import batches
from funcnn.data.streams.rows import Rows
from funcnn.errors import check_count
from funcnn.key import Key
from funcnn.layer import AnyLayer, Layer, Train
from funcnn.layer.instrument import map_layers
from funcnn.layers.normalization import batch_norm, instance_norm_with_statistics, without_affine
from funcnn.layers.normalization.batch_norm import RunningStatistics
from funcnn.train.evaluate import check_trees
from funcnn.train.preparation.check_data import check_rows
from funcnn.train.preparation.check_kinds import check_kind
from funcnn.typing import Array

AVERAGING: frozenset[Callable[..., Any]] = frozenset(
    {
        batch_norm.forward,
        batch_norm.masked_forward,
        without_affine.batch_norm_forward,
        instance_norm_with_statistics.forward,
    }
)
"""The forwards of norms with running statistics, whose first argument is the momentum."""

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")


def update_batch_statistics(model: Layer[P, S, X, Y], params: P, state: S, x: X | Rows, *, key: Key, batch_size: int = 256) -> S:
    """Return the state with the running statistics of every :func:`batch_norm` measured anew, for these parameters.

    For parameters that are not those which were trained: an average (:func:`ema`, :func:`polyak`), a mean of several runs,
    weights that were pruned or rounded.  With the statistics of the trained ones they can be far worse than they are.

    One pass over the inputs is made in training mode, in batches of equal size, which all count the same: means are the mean of
    the batches' means, and variances the mean of their (unbiased) variances.  Rows that do not fill a batch are left out.

    Parameters
    ----------
    model : Layer
    params, state : tree
    x : array, tree of arrays, or Rows
        Inputs like those that the network was trained on.
    key : Key
        Its child 0 shuffles the rows, and child (1, step) is that of the mode, for dropout and the like.
    batch_size : int, optional
        Rows of a batch, best that of training; at most all rows.

    Returns
    -------
    tree
        Like the state, of which everything but the running statistics is as it was; and these too, where a batch norm was not
        used in training mode, or saw one row at a time.

    Raises
    ------
    TypeError, ValueError
        When an argument is of the wrong kind, or there is no row.

    See Also
    --------
    fit : does this by itself for what ``evaluate_at`` gives.

    References
    ----------
    Izmailov, Podoprikhin, Garipov, Vetrov & Wilson (2018), Averaging weights leads to wider optima and better generalization,
    arXiv:1803.05407, section 3.2.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.batch_norm() >> fn.dense(1)
    >>> start = model.init(fn.Key(0), (1,))
    >>> x = np.array([[1.0], [3.0], [1.0], [3.0]])
    >>> state = fn.update_batch_statistics(model, start.params, start.state, x, key=fn.Key(0), batch_size=4)
    >>> state[0].mean, state[0].var.round(3)
    (array([2.]), array([1.333]))
    """
    check_kind(model, Layer, "model")
    check_kind(key, Key, "key")
    size = min(check_count(batch_size, "batch_size"), check_rows({"x": x}))
    measuring = map_layers(_counting_all_alike, model)
    shuffle, keys = key.split(2)
    now: S = tree.rebuild(state, _fresh(state))
    for step, rows in enumerate(batches(shuffle, cast(X, x), size, drop_last=True)):
        try:
            now = measuring.forward(params, now, rows, Train(keys.child(step))).state
        except AttributeError:  # as of predict: these are not the parameters of the model
            check_trees(model, params, state, x)
            raise
    return tree.freeze(tree.rebuild(state, _measured(state, now)))


def has_batch_statistics(state: object) -> bool:
    """Tell whether running statistics are part of a state."""
    if isinstance(state, (RunningStatistics, np.ndarray)):
        return isinstance(state, RunningStatistics)
    return any(has_batch_statistics(child) for _, child in tree.children(state))


def _counting_all_alike(path: str, layer: AnyLayer) -> AnyLayer:
    """Return a norm whose running statistics are the mean over all batches; any other layer as it is."""
    return evolve(layer, forward=_with_equal_weights(layer.forward))


def _with_equal_weights(function: Callable[..., Any]) -> Callable[..., Any]:  # Any: as AnyLayer
    """Return the forward of a norm in whose running statistics all batches count the same; any other as it is."""
    if isinstance(function, partial) and function.func in AVERAGING:
        return partial(function.func, None, *function.args[1:])
    if isinstance(function, partial) and function.func is without_affine.forward:
        inner, *rest = function.args
        return partial(function.func, _with_equal_weights(inner), *rest)
    return function


def _fresh(state: object) -> Iterator[Array]:
    """Yield the leaves of a state, those of running statistics as they are before the first batch."""
    if isinstance(state, RunningStatistics):
        yield from (np.zeros_like(state.mean), np.ones_like(state.var), cast(Array, np.zeros_like(state.count)))
    elif isinstance(state, np.ndarray):
        yield state
    else:
        for _, child in tree.children(state):
            yield from _fresh(child)


def _measured(old: object, new: object) -> Iterator[Array]:
    """Yield the leaves of an old state, those of running statistics from the new one, where that saw a batch."""
    if isinstance(old, RunningStatistics) and isinstance(new, RunningStatistics):
        yield from tree.leaves(new if int(new.count) else old)
    elif isinstance(old, np.ndarray):
        yield old
    else:
        for (_, one), (_, other) in zip(tree.children(old), tree.children(new), strict=True):
            yield from _measured(one, other)
