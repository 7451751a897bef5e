"""Images as a published network wants them: in its size, and with its mean and deviation for each colour."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from attrs import frozen

from funcnn.cli.failure import RequestError
from funcnn.data.images.files import in_mode, opened, upright
from funcnn.errors import shown
from funcnn.files.tree_reader import FileError
from funcnn.models.pretrained.configuration import read_json
from funcnn.typing import Array

PREPROCESSOR = "preprocessor_config.json"
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of the colours of ImageNet, by which ``torchvision`` standardizes images."""


@frozen
class Preparation:
    """What is done with an image."""

    height: int = 224
    width: int = 224
    shortest: int = 256
    """The length of the shorter side, of which the middle is cut out; 0 where the whole image is brought to the size."""
    resample: int = 2
    """How pixels are interpolated, as Pillow counts: 0 nearest, 2 bilinear, 3 bicubic."""
    factor: float = 1 / 255
    mean: tuple[float, ...] = MEAN
    deviation: tuple[float, ...] = DEVIATION


def read_preparation(folder: Path) -> Preparation:
    """Return what ``preprocessor_config.json`` says, or, where there is none, what ``torchvision`` does.

    Raises
    ------
    RequestError
        When the file is not what it should be.
    """
    if not (folder / PREPROCESSOR).is_file():
        return Preparation()
    try:
        return preparation_of(str(folder / PREPROCESSOR), read_json(folder / PREPROCESSOR))
    except FileError as error:
        raise RequestError(str(error)) from None


def preparation_of(where: str, content: dict[str, object]) -> Preparation:
    """Return the preparation that a configuration describes."""

    def colours(name: str, default: tuple[float, ...]) -> tuple[float, ...]:
        value = content.get(name, list(default))
        if not isinstance(value, list) or len(value) != 3 or not all(isinstance(one, (int, float)) for one in value):
            raise FileError(f"{where}: {name} is {shown(value)}, expected three numbers")
        return tuple(map(float, value))

    def whole(value: object, name: str) -> int:
        if type(value) is not int or not 1 <= value <= 2**14:
            raise FileError(f"{where}: {name} is {shown(value)}, expected a whole number of at least 1")
        return value

    size, crop = content.get("size", 224), content.get("crop_size") if content.get("do_center_crop") else None
    if isinstance(size, dict) and "shortest_edge" in size:
        shortest, height, width = whole(size["shortest_edge"], "shortest_edge"), 0, 0
    elif isinstance(size, dict):
        shortest, height, width = 0, whole(size.get("height"), "height"), whole(size.get("width"), "width")
    else:
        shortest, height, width = 0, whole(size, "size"), whole(size, "size")
    if isinstance(crop, dict):
        height, width = whole(crop.get("height"), "crop_size"), whole(crop.get("width"), "crop_size")
    elif crop is not None:
        height = width = whole(crop, "crop_size")
    resample, factor = content.get("resample", 2), content.get("rescale_factor", 1 / 255)
    if resample not in (0, 2, 3) or not isinstance(factor, (int, float)):
        raise FileError(
            f"{where}: resample is {shown(resample)} and rescale_factor {shown(factor)}, expected 0, 2 or 3 and a number"
        )
    normalizes = content.get("do_normalize", True) is not False
    return Preparation(
        height, width, shortest, int(resample), float(factor) if content.get("do_rescale", True) is not False else 1.0,
        colours("image_mean", MEAN) if normalizes else (0.0,) * 3, colours("image_std", DEVIATION) if normalizes else (1.0,) * 3,
    )  # fmt: skip


def prepared(path: Path | BytesIO, how: Preparation) -> Array:
    """Read an image and return it as a batch of one (1, height, width, 3).

    Raises
    ------
    RequestError
        When the file cannot be read, or Pillow is not installed.
    """
    try:
        picture = opened(path, lambda image: in_mode(upright(image), "RGB"))
    except (FileError, ModuleNotFoundError) as error:
        raise RequestError(str(error)) from None
    except OSError as error:
        raise RequestError(f"{path} cannot be read as an image: {error.strerror}") from None
    picture = resized(picture, how)
    pixels = np.asarray(picture, np.float64) * how.factor
    made: Array = (pixels - np.array(how.mean)) / np.array(how.deviation)
    return made[np.newaxis]


def resized(picture: Any, how: Preparation) -> Any:
    """Return a picture in the size of a preparation."""
    if how.shortest:
        scale = how.shortest / min(picture.size)
        width, height = (max(how.shortest, int(side * scale)) for side in picture.size)
        picture = picture.resize((width, height), how.resample)
        if not how.height:
            return picture
        left, top = round((width - how.width) / 2), round((height - how.height) / 2)
        return picture.crop((left, top, left + how.width, top + how.height))
    return picture.resize((how.width, how.height), how.resample)
