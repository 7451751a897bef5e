"""The numbers of a tree: their precision, how many there are, and whether they may be written to."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

import numpy as np

from funcnn.errors import shown
from funcnn.tree.structure import leaves, map
from funcnn.typing import Array

if TYPE_CHECKING:
    from numpy.typing import DTypeLike  # costs a tenth of importing NumPy

T = TypeVar("T")


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
