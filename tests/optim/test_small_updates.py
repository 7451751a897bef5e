"""Updates of small trees, which go on from what the last one made: they must not be told from those of a new optimizer."""

import pickle
from typing import Any

import attrs
import numpy as np
import pytest

import funcnn as fn
from funcnn.layers.linear.dense import DenseParams
from funcnn.optim.flat import SMALL
from funcnn.typing import Array

OPTIMIZERS = [
    fn.sgd(0.1),
    fn.momentum(0.1),
    fn.adam(fn.schedules.exponential(0.1, 0.9)),
    fn.adamw(0.1),
    fn.rmsprop(0.1),
    fn.adagrad(0.1),
    fn.lion(0.1),
    fn.rprop(0.1),
]


def params(seed: int, dtype: type = np.float64) -> Any:
    generator = np.random.default_rng(seed)
    weight: Array = generator.normal(size=(3, 2)).astype(dtype)
    bias: Array = generator.normal(size=2).astype(dtype)
    return fn.tree.freeze((DenseParams(weight, bias), ()))


def steps(optimizer: fn.Optimizer, start: Any, count: int, fresh: bool) -> list[Any]:
    """Return the updates one after the other, each by a new optimizer if asked."""
    state, made = optimizer.init(start), []
    for _ in range(count):
        own: Any = pickle.loads(pickle.dumps(optimizer)) if fresh else optimizer
        grads = fn.tree.map(lambda leaf: np.cos(leaf), start)
        updated = own.update(start, grads, state)
        start, state = updated.params, updated.state
        made.append(updated)
    return made


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble])
def test_going_on_gives_what_a_new_optimizer_gives(optimizer: fn.Optimizer, dtype: type) -> None:
    start = params(0, dtype)
    for one, other in zip(steps(optimizer, start, 7, False), steps(optimizer, start, 7, True), strict=True):
        assert fn.tree.same(one.params, other.params)
        assert fn.tree.same(one.state, other.state)


def test_the_same_update_twice_gives_the_same() -> None:
    optimizer = fn.adam(0.1)
    second, third = steps(optimizer, params(0), 3, False)[1:]
    grads = fn.tree.map(lambda leaf: np.cos(leaf + 2), second.params)
    for _ in range(2):
        again = optimizer.update(second.params, grads, second.state)
        other = optimizer.update(params(5), params(6), optimizer.init(params(5)))  # another tree in between
        assert other.params[0].weight.shape == (3, 2)
        assert again.state.count == third.state.count
        twice = optimizer.update(again.params, grads, again.state), optimizer.update(again.params, grads, again.state)
        assert fn.tree.same(twice[0].params, twice[1].params)


def test_states_and_parameters_may_be_mixed() -> None:
    optimizer = fn.adam(0.1)
    for choice in range(3):
        first, last = steps(optimizer, params(0), 2, False)  # the last thing that this optimizer made
        given = (first.params, last.params, last.params)[choice]
        state = (last.state, first.state, optimizer.init(params(0)))[choice]
        expected = attrs.evolve(optimizer).update(given, params(7), state)
        got = optimizer.update(given, params(7), state)
        assert fn.tree.same(expected.params, got.params)
        assert fn.tree.same(expected.state, got.state)


def test_wrong_gradients_are_found_at_any_update() -> None:
    optimizer = fn.adam(0.1)
    last = steps(optimizer, params(0), 3, False)[-1]
    good: Any = params(1)
    for wrong in (
        (attrs.evolve(good[0], weight=good[0].weight.T), ()),
        (attrs.evolve(good[0], weight=good[0].weight.astype(np.float32)), ()),
        ({"weight": good[0].weight, "bias": good[0].bias}, ()),
        (good[0],),
        None,
    ):
        with pytest.raises((TypeError, ValueError)) as fresh:
            attrs.evolve(optimizer).update(last.params, wrong, last.state)
        with pytest.raises((TypeError, ValueError)) as going_on:
            optimizer.update(last.params, wrong, last.state)
        assert str(fresh.value) == str(going_on.value)


def test_results_are_read_only_and_nobody_elses() -> None:
    given = params(0)
    for updated in steps(fn.adam(0.1), given, 3, False):
        for leaf in (*fn.tree.leaves(updated.params), *updated.state.slots, updated.state.count):
            assert not leaf.flags.writeable
            assert not any(np.shares_memory(leaf, other) for other in fn.tree.leaves(given))
        given = updated.params


def test_what_is_kept_in_mind_is_small_and_stays_where_it_is() -> None:
    optimizer = fn.adam(0.1)
    steps(optimizer, params(0), 1, False)
    assert optimizer.last.update is not None
    assert attrs.evolve(optimizer) == optimizer
    assert pickle.loads(pickle.dumps(optimizer)).last.update is None
    assert "last" not in repr(optimizer)
    changing = ({"weight": np.zeros((3, 2))},)  # a dict may be assigned to
    steps(other := fn.adam(0.1), changing, 2, False)
    assert other.last.update is None
    large = fn.tree.freeze(tuple([np.zeros(SMALL // 3) for _ in range(4)]))
    steps(other := fn.adam(0.1), large, 2, False)
    assert other.last.update is None
