r"""Every entry of a leaf against differences: a few samples settle most of them, the rest is looked at closely.

A first pass takes two or three steps for each entry.  An entry is settled when the gradient agrees with the extrapolation to
within its tight bar.  What is left has, most often, a wrong gradient: clear errors are confirmed on the worst of them.
Everything else (a kink, high curvature, a function that does not move visibly, samples outside its domain) goes to
:mod:`funcnn.check.differences.refine`, entry by entry.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from funcnn.check.case.case import Case
from funcnn.check.differences.differences import richardson
from funcnn.check.differences.entries import entry_line, entry_scales, entry_slopes
from funcnn.check.differences.far import look_from_afar
from funcnn.check.differences.kinks import row_by_row, settle_kinks
from funcnn.check.differences.leaf import Comparison
from funcnn.check.differences.nearby import contradiction
from funcnn.check.differences.neighbours import AGREE, Neighbours, look_around
from funcnn.check.differences.refine import CONFIDENCE, Profile, falling_steps, profile
from funcnn.typing import Array, BoolArray, IntArray, Scalar

_CLOSE_LOOKS = 256  # entries at most
_CONFIRM = 3
_TURNS = 2
_SMALL = 2.0**-10
_BLURRED = 1e-2  # of the widest bar that gives a verdict
_UNKNOWN = object()
UNCHANGED = "the function does not change with this leaf"


def first_steps(eps: float) -> tuple[float, ...]:
    """Return the steps of the first pass, in units of the entries, finest first: two ranges at least ten times apart."""
    if eps < 1e-17:
        return (2.0**-16, 2.0**-12)
    return (2.0**-9, 2.0**-7, 2.0**-5) if eps < 1e-12 else (2.0**-6, 2.0**-4, 2.0**-2)


def compare_entries(case: Case, leaf: int, gradient: Array, indices: IntArray | None = None) -> Comparison:
    """Compare entries of one leaf (all of them unless said) with differences."""
    before = case.sample.count
    scales = entry_scales(case.sample.origin[leaf])
    made = _compare(case, leaf, gradient, indices, scales)
    blurred = made.unsure.any() or _widest(made) > _BLURRED * made.visible
    if blurred and not made.wrong.any() and np.max(scales, initial=0) < _SMALL:
        # The leaf may be small by chance, and the function change on a larger scale: then longer steps see better.
        longer = _compare(case, leaf, gradient, indices, np.ones_like(scales))
        if not longer.unsure.any() and not longer.wrong.any() and (made.unsure.any() or _widest(longer) < _widest(made)):
            made = longer
    made.evaluations = case.sample.count - before
    return made


def _widest(made: Comparison) -> float:
    """Return the widest error bar, relative to the leaf's largest slope."""
    return float(np.max(made.bar, initial=0) / made.scale) if made.scale > 0 else 0.0


def _compare(case: Case, leaf: int, gradient: Array, indices: IntArray | None, scales: Array) -> Comparison:
    """Compare entries with differences whose steps are taken in the given units."""
    made = Comparison(gradient.reshape(-1).astype(case.sample.result), case.slack(gradient), case.visible)
    made.natural = case.natural(leaf)
    chosen = np.arange(gradient.size) if indices is None else indices
    if indices is not None:
        made.method = f"{len(indices)} entries"
    if not case.contraction.y.size:  # an empty batch: there is no output that a sample could move
        still = np.zeros(chosen.size, made.low.dtype)
        made.set(chosen, still, still, still)
        made.note = UNCHANGED
        return made
    endless = np.isinf(case.sample.origin[leaf][chosen])
    if endless.any():  # such an entry has no neighbours; where the function is finite, it has levelled off
        nothing = np.zeros(int(endless.sum()), made.low.dtype)
        made.set(chosen[endless], nothing, nothing, nothing)
        chosen = chosen[~endless]
    if chosen.size:
        suspect = _pass(case, leaf, made, chosen, scales, first_steps(case.resolution))
        suspect |= _otherwise_nearby(case, leaf, made, chosen, scales)
        _second_look(case, leaf, made, chosen, scales, suspect)
    return made


def _otherwise_nearby(case: Case, leaf: int, made: Comparison, chosen: IntArray, scales: Array) -> BoolArray:
    """Tell which entries far smaller than their leaf's scale have another slope on a scale of their own (of 1 for zeros)."""
    sizes = np.abs(case.sample.origin[leaf][chosen])
    own = 2.0 ** np.floor(np.log2(np.where(np.isfinite(sizes) & (sizes > 0), sizes, 1))).astype(float)
    far = own < _SMALL * scales[chosen]
    if far.any():
        units = scales.copy()
        units[chosen[far]] = own[far]
        steps = first_steps(case.resolution)
        slopes = entry_slopes(case.sample, case.contraction, leaf, chosen[far], units, steps)
        value, spread = richardson(slopes.central, steps)
        at = chosen[far]
        far[far] = np.abs(value - made.low[at]) > CONFIDENCE * (1.5 * slopes.roundoff[:, 0] + spread + made.spread[at])
    return far


