"""Cuts: a window at a random place of each image."""

from __future__ import annotations

from typing import Literal, TypeAlias, cast

import numpy as np

from funcnn.data.augmentation.augmentation import Augmentation, Change
from funcnn.errors import check_choice, check_count, check_range, shown
from funcnn.typing import Array, IntArray

Border: TypeAlias = Literal["zeros", "edge", "reflect"]
_BORDERS: tuple[Border, ...] = ("zeros", "edge", "reflect")


def bordered(x: Array, rows: int, columns: int, border: Border) -> Array:
    """Return images with so many rows added above and below, and columns at the left and right."""
    widths = ((0, 0), (rows, rows), (columns, columns), (0, 0))
    if border == "zeros":
        return np.pad(x, widths)
    return np.pad(x, widths, mode=border)


def cut(x: Array, top: IntArray, left: IntArray, size: tuple[int, int]) -> Array:
    """Return the window of each image (n, height, width, channels) that begins at such a row and column."""
    rows = top[:, None] + np.arange(size[0])
    columns = left[:, None] + np.arange(size[1])
    return cast(Array, x[np.arange(len(x))[:, None, None], rows[:, :, None], columns[:, None, :]])


def _crop(generator: np.random.Generator, x: Array, size: tuple[int, int], padding: int, border: Border) -> Array:
    wide = bordered(x, padding, padding, border) if padding else x
    spare = [have - want for have, want in zip(wide.shape[1:3], size, strict=True)]
    if min(spare) < 0:
        raise ValueError(
            f"images are {x.shape[1]} x {x.shape[2]} and padding is {padding}: too small for windows of {size[0]} x {size[1]}"
        )
    top, left = (generator.integers(0, most + 1, len(x)) for most in spare)
    return cut(wide, top, left, size)


def random_crop(size: int | tuple[int, int], *, padding: int = 0, border: Border = "zeros") -> Augmentation:
    r"""Cut a window out of each image at a random place, after a border was added (He et al. 2016, section 4.2).

    Parameters
    ----------
    size : int or (int, int)
        Height and width of the window.
    padding : int, optional
        Points added on each side before.
    border : {"zeros", "edge", "reflect"}, optional
        What the border holds: 0, the outermost points, or the image mirrored in them.

    Returns
    -------
    Augmentation
        Of (n, height, width, channels) to (n, \*size, channels).

    Raises
    ------
    TypeError, ValueError
        When an argument is not such a number or word; when an image is smaller than the window.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.data.random_crop(32, padding=4)(fn.Key(0), np.zeros((2, 32, 32, 3))).shape
    (2, 32, 32, 3)
    """
    if isinstance(size, tuple):
        if len(size) != 2:
            raise ValueError(f"size is {shown(size)}, expected a height and a width")
        height, width = (check_count(one, "size") for one in size)
    else:
        height = width = check_count(size, "size")
    padding, border = check_count(padding, "padding", 0), check_choice(border, _BORDERS, "border")
    settings = (("size", (height, width)), ("padding", padding), ("border", border))
    return Augmentation((Change("random_crop", _crop, settings),))


def _shift(generator: np.random.Generator, x: Array, share: float, border: Border) -> Array:
    size = (x.shape[1], x.shape[2])
    rows, columns = (int(round(share * length, 9)) for length in size)  # 0.29 * 100 is a little less than 29
    if not (rows or columns):
        raise ValueError(
            f"share is {share:g}, less than one point of images of {size[0]} x {size[1]}: nothing would move, expected at least"
            f" {1 / max(size):.2g}"
        )
    top, left = (generator.integers(0, 2 * most + 1, len(x)) for most in (rows, columns))
    return cut(bordered(x, rows, columns, border), top, left, size)


def random_shift(share: float = 0.1, *, border: Border = "zeros") -> Augmentation:
    """Move each image by whole points along both axes.

    Parameters
    ----------
    share : float, optional
        By how much of the height and of the width at most, in (0, 1), in either direction.
    border : {"zeros", "edge", "reflect"}, optional
        What comes in at the sides.

    Returns
    -------
    Augmentation

    Raises
    ------
    TypeError, ValueError
        When an argument is not such a number or word; when the share of an image is less than one point.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.data.random_shift(0.25)(fn.Key(0), np.ones((2, 8, 8, 1))).shape
    (2, 8, 8, 1)
    """
    share = check_range(share, "share", 0.0, 1.0, open_low=True, open_high=True)
    border = check_choice(border, _BORDERS, "border")
    return Augmentation((Change("random_shift", _shift, (("share", share), ("border", border))),))
