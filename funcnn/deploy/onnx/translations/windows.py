"""Convolutions, pools, and what takes windows apart or puts them together: their channels stand first in ONNX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from attrs import evolve

from funcnn.deploy.onnx.graph import Graph, PooledTensor, Tensor, Translation
from funcnn.deploy.onnx.operators import (
    add,
    along,
    binary,
    concatenate,
    cut,
    cuts,
    for_each_example,
    multiply,
    over,
    pad,
    regroup,
    reshape,
    transpose,
    unary,
)
from funcnn.kernels.windows import Windows, kernel_points
from funcnn.layers.convolution import convolution, depthwise, transposed_convolution
from funcnn.layers.pooling import (
    adaptive_max_with_indices,
    adaptive_pooling,
    average_pooling,
    global_pooling,
    max_pooling,
    max_unpooling,
    pooling,
    power_pooling,
)
from funcnn.layers.shape import unfold
from funcnn.typing import Array, Shape

# Any: the parameters and states of layers of all types.


def padding(pads: tuple[tuple[int, int], ...]) -> Shape:
    """Return paddings as ONNX has them: those before all axes, then those behind."""
    return tuple([low for low, _ in pads] + [high for _, high in pads])


def windowed(g: Graph, kind: str, windows: Windows, x: Tensor, others: list[Tensor], channels: int, **more: Any) -> Tensor:
    """Write an operator on windows of x, channels first."""
    space = x.shape[:-1]
    made = g.node(
        kind,
        [g.channels_first(x), *others],
        (*windows.count(space), channels),
        kernel_shape=windows.kernel,
        strides=windows.stride,
        pads=padding(windows.pads(space)),
        **more,
    )
    return evolve(made, channels_first=True)


def kernels(g: Graph, params: Any, weight: Array) -> list[Tensor]:
    """Return the weight, output channels first, and the bias where there is one."""
    bias = [g.constant(params.bias, "bias")] if hasattr(params, "bias") else []
    return [g.constant(weight, "weight"), *bias]


def outputs_first(weight: Array) -> Array:
    """Return a weight (*kernel, in, out) as (out, in, *kernel)."""
    return np.moveaxis(weight, (-1, -2), (0, 1))


def convolved(g: Graph, windows: Windows, groups: int, params: Any, state: Any, x: Tensor) -> Tensor:
    made = kernels(g, params, outputs_first(params.weight))
    return windowed(g, "Conv", windows, x, made, params.weight.shape[-1], group=groups, dilations=windows.dilation)


def by_channel(g: Graph, multiplier: int, windows: Windows, params: Any, state: Any, x: Tensor) -> Tensor:
    channels = params.weight.shape[-1]
    filters = params.weight.reshape(*windows.kernel, 1, channels)
    made = kernels(g, params, outputs_first(filters))
    return windowed(g, "Conv", windows, x, made, channels, group=channels // multiplier, dilations=windows.dilation)


def deconvolved(g: Graph, place: Any, params: Any, state: Any, x: Tensor) -> Tensor:
    windows, weight = place.windows, params.weight
    channels = weight.shape[-2] * place.groups
    space = place.out_shape((1, *x.shape), channels)[1:-1]
    pads = windows.pads(space)
    reached = [
        s * (n - 1) + r - low - high for s, n, r, (low, high) in zip(windows.stride, x.shape, windows.reach, pads, strict=False)
    ]
    made = g.node(
        "ConvTranspose",
        [g.channels_first(x), g.constant(outputs_first(weight), "weight")],
        (*space, channels),
        kernel_shape=windows.kernel,
        strides=windows.stride,
        dilations=windows.dilation,
        group=place.groups,
        pads=padding(pads),
        output_padding=tuple([n - m for n, m in zip(space, reached, strict=True)]),
    )
    y = pad(g, evolve(made, channels_first=True), place.pads)
    return add(g, y, g.constant(params.bias, "bias")) if hasattr(params, "bias") else y


# Pools.


def largest(g: Graph, windows: Windows, ceil: bool, params: Any, state: Any, x: Tensor) -> Tensor:
    own = pooling.fitted(windows, ceil, x.shape[:-1])
    return windowed(g, "MaxPool", own, x, [], x.shape[-1], dilations=own.dilation)


def mean(g: Graph, averages: average_pooling.Averages, params: Any, state: Any, x: Tensor) -> Tensor:
    """Write sums over windows, as means of all their points, over the divisor: it is not ONNX's where a pool has a ceiling."""
    own = pooling.fitted(averages.windows, averages.ceil, x.shape[:-1])
    if max(own.dilation) > 1:
        raise g.refuse("operator set 18 has no average pools with dilation")
    divisor = average_pooling.divisor(averages, own, x.shape[:-1], np.dtype(x.dtype))
    made = windowed(g, "AveragePool", own, x, [], x.shape[-1], count_include_pad=1)
    factor = np.broadcast_to(kernel_points(own) / divisor, (1, *own.count(x.shape[:-1]), 1))
    if (factor == 1).all():
        return made
    laid = g.constant(np.moveaxis(factor, -1, 1), "factor")
    return multiply(g, made, evolve(laid, shape=factor.shape, channels_first=True))


