"""The update of a small tree, with all that can be known before it: what :func:`funcnn.compiled` makes of an optimizer.

On a tree of a few small leaves the arithmetic of a rule takes less time than finding out what there is to do.  That is the same
at every step of a training loop.  Here it is worked out once, and a step tests that it still holds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias, TypeVar

from funcnn.optim.flat import Elementwise, coefficients, is_within
from funcnn.optim.layout import joined
from funcnn.optim.optimizer import OptState, Updated, counter, lock, updates_done

P = TypeVar("P")

SmallUpdate: TypeAlias = Callable[[P, P, OptState[P]], Updated[P] | None]
"""Takes what ``update`` takes and gives what it gives; None where it is not as expected, for the plain code to look at."""


def small_update(optimizer: Elementwise, params: P) -> SmallUpdate[P] | None:
    """Return the update of trees like one, equal to the optimizer's own to the last bit.

    There is none, hence None, where a leaf is large, where leaves differ in their dtypes or in whether they are decayed, and
    where gradients are looked through before every step.
    """
    layout, _ = optimizer.arranged(params)
    group = layout.whole
    if group is None:
        return None
    watched = optimizer._watched(group)
    if watched is None and optimizer._square_share is not None and group.room < math.inf:
        return None
    take, rebuild, views, rule, coefficients_at = (
        layout.leaves,
        layout.structure.rebuild,
        layout.views,
        optimizer._rule,
        optimizer._coefficients,
    )
    size, dtype, label, width = group.size, group.dtype, group.label, len(optimizer.slots)

    def update(params: P, grads: P, state: OptState[P]) -> Updated[P] | None:
        old, slopes = take(params), take(grads)
        if old is None or slopes is None or type(state) is not OptState or state.inner:
            return None
        slots = state.slots
        if len(slots) != width:
            return None
        for slot in slots:
            if slot.size != size or slot.dtype != dtype:
                return None
        count = updates_done(state, optimizer)
        c = coefficients(coefficients_at(count, label), dtype)
        try:
            out = rule(c, joined(old, dtype), joined(slopes, dtype), *slots)
        except (FloatingPointError, RuntimeWarning):  # of somebody who has NumPy or Python raise them
            return None
        if watched is not None and not is_within(watched, out):
            return None
        for array in out:
            lock(array, False)
        return Updated(rebuild(views(out)), OptState(counter(count + 1), out[1:]))

    return update
