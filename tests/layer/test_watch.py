"""Layers by their path, and a network that is watched."""

import pickle
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn import tree

untyped: Any = fn  # for calls that a type checker would refuse
LOG: list[fn.Seen] = []


def log(seen: fn.Seen) -> None:
    LOG.append(seen)


def model() -> Any:
    return fn.dense(4) >> fn.residual(fn.dense(4) >> fn.tanh()) >> fn.branch(fn.dropout(0.5), fn.dense(2)) >> fn.pick_input(1)


X, TARGET = np.random.default_rng(0).normal(size=(5, 3)), np.ones((5, 2))


def step(one: Any) -> Any:
    start = model().init(fn.Key(0), (3,))
    return fn.loss_and_grad(one, fn.mean_squared_error())(start.params, start.state, X, TARGET, fn.Train(fn.Key(1)))


# ------------------------------------------------------------------------------------------------------------ layers by path


def test_a_layer_is_found_where_its_parameters_are() -> None:
    one = model()
    params = one.init(fn.Key(0), (3,)).params
    for path, name in (("[0]", "dense(4)"), ("[1]", "residual(serial)"), ("[1][0]", "dense(4)"), ("[2][1]", "dense(2)")):
        layer = fn.get_layer(one, path)
        assert layer.name == name
        tree.check_structure(layer.init(fn.Key(0), (4,)).params, tree.get(params, path))
    assert fn.get_layer(one, "") is one


def test_another_layer_in_its_place() -> None:
    new = fn.replace_layer(model(), "[2][1]", fn.dense(7))
    assert new.init(fn.Key(0), (3,)).out_shape == (7,)
    assert fn.replace_layer(new, "[2][1]", fn.dense(2)) == model()
    inner = fn.replace_layer(model(), "[1][1]", fn.relu())
    assert [part.name for part in fn.get_layer(inner, "[1]").parts[0].parts] == ["dense(4)", "relu"]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("[4]", r"no layer at path \[4\]: it is serial, of \[0\] dense\(4\), \[1\] residual\(serial\)"),
        ("[1][2]", r"no layer at path \[1\]\[2\]: \[1\] is serial, of \[1\]\[0\] dense\(4\), \[1\]\[1\] tanh"),
        ("[0].weight", r"no layer at path \[0\].weight: \[0\] is dense\(4\), of no parts"),
        ("[0", "path is '\\[0', which does not go on with a step"),
    ],
)
def test_paths_without_a_layer_are_told(path: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fn.get_layer(model(), path)
    with pytest.raises(ValueError, match=message):
        fn.replace_layer(model(), path, fn.relu())


# ------------------------------------------------------------------------------------------------------------------- watched


def test_every_output_and_every_cotangent_is_seen() -> None:
    seen: list[fn.Seen] = []
    made, plain = step(fn.watch(seen.append, model())), step(model())
    assert tree.same((made.grads, made.output), (plain.grads, plain.output))
    outputs = {one.path: one.output for one in seen if one.phase == "forward" and not one.layer.parts}
    gradients = {one.path: one.dparams for one in seen if one.phase == "backward" and not one.layer.parts}
    assert set(outputs) == set(gradients) == {"[0]", "[1][0]", "[1][1]", "[2][0]", "[2][1]", "[3]"}
    for path, own in gradients.items():
        assert tree.same(tree.get(plain.grads, path), own), path
    last = next(one for one in seen if one.phase == "backward" and one.path == "[3]")
    np.testing.assert_allclose(last.doutput, 2 * (plain.output - TARGET) / plain.output.size, rtol=1e-15)
    first = next(one for one in seen if one.phase == "backward" and one.path == "[0]")
    assert first.dinput is None  # which training does not need
    assert all(isinstance(one.mode, fn.Train) for one in seen if one.phase == "forward")


def test_the_layers_of_a_divided_chain_are_seen() -> None:
    inner = fn.serial(fn.dense(4), fn.tanh(), fn.residual(fn.dense(4) >> fn.tanh()), fn.dropout(0.5), fn.dense(2))
    divided: Any = fn.recompute(inner, 2)
    start, mode = divided.init(fn.Key(0), (3,)), fn.Train(fn.Key(1))
    seen: list[fn.Seen] = []
    watched = fn.watch(seen.append, divided)
    made, plain = (
        fn.loss_and_grad(one, fn.mean_squared_error())(start.params, start.state, X, TARGET, mode) for one in (watched, divided)
    )
    assert tree.same((made.grads, made.output), (plain.grads, plain.output))
    assert watched.name == divided.name
    parts = ["[0]", "[1]", "[2]", "[2]", "[2][0]", "[2][1]", "[3]", "[4]"]  # [2] is the residual, and what it is around
    for phase, times in (("forward", 2), ("backward", 1)):
        assert sorted(one.path for one in seen if one.phase == phase) == sorted([*parts * times, ""])
    assert fn.get_layer(divided, "[2][0]") == fn.dense(4)
    assert fn.replace_layer(fn.replace_layer(divided, "[1]", fn.relu()), "[1]", fn.tanh()) == divided


@pytest.mark.parametrize(
    ("which", "paths"),
    [
        ("dense", {"[0]", "[1][0]", "[2][1]"}),
        (r"^\[1\]", {"[1]", "[1][0]", "[1][1]"}),
        (r"^\[1\]\[1\] ", {"[1][1]"}),
        (lambda path, layer: bool(layer.random) and not layer.parts, {"[2][0]"}),
    ],
)
def test_some_layers_are_watched(which: Any, paths: set[str]) -> None:
    seen: list[fn.Seen] = []
    step(fn.watch(seen.append, model(), which=which))
    assert {one.path for one in seen} == paths


def test_a_watched_network_trains_pickles_and_equals_another() -> None:
    LOG.clear()
    watched = fn.watch(log, model(), which="tanh")
    assert watched == fn.watch(log, model(), which="tanh") != model()
    again = pickle.loads(pickle.dumps(watched))
    fn.fit(again, fn.mean_squared_error(), fn.sgd(0.1), X, TARGET, epochs=2, batch_size=5, key=fn.Key(0))
    assert {(one.phase, one.path) for one in LOG} == {("init", "[1][1]"), ("forward", "[1][1]"), ("backward", "[1][1]")}


def test_what_was_not_seen_is_told() -> None:
    seen: list[fn.Seen] = []
    step(fn.watch(seen.append, model(), which="tanh"))
    forward, backward = seen
    with pytest.raises(ValueError, match=r"\[1\]\[1\] was seen in backward, and only forward has an output"):
        _ = backward.output
    with pytest.raises(ValueError, match=r"\[1\]\[1\] was seen in forward, and only backward has a doutput"):
        _ = forward.doutput


def test_layers_that_are_not_there_cannot_be_watched() -> None:
    with pytest.raises(ValueError, match=r"which is 'conv', which means no layer: there are \[0\] dense\(4\)"):
        fn.watch(print, model(), which="conv")
    with pytest.raises(ValueError, match="which='\\[1' is not a regular expression"):
        fn.watch(print, model(), which="[1")
    with pytest.raises(TypeError, match="which is 3, expected a regular expression or a function"):
        untyped.watch(print, model(), which=3)