def differences(case: Case, leaf: int) -> tuple[Array, Array]:
    """Return one leaf's slopes by differences and their error bars, where there is no gradient to compare them with."""
    origin = case.sample.origin[leaf]
    made = Comparison(np.zeros_like(origin), case.slack(origin), 1e-9)
    chosen, scales = np.arange(origin.size), entry_scales(origin)
    if chosen.size:
        first = first_steps(case.resolution)
        suspect = _pass(case, leaf, made, chosen, scales, (first[0], float(np.sqrt(first[0] * first[-1])), first[-1]))
        made.analytic, made.bar = made.low.copy(), made.spread.copy()
        look = _second_look(case, leaf, made, chosen, scales, suspect)
        still = chosen[made.bar[chosen] == 0]
        if still.size:  # nothing moves; what would not be seen?
            hidden = look.hidden(still)
            made.spread[still] = np.maximum(made.spread[still], hidden)
    gap = np.where(made.examined, made.high - made.low, 0)
    return (made.low + made.high) / 2, np.where(made.examined, made.spread + gap / 2, np.inf)


def _pass(
    case: Case, leaf: int, made: Comparison, chosen: IntArray, scales: Array, steps: Sequence[float], *, rescale: bool = True
) -> BoolArray:
    """Sample entries at a few steps and record the extrapolations; return which look like kinks.

    The leaf's scale becomes the largest slope seen, unless the steps are too uncertain to ``rescale`` by.
    """
    slopes = entry_slopes(case.sample, case.contraction, leaf, chosen, scales, steps)
    value, spread = richardson(slopes.central, steps)
    rounding = 1.5 * slopes.roundoff[:, 0]
    if rescale:
        made.scale = max(made.scale, np.max(np.abs(value[np.isfinite(value)]), initial=0))
    # The next term of the error is as much smaller than the spread as the spread is smaller than the slope.
    gain = value.dtype.type((steps[-1] / steps[0]) ** 2 / (1 if len(steps) == 2 else 16))
    next_term = gain * spread * (spread / made.scale) if made.scale > 0 else spread
    made.set(chosen, value, value, rounding + np.minimum(spread, next_term), rounding + spread)
    fine, coarse = (np.abs(slopes.forward[:, at] - slopes.backward[:, at]) for at in (0, -1))
    suspect: BoolArray = (fine > 4 * CONFIDENCE * slopes.roundoff[:, 0]) & (fine > 0.5 * coarse)
    return suspect | ~np.isfinite(value)


def _second_look(case: Case, leaf: int, made: Comparison, chosen: IntArray, scales: Array, suspect: BoolArray) -> Closer:
    """Look closely at what a first pass has left, and return who did."""
    look = Closer(case, leaf, made, scales)
    kinks = chosen[suspect]
    if kinks.size:
        look.closely(settle_kinks(case, leaf, made, kinks, scales))
    left = chosen[~suspect & ~made.right[chosen]]
    if left.size and made.visible_at_all():
        look.settle(left)
    if not made.visible_at_all():
        look.faint(chosen)
    else:
        still = chosen[(made.bar[chosen] == 0) & (made.analytic[chosen] == 0)]
        if still.size:  # an error that rounding inside the function hides would have passed there
            made.floor = max(made.floor, CONFIDENCE * float(look_from_afar(case, leaf, still).hidden / made.scale))
    if contradiction(case, leaf, made, chosen):
        smooth = chosen[~made.kink[chosen]]
        look.closely(smooth[np.argsort(-np.abs(made.analytic[smooth]), kind="stable")])
        missed = contradiction(case, leaf, made, chosen)
        if missed > case.visible * made.scale:
            made.unresolved = True
            made.note = (
                "the function changes within steps as fine as they can be: the slopes of longer ones are not those of the point"
            )
        elif missed:
            made.floor = max(made.floor, CONFIDENCE * float(missed / made.scale))
    return look


def _run_from(step: float) -> tuple[float, float, float]:
    """Return three steps, finest first, from the power of two next to a step."""
    finest = 2.0 ** round(float(np.log2(step)))
    return (finest, 4 * finest, 16 * finest)


