r"""The solution of a differential equation by steps of Dormand and Prince as long as a tolerance allows, with the exact adjoint.

Indices: $n$ attempt, $i, j$ stage, $f$ number of an example's state, of $F$.

Forward.  Each example has steps of its own.  An attempt of length $h$ from $(t, y)$ evaluates the stages $Y_i$ and
the slopes $k_i$ (:mod:`funcnn.combinators.implicit.runge_kutta`), the last of which is at the step's end, $Y_7 = y + h \sum_i b_i
k_i$, and compares the result with that of the embedded method of order 4,
$$ e = h \sum_i (b_i - \hat b_i) k_i, \qquad
   q = \Big(\frac1F \sum_f \big(e_f / s_f\big)^2\Big)^{1/2}, \qquad s_f = a + r \max(|y_f|, |Y_{7f}|), $$
with the tolerances $a$ and $r$.  If $q \le 1$ the state moves to $Y_7$.  In either case the next length is
$$ h \gets h \min(5, \max(0.2,\ 0.9\, q^{-1/5})) $$
(Hairer, Nørsett & Wanner 1993, section II.4, eqs. 4.10 to 4.13); a step that would pass a wanted time ends there, and leaves the
length as it was.

Derivation.  What is carried from attempt to attempt is $(y, k_1, t, h)$: the first slope is the last one of the step before.
The cotangents of the stages are those of steps of fixed length.  The lengths depend on the state as well, so they have cotangents
of their own:
$$ \bar h \mathrel{+}= \sum_i \langle \bar Y_i, \sum_j a_{ij} k_j \rangle + \sum_i c_i \bar t_i
   + \langle \bar e, \sum_i (b_i - \hat b_i) k_i \rangle, \qquad
   \bar q = -\frac{0.9\,q^{-6/5}}5\, h\, \bar h_+, \qquad
   \bar e_f = \frac{\bar q}{F q} \frac{e_f}{s_f^2}, \qquad \bar s_f = -\bar e_f \frac{e_f}{s_f}. $$
So this, too, is the derivative of what forward computes, to the last digit.  That the lengths have a part in it is often left
out (Zhuang et al. 2020, arXiv:2006.02493, section 3); it is of the size of the tolerance.  Where the number of steps changes the
output jumps, by as much: the derivative is that of the smooth piece.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal, TypeVar, overload

import numpy as np
from attrs import evolve, frozen

from funcnn.combinators.implicit.adaptive_step import Attempt, Carried, Control, attempt, pull_attempt, total
from funcnn.combinators.implicit.continuous_adjoint import Course, continuous_adjoint
from funcnn.combinators.implicit.convergence import ConvergenceError
from funcnn.combinators.implicit.field import Adjoint, Field, Problem, added, checked_times, pull
from funcnn.combinators.implicit.runge_kutta import ADJOINTS, Grid, init
from funcnn.combinators.implicit.tableau import RK5
from funcnn.errors import check_array, check_choice, check_cotangent, check_count, check_flag, check_range
from funcnn.layer import AnyLayer, Backward, Forward, Layer, Mode, Train, backward_without_input, check_layer, keeps_residuals
from funcnn.typing import Array, Scalar

P = TypeVar("P")
S = TypeVar("S")


@frozen(eq=False)
class DormandPrinceResiduals:
    """The first slope's residuals, the attempts before each wanted time, the other adjoint's course, what the output is like."""

    first: Any
    attempts: tuple[tuple[Attempt, ...], ...]
    course: Course | None
    shape: tuple[int, ...]
    dtype: np.dtype[np.floating]


def forward(
    inner: AnyLayer, control: Control, grid: Grid, adjoint: Adjoint, params: Any, state: Any, x: Array, mode: Mode
) -> Forward[Array, Any, DormandPrinceResiduals | tuple[()]]:
    check_array(x, min_ndim=1)
    keep = isinstance(mode, Train) or keeps_residuals(mode)
    problem = Problem(Field(inner, grid.timed), params, state, mode)
    start, ends = x.real.dtype.type(grid.start), [x.real.dtype.type(one) for one in grid.times]
    one_each: Array = np.ones((len(x), *[1] * (x.ndim - 1)), x.real.dtype)
    first = problem.slope(start, x)
    finite = np.isfinite(total(x)) & np.isfinite(total(first.value))  # an example that is not stays so, and spoils no other
    nothing = x.real.dtype.type(np.nan)
    now = Carried(np.where(finite, x, nothing), first.value, np.where(finite, start, nothing), one_each * control.first_step)
    way = float(np.sign(ends[0] - start))
    state, outputs, attempts, lengths, count = first.state, [], [], [], 0
    for end in ends:
        stretch = []
        while (way * (end - now.t.real) > 0).any():
            if count == control.max_steps:
                raise unfinished(control, now, end, way)
            made, now = attempt(problem, control, now, end, way)
            state, count = made.stages.state, count + 1
            if keep and adjoint == "discrete":
                stretch.append(made)
            lengths.append((now.t, np.where(made.accepted, made.h, 0)))
        attempts.append(tuple(stretch))
        outputs.append((now.y, count))
    output: Array = now.y if grid.single else np.stack([y for y, _ in outputs], axis=1)
    if not keep:
        return Forward(output, state, ())
    course = None
    if adjoint == "continuous":
        course = Course(problem, RK5, now.y, tuple(lengths), tuple([made for _, made in outputs]))
    return Forward(output, state, DormandPrinceResiduals(first.residuals, tuple(attempts), course, output.shape, output.dtype))


def unfinished(control: Control, now: Carried, end: Scalar, way: float) -> ConvergenceError:
    """Return the error that so many steps are not enough."""
    example = int(np.argmax(way * (end - now.t.real).ravel()))
    return ConvergenceError(
        f"max_steps={control.max_steps} attempts have brought example {example} to t={now.t.real.ravel()[example]:g}, not to"
        f" t={end:g}; the next step has length {now.h.real.ravel()[example]:g}: allow more with max_steps, or larger errors with"
        f" rtol (now {control.rtol:g}) and atol (now {control.atol:g}); the equation may be stiff, or its solution end before"
    )


def backward(
    inner: AnyLayer,
    control: Control,
    grid: Grid,
    params: Any,
    residuals: DormandPrinceResiduals,
    dy: Array,
    input_grad: bool = True,
) -> Backward[Any, Array]:
    check_cotangent(dy, residuals.shape, residuals.dtype)
    parts = [dy] if grid.single else [dy[:, index] for index in range(len(grid.times))]
    if residuals.course is not None:
        of_equation = continuous_adjoint(residuals.course, params, parts)
        return of_equation if input_grad else backward_without_input(of_equation.params)
    nothing: Array = np.zeros_like(parts[-1])
    of_each = total(nothing)
    dnow, grads = Carried(nothing, nothing, of_each, of_each), None
    for one, stretch in zip(reversed(parts), reversed(residuals.attempts), strict=True):
        dnow = evolve(dnow, y=dnow.y + one)
        for made in reversed(stretch):
            dnow, grads = pull_attempt(Field(inner, grid.timed), control, params, made, dnow, grads)
    first = pull(Field(inner, grid.timed), params, residuals.first, dnow.slope)
    grads = added(grads, first.params)
    return Backward(grads, dnow.y + first.y) if input_grad else backward_without_input(grads)


@overload
def dormand_prince(
    inner: Layer[P, S, Array, Array],
    times: float | Sequence[float] = 1.0,
    *,
    rtol: float = 1e-6,
    atol: float = 1e-8,
    first_step: float | None = None,
    max_steps: int = 1000,
    start: float = 0.0,
    timed: Literal[False] = False,
    adjoint: Adjoint = "discrete",
) -> Layer[P, S, Array, Array]: ...
@overload
def dormand_prince(
    inner: Layer[P, S, tuple[Array, Array], Array] | Layer[P, S, tuple[Array, ...], Array],
    times: float | Sequence[float] = 1.0,
    *,
    rtol: float = 1e-6,
    atol: float = 1e-8,
    first_step: float | None = None,
    max_steps: int = 1000,
    start: float = 0.0,
    timed: Literal[True],
    adjoint: Adjoint = "discrete",
) -> Layer[P, S, Array, Array]: ...
def dormand_prince(
    inner: Layer[P, S, Any, Array],
    times: float | Sequence[float] = 1.0,
    *,
    rtol: float = 1e-6,
    atol: float = 1e-8,
    first_step: float | None = None,
    max_steps: int = 1000,
    start: float = 0.0,
    timed: bool = False,
    adjoint: Literal["discrete", "continuous"] = "discrete",
) -> Layer[P, S, Array, Array]:
    """Solve y' = f(y) or y' = f(y, t) from the input on, by steps as long as a tolerance allows.

    Parameters
    ----------
    inner : Layer
        The right-hand side f: from states (N, ...) to slopes of the same shape.
    times : float, or sequence of float, optional
        When the solution is wanted: at one time, or at several that run one way from ``start``.
    rtol, atol : float, optional
        What a step may err by, atol + rtol |y|, in the mean square over the numbers of an example.
    first_step : float, optional
        The length that is tried first; by default a tenth of the way to the last time.
    max_steps : int, optional
        How many attempts are made for the longest of a batch.
    start : float, optional
        The time at which the input is the state.
    timed : bool, optional
        Whether f takes the pair (state, time), the time as an array (N, 1, ...) with as many axes as the state.
    adjoint : {"discrete", "continuous"}, optional
        The gradient: the exact one of these steps, lengths included, which keeps what f keeps in each of them
        (``fn.recompute(inner)`` keeps its inputs alone); or that of the equation, solved backwards in time by steps of the same
        lengths, which keeps the last state alone and is right to about the tolerance.

    Returns
    -------
    Layer
        With the parameters of ``inner``.  From (N, ...) to the state at the time, (N, ...), or to those at several times,
        (N, T, ...).  Each example has steps of its own.  Each call of f is given the state (of the layer, such as running
        statistics) that the solver was given; the next one is that of the last call.

    Raises
    ------
    TypeError, ValueError
        When ``inner`` is not a layer, times do not run one way, a tolerance or the first step is not positive, ``max_steps`` is
        not a positive integer, or the adjoint has another name; in ``init``, when f changes the shape.
    ConvergenceError
        In ``forward``, when ``max_steps`` attempts are not enough, or the solution is not finite.

    References
    ----------
    Dormand & Prince (1980), A family of embedded Runge-Kutta formulae, J. Comp. Appl. Math. 6.  Hairer, Nørsett & Wanner (1993),
    Solving Ordinary Differential Equations I, 2nd ed., sections II.4 and II.5.

    See Also
    --------
    runge_kutta : steps of fixed length.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> decay = fn.define_layer(
    ...     "decay",
    ...     init=lambda key, in_shape: fn.Init((), (), in_shape),
    ...     forward=lambda params, state, y, mode: fn.Forward(-y, state, ()),
    ...     backward=lambda params, residuals, dy: fn.Backward(params, -dy),
    ... )
    >>> fn.apply(fn.dormand_prince(decay, rtol=1e-9), (), (), np.ones((1, 1))).round(6)
    array([[0.367879]])
    """
    check_layer(inner, "inner")
    part: Any = inner
    start = check_range(start, "start", -1e300, 1e300)
    many = checked_times(times, start)
    rtol = check_range(rtol, "rtol", 0, 1, open_low=True)
    atol = check_range(atol, "atol", 0, 1e300, open_low=True)
    way = many[-1] - start
    first = 0.1 * abs(way) if first_step is None else check_range(first_step, "first_step", 0, 1e300, open_low=True)
    control = Control(rtol, atol, float(np.copysign(first, way)), check_count(max_steps, "max_steps"))
    timed = check_flag(timed, "timed")
    adjoint = check_choice(adjoint, ADJOINTS, "adjoint")
    grid = Grid(start, many, not isinstance(times, (tuple, list)), 1, timed)
    # Any: the residuals' type is hidden from here on
    kept: Any = partial(forward, part, control, grid, adjoint)
    pulled: Any = partial(backward, part, control, grid)
    settings: Any = {"rtol": rtol, "atol": atol, "first_step": first_step, "max_steps": max_steps}
    return Layer(
        f"dormand_prince({inner.name})",
        partial(init, part, grid),
        kept,
        pulled,
        inner.random,
        (part,),
        partial(combine, times=times, **settings, start=start, timed=timed, adjoint=adjoint),
    )


def combine(parts: tuple[AnyLayer, ...], **settings: Any) -> Any:
    """Make the solver again for another right-hand side."""
    make: Any = dormand_prince
    return make(*parts, **settings)
