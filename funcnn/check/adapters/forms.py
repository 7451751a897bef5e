"""Trees of other people's making as trees of this library, and back: lists, dataclasses, numbers, settings in between.

A list becomes a tuple, an object with fields a named tuple, a Python float an array without axes; so paths read as they would be
typed.  What holds no floating numbers and is no container, such as a string, a whole number or None, is a setting: it stays as it
is, and an empty tuple stands in its place.
"""

from __future__ import annotations

import copy
import dataclasses
from collections import namedtuple
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Protocol, cast

import attrs
import numpy as np

from funcnn.typing import Array


class Kind(Protocol):
    """A kind of arrays: NumPy's or a framework's."""

    def array(self, node: object, path: str) -> Array | None:
        """Return a leaf as an array, or None where a node is no leaf."""
        ...

    def foreign(self, array: Array, like: object) -> object:
        """Return an array as a leaf of this kind."""
        ...


class Numbers:
    """NumPy's arrays and Python's floats."""

    def array(self, node: object, path: str) -> Array | None:
        """Return an array as it is, a floating number as an array without axes."""
        if isinstance(node, np.ndarray):
            return node
        return np.asarray(node) if isinstance(node, (float, np.generic)) else None

    def foreign(self, array: Array, like: object) -> object:
        """Return the array, or a NumPy number in the place of a number: it has the precision that is asked for."""
        return array if isinstance(like, np.ndarray) else array.dtype.type(array)


@lru_cache(maxsize=256)
def _record(name: str, fields: tuple[str, ...]) -> type:
    """Return the named tuple that stands for a class: one for each class, so that types can be compared."""
    return cast(type, namedtuple(name, fields))  # its names are known here only


def fields(node: object) -> tuple[str, ...]:
    """Return the names of the fields of a dataclass or attrs object or named tuple; none for anything else."""
    if isinstance(node, type):
        return ()
    if dataclasses.is_dataclass(node):
        return tuple(field.name for field in dataclasses.fields(node))
    if isinstance(node, tuple):
        return cast("tuple[str, ...]", getattr(node, "_fields", ()))
    kind: type = type(node)
    return tuple(field.name for field in attrs.fields(kind)) if attrs.has(kind) else ()


def to_tree(node: object, kind: Kind, path: str = "") -> object:
    """Return a tree of arrays for a foreign one."""
    leaf = kind.array(node, path)
    if leaf is not None:
        return leaf
    names = fields(node)
    if names:
        parts = [to_tree(getattr(node, name), kind, f"{path}.{name}") for name in names]
        return _record(type(node).__name__, tuple(name.lstrip("_") for name in names))(*parts)
    if isinstance(node, (list, tuple)):
        return tuple([to_tree(child, kind, f"{path}[{index}]") for index, child in enumerate(node)])
    if isinstance(node, dict):
        return {str(key): to_tree(child, kind, f"{path}[{key!r}]") for key, child in node.items()}
    return ()


def to_foreign(like: object, part: object, convert: Callable[[Array, object], object]) -> object:
    """Return a foreign tree like another with the leaves of a tree of arrays."""
    if isinstance(part, np.ndarray):
        return convert(part, like)
    if part is None:  # the cotangent of integers
        return None
    names = fields(like)
    children = cast("Sequence[object]", part)
    if names:
        parts = [to_foreign(getattr(like, name), child, convert) for name, child in zip(names, children, strict=True)]
        if isinstance(like, tuple):
            return cast("Callable[..., object]", type(like))(*parts)
        made = copy.copy(like)
        for name, child in zip(names, parts, strict=True):
            object.__setattr__(made, name, child)  # frozen classes as well: the copy is nobody's yet
        return made
    if isinstance(like, (list, tuple)):
        return type(like)([to_foreign(one, child, convert) for one, child in zip(like, children, strict=True)])
    if isinstance(like, dict):
        entries = cast("dict[str, object]", part)
        return {key: to_foreign(child, entries[str(key)], convert) for key, child in like.items()}
    return like


def gradient_to_tree(arg: object, got: object) -> object:
    """Return a gradient, in whatever containers it comes, in those of the argument's tree; what does not fit stays as it is."""
    if isinstance(arg, np.ndarray):
        return np.asarray(got) if isinstance(got, (float, np.generic)) else got
    names = cast("tuple[str, ...]", getattr(arg, "_fields", ()))
    if names:
        theirs = _by_name(got)
        if set(theirs) != set(names):
            return got
        return type(arg)(*[gradient_to_tree(getattr(arg, name), theirs[name]) for name in names])
    if type(arg) is tuple:
        if not arg:
            return ()  # a setting
        if isinstance(got, (list, tuple)) and len(got) == len(arg):
            return tuple([gradient_to_tree(one, other) for one, other in zip(arg, got, strict=True)])
        return got
    if isinstance(arg, dict) and isinstance(got, dict) and {str(key) for key in got} == set(arg):
        entries = {str(key): child for key, child in got.items()}
        return {key: gradient_to_tree(child, entries[key]) for key, child in arg.items()}
    return got


def _by_name(got: object) -> dict[str, object]:
    if isinstance(got, dict):
        return {str(key).lstrip("_"): child for key, child in got.items()}
    return {name.lstrip("_"): getattr(got, name) for name in fields(got)}
