"""The flat functions that run in place of a network: equal to the plain rule to the last bit, errors and all."""

import ast
import copy
import pickle
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import FunctionType, ModuleType
from typing import Any

import attrs
import numpy as np
import pytest

import funcnn as fn
from funcnn.certificate.cases import LAYERS, LOSSES, LayerCase, LossCase
from funcnn.compile import source
from funcnn.compile.compiled import CompiledStep, written
from funcnn.compile.network import predict, predictor, predictor_for, trainer_for
from funcnn.compile.samples import UNKNOWN, Samples
from funcnn.compile.source import read
from funcnn.compile.syntax import expression
from funcnn.compile.translate import Translate
from funcnn.compile.writer import Writer
from funcnn.grad import LossAndGrad, value_and_grads
from funcnn.layer import AnyLayer
from funcnn.layer.watch import watch

TRAIN = fn.Train(fn.Key(5))
PREDICT = fn.Eval(residuals=False)


def weighed(prediction: Any, target: Any) -> fn.LossForward[Any]:
    """Return the sum of a prediction's products with a target of its structure: a loss for every output."""
    leaves = zip(fn.tree.leaves(prediction), fn.tree.leaves(target), strict=True)
    return fn.LossForward(np.float64(sum((p * t).sum() for p, t in leaves)), target)


def weights(residuals: Any) -> Any:
    return residuals


WEIGHED: fn.Loss[Any, Any] = fn.define_loss("weighed", weighed, weights)


def cosines(output: Any) -> Any:
    """Return some target like an output."""
    return fn.tree.map(lambda leaf: np.cos(leaf) if leaf.dtype.kind == "f" else leaf, output)


def plain(model: AnyLayer, loss: fn.Loss[Any, Any]) -> Callable[..., LossAndGrad[Any, Any, Any]]:
    return partial(value_and_grads, model, loss)


def flat(model: AnyLayer, loss: fn.Loss[Any, Any], params: Any, target: Any) -> Callable[..., LossAndGrad[Any, Any, Any]]:
    """Return the function for inputs of all shapes."""
    return trainer_for(model, loss, LossAndGrad, plain(model, loss), params, target, {})


def both_forms(model: AnyLayer, loss: fn.Loss[Any, Any], params: Any, x: Any, target: Any) -> list[Callable[..., Any]]:
    """Return the functions for inputs of all shapes, and for those of the shapes of x and the target."""
    general = flat(model, loss, params, target)
    known = {"params": params, "x": x, "target": target}
    return [general, trainer_for(model, loss, LossAndGrad, general, params, target, known)]


def flat_predictor(model: AnyLayer) -> Callable[..., Any]:
    """Return the predictor for inputs of all shapes."""
    return predictor_for(model, PREDICT, partial(predict, model, PREDICT), {})


def both_predictors(model: AnyLayer, params: Any, x: Any) -> list[Callable[..., Any]]:
    """Return the predictors for inputs of all shapes, and for those of the shapes of x."""
    general = flat_predictor(model)
    return [general, predictor_for(model, PREDICT, general, {"params": params, "x": x})]


def assert_equal(model: AnyLayer, loss: fn.Loss[Any, Any], params: Any, state: Any, x: Any, target: Any) -> None:
    """Raise unless plain and flat functions give the same bits."""
    expected = plain(model, loss)(params, state, x, target, TRAIN)
    for run in both_forms(model, loss, params, x, target):
        got = run(params, state, x, target, TRAIN)
        assert np.asarray(got.loss).tobytes() == np.asarray(expected.loss).tobytes()
        assert type(got.loss) is type(expected.loss)
        for part in ("grads", "state", "output"):
            assert fn.tree.same(getattr(expected, part), getattr(got, part)), part
    for predict_with in both_predictors(model, params, x):
        output = predict_with(params, state, x)
        assert fn.tree.same(model.forward(params, state, x, PREDICT).output, output)


def called(model: AnyLayer, loss: fn.Loss[Any, Any], params: Any, target: Any) -> list[str]:
    """Return the names of the forward, backward and loss functions that the flat function calls instead of containing them."""
    names = flat(model, loss, params, target).__code__.co_names
    return sorted({name.rpartition("_")[0] for name in names} & {"forward", "backward", "loss_forward", "loss_backward"})


CASES = [pytest.param(case, id=f"{name} {case.label}".strip()) for name, cases in LAYERS.items() for case in cases]
LOSS_CASES = [pytest.param(case, id=f"{name} {case.label}".strip()) for name, cases in LOSSES.items() for case in cases]


def takes_an_array(case: Any) -> bool:
    """Tell whether a case's input, or its prediction, is one array: a chain or a loss behind ``identity`` takes no other."""
    given = case.x(batch=1) if isinstance(case, LayerCase) else case.draw(np.random.default_rng(2), case.batch)[0]
    return isinstance(given, np.ndarray)


