"""Every way in which an optimizer can be wrapped by another: all pairs of wrappers, and some triples, around some rules.

Held for each: its state tells its parts; a report reaches a plateau wherever it stands, and scales the learning rate and nothing
else; one that uses up its states gives the same bits and is refused by ``fit``; averages are those of the steps that were taken;
gradients that are left over take a step; and training goes on from a file as if it had not been interrupted.
"""

import io
import itertools
import pickle
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attrs import frozen

import funcnn as fn
from funcnn import tree
from funcnn.optim.composite import Composite, goals, scaled, told, walk
from funcnn.optim.donation import Donating
from funcnn.train.history import Row
from funcnn.train.plateau_report import check_listening, complete
from funcnn.train.plateau_report import report_metric as told_by_fit
from funcnn.train.record import Point

Wrap = Callable[[Any], Any]

WRAPPERS: dict[str, Wrap] = {
    "chain": lambda one: fn.chain(fn.clip_by_global_norm(100.0), one),
    "accumulated": lambda one: fn.accumulated(one, 3),
    "skip_nonfinite": fn.skip_nonfinite,
    "skip_large_updates": lambda one: fn.skip_large_updates(one, 1e6),
    "projected": lambda one: fn.projected(one, fn.projections.box(-100.0, 100.0)),
    "ema": lambda one: fn.ema(one, 0.75),
    "polyak": lambda one: fn.polyak(one, start=1),
    "lookahead": lambda one: fn.lookahead(one, steps=2),
    "partition": lambda one: fn.partition(("matrix", one), rest=fn.sgd(0.0625)),
    "freeze": lambda one: fn.freeze("vector", one),
    "reduce_on_plateau": lambda one: fn.reduce_on_plateau(one, factor=0.25, patience=5),
}
RULES: dict[str, Callable[[float], Any]] = {
    "sgd": fn.sgd,
    "adam": fn.adam,
    "adamw": lambda rate: fn.adamw(lambda count: rate / (1 + count), weight_decay=0.25),
    "lamb": fn.lamb,
    "adafactor": fn.adafactor,
    "muon": lambda rate: fn.muon(rate, rest=fn.sgd(rate)),
}
TRIPLES = [
    ("ema", "chain", "accumulated"),
    ("polyak", "partition", "accumulated"),
    ("lookahead", "skip_nonfinite", "accumulated"),
    ("accumulated", "ema", "partition"),
    ("chain", "lookahead", "ema"),
    ("skip_nonfinite", "freeze", "polyak"),
    ("partition", "reduce_on_plateau", "lookahead"),
]
PAIRS = [
    pair
    for pair in itertools.product(WRAPPERS, repeat=2)
    if pair not in (("partition", "freeze"), ("freeze", "freeze"))  # which leave nothing to be frozen
]
NESTS = [(name,) for name in WRAPPERS] + PAIRS + TRIPLES
each_nest = pytest.mark.parametrize("nest", NESTS, ids=">".join)


def wrap(nest: tuple[str, ...], rule: Any) -> Any:
    for name in reversed(nest):
        rule = WRAPPERS[name](rule)
    return rule


