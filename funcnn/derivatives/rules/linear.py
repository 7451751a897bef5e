"""Rules of layers that multiply by a matrix, or entry by entry."""

from __future__ import annotations

import math
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


def einsum_dense(form: Form, layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Taken:
    """Take an outer product over the letters that are summed and those that stay, where the weight has them in this order."""
    (equation,) = bound(layer)
    summed = "".join(letter for letter in equation.weight if letter not in equation.y)
    made = "".join(letter for letter in equation.weight if letter not in equation.x)
    if equation.weight == summed + made:
        free = "".join(letter for letter in equation.x if letter not in summed)
        x = _in_order(equation.x, free, summed, residuals.x)
        weight = form.shaped(form.outer(x, _in_order(equation.y, free, made, dy)), params.weight.shape)
    else:
        weight = form.whole(
            np.einsum(f"{equation.sum_of('x', 'y', 'weight').split('->')[0]}->{equation.batch}{equation.weight}", residuals.x, dy)
        )
    return map_.LinearParams(weight), input_by_backward(layer, params, residuals, dy)


def _in_order(letters: str, steps: str, last: str, x: Array) -> Array:
    """Return x (n, ...) as (n, t, i): the axes with the letters of t in their order, and those with the letters of i."""
    places = [[1 + letters.index(letter) for letter in some] for some in (steps, last)]
    t, i = (math.prod([x.shape[place] for place in some]) for some in places)
    return x.transpose(0, *places[0], *places[1]).reshape(len(x), t, i)


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
