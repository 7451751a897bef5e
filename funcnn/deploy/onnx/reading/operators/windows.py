"""Operators on windows: convolutions and pools, by the layers, whose channels stand last."""

from __future__ import annotations

from typing import Any

import numpy as np

from funcnn.deploy.onnx.reading.operators.operator import Made, Operator, Values
from funcnn.deploy.onnx.reading.program import Called
from funcnn.kernels.windows import Windows
from funcnn.layer import Eval
from funcnn.layers.convolution import convolution, transposed_convolution
from funcnn.layers.convolution.convolution import ConvParams, ConvWithoutBiasParams
from funcnn.layers.pooling import average_pooling, max_pooling
from funcnn.layers.shape import grid_sample

# Any: arrays of all kinds.


def windows_of(node: Called, space: tuple[int, ...], kernel: tuple[int, ...]) -> Windows:
    """Return the windows that a node says."""
    ndim, given = len(kernel), node.attributes
    strides, dilations = (tuple(given.get(name, (1,) * ndim)) for name in ("strides", "dilations"))
    kind = given.get("auto_pad", "NOTSET")
    if kind in ("SAME_UPPER", "SAME_LOWER"):
        pads = Windows(kernel, strides, dilations, "same").pads(space)
        pads = pads if kind == "SAME_UPPER" else tuple([(high, low) for low, high in pads])
    elif kind == "VALID":
        pads = ((0, 0),) * ndim
    else:
        flat = given.get("pads", (0,) * 2 * ndim)
        pads = tuple(zip(flat[:ndim], flat[ndim:], strict=True))
    if any(width < 0 for pair in pads for width in pair):
        raise node.refuse("its padding is negative")
    return Windows(kernel, strides, dilations, pads)


def last(x: Any) -> Any:
    """Return an array (n, c, *space) with its channels last."""
    return np.ascontiguousarray(np.moveaxis(x, 1, -1))


def first(x: Any) -> Any:
    """Return an array (n, *space, c) with its channels first."""
    return np.ascontiguousarray(np.moveaxis(x, -1, 1))


def kernel_params(inputs: Values) -> ConvParams | ConvWithoutBiasParams:
    """Return the parameters of the layer: a weight (a, b, *kernel) becomes (*kernel, b, a)."""
    weight = np.ascontiguousarray(np.moveaxis(inputs[1], (0, 1), (-1, -2)))
    bias = inputs[2] if len(inputs) > 2 else None
    return ConvWithoutBiasParams(weight) if bias is None else ConvParams(weight, bias)


def kernel_cotangents(made: Any, count: int) -> list[Any]:
    """Return the cotangents of the weight and of the bias as the node has them."""
    weight = np.ascontiguousarray(np.moveaxis(made.weight, (-1, -2), (0, 1)))
    return [weight, getattr(made, "bias", None)][: count - 1]


def conv_forward(node: Called, inputs: Values) -> Made:
    params, x = kernel_params(inputs), last(inputs[0])
    windows, groups = windows_of(node, x.shape[1:-1], inputs[1].shape[2:]), node.attributes.get("group", 1)
    made = convolution.forward(windows, groups, params, (), x, Eval())
    return (first(made.output),), (windows, groups, params, made.residuals, len(inputs))


def conv_backward(node: Called, kept: Any, dys: Values) -> Values:
    windows, groups, params, residuals, count = kept
    made = convolution.backward(windows, groups, params, residuals, last(dys[0]))
    return (first(made.input), *kernel_cotangents(made.params, count))


def transposed_forward(node: Called, inputs: Values) -> Made:
    if "output_shape" in node.attributes or node.attributes.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        raise node.refuse("it gives the shape of its output in place of its padding")
    params, kernel = kernel_params(inputs), inputs[1].shape[2:]
    windows = windows_of(node, inputs[0].shape[2:], kernel)
    more = tuple(node.attributes.get("output_padding", (0,) * len(kernel)))
    place = transposed_convolution.geometry(windows, more, node.attributes.get("group", 1))
    made = transposed_convolution.forward(place, params, (), last(inputs[0]), Eval())
    return (first(made.output),), (place, params, made.residuals, len(inputs))


