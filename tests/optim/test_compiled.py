"""Compiled optimizers: what was worked out for one tree gives the bits of the plain update, and never anything for another."""

import copy
import itertools
import pickle
from typing import Any

import attrs
import numpy as np
import pytest

import funcnn as fn
from funcnn import tree
from funcnn.compile.optimizer import CompiledOptimizer
from funcnn.layers.linear.dense import DenseParams
from funcnn.optim import layout, small
from funcnn.optim.flat import SHORT
from funcnn.typing import Array
from tests.optim.cases import OPTIMIZERS, draw

RULES = [
    pytest.param(case.make, id=f"{name}-{case.label or index}")
    for name, found in OPTIMIZERS.items()
    for index, case in enumerate(found)
]


def params(seed: int, dtype: type = np.float64) -> Any:
    generator = np.random.default_rng(seed)
    weight: Array = generator.normal(size=(3, 2)).astype(dtype)
    bias: Array = generator.normal(size=2).astype(dtype)
    return tree.freeze((DenseParams(weight, bias), ()))


def steps(optimizer: fn.Optimizer, start: Any, count: int) -> list[Any]:
    """Return the updates one after the other."""
    state, made = optimizer.init(start), []
    for _ in range(count):
        updated = optimizer.update(start, tree.map(np.cos, start), state)
        start, state = updated.params, updated.state
        made.append(updated)
    return made


@pytest.mark.parametrize("make", RULES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble])
def test_the_bits_are_those_of_the_plain_update(make: Any, dtype: type) -> None:
    start = tree.freeze(draw(0, dtype))
    for one, other in zip(steps(fn.compiled(make()), start, 7), steps(make(), start, 7), strict=True):
        assert tree.same(one.params, other.params)
        assert tree.same(one.state, other.state)


