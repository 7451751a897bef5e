"""Parameter trees: the only recursion over parameters in the library.

A *leaf* is a ``np.ndarray``.  A *node* is a tuple, a NamedTuple, a dict with string keys or an attrs-frozen class.  The world
is closed: anything else (None, a float, a list) is a TypeError that names its path, never a leaf by accident.  A path reads as
the expression that one would type after the tree: ``[2].weight``.

Functions keep the static type of the tree that they are given.  Dicts are visited in the order of their sorted keys, so that
two equal trees always give their leaves in the same order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar, cast, overload

import attrs
import numpy as np

from funcnn.errors import check_function, check_kind, is_plain, shown
from funcnn.typing import Array, Shape

__all__ = [
    "Raveled",
    "add_cotangents",
    "astype",
    "check_like",
    "check_structure",
    "children",
    "freeze",
    "leaves",
    "map",
    "map_cotangents",
    "nbytes",
    "paths",
    "ravel",
    "rebuild",
    "same",
    "size",
    "walk",
    "with_cotangents",
]


def __dir__() -> list[str]:
    return sorted(__all__)


if TYPE_CHECKING:
    from numpy.typing import DTypeLike  # costs a tenth of importing NumPy

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
                f"{path or 'the root'} is {_describe(node)}: a tree is made of arrays, tuples, dicts and attrs-frozen classes"
                " (np.asarray makes an array of a number or a list)"
            )
        names = _FIELDS[kind] = tuple(attribute.name for attribute in attrs.fields(kind))
    return names


def check_plain(node: object, path: str) -> None:
    """Raise a TypeError when a node is an array that is no leaf: a masked array or a matrix."""
    if isinstance(node, np.ndarray):
        check_kind(node, f"the tree at {path}" if path else "the tree", "plain arrays")


def _describe(node: object) -> str:
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
        raise ValueError(f"{what}{path} is {_kind(got)}, expected {_kind(expected)}: both trees must have one structure")
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


def _kind(node: object) -> str:
    if isinstance(node, np.ndarray):
        return f"an array of shape {node.shape}"
    return f"a tuple of {len(node)}" if type(node) is tuple else f"a {type(node).__name__}"


class Raveled(NamedTuple, Generic[T]):
    """A tree as one vector, and the way back: ``unravel(vector)`` gives a tree of the first one's structure and type."""

    vector: Array
    unravel: Callable[[Array], T]


def ravel(tree: T) -> Raveled[T]:
    """Return the leaves of a tree as one vector, with the function that goes back.

    Raises
    ------
    ValueError
        When the leaves have more than one dtype; on the way back, when the vector has another length.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> vector, unravel = fn.tree.ravel((np.ones((1, 2)), {"b": np.zeros(1)}))
    >>> vector
    array([1., 1., 0.])
    >>> unravel(2 * vector)
    (array([[2., 2.]]), {'b': array([0.])})
    """
    arrays = leaves(tree)
    dtypes = {leaf.dtype for leaf in arrays}
    if len(dtypes) > 1:
        raise ValueError(
            f"one vector holds one dtype, the tree has {sorted(str(dtype) for dtype in dtypes)}: use tree.astype first"
        )
    vector = np.concatenate([leaf.ravel() for leaf in arrays]) if arrays else np.zeros(0)
    return Raveled(freeze(vector), partial(_unravel, tree, tuple(leaf.shape for leaf in arrays)))


def _unravel(tree: T, shapes: tuple[Shape, ...], vector: Array) -> T:
    sizes = [math.prod(shape) for shape in shapes]
    if vector.shape != (sum(sizes),):
        raise ValueError(f"unravel takes a vector of {sum(sizes)} numbers, got shape {vector.shape}")
    ends = np.cumsum(sizes).tolist()
    parts = [vector[end - size : end].reshape(shape) for shape, size, end in zip(shapes, sizes, ends, strict=True)]
    return rebuild(tree, iter(parts))


