"""Cotangents of trees: trees of the same structure, with None in the place of what has no derivative."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar, cast

import numpy as np

from funcnn.errors import is_plain
from funcnn.tree.structure import children, describe_node, kind_of
from funcnn.typing import Array

T = TypeVar("T")


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
            raise ValueError(f"the cotangent{path} is {describe_node(cotangent)}, expected an array of shape {primal.shape}")
        yield path, primal, cotangent
        return
    if type(primal) is not type(cotangent):
        raise ValueError(f"the cotangent{path} is {kind_of(cotangent)}, expected {kind_of(primal)}")
    ours, theirs = children(primal, path), children(cotangent, path)
    if [step for step, _ in ours] != [step for step, _ in theirs]:
        raise ValueError(f"the cotangent{path} has {[step for step, _ in theirs]}, expected {[step for step, _ in ours]}")
    for (step, one), (_, other) in zip(ours, theirs, strict=True):
        yield from with_cotangents(one, other, path + step)


def add_cotangents(first: T, second: T) -> T:
    """Return the sum of two cotangents of one tree, leaf by leaf; None where one of them is: the leaf is a mask or a label."""
    try:
        return map_cotangents(_sum, first, second)
    except ValueError:
        raise ValueError(f"the cotangents are {kind_of(first)} and {kind_of(second)}, expected trees of one structure") from None


def _sum(one: Array, other: Array | None) -> Any:  # an array, or None
    return None if other is None else one + other


def map_cotangents(function: Callable[..., Array], *trees: T) -> T:
    """Apply a function to the leaves of trees of one structure that may be cotangents: None stays None."""
    first = trees[0]
    if first is None or is_plain(first):
        leaf: object = None if first is None else function(*trees)
        # a function of arrays without axes gives NumPy's scalars, which are no leaves
        return cast(T, np.asarray(leaf) if isinstance(leaf, np.generic) else leaf)
    columns = zip(*[[child for _, child in children(one)] for one in trees], strict=True)
    made = [map_cotangents(function, *column) for column in columns]
    kind = type(first)
    if kind is tuple:
        return cast(T, tuple(made))
    if isinstance(first, dict):
        return cast(T, dict(zip(sorted(first), made, strict=True)))
    return cast("Callable[..., T]", kind)(*made)
