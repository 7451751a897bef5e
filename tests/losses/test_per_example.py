"""The losses of single examples: each is that of its example alone, and any cotangent of them has its gradient."""

from functools import partial
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn import tree
from funcnn.certificate.cases import LOSSES, LossCase
from funcnn.losses.batch_rule import is_batchwise

CASES = {
    f"{name}-{case.label or index}": case
    for name, cases in LOSSES.items()
    for index, case in enumerate(cases)
    if not is_batchwise(case.make())
}
each = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
untyped: Any = fn


def draw(case: LossCase, batch: int = 5) -> tuple[Any, Any]:
    return case.draw(np.random.default_rng(11), batch)


def moved(step: float, leaf: Any, direction: Any) -> Any:
    return leaf + step * direction


def row(values: Any, index: int) -> Any:
    if isinstance(values, fn.Weighted):
        return fn.Weighted(row(values.target, index), values.weight[index : index + 1])
    return tree.map(lambda leaf: leaf[index : index + 1], values)


@each
def test_each_example_has_its_own_loss(case: LossCase) -> None:
    prediction, target = draw(case)
    found = fn.per_example_losses(case.make())(prediction, target)
    alone = [fn.per_example_losses(case.make())(row(prediction, n), row(target, n)) for n in range(5)]
    np.testing.assert_allclose(found, np.concatenate(alone), rtol=1e-12)


@each
def test_their_mean_is_the_loss_and_its_gradient_the_gradient(case: LossCase) -> None:
    prediction, target = draw(case)
    loss: Any = case.make()
    made = fn.per_example_losses(loss).forward(prediction, target)
    whole = loss.forward(prediction, target)
    share = float(whole.value / made.losses.sum())
    gradient = fn.per_example_losses(loss).backward(made.residuals, np.full(made.losses.shape, share))
    for ours, theirs in zip(tree.leaves(gradient), tree.leaves(loss.backward(whole.residuals)), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-15)


@each
def test_any_cotangent_is_a_sum_of_gradients(case: LossCase) -> None:
    """Of either sign: weights of two losses, the positive and the negative part."""
    prediction, target = draw(case)
    function: Any = fn.per_example_losses(case.make())
    made = function.forward(prediction, target)
    v = np.random.default_rng(2).normal(size=made.losses.shape)
    gradient = function.backward(made.residuals, v)
    step, direction = 1e-6, tree.map(lambda leaf: np.random.default_rng(3).normal(size=leaf.shape), prediction)
    high, low = (function(tree.map(partial(moved, sign * step), prediction, direction), target) for sign in (1, -1))
    slope = ((high - low) * v).sum() / (2 * step)
    own = sum((g * d).sum() for g, d in zip(tree.leaves(gradient), tree.leaves(direction), strict=True))
    # Differences of second order, and kinks beside them.
    np.testing.assert_allclose(own, slope, rtol=2e-5, atol=1e-6 * max(1, np.abs(made.losses).max()))


def test_rows_that_do_not_count_are_never_looked_at() -> None:
    function = fn.per_example_losses(fn.softmax_cross_entropy(ignore_index=-1))
    logits, labels = np.array([[1.0, 2.0], [np.nan, 0.0], [3.0, np.nan]]), np.array([0, -1, 7])
    made = function.forward(logits, fn.Weighted(labels, np.array([2.0, 1.0, 0.0])))
    np.testing.assert_allclose(made.losses, [2 * np.log1p(np.e), 0, 0])
    gradient = function.backward(made.residuals, np.ones(3))
    assert not gradient[1:].any()
    np.testing.assert_allclose(gradient[0].sum(), 0, atol=1e-15)


def test_losses_that_overflow_on_the_way_are_finite() -> None:
    function = fn.per_example_losses(fn.mean_squared_error())
    large = np.array([[1e300], [1.0]])
    with np.errstate(over="ignore"):
        made = function.forward(large, np.zeros((2, 1)))
    assert made.losses.tolist() == [[np.inf], [1.0]]
    wide = fn.per_example_losses(fn.half_squared_error())
    root = np.array([[1.2 * np.finfo(np.float32).max ** 0.5, 0]], np.float32)
    with np.errstate(over="ignore"):
        found = wide.forward(root, np.zeros_like(root))
        assert found.losses.dtype == np.float32
        gradient = wide.backward(found.residuals, np.ones(1, np.float32))
    np.testing.assert_allclose(found.losses, 0.72 * np.finfo(np.float32).max, rtol=1e-6)  # float32
    np.testing.assert_array_equal(gradient, root)
    assert gradient.dtype == np.float32


def test_what_has_no_losses_of_single_examples_is_told() -> None:
    own: fn.Loss[Any, Any] = fn.define_loss("own", lambda p, t: fn.LossForward(np.float64(0), ()), lambda r: np.zeros(1))
    for loss in (fn.info_nce(), own):
        with pytest.raises(TypeError, match=f"the loss {loss.name.split('(')[0]}.* has no losses of single examples"):
            untyped.per_example_losses(loss)
    with pytest.raises(TypeError, match="a factory is called first"):
        untyped.per_example_losses(fn.hinge)
    made = fn.per_example_losses(fn.hinge()).forward(np.zeros((2, 1)), np.ones((2, 1)))
    with pytest.raises(ValueError, match=r"dlosses has shape \(2,\), expected \(2, 1\)"):
        fn.per_example_losses(fn.hinge()).backward(made.residuals, np.ones(2))
    with pytest.raises(TypeError, match="dlosses is int64"):
        untyped.per_example_losses(fn.hinge()).backward(made.residuals, np.ones((2, 1), int))


def test_equal_ones_are_equal() -> None:
    assert fn.per_example_losses(fn.hinge()) == fn.per_example_losses(fn.hinge()) != fn.per_example_losses(fn.squared_hinge())
