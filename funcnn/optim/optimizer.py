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

from funcnn.errors import describe
from funcnn.runtime.records import fast_init, read_only_again
from funcnn.typing import Array, IntArray

P = TypeVar("P")


@fast_init
@read_only_again
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


@fast_init
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


def updates_done(state: OptState[P], optimizer: object) -> int:
    """Return how many updates a state has seen.

    Raises
    ------
    TypeError
        When it is not the state of an optimizer.
    ValueError
        When its count is negative.
    """
    given: object = state
    if not isinstance(given, OptState):
        raise TypeError(f"state is {describe(given)}, expected what init or update of {optimizer!r} gave, an OptState")
    count = state.count
    if type(count) is not np.ndarray or count.ndim or type(updates := count.item()) is not int:
        raise TypeError(f"state.count is {describe(count)}, expected an array of one integer without axes")
    if updates < 0:
        raise ValueError(f"state.count is {updates}, expected at least 0: the number of updates done so far")
    return updates


def foreign(state: OptState[P], optimizer: object, why: str) -> ValueError:
    """Return the error for a state that another optimizer, or this one with other parameters, has made."""
    return ValueError(f"state does not fit: it must come from init or update of {optimizer!r} with these parameters, but {why}")


def check_shape(state: OptState[P], optimizer: object, inner: int, slots: int | None = None) -> None:
    """Raise unless a state has so many inner states and slots (None: any number)."""
    if len(state.inner) != inner:
        raise foreign(state, optimizer, f"it has {len(state.inner)} inner states in place of {inner}")
    if slots is not None and len(state.slots) != slots:
        raise foreign(state, optimizer, f"it has {len(state.slots)} arrays in place of {slots}")


def check_trainable(path: str, dtype: np.dtype[Any]) -> None:
    """Raise a TypeError unless a leaf of this dtype can be updated: float32, float64 or long double.

    Half precision is refused: epsilons such as Adam's 1e-8 are 0 there, and squares of gradients overflow from 256 on.
    """
    if dtype.name in ("float16", "bfloat16") or dtype.name.startswith("float8"):
        raise TypeError(
            f"parameter {path} has dtype {dtype}: optimizers compute in float32 at least, where squares of gradients and small"
            " epsilons have room; use fn.tree.astype(params, np.float32)"
        )
    if dtype.kind != "f":
        raise TypeError(
            f"parameter {path} has dtype {dtype}: an optimizer updates floating-point leaves; what is not trained belongs to"
            " the layer's state"
        )


def counter(updates: int) -> IntArray:
    """Return the ``count`` of a state: a read-only array of no axes."""
    count = np.array(updates)
    lock(count, False)
    return count
