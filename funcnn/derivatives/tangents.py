r"""Derivatives along a direction in real numbers, for networks of affine layers and activations.

Along a direction in parameters and input, an affine layer $y = x W + b$ and an activation $y = f(x)$, entry by entry, have
$$ \dot y = \dot x\, W + x\, \dot W + \dot b, \qquad \dot y = f'(x)\, \dot x . $$
Value and derivative are one array (2, N, ...), so that the first product is one for both, and W is read as it lies, where a
complex step (:mod:`funcnn.derivatives.complex_step`) makes a complex copy of it.  The derivative of an activation is what its
backward multiplies by, a diagonal.  Chains and sums are linear, and the network's own.  It equals the complex step to rounding.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from funcnn.derivatives.jets import affine, function_of, hands_on, is_affine
from funcnn.errors import add_step, check_features
from funcnn.kernels.arrays import matmul_last
from funcnn.layer import AnyLayer, chain_parts
from funcnn.layer.chain_rule import refuse_parts
from funcnn.layer.instrument import is_composed, part_steps
from funcnn.layers.activations import elementwise
from funcnn.typing import Array

_BENT = {
    elementwise.forward_keeping_slope: elementwise.backward_from_slope,
    elementwise.forward_keeping_output: elementwise.backward_from_output,
}


def takes(layer: AnyLayer) -> bool:
    """Tell whether a network is made of layers that are known here, each with its own forward and backward."""
    if is_composed(layer):
        return hands_on(layer) and all(takes(part) for part in layer.parts)
    return is_affine(layer) or _BENT.get(function_of(layer.forward)) is function_of(layer.backward)


def takes_model_of(function: Any) -> bool:
    """Tell it of the model of a function that is made of one."""
    return takes(function.model)


def push(layer: AnyLayer, at: tuple[Any, Any, Array], along: tuple[Any, Any]) -> tuple[Array, Array, Any]:
    """Return the output of a network, its derivative along a direction, and the next state."""
    (params, state, x), (dparams, dx) = at, along
    first = chain_parts(layer)
    if dx is None and first and is_affine(first[0]) and dparams is not None:
        start = x[np.newaxis]  # one product less, where the input stands still
    else:
        start = np.stack((x, np.zeros_like(x) if dx is None else dx.astype(x.dtype, copy=False)))
    y, dy = _along(layer, params, state, dparams, start)
    return y, dy, state


def _along(layer: AnyLayer, params: Any, state: Any, dparams: Any, x: Array) -> Array:
    """Return output and derivative (2, N, ...) of a layer, for its input's."""
    if not layer.parts:
        return _affine(params, dparams, x) if is_affine(layer) else _bent(layer, x)
    if part_steps(layer) == ("",):  # a residual connection
        return x + _along(layer.parts[0], params, state, dparams, x)
    parts = layer.parts
    if type(params) is not tuple or len(params) != len(parts) or type(state) is not tuple or len(state) != len(parts):
        refuse_parts(len(parts), params, state)
    ways = [None] * len(parts) if dparams is None else dparams
    added, index, y = not chain_parts(layer), 0, x
    try:
        for index, part in enumerate(parts):
            own = _along(part, params[index], state[index], ways[index], x if added else y)
            y = y + own if added and index else own
    except Exception as error:
        add_step(error, index, parts[index].name, y[0])
        raise
    return y


def _affine(params: Any, dparams: Any, x: Array) -> Array:
    if dparams is None:
        return affine(params, x)
    check_features(x, params.weight)
    moved = matmul_last(x[0], dparams.weight)
    if hasattr(dparams, "bias"):
        moved += dparams.bias
    if len(x) == 2:
        y = affine(params, x)
        y[1] += moved
        return y
    y = np.empty((2, *moved.shape), np.result_type(x, params.weight))
    y[0], y[1] = affine(params, x)[0], moved
    return y


def _bent(layer: AnyLayer, x: Array) -> Array:
    bound: Any = layer.forward  # a partial: see takes
    y = np.empty_like(x)
    if bound.func is elementwise.forward_keeping_slope:
        y[0], slope = bound.args[1](x[0])
        np.multiply(slope, x[1], out=y[1])
    else:
        pulled: Any = layer.backward
        y[0] = bound.args[0](x[0])
        y[1] = pulled.args[0](y[0], x[1])
    return y
