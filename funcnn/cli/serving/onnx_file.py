"""An ONNX file behind a port: onnxruntime computes."""

from __future__ import annotations

import json
import math
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from attrs import frozen

import funcnn as fn
from funcnn.cli.failure import RequestError
from funcnn.cli.serving.run_folder import classes_of, command, described, listed, shown
from funcnn.cli.tasks.classify import softmax
from funcnn.deploy.server.limits import HTTPError, Limits
from funcnn.deploy.server.serving import Service
from funcnn.deploy.server.strict_json import check_names, rows_of
from funcnn.errors import shorten

_KINDS: dict[str, type[np.floating]] = {"tensor(float)": np.float32, "tensor(double)": np.float64}


@frozen(eq=False)
class Session:
    """A network of onnxruntime with one input of floating numbers and one output."""

    run: Any  # Any: onnxruntime is there only where it is installed
    name: str
    shape: tuple[int, ...]
    kind: type[np.floating]
    classes: tuple[str, ...]


def service(path: Path, limits: Limits) -> Service:
    """Return what can be asked of an ONNX file; raises a RequestError when it cannot be read."""
    session = opened(path)
    features = math.prod(session.shape)
    example: dict[str, object] = {"inputs": [[0] * features]}
    description: dict[str, object] = {
        "model": path.name,
        "shape": list(session.shape),
        "features": features,
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
    inputs = made.get_inputs()
    shape = tuple(inputs[0].shape[1:])
    if (
        len(inputs) != 1
        or len(made.get_outputs()) != 1
        or inputs[0].type not in _KINDS
        or not all(type(one) is int for one in shape)
    ):
        raise RequestError(f"{path}: what is served has one output and one input of floating numbers, of a shape that is known")
    told = made.get_modelmeta().custom_metadata_map.get("classes", "[]")
    return Session(made.run, inputs[0].name, shape, _KINDS[inputs[0].type], tuple(json.loads(told)))


def predict(session: Session, limits: Limits, given: dict[str, object]) -> dict[str, object]:
    """Answer what the network says of rows: classes, where the file names some, or numbers."""
    check_names(given, ("inputs",))
    rows = rows_of(given["inputs"], "inputs", math.prod(session.shape), limits.rows)
    with np.errstate(over="ignore"):
        x = rows.astype(session.kind).reshape(-1, *session.shape)
    if not np.isfinite(x).all():
        raise HTTPError(422, "inputs holds numbers that are too large for the network's precision")
    (output,) = session.run(None, {session.name: x})
    if session.classes and output.shape == (len(x), len(session.classes)):
        return classes_of(softmax(output), session.classes)
    return {"outputs": listed(output)}
