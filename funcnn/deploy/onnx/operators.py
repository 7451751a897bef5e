"""Operators of ONNX as functions of tensors, with the shapes of what they give, for the translations of layers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np
from attrs import evolve

from funcnn.deploy.onnx.graph import Graph, Tensor
from funcnn.typing import Shape

# Entry by entry.


def unary(g: Graph, kind: str, x: Tensor, *others: Tensor, **attributes: Any) -> Tensor:
    """Write an operator of each entry alone: the order of the axes stays."""
    made = g.node(kind, [x, *others], x.shape, **attributes)
    return evolve(made, batched=x.batched, channels_first=x.channels_first)


def binary(g: Graph, kind: str, a: Tensor | float, b: Tensor | float, dtype: type | None = None) -> Tensor:
    """Write an operator of two tensors, or of a tensor and a number, with NumPy's rule of axes that are 1 long."""
    like = a if isinstance(a, Tensor) else b
    assert isinstance(like, Tensor)
    left, right = (one if isinstance(one, Tensor) else g.constant(np.asarray(one, like.dtype), "number") for one in (a, b))
    left, right, first = aligned(g, left, right)
    batched = left.batched or right.batched
    shape = broadcast(left, right)
    made = g.node(kind, [left, right], shape[1:] if batched else shape, dtype)
    return evolve(made, batched=batched, channels_first=first)


def broadcast(*tensors: Tensor) -> Shape:
    """Return the common shape, with 1 in the place of the examples."""
    return np.broadcast_shapes(*[(1, *one.shape) if one.batched else one.shape for one in tensors])


def aligned(g: Graph, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, bool]:
    """Return both in one order of axes, and whether that has the channels first."""
    if a.channels_first == b.channels_first:
        return a, b, a.channels_first
    first, other = (a, b) if a.channels_first else (b, a)
    if not other.batched and other.ndim <= 1:
        if other.ndim == 1:
            value = g.constants[other.name]
            other = g.constant(value.reshape(-1, *(1,) * (first.ndim - 2)), "by_channel")
            other = evolve(other, shape=value.shape)  # as it is called here: along the last axis
        return (first, other, True) if a.channels_first else (other, first, True)
    if other.batched and other.ndim == first.ndim:
        return g.channels_first(a), g.channels_first(b), True
    return g.channels_last(a), g.channels_last(b), False


def add(g: Graph, a: Tensor | float, b: Tensor | float) -> Tensor:
    return binary(g, "Add", a, b)


def subtract(g: Graph, a: Tensor | float, b: Tensor | float) -> Tensor:
    return binary(g, "Sub", a, b)


def multiply(g: Graph, a: Tensor | float, b: Tensor | float) -> Tensor:
    return binary(g, "Mul", a, b)


def divide(g: Graph, a: Tensor | float, b: Tensor | float) -> Tensor:
    return binary(g, "Div", a, b)


def compare(g: Graph, kind: str, a: Tensor | float, b: Tensor | float) -> Tensor:
    """Write Equal, Less, Greater, LessOrEqual or GreaterOrEqual."""
    return binary(g, kind, a, b, bool)


def where(g: Graph, condition: Tensor, a: Tensor | float, b: Tensor | float) -> Tensor:
    """Write a choice between two tensors, or numbers, entry by entry; all have their channels last."""
    like = a if isinstance(a, Tensor) else b
    dtype = like.dtype if isinstance(like, Tensor) else g.dtype
    one, other = (x if isinstance(x, Tensor) else g.constant(np.asarray(x, dtype), "number") for x in (a, b))
    three = [g.channels_last(x) for x in (condition, one, other)]
    batched, shape = any(x.batched for x in three), broadcast(*three)
    return evolve(g.node("Where", three, shape[1:] if batched else shape, dtype), batched=batched)


