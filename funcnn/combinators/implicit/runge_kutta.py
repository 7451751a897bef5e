r"""The solution of a differential equation by steps of fixed length, with the exact adjoint of the discrete method.

Indices: $n$ step of length $h$, $i, j$ stage.

Forward.  $y' = f(t, y; \theta)$ from $y(t_0) = x$; a step is one of an explicit Runge-Kutta method
(:mod:`funcnn.combinators.implicit.tableau`),
$$ Y_i = y_n + h \sum_{j<i} a_{ij} k_j, \qquad k_i = f(t_n + c_i h,\ Y_i), \qquad y_{n+1} = y_n + h \sum_i b_i k_i. $$

Derivation.  With $\lambda$ the cotangent of $y_{n+1}$, that of a slope is what it sends to the step and to the later stages,
and each stage's input collects $J_i = \partial f/\partial y$ at $Y_i$:
$$ \bar k_i = h b_i \lambda + h \sum_{j>i} a_{ji} \bar Y_j, \qquad \bar Y_i = J_i^\top \bar k_i, \qquad
   \bar y_n = \lambda + \sum_i \bar Y_i, \qquad \bar\theta = \sum_{n,i} (\partial f/\partial\theta)_{n,i}^\top \bar k_i, $$
for $i$ from the last stage to the first.  This is the derivative of what forward computes, to the last digit, however long the
steps are (Sandu 2006, On the properties of Runge-Kutta discrete adjoints).  The continuous adjoint
(:mod:`funcnn.combinators.implicit.continuous_adjoint`) is that of the equation instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal, TypeVar, overload

import numpy as np
from attrs import frozen

from funcnn.combinators.implicit.continuous_adjoint import Course, continuous_adjoint
from funcnn.combinators.implicit.field import Adjoint, Field, Problem, added, checked_times, moved, pull, run_stages, summed
from funcnn.combinators.implicit.tableau import METHODS, Coefficients, Tableau, coefficients
from funcnn.errors import check_array, check_choice, check_cotangent, check_count, check_flag, check_range
from funcnn.key import Key
from funcnn.layer import (
    AnyLayer,
    Backward,
    Forward,
    Init,
    Layer,
    Mode,
    Train,
    backward_without_input,
    check_layer,
    keeps_residuals,
)
from funcnn.typing import Array, Scalar, Shape

P = TypeVar("P")
S = TypeVar("S")

ADJOINTS: tuple[Adjoint, ...] = ("discrete", "continuous")


@frozen
class Grid:
    """The times at which the solution is wanted, and the steps between two of them."""

    start: float
    times: tuple[float, ...]
    single: bool
    """Whether the output is the state at the only time, without an axis of times."""
    steps: int
    timed: bool
    """Whether the right-hand side takes the time."""

    def out_shape(self, shape: Shape) -> Shape:
        """Return the shape of the output for one example."""
        return shape if self.single else (len(self.times), *shape)

    def step(self, index: int, kind: type[Scalar]) -> tuple[Scalar, Scalar]:
        """Return where the stretch before a time begins, and the length of its steps."""
        begin, end = kind((self.start, *self.times)[index]), kind(self.times[index])
        return begin, (end - begin) / kind(self.steps)


@frozen(eq=False)
class RungeKuttaResiduals:
    """The length of each step and what its stages kept, and what the output is like; or, for the other adjoint, the course."""

    steps: tuple[tuple[Scalar, tuple[Any, ...]], ...]  # Any: what the right-hand side kept at each stage
    course: Course | None
    shape: tuple[int, ...]
    dtype: np.dtype[np.floating]


def init(inner: AnyLayer, grid: Grid, key: Key, in_shape: Any) -> Init[Any, Any]:
    made = Field(inner, grid.timed).init(key, in_shape)
    return Init(made.params, made.state, grid.out_shape(in_shape))


def forward(
    inner: AnyLayer, tableau: Tableau, grid: Grid, adjoint: Adjoint, params: Any, state: Any, x: Array, mode: Mode
) -> Forward[Array, Any, RungeKuttaResiduals | tuple[()]]:
    check_array(x, min_ndim=1)
    keep = isinstance(mode, Train) or keeps_residuals(mode)
    problem = Problem(Field(inner, grid.timed), params, state, mode)
    y, kept, lengths, outputs = x, [], [], []
    for index in range(len(grid.times)):
        begin, h = grid.step(index, x.real.dtype.type)
        table = coefficients(tableau, x.dtype)
        for number in range(grid.steps):
            t = begin + number * h
            stages = run_stages(problem, table, y, t, h)
            y = moved(y, h, table.b, stages.slopes)
            state = stages.state
            if keep and adjoint == "discrete":
                kept.append((h, stages.residuals))
            lengths.append((t + h, h))
        outputs.append(y)
    output: Array = y if grid.single else np.stack(outputs, axis=1)
    if not keep:
        return Forward(output, state, ())
    course = Course(problem, tableau, y, tuple(lengths)) if adjoint == "continuous" else None
    return Forward(output, state, RungeKuttaResiduals(tuple(kept), course, output.shape, output.dtype))


def backward(
    inner: AnyLayer, tableau: Tableau, grid: Grid, params: Any, residuals: RungeKuttaResiduals, dy: Array, input_grad: bool = True
) -> Backward[Any, Array]:
    check_cotangent(dy, residuals.shape, residuals.dtype)
    parts = [dy] if grid.single else [dy[:, index] for index in range(len(grid.times))]
    if residuals.course is not None:
        made = continuous_adjoint(residuals.course, params, parts)
        return made if input_grad else backward_without_input(made.params)
    table = coefficients(tableau, residuals.dtype)
    dstate, grads = np.zeros_like(parts[-1]), None
    for index in reversed(range(len(grid.times))):
        dstate = dstate + parts[index]
        for step in reversed(residuals.steps[index * grid.steps : (index + 1) * grid.steps]):
            dstate, grads = pull_step(Field(inner, grid.timed), table, params, step, dstate, grads)
    grads = summed(grads, params)
    return Backward(grads, dstate) if input_grad else backward_without_input(grads)


def pull_step(
    field: Field, table: Coefficients, params: Any, step: tuple[Scalar, tuple[Any, ...]], dnext: Array, grads: Any
) -> tuple[Array, Any]:
    """Return the cotangent of the state before a step, and the sum of the parameters' gradients."""
    h, residuals = step
    dslopes: list[Array] = [(h * weight) * dnext for weight in table.b]
    dstate = dnext
    for i in reversed(range(len(table.b))):
        pulled = pull(field, params, residuals[i], dslopes[i])
        grads = added(grads, pulled.params)
        dstate = dstate + pulled.y
        for j, weight in enumerate(table.a[i]):
            if weight:
                dslopes[j] = dslopes[j] + (h * weight) * pulled.y
    return dstate, grads


