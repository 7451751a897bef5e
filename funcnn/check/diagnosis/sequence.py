"""Which axes of the arguments are time: the order matters, and the first step is felt at the last."""

from __future__ import annotations

import numpy as np

from funcnn.check.case.problem import is_floating, output_leaves
from funcnn.check.diagnosis.probe import Probe, RefusalError
from funcnn.typing import Array, IntArray, Shape


def relatives(probe: Probe, spot: int, axis: int) -> tuple[int, ...]:
    """Return the leaves that share an axis with one: those that have an axis of its length in the same place."""
    length = probe.arrays[spot].shape[axis]
    return tuple(other for other, leaf in enumerate(probe.arrays) if leaf.ndim > axis and leaf.shape[axis] == length)


def shorten(probe: Probe, spot: int, axis: int, index: slice) -> tuple[tuple[int, ...], list[Array]] | None:
    """Return arguments with a part of an axis, that of all leaves that share it or that of one, if the function takes them."""
    for group in (relatives(probe, spot, axis), (spot,)):
        arrays = list(probe.arrays)
        for other in group:
            arrays[other] = arrays[other][(slice(None),) * axis + (index,)]
        try:
            output = probe.output(arrays)
        except RefusalError:  # not an axis that can be cut short
            continue
        if _plausible(probe, output, arrays[spot].shape[axis], probe.arrays[spot].shape[axis]):
            return group, arrays
    return None


def _plausible(probe: Probe, output: object, short: int, long: int) -> bool:
    """Tell whether the outputs have their old shapes, but for axes that have become shorter along with the argument."""
    shapes = [leaf.shape for leaf in output_leaves(output) if is_floating(leaf)]
    if len(shapes) != len(probe.shapes):
        return False
    return all(
        len(new) == len(old) and all(n == o or (n == short and o == long) for n, o in zip(new, old, strict=True))
        for new, old in zip(shapes, probe.shapes, strict=True)
    )


def commutes(probe: Probe, group: tuple[int, ...], axis: int) -> bool:
    """Tell whether permuting an axis of some leaves permutes the output, or does nothing to it: the order does not matter."""
    length = probe.arrays[group[0]].shape[axis]
    order = np.roll(np.arange(length), 1)
    arrays = [leaf.take(order, axis) if spot in group else leaf for spot, leaf in enumerate(probe.arrays)]
    try:
        turned = [leaf for leaf in output_leaves(probe.output(arrays)) if is_floating(leaf)]
    except RefusalError:  # a function that refuses the order cares for it
        return False
    plain = [leaf for leaf in output_leaves(probe.evidence.output) if is_floating(leaf)]
    return all(_equivariant(a, b, order) for a, b in zip(turned, plain, strict=True))


def _equivariant(turned: Array, plain: Array, order: IntArray) -> bool:
    scale = np.abs(plain).max(initial=0) * 1e-9 + np.finfo(float).tiny
    if turned.shape != plain.shape:
        return False
    if np.abs(turned - plain).max(initial=0) <= scale:
        return True
    axes = [axis for axis, length in enumerate(plain.shape) if length == len(order)]
    return any(np.abs(turned - plain.take(order, axis)).max(initial=0) <= scale for axis in axes)


def is_sequence(probe: Probe, spot: int, axis: int) -> bool:
    """Tell whether an axis of a leaf is time.

    It can be cut short, its order matters, and its first step reaches the last output.
    """
    leaf = probe.arrays[spot]
    if leaf.ndim <= axis or leaf.shape[axis] < 3 or leaf.dtype.kind != "f":
        return False
    made = shorten(probe, spot, axis, slice(0, leaf.shape[axis] - 1))
    return made is not None and not commutes(probe, made[0], axis) and _remembers(probe, spot, axis)


def _remembers(probe: Probe, spot: int, axis: int) -> bool:
    """Tell whether the two ends of an axis are joined one way.

    The first step reaches the last output and not the other way round.
    """
    length = probe.arrays[spot].shape[axis]
    reach = {}
    for end in (0, length - 1):
        arrays = list(probe.arrays)
        moved = np.array(arrays[spot])
        moved[(slice(None),) * axis + (end,)] *= 1 + 2.0**-8
        arrays[spot] = moved
        change = _change(probe, arrays, length)
        if change is None:
            return False
        reach[end] = change
    first, last = reach[0], reach[length - 1]
    if first.size == 1:  # the output has no such axis: both ends must be felt
        return bool(first[0] and last[0])
    return bool((first[-1] and not last[0]) or (last[0] and not first[-1]))


def _change(probe: Probe, arrays: list[Array], length: int) -> Array | None:
    """Tell at which places of the output's axis of this length the output changes (one place where there is no such axis)."""
    moved = [leaf for leaf in output_leaves(probe.output(arrays)) if is_floating(leaf)]
    plain = [leaf for leaf in output_leaves(probe.evidence.output) if is_floating(leaf)]
    changed = [a != b for a, b in zip(moved, plain, strict=True)]
    if len(changed) == 1 and length in changed[0].shape:
        shape: Shape = changed[0].shape
        axis = shape.index(length) if shape.count(length) == 1 or shape[0] != length else 1
        axis = axis if shape[axis] == length else shape.index(length)
        reached: Array = changed[0].any(tuple(other for other in range(len(shape)) if other != axis))
        return reached
    return np.array([any(one.any() for one in changed)])
