r"""The dot test: a gradient is the transpose of the derivative, $\langle J v, w \rangle = \langle v, J^\top w \rangle$.

The left side comes of a complex step, without a difference, the right side is the gradient under test; a right gradient agrees
to the rounding of the two, some 1e-16 of the sums of absolute values.  A witness must not accuse the innocent, so three things
are asked before a disagreement counts:

- it is far larger than what the last digits of the arguments do to the complex step, and than the rounding of the outputs;
- differences in the reference precision agree with the complex step, as far as they can tell, so that the function is analytic;
- they are precise enough to tell the complex step from the gradient.

A gradient that fails all this and was passed by differences is off by less than its own rounding was thought to be: its errors
are erratic, as those of difference quotients in the place of a formula.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from funcnn.check.case.case import Case
from funcnn.check.case.cotangents import build, read_cotangents
from funcnn.check.case.problem import cast_args
from funcnn.check.differences.differences import richardson
from funcnn.check.differences.entries import entry_scales
from funcnn.check.differences.leaf import Comparison
from funcnn.check.records import UNKNOWN, Finding, Witness
from funcnn.check.witness.tangent import NotAnalyticError, Stepped, gradient_in_double
from funcnn.typing import Array, Scalar

_TOGETHER = 4000  # entries of all leaves beyond which one direction moves them all
_HOLDS = 64  # roundings that the two sides may differ by
_FAILS = 1e3  # roundings from which on they are certainly not the same
_PERTURBATIONS = 2
_AGREES = 1e-6  # the widest bar of the differences, relative to the slope, that says that a function is analytic
_STEPS = tuple((2.0**-fine, 2.0 ** -(fine - 3), 2.0 ** -(fine - 6)) for fine in (14, 20, 26))
_ROUNDING = 2.0**-52


def dot_test(
    case: Case, gradient: tuple[Array | None, ...], made: list[Comparison | None], known: Collection[str] = ()
) -> tuple[Witness | None, tuple[Finding, ...]]:
    """Return what the complex step says of a gradient in working precision, and a finding for each leaf that fails it.

    Leaves that differences have found wrong are left to them, and so are those with a path in ``known``, of which something else
    was found.
    """
    problem = case.problem
    leaves = problem.active()
    usable = [at for at, leaf in enumerate(leaves) if leaf.path not in known and gradient[at] is not None and _passed(made[at])]
    if not usable or not all(np.isfinite(leaf.array).all() for leaf in leaves):
        return None, ()
    try:
        stepped = Stepped.at(problem)
        pulled = gradient if gradient_in_double(problem) else _in_double(case)
    except Exception as error:
        return Witness("silent", reason=f"it does not take float64 ({type(error).__name__})"), ()
    whole = sum(leaf.array.size for leaf in leaves) > _TOGETHER
    groups = [usable] if whole else [[at] for at in usable]
    try:
        tests = [_Test(case, stepped, pulled, group) for group in groups if all(pulled[at] is not None for at in group)]
    except NotAnalyticError as error:
        return Witness("silent", reason=str(error)), ()
    if not tests:
        return None, ()
    apart = max(test.error for test in tests)
    doubtful = [test for test in tests if not test.holds]
    if not doubtful:
        return Witness("holds", apart), ()
    try:
        failing = [test for test in doubtful if test.judge() == "fails"]
    except NotAnalyticError as failed:
        return Witness("silent", apart, str(failed)), ()
    if not failing:
        return Witness("open", apart, "rounding does not explain that, and nothing else here tells which side is wrong"), ()
    return Witness("fails", apart), tuple([test.finding() for test in failing])


def _passed(done: Comparison | None) -> bool:
    """Tell whether differences passed a leaf at a smooth point, and saw a slope: where rounding hides it, no step sees it."""
    if done is None or not done.analytic.size or done.wrong.any() or done.kink.any():
        return False
    return not done.examined.any() or done.visible_at_all()


def _in_double(case: Case) -> tuple[Array | None, ...]:
    """Return the gradient in float64, where the arguments have another precision."""
    problem = case.problem
    args = cast_args(problem, lambda leaf: leaf.array.astype(float) if leaf.array.dtype.kind == "f" else np.array(leaf.array))
    dy = build(problem.function(*args), case.cotangent.astype(float), np.dtype(np.float64))
    return read_cotangents(problem, problem.pullback(*args, dy), strict_dtype=False).leaves


class _Test:
    """The two sides for one direction, which moves one leaf or, in large problems, all."""

    def __init__(self, case: Case, stepped: Stepped, gradient: tuple[Array | None, ...], group: list[int]) -> None:
        self.case, self.stepped, self.group = case, stepped, group
        generator = case.generator(20 + group[0])
        self.directions: list[Array | None] = [None] * len(case.problem.active())
        for at in group:
            origin = case.sample.origin[at].astype(float)
            # In sixteenths of a power of two, so that no step of a difference is rounded.
            self.directions[at] = np.rint(16 * generator.standard_normal(origin.size)) / 16 * entry_scales(origin)
        self.weights = case.cotangent.astype(float)
        terms = [self._terms(at, gradient[at]) for at in group]
        moved = stepped.along(self.directions) * self.weights
        self.left, self.right = float(moved.sum()), float(sum(part.sum() for part in terms))
        self.size = float(np.abs(moved).sum() + sum(np.abs(part).sum() for part in terms))
        self.off = abs(self.left - self.right)
        self.rounding = _ROUNDING * self.size
        if not self.holds:
            self.rounding += self._sensitivity()

    def _terms(self, at: int, gradient: Array | None) -> Array:
        direction = self.directions[at]
        assert gradient is not None
        assert direction is not None
        terms: Array = direction * gradient.reshape(-1).astype(float)
        return terms

    @property
    def error(self) -> float:
        """How far apart the two sides are, relative to the sum of the absolute values of their terms."""
        return self.off / self.size if self.size else 0.0

    @property
    def explained(self) -> float:
        """The error that rounding explains."""
        return self.rounding / self.size if self.size else 0.0

    @property
    def holds(self) -> bool:
        """Whether the two sides agree to rounding."""
        return self.off <= _HOLDS * self.rounding

    def _sensitivity(self) -> float:
        """Return what last digits of the arguments do to the complex step, and the rounding of the outputs."""
        generator = self.case.generator(40 + self.group[0])
        perturbed = [self.stepped.along(self.directions, generator) * self.weights for _ in range(_PERTURBATIONS)]
        largest = max(abs(float(one.sum()) - self.left) for one in perturbed)
        return largest + _ROUNDING * float(np.abs(self.weights * self.stepped.y).sum())

    def judge(self) -> str:
        """Return ``fails``, or ``open`` where it cannot be said who is wrong.

        Raises
        ------
        NotAnalyticError
            When differences disagree with the complex step.
        """
        slope, bar = self._difference()
        if abs(slope - self.left) > 10 * bar + _HOLDS * self.rounding:
            raise NotAnalyticError(
                f"its complex step is {self.left:.6g}, differences say {float(slope):.6g}: the imaginary part is lost or turned"
                " on the way (abs, conj, real, a write into a real array)"
            )
        clear = self.off > _FAILS * self.rounding and 10 * bar < self.off and bar <= _AGREES * self.size
        # A gradient owes the digits of its arguments: one made for float32 may well work in float32 inside.
        leaves = self.case.problem.active()
        owed = max(float(np.finfo(leaves[at].array.dtype).eps) for at in self.group)
        return "fails" if clear and self.off > _HOLDS * owed * self.size else "open"

    def finding(self) -> Finding:
        """Return what is said of a gradient that fails."""
        leaves = self.case.problem.active()
        path = leaves[self.group[0]].path if len(self.group) == 1 else ""
        text = f"the complex step contradicts the gradient: <Jv, w> is {self.left:.10g}, <v, J'w> {self.right:.10g}"
        text += f" (apart by {self.error:.1g} of the terms, rounding explains {self.explained:.1g})"
        return Finding("complex step", path, text + "; differences agree with the step", diagnosis=UNKNOWN)

    def _difference(self) -> tuple[Scalar, Scalar]:
        """Return the slope along the direction by differences in the reference precision, and its bar."""
        sample, contraction = self.case.sample, self.case.contraction
        moves = [(at, step.astype(sample.result)) for at, step in enumerate(self.directions) if step is not None]
        at = sample.along(moves)
        best: tuple[Scalar, Scalar] = (sample.result.type(0), sample.result.type(np.inf))
        least = contraction.weight @ (np.abs(contraction.y) * contraction.eps)
        for steps in _STEPS:
            above, below = (np.stack([at(sign * step) for step in steps])[None] for sign in (1, -1))
            reached = np.array([steps], above.dtype)
            slopes = contraction.slopes(above, below, reached, reached)
            value, spread = richardson(slopes.central[0], steps)
            bar = spread + 1.5 * (slopes.roundoff[0, 0] + least / steps[0])
            if bar < best[1]:
                best = sample.result.type(value), sample.result.type(bar)
        return best