@pytest.mark.parametrize("optimizer", [fn.sgd(0.1), fn.momentum(0.1), fn.adam(0.1), fn.adamw(0.1), fn.lion(0.1)], ids=repr)
def test_the_plain_code_is_not_asked_again(optimizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    opt: Any = fn.compiled(optimizer)
    last = steps(opt, params(0), 1)[0]
    asked = []
    monkeypatch.setattr(type(optimizer), "updated", lambda *args: asked.append(args))
    opt.update(last.params, params(1), last.state)
    assert not asked
    opt.update(tree.astype(last.params, np.float32), params(1), last.state)
    assert asked


def test_another_tree_takes_the_plain_code() -> None:
    opt, plain = fn.compiled(fn.adam(0.1)), fn.adam(0.1)
    steps(opt, params(0), 3)
    large = (np.zeros(layout.LARGE), np.zeros(2))
    mixed = (np.zeros(3), np.zeros(2, np.float32))
    for other in (params(1, np.float32), {"weight": np.ones((3, 2))}, large, mixed, np.ones(3), ()):
        for one, expected in zip(steps(opt, other, 2), steps(plain, other, 2), strict=True):
            assert tree.same(one.params, expected.params)
            assert tree.same(one.state, expected.state)
    assert tree.same(steps(opt, params(0), 3)[-1].params, steps(plain, params(0), 3)[-1].params)


@pytest.mark.parametrize("first", [(np.zeros(layout.LARGE),), (np.zeros(3), np.zeros(2, np.float32)), (np.zeros(SHORT + 1),), ()])
def test_what_is_not_small_and_of_one_kind_is_never_written(first: Any) -> None:
    assert small.small_update(fn.adam(0.1), first) is None
    opt = fn.compiled(fn.adam(0.1))
    steps(opt, first, 2)
    assert tree.same(steps(opt, params(0), 3)[-1].params, steps(fn.adam(0.1), params(0), 3)[-1].params)


def test_wrong_arguments_give_the_same_errors() -> None:
    opt, plain = fn.compiled(fn.adam(0.1)), fn.adam(0.1)
    last = steps(opt, params(0), 3)[-1]
    good: Any = params(1)
    wrong: list[tuple[Any, Any, Any]] = [
        *[
            (last.params, grads, last.state)
            for grads in (
                (attrs.evolve(good[0], weight=good[0].weight.T), ()),
                (attrs.evolve(good[0], weight=good[0].weight.astype(np.float32)), ()),
                ({"weight": good[0].weight, "bias": good[0].bias}, ()),
                (good[0],),
                None,
            )
        ],
        (None, good, last.state),
        (last.params, good, None),
        (last.params, good, fn.OptState(last.state.count, last.state.slots[1:])),
        (last.params, good, fn.OptState(last.state.count, (last.state.slots[0], last.state.slots[1][1:]))),
        (last.params, good, fn.OptState(last.state.count, (last.state.slots[0], last.state.slots[1].astype(np.float32)))),
        (last.params, good, fn.OptState(last.state.count, last.state.slots, (last.state,))),
        (last.params, good, fn.OptState(np.array(-1), last.state.slots)),
        (last.params, good, fn.OptState(np.array(1.0), last.state.slots)),
    ]
    for arguments in wrong:
        with pytest.raises((TypeError, ValueError)) as expected:
            plain.update(*arguments)
        with pytest.raises((TypeError, ValueError)) as got:
            opt.update(*arguments)
        assert str(got.value) == str(expected.value)
        assert type(got.value) is type(expected.value)


@pytest.mark.parametrize("mode", ["ignore", "raise"])
@pytest.mark.parametrize("make", [fn.adam, fn.rmsprop, fn.adagrad, fn.yogi, fn.amsgrad], ids=lambda make: make.__name__)
def test_huge_gradients_are_those_of_the_plain_update(make: Any, mode: Any) -> None:
    opt, plain = fn.compiled(make(0.5)), make(0.5)
    start = params(0, np.float32)
    one: Any = fn.Updated(start, opt.init(start))
    other: Any = fn.Updated(start, plain.init(start))
    with np.errstate(over=mode):
        for size in (1.0, float(np.finfo(np.float32).max) / 2, 1.0):
            grads = tree.map(lambda leaf: np.full_like(leaf, size), start)  # noqa: B023  # used at once
            one, other = opt.update(one.params, grads, one.state), plain.update(other.params, grads, other.state)
    assert tree.same((one.params, one.state), (other.params, other.state))
    assert np.isfinite(tree.ravel(one.params).vector).all()


def test_results_are_read_only_and_nobody_elses() -> None:
    given = params(0)
    for updated in steps(fn.compiled(fn.adam(0.1)), given, 3):
        for leaf in (*tree.leaves(updated.params), *updated.state.slots, updated.state.count):
            assert not leaf.flags.writeable
            assert not any(np.shares_memory(leaf, other) for other in tree.leaves(given))
        given = updated.params


def test_a_state_or_parameters_of_before_give_what_they_gave() -> None:
    opt = fn.compiled(fn.adam(0.1))
    made = steps(opt, params(0), 4)
    for before, after in itertools.pairwise(made):
        again = opt.update(before.params, tree.map(np.cos, before.params), before.state)
        assert tree.same((again.params, again.state), (after.params, after.state))


def test_optimizers_made_of_others_are_compiled_inside() -> None:
    opt: Any = fn.compiled(fn.chain(fn.clip_by_global_norm(1.0), fn.ema(fn.adam(0.1))))
    assert isinstance(opt.optimizer.optimizer, CompiledOptimizer)
    assert opt.optimizer.average(params(0), opt.init(params(0)).inner[1]) is not None
    for as_it_stands in (
        fn.lamb(),
        fn.reduce_on_plateau(fn.adam()),
        fn.chain(fn.clip_by_value(1.0), fn.lars()),
        fn.donate_state(fn.adam()),
    ):
        assert fn.compiled(as_it_stands) is as_it_stands
    with pytest.raises(TypeError, match=r"cannot scale the learning rate of compiled\(Adam.*it is compiled"):
        fn.reduce_on_plateau(fn.compiled(fn.adam()))


def test_it_prints_pickles_and_copies() -> None:
    opt: Any = fn.compiled(fn.adam(0.5))
    steps(opt, params(0), 2)
    assert repr(opt).startswith("compiled(Adam(learning_rate=0.5")
    for other in (pickle.loads(pickle.dumps(opt)), copy.deepcopy(opt), copy.copy(opt)):
        assert other.optimizer == opt.optimizer
        assert tree.same(steps(other, params(0), 2)[-1].params, steps(opt, params(0), 2)[-1].params)


def test_optimizers_hold_nothing_but_their_hyper_parameters() -> None:
    plain = fn.adam(0.1)
    before = pickle.dumps(plain)
    steps(plain, params(0), 3)
    assert pickle.dumps(plain) == before
    assert {one.name for one in attrs.fields(type(plain))} == set(attrs.asdict(plain))
