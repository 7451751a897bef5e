"""Layers that hold one another many levels deep: compared, and taken apart for pickles, without recursion and each of them once.

A chain holds its layers three times, in the partials that are its init, forward and backward.  Walked as a tree, a network nested
n deep has 3^n nodes; as the graph that it is, n.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeAlias

import attrs
import numpy as np
from attrs import frozen

Fields: TypeAlias = Callable[[Any], tuple[Any, ...] | None]
"""Returns the fields of a layer, and None for any other value.  (Any: fields are of all types.)"""


def _is_record(kind: Any) -> bool:
    """Tell whether a class is a frozen one of attrs that is what its fields are, each given by its own name."""
    return (
        attrs.has(kind)
        and kind.__setattr__.__name__ == "_frozen_setattrs"
        and kind.__eq__ is not object.__eq__
        and all(one.init and one.eq and one.eq_key is None and one.alias == one.name for one in attrs.fields(kind))
    )


def _values(record: Any) -> tuple[Any, ...]:
    return tuple([getattr(record, one.name) for one in attrs.fields(type(record))])


# ------------------------------------------------------------------------------------------------------------- comparison


def same(first: object, second: object, fields: Fields) -> bool:
    """Tell whether two layers are equal: partials of one function with equal arguments are, and so are equal arrays."""
    waiting: list[tuple[Any, Any]] = [(first, second)]
    seen: set[tuple[int, int]] = set()  # pairs of layers: they live as long as the two that hold them
    while waiting:
        one, other = waiting.pop()
        if one is other:
            continue
        if type(one) is type(other) and fields(one) is not None:
            if (id(one), id(other)) in seen:
                continue
            seen.add((id(one), id(other)))
        ones, others = (_compared(value, fields) for value in (one, other))
        if type(one) is type(other) and ones is not None and others is not None:
            if len(ones) != len(others):
                return False
            waiting += zip(ones, others, strict=True)
        elif not one == other:  # noqa: SIM201 - what says that it is equal, whatever it says of being unequal
            return False
    return True


def _compared(value: Any, fields: Fields) -> tuple[Any, ...] | None:
    """Return what is equal in equal values of one type, or None where the values themselves are asked."""
    inside = fields(value)
    if inside is not None:
        return inside
    if isinstance(value, partial):
        names = sorted(value.keywords)
        return (value.func, value.args, str(names), *[value.keywords[name] for name in names])
    if isinstance(value, np.ndarray):
        return (str(value.shape), str(value.dtype), value.tobytes())
    if type(value) is tuple:
        return value
    return _values(value) if _is_record(type(value)) else None


# ---------------------------------------------------------------------------------------------------------------- pickles


@frozen
class Reference:
    """A layer's place in a table."""

    index: int


@frozen(eq=False)
class Unmade:
    """A record some field of which is in a table."""

    kind: type
    values: tuple[Any, ...]


Table: TypeAlias = tuple[tuple[type, tuple[Any, ...]], ...]
"""Layers, inner ones first: the type of each, and its fields with references in the place of other layers."""


def to_table(layer: object, fields: Fields) -> Table:
    """Return a layer, and those that it holds, side by side."""
    order: list[Any] = []
    places: dict[int, int] = {}
    waiting: list[tuple[Any, bool]] = [(layer, False)]
    while waiting:
        one, ready = waiting.pop()
        if id(one) in places:
            continue
        if ready:
            places[id(one)] = len(order)
            order.append(one)
        else:
            waiting.append((one, True))
            waiting += [(inner, False) for value in fields(one) or () for inner in _layers_in(value, fields)]
    table = []
    for one in order:
        memo: dict[int, Any] = {}
        table.append((type(one), tuple([_with_references(value, places, memo) for value in fields(one) or ()])))
    return tuple(table)


def _layers_in(value: Any, fields: Fields) -> Iterator[Any]:
    if fields(value) is not None:
        yield value
    elif isinstance(value, partial):
        for inner in (value.func, *value.args, *value.keywords.values()):
            yield from _layers_in(inner, fields)
    elif type(value) is tuple or _is_record(type(value)):
        for inner in value if type(value) is tuple else _values(value):
            yield from _layers_in(inner, fields)


def _with_references(value: Any, places: dict[int, int], memo: dict[int, Any]) -> Any:
    """Return a value with references in the place of layers: the very same value where there are none."""
    if id(value) in places:
        return Reference(places[id(value)])
    if id(value) not in memo:
        memo[id(value)] = _rebuilt(value, lambda inner: _with_references(inner, places, memo), Unmade)
    return memo[id(value)]


def _rebuilt(value: Any, change: Callable[[Any], Any], make: Callable[[type, tuple[Any, ...]], Any]) -> Any:
    """Return a value some of whose inner values are changed, or itself if none is."""
    if type(value) is partial:
        function, args = change(value.func), tuple([change(one) for one in value.args])
        keywords = {name: change(one) for name, one in value.keywords.items()}
        kept = (
            function is value.func
            and all(map(_is, args, value.args))
            and all(map(_is, keywords.values(), value.keywords.values()))
        )
        return value if kept else partial(function, *args, **keywords)
    if type(value) is tuple:
        changed = tuple([change(one) for one in value])
        return value if all(map(_is, changed, value)) else changed
    if _is_record(type(value)):
        values = _values(value)
        changed = tuple([change(one) for one in values])
        return value if all(map(_is, changed, values)) else make(type(value), changed)
    return value


def _is(one: object, other: object) -> bool:
    return one is other


def from_table(table: Table) -> Any:
    """Return the last layer of a table, which holds the others."""
    made: list[Any] = []
    for kind, values in table:
        memo: dict[int, Any] = {}
        made.append(kind(*[_with_layers(value, made, memo) for value in values]))
    return made[-1]


def _with_layers(value: Any, made: list[Any], memo: dict[int, Any]) -> Any:
    if type(value) is Reference:
        return made[value.index]
    if id(value) not in memo:  # what was one value, such as the layers of a chain, is one again
        if type(value) is Unmade:
            memo[id(value)] = value.kind(*[_with_layers(one, made, memo) for one in value.values])
        else:
            memo[id(value)] = _rebuilt(value, lambda inner: _with_layers(inner, made, memo), Unmade)
    return memo[id(value)]
