"""Composition: the chain rule, its errors, and what combinators give."""

import tracemalloc
from typing import Any, cast

import attrs
import numpy as np
import pytest

import funcnn as fn
from funcnn import tree
from funcnn.layer import AnyLayer
from funcnn.layer.watch import Seen, watch


def notes(error: pytest.ExceptionInfo[BaseException]) -> str:
    return "\n".join(error.value.__notes__)


def network() -> AnyLayer:
    return fn.serial(fn.dense(5), fn.serial(fn.tanh(), fn.dense(3)), fn.relu())


def run(model: AnyLayer, shape: Any = (4,), batch: int = 2) -> tuple[Any, Any, Any]:
    start = model.init(fn.Key(0), shape)
    return start.params, start.state, np.random.default_rng(0).normal(size=(batch, *shape))


def test_a_chain_is_its_layers_one_after_another() -> None:
    model = fn.dense(3) >> fn.tanh() >> fn.dense(2)
    params, state, x = run(model)
    by_hand = np.tanh(x @ params[0].weight + params[0].bias) @ params[2].weight + params[2].bias
    np.testing.assert_allclose(fn.apply(model, params, state, x), by_hand, rtol=1e-14)


def test_the_pipe_flattens_itself_but_not_serial() -> None:
    piped = fn.dense(3) >> fn.tanh() >> (fn.dense(2) >> fn.tanh())
    assert len(piped.parts) == 3
    assert [part.name for part in piped.parts] == ["dense(3)", "tanh", "serial"]
    closed = fn.serial(fn.dense(3), fn.tanh()) >> fn.dense(2)
    assert [part.name for part in closed.parts] == ["serial", "dense(2)"]


def test_equal_networks_are_equal_and_others_are_not() -> None:
    assert network() == network()
    assert network() != fn.serial(fn.dense(5), fn.serial(fn.tanh(), fn.dense(4)), fn.relu())
    assert len({network(), network()}) == 1


def test_a_wrong_input_names_the_path_of_the_layer() -> None:
    model = network()
    params, state, _ = run(model)
    with pytest.raises(ValueError, match="expected 4 features") as error:
        model.forward(params, state, np.ones((2, 7)), fn.Eval())
    assert "in layer [0] dense(5), given float64[2, 7]" in notes(error)
    swapped = (params[0], ((), params[0]), ())
    with pytest.raises(ValueError, match="features") as error:
        model.forward(swapped, state, np.ones((2, 4)), fn.Eval())
    assert "in layer [1][1] dense(3)" in notes(error)
    with pytest.raises(ValueError, match="tuple of as many parameters"):
        model.forward(params[:2], state, np.ones((2, 4)), fn.Eval())


def test_a_mismatch_at_init_names_the_path_before_any_arithmetic() -> None:
    model = fn.serial(fn.dense(4), fn.residual(fn.dense(3)))
    with pytest.raises(ValueError, match="keeps the shape") as error:
        model.init(fn.Key(0), (2,))
    assert "in layer [1] residual(dense(3))" in notes(error)


@pytest.mark.parametrize(
    ("shape", "error"), [(4, TypeError), ([4], TypeError), ((0,), ValueError), ((2.0,), ValueError), ((-1, 2), ValueError)]
)
def test_a_wrong_shape_is_refused(shape: Any, error: type[Exception]) -> None:
    for model in (fn.dense(2), network()):
        with pytest.raises(error, match="in_shape"):
            model.init(fn.Key(0), shape)


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (np.ones((2, 4), int), TypeError, "dtype int64"),
        (np.ones((2, 4), bool), TypeError, "dtype bool"),
        (np.full((2, 4), None), TypeError, "dtype object"),
        ([[1.0, 2.0, 3.0, 4.0]], TypeError, "expected a floating np.ndarray"),
        (np.ones(4), ValueError, "x\\[None\\]"),
        (np.ones((2, 4), np.longdouble), TypeError, "higher precision"),
    ],
)
def test_wrong_inputs_are_refused(x: Any, error: type[Exception], message: str) -> None:
    params, state, _ = run(network())
    with pytest.raises(error, match=message):
        fn.apply(network(), params, state, x)


