"""What every layer of sequences says of an input that is masked where it is made for plain ones, and the other way round."""

import inspect
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn.typing import Array
from tests.sweeps.factories import CALLS, Call, public_factories

NOT_MASKED = (
    r"is Masked, expected .*: make the layer with masked=True, or put one that treats each step alone into fn\.masked_steps"
)
NOT_PLAIN = r"is float64\[2, \d+, \d+\], expected funcnn\.Masked\(values, mask\)"
MOVES = {"drop_memory"}  # takes any tree, since it computes nothing


def with_mask(x: Array) -> fn.Masked:
    return fn.Masked(x, np.ones(x.shape[:2], bool))


def plain() -> list[Any]:
    """Return the layers of sequences (t, features), or of several of which the first is one."""
    found = []
    for name, call in CALLS.items():
        first = call.shape[0] if call.shape and isinstance(call.shape[0], tuple) else call.shape
        if call.kind == "array" and len(first) == 2 and name not in MOVES:
            found.append(pytest.param(name, call, id=name))
    return found


@pytest.mark.parametrize(("name", "call"), plain())
def test_a_masked_input_of_a_plain_layer(name: str, call: Call) -> None:
    layer, x = call.make(getattr(fn, name)), call.x(float)
    start = layer.init(fn.Key(0), call.shape)
    masked = (with_mask(x[0]), *x[1:]) if isinstance(x, tuple) else with_mask(x)
    for mode in (fn.Eval(), fn.Train(fn.Key(1))):
        with pytest.raises(TypeError, match=NOT_MASKED):
            layer.forward(start.params, start.state, masked, mode)


MAKE_MASKED = [name for name, one in sorted(public_factories().items()) if "masked" in inspect.signature(one).parameters]


@pytest.mark.parametrize("name", [name for name in MAKE_MASKED if CALLS[name].kind == "array"])
def test_a_plain_input_of_a_masked_layer(name: str) -> None:
    call = CALLS[name]
    layer, x = call.make(getattr(fn, name), masked=True), call.x(float)
    start = layer.init(fn.Key(0), call.shape)
    for mode in (fn.Eval(), fn.Train(fn.Key(1))):
        with pytest.raises(TypeError, match=NOT_PLAIN):
            layer.forward(start.params, start.state, x, mode)
