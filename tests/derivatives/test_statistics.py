"""How gradients scatter: against the definition, on gradients of a loop and on laws that are known."""

from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn import tree

MODEL: Any = fn.embedding(7, 4) >> fn.lstm(5) >> fn.last_step() >> fn.dense(3)
LOSS = fn.softmax_cross_entropy()
START = MODEL.init(fn.Key(0), (4,))
TOKENS, LABELS = np.random.default_rng(0).integers(0, 7, (6, 4)), np.array([0, 0, 0, 0, 0, 1])
AT = START.params, START.state, TOKENS, LABELS, fn.Eval()


def rows() -> Any:
    """Return the gradients of a loop, one in a row."""
    gradient = fn.loss_and_grad(MODEL, LOSS)
    made = [
        gradient(START.params, START.state, TOKENS[n : n + 1], LABELS[n : n + 1], fn.Eval()).grads for n in range(len(TOKENS))
    ]
    return np.stack([tree.ravel(one).vector for one in made])


def test_mean_and_variance_are_those_of_a_loop() -> None:
    made, loop = fn.gradient_statistics(MODEL, LOSS)(*AT), rows()
    mean, variance = loop.mean(0), loop.var(0, ddof=1)
    np.testing.assert_allclose(tree.ravel(made.mean).vector, mean, rtol=1e-12, atol=1e-16)
    np.testing.assert_allclose(tree.ravel(made.variance).vector, variance, rtol=1e-12, atol=1e-18)
    seen = mean != 0
    np.testing.assert_allclose(
        tree.ravel(made.signal_to_noise).vector[seen], abs(mean[seen]) / np.sqrt(variance[seen]), rtol=1e-9
    )
    assert not tree.ravel(made.signal_to_noise).vector[~seen].any()


def test_noise_and_signal_are_those_of_a_loop() -> None:
    made, loop = fn.gradient_noise_scale(MODEL, LOSS)(*AT), rows()
    assert made.noise == pytest.approx(loop.var(0, ddof=1).sum(), rel=1e-12, abs=0)
    assert made.signal == pytest.approx((loop.mean(0) ** 2).sum() - made.noise / 6, rel=1e-12, abs=0)
    assert made.scale == made.noise / made.signal
    np.testing.assert_allclose(made.norms, np.linalg.norm(loop, axis=1))


def test_estimates_have_no_bias() -> None:
    """Of a mean of squares about targets drawn from N(1, 4), seen from 0: the gradient has the mean -1 and the variance 4."""
    model = fn.linear(1)
    params = tree.map(np.zeros_like, model.init(fn.Key(0), (1,)).params)
    estimate = fn.gradient_noise_scale(model, fn.half_squared_error())
    targets = np.random.default_rng(1).normal(1, 2, (4000, 5, 1))
    made = [estimate(params, (), np.ones((5, 1)), one, fn.Eval()) for one in targets]
    assert np.mean([one.signal for one in made]) == pytest.approx(1, abs=0.1)  # drawn
    assert np.mean([one.noise for one in made]) == pytest.approx(4, abs=0.2)  # drawn
    assert any(one.signal < 0 and one.scale == np.inf for one in made)


def test_one_example_does_not_scatter() -> None:
    one = START.params, START.state, TOKENS[:1], LABELS[:1], fn.Eval()
    for product in (fn.gradient_statistics(MODEL, LOSS), fn.gradient_noise_scale(MODEL, LOSS)):
        with pytest.raises(ValueError, match="has 1 examples, expected at least 2"):
            product(*one)
    same: Any = fn.gradient_statistics(MODEL, LOSS)(*AT[:2], TOKENS[[0, 0]], LABELS[[0, 0]], fn.Eval())
    ratio = tree.ravel(same.signal_to_noise).vector
    assert np.isin(ratio, [0, np.inf]).all()
