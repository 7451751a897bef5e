"""Every hyper-parameter of every optimizer, transformation, schedule and penalty, times every kind of number.

A hyper-parameter may be a Python number, a NumPy number or an array without axes: results have the same bits.  What is no number,
or out of range, is an error at once that names the argument.
"""

import inspect
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn import tree
from funcnn.optim import schedules
from funcnn.optim.transformations.plateau import ReduceOnPlateau

untyped: Any = schedules

KINDS: dict[str, Callable[[float], Any]] = {
    "float32": np.float32,
    "float64": np.float64,
    "longdouble": np.longdouble,
    "0-d float32": lambda value: np.array(value, np.float32),
    "0-d float64": lambda value: np.array(value, np.float64),
}
WHOLE: dict[str, Callable[[float], Any]] = {
    "int": int,
    "int8": np.int8,
    "int64": np.int64,
    "uint8": np.uint8,
    "0-d int64": lambda value: np.array(int(value)),
}
FLAGS: dict[str, Callable[[bool], Any]] = {"bool_": np.bool_, "0-d bool": lambda value: np.array(value)}
WRONG = [None, "x", math.nan, np.float32("nan"), -1, -1.0, np.float64(-0.5), -math.inf, 1j, [0.5], np.array([0.5]), object()]

INNER: dict[str, Any] = {"optimizer": fn.sgd(0.5), "rest": fn.sgd(0.5), "key": fn.Key(3)}
REQUIRED: dict[str, Any] = {
    "limit": 0.5, "max_norm": 0.5, "decay": 0.25, "strength": 0.25, "steps": 4, "value": 0.5, "initial": 0.5, "every": 2,
    "decay_steps": 2,
    "factor": 0.5, "rate": 0.5, "final": 0.25, "peak": 0.5, "warmup_steps": 2, "period": 4, "low": 0.125,
    "high": 0.5, "half_period": 3, "features": 4, "milestones": (2, 4), "boundaries": (2, 4), "values": (0.5, 0.25, 0.125),
    "rates": (0.5, 0.25, 0.125), "learning_rate": 0.5,
}  # fmt: skip
STARTS: dict[str, Any] = {
    "initial": 0.5,
    "initial_accumulator_value": 0.5,
    "weight_decay": 0.25,
    "start": 1,
    "warmup_steps": 2,
    "patience": 1,
    "momentum": 0.5,
    "max_axis_length": 100,
}
"""Values in place of defaults of 0, which decide nothing, or of such as no small integer or single precision holds."""


def factories() -> Iterator[tuple[str, Any]]:
    """Every public function of the package that makes an optimizer, a transformation, a schedule or a penalty."""
    for name in fn.__all__:
        one = getattr(fn, name)
        if inspect.isfunction(one) and one.__module__.startswith(("funcnn.optim.", "funcnn.optim.penalties")):
            yield name, one
    for name, one in vars(schedules).items():
        if inspect.isfunction(one) and not name.startswith("_") and inspect.signature(one).return_annotation == "Schedule":
            yield f"schedules.{name}", one


NOT_MADE = {
    "projected", "schedules.product", "global_norm", "chain", "partition", "freeze", "donate_state", "penalized", "is_matrix",
}  # fmt: skip
"""Factories without numbers of their own."""


def parameters() -> Iterator[Any]:
    for name, factory in factories():
        if name in NOT_MADE:
            continue
        for one in inspect.signature(factory).parameters.values():
            if one.annotation in ("float", "int", "bool", "Rate"):
                yield pytest.param(factory, one.name, id=f"{name}-{one.name}")


def base(factory: Any) -> dict[str, Any]:
    """Arguments for a factory, all of which single precision holds exactly."""
    arguments: dict[str, Any] = {}
    for one in inspect.signature(factory).parameters.values():
        if one.name in ("function", "params"):
            continue
        if one.name in INNER and one.default in (inspect.Parameter.empty, None):
            arguments[one.name] = INNER[one.name]
        elif one.default is inspect.Parameter.empty:
            arguments[one.name] = REQUIRED[one.name]
        elif one.annotation in ("float", "Rate"):
            value = STARTS.get(one.name, one.default) if not one.default else one.default
            arguments[one.name] = float(np.float32(value if isinstance(value, (int, float)) else 0.5))
        elif one.annotation == "int":
            arguments[one.name] = STARTS.get(one.name, one.default)
    if factory is fn.minimize:
        arguments["steps"] = 9
    if factory in (schedules.warmup_cosine, schedules.warmup_stable_decay):
        arguments["steps"] = 9
    return arguments