def astype(tree: T, dtype: DTypeLike) -> T:
    """Return the tree with its floating leaves in another precision; integer leaves stay as they are.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.tree.astype((np.ones(1),), np.float32)
    (array([1.], dtype=float32),)
    """
    kind = checked_dtype(dtype)

    def convert(leaf: Array) -> Array:
        return freeze(cast(Array, leaf.astype(kind))) if leaf.dtype.kind in "fc" else leaf

    return map(convert, tree)


def checked_dtype(dtype: DTypeLike) -> np.dtype[np.floating]:
    """Return a floating (or complex) dtype that an argument names, or raise a TypeError."""
    wanted = "a floating one such as np.float32"
    try:
        kind = np.dtype(dtype)
    except (TypeError, ValueError):  # NumPy's own words for what names no dtype do not say which argument it was
        raise TypeError(f"dtype is {shown(dtype)}, expected {wanted}") from None
    named: object = dtype
    if named is None or kind.kind not in "fc":
        raise TypeError(f"dtype is {shown(dtype)}, expected {wanted}")
    return cast("np.dtype[np.floating]", kind)


def freeze(tree: T) -> T:
    """Mark every leaf read-only, in place, and return the tree: what the library does to every parameter it makes.

    The records of parameters of the library keep the mark in pickles, deep copies and worker processes.  NumPy itself does not:
    arrays in tuples, dicts and records of one's own come back writeable, until this is called again.
    """
    for leaf in leaves(tree):
        leaf.setflags(write=False)
    return tree


def size(tree: object) -> int:
    """Return how many numbers a tree holds."""
    return sum(leaf.size for leaf in leaves(tree))


def nbytes(tree: object) -> int:
    """Return how many bytes the leaves of a tree take."""
    return sum(leaf.nbytes for leaf in leaves(tree))


def with_cotangents(primal: object, cotangent: object, path: str = "") -> Iterator[tuple[str, Array, Array | None]]:
    """Yield (path, leaf, cotangent of the leaf) for every leaf of a tree.

    The cotangent of an integer or boolean leaf is None, and this is the only place where None may stand.

    Raises
    ------
    ValueError
        When the cotangent has another structure, with the path.
    """
    if is_plain(primal):
        if not is_plain(cotangent) and not (cotangent is None and primal.dtype.kind not in "fc"):
            raise ValueError(f"the cotangent{path} is {_describe(cotangent)}, expected an array of shape {primal.shape}")
        yield path, primal, cotangent
        return
    if type(primal) is not type(cotangent):
        raise ValueError(f"the cotangent{path} is {_kind(cotangent)}, expected {_kind(primal)}")
    ours, theirs = children(primal, path), children(cotangent, path)
    if [step for step, _ in ours] != [step for step, _ in theirs]:
        raise ValueError(f"the cotangent{path} has {[step for step, _ in theirs]}, expected {[step for step, _ in ours]}")
    for (step, one), (_, other) in zip(ours, theirs, strict=True):
        yield from with_cotangents(one, other, path + step)


def add_cotangents(first: T, second: T) -> T:
    """Return the sum of two cotangents of one tree: leaf by leaf, and None where both are None."""
    try:
        return map_cotangents(np.add, first, second)
    except ValueError:
        raise ValueError(f"the cotangents are {_kind(first)} and {_kind(second)}, expected trees of one structure") from None


def map_cotangents(function: Callable[..., Array], *trees: T) -> T:
    """Apply a function to the leaves of trees of one structure that may be cotangents: None stays None."""
    first = trees[0]
    if first is None or is_plain(first):
        return cast(T, None if first is None else function(*trees))
    columns = zip(*[[child for _, child in children(one)] for one in trees], strict=True)
    made = [map_cotangents(function, *column) for column in columns]
    kind = type(first)
    if kind is tuple:
        return cast(T, tuple(made))
    if isinstance(first, dict):
        return cast(T, dict(zip(sorted(first), made, strict=True)))
    return cast("Callable[..., T]", kind)(*made)


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