@pytest.mark.parametrize("case", CASES)
def test_layer(case: LayerCase) -> None:
    layer, x = case.make(), case.x()
    start = layer.init(fn.Key(1), case.shape)
    target = cosines(layer.forward(start.params, start.state, x, TRAIN).output)
    assert_equal(layer, WEIGHED, start.params, start.state, x, target)


@pytest.mark.parametrize("name", [name for name, cases in LAYERS.items() if any(map(takes_an_array, cases))])
def test_layer_in_chains(name: str) -> None:
    """One case of each layer: a chain takes no notice of what a layer's options are."""
    case = next(one for one in LAYERS[name] if takes_an_array(one))
    x = case.x()
    inner = fn.serial(case.make())
    model: AnyLayer = fn.serial(inner)
    if x.dtype.kind == "f":  # behind a layer with parameters the gradient goes through
        model = fn.serial(fn.serial(fn.scale(), fn.identity(), fn.dropout(0.0)), inner)
    start = model.init(fn.Key(1), case.shape)
    target = cosines(model.forward(start.params, start.state, x, TRAIN).output)
    assert_equal(model, WEIGHED, start.params, start.state, x, target)


@pytest.mark.parametrize("case", [one for one in LOSS_CASES if takes_an_array(*one.values)])
def test_loss(case: LossCase) -> None:
    prediction, target = case.draw(np.random.default_rng(2), case.batch)
    assert_equal(fn.identity(), case.make(), (), (), prediction, target)


# ------------------------------------------------------------------------------------------------------ what is in them


def network() -> tuple[AnyLayer, Any, Any, Any, Any]:
    """Return a network, its parameters and state, an input and labels."""
    model = fn.dense(5) >> fn.relu() >> fn.dense(3)
    start = model.init(fn.Key(0), (4,))
    generator = np.random.default_rng(0)
    return model, start.params, start.state, generator.normal(size=(6, 4)), generator.integers(0, 3, 6)


def test_common_networks_are_written_out() -> None:
    model, params, _, _, labels = network()
    assert called(model, fn.softmax_cross_entropy(), params, labels) == []
    for layer in (fn.tanh(), fn.sigmoid(), fn.gelu(), fn.identity(), fn.leaky_relu()):
        other = fn.dense(5) >> layer >> fn.dense(3)
        assert called(other, fn.mean_squared_error(), other.init(fn.Key(0), (4,)).params, np.zeros((6, 3))) == []


@pytest.mark.parametrize("rows", [6, 6000])  # with known shapes, and without
@pytest.mark.parametrize("layer", [fn.tanh(), fn.sigmoid(), fn.gelu()], ids=lambda layer: layer.name)
def test_numbers_that_an_imaginary_step_moves_are_left_to_the_plain_code(layer: AnyLayer, rows: int) -> None:
    model, loss = fn.dense(5) >> layer >> fn.dense(3), fn.mean_squared_error()
    start = model.init(fn.Key(0), (4,))
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(rows, 4)), generator.normal(size=(rows, 3))
    plain = fn.loss_and_grad(model, loss)
    made = fn.compiled(plain)
    for moved in (x, x + 1e-30j * generator.normal(size=x.shape)):
        for _ in range(3):  # the first call is the plain one
            got, expected = (step(start.params, start.state, moved, y, TRAIN) for step in (made, plain))
            assert got.loss == expected.loss
            assert fn.tree.same((got.grads, got.output), (expected.grads, expected.output))
    assert np.iscomplexobj(expected.output)
    assert expected.output.imag.any()


def test_nothing_is_written_for_what_is_not_needed() -> None:
    model = fn.flatten() >> fn.dense(2)
    start = model.init(fn.Key(0), (2, 3))
    run = flat(model, WEIGHED, start.params, np.ones((1, 2)))
    names = run.__code__.co_names
    assert sum(name.startswith("reshape") for name in names) == 1  # forward alone
    other = (fn.linear(1).init(fn.Key(0), (3,)).params, start.params[1])
    x = np.ones((1, 2, 3))
    expected = plain(model, WEIGHED)(other, start.state, x, np.ones((1, 2)), TRAIN)
    assert fn.tree.same(expected.grads, run(other, start.state, x, np.ones((1, 2)), TRAIN).grads)


def test_other_modes_and_targets_take_the_plain_way() -> None:
    model, params, state, x, labels = network()
    loss = fn.softmax_cross_entropy()
    run = flat(model, loss, params, labels)
    probabilities = np.eye(3)[labels]
    targets: tuple[Any, ...] = (labels.astype(np.int32), probabilities, fn.Weighted(labels, np.arange(6.0)), labels.tolist())
    for mode in (fn.Eval(), TRAIN):
        for target in targets[:3]:
            expected = plain(model, loss)(params, state, x, target, mode)
            assert fn.tree.same(expected.grads, run(params, state, x, target, mode).grads)
    with pytest.raises(TypeError, match="expected integer labels"):
        run(params, state, x, targets[3], TRAIN)


