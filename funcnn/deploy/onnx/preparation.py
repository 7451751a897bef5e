"""What an input goes through before the network, as the first nodes of a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from attrs import field, frozen

from funcnn.data.scaling import MinMax, Standardize
from funcnn.data.tables.transform import TableTransform
from funcnn.data.whitening import Whiten
from funcnn.deploy.onnx.graph import Graph, Tensor
from funcnn.deploy.onnx.interface import named_inputs
from funcnn.deploy.onnx.operators import add, cast, divide, matmul, multiply, regroup, subtract
from funcnn.deploy.onnx.table_columns import read_columns
from funcnn.errors import describe
from funcnn.typing import Array, Shape


@frozen
class Pixels:
    """Images as bytes (n, *shape), which become rows of numbers from 0 to 1."""

    shape: Shape


Scaling: TypeAlias = Standardize | MinMax | Whiten
"""What was fitted to the training data and is done to an array of the same shape."""

Preparation: TypeAlias = Scaling | TableTransform | Pixels
"""What was fitted to the training data and is done to an input before the network sees it."""


@frozen(eq=False)
class Entered:
    """The inputs of a file, and what the network is given of them."""

    inputs: Sequence[tuple[str, Tensor]]
    x: Any  # Any: a tree of tensors like the network's input
    metadata: Mapping[str, object] = field(factory=dict)


def entered(g: Graph, preparation: Preparation | None, x: Any) -> Entered:  # Any: as above
    """Write the inputs of a file and what they go through before the network; x is a batch of the input, or of features."""
    if isinstance(preparation, TableTransform):
        width = len(preparation.features)
        if not isinstance(x, np.ndarray) or x.shape[1:] != (width,) or x.dtype.kind != "f":
            raise ValueError(f"x is {describe(x)}, expected the features that the transform gives: floating (n, {width})")
        columns = read_columns(g, preparation, x.dtype)
        return Entered(columns.inputs, columns.features, {"columns": columns.described})
    if isinstance(preparation, Pixels):
        pixels = Tensor(g.fresh("input"), preparation.shape, np.dtype(np.uint8))
        with g.step("preparation"):
            numbers = divide(g, cast(g, pixels, x.dtype), 255.0)
            return Entered([(pixels.name, pixels)], regroup(g, numbers, x.shape[1:]))
    inputs, whole = named_inputs(g, x)
    return Entered(inputs, whole if preparation is None else scaled(g, preparation, whole))


def scaled(g: Graph, preparation: Scaling, x: Tensor) -> Tensor:
    """Write what was fitted to an array of the same shape."""
    dtype = x.dtype

    def known(value: Array, hint: str) -> Tensor:
        return g.constant(value, hint, dtype)

    with g.step("preparation"):
        if isinstance(preparation, Standardize):
            centred = subtract(g, subtract(g, x, known(preparation.mean, "mean")), known(preparation.rest, "rest"))
            return divide(g, centred, known(preparation.scale, "scale"))
        if isinstance(preparation, MinMax):
            low, high = (float(one) for one in preparation.interval.astype(dtype))
            part = divide(g, subtract(g, x, known(preparation.minimum, "minimum")), known(preparation.span, "span"))
            return add(g, multiply(g, subtract(g, 1.0, part), low), multiply(g, part, high))
        return matmul(g, subtract(g, x, known(preparation.mean, "mean")), known(preparation.matrix, "matrix"))
