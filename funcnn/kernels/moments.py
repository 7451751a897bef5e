r"""Deviations from the mean where squares overflow, or an offset outweighs every deviation: what normalizations share.

Layers take the mean, centre twice, and divide by $\sqrt{v + \epsilon}$.  Two kinds of numbers ask for more care: deviations
whose squares overflow (above $10^{19}$ in single, $10^{154}$ in double precision; NumPy says so in a warning), and an offset
whose rounding, after two centrings still $u^2 |\mu|$ for the unit $u$ of rounding, is not small against $\sqrt\epsilon$.  A check
of the moments, two products of short vectors, tells whether there are such (:func:`are_ordinary`); then, and only then, all is
worked out again (:func:`standardized`).

Indices: $m$ number of a set that is normalized together.  With a power of two $s < 1$ where it is needed, and else $s = 1$,
$$ z_m = s\,x_m, \quad c_m = z_m - \tfrac1M \textstyle\sum_l z_l, \quad v' = \tfrac1M \sum_m c_m^2, \qquad
   \hat x_m = \frac{c_m}{\sqrt{v' + s^2 \epsilon}} = \frac{x_m - \mu}{\sqrt{v + \epsilon}} : $$
multiplying by $s$ rounds nothing.  Where all numbers of a set are within some units in the last place of their mean, differences
from the first of them are exact; these are centred instead, so that equal numbers give exactly 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from attrs import frozen

from funcnn.typing import Array


@frozen(eq=False)
class Standardized:
    """Numbers of mean 0 and variance 1, and what made them so."""

    normalized: Array
    rstd: Array  # the derivative of a normalized number by a deviation: 1 / sqrt(v + eps)
    mean: Array
    var: Array  # infinite where it overflows


def are_ordinary(mean: Array, std: Array, rstd: Array, eps: float) -> bool:
    """Tell whether moments are finite, and no mean is so large that its rounding shows; rstd is 1 / std.

    A product of the deviations with their reciprocals is not a number if one is 0 or infinite.
    """
    ratio = std.dot(rstd)
    return bool(ratio == ratio) and bool(mean.dot(mean).real < largest_square(eps, mean.dtype))


@lru_cache(maxsize=64)
def largest_square(eps: float, dtype: np.dtype[np.floating]) -> float:
    """Return the square of the largest mean whose rounding, after two centrings, is small against the root of eps."""
    unit = float(np.finfo(dtype).epsneg)
    return max(100.0, min(1e-8 * eps / unit**4, float(np.finfo(np.float64 if dtype.itemsize > 8 else dtype).max)))


def standardized(x: Array, means: Callable[[Array], Array], first: Array, mean: Array, std: Array, eps: float) -> Standardized:
    """Return x normalized, whatever the size of its numbers.

    Parameters
    ----------
    x : array
        Sets of numbers.
    means : callable
        Gives the mean of every set, in a shape that broadcasts against x.
    first, mean, std : array
        Of every set one number, and the mean and the deviation as they came out, maybe not finite.
    eps : float
        Added to the variance.
    """
    kind = x.real.dtype
    info = np.finfo(kind)
    unit, least = kind.type(info.epsneg), kind.type(info.tiny)
    small = kind.type(2) ** -(info.maxexp * 5 // 8)
    scale: Array = np.where(np.isfinite(mean.real) & np.isfinite(std.real), kind.type(1), small)
    z = x * scale
    middle = means(z)
    centred = z - middle
    var = means(centred * centred)
    near = var.real < np.square(1024 * unit * middle.real)
    middle = np.where(near, first * scale, middle)
    centred = z - middle
    for _ in range(2):
        rest = means(centred)
        centred -= rest
        middle = middle + rest
    var = means(centred * centred)
    rate = 1 / np.maximum(np.sqrt(var + kind.type(eps) * scale * scale), least)
    centred *= rate
    rstd = np.minimum(rate * scale, kind.type(1 / math.sqrt(eps)))
    return Standardized(centred, rstd, middle / scale, var / scale / scale)