def test_random_layers_draw_the_same() -> None:
    model = fn.serial(fn.serial(fn.dropout(0.5), fn.dense(4), fn.dropout(0.5)), fn.dense(2), fn.dropout(0.3))
    start = model.init(fn.Key(0), (3,))
    assert_equal(model, WEIGHED, start.params, start.state, np.ones((5, 3)), np.ones((5, 2)))


def test_no_array_lives_longer_than_it_is_needed() -> None:
    alive: list[int] = []
    made: list[Any] = []

    def look(seen: Any) -> None:
        import weakref

        if seen.phase == "forward":
            made.append(weakref.ref(seen.result.output))
        alive.append(sum(one() is not None for one in made))

    layers = [watch(look, fn.define_layer("free", free_init, free_forward, free_backward)) for _ in range(6)]
    model: AnyLayer = fn.serial(*layers)
    flat_predictor(model)((((),) * 6), (((),) * 6), np.ones((1, 1)))
    assert max(alive) <= 2


def free_init(key: fn.Key, in_shape: Any) -> fn.Init[Any, Any]:
    return fn.Init((), (), in_shape)


def free_forward(params: Any, state: Any, x: Any, mode: fn.Mode) -> fn.Forward[Any, Any, Any]:
    return fn.Forward(x + 1, state, ())


def free_backward(params: Any, residuals: Any, dy: Any) -> fn.Backward[Any, Any]:
    return fn.Backward((), dy)


# --------------------------------------------------------------------------------------------- shapes that functions have


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the functions of this file written out like the library's."""
    monkeypatch.setattr(source, "OWN", ("funcnn", "tests"))


@attrs.frozen(eq=False)
class Kept:
    first: Any
    second: Any


def init(key: fn.Key, in_shape: Any) -> fn.Init[Any, Any]:
    return fn.Init((), (), in_shape)


def swapping(params: Any, state: Any, x: Any, mode: fn.Mode) -> fn.Forward[Any, Any, Any]:
    a, b = x, 2 * x
    kept = Kept(a, b)  # holds what a and b are now
    a, b = b, a
    a = a + 1
    x = a * b
    return fn.Forward(x, state, kept)


def swapped(params: Any, residuals: Kept, dy: Any) -> fn.Backward[Any, Any]:
    return fn.Backward((), dy * (2 * residuals.second + 1) + 0 * residuals.first)


def looping(params: Any, state: Any, x: Any, mode: fn.Mode) -> fn.Forward[Any, Any, Any]:
    for _ in range(3):
        x = x * 2
    return fn.Forward(x, state, Kept(second=1.0, first=x))


def looping_by_a_table(params: Any, state: Any, x: Any, mode: fn.Mode) -> fn.Forward[Any, Any, Any]:
    x = x * TIMES["all"]
    for _ in range(3):
        x = x * 2
    return fn.Forward(x, state, Kept(second=1.0, first=x))


def passing_on(params: Any, residuals: Kept, dy: Any) -> fn.Backward[Any, Any]:
    return fn.Backward((), 8 * dy * both(residuals) / both(residuals))


def both(kept: Kept) -> Any:
    if kept.second > 5:
        return None
    return kept.first + kept.second


def branching(params: Any, state: Any, x: Any, mode: fn.Mode, *, scale: float = 3.0) -> fn.Forward[Any, Any, Any]:
    if x.sum() > 0:  # noqa: SIM108 - the shape of function that is tested
        y = scale * x
    else:
        y = -scale * x
    assert_nothing(y)
    return fn.Forward(output=y, residuals=Kept(x, y), state=state)


def branched(params: Any, residuals: Kept, dy: Any) -> fn.Backward[Any, Any]:
    sign = np.sign(residuals.first.sum())
    if sign > 0:
        return fn.Backward((), 3 * dy)
    return fn.Backward((), -3 * dy)


def assert_nothing(y: Any) -> None:
    if y is None:
        raise ValueError
    if y.ndim > 9:
        raise ValueError("nine")


def test_functions_of_all_shapes(own: None) -> None:
    pairs: tuple[tuple[Any, Any], ...] = ((swapping, swapped), (looping, passing_on), (branching, branched))
    closed = 2.0
    pairs += ((lambda p, s, x, m: fn.Forward(closed * x, s, ()), lambda p, r, dy: fn.Backward((), closed * dy)),)
    for x in (np.ones((2, 3)), -np.ones((2, 3))):
        for forward, backward in pairs:
            layer = fn.define_layer("odd", init, forward, backward, random=False)
            model: AnyLayer = fn.serial(fn.dense(3), layer, layer)
            start = model.init(fn.Key(3), (3,))
            assert_equal(model, WEIGHED, start.params, start.state, x, np.full((2, 3), 0.7))


