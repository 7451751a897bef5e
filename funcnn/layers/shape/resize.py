r"""Resizing of the spatial axes, to a size or by any factor: nearest, linear, cubic or area, with or without antialiasing.

Indices: $n$ example, $p$ point of the output's axis, $q$ point of the input's, $c$ channel; where there are several axes, one
after the other.

Forward.  A sum with the weights of :mod:`funcnn.kernels.resampling`,
$$ y_{npc} = \sum_q m_{pq}\, x_{nqc} . $$

Derivation.  Linear in x, so its transpose is $\bar x_{nqc} = \sum_p m_{pq}\, \bar y_{npc}$: the same sum with the table
transposed.
"""

from collections.abc import Sequence
from fractions import Fraction
from functools import partial
from typing import cast, get_args

from attrs import frozen

from funcnn.errors import check_choice, check_cotangent, check_flag, check_range, shown
from funcnn.kernels.resampling import Axis, Resampling, resample, taps
from funcnn.kernels.spatial import check_points, check_spatial_batch, checked_sizes, sizes_of, split_shape
from funcnn.kernels.windows import Sizes, entries_of
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, define_layer
from funcnn.typing import Array, Empty, Shape


@frozen
class Resizing:
    """The size of the output or the factors to it, and how it is made: either is None."""

    size: int | Shape | None
    factor: float | tuple[float, ...] | None
    kind: Resampling
    align_corners: bool
    antialias: bool

    @property
    def setting(self) -> object:
        """What has an entry for each spatial axis, if it is a tuple."""
        return self.factor if self.size is None else self.size

    def axes(self, space: Shape) -> tuple[Axis, ...]:
        """Return how each axis of an input is resampled, or raise."""
        found = []
        if self.size is not None:
            sizes = sizes_of(self.size, len(space))
            wanted = [(count, Fraction(length, count)) for length, count in zip(space, sizes, strict=True)]
        else:
            factors = self.factor if isinstance(self.factor, tuple) else (self.factor or 1.0,) * len(space)
            wanted = [(int(length * one), 1 / as_fraction(one)) for length, one in zip(space, factors, strict=True)]
        for axis, (length, (count, step)) in enumerate(zip(space, wanted, strict=True)):
            if count < 1:
                raise ValueError(
                    f"spatial axis {axis} has {length} points, and factor {self.factor} leaves none: use a larger one"
                )
            found.append(Axis(length, count, step, self.kind, self.align_corners, self.antialias))
        return tuple(found)


def as_fraction(factor: float) -> Fraction:
    """Return the fraction of small numbers that a factor was rounded from, such as 5 / 3, or what it is exactly."""
    simple = Fraction(factor).limit_denominator(10**6)
    return simple if float(simple) == factor else Fraction(factor)


def init(how: Resizing, key: Key, in_shape: Shape) -> Init[Empty, Empty]:
    space, channels = split_shape(in_shape, how.setting)
    return Init((), (), (*[axis.count for axis in how.axes(space)], channels))


def forward(how: Resizing, params: Empty, state: Empty, x: Array, mode: Mode) -> Forward[Array, Empty, Shape]:
    space = check_spatial_batch(x, how.setting)
    check_points(x)
    y = x
    for place, axis in enumerate(how.axes(space), 1):
        y = resample(y, taps(axis)[0], place)
    return Forward(y, state, x.shape)


def backward(how: Resizing, params: Empty, shape: Shape, dy: Array) -> Backward[Empty, Array]:
    n, *space, channels = shape
    axes = how.axes(tuple(space))
    check_cotangent(dy, (n, *[axis.count for axis in axes], channels))
    dx = dy
    for place, axis in reversed(list(enumerate(axes, 1))):
        dx = resample(dx, taps(axis)[1], place)
    return Backward(params, dx)


