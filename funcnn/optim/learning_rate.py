"""The learning rate of an optimizer's next update, wherever in it the rule lies that takes the step."""

from __future__ import annotations

from typing import Any

from funcnn.optim.optimizer import OptState
from funcnn.optim.schedules.rate import rate_at


def learning_rate(optimizer: object, state: OptState[Any], scale: float = 1.0) -> float | None:  # Any: of any parameters
    """Return the learning rate of the next update, of the first rule that has one; None when none has.

    A schedule is asked at the count of the rule's own state, and the scale of :func:`reduce_on_plateau` is in it.

    Parameters
    ----------
    optimizer : Optimizer
        A rule, or anything made of rules that tells its parts.
    state : OptState
        What its ``init`` or ``update`` gave.
    scale : float, optional
        What the rate is multiplied by.
    """
    if hasattr(type(optimizer), "is_plateau"):
        scale *= float(state.slots[0])
    rate: Any = getattr(optimizer, "learning_rate", None)
    if rate is not None:
        return scale * rate_at(rate, int(state.count))
    parts: tuple[object, ...] = getattr(optimizer, "parts", ())
    inner = state.inner if len(state.inner) == len(parts) else (state,) * len(parts)
    found = (learning_rate(part, own, scale) for part, own in zip(parts, inner, strict=True))
    return next((one for one in found if one is not None), None)