def draw(seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {"matrix": rng.normal(size=(4, 3)), "vector": rng.normal(size=3)}


def go(opt: Any, updates: int, params: Any = None, state: Any = None, first: int = 1) -> tuple[Any, Any]:
    params = draw(0) if params is None else params
    state = opt.init(params) if state is None else state
    for seed in range(first, first + updates):
        updated = opt.update(params, draw(seed), state)
        params, state = updated.params, updated.state
    return params, state


def copy(one: Any) -> Any:
    """The same tree in other arrays: what is overwritten is not the original."""
    return tree.map(lambda leaf: tree.freeze(leaf.copy()), one)


def bits(one: Any) -> list[tuple[str, bytes]]:
    return [(str(leaf.dtype), leaf.tobytes()) for leaf in tree.leaves(one)]


def test_every_composite_optimizer_is_walked() -> None:
    walked = {type(one) for nest in NESTS for one in walk(wrap(nest, fn.sgd(0.5))) if isinstance(one, Composite)} | {Donating}
    found = set(Composite.__subclasses__())
    while any(kind.__subclasses__() for kind in found):
        found = {one for kind in found for one in (kind.__subclasses__() or [kind])}
    assert {one.__qualname__ for one in walked} == {one.__qualname__ for one in found if one.__module__.startswith("funcnn")}


@each_nest
def test_a_state_has_one_inner_state_for_each_part(nest: tuple[str, ...]) -> None:
    def compare(opt: Any, state: Any) -> None:
        assert len(getattr(opt, "parts", ())) == len(state.inner)
        for part, inner in zip(getattr(opt, "parts", ()), state.inner, strict=True):
            compare(part, inner)

    opt = wrap(nest, fn.adam(0.5))
    compare(opt, go(opt, 4)[1])
    assert opt.combine(opt.parts) == opt
    assert pickle.loads(pickle.dumps(wrap(nest, fn.adam(0.5)))) == opt
    assert scaled(opt, 0.5) == wrap_scaled(nest)


def wrap_scaled(nest: tuple[str, ...]) -> Any:
    rule: Any = fn.adam(0.25)
    for name in reversed(nest):
        rule = fn.partition(("matrix", rule), rest=fn.sgd(0.03125)) if name == "partition" else WRAPPERS[name](rule)
    return rule


@each_nest
def test_a_report_reaches_a_plateau_wherever_it_stands_and_scales_the_rate_alone(nest: tuple[str, ...]) -> None:
    names = list(RULES) if len(nest) == 1 else ["adam"]
    for rule, place in itertools.product(names, range(len(nest) + 1)):
        inside = wrap(nest[place:], RULES[rule](0.5))
        opt = wrap(nest[:place], fn.reduce_on_plateau(inside, factor=0.5, patience=0))
        params, state = draw(0), opt.init(draw(0))
        own = opt.report if isinstance(opt, Composite) else None
        assert own is not None
        for value in (1.0, 1.0):
            state = own(value, state)
        reduced = go(opt, 10, params, state)[0]
        expected = go(wrap(nest[:place], scaled(inside, 0.5)), 10)[0]
        assert bits(reduced) == bits(expected), (rule, place)
        assert bits(reduced) != bits(go(opt, 10)[0]) or "freeze" in nest, (rule, place)


@each_nest
def test_fit_tells_every_plateau(nest: tuple[str, ...]) -> None:
    opt = wrap((*nest, "reduce_on_plateau"), fn.sgd(0.5))
    state = opt.init(draw(0))
    columns = Row(1, (("loss", 2.0), ("accuracy", 0.5), ("val_loss", 3.0), ("val_accuracy", 0.25)))
    point = told_by_fit(opt, Point(draw(0), (), state), columns)
    best = [float(one.slots[1]) for one in states(opt, point.opt_state)]
    assert best == [3.0] * (1 + nest.count("reduce_on_plateau"))


def states(opt: Any, state: Any) -> list[Any]:
    """The states of all plateaus."""
    own = [state] if isinstance(opt, type(fn.reduce_on_plateau(fn.sgd()))) else []
    parts = zip(getattr(opt, "parts", ()), state.inner, strict=True)
    return own + [found for part, inner in parts for found in states(part, inner)]


@each_nest
def test_donated_states_give_the_same_bits_and_are_refused_by_fit(nest: tuple[str, ...]) -> None:
    plain = wrap(nest, fn.adam(0.5))
    opt: Any = fn.donate_state(plain)
    assert fn.donate_state(opt) == opt == wrap_donated(nest)
    one, other = go(opt, 7), go(plain, 7)
    assert bits(one) == bits(other)
    last, same = opt.finish(*one), plain.finish(*other)
    assert bits((last.params, last.state)) == bits((same.params, same.state))
    with pytest.raises(ValueError, match=r"give fit the optimizer itself, .*, in place of donate_state"):
        check_listening(opt, ("loss",))


def wrap_donated(nest: tuple[str, ...]) -> Any:
    rule: Any = fn.donate_state(fn.adam(0.5))
    for name in reversed(nest):
        rest = fn.donate_state(fn.sgd(0.0625))
        rule = fn.partition(("matrix", rule), rest=rest) if name == "partition" else WRAPPERS[name](rule)
        rule = fn.donate_state(rule)
    return rule


@each_nest
def test_compiled_rules_give_the_same_bits(nest: tuple[str, ...]) -> None:
    plain = wrap(nest, fn.adam(0.5))
    opt: Any = fn.compiled(plain)
    one, other = go(opt, 7), go(plain, 7)
    assert bits(one) == bits(other)
    last, same = opt.finish(*one), plain.finish(*other)
    assert bits((last.params, last.state)) == bits((same.params, same.state))


@each_nest
def test_averages_are_those_of_the_steps_that_were_taken(nest: tuple[str, ...]) -> None:
    inside = wrap(nest, fn.adam(0.5))
    params, state = draw(0), inside.init(draw(0))
    gradients = [draw(seed) for seed in range(1, 12)]
    if "skip_nonfinite" in nest[:1]:
        gradients[4]["matrix"][0, 0] = np.nan
    iterates = []
    for grads in gradients:
        updated = inside.update(params, grads, state)
        if updated.params is not params:
            iterates.append(updated.params["matrix"])
        params, state = updated.params, updated.state
    last = inside.finish(params, state)
    if last.params is not params:
        iterates.append(last.params["matrix"])
    calls = 1 + len(gradients)
    assert len(iterates) < calls if {"accumulated", "skip_nonfinite"} & set(nest[:1]) else True
    exponential: Any = draw(0)["matrix"]
    for t, one in enumerate(iterates, 1):
        d = min(0.75, t / (t + 9))
        exponential = d * exponential + (1 - d) * one
    for opt, expected in (
        (fn.ema(inside, 0.75), exponential),
        (fn.polyak(inside), np.mean(iterates, axis=0)),
        (fn.polyak(inside, start=1), np.mean(iterates[1:] or iterates, axis=0)),
    ):
        now, kept = draw(0), opt.init(draw(0))
        for grads in gradients:
            moved = opt.update(now, grads, kept)
            now, kept = moved.params, moved.state
        end = opt.finish(now, kept)
        assert bits(end.params) == bits(last.params)
        np.testing.assert_allclose(opt.average(end.params, end.state)["matrix"], expected, rtol=1e-13, atol=1e-13)
        assert int(end.state.count) == len(iterates)
    for steps in (2, 3):  # slow weights count steps, not calls
        slow = fn.lookahead(fn.accumulated(wrap(nest, fn.sgd(0.5)), 2), steps=steps)
        pairs = [gradients[0]] * 12
        now, kept = draw(0), slow.init(draw(0))
        for grads in pairs:
            moved = slow.update(now, grads, kept)
            now, kept = moved.params, moved.state
        direct = fn.lookahead(wrap(nest, fn.sgd(0.5)), steps=steps)
        there, then = draw(0), direct.init(draw(0))
        for grads in pairs[:6]:
            moved = direct.update(there, grads, then)
            there, then = moved.params, moved.state
        assert bits(now) == bits(there)


STEPPING = [
    nest
    for nest in NESTS
    if "accumulated" not in nest  # of accumulated inside of accumulated the next test tells
    and not {"partition", "lookahead"} <= set(nest)  # the rest takes a step at every call, and slow weights follow
]


@pytest.mark.parametrize("nest", STEPPING, ids=">".join)
def test_what_is_left_over_takes_a_step(nest: tuple[str, ...]) -> None:
    opt, plain = wrap((*nest, "accumulated"), fn.momentum(0.5)), wrap(nest, fn.momentum(0.5))
    for total in (3, 4, 5, 2):
        mean = [np.mean([draw(seed)[name] for seed in group], axis=0) for group in groups(total) for name in ("matrix", "vector")]
        params, state = go(opt, total)
        last = opt.finish(params, state)
        there, then = draw(0), plain.init(draw(0))
        for matrix, vector in zip(mean[::2], mean[1::2], strict=True):
            moved = plain.update(there, {"matrix": matrix, "vector": vector}, then)
            there, then = moved.params, moved.state
        if "partition" not in nest:  # where the rest takes steps of its own
            for ours, theirs in zip(tree.leaves(last.params), tree.leaves(there), strict=True):
                np.testing.assert_allclose(ours, theirs, rtol=1e-13, atol=1e-13)
        np.testing.assert_allclose(last.params["matrix"], there["matrix"], rtol=1e-13, atol=1e-13)
        again = opt.finish(last.params, copy(last.state))
        assert again.params is last.params  # nothing is left over
        assert bits(again.state) == bits(last.state)
        params, state = go(opt, total)
        assert bits(complete(opt, Point(params, (), state)).params) == bits(last.params)


def groups(total: int) -> list[range]:
    return [range(first, min(first + 3, total + 1)) for first in range(1, total + 1, 3)]


def test_what_is_left_over_at_two_levels() -> None:
    opt = fn.accumulated(fn.accumulated(fn.sgd(1.0), 2), 3)
    params: Any = (np.array([0.0]),)
    state = opt.init(params)
    for value in (1.0, 2.0, 3.0, 4.0):  # one mean of three is handed on, and one gradient is left
        updated = opt.update(params, (np.array([value]),), state)
        assert updated.params is params
        params, state = updated.params, updated.state
    assert opt.finish(params, state).params[0][0] == -3.0  # the mean of 2 and 4


def test_what_is_left_over_takes_a_step_in_fit() -> None:
    x, y, model, loss = draw(1)["matrix"], np.ones((4, 1)), fn.dense(1), fn.mean_squared_error()
    start = model.init(fn.Key(0), (3,)).params
    for epochs, steps in ((1, 4), (2, 3), (3, 2)):
        opt = fn.ema(fn.accumulated(fn.sgd(0.5), steps))
        got = fn.fit(model, loss, opt, x, y, key=fn.Key(0), epochs=epochs, batch_size=4, params=start)
        params, state = start, opt.init(start)
        for _ in range(epochs):
            updated = opt.update(params, fn.loss_and_grad(model, loss)(params, (), x, y, fn.Eval()).grads, state)
            params, state = updated.params, updated.state
        last = opt.finish(params, state)
        for ours, theirs in zip(tree.leaves((got.params, got.opt_state)), tree.leaves((last.params, last.state)), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-12)
        assert not tree.same(got.params, start)


@each_nest
def test_goes_on_from_a_file(nest: tuple[str, ...], tmp_path: Path) -> None:
    opt = wrap((*nest, "reduce_on_plateau"), fn.adam(0.5))
    params, state = go(opt, 5)
    state = opt.report(1.0, state)
    fn.save(tmp_path / "state.npz", (params, state))
    loaded = fn.load(tmp_path / "state.npz", like=(draw(0), opt.init(draw(0))))
    copied = pickle.load(io.BytesIO(pickle.dumps(loaded[1])))
    assert bits(copied) == bits(loaded[1])
    expected = bits(go(opt, 6, params, state, first=6))
    assert bits(go(opt, 6, *loaded, first=6)) == expected
    assert bits(go(opt, 6, loaded[0], copied, first=6)) == expected


# ----------------------------------------------------------------------------------------------------------- what is refused


@frozen
class Mine:
    """Somebody's wrapper that does not tell its parts."""

    inside: Any

    def init(self, params: Any) -> Any:
        return self.inside.init(params)

    def update(self, params: Any, grads: Any, state: Any) -> Any:
        return self.inside.update(params, grads, state)


@frozen
class Telling(Mine):
    """The same, with its parts."""

    def init(self, params: Any) -> Any:
        return fn.OptState(np.array(0), (), (self.inside.init(params),))

    def update(self, params: Any, grads: Any, state: Any) -> Any:
        updated = self.inside.update(params, grads, state.inner[0])
        return fn.Updated(updated.params, fn.OptState(state.count, (), (updated.state,)))

    @property
    def parts(self) -> tuple[Any, ...]:
        return (self.inside,)

    def combine(self, parts: tuple[Any, ...]) -> Any:
        return type(self)(*parts)


class Plain:
    """A rule without attrs."""

    def init(self, params: Any) -> Any:
        return fn.OptState(np.array(0))

    def update(self, params: Any, grads: Any, state: Any) -> Any:
        return fn.Updated(params, state)


def test_a_wrapper_of_ones_own() -> None:
    inside = fn.reduce_on_plateau(fn.sgd(0.5), patience=0, factor=0.5)
    for hiding in (
        Mine(inside),
        fn.chain(fn.centralize(), Mine([inside])),
        fn.ema(Mine({"a": Mine(fn.donate_state(fn.sgd()))})),
        Mine(partial(go, fn.accumulated(fn.sgd(), 2))),
    ):
        with pytest.raises(ValueError, match=r"which fit cannot reach: Mine\(.* does not tell its parts"):
            check_listening(hiding, ("loss",))
    check_listening(Telling(inside), ("loss",))
    check_listening(Mine(fn.sgd()), ("loss",))
    opt = fn.ema(Telling(inside))
    state = opt.init(draw(0))
    for value in (1.0, 1.0):
        state = opt.report(value, state)
    assert bits(go(opt, 3, None, state)[0]) == bits(go(fn.ema(Telling(fn.sgd(0.25))), 3)[0])
    with pytest.raises(ValueError, match=r"what accumulated has left over .* Telling\(.* has no method finish"):
        check_listening(fn.ema(Telling(fn.accumulated(fn.sgd(), 2))), ("loss",))
    with pytest.raises(ValueError, match=r"in place of donate_state"):
        check_listening(Telling(fn.donate_state(fn.sgd())), ("loss",))


@pytest.mark.parametrize(
    ("rule", "name"),
    [(fn.schedule_free(), "ScheduleFree"), (fn.schedule_free_adamw(), "ScheduleFree"), (fn.rprop(), "Rprop"), (Plain(), "Plain"),
     (Mine(fn.sgd()), "Mine")],
)  # fmt: skip
def test_what_cannot_be_scaled_is_refused_by_name(rule: Any, name: str) -> None:
    for make in (lambda one: one, *WRAPPERS.values()):
        with pytest.raises(TypeError, match=rf"^reduce_on_plateau cannot scale the learning rate of .*{name}"):
            fn.reduce_on_plateau(make(rule))


def test_goals_of_both_kinds() -> None:
    rising = fn.reduce_on_plateau(fn.sgd(0.5), mode="max", patience=0)
    falling = fn.reduce_on_plateau(fn.sgd(0.5), patience=0)
    opt = fn.partition(("matrix", rising), rest=falling)
    assert goals(opt) == {"min", "max"}
    state = opt.init(draw(0))
    with pytest.raises(ValueError, match="one reduce_on_plateau wants a minimum and another a maximum: give mode="):
        opt.report(1.0, state)
    one = opt.report(1.0, state, mode="max")
    assert [float(inner.slots[1]) for inner in one.inner] == [-1.0, np.inf]
    with pytest.raises(ValueError, match="there is none: give metrics"):
        check_listening(opt, ("loss", "val_loss"))
    row = Row(1, (("loss", 2.0), ("accuracy", 0.5)))
    point = told_by_fit(opt, Point(draw(0), (), state), row)
    assert [float(inner.slots[1]) for inner in point.opt_state.inner] == [-0.5, 2.0]


@pytest.mark.parametrize("value", [None, "x", True, 1j, np.array([1.0]), [1.0]])
def test_a_report_of_no_number(value: Any) -> None:
    opt = fn.chain(fn.centralize(), fn.reduce_on_plateau(fn.sgd()))
    with pytest.raises(TypeError, match=r"^value is .*, expected a number"):
        opt.report(value, opt.init(draw(0)))
    numbers: list[Any] = [1, np.float32(1), np.int8(1), np.array(1.0)]
    for number in numbers:
        assert bits(opt.report(number, opt.init(draw(0)))) == bits(opt.report(1.0, opt.init(draw(0))))


def test_reports_that_reach_nobody() -> None:
    opt = fn.chain(fn.centralize(), fn.sgd())
    with pytest.raises(ValueError, match="there is no reduce_on_plateau to tell"):
        opt.report(1.0, opt.init(draw(0)))
    only = fn.ema(fn.reduce_on_plateau(fn.sgd()))
    with pytest.raises(ValueError, match="there is no reduce_on_plateau for mode='max' to tell"):
        only.report(1.0, only.init(draw(0)), mode="max")
    untyped: Any = only
    with pytest.raises(ValueError, match="mode is 'up'"):
        untyped.report(1.0, only.init(draw(0)), mode="up")
    with pytest.raises(TypeError, match=r"^state is None"):
        untyped.report(1.0, None)
    with pytest.raises(ValueError, match=r"^state does not fit"):
        only.report(1.0, fn.sgd().init(draw(0)))
    state = fn.sgd().init(draw(0))
    assert told(fn.sgd(), state, lambda goal: 1.0) is state
