"""Layers whose numbers choose what is added: neighbours in a graph, experts, splines near an input, windows of uneven steps."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np

from funcnn.combinators.around import mixture_of_experts
from funcnn.deploy.onnx.graph import Graph, PooledTensor, Tensor, Translation
from funcnn.deploy.onnx.operators import (
    add,
    binary,
    cast,
    compare,
    concatenate,
    cut,
    divide,
    gather,
    matmul,
    multiply,
    over,
    regroup,
    reshape,
    subtract,
    swap,
    unary,
    where,
)
from funcnn.layers.linear import graph_convolution, spline
from funcnn.layers.pooling import fractional_max_pooling

# Any: the parameters and states of layers of all types.


def one_hot(g: Graph, numbers: Tensor, count: int) -> Tensor:
    """Return where integers (n, k) are 0, ..., count - 1, as (n, k, count) of numbers."""
    places = g.constant(np.arange(count), "places")
    return cast(g, compare(g, "Equal", reshape(g, numbers, (*numbers.shape, 1)), places), g.dtype)


def neighbours(g: Graph, params: Any, state: Any, x: tuple[Tensor, Tensor]) -> Tensor:
    """Write a graph convolution: edges are rows of zeros and ones, those that are none of zeros alone."""
    values, edges = g.channels_last(x[0]), x[1]
    nodes, count = values.shape[0], edges.shape[0]
    real = over(g, "ReduceMin", cast(g, compare(g, "GreaterOrEqual", edges, 0), g.dtype), (2,), keep=True)
    ends = [one_hot(g, regroup(g, cut(g, edges, 2, at, at + 1), (count,)), nodes) for at in (0, 1)]
    source, target = ends[0], multiply(g, ends[1], real)
    degree = add(g, over(g, "ReduceSum", target, (1,)), 1.0)
    rate = unary(g, "Reciprocal", unary(g, "Sqrt", reshape(g, degree, (nodes, 1))))
    sent = multiply(g, matmul(g, values, g.constant(params.weight, "weight")), rate)
    received = matmul(g, swap(g, target, 1, 2), matmul(g, source, sent))
    return add(g, multiply(g, add(g, received, sent), rate), g.constant(params.bias, "bias"))


def experts(g: Graph, mixture: Any, params: Any, state: Any, x: Tensor) -> Any:
    """Write a mixture of experts, each of which computes all vectors: what was not asked of one is multiplied by 0."""
    x = g.channels_last(x)
    rows, count = regroup(g, x, x.shape[-1:]), mixture.experts
    scores = matmul(g, rows, g.constant(params.router, "router"))
    _, best = g.outputs("TopK", [scores, g.integers(mixture.top_k)], ("values", "indices"), axis=1, largest=1, sorted=1)
    indices = Tensor(best.name, (mixture.top_k,), np.dtype(np.int64))
    chosen = compare(g, "Greater", over(g, "ReduceSum", one_hot(g, indices, count), (1,)), 0.5)
    gates = unary(g, "Softmax", where(g, chosen, scores, float(np.finfo(g.dtype).min)), axis=-1)
    parts = []
    for index in range(count):
        made = g.layer(mixture.expert, params.experts[index], state, rows, index)
        own = cut(g, chosen, 1, index, index + 1)
        parts.append(where(g, own, multiply(g, cut(g, gates, 1, index, index + 1), made), 0.0))
    whole = parts[0]
    for one in parts[1:]:
        whole = add(g, whole, one)
    y = regroup(g, whole, (*x.shape[:-1], whole.shape[-1]))
    if not mixture.routing:
        return y
    return y, regroup(g, scores, (*x.shape[:-1], count))


def splines(g: Graph, knots: Any, params: Any, state: Any, x: Tensor) -> Tensor:
    """Write the splines by their recursion in the degree (Cox and de Boor), which begins with steps."""
    x = g.channels_last(x)
    kind, degree = x.dtype.type, knots.degree
    width = (kind(knots.high) - kind(knots.low)) / knots.intervals
    count = knots.intervals + 2 * degree
    z = reshape(g, add(g, divide(g, subtract(g, x, float(kind(knots.low))), float(width)), float(degree)), (*x.shape, 1))
    first = np.arange(count, dtype=kind)
    above = compare(g, "GreaterOrEqual", z, g.constant(first, "knots"))
    below = compare(g, "Less", z, g.constant(first + 1, "knots"))
    basis = cast(g, binary(g, "And", above, below, bool), x.dtype)
    near = where(g, binary(g, "And", compare(g, "Greater", z, -1.0), compare(g, "Less", z, count + 1.0), bool), z, -1.0)
    for q in range(1, degree + 1):
        knot, left = first[: count - q], count - q
        rising = multiply(g, subtract(g, near, g.constant(knot, "knots")), cut(g, basis, basis.ndim - 1, 0, left))
        falling = multiply(g, subtract(g, g.constant(knot + (q + 1), "knots"), near), cut(g, basis, basis.ndim - 1, 1, left + 1))
        basis = divide(g, add(g, rising, falling), float(q))
    flat = params.spline.reshape(-1, params.spline.shape[-1])
    learned = matmul(g, reshape(g, basis, (*x.shape[:-1], len(flat))), g.constant(flat, "spline"))
    base = matmul(g, multiply(g, x, unary(g, "Sigmoid", x)), g.constant(params.base, "base"))
    return add(g, base, learned)


def candidates(g: Graph, windows: Any, x: Tensor) -> tuple[Tensor, np.ndarray[Any, Any]]:
    """Return the points of each window (n, *output, c, k), and their numbers (*output, 1, k), counted row by row."""
    space = x.shape[:-1]
    kernel, output = windows.sizes(space)
    middle = np.full((1, 1), 0.5)  # where windows stand in a prediction
    axes = zip(space, kernel, output, strict=True)
    starts = [fractional_max_pooling.window_starts(length, k, count, middle)[0, :, 0] for length, k, count in axes]
    points, numbers = [], []
    for offset in product(*map(range, kernel)):
        at = [start + step for start, step in zip(starts, offset, strict=True)]
        point = x
        for axis, places in enumerate(at):
            point = gather(g, point, g.integers(*places.tolist()), axis + 1)
        points.append(reshape(g, point, (*point.shape, 1)))
        numbers.append(np.ravel_multi_index(np.meshgrid(*at, indexing="ij"), space))
    return concatenate(g, points), np.stack(numbers, -1)[..., np.newaxis, :]


def uneven(g: Graph, windows: Any, params: Any, state: Any, x: Tensor) -> Tensor:
    points, _ = candidates(g, windows, g.channels_last(x))
    return over(g, "ReduceMax", points, (points.ndim - 1,))


def uneven_with_indices(g: Graph, windows: Any, params: Any, state: Any, x: Tensor) -> PooledTensor:
    points, numbers = candidates(g, windows, g.channels_last(x))
    last = points.ndim - 1
    best = g.node("ArgMax", [points], points.shape[:-1], np.int64, axis=last, keepdims=0)
    own = compare(g, "Equal", reshape(g, best, (*best.shape, 1)), g.constant(np.arange(points.shape[-1]), "places"))
    indices = over(g, "ReduceSum", where(g, own, g.constant(numbers, "numbers"), 0), (last,))
    return PooledTensor(over(g, "ReduceMax", points, (last,)), indices)


TRANSLATIONS: dict[Callable[..., Any], Translation] = {
    graph_convolution.forward: neighbours,
    mixture_of_experts.forward: experts,
    spline.forward: splines,
    fractional_max_pooling.forward: uneven,
    fractional_max_pooling.indices_forward: uneven_with_indices,
}
