"""What a file takes and gives by name: the arrays of an input, and those of an output."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from funcnn.deploy.onnx.graph import Graph, MaskedTensor, PooledTensor, Tensor
from funcnn.errors import describe
from funcnn.layers.pooling.max_unpooling import Pooled
from funcnn.masked import Masked
from funcnn.typing import Array


def arrays_of(x: object) -> Iterator[Array]:
    """Yield the arrays of an input."""
    if isinstance(x, np.ndarray):
        yield x
    elif isinstance(x, Masked):
        yield from (x.values, x.mask)  # type: ignore[misc]  # a mask is an array of booleans
    elif isinstance(x, Pooled):
        yield from (x.values, x.indices)  # type: ignore[misc]  # indices are integers
    elif isinstance(x, tuple):
        for one in x:
            yield from arrays_of(one)
    else:
        raise TypeError(f"the input x is {describe(x)}, expected an array, a tuple of such, Masked or Pooled")


def named_inputs(g: Graph, x: object) -> tuple[list[tuple[str, Tensor]], Any]:  # Any: a tree like x
    """Return the inputs of the graph with their names, and the tree that they make."""
    found: list[tuple[str, Tensor]] = []

    def taken(value: Any, name: str) -> Any:
        if isinstance(value, tuple):
            return tuple([taken(one, f"{name}_{index}") for index, one in enumerate(value)])
        if isinstance(value, Masked):
            return MaskedTensor(taken(value.values, name), taken(value.mask, f"{name}_mask"))
        if isinstance(value, Pooled):
            return PooledTensor(taken(value.values, name), taken(value.indices, f"{name}_indices"))
        list(arrays_of(value))
        kind = np.dtype(np.int64) if value.dtype.kind in "iu" else value.dtype
        found.append((g.fresh(name), Tensor(name, value.shape[1:], kind)))
        return found[-1][1]

    whole = taken(x, "input")
    return found, whole


def named_outputs(g: Graph, y: Any, name: str = "output") -> Iterator[tuple[str, Tensor]]:
    """Write the outputs under their names; a tensor that is an input, or an output already, is handed through."""
    if isinstance(y, tuple):
        for index, one in enumerate(y):
            yield from named_outputs(g, one, f"{name}_{index}")
    elif isinstance(y, MaskedTensor):
        yield from named_outputs(g, y.values, name)
        yield from named_outputs(g, y.mask, f"{name}_mask")
    elif isinstance(y, PooledTensor):
        yield from named_outputs(g, y.values, name)
        yield from named_outputs(g, y.indices, f"{name}_indices")
    else:
        last = g.channels_last(y)
        yield name, g.hand_out(last, name)
