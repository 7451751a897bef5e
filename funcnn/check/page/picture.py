"""Where an error sits in a leaf, drawn with characters."""

from __future__ import annotations

import numpy as np

from funcnn.typing import Array

SHADES = " ·░▒▓█"
_ROWS, _COLUMNS = 16, 64


def heat_map(errors: Array) -> str:
    """Return a map of a leaf's errors: the last axis runs to the right, the others down; ``?`` where nothing was examined.

    Shades are logarithmic, one for each factor of ten below the largest error.
    """
    if not errors.size or errors.ndim == 0 or errors.size == 1:
        return ""
    table: Array = errors.reshape(-1, errors.shape[-1])
    table = _shrink(_shrink(table, _ROWS, 0), _COLUMNS, 1)
    largest = np.nanmax(np.where(np.isinf(table), np.nan, table), initial=0)
    return "\n".join("".join(_shade(value, largest) for value in row) for row in table.tolist())


def _shrink(table: Array, most: int, axis: int) -> Array:
    """Return a table with at most so many rows or columns, each the largest of those it stands for."""
    length = table.shape[axis]
    if length <= most:
        return table
    starts = np.linspace(0, length, most, endpoint=False).astype(int)
    filled = np.where(np.isnan(table), -1, table)
    shrunk = np.maximum.reduceat(filled, starts, axis)
    return np.where(shrunk < 0, np.nan, shrunk)


def _shade(value: float, largest: float) -> str:
    if value != value:
        return "?"
    if value == float("inf"):
        return "∞"
    if value <= 0 or largest <= 0:
        return SHADES[0]
    return SHADES[max(1, len(SHADES) - 1 + int(np.floor(np.log10(value / largest) + 1e-9)))]
