"""Numbers as small integers, times a scale: a prediction can be computed, and no gradient passes what was rounded."""

from __future__ import annotations

from typing import Any

import numpy as np

from funcnn.deploy.onnx.reading.operators.operator import Operator, Values, constant
from funcnn.deploy.onnx.reading.program import Called

# Any: arrays of all kinds.

TYPES = {2: np.uint8, 3: np.int8, 4: np.uint16, 5: np.int16}
"""What is rounded to, by the numbers of the standard."""


def beside(node: Called, value: Any, x: Any) -> Any:
    """Return one number for all, for each line along an axis, or for each block of such, as it stands beside x."""
    if value.ndim == 0 or value.size == 1:
        return value.reshape(())
    axis = node.attributes.get("axis", 1) % x.ndim
    if value.ndim == 1:
        return value.reshape([-1 if place == axis else 1 for place in range(x.ndim)])
    size = node.attributes.get("block_size", 0)
    if not size:
        raise node.refuse("it has a scale for each block, and no block_size")
    return np.repeat(value, size, axis).take(range(x.shape[axis]), axis)


def dequantized(node: Called, inputs: Values) -> tuple[Any]:
    x, scale, zero = [*inputs, None][:3]
    shift = 0 if zero is None else beside(node, zero, x).astype(np.int64)
    return ((x.astype(np.int64) - shift).astype(scale.dtype) * beside(node, scale, x),)


def quantized(node: Called, inputs: Values) -> tuple[Any]:
    x, scale, zero = [*inputs, None][:3]
    kind = np.dtype(zero.dtype if zero is not None else TYPES.get(node.attributes.get("output_dtype", 0) or 2, np.void))
    if kind not in TYPES.values():
        raise node.refuse("it rounds to a type that is not known here")
    shift = 0 if zero is None else beside(node, zero, x).astype(np.int64)
    bounds = np.iinfo(kind)
    rounded = np.rint(x.real / beside(node, scale, x).real) + shift
    return (rounded.clip(bounds.min, bounds.max).astype(kind),)


OPERATORS: dict[str, Operator] = {"DequantizeLinear": constant(dequantized), "QuantizeLinear": constant(quantized)}
