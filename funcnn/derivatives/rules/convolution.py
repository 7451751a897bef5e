"""Rules of convolutions: the weight's gradient is made for one example after the other."""

from __future__ import annotations

from functools import partial
from typing import Any

from funcnn.derivatives.rules.form import Form
from funcnn.derivatives.rules.rule import Taken, bound, input_by_backward
from funcnn.kernels.correlation import correlate, correlate_input, correlate_weight
from funcnn.kernels.windows import crop
from funcnn.layer import AnyLayer, params_only
from funcnn.layers.convolution.convolution import AnyConvParams, ConvParams, ConvResiduals, ConvWithoutBiasParams
from funcnn.typing import Array


def kernel_and_bias(form: Form, params: AnyConvParams, weight: Array, dy: Array) -> AnyConvParams:
    """Take the gradient of a convolution's parameters, of which the weight's is taken already."""
    return ConvParams(weight, form.sums(dy)) if isinstance(params, ConvParams) else ConvWithoutBiasParams(weight)


def convolution(form: Form, layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Taken:
    windows, groups = bound(layer)
    x = residuals.x
    grads = kernel_and_bias(form, params, form.correlated(x, dy, windows, groups, params.weight), dy)
    return grads, partial(correlate_input, dy, params.weight, windows, x.shape, groups)


def transposed_convolution(form: Form, layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Taken:
    (place,) = bound(layer)
    x, reached = residuals.x, crop(dy, place.pads)

    def weight(n: int) -> Array:
        return correlate_weight(reached[n : n + 1], x[n : n + 1], place.windows, place.groups)

    grads = kernel_and_bias(form, params, form.single(len(x), weight, params.weight), dy)
    return grads, partial(correlate, reached, params.weight, place.windows, place.groups)


def depthwise(form: Form, layer: AnyLayer, params: Any, residuals: Any, dy: Any) -> Taken:
    x = residuals.x

    def weight(n: int) -> Array:
        kept: Any = ConvResiduals(x[n : n + 1])
        made: Any = params_only(layer, params, kept, dy[n : n + 1]).params
        found: Array = made.weight
        return found

    grads = kernel_and_bias(form, params, form.single(len(x), weight, params.weight), dy)
    return grads, input_by_backward(layer, params, residuals, dy)
