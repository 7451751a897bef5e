"""Whether the numbers of a tree are finite, and where they are not."""

from __future__ import annotations

import math

import numpy as np

from funcnn import tree
from funcnn.typing import Array


def floats(values: object) -> list[Array]:
    """Return the floating arrays of a tree; what is not a tree (a cotangent that was not asked for, None) has none."""
    try:
        return [leaf for leaf in tree.leaves(values) if leaf.dtype.kind in "fc"]
    except TypeError:
        return [leaf for value in values for leaf in floats(value)] if isinstance(values, tuple) else []


def is_finite(values: object) -> bool:
    """Tell whether all numbers of a tree are finite."""
    return all(math.isfinite(leaf.sum()) or np.isfinite(leaf).all() for leaf in floats(values))  # a sum alone may overflow


def first_not_finite(values: object) -> str | None:
    """Return the path of the first leaf with a number that is not finite."""
    for path, leaf in tree.walk(values):
        if not is_finite(leaf):
            return path
    return None


def worst(values: object) -> str:
    """Return what the first bad number is."""
    for leaf in floats(values):
        bad = leaf[~np.isfinite(leaf)]
        if bad.size:
            return "NaN" if np.isnan(bad).any() else "infinity"
    return "finite numbers"
