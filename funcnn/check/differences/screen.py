r"""Large leaves: random directions see whether anything is wrong, bisection finds where.

Along a direction $u$ the slope of $\langle v, f\rangle$ must be $\langle \bar x, u\rangle$.  An error $e$ of the gradient
changes that by $\langle e, u\rangle$, for Gaussian $u$ a normal number of standard deviation $|e|$ (in units of the entries): it
stays below a bar $\tau$ with probability $0.8\,\tau/|e|$ at most, and $k$ directions all miss it with that to the power $k$.
A direction takes at most twelve evaluations.

When a direction disagrees, its entries are halved again and again, keeping the half that disagrees more, down to one entry.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import attrs
import numpy as np
from attrs import frozen

from funcnn.check.case.case import Case
from funcnn.check.differences.compare import UNCHANGED, compare_entries, first_steps
from funcnn.check.differences.differences import richardson
from funcnn.check.differences.entries import entry_scales, own_scales
from funcnn.check.differences.leaf import Comparison
from funcnn.check.differences.one_sided import one_convention
from funcnn.check.differences.refine import CONFIDENCE
from funcnn.typing import Array, IntArray, Scalar

DIRECTIONS = 4
EVALUATIONS = 12  # along a direction, at most
_TRIES = 12  # directions at most: one that crosses a kink at every step is replaced
_MORE = 8  # directions, where most of them cross a few kinks of many thousands
_ROUGH = 10  # times the usual bar is then good enough: more directions make up for it
_MISS = 1e-9  # the probability with which an error as small as the reported power goes unseen
_SAMPLE = 32  # entries examined beside the one that bisection names
_ATTEMPTS = 3
_FEW = 256  # entries that are all looked at where directions do not settle
_WORK = 2e7  # numbers that looking at all of them may move
_KINKS = 2000  # entries at kinks that are all looked at


@frozen(eq=False)
class Probe:
    """The slope along a direction, and what the gradient under test says it is."""

    direction: Array
    expected: Scalar  # the slope by the gradient under test
    off: Scalar  # how far apart the two are
    bar: Scalar  # the error that the samples suggest
    spread: Scalar  # the error that they certainly have not
    size: Scalar  # the typical slope along such a direction
    rounding: float  # of the gradient under test, relative to the size
    stage: int  # of the steps that settled it

    def agrees(self, visible: float) -> bool:
        """Tell whether the two are the same, with a bar small enough to say so."""
        return bool(abs(self.off) <= self.allowed and self.bar <= visible * self.size)

    def contradicts(self, other: Probe) -> bool:
        """Tell whether the slope is another one by the samples of another probe along the same direction."""
        return bool(abs(self.off - other.off) > CONFIDENCE * (self.spread + other.spread))

    @property
    def allowed(self) -> Scalar:
        """How far apart they may be."""
        return CONFIDENCE * self.bar + self.rounding * self.size

    @property
    def invisible(self) -> bool:
        """Whether both slopes are zero as far as the samples see."""
        return bool(max(abs(self.expected), abs(self.expected - self.off)) <= CONFIDENCE * self.spread)

    @property
    def disagrees(self) -> bool:
        """Whether they are certainly not the same."""
        return bool(abs(self.off) > CONFIDENCE * self.spread + self.rounding * self.size)


def screen(case: Case, leaf: int, gradient: Array) -> Comparison:
    """Compare a leaf with differences along random directions, and find a wrong entry if they disagree."""
    before = case.sample.count
    flat = gradient.reshape(-1).astype(case.sample.result)
    zero = case.sample.origin[leaf] == 0
    made = Comparison(flat, case.slack(gradient), case.visible)
    made.method = f"{DIRECTIONS} directions"
    # Zeros are where kinks are: they get directions of their own, so that they do not spoil those of the rest.
    for number, group in enumerate((np.flatnonzero(~zero), np.flatnonzero(zero))):
        if group.size:
            _screen_group(case, leaf, gradient, made, group, number)
    made.evaluations = case.sample.count - before
    return made


def _screen_group(case: Case, leaf: int, gradient: Array, made: Comparison, group: IntArray, number: int) -> None:
    """Screen some entries of a leaf, and record what is found."""
    generator = case.generator(1000 + 10 * leaf + number)
    origin = case.sample.origin[leaf]
    good: list[Probe] = []
    rough: list[Probe] = []  # those whose bar is ten times too wide
    faint: list[Probe] = []
    first = 0
    scales = entry_scales(origin)
    for count in range(_TRIES):
        if count == 2 and not good and not rough and not faint:
            scales = own_scales(origin)  # moved like the rest, entries far smaller leave the domain, or cross kinks
        direction = np.zeros_like(origin)
        # In sixteenths, so that steps of powers of two are exact.
        direction[group] = np.rint(16 * generator.standard_normal(group.size)) / 16 * scales[group]
        measured = _probe(case, leaf, made.analytic, direction, made.slack, first)
        probe = _past_kinks(case, leaf, gradient, made, measured, group)
        if probe is None:
            return
        if probe.agrees(case.visible):
            good.append(probe)
        elif probe.invisible:
            faint.append(probe)
        elif probe.disagrees:
            if number and group.size > _KINKS and _at_kinks(case, leaf, made, group, scales, generator):
                return
            if not _locate(case, leaf, gradient, made, probe, group):
                made.unresolved = not made.examined[group].all()
                made.note = "random directions disagree with the gradient, but no entry was found that does (many kinks?)"
            return
        elif probe.agrees(_ROUGH * case.visible):
            rough.append(probe)
        if not probe.invisible:
            first = probe.stage  # longer steps cross kinks: not again
        if max(len(good), len(faint)) == DIRECTIONS or len(good) + len(rough) == _MORE:
            break
    if len(good) == DIRECTIONS or len(good) + len(rough) == _MORE:
        _record(made, good if len(good) == DIRECTIONS else good + rough)
    elif len(faint) == DIRECTIONS and _judge_faint(case, leaf, made, faint):
        pass
    elif group.size <= _FEW:
        made.take(compare_entries(case, leaf, gradient, group), group)
    else:
        made.unresolved = True
        made.note = "the slopes along random directions are not precise enough to judge, most likely for many kinks: "
        made.note += 'a smaller batch, or reference="longdouble", sees more'


def _past_kinks(case: Case, leaf: int, gradient: Array, made: Comparison, probe: Probe, group: IntArray) -> Probe | None:
    """Return a probe that disagrees by its finest steps, where longer ones crossed kinks; None where a wrong entry was found."""
    last = len(_stages(case)) - 1
    if not probe.disagrees or probe.agrees(case.visible) or probe.invisible or probe.stage == last:
        return probe
    finer = _probe(case, leaf, made.analytic, probe.direction, made.slack, last)
    # Did it cross a kink at every step?  Then the slopes differ; bars so wide that they hold both slopes say nothing.
    if probe.contradicts(finer) or not finer.agrees(case.visible):
        return finer
    return None if _locate(case, leaf, gradient, made, probe, group) else finer


def _at_kinks(case: Case, leaf: int, made: Comparison, group: IntArray, scales: Array, generator: np.random.Generator) -> bool:
    """Judge entries that all stand at kinks by one-sided slopes along directions; return whether that can be done."""
    found = one_convention(case, leaf, made.analytic, group, scales, generator)
    if found is None:
        return False
    made.kink[group] = made.forgiven[group] = True
    made.convention = str(found)
    made.scale = max(made.scale, found.size)
    made.power = max(made.power or 0.0, 0.8 * float(found.tau / found.size) * (1 / _MISS) ** (1 / DIRECTIONS))
    return True


def _record(made: Comparison, probes: list[Probe], size: Scalar | None = None) -> None:
    """Record that directions agree, and the error that they would have seen."""
    size = max(probe.size for probe in probes) if size is None else size
    tau = float(max(probe.allowed + max(probe.bar, abs(probe.off)) for probe in probes) / size)
    made.method = f"{len(probes)} directions"
    made.scale = max(made.scale, size)
    made.ratio = max(made.ratio, *(float(CONFIDENCE * abs(probe.off) / probe.allowed) for probe in probes))
    made.power = max(made.power or 0.0, 0.8 * tau * (1 / _MISS) ** (1 / len(probes)))


def _judge_faint(case: Case, leaf: int, made: Comparison, probes: list[Probe]) -> bool:
    """Judge directions without a visible slope by the slopes that larger steps see; return whether that can be done."""
    contraction = case.contraction
    motion: Scalar = np.float64(0)
    for probe in probes:
        at = case.sample.along([(leaf, probe.direction)])
        for step in (4.0, 1.0, 0.25):
            change = np.abs(at(step) - contraction.y)
            clear = change > 100 * np.maximum(np.abs(contraction.y) * contraction.eps, contraction.noise)
            seen = np.sum(np.where(clear & np.isfinite(change), change, 0) * contraction.weight) / step
            motion = max(motion, seen)
    moving = np.any([probe.direction != 0 for probe in probes], axis=0)
    # Along a direction the leaf moves by its own scale: there the natural slope is the size of the outputs.
    nothing = 1e-3 * case.visible * (contraction.weight * np.abs(contraction.y)).sum()
    if motion > 0 and not (motion <= nothing and case.mere_rounding(leaf, made.analytic)):
        if not all(probe.bar <= case.visible * motion for probe in probes):
            return False
        made.note = "no slope is visible here; errors are measured against the slopes that larger steps see"
        _record(made, probes, motion)
        return True
    made.note = UNCHANGED
    small = all(probe.bar <= nothing for probe in probes)
    return not made.analytic[moving].any() or (small and case.mere_rounding(leaf, made.analytic))


def _probe(case: Case, leaf: int, flat: Array, direction: Array, rounding: float, first: int = 0) -> Probe:
    """Measure the slope along a direction, in at most twelve evaluations: with steps that become finer until it is settled.

    Long steps cross kinks in a network of thousands of units; ``first`` leaves out those that are known to be too long.
    """
    terms = flat * direction
    expected, size = terms.sum(), np.sqrt((terms * terms).sum())
    at = case.sample.along([(leaf, direction)])
    steps: list[float] = []
    probes: list[Probe] = []  # of each stage; the first stage always has its steps
    central = errors = np.zeros(0, flat.dtype)
    for stage, finer in list(enumerate(_stages(case)))[first:]:
        if 2 * (len(steps) + len(finer)) > EVALUATIONS:
            break
        more, more_errors = _slopes(case, at, finer)
        steps, central, errors = [*finer, *steps], np.concatenate([more, central]), np.concatenate([more_errors, errors])
        if stage == 0:
            extrapolated, rest = richardson(central, finer)
            error = 1.5 * errors[0]
            next_term = 256 * rest * (rest / size) if size > 0 else rest
            off = expected - extrapolated
            probes.append(Probe(direction, expected, off, error + np.minimum(rest, next_term), error + rest, size, rounding, 0))
        else:
            value, bar = _settled(central, errors, np.array(steps))
            probes.append(Probe(direction, expected, expected - value, bar, bar, size, rounding, stage))
        if probes[-1].agrees(case.visible):
            break
    return probes[-1]


def _stages(case: Case) -> list[tuple[float, ...]]:
    """Return the steps of a direction, stage by stage, each finest first; without long double pairs closer together."""
    first = first_steps(case.resolution)
    if len(first) == 2:
        return [first, (2.0**-24, 2.0**-20), (2.0**-32, 2.0**-28)]
    return [first, (2.0**-20, 2.0**-17), (2.0**-23, 2.0**-21)]


def _slopes(case: Case, at: Callable[[float], Array], steps: Sequence[float]) -> tuple[Array, Array]:
    """Return the slopes along a line at some steps, and their rounding errors."""
    above = np.stack([at(step) for step in steps])[None]
    below = np.stack([at(-step) for step in steps])[None]
    reached = np.array([steps], above.dtype)
    slopes = case.contraction.slopes(above, below, reached, reached)
    least = case.contraction.weight @ (np.abs(case.contraction.y) * case.contraction.eps)  # what a step of 1 would hide
    return slopes.central[0], slopes.roundoff[0] + least


def _settled(central: Array, errors: Array, steps: Array) -> tuple[Scalar, Scalar]:
    """Return the best slope that no finer pair of steps contradicts (finest first), and its bar."""
    ratio = (steps[1:] / steps[:-1]).astype(central.dtype) ** 2
    change = (central[:-1] - central[1:]) / (ratio - 1)
    values, bars = central[:-1] + change, np.abs(change) + 1.5 * errors[:-1]
    best = 0
    for index in range(1, len(values)):
        if not abs(values[index] - values[best]) <= CONFIDENCE * (bars[index] + bars[best]):
            break
        if bars[index] < bars[best]:
            best = index
    return values[best], bars[best]


def _locate(case: Case, leaf: int, gradient: Array, made: Comparison, probe: Probe, group: IntArray) -> bool:
    """Find a wrong entry along a direction that disagrees, and examine a sample of the leaf around it; tell whether there is."""
    direction = probe.direction.copy()
    probe = attrs.evolve(probe, direction=direction)
    generator = case.generator(50 + leaf)
    chosen = group[:0]
    for _ in range(_ATTEMPTS):
        seat = _bisect(case, leaf, made.analytic, probe)
        chosen = np.union1d(chosen, seat)
        found = compare_entries(case, leaf, gradient, seat)
        if found.wrong.any():
            chosen = np.union1d(
                chosen, _neighbours(gradient.shape, int(seat[0]), generator, _SAMPLE // 2 if case.slow else _SAMPLE)
            )
            break
        probe.direction[seat] = 0
        probe = _probe(case, leaf, made.analytic, probe.direction, made.slack, probe.stage)
    else:
        if group.size <= min(_KINKS, _WORK / case.numbers):
            chosen = group
    found = compare_entries(case, leaf, gradient, chosen)
    made.take(found, chosen)
    if found.wrong.any():
        made.method = found.method
        probe.direction[made.wrong] = 0
        if _probe(case, leaf, made.analytic, probe.direction, made.slack, probe.stage).agrees(case.visible):
            count = int(made.wrong.sum())
            made.note = f"without {'it' if count == 1 else 'them'}, a random direction agrees: no other entry seems to be wrong"
    return bool(found.wrong.any())


def _bisect(case: Case, leaf: int, flat: Array, probe: Probe) -> IntArray:
    """Return the entry in which the disagreement along a direction has its seat."""
    inside: IntArray = np.flatnonzero(probe.direction)
    whole = probe.off
    while inside.size > 1:
        half = inside[: inside.size // 2]
        part = np.zeros_like(probe.direction)
        part[half] = probe.direction[half]
        off = _probe(case, leaf, flat, part, probe.rounding, probe.stage).off
        if abs(off) >= abs(whole - off) or not np.isfinite(whole):
            inside, whole = half, off
        else:
            inside, whole = inside[inside.size // 2 :], whole - off
    return inside


def _neighbours(shape: tuple[int, ...], seat: int, generator: np.random.Generator, count: int) -> IntArray:
    """Return entries to look at beside a wrong one: some of its row along each axis, and some anywhere."""
    size = math.prod(shape)
    place = np.unravel_index(seat, shape)
    found = [generator.choice(size, min(size, count // 2), replace=False)]
    for axis, length in enumerate(shape):
        along = generator.choice(length, min(length, max(1, count // 2 // len(shape))), replace=False)
        rows = [np.full(along.shape, at) for at in place]
        rows[axis] = along
        found.append(np.ravel_multi_index(tuple(rows), shape))
    return np.unique(np.concatenate(found))
