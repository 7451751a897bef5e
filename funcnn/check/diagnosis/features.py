"""Values by which a region may be described: the leaf's own, its neighbours', the output's."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from attrs import frozen

from funcnn.check.diagnosis.probe import Probe
from funcnn.check.diagnosis.view import View, output_value
from funcnn.typing import Array, Shape


@frozen(eq=False)
class Feature:
    """A number at every entry of the leaf, or at every output."""

    name: str
    value: Array
    of_output: bool
    cost: float


def features(view: View, probe: Probe) -> Iterator[Feature]:
    """Yield the values of the case that have (or stretch to) the shape of the leaf, then those of the output's shape."""
    own = probe.paths[probe.spot]
    yield from _around(dict(fitting(probe, view.leaf)), own, False)
    if view.full and view.out:
        yield from _around(dict(fitting(probe, view.out)), own, True)


def _around(values: dict[str, Array], own: str, of_output: bool) -> Iterator[Feature]:
    """Yield values, their sizes, and differences and products of pairs."""
    for name, value in values.items():
        first = 0.0 if name == own else 0.3 if np.array_equal(value, np.rint(value)) else 0.1
        yield Feature(name, value, of_output, first)
        yield Feature(f"|{name}|", np.abs(value), of_output, first + 0.1)
    names = list(values)
    for at, one in enumerate(names):
        for other in names[at + 1 :]:
            for sign, joined in (("-", values[one] - values[other]), ("*", values[one] * values[other])):
                yield Feature(f"{one} {sign} {other}", joined, of_output, 0.3)
                yield Feature(f"|{one} {sign} {other}|", np.abs(joined), of_output, 0.4)


def fitting(probe: Probe, shape: Shape) -> Iterator[tuple[str, Array]]:
    for path, leaf in zip(probe.paths, probe.arrays, strict=True):
        if leaf.ndim and leaf.size > 1:
            stretched = _stretch(np.asarray(leaf, np.float64), shape)
            if stretched is not None:
                yield path, stretched
    value = output_value(probe)
    if value.ndim and value.shape == shape:
        yield "the output", value


def _stretch(leaf: Array, shape: Shape) -> Array | None:
    """Return the leaf stretched to a shape: by broadcasting, or with its axes first."""
    for candidate in (leaf, leaf.reshape(leaf.shape + (1,) * (len(shape) - leaf.ndim))):
        if candidate.ndim <= len(shape) and np.isfinite(candidate).all():
            try:
                return np.broadcast_to(candidate, shape)
            except ValueError:
                continue
    return None
