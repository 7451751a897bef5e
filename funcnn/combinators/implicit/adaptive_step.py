"""One attempt of a step whose length follows the error, and its transpose: the formulas stand in ``dormand_prince.py``."""

from __future__ import annotations

from typing import Any

import numpy as np
from attrs import frozen

from funcnn.combinators.implicit.convergence import ConvergenceError
from funcnn.combinators.implicit.field import Field, Problem, Stages, added, combined, pull, run_stages
from funcnn.combinators.implicit.tableau import DORMAND_PRINCE, coefficients
from funcnn.kernels.arrays import absolute
from funcnn.typing import Array, BoolArray, Scalar

SAFETY, SHORTEST, LONGEST = 0.9, 0.2, 5.0  # factors from one length to the next


@frozen
class Control:
    """How the lengths of steps are chosen."""

    rtol: float
    atol: float
    first_step: float
    max_steps: int


@frozen(eq=False)
class Carried:
    """What goes from attempt to attempt; all but the state and the slope is (N, 1, ...), one number for each example."""

    y: Array
    slope: Array
    t: Array
    h: Array


@frozen(eq=False)
class Measured:
    """The estimate of the error of an attempt, and what its cotangents need."""

    share: Array  # e / s
    scale: Array  # s
    y_larger: BoolArray
    q: Array  # (N, 1, ...)
    factor: Array  # (N, 1, ...)
    free: BoolArray  # where the factor is not at one of its limits


@frozen(eq=False)
class Attempt:
    """An attempt: from what it began, what it computed, and what became of each example."""

    before: Carried
    h: Array
    stages: Stages
    measured: Measured
    accepted: BoolArray  # (N, 1, ...), as the next two
    clipped: BoolArray  # the step ends at a wanted time
    active: BoolArray


def total(x: Array) -> Array:
    """Return the sums over all axes but the first, which stay as axes of length 1."""
    sums: Array = x.sum(axis=tuple(range(1, x.ndim)), keepdims=True)
    return sums


def measure(control: Control, y: Array, stages: Stages, h: Array) -> Measured:
    """Compare the results of both orders."""
    table = coefficients(DORMAND_PRINCE, y.dtype)
    error: Any = combined(table.error, stages.slopes)
    before, after = absolute(y), absolute(stages.last)
    y_larger = before.real >= after.real
    scale = control.atol + control.rtol * np.where(y_larger, before, after)
    share = h * error / scale
    square: Array = total(share * share) / max(1, share[:1].size)
    q: Array = np.sqrt(square)
    raw = SAFETY * np.where(q.real > 0, q, 1) ** (q.real.dtype.type(-1) / 5)
    low, high = (raw.real <= SHORTEST), (raw.real >= LONGEST) | (q.real == 0)
    factor = np.where(high, LONGEST, np.where(low, SHORTEST, raw))
    return Measured(share, scale, y_larger, q, factor, ~(low | high))


def attempt(problem: Problem, control: Control, given: Carried, end: Scalar, way: float) -> tuple[Attempt, Carried]:
    """Try a step towards a wanted time with every example that has not arrived there."""
    left = end - given.t
    active = way * left.real > 0
    clipped = active & (way * given.h.real >= way * left.real)
    h = np.where(active, np.where(clipped, left, given.h), 0)
    stages = run_stages(problem, coefficients(DORMAND_PRINCE, given.y.dtype), given.y, given.t, h, given.slope)
    measured = measure(control, given.y, stages, h)
    lost = active & ~np.isfinite(measured.q)
    if lost.any():
        example = int(np.argmax(lost.ravel()))
        raise ConvergenceError(
            f"the solution or the right-hand side {problem.field.inner.name} is not finite in a step of example {example} from"
            f" t={given.t.ravel()[example].real:g} of length {h.ravel()[example].real:g}: does the solution exist up to"
            f" t={end:g}? If so, begin with a shorter first_step"
        )
    accepted = active & (measured.q.real <= 1)
    after = Carried(
        np.where(accepted, stages.last, given.y),
        np.where(accepted, stages.slopes[-1], given.slope),
        np.where(accepted, np.where(clipped, end, given.t + h), given.t),
        np.where(~active | (accepted & clipped), given.h, h * measured.factor),
    )
    return Attempt(given, h, stages, measured, accepted, clipped, active), after


def pull_attempt(field: Field, control: Control, params: Any, made: Attempt, dafter: Carried, grads: Any) -> tuple[Carried, Any]:
    """Return the cotangents of what an attempt began with, and the sum of the parameters' gradients."""
    table = coefficients(DORMAND_PRINCE, made.before.y.dtype)
    slopes, h, accepted = made.stages.slopes, made.h, made.accepted
    through, stayed = np.where(accepted, dafter.y, 0), np.where(accepted, 0, dafter.y)
    keep = ~made.active | (accepted & made.clipped)
    dq, dh = pull_control(made, np.where(keep, 0, dafter.h))
    dbefore_h = np.where(keep, dafter.h, 0)
    on = accepted & ~made.clipped  # there the time is t + h
    dt = np.where(accepted & made.clipped, 0, dafter.t)
    dh = dh + np.where(on, dafter.t, 0)
    # the estimate of the error
    measured = made.measured
    derror, dscale = pull_measure(measured, dq)
    error: Any = combined(table.error, slopes)
    dh = dh + total(derror * error)
    dslopes = [(h * weight) * derror for weight in table.error]
    dlarger = control.rtol * dscale
    before, last = made.before.y, made.stages.last
    dstate = stayed + np.where(measured.y_larger, dlarger * np.sign(before.real), 0)
    dlast = through + np.where(measured.y_larger, 0, dlarger * np.sign(last.real))
    dslopes[-1] = dslopes[-1] + np.where(accepted, dafter.slope, 0)
    dslopes[0] = dslopes[0] + np.where(accepted, 0, dafter.slope)
    # the stages; the first slope is given
    for i in reversed(range(1, len(table.b))):
        pulled = pull(field, params, made.stages.residuals[i], dslopes[i])
        grads = added(grads, pulled.params)
        dstage = pulled.y + dlast if i == len(table.b) - 1 else pulled.y
        dstate = dstate + dstage
        inner: Any = combined(table.a[i], slopes)
        dh = dh + total(dstage * inner)
        if pulled.t is not None:
            dt, dh = dt + pulled.t, dh + table.c[i] * pulled.t
        for j, weight in enumerate(table.a[i]):
            if weight:
                dslopes[j] = dslopes[j] + (h * weight) * dstage
    dt = dt - np.where(made.clipped, dh, 0)  # there the length is what is left
    dbefore_h = dbefore_h + np.where(made.active & ~made.clipped, dh, 0)
    return Carried(dstate, dslopes[0], dt, dbefore_h), grads


def pull_control(made: Attempt, dnext: Array) -> tuple[Array, Array]:
    """Return the cotangents of the error's measure and of the length, of h_next = h factor(q)."""
    measured = made.measured
    exponent = measured.q.real.dtype.type(-1) / 5
    slope = np.where(measured.free, exponent * measured.factor / np.where(measured.free, measured.q, 1), 0)
    return made.h * dnext * slope, dnext * measured.factor


def pull_measure(measured: Measured, dq: Array) -> tuple[Array, Array]:
    """Return the cotangents of the error and of its scale."""
    free = measured.free
    share = measured.share
    dshare = np.where(free, dq / np.where(free, measured.q, 1), 0) * share / max(1, share[:1].size)
    derror = dshare / measured.scale
    return derror, -derror * share