def test_a_function_with_its_own_defaults_and_keywords(own: None) -> None:
    layer: AnyLayer = fn.define_layer("odd", init, partial(branching, scale=5.0), partial(branched), random=False)
    x = np.ones((2, 3))
    assert (flat_predictor(layer)((), (), x) == 5 * x).all()
    assert_equal(layer, WEIGHED, (), (), x, x)


def test_a_source_that_is_no_longer_that_of_the_function_is_not_used(own: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(swapping) is not None
    monkeypatch.setattr(swapping, "__code__", compile("def swapping(p, s, x, m): return x", __file__, "exec").co_consts[0])
    assert read(swapping) is None
    assert read(len) is None


def test_only_functions_of_the_library_are_written_out() -> None:
    relu = fn.relu().forward
    inside = relu.func if isinstance(relu, partial) else relu
    assert read(inside) is not None
    assert read(swapping) is None
    copied = FunctionType(swapping.__code__, vars(sys.modules[inside.__module__]), "forward")  # says that it is the library's
    assert read(copied) is None
    assert read(Kept.__init__) is None


def test_a_writer_takes_back_what_it_cannot_finish(own: None) -> None:
    writer = Writer()
    argument = writer.constant(np.ones(1))
    assert writer.attempt(lambda: writer.inline(looping, [argument] * 4, {})) is None
    assert writer.statements == []
    writer.constant(TIMES)  # a table that anybody may change
    assert not writer.samples.usable


def test_what_is_looked_at_or_taken_back_leaves_samples_usable(own: None) -> None:
    writer = Writer()
    argument = writer.constant(np.ones(1))
    assert writer.attempt(lambda: writer.inline(looping_by_a_table, [argument] * 4, {})) is None
    assert writer.samples.usable
    look = Translate(writer, {"TIMES": TIMES}, {})
    look.evaluate(expression("'all' in TIMES"))
    assert writer.samples.usable
    look.expression(expression("'all' in TIMES"))  # what is written is another matter
    assert not writer.samples.usable


# --------------------------------------------------------------------------------------- what may change between two calls

SCALE = 2.0
TIMES = {"all": 2.0}
SWITCHES: list[str] = []
MODULE = ModuleType("settings")
MODULE.__dict__["factor"] = 2.0


def scaled_by_name(params: Any, state: Any, x: Any, mode: fn.Mode) -> fn.Forward[Any, Any, Any]:
    return fn.Forward(SCALE * x, state, ())


def scaled_by_helper(params: Any, state: Any, x: Any, mode: fn.Mode) -> fn.Forward[Any, Any, Any]:
    return fn.Forward(helper(x), state, ())


def helper(x: Any) -> Any:
    return x + SCALE


def another_helper(x: Any) -> Any:
    return x - SCALE


def scaled_by_module(params: Any, state: Any, x: Any, mode: fn.Mode) -> fn.Forward[Any, Any, Any]:
    return fn.Forward(MODULE.factor * x, state, ())


def switched(switches: Any, params: Any, state: Any, x: Any, mode: fn.Mode) -> fn.Forward[Any, Any, Any]:
    y = x + 1
    if switches or not SWITCHES or "other" in switches:
        y = 3 * y
    return fn.Forward(y, state, ())


def append(switches: list[str]) -> Callable[[pytest.MonkeyPatch], None]:
    return lambda patch: switches.append("on")


LOCAL: list[str] = []
CHANGES = [
    (scaled_by_name, lambda patch: patch.setattr(f"{__name__}.SCALE", 5.0)),
    (scaled_by_helper, lambda patch: patch.setattr(f"{__name__}.SCALE", 5.0)),
    (scaled_by_helper, lambda patch: patch.setattr(f"{__name__}.helper", another_helper)),
    (scaled_by_module, lambda patch: patch.setattr(MODULE, "factor", 5.0)),
    (partial(switched, ("on",)), lambda patch: patch.setattr(f"{__name__}.SWITCHES", ["on"])),
    (partial(switched, ()), lambda patch: patch.setattr(f"{__name__}.SWITCHES", ["on"])),
    (partial(switched, LOCAL), append(LOCAL)),
]


@pytest.mark.parametrize(("forward", "change"), CHANGES)
def test_what_changes_outside_of_the_function_is_seen(
    forward: Any, change: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    model: AnyLayer = fn.serial(fn.dense(3), fn.define_layer("odd", init, forward, free_backward, random=False))
    start = model.init(fn.Key(3), (3,))
    x, target = np.ones((2, 3)), np.ones((2, 3))
    predictors = both_predictors(model, start.params, x)
    trainers = both_forms(model, WEIGHED, start.params, x, target)
    for _ in range(2):
        expected = plain(model, WEIGHED)(start.params, start.state, x, target, TRAIN)
        for predict_with, run in zip(predictors, trainers, strict=True):
            assert run(start.params, start.state, x, target, TRAIN).loss == expected.loss
            assert (predict_with(start.params, start.state, x) == expected.output).all()
        change(monkeypatch)


def test_an_array_has_no_truth_beforehand() -> None:
    given = np.ones(2)
    layer: AnyLayer = fn.define_layer("odd", init, partial(asking, given), free_backward, random=False)
    assert_equal(layer, WEIGHED, (), (), np.ones((2, 3)), np.ones((2, 3)))


def asking(given: Any, params: Any, state: Any, x: Any, mode: fn.Mode) -> fn.Forward[Any, Any, Any]:
    y = x * 2
    if given is None or not given.any():
        y = y + 1
    return fn.Forward(y, state, ())


@attrs.define
class Times:
    """A function with a number that may change: it cannot be hashed."""

    factor: float

    def __call__(self, params: Any, state: Any, x: Any, mode: fn.Mode) -> fn.Forward[Any, Any, Any]:
        return fn.Forward(self.factor * x, state, ())


def test_a_callable_object_is_called() -> None:
    times = Times(2.0)
    layer: AnyLayer = fn.define_layer("odd", init, times, free_backward, random=False)
    x = np.ones((1, 2))
    for predict_with in both_predictors(layer, (), x):
        times.factor = 2.0
        assert (predict_with((), (), x) == 2).all()
        times.factor = 3.0
        assert (predict_with((), (), x) == 3).all()


def test_what_a_closure_holds_is_let_go() -> None:
    import gc
    import weakref

    def use() -> Any:
        held = np.ones(5)

        def forward(params: Any, state: Any, x: Any, mode: fn.Mode) -> fn.Forward[Any, Any, Any]:
            return fn.Forward(held[0] * x, state, ())

        layer: AnyLayer = fn.define_layer("odd", init, forward, free_backward, random=False)
        predict_with = fn.compiled(layer)
        for _ in range(2):
            predict_with((), (), np.ones((1, 2)))
        return weakref.ref(held)

    held = use()
    gc.collect()
    assert held() is None


def test_threads_that_call_one_function_get_the_same() -> None:
    model: AnyLayer = fn.serial(fn.dense(5), fn.dropout(0.5), fn.relu(), fn.dense(3))
    start = model.init(fn.Key(0), (4,))
    x, labels = np.random.default_rng(0).normal(size=(6, 4)), np.array([0, 1, 2, 2, 1, 0])
    step = fn.compiled(fn.loss_and_grad(model, fn.softmax_cross_entropy()))
    keys = [fn.Train(fn.Key(seed)) for seed in range(80)]
    loss = fn.softmax_cross_entropy()
    expected = [value_and_grads(model, loss, start.params, start.state, x, labels, mode).grads for mode in keys]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            got = pool.map(lambda mode: step(start.params, start.state, x, labels, mode).grads, keys)
            assert all(fn.tree.same(one, other) for one, other in zip(expected, got, strict=True))


def test_threads_write_one_at_a_time() -> None:
    """Python 3.11 takes two that build syntax at once for an error of its own."""
    inside: list[int] = []
    most: list[int] = []

    def write() -> int:
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.005)  # time for others to come, if they may
        return inside.pop()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: written(write, max), range(8))) == [1] * 8
    assert max(most) == 1


