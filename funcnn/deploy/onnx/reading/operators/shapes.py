"""Operators that move entries, choose among them, or tell of shapes."""

from __future__ import annotations

from typing import Any

import numpy as np

from funcnn.deploy.onnx.reading.operators.operator import Made, Operator, Values, axes_of, constant, is_floating, summed_to
from funcnn.deploy.onnx.reading.program import Called

# Any: arrays of all kinds.


def moved(shape_of: Any) -> Operator:
    """Make an operator that gives the same entries another shape."""

    def forward(node: Called, inputs: Values) -> Made:
        x = inputs[0]
        return (x.reshape(shape_of(node, inputs)).copy(),), (x.shape, len(inputs))

    return Operator(forward, lambda node, kept, dys: (dys[0].reshape(kept[0]), *[None] * (kept[1] - 1)))


def new_shape(node: Called, inputs: Values) -> tuple[int, ...]:
    x, wanted = inputs
    keep = not node.attributes.get("allowzero", 0)
    return tuple([x.shape[axis] if length == 0 and keep else int(length) for axis, length in enumerate(wanted)])


def flat(node: Called, inputs: Values) -> tuple[int, int]:
    x = inputs[0]
    axis = node.attributes.get("axis", 1)
    before = int(np.prod(x.shape[: axis if axis >= 0 else x.ndim + axis]))
    return before, x.size // max(1, before)


def squeezed(node: Called, inputs: Values) -> tuple[int, ...]:
    shape, axes = inputs[0].shape, axes_of(node, inputs)
    away = [axis for axis, n in enumerate(shape) if n == 1] if axes is None else [axis % len(shape) for axis in axes]
    return tuple([n for axis, n in enumerate(shape) if axis not in away])


def unsqueezed(node: Called, inputs: Values) -> tuple[int, ...]:
    axes = axes_of(node, inputs) or ()
    count = inputs[0].ndim + len(axes)
    new, left = {axis % count for axis in axes}, iter(inputs[0].shape)
    return tuple([1 if axis in new else next(left) for axis in range(count)])


def transpose_forward(node: Called, inputs: Values) -> Made:
    axes = tuple(node.attributes.get("perm") or range(inputs[0].ndim)[::-1])
    return (inputs[0].transpose(axes).copy(),), axes


def concat_forward(node: Called, inputs: Values) -> Made:
    axis = node.attributes["axis"]
    return (np.concatenate(inputs, axis),), np.cumsum([one.shape[axis] for one in inputs])[:-1]


