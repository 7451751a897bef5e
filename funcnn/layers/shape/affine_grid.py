r"""The grid of an affine map (Jaderberg et al. 2015, arXiv:1506.02025, eq. 1): places for :mod:`funcnn.layers.shape.grid_sample`.

Indices: $n$ example, $m$ place, $a$ coordinate of $d$, $b$ of $d + 1$.

Forward.  With the places $p_{mb}$ of a regular grid from $-1$ to $1$, and 1 as their last coordinate,
$$ g_{nma} = \sum_b \theta_{nab}\, p_{mb} . $$

Derivation.  Linear: $\bar\theta_{nab} = \sum_m \bar g_{nma}\, p_{mb}$.
"""

from functools import lru_cache, partial

import numpy as np

from funcnn.errors import check_array, check_cotangent, check_flag, describe, shown
from funcnn.kernels.spatial import checked_sizes
from funcnn.kernels.windows import Sizes
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, define_layer
from funcnn.typing import Array, Empty, Shape


@lru_cache(maxsize=16)
def regular(space: Shape, align_corners: bool) -> Array:
    """Return the places (M, d + 1) of a regular grid, in long double; the last axis of the space is the first coordinate."""
    axes = []
    for length in space:
        steps = 2 * np.arange(length, dtype=np.longdouble) - (length - 1)
        axes.append(steps / (max(1, length - 1) if align_corners else length))
    every = np.meshgrid(*axes, indexing="ij")
    made: Array = np.stack([*every[::-1], np.ones(space)], -1).reshape(-1, len(space) + 1)
    made.setflags(write=False)
    return made


def init(space: Shape, key: Key, in_shape: Shape) -> Init[Empty, Empty]:
    check_map(space, in_shape)
    return Init((), (), (*space, len(space)))


def check_map(space: Shape, shape: Shape) -> None:
    """Raise unless an example is the matrix of an affine map."""
    if shape != (len(space), len(space) + 1):
        raise ValueError(f"an example has shape {shape}, expected {(len(space), len(space) + 1)}, the matrix of an affine map")


def forward(space: Shape, align_corners: bool, params: Empty, state: Empty, x: Array, mode: Mode) -> Forward[Array, Empty, int]:
    check_array(x, min_ndim=3)
    if x.ndim != 3:
        raise ValueError(f"the input is {describe(x)}, expected matrices (n, d, d + 1): 3 axes")
    check_map(space, x.shape[1:])
    places = regular(space, align_corners).astype(x.real.dtype)
    grid = np.matmul(places, x.swapaxes(1, 2))
    return Forward(grid.reshape(len(x), *space, len(space)), state, len(x))


def backward(space: Shape, align_corners: bool, params: Empty, count: int, dy: Array) -> Backward[Empty, Array]:
    check_cotangent(dy, (count, *space, len(space)))
    places = regular(space, align_corners).astype(dy.real.dtype)
    return Backward(params, np.matmul(dy.reshape(count, len(places), len(space)).swapaxes(1, 2), places))


def affine_grid(size: Sizes, *, align_corners: bool = False) -> Layer[Empty, Empty, Array, Array]:
    """Make the grid of an affine map, for :func:`funcnn.grid_sample`: (n, d, d + 1) to (n, *size, d).

    Parameters
    ----------
    size : sequence of int
        Places along each of the d spatial axes of the output.
    align_corners : bool, optional
        Whether the first and last places of an axis are at -1 and 1, or the borders of their cells.

    Returns
    -------
    Layer
        Without parameters.

    Raises
    ------
    TypeError, ValueError
        When ``size`` is not a sequence of positive integers; in ``init`` and ``forward``, when the input is not (n, d, d + 1).

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> same = np.array([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    >>> fn.apply(fn.affine_grid((1, 2)), (), (), same)
    array([[[[-0.5,  0. ],
             [ 0.5,  0. ]]]])
    """
    sizes = checked_sizes(size, "size")
    if not isinstance(sizes, tuple):
        raise TypeError(f"size is {shown(size)}, expected one integer for each spatial axis, as a tuple")
    flag = check_flag(align_corners, "align_corners")
    return define_layer(
        "affine_grid", partial(init, sizes), partial(forward, sizes, flag), partial(backward, sizes, flag), random=False
    )
