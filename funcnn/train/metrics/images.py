"""Metrics of images: how near one looks to another."""

from __future__ import annotations

import math

import numpy as np

from funcnn.errors import check_range, describe
from funcnn.losses.checks import check_finite, check_not_nan, check_pair
from funcnn.train.metrics.checks import check_not_empty, check_real
from funcnn.typing import Array


def psnr(prediction: Array, target: Array, max_value: float = 1.0) -> float:
    """Return the peak signal-to-noise ratio in decibels, the mean over the images; infinite for what is the very same.

    Parameters
    ----------
    prediction, target : array
        Images (n, ...), of one shape.
    max_value : float, optional
        The largest value that a pixel may have, such as 1 or 255.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> round(fn.metrics.psnr(np.full((1, 2, 2, 1), 0.9), np.ones((1, 2, 2, 1))), 6)
    20.0
    """
    max_value = check_range(max_value, "max_value", 0, math.inf, open_low=True, open_high=True)
    p, t = _images(prediction, target)
    apart = np.abs(p - t).reshape(len(p), -1)
    largest = apart.max(1)
    unit = np.where((largest > 0) & np.isfinite(largest), largest, 1)  # in which no square overflows or vanishes
    noise = np.square(apart / unit[:, np.newaxis]).mean(1)
    with np.errstate(divide="ignore"):
        return float(np.mean(-10 * np.log10(noise) - 20 * np.log10(unit / max_value)))


def ssim(prediction: Array, target: Array, max_value: float = 1.0) -> float:
    r"""Return the structural similarity, the mean over images, channels and windows: 1 for what is the very same.

    Means, variances and covariance are those of windows of 11 by 11 pixels with the weights of a normal distribution of deviation
    1.5; with $c_1 = (0.01 L)^2$ and $c_2 = (0.03 L)^2$
    $$ \frac{(2 \mu_p \mu_t + c_1)(2 \sigma_{pt} + c_2)}{(\mu_p^2 + \mu_t^2 + c_1)(\sigma_p^2 + \sigma_t^2 + c_2)} . $$
    Only windows that lie within the image count.

    Parameters
    ----------
    prediction, target : array
        Images (n, height, width, channels) of at least 11 by 11 pixels, of one shape.
    max_value : float, optional
        L, the largest value that a pixel may have.

    References
    ----------
    Wang et al. (2004), Image quality assessment: from error visibility to structural similarity, eq. 13.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> image = np.random.default_rng(0).random((1, 16, 16, 1))
    >>> fn.metrics.ssim(image, image)
    1.0
    """
    max_value = check_range(max_value, "max_value", 0, math.inf, open_low=True, open_high=True)
    p, t = _images(prediction, target)
    if p.ndim != 4 or min(p.shape[1:3]) < 11:
        raise ValueError(
            f"the prediction is {describe(prediction)}, expected images (n, height, width, channels) of 11 by 11 or more"
        )
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        similarity = _similarity(p, t, max_value)
    if not math.isfinite(similarity):
        raise ValueError(f"the images are so far beyond max_value, {max_value:g}, that their squares are no numbers: scale them")
    return similarity


def _similarity(p: Array, t: Array, max_value: float) -> float:
    mean_p, mean_t, square_p, square_t, product = map(_blurred, (p, t, p * p, t * t, p * t))
    c1, c2 = (0.01 * max_value) ** 2, (0.03 * max_value) ** 2
    both = mean_p * mean_t
    above = (2 * both + c1) * (2 * (product - both) + c2)
    below = (mean_p**2 + mean_t**2 + c1) * ((square_p - mean_p**2) + (square_t - mean_t**2) + c2)
    return float(np.mean(above / below))


def _images(prediction: Array, target: Array) -> tuple[Array, Array]:
    """Return images in double precision or better; raise unless they are finite and of one shape."""
    wanted = check_pair(prediction, target, 2)
    check_real(prediction)
    check_not_empty(wanted)
    check_finite(wanted)
    check_not_nan(prediction)
    wide = np.result_type(prediction.dtype, np.float64)
    return prediction.astype(wide), wanted.astype(wide)


def _blurred(x: Array) -> Array:
    """Return the weighted means of windows of 11 by 11."""
    weight = np.exp(-np.square(np.arange(-5, 6) / 1.5) / 2)
    weight /= weight.sum()
    windows = np.lib.stride_tricks.sliding_window_view
    rows = windows(x, 11, axis=1) @ weight
    blurred: Array = windows(rows, 11, axis=2) @ weight
    return blurred
