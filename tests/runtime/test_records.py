"""The lean constructor does what attrs' own does."""

import inspect
import pickle
from typing import Any

import attrs
import pytest
from attrs import frozen

import funcnn as fn
from funcnn.layers.linear.dense import DenseParams
from funcnn.runtime.records import fast_init


@fast_init
@frozen(eq=False)
class Some:
    first: int
    _hidden: str
    last: tuple[int, ...] = ()


@frozen(eq=False)
class Same:
    first: int
    _hidden: str
    last: tuple[int, ...] = ()


@pytest.mark.parametrize("kind", [Some, Same])
def test_a_record(kind: Any) -> None:
    one = kind(1, "a")
    assert (one.first, one._hidden, one.last) == (1, "a", ())
    other = kind(hidden="b", last=(2,), first=3)
    assert (other.first, other._hidden, other.last) == (3, "b", (2,))
    assert attrs.evolve(one, hidden="c")._hidden == "c"
    assert pickle.loads(pickle.dumps(other)).last == (2,)
    assert repr(one) == f"{kind.__name__}(first=1, _hidden='a', last=())"
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        one.first = 2
    with pytest.raises(AttributeError):
        one.more = 2
    with pytest.raises(TypeError, match=rf"{kind.__name__}.__init__\(\) missing 1 required positional argument: 'hidden'"):
        kind(1)
    assert inspect.signature(kind) == inspect.signature(Same)


@pytest.mark.parametrize("kind", [fn.Forward, fn.Backward, fn.LossForward, fn.LossAndGrad, fn.OptState, fn.Updated, DenseParams])
def test_the_library_s_records_have_nothing_that_it_leaves_out(kind: Any) -> None:
    for one in attrs.fields(kind):
        unusual = (one.converter, one.validator, one.kw_only, not one.init, type(one.default).__name__ == "Factory")
        assert not any(unusual)
    assert not any(hasattr(kind, hook) for hook in ("__attrs_pre_init__", "__attrs_post_init__"))
    names = [one.alias for one in attrs.fields(kind)]
    assert list(inspect.signature(kind).parameters) == names