# ----------------------------------------------------------------------------------------------------------------- errors


def failing(params: Any, state: Any, x: Any, mode: fn.Mode) -> fn.Forward[Any, Any, Any]:
    y = x[:, :2]
    if y.ndim == 2:
        raise ValueError("no reason")
    return fn.Forward(y, state, ())


def failing_backward(params: Any, residuals: Any, dy: Any) -> fn.Backward[Any, Any]:
    dx = dy + dy
    raise ValueError(f"{dx.shape} either")


FAILING = fn.define_layer("failing", init, failing, failing_backward, random=False)
FAILING_BACKWARD = fn.define_layer("failing", init, free_forward, failing_backward, random=False)


def raised(function: Callable[[], Any]) -> tuple[type, str, list[str]]:
    with pytest.raises((TypeError, ValueError)) as caught:
        function()
    return caught.type, str(caught.value), getattr(caught.value, "__notes__", [])


@pytest.mark.parametrize("failing_layer", [FAILING, FAILING_BACKWARD], ids=["forward", "backward"])
def test_errors_carry_the_same_notes(failing_layer: AnyLayer, own: None) -> None:
    model: AnyLayer = fn.serial(fn.dense(3), fn.serial(fn.relu(), fn.serial(failing_layer), fn.relu()))
    start = model.init(fn.Key(0), (3,))
    arguments = (start.params, start.state, np.ones((2, 3)), np.ones((2, 3)), TRAIN)
    expected = raised(lambda: plain(model, WEIGHED)(*arguments))
    for run in both_forms(model, WEIGHED, start.params, arguments[2], arguments[3]):
        assert raised(lambda run=run: run(*arguments)) == expected  # type: ignore[misc]  # bound now
    assert "[1][1][0] failing" in expected[2][0]


