"""The structure of a tree as straight-line code, for what takes the same tree apart at every training step.

``funcnn.tree`` walks any tree; for a small network such a walk costs more than the arithmetic of an optimizer.  A training
loop sees one structure again and again, so the first walk is turned into two expressions, as attrs and namedtuple do for their
classes::

    leaves    (w, b) if type(t) is tuple and len(t) == 2 and type(d := t[0]) is DenseParams and type(w := d.weight) ... else None
    rebuild   (DenseParams(n[0], n[1]), ())

The condition in the first tells one structure from another.  Trees that are too large or too deep for one expression take the
walk.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Generic, TypeAlias, TypeVar, cast

import numpy as np
from attrs import field, frozen

from funcnn import tree
from funcnn.typing import Array, Shape

T = TypeVar("T")

_LEAVES = 2000  # an expression with more leaves, or more levels, is not made
_LEVELS = 40
_KEPT = 64  # structures that are remembered for each type of root
_TYPES = 256  # types of roots of which structures are remembered


Kind: TypeAlias = tuple[Shape, np.dtype[Any]]
"""The shape and the dtype of a leaf."""
TakeLeaves: TypeAlias = Callable[[object], tuple[Array, ...] | None]
"""Gives the leaves of a tree, and None for a tree that is not like the one that it was made for."""


@frozen(eq=False)
class TreeDef(Generic[T]):
    """What trees that differ only in their leaves have in common."""

    paths: tuple[str, ...]
    leaves: TakeLeaves = field(repr=False)
    """Gives the leaves of a tree of this structure, and None for any other tree."""
    rebuild: Callable[[Sequence[Array]], T] = field(repr=False)
    """Gives the tree with these leaves; there must be as many as there are paths."""
    leaves_of_kinds: Callable[[tuple[Kind, ...]], TakeLeaves] = field(repr=False)
    """Makes the like of :attr:`leaves` for trees whose leaves also have these shapes and dtypes."""


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
            return TreeDef(paths, code.take(), eval(f"lambda n: {made}", code.names), code.take)
    bones = tree.map(lambda leaf: np.empty(0), one)  # keeps no parameters alive

    def walk(other: object) -> tuple[Array, ...] | None:
        try:
            tree.check_structure(bones, other)
        except (TypeError, ValueError):
            return None
        return tree.leaves(other)

    return TreeDef(paths, walk, lambda new: tree.rebuild(bones, iter(new)), partial(_of_kinds, walk))


def _of_kinds(walk: TakeLeaves, kinds: tuple[Kind, ...]) -> TakeLeaves:
    def take(other: object) -> tuple[Array, ...] | None:
        leaves = walk(other)
        return leaves if leaves is not None and tuple([(leaf.shape, leaf.dtype) for leaf in leaves]) == kinds else None

    return take


class _Code:
    """The expressions that one walk over a tree collects: each node and leaf is looked up once and has a name, v0, v1, ..."""

    def __init__(self) -> None:
        self.names: dict[str, object] = {"ndarray": np.ndarray, "type": type, "tuple": tuple, "dict": dict, "len": len}
        self.tests: list[str] = []  # conditions on the nodes, outer ones first
        self.leaves: list[int] = []  # after which test each leaf has its name

    def take(self, kinds: tuple[Kind, ...] | None = None) -> TakeLeaves:
        """Return the function that gives the leaves of a tree for which the tests hold, and which are of these kinds, if any."""
        tests, names = list(self.tests), dict(self.names)
        if kinds is not None:
            known = {one: f"kind_{number}" for number, one in enumerate(dict.fromkeys([part for kind in kinds for part in kind]))}
            names.update({name: one for one, name in known.items()})
            for place, (shape, dtype) in zip(self.leaves, kinds, strict=True):
                tests[place] += f" and v{place}.shape == {known[shape]} and v{place}.dtype is {known[dtype]}"
        leaves = "".join([f"v{place}, " for place in self.leaves])
        made: TakeLeaves = eval(f"lambda t: ({leaves}) if {' and '.join(tests)} else None", names)
        return made

    def visit(self, node: object, here: str, level: int) -> str | None:
        """Note the tests and leaves of a node that stands at the expression ``here``; return what makes it from new leaves n."""
        if level > _LEVELS:
            return None
        kind, place = type(node), len(self.tests)
        own = f"v{place}"
        self.tests.append(f"type({own} := {here}) is {self.name(kind)}")
        if isinstance(node, np.ndarray):
            self.leaves.append(place)
            return f"n[{len(self.leaves) - 1}]"
        if kind is tuple:
            self.tests[place] += f" and len({own}) == {len(cast('tuple[object, ...]', node))}"
        elif kind is dict:
            self.tests[place] += f" and tuple({own}) == {tuple(cast('dict[str, object]', node))!r}"
        made: dict[str, str] = {}
        for step, child in tree.children(node):
            expression = self.visit(child, own + step, level + 1)
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