class Closer:
    """Close looks at entries of one leaf."""

    def __init__(self, case: Case, leaf: int, made: Comparison, scales: Array) -> None:
        self.case, self.leaf, self.made, self.scales = case, leaf, made, scales
        self.profiles: dict[int, Profile] = {}
        self.neighbours: object = _UNKNOWN

    def profile(self, index: int) -> Profile:
        """Return the profile of one entry."""
        if index not in self.profiles:
            scale = float(self.scales[index])
            size = abs(float(self.case.sample.origin[self.leaf][index]))
            steps = falling_steps(scale, self.case.sample.eps, size)
            line = entry_line(self.case.sample, self.leaf, index)
            self.profiles[index] = profile(line, self.case.contraction, steps, scale)
        return self.profiles[index]

    def closely(self, indices: IntArray) -> None:
        """Replace the recorded differences of entries by those of their profiles."""
        for index in indices[:_CLOSE_LOOKS].tolist():
            self._record(index, self.profile(index))
        if indices.size > _CLOSE_LOOKS:
            self.made.note = f"{indices.size - _CLOSE_LOOKS} entries would have needed a closer look"

    def _record(self, index: int, seen: Profile) -> None:
        """Record what a profile shows of an entry; what makes it wrong is doubted three times."""
        made, at = self.made, np.array([index])
        made.kink[index] = seen.kink
        if seen.kink:
            low, high = sorted((seen.left.value, seen.right.value))
            made.falls[index] = seen.left.value > seen.right.value
            bar = seen.left.bar + seen.right.bar
        else:
            low = high = seen.best.value
            bar = seen.best.bar
        self._set(at, low, high, bar)
        if np.isfinite(low):
            made.scale = max(made.scale, abs(low), abs(high))
            if seen.moved.any() and not seen.kink and np.isfinite(seen.step):
                self.case.suited = _run_from(seen.step / float(self.scales[index]))
        if made.wrong[index] and not seen.kink and np.isfinite(seen.slope.bar):
            # One side may be even at steps that the other side contradicts, while next to the point, where rounding hides it,
            # it bends (a smooth kink, such as sqrt(r^2 + e^2)): "wrong" needs both sides.
            low, high, bar = seen.slope.value, seen.slope.value, seen.slope.bar
            self._set(at, low, high, bar)
        if made.wrong[index]:
            bar += self._hidden(index, seen.moved)
            if not seen.moved.any() or low == high == 0:  # at the steps that count, nothing moves
                bar += look_from_afar(self.case, self.leaf, at).hidden
            self._set(at, low, high, bar)
        if made.wrong[index] and not (seen.slope.at < 0 and not seen.kink):
            self._forgive_at_kinks(index, seen)

    def _forgive_at_kinks(self, index: int, seen: Profile) -> None:
        """Forgive an entry that is one of the slopes at a kink.

        Where several kinks meet, as in relu(min(a, b)) at zero, there need be none along any single entry.
        """
        made = self.made
        tolerance = row_by_row(self.case, self.leaf, index, seen) if seen.kink else 0.0
        if not tolerance and self._among_neighbours(index):
            tolerance = AGREE * self.neighbours.size if isinstance(self.neighbours, Neighbours) else 0.0
        if tolerance:
            made.forgiven[index] = made.kink[index] = True
            made.floor = max(made.floor, float(tolerance / made.scale))

    def _among_neighbours(self, index: int) -> bool:
        """Tell whether an entry is what neighbouring points allow, where several kinks meet."""
        if self.neighbours is _UNKNOWN:
            self.neighbours = look_around(self.case, self.leaf)
        if not isinstance(self.neighbours, Neighbours) or not (self.made.kink[index] or self.neighbours.differ(index)):
            return False
        return self.neighbours.contains(index, self.made.analytic[index])

    def _set(self, at: IntArray, *numbers: Scalar) -> None:
        self.made.set(at, *(np.array([number], self.made.low.dtype) for number in numbers))

    def _hidden(self, index: int, moved: BoolArray) -> Scalar:
        """Return the slope that rounding may hide in outputs that do not move but depend on an entry: they become NaN with it."""
        sample, contraction = self.case.sample, self.case.contraction
        with_nan, _ = entry_line(sample, self.leaf, index)(np.nan)
        depends = ~np.isfinite(with_nan) & ~moved
        errors = contraction.weight * np.where(depends, np.abs(contraction.y) * contraction.eps, 0)
        hidden: Scalar = np.sum(errors)
        return hidden / sample.result.type(self.scales[index])

    def hidden(self, still: IntArray) -> Array:
        """Return the slopes that rounding may hide at entries with which nothing moves, of some of them and seen from afar."""
        nothing = np.zeros(self.case.contraction.y.shape, bool)
        found = np.zeros(still.size, self.made.low.dtype)
        for place, index in enumerate(still[:_CLOSE_LOOKS].tolist()):
            found[place] = self._hidden(index, nothing)
        return found + look_from_afar(self.case, self.leaf, still).hidden

    def settle(self, left: IntArray) -> None:
        """Settle what the first pass has left: confirm clear errors on the worst of them, find better steps for many entries."""
        made = self.made
        clear = left[made.clearly_wrong[left]]
        if clear.size:
            worst = clear[np.argsort(-made.off[clear])][: 1 if self.case.slow else _CONFIRM]
            self.closely(worst)
            if made.wrong[worst].all():
                left = left[~made.clearly_wrong[left]]
            left = left[~made.right[left]]
        left = self.as_elsewhere(left)
        if left.size > 16:
            steps = self.better_steps(left)
            if steps is not None:
                _pass(self.case, self.leaf, made, left, self.scales, steps)
                left = left[~made.right[left]]
        rest = left
        for _ in range(_TURNS if left.size > _TURNS else 0):  # one closely, the others with the steps that it shows
            self.closely(rest[:1])
            rest = self.as_elsewhere(rest[1:])
        self.closely(rest)
        unsure = left[~made.right[left] & ~made.wrong[left]]
        if unsure.size:
            made.motion = self.motion(unsure[:8])

    def better_steps(self, indices: IntArray) -> Sequence[float] | None:
        """Return steps that suit a sample of entries better, in units of the entries, or None."""
        sample = indices[np.linspace(0, indices.size - 1, 5).astype(int)]
        seen = [self.profile(index).step / float(self.scales[index]) for index in sample.tolist()]
        usual = [step for step in seen if np.isfinite(step)]
        if not usual:
            return None
        return _run_from(float(np.median(usual)))

    def as_elsewhere(self, left: IntArray) -> IntArray:
        """Look at entries with the steps that suited the last one that was looked at closely; return which are not right so.

        Such steps may suit these entries or not: so they tell of no kink and of no scale.
        """
        steps = self.case.suited
        if steps is None or not 0 < left.size <= _CLOSE_LOOKS:  # all that does not settle so is looked at closely
            return left
        suspect = _pass(self.case, self.leaf, self.made, left, self.scales, steps, rescale=False)
        return left[suspect | ~self.made.right[left]]

    def motion(self, indices: IntArray) -> Scalar:
        """Return the largest slope that any step sees along some entries."""
        return max(self.profile(index).motion for index in indices.tolist())

    def faint(self, chosen: IntArray) -> None:
        """Judge a leaf without any visible slope by the slopes that larger steps see, if they see any."""
        made, case = self.made, self.case
        made.faint = True
        order = chosen[np.argsort(-np.abs(made.analytic[chosen]), kind="stable")]
        sample = np.unique(np.concatenate([order[:8], order[:: max(1, order.size // 8)][:8]]))
        self.closely(sample)
        if made.visible_at_all():
            self.closely(self.as_elsewhere(np.setdiff1d(chosen, sample)[:_CLOSE_LOOKS]))
            made.faint = False
            return
        if not made.examined[sample].all():
            made.note = "the function has no derivative here that differences can see"
            return
        motion, nothing = self.motion(sample), case.nothing(self.leaf)
        flat = motion == 0 or (motion <= nothing and case.mere_rounding(self.leaf, made.analytic))
        if not flat:
            made.scale = motion
            made.note = "no slope is visible here; errors are measured against the slopes that larger steps see"
            self.closely(chosen[~made.right[chosen]])
            return
        self._flat(chosen, sample, nothing)

    def _flat(self, chosen: IntArray, sample: IntArray, nothing: Scalar) -> None:
        """Judge a leaf with which the function does not change, as far as its arithmetic goes: its gradient is to be zero.

        Or nothing but rounding: ``nothing`` is what counts as none.
        """
        made, case = self.made, self.case
        made.note = UNCHANGED
        still = np.zeros(case.contraction.y.shape, bool)
        hidden = max(self._hidden(index, still) for index in sample.tolist())
        far = look_from_afar(case, self.leaf, chosen)
        hidden = max(hidden, far.hidden)
        # Zero against zero: what is left of a cancellation, by differences and by the formula, each by its own rounding.
        cancels = max(hidden, np.max(made.bar[chosen])) <= nothing and case.mere_rounding(self.leaf, made.analytic)
        if far.motion > 0 and hidden > case.visible * far.motion and not cancels:
            made.scale, made.note = far.motion, "rounding inside the function hides whatever slope there is"
            made.set(chosen, made.low[chosen], made.high[chosen], np.maximum(made.bar[chosen], hidden))
            return
        bars = np.maximum(made.bar[chosen], hidden)
        made.set(chosen, np.zeros_like(bars), np.zeros_like(bars), bars)
        # A slope that its own rounding hides at steps as large as the variable is as good as none.
        made.forgiven[chosen] = np.abs(made.analytic[chosen]) <= hidden
        if cancels:
            rounding = np.maximum(CONFIDENCE * bars, made.slack * made.natural)
            made.forgiven[chosen] |= np.abs(made.analytic[chosen]) <= rounding
            if made.analytic.any():  # of rounding errors nobody can say how large they should be
                made.floor = np.inf
