"""The spatial axes of channels-last arrays (n, *space, c), for layers that take any number of them.

A setting of such a layer is one number for all spatial axes, or a tuple with an entry for each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from funcnn.errors import check_array, describe, shown
from funcnn.kernels.arrays import all_finite, sum_axis0
from funcnn.kernels.windows import Pair, Sizes, check_at_least, entries_of, pair_of
from funcnn.typing import Array, Shape

SHORT = 128  # points of an axis, up to which products with whole matrices are the faster ones

Widths: TypeAlias = int | Sequence[int | Pair]
"""Points before and after each axis: a number for all, or for each axis a number or a pair."""


def checked_sizes(value: Sizes, what: str, least: int = 1) -> int | Shape:
    """Return a setting of integers, as a number or a tuple; raise when it is anything else."""
    wanted = "an integer, or one for each spatial axis"
    entries = entries_of(value)
    if entries is None:
        return check_at_least(value, what, least, wanted)
    if not entries:
        raise ValueError(f"{what} is {shown(value)}, expected {wanted}")
    return tuple([check_at_least(one, what, least, wanted) for one in entries])


def checked_widths(value: Widths, what: str) -> int | tuple[Pair, ...]:
    """Return widths of at least 0, as a number or a tuple of pairs; raise when they are anything else."""
    wanted = "an integer, or an integer or a pair for each spatial axis"
    entries = entries_of(value)
    if entries is None:
        return check_at_least(value, what, 0, wanted)
    if not entries:
        raise ValueError(f"{what} is {shown(value)}, expected {wanted}")
    return tuple([pair_of(entry, what, wanted) for entry in entries])


def sizes_of(setting: int | Shape, ndim: int) -> Shape:
    """Return the setting of each spatial axis."""
    return setting if isinstance(setting, tuple) else (setting,) * ndim


def widths_of(setting: int | tuple[Pair, ...], ndim: int) -> tuple[Pair, ...]:
    """Return the widths (before, after) of each spatial axis."""
    return setting if isinstance(setting, tuple) else ((setting, setting),) * ndim


def split_shape(in_shape: Shape, setting: object = 0) -> tuple[Shape, int]:
    """Return the spatial shape and the channels of an example.

    Raises
    ------
    ValueError
        When it has no spatial axes, or another number of them than the setting has entries.
    """
    ndim = len(in_shape) - 1
    if ndim < 1:
        raise ValueError(f"an example has shape {in_shape}, expected spatial axes before the channels")
    if isinstance(setting, tuple) and len(setting) != ndim:
        raise ValueError(f"an example has shape {in_shape}, expected {len(setting)} spatial axes, then the channels")
    return in_shape[:-1], in_shape[-1]


def check_spatial_batch(x: Array, setting: object = 0) -> Shape:
    """Return the spatial shape of a batch, a floating array (n, *space, c), or raise as :func:`split_shape` does."""
    check_array(x, min_ndim=3)
    if isinstance(setting, tuple) and len(setting) != x.ndim - 2:
        raise ValueError(f"the input is {describe(x)}, expected {len(setting) + 2} axes: batch, {len(setting)} spatial, channels")
    return x.shape[1:-1]


def check_points(x: Array) -> None:
    """Raise unless every spatial axis of a batch (n, *space, c) has a point."""
    if 0 in x.shape[1:-1]:
        axis = x.shape[1:-1].index(0)
        raise ValueError(f"the input is {describe(x)}: spatial axis {axis} is empty, expected at least one point along it")


def add_bias(y: Array, bias: Array) -> None:
    """Add a number for each channel to an array (n, *space, c) that was just made; to a line of points at a time where it can."""
    if y.flags.c_contiguous:  # with few channels additions of single points are slow
        rows, bias = y.reshape(-1, y.shape[-2] * y.shape[-1]), np.concatenate([bias] * y.shape[-2])
        rows += bias
    else:
        y += bias


def channel_sums(dy: Array) -> Array:
    """Return the sum of an array (n, *space, c) over all axes but the last."""
    lines = sum_axis0(dy.reshape(-1, dy.shape[-2] * dy.shape[-1]))
    return sum_axis0(lines.reshape(dy.shape[-2:]))


def takes_products(x: Array, counts: Shape) -> bool:
    """Tell whether products with matrices of zeros and weights are the fast way from the spatial axes to so many points of each.

    So they are for short axes, and of finite numbers: what is not, times 0, would be no number.
    """
    return max(*x.shape[1:-1], *counts) <= SHORT and all_finite(x)


def along(matrix: Array, x: Array, axis: int) -> Array:
    """Return x with each of its lines along an axis multiplied by a matrix: a tensor product that leaves the axis where it is."""
    before, after = math.prod(x.shape[:axis]), math.prod(x.shape[axis + 1 :])
    product: Array = np.matmul(matrix, x.reshape(before, x.shape[axis], after))
    return product.reshape(*x.shape[:axis], len(matrix), *x.shape[axis + 1 :])
