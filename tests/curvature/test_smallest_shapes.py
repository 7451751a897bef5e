"""Curvature of every layer with a rule at its smallest: one unit, one step, one example, numbers that do not lie side by side.

Where an axis has length 1 a sum, a transpose and a Gram matrix are easily mixed up, and where numbers are strided, views.  What
is compared with takes no rule: the rows of the Jacobian from the layer's own backward, and differences of the gradient, in long
double.
"""

from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn import curvature, tree
from funcnn.derivatives.complex_step import parts
from funcnn.derivatives.rules.table import RULES, rule_of
from funcnn.layer import AnyLayer

EVAL = fn.Eval()
INDICES = ("embedding", "bag", "tied")
LAYERS: dict[str, tuple[Any, Any]] = {
    "dense": (fn.dense(1), (1,)),
    "dense, steps": (fn.dense(1), (1, 1)),
    "linear": (fn.linear(1), (1,)),
    "bilinear": (fn.bilinear(1), ((1,), (1,))),
    "maxout": (fn.maxout(1, 2), (1,)),
    "einsum": (fn.einsum_dense("c,cd->d", {"d": 1}), (1,)),
    "scale": (fn.scale(), (1,)),
    "affine": (fn.affine(), (1,)),
    "prelu": (fn.prelu(), (1,)),
    "convolution": (fn.conv1d(1, 1), (1, 1)),
    "convolution, padded": (fn.conv2d(1, 3, padding="same"), (1, 1, 1)),
    "grouped": (fn.conv1d(2, 1, groups=2), (1, 2)),
    "transposed": (fn.conv_transpose1d(1, 1), (1, 1)),
    "depthwise": (fn.depthwise_conv1d(1), (1, 1)),
    "layer norm": (fn.layer_norm(), (2,)),
    "group norm": (fn.group_norm(1), (1, 2)),
    "rms norm": (fn.rms_norm(), (1,)),
    "layer norm without shift": (fn.layer_norm_without_shift(), (2,)),
    "batch norm": (fn.batch_norm(), (1,)),
    "embedding": (fn.embedding(2, 1), (1,)),
    "bag": (fn.embedding_bag(2, 1), (1,)),
    "positions": (fn.learned_positions(1), (1, 1)),
    "tied": (fn.tied_embedding(2, 2, fn.dense(2)), (1,)),
    "rnn": (fn.rnn(1), (1, 1)),
    "lstm": (fn.lstm(1), (1, 1)),
    "peephole": (fn.peephole_lstm(1), (1, 1)),
    "gru": (fn.gru(1), (1, 1)),
    "lora": (fn.lora(fn.dense(1), 1), (1,)),
    "weight norm": (fn.weight_norm(fn.dense(1)), (1,)),
    "spectral norm": (fn.spectral_norm(fn.dense(1)), (1,)),
    "attention": (fn.attention(1), (1, 1)),
    "cross attention": (fn.cross_attention(1), ((1, 1), (1, 1))),
    "frozen": (fn.frozen(fn.dense(1)), (1,)),
    "stop gradient": (fn.stop_gradient(), (1,)),
}


ELSEWHERE = {
    "batch_norm.masked_backward": "takes a mask, whose own tests have one step",
    "batch_norm_of_batch.backward": "is refused: its examples depend on each other",
    "cells.backward": "is that of the layer of steps, with a state",
    "trained_start.backward": "is that of the layer of steps, with a state",
}


def test_every_rule_is_walked() -> None:
    """A rule without a layer above, or without a reason, is a failure."""
    walked = {id(rule_of(part)) for layer, _ in LAYERS.values() for part in every_part(layer)}
    left = {f"{key.__module__.rpartition('.')[2]}.{key.__name__}" for key, rule in RULES.items() if id(rule) not in walked}
    assert left == set(ELSEWHERE)


def every_part(layer: AnyLayer) -> list[AnyLayer]:
    return [layer, *[one for part in layer.parts for one in every_part(part)]]


def drawn(name: str, shape: Any, count: int) -> Any:
    """Return inputs whose numbers do not lie side by side, along any axis."""
    if isinstance(shape[0], tuple):
        return tuple([drawn(name, one, count) for one in shape])
    doubled = (2 * count, *[2 * size for size in shape])
    generator = np.random.default_rng(len(name))
    whole: Any = generator.integers(0, 2, doubled) if name in INDICES else generator.normal(size=doubled)
    return whole[(slice(None, None, 2),) * len(doubled)]


def rows(layer: AnyLayer, at: Any, doutputs: Any) -> list[Any]:
    """Return the gradient for each cotangent, in long double, by the layer's own backward."""
    params, state, x = tree.map(lambda leaf: leaf.astype(np.longdouble) if leaf.dtype.kind == "f" else leaf, at)
    kept = layer.forward(params, state, x, EVAL).residuals
    found = [layer.backward(params, kept, doutput).params for doutput in doutputs]
    return [np.concatenate([leaf.ravel() for leaf in parts(one) if leaf is not None]) for one in found]


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("name", [name for name in LAYERS if name != "stop gradient"])
def test_the_smallest_shapes_are_right(name: str, count: int) -> None:
    layer, shape = LAYERS[name]
    x, start = drawn(name, shape, count), layer.init(fn.Key(4), shape)
    params = tree.map(lambda leaf: leaf + 0.3 * np.cos(1 + np.arange(leaf.size)).reshape(leaf.shape), start.params)
    at = params, start.state, x
    y = fn.apply(layer, *at)
    loss, target = fn.half_squared_error(reduction="sum"), np.zeros_like(y)
    units = np.eye(y.size, dtype=np.longdouble).reshape(y.size, *y.shape)
    diagonal = sum(row**2 for row in rows(layer, at, units))
    found = curvature.ggn_diagonal(layer, loss)(*at, target, EVAL)
    np.testing.assert_allclose(flat(found), diagonal, rtol=1e-12, atol=1e-14)

    own = [np.where(np.arange(count) == n, y.T, 0).T.astype(np.longdouble) for n in range(count)]
    norms = [np.sqrt((row**2).sum()) for row in rows(layer, at, own)]
    np.testing.assert_allclose(fn.per_example_norms(layer, loss)(*at, target, EVAL), norms, rtol=1e-12, atol=1e-14)

    factors = curvature.kronecker_factors(layer, loss)(*at, target, EVAL)
    if count == 1:  # of one example with one step each block is a Kronecker product
        np.testing.assert_allclose(flat(factors.diagonal()), diagonal, rtol=1e-12, atol=1e-14)

    matrix = fn.hessian(layer, loss)(*at, target, EVAL)
    np.testing.assert_allclose(np.diag(matrix), second_differences(layer, at), rtol=1e-7, atol=1e-8)  # of the differences


def second_differences(layer: AnyLayer, at: Any) -> Any:
    """Return the second derivatives of half the sum of squares by each parameter: differences of the gradient, in long double."""
    vector, unravel = tree.ravel(tree.astype(at[0], np.longdouble))
    x = tree.map(lambda leaf: leaf.astype(np.longdouble) if leaf.dtype.kind == "f" else leaf, at[2])
    found = []
    for index in range(vector.size):
        step = np.zeros_like(vector)
        step[index] = 1e-6
        ends = [(unravel(vector + sign * step), at[1], x) for sign in (1, -1)]
        above, below = [rows(layer, end, [fn.apply(layer, *end)])[0][index] for end in ends]
        found.append((above - below) / 2e-6)
    return np.array(found)


def flat(values: Any) -> Any:
    return np.concatenate([leaf.ravel() for leaf in tree.leaves(values)])
