r"""Rounding inside the function, which neither its outputs nor their neighbours betray: seen by a narrower precision.

An output near 0 that is made from intermediates of size 1, as that of $\log(1 + r^2)$ for a residual of $10^{-8}$, stands still
at small steps, and its own size says nothing of its rounding.  The same function in a narrower precision, at the very same
points, differs by the rounding of all intermediates; that of the precision in use is as much smaller as its digits are more.

Where the narrower one has lost the output altogether, the difference is no more than the output itself; points farther away,
where it has not, tell more.  And a difference that is neither rounding nor small is none of digits: the function is another one.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from attrs import frozen

from funcnn.check.case.sampler import LONG, Sampler
from funcnn.check.differences.entries import entry_scales
from funcnn.typing import Array, BoolArray, Scalar

_ORDINARY = 64.0  # roundings of an output that need no cancellation
_LOST = 0.1  # of an output, in the narrower precision
_OTHER = 1e-3  # of the largest output: more than rounding
_FARTHER = 12  # factors of four
_SMALL = 1e-4  # of what an output becomes a step away
_NEARER = (2.0**-12, -(2.0**-9), 2.0**-6, -(2.0**-4))  # steps
_SHRINKS = 100.0  # times that a narrower precision is farther off, where it is for its rounding
_NARROWER: dict[np.dtype[np.floating], np.dtype[np.floating]] = {
    LONG: np.dtype(np.float64),
    np.dtype(np.float64): np.dtype(np.float32),
}


@frozen(eq=False)
class Second:
    """What a narrower precision says of the function."""

    error: Array
    """The rounding error of each output where it is more than that of the output's size, else 0."""
    size: Scalar
    """The largest output at some points, or 0 where no narrower precision could be asked."""
    another: bool = False
    """Whether the function is another one in the narrower precision."""


class Pair:
    """The function in two precisions, at the same points."""

    def __init__(self, sample: Sampler, narrow: Sampler, generator: np.random.Generator) -> None:
        self.sample, self.narrow = sample, narrow
        self.ways = [
            (entry_scales(start) * generator.choice((-1.0, 1.0), start.shape) * generator.integers(16, 32, start.shape) / 32)
            for start in sample.origin
        ]

    def __call__(self, t: float, wobble: np.random.Generator | None = None) -> tuple[Array, Array]:
        """Return the outputs of both, where everything has moved by t; or by a few last digits of the narrower one."""
        sample, narrow = self.sample, self.narrow
        eps = 4 * narrow.eps
        for leaf, way in enumerate(self.ways):
            start = sample.origin[leaf]
            there = start + way * t if wobble is None else start * (1 + eps * wobble.choice((-1.0, 1.0), start.shape))
            narrow.active[leaf][:] = there
            sample.active[leaf][:] = narrow.active[leaf]
        results = sample().copy(), narrow().astype(sample.result)
        for leaf, start in enumerate(sample.origin):
            sample.active[leaf][:] = start
        return results


def narrower(sample: Sampler) -> Sampler | None:
    """Return the function in the next narrower precision, or None where it does not take one."""
    kind = _NARROWER.get(sample.result) if sample.dtype is not None else None
    if kind is None:
        return None
    try:
        narrow = Sampler(sample.problem, kind, fresh=sample.fresh)
    except Exception:  # whatever it has against the precision
        return None
    return narrow if narrow.shapes == sample.shapes and narrow.eps > sample.eps else None