def cast(g: Graph, x: Tensor, dtype: np.dtype[Any] | type) -> Tensor:
    """Write a change of dtype."""
    wanted = np.dtype(dtype)
    made = g.node("Cast", [x], x.shape, wanted, to=ELEMENT_TYPES[wanted.name])
    return evolve(made, batched=x.batched, channels_first=x.channels_first)


ELEMENT_TYPES = {"float32": 1, "uint8": 2, "int64": 7, "str": 8, "bool": 9, "float64": 11}
"""The numbers of the standard for the types of entries (onnx.TensorProto.DataType)."""


# Shapes.


def reshape(g: Graph, x: Tensor, shape: Shape) -> Tensor:
    """Write a reshape of each example, or of what several axes made into examples."""
    x = g.channels_last(x)
    return x if x.shape == shape else regroup(g, x, shape)


def regroup(g: Graph, x: Tensor, shape: Shape) -> Tensor:
    """Write a reshape whose axis 0 is as long as it comes out."""
    return g.node("Reshape", [g.channels_last(x), g.integers(-1, *shape)], shape)


def transpose(g: Graph, x: Tensor, axes: Shape) -> Tensor:
    """Write a transposition; axes are those of a batch, 0 first."""
    x = g.channels_last(x)
    if axes == tuple(range(x.ndim)):
        return x
    return g.node("Transpose", [x], tuple([x.shape[axis - 1] for axis in axes[1:]]), perm=axes)


def swap(g: Graph, x: Tensor, a: int, b: int) -> Tensor:
    """Write an exchange of two axes of a batch."""
    axes = list(range(x.ndim))
    axes[a], axes[b] = axes[b], axes[a]
    return transpose(g, x, tuple(axes))


def concatenate(g: Graph, parts: Sequence[Tensor], axis: int = -1) -> Tensor:
    """Write a concatenation along an axis of a batch; along the channels in the order that the first one has."""
    at = axis % parts[0].ndim
    first = all(one.channels_first for one in parts) and at == parts[0].ndim - 1
    laid = list(parts) if first else [g.channels_last(one) for one in parts]
    shape = list(laid[0].shape)
    shape[at - 1] = sum(one.shape[at - 1] for one in laid)
    return evolve(g.node("Concat", laid, tuple(shape), axis=1 if first else at), channels_first=first)


def cut(g: Graph, x: Tensor, axis: int, start: int, stop: int, step: int = 1) -> Tensor:
    """Write a slice along an axis of a batch; start and stop are places, stop may be -1 where step is negative."""
    x = g.channels_last(x)
    length = len(range(start, stop, step))
    ends = stop if stop >= 0 else np.iinfo(np.int64).min
    shape = tuple([length if at == axis - 1 else n for at, n in enumerate(x.shape)])
    if shape == x.shape and step == 1:
        return x
    return g.node("Slice", [x, *(g.integers(one) for one in (start, ends, axis, step))], shape)


def cuts(g: Graph, x: Tensor, places: Sequence[range], first: int = 1) -> Tensor:
    """Write a slice along several axes of a batch, from axis ``first`` on."""
    x = g.channels_last(x)
    axes = tuple(range(first, first + len(places)))
    shape = list(x.shape)
    for axis, place in zip(axes, places, strict=True):
        shape[axis - 1] = len(place)
    ends = [g.integers(*[getattr(one, what) for one in places]) for what in ("start", "stop")]
    return g.node("Slice", [x, *ends, g.integers(*axes), g.integers(*[one.step for one in places])], tuple(shape))


def split(g: Graph, x: Tensor, axis: int, sizes: Sequence[int]) -> list[Tensor]:
    """Write a division into parts of given lengths."""
    x = g.channels_last(x)
    at = axis % x.ndim
    names = [str(index) for index in range(len(sizes))]
    made = g.outputs("Split", [x, g.integers(*sizes)], names, axis=at)
    shapes = [tuple([size if place == at - 1 else n for place, n in enumerate(x.shape)]) for size in sizes]
    return [evolve(one, shape=shape, dtype=x.dtype) for one, shape in zip(made, shapes, strict=True)]


