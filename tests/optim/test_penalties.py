"""Penalties on parameters: values, gradients, and what is added to a loss."""

import pickle
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn import tree
from funcnn.check import check_grad

PARAMS = {"bias": np.array([0.5, -1.5]), "weight": np.random.default_rng(0).normal(size=(3, 2))}
BOTH = (fn.l1_penalty(0.3), fn.l2_penalty(0.7))


@pytest.mark.parametrize("penalty", BOTH)
def test_gradient_is_proved(penalty: Any) -> None:
    check_grad(penalty.value, penalty.gradient, PARAMS).raise_if_failed()


@pytest.mark.parametrize("where", ["weight", fn.is_matrix])
def test_only_the_chosen_leaves_count(where: Any) -> None:
    weight = PARAMS["weight"]
    one, two = fn.l1_penalty(0.3, where=where), fn.l2_penalty(0.7, where=where)
    np.testing.assert_allclose(one.value(PARAMS), 0.3 * sum(abs(p) for p in weight.ravel()), rtol=1e-14)
    np.testing.assert_allclose(two.value(PARAMS), 0.35 * sum(p * p for p in weight.ravel()), rtol=1e-14)
    for penalty in (one, two):
        assert not penalty.gradient(PARAMS)["bias"].any()
        assert penalty.gradient(PARAMS)["weight"].all()
        check_grad(penalty.value, penalty.gradient, PARAMS).raise_if_failed()


@pytest.mark.parametrize("penalty", BOTH)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble])
def test_the_precision_is_that_of_the_parameters(penalty: Any, dtype: Any) -> None:
    params = tree.astype(PARAMS, dtype)
    assert penalty.value(params).dtype == dtype
    tree.check_like(params, penalty.gradient(params))


def test_nothing_to_penalize_is_0() -> None:
    assert fn.l2_penalty(1.0, where="nothing").value(PARAMS) == 0
    assert fn.l1_penalty(1.0).value(()) == 0


@pytest.mark.parametrize("penalty", BOTH)
def test_value_is_analytic(penalty: Any) -> None:
    small: Any = 1e-30j
    step = tree.map(lambda leaf: leaf + small * np.cos(leaf), PARAMS)
    slope = sum((g * np.cos(p)).sum() for g, p in zip(tree.leaves(penalty.gradient(PARAMS)), tree.leaves(PARAMS), strict=True))
    np.testing.assert_allclose(penalty.value(step).imag / 1e-30, slope, rtol=1e-13)


def test_penalized_adds_value_and_gradient() -> None:
    model = fn.dense(2) >> fn.tanh()
    start = model.init(fn.Key(0), (3,))
    x, y = np.random.default_rng(1).normal(size=(2, 4, 3))
    step = fn.loss_and_grad(model, fn.mean_squared_error())
    more = fn.penalized(step, *BOTH)
    arguments: Any = (start.params, start.state, x, y[:, :2], fn.Train(fn.Key(2)))
    plain, made = step(*arguments), more(*arguments)
    np.testing.assert_allclose(made.loss, plain.loss + sum(one.value(start.params) for one in BOTH), rtol=1e-14)
    for got, loss_part, p in zip(*map(tree.leaves, (made.grads, plain.grads, start.params)), strict=True):
        np.testing.assert_allclose(got, loss_part + 0.3 * np.sign(p) + 0.7 * p, rtol=1e-13)
    assert tree.same(made.output, plain.output)
    assert tree.same(pickle.loads(pickle.dumps(more))(*arguments).grads, made.grads)


def test_training_with_a_penalty_finds_the_ridge_solution() -> None:
    model = fn.linear(1)
    x, y = np.random.default_rng(3).normal(size=(40, 2)), np.random.default_rng(4).normal(size=(40, 1))
    loss = fn.mean_squared_error()
    fitted = fn.fit(
        model,
        loss,
        fn.sgd(0.2),
        x,
        y,
        key=fn.Key(0),
        epochs=100,
        batch_size=40,
        wrap=lambda step: fn.penalized(step, fn.l2_penalty(0.5)),
    )
    ridge = np.linalg.solve(2 / 40 * x.T @ x + 0.5 * np.eye(2), 2 / 40 * x.T @ y)
    np.testing.assert_allclose(fitted.params.weight, ridge, rtol=1e-9)


def test_wrong_arguments_are_named() -> None:
    untyped: Any = fn
    with pytest.raises(ValueError, match="strength is"):
        fn.l1_penalty(-1.0)
    with pytest.raises(ValueError, match="not a regular expression"):
        fn.l2_penalty(1.0, where="[")
    with pytest.raises(TypeError, match="penalized takes penalties"):
        untyped.penalized(None, 1e-3)


def test_penalties_print_and_compare() -> None:
    assert fn.l2_penalty(0.5, where=fn.is_matrix) == fn.l2_penalty(0.5, where=fn.is_matrix)
    assert repr(fn.l2_penalty(0.5, where=fn.is_matrix)) == "Penalty(power=2, strength=0.5, where=is_matrix)"
