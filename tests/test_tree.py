"""Trees: structure, paths, types of nodes, errors that name the place."""

from typing import Any, NamedTuple

import attrs
import numpy as np
import pytest

from funcnn import tree
from funcnn.typing import Array


@attrs.frozen(eq=False)
class Pair:
    weight: Array
    bias: Array


@attrs.define
class Mutable:
    weight: Array


class Named(NamedTuple):
    left: Array
    right: tuple[Array, ...]


def sample() -> Any:
    return (
        Pair(np.arange(6.0).reshape(2, 3), np.ones(3)),
        (),
        {"b": np.zeros(1), "a": Named(np.full((1, 1), 7.0), (np.array(3.0),))},
    )


def test_leaves_and_paths_go_together() -> None:
    expected = ("[0].weight", "[0].bias", "[2]['a'].left", "[2]['a'].right[0]", "[2]['b']")
    assert tree.paths(sample()) == expected
    for path, leaf in zip(tree.paths(sample()), tree.leaves(sample()), strict=True):
        assert np.array_equal(eval("t" + path, {"t": sample()}), leaf)


def test_an_array_alone_is_a_tree() -> None:
    x = np.ones(2)
    assert tree.leaves(x) == (x,)
    assert tree.paths(x) == ("",)
    assert tree.map(np.negative, x).tolist() == [-1, -1]


def test_map_keeps_the_structure_and_the_order_of_a_dict() -> None:
    doubled = tree.map(lambda leaf: 2 * leaf, sample())
    tree.check_structure(sample(), doubled)
    assert list(doubled[2]) == ["b", "a"]
    assert doubled[2]["a"].left == 14
    total = tree.map(np.add, sample(), doubled)
    assert np.array_equal(total[0].weight, 3 * sample()[0].weight)


def test_map_matches_dicts_by_key() -> None:
    swapped = {"a": np.array([1.0]), "b": np.array([2.0])}
    other = {"b": np.array([20.0]), "a": np.array([10.0])}
    assert tree.map(np.add, swapped, other) == {"a": [11.0], "b": [22.0]}


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ((np.ones(1), None), r"\[1\] is None"),
        ((np.ones(1), 2.0), r"\[1\] is a float"),
        ({"w": [np.ones(1)]}, r"\['w'\] is a list"),
        (Mutable(np.ones(1)), "the root is a Mutable"),
        ({1: np.ones(1)}, "strings"),
        ((Pair(np.ones(1), 3),), r"\[0\].bias is a int"),  # type: ignore[arg-type]  # wrong on purpose
    ],
)
def test_what_is_no_tree_is_refused_with_its_path(wrong: object, path: str) -> None:
    for function in (tree.leaves, tree.paths):
        with pytest.raises(TypeError, match=path):
            function(wrong)


@pytest.mark.parametrize(
    ("other", "path"),
    [
        ((np.ones(1),), "a tuple of 1|has"),
        ((np.ones(1), {"c": np.ones(1)}), r"tree\[1\] has \[\"\['c'\]\"\]"),
        (((), {"b": np.ones(1)}), r"tree\[0\] is a tuple of 0, expected an array"),
    ],
)
def test_another_structure_is_refused_with_its_path(other: Any, path: str) -> None:
    with pytest.raises(ValueError, match=path):
        tree.map(np.add, (np.ones(1), {"b": np.ones(1)}), other)


def test_check_like_names_the_leaf_that_differs() -> None:
    with pytest.raises(ValueError, match=r"tree\[1\] is float32\[2\], expected float64\[2\]"):
        tree.check_like((np.ones(1), np.ones(2)), (np.ones(1), np.ones(2, np.float32)))
    with pytest.raises(ValueError, match=r"grads.weight is float64\[1\]"):
        tree.check_like(Pair(np.ones(2), np.ones(1)), Pair(np.ones(1), np.ones(1)), "grads")


def test_ravel_goes_there_and_back() -> None:
    vector, unravel = tree.ravel(sample())
    assert vector.tolist() == [0, 1, 2, 3, 4, 5, 1, 1, 1, 7, 3, 0]
    assert not vector.flags.writeable
    assert tree.same(unravel(vector), sample())
    with pytest.raises(ValueError, match="12 numbers"):
        unravel(vector[1:])
    with pytest.raises(ValueError, match="one dtype"):
        tree.ravel((np.ones(1), np.ones(1, np.float32)))
    assert tree.ravel(()).vector.shape == (0,)


def test_rebuild_needs_a_leaf_for_every_place() -> None:
    with pytest.raises(ValueError, match="too few leaves"):
        tree.rebuild((np.ones(1), np.ones(1)), iter([np.ones(1)]))


def test_astype_leaves_integers_alone() -> None:
    made = tree.astype((np.ones(1), np.arange(2)), np.float32)
    assert [leaf.dtype for leaf in made] == [np.float32, np.int64]
    assert not made[0].flags.writeable


def test_same_is_to_the_bit() -> None:
    assert tree.same(sample(), sample())
    assert not tree.same((np.zeros(1),), (-np.zeros(1),))
    assert not tree.same((np.zeros(1),), np.zeros(1))
    assert tree.same((np.array([np.nan]),), (np.array([np.nan]),))


def test_size_and_bytes() -> None:
    assert tree.size(sample()) == 12
    assert tree.nbytes(sample()) == 96


def test_freeze_makes_leaves_read_only() -> None:
    frozen = tree.freeze(sample())
    with pytest.raises(ValueError, match="read-only"):
        frozen[0].weight[0, 0] = 1
