"""Images in files, decoded when they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, TypeAlias, cast

import numpy as np
from attrs import field, frozen

from funcnn.data.streams.rows import Rows
from funcnn.errors import shorten
from funcnn.files.tree_reader import FileError
from funcnn.typing import Array, IntArray, Shape

Channels: TypeAlias = Literal[1, 3, 4]
_MODES: dict[int, str] = {1: "L", 3: "RGB", 4: "RGBA"}
_ORIENTATION = 0x0112  # the tag of Exif
_SIDEWAYS = (5, 6, 7, 8)  # what it says where height and width change places
_MOST_PIXELS = 2**28  # of one image: a header that claims more is not believed


def pillow() -> ModuleType:
    """Return Pillow's module of images, or raise with what to do."""
    try:
        from PIL import Image
    except ModuleNotFoundError:
        raise ModuleNotFoundError("images are read by Pillow, which is not installed: pip install 'funcnn[tables]'") from None
    return Image


def opened(path: Path | BytesIO, read: Callable[[Any], Any]) -> Any:  # Any: an image of the library, which has no types here
    """Return what a function makes of an opened image; raise a FileError when the file holds none, or a broken one."""
    library = pillow()
    name = path if isinstance(path, Path) else "the image"
    try:
        with library.open(path) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise FileError(f"{name} says that it has {image.width} x {image.height} points, more than are read")
            return read(image)
    except (OSError, ValueError, SyntaxError, EOFError, library.DecompressionBombError) as error:
        if isinstance(error, FileError) or (isinstance(error, OSError) and error.errno is not None):
            raise
        raise FileError(f"{name} cannot be read as an image ({shorten(str(error), 120)}): mend it or take it away") from None


def orientation_of(image: Any) -> int:
    """Return how a camera was held, as Exif counts it, 1 for upright; of a PNG if that stands before its points."""
    if image.format == "PNG" and not {"exif", "Raw profile type exif"} & set(image.info):
        return 1  # Pillow would decode all of it to look for more
    noted = image.getexif().get(_ORIENTATION, 1)
    return noted if isinstance(noted, int) else 1


def upright(image: Any) -> Any:
    """Return an image as it was seen: turned, or mirrored, as the camera that took it has noted."""
    if orientation_of(image) == 1:
        return image
    from PIL import ImageOps

    return ImageOps.exif_transpose(image)


def in_mode(image: Any, mode: str) -> Any:
    """Return an image in another mode of the library; raise where more than 8 bits of its points would be cut off."""
    if image.mode.startswith(("I", "F")):
        raise ValueError(f"its points have more than 8 bits, as the mode {image.mode} says: save it with 8")
    return image.convert(mode)


@frozen
class Header:
    """What the header of an image states."""

    size: tuple[int, int]
    """Height and width, as it is seen."""
    mode: str
    """How its points are written, as Pillow calls it: "L" for levels of grey, "RGB" for colours."""


def header_of(path: Path) -> Header:
    """Return what the header of an image states."""
    header: Header = opened(path, _header)
    return header


def _header(image: Any) -> Header:
    sideways = orientation_of(image) in _SIDEWAYS
    if sideways and image.format == "TIFF":  # of which Pillow's versions give the size before or after it is turned
        image, sideways = upright(image), False
    return Header((image.width, image.height) if sideways else (image.height, image.width), image.mode)


@frozen(repr=False)
class ImageFiles(Rows):
    """Images in files, of one size, as numbers in [0, 1] (n, height, width, channels), or as bytes."""

    files: tuple[Path, ...]
    size: tuple[int, int]
    """Height and width, to which images of other sizes are scaled, whatever the proportion of their sides."""
    channels: Channels
    precision: np.dtype[np.generic] = field(eq=str)

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Their precision."""
        return self.precision

    @property
    def shape(self) -> Shape:
        """The shape of the array that they would make."""
        return (len(self.files), *self.size, self.channels)

    def pixels(self, rows: IntArray) -> IntArray:
        """Return images as bytes: uint8 (k, height, width, channels)."""
        made = np.empty((len(rows), *self.shape[1:]), np.uint8)
        for place, row in enumerate(rows):
            made[place] = opened(self.files[row], self._decoded)
        return cast(IntArray, made)

    def _decoded(self, image: Any) -> IntArray:
        stored = self.size if orientation_of(image) in _SIDEWAYS else self.size[::-1]
        image.draft(_MODES[self.channels], stored)  # of JPEG: decoded at a fraction of its size where that suffices
        picture = in_mode(upright(image), _MODES[self.channels])
        if picture.size != self.size[::-1]:
            picture = picture.resize(self.size[::-1], pillow().Resampling.BILINEAR)
        return cast(IntArray, np.asarray(picture, np.uint8).reshape(self.shape[1:]))

    def read(self, rows: IntArray) -> Array:
        """Return images: numbers in [0, 1], or bytes where the dtype is uint8."""
        pixels = self.pixels(rows)
        if self.dtype == np.uint8:
            return cast(Array, pixels)
        numbers = cast(Array, pixels.astype(self.dtype))
        numbers /= 255
        return numbers

    def __repr__(self) -> str:
        return f"{len(self.files)} images of {self.size[0]} x {self.size[1]} x {self.channels}"