def transposed_backward(node: Called, kept: Any, dys: Values) -> Values:
    place, params, residuals, count = kept
    made = transposed_convolution.backward(place, params, residuals, last(dys[0]))
    return (first(made.input), *kernel_cotangents(made.params, count))


def max_pool_forward(node: Called, inputs: Values) -> Made:
    if len(node.outputs) > 1:
        raise node.refuse("it gives the places of the maxima as well")
    x = last(inputs[0])
    windows = windows_of(node, x.shape[1:-1], tuple(node.attributes["kernel_shape"]))
    ceil = bool(node.attributes.get("ceil_mode", 0))
    made = max_pooling.max_forward(windows, ceil, (), (), x, Eval())
    return (first(made.output),), (windows, ceil, made.residuals)


def max_pool_backward(node: Called, kept: Any, dys: Values) -> Values:
    windows, ceil, residuals = kept
    return (first(max_pooling.max_backward(windows, ceil, (), residuals, last(dys[0])).input),)


def mean_pool_forward(node: Called, inputs: Values) -> Made:
    x = last(inputs[0])
    windows = windows_of(node, x.shape[1:-1], tuple(node.attributes["kernel_shape"]))
    count_pad = bool(node.attributes.get("count_include_pad", 0))
    averages = average_pooling.Averages(windows, bool(node.attributes.get("ceil_mode", 0)), count_pad, None)
    made = average_pooling.average_forward(averages, (), (), x, Eval())
    return (first(made.output),), (averages, made.residuals)


def mean_pool_backward(node: Called, kept: Any, dys: Values) -> Values:
    averages, residuals = kept
    return (first(average_pooling.average_backward(averages, (), residuals, last(dys[0])).input),)


def sample_forward(node: Called, inputs: Values) -> Made:
    mode = {"bilinear": "linear", "linear": "linear", "nearest": "nearest"}.get(node.attributes.get("mode", "linear"))
    if mode is None:
        raise node.refuse("its interpolation is neither linear nor nearest")
    beyond = {"zeros": "zeros", "border": "border", "reflection": "reflect"}[node.attributes.get("padding_mode", "zeros")]
    how: Any = grid_sample.Sampling(mode, beyond, bool(node.attributes.get("align_corners", 0)))  # type: ignore[arg-type]  # a word of the table
    made = grid_sample.forward(how, (), (), (last(inputs[0]), inputs[1]), Eval())
    return (first(made.output),), (how, made.residuals)


def sample_backward(node: Called, kept: Any, dys: Values) -> Values:
    how, residuals = kept
    dx, dgrid = grid_sample.backward(how, (), residuals, last(dys[0])).input
    return first(dx), dgrid


def pooled_globally(largest: bool) -> Operator:
    """Make a pool over all points."""
    from funcnn.deploy.onnx.reading.operators.products import pulled

    kind = "ReduceMax" if largest else "ReduceMean"

    def forward(node: Called, inputs: Values) -> Made:
        x = inputs[0]
        axes = tuple(range(2, x.ndim))
        y = x.max(axes, keepdims=True) if largest else x.mean(axes, keepdims=True)
        return (y,), (x, y, axes)

    def backward(node: Called, kept: Any, dys: Values) -> Values:
        x, y, axes = kept
        return (np.broadcast_to(pulled(kind, x, y, dys[0], axes, int(np.prod(x.shape[2:]))), x.shape).copy(),)

    return Operator(forward, backward)


OPERATORS: dict[str, Operator] = {
    "Conv": Operator(conv_forward, conv_backward),
    "ConvTranspose": Operator(transposed_forward, transposed_backward),
    "MaxPool": Operator(max_pool_forward, max_pool_backward),
    "AveragePool": Operator(mean_pool_forward, mean_pool_backward),
    "GlobalAveragePool": pooled_globally(False),
    "GlobalMaxPool": pooled_globally(True),
    "GridSample": Operator(sample_forward, sample_backward),
}