def bowl(params: Any, state: Any, x: Any, target: Any, mode: Any) -> fn.LossAndGrad[Any, Any, Any]:
    return fn.LossAndGrad(np.sum([np.vdot(leaf, leaf) for leaf in params], dtype=params[0].dtype) / 2, params, state, x)


def outcome(factory: Any, arguments: dict[str, Any], dtype: Any) -> list[Any]:
    """What comes of it: numbers of a schedule, or parameters, gradients and states after some updates, as dtypes and bits."""
    rng = np.random.default_rng(0)
    params: Any = (rng.normal(size=(3, 2)).astype(dtype), rng.normal(size=4).astype(dtype))
    if factory is fn.minimize:
        found = fn.minimize(lambda p: bowl(p, (), None, None, None), params, **arguments)
        return [bits(found.params), found.loss, found.message]
    if factory is fn.sharpness_aware:
        given = factory(bowl, **arguments)(params, (), None, None, fn.Eval())
        return [bits(given.grads), bits((np.asarray(given.loss),))]
    one = factory(**arguments)
    seen: list[Any] = [repr(one)]
    if isinstance(one, schedules.Schedule):
        values = [one(count) for count in range(12)]
        assert all(type(value) is float for value in values)
        return [*seen, *values]
    if hasattr(one, "gradient"):
        return [*seen, bits(one.gradient(params)), bits((np.asarray(one.value(params)),))]
    if hasattr(one, "step"):
        step = one.step(lambda p: bowl(p, (), None, None, None), params, one.init(params))
        return [*seen, bits(step.params), bits(step.state)]
    state = one.init(params)
    if isinstance(one, ReduceOnPlateau):
        for value in (1.0, 0.9, 0.9, 0.9, 0.9):
            state = one.report(value, state)
    for seed in range(5):
        grads = tuple([np.random.default_rng(seed).normal(size=leaf.shape).astype(dtype) for leaf in params])
        if isinstance(one, fn.Optimizer):
            updated = one.update(params, grads, state)
            params, state = updated.params, updated.state
        else:
            transformed = one.transform(params, grads, state)
            params, state = transformed.grads, transformed.state
        assert {leaf.dtype for leaf in tree.leaves(params)} == {np.dtype(dtype)}
        seen += [bits(params), bits(state)]
    return seen


def bits(one: Any) -> list[tuple[str, bytes]]:
    return [(str(leaf.dtype), leaf.tobytes()) for leaf in tree.leaves(one)]


def test_every_factory_with_numbers_is_walked() -> None:
    walked = {one.id.split("-")[0] for one in parameters()}
    others = {
        "centralize",
        "zero_nans",
        "schedules.piecewise",
        "schedules.join",
    }  # no arguments; sequences, which have tests of their own
    assert {name for name, _ in factories()} - NOT_MADE - walked == others


@pytest.mark.parametrize(("factory", "name"), list(parameters()))
def test_every_kind_of_number_gives_the_same_bits(factory: Any, name: str) -> None:
    arguments = base(factory)
    annotation = inspect.signature(factory).parameters[name].annotation
    kinds = KINDS if annotation in ("float", "Rate") else WHOLE if annotation == "int" else FLAGS
    arguments.setdefault(name, inspect.signature(factory).parameters[name].default)
    value = arguments[name]
    for dtype in (np.float32, np.float64):
        expected = outcome(factory, arguments, dtype)
        for kind, make in kinds.items():
            assert outcome(factory, arguments | {name: make(value)}, dtype) == expected, kind
    if annotation in ("float", "Rate"):
        for whole in (1.0, 0.0, 2.0, 4.0):  # an integer in the place of a number
            try:
                expected = outcome(factory, arguments | {name: whole}, np.float32)
            except ValueError:  # out of range, which the next test is for
                continue
            for kind, make in WHOLE.items():
                assert outcome(factory, arguments | {name: make(whole)}, np.float32) == expected, kind


