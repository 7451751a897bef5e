"""Tensors in the format of the library ``safetensors``, which checks the files: a header in JSON, and numbers after it.

The library is asked what a file holds, and nothing is read before that is known to fit; it has then made sure that every tensor
lies within the file, and that they lie one after the other.  Their numbers are read from there as they are: the library itself
cannot give NumPy those of ``bfloat16``, which NumPy does not know.

A ``bfloat16`` is the upper half of a float32: sixteen bits with a zero behind each make the same number.  That, and half
precision, becomes float32, since nothing is computed in less.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from attrs import frozen

from funcnn.errors import check_is_file, shorten, shown
from funcnn.files.atomic_write import write_bytes
from funcnn.files.tree_reader import FileError
from funcnn.typing import Array, Shape

FILE, INDEX = "model.safetensors", "model.safetensors.index.json"

_STORED = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "<i1",
    "U8": "<u1",
}
"""The types that are read, and how their numbers are stored."""
HALF = ("F16", "BF16")


@frozen
class Stored:
    """Where a tensor lies."""

    path: Path
    kind: str
    shape: Shape
    offset: int

    def read(self) -> Array:
        """Return the numbers, halves as float32."""
        dtype = np.dtype(_STORED[self.kind])
        raw = np.fromfile(self.path, dtype, math.prod(self.shape), offset=self.offset)
        if raw.size != math.prod(self.shape):
            raise FileError(f"{self.path} has become shorter while it was read")
        if self.kind == "BF16":
            raw = (raw.astype(np.uint32) << 16).view(np.float32)
        elif self.kind == "F16":
            raw = raw.astype(np.float32)
        made: Array = raw.astype(raw.dtype.newbyteorder("="), copy=False).reshape(self.shape)
        return made


def library() -> Any:  # Any: the optional library, which may not be there
    """Return the library ``safetensors``, or raise with what to do."""
    try:
        import safetensors
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "published weights are read by the package safetensors, which is not installed: pip install 'funcnn[weights]'",
            name="safetensors",
        ) from None
    return safetensors


def describe_file(path: Path) -> dict[str, Stored]:
    """Return what a file says that it holds, once that is known to be so.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    FileError
        When it is damaged, or has numbers of a type that is not read, with the names of the tensors.
    """
    check_is_file(path)
    safetensors = library()
    try:
        with safetensors.safe_open(path, "np") as file:
            found = [(name, file.get_slice(name)) for name in file.offset_keys()]
            told = [(name, str(one.get_dtype()), tuple(map(int, one.get_shape()))) for name, one in found]
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise FileError(f"{path} is no file of safetensors, or a damaged one: {shorten(str(error), 200)}") from None
    unknown = [f"{name} ({kind})" for name, kind, _ in told if kind not in _STORED]
    if unknown:
        raise FileError(
            f"{path} has numbers of types that are not read: {shorten(', '.join(unknown), 300)}; expected one of"
            f" {', '.join(_STORED)}"
        )
    with path.open("rb") as raw:
        offset = 8 + int.from_bytes(raw.read(8), "little")
    made: dict[str, Stored] = {}
    for name, kind, shape in told:
        made[name] = Stored(path, kind, shape, offset)
        offset += math.prod(shape) * np.dtype(_STORED[kind]).itemsize
    return made


def describe_folder(folder: Path) -> dict[str, Stored]:
    """Return what the file of a folder holds, or, where it is in parts, the files that its index names.

    Raises
    ------
    FileNotFoundError, FileError
        As :func:`describe_file`; when the index is none, or names a file of another folder.
    """
    index = folder / INDEX
    if not index.is_file():
        return describe_file(folder / FILE)
    try:
        content: Any = json.loads(index.read_bytes())
    except (ValueError, RecursionError) as error:
        raise FileError(f"{index} is no JSON: {shorten(str(error), 200)}") from None
    places = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(places, dict) or not all(isinstance(one, str) for one in places.values()):
        raise FileError(f"{index} has the weight_map {shown(places)}, expected an object with the file of each tensor")
    for one in places.values():
        if Path(one).name != one or one in (".", ".."):
            raise FileError(f"{index} names the file {shorten(one)!r}, expected one of its own folder")
    files = {one: describe_file(folder / one) for one in sorted({*places.values()})}
    wrong = [name for name, one in places.items() if name not in files[one]]
    if wrong:
        raise FileError(f"{index} names tensors that their files do not have: {shorten(', '.join(wrong), 300)}")
    return {name: files[one][name] for name, one in places.items()}


def write_file(path: Path, tensors: Mapping[str, Array]) -> None:
    """Write tensors: the file appears whole or not at all.

    Raises
    ------
    OSError
        When it cannot be written.
    """
    library()
    from safetensors.numpy import save

    write_bytes(path, save({name: np.asarray(one, order="C") for name, one in tensors.items()}, metadata={"format": "pt"}))