def gather(g: Graph, x: Tensor, indices: Tensor, axis: int) -> Tensor:
    """Write a choice of known places along an axis of a batch."""
    x = g.channels_last(x)
    at = axis % x.ndim
    shape = tuple([indices.shape[0] if place == at - 1 else n for place, n in enumerate(x.shape)])
    return g.node("Gather", [x, indices], shape, axis=at)


def for_each_example(g: Graph, value: np.ndarray[Any, Any], like: Tensor) -> Tensor:
    """Write numbers that are known, once for each example of another tensor."""
    like = g.channels_last(like)
    count = g.node("Shape", [like], (), np.int64, start=0, end=1)
    whole = g.node("Concat", [count, g.integers(*value.shape)], (), np.int64, axis=0) if value.ndim else count
    return g.node("Expand", [g.constant(value[np.newaxis], "for_each"), whole], value.shape, value.dtype)


def pad(g: Graph, x: Tensor, pads: Sequence[tuple[int, int]], value: float = 0.0) -> Tensor:
    """Write points before and after the axes of space, in the order of the axes that x has."""
    if not any(low or high for low, high in pads):
        return x
    lows, highs = zip(*pads, strict=True)
    edge = (0, 0) if x.channels_first else (0,)
    after = () if x.channels_first else (0,)
    widths = g.integers(*edge, *lows, *after, *edge, *highs, *after)
    shape = (*[n + low + high for n, (low, high) in zip(x.shape[:-1], pads, strict=True)], x.shape[-1])
    made = g.node("Pad", [x, widths, g.constant(np.asarray(value, x.dtype), "number")], shape, mode="constant")
    return evolve(made, channels_first=x.channels_first)


# Sums and products.


def over(g: Graph, kind: str, x: Tensor, axes: Sequence[int], keep: bool = False) -> Tensor:
    """Write ReduceSum, ReduceMean, ReduceMax, ... along axes of a batch."""
    x = g.channels_last(x)
    places = sorted(axis % x.ndim for axis in axes)
    kept = [1 if at + 1 in places else n for at, n in enumerate(x.shape)]
    shape = tuple(kept) if keep else tuple([n for at, n in enumerate(x.shape) if at + 1 not in places])
    return g.node(kind, [x, g.integers(*places)], shape, keepdims=int(keep))


def matmul(g: Graph, a: Tensor, b: Tensor) -> Tensor:
    """Write a matrix product of the last two axes."""
    a, b = g.channels_last(a), g.channels_last(b)
    inner = (*a.shape[:-1], b.shape[-1]) if not b.batched and b.ndim == 2 else ()
    if not inner:
        whole = [(1, *one.shape) if one.batched else one.shape for one in (a, b)]
        lead = np.broadcast_shapes(*[one[:-2] for one in whole])
        inner = (*lead, whole[0][-2], whole[1][-1])[1:]
    return g.node("MatMul", [a, b], inner, a.dtype)


def einsum(g: Graph, equation: str, parts: Sequence[Tensor], shape: Shape) -> Tensor:
    """Write a sum of products."""
    return g.node("Einsum", [g.channels_last(one) for one in parts], shape, equation=equation)


def along(g: Graph, matrix: np.ndarray[Any, Any], x: Tensor, axis: int) -> Tensor:
    """Write a product of a known matrix (out, in) with each line along an axis of a batch."""
    x = g.channels_last(x)
    letters = "abcdefgh"[: x.ndim]
    made = letters.replace(letters[axis], "z")
    shape = tuple([len(matrix) if at == axis - 1 else n for at, n in enumerate(x.shape)])
    return einsum(g, f"{letters},z{letters[axis]}->{made}", [x, g.constant(matrix.astype(x.dtype), "matrix")], shape)


def total(g: Graph, kind: str, parts: Sequence[Tensor]) -> Tensor:
    """Write an operator of two, such as Add, from the first tensor to the last."""
    return reduce(lambda a, b: binary(g, kind, a, b), parts)