@pytest.mark.parametrize(("factory", "name"), list(parameters()))
def test_what_is_no_such_number_is_an_error_that_names_the_argument(factory: Any, name: str) -> None:
    arguments = base(factory)
    annotation = inspect.signature(factory).parameters[name].annotation
    wrong = [*WRONG, True, np.True_, np.array(True)] if annotation != "bool" else [1, 0, 1.0, "False", None, np.int64(1)]
    wrong += [0.5, np.float32(2.0), 1.0] if annotation == "int" else []
    for value in wrong:
        with pytest.raises((TypeError, ValueError), match=rf"^{name}\b"):
            outcome(factory, arguments | {name: value}, np.float64)


CONSTANT = ("schedule_free", "schedule_free_adamw", "ftrl", "averaged_sgd")  # which take a number alone
SCHEDULED = [one for one in parameters() if one.values[1] == "learning_rate" and str(one.id).split("-")[0] not in CONSTANT]


@pytest.mark.parametrize(("factory", "name"), SCHEDULED)
def test_schedules_that_give_numpy_numbers(factory: Any, name: str) -> None:
    for dtype in (np.float32, np.float64):
        expected = outcome(factory, base(factory) | {name: lambda count: 1 / 2 ** (count + 1)}, dtype)[1:]
        for kind, make in KINDS.items():
            given = outcome(factory, base(factory) | {name: lambda count, make=make: make(1 / 2 ** (count + 1))}, dtype)[1:]
            assert given == expected, kind


@pytest.mark.parametrize(("factory", "name"), SCHEDULED)
def test_schedules_that_give_no_rate_are_an_error_that_names_the_argument(factory: Any, name: str) -> None:
    for value in (*WRONG, True, math.inf):
        with pytest.raises((TypeError, ValueError), match=r"^learning_rate of the update after 0 updates is "):
            outcome(factory, base(factory) | {name: lambda count, value=value: value}, np.float64)
    for value in (fn.schedules.cosine, fn.schedules.Schedule):
        with pytest.raises(TypeError, match=r"^learning_rate is \w+ itself, expected a number or a schedule"):
            outcome(factory, base(factory) | {name: value}, np.float64)


@pytest.mark.parametrize("name", ["warmup", "join"])
def test_schedules_of_schedules(name: str) -> None:
    def make(rate: Any) -> schedules.Schedule:
        return fn.schedules.warmup(rate, 2) if name == "warmup" else fn.schedules.join((3,), (0.5, rate))

    for kind in KINDS.values():
        made = make(lambda count, kind=kind: kind(0.25))
        assert all(type(made(count)) is float for count in range(6))
        assert [made(count) for count in range(6)] == [make(0.25)(count) for count in range(6)]
    for wrong in (None, "x", math.nan, -1.0):
        with pytest.raises((TypeError, ValueError), match="rate"):
            make(wrong)
        with pytest.raises((TypeError, ValueError), match="rate"):
            make(lambda count, wrong=wrong: wrong)(5)


@pytest.mark.parametrize("wrong", ["5", 5, None, 0.5, np.array(3)])
def test_what_is_no_sequence_is_named(wrong: Any) -> None:
    cases: list[tuple[Callable[[], object], str]] = [
        (lambda: fn.schedules.multi_step(1.0, wrong), "milestones"),
        (lambda: fn.schedules.piecewise(wrong, (1.0, 2.0)), "boundaries"),
        (lambda: fn.schedules.piecewise((2,), wrong), "values"),
        (lambda: fn.schedules.join((2,), wrong), "rates"),
    ]
    for make, name in cases:
        with pytest.raises(TypeError, match=f"^{name} is .*, expected a sequence"):
            make()


def test_sequences_of_numpy_numbers() -> None:
    for kind in KINDS.values():
        made = untyped.piecewise(np.array([2, 4]), [kind(value) for value in (0.5, 0.25, 0.125)])
        assert repr(made) == repr(untyped.piecewise((2, 4), (0.5, 0.25, 0.125)))
        assert type(made(3)) is float
    assert untyped.multi_step(1.0, [np.int8(2), np.array(4)]) == untyped.multi_step(1.0, (2, 4))
    for wrong in (0.5, True, None, -1, 2):  # the second boundary must be above the first
        with pytest.raises((TypeError, ValueError), match=r"boundaries\[1\]"):
            untyped.join((2, wrong), (0.1, 0.2, 0.3))


@pytest.mark.parametrize("count", [-1, None, "x", 0.5, True, np.int64(-3)])
def test_a_count_that_is_none(count: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=r"^count is"):
        fn.schedules.cosine(1.0, 10)(count)
