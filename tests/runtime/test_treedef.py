"""Taking trees apart by compiled expressions: always what the walk gives."""

from typing import Any, NamedTuple

import numpy as np
import pytest
from attrs import frozen

from funcnn import tree
from funcnn.runtime import treedef
from funcnn.runtime.treedef import flatten


@frozen(eq=False)
class Pair:
    left: Any
    right: Any


class Triple(NamedTuple):
    a: Any
    b: Any
    c: Any


class Marked(np.ndarray[Any, Any]):
    """A subclass of the array, as np.memmap is one."""


def leaf(value: float = 0.0) -> Any:
    return np.full((1, 2), value)


TREES: dict[str, Any] = {
    "leaf": leaf(),
    "number": np.array(1.0),
    "empty": (),
    "pair": (leaf(), leaf()),
    "nested": ((leaf(), ()), ((), (leaf(),))),
    "attrs": Pair(leaf(), (Pair(leaf(), ()), leaf())),
    "named": Triple(leaf(), Pair(leaf(), leaf()), (leaf(),)),
    "dict": {"b": leaf(), "a": {"x'y\"": leaf(), "": ()}, "newline\n": leaf()},
    "subclass": (leaf().view(Marked), leaf()),
    "integers": (np.arange(3), leaf()),
}


def numbered(one: Any) -> Any:
    return tree.rebuild(one, iter([np.full_like(old, index) for index, old in enumerate(tree.leaves(one))]))


@pytest.mark.parametrize("name", TREES)
def test_gives_what_the_walk_gives(name: str) -> None:
    one = numbered(TREES[name])
    again = None
    for _ in range(2):  # compiled, and remembered
        found, leaves = flatten(one)
        assert found.paths == tree.paths(one)
        assert all(ours is theirs for ours, theirs in zip(leaves, tree.leaves(one), strict=True))
        again = found.rebuild(leaves)
        tree.check_structure(one, again)
        assert all(ours is theirs for ours, theirs in zip(tree.leaves(again), leaves, strict=True))
    if isinstance(one, dict):
        assert again is not None
        assert list(again) == list(one)


@pytest.mark.parametrize("name", TREES)
def test_tells_structures_apart(name: str) -> None:
    found, _ = flatten(TREES[name])
    for other, one in TREES.items():
        taken = found.leaves(one)
        assert (taken is not None) == (other == name or {name, other} in ({"leaf", "number"}, {"pair", "integers"}))
    assert flatten(TREES[name])[0] is found
    for wrong in (None, 3, [leaf()], "text", (leaf(), None)):
        assert found.leaves(wrong) is None


@pytest.mark.parametrize("name", [*TREES, "walked"])
def test_tells_shapes_and_dtypes_apart_where_asked(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "walked":
        monkeypatch.setattr(treedef, "_LEAVES", 1)
        monkeypatch.setattr(treedef, "_SEEN", {})
    one = numbered(TREES["nested" if name == "walked" else name])
    found, leaves = flatten(one)
    take = found.leaves_of_kinds(tuple([(part.shape, part.dtype) for part in leaves]))
    again = take(one)
    assert again is not None
    assert all(ours is theirs for ours, theirs in zip(again, leaves, strict=True))
    assert take((one, one)) is None
    for place in range(len(leaves)):
        for other in (leaves[place].astype(np.float32), np.concatenate([leaves[place].reshape(1, -1)] * 2)):
            changed = found.rebuild([*leaves[:place], other.view(type(leaves[place])), *leaves[place + 1 :]])
            assert take(changed) is None
            assert found.leaves(changed) is not None


def test_names_what_is_not_a_tree() -> None:
    with pytest.raises(TypeError, match=r"\[1\]\.right is None"):
        flatten((leaf(), Pair(leaf(), None)))


def test_large_and_deep_trees_take_the_walk() -> None:
    many = tuple(leaf(index) for index in range(treedef._LEAVES + 1))
    deep: Any = leaf()
    for _ in range(treedef._LEVELS + 60):
        deep = (deep,)
    for one, other in ((many, deep), (deep, many)):
        found, leaves = flatten(one)
        assert len(leaves) == len(found.paths)
        assert tree.same(found.rebuild(leaves), one)
        assert found.leaves(other) is None
        assert found.leaves(None) is None
        taken = found.leaves(one)
        assert taken is not None
        assert all(ours is theirs for ours, theirs in zip(taken, leaves, strict=True))
        assert flatten(one)[0] is found


def test_remembers_a_bounded_number_of_structures() -> None:
    for count in range(2 * treedef._KEPT):
        one = Pair((leaf(),) * count, ())
        assert len(flatten(one)[1]) == count
    assert len(treedef._SEEN[Pair]) <= treedef._KEPT
