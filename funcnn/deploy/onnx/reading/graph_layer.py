r"""A graph of operators as one layer: each node once forward, and once back in the opposite order.

With $y_j = f_j(y_i, \ldots)$ in an order in which every node stands behind those whose values it takes, the cotangent of a value
is the sum over all who took it,
$$ \bar y_i = \sum_{j:\, i \to j} \Bigl(\frac{\partial f_j}{\partial y_i}\Bigr)^{\!\top} \bar y_j, $$
and it is complete when all of these have been passed on the way back.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from attrs import frozen

from funcnn import tree
from funcnn.deploy.onnx.reading.operators import (
    blocks,
    elementwise,
    norms,
    products,
    quantization,
    recurrent,
    resizing,
    shapes,
    windows,
)
from funcnn.deploy.onnx.reading.operators.operator import Operator, is_floating
from funcnn.deploy.onnx.reading.program import OperatorError, Program
from funcnn.errors import check_cotangent, describe
from funcnn.key import Key
from funcnn.layer import AnyLayer, Backward, Forward, Init, Mode, Train, define_layer
from funcnn.layer.modes import keeps_residuals

OPERATORS: dict[str, Operator] = {
    **elementwise.OPERATORS,
    **shapes.OPERATORS,
    **products.OPERATORS,
    **windows.OPERATORS,
    **norms.OPERATORS,
    **recurrent.OPERATORS,
    **resizing.OPERATORS,
    **quantization.OPERATORS,
    **blocks.OPERATORS,
}
"""The operators that there are here."""

# Any: parameters and statistics by name, and inputs and outputs of one array or a tuple of such.


@frozen(eq=False)
class GraphResiduals:
    """What each node kept, which values have a cotangent, and the shapes and dtypes of what came in and went out."""

    kept: tuple[Any, ...]
    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]


def precision(params: Any, inputs: tuple[Any, ...]) -> Any:
    """Return the dtype of a run: that of the parameters and the inputs; complex where one is moved by a complex step."""
    kinds = [one.dtype for one in (*params.values(), *inputs) if is_floating(one)]
    return np.result_type(*kinds) if kinds else np.dtype(np.float32)


def forward(program: Program, params: Any, state: Any, x: Any, mode: Mode) -> Forward[Any, Any, GraphResiduals]:
    inputs = checked_inputs(program, x)
    kind = precision(params, inputs)
    values: dict[str, Any] = {
        name: array.astype(kind) if array.dtype.kind == "f" else array for name, array in program.constants.items()
    }
    values |= {name: array.astype(kind, copy=False) for name, array in state.items()}
    values |= {**params, **{given.name: one for given, one in zip(program.inputs, inputs, strict=True)}}
    keep, kept = isinstance(mode, Train) or keeps_residuals(mode), []
    for node in program.nodes:
        given = [values[name] if name else None for name in node.inputs]
        try:
            with np.errstate(divide="ignore", invalid="ignore"):  # what is not finite goes on, as in other runtimes
                made, residuals = OPERATORS[node.kind].forward(node, given)
        except OperatorError:
            raise
        except Exception as error:
            error.add_note(f"in node {node.name!r} ({node.kind}) of the graph, given {describe(tuple(given))}")
            raise
        kept.append(residuals if keep else None)
        for name, one in zip(node.outputs, made, strict=False):
            array = np.asarray(one)
            values[name] = array.astype(kind, copy=False) if array.dtype.kind == "f" else array
    outputs = tuple([values[name] for name in program.outputs])
    outputs = tuple([one.copy() if any(one is other for other in inputs) else one for one in outputs])
    residuals = GraphResiduals(tuple(kept), inputs, outputs) if keep else GraphResiduals((), (), ())
    return Forward(outputs[0] if len(outputs) == 1 else outputs, state, residuals)


def checked_inputs(program: Program, x: Any) -> tuple[Any, ...]:
    """Return the inputs as a tuple; raise unless they are those that the file says."""
    inputs = x if isinstance(x, tuple) else (x,)
    names = [one.name for one in program.inputs]
    if len(inputs) != len(names) or not all(isinstance(one, np.ndarray) for one in inputs):
        raise TypeError(f"the input is {describe(x)}, expected {len(names)} arrays: {', '.join(names)}")
    for given, one in zip(program.inputs, inputs, strict=True):
        if (one.dtype.kind == "f") != (given.dtype.kind == "f"):
            raise TypeError(f"the input {given.name!r} is {describe(one)}, expected {given.dtype}")
        if len(given.shape) != one.ndim or any(n is not None and n != m for n, m in zip(given.shape, one.shape, strict=True)):
            wanted = ", ".join("any" if n is None else str(n) for n in given.shape)
            raise ValueError(f"the input {given.name!r} is {describe(one)}, expected the shape ({wanted})")
    return inputs


def backward(program: Program, params: Any, residuals: GraphResiduals, dy: Any) -> Backward[Any, Any]:
    many = len(program.outputs) > 1
    cotangents: dict[str, Any] = {}
    for name, one, like in zip(program.outputs, dy if many else (dy,), residuals.outputs, strict=True):
        if is_floating(like):
            check_cotangent(one, like.shape, like.dtype)
            collect(cotangents, name, one)
    for node, kept in zip(reversed(program.nodes), reversed(residuals.kept), strict=True):
        dys = [cotangents.get(name) for name in node.outputs]
        if all(one is None for one in dys):
            continue
        for name, one in zip(node.inputs, OPERATORS[node.kind].backward(node, kept, dys), strict=False):
            if name and one is not None and np.asarray(one).dtype.kind in "fc":
                collect(cotangents, name, np.asarray(one))
    grads = {name: gradient(cotangents.get(name), one) for name, one in params.items()}
    dinputs = tuple(
        [
            gradient(cotangents.get(given.name), one) if is_floating(one) else None
            for given, one in zip(program.inputs, residuals.inputs, strict=True)
        ]
    )
    return Backward(grads, dinputs[0] if len(dinputs) == 1 else dinputs)


def collect(cotangents: dict[str, Any], name: str, one: Any) -> None:
    """Add a cotangent to those that a value has already."""
    before = cotangents.get(name)
    cotangents[name] = one if before is None else before + one


def gradient(found: Any, like: Any) -> Any:
    """Return a cotangent like its array; zeros where nothing depends on it."""
    return np.zeros_like(like) if found is None else np.array(found, like.dtype).reshape(like.shape)


def init(program: Program, key: Key, in_shape: Any) -> Init[Any, Any]:
    """Return the parameters of the file, and the shape of an output, found by running it."""
    params, state = dict(program.learned), dict(program.statistics)
    shapes: tuple[Any, ...] = in_shape if in_shape and isinstance(in_shape[0], tuple) else (in_shape,)
    if len(shapes) != len(program.inputs):
        raise ValueError(f"in_shape is {in_shape}, expected the shapes of {len(program.inputs)} inputs")
    zeros = tuple([np.zeros((1, *shape), given.dtype) for shape, given in zip(shapes, program.inputs, strict=True)])
    kind = precision(params, ())
    zeros = tuple([one.astype(kind) if one.dtype.kind == "f" and params else one for one in zeros])
    made = forward(program, params, state, zeros[0] if len(zeros) == 1 else zeros, Train(key)).output
    out_shape = tuple([one.shape[1:] for one in made]) if isinstance(made, tuple) else made.shape[1:]
    return Init(params, state, out_shape)


def graph_layer(program: Program) -> AnyLayer:
    """Make the layer of a graph."""
    count = len(program.inputs)
    return define_layer(
        f"onnx({program.name})",
        partial(init, program),
        partial(forward, program),
        partial(backward, program),
        random=False,
        inputs=1 if count == 1 else None,
    )


def frozen_copy(arrays: Any) -> dict[str, Any]:
    """Return named arrays that nobody can write into."""
    made = dict(arrays)
    tree.freeze(made)
    return made
