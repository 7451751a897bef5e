"""Parameters and states are read-only, and stay so in a pickle, in a deep copy and in a worker process."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn import tree
from tests.sweeps.factories import CALLS


@pytest.mark.parametrize("name", CALLS)
def test_parameters_stay_read_only(name: str) -> None:
    call = CALLS[name]
    start = call.make(getattr(fn, name)).init(fn.Key(1), call.shape)
    made: Any = (start.params, start.state)
    for again in (made, pickle.loads(pickle.dumps(made)), copy.deepcopy(made)):
        assert tree.same(again, made)
        assert not any(leaf.flags.writeable for leaf in tree.leaves(again))


def test_what_was_writeable_stays_so() -> None:
    params = fn.dense(2).init(fn.Key(0), (3,)).params
    grads = tree.map(np.ones_like, params)
    assert all(leaf.flags.writeable for leaf in tree.leaves(pickle.loads(pickle.dumps(grads))))


def test_a_trained_start_of_several_parts_stays_read_only() -> None:
    start = fn.trained_start(fn.lstm(3, initial=True), ((3,), (3,))).init(fn.Key(0), (4, 2))
    again = pickle.loads(pickle.dumps(start.params))
    assert not any(leaf.flags.writeable for leaf in tree.leaves(again))
