"""Every entry of a leaf by central differences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from attrs import frozen

from funcnn.check.differences import Contraction, Slopes, power_of_two
from funcnn.check.sampler import Sampler
from funcnn.typing import Array, IntArray

_CHUNK = 1 << 18  # numbers held at a time


def leaf_scale(values: Array) -> float:
    """Return the typical size of a leaf's entries, as a power of two: the unit of its steps."""
    sizes = np.abs(values[np.isfinite(values) & (values != 0)])
    return power_of_two(float(np.median(sizes))) if sizes.size else 1.0


def entry_scales(values: Array) -> Array:
    """Return the unit of the step of each entry: its own size, or the leaf's where that is larger."""
    unit = leaf_scale(values)
    sizes = np.maximum(np.where(np.isfinite(values), np.abs(values), 0), unit)
    scales: Array = 2.0 ** np.floor(np.log2(sizes)).astype(float)
    return scales


@frozen(eq=False)
class Chunk:
    """The slopes of some entries of a leaf."""

    indices: IntArray
    slopes: Slopes
    above: Array
    below: Array


def entry_slopes(
    sampler: Sampler, contraction: Contraction, leaf: int, indices: IntArray, scales: Array, steps: Sequence[float]
) -> Iterator[Chunk]:
    """Yield the slopes at the given steps (in units of the scales), some entries at a time."""
    outputs = len(contraction.y)
    size = max(1, _CHUNK // max(1, 2 * len(steps) * outputs))
    flat, origin = sampler.active[leaf], sampler.origin[leaf]
    for first in range(0, len(indices), size):
        chosen = indices[first : first + size]
        above = np.empty((len(chosen), len(steps), outputs), contraction.y.dtype)
        below = np.empty_like(above)
        up = np.empty((len(chosen), len(steps)), contraction.y.dtype)
        down = np.empty_like(up)
        for row, index in enumerate(chosen.tolist()):
            start, scale = origin[index], scales[index]
            for column, step in enumerate(steps):
                h = scale * step
                flat[index] = start + h
                up[row, column] = flat[index] - start
                above[row, column] = sampler()
                flat[index] = start - h
                down[row, column] = start - flat[index]
                below[row, column] = sampler()
            flat[index] = start
        yield Chunk(chosen, contraction.slopes(above, below, up, down), above, below)