def test_wrong_inputs_give_the_same_errors() -> None:
    model, params, state, x, labels = network()
    loss = fn.softmax_cross_entropy()
    trainers = both_forms(model, loss, params, x, labels)
    predictors = both_predictors(model, params, x)
    inputs: tuple[Any, ...] = (x[:, :3], x[0], x.astype(int), x.tolist(), x.astype(np.longdouble), x[:5])
    for wrong in inputs:
        expected = raised(lambda x=wrong: plain(model, loss)(params, state, x, labels, TRAIN))  # type: ignore[misc]  # bound now
        for run in trainers:
            assert raised(lambda x=wrong, run=run: run(params, state, x, labels, TRAIN)) == expected  # type: ignore[misc]  # bound now
        if wrong is not inputs[-1]:
            expected = raised(lambda x=wrong: model.forward(params, state, x, PREDICT))  # type: ignore[misc]  # bound now
            for run in predictors:
                assert raised(lambda x=wrong, run=run: run(params, state, x)) == expected  # type: ignore[misc]  # bound now
    parts: tuple[tuple[Any, Any], ...] = ((params[:2], state), (params, state[:2]), (list(params), state), (params[0], state))
    for one, other in parts:
        expected = raised(lambda p=one, s=other: plain(model, loss)(p, s, x, labels, TRAIN))  # type: ignore[misc]  # bound now
        for run in trainers:
            assert raised(lambda p=one, s=other, run=run: run(p, s, x, labels, TRAIN)) == expected  # type: ignore[misc]  # bound now


def malformed(node: Any) -> Iterator[Any]:
    """Yield trees in which one part of a tree is something else."""
    yield from ((), np.ones(2), None, [1], (1, 2, 3), np.array(3), np.ones((4, 4), np.float32))
    if type(node) is tuple:
        for index, child in enumerate(node):
            yield from ((*node[:index], other, *node[index + 1 :]) for other in malformed(child))
    elif attrs.has(type(node)):
        for one in attrs.fields(type(node)):
            yield from (attrs.evolve(node, **{one.name: other}) for other in malformed(getattr(node, one.name)))


def outcome(function: Callable[[], Any]) -> object:
    try:
        return fn.tree.leaves(function().grads)[0].tobytes()
    except Exception as error:
        return type(error), str(error), getattr(error, "__notes__", [])


def test_wrong_arguments_of_a_nested_network_give_the_same_errors() -> None:
    inside = fn.serial(fn.batch_norm(), fn.dropout(0.3), fn.serial(fn.gelu(), fn.dense(3)))
    model: AnyLayer = fn.serial(fn.serial(fn.flatten(), fn.dense(4)), fn.residual(fn.layer_norm() >> fn.dense(4)), inside)
    start, loss = model.init(fn.Key(0), (2, 3)), fn.softmax_cross_entropy()
    x, labels = np.ones((5, 2, 3)), np.array([0, 1, 2, 1, 0])
    trainers = both_forms(model, loss, start.params, x, labels)
    tries: list[tuple[Any, Any, Any, Any]] = [(params, start.state, x, labels) for params in malformed(start.params)]
    tries += [(start.params, state, x, labels) for state in malformed(start.state)]
    tries += [(start.params, start.state, x, target) for target in (labels[:2], labels.astype(float), labels * 9, None)]
    tries += [(start.params, start.state, other, labels) for other in (x[0], x[:0], x.tolist(), None, x.astype(object))]
    for arguments in tries:
        expected = outcome(lambda a=arguments: plain(model, loss)(*a, TRAIN))  # type: ignore[misc]  # bound now
        for run in trainers:
            assert outcome(lambda a=arguments, run=run: run(*a, TRAIN)) == expected  # type: ignore[misc]  # bound now


def test_a_traceback_shows_the_line(own: None) -> None:
    model: AnyLayer = fn.serial(fn.dense(3), FAILING)
    start = model.init(fn.Key(0), (3,))
    with pytest.raises(ValueError, match="no reason") as caught:
        flat_predictor(model)(start.params, start.state, np.ones((2, 3)))
    assert "raise ValueError('no reason')" in "".join(traceback.format_exception(caught.value)).replace('"', "'")


# ------------------------------------------------------------------------------------------- when they are written, and kept


