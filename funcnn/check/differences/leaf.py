"""The comparison of one leaf, while it is being made, and its verdict."""

from __future__ import annotations

import numpy as np

from funcnn.check.differences.refine import CONFIDENCE
from funcnn.check.records import LeafReport, Verdict
from funcnn.typing import Array, BoolArray, IntArray, Scalar


class Comparison:
    """One raveled leaf: the gradient under test against differences, entry by entry.

    ``low`` and ``high`` are what the differences accept: the same number but at a kink.  An entry that was not examined has NaN
    there, and an infinite bar.
    """

    def __init__(self, analytic: Array, slack: float, visible: float) -> None:
        size, dtype = analytic.size, analytic.dtype
        self.analytic = analytic
        self.slack = slack  # rounding of the gradient under test, relative to the leaf's scale
        self.visible = visible  # the widest bar, relative to the leaf's scale, that gives a verdict
        self.scale: Scalar = dtype.type(0)  # the largest slope
        self.natural: Scalar = dtype.type(0)  # the slope with which the outputs would change by as much as they are
        self.motion: Scalar = dtype.type(0)  # the largest slope that larger steps see, where that was needed
        self.low, self.high = np.full(size, np.nan, dtype), np.full(size, np.nan, dtype)
        self.bar = np.full(size, np.inf, dtype)  # the error that the samples suggest
        self.spread = np.full(size, np.inf, dtype)  # the error that they certainly have not: needed to say "wrong"
        self.kink = np.zeros(size, bool)
        self.falls = np.zeros(size, bool)  # at a kink: whether the left derivative is the larger one
        self.forgiven = np.zeros(size, bool)  # accepted for a reason of its own, such as a convention at each output
        self.rounded = np.zeros(size, bool)  # accepted because the gradient's own rounding explains the difference
        self.erratic = np.zeros(size, bool)  # wrong, by errors that change from point to point
        self.faint = False  # no slope is visible: what would have been seen is told relative to the gradient itself
        self.tied = ""  # what is wrong with entries that are right, each by itself
        self.floor = 0.0  # of the power: an error that would be accepted for another reason than the bars
        self.rounding = 0.0  # of the result in its own precision: what was let pass, relative to the largest entry
        self.method = "every entry"
        self.note = ""
        self.convention = ""  # at kinks that were judged together
        self.power: float | None = None  # where it does not follow from the bars
        self.ratio = 0.0  # of the directions: the largest difference over its bar
        self.evaluations = 0
        self.unresolved = False  # directions disagree, and no entry was found that does

    def set(self, indices: IntArray, low: Array, high: Array, bar: Array, spread: Array | None = None) -> None:
        """Record the differences of some entries."""
        good = np.isfinite(low) & np.isfinite(high)
        self.low[indices], self.high[indices] = low, high
        self.bar[indices] = np.where(good, bar, np.inf)
        self.spread[indices] = np.where(good, bar if spread is None else spread, np.inf)

    def take(self, other: Comparison, indices: IntArray) -> None:
        """Take over what another comparison of the same leaf found about some entries."""
        for name in ("low", "high", "bar", "spread", "kink", "falls", "forgiven"):
            getattr(self, name)[indices] = getattr(other, name)[indices]
        self.scale = max(self.scale, other.scale)

    @property
    def examined(self) -> BoolArray:
        """Which entries have been compared."""
        return np.isfinite(self.bar)

    @property
    def off(self) -> Array:
        """How far the gradient is from what is accepted (NaN where it was not compared, or is not finite)."""
        distance: Array = np.maximum(np.maximum(self.low - self.analytic, self.analytic - self.high), 0)
        return np.where(self.forgiven, 0, distance)

    @property
    def allowed(self) -> Array:
        """How far it may be."""
        return CONFIDENCE * self.bar + self.slack * self.scale

    @property
    def wrong(self) -> BoolArray:
        """Which entries are certainly wrong."""
        bad: BoolArray = ~np.isfinite(self.analytic) & self.examined
        return bad | (self.examined & (self.off > CONFIDENCE * self.spread + self.slack * self.scale))

    @property
    def right(self) -> BoolArray:
        """Which entries are right, with a bar small enough to say so."""
        clear = self.bar <= self.visible * self.scale
        clear |= self.bar <= min(100 * self.visible * self.scale, 1e-3 * self.visible * self.natural)
        # Where units are saturated and larger steps see far larger slopes: three digits will do, or no visible slope at all.
        faint = np.maximum(np.maximum(np.abs(self.low), np.abs(self.high)), np.abs(self.analytic)) <= CONFIDENCE * self.bar
        clear |= (self.bar <= self.visible * self.motion) & (faint | (self.bar <= 1e-3 * self.scale))
        close: BoolArray = (self.off <= self.allowed) & clear
        still: BoolArray = (self.bar == 0) & (self.off == 0)  # nothing moves and the gradient says so: no scale is needed
        return self.forgiven | close | still

    @property
    def clearly_wrong(self) -> BoolArray:
        """Which entries are so far off that a few samples suffice to say so, almost."""
        clear: BoolArray = self.wrong & (self.spread <= 1e-3 * self.scale)
        return clear

    @property
    def unsure(self) -> BoolArray:
        """Which entries are neither right nor wrong, of those examined or to be examined."""
        neither: BoolArray = ~self.right & ~self.wrong
        return neither if self.method == "every entry" else neither & self.examined

    def visible_at_all(self) -> bool:
        """Tell whether any slope stands out of its bar."""
        largest = np.maximum(np.abs(self.low), np.abs(self.high))
        return bool((largest > CONFIDENCE * self.bar)[self.examined].any())

    @property
    def numeric(self) -> Array:
        """The nearest value that is accepted: the slope itself but at a kink."""
        middle: Array = np.clip(np.where(np.isfinite(self.analytic), self.analytic, self.low), self.low, self.high)
        return np.where(self.kink & ~self.wrong, middle, np.where(self.kink, (self.low + self.high) / 2, self.low))

    @property
    def verdict(self) -> Verdict:
        """The verdict on the leaf."""
        if self.wrong.any():
            return "fail"
        if self.unsure.any() or self.unresolved:
            return "inconclusive"
        return "kink-ok" if self.kink.any() else "pass"

    def report(self, path: str, shape: tuple[int, ...], dtype: str, name: str) -> LeafReport:
        """Return the line of the report."""
        examined = self.examined & np.isfinite(self.bar)
        tiny = np.finfo(self.bar.dtype).tiny
        ratio = (self.off / np.maximum(self.allowed / CONFIDENCE, tiny))[examined]
        bars = self.bar[examined]
        scale = max(self.scale, tiny)
        size = np.max(np.abs(self.analytic)) if self.faint and self.analytic.any() else scale
        # A difference may be off to the other side, by its bar or by as much as it is off here where that passes: more is seen.
        seen = self.allowed + np.fmax(self.bar, np.where(self.wrong, 0, self.off))
        power = float(np.max(seen[examined], initial=0) / size) if self.power is None else self.power
        # Where no slope is visible, and what was given is none that would be, nobody can say how large it should be.
        hidden = np.max(np.abs(self.analytic), initial=0) <= np.max(seen[examined], initial=0)
        if self.faint and (hidden or self.rounded.any()):
            power = np.inf
        return LeafReport(
            path,
            shape,
            dtype,
            self.verdict,
            float(np.max(np.where(np.isnan(ratio), np.inf, ratio), initial=self.ratio)),
            float(np.max(bars, initial=0) / scale),
            max(power, self.floor) if self.scale else float("inf") if self.analytic.size else 0.0,
            int(self.kink.sum()),
            self._convention(),
            self.method,
            self.evaluations,
            name,
            self.rounding,
        )

    def _convention(self) -> str:
        at = self.kink & ~self.wrong & ~self.forgiven & (self.high > self.low)
        if self.convention:
            return self.convention
        if not at.any():
            return "its own at each output" if (self.kink & self.forgiven).any() else ""
        share = ((self.analytic - self.low) / (self.high - self.low))[at].astype(float)
        share = np.where(self.falls[at], 1 - share, share)
        for name, where in (("left derivative", 0.0), ("middle", 0.5), ("right derivative", 1.0)):
            if np.abs(share - where).max() < 1e-6:
                return name
        return f"{share.min():.3g} to {share.max():.3g} of the way from the left to the right derivative"