def test_what_is_not_a_layer_is_refused() -> None:
    relu: Any = fn.relu
    for combinator in (fn.serial, fn.branch, fn.parallel, fn.add, fn.concatenate):
        combine: Any = combinator
        with pytest.raises(TypeError, match="a factory is called first"):
            combine(fn.relu(), relu)
    with pytest.raises(TypeError, match="inner is the function relu, expected a layer"):
        fn.residual(relu)
    nothing: Any = fn.serial
    with pytest.raises(ValueError, match="at least one layer"):
        nothing()
    with pytest.raises(TypeError):
        fn.relu() >> relu


def test_a_random_layer_gets_a_key_of_its_own() -> None:
    seen: list[fn.Key] = []

    def forward(params: Any, state: Any, x: Any, mode: Any) -> Any:
        seen.append(mode.key)
        return fn.Forward(x, state, ())

    probe = attrs.evolve(fn.relu(), forward=forward, random=True)
    model = fn.serial(probe, fn.branch(probe, fn.serial(fn.relu(), probe)))
    params, state, x = run(model)
    model.forward(params, state, x, fn.Train(fn.Key(9)))
    assert seen == [fn.Key(9, (0,)), fn.Key(9, (1, 0)), fn.Key(9, (1, 1, 1))]


def test_evaluation_without_residuals_keeps_none() -> None:
    params, state, x = run(network())
    kept: object = network().forward(params, state, x, fn.Eval(residuals=False)).residuals
    assert kept == ()
    with pytest.raises(ValueError, match="were they kept"):
        network().backward(params, network().forward(params, state, x, fn.Eval(residuals=False)).residuals, np.ones((2, 3)))


def test_layers_before_the_first_parameters_are_left_out_of_training() -> None:
    def never(params: Any, residuals: Any, dy: Any) -> Any:
        raise AssertionError("the gradient of the input was computed")

    model = fn.serial(attrs.evolve(fn.tanh(), backward=never), fn.dense(2))
    params, state, x = run(model)
    step = fn.loss_and_grad(model, fn.half_squared_error())
    result = step(params, state, x, np.zeros((2, 2)), fn.Eval())
    tree.check_like(params, result.grads)
    with pytest.raises(AssertionError, match="gradient of the input"):
        model.backward(params, model.forward(params, state, x, fn.Eval()).residuals, np.ones((2, 2)))


def test_an_error_in_backward_names_the_layer() -> None:
    def failing(params: Any, residuals: Any, dy: Any) -> Any:
        raise ZeroDivisionError("wrong")

    model = fn.serial(fn.dense(2), fn.serial(attrs.evolve(fn.tanh(), backward=failing)))
    params, state, x = run(model)
    with pytest.raises(ZeroDivisionError) as error:
        model.backward(params, model.forward(params, state, x, fn.Eval()).residuals, np.ones((2, 2)))
    assert "in layer [1][0] tanh" in notes(error)


def test_parts_make_the_layer_again() -> None:
    for model in (
        network(),
        fn.residual(fn.dense(4)),
        fn.recompute(network()),
        fn.add(fn.relu(), fn.tanh()),
        fn.branch(fn.relu(), fn.tanh()),
        fn.concatenate(fn.relu(), fn.tanh()),
        fn.parallel(fn.relu(), fn.tanh()),
    ):
        made: Any = model
        assert made.combine(made.parts) == made


def test_recompute_keeps_only_the_input() -> None:
    model = fn.recompute(network())
    params, state, x = run(model)
    made: Any = model.forward(params, state, x, fn.Train(fn.Key(0)))
    assert made.residuals.x is x
    assert attrs.fields_dict(type(made.residuals)).keys() == {"state", "x", "mode"}


def deep() -> Any:
    layers: list[Any] = [fn.dense(20) if index % 4 == 0 else fn.tanh() for index in range(64)]
    return fn.serial(*layers)


def peak(model: Any) -> int:
    """Return the most bytes that a gradient allocates."""
    params, state, _ = run(model, (20,))
    x = np.ones((1000, 20))
    step = fn.loss_and_grad(model, fn.mean_squared_error())
    given = params, state, x, np.zeros((1000, 20)), fn.Train(fn.Key(0))
    step(*given)
    tracemalloc.start()
    step(*given)
    found = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return found


