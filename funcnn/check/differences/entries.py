"""Samples of single entries of a leaf: each moved alone, by a few steps up and down."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from funcnn.check.case.sampler import Sampler
from funcnn.check.differences.differences import Contraction, Slopes, power_of_two
from funcnn.typing import Array, IntArray

_CHUNK = 1 << 17  # numbers held at a time


def leaf_scale(values: Array) -> float:
    """Return the typical size of a leaf's entries, as a power of two: the unit of its steps (1 for a leaf of zeros)."""
    sizes = np.abs(values[np.isfinite(values) & (values != 0)])
    if not sizes.size:
        return 1.0
    middle = (sizes.size - 1) // 2, sizes.size // 2
    low, high = np.partition(sizes, middle)[list(middle)]  # np.median says the same, at ten times the cost for a few numbers
    return power_of_two(float((low + high) / 2))


def entry_scales(values: Array) -> Array:
    """Return the unit of the step of each entry: its own size, or the leaf's where that is larger; a power of two."""
    sizes = np.where(np.isfinite(values), np.abs(values), 0)
    scales: Array = 2.0 ** np.floor(np.log2(np.maximum(sizes, leaf_scale(values)))).astype(float)
    return scales


def own_scales(values: Array) -> Array:
    """Return the size of each entry as a power of two, and the leaf's for zeros: what a small relative change is measured in."""
    sizes = np.abs(values)
    usable = np.isfinite(values) & (sizes > 0)
    return 2.0 ** np.floor(np.log2(np.where(usable, sizes, leaf_scale(values)))).astype(float)


def entry_slopes(
    sample: Sampler, contraction: Contraction, leaf: int, indices: IntArray, scales: Array, steps: Sequence[float]
) -> Slopes:
    """Return the slopes at the given steps, in units of the scales: (entries, steps)."""
    parts = []
    size = max(1, _CHUNK // max(1, 2 * len(steps) * len(contraction.y)))
    for first in range(0, len(indices), size):
        chosen = indices[first : first + size]
        parts.append(_chunk(sample, contraction, leaf, chosen, scales[chosen], steps))
    if len(parts) == 1:
        return parts[0]
    return Slopes(*(np.concatenate([getattr(part, name) for part in parts]) for name in _NAMES))


_NAMES = ("central", "forward", "backward", "roundoff")


def _chunk(
    sample: Sampler, contraction: Contraction, leaf: int, indices: IntArray, scales: Array, steps: Sequence[float]
) -> Slopes:
    above = np.empty((len(indices), len(steps), len(contraction.y)), contraction.y.dtype)
    below = np.empty_like(above)
    up = np.empty((len(indices), len(steps)), contraction.y.dtype)
    down = np.empty_like(up)
    flat, origin = sample.active[leaf], sample.origin[leaf]
    for row, (index, scale) in enumerate(zip(indices.tolist(), scales.tolist(), strict=True)):
        start = origin[index]
        for column, step in enumerate(steps):
            h = scale * step
            flat[index] = start + h
            up[row, column] = flat[index] - start
            above[row, column] = sample()
            flat[index] = start - h
            down[row, column] = start - flat[index]
            below[row, column] = sample()
        flat[index] = start
    return contraction.slopes(above, below, up, down)


def entry_line(sample: Sampler, leaf: int, index: int) -> Callable[[float], tuple[Array, float]]:
    """Return the function of t that moves one entry: the outputs, and the t that was reached after rounding."""
    flat, start = sample.active[leaf], sample.origin[leaf][index]

    def at(t: float) -> tuple[Array, float]:
        flat[index] = start + sample.result.type(t)
        reached = flat[index] - start
        outputs = sample()
        flat[index] = start
        return outputs, reached

    return at
