"""Optimizers that are made of others, and what is done to all of them wherever they stand.

A composite optimizer tells its ``parts``, one for each of its state's ``inner`` states, and makes itself again from others
(``combine``), as layers do.  On these two rest

- ``report``: a measured loss reaches every :func:`reduce_on_plateau` in it;
- ``finish``: gradients that :func:`accumulated` has gathered and not used yet take their step;
- :func:`scaled`: the learning rate of every rule is multiplied, and nothing else is: no average, no clipping, no count.

An update that takes no step (its gradient is only gathered, or skipped) gives back the very parameters that it was given, so that
who averages parameters can tell it from one that does.

A wrapper of one's own is best a frozen attrs class on :class:`Wrapper`, whose ``_after`` says what follows on the inner update.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Literal, TypeAlias, TypeVar, cast

import attrs
from attrs import evolve

from funcnn.errors import as_python_number, describe
from funcnn.optim.optimizer import Optimizer, OptState, Updated, check_shape, updates_done
from funcnn.optim.schedules.rate import Rate, rate_at

P = TypeVar("P")

Goal: TypeAlias = Literal["min", "max"]
Measure: TypeAlias = Callable[[Goal], float | None]
"""Gives what a plateau is told that looks for a minimum or for a maximum; None: nothing."""


class Composite:
    """Base of the optimizers that are made of others."""

    __slots__ = ()

    @property
    def parts(self) -> tuple[object, ...]:
        """The optimizers and transformations that it is made of, one for each of the state's inner states."""
        raise NotImplementedError

    def combine(self, parts: tuple[Any, ...]) -> Optimizer:  # Any: parts of the kinds that it has
        """Return an optimizer like this one that is made of other parts."""
        raise NotImplementedError

    def report(self, value: float, state: OptState[P], *, mode: Goal | None = None) -> OptState[P]:
        """Return the state after a look at a measure, such as the loss of the validation set after an epoch.

        Every :func:`reduce_on_plateau` in this optimizer is told.

        Parameters
        ----------
        value : float
            The measure; a NaN is no improvement.
        state : OptState
            As ``update`` gave it.
        mode : {"min", "max"}, optional
            Whom to tell, where some want the measure to fall and others want it to rise.

        Raises
        ------
        TypeError
            When the value is not a number.
        ValueError
            When there is no :func:`reduce_on_plateau` that looks for this, or there are some for each goal and none is given.
        """
        number = as_python_number(value)
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            raise TypeError(f"value is {describe(value)}, expected a number: the measured loss")
        updates_done(state, self)
        found = goals(self)
        if mode not in (None, "min", "max"):
            raise ValueError(f"mode is {mode!r}, expected 'min' or 'max'")
        if not found or (mode is not None and mode not in found):
            raise ValueError(f"there is no reduce_on_plateau{f' for mode={mode!r}' if mode else ''} to tell in {self!r}")
        if mode is None and len(found) > 1:
            raise ValueError(f"one reduce_on_plateau wants a minimum and another a maximum: give mode='min' or 'max' to {self!r}")
        return self.told(state, lambda wanted: float(number) if wanted in (mode or wanted,) else None)

    def told(self, state: OptState[P], measure: Measure) -> OptState[P]:
        """Return the state after every plateau in it was told its measure."""
        return told_parts(self, state, measure)

    def finish(self, params: P, state: OptState[P]) -> Updated[P]:
        """Return the parameters and the state after the update with what is left over.

        That is with the mean of the gradients that :func:`accumulated` has gathered since its last update, wherever one stands in
        this optimizer; without any, they stay what they are.  For the end of training; :func:`fit` calls it.

        Parameters
        ----------
        params : tree
            The parameters.
        state : OptState
            As ``update`` gave it.
        """
        raise NotImplementedError


class Wrapper(Composite):
    """Base of the composite optimizers around a single one.  A subclass is a frozen attrs class with a field ``optimizer``."""

    __slots__ = ()

    optimizer: Optimizer

    @property
    def parts(self) -> tuple[object, ...]:
        """The optimizer that is wrapped."""
        return (self.optimizer,)

    def combine(self, parts: tuple[Any, ...]) -> Optimizer:
        """Return an optimizer like this one around another."""
        (one,) = parts
        made: Optimizer = evolve(cast("Any", self), optimizer=one)
        return made

    def update(self, params: P, grads: P, state: OptState[P]) -> Updated[P]:
        """Return the next parameters and state."""
        self._check(state)
        return self._after(params, state, self.optimizer.update(params, grads, state.inner[0]))

    def finish(self, params: P, state: OptState[P]) -> Updated[P]:
        """Return the parameters and the state after the update with what is left over; see :class:`Composite`."""
        self._check(state)
        return self._after(params, state, finished(self.optimizer, params, state.inner[0]))

    def _check(self, state: OptState[P]) -> None:
        """Raise unless the state has the form of this optimizer's."""
        updates_done(state, self)
        check_shape(state, self, 1)

    def _after(self, params: P, state: OptState[P], updated: Updated[P]) -> Updated[P]:
        """Return what follows on what the inner optimizer gave."""
        raise NotImplementedError


