"""A loss of several outputs, and distributions at their ends."""

import math
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn import tree

untyped: Any = fn
RNG = np.random.default_rng(0)
LOGITS, LABELS = RNG.normal(size=(5, 3)), RNG.integers(0, 3, 5)
NUMBERS, WANTED = RNG.normal(size=(2, 5, 2))


def both(**options: Any) -> Any:
    return fn.combined_loss(fn.softmax_cross_entropy(), fn.mean_squared_error(), **options)


def test_the_value_and_the_gradient_are_weighted_sums() -> None:
    loss = both(weights=(2.0, 0.25))
    made = loss.forward((LOGITS, NUMBERS), (LABELS, WANTED))
    parts = fn.softmax_cross_entropy().forward(LOGITS, LABELS), fn.mean_squared_error().forward(NUMBERS, WANTED)
    assert made.value == 2 * parts[0].value + 0.25 * parts[1].value
    first, second = loss.backward(made.residuals)
    np.testing.assert_array_equal(first, 2 * fn.softmax_cross_entropy().backward(parts[0].residuals))
    np.testing.assert_array_equal(second, 0.25 * fn.mean_squared_error().backward(parts[1].residuals))
    assert loss.name == "2 softmax_cross_entropy + 0.25 mean_squared_error"
    assert loss == both(weights=(2.0, 0.25)) != both()


def test_its_gradient_is_proved() -> None:
    nested = fn.combined_loss(fn.gaussian_nll(), fn.hinge(), fn.mean_squared_error(), weights=(0.3, 2.0, 1.0))
    prediction: Any = ((NUMBERS, WANTED), LOGITS, NUMBERS[:, :1].copy())
    target: Any = (WANTED, np.sign(LOGITS), fn.Weighted(WANTED[:, :1], np.arange(5)))
    assert fn.check.check_loss(nested, prediction, target).ok
    assert fn.check.check_loss(both(), (LOGITS, NUMBERS), fn.Weighted((LABELS, WANTED), np.arange(5))).ok


def test_weights_of_the_whole_are_weights_of_each() -> None:
    weight = np.array([1.0, 0.0, 2.0, 0.5, 1.0])
    whole = both().forward((LOGITS, NUMBERS), fn.Weighted((LABELS, WANTED), weight))
    each = both().forward((LOGITS, NUMBERS), (fn.Weighted(LABELS, weight), fn.Weighted(WANTED, weight)))
    assert whole.value == each.value
    assert tree.same(both().backward(whole.residuals), both().backward(each.residuals))


def test_a_network_of_two_heads_learns() -> None:
    model = fn.dense(8) >> fn.tanh() >> fn.branch(fn.dense(3), fn.dense(2))
    x = RNG.normal(size=(5, 4))
    fit = fn.fit(model, both(), fn.adam(0.05), x, (LABELS, WANTED), epochs=200, batch_size=5, key=fn.Key(0))
    score = fn.evaluate(model, fit.params, fit.state, x, (LABELS, WANTED), both())["loss"]
    assert score < 0.05


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: untyped.combined_loss(fn.hinge()), "needs at least 2 losses, got 1"),
        (lambda: untyped.combined_loss(fn.hinge, fn.hinge()), "a factory is called first"),
        (lambda: both(weights=(1.0,)), r"weights is \(1.0,\), expected 2 numbers"),
        (lambda: both(weights=(1.0, 0.0)), "weights is"),
        (lambda: fn.combined_loss(fn.hinge(), fn.hinge(reduction="sum")), r"the reductions \['mean', 'sum'\], expected one"),
        (lambda: both().forward(LOGITS, (LABELS, WANTED)), "the prediction is .*, expected a tuple of 2, one for each loss"),
        (lambda: both().forward((LOGITS, NUMBERS), LABELS), "target is .*, expected a tuple of 2"),
        (lambda: both().forward((LOGITS, NUMBERS), (LABELS, LABELS)), "target is int64"),
    ],
)
def test_what_does_not_fit_is_told(call: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        call()


def test_the_head_that_is_wrong_is_named() -> None:
    with pytest.raises(TypeError) as error:
        both().forward((LOGITS, NUMBERS), (LABELS, LABELS))
    assert error.value.__notes__ == ["in loss 1, mean_squared_error"]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_student_t_at_the_ends(dtype: Any) -> None:
    """Against the logarithms that the formula is made of, where its squares overflow or vanish."""
    loss = fn.student_t_nll(3.0)
    constant = math.lgamma(1.5) - math.lgamma(2) + math.log(3 * math.pi) / 2
    large, small = float(np.finfo(dtype).max) / 4, float(np.finfo(dtype).tiny)
    for d, s in ((large, 0.0), (small, 0.0), (1.0, -80.0), (large, 80.0), (0.0, -80.0), (1e3, 1.0), (-1e-8, -3.0), (0.0, 5.0)):
        made = loss.forward((np.array([[d]], dtype), np.array([[s]], dtype)), np.zeros((1, 1), dtype))
        w = 2 * (math.log(abs(d)) - s) - math.log(3) if d else -math.inf
        tail = w + math.log1p(math.exp(-w)) if w > 0 else math.log1p(math.exp(w))
        assert made.value.dtype == dtype
        np.testing.assert_allclose(made.value, s + 2 * tail + constant, rtol=20 * np.finfo(dtype).eps)
        slope, spread = loss.backward(made.residuals)
        h = 1 / (1 + math.exp(-w)) if w > -700 else 0.0
        eps = 300 * np.finfo(dtype).eps
        np.testing.assert_allclose(spread, [[1 - 4 * h]], rtol=eps, atol=eps)
        wanted = 4 * h / d if h > 1e-30 else 4 * d / 3 * math.exp(-2 * s)
        np.testing.assert_allclose(slope, [[wanted if d else 0.0]], rtol=100 * eps, atol=2 * small)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_certain_prediction_scores_its_absolute_error(dtype: Any) -> None:
    loss = fn.gaussian_crps()
    for d in (0.0, 3.0, -3.0, float(np.finfo(dtype).max) / 4):
        for s in (-np.inf, -400.0):
            made = loss.forward((np.array([[d]], dtype), np.array([[s]], dtype)), np.zeros((1, 1), dtype))
            np.testing.assert_allclose(made.value, abs(d), rtol=1e-6, atol=1e-30)  # a deviation of exp(-200) is left
            mean, log_variance = loss.backward(made.residuals)
            assert mean == np.sign(d)
            assert abs(log_variance) < np.exp(-80)
    score = loss.forward((np.zeros((1, 1)), np.full((1, 1), 2 * np.log(3.0))), np.ones((1, 1))).value
    grid = np.linspace(-60, 60, 400_001)
    below = 0.5 * (1 + np.vectorize(math.erf)(grid[::100] / 3 / math.sqrt(2)))
    integral = np.trapezoid((below - (grid[::100] >= 1)) ** 2, grid[::100])
    np.testing.assert_allclose(score, integral, rtol=2e-2)  # the step at the target is met to a grid's width