def second_opinion(sample: Sampler, generator: np.random.Generator) -> Second:
    """Return what a narrower precision says, or nothing where the function does not take one."""
    nothing = Second(np.zeros_like(sample.y), sample.result.type(0))
    narrow = narrower(sample)
    if narrow is None:
        return nothing
    pair = Pair(sample, narrow, generator)
    seen = [pair(t) for t in (0.0, 1.0, -1.0)]
    with np.errstate(all="ignore"):
        if _is_another(pair, seen, generator):
            return Second(nothing.error, nothing.size, True)
        error = np.zeros_like(sample.y)
        for wide, other in (*seen, *_nearer(pair, seen)):
            error = np.where(_inside(wide, other, narrow.eps), np.fmax(error, np.abs(wide - other)), error)
        lost = _lost_at_all(seen)
        for power in range(1, _FARTHER + 1):
            if not lost.any():
                break
            wide, other = pair(4.0**power)
            gap = np.abs(wide - other)
            found = lost & ~_lost(wide, other) & np.isfinite(gap)
            error = np.where(found, np.maximum(error, gap), error)
            lost &= ~found & np.isfinite(gap)
    ratio = sample.eps / narrow.eps
    size = max(np.max(np.abs(wide), initial=0, where=np.isfinite(wide)) for wide, _ in seen)
    return Second(error * sample.result.type(ratio), size)


def _inside(wide: Array, other: Array, eps: float) -> BoolArray:
    """Return which outputs of a narrower precision are off by more than rounding makes of numbers of their size."""
    gap = np.abs(wide - other)
    more: BoolArray = np.isfinite(gap) & (gap > _ORDINARY * eps * np.abs(wide))
    return more


def _nearer(pair: Pair, seen: list[tuple[Array, Array]]) -> Iterator[tuple[Array, Array]]:
    """Yield the outputs at shorter steps, as long as some are far larger a step away than here.

    At the point nothing may be left of them that could be rounded, and a step away rounding inside may be little for their size.
    A unit that stands still at the shortest step is dead, and not asked again.
    """
    here, *others = (np.abs(wide) for wide, _ in seen)
    small: BoolArray = here < _SMALL * np.maximum(*others)
    for t in _NEARER:
        if not small.any():
            return
        wide, other = pair(t)
        yield wide, other
        small &= (wide != seen[0][0]) & ~_inside(wide, other, pair.narrow.eps)


def _lost(wide: Array, other: Array) -> BoolArray:
    """Return which outputs a narrower precision has lost: they differ by as much as they are."""
    gone: BoolArray = np.abs(wide - other) >= _LOST * np.abs(wide)
    return gone


def _lost_at_all(seen: list[tuple[Array, Array]]) -> BoolArray:
    """Return which outputs it has lost at all points; where both are 0 at all of them, there was nothing to lose."""
    gone: BoolArray = np.logical_and.reduce([_lost(*one) for one in seen])
    there: BoolArray = np.logical_or.reduce([wide != other for wide, other in seen])
    return np.logical_and(gone, there)


def _is_another(pair: Pair, seen: list[tuple[Array, Array]], generator: np.random.Generator) -> bool:
    """Tell whether the two are not one function: far apart wherever one looks, and not erratically so, as rounding would be."""
    here = _apart(*seen[0])
    if not here.any() or not any(_apart(*one).any() for one in seen[1:]):
        return False
    # Where outputs are larger, rounding is small against them.
    farther = (pair(16.0**power) for power in (1, 4, 7, 10))
    if not all(_apart(*one).any() for one in farther if np.isfinite(one[0] - one[1]).any()):
        return False
    first = seen[0][1] - seen[0][0]
    for _ in range(2):
        wide, other = pair(0.0, generator)
        if not (np.abs(other - wide - first) <= _LOST * np.abs(first))[here].all():
            return False
    return not _shrinks(pair, np.abs(first), here)


def _shrinks(pair: Pair, gap: Array, here: BoolArray) -> bool:
    """Tell whether a third precision, narrower still, is farther off by far: then all of them round one function.

    Where units are saturated to the last digit, rounding does not change with the last digits of the arguments.
    """
    third = narrower(pair.narrow)
    if third is None:
        return False
    off = np.abs(third.y.astype(gap.dtype) - pair.sample.y)
    return bool((off > _SHRINKS * gap)[here & np.isfinite(off)].all())


def _apart(wide: Array, other: Array) -> BoolArray:
    """Return which outputs are farther apart in two precisions than rounding makes them, but for cancellation."""
    gap = np.abs(wide - other)
    far: BoolArray = gap > _OTHER * np.max(np.abs(wide), initial=0, where=np.isfinite(wide))
    return far & np.isfinite(gap)