def finished(optimizer: Optimizer, params: P, state: OptState[P]) -> Updated[P]:
    """Return the parameters and the state after the update with what an optimizer has left over: the same ones, if nothing is."""
    finish: Callable[[P, OptState[P]], Updated[P]] | None = getattr(optimizer, "finish", None)
    return Updated(params, state) if finish is None else finish(params, state)


def told(optimizer: object, state: OptState[P], measure: Measure) -> OptState[P]:
    """Return an optimizer's state after every plateau in it was told its measure."""
    tell: Callable[[OptState[P], Measure], OptState[P]] | None = getattr(optimizer, "told", None)
    if tell is not None:
        return tell(state, measure)
    return told_parts(optimizer, state, measure) if hasattr(optimizer, "parts") else state


def told_parts(optimizer: Any, state: OptState[P], measure: Measure) -> OptState[P]:  # Any: whatever has parts
    """Return an optimizer's state after each of its parts was told."""
    check_shape(state, optimizer, len(optimizer.parts))
    inner = [told(part, before, measure) for part, before in zip(optimizer.parts, state.inner, strict=True)]
    return evolve(state, inner=tuple(inner))


def walk(one: object) -> Iterator[object]:
    """Yield an optimizer and all that it is made of, as far as it tells its parts."""
    yield one
    for part in cast("tuple[object, ...]", getattr(one, "parts", ())):
        yield from walk(part)


def goals(optimizer: object) -> set[Goal]:
    """Return what the plateaus in an optimizer look for."""
    return {one.mode for one in cast("Iterator[Any]", walk(optimizer)) if hasattr(type(one), "is_plateau")}


def hidden(optimizer: object) -> Iterator[tuple[object, object]]:
    """Yield (holder, held) for all that lies in the fields of an optimizer's parts which do not tell that they have any."""
    for one in walk(optimizer):
        if not hasattr(one, "parts"):
            seen: set[int] = set()
            for value in _values(one):
                yield from ((one, held) for held in _held(value, seen))


def _held(value: object, seen: set[int]) -> Iterator[object]:
    if id(value) in seen or isinstance(value, (str, bytes, int, float, type)):
        return
    seen.add(id(value))
    if isinstance(value, Optimizer):
        yield from walk(value)
    elif isinstance(value, (tuple, list)):
        for item in cast("tuple[object, ...]", value):
            yield from _held(item, seen)
    elif isinstance(value, Mapping):
        for item in cast("Mapping[object, object]", value).values():
            yield from _held(item, seen)
    elif isinstance(value, partial):
        yield from _held((value.func, value.args, value.keywords), seen)
    for field in _values(value):
        yield from _held(field, seen)


def _values(one: object) -> list[object]:
    """Return the values of the fields of an object."""
    if attrs.has(type(one)):
        return [getattr(one, field.name, None) for field in attrs.fields(cast("Any", type(one)))]
    return list(getattr(one, "__dict__", {}).values()) if isinstance(one, Optimizer) else []


# --------------------------------------------------------------------------------------------------------- learning rates


def scaled(optimizer: Any, factor: float) -> Any:  # Any: an optimizer, or a transformation, which stays what it is
    """Return an optimizer like another whose learning rates, of all the rules in it, are multiplied by a factor."""
    if hasattr(optimizer, "scaled"):
        return optimizer.scaled(factor)
    if hasattr(optimizer, "parts"):
        return optimizer.combine(tuple([scaled(part, factor) for part in optimizer.parts]))
    return evolve(optimizer, learning_rate=_scaled_rate(optimizer.learning_rate, factor)) if _is_rule(optimizer) else optimizer


def check_scalable(optimizer: object, what: str) -> None:
    """Raise a TypeError that names the rule whose learning rate cannot be scaled, if there is one in an optimizer."""
    for one in walk(optimizer):
        if not _is_rule(one) or hasattr(one, "scaled"):
            continue
        why = getattr(type(one), "unscalable", None)
        if why is None and not (attrs.has(type(one)) and hasattr(one, "learning_rate")):
            why = "it has no field learning_rate; give it one, or a method scaled(factor)"
        if why is not None:
            raise TypeError(f"{what} cannot scale the learning rate of {one!r}: {why}")


def _is_rule(one: object) -> bool:
    return isinstance(one, Optimizer) and not hasattr(one, "parts")


def _scaled_rate(rate: Rate, factor: float) -> Rate:
    return partial(_times, rate, factor) if callable(rate) else rate * factor


def _times(rate: Rate, factor: float, count: int) -> float:
    return rate_at(rate, count) * factor
