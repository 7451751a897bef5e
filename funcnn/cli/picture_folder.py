"""A folder with a folder of pictures for each class, as the data of a run; and a picture as the input of its network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from attrs import evolve

from funcnn import data
from funcnn.cli.failure import RequestError
from funcnn.cli.network import Facts
from funcnn.data.dataset import Dataset
from funcnn.data.images.files import Channels, ImageFiles, opened, size_of
from funcnn.data.images.folder import images_in
from funcnn.typing import Array, IntArray


def read_folder(folder: Path, side: int, dtype: np.dtype[np.floating]) -> tuple[Dataset[IntArray], tuple[int, int, int]]:
    """Return all pictures as rows of numbers, and height, width and channels; they are grey where every one of them is.

    Raises
    ------
    FileError, ValueError
        When a file is broken, pictures differ in size and no side is given, or there is one class alone.
    """
    found = data.image_folder(folder, size=side or _alike(folder), dtype=dtype)
    channels: Channels = 1 if all(is_grey(path) for path in found.x.files) else 3
    files = evolve(found.x, channels=channels)
    return Dataset(files.all().reshape(len(files), -1), found.y, found.classes, (), found.description), (*files.size, channels)


def _alike(folder: Path) -> tuple[int, int] | None:
    """Return the size that all pictures have; raise where they differ."""
    sizes: dict[tuple[int, int], Path] = {}
    for path in images_in(folder):
        sizes.setdefault(size_of(path), path)
    if len(sizes) > 1:
        (one, first), (other, second), *_ = sizes.items()
        raise ValueError(
            f"{first} is {one[0]} x {one[1]} and {second} {other[0]} x {other[1]}: say with --image-size N, such as 64, to which"
            " side all are scaled"
        )
    return next(iter(sizes), None)


def is_grey(path: Path) -> bool:
    """Tell whether a picture has no colours, by its header."""
    return str(opened(path, lambda image: image.mode)) in ("1", "L", "LA")


def read_picture(path: Path, facts: Facts, dtype: str) -> Array:
    """Return a picture as a row of the network's input, scaled to the size of those that it learned from.

    Raises
    ------
    RequestError
        When there is no such file, or it is no picture.
    """
    if not path.is_file():
        raise RequestError(f"{path}: there is no such file")
    height, width, channels = (*facts.picture, 1)[:3]
    files = ImageFiles((path,), (height, width), 1 if channels == 1 else 3, np.dtype(dtype))
    try:
        return files.all().reshape(1, facts.features)
    except (OSError, ValueError, ImportError) as error:
        raise RequestError(str(error)) from None


def source(folder: Path, size: tuple[int, int, int], dtype: np.dtype[np.floating]) -> str:
    """Return the expression that gives the data in a script: rows of numbers."""
    options = f"size={size[:2]}, channels={size[2]}, dtype=np.{dtype}"
    return f"fn.data.image_folder({str(folder.resolve())!r}, {options}).dataset(flat=True)"
