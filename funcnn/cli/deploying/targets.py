"""The files that an export writes: they can be written, and none of them is one that the network is read from."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from funcnn.cli.failure import RequestError


def check_targets(folder: Path, onnx: Path | None, script: Path | None) -> None:
    """Look at what is to be written, before any work.

    Raises
    ------
    RequestError
        When a folder is missing or may not be written to, a name is of the wrong kind or taken twice, or a file of the network
        would be lost.
    """
    named: list[tuple[str, Path]] = []
    if onnx is not None:
        named.append((f"--onnx {onnx}", onnx))
    if script is not None:
        if script.suffix != ".py":
            raise RequestError(f"--script {script}: expected the name of a script, which ends with .py")
        named += [(f"--script {script}", script), (f"--script {script}", script.with_suffix(".npz"))]
    places = [Path(os.path.realpath(path)) for _, path in named]
    for option, path in named:
        check_writable(option, path)
        place = Path(os.path.realpath(path))
        if places.count(place) > 1:
            raise RequestError(f"{option}: {path} would be written twice: give the files different names")
        if place.parent == folder.resolve() and place.exists() and not is_exported(place, places):
            raise RequestError(f"{option}: {path} is a file of what is to be exported, and would be lost: choose another name")


def check_writable(option: str, path: Path) -> None:
    """Raise a RequestError unless a file may be written, as far as can be told without writing it."""
    if path.is_dir():
        raise RequestError(f"{option}: {path} is a folder, expected the name of a file")
    if not path.parent.is_dir():
        raise RequestError(f"{option}: there is no folder {path.parent}: make it first")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise RequestError(f"{option}: {path} may not be written: choose another place")


def is_exported(place: Path, places: Sequence[Path]) -> bool:
    """Tell whether a file is an earlier export: those of a script stand side by side."""
    if place.suffix == ".npz":
        return place.with_suffix(".py") in places and place.with_suffix(".py").exists()
    return place.suffix in (".onnx", ".py")
