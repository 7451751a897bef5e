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


OPTIMIZERS: dict[str, fn.Optimizer] = {
    "adam": fn.adam(),
    "rmsprop": fn.rmsprop(0.1),
    "ema": fn.ema(fn.adam()),
    "lookahead": fn.lookahead(fn.rmsprop(0.1)),
    "accumulated": fn.accumulated(fn.adam(), 2),
    "reduce_on_plateau": fn.reduce_on_plateau(fn.adam(), patience=2),
    "adafactor": fn.adafactor(0.1),
    "muon": fn.muon(0.1),
}
MODELS: dict[str, Any] = {"layers": fn.dense(3) >> fn.prelu() >> fn.dense(2), "wide": fn.dense(300) >> fn.dense(2)}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_state_of_an_optimizer_stays_as_it_was(optimizer: str, model: str) -> None:
    rule = OPTIMIZERS[optimizer]
    params = MODELS[model].init(fn.Key(0), (3,)).params
    updated = rule.update(params, tree.map(np.ones_like, params), rule.init(params))
    for made in (rule.init(params), updated.state):
        for again in (pickle.loads(pickle.dumps(made)), copy.deepcopy(made)):
            assert tree.same(again, made)
            assert [one.flags.writeable for one in tree.leaves(again)] == [one.flags.writeable for one in tree.leaves(made)]
