r"""The adjoint of a differential equation, solved backwards in time (Pontryagin et al. 1962; Chen et al. 2018, algorithm 1).

For $y' = f(t, y; \theta)$ and a function $L$ of $y(T)$, the cotangent $\lambda(t) = (\partial L/\partial y(t))^\top$ obeys
$$ \lambda' = -\Big(\frac{\partial f}{\partial y}\Big)^{\!\top} \lambda, \qquad
   \bar\theta = \int_{t_0}^T \Big(\frac{\partial f}{\partial \theta}\Big)^{\!\top} \lambda \,\mathrm{d}t, \qquad
   \bar x = \lambda(t_0). $$
The state is not kept: it is integrated backwards together with $\lambda$ and the integral, by the steps of forward in the
opposite order.  What comes out is the gradient of the equation's solution up to the error of the method, and not exactly
that of the numbers that forward computed; where the equation forgets its past, integrating it backwards is unstable.

Each product is asked for with the step's length already in the cotangent, $h \lambda$: so lengths may differ between examples.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from attrs import frozen

from funcnn import tree
from funcnn.combinators.implicit.field import Problem, Step, added, moved, pull, summed
from funcnn.combinators.implicit.tableau import Tableau, coefficients
from funcnn.layer import Backward
from funcnn.typing import Array


@frozen(eq=False)
class Course:
    """How forward went: the state at the end, and for each step where it ended and how long it was."""

    problem: Problem
    tableau: Tableau
    y: Array
    steps: tuple[tuple[Step, Step], ...]
    ends: tuple[int, ...] = ()
    """After how many steps each of the wanted times was reached; nothing when as many were made for each."""


def continuous_adjoint(course: Course, params: Any, dys: list[Array]) -> Backward[Any, Array]:
    """Return the gradients for the cotangents of the states at each wanted time."""
    count = len(course.steps)
    ends = course.ends or tuple([count * (index + 1) // len(dys) for index in range(len(dys))])
    y, dstate, grads = course.y, np.zeros_like(dys[-1]), None
    bounds = (0, *ends)
    for index in reversed(range(len(dys))):
        dstate = dstate + dys[index]
        for t, h in reversed(course.steps[bounds[index] : bounds[index + 1]]):
            y, dstate, part = _step_back(course, params, (y, dstate), t, h)
            grads = added(grads, part)
    return Backward(summed(grads, params), dstate)


def _step_back(course: Course, params: Any, state: tuple[Array, Array], t: Step, h: Step) -> tuple[Array, Array, Any]:
    """Return the solution and its cotangent one step earlier, and the integral over the step."""
    y, dstate = state
    table = coefficients(course.tableau, y.dtype)
    one = y.real.dtype.type(1)
    slopes: tuple[Array, ...] = ()
    pulled: tuple[Array, ...] = ()  # h J^T lambda
    grads = None
    for row, weight, c in zip(table.a, table.b, table.c, strict=True):
        slope = course.problem.slope(t - c * h, moved(y, -h, row, slopes))
        back = pull(course.problem.field, params, slope.residuals, h * moved(dstate, one, row, pulled))
        slopes += (slope.value,)
        pulled += (back.y,)
        if weight:
            grads = added(grads, tree.map(partial(np.multiply, weight), back.params))
    return moved(y, -h, table.b, slopes), moved(dstate, one, table.b, pulled), grads
