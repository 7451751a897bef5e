"""Keys are values: the same path, the same numbers."""

import attrs
import numpy as np
import pytest

import funcnn as fn


def numbers(key: fn.Key) -> list[float]:
    return list(key.generator().random(4))


def test_a_key_gives_the_same_stream_every_time() -> None:
    key = fn.Key(3).child(1)
    assert numbers(key) == numbers(fn.Key(3, (1,)))
    assert numbers(key) == numbers(key)


def test_children_differ_from_one_another_and_from_the_parent() -> None:
    key = fn.Key(0)
    family = [key, *key.split(3), key.child(0).child(0), key.child(1).child(0), fn.Key(1)]
    assert len({tuple(numbers(one)) for one in family}) == len(family)


def test_a_child_is_numpys_spawned_child() -> None:
    spawned = np.random.SeedSequence(5).spawn(3)[2]
    assert numbers(fn.Key(5).child(2)) == list(np.random.default_rng(spawned).random(4))


def test_a_grandchild_is_numpys_spawned_grandchild() -> None:
    spawned = np.random.SeedSequence(5).spawn(3)[2].spawn(2)[1].spawn(4)[3]
    assert numbers(fn.Key(5).child(2).child(1).child(3)) == list(np.random.default_rng(spawned).random(4))
    assert numbers(fn.Key(5).child(2).child(1)) != numbers(fn.Key(5).child(1).child(2))


def test_taking_a_child_changes_nothing() -> None:
    key = fn.Key(0)
    before = numbers(key.child(1))
    key.split(5)
    assert numbers(key.child(1)) == before
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        key.entropy = 2  # type: ignore[misc]  # wrong on purpose


@pytest.mark.parametrize(("seed", "error"), [(-1, ValueError), (1.5, TypeError), ("0", TypeError), (True, TypeError)])
def test_a_wrong_seed_is_refused(seed: object, error: type[Exception]) -> None:
    with pytest.raises(error, match="seed"):
        fn.Key(seed)  # type: ignore[arg-type]  # wrong on purpose


def test_a_negative_child_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 0"):
        fn.Key(0).child(-1)
