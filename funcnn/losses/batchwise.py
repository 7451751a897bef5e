"""Losses of which the value for a batch is not made of the values for its parts."""

from __future__ import annotations

from functools import partial
from typing import Any

from funcnn.losses import combined
from funcnn.losses.batch_rule import is_batchwise
from funcnn.losses.loss import Loss

AnyLoss = Loss[Any, Any]


def compares_examples(loss: AnyLoss) -> bool:
    """Tell whether a loss compares the examples of a batch with each other, itself or in a part of it."""
    return is_batchwise(loss) or any(compares_examples(one) for one in added(loss))


def is_apart(loss: AnyLoss) -> bool:
    """Tell whether the value for a batch is that of its parts: averaged by what counts in each, or added.

    A combination of losses is not: each of them averages by what counts for itself.
    """
    return not added(loss) and not compares_examples(loss)


def added(loss: AnyLoss) -> tuple[AnyLoss, ...]:
    """Return the losses that a combination adds; none for any other."""
    function: Any = loss.forward
    if isinstance(function, partial) and function.func is combined.forward:
        losses: tuple[AnyLoss, ...] = function.args[0]
        return losses
    return ()
