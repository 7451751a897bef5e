r"""L-BFGS: a quasi-Newton method of limited memory, with a line search for the strong Wolfe conditions.

After Nocedal (1980), Liu & Nocedal (1989) and Nocedal & Wright (2006), algorithms 7.4 and 7.5.

For smooth functions of all the data: from the last $m$ steps $s_k = p_{k+1} - p_k$ and changes of the gradient
$y_k = g_{k+1} - g_k$ it makes an approximation $H$ of the inverse Hessian and steps along $d = -H g$, computed by two loops
over the memory:
$$ q \leftarrow g; \quad \text{newest to oldest: } a_k = \frac{s_k^\top q}{y_k^\top s_k},\; q \leftarrow q - a_k y_k; \quad
   q \leftarrow \frac{s^\top y}{y^\top y}\, q; \quad \text{oldest to newest: } q \leftarrow q + \Bigl(a_k - \frac{y_k^\top
   q}{y_k^\top s_k}\Bigr) s_k; \quad d = -q . $$
It needs values as well as gradients, several times in one step, so it takes the function and not one gradient.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Generic, Protocol, TypeAlias, TypeVar

import numpy as np
from attrs import frozen

from funcnn import tree
from funcnn.errors import as_python_number, describe
from funcnn.optim.hyper import at_least, between, settle
from funcnn.optim.norms import norm_of
from funcnn.optim.optimizer import OptState, check_shape, check_trainable, counter, foreign, updates_done
from funcnn.optim.rules.wolfe import Point, line_search
from funcnn.typing import Array, Scalar

Found: TypeAlias = Point[tuple[Array, Array]]
"""A point of the line, with the vector of its parameters and the gradient there."""

P = TypeVar("P")
P_co = TypeVar("P_co", covariant=True)


class HasLossAndGrads(Protocol[P_co]):
    """A value and its gradient, such as :class:`funcnn.LossAndGrad`."""

    @property
    def loss(self) -> Scalar | float:
        """The value."""
        ...

    @property
    def grads(self) -> P_co:
        """Its gradient: a tree like the parameters."""
        ...


@frozen(eq=False)
class Stepped(Generic[P]):
    """What a step of L-BFGS gives."""

    params: P
    state: OptState[P]
    loss: float
    """The value at these parameters."""
    gradient_norm: float
    """The largest absolute number of the gradient at these parameters."""
    evaluations: int
    """How often the function was evaluated."""
    moved: bool
    """False when no step along the line was an improvement: a minimum to working precision, or a wrong gradient."""


@frozen
class LBFGS:
    """L-BFGS.  Made by :func:`funcnn.lbfgs`."""

    history_size: int = 10
    c1: float = 1e-4
    c2: float = 0.9
    max_evaluations: int = 25

    def __attrs_post_init__(self) -> None:
        settle(self, history_size=at_least(1), c1=between(0.0, 0.5, open_low=True, open_high=True), max_evaluations=at_least(1))
        settle(self, c2=between(self.c1, 1.0, open_low=True, open_high=True, note="c1 is its least"))

    def init(self, params: P) -> OptState[P]:
        """Return the state before the first step: no memory.

        Raises
        ------
        TypeError
            When a leaf does not hold floating-point numbers.
        """
        for path, leaf in tree.walk(params):
            check_trainable(path, leaf.dtype)
        return OptState(counter(0))

    def step(self, function: Callable[[P], HasLossAndGrads[P]], params: P, state: OptState[P]) -> Stepped[P]:
        """Return the parameters after one line search, and the next state.

        Parameters
        ----------
        function : callable
            Takes parameters and gives a record with ``loss`` and ``grads``; pure.
        params : tree
            Where to step from.
        state : OptState
            As ``init`` or the last step with this very function gave it.

        Raises
        ------
        ValueError
            When the value or the gradient at the parameters is not finite, or the gradient is not a tree like the parameters.
        """
        done = updates_done(state, self)
        x, unravel = tree.ravel(params)
        used = 0

        def measure(at: Array) -> tuple[float, Array]:
            nonlocal used
            used += 1
            result = _measured(function(unravel(at)))
            tree.check_like(params, result.grads, "the gradients")
            return _value(result.loss), tree.ravel(result.grads).vector

        steps, changes, value, g = self._recalled(state, x) or (*_no_memory(x), *measure(x))
        if not (math.isfinite(value) and bool(np.isfinite(g).all())):
            raise ValueError(f"the function or its gradient is not finite at the parameters (value {value}): start elsewhere")
        found: Found | None = None
        size = _largest(g)
        if size > 0:
            found, steps, changes = self._search(measure, Point(0.0, value, 0.0, (x, g)), steps, changes)
        if found is None:
            kept = OptState[P](counter(done + 1), _frozen(steps, changes, g, np.array(value)))
            return Stepped(params, kept, value, size, used, moved=False)
        at, gradient = found.data
        s, y = at - x, gradient - g
        if _dot(s, y) > float(np.finfo(x.dtype).eps) * norm_of((s,)) * norm_of((y,)):  # else the curvature would not be positive
            steps = np.concatenate([steps, s[None]])[-self.history_size :]
            changes = np.concatenate([changes, y[None]])[-self.history_size :]
        memory = OptState[P](counter(done + 1), _frozen(steps, changes, gradient, np.array(found.value)))
        new = unravel(_frozen(at)[0])
        return Stepped(new, memory, found.value, _largest(gradient), used, moved=True)

    def _recalled(self, state: OptState[P], x: Array) -> tuple[Array, Array, float, Array] | None:
        """Return the memory of steps and changes, and the value and the gradient at x, of a state that has them."""
        if not state.slots:
            return None
        check_shape(state, self, 0, 4)
        steps, changes, g, known = state.slots
        if g.shape != x.shape or g.dtype != x.dtype:
            raise foreign(state, self, f"it is for {g.size} numbers of {g.dtype} in place of {x.size} of {x.dtype}")
        return steps, changes, float(known), g

    def _search(
        self, measure: Callable[[Array], tuple[float, Array]], start: Found, steps: Array, changes: Array
    ) -> tuple[Found | None, Array, Array]:
        """Return the point that a line search finds, or None, and the memory that gave its direction.

        Where the memory gives no way down, or no step along it helps, it is emptied, and the search follows the gradient.
        """
        x, g = start.data
        precision = 10 * float(np.finfo(x.dtype).eps)
        while True:
            d = -product(steps, changes, g)
            slope = _dot(g, d)
            if slope < 0 or not len(steps):
                first = 1.0 if len(steps) else min(1.0, 1.0 / float(np.sum(np.abs(g), dtype=_wide(g))))
                begin = Point(start.step, start.value, slope, start.data)
                found = line_search(_line(measure, x, d), begin, first, self.c1, self.c2, precision, self.max_evaluations)
                if found is not None or not len(steps):
                    return found, steps, changes
            steps, changes = _no_memory(x)


def _no_memory(x: Array) -> tuple[Array, Array]:
    """Return the memory before the first step: no rows."""
    nothing: Array = np.empty((0, x.size), x.dtype)
    return nothing, nothing


def _line(measure: Callable[[Array], tuple[float, Array]], x: Array, d: Array) -> Callable[[float], Found]:
    """Return the function of a step along the direction d from x."""

    def along(step: float) -> Found:
        at = x + x.dtype.type(step) * d
        with np.errstate(all="ignore"):  # a step that is too long is found out by its value
            value, gradient = measure(at)
            return Point(step, value, _dot(gradient, d), (at, gradient))

    return along


def product(steps: Array, changes: Array, g: Array) -> Array:
    """Return H g by the two loops; the rows of steps and changes are the memory, oldest first."""
    curvatures = [_dot(s, y) for s, y in zip(steps, changes, strict=True)]
    q = g.copy()
    weights: list[float] = []
    for s, y, curvature in zip(steps[::-1], changes[::-1], curvatures[::-1], strict=True):
        weights.append(_dot(s, q) / curvature)
        q -= q.dtype.type(weights[-1]) * y
    if curvatures:
        q *= q.dtype.type(curvatures[-1] / _dot(changes[-1], changes[-1]))
    for s, y, curvature, weight in zip(steps, changes, curvatures, weights[::-1], strict=True):
        q += q.dtype.type(weight - _dot(y, q) / curvature) * s
    return q


def _dot(a: Array, b: Array) -> float:
    """Return an inner product in double precision at least: of float32 vectors, squares from 2e19 on are none of float32."""
    wide = _wide(a)
    return float(a.astype(wide, copy=False).dot(b.astype(wide, copy=False)))


def _wide(a: Array) -> np.dtype[np.floating]:
    return np.result_type(a.dtype, np.float64)


def _measured(result: HasLossAndGrads[P]) -> HasLossAndGrads[P]:
    """Return what a function gave, when it has the parts that are needed, or raise."""
    if not (hasattr(result, "loss") and hasattr(result, "grads")):
        raise TypeError(
            f"function gave {describe(result)}, expected a record with loss and grads, such as fn.LossAndGrad or what"
            " fn.loss_and_grad(model, loss)(...) gives"
        )
    return result


def _value(loss: object) -> float:
    number = as_python_number(loss)
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        raise TypeError(f"function gave a loss that is {describe(loss)}, expected one number")
    return float(number)


def _largest(g: Array) -> float:
    return float(np.max(np.abs(g))) if g.size else 0.0


def _frozen(*arrays: Array) -> tuple[Array, ...]:
    for array in arrays:
        array.setflags(write=False)
    return arrays


def lbfgs(*, history_size: int = 10, c1: float = 1e-4, c2: float = 0.9, max_evaluations: int = 25) -> LBFGS:
    """L-BFGS with a line search for the strong Wolfe conditions: for smooth functions of all the data.

    Its method ``step(function, params, state)`` takes one step; :func:`funcnn.minimize` takes as many as are needed.

    Parameters
    ----------
    history_size : int, optional
        Pairs of steps and changes of the gradient that are remembered, at least 1.
    c1, c2 : float, optional
        Of the Wolfe conditions, 0 < c1 < 1/2 and c1 < c2 < 1.
    max_evaluations : int, optional
        Evaluations of the function in one line search at most.

    Returns
    -------
    LBFGS

    Raises
    ------
    ValueError
        When a hyper-parameter is out of its range.

    References
    ----------
    Liu & Nocedal (1989), On the limited memory BFGS method for large scale optimization; Nocedal & Wright (2006), Numerical
    optimization, algorithms 3.5, 3.6, 7.4 and 7.5.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.lbfgs(history_size=5)
    LBFGS(history_size=5, c1=0.0001, c2=0.9, max_evaluations=25)
    """
    return LBFGS(history_size, c1, c2, max_evaluations)
