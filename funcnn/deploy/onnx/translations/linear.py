"""Layers that multiply by parameters: matrices, factors of each feature, tables of vectors, and distances between inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from funcnn.deploy.onnx.graph import Graph, Tensor, Translation
from funcnn.deploy.onnx.operators import (
    add,
    compare,
    concatenate,
    cut,
    divide,
    einsum,
    matmul,
    multiply,
    over,
    reshape,
    subtract,
    unary,
    where,
)
from funcnn.layers.embedding import embedding, embedding_bag, fourier_features, positions, tied_embedding, weighted_embedding_bag
from funcnn.layers.linear import bilinear, dense, distances, einsum_dense, film, linear, maxout, scale

# Any: the parameters and states of layers of all types.


def affine_map(g: Graph, params: Any, state: Any, x: Tensor) -> Tensor:
    weight, bias = g.constant(params.weight, "weight"), g.constant(params.bias, "bias")
    if x.ndim == 2:
        return g.node("Gemm", [x, weight, bias], params.bias.shape)
    return add(g, matmul(g, x, weight), bias)


def linear_map(g: Graph, params: Any, state: Any, x: Tensor) -> Tensor:
    return matmul(g, x, g.constant(params.weight, "weight"))


def two_inputs(g: Graph, params: Any, state: Any, x: tuple[Tensor, Tensor]) -> Tensor:
    weight = g.constant(params.weight, "weight")
    made = einsum(g, "...i,...j,ijk->...k", [*x, weight], (*x[0].shape[:-1], params.weight.shape[-1]))
    return add(g, made, g.constant(params.bias, "bias"))


def largest_of_pieces(g: Graph, params: Any, state: Any, x: Tensor) -> Tensor:
    pieces = [
        add(g, matmul(g, x, g.constant(weight, "weight")), g.constant(bias, "bias"))
        for weight, bias in zip(params.weight, params.bias, strict=True)
    ]
    return g.node("Max", pieces, pieces[0].shape)


def gain(g: Graph, params: Any, state: Any, x: Tensor) -> Tensor:
    return multiply(g, x, g.constant(params.gain, "gain"))


def gain_and_bias(g: Graph, params: Any, state: Any, x: Tensor) -> Tensor:
    return add(g, gain(g, params, state, x), g.constant(params.bias, "bias"))


def modulated(g: Graph, base: float, params: Any, state: Any, x: tuple[Tensor, Tensor]) -> Tensor:
    values, condition = x
    channels = values.shape[-1]
    ones = (1,) * (len(values.shape) - 1)
    factor = reshape(g, cut(g, condition, 1, 0, channels), (*ones, channels))
    shift = reshape(g, cut(g, condition, 1, channels, 2 * channels), (*ones, channels))
    values = g.channels_last(values)
    return add(g, multiply(g, values, add(g, factor, base) if base else factor), shift)


def sum_of_products(g: Graph, equation: Any, params: Any, state: Any, x: Tensor) -> Tensor:
    lengths = {**dict(zip(equation.x, x.shape, strict=True)), **dict(zip(equation.weight, params.weight.shape, strict=True))}
    shape = tuple([lengths[letter] for letter in equation.y])
    return einsum(g, equation.sum_of("x", "weight", "y"), [x, g.constant(params.weight, "weight")], shape)


def unit(g: Graph, eps: float, x: Tensor, axis: int = -1) -> Tensor:
    """Return x over its length along an axis, or over eps where it is shorter."""
    length = over(g, "ReduceL2", x, (axis,), keep=True)
    return divide(g, g.channels_last(x), g.node("Max", [length, g.number(eps)], length.shape))


def cosine(g: Graph, eps: float, params: Any, state: Any, x: tuple[Tensor, Tensor]) -> Tensor:
    return over(g, "ReduceSum", multiply(g, unit(g, eps, x[0]), unit(g, eps, x[1])), (-1,), keep=True)


def distance(g: Graph, power: float, params: Any, state: Any, x: tuple[Tensor, Tensor]) -> Tensor:
    size = unary(g, "Abs", subtract(g, *x))
    sums = over(g, "ReduceSum", unary(g, "Pow", size, g.number(power)), (-1,), keep=True)
    return unary(g, "Pow", sums, g.number(1 / power))


# Tables of vectors.


def looked_up(g: Graph, table: Any, padding_index: int | None, x: Tensor) -> Tensor:
    y = g.node("Gather", [g.constant(table, "table"), x], (*x.shape, table.shape[1]), table.dtype, axis=0)
    if padding_index is None:
        return y
    padded = reshape(g, compare(g, "Equal", x, padding_index), (*x.shape, 1))
    return where(g, padded, 0.0, y)


def vectors(g: Graph, padding_index: int | None, masked: bool, params: Any, state: Any, x: Tensor) -> Any:
    from funcnn.deploy.onnx.graph import MaskedTensor

    y = looked_up(g, params.table, padding_index, x)
    if not masked:
        return y
    return MaskedTensor(y, unary(g, "Not", compare(g, "Equal", x, padding_index if padding_index is not None else -1)))


def bag(g: Graph, reduction: str, padding_index: int | None, params: Any, state: Any, x: Tensor) -> Tensor:
    y = looked_up(g, params.table, padding_index, x)
    steps, index = x.shape[0], -1 if padding_index is None else padding_index
    present = reshape(g, unary(g, "Not", compare(g, "Equal", x, index)), (steps, 1))
    one_each = where(g, present, g.number(1.0), 0.0)
    count = over(g, "ReduceSum", one_each, (1,))
    if reduction == "max":
        largest = over(g, "ReduceMax", where(g, present, y, -np.inf), (1,))
        return where(g, compare(g, "Greater", count, 0.0), largest, 0.0)
    sums = over(g, "ReduceSum", y, (1,))
    return sums if reduction == "sum" else divide(g, sums, g.node("Max", [count, g.number(1.0)], count.shape))


def weighted_bag(g: Graph, padding_index: int | None, params: Any, state: Any, x: tuple[Tensor, Tensor]) -> Tensor:
    indices, weights = x
    y = looked_up(g, params.table, padding_index, indices)
    steps = indices.shape[0]
    if padding_index is not None:
        weights = where(g, compare(g, "Equal", indices, padding_index), 0.0, weights)
    return reshape(g, matmul(g, reshape(g, weights, (1, steps)), y), (y.shape[-1],))


def learned(g: Graph, start: int, params: Any, state: Any, x: Tensor) -> Tensor:
    return add(g, g.channels_last(x), g.constant(params.table[start : start + x.shape[0]], "positions"))


def sinusoidal(g: Graph, max_length: int, start: int, params: Any, state: Any, x: Tensor) -> Tensor:
    table = positions.sinusoids(start, x.shape[0], x.shape[1], np.dtype(np.float64))
    return add(g, g.channels_last(x), g.constant(table, "positions", x.dtype))


def waves(g: Graph, params: Any, state: Any, x: Tensor) -> Tensor:
    turns = state.frequencies.astype(x.dtype) * x.dtype.type(fourier_features.TURN)
    z = matmul(g, x, g.constant(turns, "frequencies"))
    return concatenate(g, [unary(g, "Cos", z), unary(g, "Sin", z)])


def tied(g: Graph, inner: Any, params: Any, state: Any, x: Tensor) -> Tensor:
    y = g.layer(inner, params.inner, state, looked_up(g, params.table, None, x), ".inner")
    return matmul(g, y, g.constant(params.table.T, "table_transposed"))


TRANSLATIONS: dict[Callable[..., Any], Translation] = {
    dense.forward: affine_map,
    linear.forward: linear_map,
    bilinear.forward: two_inputs,
    maxout.forward: largest_of_pieces,
    scale.forward: gain,
    scale.affine_forward: gain_and_bias,
    film.forward: modulated,
    einsum_dense.forward: sum_of_products,
    distances.cosine_forward: cosine,
    distances.distance_forward: distance,
    embedding.forward: vectors,
    embedding_bag.forward: bag,
    weighted_embedding_bag.forward: weighted_bag,
    positions.learned_forward: learned,
    positions.sinusoidal_forward: sinusoidal,
    fourier_features.forward: waves,
    tied_embedding.forward: tied,
}
