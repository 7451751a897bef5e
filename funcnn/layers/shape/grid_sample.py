r"""Sampling of an image at given places (Jaderberg et al. 2015, Spatial transformer networks, arXiv:1506.02025, section 3.3).

Indices: $n$ example, $m$ place, $a$ spatial axis of length $L_a$, $q$ point of the input, $c$ channel.

Forward.  Along axis $a$ the coordinate $g_{nma}$, $-1$ at one border and $1$ at the other, is the place
$$ r = \tfrac12 \big((g + 1)\,L - 1\big), \qquad\text{or, with aligned corners,}\qquad r = \tfrac12 (g + 1)(L - 1) , $$
which beyond the borders stays, or becomes the nearest point of the input (*border*), or is mirrored at the border (*reflect*).
With the hat $\phi(u) = \max(0, 1 - |u|)$
$$ y_{nmc} = \sum_q x_{nqc} \prod_a \phi(q_a - r_{nma}), $$
a sum over the $2^d$ points around the place, where x is 0 beyond its borders; or, *nearest*, the one point next to it.

Derivation.  Linear in x; and $\phi' = \pm 1$ between the points, $+1$ for the one after and $-1$ for the one before:
$$ \bar x_{nqc} = \sum_m \bar y_{nmc} \prod_a \phi(q_a - r_{nma}), \qquad
   \bar r_{nma} = \sum_q \pm \prod_{b \ne a} \phi(q_b - r_{nmb}) \sum_c x_{nqc}\, \bar y_{nmc}, \qquad
   \bar g = \tfrac{\mathrm{d}r}{\mathrm{d}g}\, \bar r . $$
Where a place was moved to the border $\mathrm{d}r/\mathrm{d}g = 0$, and where it was mirrored its sign is that of the mirroring;
the nearest point does not change with the place.  At a point itself, a kink, $\phi'$ is
that to its right, and 0 at the border to which places are moved.
"""

import itertools
import math
from functools import partial
from typing import Literal, TypeAlias, cast, get_args

import numpy as np
from attrs import frozen

from funcnn.errors import check_array, check_choice, check_cotangent, check_flag, describe
from funcnn.kernels.arrays import all_finite
from funcnn.kernels.scatter import scatter_rows
from funcnn.kernels.spatial import check_points
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, define_layer
from funcnn.typing import Array, BoolArray, Empty, IntArray, Shape, Shapes

Beyond: TypeAlias = Literal["zeros", "border", "reflect"]
SampleMode: TypeAlias = Literal["linear", "nearest"]


@frozen
class Sampling:
    """How places are read."""

    mode: SampleMode
    padding: Beyond
    align_corners: bool


@frozen(eq=False)
class GridSampleResiduals:
    """The image, the places, and the derivative of the places by the coordinates."""

    x: Array  # (n, *space, c)
    place: Array  # (n, M, d)
    slope: Array  # (n, M, d)
    grid_shape: Shape


def check_grid(space: Shape, grid: Shape) -> None:
    """Raise unless a grid (*places, d) has a coordinate for each spatial axis."""
    if len(grid) < 2 or grid[-1] != len(space):
        raise ValueError(f"the grid of an example has shape {grid}, expected (*places, {len(space)}), a coordinate for each axis")


def init(key: Key, in_shape: Shapes) -> Init[Empty, Empty]:
    if len(in_shape) != 2 or not all(isinstance(one, tuple) for one in in_shape):
        raise ValueError(f"in_shape is {in_shape}, expected the shapes of the image and of the grid")
    image, grid = cast("tuple[Shape, Shape]", in_shape)
    if len(image) < 2:
        raise ValueError(f"an example has shape {image}, expected spatial axes before the channels")
    check_grid(image[:-1], grid)
    return Init((), (), (*grid[:-1], image[-1]))


def places(how: Sampling, grid: Array, space: Shape) -> tuple[Array, Array]:
    """Return the places (n, M, d) of coordinates in points of each axis, and their derivatives; the last coordinate is axis 0."""
    lengths = np.array(space, grid.real.dtype)
    g = grid.reshape(len(grid), math.prod(grid.shape[1:-1]), grid.shape[-1])[..., ::-1]
    slope: Array = np.broadcast_to((lengths - 1 if how.align_corners else lengths) / 2, g.shape).copy()
    r: Array = (g + 1) * slope - (0 if how.align_corners else grid.real.dtype.type(0.5))
    if how.padding == "reflect":
        low = grid.real.dtype.type(0 if how.align_corners else -0.5)
        period = 2 * np.maximum(lengths - 1 if how.align_corners else lengths, grid.real.dtype.type(0.5))
        turns = np.floor((r.real - low) / period)
        r = r - turns * period
        back = r.real - low > period / 2
        r, slope = np.where(back, period + 2 * low - r, r), np.where(back, -slope, slope)
    if how.padding != "zeros":
        outside = (r.real <= 0) | (r.real >= lengths - 1)  # at the outermost point itself a kink: the flat side
        r, slope = np.where(outside, np.clip(r.real, 0, lengths - 1), r), np.where(outside, 0, slope)
    return r, slope


def corner(place: Array, bits: tuple[int, ...], space: Shape) -> tuple[IntArray, BoolArray, Array, Array]:
    """Return a point beside each place: its index, whether the image has it, its share along each axis, and the derivatives."""
    first = np.floor(place.real)
    share = place - first
    after = np.array(bits, bool)
    inside = np.ones(place.shape[:2], bool)
    index = np.zeros(place.shape[:2], int)
    for axis, length in enumerate(space):
        point = np.clip(first[..., axis], -2, length + 1).astype(int) + bits[axis]
        inside &= (point >= 0) & (point < length)
        index = index * length + np.clip(point, 0, length - 1)
    return index, inside, np.where(after, share, 1 - share), np.where(after, 1, -1).astype(place.real.dtype)


