r"""Gradients of single examples, from what a layer kept of the whole batch.

Indices: $n$ example, $t$ any axes between the first and the last, merged, $i$ input feature, $o$ output feature.

The gradient of a layer's parameters is a sum over examples, and that of one example is its term:
$$ \bar W_{nio} = \sum_t x_{nti} \bar y_{nto}, \qquad \bar b_{no} = \sum_t \bar y_{nto} $$
for a dense layer, an outer product where there is one t.  Its norm does not need the matrix:
$$ \lVert \bar W_n \rVert^2 = \sum_{ts} \langle x_{nt}, x_{ns} \rangle \langle \bar y_{nt}, \bar y_{ns} \rangle , $$
with one t the product of two squared lengths (Goodfellow 2015, arXiv:1510.01799), with few t the product of two Gram matrices
(Li et al. 2021, arXiv:2110.05679, section 4).  Where there are many, $\bar W_n$ is made for one example after the other.

A layer that is not in the table is run for each example alone, which is right for every layer.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from attrs import frozen

from funcnn import tree
from funcnn.kernels.arrays import column_sums, matmul_last_transposed
from funcnn.kernels.correlation import correlate_input, correlate_weight
from funcnn.layer import AnyLayer
from funcnn.layers.convolution import convolution
from funcnn.layers.embedding import embedding, positions
from funcnn.layers.linear import dense, linear, scale
from funcnn.layers.normalization import batch_norm, group_norm, layer_norm, rms_norm
from funcnn.masked import masked_cotangent
from funcnn.typing import Array, IntArray

Grads: TypeAlias = Callable[[AnyLayer, Any, Any, Any], Any]  # Any: parameters, residuals and cotangents of any layer
"""``(layer, params, residuals, dy) -> tree`` like the parameters: of gradients (n, ...), or of their squared norms (n,)."""


@frozen
class Rule:
    """How the gradients of single examples are had for the layers of one file.

    Parameters
    ----------
    grads : callable
        Gives the gradients, the examples first.
    squares : callable or None
        Gives their squared norms, where there is a way without them.
    dx : callable or None
        Gives the cotangent of the input, where backward need not be called for it.
    """

    grads: Grads
    squares: Grads | None = None
    dx: Grads | None = None


def rule_of(layer: AnyLayer) -> Rule | None:
    """Return the rule of a layer, if there is one."""
    function: Any = layer.backward
    return RULES.get(function.func if isinstance(function, partial) else function)


def squares_of(rule: Rule, layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Any:
    """Return the squared norms of the gradients of single examples, leaf by leaf."""
    if rule.squares is not None:
        return rule.squares(layer, params, residuals, dy)
    made = rule.grads(layer, params, residuals, dy)
    return tree.map(squared, made)


def squared(x: Array) -> Array:
    """Return the sum of the squares of each example."""
    flat = x.reshape(len(x), -1) if x.size else np.zeros((len(x), 1), x.dtype)
    sums: Array = np.einsum("ni,ni->n", flat, flat)
    return sums


def by_example(x: Array) -> Array:
    """Return x (n, ..., c) as (n, t, c)."""
    return x.reshape(len(x), math.prod(x.shape[1:-1]), x.shape[-1])


def outer(x: Array, dy: Array) -> Array:
    """Return the sum over t of the outer products (n, i, o)."""
    xs, dys = by_example(x), by_example(dy)
    made: Array = xs[:, 0, :, None] * dys[:, 0, None, :] if xs.shape[1] == 1 else xs.swapaxes(1, 2) @ dys
    return made


def outer_squares(x: Array, dy: Array) -> Array:
    """Return the squared norms of :func:`outer`."""
    xs, dys = by_example(x), by_example(dy)
    _, steps, features = xs.shape
    if steps == 1:
        return squared(xs) * squared(dys)
    if steps * (features + dys.shape[-1]) <= 2 * features * dys.shape[-1]:
        gram: Array = np.einsum("nts,nts->n", xs @ xs.swapaxes(1, 2), dys @ dys.swapaxes(1, 2))
        return gram
    made: Array = np.empty(len(xs), np.result_type(xs, dys))
    for n, (one, own) in enumerate(zip(xs, dys, strict=True)):
        product = (one.T @ own).ravel()
        made[n] = product @ product
    return made


def dense_grads(layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Any:
    return dense.DenseParams(outer(residuals.x, dy), column_sums(by_example(dy)))


def dense_squares(layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Any:
    return dense.DenseParams(outer_squares(residuals.x, dy), squared(column_sums(by_example(dy))))


def dense_dx(layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Any:
    return matmul_last_transposed(dy, params.weight)


def linear_grads(layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Any:
    return linear.LinearParams(outer(residuals.x, dy))


def linear_squares(layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Any:
    return linear.LinearParams(outer_squares(residuals.x, dy))


def conv_grads(layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Any:
    x = residuals.x
    made: Array = np.empty((len(x), *params.weight.shape), np.result_type(x, dy))
    for n in range(len(x)):
        made[n] = _conv_weight(layer, residuals, dy, n)
    return convolution.ConvParams(made, column_sums(by_example(dy)))


def conv_squares(layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Any:
    made: Array = np.empty(len(dy), np.result_type(residuals.x, dy))
    for n in range(len(dy)):
        flat = _conv_weight(layer, residuals, dy, n).ravel()
        made[n] = flat @ flat
    return convolution.ConvParams(made, squared(column_sums(by_example(dy))))


def _conv_weight(layer: AnyLayer, residuals: Any, dy: Array, n: int) -> Array:
    windows, groups = _arguments(layer)
    return correlate_weight(residuals.x[n : n + 1], dy[n : n + 1], windows, groups)


def conv_dx(layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Any:
    windows, groups = _arguments(layer)
    return correlate_input(dy, params.weight, windows, residuals.x.shape, groups)


def _arguments(layer: AnyLayer) -> tuple[Any, ...]:
    """Return the hyper-parameters that a layer's backward is bound to."""
    function: Any = layer.backward
    arguments: tuple[Any, ...] = function.args
    return arguments


