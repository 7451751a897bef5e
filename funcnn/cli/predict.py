"""``python -m funcnn predict``: what a saved network says of its test set, or of inputs from a file."""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import funcnn as fn
from funcnn.cli import folder
from funcnn.cli.failure import OK, RequestError
from funcnn.cli.folder import Run
from funcnn.cli.options import read_predict
from funcnn.cli.problem import load_problem
from funcnn.cli.terminal import more, section, style, table
from funcnn.errors import check_finite, describe
from funcnn.typing import Array, IntArray

_SHOWN = 10


def main(arguments: Sequence[str]) -> int:
    """Run the command and return its exit status."""
    request = read_predict(arguments)
    run = folder.open_run(request.run)
    labels: IntArray | None = None
    if request.input is None:
        problem = load_problem(run.settings)
        if problem.features != run.features or len(problem.classes) != len(run.classes):
            raise RequestError(f"the data set {run.settings.data} is not the one of the run: give inputs with --input FILE")
        x, labels, said = problem.test.x, problem.test.y, f"the test set of the run, {problem.title}"
    else:
        x, said = read_inputs(request.input, run), str(request.input)
    probabilities = softmax(fn.predict(run.model, run.params, run.state, x))
    if request.output is not None:  # before anything is printed: a wrong path is an error, not the end of a page
        _write(request.output, run, probabilities, labels)

    section("Run", f"{request.run}: {folder.size(run):,} parameters, {run.features} features, {len(run.classes)} classes")
    section("Input", f"{len(x):,} row{'s' * (len(x) != 1)}: {said}")
    section("Prediction", *_table(run, probabilities, labels))
    if len(x) > _SHOWN:
        more(f"... and {len(x) - _SHOWN:,} rows more" + ("" if request.output else "; --output FILE writes all of them"))
    if labels is not None:
        right = int((probabilities.argmax(1) == labels).sum())
        section("Test", style(f"accuracy {right / len(x):.4f}", "bold") + f" ({right:,} of {len(x):,})")
    if request.output is not None:
        section("Written", str(request.output))
    return OK


def softmax(logits: Array) -> Array:
    """Return the probabilities of the classes."""
    powers = np.exp(logits - logits.max(1, keepdims=True))
    shares: Array = powers / powers.sum(1, keepdims=True)
    return shares


def read_inputs(path: Path, run: Run) -> Array:
    """Return the rows of a file as inputs of a run's network.

    Raises
    ------
    RequestError
        When the file is missing or of no known format, or its rows are not what the network takes.
    """
    if not path.is_file():
        raise RequestError(f"--input {path}: there is no such file")
    try:
        values = _read(path)
    except (OSError, ValueError, EOFError) as error:
        raise RequestError(f"--input {path}: {error}") from None
    if values.dtype.kind not in "fiu":
        raise RequestError(f"--input {path}: it holds {describe(values)}, expected numbers")
    if values.ndim == 1 and values.size == run.features:
        values = values[None]  # one example
    if values.ndim < 2 or values[0:1].size != run.features or len(values) == 0:
        raise RequestError(f"--input {path}: it holds {describe(values)}, expected rows of {run.features} numbers")
    with np.errstate(over="ignore"):  # infinity is named below
        x: Array = values.reshape(len(values), run.features).astype(run.settings.dtype)
    try:
        check_finite(x, "the input")
    except ValueError as error:
        raise RequestError(f"--input {path}: {error}") from None
    return x


def _read(path: Path) -> Array | IntArray:
    if path.suffix == ".npy":
        mapped: Array = np.lib.format.open_memmap(path, mode="r")  # takes no memory for what a header claims, and no objects
        return mapped
    if path.suffix in (".csv", ".txt"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an empty file is a warning there, and an error with its name here
            table: Array = np.loadtxt(path, delimiter="," if path.suffix == ".csv" else None, ndmin=2)
        return table
    values = fn.data.load_idx(path)
    return values / 255 if values.dtype == np.uint8 else values


def _table(run: Run, probabilities: Array, labels: IntArray | None) -> list[str]:
    rows = [["row", "class", "probability", *(["true"] if labels is not None else [])]]
    for index, shares in enumerate(probabilities[:_SHOWN]):
        best = int(shares.argmax())
        true = [] if labels is None else [run.classes[labels[index]] + ("" if labels[index] == best else "  <- wrong")]
        rows.append([str(index), run.classes[best], f"{shares[best]:.4f}", *true])
    head, *body = table(rows, right=(0, 2))
    return [style(head, "dim"), *body]


def _write(path: Path, run: Run, probabilities: Array, labels: IntArray | None) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["row", "class", *(["true"] if labels is not None else []), *(f"p({name})" for name in run.classes)])
    for index, shares in enumerate(probabilities):
        true = [] if labels is None else [run.classes[labels[index]]]
        writer.writerow([index, run.classes[shares.argmax()], *true, *(f"{share:.6g}" for share in shares)])
    try:
        folder.write_text(path, text.getvalue())
    except OSError as error:
        raise RequestError(f"--output {path}: cannot write there: {error.strerror or error}") from None
