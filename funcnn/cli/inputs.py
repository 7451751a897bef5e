"""Rows from a file, as inputs of a run's network."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import cast

import numpy as np

import funcnn as fn
from funcnn.cli import folder
from funcnn.cli.failure import RequestError
from funcnn.cli.folder import Run
from funcnn.cli.network import Facts
from funcnn.cli.terminal import section
from funcnn.errors import check_finite, describe, shorten
from funcnn.files.npy_header import LONGEST, read_header
from funcnn.typing import Array, IntArray

_SEPARATORS = {".csv": ",", ".tsv": "\t", ".txt": None}
_OTHERS = (("semicolons", ";"), ("tabs", "\t"), ("commas", ","), ("bars", "|"), ("spaces", None))


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
    except MemoryError:
        raise RequestError(f"--input {path}: its rows do not fit in memory") from None
    except (OSError, ValueError, EOFError) as error:
        raise RequestError(f"--input {path}: {error}") from None
    if values.dtype.kind not in "fiu":
        raise RequestError(f"--input {path}: it holds {describe(values)}, expected numbers")
    if values.ndim == 1 and values.size == features:
        values = values[None]  # one example
    if values.ndim < 2 or values[0:1].size != features or len(values) == 0:
        raise RequestError(f"--input {path}: it holds {describe(values)}, expected rows of {features} numbers")
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is named below
        x: Array = values.reshape(len(values), features).astype(run.settings.dtype)
    if values.dtype == np.uint8 and (run.facts.from_bytes or path.suffix not in (".npy", *_SEPARATORS)):
        x /= 255  # as those that it learned from
    try:
        check_finite(x, "the input")
    except ValueError as error:
        raise RequestError(f"--input {path}: {error}") from None
    return x


def _read(path: Path) -> Array | IntArray:
    if path.suffix == ".npy":
        with path.open("rb") as file:
            dtype, fortran, shape, start = read_header(file.read(LONGEST))
        needed = start + dtype.itemsize * math.prod(shape)
        if path.stat().st_size < needed:  # takes no memory for what a header claims
            raise ValueError(f"its header claims {needed} bytes, the file has {path.stat().st_size}: it is cut short")
        if math.prod(shape) == 0:  # nothing that could be mapped
            return np.zeros(shape)
        mapped = cast(Array, np.memmap(path, dtype, "r", start, shape, "F" if fortran else "C"))
        return mapped
    if path.suffix in _SEPARATORS:
        return _read_table(path, _SEPARATORS[path.suffix])
    return fn.data.load_idx(path)


def _read_table(path: Path, separator: str | None) -> Array:
    """Return the numbers of a text file; a first line of names, as spreadsheets write it, is left out."""
    try:
        text = path.read_text(encoding="utf-8-sig")  # with or without a byte order mark
    except UnicodeDecodeError as error:
        raise ValueError(f"it is no text in UTF-8 (byte {error.start}): convert it first") from None
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if len(lines) > 1 and not any(map(_is_number, _fields(lines[0], separator))) and _fields(lines[0], separator)[1:]:
        lines = lines[1:]
    for line in lines[:1]:
        others = [name for name, mark in _OTHERS if mark != separator and len(_fields(line, mark)) > 1]
        if len(_fields(line, separator)) == 1 and others and not _is_number(line):
            wanted = {",": "commas", "\t": "tabs", None: "spaces"}[separator]
            raise ValueError(f"its fields have {others[0]} between them, expected {wanted}: {shorten(line)}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an empty file is a warning there, and an error with its name here
            table: Array = np.loadtxt(lines, delimiter=separator, ndmin=2, converters=_number)
    except ValueError as error:
        raise ValueError(shorten(str(error).split("; use `usecols`")[0], 160)) from None  # advice for who calls NumPy
    return table


def _fields(line: str, separator: str | None) -> list[str]:
    return line.strip().split(separator)


def _number(field: str) -> float:
    return float(field.strip().strip('"'))


def _is_number(field: str) -> bool:
    try:
        _number(field)
    except ValueError:
        return False
    return True
