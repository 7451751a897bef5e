"""Jacobians, Hessians and Fisher products beside their definitions."""

import pickle
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn import tree

MODE = fn.Train(fn.Key(4))
MODEL = fn.dense(3) >> fn.tanh() >> fn.dropout(0.2) >> fn.dense(2)
START = MODEL.init(fn.Key(0), (2,))
X, LABELS = np.random.default_rng(1).normal(size=(4, 2)), np.array([0, 1, 1, 0])
AT = (START.params, START.state, X)


def drawn(values: Any) -> Any:
    generator = np.random.default_rng(0)
    return tree.map(lambda leaf: generator.normal(size=leaf.shape), values)


def flat(values: Any) -> Any:
    return np.concatenate([leaf.ravel() for leaf in tree.leaves(values)])


def test_jacobians_times_a_direction_are_tangents() -> None:
    for x in (X, X[:1], np.repeat(X, 6, 0)):  # fewer outputs than parameters, and more
        direction, dx = drawn(START.params), drawn(x)
        made = fn.jacobian(MODEL)(START.params, START.state, x, MODE)
        shape = (len(x), 2)
        matrix = np.concatenate([leaf.reshape(*shape, -1) for leaf in tree.leaves(made)], axis=-1)
        tangent = fn.jvp(MODEL)(START.params, START.state, x, direction, None, MODE).tangent
        np.testing.assert_allclose(matrix @ flat(direction), tangent, rtol=1e-12, atol=1e-14)
        of_input = fn.input_jacobian(MODEL)(START.params, START.state, x, MODE)
        tangent = fn.jvp(MODEL)(START.params, START.state, x, None, dx, MODE).tangent
        np.testing.assert_allclose(of_input.reshape(*shape, -1) @ dx.ravel(), tangent, rtol=1e-12, atol=1e-14)
        assert not of_input[0, :, 1:].any()


def test_columns_and_rows_are_one_matrix() -> None:
    wide = fn.linear(5)
    start = wide.init(fn.Key(0), (2,))
    made = fn.input_jacobian(wide)(start.params, start.state, X[:1], fn.Eval())  # 5 outputs, 2 inputs: by columns
    np.testing.assert_allclose(made[0, :, 0], start.params.weight.T)


def test_hessian_is_symmetric_and_has_the_products_as_columns() -> None:
    loss = fn.softmax_cross_entropy()
    matrix = fn.hessian(MODEL, loss)(*AT, LABELS, MODE)
    np.testing.assert_allclose(matrix, matrix.T, rtol=1e-10, atol=1e-15)
    vector = drawn(START.params)
    np.testing.assert_allclose(
        matrix @ flat(vector), flat(fn.hvp(MODEL, loss)(*AT, LABELS, vector, MODE)), rtol=1e-12, atol=1e-14
    )


def test_true_fisher_is_the_expectation_over_the_models_own_labels() -> None:
    loss = fn.softmax_cross_entropy()
    vector = drawn(START.params)
    logits = fn.linearize(MODEL)(*AT, MODE).output
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    expected = np.zeros(tree.size(START.params))
    for label in (0, 1):
        grads = fn.per_example_grads(MODEL, loss)(*AT, np.full(4, label), MODE)
        rows = np.concatenate([leaf.reshape(4, -1) for leaf in tree.leaves(grads)], axis=1)
        expected += (p[:, label] * (rows @ flat(vector))) @ rows / 4
    made = fn.fisher_product(MODEL, loss)(*AT, LABELS, vector, MODE)
    np.testing.assert_allclose(flat(made), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_empirical_fisher_is_made_of_single_gradients(reduction: Any) -> None:
    loss = fn.softmax_cross_entropy(reduction=reduction)
    vector = drawn(START.params)
    grads = fn.per_example_grads(MODEL, loss)(*AT, LABELS, MODE)
    rows = np.concatenate([leaf.reshape(4, -1) for leaf in tree.leaves(grads)], axis=1)
    expected = (rows @ flat(vector)) @ rows / (4 if reduction == "mean" else 1)
    made = fn.fisher_product(MODEL, loss, "empirical")(*AT, LABELS, vector, MODE)
    np.testing.assert_allclose(flat(made), expected, rtol=1e-12, atol=1e-14)


def test_bad_requests() -> None:
    with pytest.raises(ValueError, match=r"softmax_cross_entropy.label_smoothing=0.1. is not known"):
        fn.fisher_product(MODEL, fn.softmax_cross_entropy(label_smoothing=0.1))
    named_alike: Any = fn.define_loss("mean_squared_error", lambda y, t: fn.LossForward(np.abs(y - t).sum(), y - t), np.sign)
    with pytest.raises(ValueError, match="not known to be a negative log-likelihood"):
        fn.fisher_product(MODEL, named_alike)
    with pytest.raises(ValueError, match="kind"):
        fn.fisher_product(MODEL, fn.softmax_cross_entropy(), "exact")  # type: ignore[arg-type]  # on purpose
    normed: Any = fn.dense(2) >> fn.batch_norm()
    start = normed.init(fn.Key(0), (2,))
    with pytest.raises(ValueError, match="sums over the batch"):
        fn.fisher_product(normed, fn.softmax_cross_entropy(), "empirical")(
            start.params, start.state, X, LABELS, start.params, MODE
        )
    pair: Any = fn.branch(fn.dense(2), fn.dense(1))
    start = pair.init(fn.Key(0), (2,))
    with pytest.raises(TypeError, match=r"expected one floating array"):
        fn.jacobian(pair)(start.params, start.state, X, MODE)
    for made in (fn.hessian(MODEL, fn.mean_squared_error()), fn.jacobian(MODEL), fn.input_jacobian(MODEL)):
        assert pickle.loads(pickle.dumps(made)) == made
