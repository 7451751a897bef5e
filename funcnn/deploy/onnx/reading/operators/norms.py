"""Norms: entries less their mean over their deviation."""

from __future__ import annotations

from typing import Any

import numpy as np

from funcnn.deploy.onnx.reading.operators.operator import Made, Operator, Values, summed_to
from funcnn.deploy.onnx.reading.program import Called
from funcnn.layer import Eval
from funcnn.layers.normalization import local_response_norm

# Any: arrays of all kinds.


def standardized(x: Any, axes: tuple[int, ...], eps: float) -> tuple[Any, Any]:
    """Return x less its mean over axes, over its deviation, and one over that."""
    centred = x - x.mean(axes, keepdims=True)
    rstd = 1 / np.sqrt((centred * centred).mean(axes, keepdims=True) + x.dtype.type(eps))
    return centred * rstd, rstd


def standardized_back(xhat: Any, rstd: Any, axes: tuple[int, ...], g: Any) -> Any:
    """Return the cotangent of x for that of xhat: rstd (g - mean(g) - xhat mean(xhat g)), as in the layer's derivation."""
    return rstd * (g - g.mean(axes, keepdims=True) - xhat * (xhat * g).mean(axes, keepdims=True))


def by_channel(value: Any, ndim: int) -> Any:
    """Return a vector (c,) as it stands beside (n, c, *space)."""
    return value.reshape(1, -1, *(1,) * (ndim - 2))


def batch_forward(node: Called, inputs: Values) -> Made:
    if node.attributes.get("training_mode"):
        raise node.refuse("it is in training mode: files of predictions are read")
    x, scale, shift, mean, var = inputs
    rstd = 1 / np.sqrt(var + x.dtype.type(node.attributes.get("epsilon", 1e-5)))
    centred = x - by_channel(mean, x.ndim)
    return (centred * by_channel(scale * rstd, x.ndim) + by_channel(shift, x.ndim),), (centred, scale, rstd)


def batch_backward(node: Called, kept: Any, dys: Values) -> Values:
    centred, scale, rstd = kept
    dy, axes = dys[0], (0, *range(2, dys[0].ndim))
    return dy * by_channel(scale * rstd, dy.ndim), (dy * centred).sum(axes) * rstd, dy.sum(axes), None, None


def layer_forward(node: Called, inputs: Values) -> Made:
    x, scale, shift = [*inputs, None][:3]
    axes = tuple(range(node.attributes.get("axis", -1) % x.ndim, x.ndim))
    xhat, rstd = standardized(x, axes, node.attributes.get("epsilon", 1e-5))
    y = xhat * scale
    mean = x.mean(axes, keepdims=True)
    return (y if shift is None else y + shift, mean, rstd), (
        xhat,
        rstd,
        axes,
        scale,
        None if shift is None else shift.shape,
        len(inputs),
    )


def layer_backward(node: Called, kept: Any, dys: Values) -> Values:
    xhat, rstd, axes, scale, shape, count = kept
    if any(one is not None for one in dys[1:]):
        raise node.refuse("its mean or its deviation goes on through the graph, which has no gradient here")
    dy = dys[0]
    dshift = None if shape is None else summed_to(dy, shape)
    return (standardized_back(xhat, rstd, axes, dy * scale), summed_to(dy * xhat, scale.shape), dshift)[:count]


def grouped_forward(groups: int, node: Called, inputs: Values) -> Made:
    x, scale, shift = inputs
    parts = x.reshape(x.shape[0], groups, -1)
    xhat, rstd = standardized(parts, (2,), node.attributes.get("epsilon", 1e-5))
    repeats = x.shape[1] // len(scale)  # operator set 18 has a scale for each group
    factor, offset = (by_channel(np.repeat(one, repeats), x.ndim) for one in (scale, shift))
    return (xhat.reshape(x.shape) * factor + offset,), (xhat, rstd, factor, repeats)


def grouped_backward(node: Called, kept: Any, dys: Values) -> Values:
    xhat, rstd, factor, repeats = kept
    dy, axes = dys[0], (0, *range(2, dys[0].ndim))
    dx = standardized_back(xhat, rstd, (2,), (dy * factor).reshape(xhat.shape)).reshape(dy.shape)
    dscale, dshift = (one.sum(axes).reshape(-1, repeats).sum(1) for one in (dy * xhat.reshape(dy.shape), dy))
    return dx, dscale, dshift


def instance_forward(node: Called, inputs: Values) -> Made:
    return grouped_forward(inputs[0].shape[1], node, inputs)


def group_forward(node: Called, inputs: Values) -> Made:
    return grouped_forward(node.attributes["num_groups"], node, inputs)


def neighbours_forward(node: Called, inputs: Values) -> Made:
    given, x = node.attributes, np.ascontiguousarray(np.moveaxis(inputs[0], 1, -1))
    size, k = given["size"], given.get("bias", 1.0)
    after, before = size // 2, (size - 1) // 2  # ONNX counts more behind, the layer before: the channels are turned round
    alpha, beta = given.get("alpha", 1e-4) / size, given.get("beta", 0.75)
    turn = slice(None, None, -1 if after != before else 1)
    made = local_response_norm.forward(size, alpha, beta, k, (), (), x[..., turn].copy(), Eval())
    return (np.moveaxis(made.output[..., turn], -1, 1).copy(),), ((size, alpha, beta), turn, made.residuals)


def neighbours_backward(node: Called, kept: Any, dys: Values) -> Values:
    (size, alpha, beta), turn, residuals = kept
    dy = np.moveaxis(dys[0], 1, -1)[..., turn].copy()
    dx = local_response_norm.backward(size, alpha, beta, (), residuals, dy).input
    return (np.moveaxis(dx[..., turn], -1, 1).copy(),)


def square_forward(node: Called, inputs: Values) -> Made:
    """Write x over its root mean square, times a scale."""
    x, scale = inputs
    axes = tuple(range(node.attributes.get("axis", -1) % x.ndim, x.ndim))
    rate = 1 / np.sqrt((x * x).mean(axes, keepdims=True) + x.real.dtype.type(node.attributes.get("epsilon", 1e-5)))
    return (x * rate * scale,), (x, rate, axes, scale)


def square_backward(node: Called, kept: Any, dys: Values) -> Values:
    x, rate, axes, scale = kept
    xhat, dxhat = x * rate, dys[0] * scale
    dx = rate * (dxhat - xhat * (dxhat * xhat).mean(axes, keepdims=True))
    return dx, summed_to(dys[0] * xhat, scale.shape)


OPERATORS: dict[str, Operator] = {
    "BatchNormalization": Operator(batch_forward, batch_backward),
    "LayerNormalization": Operator(layer_forward, layer_backward),
    "RMSNormalization": Operator(square_forward, square_backward),
    "InstanceNormalization": Operator(instance_forward, grouped_backward),
    "GroupNormalization": Operator(group_forward, grouped_backward),
    "LRN": Operator(neighbours_forward, neighbours_backward),
}
