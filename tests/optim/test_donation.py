"""Donated states: the next state is written over the old one, with the same results, and nobody sees anything change."""

import pickle
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn import tree
from funcnn.optim import layout
from funcnn.optim.donation import DonatedState, Donating
from funcnn.optim.rules.adam import Adam
from tests.optim.cases import OPTIMIZERS, draw

USED_UP = "this state of an optimizer was used up"
CASES = [pytest.param(case.make, id=f"{name}-{index}") for name, found in OPTIMIZERS.items() for index, case in enumerate(found)]
LEAF = 300, 200  # a large leaf


@pytest.fixture
def blocks_of_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have small arrays count as large ones."""
    monkeypatch.setattr(layout, "_SEEN", {})
    monkeypatch.setattr(layout, "LARGE", 6)


def drawn(seed: int) -> Any:
    generator = np.random.default_rng(seed)
    return tree.freeze({"large": generator.normal(size=LEAF), "small": generator.normal(size=3)})


def after(opt: fn.Optimizer, updates: int) -> tuple[Any, Any]:
    params = drawn(0)
    state = opt.init(params)
    for seed in range(1, updates + 1):
        updated = opt.update(params, drawn(seed), state)
        params, state = updated.params, updated.state
    return params, state


def bits(state: Any) -> list[tuple[str, bytes]]:
    return [(str(leaf.dtype), leaf.tobytes()) for leaf in tree.leaves(state)]


def donated(state: Any) -> Any:
    """The state of the rule in a state."""
    while state.inner:
        state = state.inner[-1]
    assert isinstance(state, DonatedState)
    return state


@pytest.mark.parametrize("make", CASES)
@pytest.mark.usefixtures("blocks_of_few")
def test_results_are_those_of_the_optimizer_itself(make: Callable[[], fn.Optimizer]) -> None:
    plain, over = make(), fn.donate_state(make())
    first: Any = draw(0)
    expected = got = fn.Updated(tree.freeze(first), plain.init(first))
    got = fn.Updated(got.params, over.init(first))
    seen = []
    for seed in range(1, 7):
        grads = tree.freeze(draw(seed))
        before = tree.map(np.copy, (got.params, grads))
        expected = plain.update(expected.params, grads, expected.state)
        updated = over.update(got.params, grads, got.state)
        assert tree.same((got.params, grads), before)
        seen.append((got.params, before[0]))
        got = updated
        assert tree.same(got.params, expected.params)
        assert bits(got.state) == bits(expected.state)
        assert tree.paths(got.state) == tree.paths(expected.state)
        assert not any(leaf.flags.writeable for leaf in tree.leaves((got.params, got.state)))
    for params, copy in seen:  # what was given out stays what it was
        assert tree.same(params, copy)


@pytest.mark.parametrize(
    "make", [fn.adam, fn.momentum, lambda: fn.chain(fn.clip_by_value(1.0), fn.adamw()), lambda: fn.ema(fn.adam()), fn.adadelta]
)
def test_the_arrays_of_the_old_state_are_written_over(make: Callable[[], fn.Optimizer]) -> None:
    def addresses(state: Any) -> list[int]:
        rules = donated(state)
        own = rules.take()
        rules.restore(own)
        return [slot.ctypes.data for slot in own.slots]

    opt = fn.donate_state(make())
    params, state = after(opt, 0)
    before = addresses(state)
    for seed in range(1, 4):
        updated = opt.update(params, drawn(seed), state)
        params, state = updated.params, updated.state
        assert addresses(state) == before


@pytest.mark.parametrize("read", [lambda s: s.count, lambda s: s.slots, lambda s: s.inner, tree.leaves, pickle.dumps])
def test_a_state_that_was_used_up_refuses(read: Callable[[Any], object]) -> None:
    opt = fn.donate_state(fn.chain(fn.clip_by_global_norm(1.0), fn.adam()))
    params, state = after(opt, 1)
    inner = donated(state)
    opt.update(params, drawn(5), state)
    with pytest.raises(RuntimeError, match=USED_UP):
        read(inner)
    for used in (state, inner):
        with pytest.raises(RuntimeError, match=USED_UP):
            tree.leaves(used)
    with pytest.raises(RuntimeError, match=USED_UP):
        opt.update(params, drawn(5), state)
    with pytest.raises(RuntimeError, match=USED_UP):
        fn.donate_state(fn.adam()).update(params, drawn(5), inner)
    assert "DonatedState(used up)" in repr(state)


@pytest.mark.parametrize(
    "hold",
    [
        lambda state: state.slots[0],
        lambda state: state.slots,
        lambda state: state.slots[0][3:5],
        lambda state: memoryview(state.slots[0]),
        lambda state: fn.adam().slot("mean", drawn(0), state),
        lambda state: fn.OptState(state.count, state.slots),
        lambda state: tree.map(lambda leaf: leaf, state),
        pickle.dumps,
    ],
    ids=["array", "tuple", "view", "buffer", "slot", "copy", "tree", "pickle"],
)
@pytest.mark.usefixtures("blocks_of_few")
def test_what_was_read_stays_what_it_was(hold: Callable[[Any], Any]) -> None:
    plain, over = fn.adam(), fn.donate_state(fn.adam())
    params, state = after(over, 2)
    held = hold(state)
    copy = held.tobytes() if isinstance(held, memoryview) else pickle.dumps(held)
    expected = plain.update(params, drawn(3), after(plain, 2)[1])
    got = over.update(params, drawn(3), state)
    assert tree.same(got.params, expected.params)
    assert bits(got.state) == bits(expected.state)
    assert (held.tobytes() if isinstance(held, memoryview) else pickle.dumps(held)) == copy


@pytest.mark.usefixtures("blocks_of_few")
def test_what_was_given_is_not_written_over() -> None:
    """Neither the arrays of a state of the rule itself, nor those that a donated state was made of."""
    params = drawn(0)
    both = np.zeros((2, tree.size(params)))
    plain: fn.OptState[Any] = fn.OptState(np.array(0), (both[0], both[1]))
    for state in (plain, DonatedState[Any](plain.count, plain.slots)):
        now: Any = fn.Updated(params, state)
        for seed in (1, 2):
            now = fn.donate_state(fn.adam()).update(now.params, drawn(seed), now.state)
        assert not both.any()
        assert tree.same(now.params, after(fn.adam(), 2)[0])


def test_the_rule_itself_reads_a_donated_state_and_leaves_it() -> None:
    over, plain = fn.donate_state(fn.adam()), fn.adam()
    params, state = after(over, 2)
    before = bits(state)
    updated = plain.update(params, drawn(3), state)
    assert type(updated.state) is fn.OptState
    assert tree.same(updated.params, after(plain, 3)[0])
    assert bits(state) == before


def test_two_slots_that_start_as_one_array_are_kept_apart() -> None:
    """As those of schedule-free learning do, from leaves that are not contiguous."""
    turned = {"large": np.asfortranarray(drawn(0)["large"]), "small": drawn(0)["small"]}
    got, expected = fn.donate_state(fn.schedule_free(0.1)), fn.schedule_free(0.1)
    one: Any = fn.Updated(turned, got.init(turned))
    other: Any = fn.Updated(turned, expected.init(turned))
    for seed in range(1, 4):
        one, other = got.update(one.params, drawn(seed), one.state), expected.update(other.params, drawn(seed), other.state)
        assert bits((one.params, one.state)) == bits((other.params, other.state))


def test_of_two_threads_one_gets_the_state_and_the_other_an_error() -> None:
    opt = fn.donate_state(fn.adam())
    params, state = after(opt, 1)
    expected = fn.adam().update(params, drawn(2), fn.OptState(state.count, state.slots))
    start = threading.Barrier(4)

    def update(_: int) -> Any:
        start.wait()
        try:
            return opt.update(params, drawn(2), state)
        except RuntimeError as error:
            return str(error)

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(update, range(4)))
    won = [one for one in results if not isinstance(one, str)]
    assert len(won) == 1
    assert bits((won[0].params, won[0].state)) == bits((expected.params, expected.state))
    assert all(USED_UP in one for one in results if isinstance(one, str))


def test_an_error_before_anything_is_written_leaves_the_state() -> None:
    opt = fn.donate_state(fn.chain(fn.clip_by_global_norm(1.0), fn.adam()))
    params, state = after(opt, 1)
    copy = tree.map(np.copy, state)
    with pytest.raises(ValueError, match="gradients"):
        opt.update(params, {"large": params["large"]}, state)
    assert tree.same(state, copy)
    with pytest.raises(ValueError, match="state"):
        opt.update(params["large"], params["large"], state)
    assert tree.same(state, copy)
    opt.update(params, drawn(1), state)


def test_an_error_on_the_way_leaves_the_state_used_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any) -> None:
        raise ZeroDivisionError

    opt = fn.donate_state(fn.adam())
    params = drawn(0)
    state = opt.init(params)
    monkeypatch.setattr(Adam, "_kernel", broken)
    with pytest.raises(ZeroDivisionError):
        opt.update(params, drawn(1), state)
    with pytest.raises(RuntimeError, match=USED_UP):
        opt.update(params, drawn(1), state)


def test_updates_that_are_left_out_keep_the_state_for_good() -> None:
    """A state that comes back untouched is one that only the next update may use up."""
    for make in (lambda: fn.skip_nonfinite(fn.adam()), lambda: fn.accumulated(fn.adam(), 3)):
        over, plain = fn.donate_state(make()), make()
        params, state = after(over, 3)
        grads = tree.map(lambda leaf: np.full(leaf.shape, np.nan), params)
        skipped = over.update(params, grads, state)
        assert tree.same(skipped.params, params)
        copy = tree.map(np.copy, skipped.state)
        plain.update(params, drawn(1), skipped.state)
        assert tree.same(skipped.state, copy)
        now = skipped
        for seed in (1, 2):  # with accumulated the second one takes a step
            now = over.update(now.params, drawn(seed), now.state)
        with pytest.raises(RuntimeError, match=USED_UP):
            tree.leaves(skipped.state)


def test_wrong_arguments_are_errors() -> None:
    with pytest.raises(TypeError, match="donate_state takes an optimizer, such as"):
        fn.donate_state(fn.adam)  # type: ignore[arg-type]  # wrong on purpose
    x, y = np.zeros((4, 2)), np.zeros((4, 1))
    with pytest.raises(ValueError, match=r"give fit the optimizer itself, Adam\(learning_rate=0.001"):
        fn.fit(fn.dense(1), fn.mean_squared_error(), fn.donate_state(fn.adam()), x, y, key=fn.Key(0), epochs=1, batch_size=4)


def test_the_peak_of_training_is_lower() -> None:
    model = fn.dense(300)
    plain, over = (
        fn.summary(model, (200,), batch_size=4, optimizer=one).peak_nbytes for one in (fn.adam(), fn.donate_state(fn.adam()))
    )
    assert plain is not None
    assert over is not None
    size = 300 * 200 + 300
    assert plain - over == pytest.approx(2 * 8 * size, rel=0.05, abs=0.0)  # what Python itself takes


def test_prints_compares_and_pickles() -> None:
    opt: Any = fn.donate_state(fn.adam(0.5))
    assert pickle.loads(pickle.dumps(opt)) == opt == fn.donate_state(fn.adam(0.5)) != fn.donate_state(fn.adam(0.25))
    assert repr(opt).startswith("Donating(rule=Adam(learning_rate=0.5")
    assert fn.donate_state(opt) == opt
    assert fn.donate_state(fn.ema(fn.adam(0.5))) == fn.ema(opt)
    assert fn.donate_state(fn.lamb()) == fn.lamb()
    assert isinstance(opt, Donating)


def test_a_donated_state_is_saved_and_loaded_like_any_other(tmp_path: Path) -> None:
    over, plain = fn.donate_state(fn.adam()), fn.adam()
    params, state = after(over, 2)
    for like in (over.init(params), plain.init(params)):
        fn.save(tmp_path / "state", state)
        loaded: Any = fn.load(tmp_path / "state", like=like)
        assert type(loaded) is type(like)
        assert bits(loaded) == bits(after(plain, 2)[1])
        assert tree.same(over.update(params, drawn(3), loaded).params, after(plain, 3)[0])
    copied = pickle.loads(pickle.dumps(state))
    assert type(copied) is DonatedState
    assert bits(copied) == bits(state)
    assert repr(state).startswith("DonatedState(count=array(2), slots=(")
