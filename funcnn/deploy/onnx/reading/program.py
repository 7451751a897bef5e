"""What an ONNX file holds, as records of this library, once it is known to be what is understood here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from attrs import frozen

from funcnn.deploy.onnx.library import library
from funcnn.errors import check_path
from funcnn.files.tree_reader import FileError

OLDEST = 13
"""The oldest set of operators whose meaning is that of today's: before it, softmax and the arguments of shapes were others."""


class OperatorError(ValueError):
    """Something of an ONNX file that does not exist here; the message names the node."""


@frozen(eq=False)
class Called:
    """A node of the graph."""

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]  # Any: numbers, words, arrays

    def refuse(self, reason: str) -> OperatorError:
        """Return the error that says why this node cannot be read."""
        return OperatorError(f"node {self.name!r} ({self.kind}) cannot be read: {reason}")


@frozen(eq=False)
class Given:
    """An input of the graph."""

    name: str
    dtype: np.dtype[Any]  # Any: of all kinds
    shape: tuple[int | None, ...]
    """Its axes; None where the file leaves the length open."""


@frozen(eq=False)
class Program:
    """A graph: what it is given, what it does, in order, and what comes out."""

    name: str
    inputs: tuple[Given, ...]
    outputs: tuple[str, ...]
    nodes: tuple[Called, ...]
    constants: Mapping[str, np.ndarray[Any, Any]]  # Any: of all kinds
    """What is known: the numbers that are not learned."""
    learned: Mapping[str, np.ndarray[Any, Any]]  # Any: floating numbers
    statistics: Mapping[str, np.ndarray[Any, Any]]  # Any: floating numbers


def read_model(path: str | os.PathLike[str]) -> Any:  # Any: a message of the package onnx
    """Return the message in a file.

    Raises
    ------
    FileError
        When it is no ONNX file, is cut off, or keeps its weights in other files.
    """
    onnx = library()
    target = Path(check_path(path, "path"))
    content = target.read_bytes()
    try:
        model = onnx.load_from_string(content)
        onnx.checker.check_model(model)
    except Exception as error:  # the package raises errors of several libraries
        said = str(error).strip().splitlines()
        raise FileError(f"{target} is no ONNX file, or damaged: {said[0] if said else type(error).__name__}") from None
    if not model.graph.node and not model.graph.output:
        raise FileError(f"{target} is no ONNX file, or damaged: it has no graph")
    for one in model.graph.initializer:
        if one.data_location == onnx.TensorProto.EXTERNAL:
            raise FileError(
                f"{target} keeps {one.name!r} in another file: put all into one with onnx.save_model(onnx.load(path), path),"
                " save_as_external_data=False"
            )
    return model


def program_of(model: Any, known: Mapping[str, Any], is_constant: Any) -> Program:
    """Return what a message holds.

    Raises
    ------
    OperatorError
        When it has operators or types that do not exist here; the message names the node.
    """
    onnx, graph = library(), model.graph
    check_operators(model, known)
    stored = {one.name: array_of(onnx, one) for one in graph.initializer}
    nodes: list[Called] = []
    computed: set[str] = set()
    spent: set[str] = set()
    for index, one in enumerate(graph.node):
        attributes = {part.name: value_of(onnx, onnx.helper.get_attribute_value(part)) for part in one.attribute}
        called = Called(one.op_type, one.name or f"#{index}", tuple(one.input), tuple(one.output), attributes)
        if one.op_type == "Constant":
            stored[one.output[0]] = constant_of(called)
        elif is_known(called, stored):
            stored[one.output[0]] = np.asarray(known[one.op_type].forward(called, [stored.get(name) for name in one.input])[0][0])
            spent |= set(one.input)
            computed |= set(() if one.op_type == "DequantizeLinear" else one.output)
        else:
            nodes.append(called)
    given = tuple([described(onnx, one) for one in graph.input if one.name not in stored])
    used = {name for one in nodes for name in one.inputs} | {one.name for one in graph.output}
    stored = {name: array for name, array in stored.items() if name in used or name not in spent}
    statistics = {name for one in nodes if one.kind == "BatchNormalization" for name in one.inputs[3:5]}
    settings = {name for one in nodes for name in one.inputs[1:] if one.kind in SETTINGS}
    learned = {
        name: array
        for name, array in stored.items()
        if array.dtype.kind == "f" and array.ndim and name not in statistics | settings | computed and not is_constant(name)
    }
    kept = {name: array for name, array in stored.items() if name in statistics}
    rest = {name: array for name, array in stored.items() if name not in learned and name not in kept}
    outputs = tuple([one.name for one in graph.output])
    return Program(graph.name or "graph", given, outputs, tuple(nodes), rest, learned, kept)


