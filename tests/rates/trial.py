"""A trial: a random function, the check of its right gradient and of a spoiled one, and what is counted."""

from __future__ import annotations

import time
import warnings

import numpy as np
from attrs import evolve, frozen

from funcnn import check
from funcnn.check import Report
from funcnn.typing import Array
from tests.rates.families.choice import draw
from tests.rates.program import Function
from tests.rates.rules.linear import CASTS
from tests.rates.spoil import Cotangents, Spoiled, spoil
from tests.rates.truth import as_output, exact_gradient, interval, outputs_of

ROUNDINGS = 256
"""How many roundings a gradient may be off to count as right: more, and that digits are lost is true and no false alarm."""

MEANT = 1e-3
"""How far a gradient that is to be spoiled may be from what it is in long double."""


@frozen
class Outcome:
    """What became of a check: plain numbers and words."""

    verdict: str
    seconds: float
    kinds: tuple[str, ...] = ()  # of the findings
    text: str = ""  # of the first finding
    witness: str = ""  # what the complex step says


@frozen
class Trial:
    """The outcomes for one random function."""

    number: int
    family: str
    tags: tuple[str, ...]
    right: Outcome
    lossy: float = 0.0  # by how much the right gradient is off by its own rounding, where it was flagged
    spoiled: Outcome | None = None
    kind: str = ""
    size: float = 0.0
    error: float = 0.0  # of the spoiled gradient, relative to the largest entry
    claim: float = 0.0  # the smallest error that the check of the spoiled gradient says it would have seen
    accused: bool = False  # whether a leaf was accused that is right

    @property
    def false_alarm(self) -> bool:
        """Whether a right gradient was called wrong."""
        return self.right.verdict == "fail" and not self.rounds

    @property
    def rounds(self) -> bool:
        """Whether a gradient whose formula is right was flagged for digits that it does lose."""
        return self.right.verdict == "fail" and self.lossy > ROUNDINGS and set(self.right.kinds) <= {"precision", "inconclusive"}

    @property
    def fate(self) -> str:
        """What became of the spoiled gradient: ``below`` when it passed and no more than that was claimed."""
        if self.spoiled is None:
            return ""
        if self.spoiled.verdict not in ("pass", "kink-ok"):
            return "caught" if self.spoiled.verdict == "fail" else "inconclusive"
        return "missed" if self.error > self.claim else "below"

    @property
    def missed(self) -> bool:
        """Whether a wrong gradient passed although its error is one that would have been seen."""
        return self.fate == "missed"

    @property
    def seen(self) -> bool:
        """Whether there is a spoiled gradient with an error that would be seen."""
        return self.fate not in ("", "below")


@frozen(eq=False)
class Subject:
    """A function at its point with the cotangent that is used throughout."""

    number: int
    made: Function
    dy: object
    gradient: Cotangents  # the right one, in the precision of the arguments
    truth: Cotangents  # the same in long double
    generator: np.random.Generator

    @property
    def active(self) -> list[int]:
        """The arguments that are differentiated, in the order of a report's leaves."""
        return [number for number, arg in enumerate(self.made.args) if arg.dtype.kind == "f"]

    def meant(self, argument: int) -> bool:
        """Tell whether a gradient is more than the rounding errors of something that cancels."""
        got, true = self.gradient[argument], self.truth[argument]
        return got is not None and true is not None and _relative(np.abs(got - true), true) < MEANT

    def check(self, gradient: object) -> tuple[Report, Outcome]:
        """Check a gradient."""
        started = time.process_time()
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            report = check.check_vjp(
                self.made.program,
                gradient,  # type: ignore[arg-type]  # a callable
                *self.made.args,
                cotangent=self.dy,
                seed=self.number,
                explain=False,
            )
        kinds = tuple(found.kind for found in report.findings)
        text = f"{report.findings[0].path}: {report.findings[0].text}" if report.findings else ""
        witness = report.witness.verdict if report.witness is not None else ""
        return report, Outcome(report.verdict, time.process_time() - started, kinds, text, witness)


