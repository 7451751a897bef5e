"""Layers and losses of one's own under ``compiled``: whatever they do, the result is that of the plain code at every call."""

from collections.abc import Callable
from functools import partial
from typing import Any

import attrs
import numpy as np
import pytest

import funcnn as fn
from funcnn.layer import AnyLayer

X, TARGET, TRAIN = np.arange(1.0, 7.0).reshape(2, 3), np.full((2, 3), 0.7), fn.Train(fn.Key(5))


def init(key: fn.Key, in_shape: Any) -> fn.Init[Any, Any]:
    return fn.Init((), (), in_shape)


def back(params: Any, residuals: Any, dy: Any) -> fn.Backward[Any, Any]:
    return fn.Backward((), dy)


def weighed(prediction: Any, target: Any) -> fn.LossForward[Any]:
    return fn.LossForward(np.float64((prediction * target).sum()), target)


def weights(residuals: Any) -> Any:
    return residuals * 1


WEIGHED: fn.Loss[Any, Any] = fn.define_loss("weighed", weighed, weights)


@attrs.frozen(eq=False)
class Kept:
    value: Any
    residuals: Any


class Box:
    """An object that changes."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.scale, self.looks = 2.0, 0

    @property
    def tick(self) -> float:
        self.looks += 1
        return float(self.looks)


BOX = Box()


def unit(params: Any, state: Any, x: Any, mode: fn.Mode) -> Any:
    norm = np.sqrt((x * x).sum())
    return fn.Forward(x / norm if norm else x, state, norm)


def unit_back(params: Any, norm: Any, dy: Any) -> Any:
    return fn.Backward((), dy / norm if norm else dy)


def among_numbers(params: Any, state: Any, x: Any, mode: fn.Mode) -> Any:
    y = x * 2
    if y.sum() in (0.0,):
        y = y + 1
    return fn.Forward(y, state, ())


def at_a_computed_place(params: Any, state: Any, x: Any, mode: fn.Mode) -> Any:
    return fn.Forward(x * x.shape[int(x.argmax() > 3)], state, ())


def keeps_scale(params: Any, state: Any, x: Any, mode: fn.Mode) -> Any:
    kept = Kept(BOX.scale, x)
    BOX.scale = BOX.scale + 1
    return fn.Forward(x * kept.value, state, kept)


def pulls_scale(params: Any, kept: Kept, dy: Any) -> Any:
    return fn.Backward((), dy * kept.value)


def looks_once(params: Any, state: Any, x: Any, mode: fn.Mode) -> Any:
    tick = BOX.tick
    return fn.Forward(x * tick + tick, state, ())


def resizes(params: Any, state: Any, x: Any, mode: fn.Mode) -> Any:
    y = x * 2
    y.resize((6,), refcheck=False)
    if y.ndim == 1:
        y = y * 10
    return fn.Forward(y.reshape(x.shape), state, ())


def reshapes_its_input(params: Any, state: Any, x: Any, mode: fn.Mode) -> Any:
    x.shape = (x.shape[0], x.shape[1] // 2, 2)  # a view, but all who hold the array see it
    return fn.Forward(x * 3, state, ())


class Doubled(Kept):
    def __init__(self, value: Any, residuals: Any) -> None:
        Kept.__init__(self, value * 2, residuals)


def makes_doubled(params: Any, state: Any, x: Any, mode: fn.Mode) -> Any:
    return fn.Forward(Doubled(x, 1).value, state, ())


positive: Any = np.frompyfunc(lambda v: bool(v > 0), 1, 1)


def decides(params: Any, state: Any, x: Any, mode: fn.Mode) -> Any:
    return fn.Forward(3 * x if positive(x.sum()) else -3 * x, state, ())


class Private:
    __factor = 2.0

    @staticmethod
    def forward(params: Any, state: Any, x: Any, mode: fn.Mode) -> Any:
        return fn.Forward(Private.__factor * x, state, ())


class Sneaky(float):
    def __bool__(self) -> bool:
        BOX.looks += 1
        return BOX.looks % 2 == 1


SNEAKY = Sneaky(3.0)


def asks_an_odd_number(params: Any, state: Any, x: Any, mode: fn.Mode) -> Any:
    return fn.Forward(x * (2 if SNEAKY else 5), state, ())


OWN: list[tuple[Any, Any]] = [
    (unit, unit_back),
    (among_numbers, back),
    (at_a_computed_place, back),
    (keeps_scale, pulls_scale),
    (looks_once, back),
    (resizes, back),
    (makes_doubled, back),
    (decides, back),
    (Private.forward, back),
    (asks_an_odd_number, back),
]


def layer_of(forward: Any, backward: Any = back) -> AnyLayer:
    return fn.define_layer("own", init, forward, backward, random=False)


def alike(model: AnyLayer, start: Any, loss: fn.Loss[Any, Any] = WEIGHED, x: Any = X) -> None:
    """Raise unless each call of what is compiled gives what the plain code gives."""
    step = fn.loss_and_grad(model, loss)
    fast, predict = fn.compiled(step), fn.compiled(model)
    for factor in (1.0, 1.0, -1.0, 0.5):
        results = []
        for run in (step, fast):
            BOX.reset()
            results.append(run(start.params, start.state, x * factor, TARGET, TRAIN))
        assert results[0].loss == results[1].loss
        assert fn.tree.same((results[0].grads, results[0].output), (results[1].grads, results[1].output))
        outputs = []
        for output in (partial(fn.apply, model), predict):
            BOX.reset()
            outputs.append(output(start.params, start.state, x * factor))
        assert fn.tree.same(outputs[0], outputs[1])


@pytest.mark.parametrize(("forward", "backward"), OWN)
def test_layers_of_ones_own(forward: Any, backward: Any) -> None:
    layer = layer_of(forward, backward)
    models: list[AnyLayer] = [
        layer,
        fn.serial(layer),
        fn.scale() >> layer >> fn.tanh(),
        fn.serial(fn.scale(), fn.residual(layer), layer),
    ]
    for model in models:
        alike(model, model.init(fn.Key(0), (3,)))


def outcome(function: Callable[[], Any]) -> object:
    try:
        return [leaf.tobytes() for leaf in fn.tree.leaves(function().grads)]
    except Exception as error:
        return type(error), str(error), error.__notes__


@pytest.mark.parametrize("before", [fn.relu, fn.tanh, fn.identity, lambda: fn.dense(4)])
def test_an_array_that_a_layer_reshapes_in_place(before: Callable[[], AnyLayer]) -> None:
    """The residuals of the layer before it may hold that very array."""
    model: AnyLayer = fn.serial(fn.scale(), before(), layer_of(reshapes_its_input), fn.flatten())
    start = model.init(fn.Key(0), (4,))
    step = fn.loss_and_grad(model, WEIGHED)
    fast = fn.compiled(step)
    for _ in range(3):
        one, other = (
            outcome(lambda run=run: run(start.params, start.state, np.ones((2, 4)), np.ones((2, 4)), TRAIN))  # type: ignore[misc]  # bound now
            for run in (step, fast)
        )
        assert one == other


def guarded(prediction: Any, target: Any) -> Any:
    count = target.sum()
    total = ((prediction - target) ** 2 * target).sum()
    return fn.LossForward(np.float64(total / count if count else total), (prediction, target, count))


def guarded_back(residuals: Any) -> Any:
    prediction, target, count = residuals
    return 2 * (prediction - target) * target / (count if count else 1.0)


def test_a_loss_of_ones_own() -> None:
    model: AnyLayer = fn.serial(fn.dense(3))
    alike(model, model.init(fn.Key(0), (3,)), fn.define_loss("guarded", guarded, guarded_back))


def old_body(params: Any, state: Any, x: Any, mode: fn.Mode) -> Any:
    return fn.Forward(abs(x) * 2, state, ())


def new_body(params: Any, state: Any, x: Any, mode: fn.Mode) -> Any:
    return fn.Forward(7 * x, state, ())


CHANGES: list[Callable[[pytest.MonkeyPatch], None]] = [
    lambda patch: patch.setattr(old_body, "__code__", new_body.__code__),
    lambda patch: patch.setitem(globals(), "abs", lambda v: v * 100),
]


@pytest.mark.parametrize("change", CHANGES, ids=["code", "built-in"])
def test_what_is_changed_between_two_calls(change: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch) -> None:
    model = layer_of(old_body)
    predict = fn.compiled(model)
    for _ in range(3):
        assert fn.tree.same(predict((), (), X), fn.apply(model, (), (), X))
    before = predict((), (), X)
    change(monkeypatch)
    assert fn.tree.same(predict((), (), X), fn.apply(model, (), (), X))
    assert not fn.tree.same(predict((), (), X), before)


def test_parameters_whose_shape_is_set_in_place() -> None:
    model: AnyLayer = fn.scale() >> fn.dense(2)
    start = model.init(fn.Key(0), (3,))
    params = fn.tree.map(np.copy, start.params)
    predict, step = fn.compiled(model), fn.compiled(fn.loss_and_grad(model, WEIGHED))
    for _ in range(3):
        predict(params, start.state, X)
        step(params, start.state, X, np.ones((2, 2)), TRAIN)
    params[1].weight.shape = (2, 3)
    for run in (
        lambda: predict(params, start.state, X),
        lambda: step(params, start.state, X, np.ones((2, 2)), TRAIN),
    ):
        with pytest.raises(ValueError, match="features"):
            run()


class Changing(fn.Layer[Any, Any, Any, Any]):
    """A layer that makes its forward anew whenever it is asked for it."""

    @property
    def forward(self) -> Any:
        BOX.looks += 1
        factor = BOX.looks
        return lambda params, state, x, mode: fn.Forward(factor * x, state, ())

    @forward.setter
    def forward(self, value: Any) -> None: ...  # pyright: ignore[reportIncompatibleMethodOverride]  # wrong on purpose


def test_a_layer_of_a_type_of_ones_own_is_asked_at_each_call() -> None:
    own = object.__new__(Changing)
    for name, value in {"name": "own", "init": init, "backward": back, "random": False, "parts": (), "combine": None}.items():
        object.__setattr__(own, name, value)
    object.__setattr__(own, "selective", False)
    for model, none in ((own, ()), (fn.serial(own), ((),))):
        predict = fn.compiled(model)
        BOX.reset()
        assert [float(predict(none, none, np.ones((1, 1)))[0, 0]) for _ in range(4)] == [1, 2, 3, 4]


def counting(params: Any, state: Any, x: Any, mode: fn.Mode) -> Any:
    BOX.looks += 1
    return fn.Forward(x * BOX.looks, state, ())


@pytest.mark.parametrize("scale", [1.0, 1e200, np.inf, np.nan])
@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("loss", [fn.mean_squared_error, fn.softmax_cross_entropy, fn.sigmoid_cross_entropy])
def test_losses_that_are_not_finite(loss: Any, own: bool, scale: float) -> None:
    """There the written function hands over to the plain code, but not where a layer of one's own would be called twice."""
    model: AnyLayer = fn.serial(fn.dense(3), layer_of(counting)) if own else fn.serial(fn.dense(3))
    start = model.init(fn.Key(0), (3,))
    step = fn.loss_and_grad(model, loss())
    fast = fn.compiled(step)
    target = np.full((2, 3), 1 / 3)
    with np.errstate(all="ignore"):
        for _ in range(3):
            results, looks = [], []
            for run in (step, fast):
                BOX.reset()
                results.append(outcome(lambda run=run: run(start.params, start.state, X * scale, target, TRAIN)))  # type: ignore[misc]  # bound now
                looks.append(BOX.looks)
            assert results[0] == results[1]
            assert looks[0] == looks[1]
