"""Donating the old state of an optimizer, so that the next one is written in its place.

An update reads what the optimizer remembers and writes its successor beside it: for Adam two arrays of the size of the
parameters, and traffic through memory for both.  A caller who no longer needs the old state can donate it.  Nobody else may see
that, hence three rules:

1. A donated state owns its arrays: nobody was ever given one of them.  Reading gives copies.
2. After an update it refuses to be read, with an error that says why.
3. What comes out is equal to the last bit.

So no view and no other state can change under anybody's hands.  Rules that treat every number alike make use of it
(:class:`Elementwise`), wherever they stand in an optimizer that is made of others.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Any, ClassVar, TypeVar, cast

from attrs import frozen

from funcnn.optim.composite import Composite, Measure
from funcnn.optim.flat import Elementwise
from funcnn.optim.optimizer import Optimizer, OptState, Updated, lock
from funcnn.typing import Array, IntArray

P = TypeVar("P")


class DonatedState(OptState[P]):
    """A state that the next update uses up.  It owns its arrays: what it is made of is copied, and what it gives are copies."""

    __slots__ = ("_held", "_reading")

    name_in_files: ClassVar[str] = OptState.__name__
    """Files hold the state that it stands for, and so each reads what the other has written."""

    _held: OptState[P] | None  # None: used up
    _reading: Lock

    def __init__(self, count: IntArray, slots: tuple[Array, ...] = (), inner: tuple[OptState[P], ...] = ()) -> None:
        self._hold(OptState(count, tuple([slot.copy() for slot in slots]), inner))

    @classmethod
    def owning(cls, state: OptState[P]) -> DonatedState[P]:
        """Return a donated state that takes over the arrays of a state which nobody else has seen."""
        own: list[Array] = []
        for slot in state.slots:  # an array that is a view, or there twice, is not its own
            own.append(slot if slot.base is None and all(slot is not other for other in own) else slot.copy())
        made = cls.__new__(cls)
        made._hold(OptState(state.count, tuple(own), state.inner))
        return made

    def _hold(self, state: OptState[P]) -> None:
        object.__setattr__(self, "_held", state)
        object.__setattr__(self, "_reading", Lock())

    def _look(self) -> OptState[P]:
        held = self._held
        if held is None:
            raise RuntimeError(
                "this state of an optimizer was used up by an update that wrote its successor over it: go on with the new one"
            )
        return held

    @property
    def count(self) -> IntArray:  # pyright: ignore[reportIncompatibleVariableOverride] - read-only in both
        """(), updates done so far."""
        return self._look().count

    @property
    def slots(self) -> tuple[Array, ...]:  # pyright: ignore[reportIncompatibleVariableOverride] - read-only in both
        """Copies of the optimizer's own arrays."""
        with self._reading:  # no update begins meanwhile
            copies = tuple([slot.copy() for slot in self._look().slots])
        for copy in copies:
            lock(copy, False)
        return copies

    @property
    def inner(self) -> tuple[OptState[P], ...]:  # pyright: ignore[reportIncompatibleVariableOverride] - read-only in both
        """The states of the optimizers that this one is made of: none, in a rule's."""
        return self._look().inner

    def take(self) -> OptState[P]:
        """Return the state itself; from now on this one refuses to be read."""
        with self._reading:
            held = self._look()
            object.__setattr__(self, "_held", None)
        return held

    def restore(self, held: OptState[P]) -> None:
        """Undo :meth:`take`, for a state that was not written over."""
        object.__setattr__(self, "_held", held)

    def __reduce__(self) -> tuple[type[DonatedState[P]], tuple[object, ...]]:
        return DonatedState, (self.count, self.slots, self.inner)

    def __repr__(self) -> str:
        if self._held is None:
            return "DonatedState(used up)"
        return f"DonatedState(count={self.count!r}, slots={self.slots!r}, inner={self.inner!r})"


class Overwrite:
    """Gives the arrays of a donated state for those of its successor, and tells whether it was asked to."""

    begun = False

    def __call__(self, slots: Sequence[Array]) -> Sequence[Array]:
        """Return these slots, which may be written from now on."""
        self.begun = True
        for slot in slots:
            lock(slot, True)
        return slots


@frozen
class Donating(Composite):
    """A rule that writes over the states that it is given.  Made by :func:`funcnn.donate_state`."""

    rule: Elementwise

    @property
    def parts(self) -> tuple[object, ...]:
        """The rule; the state is its own, not an inner one."""
        return (self.rule,)

    def combine(self, parts: tuple[Any, ...]) -> Optimizer:
        """Return an optimizer like this one of another rule."""
        return Donating(*parts)

    def init(self, params: P) -> OptState[P]:
        """Return the state before the first update."""
        return DonatedState.owning(self.rule.init(params))

    def update(self, params: P, grads: P, state: OptState[P]) -> Updated[P]:
        """Return the next parameters and state; a donated state that is given cannot be read any more."""
        if not isinstance(state, DonatedState):  # whose arrays others may have
            updated = self.rule.update(params, grads, state)
            return Updated(updated.params, DonatedState.owning(updated.state))
        own, overwrite = state.take(), Overwrite()
        try:
            updated = self.rule.updated(params, grads, own, overwrite)
        except BaseException:
            if not overwrite.begun:
                state.restore(own)
            raise
        return Updated(updated.params, DonatedState.owning(updated.state))

    def finish(self, params: P, state: OptState[P]) -> Updated[P]:
        """Return the same parameters and state: a rule has nothing left over."""
        return Updated(params, state)

    def told(self, state: OptState[P], measure: Measure) -> OptState[P]:
        """Return the same state: there is no plateau in a rule."""
        return state


def donate_state(optimizer: Optimizer) -> Optimizer:
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
        :func:`chain`, which tell their parts; what remains is as it was.

    Returns
    -------
    Optimizer
        Of the same kind, with the rules in it replaced.  It reads states of the one that is given, and the other way round.

    Raises
    ------
    TypeError
        When it is not an optimizer.

    Notes
    -----
    Nobody is ever given an array that will be written over: what is read from a state of this optimizer is a copy.
    :func:`fit` does not take one, because it goes back to the step before when a loss is not finite.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> opt = fn.donate_state(fn.adam(0.5))
    >>> params, grads = (np.array([1.0, 1.0]),), (np.array([1e-3, -1e3]),)
    >>> state = opt.init(params)
    >>> updated = opt.update(params, grads, state)
    >>> state.slots
    Traceback (most recent call last):
    RuntimeError: this state of an optimizer was used up by an update that wrote its successor over it: go on with the new one
    """
    one: object = optimizer
    if not isinstance(one, Optimizer) or isinstance(one, type):
        raise TypeError(f"donate_state takes an optimizer, such as adam(1e-3), got {optimizer!r}")
    return cast(Optimizer, donating(one))


def donating(one: Any) -> Any:  # Any: an optimizer, or a transformation, which stays what it is
    """Return an optimizer like another in which all elementwise rules use up their states."""
    if isinstance(one, Elementwise):
        return Donating(one)
    parts = () if isinstance(one, Donating) else getattr(one, "parts", ())
    return one.combine(tuple([donating(part) for part in parts])) if parts else one
