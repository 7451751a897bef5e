"""``python -m funcnn export``: the network of a run, or of published weights, as a file of another program."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from attrs import asdict, frozen

import funcnn as fn
from funcnn.cli import folder
from funcnn.cli.deploying.around_network import around_run
from funcnn.cli.deploying.published_input import STEPS, has_classes, image, sequences
from funcnn.cli.deploying.targets import check_targets
from funcnn.cli.failure import OK, RequestError
from funcnn.cli.folder import Run
from funcnn.cli.options import base_parser, whole_number
from funcnn.cli.published.opening import is_published, open_published
from funcnn.cli.published.pictures import read_preparation
from funcnn.cli.published.seeing import takes_images
from funcnn.cli.tables.predicting import load_transform
from funcnn.cli.tasks.find_anomalies import bound_of
from funcnn.cli.terminal import more, section
from funcnn.deploy.onnx.export import Finish, onnx_bytes
from funcnn.deploy.onnx.graph import Graph, Tensor
from funcnn.deploy.onnx.interface import named_outputs
from funcnn.deploy.onnx.operators import cast, multiply, over, subtract
from funcnn.deploy.onnx.preparation import Pixels, Preparation
from funcnn.deploy.script.prediction import Around, script_of, write_script
from funcnn.deploy.script.program import usage
from funcnn.files.atomic_write import write_bytes
from funcnn.models.pretrained.folder import labels


@frozen
class ExportRequest:
    """What ``python -m funcnn export`` is asked for."""

    run: Path
    onnx: Path | None
    script: Path | None
    length: int | None
    """Steps of a sequence, where one is asked for."""


@frozen(eq=False)
class Exported:
    """A network with a batch such as it takes."""

    model: Any  # Any: networks of all types, as the tasks have them
    params: Any
    state: Any
    x: Any
    described: fn.deploy.Described
    finish: Finish | None = None
    """Writes what an ONNX file gives beside the network's output."""
    around: Around | None = None
    """What stands around the network in a script."""

    def usage(self, script: Path) -> str:
        """Return the line that runs a script."""
        if self.around is not None:
            return self.around.usage(script.stem)
        return usage(script.stem, self.x, fn.apply(self.model, self.params, self.state, self.x))


def main(arguments: Sequence[str]) -> int:
    """Run the command and return its exit status."""
    request = read_export(arguments)
    check_targets(request.run, request.onnx, request.script)
    made = of_published(request) if is_published(request.run) else of_run(request)
    parts = made.model, made.params, made.state, made.x
    written: list[Callable[[], None]] = []  # nothing is written before all that was asked for is there
    try:
        if request.onnx is not None:
            written.append(partial(write_bytes, request.onnx, onnx_bytes(*parts, made.described, made.finish)))
        if request.script is not None:
            written.append(partial(write_script, request.script, *script_of(request.script, *parts, made.around)))
    except (ModuleNotFoundError, TypeError, ValueError) as error:
        raise RequestError(f"{request.run}: {error}") from None
    for write in written:
        write()
    if request.onnx is not None:
        section("ONNX", f"{request.onnx}: {request.onnx.stat().st_size:,} bytes, batches of any length")
    if request.script is not None:
        section("Script", f"{request.script}, with its weights in {request.script.with_suffix('.npz').name}")
        more(made.usage(request.script))
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
        "--length", type=whole_number(1), metavar="N",
        help=f"steps of a sequence that a published network of texts takes at a time (default: {STEPS}, or all it can take)",
    )  # fmt: skip
    given = parser.parse_args(arguments)
    if given.onnx is None and given.script is None:
        parser.error("nothing to write: give --onnx FILE or --script FILE")
    return ExportRequest(given.run, given.onnx, given.script, given.length)


def of_run(request: ExportRequest) -> Exported:
    """Return the network of a run; an input is as its data are in training."""
    if request.length is not None:
        raise RequestError("--length is for published networks of texts: that of a run takes what it has learned from")
    run = folder.open_run(request.run)
    task, features = run.settings.job.task, run.facts.features
    if task in ("write", "classify_text"):
        x: Any = np.zeros((1, features), np.int64)
    else:
        x = np.zeros((1, features), run.settings.dtype)
    parts = run.model, run.params, run.state, (x, x) if task == "compare" else x
    finish = written_errors if task == "find_anomalies" else None
    return Exported(*parts, described_run(run, request.run), finish, around_run(run, request.run))


def described_run(run: Run, path: Path) -> fn.deploy.Described:
    """Return what goes along with a run into an ONNX file: all that prediction does around the network."""
    task, facts = run.settings.job.task, run.facts
    preparation: Preparation | None = None
    if run.settings.table is not None:
        preparation = load_transform(facts, path)
    elif facts.from_bytes and task != "compare":
        preparation = Pixels(facts.picture)
    named = task in ("classify", "classify_text", "classify_table")
    metadata: dict[str, str] = {"task": task}
    if task == "find_anomalies":
        metadata["bound"] = str(bound_of(path))
    if facts.vocabulary:
        metadata |= {"vocabulary": facts.vocabulary, "first_token": "1" if task == "classify_text" else "0"}
    return fn.deploy.Described(preparation, facts.classes if named else None, probabilities=named, metadata=metadata)


def written_errors(g: Graph, x: Tensor, y: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Write the mean squared error (n,) with which rows are redrawn."""
    apart = subtract(g, cast(g, y, np.float64), cast(g, x, np.float64))
    yield from named_outputs(g, over(g, "ReduceMean", multiply(g, apart, apart), (1,)), "error")


def of_published(request: ExportRequest) -> Exported:
    """Return a published network: of images, as they are after their preparation, or of tokens."""
    loaded = open_published(request.run)
    metadata: dict[str, str] = {}
    if takes_images(loaded.config):
        if request.length is not None:
            raise RequestError(f"--length is for networks of texts, and that of {request.run} takes images")
        how = read_preparation(request.run)
        metadata["preparation"] = json.dumps(asdict(how))
        x: Any = image(loaded.config, how)
    else:
        x = sequences(loaded.config, request.length)
    named = takes_images(loaded.config) or has_classes(loaded.config)
    kinds = {leaf.dtype for leaf in fn.tree.leaves(loaded.params)}
    if isinstance(x, np.ndarray) and x.dtype.kind == "f" and len(kinds) == 1:
        x = x.astype(kinds.pop())
    described = fn.deploy.Described(classes=labels(loaded) if named else None, probabilities=named, metadata=metadata)
    return Exported(loaded.model, loaded.params, loaded.state, x, described)
