"""Norms: entries less their mean over their deviation, in terms of means, so that every shape and precision has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from attrs import evolve

from funcnn.deploy.onnx.graph import Graph, MaskedTensor, Tensor, Translation, unwrapped
from funcnn.deploy.onnx.operators import (
    add,
    divide,
    einsum,
    multiply,
    over,
    reshape,
    subtract,
    unary,
)
from funcnn.deploy.onnx.translations.linear import unit
from funcnn.deploy.onnx.translations.masks import cleared
from funcnn.layers.normalization import (
    batch_norm,
    batch_norm_of_batch,
    group_norm,
    instance_norm,
    instance_norm_with_statistics,
    layer_norm,
    local_response_norm,
    rms_norm,
    unit_norm,
    without_affine,
)
from funcnn.typing import Array

# Any: the parameters and states of layers of all types.


def standardized(g: Graph, x: Tensor, axes: tuple[int, ...], eps: float) -> Tensor:
    """Return x less its mean over axes of a batch, over its deviation."""
    centred = subtract(g, g.channels_last(x), over(g, "ReduceMean", x, axes, keep=True))
    var = over(g, "ReduceMean", multiply(g, centred, centred), axes, keep=True)
    return divide(g, centred, unary(g, "Sqrt", add(g, var, eps)))


def scaled(g: Graph, x: Tensor, scale: Array | None, shift: Array | None) -> Tensor:
    """Return x times a scale plus a shift, where there are such."""
    y = x if scale is None else multiply(g, x, g.constant(scale, "scale"))
    return y if shift is None else add(g, y, g.constant(shift, "shift"))


def last_axes(scale: Array) -> tuple[int, ...]:
    return tuple(range(-scale.ndim, 0))


def normalized(g: Graph, eps: float, scale: Array, shift: Array | None, x: Tensor) -> Tensor:
    """Write ONNX's own node where its attribute eps, a number in single precision, is precise enough."""
    if x.dtype != np.float32:
        return scaled(g, standardized(g, x, last_axes(scale), eps), scale, shift)
    others = [g.constant(scale, "scale"), *([] if shift is None else [g.constant(shift, "shift")])]
    return g.node("LayerNormalization", [g.channels_last(x), *others], x.shape, axis=-scale.ndim, epsilon=eps)


def layer(g: Graph, eps: float, params: Any, state: Any, x: Tensor) -> Tensor:
    return normalized(g, eps, params.scale, params.shift, x)


def layer_without_shift(g: Graph, eps: float, params: Any, state: Any, x: Tensor) -> Tensor:
    return normalized(g, eps, params.scale, None, x)


def root_mean_square(g: Graph, eps: float, params: Any, state: Any, x: Tensor) -> Tensor:
    x = g.channels_last(x)
    square = over(g, "ReduceMean", multiply(g, x, x), last_axes(params.scale), keep=True)
    return scaled(g, divide(g, x, unary(g, "Sqrt", add(g, square, eps))), params.scale, None)


def batch(g: Graph, momentum: float | None, eps: float, params: Any, state: Any, x: Tensor) -> Tensor:
    mean, var = (np.asarray(one).astype(x.dtype) for one in (state.mean, state.var))
    if x.dtype == np.float32 and (x.channels_first or x.ndim == 2):
        names = ("scale", "shift", "mean", "var")
        four = [g.constant(one, name) for name, one in zip(names, (params.scale, params.shift, mean, var), strict=True)]
        made = g.node("BatchNormalization", [x, *four], x.shape, epsilon=eps)
        return evolve(made, channels_first=x.channels_first)
    rate = params.scale * (1 / np.sqrt(var + x.dtype.type(eps)))
    return scaled(g, subtract(g, x, g.constant(mean, "mean")), rate, params.shift)


def masked_batch(g: Graph, momentum: float | None, eps: float, params: Any, state: Any, x: MaskedTensor) -> MaskedTensor:
    return MaskedTensor(cleared(g, batch(g, momentum, eps, params, state, x.values), x.mask), x.mask)


def of_this_batch(g: Graph, eps: float, params: Any, state: Any, x: Tensor) -> Tensor:
    made = standardized(g, x, tuple(range(x.ndim - 1)), eps)
    return scaled(g, made, params.scale, params.shift)


def groups_of(g: Graph, groups: int, eps: float, x: Tensor) -> Tensor:
    points, channels = int(np.prod(x.shape[:-1])), x.shape[-1]
    grouped = reshape(g, x, (points, groups, channels // groups))
    return reshape(g, standardized(g, grouped, (1, 3), eps), x.shape)


def group(g: Graph, groups: int, eps: float, params: Any, state: Any, x: Tensor) -> Tensor:
    return scaled(g, groups_of(g, groups, eps, x), params.scale, params.shift)


def instance(g: Graph, eps: float, params: Any, state: Any, x: Tensor) -> Tensor:
    return scaled(g, standardized(g, x, tuple(range(1, x.ndim - 1)), eps), params.scale, params.shift)


def without_parameters(g: Graph, normalize: Any, constants: Any, params: Any, state: Any, x: Tensor) -> Tensor:
    """Write the norm of which this is one with constants in the place of parameters."""
    made_of = constants(np.zeros((1, *x.shape), x.dtype))
    function, args, keywords = unwrapped(normalize)
    made: Tensor = NORMS[function](g, *args, made_of, state, x, **keywords)
    return made


def unit_length(g: Graph, axis: int, eps: float, params: Any, state: Any, x: Tensor) -> Tensor:
    return unit(g, eps, x, axis)


def local_response(g: Graph, size: int, alpha: float, beta: float, k: float, params: Any, state: Any, x: Tensor) -> Tensor:
    """Write the sums over neighbouring channels as a product with a banded matrix: ONNX's operator takes images alone."""
    channels = x.shape[-1]
    band = local_response_norm.neighbour_sums(np.eye(channels, dtype=x.dtype), size // 2, (size - 1) // 2)
    letters = "abcdefgh"[: x.ndim - 1]
    x = g.channels_last(x)
    sums = einsum(g, f"{letters}y,yz->{letters}z", [multiply(g, x, x), g.constant(band, "band")], x.shape)
    return multiply(g, x, unary(g, "Pow", add(g, multiply(g, sums, alpha), k), g.number(-beta)))


NORMS: dict[Callable[..., Any], Translation] = {
    layer_norm.forward: layer,
    rms_norm.forward: root_mean_square,
    batch_norm.forward: batch,
    without_affine.batch_norm_forward: batch,
    group_norm.forward: group,
    instance_norm.forward: instance,
    instance_norm_with_statistics.forward: batch,
}
"""The norms, by what :mod:`funcnn.layers.normalization.without_affine` calls."""

TRANSLATIONS: dict[Callable[..., Any], Translation] = {
    **NORMS,
    batch_norm.masked_forward: masked_batch,
    batch_norm_of_batch.forward: of_this_batch,
    without_affine.forward: without_parameters,
    without_affine.without_shift_forward: layer_without_shift,
    unit_norm.forward: unit_length,
    local_response_norm.forward: local_response,
}
