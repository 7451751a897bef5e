"""Records that are made in great numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import attrs
import numpy as np

C = TypeVar("C", bound=type[Any])  # Any: instances of any class

_READ_ONLY = "read-only"  # no name of a field


def fast_init(record: C) -> C:
    """Give a frozen attrs class with slots a constructor that stores each field through the slot's own descriptor.

    attrs stores the fields of a frozen class by ``object.__setattr__``, which looks every name up; this takes a quarter less
    time.  For classes whose constructor does nothing else: no converters, validators, factories or hooks.
    """
    fields = attrs.fields(record)
    stores = [f"store_{number}(self, {one.alias})" for number, one in enumerate(fields)]
    source = f"def __init__(self, {', '.join(one.alias for one in fields)}): {'; '.join(stores)}"
    namespace: dict[str, Any] = {f"store_{number}": getattr(record, one.name).__set__ for number, one in enumerate(fields)}
    exec(source, namespace)
    made: Callable[..., None] = namespace["__init__"]
    made.__defaults__ = tuple(one.default for one in fields if one.default is not attrs.NOTHING)
    made.__annotations__ = dict(record.__init__.__annotations__)
    made.__qualname__ = f"{record.__qualname__}.__init__"
    made.__module__ = record.__module__
    record.__init__ = made
    return record


def read_only_again(record: C) -> C:
    """Let the arrays of a frozen attrs class with slots come out of a pickle, or of a deep copy, read-only where they went in so.

    NumPy makes every array that it unpickles writeable; parameters are values, and stay so in a worker process too.
    """
    made: Any = record  # attrs gives classes with slots both methods, which its types do not tell
    plain_get, plain_set = made.__getstate__, made.__setstate__

    def get(self: Any) -> dict[str, Any]:
        state: dict[str, Any] = plain_get(self)
        marked = [name for name, value in state.items() if (held := _arrays(value)) and not any(x.flags.writeable for x in held)]
        return {**state, _READ_ONLY: marked}

    def put(self: Any, state: dict[str, Any]) -> None:
        plain_set(self, state)
        for name in state.get(_READ_ONLY, ()):
            for array in _arrays(getattr(self, name)):
                array.setflags(write=False)

    made.__getstate__, made.__setstate__ = get, put
    return record


def _arrays(value: object) -> list[np.ndarray[Any, Any]]:
    """Return the array that a field is, or those of the tuples and dicts that it is; records in it see to their own."""
    if type(value) in (tuple, dict):
        inner: Any = value.values() if isinstance(value, dict) else value
        return [array for one in inner for array in _arrays(one)]
    return [value] if isinstance(value, np.ndarray) else []
