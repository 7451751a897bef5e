r"""One loss of several outputs: several heads, or auxiliary losses beside the main one.

Forward, with an output $y_j$, a target $t_j$, a loss $L_j$ and a weight $w_j$ for each head
$$ L = \sum_j w_j\, L_j(y_j, t_j) . $$

Derivation.  $\mathrm{d}L = \sum_j w_j\,\mathrm{d}L_j$, and no head's loss knows of another's output: $\bar y_j = w_j\,
\frac{\partial L_j}{\partial y_j}$.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, TypeVar, overload

import numpy as np

from funcnn import tree
from funcnn.errors import describe
from funcnn.layer import Residuals
from funcnn.losses.checks import positive_numbers
from funcnn.losses.loss import Loss, LossForward, check_loss, define_loss
from funcnn.losses.weighted import Weighted
from funcnn.typing import Scalar

Y1 = TypeVar("Y1")
Y2 = TypeVar("Y2")
Y3 = TypeVar("Y3")
Y4 = TypeVar("Y4")
T1 = TypeVar("T1")
T2 = TypeVar("T2")
T3 = TypeVar("T3")
T4 = TypeVar("T4")

# Any: losses of predictions and targets of any types; the overloads hold them to account.
AnyLoss = Loss[Any, Any]


def forward(
    losses: tuple[AnyLoss, ...], weights: tuple[float, ...], prediction: Any, target: Any
) -> LossForward[tuple[Residuals, ...]]:
    outputs = entries(prediction, "the prediction", len(losses))
    if isinstance(target, Weighted):
        targets: Any = [Weighted(one, target.weight) for one in entries(target.target, "target", len(losses))]
    else:
        targets = entries(target, "target", len(losses))
    total: Scalar | None = None
    kept = []
    for index, (loss, weight) in enumerate(zip(losses, weights, strict=True)):
        try:
            made = loss.forward(outputs[index], targets[index])
        except (TypeError, ValueError) as error:
            error.add_note(f"in loss {index}, {loss.name}")
            raise
        own: Scalar = made.value * made.value.dtype.type(weight)
        total = own if total is None else total + own
        kept.append(made.residuals)
    assert total is not None  # there are two losses or more
    return LossForward(total, tuple(kept))


def backward(losses: tuple[AnyLoss, ...], weights: tuple[float, ...], residuals: tuple[Residuals, ...]) -> tuple[Any, ...]:
    return tuple(
        [
            tree.map_cotangents(lambda leaf, w=weight: leaf * leaf.real.dtype.type(w), loss.backward(kept))
            for loss, weight, kept in zip(losses, weights, residuals, strict=True)
        ]
    )


def rows(target: Any) -> float:
    """Return how much a batch counts: its rows, or what they weigh together."""
    if isinstance(target, Weighted):
        return float(np.asarray(target.weight, float).sum())
    return float(next((len(leaf) for leaf in tree.leaves(target)), 1))


def entries(value: Any, what: str, count: int) -> tuple[Any, ...]:
    """Return the entries of a tuple, or raise unless there are as many as losses."""
    if type(value) is not tuple or len(value) != count:
        raise TypeError(f"{what} is {describe(value)}, expected a tuple of {count}, one for each loss")
    return value


@overload
def combined_loss(
    l1: Loss[Y1, T1], l2: Loss[Y2, T2], /, *, weights: Sequence[float] | None = None
) -> Loss[tuple[Y1, Y2], tuple[T1, T2] | Weighted[tuple[T1, T2]]]: ...
@overload
def combined_loss(
    l1: Loss[Y1, T1], l2: Loss[Y2, T2], l3: Loss[Y3, T3], /, *, weights: Sequence[float] | None = None
) -> Loss[tuple[Y1, Y2, Y3], tuple[T1, T2, T3] | Weighted[tuple[T1, T2, T3]]]: ...
@overload
def combined_loss(
    l1: Loss[Y1, T1], l2: Loss[Y2, T2], l3: Loss[Y3, T3], l4: Loss[Y4, T4], /, *, weights: Sequence[float] | None = None
) -> Loss[tuple[Y1, Y2, Y3, Y4], tuple[T1, T2, T3, T4] | Weighted[tuple[T1, T2, T3, T4]]]: ...
@overload  # any number of one type: of so many that no other overload fits too
def combined_loss(
    l1: Loss[Y1, T1],
    l2: Loss[Y1, T1],
    l3: Loss[Y1, T1],
    l4: Loss[Y1, T1],
    l5: Loss[Y1, T1],
    /,
    *losses: Loss[Y1, T1],
    weights: Sequence[float] | None = None,
) -> Loss[tuple[Y1, ...], tuple[T1, ...] | Weighted[tuple[T1, ...]]]: ...
def combined_loss(*losses: AnyLoss, weights: Sequence[float] | None = None) -> AnyLoss:
    """Add the losses of several outputs, each with a weight: for networks with several heads, or auxiliary outputs.

    Parameters
    ----------
    *losses : Loss
        At least two, one for each output, of one reduction; up to four of unlike types, or any number of one type.
    weights : sequence of floats, optional
        Above 0, one for each loss; 1 without it.

    Returns
    -------
    Loss
        Of a tuple of predictions, such as ``branch`` gives, and a tuple of targets.  A target may be weighted by itself
        (``(labels, fn.Weighted(boxes, there))``), or the whole of it, ``fn.Weighted((labels, boxes), weight)``.  The value of a
        set of several batches is their mean by rows.

    Raises
    ------
    TypeError, ValueError
        With fewer than two losses, something that is none, losses of unlike reductions, or weights that are not as many positive
        numbers; in ``forward``, when prediction and target are no tuples of as many, and what a loss itself raises.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.dense(8) >> fn.tanh() >> fn.branch(fn.dense(3), fn.dense(1))
    >>> loss = fn.combined_loss(fn.softmax_cross_entropy(), fn.mean_squared_error(), weights=(1.0, 0.5))
    >>> start = model.init(fn.Key(0), (4,))
    >>> targets = np.array([0, 2]), np.zeros((2, 1))
    >>> made = fn.loss_and_grad(model, loss)(start.params, start.state, np.zeros((2, 4)), targets, fn.Eval())
    >>> round(float(made.loss), 6)
    1.098612
    """
    if len(losses) < 2:
        raise ValueError(f"combined_loss needs at least 2 losses, got {len(losses)}")
    for one in losses:
        check_loss(one)
    reductions = {one.reduction for one in losses}
    if len(reductions) > 1:
        raise ValueError(f"the losses have the reductions {sorted(reductions)}, expected one: a sum of both depends on the batch")
    numbers = (1.0,) * len(losses) if weights is None else positive_numbers(weights, "weights")
    if not isinstance(numbers, tuple) or len(numbers) != len(losses):
        raise ValueError(f"weights is {weights!r}, expected {len(losses)} numbers, one for each loss")
    name = " + ".join(one.name if w == 1 else f"{w:g} {one.name}" for w, one in zip(numbers, losses, strict=True))
    bound = partial(forward, losses, numbers), partial(backward, losses, numbers)
    return define_loss(name, *bound, reduction=losses[0].reduction, mass=rows)
