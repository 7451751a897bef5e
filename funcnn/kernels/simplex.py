r"""Thresholds of the maps onto the simplex that give exact zeros: sparsemax and entmax 1.5, of the rows of a matrix.

Both are $y_i = \max(z_i - \tau, 0)^p$, $p = 1$ (sparsemax; Martins & Astudillo 2016, algorithm 1) or $2$ (entmax 1.5; Peters,
Niculae & Martins 2019, algorithm 2), with the $\tau$ for which they sum to 1.  With $z_{(1)} \ge z_{(2)} \ge \dots$ sorted,
$\tau$ follows from the $k$ largest, and $k$ is the largest number for which the smallest of these is still above it:
$$ \tau = \frac1k \Big(\sum_{j \le k} z_{(j)} - 1\Big), \qquad\text{and}\qquad \tau = m_k - \sqrt{\tfrac1k (1 - d_k)}, $$
with the mean $m_k$ of the $k$ largest and the sum $d_k$ of the squares of their deviations from it.
"""

import numpy as np

from funcnn.kernels.arrays import constant, maximum_into
from funcnn.typing import Array


def below_largest(z: Array) -> Array:
    """Return rows with their largest at 0, and nothing under -2: below -1 nothing is in the support."""
    shifted: Array = z - z.max(1, keepdims=True)
    maximum_into(shifted, constant(-2, shifted.dtype))
    return shifted


def sparsemax_threshold(z: Array) -> Array:
    r"""Return $\tau$ (rows, 1) for rows whose largest is 0, so that ``max(z - tau, 0)`` sums to 1."""
    falling: Array = np.sort(z, axis=1)[:, ::-1]
    sums: Array = falling.cumsum(1)
    places = np.arange(1, z.shape[1] + 1)
    k = np.maximum(1, (1 + places * falling.real > sums.real).sum(1, keepdims=True))  # 0 only where there is a NaN
    tau: Array = (np.take_along_axis(sums, k - 1, axis=1) - 1) / k.astype(z.real.dtype)
    return tau


def entmax15_threshold(z: Array) -> Array:
    r"""Return $\tau$ (rows, 1) for rows whose largest is 0, so that ``max(z - tau, 0) ** 2`` sums to 1."""
    falling: Array = np.sort(z, axis=1)[:, ::-1]
    places = np.arange(1, z.shape[1] + 1).astype(z.real.dtype)
    mean = falling.cumsum(1) / places
    deviations = (falling * falling).cumsum(1) - places * mean * mean
    room = 1 - deviations
    taus = mean - np.sqrt(np.where(room.real > 0, room, 0) / places)
    k = np.maximum(1, ((deviations.real <= 1) & (taus.real <= falling.real)).sum(1, keepdims=True))  # 0 where there is a NaN
    return np.take_along_axis(taus, k - 1, axis=1)
