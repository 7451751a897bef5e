"""What the axes of a leaf are: batch, time, space or channels, as far as the function's Jacobian and the other arguments tell."""

from __future__ import annotations

import numpy as np

from funcnn.check.diagnosis.probe import Probe
from funcnn.check.diagnosis.sequence import is_sequence
from funcnn.check.diagnosis.view import View
from funcnn.typing import Array, BoolArray


def slice_name(axis: int, chosen: list[int], view: View, probe: Probe) -> tuple[str, str]:
    """Return what some slices along an axis of the leaf are called, and the tag of a mistake in them."""
    length = view.leaf[axis]
    if is_sequence(probe, probe.spot, axis):
        return "time step", "time"
    if all(min(index, length - 1 - index) < 2 for index in chosen) and length > 4 and local(view, axis):
        return "border slice", "border"
    if axis in channel_axes(view, probe):
        return "channel", "channel"
    if len(view.leaf) == 2:
        return ("row", "column")[axis], "row_or_column"
    return "slice", "row_or_column"


def channel_axes(view: View, probe: Probe) -> tuple[int, ...]:
    """Return the axes that are channels.

    In an array with a batch the likelier of the second and the last, in a kernel all but the local.
    """
    ndim = len(view.leaf)
    if ndim < 3:
        return ()
    if not (view.out and view.leaf[0] == view.out[0] and diagonal(view.numeric, 0, len(view.out))):
        return tuple(axis for axis in range(ndim) if not local(view, axis))
    return (max((1, ndim - 1), key=lambda axis: (_likeness(view, probe, axis), axis)),)


def _likeness(view: View, probe: Probe, axis: int) -> int:
    """Return how much an axis looks like channels: parameters have one entry for each, and it has no neighbourhood."""
    length = view.leaf[axis]
    others = [leaf.shape for spot, leaf in enumerate(probe.arrays) if spot != probe.spot]
    parameters = 2 * any(shape == (length,) for shape in others) + 2 * any(length in shape for shape in others)
    # Places of space are treated alike: the channels are the axis that is not, of the two outer ones.
    inner = [other for other in range(2, len(view.leaf) - 1) if view.leaf[other] > 1]
    unlike = _alone(view, axis) != _alone(view, inner[0]) if inner else _alone(view, axis)
    return parameters + unlike - 9 * local(view, axis)


def _alone(view: View, axis: int) -> bool:
    """Tell whether the function keeps the places along an axis apart."""
    stays = axis < len(view.out) and view.out[axis] == view.leaf[axis]
    return stays and diagonal(view.numeric, axis, len(view.out) + axis)


def spatial_axes(view: View) -> list[int]:
    """Return the axes of the leaf that may have a border.

    Not the batch, and not the channels, of an array with three axes or more.
    """
    ndim = len(view.leaf)
    long = [axis for axis in range(ndim) if view.leaf[axis] > 2]
    return [axis for axis in long if ndim < 3 or 0 < axis < ndim - 1 or local(view, axis)]


def local(view: View, axis: int) -> bool:
    """Tell whether the function looks at a few neighbours along an axis of the leaf: an axis of space."""
    q = len(view.out) + axis
    return any(_banded(view.numeric, p, q) for p in range(len(view.out)))


def _banded(table: Array, p: int, q: int) -> bool:
    """Tell whether the places that count move with the output, several at a time but not all.

    Groups that keep to themselves do not move.
    """
    pairs = _pairs(table, p, q)
    places = [np.flatnonzero(row) for row in pairs if row.any()]
    reach = max((int(np.ptp(place)) + 1 for place in places), default=0)
    starts, ends = [int(place[0]) for place in places], [int(place[-1]) for place in places]
    if len(set(starts)) < 2 or starts != sorted(starts) or ends != sorted(ends) or not 1 < reach < pairs.shape[1]:
        return False
    groups = {tuple(place.tolist()) for place in places}
    return pairs.shape[0] != pairs.shape[1] or sum(map(len, groups)) > len(set().union(*groups))


def diagonal(table: Array, p: int, q: int) -> bool:
    """Tell whether entries are zero wherever their indices along two axes differ."""
    pairs = _pairs(table, p, q)
    return bool(pairs.any()) and not (pairs & ~np.eye(*pairs.shape, dtype=np.bool_)).any()


def _pairs(table: Array, p: int, q: int) -> BoolArray:
    """Return at which pairs of indices along two axes anything is."""
    others = tuple(one for one in range(table.ndim) if one not in (p, q))
    found: BoolArray = np.asarray((table != 0).any(others))
    return found
