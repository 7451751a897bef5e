"""Arguments in wrong places, modes that are none, cotangents of other shapes: refused by name, plain and compiled."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn.layer import AnyLayer

MODEL: AnyLayer = fn.dense(8) >> fn.relu() >> fn.dense(3)
START = MODEL.init(fn.Key(0), (4,))
X, Y, TRAIN = np.ones((5, 4)), np.ones((5, 3)), fn.Train(fn.Key(1))
Step = Callable[..., Any]


def same(step: Any) -> Any:
    return step


FORMS: list[Callable[[Any], Any]] = [same, fn.compiled]


def warm(form: Callable[[Any], Any]) -> Step:
    """Return a step that has been called."""
    step: Step = form(fn.loss_and_grad(MODEL, fn.mean_squared_error()))
    step(START.params, START.state, X, Y, TRAIN)
    return step


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("mode", ["train", fn.Key(0), None, fn.Train, True])
def test_modes_that_are_none(form: Callable[[Any], Any], mode: Any) -> None:
    with pytest.raises(TypeError, match=r"the mode is .*, expected fn.Train\(key\) or fn.Eval\(\)"):
        warm(form)(START.params, START.state, X, Y, mode)
    with pytest.raises(TypeError, match="the mode is"):
        MODEL.forward(START.params, START.state, X, mode)


@pytest.mark.parametrize("form", FORMS)
def test_parameters_and_state_exchanged(form: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError, match=r"params\[0\] is \(\), in which a layer looks for 'weight'.*params and state") as caught:
        warm(form)(START.state, START.params, X, Y, TRAIN)
    assert caught.value.__notes__[0].startswith("in layer [0] dense(8)")


def test_parameters_and_state_exchanged_in_a_prediction() -> None:
    predict = fn.compiled(MODEL)
    predict(START.params, START.state, X)
    for run in (partial(fn.apply, MODEL), predict):
        with pytest.raises(TypeError, match="params and state"):
            run(START.state, START.params, X)


def own_bug(params: Any, state: Any, x: Any, mode: fn.Mode) -> Any:
    return fn.Forward(x.nothing, state, ())


def own_back(params: Any, residuals: Any, dy: Any) -> Any:
    return fn.Backward((), dy)


def own_init(key: fn.Key, in_shape: Any) -> Any:
    return fn.Init((), (), in_shape)


def test_an_attribute_that_a_layer_itself_gets_wrong_stays_an_attribute_error() -> None:
    model: AnyLayer = fn.serial(fn.define_layer("own", own_init, own_bug, own_back))
    with pytest.raises(AttributeError, match="nothing"):
        fn.apply(model, ((),), ((),), X)


def test_arguments_exchanged() -> None:
    wrong: Any = START.params
    with pytest.raises(TypeError, match=r"the model is .*, expected a layer"):
        fn.apply(wrong, wrong, START.state, X)
    loss: Any = fn.mean_squared_error()
    with pytest.raises(TypeError, match=r"the model is .*, expected a layer"):
        fn.loss_and_grad(loss, loss)
    no_losses: list[Any] = [MODEL, fn.mean_squared_error, None]
    for one in no_losses:
        with pytest.raises(TypeError, match=r"the loss is .*, expected a loss"):
            fn.loss_and_grad(MODEL, one)


def squared(prediction: Any, target: Any) -> Any:
    return fn.LossForward(((prediction - target) ** 2).mean(), prediction - target)


GRADIENTS: list[Any] = [
    lambda kept: 2 * kept.sum(1, keepdims=True) / kept.size,
    lambda kept: kept[:1],
    lambda kept: kept.sum(),
    lambda kept: kept[None],
    lambda kept: (kept,),
    lambda kept: None,
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("gradient", GRADIENTS)
@pytest.mark.parametrize("model", [MODEL, fn.dense(3), fn.dense(3) >> fn.relu(), fn.dense(3) >> fn.batch_norm()])
def test_a_loss_whose_gradient_has_another_shape(form: Callable[[Any], Any], gradient: Any, model: AnyLayer) -> None:
    start = model.init(fn.Key(0), (4,))
    step = form(fn.loss_and_grad(model, fn.define_loss("own", squared, gradient)))
    for _ in range(2):
        with pytest.raises(ValueError, match="the loss own gives"):
            step(start.params, start.state, X, Y, TRAIN)


@pytest.mark.parametrize(
    "change", [lambda y: y[:1], lambda y: y[:, :1], lambda y: y[None], lambda y: y.sum(), lambda y: y[:, :2]]
)
@pytest.mark.parametrize(
    "model", [MODEL, fn.dense(3) >> fn.relu(), fn.serial(fn.relu(), fn.tanh()), fn.serial(fn.serial(fn.tanh()))]
)
def test_a_cotangent_of_another_shape(change: Callable[[Any], Any], model: AnyLayer) -> None:
    start = model.init(fn.Key(0), (4,))
    made = model.forward(start.params, start.state, X, fn.Eval())
    with pytest.raises(ValueError, match=r"the cotangent of the output \(doutput\) is .*, expected the output's shape"):
        model.backward(start.params, made.residuals, change(made.output))


def gate_init(key: fn.Key, in_shapes: tuple[tuple[int, ...], ...]) -> fn.Init[Any, Any]:
    return fn.Init((), (), in_shapes[0])


def gate(params: Any, state: Any, x: Any, mode: fn.Mode) -> Any:
    return fn.Forward(x[0] * x[1][:, None], state, x)


def gate_back(params: Any, x: Any, dy: Any) -> Any:
    return fn.Backward((), (dy * x[1][:, None], (dy * x[0]).sum(1)))


def test_a_layer_of_two_inputs() -> None:
    layer: AnyLayer = fn.define_layer("gate", gate_init, gate, gate_back, random=False, inputs=2)
    model: AnyLayer = fn.parallel(fn.dense(2), fn.identity()) >> layer
    assert model.init(fn.Key(0), ((3, 4), (3,))).out_shape == (3, 2)
    made = layer.forward((), (), (np.ones((2, 3)), np.full(2, 5.0)), fn.Eval())
    assert (made.output == 5).all()
    assert layer.backward((), made.residuals, np.ones((2, 3))).input[1].tolist() == [3, 3]
    shapes: list[Any] = [(3, 4), ((3, 4),), ((3, 4), (3,), (3,)), ((3, 4), 5)]
    for shape in shapes:
        with pytest.raises((TypeError, ValueError), match="in_shape"):
            layer.init(fn.Key(0), shape)
    one: AnyLayer = fn.define_layer("one", own_init, own_bug, own_back)
    with pytest.raises(ValueError, match=r"several inputs.*define_layer\(\.\.\., inputs=2\)"):
        one.init(fn.Key(0), ((3, 4), (3,)))


def test_layers_in_a_list() -> None:
    layers: Any = [fn.dense(3), fn.relu()]
    with pytest.raises(TypeError, match=r"unpack the list with \*, as in serial\(\*layers\)"):
        fn.serial(layers)


@pytest.mark.parametrize("wrong", [None, 3, "relu", [fn.relu()], fn.relu(), fn.mean_squared_error(), dict])
def test_what_is_no_function_is_refused_where_it_is_given(wrong: Any) -> None:
    def forward(*arguments: Any) -> Any:
        return fn.LossForward(np.float64(0), ())

    makers: dict[str, Callable[[], Any]] = {
        "function ": lambda: fn.penalized(wrong, fn.l2_penalty(0.1)),
        "function": lambda: fn.sharpness_aware(wrong, 0.1),
        "forward": lambda: fn.define_loss("own", wrong, forward),
        "backward": lambda: fn.define_loss("own", forward, wrong),
        "mass": lambda: fn.define_loss("own", forward, forward, mass=wrong),
        "name": lambda: fn.define_loss(wrong, forward, forward),
    }
    for name, make in makers.items():
        if (wrong is None and name == "mass") or (isinstance(wrong, str) and name == "name"):
            continue
        with pytest.raises(TypeError, match=f"{name.strip()} is "):
            make()
