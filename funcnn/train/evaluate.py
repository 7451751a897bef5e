"""Prediction and scores on more rows than fit in one batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar, cast

import numpy as np

from funcnn import tree
from funcnn.compile.compiled import compiled_if_often
from funcnn.data.streams.rows import Rows
from funcnn.errors import check_count
from funcnn.grad import Misfit
from funcnn.key import Key
from funcnn.layer import Layer
from funcnn.losses.loss import Loss
from funcnn.train.preparation.check_data import check_rows, in_shapes, seen
from funcnn.train.preparation.check_kinds import check_kind, check_metrics
from funcnn.train.scores import loss_and_metrics
from funcnn.typing import Array

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")
T = TypeVar("T")
M = TypeVar("M")


def predict(model: Layer[P, S, X, Y], params: P, state: S, x: X | Rows, *, batch_size: int = 256) -> Y:
    """Return the outputs of a network in evaluation mode, computed some rows at a time.

    Parameters
    ----------
    model : Layer
    params, state : tree
        As ``model.init`` or training gave them.
    x : array or tree of arrays
        The inputs, the batch axis first; they may be memory-mapped, or :class:`data.Rows`.
    batch_size : int, optional
        Rows computed at a time.

    Returns
    -------
    array or tree of arrays
        The outputs of all rows.

    Raises
    ------
    ValueError
        When the batch size is not positive, there is no row, or the parameters and the state are not those of the model.
    TypeError
        When an argument is of the wrong kind.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.dense(2)
    >>> start = model.init(fn.Key(0), (3,))
    >>> fn.predict(model, start.params, start.state, np.ones((1000, 3))).shape
    (1000, 2)
    """
    check_kind(model, Layer, "model")
    batch_size, rows = check_count(batch_size, "batch_size"), check_rows({"x": x})
    run = compiled_if_often(model, -(-rows // batch_size))
    try:
        return join([run(params, state, part(x, first, first + batch_size)) for first in range(0, rows, batch_size)])
    except (AttributeError, Misfit):  # a record of parameters without a field: of another network, or the state
        check_trees(model, params, state, x)
        raise


def evaluate(
    model: Layer[P, S, X, Y],
    params: P,
    state: S,
    x: X | Rows,
    y: T,
    loss: Loss[Y, T],
    *,
    metrics: Mapping[str, Callable[[Y, M], float]] | None = None,
    batch_size: int = 256,
) -> dict[str, float]:
    """Return the loss and the metrics of a network on a set of examples, in evaluation mode.

    The predictions are made some rows at a time; the loss and each metric are then computed once, of all rows, so that they do
    not depend on the batch size.

    Parameters
    ----------
    model : Layer
    params, state : tree
    x, y : array or tree of arrays
        Inputs and targets, the batch axis first; x may be :class:`data.Rows`, which are read a batch at a time.
    loss : Loss
    metrics : dict, optional
        Functions ``(prediction, target) -> float`` by name; of a :class:`Weighted` target they see what has a positive weight.
    batch_size : int, optional
        Rows predicted at a time.

    Returns
    -------
    dict
        ``{"loss": ..., name: ...}``.

    Raises
    ------
    ValueError
        When x and y differ in their number of rows, or there is none.
    TypeError
        When an argument is of the wrong kind, such as the loss in the place of x.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.dense(1)
    >>> start = model.init(fn.Key(0), (3,))
    >>> fn.evaluate(model, start.params, start.state, np.zeros((5, 3)), np.ones((5, 1)), fn.mean_squared_error())
    {'loss': 1.0}
    """
    if isinstance(x, Loss):
        raise TypeError(f"x is the Loss {x.name}: the order is evaluate(model, params, state, x, y, loss)")
    check_kind(loss, Loss, "loss")
    check_metrics({} if metrics is None else metrics)
    check_rows({"x": x, "y": y})
    for path, leaf in tree.walk(seen(x)):
        if leaf.dtype.kind == "c":
            raise TypeError(f"x{path} is {leaf.dtype}, and a loss is a real number: evaluate takes real inputs")
    prediction = predict(model, params, state, x, batch_size=batch_size)
    return loss_and_metrics(loss, metrics or {}, prediction, y)


def check_trees(model: Layer[P, S, X, Y], params: P, state: S, x: X | Rows) -> None:
    """Raise when parameters or state are not of the structure that the model makes for such inputs, with the path."""
    made = model.init(Key(0), in_shapes(x))
    try:
        tree.check_structure(made.params, params, "params")
        tree.check_structure(made.state, state, "state")
    except (TypeError, ValueError) as error:
        raise ValueError(f"{error} (are params and state in each other's places?)") from None


def part(data: X | Rows, first: int, stop: int) -> X:
    """Return consecutive rows of a tree of arrays, as views; or some that are read now."""
    if isinstance(data, Rows):
        return cast(X, data.take(np.arange(first, min(stop, len(data)))))
    return tree.map(lambda leaf: leaf[first:stop], data)


def join(parts: list[Y]) -> Y:
    """Return batches of outputs as one, in the order given."""
    if len(parts) == 1:
        return parts[0]
    columns: Iterator[tuple[Array, ...]] = zip(*[tree.leaves(one) for one in parts], strict=True)
    return tree.rebuild(parts[0], iter([np.concatenate(leaves) for leaves in columns]))
