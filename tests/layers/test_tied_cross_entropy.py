"""A model with tied weights, trained without its logits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn import tree
from tests.layers.test_linear_cross_entropy import peak


def test_the_losses_of_a_slow_loop() -> None:
    layer = fn.tied_cross_entropy(fn.tied_embedding(5, 2, fn.tanh()), ignore_index=-1, block_size=2)
    table = np.random.default_rng(0).normal(size=(5, 2))
    tokens, labels = np.array([[0, 4, 1], [3, 3, 2]]), np.array([[4, -1, 0], [3, 1, -1]])
    losses = fn.apply(layer, fn.tree.map(lambda _: table, layer.init(fn.Key(0), ((3,), (3,))).params), (), (tokens, labels))
    for place, label in np.ndenumerate(labels):
        hidden = [math.tanh(one) for one in table[tokens[place]].tolist()]
        logits = [sum(h * w for h, w in zip(hidden, row, strict=True)) for row in table.tolist()]
        expected = 0.0 if label < 0 else math.log(sum(map(math.exp, logits))) - logits[label]
        np.testing.assert_allclose(losses[place], expected, rtol=1e-14)


def test_the_gradient_is_that_of_the_logits() -> None:
    model = fn.gpt(11, layers=1, heads=2, features=4, context_length=5, dropout=0.2)
    layer, each = fn.tied_cross_entropy(model, label_smoothing=0.1, block_size=4), fn.softmax_cross_entropy(label_smoothing=0.1)
    start = layer.init(fn.Key(1), ((5,), (5,)))
    generator = np.random.default_rng(3)
    tokens, labels = generator.integers(0, 11, (3, 5)), generator.integers(0, 11, (3, 5))
    params, mode = tree.astype(start.params, np.float64), fn.Train(fn.Key(2))
    got = fn.loss_and_grad(layer, fn.given_losses())(params, start.state, (tokens, labels), (), mode)
    expected = fn.loss_and_grad(model, each)(params, start.state, tokens, labels, mode)
    np.testing.assert_allclose(got.loss, expected.loss, rtol=1e-14)
    for one, other in zip(tree.leaves(got.grads), tree.leaves(expected.grads), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-15)
    assert tree.leaves(got.grads)[0].flags.c_contiguous


def test_the_logits_are_never_stored() -> None:
    vocabulary, rows = 5_000, 64
    model: Any = fn.tied_embedding(vocabulary, 8, fn.identity())
    layer: Any = fn.tied_cross_entropy(model, block_size=50)
    params = layer.init(fn.Key(0), ((), ())).params
    tokens = np.arange(rows)
    logits, table = 4 * rows * vocabulary, params.table.nbytes

    def used(network: Any, loss: Any, x: Any, target: Any) -> int:
        step = fn.loss_and_grad(network, loss)
        return peak(lambda: step(params, (), x, target, fn.Eval()))

    assert used(layer, fn.given_losses(), (tokens, tokens), ()) < 3 * table + logits / 10
    assert used(model, fn.softmax_cross_entropy(), tokens, tokens) > 3 * table + logits


def test_bad_arguments() -> None:
    model = fn.tied_embedding(5, 2, fn.tanh())
    with pytest.raises(ValueError, match=r"model is linear\(5\), expected fn\.tied_embedding"):
        fn.tied_cross_entropy(fn.linear(5))  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(TypeError, match="model is 3"):
        fn.tied_cross_entropy(3)  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(ValueError, match="label_smoothing is 1"):
        fn.tied_cross_entropy(model, label_smoothing=1.0)
    layer = fn.tied_cross_entropy(model, ignore_index=-1)
    with pytest.raises(ValueError, match="expected two equal ones: tokens, and a label for each"):
        layer.init(fn.Key(0), ((3,), (2,)))
    params, tokens = layer.init(fn.Key(0), ((3,), (3,))).params, np.zeros((2, 3), int)
    wrong: Any = tokens
    with pytest.raises(TypeError, match=r"the input is int64\[2, 3\], expected a pair \(tokens, labels\)"):
        fn.apply(layer, params, (), wrong)
    with pytest.raises(ValueError, match=r"a label is 5 at place \[0, 0\]"):
        fn.apply(layer, params, (), (tokens, tokens + 5))
    with pytest.raises(ValueError, match=r"the labels, input \[1\], have shape \(2, 2\)"):
        fn.apply(layer, params, (), (tokens, tokens[:, :2]))
