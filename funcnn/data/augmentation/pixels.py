"""Changes of the points themselves: noise, light, and erased rectangles."""

from __future__ import annotations

import math

import numpy as np

from funcnn.data.augmentation.augmentation import Augmentation, Change
from funcnn.errors import check_range
from funcnn.typing import Array, BoolArray, IntArray


def _noise(generator: np.random.Generator, x: Array, deviation: float) -> Array:
    noise = deviation * generator.standard_normal(x.shape)
    return x + (noise.astype(x.dtype) if x.dtype.kind == "f" else noise)


def random_noise(deviation: float = 0.05) -> Augmentation:
    """Add to each number one that is drawn from a normal distribution of mean 0.

    Parameters
    ----------
    deviation : float, optional
        Its standard deviation, above 0, in the units of the images: of bytes, 255 is white.

    Returns
    -------
    Augmentation

    Raises
    ------
    TypeError, ValueError
        When the deviation is not such a number.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> round(float(fn.data.random_noise(0.1)(fn.Key(0), np.zeros((9, 30, 30, 1))).std()), 3)
    0.1
    """
    deviation = check_range(deviation, "deviation", 0.0, math.inf, open_low=True, open_high=True)
    return Augmentation((Change("random_noise", _noise, (("deviation", deviation),)),))


def _light(generator: np.random.Generator, x: Array, brightness: float, contrast: float) -> Array:
    values = x if x.dtype.kind == "f" else x.astype(np.float32)
    factor, stretch = (
        generator.uniform(1 - most, 1 + most, (len(x), 1, 1, 1)).astype(values.dtype) for most in (brightness, contrast)
    )
    bright = values * factor
    mean = bright.mean((1, 2, 3), keepdims=True)
    made: Array = (bright - mean) * stretch + mean
    return made


def random_light(brightness: float = 0.2, contrast: float = 0.2) -> Augmentation:
    """Change how bright each image is, and then how far its numbers lie from their mean.

    Parameters
    ----------
    brightness, contrast : float, optional
        Each number is multiplied by one of [1 - brightness, 1 + brightness], and its distance from the mean of the image then by
        one of [1 - contrast, 1 + contrast]; both in [0, 1].

    Returns
    -------
    Augmentation

    Raises
    ------
    TypeError, ValueError
        When an argument is not such a number.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.data.random_light()(fn.Key(0), np.full((1, 2, 2, 1), 100, np.uint8)).dtype
    dtype('uint8')
    """
    brightness, contrast = check_range(brightness, "brightness", 0.0, 1.0), check_range(contrast, "contrast", 0.0, 1.0)
    return Augmentation((Change("random_light", _light, (("brightness", brightness), ("contrast", contrast))),))


_TRIES = 10  # rectangles that are drawn until one fits


def _erase(generator: np.random.Generator, x: Array, probability: float, low: float, high: float, value: float) -> Array:
    if x.dtype == np.uint8 and not (value == int(value) and 0 <= value <= 255):
        raise ValueError(f"value is {value:g} and images are of bytes: expected a whole number from 0 to 255")
    n, height, width = x.shape[:3]
    chosen = generator.random(n) < probability
    size = generator.uniform(low, high, (n, _TRIES)) * height * width
    ratio = np.exp(generator.uniform(math.log(0.3), math.log(1 / 0.3), (n, _TRIES)))
    tall = np.rint(np.sqrt(size * ratio)).astype(int).clip(1)
    wide = np.rint(np.sqrt(size / ratio)).astype(int).clip(1)
    fits = (tall <= height) & (wide <= width)
    first = fits.argmax(1)
    rows = np.arange(n)
    h, w = tall[rows, first], wide[rows, first]
    top = (generator.random(n) * (height - h + 1)).astype(int)
    left = (generator.random(n) * (width - w + 1)).astype(int)
    inside = within(top, h, height)[:, :, None] & within(left, w, width)[:, None, :]
    inside &= (chosen & fits.any(1))[:, None, None]
    return np.where(inside[..., None], np.asarray(value, x.dtype), x)


def within(start: IntArray, length: IntArray, count: int) -> BoolArray:
    """Return which of ``count`` points lie in the stretch of each row (n,): booleans (n, count)."""
    points = np.arange(count)
    inside: BoolArray = (points >= start[:, None]) & (points < (start + length)[:, None])
    return inside


def random_erasing(probability: float = 0.5, *, low: float = 0.02, high: float = 0.33, value: float = 0.0) -> Augmentation:
    """Put a rectangle of one value over a part of each image (Zhong et al. 2017, arXiv:1708.04896, algorithm 1).

    The rectangle's share of the image is uniform between two bounds, and the logarithm of its height over its width between those
    of 0.3 and 1/0.3.  An image into which none of ten such rectangles fits stays whole.

    Parameters
    ----------
    probability : float, optional
        Of an image to lose a part, in [0, 1].
    low, high : float, optional
        The bounds of the rectangle's share of the image, in (0, 1].
    value : float, optional
        What stands in the rectangle; for bytes one of 0 to 255.

    Returns
    -------
    Augmentation

    Raises
    ------
    TypeError, ValueError
        When an argument is not such a number.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> erased = fn.data.random_erasing(1.0)(fn.Key(0), np.ones((1, 20, 20, 1)))
    >>> bool(0.5 < erased.mean() < 1)
    True
    """
    probability = check_range(probability, "probability", 0.0, 1.0)
    low = check_range(low, "low", 0.0, 1.0, open_low=True)
    high = check_range(high, "high", low, 1.0)
    value = check_range(value, "value", -math.inf, math.inf, open_low=True, open_high=True)
    settings = (("probability", probability), ("low", low), ("high", high), ("value", value))
    return Augmentation((Change("random_erasing", _erase, settings),))