def layer_of(name: str, how: Resizing) -> Layer[Empty, Empty, Array, Array]:
    """Return a layer that resizes, or raise where its options do not go together."""
    smooth = how.kind in ("linear", "cubic")
    if how.align_corners and (not smooth or how.antialias):
        raise ValueError(f'align_corners is True, expected False with mode "{how.kind}" and antialias={how.antialias}')
    if how.antialias and not smooth:
        raise ValueError(f'antialias is True, expected False with mode "{how.kind}": use "linear" or "cubic"')
    return define_layer(name, partial(init, how), partial(forward, how), partial(backward, how), random=False)


def resize(
    size: Sizes, *, mode: Resampling = "linear", align_corners: bool = False, antialias: bool = False
) -> Layer[Empty, Empty, Array, Array]:
    """Resize the spatial axes of (n, *space, channels), however many there are, to a size.

    Parameters
    ----------
    size : int or sequence of int
        Points of the output along each spatial axis; a number stands for all.
    mode : {"nearest", "nearest_exact", "linear", "cubic", "area"}, optional
        How points between those of the input are made: one of the neighbours, interpolation, or the mean of all that a point of
        the output covers (as :func:`funcnn.adaptive_avg_pool`).
    align_corners : bool, optional
        For "linear" and "cubic": the first and last points of both axes lie on each other; otherwise the borders of their cells.
    antialias : bool, optional
        For "linear" and "cubic": when an axis becomes shorter, the kernel becomes as much wider.

    Returns
    -------
    Layer
        Without parameters, from (n, *space, C) to (n, *size, C).

    Raises
    ------
    TypeError, ValueError
        When an argument is out of range, or options do not go together; in ``init`` and ``forward``, when the input has another
        number of spatial axes.

    See Also
    --------
    resize_by : by factors.
    upsample : by whole factors.

    References
    ----------
    Keys (1981), Cubic convolution interpolation for digital image processing.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> x = np.array([[[0.0], [4.0], [8.0]]])
    >>> fn.apply(fn.resize(2, mode="area"), (), (), x).ravel()
    array([2., 6.])
    >>> fn.apply(fn.resize(5, align_corners=True), (), (), x).ravel()
    array([0., 2., 4., 6., 8.])
    """
    sizes = checked_sizes(size, "size")
    kind = cast(Resampling, check_choice(mode, get_args(Resampling), "mode"))
    flags = check_flag(align_corners, "align_corners"), check_flag(antialias, "antialias")
    return layer_of(f"resize({'x'.join(map(str, sizes_of(sizes, 1)))})", Resizing(sizes, None, kind, *flags))


def check_factor(value: float | Sequence[float]) -> float | tuple[float, ...]:
    """Return factors of more than 0, as a number or a tuple, or raise."""
    entries = entries_of(value)
    if entries is None:
        return check_range(value, "factor", 0, float("inf"), open_low=True, open_high=True)  # type: ignore[arg-type]  # or raises
    if not entries:
        raise ValueError(f"factor is {shown(value)}, expected a number, or one for each spatial axis")
    return tuple([check_range(one, "factor", 0, float("inf"), open_low=True, open_high=True) for one in entries])  # type: ignore[arg-type]  # or raises


def resize_by(
    factor: float | Sequence[float], *, mode: Resampling = "linear", align_corners: bool = False, antialias: bool = False
) -> Layer[Empty, Empty, Array, Array]:
    """Resize the spatial axes of (n, *space, channels) by factors that need not be whole.

    Parameters
    ----------
    factor : float or sequence of float
        By how much each spatial axis grows: L points become floor(factor L), and neighbours are 1 / factor points apart.
    mode, align_corners, antialias : optional
        As for :func:`funcnn.resize`.

    Returns
    -------
    Layer
        Without parameters.

    Raises
    ------
    TypeError, ValueError
        As for :func:`funcnn.resize`; in ``init`` and ``forward``, when an axis would have no point.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.resize_by(1.5, mode="cubic").init(fn.Key(0), (5, 4, 3)).out_shape
    (7, 6, 3)
    """
    factors = check_factor(factor)
    kind = cast(Resampling, check_choice(mode, get_args(Resampling), "mode"))
    flags = check_flag(align_corners, "align_corners"), check_flag(antialias, "antialias")
    return layer_of(f"resize_by({factors})", Resizing(None, factors, kind, *flags))
