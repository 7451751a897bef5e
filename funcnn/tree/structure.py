"""The structure of a tree: its leaves and their paths, and other trees of the same structure.

The only recursion over parameters in the library.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar, cast, overload

import attrs
import numpy as np

from funcnn.errors import check_function, check_kind, is_plain, shown
from funcnn.typing import Array

T = TypeVar("T")

_FIELDS: dict[type, tuple[str, ...]] = {}  # field names of the attrs classes seen so far: a memo of a pure function


def leaves(tree: object) -> tuple[Array, ...]:
    """Return the arrays of a tree, in the order of :func:`paths`.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.tree.leaves((np.zeros(2), {"b": np.ones(1)}))
    (array([0., 0.]), array([1.]))
    """
    if type(tree) is np.ndarray:
        return (tree,)
    found: list[Array] = []
    try:
        _collect(tree, found)
    except TypeError:
        for _ in walk(tree):  # slower, but it knows the path, and raises again
            pass
        raise
    return tuple(found)


def paths(tree: object) -> tuple[str, ...]:
    """Return the path of every leaf: the expression that one would type after the tree.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.tree.paths((np.zeros(2), {"b": np.ones(1)}))
    ('[0]', "[1]['b']")
    """
    return tuple(path for path, _ in walk(tree))


def walk(tree: object, path: str = "") -> Iterator[tuple[str, Array]]:
    """Yield (path, leaf) for every leaf."""
    if is_plain(tree):
        yield path, tree
    else:
        for step, child in children(tree, path):
            yield from walk(child, path + step)


def children(node: object, path: str = "") -> list[tuple[str, object]]:
    """Return (step, child) for the children of a node.

    Raises
    ------
    TypeError
        When the object is neither an array nor a node, with its path, or is a dict with keys that are not strings.
    """
    kind = type(node)
    if isinstance(node, tuple):
        names = getattr(kind, "_fields", None)
        if names is not None:
            return [(f".{name}", child) for name, child in zip(names, node, strict=True)]
        if kind is tuple:
            return [(f"[{index}]", child) for index, child in enumerate(node)]
    elif kind is dict:
        entries = cast("dict[str, object]", node)
        if not all(isinstance(key, str) for key in entries):
            raise TypeError(f"dict keys of a tree are strings, got {list(entries)!r} at {path or 'the root'}")
        return [(f"[{key!r}]", entries[key]) for key in sorted(entries)]
    return [(f".{name}", getattr(node, name)) for name in _fields(node, path)]


def _fields(node: object, path: str) -> tuple[str, ...]:
    """Return the field names of an attrs-frozen object, or raise."""
    kind = type(node)
    names = _FIELDS.get(kind)
    if names is None:
        check_plain(node, path)
        if not attrs.has(kind) or getattr(kind.__setattr__, "__name__", "") != "_frozen_setattrs":
            raise TypeError(
                f"{path or 'the root'} is {describe_node(node)}: a tree is made of arrays, tuples, dicts and attrs-frozen classes"
                " (np.asarray makes an array of a number or a list)"
            )
        names = _FIELDS[kind] = tuple(attribute.name for attribute in attrs.fields(kind))
    return names


def check_plain(node: object, path: str) -> None:
    """Raise a TypeError when a node is an array that is no leaf: a masked array or a matrix."""
    if isinstance(node, np.ndarray):
        check_kind(node, f"the tree at {path}" if path else "the tree", "plain arrays")


def describe_node(node: object) -> str:
    if node is None or hasattr(node, "to_numpy"):  # a table is shown by its kind alone
        return shown(node)
    return f"a {type(node).__name__} ({shown(node)})"[:80]


def _collect(node: object, found: list[Array]) -> None:
    """Append the leaves of a node: :func:`walk` without the paths, for speed."""
    kind = type(node)
    if kind is np.ndarray:
        found.append(cast(Array, node))
    elif kind is tuple:
        for child in cast("tuple[object, ...]", node):
            if type(child) is np.ndarray:
                found.append(child)
            else:
                _collect(child, found)
    elif kind in _FIELDS:
        for name in _FIELDS[kind]:
            child = getattr(node, name)
            if type(child) is np.ndarray:
                found.append(child)
            else:
                _collect(child, found)
    elif is_plain(node):
        found.append(node)
    else:
        for _, child in children(node):
            _collect(child, found)


def rebuild(tree: T, new: Iterator[Array]) -> T:
    """Return a tree of the same structure whose leaves are taken from an iterator, in the order of :func:`leaves`.

    Raises
    ------
    ValueError
        When the iterator ends before the tree's last leaf.
    """
    try:
        return cast(T, _rebuild(tree, new))
    except StopIteration:
        raise ValueError(f"too few leaves for a tree with {len(leaves(tree))}") from None


def _rebuild(node: object, new: Iterator[Array]) -> object:
    kind = type(node)
    if is_plain(node):
        return next(new)
    if kind is tuple:
        return tuple([_rebuild(child, new) for child in cast("tuple[object, ...]", node)])
    if kind is dict:
        entries = cast("dict[str, object]", node)
        made = {key: _rebuild(entries[key], new) for key in sorted(entries)}
        return {key: made[key] for key in entries}
    if isinstance(node, tuple):
        return kind(*[_rebuild(child, new) for child in node])
    return kind(*[_rebuild(getattr(node, name), new) for name in _fields(node, "")])


@overload
def map(function: Callable[[Array], Array], tree: T, /) -> T: ...
@overload
def map(function: Callable[[Array, Array], Array], tree: T, second: T, /) -> T: ...
@overload
def map(function: Callable[[Array, Array, Array], Array], tree: T, second: T, third: T, /) -> T: ...
@overload
def map(function: Callable[[Array, Array, Array, Array], Array], tree: T, second: T, third: T, fourth: T, /) -> T: ...
def map(function: Callable[..., Array], tree: T, /, *rest: T) -> T:
    """Apply a function to the leaves of one or more trees of one structure.

    Parameters
    ----------
    function : callable
        Takes one leaf of each tree and returns an array.
    tree : tree
        Gives the structure and the static type of the result.
    *rest : tree
        Trees of the same structure.

    Returns
    -------
    tree
        Of the structure and the type of the first tree.

    Raises
    ------
    ValueError
        When a tree has another structure, with the path where it differs.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.tree.map(np.add, (np.ones(2), ()), (np.arange(2.0), ()))
    (array([1., 2.]), ())
    """
    check_function(function, "function", "a function of one leaf of each tree that returns an array")
    for other in rest:
        check_structure(tree, other)
    columns = [leaves(one) for one in (tree, *rest)]
    # np.asarray: a function of arrays without axes gives NumPy's scalars, which are no leaves
    return rebuild(tree, iter([np.asarray(function(*row)) for row in zip(*columns, strict=True)]))


def check_structure(expected: object, got: object, what: str = "tree", path: str = "") -> None:
    """Raise a ValueError with the path of the first difference when two trees differ in structure (shapes are not compared)."""
    if is_plain(expected) and is_plain(got):
        return
    if type(expected) is not type(got):
        raise ValueError(f"{what}{path} is {kind_of(got)}, expected {kind_of(expected)}: both trees must have one structure")
    ours, theirs = children(expected, path), children(got, path)
    if [step for step, _ in ours] != [step for step, _ in theirs]:
        raise ValueError(
            f"{what}{path} has {[step for step, _ in theirs]}, expected {[step for step, _ in ours]}:"
            " both trees must have one structure"
        )
    for (step, one), (_, other) in zip(ours, theirs, strict=True):
        check_structure(one, other, what, path + step)


def check_like(expected: object, got: object, what: str = "tree") -> None:
    """Raise a ValueError with the path of the first leaf that differs in structure, shape or dtype."""
    check_structure(expected, got, what)
    for (path, one), other in zip(walk(expected), leaves(got), strict=True):
        if one.shape != other.shape or one.dtype != other.dtype:
            raise ValueError(f"{what}{path} is {other.dtype}{list(other.shape)}, expected {one.dtype}{list(one.shape)}")


def kind_of(node: object) -> str:
    if isinstance(node, np.ndarray):
        return f"an array of shape {node.shape}"
    return f"a tuple of {len(node)}" if type(node) is tuple else f"a {type(node).__name__}"


def same(first: object, second: object) -> bool:
    """Tell whether two trees are the same: structure, shapes, dtypes and every bit of every leaf.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.tree.same((np.ones(2),), (np.ones(2),)), fn.tree.same((np.ones(2),), (np.ones(3),))
    (True, False)
    """
    try:
        check_like(first, second)
    except ValueError:
        return False
    return all(_same_bits(a, b) for a, b in zip(leaves(first), leaves(second), strict=True))


def _same_bits(one: Array, other: Array) -> bool:
    if one.dtype.char in "gG":  # the padding of a long double is not part of the number
        return np.array_equal(one, other, equal_nan=True) and np.array_equal(np.signbit(one.real), np.signbit(other.real))
    return one.tobytes() == other.tobytes()