@overload
def runge_kutta(
    inner: Layer[P, S, Array, Array],
    times: float | Sequence[float] = 1.0,
    *,
    steps: int = 10,
    method: str = "rk4",
    start: float = 0.0,
    timed: Literal[False] = False,
    adjoint: Adjoint = "discrete",
) -> Layer[P, S, Array, Array]: ...
@overload
def runge_kutta(
    inner: Layer[P, S, tuple[Array, Array], Array] | Layer[P, S, tuple[Array, ...], Array],
    times: float | Sequence[float] = 1.0,
    *,
    steps: int = 10,
    method: str = "rk4",
    start: float = 0.0,
    timed: Literal[True],
    adjoint: Adjoint = "discrete",
) -> Layer[P, S, Array, Array]: ...
def runge_kutta(
    inner: Layer[P, S, Any, Array],
    times: float | Sequence[float] = 1.0,
    *,
    steps: int = 10,
    method: str = "rk4",
    start: float = 0.0,
    timed: bool = False,
    adjoint: Literal["discrete", "continuous"] = "discrete",
) -> Layer[P, S, Array, Array]:
    """Solve y' = f(y) or y' = f(y, t) from the input on, by a Runge-Kutta method with steps of fixed length.

    Parameters
    ----------
    inner : Layer
        The right-hand side f: from states (N, ...) to slopes of the same shape.
    times : float, or sequence of float, optional
        When the solution is wanted: at one time, or at several that run one way from ``start``.
    steps : int, optional
        How many steps are made from each of these times to the next.
    method : {"euler", "midpoint", "heun", "rk4", "rk5"}, optional
        Of orders 1, 2, 2, 4 and 5: halving the steps divides the error by 2 to that power.
    start : float, optional
        The time at which the input is the state.
    timed : bool, optional
        Whether f takes the pair (state, time), the time as an array (N, 1, ...) with as many axes as the state.
    adjoint : {"discrete", "continuous"}, optional
        The gradient: the exact one of these steps, which keeps what f keeps in each of them (``fn.recompute(inner)`` keeps its
        inputs alone); or that of the equation, solved backwards in time by steps of the same lengths, which keeps the last state
        alone and is right to the error of the steps.

    Returns
    -------
    Layer
        With the parameters of ``inner``.  From (N, ...) to the state at the time, (N, ...), or to those at several times,
        (N, T, ...).  Each call of f is given the state (of the layer, such as running statistics) that the solver was given; the
        next one is that of the last call.

    Raises
    ------
    TypeError, ValueError
        When ``inner`` is not a layer, times do not run one way, ``steps`` is not a positive integer, or the method or the adjoint
        has another name; in ``init``, when f changes the shape.

    References
    ----------
    Hairer, Nørsett & Wanner (1993), Solving Ordinary Differential Equations I, 2nd ed., chapter II.  Chen, Rubanova, Bettencourt
    & Duvenaud (2018), Neural ordinary differential equations, arXiv:1806.07366.

    See Also
    --------
    dormand_prince : steps as long as a tolerance allows.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> decay = fn.define_layer(
    ...     "decay",
    ...     init=lambda key, in_shape: fn.Init((), (), in_shape),
    ...     forward=lambda params, state, y, mode: fn.Forward(-y, state, ()),
    ...     backward=lambda params, residuals, dy: fn.Backward(params, -dy),
    ... )
    >>> solved = fn.runge_kutta(decay, (0.5, 1.0), steps=20)
    >>> fn.apply(solved, (), (), np.ones((1, 1))).round(6)
    array([[[0.606531],
            [0.367879]]])
    """
    check_layer(inner, "inner")
    part: Any = inner
    start = check_range(start, "start", -1e300, 1e300)
    many = checked_times(times, start)
    steps = check_count(steps, "steps")
    tableau = METHODS[check_choice(method, tuple(METHODS), "method")]
    timed = check_flag(timed, "timed")
    adjoint = check_choice(adjoint, ADJOINTS, "adjoint")
    grid = Grid(start, many, not isinstance(times, (tuple, list)), steps, timed)
    # Any: the residuals' type is hidden from here on
    kept: Any = partial(forward, part, tableau, grid, adjoint)
    pulled: Any = partial(backward, part, tableau, grid)
    return Layer(
        f"runge_kutta({inner.name})",
        partial(init, part, grid),
        kept,
        pulled,
        inner.random,
        (part,),
        partial(combine, times=times, steps=steps, method=method, start=start, timed=timed, adjoint=adjoint),
    )


def combine(parts: tuple[AnyLayer, ...], **settings: Any) -> Any:
    """Make the solver again for another right-hand side."""
    make: Any = runge_kutta
    return make(*parts, **settings)