def subject(number: int, seed: int, family: str | None = None) -> Subject:
    """Return the function with a number and its right gradient."""
    made = draw(number, seed, family)
    generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(number, 1))))
    with np.errstate(all="ignore"):
        outputs = outputs_of(made.program(*made.args))
        parts: tuple[Array, ...] = tuple(
            (generator.choice((-1, 1), one.shape) * generator.uniform(0.5, 1.5, one.shape)).astype(one.dtype) for one in outputs
        )
        dy = as_output(parts)
        wide = tuple(arg.astype(np.longdouble) if arg.dtype.kind == "f" else arg for arg in made.args)
        wide_dy: tuple[Array, ...] = tuple(part.astype(np.longdouble) for part in parts)
        truth = evolve(made.program, casts=CASTS).vjp(*wide, as_output(wide_dy))
        return Subject(number, made, dy, made.program.vjp(*made.args, dy), truth, generator)


def run(number: int, seed: int, family: str | None = None) -> Trial:
    """Run one trial."""
    one = subject(number, seed, family)
    report, right = one.check(one.made.program.vjp)
    lossy = rounding(one) if right.verdict == "fail" else 0.0
    start = Trial(number, one.made.family, one.made.tags, right, lossy)
    claims = {argument: leaf.power for argument, leaf in zip(one.active, report.leaves, strict=True) if one.meant(argument)}
    wrong = spoil(one.made, one.gradient, claims, one.generator)
    if wrong is None or right.verdict == "fail":
        return start
    report, spoiled = one.check(wrong)
    position = one.active.index(wrong.argument)
    claim = report.leaves[position].power + report.leaves[position].rounding
    error = error_of(one, wrong, report.ok, claim)
    accused = any(leaf.verdict == "fail" for place, leaf in enumerate(report.leaves) if place != position)
    accused = accused and wrong.kind != "missing term"  # a missing term spoils every argument behind it
    return Trial(number, one.made.family, one.made.tags, right, lossy, spoiled, wrong.kind, wrong.size, error, claim, accused)


def rounding(one: Subject) -> float:
    """Return by how many roundings the right gradient is off, in its worst entry, relative to the largest of its leaf.

    A gradient that is nothing but rounding, since the exact one is zero, has no digits that it could lose.
    """
    exact = exact_gradient(one.made.program, one.made.args, one.dy)
    worst = 0.0
    for arg, got, true in zip(one.made.args, one.gradient, exact, strict=True):
        if got is not None and true is not None and np.max(np.abs(true), initial=0) > MEANT * np.max(np.abs(got), initial=0):
            off = float(np.max(np.abs(got.astype(np.longdouble) - true)) / np.max(np.abs(true)))
            worst = max(worst, off / float(np.finfo(arg.dtype).eps))
    return worst


def error_of(one: Subject, wrong: Spoiled, passed: bool, claim: float) -> float:
    """Return the error of a spoiled gradient, relative to the largest entry; what a convention for kinks allows is none."""
    with np.errstate(all="ignore"):
        got = wrong(*one.made.args, one.dy)[wrong.argument]
    true = one.truth[wrong.argument]
    assert got is not None
    assert true is not None
    error = _relative(np.abs(got - true), true)
    if not (one.made.ties and passed and error > claim):
        return error
    # At a kink several gradients are right: what passed is held against the exact slopes, left and right.
    low, high = interval(one.made.program, one.made.args, one.dy, wrong.argument)
    outside: Array = np.maximum(np.maximum(low - got, got - high), 0)
    return min(error, _relative(outside, np.maximum(np.abs(low), np.abs(high))))


def _relative(error: Array, gradient: Array) -> float:
    largest = float(np.max(np.abs(gradient), initial=0))
    return float(np.max(error, initial=0)) / largest if largest else float("inf") if np.any(error) else 0.0


def explain(number: int, seed: int, family: str | None = None) -> str:
    """Return a function in words, the report on its right gradient and the trial."""
    one = subject(number, seed, family)
    args = "\n".join(f"args[{place}] = {arg!r}" for place, arg in enumerate(one.made.args))
    report, _ = one.check(one.made.program.vjp)
    return f"{one.made.program.text()}\n{args}\ndy = {one.dy!r}\n\n{report}\n\n{run(number, seed, family)}"