def scale_grads(layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Any:
    return scale.ScaleParams(column_sums(by_example(residuals.x * dy)))


def affine_grads(layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Any:
    return scale.AffineParams(column_sums(by_example(residuals.x * dy)), column_sums(by_example(dy)))


def normalized_grads(layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Any:
    product = residuals.normalized.reshape(dy.shape) * dy
    return type(params)(column_sums(by_example(product)), column_sums(by_example(dy)))


def rms_grads(layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Any:
    return rms_norm.RMSNormParams(column_sums(by_example(residuals.normalized.reshape(dy.shape) * dy)))


def batch_norm_grads(layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Any:
    product = (residuals.centred * residuals.rate).reshape(dy.shape) * dy
    return batch_norm.BatchNormParams(column_sums(by_example(product)), column_sums(by_example(dy)))


def _looked_up(layer: AnyLayer, residuals: Any, dy: Any) -> tuple[IntArray, Array]:
    """Return the indices (n, t) and their cotangents (n, t, features), 0 at the padding."""
    padding_index, masked = _arguments(layer)
    values = by_example(masked_cotangent(dy) if masked else dy)
    indices: IntArray = residuals.indices.reshape(values.shape[:2])
    if padding_index is not None:
        values = np.where((indices == padding_index)[..., None], values.dtype.type(0), values)
    return indices, values


def embedding_grads(layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Any:
    indices, values = _looked_up(layer, residuals, dy)
    table: Array = np.zeros((len(indices), *params.table.shape), values.dtype)
    np.add.at(table, (np.arange(len(indices))[:, None], indices), values)
    return embedding.EmbeddingParams(table)


def embedding_squares(layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Any:
    indices, values = _looked_up(layer, residuals, dy)
    same = indices[:, :, None] == indices[:, None, :]
    return embedding.EmbeddingParams(np.einsum("nts,nts->n", same, values @ values.swapaxes(1, 2)))


def position_grads(layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Any:
    table: Array = np.zeros((len(dy), *params.table.shape), dy.dtype)
    table[:, : dy.shape[1]] = dy
    return positions.PositionParams(table)


RULES: dict[Callable[..., Any], Rule] = {
    dense.backward: Rule(dense_grads, dense_squares, dense_dx),
    linear.backward: Rule(linear_grads, linear_squares, dense_dx),
    convolution.backward: Rule(conv_grads, conv_squares, conv_dx),
    scale.backward: Rule(scale_grads),
    scale.affine_backward: Rule(affine_grads),
    layer_norm.backward: Rule(normalized_grads),
    group_norm.backward: Rule(normalized_grads),
    rms_norm.backward: Rule(rms_grads),
    batch_norm.backward: Rule(batch_norm_grads),
    embedding.backward: Rule(embedding_grads, embedding_squares),
    positions.learned_backward: Rule(position_grads),
}
"""The rules, by the backward of the layers that they are for."""