def forward(how: Sampling, params: Empty, state: Empty, inputs: object, mode: Mode) -> Forward[Array, Empty, GridSampleResiduals]:
    if not isinstance(inputs, tuple) or len(inputs) != 2:
        raise TypeError(f"the input is {describe(inputs)}, expected (image, grid)")
    x, grid = cast("tuple[Array, Array]", inputs)
    check_array(x, "the image", min_ndim=3)
    check_array(grid, "the grid", min_ndim=3)
    space = x.shape[1:-1]
    check_points(x)
    check_grid(space, grid.shape[1:])
    if len(grid) != len(x):
        raise ValueError(f"the grid has {len(grid)} examples and the image {len(x)}, expected the same along axis 0")
    if not all_finite(grid):
        raise ValueError(f"the grid is {describe(grid)} with numbers that are not finite: no place of the input axes")
    place, slope = places(how, grid, space)
    if how.mode == "nearest":
        place, slope = np.rint(place.real), np.zeros_like(slope)
    pixels, count = x.reshape(len(x), math.prod(space), x.shape[-1]), place.shape[1]
    examples = np.arange(len(x))[:, np.newaxis]
    y: Array = np.zeros((len(x), count, x.shape[-1]), np.result_type(x, place))
    for bits in corners(how, len(space)):
        index, inside, share, _ = corner(place, bits, space)
        weight = np.where(inside, share.prod(-1), 0)[..., np.newaxis]
        y += np.where(weight == 0, 0, weight * pixels[examples, index])
    output = y.reshape(len(x), *grid.shape[1:-1], x.shape[-1])
    return Forward(output, state, GridSampleResiduals(x, place, slope, grid.shape))


def corners(how: Sampling, ndim: int) -> list[tuple[int, ...]]:
    """Return which of the points around a place count."""
    return [(0,) * ndim] if how.mode == "nearest" else list(itertools.product((0, 1), repeat=ndim))


def backward(how: Sampling, params: Empty, residuals: GridSampleResiduals, dy: Array) -> Backward[Empty, tuple[Array, Array]]:
    x, place = residuals.x, residuals.place
    space, channels = x.shape[1:-1], x.shape[-1]
    check_cotangent(dy, (*residuals.grid_shape[:-1], channels))
    dy_rows, pixels = dy.reshape(*place.shape[:2], channels), x.reshape(len(x), math.prod(space), channels)
    examples = np.arange(len(x))[:, np.newaxis]
    dplace: Array = np.zeros(place.shape, np.result_type(dy, x, place))
    indices, rows = [], []
    for bits in corners(how, len(space)):
        index, inside, share, sign = corner(place, bits, space)
        weight = np.where(inside, share.prod(-1), 0)[..., np.newaxis]
        indices.append((index + examples * pixels.shape[1]).ravel())
        rows.append((weight * dy_rows).reshape(math.prod(place.shape[:2]), channels))
        if how.mode == "linear":
            seen = np.where(inside[..., np.newaxis], pixels[examples, index], 0)
            product = (seen * dy_rows).sum(-1)
            for axis in range(len(space)):
                others = np.delete(share, axis, axis=-1).prod(-1)
                dplace[..., axis] += sign[axis] * others * product
    dx = scatter_rows(np.concatenate(indices), np.concatenate(rows), len(x) * pixels.shape[1]).reshape(x.shape)
    dgrid = (dplace * residuals.slope)[..., ::-1].reshape(residuals.grid_shape)
    return Backward(params, (dx, np.ascontiguousarray(dgrid)))


def grid_sample(
    *, mode: SampleMode = "linear", padding: Beyond = "zeros", align_corners: bool = False
) -> Layer[Empty, Empty, tuple[Array, Array], Array]:
    """Sample an image at the places of a grid: a pair of (n, *space, c) and (n, *places, d) to (n, *places, c).

    Parameters
    ----------
    mode : {"linear", "nearest"}, optional
        Interpolate between the points around a place, or take the nearest one, which gives the grid no gradient.
    padding : {"zeros", "border", "reflect"}, optional
        What lies beyond the borders: nothing, the outermost points, or the image mirrored.
    align_corners : bool, optional
        Whether -1 and 1 are the first and last points of an axis, or the borders of their cells.

    Returns
    -------
    Layer
        Without parameters.  The d coordinates of a place belong to the spatial axes from the last to the first: (x, y) of an
        image, as in PyTorch.

    Raises
    ------
    TypeError, ValueError
        When an option is none of these; in ``init`` and ``forward``, when image and grid do not fit together, or a coordinate is
        not finite.

    See Also
    --------
    affine_grid : the grid of an affine map.

    References
    ----------
    Jaderberg et al. (2015), Spatial transformer networks, arXiv:1506.02025.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> image, grid = np.array([[[1.0], [3.0]]]), np.array([[[-0.5], [0.0]]])
    >>> fn.apply(fn.grid_sample(), (), (), (image, grid)).ravel()
    array([1., 2.])
    """
    how = Sampling(
        check_choice(mode, get_args(SampleMode), "mode"),
        check_choice(padding, get_args(Beyond), "padding"),
        check_flag(align_corners, "align_corners"),
    )
    return define_layer("grid_sample", init, partial(forward, how), partial(backward, how), random=False, inputs=None)
