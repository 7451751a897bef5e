r"""Rotation and zoom: each image read at the places of an affine map of its own.

The point $(u, v)$ of the result, in points from the middle of the image to the right and down, is read at
$$ \begin{pmatrix} u' \\ v' \end{pmatrix} = \frac{1}{z} \begin{pmatrix} \cos a & \sin a \\ -\sin a & \cos a \end{pmatrix}
   \begin{pmatrix} u \\ v \end{pmatrix}, $$
so that what is seen is turned by the angle $a$, with the clock, and larger by the factor $z$; between points by linear
interpolation.  The grid of :func:`funcnn.affine_grid` counts in halves of the width $W$ and of the height $H$, which puts the
factors $H/W$ and $W/H$ before $\sin a$.
"""

from __future__ import annotations

import math
from typing import get_args

import numpy as np

from funcnn.data.augmentation.augmentation import Augmentation, Change
from funcnn.errors import check_choice, check_range
from funcnn.grad import apply
from funcnn.layers.shape.affine_grid import affine_grid
from funcnn.layers.shape.grid_sample import Beyond, grid_sample
from funcnn.typing import Array


def warped(x: Array, angle: Array, zoom: Array, beyond: Beyond) -> Array:
    """Return images (n, height, width, channels), each turned by its angle (n,), in radians, and enlarged by its zoom (n,)."""
    values = x if x.dtype.kind == "f" else x.astype(np.float32)
    height, width = x.shape[1:3]
    cos, sin = np.cos(angle) / zoom, np.sin(angle) / zoom
    zero = np.zeros_like(cos)
    maps = np.stack([cos, sin * (height / width), zero, -sin * (width / height), cos, zero], -1).reshape(-1, 2, 3)
    grid = apply(affine_grid((height, width)), (), (), maps.astype(values.dtype))
    return apply(grid_sample(padding=beyond), (), (), (values, grid))


def _rotate(generator: np.random.Generator, x: Array, degrees: float, beyond: Beyond) -> Array:
    angle = np.radians(generator.uniform(-degrees, degrees, len(x)))
    return warped(x, angle, np.ones(len(x)), beyond)


def random_rotation(degrees: float = 15.0, *, beyond: Beyond = "zeros") -> Augmentation:
    """Turn each image about its middle.

    Parameters
    ----------
    degrees : float, optional
        The largest angle in either direction, in (0, 180].
    beyond : {"zeros", "border", "reflect"}, optional
        What is seen beyond the borders of the image: 0, the outermost points, or the image mirrored.

    Returns
    -------
    Augmentation

    Raises
    ------
    TypeError, ValueError
        When an argument is not such a number or word.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.data.random_rotation(30.0)(fn.Key(0), np.ones((2, 8, 8, 1))).shape
    (2, 8, 8, 1)
    """
    degrees = check_range(degrees, "degrees", 0.0, 180.0, open_low=True)
    beyond = check_choice(beyond, get_args(Beyond), "beyond")
    return Augmentation((Change("random_rotation", _rotate, (("degrees", degrees), ("beyond", beyond))),))


def _zoom(generator: np.random.Generator, x: Array, low: float, high: float, beyond: Beyond) -> Array:
    zoom = np.exp(generator.uniform(math.log(low), math.log(high), len(x)))
    return warped(x, np.zeros(len(x)), zoom, beyond)


def random_zoom(low: float = 0.8, high: float = 1.25, *, beyond: Beyond = "zeros") -> Augmentation:
    """Enlarge each image about its middle by a factor, whose logarithm is uniform between two bounds.

    Parameters
    ----------
    low, high : float, optional
        The bounds of the factor, above 0, the second at least the first; below 1 the image becomes smaller.
    beyond : {"zeros", "border", "reflect"}, optional
        What is seen beyond the borders of the image: 0, the outermost points, or the image mirrored.

    Returns
    -------
    Augmentation

    Raises
    ------
    TypeError, ValueError
        When an argument is not such a number or word.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.data.random_zoom(1.0, 1.5)(fn.Key(0), np.ones((2, 8, 8, 1))).shape
    (2, 8, 8, 1)
    """
    low = check_range(low, "low", 0.0, math.inf, open_low=True, open_high=True)
    high = check_range(high, "high", low, math.inf, open_high=True)
    beyond = check_choice(beyond, get_args(Beyond), "beyond")
    return Augmentation((Change("random_zoom", _zoom, (("low", low), ("high", high), ("beyond", beyond))),))
