r"""Biases of the scores by which attention sees positions: constant ones (ALiBi), or a table that is learned (relative).

Indices: $t, u$ step of the query and of the key, of $T$; $\delta = u - t$; $h$ query head of $H$; $m$ row of the table.

Forward.
$$ \beta_{h\delta} = -2^{-8h/H}\,|\delta|,\ h = 1, \ldots, H \quad\text{(ALiBi, Press et al. 2022, arXiv:2108.12409)}, \qquad
   \beta_{h\delta} = B_{c(\delta), h} \quad\text{(relative)}, $$
where $c$ clips the distance to at most $M$ (Shaw et al. 2018, arXiv:1803.02155, eq. 4; a number for each head as in T5,
Raffel et al. 2020, section 2.1): $c(\delta) = \min(\max(\delta, -M), M) + M$, and for causal attention, which sees no
$\delta > 0$, $c(\delta) = \min(\max(-\delta, 0), M)$.

Derivation.  ALiBi's slopes are constants.  The relative bias is linear in the table, so that its cotangent collects from all
distances that are clipped to one row:
$$ \bar B_{mh} = \sum_{\delta : c(\delta) = m} \bar\beta_{h\delta} . $$

In code a bias stands as its diagonals, from $\delta = 1 - T$ to $T - 1$.
"""

import numpy as np
from attrs import frozen

from funcnn.kernels.scatter import scatter_rows
from funcnn.runtime.records import read_only_again
from funcnn.typing import Array, IntArray


@read_only_again
@frozen(eq=False)
class RelativeBias:
    """What is added to the score for each clipped distance and head."""

    table: Array  # (2 M + 1, H), or (M + 1, H) for causal attention


def clipped_distances(steps: int, causal: bool, table_rows: int) -> IntArray:
    """Return the row of the table for each diagonal, from u - t = 1 - T to T - 1."""
    distance = np.arange(1 - steps, steps)
    if causal:
        return (-distance).clip(0, table_rows - 1)
    limit = table_rows // 2
    return distance.clip(-limit, limit) + limit


def relative_bias(position: RelativeBias, steps: int, causal: bool) -> Array:
    """Return the bias of every head and distance, (H, 2 T - 1)."""
    return position.table[clipped_distances(steps, causal, len(position.table))].T


def relative_bias_grad(position: RelativeBias, dbias: Array, steps: int, causal: bool) -> RelativeBias:
    """Return the cotangent of the table, from that of the bias (H, 2 T - 1)."""
    rows = len(position.table)
    return RelativeBias(scatter_rows(clipped_distances(steps, causal, rows), dbias.T, rows))


def alibi_bias(heads: int, steps: int) -> Array:
    """Return the bias of every head and distance, (H, 2 T - 1), in double precision."""
    slopes = 2.0 ** (-8 * np.arange(1, heads + 1) / heads)
    bias: Array = -slopes[:, np.newaxis] * np.abs(np.arange(1 - steps, steps))
    return bias
