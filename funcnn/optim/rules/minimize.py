"""The loop around a method that takes the function and not one gradient.

A line search, a trust region or a damped step of least squares looks at the function several times before it moves.  Such a
method is a pure ``step(function, params, state)``; the loop ends when the gradient is small, when no step is an improvement
any more, or when the steps are used up.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar, overload, runtime_checkable

from attrs import frozen

from funcnn.errors import check_count, check_range, describe
from funcnn.optim.optimizer import OptState
from funcnn.optim.rules.lbfgs import HasLossAndGrads, Stepped, lbfgs

P = TypeVar("P")
M = TypeVar("M")
M_contra = TypeVar("M_contra", contravariant=True)


@runtime_checkable
class Minimizer(Protocol[P, M_contra]):
    """A method that steps: what it needs to know of the function at some parameters is M."""

    def init(self, params: P) -> OptState[P]:
        """Return the state before the first step."""
        ...

    def step(self, function: Callable[[P], M_contra], params: P, state: OptState[P]) -> Stepped[P]:
        """Return the parameters after one step, and the next state."""
        ...


@frozen(eq=False)
class Minimum(Generic[P]):
    """What :func:`minimize` gives."""

    params: P
    """The best parameters found."""
    loss: float
    """The value there."""
    gradient_norm: float
    """The largest absolute number of the gradient there."""
    steps: int
    """Steps done."""
    evaluations: int
    """Evaluations of the function."""
    converged: bool
    """Whether the gradient is within the tolerance."""
    message: str
    """Why it ended."""


@overload
def minimize(
    function: Callable[[P], HasLossAndGrads[P]], params: P, method: None = None, *, steps: int = ..., tolerance: float = ...
) -> Minimum[P]: ...
@overload
def minimize(
    function: Callable[[P], M], params: P, method: Minimizer[P, M], *, steps: int = ..., tolerance: float = ...
) -> Minimum[P]: ...
def minimize(
    function: Callable[[P], Any],  # Any: what a method needs, which the overloads say
    params: P,
    method: Minimizer[P, Any] | None = None,
    *,
    steps: int = 200,
    tolerance: float = 1e-6,
) -> Minimum[P]:
    """Minimize a smooth function of a parameter tree, by L-BFGS or another method that steps.

    Parameters
    ----------
    function : callable
        Takes parameters and gives what the method needs; pure.  For L-BFGS a record with ``loss`` and ``grads``, such as
        :func:`funcnn.loss_and_grad` on all the data.
    params : tree
        Where to start; all leaves of one floating dtype.
    method : Minimizer, optional
        ``lbfgs()`` by default; :func:`funcnn.curvature.newton_cg` and :func:`funcnn.curvature.levenberg_marquardt` are others.
    steps : int, optional
        Steps at most, at least 1.
    tolerance : float, optional
        The largest absolute number of the gradient at which to end, at least 0.

    Returns
    -------
    Minimum

    Raises
    ------
    ValueError
        When a hyper-parameter is out of its range, or the value or gradient at the start is not finite.
    TypeError
        When a leaf does not hold floating-point numbers.

    Examples
    --------
    A linear regression:

    >>> import numpy as np, funcnn as fn
    >>> model, x = fn.dense(1), np.array([[0.0], [1.0], [2.0]])
    >>> start = model.init(fn.Key(0), (1,))
    >>> step = fn.loss_and_grad(model, fn.mean_squared_error())
    >>> found = fn.minimize(lambda params: step(params, (), x, 3 * x + 1, fn.Eval()), start.params)
    >>> found.converged, found.params.weight.round(4), found.params.bias.round(4)
    (True, array([[3.]]), array([1.]))
    """
    steps = check_count(steps, "steps")
    tolerance = check_range(tolerance, "tolerance", 0.0, math.inf, open_high=True)
    one: object = lbfgs() if method is None else method
    if not isinstance(one, Minimizer) or isinstance(one, type):
        raise TypeError(
            f"method is {describe(one)}, expected fn.lbfgs(...) or another method that steps, such as"
            " fn.curvature.newton_cg(...): other optimizers take single gradients"
        )
    if not callable(function):
        raise TypeError(f"function is {describe(function)}, expected a function of the parameters")
    state, evaluations, done = one.init(params), 0, 0
    while True:
        step: Stepped[P] = one.step(function, params, state)
        params, state = step.params, step.state
        evaluations, done = evaluations + step.evaluations, done + 1
        if step.gradient_norm <= tolerance:
            message = f"the gradient is within {tolerance:g}"
            break
        if not step.moved:
            message = "no step was an improvement: a minimum to working precision, or a wrong gradient"
            break
        if done == steps:
            message = f"the gradient is not within {tolerance:g} after {steps} steps"
            break
    return Minimum(params, step.loss, step.gradient_norm, done, evaluations, step.gradient_norm <= tolerance, message)
