"""A folder of images, a folder in it for each class."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from attrs import frozen
from numpy.typing import DTypeLike

from funcnn.data.dataset import Dataset
from funcnn.data.images.files import Channels, ImageFiles, header_of
from funcnn.data.streams.rows import floating
from funcnn.errors import check_count, check_flag, check_path, shown
from funcnn.tree import freeze
from funcnn.typing import IntArray

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
"""Of the files that are taken for images."""
GREY = ("1", "L", "LA")
"""Modes of images without colours, as Pillow calls them."""


class SizesDifferError(ValueError):
    """Raised when images are of several sizes, and none was asked for."""


@frozen(eq=False, repr=False)
class ImageFolder:
    """Images by class: what :func:`image_folder` finds."""

    x: ImageFiles
    """The images, which are read when they are asked for."""
    y: IntArray
    """The number of the class of each (n,)."""
    classes: tuple[str, ...]
    """The names of the folders, in their order."""
    description: str
    grey: bool = False
    """Whether no image has colours."""

    def __len__(self) -> int:
        return len(self.y)

    def dataset(self, *, flat: bool = False) -> Dataset[IntArray]:
        """Return all images in memory, as numbers in [0, 1]; with ``flat`` each as a row."""
        images = self.x.all()
        x = images.reshape(len(images), -1) if check_flag(flat, "flat") else images
        return Dataset(x, self.y, self.classes, (), self.description)

    def __repr__(self) -> str:
        return f"ImageFolder({self.x!r}, {len(self.classes)} classes)"


def image_folder(
    folder: str | os.PathLike[str],
    *,
    size: int | tuple[int, int] | None = None,
    channels: Channels = 3,
    dtype: DTypeLike = np.float32,
) -> ImageFolder:
    """Find the images of a folder that has a folder for each class: ``pets/cat/1.png``, ``pets/dog/7.jpg``.

    The headers of all files are read at once, and the images when they are asked for, by Pillow
    (``pip install 'funcnn[tables]'``).  Classes and files are in the order of their names; folders inside of a class belong to
    it; names that begin with a dot, and files that are no images by their endings, are left out.  Images are turned as
    they are seen, by what a camera has noted of how it was held (the orientation of Exif).

    Parameters
    ----------
    folder : path
    size : int or (int, int), optional
        Height and width to which every image is scaled.  Without it they must all be of one size.
    channels : {3, 1, 4}, optional
        Colours, or levels of grey, or colours and opacity: images of other kinds are converted.
    dtype : dtype, optional
        Precision of the numbers in [0, 1].

    Returns
    -------
    ImageFolder
        ``.x`` for the place of x in :func:`fit` or :func:`data.batches`, ``.y``, ``.classes``.

    Raises
    ------
    FileNotFoundError, NotADirectoryError
        When there is no such folder.
    FileError
        When a file is no image or a broken one (one that breaks off within is found when it is read), named.
    ValueError
        When there are fewer than two classes with images, a folder holds other files alone, or images differ in size and
        ``size`` is not given, with their names.
    ModuleNotFoundError
        When Pillow is not installed.

    Examples
    --------
    >>> import numpy as np, funcnn as fn, tempfile, pathlib
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name, grey in (("dark", 20), ("light", 200)):
    ...         pathlib.Path(folder, name).mkdir()
    ...         Image.new("L", (8, 6), grey).save(pathlib.Path(folder, name, "1.png"))
    ...     images = fn.data.image_folder(folder, channels=1)
    ...     print(images, images.classes, images.x.all().mean((1, 2, 3)).round(3))
    ImageFolder(2 images of 6 x 8 x 1, 2 classes) ('dark', 'light') [0.078 0.784]
    """
    kind = floating(dtype)
    if check_count(channels, "channels") not in (1, 3, 4):
        raise ValueError(f"channels is {shown(channels)}, expected 1 (grey), 3 (colours) or 4 (colours and opacity)")
    target = _checked_size(size)
    where = check_path(folder, "folder")
    if not where.exists():
        raise FileNotFoundError(f"no folder {where}")
    if not where.is_dir():
        raise NotADirectoryError(f"{where} is a file, expected a folder with a folder of images for each class")
    inside = [inner for inner in sorted(where.iterdir()) if inner.is_dir() and not inner.name.startswith(".")]
    found = {inner.name: files for inner in inside if (files := images_in(inner))}
    if len(found) < 2:
        told = "no folder" if not found else f"one folder, {next(iter(found))},"
        raise ValueError(f"{where} has {told} with images ({', '.join(ENDINGS)}), expected one for each of at least two classes")
    stray = next((inner for inner in inside if inner.name not in found and any(inner.iterdir())), None)
    if stray is not None:  # most likely a class whose images are of a kind that is not read
        raise ValueError(f"{stray} holds no image ({', '.join(ENDINGS)}): convert its files, or take it away")
    every = tuple(path for group in found.values() for path in group)
    headers = [header_of(path) for path in every]
    sizes = [one.size for one in headers]
    if target is None:
        other = next((place for place, one in enumerate(sizes) if one != sizes[0]), None)
        if other is not None:
            raise SizesDifferError(
                f"{every[0]} is {sizes[0][0]} x {sizes[0][1]} and {every[other]} {sizes[other][0]} x {sizes[other][1]}: give the"
                " size to which all are scaled, such as size=(64, 64)"
            )
        target = sizes[0]
    labels = np.repeat(np.arange(len(found)), [len(group) for group in found.values()])
    return ImageFolder(
        ImageFiles(every, target, channels, kind), freeze(labels), tuple(found), f"{len(every)} images from {where.name}.",
        all(one.mode in GREY for one in headers),
    )  # fmt: skip


def has_class_folders(folder: Path) -> bool:
    """Tell whether this is a folder that holds folders of images, and no IDX files."""
    if not folder.is_dir() or any(folder.glob("*-ubyte*")):
        return False
    return any(images_in(path) for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def images_in(folder: Path) -> list[Path]:
    """Return the images of a folder and of the folders in it, in the order of their names."""
    hidden = [path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS and path.is_file()]
    return sorted(path for path in hidden if not any(part.startswith(".") for part in path.relative_to(folder).parts))


def _checked_size(size: int | tuple[int, int] | None) -> tuple[int, int] | None:
    if size is None:
        return None
    if isinstance(size, tuple):
        if len(size) != 2:
            raise ValueError(f"size is {shown(size)}, expected a height and a width")
        height, width = (check_count(one, "size", most=2**14) for one in size)
        return height, width
    side = check_count(size, "size", most=2**14)
    return side, side