def test_a_compiled_function_gives_the_same_as_the_plain_one_and_can_be_pickled_and_copied() -> None:
    model, params, state, x, labels = network()
    step = fn.loss_and_grad(model, fn.softmax_cross_entropy())
    fast = fn.compiled(step)
    predict_with = fn.compiled(model)
    expected, output = step(params, state, x, labels, TRAIN), fn.apply(model, params, state, x)
    for run in (fast, pickle.loads(pickle.dumps(fast)), copy.deepcopy(fast), fn.compiled(fast)):
        for _ in range(3):
            assert fn.tree.same(expected.grads, run(params, state, x, labels, TRAIN).grads)
    for run_apply in (predict_with, pickle.loads(pickle.dumps(predict_with)), copy.copy(predict_with)):
        for _ in range(3):
            assert fn.tree.same(output, run_apply(params, state, x))
    assert repr(fast) == f"compiled({step!r})"
    assert repr(predict_with) == f"compiled({model!r})"


def test_a_plain_call_runs_the_plain_code_whatever_was_compiled() -> None:
    """A layer and a loss_and_grad function hold nothing that a call could change."""
    model, params, state, x, labels = network()
    step = fn.loss_and_grad(model, fn.softmax_cross_entropy())
    before = pickle.dumps((model, step))
    for _ in range(3):
        fn.compiled(step)(params, state, x, labels, TRAIN)
        fn.compiled(model)(params, state, x)
        step(params, state, x, labels, TRAIN)
        fn.apply(model, params, state, x)
    assert pickle.dumps((model, step)) == before


def test_what_the_library_made_of_a_step_is_compiled_inside() -> None:
    model, params, state, x, labels = network()
    step = fn.penalized(fn.penalized(fn.loss_and_grad(model, fn.softmax_cross_entropy()), fn.l2_penalty(0.1)), fn.l1_penalty(0.1))
    fast: Any = fn.compiled(step)
    assert isinstance(fast.args[0].args[0], CompiledStep)
    for _ in range(2):
        assert fn.tree.same(step(params, state, x, labels, TRAIN).grads, fast(params, state, x, labels, TRAIN).grads)


def test_other_functions_are_called_as_they_stand_and_other_things_refused() -> None:
    def own(params: Any, state: Any, x: Any, target: Any, mode: fn.Mode, /) -> LossAndGrad[Any, Any, Any]:
        return LossAndGrad(np.float64(0), params, state, x)

    assert fn.compiled(own) is own
    with pytest.raises(
        TypeError, match="compiled takes a layer, an optimizer, or a function such as loss_and_grad returns, got 3"
    ):
        fn.compiled(3)  # type: ignore[call-overload]  # that is the point


def test_another_gradient_is_another_function() -> None:
    model, params, state, x, labels = network()
    loss = fn.softmax_cross_entropy()
    expected = plain(model, loss)(params, state, x, labels, TRAIN).grads
    evolved = attrs.evolve(model.parts[1], backward=nothing_back)
    other: AnyLayer = fn.serial(model.parts[0], evolved, model.parts[2])
    got = flat(other, loss, params, labels)(params, state, x, labels, TRAIN).grads
    assert fn.tree.same(expected[2], got[2])
    assert not got[0].weight.any()
    whole: AnyLayer = attrs.evolve(model, backward=nothing_back_of_three)
    assert not flat(whole, loss, params, labels)(params, state, x, labels, TRAIN).grads[2].weight.any()


def nothing_back(params: Any, residuals: Any, dy: Any) -> fn.Backward[Any, Any]:
    return fn.Backward((), 0 * dy)


def nothing_back_of_three(params: Any, residuals: Any, dy: Any) -> fn.Backward[Any, Any]:
    return fn.Backward(fn.tree.map(lambda leaf: 0 * leaf, params), dy)


def test_observed_networks_are_observed() -> None:
    model, params, state, x, labels = network()
    seen: list[tuple[str, str]] = []
    watched = watch(lambda one: seen.append((one.phase, one.path)), model)
    expected = plain(watched, fn.softmax_cross_entropy())(params, state, x, labels, TRAIN)
    order, seen[:] = list(seen), []
    got = flat(watched, fn.softmax_cross_entropy(), params, labels)(params, state, x, labels, TRAIN)
    assert seen == order
    assert fn.tree.same(expected.grads, got.grads)


# ------------------------------------------------------------------------------------------------- shapes that are known


def test_arrays_of_known_shapes_are_tested_once() -> None:
    model, params, _, x, labels = network()
    general, known = both_forms(model, fn.softmax_cross_entropy(), params, x, labels)
    tests = {"isinstance", "ndim", "reshape"}
    assert tests - {"reshape"} <= set(general.__code__.co_names)
    assert set(known.__code__.co_names) & tests <= {"reshape"}  # in a branch of the loss


