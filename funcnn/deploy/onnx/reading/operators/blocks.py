"""Operators that move blocks of entries, or choose by several numbers at once."""

from __future__ import annotations

from typing import Any

import numpy as np

from funcnn.deploy.onnx.reading.operators.operator import Made, Operator, Values, constant
from funcnn.deploy.onnx.reading.program import Called

# Any: arrays of all kinds.


def depth_forward(node: Called, inputs: Values) -> Made:
    """Write channels as blocks of points."""
    x, b = inputs[0], node.attributes["blocksize"]
    n, c, h, w = x.shape
    if node.attributes.get("mode", "DCR") == "DCR":
        order = (0, 3, 4, 1, 5, 2)
        parts = x.reshape(n, b, b, c // b**2, h, w)
    else:
        order = (0, 1, 4, 2, 5, 3)
        parts = x.reshape(n, c // b**2, b, b, h, w)
    return (parts.transpose(order).reshape(n, c // b**2, h * b, w * b),), (parts.shape, order, x.shape)


def depth_backward(node: Called, kept: Any, dys: Values) -> Values:
    shape, order, whole = kept
    parts = dys[0].reshape([shape[axis] for axis in order])
    return (parts.transpose(np.argsort(order)).reshape(whole),)


def space_forward(node: Called, inputs: Values) -> Made:
    """Write blocks of points as channels."""
    x, b = inputs[0], node.attributes["blocksize"]
    n, c, h, w = x.shape
    order = (0, 3, 5, 1, 2, 4) if node.attributes.get("mode", "DCR") == "DCR" else (0, 1, 3, 5, 2, 4)
    parts = x.reshape(n, c, h // b, b, w // b, b)
    return (parts.transpose(order).reshape(n, c * b**2, h // b, w // b),), (parts.shape, order, x.shape)


def triangle_of(node: Called, inputs: Values) -> Any:
    x, k = inputs[0], 0 if len(inputs) < 2 or inputs[1] is None else int(np.asarray(inputs[1]).reshape(()))
    rows, columns = np.arange(x.shape[-2])[:, np.newaxis], np.arange(x.shape[-1])
    return columns - rows >= k if node.attributes.get("upper", 1) else columns - rows <= k


def triangle_forward(node: Called, inputs: Values) -> Made:
    kept = triangle_of(node, inputs)
    return (np.where(kept, inputs[0], inputs[0].dtype.type(0)),), (kept, len(inputs))


def triangle_backward(node: Called, kept: Any, dys: Values) -> Values:
    inside, count = kept
    return (np.where(inside, dys[0], 0), *[None] * (count - 1))


def index_of(node: Called, x: Any, indices: Any) -> tuple[Any, ...]:
    """Return the index of entries, or of parts, that rows of integers name."""
    shared = node.attributes.get("batch_dims", 0)
    grid = np.meshgrid(*[np.arange(n) for n in indices.shape[:-1]], indexing="ij")[:shared]
    return (*grid, *np.moveaxis(indices, -1, 0))


def named_forward(node: Called, inputs: Values) -> Made:
    x, indices = inputs
    index = index_of(node, x, indices)
    return (x[index].copy(),), (index, x.shape, x.dtype)


def named_backward(node: Called, kept: Any, dys: Values) -> Values:
    index, shape, dtype = kept
    dx = np.zeros(shape, np.result_type(dtype, dys[0]))
    np.add.at(dx, index, dys[0])
    return dx, None


def written_forward(node: Called, inputs: Values) -> Made:
    x, indices, updates = inputs
    added = node.attributes.get("reduction", "none")
    if added not in ("none", "add"):
        raise node.refuse(f"its reduction is {added!r}")
    index, y = index_of(node, x, indices), x.copy()
    if added == "add":
        np.add.at(y, index, updates)
    else:
        y[index] = updates
    return (y,), (index, added == "add")


def written_backward(node: Called, kept: Any, dys: Values) -> Values:
    index, added = kept
    dx = dys[0].copy()
    if not added:
        dx[index] = 0
    return dx, None, dys[0][index]


def one_hot(node: Called, inputs: Values) -> tuple[Any]:
    indices, depth, values = inputs
    count, axis = int(np.asarray(depth).reshape(())), node.attributes.get("axis", -1)
    places = np.where(indices < 0, indices + count, indices)
    return (np.where(np.moveaxis(places[..., np.newaxis] == np.arange(count), -1, axis), values[1], values[0]),)


OPERATORS: dict[str, Operator] = {
    "DepthToSpace": Operator(depth_forward, depth_backward),
    "SpaceToDepth": Operator(space_forward, depth_backward),
    "Trilu": Operator(triangle_forward, triangle_backward),
    "GatherND": Operator(named_forward, named_backward),
    "ScatterND": Operator(written_forward, written_backward),
    "OneHot": constant(one_hot),
}
