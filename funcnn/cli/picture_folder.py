"""A folder with a folder of pictures for each class, as the data of a run; and a picture as the input of its network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from attrs import evolve

from funcnn import data
from funcnn.cli.failure import RequestError
from funcnn.cli.network import Facts
from funcnn.data.dataset import Dataset
from funcnn.data.images.files import Channels, ImageFiles
from funcnn.data.images.folder import ENDINGS, SizesDifferError, images_in
from funcnn.typing import Array, IntArray


def read_folder(folder: Path, side: int, dtype: np.dtype[np.floating]) -> tuple[Dataset[IntArray], tuple[int, int, int]]:
    """Return all pictures as rows of numbers, and height, width and channels; they are grey where every one of them is.

    Raises
    ------
    FileError, ValueError
        When a file is broken, pictures differ in size and no side is given, or there is one class alone.
    """
    try:
        found = data.image_folder(folder, size=side or None, dtype=dtype)
    except SizesDifferError as error:
        raise ValueError(f"{error}; here by --image-size 64") from None
    channels: Channels = 1 if found.grey else 3
    files = evolve(found.x, channels=channels)
    return Dataset(files.all().reshape(len(files), -1), found.y, found.classes, (), found.description), (*files.size, channels)


def read_pictures(path: Path, facts: Facts, dtype: str) -> tuple[Array, list[str]]:
    """Return a picture, or all of a folder, as rows of the network's input and their names.

    They are scaled to the size of those that it learned from.

    Raises
    ------
    RequestError
        When there is no such file or folder, or it is no picture, or holds none.
    """
    found = images_in(path) if path.is_dir() else [path]
    if not found:
        raise RequestError(f"{path}: the folder holds no pictures ({', '.join(ENDINGS)})")
    if not found[0].is_file():
        raise RequestError(f"{path}: there is no such file or folder")
    height, width, channels = (*facts.picture, 1)[:3]
    files = ImageFiles(tuple(found), (height, width), 1 if channels == 1 else 3, np.dtype(dtype))
    try:
        rows = files.all().reshape(len(found), facts.features)
    except (OSError, ValueError, ImportError) as error:
        raise RequestError(str(error)) from None
    except MemoryError:
        raise RequestError(f"{path}: the pictures do not fit in memory: predict fewer at a time") from None
    return rows, [str(one.relative_to(path)) if path.is_dir() else one.name for one in found]


def source(folder: Path, size: tuple[int, int, int], dtype: np.dtype[np.floating]) -> str:
    """Return the expression that gives the data in a script: rows of numbers."""
    options = f"size={size[:2]}, channels={size[2]}, dtype=np.{dtype}"
    return f"fn.data.image_folder({str(folder.resolve())!r}, {options}).dataset(flat=True)"
