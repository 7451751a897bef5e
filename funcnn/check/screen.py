r"""Large leaves: random directions see whether anything is wrong, bisection finds where.

Along a direction $u$ the slope of $\langle v, f\rangle$ must be $\langle \bar x, u\rangle$.  An error $e$ of the gradient
changes that by $\langle e, u\rangle$, for Gaussian $u$ a normal number of standard deviation $|e|$ (in units of the entries): it
stays below a bar $\tau$ with probability $0.8\,\tau/|e|$ at most, and $k$ directions all miss it with that to the power $k$.
A direction takes at most twelve evaluations.

When a direction disagrees, its entries are halved again and again, keeping the half that disagrees more, down to one entry.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from attrs import frozen

from funcnn.check.case import Case
from funcnn.check.compare import compare_entries, first_steps
from funcnn.check.differences import richardson
from funcnn.check.entries import entry_scales
from funcnn.check.leaf import Comparison
from funcnn.check.refine import CONFIDENCE, analyse
from funcnn.typing import Array, IntArray, Scalar

DIRECTIONS = 4
_MISS = 1e-9  # the probability with which an error as small as the reported power goes unseen
_SAMPLE = 48  # entries examined beside the one that bisection names
_ATTEMPTS = 3


@frozen(eq=False)
class Probe:
    """The slope along a direction, and what the gradient under test says it is."""

    expected: Scalar
    value: Scalar
    bar: Scalar
    size: Scalar  # the typical slope along such a direction
    kink: bool

    @property
    def off(self) -> Scalar:
        """How far the gradient is off along the direction."""
        return self.expected - self.value


def screen(case: Case, leaf: int, gradient: Array) -> Comparison:
    """Compare a leaf with differences along random directions, and find a wrong entry if they disagree."""
    before = case.sample.count
    flat = gradient.reshape(-1).astype(case.sample.result)
    scales = entry_scales(case.sample.origin[leaf])
    slack = case.slack(gradient)
    directions = [_direction(case, leaf, scales, number) for number in range(DIRECTIONS)]
    probes = [_probe(case, leaf, flat, direction, slack) for direction in directions]
    size = max(max(abs(probe.value), probe.size) if np.isfinite(probe.value) else probe.size for probe in probes)
    wide = any(not probe.bar <= case.visible * size for probe in probes)
    bad = [index for index, probe in enumerate(probes) if not abs(probe.off) <= _allowed(probe, slack)]
    still = size == 0 and not bad
    if (bad or wide) and not still:
        made = _locate(case, leaf, gradient, flat, [directions[index] for index in bad or [0]], slack)
        made.unresolved = not made.wrong.any()
    else:
        made = Comparison(flat, slack, case.visible)
        made.note = "the function does not change with this leaf" if still else ""
    if not made.wrong.any():
        made.method = f"{DIRECTIONS} directions"
    if size > 0 and not bad:
        made.scale = size
        made.power = float(0.8 * max(_allowed(probe, slack) for probe in probes) / size) * (1 / _MISS) ** (1 / DIRECTIONS)
    made.evaluations = case.sample.count - before
    return made


def _allowed(probe: Probe, slack: float) -> Scalar:
    return CONFIDENCE * probe.bar + slack * probe.size


def _direction(case: Case, leaf: int, scales: Array, number: int) -> Array:
    """Return a Gaussian direction in units of the entries, in sixteenths: steps of powers of two along it are exact."""
    generator = case.generator(100 + 10 * leaf + number)
    return (np.rint(16 * generator.standard_normal(scales.shape)) / 16 * scales).astype(case.sample.result)


def _probe(case: Case, leaf: int, flat: Array, direction: Array, slack: float) -> Probe:
    """Measure the slope along a direction, in at most twelve evaluations."""
    terms = flat * direction
    expected, size = terms.sum(), np.sqrt((terms * terms).sum())
    first = first_steps(case.resolution)
    more = [(2.0**-24, 2.0**-20), (2.0**-32, 2.0**-28)] if len(first) == 2 else [(2.0**-22, 2.0**-18, 2.0**-14)]
    at = case.sample.along([(leaf, direction)])
    samples: dict[float, tuple[Array, Array]] = {}

    def sample(steps: Sequence[float]) -> None:
        for step in steps:
            above = at(step).copy()
            samples[step] = above, at(-step).copy()

    sample(first)
    above, below = (np.stack([samples[step][side] for step in first])[None] for side in (0, 1))
    steps = np.array([first], above.dtype)
    slopes = case.contraction.slopes(above, below, steps, steps)
    value, spread = richardson(slopes.central, first)
    rounding = 1.5 * slopes.roundoff[0, 0]
    bar = rounding + min(spread[0], 256 * spread[0] ** 2 / size) if size > 0 else rounding + spread[0]
    probe = Probe(expected, value[0], bar, size, False)
    if abs(probe.off) <= _allowed(probe, slack) and bar <= case.visible * size:
        return probe
    for steps_more in more:
        sample(steps_more)
        falling = sorted(samples, reverse=True)
        above, below = (np.stack([samples[step][side] for step in falling]) for side in (0, 1))
        reached = np.array(falling, above.dtype)
        seen = analyse(above, below, reached, reached, case.contraction)
        if np.isfinite(seen.slope.bar):
            probe = Probe(expected, seen.slope.value, seen.slope.bar, size, seen.kink)
            if abs(probe.off) <= _allowed(probe, slack) and probe.bar <= case.visible * size:
                break
    return probe


def _locate(case: Case, leaf: int, gradient: Array, flat: Array, directions: list[Array], slack: float) -> Comparison:
    """Find a wrong entry along directions that disagree, and examine a sample of the leaf around it."""
    generator = case.generator(50 + leaf)
    excluded = np.zeros(flat.size, bool)
    for attempt in range(_ATTEMPTS):
        direction = np.where(excluded, 0, directions[attempt % len(directions)])
        suspects = _bisect(case, leaf, flat, direction, slack)
        made = compare_entries(case, leaf, gradient, suspects)
        if made.wrong.any():
            break
        excluded[suspects] = True
    chosen = np.union1d(suspects, _neighbours(gradient.shape, int(suspects[0]), generator))
    return compare_entries(case, leaf, gradient, chosen)


def _bisect(case: Case, leaf: int, flat: Array, direction: Array, slack: float) -> IntArray:
    """Return the entry (or the few) in which the disagreement along a direction has its seat."""
    inside = np.flatnonzero(direction)
    if not inside.size:
        return np.array([0])
    whole = _probe(case, leaf, flat, direction, slack).off
    while inside.size > 1:
        half = inside[: inside.size // 2]
        part = np.zeros_like(direction)
        part[half] = direction[half]
        off = _probe(case, leaf, flat, part, slack).off
        if abs(off) >= abs(whole - off) or not np.isfinite(whole):
            inside, whole = half, off
        else:
            inside, whole = inside[inside.size // 2 :], whole - off
    return inside


def _neighbours(shape: tuple[int, ...], seat: int, generator: np.random.Generator) -> IntArray:
    """Return entries to look at beside a wrong one: some of its row along each axis, and some anywhere."""
    size = math.prod(shape)
    place = np.unravel_index(seat, shape)
    found = [generator.choice(size, min(size, _SAMPLE // 2), replace=False)]
    for axis, length in enumerate(shape):
        along = generator.choice(length, min(length, _SAMPLE // 2 // len(shape)), replace=False)
        rows = [np.full(along.shape, at) for at in place]
        rows[axis] = along
        found.append(np.ravel_multi_index(tuple(rows), shape))
    return np.unique(np.concatenate(found))
