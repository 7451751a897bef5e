"""Rules of layers that multiply by a matrix, or entry by entry."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from funcnn.derivatives.rules.form import Form, by_example
from funcnn.derivatives.rules.rule import Taken, bound, input_by_backward
from funcnn.kernels.arrays import column_sums, matmul_last_transposed, negative_part
from funcnn.layer import AnyLayer
from funcnn.layers.activations import prelu as rectifier
from funcnn.layers.linear import bilinear as product
from funcnn.layers.linear import dense as affine
from funcnn.layers.linear import linear as map_
from funcnn.layers.linear import maxout as largest
from funcnn.layers.linear import scale as scaling
from funcnn.typing import Array


def dense(form: Form, layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Taken:
    grads = affine.DenseParams(form.outer(residuals.x, dy), form.sums(dy))
    return grads, partial(matmul_last_transposed, dy, params.weight)


def linear(form: Form, layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Taken:
    return map_.LinearParams(form.outer(residuals.x, dy)), partial(matmul_last_transposed, dy, params.weight)


def bilinear(form: Form, layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Taken:
    inputs, others, features = params.weight.shape
    outer: Array = residuals.z[..., None] * dy[..., None, :]
    weight = form.outer(residuals.x, outer.reshape(*dy.shape[:-1], others * features))
    grads = product.BilinearParams(form.shaped(weight, (inputs, others, features)), form.sums(dy))
    return grads, input_by_backward(layer, params, residuals, dy)


def maxout(form: Form, layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Taken:
    pieces = range(len(params.weight))
    own = [np.where(residuals.largest.reshape(dy.shape) == k, dy, dy.dtype.type(0)) for k in pieces]
    weight = form.stacked([form.outer(residuals.x, one) for one in own])
    grads = largest.MaxoutParams(weight, form.stacked([form.sums(one) for one in own]))
    return grads, input_by_backward(layer, params, residuals, dy)


def scale(form: Form, layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Taken:
    return scaling.ScaleParams(form.sums(residuals.x * dy)), input_by_backward(layer, params, residuals, dy)


def gain_and_bias(form: Form, layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Taken:
    grads = scaling.AffineParams(form.sums(residuals.x * dy), form.sums(dy))
    return grads, input_by_backward(layer, params, residuals, dy)


def prelu(form: Form, layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Taken:
    (shared,) = bound(layer)
    moved = column_sums(by_example(negative_part(residuals.x) * dy))
    slope = form.whole(moved.sum(-1, keepdims=True) if shared else moved)
    return rectifier.PReLUParams(slope), input_by_backward(layer, params, residuals, dy)
