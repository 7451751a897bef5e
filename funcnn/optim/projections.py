r"""Projections: the nearest point of a set, for :func:`funcnn.projected`, which keeps parameters in it.

With a set $C$ the projection of $x$ is $\operatorname{argmin}_{y \in C} \lVert y - x \rVert_2$.  For boxes it is clipping, for
Euclidean balls scaling; those on the simplex and on balls of absolute values subtract one number from all that stay (Duchi et al.
2008, "Efficient projections onto the l1-ball", figure 1); a projection of what is in the set gives it back to the last bit.  The
nearest matrix with orthonormal columns to $x = U S V^\top$ is $U V^\top$, to rounding (Higham 1986, doi:10.1137/0907079).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
from attrs import field, frozen

from funcnn.errors import check_integer, check_range, describe
from funcnn.layer import comparable
from funcnn.runtime.lazy_imports import listing
from funcnn.typing import Array

__all__ = ["Projection", "box", "l1_ball", "l2_ball", "max_norm", "non_negative", "orthonormal", "simplex"]
__dir__ = listing(__name__, __all__)


@frozen(repr=False)
class Projection:
    """A named pure function of one leaf.  Made by the functions of this module."""

    name: str
    value: Callable[[Array], Array] = field(eq=comparable)

    def __repr__(self) -> str:
        """Return the call that makes it."""
        return self.name

    def __call__(self, x: Array) -> Array:
        """Return the nearest point of the set."""
        return self.value(x)


def box(low: float = -math.inf, high: float = math.inf) -> Projection:
    """Keep every number between two bounds.

    Parameters
    ----------
    low, high : float, optional
        The bounds; either may be infinite.

    Returns
    -------
    Projection

    Raises
    ------
    TypeError, ValueError
        When one is no number, or the lower bound is above the upper.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.projections.box(-1.0, 1.0)(np.array([-3.0, 0.5, 2.0]))
    array([-1. ,  0.5,  1. ])
    """
    low, high = check_range(low, "low", -math.inf, math.inf), check_range(high, "high", -math.inf, math.inf)
    if low > high:
        raise ValueError(f"low is {low} and high {high}: the lower bound comes first")
    return Projection(f"box({low}, {high})", partial(_box, low, high))


def non_negative() -> Projection:
    """Keep every number at least 0: weights of sums, or of input-convex networks.

    Returns
    -------
    Projection

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.projections.non_negative()(np.array([-3.0, 0.5]))
    array([0. , 0.5])
    """
    return Projection("non_negative()", partial(_box, 0.0, math.inf))


def l2_ball(radius: float = 1.0) -> Projection:
    """Keep a leaf's length, the root of the sum of its squares, at most a radius.

    Parameters
    ----------
    radius : float, optional
        Above 0.

    Returns
    -------
    Projection

    Raises
    ------
    TypeError, ValueError
        When the radius is no number above 0.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.projections.l2_ball(1.0)(np.array([3.0, 4.0]))
    array([0.6, 0.8])
    """
    radius = _positive(radius, "radius")
    return Projection(f"l2_ball({radius})", partial(_l2_ball, radius, None))


def max_norm(limit: float = 3.0, axis: int = 0) -> Projection:
    """Keep the length of every unit's weights at most a limit (Srivastava et al. 2014, section 5.1).

    Parameters
    ----------
    limit : float, optional
        Above 0.
    axis : int, optional
        Along which a unit's weights stand: 0 in the weights (I, O) of a dense layer.

    Returns
    -------
    Projection

    Raises
    ------
    TypeError, ValueError
        When the limit is no number above 0, or the axis no integer; when a leaf has no such axis.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.projections.max_norm(1.0)(np.array([[3.0, 0.1], [4.0, 0.1]]))
    array([[0.6, 0.1],
           [0.8, 0.1]])
    """
    limit, axis = _positive(limit, "limit"), check_integer(axis, "axis")
    return Projection(f"max_norm({limit}, {axis})", partial(_l2_ball, limit, axis))


def simplex(radius: float = 1.0, axis: int = -1) -> Projection:
    """Keep numbers along an axis at least 0, and their sum at a radius: probabilities, or shares.

    Parameters
    ----------
    radius : float, optional
        The sum, above 0.
    axis : int, optional
        Along which the sum is taken.

    Returns
    -------
    Projection

    Raises
    ------
    TypeError, ValueError
        When the radius is no number above 0, or the axis no integer; when a leaf has no such axis.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.projections.simplex()(np.array([0.5, 1.0, -2.0]))
    array([0.25, 0.75, 0.  ])
    """
    radius, axis = _positive(radius, "radius"), check_integer(axis, "axis")
    return Projection(f"simplex({radius}, {axis})", partial(_simplex, radius, axis))


def l1_ball(radius: float = 1.0) -> Projection:
    """Keep the sum of a leaf's absolute values at most a radius: small numbers become exactly 0.

    Parameters
    ----------
    radius : float, optional
        Above 0.

    Returns
    -------
    Projection

    Raises
    ------
    TypeError, ValueError
        When the radius is no number above 0.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.projections.l1_ball(1.0)(np.array([1.0, -0.5, 0.1]))
    array([ 0.75, -0.25,  0.  ])
    """
    radius = _positive(radius, "radius")
    return Projection(f"l1_ball({radius})", partial(_l1_ball, radius))


def orthonormal() -> Projection:
    """Keep the columns of a matrix orthonormal, or its rows where they are fewer; of more axes the last makes the columns.

    Returns
    -------
    Projection
        In ``update`` a ValueError where a leaf has fewer than two axes.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.projections.orthonormal()(np.array([[0.0, 3.0], [-0.5, 0.0]])) + 0.0
    array([[ 0.,  1.],
           [-1.,  0.]])
    """
    return Projection("orthonormal()", _orthonormal)


def _positive(value: float, what: str) -> float:
    return check_range(value, what, 0, math.inf, open_low=True, open_high=True)


def _box(low: float, high: float, x: Array) -> Array:
    clipped: Array = np.clip(x, x.dtype.type(low), x.dtype.type(high))
    return clipped


def _l2_ball(limit: float, axis: int | None, x: Array) -> Array:
    if axis is not None:
        _check_axis(axis, x)
    if not x.size:
        return x
    largest = np.abs(x).max(axis, keepdims=True)
    unit = np.where((largest > 0) & np.isfinite(largest), largest, 1)  # in which no square overflows or vanishes
    length = np.sqrt(np.square(x / unit).sum(axis, keepdims=True))
    over = length > x.dtype.type(limit) / unit
    ball: Array = np.where(over, x / unit * (limit / np.where(over, length, 1)), x)
    return ball


def _simplex(radius: float, axis: int, x: Array) -> Array:
    _check_axis(axis, x)
    rows = np.moveaxis(x, axis, -1)
    if not rows.size:
        return x
    inside = (rows >= 0).all(-1) & (rows.sum(-1) == radius)
    if inside.all():
        return x
    found = np.where(inside[..., None], rows, np.maximum(rows - _threshold(rows, radius), 0))
    moved: Array = np.moveaxis(found, -1, axis)
    return moved


def _l1_ball(radius: float, x: Array) -> Array:
    sizes = np.abs(x).ravel()
    if not sizes.size or sizes.sum() <= radius:
        return x
    kept = np.maximum(sizes - _threshold(sizes, radius), 0).reshape(x.shape)
    ball: Array = np.copysign(kept, x)
    return ball


def _orthonormal(x: Array) -> Array:
    if x.ndim < 2:
        raise ValueError(f"a leaf to be made orthonormal is {describe(x)}, expected two axes at least: choose others by where")
    if not x.size:
        return x
    if not np.isfinite(x).all():
        return np.full_like(x, np.nan)
    matrix = x.reshape(-1, x.shape[-1]).astype(np.float64)  # LAPACK has no precision beyond
    left, _, right = np.linalg.svd(matrix, full_matrices=False)
    nearest: Array = (left @ right).reshape(x.shape).astype(x.dtype)
    return nearest


def _threshold(rows: Array, radius: float) -> Array:
    """Return what is subtracted from each row, (..., 1), so that what stays above 0 has the sum of the radius."""
    falling = -np.sort(-rows, axis=-1)
    falling -= falling[..., :1]  # a common number moves the threshold alone; beside a large one no digit is lost
    excess = falling.cumsum(-1) - rows.dtype.type(radius)
    places = np.arange(1, rows.shape[-1] + 1)
    count = np.maximum(1, (falling * places > excess).sum(-1, keepdims=True))
    level: Array = np.take_along_axis(excess, count - 1, -1) / count.astype(rows.dtype)
    level += rows.max(-1, keepdims=True)
    return level


def _check_axis(axis: int, x: Array) -> None:
    if not -x.ndim <= axis < x.ndim:
        raise ValueError(f"axis is {axis}, and a leaf to be projected is {describe(x)}: choose others by where")