def test_recomputing_in_segments_takes_memory_like_the_square_root_of_the_depth() -> None:
    layer = 8 * 20 * 1000  # bytes of one layer's output
    plain, whole, segments = (peak(one) / layer for one in (deep(), fn.recompute(deep()), fn.recompute(deep(), 8)))
    assert plain > 64
    assert whole > 64  # the residuals of all layers are there at the same time, if only in backward
    assert segments < 8 + 8 + 8  # inputs of segments, residuals of one, and what layers and loss work with


@pytest.mark.parametrize("segments", [1, 2, 3, 5])
def test_recomputing_runs_each_layer_twice(segments: int) -> None:
    calls = dict[str, int]()

    def look(seen: Seen) -> None:
        if seen.phase != "init":
            calls[seen.phase + seen.path] = calls.get(seen.phase + seen.path, 0) + 1

    inner = fn.serial(fn.dense(3), fn.tanh(), fn.dropout(0.5), fn.batch_norm(), fn.dense(2))
    watched = fn.map_layers(lambda path, one: one if one.parts else watch(look, one), inner)
    model, plain = fn.recompute(watched, segments), inner
    params, state, x = run(plain)
    mode, target = fn.Train(fn.Key(3)), np.ones((len(x), 2))
    got, expected = (fn.loss_and_grad(one, fn.mean_squared_error())(params, state, x, target, mode) for one in (model, plain))
    assert got.loss == expected.loss
    assert tree.same((got.grads, got.state, got.output), (expected.grads, expected.state, expected.output))
    assert calls == {"forward": 10, "backward": 5}


def test_segments_keep_the_path_of_an_error() -> None:
    model = fn.recompute(fn.serial(fn.dense(3), fn.tanh(), fn.dense(2), fn.tanh()), 2)
    params, state, x = run(model)
    broken = (*params[:2], fn.dense(2).init(fn.Key(0), (7,)).params, ())
    with pytest.raises(ValueError, match="expected 7 features") as error:
        model.forward(broken, state, x, fn.Eval())
    assert "in layer [2] dense(2)" in notes(error)
    kept = model.forward(params, state, x, fn.Eval()).residuals
    with pytest.raises(ValueError) as error:  # noqa: PT011 - NumPy's words
        model.backward(broken, kept, np.ones((2, 2)))
    assert "in layer [2] dense(2)" in notes(error)


def test_wrong_segments() -> None:
    with pytest.raises(ValueError, match="only a chain of layers can be divided"):
        fn.recompute(fn.dense(2), 2)
    with pytest.raises(ValueError, match="4 segments are more than the 3 layers"):
        fn.recompute(network(), 4)
    with pytest.raises(TypeError, match="expected an integer"):
        fn.recompute(network(), 2.0)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize("combine", [fn.add, fn.concatenate])
def test_branches_of_unlike_shapes_are_refused(combine: Any) -> None:
    wrong = {fn.add: fn.dense(2), fn.concatenate: fn.serial(fn.reshape((2, 2)))}[combine]
    with pytest.raises(ValueError, match="the layers give"):
        combine(fn.dense(4), wrong).init(fn.Key(0), (4,))


def test_parallel_needs_a_shape_and_an_input_for_each_layer() -> None:
    pair = fn.parallel(fn.dense(2), fn.relu())
    with pytest.raises(ValueError, match="tuple of as many shapes"):
        pair.init(fn.Key(0), (4,))
    start = pair.init(fn.Key(0), ((4,), (3,)))
    with pytest.raises(ValueError, match="tuple of as many inputs"):
        fn.apply(pair, start.params, start.state, cast(Any, np.ones((1, 4))))


SEVERAL = [np.random.default_rng(seed).normal(size=(2, 3, 4)) for seed in range(3)]


