"""``python -m funcnn export``: the network of a run, or of published weights, as a file of another program."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from attrs import frozen

import funcnn as fn
from funcnn.cli import folder
from funcnn.cli.failure import OK, RequestError
from funcnn.cli.options import base_parser, whole_number
from funcnn.cli.published.opening import is_published, open_published
from funcnn.cli.published.pictures import read_preparation
from funcnn.cli.published.seeing import takes_images
from funcnn.cli.terminal import more, section
from funcnn.models.pretrained.folder import labels

STEPS = 64
"""Tokens that a published network of texts is exported for, if nothing else is said."""


@frozen
class ExportRequest:
    """What ``python -m funcnn export`` is asked for."""

    run: Path
    onnx: Path | None
    script: Path | None
    length: int


@frozen(eq=False)
class Exported:
    """A network with a batch such as it takes."""

    model: Any  # Any: networks of all types, as the tasks have them
    params: Any
    state: Any
    x: Any
    classes: tuple[str, ...]


def main(arguments: Sequence[str]) -> int:
    """Run the command and return its exit status."""
    request = read_export(arguments)
    made = of_published(request) if is_published(request.run) else of_run(request.run)
    parts = made.model, made.params, made.state, made.x
    try:
        if request.onnx is not None:
            described = fn.deploy.Described(classes=made.classes or None)
            fn.deploy.export_onnx(request.onnx, *parts, described=described)
            section("ONNX", f"{request.onnx}: {request.onnx.stat().st_size:,} bytes, batches of any length")
        if request.script is not None:
            fn.deploy.export_script(request.script, *parts)
            section("Script", f"{request.script}, with its weights in {request.script.with_suffix('.npz').name}")
            more(f"python {request.script.name} INPUT.npy OUTPUT.npy")
    except (ModuleNotFoundError, ValueError) as error:
        raise RequestError(str(error)) from None
    return OK


def read_export(arguments: Sequence[str]) -> ExportRequest:
    """Return the request that the arguments make; on a wrong one argparse prints what is wrong and exits with status 2."""
    parser = base_parser("python -m funcnn export", "Write the network of a run, or of published weights, for other programs.")
    parser.add_argument("run", type=Path, metavar="RUN", help="the folder that a run has written, or one of published weights")
    parser.add_argument("--onnx", type=Path, metavar="FILE", help="write an ONNX file, as onnxruntime and others run it")
    parser.add_argument(
        "--script", type=Path, metavar="FILE", help="write a script of plain NumPy (.py), with its weights beside it (.npz)"
    )
    parser.add_argument(
        "--length", type=whole_number(1), default=STEPS, metavar="N",
        help=f"tokens that a published network of texts takes at a time (default: {STEPS})",
    )  # fmt: skip
    given = parser.parse_args(arguments)
    if given.onnx is None and given.script is None:
        parser.error("nothing to write: give --onnx FILE or --script FILE")
    return ExportRequest(given.run, given.onnx, given.script, given.length)


def of_run(path: Path) -> Exported:
    """Return the network of a run; an input is as its data are in training."""
    run = folder.open_run(path)
    task, features = run.settings.job.task, run.facts.features
    if task in ("write", "classify_text"):
        x: Any = np.zeros((1, features), np.int64)
    else:
        x = np.zeros((1, features), run.settings.dtype)
    classes = run.facts.classes if task in ("classify", "classify_text") else ()
    return Exported(run.model, run.params, run.state, (x, x) if task == "compare" else x, classes)


def of_published(request: ExportRequest) -> Exported:
    """Return a published network: of images, as they are after their preparation, or of tokens."""
    loaded = open_published(request.run)
    if takes_images(loaded.config):
        how = read_preparation(request.run)
        x: Any = np.zeros((1, how.height, how.width, 3), np.float32)
        classes = tuple(labels(loaded))
    else:
        x, classes = np.zeros((1, request.length), np.int64), ()
    kinds = {leaf.dtype for leaf in fn.tree.leaves(loaded.params)}
    if x.dtype.kind == "f" and len(kinds) == 1:
        x = x.astype(kinds.pop())
    return Exported(loaded.model, loaded.params, loaded.state, x, classes)
