"""Every schedule against its closed form."""

import inspect
import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn.optim.rules.adafactor import RELATIVE_STEP
from funcnn.optim.schedules.rate import Schedule, rate_at

schedules = fn.schedules
untyped: Any = schedules

CASES: dict[str, tuple[Callable[[], Schedule], Callable[[int], float]]] = {
    "constant": (lambda: schedules.constant(0.3), lambda c: 0.3),
    "step": (lambda: schedules.step(0.8, 7, 0.3), lambda c: 0.8 * 0.3 ** math.floor(c / 7)),
    "multi_step": (lambda: schedules.multi_step(0.8, [5, 20], 0.3), lambda c: 0.8 * 0.3 ** ((c >= 5) + (c >= 20))),
    "piecewise": (lambda: schedules.piecewise([5, 20], [0.1, 0.7, 0.2]), lambda c: 0.1 if c < 5 else 0.7 if c < 20 else 0.2),
    "exponential": (lambda: schedules.exponential(0.8, 0.3, 7), lambda c: 0.8 * math.exp(math.log(0.3) * c / 7)),
    "inverse_time": (lambda: schedules.inverse_time(0.8, 0.3, 7), lambda c: 0.8 / (1 + 0.3 * c / 7)),
    "polynomial": (
        lambda: schedules.polynomial(0.8, 0.1, 30, 1.7),
        lambda c: 0.1 + 0.7 * (1 - c / 30) ** 1.7 if c < 30 else 0.1,
    ),
    "linear": (lambda: schedules.linear(0.8, 0.1, 30), lambda c: 0.8 - 0.7 * c / 30 if c < 30 else 0.1),
    "cosine": (
        lambda: schedules.cosine(0.8, 30, 0.1),
        lambda c: 0.1 + 0.35 * (1 + math.cos(math.pi * c / 30)) if c < 30 else 0.1,
    ),
    "warmup": (
        lambda: schedules.warmup(schedules.step(0.8, 7), 10, 0.2),
        lambda c: 0.2 + 0.6 * c / 10 if c < 10 else 0.8 * 0.1 ** ((c - 10) // 7),
    ),
    "warmup_cosine": (
        lambda: schedules.warmup_cosine(0.8, 10, 30, start=0.2, final=0.1),
        lambda c: 0.2 + 0.6 * c / 10 if c < 10 else 0.1 + 0.35 * (1 + math.cos(math.pi * min(c - 10, 20) / 20)),
    ),
    "join": (
        lambda: schedules.join([5, 20], [0.5, schedules.linear(1.0, 0.0, 10), schedules.step(0.3, 4)]),
        lambda c: 0.5 if c < 5 else max(0.0, 1 - (c - 5) / 10) if c < 20 else 0.3 * 0.1 ** ((c - 20) // 4),
    ),
    "warm_restarts": (
        lambda: schedules.warm_restarts(0.8, 4, 2, 0.1),  # periods of 4, 8, 16, 32
        lambda c: next(
            0.1 + 0.35 * (1 + math.cos(math.pi * (c - start) / length))
            for start, length in ((0, 4), (4, 8), (12, 16), (28, 32))
            if start <= c < start + length
        ),
    ),
    "one_cycle": (
        lambda: schedules.one_cycle(0.8, 40, warmup_fraction=0.25, start_divisor=4, final_divisor=10),
        lambda c: (
            0.2 + 0.3 * (1 - math.cos(math.pi * c / 10))
            if c < 10
            else 0.02 + 0.39 * (1 + math.cos(math.pi * min(c - 10, 30) / 30))
        ),
    ),
    "cyclic": (
        lambda: schedules.cyclic(0.2, 0.8, 5),
        lambda c: 0.2 + 0.6 * (1 - abs(c % 10 - 5) / 5),
    ),
    "product": (lambda: schedules.product(schedules.step(0.8, 7, 0.3), 0.5), lambda c: 0.4 * 0.3 ** math.floor(c / 7)),
    "inverse_sqrt": (lambda: schedules.inverse_sqrt(0.8, 10), lambda c: 0.8 * min((c + 1) / 10, math.sqrt(10 / (c + 1)))),
    "warmup_stable_decay": (
        lambda: schedules.warmup_stable_decay(0.8, 10, 40, 20, start=0.2, final=0.1),
        lambda c: 0.2 + 0.06 * c if c < 10 else 0.8 if c < 20 else 0.1 + 0.7 * max(0, 40 - c) / 20,
    ),
    "noam": (lambda: schedules.noam(64, 10, 2.0), lambda c: 2 / 8 * min(1 / math.sqrt(c + 1), (c + 1) / 10**1.5)),
}


def test_every_schedule_has_a_case() -> None:
    found = [
        name
        for name, one in vars(schedules).items()
        if inspect.isfunction(one) and not name.startswith("_") and inspect.signature(one).return_annotation == "Schedule"
    ]
    assert sorted(found) == sorted(CASES)


@pytest.mark.parametrize("name", CASES)
def test_is_its_closed_form(name: str) -> None:
    make, formula = CASES[name]
    schedule = make()
    for count in range(60):
        value = schedule(count)
        assert type(value) is float
        assert value == pytest.approx(formula(count), rel=1e-13, abs=1e-15), count


@pytest.mark.parametrize("name", CASES)
def test_compares_pickles_hashes_and_prints(name: str) -> None:
    make, _ = CASES[name]
    assert make() == make()
    assert hash(make()) == hash(make())
    assert pickle.loads(pickle.dumps(make())) == make()
    assert eval(repr(make()), dict(vars(schedules))) == make()
    assert fn.adam(make()) == fn.adam(make())
    assert make() != schedules.constant(0.123)


def test_linear_cycle_and_modes() -> None:
    line = schedules.one_cycle(0.8, 40, warmup_fraction=0.25, start_divisor=4, final_divisor=10, shape="linear")
    assert [line(c) for c in (0, 5, 10, 25, 40, 99)] == pytest.approx([0.2, 0.5, 0.8, 0.41, 0.02, 0.02], rel=1e-14, abs=0.0)
    halving = schedules.cyclic(0.2, 0.8, 5, mode="halving")
    assert [halving(c) for c in (5, 15, 25)] == pytest.approx([0.8, 0.5, 0.35], rel=1e-14, abs=0.0)
    shrinking = schedules.cyclic(0.2, 0.8, 5, mode="exponential", factor=0.9)
    assert [shrinking(c) for c in (5, 15)] == pytest.approx([0.2 + 0.6 * 0.9**5, 0.2 + 0.6 * 0.9**15], rel=1e-14, abs=0.0)
    restarts = schedules.warm_restarts(1.0, 10)
    assert [restarts(c) for c in (0, 10, 20_000_000_000)] == [1.0, 1.0, 1.0]


def test_ends_are_exact() -> None:
    assert schedules.cosine(0.7, 3, 0.1)(3) == 0.1
    assert schedules.cosine(0.7, 3, 0.1)(0) == 0.7
    assert schedules.linear(0.7, 0.1, 3)(3) == 0.1
    assert schedules.warmup(0.7, 3)(3) == 0.7


def test_a_rate_may_be_a_number_a_schedule_or_any_function() -> None:
    assert rate_at(0.5, 3) == 0.5
    assert rate_at(1, 3) == 1
    assert rate_at(schedules.step(1.0, 2), 3) == 0.1
    assert rate_at(lambda count: 2.0 * count, 3) == 6.0
    assert [RELATIVE_STEP(c) for c in (0, 9_999, 39_999)] == [0.01, 0.01, 0.005]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: schedules.constant(-1.0), r"value is -1.0, expected a number in \[0, inf\)"),
        (lambda: schedules.constant(math.nan), "value is nan"),
        (lambda: schedules.step(1.0, 0), "every is 0"),
        (lambda: schedules.step(math.inf, 1), "initial is inf"),
        (lambda: schedules.multi_step(1.0, [5, 5]), r"milestones\[1\] is 5, expected at least 6"),
        (lambda: schedules.piecewise([5], [1.0]), "1 boundaries need 2 values, got 1"),
        (lambda: schedules.exponential(1.0, 0.0), "factor is 0.0"),
        (lambda: schedules.inverse_time(1.0, -1.0), "rate is -1.0"),
        (lambda: schedules.polynomial(1.0, 0.0, 10, 0.0), "power is 0.0"),
        (lambda: schedules.linear(1.0, -0.1, 10), "final is -0.1"),
        (lambda: schedules.cosine(1.0, 0), "steps is 0"),
        (lambda: schedules.warmup(-0.5, 3), "rate is -0.5"),
        (lambda: schedules.warmup_cosine(1.0, 10, 10), r"steps \(the warm-up included\) is 10, expected at least 11"),
        (lambda: schedules.join([3], [1.0, 2.0, 3.0]), "1 boundaries need 2 rates, got 3"),
        (lambda: schedules.warm_restarts(1.0, 10, 0), "multiplier is 0"),
        (lambda: schedules.one_cycle(1.0, 10, warmup_fraction=1.0), "warmup_fraction is 1.0"),
        (lambda: untyped.one_cycle(1.0, 10, shape="round"), "shape is 'round'"),
        (lambda: schedules.cyclic(0.5, 0.2, 3), r"high \(low is its least\) is 0.2"),
        (lambda: untyped.cyclic(0.1, 0.2, 3, mode="square"), "mode is 'square'"),
        (lambda: schedules.noam(0, 10), "features is 0"),
    ],
)
def test_says_what_is_wrong(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    "make", [lambda: untyped.step(1.0, 2.5), lambda: untyped.constant("fast"), lambda: untyped.warmup("fast", 3)]
)
def test_says_what_has_the_wrong_type(make: Callable[[], object]) -> None:
    with pytest.raises(TypeError, match="expected a"):
        make()


def test_an_optimizer_follows_its_schedule() -> None:
    opt = fn.sgd(schedules.piecewise([2], [1.0, 0.5]))
    params, state, seen = np.array([10.0]), opt.init(np.array([10.0])), []
    for _ in range(4):
        updated = opt.update(params, np.array([1.0]), state)
        params, state = updated.params, updated.state
        seen.append(float(params[0]))
    assert seen == [9.0, 8.0, 7.5, 7.0]


@pytest.mark.parametrize("wrong", [np.array(["cosine", "linear"]), np.array([1, 2]), ["cosine"], None])
def test_a_word_that_is_none_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match="shape is "):
        fn.schedules.one_cycle(0.1, 10, shape=wrong)
    with pytest.raises(TypeError, match="mode is "):
        fn.schedules.cyclic(0.1, 0.2, 3, mode=wrong)
