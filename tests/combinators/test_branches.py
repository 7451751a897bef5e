"""What is made of several inputs, and layers that are many alike: against plain loops."""

import math
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn import tree
from funcnn.typing import Array

SEVERAL = [np.random.default_rng(seed).normal(size=(2, 3, 4)) for seed in range(3)]


def member(whole: Any, index: int) -> Any:
    """Return one of the trees that a tree with a leading axis holds."""
    return tree.map(lambda leaf: np.asarray(leaf[index]), whole)


def drawn(model: Any, shape: Any, key: int = 0) -> Any:
    """Return parameters of which none is 0, and the state."""
    start = model.init(fn.Key(key), shape)
    generator = np.random.default_rng(3)
    return tree.map(lambda leaf: leaf + generator.normal(size=leaf.shape), start.params), start.state


# ---------------------------------------------------------------------------------------------------------------- of inputs


def test_difference_mean_extremes_and_dot_are_those_of_a_loop() -> None:
    x, y, z = SEVERAL
    minus = fn.apply(fn.subtract_inputs(), (), (), (x, y))
    mean, most, least = (
        fn.apply(layer, (), (), (x, y, z)) for layer in (fn.average_inputs(), fn.maximum_inputs(), fn.minimum_inputs())
    )
    for index in np.ndindex(x.shape):
        numbers = [one[index] for one in (x, y, z)]
        assert minus[index] == x[index] - y[index]
        assert math.isclose(mean[index], math.fsum(numbers) / 3, rel_tol=1e-14)
        assert most[index] == max(numbers)
        assert least[index] == min(numbers)
    dot = fn.apply(fn.dot_inputs(), (), (), (x, y))
    assert dot.shape == (2, 3, 1)
    for n, t in np.ndindex(2, 3):
        assert math.isclose(dot[n, t, 0], math.fsum(x[n, t, i] * y[n, t, i] for i in range(4)), rel_tol=1e-13)


def test_of_equal_inputs_the_first_has_the_slope_and_nan_wins() -> None:
    x = (np.array([[1.0, 2.0]]), np.array([[1.0, np.nan]]), np.array([[0.0, 3.0]]))
    for layer in (fn.maximum_inputs(), fn.minimum_inputs()):
        made = layer.forward((), (), x, fn.Eval())
        assert np.isnan(made.output[0, 1])
        shares = layer.backward((), made.residuals, np.ones((1, 2))).input
        np.testing.assert_array_equal(np.sum(shares, 0), [[1, 1]])
        assert shares[1][0, 1] == 1
    made = fn.maximum_inputs().forward((), (), x, fn.Eval())
    assert fn.maximum_inputs().backward((), made.residuals, np.ones((1, 2))).input[0][0, 0] == 1


def test_the_mean_of_large_numbers_does_not_overflow() -> None:
    large = np.full((1, 1), np.finfo(np.float32).max, np.float32)
    made = fn.apply(fn.average_inputs(), (), (), (large, large, large))
    assert made.dtype == np.float32
    np.testing.assert_allclose(made, large, rtol=1e-6)  # float32


@pytest.mark.parametrize("make", [fn.subtract_inputs, fn.average_inputs, fn.maximum_inputs, fn.minimum_inputs, fn.dot_inputs])
def test_inputs_that_do_not_fit_are_refused(make: Any) -> None:
    x, y, z = SEVERAL
    layer = make()
    for wrong in ((x, y[..., :3]), (x, y[:1]), (x, y[0]), (x, y.astype(np.float32))):
        with pytest.raises(ValueError, match="the inputs"):
            fn.apply(layer, (), (), wrong)
    with pytest.raises(ValueError, match="shapes"):
        layer.init(fn.Key(0), ((3, 4), (3, 3)))
    if make in (fn.subtract_inputs, fn.dot_inputs):
        with pytest.raises(TypeError, match="expected a tuple of 2 inputs"):
            fn.apply(layer, (), (), (x, y, z))


# ------------------------------------------------------------------------------------------------------------- many alike


def test_an_ensemble_is_its_members_side_by_side() -> None:
    inner = fn.dense(2) >> fn.batch_norm() >> fn.dropout(0.4)
    model = fn.ensemble(inner, 3)
    params, state = drawn(model, (4,))
    x = np.random.default_rng(1).normal(size=(5, 4))
    mode = fn.Train(fn.Key(9))
    made = model.forward(params, state, x, mode)
    dy = np.random.default_rng(2).normal(size=(5, 3, 2))
    pulled = model.backward(params, made.residuals, dy)
    dx: Array = np.zeros_like(x)
    for index in range(3):
        own, owns = (member(one, index) for one in (params, state))
        single = inner.forward(own, owns, x, mode.child(index))
        np.testing.assert_array_equal(made.output[:, index], single.output)
        tree.map(np.testing.assert_array_equal, single.state, member(made.state, index))  # type: ignore[arg-type]  # nothing is returned
        back = inner.backward(own, single.residuals, np.ascontiguousarray(dy[:, index]))
        for ours, theirs in zip(tree.leaves(pulled.params), tree.leaves(back.params), strict=True):
            np.testing.assert_array_equal(ours[index], theirs)
        dx = dx + back.input
    np.testing.assert_allclose(pulled.input, dx, rtol=1e-14)
    members = model.init(fn.Key(0), (4,)).params[0].weight
    assert np.unique(members.round(12)).size == members.size  # each starts from a key of its own