def is_known(called: Called, stored: Mapping[str, np.ndarray[Any, Any]]) -> bool:
    """Tell whether what a node gives is known at once: it is made of integers that are stored, or of weights kept as such."""
    if len(called.outputs) != 1 or not called.inputs or not all(name in stored for name in called.inputs if name):
        return False
    kinds = [stored[name].dtype.kind for name in called.inputs if name]
    return called.kind == "DequantizeLinear" or "f" not in kinds


SETTINGS = {"Clip", "Pad", "Resize", "Range", "OneHot", "QuantizeLinear", "DequantizeLinear"}
"""Operators whose further inputs are settings, and no parameters."""


def check_operators(model: Any, known: Mapping[str, Any]) -> None:
    """Raise unless all operators are known, in a set that is young enough."""
    for one in model.opset_import:
        if one.domain in ("", "ai.onnx") and one.version < OLDEST:
            raise OperatorError(
                f"the file is written in operator set {one.version}, expected at least {OLDEST}: raise it with"
                " onnx.version_converter.convert_version"
            )
    unknown = [
        f"{one.op_type} ({one.domain + ', ' if one.domain else ''}node {one.name or index!r})"
        for index, one in enumerate(model.graph.node)
        if (one.op_type not in known and one.op_type != "Constant") or one.domain not in ("", "ai.onnx")
    ]
    if unknown:
        more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        raise OperatorError(f"the file has operators that do not exist here: {', '.join(unknown[:5])}{more}")


def array_of(onnx: Any, tensor: Any) -> np.ndarray[Any, Any]:
    """Return the numbers of a tensor; raise for types in which nothing is computed here."""
    array: np.ndarray[Any, Any] = np.array(onnx.numpy_helper.to_array(tensor))
    if array.dtype not in (np.float32, np.float64) and array.dtype.kind not in "iub":
        raise OperatorError(f"the tensor {tensor.name!r} is {array.dtype}, expected float32, float64, integers or booleans")
    return array


def value_of(onnx: Any, value: Any) -> Any:
    """Return the value of an attribute: a number, a text, a list of such, or an array."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, onnx.TensorProto):
        return array_of(onnx, value)
    if isinstance(value, int | float):
        return value
    return [one.decode() if isinstance(one, bytes) else one for one in value] if hasattr(value, "__iter__") else value


def constant_of(called: Called) -> np.ndarray[Any, Any]:
    """Return what a node Constant gives."""
    kinds = {"value": None, "value_float": np.float32, "value_floats": np.float32, "value_int": np.int64, "value_ints": np.int64}
    for name, kind in kinds.items():
        if name in called.attributes:
            return np.asarray(called.attributes[name], kind)
    raise called.refuse("it holds no number")


def described(onnx: Any, value: Any) -> Given:
    """Return what the graph says of an input."""
    tensor = value.type.tensor_type
    if not tensor.elem_type:
        raise OperatorError(f"the input {value.name!r} is no tensor")
    dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type))
    if dtype not in (np.float32, np.float64) and dtype.kind not in "iub":
        raise OperatorError(f"the input {value.name!r} is {dtype}, expected float32, float64, integers or booleans")
    shape = tuple([axis.dim_value if axis.HasField("dim_value") else None for axis in tensor.shape.dim])
    return Given(value.name, dtype, shape)
