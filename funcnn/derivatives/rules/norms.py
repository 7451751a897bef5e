"""Rules of normalizations: a scale and a shift of what they have normalized."""

from __future__ import annotations

import math
from typing import Any

from funcnn.derivatives.rules.form import Form
from funcnn.derivatives.rules.rule import Taken, input_by_backward
from funcnn.layer import AnyLayer
from funcnn.layers.normalization.batch_norm import BatchNormParams, spread
from funcnn.masked import cleared
from funcnn.typing import Array


def scaled_and_shifted(form: Form, layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Taken:
    product, shifts = by_entry(params.scale, residuals.normalized.reshape(dy.shape) * dy), by_entry(params.scale, dy)
    shape = params.scale.shape
    grads = type(params)(form.shaped(form.sums(product), shape), form.shaped(form.sums(shifts), shape))
    return grads, input_by_backward(layer, params, residuals, dy)


def scaled(form: Form, layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Taken:
    product = by_entry(params.scale, residuals.normalized.reshape(dy.shape) * dy)
    grads = type(params)(form.shaped(form.sums(product), params.scale.shape))
    return grads, input_by_backward(layer, params, residuals, dy)


def by_entry(scale: Array, dy: Array) -> Array:
    """Return dy (n, ..., *axes of the scale) as (n, t, entries of the scale)."""
    return dy.reshape(len(dy), math.prod(dy.shape[1:]) // scale.size, scale.size)


def batch_norm(form: Form, layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Taken:
    normalized = (residuals.centred * residuals.rate).reshape(dy.shape)
    return BatchNormParams(form.sums(normalized * dy), form.sums(dy)), input_by_backward(layer, params, residuals, dy)


def masked_batch_norm(form: Form, layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Taken:
    inner, mask = residuals.inner, residuals.mask
    dvalues = cleared(dy.values, mask)
    grads = BatchNormParams(form.sums(spread(inner.centred * inner.rate, mask) * dvalues), form.sums(dvalues))
    return grads, input_by_backward(layer, params, residuals, dy)


def refused(form: Form, layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Taken:
    """Raise a ValueError: the output of one example depends on the others, in evaluation too."""
    raise ValueError(
        f"{layer.name} normalizes by the batch, so that the loss of one example depends on the others, and has no gradient of its"
        " own: use fn.group_norm or fn.layer_norm"
    )
