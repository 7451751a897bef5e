"""Rows from a file, as inputs of a run's network."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

import funcnn as fn
from funcnn.cli import folder
from funcnn.cli.failure import RequestError
from funcnn.cli.folder import Run
from funcnn.cli.network import Facts
from funcnn.cli.terminal import section
from funcnn.errors import check_finite, describe
from funcnn.typing import Array, IntArray


def introduce(path: Path, run: Run) -> None:
    """Print which run is used."""
    facts = run.facts
    letters, numbers = f"{run.settings.model}, {len(facts.vocabulary)} characters", f"{facts.features} features"
    about = letters if facts.vocabulary else numbers
    about += f", {len(facts.classes)} classes" if facts.classes else ""
    section("Run", f"{path}: {folder.size(run):,} parameters, {about}")


def rows(count: int, what: str = "row") -> str:
    """Return a number of rows in words."""
    return f"{count:,} {what}{'s' * (count != 1)}"


def check_alike(run: Run, facts: Facts) -> None:
    """Raise a RequestError when the data of a run are no longer those it was trained on."""
    if facts != run.facts:
        name = run.settings.data or " ".join(run.settings.text)
        raise RequestError(f"the data set {name} is not the one of the run: give inputs with --input FILE")


def read_rows(path: Path, run: Run) -> Array:
    """Return the rows of a file as inputs of a run's network.

    Raises
    ------
    RequestError
        When the file is missing or of no known format, or its rows are not what the network takes.
    """
    features = run.facts.features
    if not path.is_file():
        raise RequestError(f"--input {path}: there is no such file")
    try:
        values = _read(path)
    except (OSError, ValueError, EOFError) as error:
        raise RequestError(f"--input {path}: {error}") from None
    if values.dtype.kind not in "fiu":
        raise RequestError(f"--input {path}: it holds {describe(values)}, expected numbers")
    if values.ndim == 1 and values.size == features:
        values = values[None]  # one example
    if values.ndim < 2 or values[0:1].size != features or len(values) == 0:
        raise RequestError(f"--input {path}: it holds {describe(values)}, expected rows of {features} numbers")
    with np.errstate(over="ignore"):  # infinity is named below
        x: Array = values.reshape(len(values), features).astype(run.settings.dtype)
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
