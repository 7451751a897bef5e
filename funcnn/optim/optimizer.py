"""What an optimizer is.

::

    init(params)                  -> OptState
    update(params, grads, state)  -> Updated(params, state)

Both are pure: they give new trees.  An optimizer is a frozen attrs class whose fields are the hyper-parameters, so that it
prints, compares and evolves; its tree type is that of each call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Protocol, TypeVar, cast, runtime_checkable

import numpy as np
from attrs import fields, frozen

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

    if not TYPE_CHECKING:  # a type checker shall not take every name for one of a state's

        def __getattr__(self, name: str) -> NoReturn:
            """Say why a field is missing: it was taken away by :func:`spend`."""
            if name in _FIELDS:
                raise RuntimeError(
                    "this state of an optimizer was used up by an update that wrote its successor over it: go on with the new one"
                )
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


_FIELDS = {one.name: getattr(OptState, one.name) for one in fields(OptState)}


def spend(state: OptState[P]) -> None:
    """Take away the fields of a state: it refuses to be read from now on."""
    for one in _FIELDS.values():
        one.__delete__(state)


def is_spent(state: OptState[P]) -> bool:
    """Tell whether a state was used up."""
    try:
        _FIELDS["count"].__get__(state)
    except AttributeError:
        return True
    return False


def restore(state: OptState[P], *values: object) -> None:
    """Give a state its fields back."""
    for one, value in zip(_FIELDS.values(), values, strict=True):
        one.__set__(state, value)


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
