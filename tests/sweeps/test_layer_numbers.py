"""Every number among the hyper-parameters of every layer, times every kind of number.

A hyper-parameter may be a Python number, a NumPy number or an array without axes: the layer is the same, prints the same, and
gives the same bits; single precision stays single, forwards and backwards.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from tests.sweeps.factories import CALLS, parameters, public_factories, results, value_of

FLOATS: dict[str, Callable[[float], Any]] = {
    "float32": np.float32,
    "float64": np.float64,
    "longdouble": np.longdouble,
    "0-d float64": np.array,
    "0-d float32": lambda value: np.array(value, np.float32),
}
INTEGERS: dict[str, Callable[[int], Any]] = {"int64": np.int64, "int8": np.int8, "uint16": np.uint16, "0-d": np.array}
FLAGS: dict[str, Callable[[bool], Any]] = {"bool_": np.bool_, "0-d": np.array}


def numbers() -> list[Any]:
    """Every parameter whose value is a number, a flag or a tuple of integers."""
    found = []
    for name in CALLS:
        for parameter, _ in parameters(name):
            value = value_of(name, parameter)
            if isinstance(value, (bool, int, float)) or (isinstance(value, tuple) and value and isinstance(value[0], int)):
                found.append(pytest.param(name, parameter, id=f"{name}-{parameter}"))
    return found


def test_every_factory_has_a_call() -> None:
    assert set(CALLS) == set(public_factories())


@pytest.mark.parametrize("name", CALLS)
def test_keywords_that_are_none_are_refused(name: str) -> None:
    """Those of ``**options`` too: ``casual=True`` would give attention that sees what is to come."""
    with pytest.raises(TypeError, match="casual"):
        CALLS[name].make(getattr(fn, name), casual=True)


@pytest.mark.parametrize(("name", "parameter"), numbers())
def test_kinds_of_numbers(name: str, parameter: str) -> None:
    call, value = CALLS[name], value_of(name, parameter)
    kinds: Any = FLAGS if isinstance(value, bool) else FLOATS if isinstance(value, float) else INTEGERS
    for label, kind in kinds.items():
        if isinstance(value, tuple):
            plain, given = value, tuple([kind(one) for one in value])
        else:
            if value < 0 and label == "uint16":
                continue
            given = kind(value)
            plain = type(value)(given)
        expected, layer = call.make(getattr(fn, name), **{parameter: plain}), call.make(getattr(fn, name), **{parameter: given})
        assert layer == expected, (label, "another layer")
        assert hash(layer) == hash(expected)
        assert repr(layer) == repr(expected)
        if label in ("float32", "0-d float64", "int8", "bool_", "0-d"):
            _check_same(results(call, expected), results(call, layer), label)


def _check_same(expected: Any, got: Any, label: str) -> None:
    for one, other in zip((*expected[0], *expected[1]), (*got[0], *got[1]), strict=True):
        assert other.dtype == one.dtype, label
        assert other.dtype not in (np.float64, np.longdouble), (label, other.dtype)
        assert np.array_equal(one, other, equal_nan=True), label