def power_mean(g: Graph, windows: Windows, ceil: bool, power: float, params: Any, state: Any, x: Tensor) -> Tensor:
    own = pooling.fitted(windows, ceil, x.shape[:-1])
    if max(own.dilation) > 1:
        raise g.refuse("operator set 18 has no average pools with dilation")
    raised = unary(g, "Pow", unary(g, "Abs", x), g.number(power))
    made = windowed(g, "AveragePool", own, raised, [], x.shape[-1], count_include_pad=1)
    return unary(g, "Pow", multiply(g, made, float(kernel_points(windows))), g.number(1 / power))


def with_indices(g: Graph, windows: Windows, ceil: bool, params: Any, state: Any, x: Tensor) -> PooledTensor:
    space = x.shape[:-1]
    own = pooling.fitted(windows, ceil, space)
    values, indices = g.outputs(
        "MaxPool",
        [g.channels_first(x)],
        ("values", "indices"),
        kernel_shape=own.kernel,
        strides=own.stride,
        pads=padding(own.pads(space)),
        dilations=own.dilation,
    )
    shape = (*own.count(space), x.shape[-1])
    flat = evolve(indices, shape=shape, dtype=np.dtype(np.int64), channels_first=True)
    return PooledTensor(
        evolve(values, shape=shape, channels_first=True),
        g.channels_last(binary(g, "Mod", flat, int(np.prod(space)))),  # ONNX counts through the whole batch
    )


def unpooled(g: Graph, space: Shape, params: Any, state: Any, x: PooledTensor) -> Tensor:
    channels, points = x.values.shape[-1], int(np.prod(space))
    values, indices = (regroup(g, one, (int(np.prod(one.shape[:-1])), channels)) for one in (x.values, x.indices))
    empty = for_each_example(g, np.zeros((points, channels), values.dtype), values)
    made = g.node("ScatterElements", [empty, indices, values], (points, channels), axis=1, reduction="add")
    return regroup(g, made, (*space, channels))


def mean_of_all(g: Graph, params: Any, state: Any, x: Tensor) -> Tensor:
    return of_all(g, "ReduceMean", x)


def largest_of_all(g: Graph, params: Any, state: Any, x: Tensor) -> Tensor:
    return of_all(g, "ReduceMax", x)


def of_all(g: Graph, reduction: str, x: Tensor) -> Tensor:
    if not x.channels_first:
        return over(g, reduction, x, tuple(range(1, x.ndim - 1)))
    return g.node(reduction, [x, g.integers(*range(2, x.ndim))], x.shape[-1:], keepdims=0)