def test_repeated_layers_are_a_chain() -> None:
    inner = fn.residual(fn.dense(3) >> fn.tanh() >> fn.dropout(0.4))
    model, plain = fn.repeat(inner, 4), fn.serial(inner, inner, inner, inner)
    params, state = drawn(model, (3,))
    x, dy = np.random.default_rng(1).normal(size=(2, 5, 3))
    apart = tuple([member(params, index) for index in range(4)])
    states = plain.init(fn.Key(0), (3,)).state
    mode = fn.Train(fn.Key(9))
    made, expected = model.forward(params, state, x, mode), plain.forward(apart, states, x, mode)
    np.testing.assert_array_equal(made.output, expected.output)
    pulled, wanted = model.backward(params, made.residuals, dy), plain.backward(apart, expected.residuals, dy)
    np.testing.assert_array_equal(pulled.input, wanted.input)
    for index in range(4):
        assert tree.same(member(pulled.params, index), wanted.params[index])


def test_parameters_of_another_number_of_members_are_refused() -> None:
    for make in (fn.ensemble, fn.repeat):
        three, two = (make(fn.dense(3), count).init(fn.Key(0), (3,)) for count in (3, 2))
        with pytest.raises(ValueError, match=r"params.weight is float64\[2, 3, 3\], expected a leading axis of 3 members"):
            make(fn.dense(3), 3).forward(two.params, three.state, np.ones((1, 3)), fn.Eval())
    with pytest.raises(ValueError, match=r"repeat needs a layer that keeps the shape; dense\(2\) maps \(3,\) to \(2,\)"):
        fn.repeat(fn.dense(2), 2).init(fn.Key(0), (3,))


def test_each_step_is_an_example_of_its_own() -> None:
    inner = fn.conv1d(2, 2) >> fn.tanh()
    for axes in (1, 2):
        model = fn.time_distributed(inner, axes=axes)
        shape = (*(3, 2)[:axes], 5, 1)
        params, state = drawn(model, shape)
        x = np.random.default_rng(1).normal(size=(2, *shape))
        made = model.forward(params, state, x, fn.Eval())
        assert made.output.shape == (2, *model.init(fn.Key(0), shape).out_shape)
        for index in np.ndindex(x.shape[: axes + 1]):
            np.testing.assert_allclose(made.output[index], fn.apply(inner, params, state, x[index][None])[0], rtol=1e-14)
    tokens = fn.time_distributed(fn.embedding(5, 2) >> fn.mean_steps())
    start = tokens.init(fn.Key(0), (3, 4))
    made = tokens.forward(start.params, start.state, np.zeros((2, 3, 4), int), fn.Eval())
    assert made.output.shape == (2, 3, 2)
    assert tokens.backward(start.params, made.residuals, made.output).input is None
    with pytest.raises(ValueError, match="expected 2 axes of steps before those of the layer"):
        fn.time_distributed(inner, axes=2).init(fn.Key(0), (3,))


# ------------------------------------------------------------------------------------------------------------- fine-tuning


def test_a_correction_starts_at_nothing_and_merges_into_the_weight() -> None:
    plain, layer = fn.dense(3), fn.lora(fn.dense(3), 2, alpha=5.0)
    start = layer.init(fn.Key(0), (4,))
    x = np.random.default_rng(0).normal(size=(6, 4))
    np.testing.assert_array_equal(fn.apply(layer, start.params, (), x), fn.apply(plain, start.params.inner, (), x))
    params, _ = drawn(layer, (4,))
    by_hand = x @ (params.inner.weight + 2.5 * params.down @ params.up) + params.inner.bias
    np.testing.assert_allclose(fn.apply(layer, params, (), x), by_hand, rtol=1e-13)
    merged = fn.merge_lora(params, alpha=5.0)
    np.testing.assert_allclose(fn.apply(plain, merged, (), x), by_hand, rtol=1e-13)
    with pytest.raises(TypeError, match="merge_lora needs a layer whose parameters have a weight"):
        fn.merge_lora(drawn(fn.lora(fn.dense(3) >> fn.tanh(), 2), (4,))[0])


def test_the_correction_is_as_precise_as_the_parameters() -> None:
    layer, one = fn.lora(fn.linear(1), 3), np.ones((1, 1), np.longdouble)
    start = drawn(layer, (1,))[0]
    inner = tree.map(lambda leaf: np.zeros(leaf.shape, np.longdouble), start.inner)
    third = fn.LoRAParams(inner, np.eye(1, 3, dtype=np.longdouble), np.ones((3, 1), np.longdouble))
    made = layer.forward(third, (), one, fn.Eval())
    np.testing.assert_array_equal(3 * made.output, one)
    np.testing.assert_array_equal(3 * layer.backward(third, made.residuals, one).input, one)
    np.testing.assert_array_equal(3 * fn.merge_lora(third).weight, one)


def test_only_the_correction_of_a_frozen_layer_learns() -> None:
    model = fn.dense(4) >> fn.tanh() >> fn.dense(3)
    tuned = fn.replace_layer(model, "[2]", fn.lora(fn.frozen(fn.dense(3)), 2))
    params, state = drawn(tuned, (4,))
    x = np.random.default_rng(0).normal(size=(6, 4))
    grads = fn.loss_and_grad(tuned, fn.mean_squared_error())(params, state, x, np.ones((6, 3)), fn.Train(fn.Key(0))).grads
    learned: Any = grads
    assert not learned[2].inner.weight.any()
    assert learned[2].down.all()
    assert learned[2].up.all()


def test_whole_examples_are_dropped_in_training_alone() -> None:
    x = np.ones((4000, 2, 3))
    layer = fn.stochastic_depth(0.25)
    made = layer.forward((), (), x, fn.Train(fn.Key(0))).output
    rows = made.reshape(4000, -1)
    assert set(np.unique(rows.round(12))) == {0, round(4 / 3, 12)}
    assert (rows == rows[:, :1]).all()
    assert abs((rows[:, 0] == 0).mean() - 0.25) < 0.03
    np.testing.assert_array_equal(fn.apply(layer, (), (), x), x)
