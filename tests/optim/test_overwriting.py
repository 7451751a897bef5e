"""An optimizer that writes over its old states: same results, and nobody sees anything change."""

import pickle
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn import tree
from funcnn.optim import flat
from funcnn.optim.overwriting import DonatedState, refcounts
from funcnn.optim.rules.adam import Adam
from funcnn.runtime import treedef
from tests.optim.cases import OPTIMIZERS, draw

USED_UP = "this state of an optimizer was used up"
CASES = [pytest.param(case.make, id=f"{name}-{index}") for name, found in OPTIMIZERS.items() for index, case in enumerate(found)]
LEAF = 300, 200  # a large leaf


@pytest.fixture
def blocks_of_few(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have small arrays count as large ones."""
    monkeypatch.setattr(treedef, "_SEEN", {})  # it remembers layouts
    monkeypatch.setattr(flat, "LARGE", 6)
    flat.lay_out.cache_clear()
    yield
    flat.lay_out.cache_clear()


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


def states(state: Any) -> Iterator[Any]:
    yield state
    for one in state.inner:
        yield from states(one)


@pytest.mark.parametrize("make", CASES)
@pytest.mark.usefixtures("blocks_of_few")
def test_results_are_those_of_the_optimizer_itself(make: Callable[[], fn.Optimizer]) -> None:
    plain, over = make(), fn.overwriting(make())
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
        assert tree.same(got.state, expected.state)
        assert not any(leaf.flags.writeable for leaf in tree.leaves((got.params, got.state)))
        assert not any(isinstance(one, DonatedState) for one in states(got.state))
    for params, copy in seen:  # what was given out stays what it was
        assert tree.same(params, copy)


@pytest.mark.parametrize(
    "make", [fn.adam, fn.momentum, lambda: fn.chain(fn.clip_by_value(1.0), fn.adamw()), lambda: fn.ema(fn.adam()), fn.adadelta]
)
def test_the_arrays_of_the_old_state_are_written_over(make: Callable[[], fn.Optimizer]) -> None:
    def addresses(state: Any) -> list[int]:
        while state.inner:
            state = state.inner[-1]
        return [slot.ctypes.data for slot in state.slots]

    opt = fn.overwriting(make())
    params, state = after(opt, 2)
    before = addresses(state)
    assert addresses(opt.update(params, drawn(3), state).state) == before


@pytest.mark.parametrize("read", [lambda s: s.count, lambda s: s.slots, lambda s: s.inner, tree.leaves, pickle.dumps, repr])
def test_a_state_that_was_used_up_refuses(read: Callable[[Any], object]) -> None:
    opt = fn.overwriting(fn.chain(fn.clip_by_global_norm(1.0), fn.adam()))
    params, state = after(opt, 1)
    inner = state.inner[1]
    opt.update(params, drawn(5), state)
    for used in (state, inner):
        with pytest.raises(RuntimeError, match=USED_UP):
            read(used)
        with pytest.raises(RuntimeError, match=USED_UP):
            opt.update(params, drawn(5), used)
    with pytest.raises(AttributeError, match="no attribute 'slot'"):
        _ = state.slot


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
    ],
    ids=["array", "tuple", "view", "buffer", "slot", "copy", "tree"],
)
def test_what_others_refer_to_stays_what_it_was(hold: Callable[[Any], Any]) -> None:
    plain, over = fn.adam(), fn.overwriting(fn.adam())
    params, state = after(over, 2)
    held = hold(state)
    copy = pickle.loads(pickle.dumps(held if not isinstance(held, memoryview) else held.tobytes()))
    expected = plain.update(params, drawn(3), after(plain, 2)[1])
    got = over.update(params, drawn(3), state)
    assert tree.same((got.params, got.state), (expected.params, expected.state))
    if isinstance(held, memoryview):
        assert held.tobytes() == copy
    else:
        assert tree.same(held, copy)


def test_a_view_as_a_slot_is_not_written_over() -> None:
    params = drawn(0)
    size = tree.size(params)
    both = np.zeros((2, size))
    state: Any = fn.OptState(np.array(0), (both[0], both[1]))
    updated = fn.overwriting(fn.adam()).update(params, drawn(1), state)
    assert not both.any()
    assert tree.same(updated.params, fn.adam().update(params, drawn(1), fn.adam().init(params)).params)


def test_an_error_before_anything_is_written_leaves_the_state() -> None:
    opt = fn.overwriting(fn.chain(fn.clip_by_global_norm(1.0), fn.adam()))
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

    opt = fn.overwriting(fn.adam())
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
        over, plain = fn.overwriting(make()), make()
        params, state = after(over, 3)
        grads = tree.map(lambda leaf: np.full(leaf.shape, np.nan), params)
        skipped = over.update(params, grads, state)
        assert tree.same(skipped.params, params)
        copy = tree.map(np.copy, skipped.state)
        plain.update(params, drawn(1), skipped.state)
        assert tree.same(skipped.state, copy)
        over.update(params, drawn(1), skipped.state)
        with pytest.raises(RuntimeError, match=USED_UP):
            tree.leaves(skipped.state)


def test_interpreters_that_count_no_references_write_over_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    opt = fn.overwriting(fn.adam())
    params, state = after(opt, 2)
    monkeypatch.delattr("sys.getrefcount")
    assert refcounts(state) == []
    address = state.slots[0].ctypes.data
    assert opt.update(params, drawn(1), state).state.slots[0].ctypes.data != address


def test_wrong_arguments_are_errors() -> None:
    with pytest.raises(TypeError, match="overwriting takes an optimizer, such as"):
        fn.overwriting(fn.adam)  # type: ignore[arg-type]  # wrong on purpose
    x, y = np.zeros((4, 2)), np.zeros((4, 1))
    with pytest.raises(ValueError, match=r"give fit the optimizer itself, Adam\(learning_rate=0.001"):
        fn.fit(fn.dense(1), fn.mean_squared_error(), fn.overwriting(fn.adam()), x, y, key=fn.Key(0), epochs=1, batch_size=4)


def test_the_peak_of_training_is_lower() -> None:
    model = fn.dense(300)
    plain, over = (
        fn.summary(model, (200,), batch_size=4, optimizer=one).peak_nbytes for one in (fn.adam(), fn.overwriting(fn.adam()))
    )
    assert plain is not None
    assert over is not None
    size = 300 * 200 + 300
    assert plain - over == pytest.approx(2 * 8 * size, rel=0.05)


def test_prints_compares_and_pickles() -> None:
    opt = fn.overwriting(fn.adam(0.5))
    assert pickle.loads(pickle.dumps(opt)) == opt == fn.overwriting(fn.adam(0.5)) != fn.overwriting(fn.adam(0.25))
    assert repr(opt).startswith("Overwriting(optimizer=Adam(learning_rate=0.5")
