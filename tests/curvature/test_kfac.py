"""K-FAC steps: where one is Newton's, what they do not depend on, and how far they come."""

import pickle
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn import curvature, tree
from tests.curvature.networks import EVAL, regressor

CASE = regressor()
PLAIN: Any = {"damping": 1e-12, "momentum": 0.0, "max_move": np.inf}


def test_one_step_solves_a_linear_regression() -> None:
    model, loss = fn.dense(2), fn.half_squared_error()
    start = model.init(fn.Key(0), (3,))
    method = curvature.kfac(model, loss, 1.0, **PLAIN)
    made = method.step(start.params, start.state, CASE.x, CASE.target, EVAL, method.init(start.params))
    inputs = np.hstack((CASE.x, np.ones((7, 1))))
    solution = np.linalg.lstsq(inputs, CASE.target)[0]
    np.testing.assert_allclose(made.params.weight, solution[:3], atol=1e-8)  # where the minimizer ends
    np.testing.assert_allclose(made.params.bias, solution[3], atol=1e-8)  # where the minimizer ends


def test_steps_do_not_depend_on_how_inputs_and_hidden_units_are_scaled() -> None:
    """Martens & Grosse (2015), theorem 1: invariance under affine maps of inputs and activities."""
    model = fn.dense(2) >> fn.tanh() >> fn.dense(2)
    start = model.init(fn.Key(0), (3,))
    scale, shift = np.array([0.01, 1.0, 50.0]), np.array([1.0, -2.0, 3.0])
    first = start.params[0]
    weight = first.weight / scale[:, None]
    other = (type(first)(weight, first.bias - shift @ weight), *start.params[1:])
    method = curvature.kfac(model, CASE.loss, 0.5, **PLAIN)
    outputs = []
    for params, x in ((start.params, CASE.x), (other, CASE.x * scale + shift)):
        np.testing.assert_allclose(
            fn.apply(model, params, start.state, x), fn.apply(model, start.params, start.state, CASE.x), atol=1e-12
        )
        opt_state = method.init(params)
        for _ in range(3):
            made = method.step(params, start.state, x, CASE.target, EVAL, opt_state)
            params, opt_state = made.params, made.opt_state
        outputs.append(fn.apply(model, params, start.state, x))
    np.testing.assert_allclose(outputs[1], outputs[0], rtol=1e-3, atol=1e-4)  # damping is not invariant
    assert np.abs(outputs[0] - fn.apply(model, start.params, start.state, CASE.x)).max() > 0.1


def test_a_step_is_the_formula() -> None:
    method = curvature.kfac(
        CASE.model, CASE.loss, 0.3, damping=0.1, momentum=0.5, max_move=1e-3, options=curvature.KFACOptions(decay=0.8)
    )
    params, opt_state = CASE.params, method.init(CASE.params)
    velocity: Any = tree.map(np.zeros_like, params)
    weights = np.array([])
    measured = []
    for _ in range(3):
        factors = curvature.kronecker_factors(CASE.model, CASE.loss)(params, *CASE.at[1:], EVAL)
        measured.append(
            [(block.input_factor, block.output_factor) for block in factors.blocks if isinstance(block, curvature.KroneckerBlock)]
        )
        weights = np.append(weights * 0.8, 0.2)
        grads = fn.loss_and_grad(CASE.model, CASE.loss)(params, *CASE.at[1:], EVAL).grads
        direction = []
        for index, layer in enumerate((grads[0], grads[2])):
            a, b = [
                sum(w * one[index][which] for w, one in zip(weights, measured, strict=True)) / weights.sum() for which in (0, 1)
            ]
            matrix = np.kron(a, b) + 0.1 * np.eye(len(a) * len(b))
            both = np.vstack((layer.weight, layer.bias))
            direction.append(np.linalg.solve(matrix, both.ravel()).reshape(both.shape))
        squared = sum(
            float(np.sum(one * np.vstack((layer.weight, layer.bias))))
            for one, layer in zip(direction, (grads[0], grads[2]), strict=True)
        )
        rate = 0.3 * min(1.0, np.sqrt(1e-3 / (0.3**2 * squared)))
        natural = (
            type(grads[0])(direction[0][:-1], direction[0][-1]), (), type(grads[2])(direction[1][:-1], direction[1][-1]),
        )  # fmt: skip
        velocity = tree.map(lambda v, d, rate=rate: 0.5 * v - rate * d, velocity, natural)  # type: ignore[misc]  # its default
        expected: Any = tree.map(np.add, params, velocity)
        made = method.step(params, *CASE.at[1:], EVAL, opt_state)
        params, opt_state = made.params, made.opt_state
        for one, other in zip(tree.leaves(params), tree.leaves(expected), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-8)  # times the condition of the factors
    assert opt_state.count == opt_state.measured == 3


