r"""Resampling of an axis by a table of taps: which points of the input a point of the output is a sum of, and with which weights.

Indices: $p$ point of the output's axis of $M$, $q$ point of the input's of $L$, $k$ tap.  With the step $s$ between neighbouring
outputs, in points of the input, output $p$ lies at
$$ r_p = (p + \tfrac12)\,s - \tfrac12, \qquad\text{or, with aligned corners,}\qquad r_p = p\,\tfrac{L - 1}{M - 1}, $$
and takes the weights
$$ m_{pq} \propto \phi\Big(\frac{q - r_p}{w}\Big), \qquad \sum_q m_{pq} = 1, $$
of a kernel $\phi$: the hat $\max(0, 1 - |u|)$ (*linear*), or the cubic of Keys (1981, eqs. 4 and 8),
$$ \phi(u) = \begin{cases} (a + 2)|u|^3 - (a + 3)|u|^2 + 1 & |u| \le 1 \\
   a|u|^3 - 5a|u|^2 + 8a|u| - 4a & 1 < |u| < 2 \end{cases} . $$
Interpolation has $w = 1$ and takes points beyond the border for the last one; $a = -\tfrac34$.  *Antialiased* resampling widens
the kernel to $w = \max(1, s)$, so that no point of the input is passed over, leaves points beyond the border out, and has
$a = -\tfrac12$ (all as in PyTorch and Pillow).  *Nearest* takes point $\lfloor p s \rfloor$, *nearest_exact* point
$\lfloor (p + \frac12) s \rfloor$, and *area* the mean of those from $\lfloor p L / M \rfloor$ to $\lceil (p + 1) L / M \rceil$.

A table and its transpose are of one form: taps of the outputs by inputs, and of the inputs by outputs.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import Literal, TypeAlias

import numpy as np
from attrs import frozen

from funcnn.typing import Array, IntArray

Resampling: TypeAlias = Literal["nearest", "nearest_exact", "linear", "cubic", "area"]


@frozen(eq=False)
class Taps:
    """The points that are summed for each point of an axis, and their weights; unused taps repeat a point with weight 0."""

    index: IntArray  # (M, K)
    weight: Array  # (M, K), long double, for x of any precision
    used: IntArray  # (M,), how many taps of a row count


@frozen
class Axis:
    """How one axis is resampled."""

    length: int
    count: int
    step: Fraction
    kind: Resampling
    align_corners: bool
    antialias: bool


def hat(u: Array) -> Array:
    """Return the kernel of linear interpolation."""
    made: Array = (1 - np.abs(u)).clip(0)
    return made


def cubic(u: Array, a: float) -> Array:
    """Return Keys' kernel."""
    u = np.abs(u)
    near, far = ((a + 2) * u - (a + 3)) * u * u + 1, a * (((u - 5) * u + 8) * u - 4)
    made: Array = np.where(u <= 1, near, np.where(u < 2, far, 0))
    return made


@lru_cache(maxsize=64)
def taps(axis: Axis) -> tuple[Taps, Taps]:
    """Return the taps of an axis, and those of its transpose."""
    made = ranges(axis) if axis.kind in ("nearest", "nearest_exact", "area") else kernel_taps(axis)
    return made, transposed(made, axis.length)


def ranges(axis: Axis) -> Taps:
    """Return the taps of points that are taken as they are, or of means of neighbours."""
    if axis.kind == "area":
        p = np.arange(axis.count)
        first, last = p * axis.length // axis.count, -(-(p + 1) * axis.length // axis.count)
    else:
        shift = Fraction(1, 2) if axis.kind == "nearest_exact" else Fraction(0)
        # Fractions: rounded, a product that is a whole number may be less than it.
        first = np.array([min(int((p + shift) * axis.step), axis.length - 1) for p in range(axis.count)])
        last = first + 1
    used = last - first
    place = np.arange(used.max(initial=1))
    index = np.minimum(first[:, np.newaxis] + place, last[:, np.newaxis] - 1)
    weight = np.where(place < used[:, np.newaxis], np.longdouble(1) / used[:, np.newaxis], 0)
    return Taps(index, weight, used)


def kernel_taps(axis: Axis) -> Taps:
    """Return the taps of linear and cubic resampling."""
    p = np.arange(axis.count, dtype=np.longdouble)
    above, below = np.longdouble(axis.step.numerator), np.longdouble(axis.step.denominator)
    if axis.align_corners:
        place = p * (axis.length - 1) / max(1, axis.count - 1)
    else:
        place = ((2 * p + 1) * above - below) / (2 * below)  # rounded once, and so exact where it is whole
        if axis.kind == "linear":
            place = place.clip(0, axis.length - 1)
    width = max(np.longdouble(1), above / below) if axis.antialias else np.longdouble(1)
    reach = (1 if axis.kind == "linear" else 2) * width
    first = np.floor(place - reach).astype(int) + 1
    points = first[:, np.newaxis] + np.arange(int(np.ceil(2 * reach)) + 1)
    u = (points - place[:, np.newaxis]) / width
    weight = hat(u) if axis.kind == "linear" else cubic(u, -0.5 if axis.antialias else -0.75)
    if axis.antialias:
        weight = np.where((points >= 0) & (points < axis.length), weight, 0)
    weight /= weight.sum(1, keepdims=True)
    return compact(points.clip(0, axis.length - 1), weight)


def compact(index: IntArray, weight: Array) -> Taps:
    """Return taps with those of weight 0 left out: the others come first."""
    order = np.argsort(weight == 0, axis=1, kind="stable")
    index, weight = np.take_along_axis(index, order, 1), np.take_along_axis(weight, order, 1)
    used = np.count_nonzero(weight, axis=1)
    width = max(1, int(used.max(initial=1)))
    spare = np.arange(width) >= used[:, np.newaxis]
    return Taps(np.where(spare, index[:, :1], index[:, :width]), weight[:, :width], used)


def transposed(made: Taps, length: int) -> Taps:
    """Return the taps of the transpose: for each of so many inputs the outputs that it is part of."""
    outputs, places = np.nonzero(np.arange(made.weight.shape[1]) < made.used[:, np.newaxis])
    inputs, weights = made.index[outputs, places], made.weight[outputs, places]
    order = np.argsort(inputs, kind="stable")
    inputs, outputs, weights = inputs[order], outputs[order], weights[order]
    used = np.bincount(inputs, minlength=length)
    rank = np.arange(len(inputs)) - np.repeat(np.cumsum(used) - used, used)
    width = max(1, int(used.max(initial=1)))
    index, weight = np.zeros((length, width), int), np.zeros((length, width), weights.dtype)
    index[inputs, rank], weight[inputs, rank] = outputs, weights
    return Taps(index, weight, used)


def resample(x: Array, made: Taps, axis: int) -> Array:
    """Return x with each line along an axis replaced by the sums of its taps."""
    shape = (-1, *(1,) * (x.ndim - axis - 1))
    y: Array = np.zeros((*x.shape[:axis], len(made.index), *x.shape[axis + 1 :]), x.dtype)
    for tap in range(made.index.shape[1]):
        rows = np.flatnonzero(made.used > tap)  # a point of weight 0 may be no number
        part = x.take(made.index[rows, tap], axis)
        part *= made.weight[rows, tap].astype(x.real.dtype).reshape(shape)
        y[(slice(None),) * axis + (rows,)] += part
    return y
