"""A smaller case with the same mistake: long axes are cut short, wherever they occur, as long as the gradient stays wrong."""

from __future__ import annotations

import attrs
import numpy as np

from funcnn import tree
from funcnn.check.case.cotangents import build
from funcnn.check.case.problem import is_floating, output_leaves
from funcnn.check.diagnosis.probe import Probe
from funcnn.check.differences.evidence import LeafEvidence
from funcnn.typing import Array

_WRONG = 1e-6  # relative difference of a directional derivative
_ROUNDS = 3
_SHORT = (3, 4, 5, 6, 8)  # lengths to cut to: different ones, so that no two axes become alike


def reduced(probe: Probe) -> Probe | None:
    """Return the case with its long axes cut, or None when nothing can be cut without losing the mistake."""
    small = probe
    for _ in range(_ROUNDS):  # a kernel may have to be cut before its picture can be
        before = small
        for length in sorted({length for leaf in small.arrays for length in leaf.shape if length > _SHORT[0]}, reverse=True):
            taken = {size for leaf in small.arrays for size in leaf.shape}
            targets = (target for target in _SHORT if target < length and target not in taken)
            cuts = (_cut(small, list(small.arrays), length, target) for target in targets)
            small = next((made for made in cuts if made is not None), small)
        if small is before:
            break
    return None if small is probe else small


def _cut(probe: Probe, arrays: list[Array], length: int, target: int) -> Probe | None:
    """Return the case with all axes of one length cut, or all of them in one place, if it is still wrong."""
    places = {axis for leaf in arrays for axis, size in enumerate(leaf.shape) if size == length}
    for chosen in (places, *({place} for place in sorted(places) if len(places) > 1)):
        cut = []
        for leaf in arrays:
            index = tuple(
                slice(target) if size == length and axis in chosen else slice(None) for axis, size in enumerate(leaf.shape)
            )
            cut.append(np.array(leaf[index]))
        made = _case(probe, cut)
        if made is not None and _still_wrong(made):
            return made
    return None


def _case(probe: Probe, arrays: list[Array]) -> Probe | None:
    """Return a probe of the case with other arguments, or None when the function does not take them."""
    evidence = probe.evidence
    leaves = iter(arrays)
    args = tuple(tree.rebuild(arg, leaves) for arg in evidence.args)
    try:
        output = evidence.function(*args)
        made = [leaf for leaf in output_leaves(output) if is_floating(leaf)]
        size = sum(leaf.size for leaf in made)
        cotangent = probe.normal(60, size)
        blank = attrs.evolve(
            evidence,
            args=args,
            output=output,
            cotangent=build(output, cotangent, probe.dtype),
            leaves=tuple(_leaf(one, arrays[spot]) for one, spot in zip(evidence.leaves, probe.spots, strict=True)),
        )
        small = Probe(blank)
        pulled = small.pull(small.arrays, cotangent)
    except Exception:  # whatever the function or its gradient says of other shapes
        return None
    whole = len(made) == len(probe.shapes) and all(
        len(leaf.shape) == len(shape) for leaf, shape in zip(made, probe.shapes, strict=True)
    )
    if pulled is None or not whole or not np.isfinite(pulled).all():
        return None
    return small


def _leaf(one: LeafEvidence, value: Array) -> LeafEvidence:
    """Return what is known of a cut leaf: nothing but its value, and the same precision."""
    nothing, never = np.full(value.shape, np.nan, value.dtype), np.zeros(value.shape, bool)
    return LeafEvidence(one.path, value, nothing, nothing, nothing, never, never)


def _still_wrong(probe: Probe) -> bool:
    """Tell whether a directional derivative of the wrong leaf is wrong."""
    for stream in range(2):
        cotangent, direction = probe.normal(61 + stream, probe.rows), probe.normal(63 + stream, *probe.arrays[probe.spot].shape)
        pulled = probe.pull(probe.arrays, cotangent)
        if pulled is None:
            return False
        numeric = probe.slope(probe.arrays, probe.spot, direction, cotangent)
        ours = float(pulled @ direction.reshape(-1))
        if abs(ours - numeric) > _WRONG * max(abs(ours), abs(numeric)):
            return True
    return False
