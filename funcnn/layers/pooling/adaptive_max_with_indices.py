r"""Adaptive maximum pooling that tells where the maxima were.

Forward and derivation: the cells of :mod:`funcnn.layers.pooling.adaptive_pooling`, the indices and the cotangent of
:mod:`funcnn.layers.pooling.max_unpooling`: with $i_{npc}$ the first point of cell $p$ that attains the maximum,
$$ y_{npc} = x_{n,\,i_{npc},\,c}, \qquad \bar x_{nqc} = \sum_p [q = i_{npc}]\, \bar y_{npc} . $$
"""

import math
from functools import partial

import numpy as np

from funcnn.kernels.spatial import check_points, check_spatial_batch
from funcnn.layer import Forward, Layer, Mode, define_layer
from funcnn.layers.pooling.adaptive_pooling import Cells, OutputSize, blocks, checked_cells, counts_of, init, max_forward
from funcnn.layers.pooling.max_unpooling import Pooled, PooledResiduals, pool_backward
from funcnn.typing import Array, Empty, IntArray


def forward(size: Cells, params: Empty, state: Empty, x: Array, mode: Mode) -> Forward[Pooled, Empty, PooledResiduals]:
    space = check_spatial_batch(x, size)
    check_points(x)
    made = max_forward(size, params, state, x, mode)
    numbers: IntArray = np.arange(math.prod(space)).reshape(space)
    within = made.residuals.index  # the place of each maximum in its cell
    indices: IntArray = np.empty_like(within)
    for p, points in enumerate(blocks(space, counts_of(size, space))):
        indices[:, p] = numbers[points].reshape(-1)[within[:, p]]
    indices = indices.reshape(made.output.shape)
    return Forward(Pooled(made.output, indices), state, PooledResiduals(x.shape, indices))


def adaptive_max_pool_with_indices(output_size: OutputSize) -> Layer[Empty, Empty, Array, Pooled]:
    """Take the maximum over cells, and the points where they were: (n, *space, c) to :class:`funcnn.Pooled`.

    Parameters
    ----------
    output_size : int or sequence of int or None
        As for :func:`funcnn.adaptive_max_pool`.

    Returns
    -------
    Layer
        Its output goes into :func:`funcnn.max_unpool`, if need be through :func:`funcnn.on_values`.  Where cells overlap a point
        may be the maximum of several.

    Raises
    ------
    TypeError, ValueError
        As for :func:`funcnn.adaptive_max_pool`.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> made = fn.apply(fn.adaptive_max_pool_with_indices(2), (), (), np.arange(5.0).reshape(1, 5, 1))
    >>> made.values.ravel(), made.indices.ravel()
    (array([2., 4.]), array([2, 4]))
    """
    cells = checked_cells(output_size)
    return define_layer(
        "adaptive_max_pool_with_indices", partial(init, cells), partial(forward, cells), pool_backward, random=False
    )
