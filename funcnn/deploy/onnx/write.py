"""From a finished graph to the bytes of a file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from attrs import frozen

from funcnn.deploy.onnx.graph import Graph, Tensor
from funcnn.deploy.onnx.library import library
from funcnn.deploy.onnx.operators import ELEMENT_TYPES

ML = "ai.onnx.ml"
"""The name of the standard's second set of operators, of which texts take one."""

OPSETS = {"": 18, ML: 3}
"""The versions of ONNX's operators that files are written in, of 2022: runtimes of the last years know them."""

DOMAINS = {"LabelEncoder": ML}
"""The operators of the second set."""

IR_VERSION = 8
"""The version of the file format that came with it."""

LARGEST = 2**31 - 1
"""Bytes that a message of Protocol Buffers, hence a file, may have."""


@frozen(eq=False)
class Interface:
    """What a graph takes and gives, by name, and what is said of it."""

    inputs: Sequence[tuple[str, Tensor]]
    outputs: Sequence[tuple[str, Tensor]]
    name: str
    metadata: Mapping[str, object]


def to_bytes(g: Graph, interface: Interface) -> bytes:
    """Return the file of a graph, which ONNX's own checker has looked at.

    Raises
    ------
    ValueError
        When the file would be too long.
    """
    from funcnn import __version__

    onnx = library()
    helper, size = onnx.helper, sum(array.nbytes for array in g.constants.values())
    if size > LARGEST:
        raise ValueError(f"the parameters take {size} bytes, and an ONNX file may have {LARGEST}: export fewer, or in float32")
    nodes = [
        helper.make_node(one.kind, one.inputs, one.outputs, one.name, domain=DOMAINS.get(one.kind, ""), **one.attributes)
        for one in g.nodes
    ]
    domains = sorted({one.domain for one in nodes} | {""})
    constants = [onnx.numpy_helper.from_array(array, name) for name, array in g.constants.items()]
    inputs, outputs = ([described(helper, *one) for one in side] for side in (interface.inputs, interface.outputs))
    graph = helper.make_graph(nodes, interface.name, inputs, outputs, constants)
    model = helper.make_model(
        graph,
        producer_name="funcnn",
        producer_version=__version__,
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid(one, OPSETS[one]) for one in domains],
    )
    helper.set_model_props(model, {key: said(value) for key, value in interface.metadata.items()})
    onnx.checker.check_model(model, full_check=True)
    written: bytes = model.SerializeToString()
    return written


def said(value: object) -> str:
    """Return the text of an entry of the metadata: itself, or JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def described(helper: object, name: str, tensor: Tensor) -> object:
    """Return ONNX's description of an input or an output: its type, and its shape, whose first axis is that of the batch."""
    make = getattr(helper, "make_tensor_value_info")  # noqa: B009  # of a package without types
    return make(name, ELEMENT_TYPES[tensor.dtype.name], ("batch", *tensor.shape))
