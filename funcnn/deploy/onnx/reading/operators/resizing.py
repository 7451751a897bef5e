"""Resizing: along each axis a matrix, made of places and of weights around them, as the standard describes both."""

from __future__ import annotations

from typing import Any

import numpy as np
from attrs import frozen

from funcnn.deploy.onnx.reading.operators.operator import Made, Operator, Values
from funcnn.deploy.onnx.reading.program import Called

# Any: arrays of all kinds.


@frozen(eq=False)
class Axis:
    """How one axis is resized."""

    length: int
    size: int
    scale: float


def axes_of(node: Called, inputs: Values) -> dict[int, Axis]:
    """Return the axes that change, with their new lengths."""
    x, _, scales, sizes = [*inputs, None, None][:4]
    places = [int(axis) % x.ndim for axis in node.attributes.get("axes", range(x.ndim))]
    lengths = [x.shape[axis] for axis in places]
    if sizes is not None and len(sizes):
        wanted = [int(size) for size in sizes]
        factors = [size / length for size, length in zip(wanted, lengths, strict=True)]
        policy = node.attributes.get("keep_aspect_ratio_policy", "stretch")
        if policy != "stretch":
            one = min(factors) if policy == "not_larger" else max(factors)
            factors, wanted = [one] * len(factors), [int(np.floor(one * length + 0.5)) for length in lengths]
    else:
        factors = [float(one) for one in np.asarray(scales, np.float32)]
        wanted = [int(np.floor(factor * length)) for factor, length in zip(factors, lengths, strict=True)]
    made = {axis: Axis(*own) for axis, own in zip(places, zip(lengths, wanted, factors, strict=True), strict=True)}
    return {axis: one for axis, one in made.items() if one.scale != 1}


def place_of(node: Called, axis: Axis, at: int) -> float:
    """Return where a point of the output stands in the input."""
    mode = node.attributes.get("coordinate_transformation_mode", "half_pixel")
    output = axis.scale * axis.length
    if mode == "align_corners":
        return 0.0 if output == 1 else at * (axis.length - 1) / (output - 1)
    if mode == "asymmetric":
        return at / axis.scale
    middle = (at + 0.5) / axis.scale - 0.5
    if mode == "pytorch_half_pixel":
        return -0.5 if output == 1 else middle
    if mode == "half_pixel_symmetric":
        return axis.length / 2 * (1 - axis.size / output) + middle
    if mode != "half_pixel":
        raise node.refuse(f"its places are by {mode!r}")
    return middle


def weights_of(node: Called, axis: Axis, ratio: float) -> Any:
    """Return the weights of the points around a place that is so far, in (0, 1], behind the one before it."""
    mode = node.attributes.get("mode", "nearest")
    if mode == "nearest":
        rounding = node.attributes.get("nearest_mode", "round_prefer_floor")
        before = {"round_prefer_floor": ratio <= 0.5, "round_prefer_ceil": ratio < 0.5, "floor": True, "ceil": False}[rounding]
        return np.array([1.0, 0.0] if before and ratio != 1 else [0.0, 1.0])
    narrow = min(axis.scale, 1.0) if node.attributes.get("antialias") else 1.0
    reach = {"linear": 1, "cubic": 2}[mode]
    start = int(np.floor(-reach / narrow)) + 1
    distances = np.abs(np.arange(start, reach - start + (reach == 1)) - ratio) * narrow
    if mode == "linear":
        weights = np.clip(1 - distances, 0, 1)
    else:
        a = node.attributes.get("cubic_coeff_a", -0.75)
        near = ((a + 2) * distances - (a + 3)) * distances**2 + 1
        far = ((a * distances - 5 * a) * distances + 8 * a) * distances - 4 * a
        weights = np.where(distances <= 1, near, np.where(distances < 2, far, 0))
    return weights / weights.sum() if node.attributes.get("antialias") else weights


def matrix_of(node: Called, axis: Axis) -> Any:
    """Return the matrix (size, length) of an axis: beyond the borders stand the points at the borders."""
    made = np.zeros((axis.size, axis.length))
    for at in range(axis.size):
        place = place_of(node, axis, at)
        ratio = 1.0 if place == np.floor(place) else place - np.floor(place)
        weights = weights_of(node, axis, ratio)
        margin = -(-len(weights) // 2)
        around = np.arange(-margin, axis.length + margin)
        points = np.sort(around[np.lexsort((around, np.abs(place - around)))[: len(weights)]])
        if node.attributes.get("exclude_outside"):
            weights = np.where((points < 0) | (points >= axis.length), 0, weights)
            weights = weights / weights.sum()
        np.add.at(made[at], points.clip(0, axis.length - 1), weights)
    return made


def multiplied(matrix: Any, x: Any, axis: int) -> Any:
    """Return the product of a matrix with each line along an axis."""
    return np.moveaxis(np.tensordot(matrix, x, (1, axis)), 0, axis)


def forward(node: Called, inputs: Values) -> Made:
    y = inputs[0]
    nearest = node.attributes.get("mode", "nearest") == "nearest"
    matrices = {axis: matrix_of(node, one) for axis, one in axes_of(node, inputs).items()}
    for axis, matrix in matrices.items():
        y = y.take(matrix.argmax(1), axis) if nearest else multiplied(matrix.astype(y.real.dtype), y, axis)
    return (y.copy(),), (matrices, len(inputs))


def backward(node: Called, kept: Any, dys: Values) -> Values:
    matrices, count = kept
    dx = dys[0]
    for axis, matrix in matrices.items():
        dx = multiplied(matrix.T.astype(dx.real.dtype), dx, axis)
    return (dx, *[None] * (count - 1))


OPERATORS: dict[str, Operator] = {"Resize": Operator(forward, backward)}
