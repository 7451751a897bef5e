r"""Columns of mean 0 and variance 1, where rows may count more than once.

With weights $w_i$ the mean is $\mu = \sum_i w_i x_i / \sum_i w_i$ and the variance $\sigma^2 = \sum_i w_i (x_i - \mu)^2 / \sum_i
w_i$: a row of weight 2 equals the same row twice.
"""

from __future__ import annotations

import numpy as np

from funcnn.data.scaling import Standardize, fit_standardize
from funcnn.tree import freeze
from funcnn.typing import Array


def standardization(x: Array, weight: Array | None) -> Standardize:
    """Fit the standardization of the columns of x, (n, ...), with weights (n,) or without."""
    if weight is None:
        return fit_standardize(x)
    share = (weight / weight.sum()).astype(np.float64)
    low, high = x.min(0), x.max(0)
    mean = np.where(low == high, low, np.tensordot(share, x, 1)).astype(x.dtype)
    spread = np.maximum(high - mean, mean - low).astype(np.float64)
    unit = np.where(spread == 0, 1, spread)  # in which no square overflows
    scale = np.sqrt(np.tensordot(share, np.square((x - mean) / unit), 1)) * unit
    scale = np.where((low == high) | (scale == 0), 1, scale).astype(x.dtype)
    return freeze(Standardize(mean, np.zeros_like(mean), scale))
