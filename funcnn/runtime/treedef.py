"""The structure of a tree as straight-line code, for what takes the same tree apart at every training step.

``funcnn.tree`` walks any tree; for a small network such a walk costs more than the arithmetic of an optimizer.  A training
loop sees one structure again and again, so the first walk is turned into two expressions, as attrs and namedtuple do for their
classes::

    leaves    (t[0].weight, t[0].bias) if type(t) is tuple and len(t) == 2 and type(t[0]) is DenseParams ... else None
    rebuild   (DenseParams(n[0], n[1]), ())

The condition in the first tells one structure from another.  Trees that are too large or too deep for one expression take the
walk.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar, cast

import numpy as np
from attrs import field, frozen

from funcnn import tree
from funcnn.typing import Array

T = TypeVar("T")

_LEAVES = 2000  # an expression with more leaves, or more levels, is not made
_LEVELS = 40
_KEPT = 64  # structures that are remembered for each type of root
_TYPES = 256  # types of roots of which structures are remembered


@frozen(eq=False)
class TreeDef(Generic[T]):
    """What trees that differ only in their leaves have in common."""

    paths: tuple[str, ...]
    leaves: Callable[[object], tuple[Array, ...] | None] = field(repr=False)
    """Gives the leaves of a tree of this structure, and None for any other tree."""
    rebuild: Callable[[Sequence[Array]], T] = field(repr=False)
    """Gives the tree with these leaves; there must be as many as there are paths."""
    memo: dict[Any, Any] = field(init=False, repr=False, factory=dict)
    """What others have worked out for trees of this structure."""


_SEEN: dict[type, list[TreeDef[Any]]] = {}  # by type of root, latest first: a memo of a pure function


def flatten(one: T) -> tuple[TreeDef[T], tuple[Array, ...]]:
    """Return the structure of a tree and its leaves.

    Raises
    ------
    TypeError
        When something in the tree is neither an array nor a node, with its path.
    """
    for structure in _SEEN.get(type(one), ()):
        leaves = structure.leaves(one)
        if leaves is not None:
            return structure, leaves
    structure = _compile(one)
    if len(_SEEN) >= _TYPES:
        _SEEN.clear()  # of a program that makes classes without end; whatever is still in use is made again
    _SEEN[type(one)] = [structure, *_SEEN.get(type(one), ())][:_KEPT]
    return structure, tree.leaves(one)


def _compile(one: T) -> TreeDef[T]:
    paths = tree.paths(one)
    if len(paths) <= _LEAVES:
        code = _Code()
        made = code.visit(one, "t", 0)
        if made is not None:
            leaves = f"({' '.join([leaf + ',' for leaf in code.leaves])})"
            take = f"lambda t: {leaves} if {' and '.join(code.tests)} else None"
            return TreeDef(paths, eval(take, code.names), eval(f"lambda n: {made}", code.names))
    bones = tree.map(lambda leaf: np.empty(0), one)  # keeps no parameters alive

    def walk(other: object) -> tuple[Array, ...] | None:
        try:
            tree.check_structure(bones, other)
        except (TypeError, ValueError):
            return None
        return tree.leaves(other)

    return TreeDef(paths, walk, lambda new: tree.rebuild(bones, iter(new)))


class _Code:
    """The expressions that one walk over a tree collects."""

    def __init__(self) -> None:
        self.names: dict[str, object] = {"ndarray": np.ndarray, "type": type, "tuple": tuple, "dict": dict, "len": len}
        self.tests: list[str] = []  # conditions on t, outer ones first
        self.leaves: list[str] = []  # expressions of t

    def visit(self, node: object, here: str, level: int) -> str | None:
        """Note the tests and leaves of a node that stands at the expression ``here``; return what makes it from new leaves n."""
        if level > _LEVELS:
            return None
        kind = type(node)
        if isinstance(node, np.ndarray):
            self.tests.append(f"type({here}) is {self.name(kind)}")
            self.leaves.append(here)
            return f"n[{len(self.leaves) - 1}]"
        self.tests.append(f"type({here}) is {self.name(kind)}")
        if kind is tuple:
            self.tests.append(f"len({here}) == {len(cast('tuple[object, ...]', node))}")
        elif kind is dict:
            self.tests.append(f"tuple({here}) == {tuple(cast('dict[str, object]', node))!r}")
        made: dict[str, str] = {}
        for step, child in tree.children(node):
            expression = self.visit(child, here + step, level + 1)
            if expression is None:
                return None
            made[step] = expression
        if kind is tuple:
            return f"({''.join([expression + ', ' for expression in made.values()])})"
        if kind is dict:
            return "{" + ", ".join([f"{key!r}: {made[f'[{key!r}]']}" for key in cast("dict[str, object]", node)]) + "}"
        return f"{self.name(kind)}({', '.join(made.values())})"

    def name(self, kind: type) -> str:
        """Return a name under which the expressions know a class."""
        if kind in (np.ndarray, tuple, dict):
            return kind.__name__
        name = f"class_{len(self.names)}"
        for known, other in self.names.items():
            if other is kind:
                return known
        self.names[name] = kind
        return name
