"""What an optimizer is.

::

    init(params)                  -> OptState
    update(params, grads, state)  -> Updated(params, state)

Both are pure: they give new trees.  An optimizer is a frozen attrs class whose fields are the hyper-parameters, so that it
prints, compares and evolves; its tree type is that of each call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar, cast, runtime_checkable

import numpy as np
from attrs import frozen

from funcnn.record import lean
from funcnn.typing import Array, IntArray

P = TypeVar("P")


@lean
@frozen(eq=False)
class OptState(Generic[P]):
    """What an optimizer keeps from one update to the next: a tree of arrays, for parameters of type P.

    It can be saved like any tree, and training resumed from it exactly.
    """

    count: IntArray
    """(), updates done so far."""
    slots: tuple[Array, ...] = ()
    """The optimizer's own arrays, such as Adam's moments, in the order that its file says."""
    inner: tuple[OptState[P], ...] = ()
    """The states of the optimizers and transformations that this one is made of."""


@lean
@frozen(eq=False)
class Updated(Generic[P]):
    """What ``update`` gives: the next parameters and the next state."""

    params: P
    state: OptState[P]


@runtime_checkable
class Optimizer(Protocol):
    """Anything with ``init`` and ``update``."""

    def init(self, params: P) -> OptState[P]:
        """Return the state before the first update."""
        ...

    def update(self, params: P, grads: P, state: OptState[P]) -> Updated[P]:
        """Return the next parameters and state."""
        ...


lock = cast("Callable[[np.ndarray[Any, Any], bool], None]", np.ndarray.setflags)
"""``lock(array, False)`` makes an array read-only; with the flag by position, in half the time of ``setflags(write=False)``."""


def counter(updates: int) -> IntArray:
    """Return the ``count`` of a state: a read-only array of no axes."""
    count = np.array(updates)
    lock(count, False)
    return count
