r"""Levenberg-Marquardt: least squares by damped Gauss-Newton steps.

For $f(p) = \tfrac12 \lVert r(p) \rVert^2$ with M residuals and the Jacobian $J = \partial r / \partial p$ the gradient is $g =
J^\top r$, and the model that is linear in r has its minimum, with damping $\lambda$, at
$$ \delta = -(J^\top J + \lambda I)^{-1} J^\top r $$
(Levenberg 1944; Marquardt 1963, doi:10.1137/0111030).  A large $\lambda$ is a short step along the gradient, none a
Gauss-Newton step. The matrix $J^\top J$ is not made, since its condition number is the square of J's: with the singular values
$J = U \Sigma V^\top$
$$ \delta = -V\, \frac{\Sigma}{\Sigma^2 + \lambda}\, U^\top r , $$
which gives the step for every $\lambda$ at the cost of one decomposition.

The damping follows how much of the predicted decrease has come,
$$ \rho = \frac{f(p) - f(p + \delta)}{\tfrac12 \delta^\top (\lambda \delta - g)} , $$
by Nielsen's rule (1999, Damping parameter in Marquardt's method, eq. 2.13): after a step with $\rho > 0$ it is multiplied by
$\max(\tfrac13, 1 - (2\rho - 1)^3)$, and without one by $\nu = 2, 4, 8, \dots$ in turn.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol, TypeVar

import numpy as np
from attrs import frozen

from funcnn import tree
from funcnn.errors import describe
from funcnn.optim.hyper import POSITIVE, at_least, settle
from funcnn.optim.optimizer import OptState, check_shape, check_trainable, counter, foreign, updates_done
from funcnn.optim.rules.lbfgs import Stepped
from funcnn.typing import Array

P = TypeVar("P")
P_co = TypeVar("P_co", covariant=True)


class HasResiduals(Protocol[P_co]):
    """Residuals, and their Jacobian when it is asked for, such as :class:`funcnn.curvature.Residuals`."""

    @property
    def residuals(self) -> Array:
        """The residuals (M,)."""
        ...

    def jacobian(self) -> P_co:
        """Return their derivatives: a tree like the parameters, each leaf with an axis of M first."""
        ...


@frozen
class LevenbergMarquardt:
    """Levenberg-Marquardt.  Made by :func:`levenberg_marquardt`."""

    damping: float = 1e-3
    max_evaluations: int = 20

    def __attrs_post_init__(self) -> None:
        settle(self, damping=POSITIVE, max_evaluations=at_least(1))

    def init(self, params: P) -> OptState[P]:
        """Return the state before the first step.

        Raises
        ------
        TypeError
            When a leaf does not hold floating-point numbers.
        """
        for path, leaf in tree.walk(params):
            check_trainable(path, leaf.dtype)
        return OptState(counter(0))

    def step(self, function: Callable[[P], HasResiduals[P]], params: P, state: OptState[P]) -> Stepped[P]:
        """Return the parameters after one step that lowers the sum of squares, and the next state.

        Parameters
        ----------
        function : callable
            Takes parameters and gives a record with ``residuals`` and ``jacobian()``; pure.
        params : tree
            Where to step from.
        state : OptState
            As ``init`` or the last step with this very function gave it.

        Raises
        ------
        ValueError
            When the residuals or their Jacobian are not finite at the parameters, or not of the shapes said.
        """
        done = updates_done(state, self)
        x, unravel = tree.ravel(params)
        used = 0
        if state.slots:
            check_shape(state, self, 0, 4)
            r, jacobian, damping, growth = state.slots
            if jacobian.shape[1:] != x.shape or jacobian.dtype != x.dtype:
                raise foreign(state, self, f"it is for {jacobian.shape[1]} numbers of {jacobian.dtype}")
            weight, factor = float(damping), float(growth)
        else:
            used += 1
            r, jacobian = measured(function(params), params)
            weight, factor = self.damping * float(np.max(np.sum(jacobian**2, axis=0), initial=0.0)), 2.0
        value, g = _half_square(r), jacobian.T @ r
        if not (math.isfinite(value) and bool(np.isfinite(jacobian).all())):
            raise ValueError(f"the residuals or their Jacobian are not finite at the parameters (value {value}): start elsewhere")
        u, sizes, vt = _svd(jacobian)
        along = u.T @ r
        while used < self.max_evaluations + 1 and np.any(g):
            shares = sizes / (sizes**2 + sizes.dtype.type(weight))
            delta = -(vt.T @ (shares * along)).astype(x.dtype)
            at = x + delta
            with np.errstate(all="ignore"):  # a step that is too long is found out by its value
                there = function(unravel(tree.freeze(at)))
                used += 1
                new = _residuals(there)
                lowered = value - _half_square(new)
            predicted = float(delta.astype(float) @ (weight * delta.astype(float) - g.astype(float))) / 2
            if math.isfinite(lowered) and lowered > 0 and predicted > 0:
                ratio = lowered / predicted
                r, jacobian = measured(there, params)
                weight *= max(1 / 3, 1 - (2 * min(ratio, 1.0) - 1) ** 3)
                kept = OptState[P](counter(done + 1), _slots(r, jacobian, weight, 2.0))
                return Stepped(unravel(at), kept, _half_square(r), _largest(jacobian.T @ r), used, moved=True)
            weight, factor = max(weight, float(np.finfo(x.dtype).tiny)) * factor, 2 * factor
            if not math.isfinite(weight * factor) or np.array_equal(at, x):
                break
        kept = OptState[P](counter(done + 1), _slots(r, jacobian, weight, factor))
        return Stepped(params, kept, value, _largest(g), used, moved=False)


def measured(result: HasResiduals[P], params: P) -> tuple[Array, Array]:
    """Return the residuals (M,) and their Jacobian as a matrix (M, D), or raise."""
    r = _residuals(result)
    made = result.jacobian()
    tree.check_structure(params, made, "the Jacobian")
    for (path, leaf), own in zip(tree.walk(params), tree.leaves(made), strict=True):
        if own.shape != (*r.shape, *leaf.shape) or own.dtype != leaf.dtype:
            raise ValueError(
                f"the Jacobian{path} is {describe(own)}, expected {leaf.dtype}{[*r.shape, *leaf.shape]}: the residuals' axis, and"
                " then those of the parameter"
            )
    return r, np.concatenate([own.reshape(len(r), -1) for own in tree.leaves(made)], axis=1)


def _residuals(result: object) -> Array:
    """Return the residuals, or raise when a function gave something else."""
    r: object = getattr(result, "residuals", None)
    if not isinstance(r, np.ndarray) or r.ndim != 1 or r.dtype.kind != "f" or not callable(getattr(result, "jacobian", None)):
        raise TypeError(
            f"function gave {describe(result)}, expected a record with residuals, one axis of floating numbers, and a method"
            " jacobian, such as what fn.curvature.least_squares(model)(...) gives"
        )
    return r


def _svd(matrix: Array) -> tuple[Array, Array, Array]:
    """Return the decomposition in double precision at least of what LAPACK has."""
    wide = matrix.astype(np.float64, copy=False)
    u, sizes, vt = np.linalg.svd(wide, full_matrices=False)
    return u, sizes, vt


def _half_square(r: Array) -> float:
    wide = r.astype(np.float64, copy=False)
    return float(wide @ wide) / 2


def _largest(g: Array) -> float:
    return float(np.max(np.abs(g), initial=0.0))


def _slots(r: Array, jacobian: Array, damping: float, growth: float) -> tuple[Array, ...]:
    return tree.freeze((r.copy(), jacobian, np.array(damping), np.array(growth)))


def levenberg_marquardt(*, damping: float = 1e-3, max_evaluations: int = 20) -> LevenbergMarquardt:
    r"""Levenberg-Marquardt, for least squares of some hundreds or thousands of residuals and parameters.

    ``fn.minimize(function, params, fn.curvature.levenberg_marquardt())`` takes as many steps as are needed; its method
    ``step(function, params, state)`` takes one.  The function gives residuals and their Jacobian, such as
    :func:`least_squares` does; the value that falls is half of the sum of squares.

    Parameters
    ----------
    damping : float, optional
        $\lambda$ at the start, as a part of the largest diagonal entry of $J^\top J$; more than 0.
    max_evaluations : int, optional
        Evaluations of the residuals in one step at most.

    Returns
    -------
    LevenbergMarquardt

    Raises
    ------
    ValueError
        When a hyper-parameter is out of its range.

    References
    ----------
    Marquardt (1963), An algorithm for least-squares estimation of nonlinear parameters, doi:10.1137/0111030; Madsen, Nielsen &
    Tingleff (2004), Methods for non-linear least squares problems, algorithm 3.16.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.mlp(8, 8, 1, activation="tanh")
    >>> start = model.init(fn.Key(1), (1,))
    >>> x = np.linspace(-2, 2, 40)[:, None]
    >>> squares = fn.curvature.least_squares(model)
    >>> found = fn.minimize(
    ...     lambda params: squares(params, start.state, x, x * np.sin(3 * x), fn.Eval()),
    ...     start.params,
    ...     fn.curvature.levenberg_marquardt(),
    ...     steps=40,
    ... )
    >>> found.loss < 1e-5
    True
    """
    return LevenbergMarquardt(damping, max_evaluations)
