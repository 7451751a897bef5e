"""Trees of one structure as one tree, whose leaves have a leading axis of members."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from funcnn import tree
from funcnn.errors import describe
from funcnn.layer import Mode, Train

T = TypeVar("T")


def stacked(*members: T) -> T:
    """Return trees of one structure as one, with a leading axis in every leaf."""
    columns = zip(*[tree.leaves(one) for one in members], strict=True)
    like, *_ = members
    return tree.rebuild(like, iter([np.stack(column) for column in columns]))


def member(whole: T, index: int) -> T:
    """Return one of the trees again, as views."""
    return tree.map(lambda leaf: leaf[index, ...], whole)


def check_members(whole: object, count: int, what: str) -> None:
    """Raise unless every leaf has a leading axis of so many members."""
    for path, leaf in tree.walk(whole):
        if leaf.ndim < 1 or len(leaf) != count:
            raise ValueError(f"{what}{path} is {describe(leaf)}, expected a leading axis of {count} members")


def own_mode(mode: Mode, index: int, random: bool) -> Mode:
    """Return the mode for one member: with a key of its own, where it draws random numbers."""
    return mode.child(index) if random and isinstance(mode, Train) else mode
