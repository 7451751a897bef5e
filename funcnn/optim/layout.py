"""How the leaves of a parameter tree are arranged in vectors, one for each dtype and label."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeAlias, TypeVar, cast

import numpy as np
from attrs import frozen

from funcnn.optim import blocks
from funcnn.optim.blocks import Share
from funcnn.optim.norms import room_of
from funcnn.optim.optimizer import check_trainable
from funcnn.optim.where import Where, selects
from funcnn.runtime.treedef import Kind, TakeLeaves, TreeDef, flatten
from funcnn.typing import Array, Shape

P = TypeVar("P")

LARGE = 1 << 15  # numbers from which on a leaf is not gathered
THREADED = 1 << 20  # numbers in large leaves from which on a second thread pays
COMPILED_THREADED = 1 << 22  # and from which on it pays for a compiled rule
SELECTIONS = 64  # types of trees, each with a ``where``, whose layouts are remembered
KEPT = 16  # layouts that are remembered for each

Label: TypeAlias = bool | None
"""Whether the ``where`` of an optimizer selects a leaf; None: it has none, and all leaves are alike."""


@frozen(eq=False)
class Group:
    """The leaves of one dtype and one label, and where each stands in their common vector."""

    dtype: np.dtype[np.floating]
    label: Label
    size: int
    order: tuple[int, ...]  # its leaves, large ones first
    places: tuple[tuple[int, slice, Shape | None], ...]  # (leaf, place in the vector, shape, or None for one axis)
    shares: tuple[Share, ...]  # the large leaves, cut up in blocks
    stretches: tuple[Share, ...]  # the large leaves, cut up among threads only
    small: tuple[int, ...]  # the leaves that are gathered: they fill the end of the vector
    large_size: int
    room: float  # how large a sum of squares may be


@frozen(eq=False)
class Layout(Generic[P]):
    """How the leaves of a tree are arranged in vectors."""

    structure: TreeDef[P]
    leaves: TakeLeaves
    """Gives the leaves of a tree that is arranged so, and None for a tree of another structure, other shapes or other dtypes."""
    views: Callable[[Sequence[Array]], Sequence[Array]]
    """Gives the leaves of a tree as views of the vectors of its groups."""
    groups: tuple[Group, ...]
    whole: Group | None
    """The only group, where it is all leaves of the tree in their order, and none of them large."""


_SEEN: dict[tuple[type, Where | None], tuple[Layout[Any], ...]] = {}  # latest first: a memo of a pure function


def arranged(params: P, where: Where | None) -> tuple[Layout[P], tuple[Array, ...]]:
    """Return how the leaves of a tree are arranged, set apart by what a ``where`` selects, and the leaves.

    Raises
    ------
    TypeError
        When a leaf does not hold floating-point numbers, or something in the tree is neither an array nor a node.
    """
    key = type(params), where
    for layout in _SEEN.get(key, ()):
        leaves = layout.leaves(params)
        if leaves is not None:
            return layout, leaves
    structure, leaves = flatten(params)
    made = lay_out(structure, tuple([(leaf.shape, leaf.dtype) for leaf in leaves]), where)
    if len(_SEEN) >= SELECTIONS:
        _SEEN.clear()  # of a program that makes selections without end; whatever is still in use is arranged again
    _SEEN[key] = (made, *_SEEN.get(key, ()))[:KEPT]
    return made, leaves


def lay_out(structure: TreeDef[P], kinds: tuple[Kind, ...], where: Where | None) -> Layout[P]:
    """Arrange the leaves of trees of one structure, and of these shapes and dtypes, in groups."""
    members: dict[tuple[np.dtype[np.floating], Label], list[int]] = {}
    for index, (path, (shape, dtype)) in enumerate(zip(structure.paths, kinds, strict=True)):
        check_trainable(path, dtype)
        members.setdefault((dtype, None if where is None else selects(where, path, shape)), []).append(index)
    shapes = [shape for shape, _ in kinds]
    groups = tuple([_group(dtype, name, found, shapes) for (dtype, name), found in members.items()])
    whole = groups[0] if groups and len(groups[0].small) == len(kinds) else None
    return Layout(structure, structure.leaves_of_kinds(kinds), _views(groups, len(kinds)), groups, whole)


def _views(groups: tuple[Group, ...], leaves: int) -> Callable[[Sequence[Array]], Sequence[Array]]:
    """Return one expression in place of a loop over the leaves: ``lambda v: (v[0][s0].reshape(h0), v[0][s1], ...)``."""
    names: dict[str, object] = {}
    parts = [""] * leaves
    for number, group in enumerate(groups):
        for index, place, shape in group.places:
            names[f"s{index}"], names[f"h{index}"] = place, shape
            parts[index] = f"v[{number}][s{index}]" + (f".reshape(h{index}), " if shape is not None else ", ")
    made: Callable[[Sequence[Array]], Sequence[Array]] = eval(f"lambda v: ({''.join(parts)})", names)
    return made


def _group(dtype: np.dtype[np.floating], label: Label, members: list[int], shapes: list[Shape]) -> Group:
    sizes = {index: math.prod(shapes[index]) for index in members}
    small = tuple([index for index in members if sizes[index] < LARGE])
    large = tuple([index for index in members if sizes[index] >= LARGE])
    places: list[tuple[int, slice, Shape | None]] = []
    begin = 0
    for index in large + small:
        places.append((index, slice(begin, begin + sizes[index]), shapes[index] if len(shapes[index]) != 1 else None))
        begin += sizes[index]
    stretched = [(index, sizes[index]) for index in large]
    return Group(
        dtype,
        label,
        begin,
        large + small,
        tuple(places),
        blocks.shares(stretched, blocks.BLOCK, THREADED),
        blocks.shares(stretched, begin, COMPILED_THREADED),
        small,
        sum([sizes[index] for index in large]),
        room_of(dtype),
    )


def joined(leaves: Sequence[Array], dtype: np.dtype[np.floating]) -> Array:
    """Return leaves as one vector, a read-only copy: ``np.concatenate`` in a quarter of its time."""
    try:
        return np.frombuffer(b"".join(cast("Sequence[bytes]", leaves)), dtype)
    except (TypeError, ValueError):  # an array that is not contiguous has no plain buffer
        return np.concatenate([leaf.ravel() for leaf in leaves])