def adaptive_mean(g: Graph, size: Any, params: Any, state: Any, x: Tensor) -> Tensor:
    y = x
    for axis, (length, count) in enumerate(zip(x.shape[:-1], adaptive_pooling.counts_of(size, x.shape[:-1]), strict=True), 1):
        matrix = adaptive_pooling.members(length, count, np.dtype(x.dtype))
        y = along(g, matrix / matrix.sum(1, keepdims=True), y, axis)
    return y


def adaptive_largest(g: Graph, size: Any, params: Any, state: Any, x: Tensor) -> Tensor:
    y = x
    for axis, (length, count) in enumerate(zip(x.shape[:-1], adaptive_pooling.counts_of(size, x.shape[:-1]), strict=True), 1):
        parts = [cut(g, y, axis, one.start, one.stop) for one in adaptive_pooling.cells(length, count)]
        y = concatenate(g, [over(g, "ReduceMax", one, (axis,), keep=True) for one in parts], axis)
    return y


def largest_of_cells(g: Graph, size: Any, params: Any, state: Any, x: Tensor) -> PooledTensor:
    """Write each cell apart: the place of its largest point within it, and the number that this has in the whole."""
    space, channels = x.shape[:-1], x.shape[-1]
    counts, numbers = adaptive_pooling.counts_of(size, space), np.arange(int(np.prod(space))).reshape(space)
    values, indices = [], []
    for points in adaptive_pooling.blocks(space, counts):
        within = numbers[points].reshape(-1)
        block = reshape(g, cuts(g, x, [range(one.start, one.stop) for one in points]), (len(within), channels))
        largest_at = g.node("ArgMax", [block], (1, channels), np.int64, axis=1, keepdims=1)
        values.append(over(g, "ReduceMax", block, (1,), keep=True))
        indices.append(g.node("Gather", [g.integers(*within.tolist()), largest_at], (1, channels), np.int64, axis=0))
    return PooledTensor(*[reshape(g, concatenate(g, one, 1), (*counts, channels)) for one in (values, indices)])


# Windows as features.


def unfolded(g: Graph, windows: Windows, params: Any, state: Any, x: Tensor) -> Tensor:
    space = x.shape[:-1]
    count, padded = windows.count(space), pad(g, g.channels_last(x), windows.pads(space))
    places = [
        tuple(
            [
                range(d * k, d * k + s * (n - 1) + 1, s)
                for k, d, s, n in zip(offset, windows.dilation, windows.stride, count, strict=True)
            ]
        )
        for offset in np.ndindex(windows.kernel)
    ]
    return concatenate(g, [cuts(g, padded, one) for one in places])


def folded(g: Graph, windows: Windows, space: Shape, params: Any, state: Any, x: Tensor) -> Tensor:
    points = kernel_points(windows)
    channels, count = x.shape[-1] // points, int(np.prod(x.shape[:-1]))
    columns = transpose(g, reshape(g, x, (count, points, channels)), (0, 3, 2, 1))
    made = g.node(
        "Col2Im",
        [reshape(g, columns, (channels * points, count)), g.integers(*space), g.integers(*windows.kernel)],
        (*space, channels),
        strides=windows.stride,
        dilations=windows.dilation,
        pads=padding(windows.pads(space)),
    )
    return evolve(made, channels_first=True)


TRANSLATIONS: dict[Callable[..., Any], Translation] = {
    convolution.forward: convolved,
    depthwise.forward: by_channel,
    transposed_convolution.forward: deconvolved,
    max_pooling.max_forward: largest,
    average_pooling.average_forward: mean,
    power_pooling.power_forward: power_mean,
    max_unpooling.pool_forward: with_indices,
    max_unpooling.unpool_forward: unpooled,
    global_pooling.average_forward: mean_of_all,
    global_pooling.max_forward: largest_of_all,
    adaptive_pooling.average_forward: adaptive_mean,
    adaptive_pooling.max_forward: adaptive_largest,
    adaptive_max_with_indices.forward: largest_of_cells,
    unfold.unfold_forward: unfolded,
    unfold.fold_forward: folded,
}
