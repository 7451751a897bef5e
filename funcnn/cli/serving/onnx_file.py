"""An ONNX file behind a port: onnxruntime computes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from attrs import frozen

import funcnn as fn
from funcnn.cli.failure import RequestError
from funcnn.cli.serving.onnx_inputs import TYPES, Column, FileInput, columns_of, read_input
from funcnn.cli.serving.run_folder import classes_of, command, described, listed, shown
from funcnn.cli.serving.tables import checked
from funcnn.cli.tasks.classify import softmax
from funcnn.deploy.server.limits import HTTPError, Limits
from funcnn.deploy.server.serving import Service
from funcnn.deploy.server.strict_json import check_names, told
from funcnn.errors import shorten


@frozen(eq=False)
class Session:
    """A network of onnxruntime: what it takes and gives, by name."""

    run: Any  # Any: onnxruntime is there only where it is installed
    inputs: tuple[FileInput, ...]
    outputs: tuple[str, ...]
    classes: tuple[str, ...]
    columns: tuple[Column, ...]
    """Of a file that takes the columns of a table."""


def service(path: Path, limits: Limits) -> Service:
    """Return what can be asked of an ONNX file; raises a RequestError when it cannot be read."""
    session = opened(path)
    example = example_of(session)
    description: dict[str, object] = {
        "model": path.name,
        "inputs": {one.name: {"shape": list(one.shape), "type": one.type.__name__} for one in session.inputs},
        "outputs": list(session.outputs),
        "classes": list(session.classes),
        "requests": {"/predict": shown(example)},
        "limits": described(limits),
        "example": command("/predict", example),
        "funcnn": fn.__version__,
    }
    return Service(description, {"/predict": partial(predict, session, limits)}, frozenset({"/predict"}))


def opened(path: Path) -> Session:
    """Return an ONNX file, ready to compute."""
    if not path.is_file():
        raise RequestError(f"there is no file {path}")
    try:
        import onnxruntime  # pyright: ignore[reportMissingImports] - an extra
    except ModuleNotFoundError:
        raise RequestError("ONNX files are run by onnxruntime, which is not installed: pip install onnxruntime") from None
    try:
        made: Any = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:  # it has kinds of its own
        raise RequestError(f"{path} cannot be read: {shorten(' '.join(str(error).split()), 200)}") from None
    inputs = []
    for one in made.get_inputs():
        count, *shape = one.shape or (1,)
        if not one.shape or not all(type(side) is int for side in shape) or one.type not in TYPES:
            where = f"{one.type} of shape {one.shape}"
            raise RequestError(
                f"{path}: the input {one.name!r} is {where}; what is served takes examples along the first axis, of a shape that"
                f" is known, and of {', '.join(TYPES)}"
            )
        inputs.append(FileInput(one.name, tuple(shape), TYPES[one.type], count if type(count) is int else 0))
    for one in made.get_outputs():
        if not one.type.startswith("tensor("):
            raise RequestError(
                f"{path}: the output {one.name!r} is {one.type}; what is served gives arrays: export it without maps"
            )
    told_ = made.get_modelmeta().custom_metadata_map
    classes, columns = read_metadata(told_, tuple(inputs))
    return Session(made.run, tuple(inputs), tuple(one.name for one in made.get_outputs()), classes, columns)


def read_metadata(metadata: Mapping[str, str], inputs: tuple[FileInput, ...]) -> tuple[tuple[str, ...], tuple[Column, ...]]:
    """Return the names of classes and the columns that a file tells; none where it has no such entries, or others."""
    try:
        classes = tuple(map(str, json.loads(metadata.get("classes", "[]"))))
        return classes, columns_of(json.loads(metadata.get("columns", "[]")), inputs)
    except (ValueError, TypeError, LookupError):
        return (), ()


def example_of(session: Session) -> dict[str, object]:
    """Return a request that could be."""
    if session.columns:
        return {"columns": {one.name: [one.example] for one in session.columns}}
    rows = {one.name: [one.example] * max(1, one.count) for one in session.inputs}
    return {"inputs": rows if len(rows) > 1 else rows[session.inputs[0].name]}


def feeds_of(session: Session, limits: Limits, given: dict[str, object]) -> dict[str, Any]:
    """Return the arrays of a request by the inputs that take them."""
    if session.columns:
        check_names(given, ("columns",))
        values = checked(given["columns"], limits)
        check_names(dict(values), tuple(one.name for one in session.columns), tuple(set(values)))
        return {one.input: one.read(values[one.name]) for one in session.columns}
    check_names(given, ("inputs",))
    inputs = given["inputs"]
    if len(session.inputs) == 1:
        return {session.inputs[0].name: read_input(session.inputs[0], inputs, "inputs", limits.rows)}
    if not isinstance(inputs, dict):
        names = ", ".join(repr(one.name) for one in session.inputs)
        raise HTTPError(422, f"inputs is {told(inputs)}, expected an object with {names}")
    check_names(inputs, tuple(one.name for one in session.inputs))
    return {one.name: read_input(one, inputs[one.name], f"inputs.{one.name}", limits.rows) for one in session.inputs}


def as_lists(output: Any) -> list[Any]:  # Any: an array of whatever the file gives
    """Return an output as a list of rows."""
    if output.dtype.kind == "f":
        return listed(np.atleast_1d(output))
    made: list[Any] = np.atleast_1d(output).reshape(len(np.atleast_1d(output)), -1).tolist()
    return made


def predict(session: Session, limits: Limits, given: dict[str, object]) -> dict[str, object]:
    """Answer what the network says of rows: classes, where the file names some, or numbers."""
    feeds = feeds_of(session, limits, given)
    counts = {name: len(one) for name, one in feeds.items()}
    if len(set(counts.values())) > 1:
        raise HTTPError(422, f"the inputs have {', '.join(f'{n} rows ({name})' for name, n in counts.items())}, expected as many")
    try:
        made = dict(zip(session.outputs, session.run(None, feeds), strict=True))
    except Exception as error:  # onnxruntime has kinds of its own; a token that is too large is one
        raise HTTPError(422, f"the network refuses these inputs: {shorten(' '.join(str(error).split()), 300)}") from None
    shape = (next(iter(counts.values())), len(session.classes))
    if session.classes and made.get("probabilities", np.zeros(0)).shape == shape:
        return classes_of(made["probabilities"], session.classes)
    first = made[session.outputs[0]]
    if session.classes and len(made) == 1 and first.shape == shape:
        return classes_of(softmax(first), session.classes)
    lists = {name: as_lists(one) for name, one in made.items()}
    return {"outputs": lists if len(lists) > 1 else lists[session.outputs[0]]}
