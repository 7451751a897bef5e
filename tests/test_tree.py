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


# --------------------------------------------------------------------------------------------------------------- parts by path


def test_get_follows_every_path_and_every_beginning_of_one() -> None:
    whole: Any = sample()
    for path, leaf in tree.walk(whole):
        assert tree.get(whole, path) is leaf
    inner: Named = whole[2]["a"]
    assert tree.get(whole, '[2]["a"].right[0]') is inner.right[0]
    assert tree.get(whole, "[2]['a']") is inner
    assert tree.get(whole, "") is whole


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("[3]", r"the tree has no \[3\]: its root has \[0\], \[1\], \[2\]"),
        ("[0].weigh", r"the tree has no \[0\].weigh: \[0\] has .weight, .bias"),
        ("[0].weight[1]", r"the tree has no \[0\].weight\[1\]: \[0\].weight has nothing, being an array"),
        ("[1][0]", r"the tree has no \[1\]\[0\]: \[1\] has nothing"),
        ("[2]['c']", r"the tree has no \[2\]\['c'\]: \[2\] has \['a'\], \['b'\]"),
        ("weight", "path is 'weight', which does not go on with a step such as"),
        ("[0]weight", "does not go on with a step such as .* at 'weight'"),
        ("[-1]", r"at '\[-1\]'"),
    ],
)
def test_paths_that_lead_nowhere_are_told(path: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tree.get(sample(), path)
    with pytest.raises(ValueError, match=message):
        tree.replace(sample(), path, np.ones(1))


def test_replace_changes_one_place_and_no_other() -> None:
    whole = sample()
    for path, leaf in tree.walk(whole):
        made = tree.replace(whole, path, np.asarray(leaf + 1))
        for other, new in tree.walk(made):
            assert (new is tree.get(whole, other)) == (other != path)
        assert np.array_equal(tree.get(made, path), leaf + 1)  # type: ignore[arg-type]  # a leaf
    node = tree.replace(whole, "[2]['a']", Named(np.zeros(4), (np.ones(2),)))
    assert tree.paths(node) == tree.paths(whole)
    assert node[2]["a"].left.shape == (4,)
    assert list(node[2]) == ["b", "a"]


def test_what_takes_a_place_has_the_structure_of_what_was_there() -> None:
    with pytest.raises(ValueError, match=r"new, to stand at \[0\], is an array of shape \(2,\), expected a Pair"):
        tree.replace(sample(), "[0]", np.ones(2))
    with pytest.raises(ValueError, match=r"new, to stand at \[0\].weight, is a float, expected an array"):
        tree.replace(sample(), "[0].weight", 1.0)


def test_select_by_pattern_and_by_shape() -> None:
    found = tree.select(sample(), r"\.(weight|left)$")
    assert list(found) == ["[0].weight", "[2]['a'].left"]
    assert tree.size(found) == 7
    assert list(tree.select(sample(), lambda path, shape: len(shape) == 1)) == ["[0].bias", "[2]['b']"]
    assert tree.select(sample(), "nothing") == {}
    with pytest.raises(ValueError, match="is not a regular expression"):
        tree.select(sample(), "[2")


def test_map_where_leaves_the_others_as_they_are() -> None:
    whole = sample()
    made = tree.map_where(np.negative, whole, "bias")
    assert made[0].bias.tolist() == [-1, -1, -1]
    assert made[0].weight is whole[0].weight
    with pytest.raises(ValueError, match=r"where is 'bia\$', which means no leaf of the tree: its paths are \['\[0\].weight'"):
        tree.map_where(np.negative, whole, "bia$")


# ------------------------------------------------------------------------------------------------------------------ as a table


def test_a_table_has_the_figures_of_every_leaf() -> None:
    generator = np.random.default_rng(0)
    whole = (Pair(generator.normal(3, 2, (40, 5)), np.ones(3, np.float32)), {"n": np.arange(4)})
    made = tree.table(whole)
    assert [row.path for row in made.rows] == list(tree.paths(whole))
    first = made.rows[0]
    numbers = whole[0].weight
    assert (first.shape, first.dtype, first.size, first.nbytes) == ((40, 5), "float64", 200, 1600)
    np.testing.assert_allclose(
        (first.mean, first.std, first.min, first.max), (numbers.mean(), numbers.std(), numbers.min(), numbers.max()), rtol=1e-12
    )
    assert (made.total.size, made.total.nbytes) == (tree.size(whole), tree.nbytes(whole))
    assert made.total.dtype == "float32, float64, int64"


def test_rows_of_a_depth_hold_all_below() -> None:
    made = tree.table(sample(), depth=1)
    assert [(row.path, row.leaves, row.size) for row in made.rows] == [("[0]", 2, 9), ("[2]", 3, 3)]
    both = np.concatenate([leaf.ravel() for leaf in tree.leaves(sample()[0])])
    np.testing.assert_allclose((made.rows[0].mean, made.rows[0].std), (both.mean(), both.std()))


def test_a_table_counts_what_is_no_number_and_never_overflows() -> None:
    row = tree.table(np.array([np.nan, np.inf, -np.inf, 1.0, 3.0])).rows[0]
    assert (row.nan, row.inf, row.mean, row.std, row.min, row.max) == (1, 2, 2, 1, 1, 3)
    large = np.finfo(float).max
    assert tree.table(np.array([large, -large])).rows[0].std == large
    nothing = tree.table((np.zeros((0, 2)), ()))
    assert np.isnan(nothing.total.mean)
    assert "(0, 2)" in str(nothing)
    assert tree.table(()).rows == ()
    with pytest.raises(ValueError, match="depth is 0"):
        tree.table(sample(), depth=0)


@pytest.mark.parametrize("masks", [(None, None), (None, np.ones(2, bool)), (np.ones(2, bool), None)])
def test_cotangents_are_added_and_a_mask_has_none(masks: Any) -> None:
    made = tree.add_cotangents((np.ones(2), masks[0]), (np.full(2, 3.0), masks[1]))
    assert made[0].tolist() == [4, 4]
    assert made[1] is None