def test_inputs_are_picked_joined_added_and_multiplied() -> None:
    x, y, z = SEVERAL
    np.testing.assert_array_equal(fn.apply(fn.pick_input(2), (), (), (x, y, z)), z)
    for axis in (1, 2, -1, -2):
        joined = fn.apply(fn.join_inputs(axis), (), (), (x, y, z))
        np.testing.assert_array_equal(joined, np.concatenate([x, y, z], axis))
    for index in np.ndindex(x.shape):
        assert fn.apply(fn.add_inputs(), (), (), (x, y, z))[index] == x[index] + y[index] + z[index]
        assert fn.apply(fn.multiply_inputs(), (), (), (x, y, z))[index] == x[index] * y[index] * z[index]


def test_an_input_that_is_one_long_counts_along_the_axis() -> None:
    x, y, _ = SEVERAL
    gate = y[:, :1]
    for layer, whole in ((fn.add_inputs(), x + gate), (fn.multiply_inputs(), x * gate)):
        made = layer.forward((), (), (x, gate), fn.Eval())
        np.testing.assert_array_equal(made.output, whole)
        dx, dgate = layer.backward((), made.residuals, np.ones(x.shape)).input
        assert (dx.shape, dgate.shape) == (x.shape, gate.shape)
        assert layer.init(fn.Key(0), ((3, 4), (1, 4))).out_shape == (3, 4)


def test_the_gradient_of_a_product_is_right_where_factors_are_zero() -> None:
    x = tuple([np.array([[value, 0.0]]) for value in (2.0, 0.0, 3.0)])
    layer = fn.multiply_inputs()
    pulled = layer.backward((), layer.forward((), (), x, fn.Eval()).residuals, np.ones((1, 2))).input
    np.testing.assert_array_equal(np.concatenate(pulled), [[0, 0], [6, 0], [0, 0]])


def test_inputs_that_do_not_fit_are_refused() -> None:
    x, y, _ = SEVERAL
    for layer in (fn.add_inputs(), fn.multiply_inputs(), fn.join_inputs(1)):
        for wrong in ((x, y[..., :3]), (x, y[:1]), (x, y[0]), (x, y.astype(np.float32))):
            with pytest.raises(ValueError, match="the inputs"):
                fn.apply(layer, (), (), wrong)
        with pytest.raises(ValueError, match="shapes"):
            layer.init(fn.Key(0), ((3, 4), (3, 3)))
    untyped: Any = (x, y)
    with pytest.raises(TypeError, match="a tuple of at least 3 inputs"):
        fn.apply(fn.pick_input(2), (), (), untyped)


def test_a_frozen_layer_evaluates_in_training_and_learns_nothing() -> None:
    inner = fn.dense(4) >> fn.batch_norm() >> fn.dropout(0.5)
    layer = fn.frozen(inner)
    start = layer.init(fn.Key(0), (3,))
    state = attrs.evolve(start.state[1], mean=np.full(4, 0.3), var=np.full(4, 2.0))
    x = np.random.default_rng(1).normal(size=(6, 3))
    made = layer.forward(start.params, (start.state[0], state, start.state[2]), x, fn.Train(fn.Key(1)))
    expected = inner.forward(start.params, (start.state[0], state, start.state[2]), x, fn.Eval())
    np.testing.assert_array_equal(made.output, expected.output)
    assert tree.same(made.state, expected.state)
    pulled = layer.backward(start.params, made.residuals, made.output)
    np.testing.assert_array_equal(pulled.input, inner.backward(start.params, expected.residuals, made.output).input)
    tree.check_like(start.params, pulled.params)
    assert not any(leaf.any() for leaf in tree.leaves(pulled.params))


def test_a_frozen_part_stays_as_it_is_when_the_rest_is_trained() -> None:
    model = fn.frozen(fn.dense(4) >> fn.batch_norm()) >> fn.dense(1)
    x = np.random.default_rng(2).normal(size=(16, 3))
    start = model.init(fn.Key(0), (3,))
    made = fn.fit(
        model, fn.mean_squared_error(), fn.adam(0.01), x, x[:, :1], key=fn.Key(0), epochs=2, batch_size=8,
        params=start.params, state=start.state,
    )  # fmt: skip
    assert tree.same(made.state, start.state)
    assert tree.same(made.params[0], start.params[0])
    assert not tree.same(made.params[1], start.params[1])
