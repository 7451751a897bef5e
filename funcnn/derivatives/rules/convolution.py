"""Rules of convolutions: the weight's gradient is made for one example after the other."""

from __future__ import annotations

from functools import partial
from typing import Any

from funcnn.derivatives.rules.form import Form
from funcnn.derivatives.rules.rule import Taken, bound, input_by_backward
from funcnn.kernels.correlation import correlate, correlate_input, correlate_weight
from funcnn.layer import AnyLayer, params_only
from funcnn.layers.convolution.convolution import ConvParams, ConvResiduals
from funcnn.typing import Array


def convolution(form: Form, layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Taken:
    windows, groups = bound(layer)
    x = residuals.x

    def weight(n: int) -> Array:
        return correlate_weight(x[n : n + 1], dy[n : n + 1], windows, groups)

    grads = ConvParams(form.single(len(x), weight, params.weight), form.sums(dy))
    return grads, partial(correlate_input, dy, params.weight, windows, x.shape, groups)


def transposed_convolution(form: Form, layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Taken:
    windows, _ = bound(layer)
    x = residuals.x

    def weight(n: int) -> Array:
        return correlate_weight(dy[n : n + 1], x[n : n + 1], windows)

    return ConvParams(form.single(len(x), weight, params.weight), form.sums(dy)), partial(correlate, dy, params.weight, windows)


def depthwise(form: Form, layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Taken:
    x = residuals.x

    def weight(n: int) -> Array:
        kept: Any = ConvResiduals(x[n : n + 1])
        made: Any = params_only(layer, params, kept, dy[n : n + 1]).params
        found: Array = made.weight
        return found

    return ConvParams(form.single(len(x), weight, params.weight), form.sums(dy)), input_by_backward(layer, params, residuals, dy)
