r"""The square root of a loss's curvature in the outputs: what turns a Gauss-Newton matrix into gradients.

Indices: $n$ example, $k$ output of an example of $K$, $c$ column.

A loss that adds up its examples has a Hessian in the outputs that is a block (K, K) for each example.  Column k of all blocks
is one complex step of the loss's backward, with every example moved along its output k.  With the eigenvalues of a block,
$\ell_{yy} = U \Lambda U^\top$, the columns of $S = U \Lambda^{1/2}$ give $S S^\top = \ell_{yy}$ and
$$ G = \sum_n J_n^\top \ell_{yy} J_n = \sum_{nc} g_{nc} g_{nc}^\top, \qquad g_{nc} = J_n^\top s_{nc} , $$
so that each column is one backward of the network.  Where K is large a few random sums of columns stand for all of them: with
independent signs $\epsilon$, $\mathbb{E}\,(S \epsilon)(S \epsilon)^\top = S S^\top$.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from funcnn.curvature.conjugate_gradient import NegativeCurvatureError
from funcnn.curvature.operator import lapack_eps, signs
from funcnn.derivatives.analytic import watched_loss
from funcnn.derivatives.ggn import curved
from funcnn.derivatives.matrices import one_array
from funcnn.losses.loss import Loss
from funcnn.typing import Array


def output_blocks(loss: Loss[Any, Any], output: Array, target: Any) -> Array:
    """Return the Hessian of a loss in the outputs of each example, (n, K, K)."""
    one_array(output)
    count = len(output)
    size = int(np.prod(output.shape[1:]))
    watched = watched_loss(loss)
    blocks: Array = np.empty((count, size, size), output.dtype)
    for k in range(size):
        along = np.zeros((count, size), output.dtype)
        along[:, k] = 1
        made: Array = curved(watched, output, target, along.reshape(output.shape))
        blocks[:, k] = made.reshape(count, size)
    return (blocks + blocks.swapaxes(1, 2)) / 2


def output_columns(loss: Loss[Any, Any], output: Array, target: Any) -> list[Array]:
    """Return the columns of the square root of a loss's Hessian in the outputs, each of the output's shape.

    Raises
    ------
    NegativeCurvatureError
        When the loss is not convex in the outputs of an example, which is named.
    """
    blocks = output_blocks(loss, output, target)
    if not blocks.size:
        return []
    values, vectors = np.linalg.eigh(blocks.astype(np.float64))
    sizes = np.abs(values).max(axis=1, initial=0)
    # where a prediction is nearly certain the curvature is what is left of larger terms, and as small as their rounding
    bar = 100 * lapack_eps(output.dtype) * sizes.max(initial=0)
    if (values < -bar).any():
        worst = int(np.argmin(values.min(axis=1)))
        raise NegativeCurvatureError(
            f"the loss {loss.name} is not convex in the output of example {worst} (curvature {values[worst].min():.3g}): its"
            " Gauss-Newton matrix has no square root; use a convex loss such as fn.softmax_cross_entropy or"
            " fn.half_squared_error, or fn.hvp with methods for indefinite matrices"
        )
    roots = vectors * np.sqrt(np.where(values > bar, values, 0))[:, None, :]
    used = (values > bar).any(axis=0)
    return [roots[:, :, c].astype(output.dtype).reshape(output.shape) for c in range(roots.shape[2]) if used[c]]


def random_columns(columns: list[Array], samples: int, generator: np.random.Generator) -> list[Array]:
    """Return so many random sums of columns, whose squares are in the mean those of all."""
    if samples >= len(columns):
        return columns
    found: list[Array] = []
    for _ in range(samples):
        total = np.zeros_like(columns[0])
        for column in columns:
            total += column * signs(generator, (len(column), *(1,) * (column.ndim - 1)), column.dtype)
        found.append(total / total.dtype.type(np.sqrt(samples)))
    return found
