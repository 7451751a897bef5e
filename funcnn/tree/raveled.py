"""A tree as one vector."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Generic, NamedTuple, TypeVar

import numpy as np

from funcnn.tree.numbers import freeze
from funcnn.tree.structure import leaves, rebuild
from funcnn.typing import Array, Shape

T = TypeVar("T")


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
