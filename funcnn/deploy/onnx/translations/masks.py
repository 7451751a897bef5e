"""Masks of padding: values where steps are real and 0 elsewhere, and layers around what has a mask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from attrs import evolve

from funcnn.combinators import masked_residual, masked_steps, on_values
from funcnn.deploy.onnx.graph import Graph, MaskedTensor, PooledTensor, Tensor, Translation
from funcnn.deploy.onnx.operators import add, binary, cast, cut, divide, over, reshape, where
from funcnn.layers.pooling import last_step, mean_steps

# Any: the parameters and states of layers of all types.


def cleared(g: Graph, values: Tensor, mask: Tensor) -> Tensor:
    """Return the values where the mask is True, and 0 elsewhere."""
    return where(g, reshape(g, mask, (*mask.shape, *(1,) * (len(values.shape) - 1))), values, 0.0)


def steps_alone(g: Graph, inner: Any, params: Any, state: Any, x: MaskedTensor) -> MaskedTensor:
    y = g.layer(inner, params, state, cleared(g, x.values, x.mask))
    return MaskedTensor(cleared(g, y, x.mask), x.mask)


def around_masked(g: Graph, inner: Any, params: Any, state: Any, x: MaskedTensor) -> MaskedTensor:
    y = g.layer(inner, params, state, x)
    return MaskedTensor(cleared(g, add(g, x.values, y.values), x.mask), x.mask)


def unmasked(g: Graph, params: Any, state: Any, x: MaskedTensor) -> Tensor:
    return cleared(g, x.values, x.mask)


def around_values(g: Graph, inner: Any, params: Any, state: Any, x: PooledTensor) -> PooledTensor:
    return PooledTensor(g.layer(inner, params, state, x.values), x.indices)


def last(g: Graph, masked: bool, params: Any, state: Any, x: Any) -> Tensor:
    """Write the last step, or the last real one: it is where the place times the mask, counted from 1, is largest."""
    values = x.values if masked else x
    steps, rest = values.shape[0], values.shape[1:]
    if not masked:
        return reshape(g, cut(g, values, 1, steps - 1, steps), rest)
    places = binary(g, "Mul", cast(g, x.mask, np.int64), g.constant(np.arange(1, steps + 1), "places"))
    chosen = binary(g, "Equal", places, over(g, "ReduceMax", places, (1,), keep=True), bool)
    real = binary(g, "And", chosen, x.mask, bool)
    return over(g, "ReduceSum", cleared(g, values, real), (1,))


def mean(g: Graph, masked: bool, params: Any, state: Any, x: Any) -> Tensor:
    if not masked:
        return over(g, "ReduceMean", x, (1,))
    count = over(g, "ReduceSum", cast(g, x.mask, x.values.dtype), (1,), keep=True)
    sums = over(g, "ReduceSum", cleared(g, x.values, x.mask), (1,))
    return divide(g, sums, evolve(g.node("Max", [count, g.number(1.0)], count.shape), dtype=sums.dtype))


TRANSLATIONS: dict[Callable[..., Any], Translation] = {
    masked_steps.forward: steps_alone,
    masked_residual.forward: around_masked,
    masked_steps.unmask_forward: unmasked,
    on_values.forward: around_values,
    last_step.forward: last,
    mean_steps.forward: mean,
}