def split_forward(node: Called, inputs: Values) -> Made:
    x, axis = inputs[0], node.attributes.get("axis", 0)
    if len(inputs) > 1 and inputs[1] is not None:
        sizes = [int(one) for one in inputs[1]]
    else:
        count = node.attributes.get("num_outputs", len(node.outputs))
        each = -(-x.shape[axis] // count)
        sizes = [max(0, min(each, x.shape[axis] - index * each)) for index in range(count)]
    parts = np.split(x, np.cumsum(sizes)[:-1], axis)
    return tuple([one.copy() for one in parts]), ([one.shape for one in parts], x.dtype, len(inputs))


def split_backward(node: Called, kept: Any, dys: Values) -> Values:
    shapes, dtype, count = kept
    whole = [np.zeros(shape, dtype) if dy is None else dy for shape, dy in zip(shapes, dys, strict=True)]
    return (np.concatenate(whole, node.attributes.get("axis", 0)), *[None] * (count - 1))


def index_of(inputs: Values) -> tuple[slice, ...]:
    """Return the index of a Slice."""
    x, starts, ends, axes, steps = [*inputs, None, None][:5]
    places = range(len(starts)) if axes is None else [int(axis) for axis in axes]
    index = [slice(None)] * x.ndim
    for axis, start, end, step in zip(places, starts, ends, [1] * len(starts) if steps is None else steps, strict=True):
        length, stop = x.shape[axis], int(end)
        if step < 0 and stop < -length:
            index[axis] = slice(int(start), None, int(step))
        else:
            index[axis] = slice(int(start), stop, int(step))
    return tuple(index)


def slice_forward(node: Called, inputs: Values) -> Made:
    index = index_of(inputs)
    return (inputs[0][index].copy(),), (index, inputs[0].shape, inputs[0].dtype, len(inputs))


def slice_backward(node: Called, kept: Any, dys: Values) -> Values:
    index, shape, dtype, count = kept
    dx = np.zeros(shape, np.result_type(dtype, dys[0]))
    dx[index] = dys[0]
    return (dx, *[None] * (count - 1))


def gather_forward(node: Called, inputs: Values) -> Made:
    x, indices = inputs
    axis = node.attributes.get("axis", 0) % x.ndim
    return (np.take(x, indices, axis),), (axis, indices, x.shape, x.dtype)


def gather_backward(node: Called, kept: Any, dys: Values) -> Values:
    axis, indices, shape, dtype = kept
    dx = np.zeros(shape, np.result_type(dtype, dys[0]))
    np.add.at(dx, (slice(None),) * axis + (indices,), dys[0])
    return dx, None


def along(indices: Any, axis: int) -> tuple[Any, ...]:
    """Return the index of entries that are chosen along an axis."""
    grid = list(np.meshgrid(*[np.arange(n) for n in indices.shape], indexing="ij"))
    grid[axis] = indices
    return tuple(grid)


def elements_forward(node: Called, inputs: Values) -> Made:
    x, indices = inputs
    place = along(indices, node.attributes.get("axis", 0) % x.ndim)
    return (x[place],), (place, x.shape, x.dtype)


def elements_backward(node: Called, kept: Any, dys: Values) -> Values:
    place, shape, dtype = kept
    dx = np.zeros(shape, np.result_type(dtype, dys[0]))
    np.add.at(dx, place, dys[0])
    return dx, None


def scatter_forward(node: Called, inputs: Values) -> Made:
    x, indices, updates = inputs
    if node.attributes.get("reduction", "none") != "add":
        raise node.refuse('its reduction is another than "add"')
    place = along(indices, node.attributes.get("axis", 0) % x.ndim)
    y = x.copy()
    np.add.at(y, place, updates)
    return (y,), place


def expand_forward(node: Called, inputs: Values) -> Made:
    shape = np.broadcast_shapes(inputs[0].shape, tuple(int(n) for n in inputs[1]))
    return (np.broadcast_to(inputs[0], shape).copy(),), inputs[0].shape


def tile_forward(node: Called, inputs: Values) -> Made:
    return (np.tile(inputs[0], inputs[1]),), (inputs[0].shape, tuple(int(n) for n in inputs[1]))


def tile_backward(node: Called, kept: Any, dys: Values) -> Values:
    shape, repeats = kept
    pairs = [length for pair in zip(repeats, shape, strict=True) for length in pair]
    return dys[0].reshape(pairs).sum(tuple(range(0, 2 * len(shape), 2))), None


def pad_forward(node: Called, inputs: Values) -> Made:
    x, widths, value, axes = [*inputs, None, None][:4]
    places = list(range(x.ndim)) if axes is None else [int(axis) % x.ndim for axis in axes]
    pads = [(0, 0)] * x.ndim
    for index, axis in enumerate(places):
        pads[axis] = int(widths[index]), int(widths[index + len(places)])
    if any(width < 0 for pair in pads for width in pair):
        raise node.refuse("it cuts off, with negative widths")
    mode = node.attributes.get("mode", "constant")
    if mode == "constant":
        number = 0 if value is None else np.asarray(value).reshape(())
        return (np.pad(x, pads, constant_values=number),), (pads, x.shape, None, len(inputs))
    if mode not in ("reflect", "edge", "wrap"):
        raise node.refuse(f"its mode is {mode!r}")
    padded: Any = np.pad  # Any: it is typed for words alone
    places_of = padded(np.arange(x.size).reshape(x.shape), pads, mode=mode)
    return (x.ravel()[places_of],), (pads, x.shape, places_of, len(inputs))


def pad_backward(node: Called, kept: Any, dys: Values) -> Values:
    pads, shape, places_of, count = kept
    if places_of is None:
        inner = tuple([slice(low, low + n) for (low, _), n in zip(pads, shape, strict=True)])
        return (dys[0][inner], *[None] * (count - 1))
    dx = np.zeros(int(np.prod(shape)), dys[0].dtype)
    np.add.at(dx, places_of, dys[0])
    return (dx.reshape(shape), *[None] * (count - 1))


def shape_of(node: Called, inputs: Values) -> tuple[Any]:
    part = slice(node.attributes.get("start", 0), node.attributes.get("end"))
    return (np.array(inputs[0].shape[part], np.int64),)


def filled(node: Called, inputs: Values) -> tuple[Any]:
    value = node.attributes.get("value", np.zeros(1, np.float32))
    return (np.full(tuple(int(n) for n in inputs[0]), value.reshape(()), value.dtype),)


def cast_forward(node: Called, inputs: Values) -> Made:
    """Cast; a floating type is that of the run, which the graph looks after."""
    kinds = {1: np.float32, 6: np.int32, 7: np.int64, 9: np.bool_, 11: np.float64}
    wanted = kinds.get(node.attributes["to"])
    if wanted is None:
        raise node.refuse("it casts to a type in which nothing is computed here")
    x = inputs[0]
    if is_floating(x) and np.dtype(wanted).kind == "f":
        return (x,), True
    return (x.astype(wanted),), False


OPERATORS: dict[str, Operator] = {
    "Reshape": moved(new_shape),
    "Flatten": moved(flat),
    "Squeeze": moved(squeezed),
    "Unsqueeze": moved(unsqueezed),
    "Transpose": Operator(transpose_forward, lambda node, axes, dys: (dys[0].transpose(np.argsort(axes)),)),
    "Concat": Operator(concat_forward, lambda node, cuts, dys: np.split(dys[0], cuts, node.attributes["axis"])),
    "Split": Operator(split_forward, split_backward),
    "Slice": Operator(slice_forward, slice_backward),
    "Gather": Operator(gather_forward, gather_backward),
    "GatherElements": Operator(elements_forward, elements_backward),
    "ScatterElements": Operator(scatter_forward, lambda node, place, dys: (dys[0], None, dys[0][place])),
    "Expand": Operator(expand_forward, lambda node, shape, dys: (summed_to(dys[0], shape), None)),
    "Tile": Operator(tile_forward, tile_backward),
    "Pad": Operator(pad_forward, pad_backward),
    "Cast": Operator(cast_forward, lambda node, same, dys: (dys[0] if same else None,)),
    "Shape": constant(shape_of),
    "Size": constant(lambda node, inputs: (np.array(inputs[0].size, np.int64),)),
    "ConstantOfShape": constant(filled),
    "Range": constant(lambda node, inputs: (np.arange(*[one.item() for one in inputs], dtype=inputs[0].dtype),)),
}
