"""A problem at one precision, with its cotangent: what every comparison works on."""

from __future__ import annotations

from functools import cached_property, partial

import numpy as np

from funcnn import tree
from funcnn.check.case.calls import ERRATIC
from funcnn.check.case.cotangents import Cotangents, build, read_cotangents
from funcnn.check.case.perturbation import on_one_side
from funcnn.check.case.problem import Problem, cast_args
from funcnn.check.case.sampler import Sampler
from funcnn.check.differences.differences import Contraction
from funcnn.check.differences.entries import leaf_scale
from funcnn.check.differences.noise import measure_noise
from funcnn.typing import Array, BoolArray, Scalar

VISIBLE = 1e-7
"""The widest error bar, relative to the leaf's largest gradient, with which a verdict is given; 1e-6 without long double."""
SLACK = 16
"""How many roundings a gradient may be off, relative to the largest entry of its leaf, beside the error bar."""
_BLURRED = 1e-2  # of the leaf's largest gradient: what is hidden by calls that vary more is for no verdict
_MANY = 100_000  # numbers
_PERTURBATIONS = 4  # neighbours that are looked at: one alone may meet the same roundings
_DOUBLE = float(np.finfo(np.float64).eps)


class Case:
    """A problem in the reference precision: samples of the function, and the gradient under test at the same point."""

    def __init__(self, problem: Problem, sample: Sampler, cotangent: Array, seed: int) -> None:
        self.problem = problem
        self.sample = sample
        self.seed = seed
        self.cotangent: Array = cotangent.astype(sample.result)
        self.dy = build(sample.output, self.cotangent, sample.result)
        self.noise = measure_noise(sample, self.generator(2))
        self.pace = sample.quickest
        """The seconds that one evaluation takes."""
        self.contraction = Contraction(
            self.cotangent, np.abs(self.cotangent), sample.y, sample.eps, self.noise.size, self.noise.inside
        )
        self.pullbacks = 0
        self.notes: list[str] = []
        """What the report has to tell besides."""
        self.suited: tuple[float, float, float] | None = None
        """The steps that suited the last entry that was looked at closely, in units of its scale: others may be like it."""

    def generator(self, stream: int) -> np.random.Generator:
        """Return the random numbers for one purpose: always the same for a seed."""
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(self.seed, spawn_key=(stream,))))

    @cached_property
    def resolution(self) -> float:
        """The relative precision of the function's arithmetic: coarser than its dtype where it moves in stairs."""
        sizes = np.abs(self.sample.y)
        stairs = (self.noise.stairs | self.problem.noisy) & (sizes > 0)
        measured = float(np.median(self.noise.size[stairs] / sizes[stairs])) if stairs.any() else 0.0
        return max(self.sample.eps, measured)

    @property
    def slow(self) -> bool:
        """Whether an evaluation moves so many numbers that looking at fewer entries is worth it."""
        return self.numbers > _MANY

    @cached_property
    def numbers(self) -> int:
        """How many numbers an evaluation moves at least: what its cost is judged by, the same on every machine."""
        return sum(leaf.array.size for leaf in self.problem.leaves) + len(self.sample.y)

    @property
    def visible(self) -> float:
        """The widest relative error bar that gives a verdict: wider for a function that has only seven digits itself."""
        if self.problem.noisy:
            return min(max(2e4 * self.resolution, 10 * VISIBLE), _BLURRED)
        if self.resolution > 1e-12:
            return 2e4 * self.resolution
        return VISIBLE if self.resolution < 1e-17 else 10 * VISIBLE

    def pull(self, args: tuple[object, ...], dy: object, *, strict_dtype: bool = False) -> Cotangents:
        """Return the gradient under test, read leaf by leaf."""
        self.pullbacks += 1
        fresh = tuple(tree.map(np.array, arg) for arg in args)
        found = read_cotangents(self.problem, self.problem.pullback(*fresh, dy), strict_dtype=strict_dtype)
        return Cotangents(tuple(None if leaf is None else leaf.copy() for leaf in found.leaves), found.findings)

    def call_elsewhere(self, args: tuple[object, ...]) -> None:
        """Call everything at another point first, so that whatever is remembered from a first call is wrong here."""
        there = tuple(tree.astype(arg, self.sample.result) for arg in args)
        try:
            output = self.problem.function(*there)
            self.problem.pullback(*there, build(output, self.cotangent, self.sample.result))
        except Exception:  # it may lie outside the domain
            return

    @cached_property
    def wide(self) -> Cotangents | None:
        """The gradient in the reference precision, or None when it refuses that."""
        try:
            return self.pull(self.sample.args, self.dy)
        except Exception:  # whatever it has against the precision: the working one is judged instead
            return None

    def natural(self, leaf: int) -> Scalar:
        """Return the slope with which the outputs would change by as much as they are when the leaf does.

        One rounding of the outputs is worth so much in the gradient: where units are saturated, and all slopes far smaller, a
        gradient is not expected to be more precise than that.
        """
        size: Scalar = (self.contraction.weight * np.abs(self.contraction.y)).sum()
        return size / leaf_scale(self.sample.origin[leaf])

    def nothing(self, leaf: int) -> Scalar:
        """Return the slope below which a leaf counts for nothing: a billionth of what would change the outputs by their size."""
        share: Scalar = 1e-3 * self.visible * self.natural(leaf)
        return share

    def slack(self, gradient: Array) -> float:
        """Return the rounding errors that a gradient may have, relative to its leaf's scale."""
        return SLACK * max(_DOUBLE, float(np.finfo(gradient.dtype).eps) if gradient.dtype.kind == "f" else _DOUBLE)

    def mere_rounding(self, leaf: int, gradient: Array, smooth: BoolArray | None = None) -> bool:
        """Tell whether a gradient is nothing but rounding errors: it changes erratically with the last digits of everything.

        So is a gradient that is exactly zero by cancellation, such as that of a bias right before batch normalization.  Only
        entries that are ``smooth`` tell: at a kink last digits decide between two slopes.
        """
        if not gradient.any():
            return True
        told: BoolArray = np.ones(gradient.size, bool) if smooth is None else smooth
        generator = self.generator(3)
        # A point at the edge of the domain has neighbours on one side: probabilities of 1 on the lower one, logits anywhere.
        for side in (-1, 1) * (_PERTURBATIONS // 2):
            for only_active in (False, True):
                other = self._perturbed(leaf, side, only_active, generator)
                if other is not None:
                    if np.max(np.abs(other.reshape(-1) - gradient)[told], initial=0) > ERRATIC * np.max(np.abs(gradient)):
                        return True
                    break
        return False

    def _perturbed(self, leaf: int, side: int, only_active: bool, generator: np.random.Generator) -> Array | None:
        """Return the gradient where everything, or what is differentiated, differs by its last digits; None out of the domain."""
        digit = 2.0**-30 if self.wide is not None else 2.0**-20
        perturb = partial(on_one_side, generator=generator, digit=side * digit)
        given = self.sample.args if self.wide is not None else cast_args(self.problem, lambda one: np.array(one.array))
        kind = self.sample.result if self.wide is not None else np.result_type(*(one.array for one in self.problem.active()))
        some = self.problem.differentiated if only_active else range(len(given))
        args = tuple(tree.map(perturb, arg) if position in some else arg for position, arg in enumerate(given))
        cotangent = self.cotangent if only_active else perturb(self.cotangent)
        try:
            return self.pull(args, build(self.sample.output, cotangent, kind)).leaves[leaf]
        except Exception:  # a neighbour may lie outside the domain
            return None
