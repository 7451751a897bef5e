"""Lost digits: a right formula whose result in the precision that was given is worse than that precision allows.

The formula is judged in the reference precision.  The working result is then held against the reference one, with a bound from
the condition of the problem: by how much the gradient changes when the last digits of the arguments and of dy change.
"""

from __future__ import annotations

import numpy as np

from funcnn.check.case.calls import ROUNDINGS
from funcnn.check.case.case import Case
from funcnn.check.case.condition import last_digits, working_digits
from funcnn.check.case.cotangents import Cotangents
from funcnn.check.case.perturbation import eps_of
from funcnn.check.case.problem import Leaf
from funcnn.check.differences.leaf import Comparison
from funcnn.check.differences.noise import POINTS, fourth_differences, wobble
from funcnn.check.differences.refine import CONFIDENCE
from funcnn.check.promises.linearity import Linearity
from funcnn.check.records import Diagnosis, Finding
from funcnn.typing import Array

_ANOTHER = 1e-2  # of the largest entry: more than the loss of digits that one would call so


def lost_digits(case: Case, linear: list[Linearity]) -> list[Finding]:
    """Return the leaves whose gradient is computed in clearly fewer digits than it is given."""
    found = []
    for leaf, one in zip(case.problem.active(), linear, strict=True):
        eps = eps_of(leaf.array)
        if one.rounding > ROUNDINGS * max(eps, case.resolution):
            digits = -np.log10(one.rounding)
            text = f"the gradient is computed with about {digits:.0f} digits, its argument has {-np.log10(eps):.0f}"
            found.append(Finding("precision", leaf.path, text, diagnosis=Diagnosis("precision_loss", text, 1.0)))
    return found


def absolve(case: Case, position: int, done: Comparison) -> None:
    """Accept entries that are off by no more than the gradient's own rounding in the reference precision.

    The formula is then right; whether its result is precise enough in the working precision is another question.
    """
    wrong = done.wrong
    off = done.off[wrong]
    if not wrong.any() or case.wide is None or not np.isfinite(off).all() or np.max(off) > 1e-3 * done.scale:
        return
    leaf = case.problem.active()[position].array
    noise = _own_rounding(case, position)
    if noise is not None:
        digits = last_digits(case, position, done.analytic.reshape(leaf.shape), case.sample.eps)
        # The entries of a leaf come from one formula: the noisiest tells more than the luck of each.
        usual = np.max(noise, initial=0, where=noise <= 1e-6 * done.scale)
        noise = np.maximum(noise, usual) + np.where(digits <= 1e-3 * done.scale, digits, 0).reshape(-1)
        allowed = CONFIDENCE * (done.spread + noise) + done.slack * done.scale
        explained = wrong & (done.off <= allowed)
        # More than that is not what a formula loses: the gradient itself has no more digits, or is none by a formula.
        fine = noise <= max(case.visible, ROUNDINGS * (eps_of(leaf) if leaf.dtype.itemsize < 8 else 0.0)) * done.scale
        done.rounded = explained & fine
        done.erratic = explained & ~fine
        done.forgiven |= done.rounded
        if done.rounded.any():  # an error of that size would have been accepted in any entry
            done.floor = max(done.floor, float(np.max(allowed[fine & done.examined], initial=0) / done.scale))


def _own_rounding(case: Case, position: int) -> Array | None:
    """Return the rounding error of the gradient in the reference precision, from fourth differences of neighbours.

    Where single precision is what was given, parts of the gradient may stand still between near neighbours: then from others.
    """
    found = _roughness(case, position, 2.0**-40)
    if found is not None and case.problem.active()[position].array.dtype == np.float32:
        stairs = _roughness(case, position, 2.0**-20)
        if stairs is not None:
            found = np.fmax(found, stairs)
    return found


def _roughness(case: Case, position: int, spacing: float) -> Array | None:
    generator = case.generator(12)
    sample = case.sample
    ways = [(leaf, wobble(start, generator)) for leaf, start in enumerate(sample.origin)]
    rows = []
    for number in range(POINTS):
        with sample.moved(ways, number * spacing):
            try:
                got = case.pull(sample.args, case.dy).leaves[position]
            except Exception:  # a neighbour may lie outside the domain
                return None
        if got is None:
            return None
        rows.append(got.reshape(-1))
    return fourth_differences(np.stack(rows))


def check_precision(case: Case, working: Cotangents, made: list[Comparison | None], reported: set[str]) -> list[Finding]:
    """Return the leaves whose working result is worse than the condition of the problem explains."""
    if case.wide is None or case.sample.dtype is None:
        return []
    found = []
    for position, leaf in enumerate(case.problem.active()):
        got, exact = working.leaves[position], case.wide.leaves[position]
        usable = got is not None and exact is not None and got.size and np.isfinite(got).all() and np.isfinite(exact).all()
        done = made[position]
        if leaf.path in reported or not usable or exact is None or got is None or done is None:
            continue
        eps = eps_of(leaf.array)
        # Where the reference gradient itself is only rounding away from the differences, these are the better judge.
        judge = np.where(done.rounded, done.low, exact.reshape(-1)).reshape(exact.shape)
        # At a kink last digits decide between conventions: what counts is how far outside of them a result is.
        kink = (done.kink & ~done.forgiven).reshape(exact.shape)
        blur = CONFIDENCE * np.where(done.rounded.reshape(exact.shape) | kink, done.spread.reshape(exact.shape), 0)
        low, high = (np.where(kink, side.reshape(exact.shape), judge) for side in (done.low, done.high))
        off = np.abs(got - np.clip(got, low, high))
        largest = max(np.max(np.abs(exact)), done.scale)
        least = np.finfo(leaf.array.dtype).tiny
        if np.max(off) <= ROUNDINGS / 2 * eps * largest + least:
            done.rounding = ROUNDINGS / 2 * eps
            continue
        size = max(largest, case.natural(position))
        digits = last_digits(case, position, np.where(kink, low, exact), 0.0, np.where(kink, high, exact))
        allowed = ROUNDINGS * (eps * size + digits) + blur + least
        done.rounding = float(np.max(allowed) / largest) if largest else np.inf
        bad = off > allowed
        smooth = ~kink.reshape(-1)
        if bad.any() and case.mere_rounding(position, exact.reshape(-1), smooth):  # zero by cancellation: how do its terms round?
            allowed = np.maximum(allowed, ROUNDINGS * working_digits(case, position, got))
            bad = off > allowed
        if bad.any():
            found.append(_finding(leaf, got, judge, off, allowed))
    return found


def _finding(leaf: Leaf, got: Array, exact: Array, off: Array, allowed: Array) -> Finding:
    worst = tuple(int(axis) for axis in np.unravel_index(int(np.argmax(off / allowed)), off.shape))
    bad = off > allowed
    if off[worst] > _ANOTHER * np.max(np.abs(exact)):
        text = f"the result in {leaf.array.dtype} is {float(got[worst]):.6g}, with more digits {float(exact[worst]):.6g},"
        text += " which is right: the code is another one in this precision, or loses nearly all of its digits"
    else:
        text = f"the formula is right, but in {leaf.array.dtype} the result is off by {float(off[worst]):.1g},"
        text += f" {float(off[worst] / allowed[worst]) * ROUNDINGS:.2g} times what the last digits of the arguments explain"
    return Finding(
        "precision",
        leaf.path,
        text,
        worst,
        float(got[worst]),
        float(exact[worst]),
        float(allowed[worst]),
        int(bad.sum()),
        bad.size,
        Diagnosis("precision_loss", text, 1.0),
    )