def test_factors_are_measured_now_and_then() -> None:
    method = curvature.kfac(CASE.model, CASE.loss, 0.1, options=curvature.KFACOptions(every=3))
    params, opt_state = CASE.params, method.init(CASE.params)
    counts = []
    for _ in range(5):
        made = method.step(params, *CASE.at[1:], EVAL, opt_state)
        params, opt_state = made.params, made.opt_state
        counts.append(opt_state.measured)
    assert counts == [1, 1, 1, 2, 2]
    again = pickle.loads(pickle.dumps(opt_state))
    first, second = [method.step(params, *CASE.at[1:], EVAL, one) for one in (opt_state, again)]
    assert tree.same(first.params, second.params)


def test_digits_take_far_fewer_steps_than_adam() -> None:
    data = fn.data.digits(flat=True)
    x, labels = data.x[:400], data.y[:400]
    model, loss = fn.mlp(64, 32, 10, activation="tanh"), fn.softmax_cross_entropy()
    start = model.init(fn.Key(0), (64,))
    method = curvature.kfac(model, loss, 0.3, damping=1e-2, options=curvature.KFACOptions(every=5, samples=1))
    params, opt_state = start.params, method.init(start.params)
    for index in range(15):
        made = method.step(params, start.state, x, labels, fn.Train(fn.Key(1).child(index)), opt_state)
        params, opt_state = made.params, made.opt_state
    ends = []
    for rate in (3e-3, 1e-2, 3e-2):
        optimizer, other = fn.adam(rate), start.params
        state = optimizer.init(other)
        for _ in range(15):
            updated = optimizer.update(other, fn.loss_and_grad(model, loss)(other, start.state, x, labels, EVAL).grads, state)
            other, state = updated.params, updated.state
        ends.append(fn.loss_and_grad(model, loss)(other, start.state, x, labels, EVAL).loss)
    assert fn.loss_and_grad(model, loss)(params, start.state, x, labels, EVAL).loss < min(ends) / 2


def test_what_does_not_fit_is_named() -> None:
    method: Any = curvature.kfac(CASE.model, CASE.loss, 0.1)
    with pytest.raises(TypeError, match="opt_state is None, expected what init or the last step gave"):
        method.step(*CASE.at, EVAL, None)
    with pytest.raises(ValueError, match=r"opt_state.velocity.* expected"):
        method.step(*CASE.at, EVAL, method.init(np.ones(3)))
    with pytest.raises(ValueError, match=r"the gradient\[0\].weight is not finite"):
        method.step(CASE.params, CASE.state, CASE.x * np.nan, CASE.target, EVAL, method.init(CASE.params))
    with pytest.raises(ValueError, match="damping is 0"):
        curvature.kfac(CASE.model, CASE.loss, 0.1, damping=0)
    with pytest.raises(TypeError, match=r"options is 'true', expected fn.curvature.KFACOptions"):
        curvature.kfac(CASE.model, CASE.loss, 0.1, options="true")  # type: ignore[arg-type]  # on purpose