def test_other_shapes_and_dtypes_take_the_general_way() -> None:
    model, params, state, x, labels = network()
    loss = fn.softmax_cross_entropy()
    known, predict_with = both_forms(model, loss, params, x, labels)[1], predictor(model, PREDICT, params, x)
    single = fn.tree.astype(params, np.float32)
    for own, rows in ((params, 5), (single, 6), (params, 1)):
        given = x[:rows].astype(own[0].weight.dtype)
        expected = plain(model, loss)(own, state, given, labels[:rows], TRAIN)
        got = known(own, state, given, labels[:rows], TRAIN)
        assert fn.tree.same(expected.grads, got.grads)
        assert fn.tree.same(expected.output, predict_with(own, state, given))


def asking_numbers(params: Any, state: Any, x: Any, mode: fn.Mode) -> fn.Forward[Any, Any, Any]:
    largest = x.ravel().dot(np.ones(x.size))
    if largest > 0:
        y = x * 3
    else:
        y = -x
        y = y * y.shape[0]
    y *= 2 if y.ndim == 2 else 5
    if y.size > 4 and x.ndim > 1:
        y = y[:, None]
    elif largest < -9:
        raise ValueError("too low")
    return fn.Forward(y if y.ndim == 2 else y[:, 0], state, Kept(largest, y.shape))


def numbers_asked(params: Any, residuals: Kept, dy: Any) -> fn.Backward[Any, Any]:
    factor = 6 if residuals.first > 0 else -2 * residuals.second[0]
    return fn.Backward((), dy * factor)


def test_numbers_decide_when_the_function_runs_and_shapes_before(own: None) -> None:
    layer: AnyLayer = fn.define_layer("odd", init, asking_numbers, numbers_asked, random=False)
    model: AnyLayer = fn.serial(fn.scale(), layer)
    for shape in ((2, 3), (2, 2)):
        start, example = model.init(fn.Key(0), shape[1:]), np.ones(shape)
        for run in both_forms(model, WEIGHED, start.params, example, example):
            for x in (example, -example):
                expected = plain(model, WEIGHED)(start.params, start.state, x, example, TRAIN)
                got = run(start.params, start.state, x, example, TRAIN)
                assert fn.tree.same(expected.grads, got.grads)
                assert fn.tree.same(expected.output, got.output)


def test_samples() -> None:
    samples = Samples({"np": np, "sqrt": np.sqrt, "number": 3.0, "zeros": np.zeros})
    samples.give("x", np.ones((2, 3), np.float32))
    samples.give("n", np.ones(3, int))
    samples.give("p", (np.ones(3), {"a": np.ones(4)}))
    for text, value in {
        "x.shape[-1]": 3,
        "x.ndim == 2 and len(x) < 3": True,
        "not x.size or x.dtype.kind in 'fc'": True,
        "x.T.dot(x).shape": (3, 3),
        "sqrt(x, x).shape[:1]": (2,),
        "sqrt(x + 1, out=x).size // 4": 1,
        "type(x[:, None]) is tuple": False,
        "(x > 0).dtype.kind": "b",
        "np.zeros(x.shape).size": 6,
        "-x.ndim": -2,
        "p[0].shape": (3,),
        "x[n.sum()].shape": (3,),
        "x.shape[1] in (1, 3)": True,
        "x[n, n].shape == x[n][0].shape": True,
        "number": 3.0,
    }.items():
        assert samples.fact(expression(text)) == value, text
    for text in (
        "x.sum()",
        "x.sum() > 0",
        "x.flags",
        "x[0, 0]",
        "y.shape",
        "len(x.dtype)",
        "x.reshape(5).size",
        "x[x > 0].size",
        "x.sum() > 0 or x.ndim > 5",
        "x.sum() == 0 and x.ndim == 2",
        "x[: n.sum()].size",
        "np.zeros(n.sum()).size",
        "x.reshape(n.sum(), -1).size",
        "x is p",
        "x.shape[n[0]]",
        "n[0] == 0 or 1",
        "n[0]",
        "x.sum() in (0.0,)",
        "x.real.sum() or 3",
    ):
        assert samples.fact(expression(text)) is UNKNOWN, text


def test_samples_follow_assignments() -> None:
    samples = Samples({"unknown": print})
    samples.give("x", np.ones((2, 3)))

    def after(code: str) -> object:
        for statement in ast.parse(code).body:
            samples.note(statement)
        return samples.fact(expression("y.shape"))

    assert after("y = x.T") == (3, 2)
    assert after("y += 1") == (3, 2)
    assert after("y[0] = 5") == (3, 2)
    assert after("if x.sum() > 0:\n y = y * 2\nelse:\n y = x.T") == (3, 2)
    assert after("if x.sum() > 0:\n raise ValueError\nelse:\n y = x") == (2, 3)
    assert after("if x.sum() > 0:\n y = x.T") is UNKNOWN
    assert after("y, z = x, 3") == (2, 3)
    assert after("(y, z), w = x, 3") is UNKNOWN
    assert after("y = x") == (2, 3)
    assert after("y = unknown(x)") is UNKNOWN
    assert after("y = x") == (2, 3)
    assert after("y.shape = (6,)") is UNKNOWN
