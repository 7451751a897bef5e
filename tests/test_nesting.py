"""Networks nested many levels deep: equality, pickles and copies take time in proportion, and errors speak of the nesting."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import attrs
import numpy as np
import pytest

import funcnn as fn
from funcnn.layer import AnyLayer, chain_parts
from funcnn.runtime import nesting

WRAPS: dict[str, Callable[[AnyLayer], AnyLayer]] = {
    "serial": lambda layer: fn.serial(layer, fn.tanh()),
    "chain": lambda layer: layer >> fn.tanh(),
    "residual": lambda layer: fn.residual(fn.serial(layer, fn.scale())),
    "branch": lambda layer: fn.add(layer, fn.identity()),
    "recompute": lambda layer: fn.recompute(fn.serial(layer, fn.tanh()), segments=2),
    "twice": lambda layer: fn.serial(layer, layer),
}


def nested(depth: int, wrap: Callable[[AnyLayer], AnyLayer], width: int = 4) -> AnyLayer:
    layer: AnyLayer = fn.dense(width)
    for _ in range(depth):
        layer = wrap(layer)
    return layer


@pytest.mark.parametrize("name", WRAPS)
def test_comparison_and_pickles_look_at_each_layer_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0

    def counted(value: Any, fields: Any, plain: Any = nesting._compared) -> Any:
        nonlocal looks
        looks += 1
        return plain(value, fields)

    monkeypatch.setattr(nesting, "_compared", counted)
    counts = []
    for depth in (10, 20, 40):
        looks = 0
        one, other = nested(depth, WRAPS[name]), nested(depth, WRAPS[name])
        assert one == other
        assert hash(one) == hash(other)
        assert one != nested(depth, WRAPS[name], width=5)
        counts.append(looks)
    assert counts[2] - counts[1] <= 2.1 * (counts[1] - counts[0])


@pytest.mark.parametrize("name", WRAPS)
def test_deep_networks_are_pickled_and_copied(name: str) -> None:
    model = nested(400 if name != "twice" else 12, WRAPS[name])
    for again in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model), copy.copy(model)):
        assert type(again) is type(model)
        assert again == model
        assert [one.name for one in chain_parts(again)] == [one.name for one in chain_parts(model)]
        assert len(again.parts) == len(model.parts)


def test_a_copy_of_a_chain_trains_like_it() -> None:
    model = nested(3, WRAPS["recompute"]) >> fn.dense(2)
    again = pickle.loads(pickle.dumps(model))
    start = model.init(fn.Key(0), (3,))
    results = [
        fn.loss_and_grad(one, fn.mean_squared_error())(
            start.params, start.state, np.ones((2, 3)), np.ones((2, 2)), fn.Train(fn.Key(0))
        ).grads
        for one in (model, again)
    ]
    assert fn.tree.same(*results)


def test_layers_that_differ_are_not_equal() -> None:
    layers: list[AnyLayer] = [
        fn.leaky_relu(0.1),
        fn.leaky_relu(0.2),
        fn.dense(3),
        fn.serial(fn.dense(3)),
        fn.dense(3) >> fn.relu(),
        fn.serial(fn.dense(3), fn.relu()),
        attrs.evolve(fn.relu(), backward=fn.tanh().backward),
        fn.relu(),
    ]
    for index, one in enumerate(layers):
        assert [one == other for other in layers] == [index == place for place in range(len(layers))]
        assert one != "relu"
        assert one in {*layers}


def deep() -> tuple[AnyLayer, Any, Any]:
    """Return 700 nested residuals, with parameters and a state."""
    start = fn.dense(4).init(fn.Key(0), (4,))
    params: Any = start.params
    state: Any = start.state
    for _ in range(700):
        params, state = (params, fn.scale().init(fn.Key(0), (4,)).params), (state, ())
    return nested(700, WRAPS["residual"]), params, state


X = np.full((2, 4), 1e-9)
CALLS: dict[str, Callable[[], object]] = {
    "init": lambda: nested(1500, WRAPS["residual"]).init(fn.Key(0), (4,)),
    "apply": lambda: fn.apply(*deep(), X),
    "step": lambda: fn.loss_and_grad(deep()[0], fn.mean_squared_error())(*deep()[1:], X, X, fn.Train(fn.Key(0))),
}


@pytest.mark.parametrize("call", CALLS)
def test_layers_that_are_nested_too_deep_say_so(call: str) -> None:
    with pytest.raises(RecursionError) as caught:
        CALLS[call]()
    assert "layers are nested deeper than Python's limit" in caught.value.__notes__[0]


def test_a_hundred_levels_are_trained() -> None:
    model = nested(100, WRAPS["residual"])
    start = model.init(fn.Key(0), (4,))
    with np.errstate(all="ignore"):
        made = fn.loss_and_grad(model, fn.mean_squared_error())(start.params, start.state, X, X, fn.Train(fn.Key(0)))
    assert np.isfinite(made.output).all()
