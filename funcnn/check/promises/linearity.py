r"""A gradient is linear in the cotangent: $\bar x(\alpha v + \beta w) = \alpha \bar x(v) + \beta \bar x(w)$.

This needs no differences, and it catches what one random cotangent cannot tell from a wrong formula: a cotangent that is ignored,
masked by its own sign, or clipped.  It also measures the arithmetic: rounding is exactly homogeneous under factors of two and
under a change of sign, so that a gradient that passes these and still does not add up to a few digits computes in fewer digits
than it is given.
"""

from __future__ import annotations

import numpy as np
from attrs import frozen

from funcnn.check.case.case import Case
from funcnn.check.case.condition import last_digits
from funcnn.check.case.cotangents import build, draw
from funcnn.check.records import Diagnosis, Finding
from funcnn.typing import Array

_FACTORS = (2.0**20, 2.0**-20, 0.0)
_ROUNDINGS = 1e3  # of last digits
_VARYING = 30.0  # times what one call differed by from another
_ROUGH = 0.02  # rounding in eleven bits, at the most


@frozen(eq=False)
class Linearity:
    """What was found for one leaf: a finding, or the relative rounding of its arithmetic as measured."""

    finding: Finding | None = None
    rounding: float = 0.0


def check_linearity(case: Case, gradient: tuple[Array | None, ...]) -> tuple[Linearity, ...]:
    """Check that the gradient is linear in dy, leaf by leaf; ``gradient`` is the one at the case's own cotangent."""
    v = case.cotangent
    w = _sparse(len(v), case.generator(4)).astype(v.dtype)

    failed: list[Exception] = []

    def pull(vector: Array) -> tuple[Array | None, ...]:
        try:
            return case.pull(case.sample.args, build(case.sample.output, vector, case.sample.result)).leaves
        except Exception as error:
            failed.append(error)
            return (None,) * len(gradient)

    doubled, negated, other, both = pull(2 * v), pull(-v), pull(w), pull(v + w)
    scaled = [pull(factor * v) for factor in _FACTORS]
    if failed and case.wide is not None:  # it takes the precision, and not every cotangent
        text = f"the gradient fails with another cotangent: {type(failed[0]).__name__}: {failed[0]}"
        return tuple(Linearity(_finding(leaf.path, text, "nonlinear_in_dy")) for leaf in case.problem.active())
    # What calls differ by of themselves is no matter of linearity.
    varied = pull(v) if case.problem.noisy else (None,) * len(gradient)
    made = []
    for position, at_v in enumerate(gradient):
        parts = [result[position] for result in (doubled, negated, other, both)]
        if at_v is None or not at_v.size or not np.isfinite(at_v).all() or any(part is None for part in parts):
            made.append(Linearity())
            continue
        more = [result[position] for result in scaled]
        again = varied[position]
        noise = 0.0 if again is None else float(np.max(np.abs(again - at_v)) / np.max(np.abs(at_v)))
        made.append(_judge(case, position, at_v, [p for p in parts if p is not None], more, noise))
    return tuple(made)


def _sparse(size: int, generator: np.random.Generator) -> Array:
    """Return a cotangent with a few large entries and zeros elsewhere: a gradient may treat either in a way of its own."""
    vector = 3 * draw(size, generator)
    vector[generator.permutation(size)[max(1, size // 8) :]] = 0
    return vector


def _judge(case: Case, position: int, at_v: Array, parts: list[Array], scaled: list[Array | None], noise: float) -> Linearity:
    """Judge the gradients of a leaf at v, and the parts: at 2 v, -v, another w, and v + w; and those at other multiples of v."""
    path = case.problem.active()[position].path
    doubled, negated, at_w, both = parts
    size = max(np.max(np.abs(at_v)), np.max(np.abs(at_w)))
    if not size > 0:
        return Linearity()
    tolerance = 1e4 * float(np.finfo(at_v.dtype).eps if at_v.dtype.kind == "f" else 0)
    tolerance = max(tolerance, _VARYING * noise)
    additive = float(np.max(np.abs(both - at_v - at_w)) / size)
    factors = [(2.0, doubled), (-1.0, negated), *zip(_FACTORS, scaled, strict=True)]
    off = [
        (factor, got)
        for factor, got in factors
        if got is not None and np.max(np.abs(got - factor * at_v)) > tolerance * size * max(1.0, factor)
    ]
    if not off and additive <= _ROUGH:
        if additive <= tolerance:
            additive = 0.0
        elif not case.mere_rounding(position, at_v.reshape(-1)):
            return Linearity(rounding=additive)
    if not off and additive <= tolerance:
        return Linearity()
    if case.mere_rounding(position, at_v.reshape(-1)):
        return Linearity()
    eps = float(np.finfo(at_v.dtype).eps)
    least = max(np.max(last_digits(case, position, at_v, eps)), eps * case.natural(position) / 10)
    if not off and additive * size <= _ROUNDINGS * least:
        return Linearity()  # what is left after a cancellation, or where units are saturated
    if all(got is not None and np.max(np.abs(got - at_v)) <= tolerance * size for got in (doubled, negated, scaled[-1])):
        return Linearity(_finding(path, "the gradient does not depend on the cotangent dy", "ignores_dy"))
    if off:
        factor, got = off[0]
        assert got is not None
        worst = np.unravel_index(int(np.argmax(np.abs(got - factor * at_v))), at_v.shape)
        text = f"the gradient is not linear in dy: with {factor:g} dy it is {float(got[worst]):.6g}"
        text += f", expected {factor:g} times {float(at_v[worst]):.6g}"
    else:
        text = "the gradient is not linear in dy: that of a sum of two cotangents is not the sum of theirs"
    return Linearity(_finding(path, text, "nonlinear_in_dy"))


def _finding(path: str, text: str, tag: str) -> Finding:
    return Finding("linearity", path, text, diagnosis=Diagnosis(tag, text, 1.0))
