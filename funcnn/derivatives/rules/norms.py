"""Rules of normalizations: a scale and a shift of what they have normalized."""

from __future__ import annotations

from typing import Any

from funcnn.derivatives.rules.form import Form
from funcnn.derivatives.rules.rule import Taken, input_by_backward
from funcnn.layer import AnyLayer
from funcnn.layers.normalization.batch_norm import BatchNormParams
from funcnn.layers.normalization.rms_norm import RMSNormParams


def scaled_and_shifted(form: Form, layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Taken:
    grads = type(params)(form.sums(residuals.normalized.reshape(dy.shape) * dy), form.sums(dy))
    return grads, input_by_backward(layer, params, residuals, dy)


def rms_norm(form: Form, layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Taken:
    grads = RMSNormParams(form.sums(residuals.normalized.reshape(dy.shape) * dy))
    return grads, input_by_backward(layer, params, residuals, dy)


def batch_norm(form: Form, layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Taken:
    normalized = (residuals.centred * residuals.rate).reshape(dy.shape)
    return BatchNormParams(form.sums(normalized * dy), form.sums(dy)), input_by_backward(layer, params, residuals, dy)
