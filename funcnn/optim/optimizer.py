"""What an optimizer is.

::

    init(params)                  -> OptState
    update(params, grads, state)  -> Updated(params, state)

Both are pure: they give new trees.  An optimizer is a frozen attrs class whose fields are the hyper-parameters, so that it
prints,
compares and evolves; its tree type is that of each call.
"""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

from attrs import frozen

from funcnn.typing import Array, IntArray

P = TypeVar("P")


@frozen(eq=False)
class OptState(Generic[P]):
    """What an optimizer keeps from one update to the next: a tree of arrays, for parameters of type P."""

    count: IntArray  # (), updates done so far
    slots: tuple[Array, ...] = ()
    inner: tuple[OptState[P], ...] = ()


@frozen(eq=False)
class Updated(Generic[P]):
    """What ``update`` gives: the next parameters and the next state."""

    params: P
    state: OptState[P]


class Optimizer(Protocol):
    """Anything with ``init`` and ``update``."""

    def init(self, params: P) -> OptState[P]:
        """Return the state before the first update."""
        ...

    def update(self, params: P, grads: P, state: OptState[P]) -> Updated[P]:
        """Return the next parameters and state."""
        ...
