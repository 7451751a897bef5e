r"""One line at many steps: the slope, the one-sided slopes, and an honest bar for each.

Steps fall from the size of the variable itself by factors of 4.  Each run of three neighbouring steps gives one extrapolation
with its own bar.  Going from the finest steps, where rounding rules, to coarser ones, bars shrink as long as the function is
smooth at that scale; the first run that contradicts the finer ones (a kink, a period that the steps skip) ends the walk.  The
best run before it is taken, and only if another run, with steps at least ten times apart, says the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from attrs import frozen

from funcnn.check.differences.differences import Contraction
from funcnn.check.differences.noise import FEW, POINTS, fourth_differences
from funcnn.typing import Array, BoolArray, Scalar

_NEAR = 4.0**-6  # steps so far below the size of a variable hit no feature of a function by design
_SMOOTH = 1e-2  # of the height of stairs
_MOST = 0.5  # of the samples beyond a dead zone, each of which moves
CONFIDENCE = 10.0
"""How many error bars a difference may have."""


@frozen(eq=False)
class Slope:
    """A slope with its error bar, and the position of the finest step that it rests on (-1 when there is none)."""

    value: Scalar
    bar: Scalar
    at: int = -1


@frozen(eq=False)
class Profile:
    """What the differences along one line say."""

    slope: Slope
    right: Slope
    left: Slope
    right_outputs: Array  # one-sided derivative of each output, NaN where there is none
    left_outputs: Array
    motion: Scalar  # the largest slope, before cancellation over outputs, that any step saw clearly above the noise
    step: float  # the finest step of the slope
    edge: bool  # whether the domain ends here: one side has no finite samples
    moved: BoolArray  # which outputs moved at any step

    @property
    def kink(self) -> bool:
        """Whether the one-sided slopes differ."""
        gap = abs(self.right.value - self.left.value)
        return bool(gap > CONFIDENCE * (self.right.bar + self.left.bar))

    @property
    def best(self) -> Slope:
        """The most precise slope where there is no kink: two-sided, or of one side.

        Next to a kink the side away from it is the more precise one; at the edge of the domain there is only one.
        """
        found = self.slope
        for side in (self.right, self.left):
            agrees = abs(side.value - found.value) <= CONFIDENCE * (side.bar + found.bar)
            if (agrees or (self.edge and not np.isfinite(found.bar))) and side.bar < found.bar:
                found = side
        return found


def profile(
    at: Callable[[float], tuple[Array, float]], contraction: Contraction, steps: Sequence[float], scale: float
) -> Profile:
    """Sample a line at falling steps; ``at(t)`` gives the outputs and the t that was really reached."""
    y = contraction.y
    above, below = (np.repeat(y[None], len(steps), axis=0) for _ in range(2))
    up, down = (np.array(steps, y.dtype) for _ in range(2))
    first = _some(len(steps))
    for rows in (first, [row for row in range(len(steps)) if row not in first]):
        for row in rows:
            above[row], up[row] = at(steps[row])
            below[row], reached = at(-steps[row])
            down[row] = -reached
        if (above == y).all() and (below == y).all():  # flat from the coarsest step to the finest: so it is between them
            break
    good_up, good_down = np.isfinite(above).all(1) & (up > 0), np.isfinite(below).all(1) & (down > 0)
    above, below = np.where(good_up[:, None], above, y), np.where(good_down[:, None], below, y)
    sizes = np.maximum(np.abs(above), np.abs(below)).max(0)
    stairs = _stairs(at, above - y, y - below, up, scale, sizes)
    return _analyse(above, below, up, down, good_up, good_down, contraction, stairs)


def _some(count: int) -> list[int]:
    """Return the steps at which a line is sampled first: the two coarsest, which leave the most dead zones, and every third."""
    return [row for row in range(count) if row < 2 or row % 3 == 0 or row == count - 1]


def _analyse(
    above: Array,
    below: Array,
    up: Array,
    down: Array,
    good_up: BoolArray,
    good_down: BoolArray,
    contraction: Contraction,
    stairs: Array,
) -> Profile:
    """Return the profile of sampled outputs (steps, outputs) at +up and -down, steps falling."""
    y, v, weight = contraction.y, contraction.cotangent, contraction.weight
    moved = (above != y).any(0) | (below != y).any(0)
    level = np.maximum(np.maximum(np.maximum(np.abs(above), np.abs(below)), np.abs(y)) * contraction.eps, contraction.noise)
    level = np.maximum(level, stairs)
    error = np.where(moved | contraction.inside, level, 0) @ weight  # of one contracted evaluation at each step
    both, span, change = good_up & good_down, up + down, above - below
    slope = _settle(np.where(both, (change @ v) / span, np.nan), error, span / 2, 2)
    right = _settle(np.where(good_up, ((above - y) @ v) / up, np.nan), 2 * error, up, 1)
    left = _settle(np.where(good_down, ((y - below) @ v) / down, np.nan), 2 * error, down, 1)
    rise, fall = np.abs(above - y), np.abs(y - below)
    seen = [np.where(one > 100 * level, one, 0) @ weight / by for one, by in ((rise, up), (fall, down))]
    return Profile(
        slope,
        right,
        left,
        _extrapolated(above - y, up, right.at),
        _extrapolated(y - below, down, left.at),
        np.max(np.maximum(np.where(good_up, seen[0], 0), np.where(good_down, seen[1], 0)), initial=0),
        float(up[slope.at]) if slope.at >= 0 else np.nan,
        not (good_up[-3:].all() and good_down[-3:].all()),
        moved,
    )


def _stairs(at: Callable[[float], tuple[Array, float]], rise: Array, fall: Array, up: Array, scale: float, sizes: Array) -> Array:
    """Return the height of the stairs in which each output moves, 0 where it does not.

    An output that stands still at the finest steps, and moves both ways at somewhat larger ones, still far below the size of the
    variable, is rounded to fewer digits somewhere inside.  (At a kink only one side moves.)  Unless it goes on smoothly: then the
    point lies in a dead zone.
    """
    rise, fall, near = np.abs(rise), np.abs(fall), up <= _NEAR * scale
    moves = (rise > 0) | (fall > 0)
    finest = len(moves) - 1 - np.argmax(moves[::-1], axis=0)  # the finest step at which something moves
    outputs, before = np.arange(rise.shape[1]), np.maximum(finest - 1, 0)
    both = (rise[before, outputs] > 0) & (fall[before, outputs] > 0)
    stairs = moves.any(0) & both & (finest < len(moves) - 1) & near[finest]
    height: Array = np.where(stairs, np.maximum(rise[finest, outputs], fall[finest, outputs]), 0)
    # Rounding is small against what an output becomes; a dead zone that ends between two steps is not.
    height = np.where(height < FEW * sizes, height, 0)
    for first in np.unique(finest[height > 0]).tolist():
        for side in (float(up[first]), -float(up[first])):  # a dead zone may end on one side alone
            beyond = np.stack([at(side * (1 + number / (POINTS - 1)))[0] for number in range(POINTS)])
            goes_on = (np.diff(beyond, axis=0) != 0).mean(0) > _MOST  # a level that the points meet alone is smooth, too
            height[(finest == first) & goes_on & (fourth_differences(beyond) <= _SMOOTH * height)] = 0
    return height


def _settle(values: Array, error: Array, steps: Array, power: int) -> Slope:
    """Return the best extrapolation (in the given power of the step) that no finer one contradicts."""
    once = values[1:] + (values[1:] - values[:-1]) / ((steps[:-1] / steps[1:]) ** power - 1)
    twice = once[1:] + (once[1:] - once[:-1]) / ((steps[:-2] / steps[2:]) ** power - 1)
    if _diverges(np.diff(once), 2 * error[2:] / steps[2:]):
        return Slope(np.float64(np.nan), np.float64(np.inf))
    rounding = 2 * np.maximum(error[2:], _scatter(twice, steps[2:])) / steps[2:]
    truncation = _truncation(np.abs(np.diff(once)), np.abs(twice - once[1:]), rounding)
    # The two columns may agree by chance: what the next finer run says counts too, as far as it is more than its rounding.
    finer = np.abs(twice[:-1] - twice[1:]) - 3 * rounding[1:]
    bars = np.append(np.fmax(truncation[:-1], finer), truncation[-1:]) + rounding
    best, kept = -1, []
    for index in range(len(twice) - 1, -1, -1):
        if not np.isfinite(bars[index]):
            continue
        if best >= 0 and abs(twice[index] - twice[best]) > CONFIDENCE * (bars[index] + bars[best]):
            break
        kept.append(index)
        if best < 0 or bars[index] < bars[best]:
            best = index
    if best < 0:
        return Slope(np.float64(np.nan), np.float64(np.inf))
    bar = bars[best] if _confirmed(best, kept, twice, bars) else np.maximum(bars[best], np.abs(twice[best]))
    return Slope(twice[best], bar, best + 2)


def _diverges(jumps: Array, rounding: Array) -> bool:
    """Tell whether the finest slopes still drift, all the same way and hardly slower: there is no limit (x log x at 0)."""
    last, noise = jumps[-6:], rounding[-6:]
    if not (np.isfinite(last).all() and (np.abs(last) > CONFIDENCE * noise).all()):
        return False
    return bool((last > 0).all() or (last < 0).all()) and bool((last[1:] / last[:-1] > 0.6).all())


def _truncation(jumps: Array, spread: Array, rounding: Array) -> Array:
    """Return what is left of the truncation error: the spread or, where convergence is slow, the rest of the series."""
    before = np.concatenate([[np.inf], jumps[:-1]]).astype(jumps.dtype)
    rate = np.where(jumps > CONFIDENCE * rounding, jumps / before, 0)
    slow = np.where(rate < 0.9, jumps * rate / (1 - np.minimum(rate, 0.9)), np.inf)
    left: Array = np.maximum(spread, slow)
    return left


def _scatter(values: Array, steps: Array) -> Scalar:
    """Return the rounding error of one contraction as the finest steps show it: the median of jump times step."""
    jumps = np.abs(np.diff(values)) * steps[1:]
    jumps = jumps[np.isfinite(jumps)][-3:]
    return np.median(jumps) if jumps.size else values.dtype.type(0)


def _confirmed(best: int, kept: list[int], values: Array, bars: Array) -> bool:
    """Tell whether steps at least ten times apart agree: one range of steps alone may skip whole periods."""
    visible = abs(values[best]) > CONFIDENCE * bars[best]
    others = [index for index in kept if abs(index - best) >= 2]
    return any(not visible or bars[index] <= 0.1 * abs(values[best]) for index in others)


def _extrapolated(change: Array, reached: Array, at: int) -> Array:
    """Return the one-sided derivative of each output from the run of steps ending at a position."""
    if at < 2:
        return np.full(change.shape[1], np.nan, change.dtype)
    fine, middle, coarse = (change[at - back] / reached[at - back] for back in range(3))
    one, other = fine + (fine - middle) / 3, middle + (middle - coarse) / 3
    vector: Array = one + (one - other) / 15
    return vector


def falling_steps(scale: float, eps: float, size: float = 0.0) -> list[float]:
    """Return the steps for an entry: from beyond its scale down by factors of 4, to where rounding drowns every slope.

    An entry far smaller than its neighbours may have a kink, or the edge of the domain, as near as its own size: then they go
    below that.
    """
    count = (26 if eps < 1e-17 else 20) if eps < 1e-12 else 9
    if size == 0 and eps < 1e-12:
        count = 26
    elif size < scale:
        count = max(count, math.ceil(math.log(scale / size, 4)) + (10 if eps < 1e-17 else 6))
    return [scale * 4.0**-power for power in range(-1, count + 1)]
