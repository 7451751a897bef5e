"""Giving up the old state of an optimizer, so that the next one is written in its place.

An update reads what the optimizer remembers and writes its successor beside it: for Adam two arrays of the size of the
parameters, and traffic through memory for both.  A caller who no longer needs the old state can say so.  That must not be visible
to anybody else, hence three rules:

1. A state that was given up refuses to be read, with an error that says why.
2. An array is written over only where nobody but that state refers to it.  Whoever took hold of one before (a view is enough)
   keeps what it was, and new arrays are made.
3. What comes out is equal to the last bit.

Between the optimizer that was told so and the elementwise rules that can make use of it, the state travels as
:class:`DonatedState`, through whatever stands between them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from attrs import evolve, frozen

from funcnn.optim.composite import Measure, Wrapper, finished, told
from funcnn.optim.optimizer import Optimizer, OptState, Updated, counter, invalidate, is_invalid, lock, set_fields, updates_done
from funcnn.runtime.records import fast_init
from funcnn.typing import Array

P = TypeVar("P")


@fast_init
@frozen(eq=False)
class DonatedState(OptState[P]):
    """A state that was donated to the update that sees it."""

    origin: OptState[P] | None = None
    """The state that was donated."""
    alone: bool = False
    """Whether nobody else refers to the slots."""


def refcounts(state: OptState[P]) -> list[int]:
    """Return how many references there are to the slots together and to each of them, where the interpreter counts them."""
    if not hasattr(sys, "getrefcount"):
        return []
    return [sys.getrefcount(state.slots), *[sys.getrefcount(slot) for slot in state.slots]]


_ALONE = refcounts(OptState(counter(0), (np.zeros(1),)))
"""What is counted where there is no other reference: this depends on the interpreter."""


def donate(state: OptState[P]) -> DonatedState[P]:
    """Return a state with the same arrays, and have the one that is given refuse from now on."""
    alone = bool(_ALONE) and refcounts(state) == [_ALONE[0], *[_ALONE[1]] * len(state.slots)]
    count, slots, inner = state.count, state.slots, state.inner
    invalidate(state)
    return DonatedState(count, slots, tuple([donate(one) for one in inner]), state, alone)


def restore(state: OptState[P]) -> None:
    """Undo :func:`donate` for what was not written over."""
    if type(state) is DonatedState and state.origin is not None and not is_invalid(state):
        parts = state.inner
        for one in parts:
            restore(one)
        origins = [one.origin for one in parts if type(one) is DonatedState]
        set_fields(state.origin, state.count, state.slots, tuple([one for one in origins if one is not None]))


def strip(state: OptState[P]) -> OptState[P]:
    """Return a state in which nothing is donated any more."""
    inner = tuple([strip(one) for one in state.inner])
    if type(state) is DonatedState:
        return OptState(state.count, state.slots, inner)
    return state if inner == state.inner else evolve(state, inner=inner)


def output_buffers(state: OptState[P], slots: Sequence[Array]) -> list[Array]:
    """Return the arrays in which to write the successors of some of the slots of a state: these themselves, where they may be."""
    if type(state) is not DonatedState or not state.alone:
        return [np.empty_like(slot) for slot in slots]
    if not is_invalid(state):
        invalidate(state)
    made = []
    for slot in slots:
        if slot.base is None:
            lock(slot, True)
        made.append(slot if slot.base is None else np.empty_like(slot))
    return made


@frozen
class Overwriting(Wrapper):
    """An optimizer that writes over the states that it is given.  Made by :func:`funcnn.overwriting`."""

    optimizer: Optimizer

    def init(self, params: P) -> OptState[P]:
        """Return the state before the first update."""
        return self.optimizer.init(params)

    def update(self, params: P, grads: P, state: OptState[P]) -> Updated[P]:
        """Return the next parameters and state; the state that is given cannot be read any more."""
        updates_done(state, self)
        return self._consumed(state, lambda given: self.optimizer.update(params, grads, given))

    def finish(self, params: P, state: OptState[P]) -> Updated[P]:
        """Return the parameters and the state after the update with what is left over; see :class:`Composite`."""
        updates_done(state, self)
        return self._consumed(state, lambda given: finished(self.optimizer, params, given))

    def told(self, state: OptState[P], measure: Measure) -> OptState[P]:
        """Return the state, which is that of the optimizer itself, after every plateau in it was told its measure."""
        return told(self.optimizer, state, measure)

    def _consumed(self, state: OptState[P], step: Callable[[OptState[P]], Updated[P]]) -> Updated[P]:
        given = donate(state)
        try:
            updated = step(given)
        except BaseException:
            restore(given)
            raise
        return Updated(updated.params, strip(updated.state))


def overwriting(optimizer: Optimizer) -> Overwriting:
    """Let each update write over the optimizer's state that it is given: less memory and time for large networks.

    For Adam on a network of a million parameters and more, a step holds five arrays of that size at its peak (parameters, their
    successors, gradients and two moments) where it held seven.  The parameters and the gradients that are given stay what
    they are; and the results are equal to those of the optimizer itself to the last bit.

    The state is used up: whoever reads it after the update, or hands it to another update, gets an error.  So it is for loops
    that go on with the new state and keep no old one::

        updated = optimizer.update(params, result.grads, state)
        params, state = updated.params, updated.state

    Parameters
    ----------
    optimizer : Optimizer
        Any one.  Those whose rule treats every number alike, such as :func:`adam`, make use of it, also inside of others, such as
        :func:`chain`.

    Returns
    -------
    Optimizer
        With the states of the one that is given: what one has written the other can read.

    Raises
    ------
    TypeError
        When it is not an optimizer.

    Notes
    -----
    :func:`fit` does not take one, because it goes back to the step before when a loss is not finite.  An array of the old state
    that anybody else refers to, such as one that was taken out of ``state.slots``, is not written over.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> opt = fn.overwriting(fn.adam(0.5))
    >>> params, grads = (np.array([1.0, 1.0]),), (np.array([1e-3, -1e3]),)
    >>> state = opt.init(params)
    >>> updated = opt.update(params, grads, state)
    >>> state.slots
    Traceback (most recent call last):
    RuntimeError: this state of an optimizer was used up by an update that wrote its successor over it: go on with the new one
    """
    one: object = optimizer
    if not isinstance(one, Optimizer) or isinstance(one, type):
        raise TypeError(f"overwriting takes an optimizer, such as adam(1e-3), got {optimizer!r}")
    return Overwriting(optimizer)
